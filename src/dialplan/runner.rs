//! Finds the route of a call, and explains why the others did not fit.

use std::time::Duration;

use crate::base::attestation::Attested;
use crate::dialplan::pattern::{Dialled, Match};
use crate::dialplan::plan::{Key, Plan, Route};
use crate::dialplan::when::When;

/// What a route looks at. Texts as the trunk delivered them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Call<'a> {
    /// The number called.
    pub did: &'a str,
    /// The number calling; empty or `anonymous` when it is withheld.
    pub caller: &'a str,
    /// The name of the trunk; empty when there is none.
    pub trunk: &'a str,
    /// The context of the trunk; empty when it has none.
    pub context: &'a str,
    /// How far somebody whom we believe vouches for the caller's number.
    pub attested: Attested,
    /// When it came, since the Unix epoch; without it, opening hours are not asked.
    pub at: Option<Duration>,
}

/// A call whose numbers were read once.
struct Read<'a> {
    call: &'a Call<'a>,
    did: Dialled<'a>,
    caller: Dialled<'a>,
}

/// What one route says to a call.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation<'a> {
    /// The place of the route in the plan, from 0.
    pub position: usize,
    /// The route.
    pub route: &'a Route,
    /// Each key that the route has, in the order of [`Key`].
    pub checks: Vec<Check>,
}

/// What one key of a route says to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// The key.
    pub key: Key,
    /// Whether the call fits.
    pub fits: bool,
    /// What the route wants, its alternatives separated by commas.
    pub wanted: String,
    /// Why, where that is not plain: `closed date 2026-12-24`.
    pub why: Option<String>,
}

impl Plan {
    /// Finds the route of a call: the first that fits.
    pub fn route(&self, call: &Call<'_>) -> Option<&Route> {
        let read = Read::new(call);
        let fits = |route: &&Route| route.fits(&read) && self.is_time(route, call.at);
        match &self.index {
            Some(index) => index.places(&read.did).filter_map(|at| self.routes.get(at)).find(fits),
            None => self.routes.iter().find(fits),
        }
    }

    /// Whether a route holds at a time since the Unix epoch.
    fn is_time(&self, route: &Route, at: Option<Duration>) -> bool {
        let Some(at) = at else { return true };
        let holds = |when: &When| {
            let hours = self.hours.get(&when.hours);
            hours.is_some_and(|hours| hours.status(at, &self.zone).is_open == when.open)
        };
        route.when.is_empty() || route.when.iter().any(holds)
    }

    /// Says for every route, key by key, whether the call fits.
    pub fn explain(&self, call: &Call<'_>) -> Vec<Explanation<'_>> {
        let read = Read::new(call);
        let explained = |(position, route)| Explanation {
            position,
            route,
            checks: KEYS.iter().filter_map(|key| self.check(route, *key, &read)).collect(),
        };
        self.routes.iter().enumerate().map(explained).collect()
    }
}

impl Explanation<'_> {
    /// Whether the route fits as a whole.
    pub fn fits(&self) -> bool {
        self.checks.iter().all(|check| check.fits)
    }
}

impl<'a> Read<'a> {
    fn new(call: &'a Call<'a>) -> Self {
        Self { call, did: Dialled::new(call.did), caller: Dialled::new(call.caller) }
    }
}

impl Route {
    /// Whether the call fits every key but the time.
    fn fits(&self, read: &Read<'_>) -> bool {
        let call = read.call;
        fits_any(&self.did, &read.did)
            && is_any(&self.trunk, call.trunk)
            && is_any(&self.context, call.context)
            && fits_any(&self.ext, &read.did)
            && fits_any(&self.caller, &read.caller)
            && (self.attestation.is_empty() || self.attestation.contains(&call.attested))
    }
}

impl Plan {
    /// Compares one key; `None` when the route does not have it.
    fn check(&self, route: &Route, key: Key, read: &Read<'_>) -> Option<Check> {
        let call = read.call;
        let texts = |patterns: &[Match]| listed(patterns.iter().map(Match::text));
        let (fits, wanted) = match key {
            Key::Did => (fits_any(&route.did, &read.did), texts(&route.did)),
            Key::Caller => (fits_any(&route.caller, &read.caller), texts(&route.caller)),
            Key::Ext => (fits_any(&route.ext, &read.did), texts(&route.ext)),
            Key::Trunk => (is_any(&route.trunk, call.trunk), listed(&route.trunk)),
            Key::Context => (is_any(&route.context, call.context), listed(&route.context)),
            Key::Attestation => (
                route.attestation.contains(&call.attested),
                listed(route.attestation.iter().map(Attested::to_string)),
            ),
            Key::When => {
                (self.is_time(route, call.at), listed(route.when.iter().map(When::to_string)))
            }
        };
        let why = (key == Key::When).then(|| self.times(route, call.at));
        (!wanted.is_empty()).then_some(Check { key, fits, wanted, why })
    }

