//! What an operator is told, and what an operator wants.

use std::time::Instant;

use super::{Conductor, Work};
use crate::agent;
use crate::base::trace_context::TraceParent;
use crate::call::cause::Cause;
use crate::call::event::{Output, Service};
use crate::call::leg::{Leg, State};
use crate::call::overview::{Doing, LegView, Overview};
use crate::call::record::{self, Record};

impl Conductor {
    /// The call as it stands.
    pub fn overview(&self, now: Instant) -> Overview {
        let record = self.chronicle.record();
        let legs = self.legs.iter().zip(&record.legs);
        Overview {
            call: record.call,
            is_ours: record.is_ours,
            began: record.began,
            age: self.chronicle.age(now),
            answered: record.answered,
            from: record.from.clone(),
            name: record.name.clone(),
            to: record.to.clone(),
            trunk: record.trunk.clone(),
            phone: self.trunk.phone.to_string(),
            route: record.route.clone(),
            agent: self.desk_of_caller().casting().map(|casting| casting.name.clone()),
            stream: match &self.work {
                Work::Stream(streaming) => Some(streaming.name().to_owned()),
                _ => None,
            },
            doing: self.doing(),
            recorded: record.recorded,
            recording_paused: self.chronicle.is_paused(),
            on_hold: self.leg(self.near).is_some_and(Leg::waits),
            legs: legs.map(|(leg, noted)| self.view(leg, noted)).collect(),
        }
    }

    /// Something became of whoever hears, thinks or speaks.
    pub(super) fn serviced(&mut self, now: Instant, service: Service) {
        if let Service::Used(used) = &service {
            self.chronicle.used(now, used, &self.briefing.prices);
        }
        let fact = self.chronicle.service(now, service);
        self.out.extend(fact.map(Output::Fact));
    }

    /// The record of the call as it stands, without what nobody may keep.
    pub fn so_far(&self, now: Instant) -> Record {
        self.privacy.so_far(self.chronicle.so_far(now))
    }

    /// The call stands in the trace of whoever began it, or in its own, if somebody collects those.
    pub(super) fn traced(mut self, parent: Option<TraceParent>) -> Self {
        self.chronicle.stands_in_trace(parent, self.briefing.sample);
        self
    }

    /// Notes how an answer of a model comes.
    pub(super) fn follow_thought(&mut self, now: Instant, input: &agent::event::Input) {
        let assistant = self.desk.casting().map(|casting| &*casting.assistant);
        self.chronicle.answers(now, input, assistant);
    }

    /// The operator ends the call.
    pub(super) fn hung_up_by_operator(&mut self, now: Instant, q850: u8) {
        self.end(now, Cause::AdminEnded { q850 });
    }

    fn doing(&self) -> Doing {
        match self.work {
            Work::Dialling => Doing::Dialling,
            Work::Agent => Doing::Agent,
            Work::Referring(_) => Doing::Referring,
            Work::Transferring | Work::Consulting(_) => Doing::Transferring,
            Work::Bridged => Doing::Bridged,
            Work::Conference(_) => Doing::Conference,
            Work::Queued => Doing::Queued,
            Work::Stream(_) => Doing::Stream,
            Work::Voicemail(_) => Doing::Voicemail,
            Work::Drill(_) => Doing::Drill,
            Work::Ending(_) | Work::Over => Doing::Ending,
        }
    }

    fn view(&self, leg: &Leg, noted: &record::Leg) -> LegView {
        LegView {
            session: leg.session(),
            to: noted.to.clone(),
            role: self.role_of(leg.session()),
            sip_call_id: noted.sip_call_id.clone(),
            peer: noted.peer.clone(),
            user_agent: noted.user_agent.clone(),
            state: leg.state(),
            is_held: leg.is_held() && leg.state() == State::Up,
            codec: noted.codec,
            began: noted.began,
            answered: noted.answered,
            quality: Some(noted.quality).filter(|quality| quality.received > 0),
        }
    }
}
