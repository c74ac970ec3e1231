//! Whose calls go by the trunks, and whether there is room for another one of theirs: companies that
//! share the machine share its trunks, too.

use std::collections::HashMap;
use std::sync::Arc;

use crate::dialplan::pattern::Match;
use crate::sip::event::SessionId;

/// The tenants, and which trunks carry calls of one of them only.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The tenants.
    pub tenants: Vec<Tenant>,
    /// The tenant of each trunk that has one.
    pub trunks: HashMap<Arc<str>, Arc<str>>,
}

/// A company that shares the machine with others.
#[derive(Debug, Clone)]
pub struct Tenant {
    /// Its name in the configuration.
    pub name: Arc<str>,
    /// Its numbers.
    pub numbers: Vec<Match>,
    /// The most calls at once, both ways together; without, any number.
    pub max_calls: Option<usize>,
}

impl Settings {
    /// Whose a call by a trunk is: that of the first number that is somebody's, else the trunk's.
    pub fn whose(&self, trunk: &str, numbers: &[&str]) -> Option<Arc<str>> {
        let owns = |tenant: &&Tenant| {
            let is_own = |number: &&str| tenant.numbers.iter().any(|own| own.matches(number));
            numbers.iter().filter(|number| !number.is_empty()).any(is_own)
        };
        let owner = self.tenants.iter().find(owns).map(|tenant| &tenant.name);
        owner.or_else(|| self.trunks.get(trunk)).cloned()
    }
}

/// Counts the calls of each tenant. A call that comes in by a trunk and leaves by one counts twice,
/// as it takes two channels.
#[derive(Debug, Default)]
pub(super) struct Tenants {
    settings: Settings,
    counts: HashMap<Arc<str>, usize>,
    sessions: HashMap<SessionId, Arc<str>>,
}

impl Tenants {
    /// Counts for these.
    pub fn new(settings: Settings) -> Self {
        Self { settings, ..Self::default() }
    }

    /// Whose a call by a trunk is.
    pub fn whose(&self, trunk: &str, numbers: &[&str]) -> Option<Arc<str>> {
        self.settings.whose(trunk, numbers)
    }

    /// Whether a tenant has room for a session beside all others.
    pub fn has_room(&self, tenant: Option<&Arc<str>>, session: SessionId) -> bool {
        let known = self.settings.tenants.iter().find(|known| Some(&known.name) == tenant);
        let Some((name, most)) = known.and_then(|it| Some((&it.name, it.max_calls?))) else {
            return true;
        };
        let count = self.counts.get(name).copied().unwrap_or_default();
        let is_counted = self.sessions.get(&session) == Some(name);
        count < most.saturating_add(usize::from(is_counted))
    }

    /// A session is one of a tenant's, and of nobody's any more whose it was before.
    pub fn carry(&mut self, session: SessionId, tenant: Option<Arc<str>>) {
        self.over(session);
        let Some(tenant) = tenant else { return };
        let count = self.counts.entry(tenant.clone()).or_default();
        *count = count.saturating_add(1);
        self.sessions.insert(session, tenant);
    }

    /// Whose a session is.
    pub fn of(&self, session: SessionId) -> Option<&Arc<str>> {
        self.sessions.get(&session)
    }

    /// A session is over.
    pub fn over(&mut self, session: SessionId) {
        let tenant = self.sessions.remove(&session);
        if let Some(count) = tenant.and_then(|tenant| self.counts.get_mut(&tenant)) {
            *count = count.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenants() -> Tenants {
        let tenant = |name: &str, number: &str, most: Option<usize>| Tenant {
            name: name.into(),
            numbers: vec![number.parse().expect("a pattern")],
            max_calls: most,
        };
        Tenants::new(Settings {
            tenants: vec![
                tenant("acme", "+49711123450..59", Some(2)),
                tenant("other", "+4930*", None),
            ],
            trunks: HashMap::from([("acme-pbx".into(), "acme".into())]),
        })
    }

    #[test]
    fn a_number_says_whose_a_call_is_and_else_the_trunk() {
        let tenants = tenants();
        let whose = |trunk: &str, numbers: &[&str]| tenants.whose(trunk, numbers);
        assert_eq!(whose("carrier", &["+49711123455"]).as_deref(), Some("acme"));
        assert_eq!(whose("carrier", &["+49301234"]).as_deref(), Some("other"));
        assert_eq!(whose("carrier", &["", "+49711123450"]).as_deref(), Some("acme"));
        assert_eq!(whose("acme-pbx", &["+49301234"]).as_deref(), Some("other"));
        assert_eq!(whose("acme-pbx", &["anonymous"]).as_deref(), Some("acme"));
        assert_eq!(whose("carrier", &["+4940"]), None);
    }

    #[test]
    fn the_calls_of_a_tenant_share_its_room_and_leave_that_of_others() {
        let (mut tenants, acme) = (tenants(), Some(Arc::from("acme")));
        tenants.carry(SessionId(1), acme.clone());
        tenants.carry(SessionId(1), acme.clone());
        assert!(tenants.has_room(acme.as_ref(), SessionId(2)));
        tenants.carry(SessionId(2), acme.clone());
        assert!(tenants.has_room(acme.as_ref(), SessionId(2)), "whoever is counted has its room");
        assert!(!tenants.has_room(acme.as_ref(), SessionId(3)));
        assert!(tenants.has_room(Some(&"other".into()), SessionId(3)));
        assert!(tenants.has_room(None, SessionId(3)));
        tenants.carry(SessionId(1), None);
        assert_eq!((tenants.of(SessionId(1)), tenants.of(SessionId(2))), (None, acme.as_ref()));
        assert!(tenants.has_room(acme.as_ref(), SessionId(3)));
        tenants.over(SessionId(2));
        tenants.over(SessionId(2));
        assert_eq!(tenants.counts.values().sum::<usize>(), 0);
        assert!(tenants.sessions.is_empty());
    }
}
