//! What the operator orders of a call: to be sent somewhere, to say something.

use std::time::Instant;

use super::queueing::HOUSE;
use super::transferring::by_agent;
use super::{Conductor, WEB, Work};
use crate::agent::event::Input;
use crate::agent::tool::ToolCall;
use crate::base::destination::Destination;
use crate::base::id::PortId;
use crate::call::briefing::Refer;
use crate::call::cause::Cause;
use crate::call::dial::{Dial, Purpose};
use crate::call::event::Output;
use crate::call::leg::Leg;
use crate::call::record::{Kind, LeftQueue, Manner};
use crate::call::stream::Order;
use crate::call::transfer::{self, Escort, Target};
use crate::media::link::Links;
use crate::sip::event::SessionId;

impl Conductor {
    /// The operator sends the near side somewhere. Whoever has it lets go; where nobody of that name
    /// is, or the call is on its way elsewhere already, everything stays as it is.
    pub(super) fn send(&mut self, now: Instant, to: Destination, escort: Escort) {
        // Who waits is taken back first.
        self.let_wait(now, false);
        let target = transfer::way(&to, self.ways(&escort)).filter(|_| self.knows(&to));
        let is_up = self.leg(self.near).is_some_and(Leg::is_up);
        let Some(target) = target.filter(|_| is_up && self.dial.is_none()) else {
            return self.not_sent(now, (to.to_string(), escort.kind()), Cause::NoRoute);
        };
        if matches!(self.work, Work::Bridged) {
            return self.send_from_bridge(now, to, (target, escort));
        }
        if matches!(self.work, Work::Agent) && self.desk.is_open() {
            self.ordered = Some((target, escort));
            let call = ToolCall::transfer(ORDER, &to.to_string());
            return self.desk.tell(now, Input::SendAway(call));
        }
        match std::mem::replace(&mut self.work, Work::Agent) {
            Work::Stream(mut streaming) => {
                streaming.leave_for((target, escort));
                self.out.push_back(Output::Stream(streaming.id(), Order::End));
                self.work = Work::Stream(streaming);
                return;
            }
            Work::Conference(_) => self.out.push_back(Output::Leave(PortId(self.near.0))),
            Work::Voicemail(leaving) => self.left_voicemail(now, leaving),
            Work::Queued => {
                self.stop_dialling();
                self.leave_queue(now, LeftQueue::Transferred);
            }
            other => {
                self.work = other;
                return self.not_sent(now, (to.to_string(), escort.kind()), Cause::NoRoute);
            }
        }
        self.leave_desk(now);
        self.go_on(now, (target, escort));
    }

    /// A page called an agent by its name, and no route is asked.
    pub(super) fn go_to_agent(&mut self, now: Instant) {
        let to = Destination::Agent(self.incoming.called_user.clone());
        let fact = self.chronicle.routed(WEB, &to.to_string());
        self.out.push_back(Output::Fact(fact));
        self.go(now, to);
    }

    /// Nobody has the near side any more: it goes where it was sent.
    pub(super) fn go_on(&mut self, now: Instant, (target, escort): (Target, Escort)) {
        self.work = Work::Agent;
        self.attend_near();
        self.give_back_to_agent();
        let call = ToolCall::transfer(HOUSE, "");
        self.carry_out(now, call, (target, escort));
    }

    /// The agent has let go of a caller whom the operator sends somewhere.
    pub(super) fn is_of_order(&mut self, now: Instant, call: &ToolCall) -> bool {
        if call.id != ORDER {
            return false;
        }
        if let Some(ordered) = self.ordered.take() {
            self.carry_out(now, call.clone(), ordered);
        }
        true
    }

    /// The operator has the agent say something.
    pub(super) fn have_said(&mut self, now: Instant, text: String, ends: bool) {
        if matches!(self.work, Work::Agent) && self.desk.is_open() {
            self.desk.tell(now, Input::Say { text, ends });
        }
    }

    /// Of two who talk the near side is sent somewhere. Where somebody has to be called first, they
    /// go on talking until that one answers.
    fn send_from_bridge(&mut self, now: Instant, to: Destination, way: (Target, Escort)) {
        let kind = way.1.kind();
        if to.is_called() {
            let dial = Dial::new(Purpose::Order(kind), vec![to], Vec::new(), None);
            self.dial = Some(dial);
            return self.next_round(now);
        }
        if let Some(far) = self.far.take() {
            self.with(far, |leg, out| leg.connect(Links::default(), out));
            self.drop_leg(far, Cause::Transferred);
        }
        self.go_on(now, way);
    }

    /// Whom the operator wants in the place of the far side has answered.
    pub(super) fn ordered_one_answered(&mut self, now: Instant, session: SessionId, kind: Kind) {
        let to = self.written_destination(session);
        let fact = self.chronicle.transferred(now, by_agent(to, Manner::Bridge, kind), None);
        self.out.push_back(Output::Fact(fact));
        if let Some(far) = self.far {
            self.leaving = Some(far);
            self.take_place(now, session, far);
            self.dismiss_leaving();
        }
    }

    /// Nobody there answered: those who talk go on.
    pub(super) fn ordered_one_failed(&mut self, now: Instant, kind: Kind, cause: Cause) {
        let to = self.legs.last().map(Leg::session).map(|last| self.written_destination(last));
        self.not_sent(now, (to.unwrap_or_default(), kind), cause);
    }

    fn not_sent(&mut self, now: Instant, (to, kind): (String, Kind), cause: Cause) {
        let try_of = by_agent(to, Manner::Bridge, kind);
        let fact = self.chronicle.transferred(now, try_of, Some(cause));
        self.out.push_back(Output::Fact(fact));
    }

    /// An agent's caller may be sent away by REFER, as the agent itself could; others are called for.
    fn ways(&self, escort: &Escort) -> Refer {
        let terms = self.briefing.trunks.get(&self.trunk.name);
        let refer = terms.map_or(Refer::First, |terms| terms.refer);
        let is_served = matches!(self.work, Work::Agent) && self.desk.is_open();
        if is_served { refer.in_mode(escort.mode) } else { Refer::Never }
    }

    /// Whether there is somebody, or something, of that name.
    pub(super) fn knows(&self, to: &Destination) -> bool {
        let briefing = &self.briefing;
        match to {
            Destination::Agent(_) | Destination::Squad(_) | Destination::Menu(_) => {
                briefing.post(to).is_some()
            }
            Destination::Flow(name) => briefing.flows.contains_key(name),
            Destination::Queue(name) => briefing.queues.contains_key(name),
            Destination::Stream(name) => briefing.streams.contains_key(name),
            Destination::Voicemail(name) => briefing.letterboxes.contains_key(name),
            Destination::OpenAi(agent) => {
                briefing.openai.is_some() && briefing.agents.contains_key(agent)
            }
            _ => true,
        }
    }
}

/// The identity of what the operator wants.
const ORDER: &str = "order";
