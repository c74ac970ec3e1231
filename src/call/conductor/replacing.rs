//! Somebody calls to take the place of a leg (RFC 3891): the last step of an attended transfer.

use std::time::Instant;

use super::{Conductor, Work};
use crate::call::cause::Cause;
use crate::call::event::Output;
use crate::call::leg::Leg;
use crate::call::record::{Kind, Manner};
use crate::sip::event::{Command, Incoming, Refusal, SessionId};

impl Conductor {
    /// Takes an INVITE that replaces a leg, if that leg talks with somebody.
    pub(super) fn replace(&mut self, session: SessionId, incoming: Box<Incoming>) {
        let takes_part = session == self.near || Some(session) == self.far;
        let talks = matches!(self.work, Work::Bridged)
            || matches!(self.work, Work::Agent) && self.desk.is_open();
        let is_up = self.leg(session).is_some_and(Leg::is_up);
        if !(takes_part && talks && is_up) || self.replacing.is_some() {
            // Nothing to be replaced: RFC 3891 3.
            let (session, refusal) = (incoming.session, Refusal::status(481));
            return self.sip(Command::Refuse { session, refusal });
        }
        let mut leg = Leg::of_caller(&incoming);
        self.chronicle.joined(&incoming);
        leg.bind(&mut self.out);
        self.legs.push(leg);
        self.replacing = Some((incoming, session));
    }

    pub(super) fn is_replacing(&self, session: SessionId) -> bool {
        self.replacing.as_ref().is_some_and(|(incoming, _)| incoming.session == session)
    }

    /// The leg that replaces another has its socket: it is answered, and the other one hung up.
    pub(super) fn answer_replacing(&mut self, now: Instant) {
        let Some((incoming, of)) = self.replacing.take() else { return };
        let session = incoming.session;
        match self.with(session, |leg, out| leg.answer(&incoming.body, Vec::new(), out)) {
            Some(Ok(agreement)) => {
                self.agreed(session, agreement);
                self.chronicle.leg_answered(now, self.place_of(session), &[]);
                let to = incoming.calling_user.clone();
                let try_of = self.by_peer(of, (to, Manner::Replaced, Kind::Attended));
                let fact = self.chronicle.transferred(now, try_of, None);
                self.out.push_back(Output::Fact(fact));
                self.take_place(now, session, of);
                self.drop_leg(of, Cause::Transferred);
            }
            Some(Err(refusal)) => {
                self.with(session, |leg, out| leg.refuse(refusal, out));
            }
            None => {}
        }
    }

    /// There is no room for the leg that would replace another.
    pub(super) fn refuse_replacing(&mut self, status: u16) {
        let Some((incoming, _)) = self.replacing.take() else { return };
        self.with(incoming.session, |leg, out| leg.refuse(Refusal::status(status), out));
    }
}
