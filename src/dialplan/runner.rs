//! Finds the route of a call, and explains why the others did not fit.

use std::cell::OnceCell;
use std::time::Duration;

use crate::base::attestation::Attested;
use crate::base::scope::Scope;
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
    /// The name of the tenant whose call it is; empty when it is nobody's.
    pub tenant: &'a str,
    /// The headers of its INVITE, by name and value.
    pub headers: &'a [(String, String)],
    /// When it came, since the Unix epoch; without it, opening hours are not asked.
    pub at: Option<Duration>,
}

/// A call whose numbers were read once.
struct Read<'a> {
    call: &'a Call<'a>,
    did: Dialled<'a>,
    caller: Dialled<'a>,
    /// What conditions see, once one is asked.
    scope: OnceCell<Scope>,
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
        let fits = |route: &&Route| route.fits(&read) && self.holds(route, &read);
        match &self.index {
            Some(index) => index.places(&read.did).filter_map(|at| self.routes.get(at)).find(fits),
            None => self.routes.iter().find(fits),
        }
    }

    /// Whether a route holds for a call: one of its times and conditions is enough.
    fn holds(&self, route: &Route, read: &Read<'_>) -> bool {
        let holds = |when: &When| match (when, read.call.at) {
            (When::Hours { .. }, None) => true,
            (When::Hours { name, open }, Some(at)) => self.is_open(name, at) == Some(*open),
            (When::If(condition), _) => condition.holds(self.scope(read)).unwrap_or(false),
        };
        route.when.is_empty() || route.when.iter().any(holds)
    }

    /// Whether it is open at a time since the Unix epoch.
    fn is_open(&self, hours: &str, at: Duration) -> Option<bool> {
        Some(self.hours.get(hours)?.status(at, &self.zone).is_open)
    }

    /// What conditions see of a call.
    fn scope<'r>(&self, read: &'r Read<'_>) -> &'r Scope {
        read.scope.get_or_init(|| {
            let (call, mut scope) = (read.call, Scope::default());
            let number = |dialled: &Dialled<'_>| {
                let number = dialled.number.as_ref().map(|it| it.to_e164().to_owned());
                number.unwrap_or_else(|| dialled.text.to_owned())
            };
            scope.set("called", number(&read.did));
            scope.set("caller", number(&read.caller));
            for (name, value) in [
                ("trunk", call.trunk),
                ("context", call.context),
                ("tenant", call.tenant),
                ("attestation", &*call.attested.to_string()),
            ] {
                scope.set(name, value);
            }
            scope.set("anonymous", call.is_anonymous());
            scope.set("sip.header", serde_json::Map::new());
            for (name, value) in call.headers {
                scope.set_header(name, value);
            }
            for name in self.hours.keys() {
                // Without a time it counts as open.
                let open = call.at.and_then(|at| self.is_open(name, at)).unwrap_or(true);
                scope.set(&format!("hours.{name}"), open);
            }
            scope
        })
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
        let (did, caller) = (Dialled::new(call.did), Dialled::new(call.caller));
        Self { call, did, caller, scope: OnceCell::new() }
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
            && is_any(&self.tenant, call.tenant)
            && self.anonymous.is_none_or(|wanted| wanted == call.is_anonymous())
            && self.header.iter().all(|(name, values)| call.has_header(name, values))
    }
}

/// Whether this stands in the place of a number that is withheld.
pub fn is_anonymous(caller: &str) -> bool {
    caller.is_empty() || caller.eq_ignore_ascii_case("anonymous")
}

