//! Two legs talk with each other: their ports are connected in the media thread.

use std::time::Instant;

use super::{Conductor, Work};
use crate::call::event::Output;
use crate::call::leg::Leg;
use crate::media::link::Links;
use crate::sip::event::SessionId;

impl Conductor {
    /// The near side has this one as its far side. Whoever replaces a leg finds the other end of it
    /// by that: it is said before the near side hears that it was answered, for a quick phone may
    /// ask at once.
    pub(super) fn pair_with(&mut self, far: SessionId) {
        self.far = Some(far);
        self.work = Work::Bridged;
        self.out.push_back(Output::Pair(self.near, far));
    }

    /// The near and the far side talk with each other from now on.
    pub(super) fn join(&mut self, now: Instant) {
        let (Work::Bridged, Some(far)) = (&self.work, self.far) else { return };
        let legs = [self.place_of(self.near), self.place_of(far)];
        let fact = self.chronicle.bridged(now, legs);
        self.out.push_back(Output::Fact(fact));
        self.rewire();
    }

    /// Connects both sides of a bridge as they stand: whoever is put on hold by the other, or by the
    /// operator, hears music; a conference goes on without them.
    pub(super) fn rewire(&mut self) {
        if let Work::Conference(_) = self.work {
            return self.take_seat();
        }
        let (Work::Bridged, Some(far)) = (&self.work, self.far) else { return };
        let near = self.near;
        let is_held = |session| self.leg(session).is_some_and(Leg::is_held);
        let waits = self.leg(near).is_some_and(Leg::waits);
        match (is_held(near), is_held(far) || waits) {
            (false, false) => self.connect(far),
            (near_holds, far_holds) => {
                let hold = self.briefing.tapes.hold.clone();
                for (session, by_other) in [(near, far_holds), (far, near_holds)] {
                    self.with(session, |leg, out| match by_other {
                        true => leg.entertain(&hold, out),
                        false => leg.connect(Links::default(), out),
                    });
                }
            }
        }
    }

    /// Lets the near side and another leg hear each other.
    pub(super) fn connect(&mut self, other: SessionId) {
        let near = self.near;
        for (one, two) in [(near, other), (other, near)] {
            let Some(port) = self.leg(two).map(Leg::port) else { continue };
            self.with(one, |leg, out| leg.connect(Links::with(port), out));
        }
    }

    /// Whoever the near side heard is gone, and others may still answer.
    pub(super) fn wait_on(&mut self) {
        let tapes = &self.briefing.tapes;
        let tape = if self.is_warm() { tapes.hold.clone() } else { tapes.ringback.clone() };
        let near = self.near;
        self.with(near, |leg, out| leg.entertain(&tape, out));
    }
}