    /// Why it is open or closed at the hours that a route names.
    fn times(&self, route: &Route, at: Option<Duration>) -> String {
        let at = at.unwrap_or_default();
        let told = |when: &When| {
            let status = self.hours.get(&when.hours)?.status(at, &self.zone);
            Some(match (status.is_open, status.why) {
                (true, why) => format!("open: {why}"),
                (false, why) if why.starts_with("closed") => why,
                (false, why) => format!("closed: {why}"),
            })
        };
        listed(route.when.iter().filter_map(told))
    }
}

/// An empty list fits everything.
fn fits_any(patterns: &[Match], dialled: &Dialled<'_>) -> bool {
    patterns.is_empty() || patterns.iter().any(|pattern| pattern.takes(dialled))
}

fn is_any(names: &[String], name: &str) -> bool {
    names.is_empty() || names.iter().any(|one| one == name)
}

fn listed(texts: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let texts: Vec<_> = texts.into_iter().collect();
    texts.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(", ")
}

/// Every key, in the order in which they are explained.
const KEYS: [Key; 7] =
    [Key::Did, Key::Caller, Key::Ext, Key::Trunk, Key::Context, Key::Attestation, Key::When];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::destination::Destination;

    fn route(name: &str, did: &[&str], trunk: &str) -> Route {
        Route {
            name: Some(name.to_owned()),
            did: did.iter().map(|text| text.parse().expect("a pattern")).collect(),
            trunk: if trunk.is_empty() { Vec::new() } else { vec![trunk.to_owned()] },
            ..Route::to(Destination::Busy)
        }
    }

    fn plan() -> Plan {
        Plan {
            routes: vec![
                route("one trunk only", &["+4971112345", "+4971112346"], "carrier"),
                route("any trunk", &["+4971112345"], ""),
                route("everything else", &[], ""),
            ],
            ..Plan::default()
        }
    }

    fn check(key: Key, fits: bool, wanted: &str) -> Check {
        Check { key, fits, wanted: wanted.to_owned(), why: None }
    }

    fn name_for<'a>(plan: &'a Plan, did: &str, trunk: &str) -> &'a str {
        let call = Call { did, trunk, ..Call::default() };
        plan.route(&call).and_then(|route| route.name.as_deref()).expect("a route")
    }

    #[test]
    fn keys_are_and_values_are_or_and_the_first_route_wins() {
        let plan = plan();
        assert_eq!(name_for(&plan, "0049 711 12346", "carrier"), "one trunk only");
        assert_eq!(name_for(&plan, "+4971112345", "office"), "any trunk");
        assert_eq!(name_for(&plan, "+4971112346", "office"), "everything else");
    }

    #[test]
    fn a_plan_with_an_index_decides_as_one_without() {
        let numbers = ["+4971112345", "0049 711 12346", "101", "102", "+4930*", "_1XX"];
        let mut random = crate::base::random::Random::repeatable(5);
        let mut pick = |count: u32| random.u32() % count;
        for _ in 0..200 {
            let routes = (0..12).map(|at| {
                let did: Vec<&str> = (0..pick(3)).map(|_| numbers[pick(6) as usize]).collect();
                let trunk = if pick(3) == 0 { "carrier" } else { "" };
                route(&format!("route {at}"), &did, trunk)
            });
            let with = Plan::of(routes.collect());
            let without = Plan { index: None, ..with.clone() };
            for did in ["+4971112345", "+49 711 12346", "101", "102", "103", "+49301", "x", ""] {
                for trunk in ["carrier", "office"] {
                    let call = Call { did, trunk, ..Call::default() };
                    assert_eq!(with.route(&call), without.route(&call), "{did} by {trunk}");
                }
            }
        }
    }

    #[test]
    fn an_empty_plan_has_no_route() {
        assert_eq!(Plan::default().route(&Call::default()), None);
    }

    #[test]
    fn an_explanation_names_the_key_that_did_not_fit() {
        let plan = plan();
        let call = Call { did: "+4971112345", trunk: "office", ..Call::default() };
        let explained = plan.explain(&call);
        let fits: Vec<bool> = explained.iter().map(Explanation::fits).collect();
        assert_eq!(fits, [false, true, true]);
        assert_eq!(
            explained[0].checks,
            [
                check(Key::Did, true, "+4971112345, +4971112346"),
                check(Key::Trunk, false, "carrier"),
            ]
        );
        assert!(explained[2].checks.is_empty());
    }
}
