//! A peer of a bridge sends the other side to somebody who needs no ringing: an agent, a room or a
//! voicemail.

use std::time::Instant;

use super::transferring::LEAVES_WITHIN;
use super::{Conductor, Timer, Work};
use crate::base::destination::Destination;
use crate::call::briefing::Post;
use crate::call::event::Output;
use crate::call::leg::Leg;
use crate::call::record::{Kind, Manner};
use crate::media::link::Links;
use crate::sip::event::{self, SessionId};

/// Where nobody needs to be called.
#[derive(Debug)]
pub(super) enum Place {
    /// At an agent.
    Agent(Destination, Post),
    /// In a room.
    Room(String),
    /// In a queue.
    Line(String),
    /// At a stream.
    Stream(String),
    /// At a voicemail.
    Voicemail(String),
}

impl Conductor {
    /// The agent or the room that a target of a REFER leads to, if that is where it leads.
    pub(super) fn place_of_ours(&self, target: &str) -> Option<Place> {
        let route = self.route_of(target);
        let [destination] = route.as_slice() else { return None };
        match destination {
            Destination::Agent(_) | Destination::Squad(_) | Destination::Menu(_) => {
                let post = self.briefing.post(destination)?;
                Some(Place::Agent(destination.clone(), post))
            }
            Destination::Conference(room) => Some(Place::Room(room.clone())),
            Destination::Queue(name) => Some(Place::Line(name.clone())),
            Destination::Stream(name) => Some(Place::Stream(name.clone())),
            Destination::Voicemail(name) => Some(Place::Voicemail(name.clone())),
            _ => None,
        }
    }

    /// Whoever `by` talks with goes there, and `by` leaves; it is told of both (RFC 3515 2.4.4). The
    /// call in which it asked there before, if it did, is over.
    pub(super) fn hand_over(
        &mut self,
        now: Instant,
        by: SessionId,
        (place, kind): (Place, Kind),
        headers: Vec<(String, String)>,
    ) {
        let Some(other) = self.across(by) else { return };
        let to = match &place {
            Place::Agent(destination, _) => destination.clone(),
            Place::Room(room) => Destination::Conference(room.clone()),
            Place::Line(name) => Destination::Queue(name.clone()),
            Place::Stream(name) => Destination::Stream(name.clone()),
            Place::Voicemail(name) => Destination::Voicemail(name.clone()),
        };
        let try_of = self.by_peer(by, (to.to_string(), Manner::Referral, kind));
        let fact = self.chronicle.transferred(now, try_of, None);
        self.out.push_back(Output::Fact(fact));
        for status in [100, 200] {
            self.sip(event::Command::AnswerRefer { session: by, outcome: Ok(status) });
        }
        self.leaving = Some(by);
        self.timers.set(Timer::Leave, now + LEAVES_WITHIN);
        self.with(by, |leg, out| leg.connect(Links::default(), out));
        let asked = headers.into_iter().find(|(name, _)| name == "Replaces");
        self.out.extend(asked.map(|(_, named)| Output::Retire(named)));
        self.near = other;
        self.far = None;
        match place {
            Place::Room(room) => self.confer(now, room),
            Place::Line(name) => {
                self.attend_near();
                self.queue_up(now, &name, None);
            }
            Place::Stream(name) => {
                self.attend_near();
                self.stream(now, name, None);
            }
            Place::Agent(_, post) => self.serve(now, post),
            Place::Voicemail(name) => {
                self.attend_near();
                self.leave_word(now, &name);
            }
        }
    }

    /// An agent takes a near side that is up already.
    fn serve(&mut self, now: Instant, post: Post) {
        self.attend_near();
        self.work = Work::Agent;
        self.cast(now, post);
        self.give_back_to_agent();
        self.open_desk(now, None);
        self.tell_of_hold(now);
    }

    /// Those who hear and speak are at the near side from now on.
    pub(super) fn attend_near(&mut self) {
        if let Some(port) = self.leg(self.near).map(Leg::port) {
            self.out.push_back(Output::Attach(port));
        }
    }
}
