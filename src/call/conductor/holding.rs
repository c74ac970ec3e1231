//! A peer puts its leg on hold, and takes it back: the agent waits, and hears nothing meanwhile.

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
            Hold::Held => self.chronicle.held(now, place),
            Hold::None => self.chronicle.resumed(now, place),
        };
        self.out.push_back(Output::Fact(fact));
        if session == self.near {
            self.tell_of_hold(now);
        }
    }

    /// Tells the agent whether somebody hears it; nothing of a held line is transcribed.
    pub(super) fn tell_of_hold(&mut self, now: Instant) {
        let held = self.leg(self.near).is_some_and(Leg::is_held);
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