impl Call<'_> {
    /// Whether the caller withholds its number.
    pub fn is_anonymous(&self) -> bool {
        is_anonymous(self.caller)
    }

    /// Whether one of its headers of this name fits.
    fn has_header(&self, name: &str, values: &[Match]) -> bool {
        let named = self.headers.iter().filter(|(its, _)| its.eq_ignore_ascii_case(name));
        named.into_iter().any(|(_, value)| values.iter().any(|wanted| wanted.matches(value)))
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
            Key::Tenant => (is_any(&route.tenant, call.tenant), listed(&route.tenant)),
            Key::Anonymous => (
                route.anonymous.is_none_or(|wanted| wanted == call.is_anonymous()),
                route.anonymous.map(|wanted| wanted.to_string()).unwrap_or_default(),
            ),
            Key::Header => {
                let fits = |(name, values): (&String, &Vec<Match>)| call.has_header(name, values);
                let wanted = route.header.iter().map(|(name, it)| format!("{name}: {}", texts(it)));
                (route.header.iter().all(fits), listed(wanted))
            }
            Key::When => (self.holds(route, read), listed(route.when.iter().map(When::to_string))),
        };
        let why = (key == Key::When).then(|| self.reasons(route, read)).flatten();
        (!wanted.is_empty()).then_some(Check { key, fits, wanted, why })
    }

    /// Why a route holds or not, where that is not plain.
    fn reasons(&self, route: &Route, read: &Read<'_>) -> Option<String> {
        let at = read.call.at.unwrap_or_default();
        let of_hours = |name: &String| {
            let status = self.hours.get(name)?.status(at, &self.zone);
            Some(match (status.is_open, status.why) {
                (true, why) => format!("open: {why}"),
                (false, why) if why.starts_with("closed") => why,
                (false, why) => format!("closed: {why}"),
            })
        };
        let told = |when: &When| match when {
            When::Hours { name, .. } => of_hours(name),
            When::If(condition) => condition.holds(self.scope(read)).err().map(|it| it.to_string()),
        };
        Some(listed(route.when.iter().filter_map(told))).filter(|text| !text.is_empty())
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
const KEYS: [Key; 10] = [
    Key::Did,
    Key::Caller,
    Key::Anonymous,
    Key::Ext,
    Key::Trunk,
    Key::Context,
    Key::Tenant,
    Key::Attestation,
    Key::Header,
    Key::When,
];

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
    fn headers_tenants_and_conditions_decide() {
        let read = |keys: serde_json::Value| {
            let mut route = serde_json::json!({ "to": "busy" });
            let keys = keys.as_object().expect("a table").clone();
            route.as_object_mut().expect("a table").extend(keys);
            serde_json::from_value::<Route>(route).expect("a route")
        };
        let fits = |keys: serde_json::Value, call: &Call<'_>| {
            Plan::of(vec![read(keys)]).route(call).is_some()
        };
        let headers = [("X-Tier".to_owned(), "gold-plus".to_owned())];
        let call = Call {
            did: "+4971112345",
            caller: "anonymous",
            tenant: "acme",
            headers: &headers,
            ..Call::default()
        };
        for (keys, expected) in [
            (serde_json::json!({ "tenant": ["acme", "other"] }), true),
            (serde_json::json!({ "tenant": "other" }), false),
            (serde_json::json!({ "anonymous": true }), true),
            (serde_json::json!({ "anonymous": false }), false),
            (serde_json::json!({ "header": { "x-tier": "gold*" } }), true),
            (serde_json::json!({ "header": { "X-Tier": "gold" } }), false),
            (serde_json::json!({ "header": { "X-Tier": "gold*", "X-Other": "*" } }), false),
            (serde_json::json!({ "when": "sip.header['X-Tier'] == 'gold-plus'" }), true),
            (serde_json::json!({ "when": "called.startsWith('+49') && anonymous" }), true),
            (serde_json::json!({ "when": "!anonymous" }), false),
            (serde_json::json!({ "when": ["!anonymous", "tenant == 'acme'"] }), true),
            // What is not there fits nothing.
            (serde_json::json!({ "when": "sip.header['X-Other'] != 'x'" }), false),
        ] {
            assert_eq!(fits(keys.clone(), &call), expected, "{keys}");
        }
        let plan = Plan::of(vec![read(serde_json::json!({ "when": "sip.header['X-No'] == 'x'" }))]);
        let checks = &plan.explain(&call)[0].checks;
        assert!(checks[0].why.as_ref().is_some_and(|why| why.contains("X-No")), "{checks:?}");
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
