//! The numbers that the files know, and where calls to each of them go.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use crate::base::destination::Destination;
use crate::config::load::Loaded;
use crate::dialplan::pattern::Match;
use crate::server::routing::{Test, Thought};
use crate::server::trunks;

/// A number that trunks deliver, tenants have or routes take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct NumberView {
    /// The number, or the numbers, as the files write it: `+4971112345`, `+49711123450..59`.
    pub number: String,
    /// The trunks that name it among theirs.
    pub trunks: Vec<String>,
    /// The tenant whose it is.
    pub tenant: Option<String>,
    /// The name of the route that takes it now, if it has one.
    pub route: Option<String>,
    /// The place of that route among all, from 1.
    pub place: Option<usize>,
    /// Where the call goes then, one after the other; nowhere when no route takes it.
    pub to: Vec<String>,
}

/// All that single numbers, ranges and patterns say; of more than one number the first one is looked
/// at. Somebody calls who withholds its number, now, by the first trunk that names it.
pub fn all(loaded: &Loaded) -> Vec<NumberView> {
    let server = &loaded.server;
    let of_trunks = server.trunks.values().flat_map(|trunk| &trunk.numbers);
    let of_tenants = server.tenants.values().flat_map(|tenant| &tenant.numbers);
    let of_routes = loaded.plan.routes.iter().flat_map(|route| &route.did);
    let known = of_trunks.chain(of_tenants).chain(of_routes).filter(|it| it.list().is_none());
    let named = |it: &Match| it.exact().map_or_else(|| it.to_string(), str::to_owned);
    let known: BTreeMap<String, &Match> = known.map(|it| (named(it), it)).collect();
    let known = known.into_iter().take(MOST);
    known.map(|(number, pattern)| view(loaded, number, pattern)).collect()
}

fn view(loaded: &Loaded, number: String, pattern: &Match) -> NumberView {
    let server = &loaded.server;
    let names = |own: &Match| own.covers(pattern);
    let by = server.trunks.iter().filter(|(_, trunk)| trunk.numbers.iter().any(names));
    let trunks: Vec<String> = by.map(|(name, _)| name.clone()).collect();
    let to = match pattern.exact() {
        Some(number) => number.to_owned(),
        None => pattern.examples().into_iter().next().unwrap_or_default(),
    };
    let trunk = trunks.first().cloned();
    let by = trunk.as_deref().unwrap_or_default();
    let tenant = trunks::tenants(server).whose(by, &[&to]).map(|it| it.to_string());
    let thought = Thought { to, trunk, ..Thought::default() };
    let taken = Test::new(loaded, &thought).ok().and_then(|test| test.taken());
    let (route, place) = taken.map(|(route, place)| (Some(route), place)).unwrap_or_default();
    NumberView {
        number,
        trunks,
        tenant,
        place: place.map(|place| place + 1),
        to: route.iter().flat_map(|it| &it.to).map(Destination::to_string).collect(),
        route: route.and_then(|it| it.name),
    }
}

/// How many are told of.
const MOST: usize = 10_000;
