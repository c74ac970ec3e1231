//! What is strange about a plan that can be read all the same.

use crate::dialplan::pattern::{Dialled, Match};
use crate::dialplan::plan::{Plan, Route};

/// A route that no call can reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shadow {
    /// The place of the route that is never reached.
    pub hidden: usize,
    /// The place of the route before it that takes all its calls.
    pub by: usize,
}

impl Plan {
    /// Finds the routes that can never match, each with the first route that hides it.
    pub fn shadows(&self) -> Vec<Shadow> {
        let index = self.index.as_ref();
        let hidden_by = |(hidden, route): (usize, &Route)| {
            let hides = |by: &usize| self.routes.get(*by).is_some_and(|it| it.hides(route));
            // Who takes all of its calls takes those to its first number.
            let first = route.did.first().and_then(Match::exact).map(Dialled::new);
            let by = match (index, first) {
                (Some(index), Some(first)) => {
                    index.places(&first).take_while(|by| *by < hidden).find(hides)
                }
                (Some(index), None) => {
                    index.rest().iter().copied().take_while(|by| *by < hidden).find(hides)
                }
                (None, _) => (0..hidden).find(hides),
            }?;
            Some(Shadow { hidden, by })
        };
        self.routes.iter().enumerate().filter_map(hidden_by).collect()
    }

    /// Whether some route may take calls to `did`, whoever calls. `true` when nobody can tell.
    pub fn reaches(&self, did: &Match) -> bool {
        let examples = did.examples();
        let taken = |pattern: &Match| {
            did.covers(pattern) || examples.iter().any(|number| pattern.matches(number))
        };
        examples.is_empty()
            || self.routes.iter().any(|route| {
                let patterns = if route.did.is_empty() { &route.ext } else { &route.did };
                patterns.is_empty() || patterns.iter().any(taken)
            })
    }
}

impl Route {
    /// Whether this route takes every call that `later` could take.
    fn hides(&self, later: &Self) -> bool {
        covers_all(&self.did, &later.did)
            && covers_all(&self.caller, &later.caller)
            && covers_all(&self.ext, &later.ext)
            && holds_all(&self.trunk, &later.trunk)
            && holds_all(&self.context, &later.context)
            && holds_all(&self.attestation, &later.attestation)
            && holds_all(&self.tenant, &later.tenant)
            && holds_all(&self.when, &later.when)
            && (self.anonymous.is_none() || self.anonymous == later.anonymous)
            && self.header.iter().all(|(name, ours)| {
                later.header.get(name).is_some_and(|theirs| covers_all(ours, theirs))
            })
    }
}

fn covers_all(ours: &[Match], theirs: &[Match]) -> bool {
    let covered = |pattern: &Match| ours.iter().any(|our| our.covers(pattern));
    ours.is_empty() || (!theirs.is_empty() && theirs.iter().all(covered))
}

fn holds_all<T: PartialEq>(ours: &[T], theirs: &[T]) -> bool {
    ours.is_empty() || (!theirs.is_empty() && theirs.iter().all(|name| ours.contains(name)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::destination::Destination;

    fn to(did: &[&str], caller: &[&str]) -> Route {
        let patterns =
            |texts: &[&str]| texts.iter().map(|t| t.parse().expect("a pattern")).collect();
        Route { did: patterns(did), caller: patterns(caller), ..Route::to(Destination::Busy) }
    }

    #[test]
    fn a_route_after_a_wider_one_is_hidden() {
        let routes = vec![
            to(&["+4971112345"], &["+4930*"]),
            to(&["+4971112345"], &[]),
            to(&["+4971112345"], &["+4940*"]),
            to(&["+4971112345", "+4971112346"], &[]),
            to(&["+49711*"], &["+4940*"]),
            to(&["+497119*"], &["+4940123"]),
            to(&[], &[]),
            to(&["101"], &[]),
        ];
        let shadows = [(2, 1), (5, 4), (7, 6)].map(|(hidden, by)| Shadow { hidden, by });
        let without_index = Plan { routes: routes.clone(), ..Plan::default() };
        assert_eq!(without_index.shadows(), shadows);
        assert_eq!(Plan::of(routes).shadows(), shadows);
    }

    #[test]
    fn a_number_is_reached_by_a_route_for_it_or_for_part_of_it() {
        let plan = Plan {
            routes: vec![to(&["+4971112345*"], &[]), to(&["+4930123"], &[])],
            ..Plan::default()
        };
        for (text, reached) in [("+49711123450..99", true), ("+4930*", true), ("+4940*", false)] {
            assert_eq!(plan.reaches(&text.parse().expect("a pattern")), reached, "{text}");
        }
    }
}
