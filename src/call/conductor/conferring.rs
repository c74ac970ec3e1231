//! The near side is in a conference, with the near sides of other calls.

use std::time::Instant;

use super::{Conductor, Work};
use crate::base::id::PortId;
use crate::call::cause::Cause;
use crate::call::event::Output;
use crate::call::leg::{Leg, State};
use crate::media::link::Links;

/// A seat in a room.
#[derive(Debug)]
pub(super) struct Seat {
    room: String,
    place: Place,
}

#[derive(Debug)]
enum Place {
    /// Not asked for: the near side has no port yet, or holds us.
    Away,
    /// Asked for.
    Wanted,
    /// Taken, with these others.
    Taken(Vec<PortId>),
}

impl Conductor {
    /// The near side goes into a room.
    pub(super) fn confer(&mut self, now: Instant, room: String) {
        self.work = Work::Conference(Seat { room, place: Place::Away });
        self.ready_near(now);
    }

    /// Takes the seat, or gives it up while the peer holds us: nobody wants to hear its music.
    pub(super) fn take_seat(&mut self) {
        let near = self.near;
        let Some(leg) = self.leg(near) else { return };
        let (port, is_held) = (leg.port(), leg.is_up() && leg.is_held());
        let Work::Conference(seat) = &mut self.work else { return };
        match (&seat.place, is_held) {
            (Place::Away, false) => {
                seat.place = Place::Wanted;
                self.out.push_back(Output::Join(seat.room.clone(), port));
            }
            (Place::Wanted | Place::Taken(_), true) => {
                seat.place = Place::Away;
                self.out.push_back(Output::Leave(port));
                self.with(near, |leg, out| leg.connect(Links::default(), out));
            }
            (Place::Taken(_), false) => self.hear_others(),
            (Place::Away, true) | (Place::Wanted, false) => {}
        }
    }

    /// Somebody came or went; no list: there is no room for us.
    pub(super) fn gathered(&mut self, now: Instant, others: Option<Vec<PortId>>) {
        let near = self.near;
        let state = self.leg(near).map(Leg::state);
        let is_unanswered = matches!(state, Some(State::Calling | State::Ringing));
        let Work::Conference(seat) = &mut self.work else { return };
        if matches!(seat.place, Place::Away) {
            return;
        }
        let Some(others) = others else { return self.end(now, Cause::Full) };
        seat.place = Place::Taken(others);
        if is_unanswered {
            self.answer_near(now);
        }
        self.hear_others();
    }

    /// Lets the near side hear the others, or music as long as there are none.
    fn hear_others(&mut self) {
        let Work::Conference(Seat { place: Place::Taken(others), .. }) = &self.work else { return };
        let links = Links { told: others.clone(), hears: others.clone(), ..Links::default() };
        let (near, hold) = (self.near, self.briefing.tapes.hold.clone());
        self.with(near, |leg, out| match links.hears.is_empty() {
            true => leg.entertain(&hold, out),
            false => leg.connect(links, out),
        });
    }
}
