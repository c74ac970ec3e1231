//! Finds the route of a call, and explains why the others did not fit.

use crate::base::attestation::Attested;
use crate::dialplan::pattern::Match;
use crate::dialplan::plan::{Key, Plan, Route};

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
}

impl Plan {
    /// Finds the route of a call: the first that fits.
    pub fn route(&self, call: &Call<'_>) -> Option<&Route> {
        self.routes.iter().find(|route| route.fits(call))
    }

    /// Says for every route, key by key, whether the call fits.
    pub fn explain(&self, call: &Call<'_>) -> Vec<Explanation<'_>> {
        let explained = |(position, route)| Explanation {
            position,
            route,
            checks: KEYS.iter().filter_map(|key| Route::check(route, *key, call)).collect(),
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

impl Route {
    /// Whether the call fits every key.
    pub fn fits(&self, call: &Call<'_>) -> bool {
        fits_any(&self.did, call.did)
            && fits_any(&self.caller, call.caller)
            && fits_any(&self.ext, call.did)
            && is_any(&self.trunk, call.trunk)
            && is_any(&self.context, call.context)
            && (self.attestation.is_empty() || self.attestation.contains(&call.attested))
    }

    /// Compares one key; `None` when the route does not have it.
    fn check(&self, key: Key, call: &Call<'_>) -> Option<Check> {
        let (fits, wanted) = match key {
            Key::Did => (fits_any(&self.did, call.did), listed(self.did.iter().map(Match::text))),
            Key::Caller => {
                (fits_any(&self.caller, call.caller), listed(self.caller.iter().map(Match::text)))
            }
            Key::Ext => (fits_any(&self.ext, call.did), listed(self.ext.iter().map(Match::text))),
            Key::Trunk => (is_any(&self.trunk, call.trunk), listed(&self.trunk)),
            Key::Context => (is_any(&self.context, call.context), listed(&self.context)),
            Key::Attestation => (
                self.attestation.contains(&call.attested),
                listed(self.attestation.iter().map(Attested::to_string)),
            ),
        };
        (!wanted.is_empty()).then_some(Check { key, fits, wanted })
    }
}

/// An empty list fits everything.
fn fits_any(patterns: &[Match], dialled: &str) -> bool {
    patterns.is_empty() || patterns.iter().any(|pattern| pattern.matches(dialled))
}

fn is_any(names: &[String], name: &str) -> bool {
    names.is_empty() || names.iter().any(|one| one == name)
}

fn listed(texts: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let texts: Vec<_> = texts.into_iter().collect();
    texts.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(", ")
}

/// Every key, in the order in which they are explained.
const KEYS: [Key; 6] =
    [Key::Did, Key::Caller, Key::Ext, Key::Trunk, Key::Context, Key::Attestation];

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
            outbound: Vec::new(),
        }
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
                Check { key: Key::Did, fits: true, wanted: "+4971112345, +4971112346".to_owned() },
                Check { key: Key::Trunk, fits: false, wanted: "carrier".to_owned() },
            ]
        );
        assert!(explained[2].checks.is_empty());
    }
}
