//! A call that we begin: somebody is called, and comes to where it is wanted when it answers.

use std::sync::Arc;
use std::time::Instant;

use super::detecting::Detection;
use super::queueing::{HOUSE, Place};
use super::{Conductor, Work};
use crate::agent::tool::ToolCall;
use crate::base::destination::Destination;
use crate::call::briefing::{Briefing, Post, Refer};
use crate::call::cause::Cause;
use crate::call::chronicle::Arrival;
use crate::call::dial::{Dial, Purpose};
use crate::call::event::Output;
use crate::call::leg::Leg;
use crate::call::origination::Origination;
use crate::call::transfer::{self, Escort};
use crate::sip::event::SessionId;

impl Conductor {
    /// Begins a call.
    pub fn originate(arrival: Arrival, order: Origination, briefing: Arc<Briefing>) -> Self {
        let now = arrival.at;
        let incoming = Box::new(order.incoming(arrival.call.session(0)));
        let mut conductor = Self::of(arrival, incoming, briefing).traced(order.parent);
        conductor.chronicle.begins_here();
        conductor.route_sets = order.variables;
        let fact = conductor.chronicle.routed(ROUTE, &order.then.to_string());
        conductor.out.push_back(Output::Fact(fact));
        conductor.prepare(now, &order.then);
        conductor.then = Some(order.then);
        conductor.detection = order.amd.map(|amd| Box::new(Detection::new(amd)));
        conductor.line = order.place.map(|(caller, back)| Box::new(Place::kept(caller, back)));
        let dial = Dial::new(Purpose::Origination, order.to, Vec::new(), order.ring);
        conductor.dial = Some(dial);
        conductor.next_round(now);
        conductor
    }

    /// Whether it is us who began the call.
    pub(super) fn is_ours(&self) -> bool {
        self.then.is_some()
    }

    /// Whether the one whom we call has not answered yet.
    pub(super) fn is_originating(&self) -> bool {
        self.dial.as_ref().is_some_and(|dial| *dial.purpose() == Purpose::Origination)
    }

    /// Lets whoever is to speak get ready while it rings.
    fn prepare(&mut self, now: Instant, then: &Destination) {
        if let Some(post) = self.briefing.post(then) {
            self.cast(now, post);
        } else if let Destination::Flow(name) = then
            && let Some(post) = self.take_up_flow(name)
        {
            self.engage(Post { squad: None, ..post });
        }
    }

    /// Whom we called has answered.
    pub(super) fn reached(&mut self, now: Instant, session: SessionId) {
        // Another leg than the first, if we were sent elsewhere.
        self.near = session;
        self.out.extend(self.leg(session).map(Leg::port).map(Output::Attach));
        let fact = self.chronicle.answered(now);
        self.out.push_back(Output::Fact(fact));
        self.taken_for_queue(session);
        if !self.detects(now) {
            self.reach_target(now);
        }
    }

    /// Whoever answered comes to where it is wanted.
    pub(super) fn reach_target(&mut self, now: Instant) {
        let Some(then) = self.then.clone() else { return };
        self.work = Work::Agent;
        self.give_back_to_agent();
        match &then {
            Destination::Agent(_)
            | Destination::Squad(_)
            | Destination::Menu(_)
            | Destination::Flow(_) => self.begin(now),
            then => match transfer::way(then, Refer::Never) {
                Some(target) => {
                    let call = ToolCall::transfer(HOUSE, "");
                    self.carry_out(now, call, (target, Escort::default()));
                }
                None => self.end(now, Cause::NoRoute),
            },
        }
    }
}

/// What stands in the place of a route's name.
const ROUTE: &str = "originate";
