//! A server of the operator's is asked where a call goes: `to = "webhook:https://…"`. The caller
//! hears ringing meanwhile; when there is no answer of use in time, the call goes on with `else`.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::json;

use super::{Conductor, Timer, Work};
use crate::base::destination::Destination;
use crate::call::decision::Inquiry;
use crate::call::dial::{Dial, Purpose};
use crate::call::event::{Fact, Output};
use crate::dialplan::plan::Route;

impl Conductor {
    /// Asks there, if the route does.
    pub(super) fn ask_way(&mut self, now: Instant, url: String) {
        let is_route = self.dial.as_ref().is_some_and(|dial| *dial.purpose() == Purpose::Route);
        if !is_route || !matches!(self.work, Work::Dialling) || self.asks_way {
            return self.next_round(now);
        }
        self.asks_way = true;
        let near = self.near;
        self.with(near, |leg, out| leg.ring(out));
        let record = self.chronicle.record();
        let is_own = |name: &str| name.get(..2).is_some_and(|it| it.eq_ignore_ascii_case("x-"));
        let headers = self.incoming.headers.iter().filter(|(name, _)| is_own(name));
        let headers: BTreeMap<&str, &str> =
            headers.map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let data = json!({
            "from": { "number": record.from, "name": record.name },
            "to": { "number": record.to },
            "trunk": &*self.trunk.name,
            "context": &*self.trunk.context,
            "phone": &*self.trunk.phone,
            "tenant": &*self.trunk.tenant,
            "attestation": self.chronicle.attested().to_string(),
            "headers": headers,
            "variables": self.route_sets,
        });
        let timeout = self.answers_within.unwrap_or(USUAL);
        self.timers.set(Timer::Decide, now + timeout + GRACE);
        let traceparent = self.chronicle.traceparent();
        self.out.push_back(Output::Decide(Box::new(Inquiry { url, timeout, data, traceparent })));
    }

    /// The answer: a route, or why there is none.
    pub(super) fn decided(&mut self, now: Instant, answer: Option<Box<Route>>) {
        let is_waiting = self.timers.at(Timer::Decide).is_some();
        self.timers.clear(Timer::Decide);
        if !is_waiting || !matches!(self.work, Work::Dialling) {
            return;
        }
        let Some(route) = answer else { return self.next_round(now) };
        if route.to.is_empty() {
            // Whoever is next has the call, and is told this.
            self.route_sets.extend(route.set);
            return self.next_round(now);
        }
        let called = self.incoming.called_user.clone();
        let to = route.targets(&self.weighed_by(), &called);
        let mut otherwise = route.otherwise(&called);
        let written: Vec<String> = to.iter().map(Destination::to_string).collect();
        let is_there = !to.is_empty() && to.iter().chain(&otherwise).all(|to| self.knows(to));
        let fact = Fact::Decided { destination: written.join(", "), is_there };
        self.out.push_back(Output::Fact(fact));
        if !is_there {
            return self.next_round(now);
        }
        if otherwise.is_empty() {
            // What the route of the files says is tried after it.
            otherwise = self.dial.as_mut().map(Dial::rest).unwrap_or_default();
        }
        self.route_sets.extend(route.set);
        self.route_headers.extend(route.headers);
        self.route_records = route.record.or(self.route_records);
        self.dial = Some(Dial::new(Purpose::Route, to, otherwise, route.ring));
        self.next_round(now);
    }
}

/// How long is waited for an answer when the route does not say.
const USUAL: Duration = Duration::from_secs(3);

/// So much later nothing comes any more.
const GRACE: Duration = Duration::from_millis(500);
