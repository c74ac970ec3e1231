//! A peer puts its leg on hold, or the operator lets it wait with music, until it is taken back: the
//! agent waits, and hears nothing meanwhile.

use std::time::Instant;

use super::{Conductor, Work};
use crate::agent::event::Input;
use crate::call::event::Output;
use crate::call::leg::{Hold, Leg};
use crate::media::event::{Attention, Command};
use crate::sip::event::SessionId;

impl Conductor {
    /// A peer offers something else: a hold, another codec, another address.
    pub(super) fn reoffered(&mut self, now: Instant, session: SessionId, body: &[u8]) {
        let agreement = self.with(session, |leg, out| leg.reoffered(body, out)).flatten();
        if agreement.is_some() {
            self.agreed(session, agreement);
            self.rewire();
            self.check_hold(now, session);
        }
    }

    /// Notes a hold or its end after a new agreement.
    pub(super) fn check_hold(&mut self, now: Instant, session: SessionId) {
        let Some(moved) = self.leg_mut(session).and_then(Leg::hold_moved) else { return };
        let place = self.place_of(session);
        let fact = match moved {
            Hold::Held => self.chronicle.held(now, place, false),
            Hold::None => self.chronicle.resumed(now, place, false),
        };
        self.out.push_back(Output::Fact(fact));
        if session == self.near {
            self.tell_of_hold(now);
        }
    }

    /// The operator lets the near side wait, with music, or takes it back. Who asks was told before
    /// whether it can be done; what cannot be done is left. The peer is not told by SIP: to it the
    /// music is what we say, which every carrier carries.
    pub(super) fn let_wait(&mut self, now: Instant, waits: bool) {
        let may = match self.work {
            Work::Agent => self.desk.is_open(),
            Work::Bridged => self.dial.is_none(),
            _ => false,
        };
        let near = self.near;
        let is_up = self.leg(near).is_some_and(Leg::is_up);
        let has_moved = may && is_up && self.leg_mut(near).is_some_and(|leg| leg.let_wait(waits));
        if !has_moved {
            return;
        }
        let place = self.place_of(near);
        let fact = match waits {
            true => self.chronicle.held(now, place, true),
            false => self.chronicle.resumed(now, place, true),
        };
        self.out.push_back(Output::Fact(fact));
        if let Work::Bridged = self.work {
            return self.rewire();
        }
        let hold = self.briefing.tapes.hold.clone();
        self.with(near, |leg, out| match waits {
            true => leg.entertain(&hold, out),
            false => leg.media(Command::NoMusic, out),
        });
        self.tell_of_hold(now);
    }

    /// Tells the agent whether somebody hears it; nothing of a held line is transcribed.
    pub(super) fn tell_of_hold(&mut self, now: Instant) {
        let held = self.leg(self.near).is_some_and(|leg| leg.is_held() || leg.waits());
        let input = if held { Input::Held } else { Input::Resumed };
        self.desk.tell(now, input);
        let attention = if held { Attention::Keys } else { Attention::Speech };
        match self.work {
            Work::Agent | Work::Referring(_) => self.media(Command::Attend(attention)),
            Work::Stream(_) => self.attend_stream(),
            _ => {}
        }
    }
}
