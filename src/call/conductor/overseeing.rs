//! A supervisor is on the line: hears both sides, may whisper to ours, may speak with all.

use std::time::{Duration, Instant};

use super::{Conductor, MOST_LEGS, Work};
use crate::base::destination::Destination;
use crate::base::id::PortId;
use crate::call::cause::Cause;
use crate::call::event::Output;
use crate::call::leg::{Leg, State};
use crate::call::placement::Placement;
use crate::call::record::Role;
use crate::media::event::Command;
use crate::media::link::Links;
use crate::sip::event::SessionId;

/// A supervisor, on the line or being called.
#[derive(Debug)]
pub(super) struct Overseer {
    session: SessionId,
    role: Role,
    /// How its port was connected last.
    links: Links,
}

impl Conductor {
    /// The operator lets somebody oversee the call, or do so in another way. Who asks was told
    /// before whether it can be done; what cannot be done is left.
    pub(super) fn oversee(&mut self, now: Instant, role: Role, phone: Destination) {
        if !self.may_oversee(role) {
            return;
        }
        if let Some(session) = self.overseer.as_ref().map(|it| it.session) {
            let is_same = self.leg(session).and_then(Leg::destination) == Some(&phone);
            if let Some(overseer) = self.overseer.as_mut().filter(|_| is_same) {
                overseer.role = role;
                self.chronicle.oversees(self.place_of(session), role);
                self.rewire_overseen();
            }
            return;
        }
        let number = u8::try_from(self.legs.len()).unwrap_or(u8::MAX);
        if number >= MOST_LEGS || !phone.is_called() {
            return;
        }
        let fact = self.chronicle.dialled(now, &phone);
        self.out.push_back(Output::Fact(fact));
        let session = self.chronicle.call().session(number);
        let mut leg = Leg::to(phone, session);
        leg.bind(&mut self.out);
        self.legs.push(leg);
        self.chronicle.oversees(self.place_of(session), role);
        self.overseer = Some(Overseer { session, role, links: Links::default() });
    }

    /// Whether there is something to be overseen so: an agent alone has nobody to whisper to.
    fn may_oversee(&self, role: Role) -> bool {
        match self.work {
            Work::Agent => self.desk.is_open() && role != Role::Whisper,
            Work::Bridged => true,
            Work::Dialling
            | Work::Referring(_)
            | Work::Transferring
            | Work::Consulting(_)
            | Work::Conference(_)
            | Work::Queued
            | Work::Stream(_)
            | Work::Voicemail(_)
            | Work::Drill(_)
            | Work::Ending(_)
            | Work::Over => false,
        }
    }

    pub(super) fn is_overseer(&self, session: SessionId) -> bool {
        self.overseer.as_ref().is_some_and(|overseer| overseer.session == session)
    }

    /// The leg of a supervisor has its socket: it is called.
    pub(super) fn place_overseer(&mut self, session: SessionId) {
        let dearest = self.leg(self.near).and_then(Leg::codec);
        let Some(leg) = self.leg_mut(session) else { return };
        let (Some(offers), Some(destination)) = (leg.offer(dearest), leg.destination().cloned())
        else {
            return;
        };
        let caller = self.caller(&destination);
        let (trunks, headers, ring_limit) = (Vec::new(), Vec::new(), RING);
        let placement = Placement {
            session,
            destination,
            trunks,
            caller,
            payer: None,
            offers,
            is_secret: false,
            headers,
            ring_limit,
        };
        self.out.push_back(Output::Place(Box::new(placement)));
    }

    /// A supervisor answered.
    pub(super) fn overseer_answered(&mut self) {
        self.rewire_overseen();
    }

    /// A supervisor is gone, or never came; false when the leg is another's.
    pub(super) fn overseer_gone(&mut self, session: SessionId) -> bool {
        if !self.is_overseer(session) {
            return false;
        }
        self.overseer = None;
        self.rewire_overseen();
        true
    }

    /// Connects those who are overseen anew, as they were: [`Conductor::let_overseer_hear`] adds to it.
    fn rewire_overseen(&mut self) {
        match self.work {
            Work::Bridged | Work::Conference(_) => self.rewire(),
            Work::Agent
            | Work::Voicemail(_)
            | Work::Referring(_)
            | Work::Transferring
            | Work::Consulting(_) => {
                self.media(Command::Connect(Links::default()));
            }
            Work::Dialling
            | Work::Queued
            | Work::Stream(_)
            | Work::Drill(_)
            | Work::Ending(_)
            | Work::Over => {}
        }
    }

    /// Whatever was ordered of the ports of those who talk, a supervisor hears them, and they hear
    /// it as its role has it.
    pub(super) fn let_overseer_hear(&mut self) {
        let Some(overseer) = &self.overseer else { return };
        let (session, role) = (overseer.session, overseer.role);
        if self.leg(session).is_none_or(|leg| leg.state() != State::Up) {
            return;
        }
        let boss = PortId(session.0);
        let sides: Vec<PortId> = self.sides().iter().map(|side| PortId(side.0)).collect();
        let ours = PortId(self.our_side().0);
        let is_heard = |side: PortId| match role {
            Role::Listen => false,
            Role::Whisper => side == ours && sides.len() > 1,
            Role::Barge => true,
        };
        for output in &mut self.out {
            let Output::Media(port, Command::Connect(links)) = output else { continue };
            if sides.contains(port) && !links.overseers.contains(&boss) {
                links.told.push(boss);
                links.overseers.push(boss);
                links.hears.extend(is_heard(*port).then_some(boss));
            }
        }
        let told = sides.iter().copied().filter(|side| is_heard(*side)).collect();
        let links = Links { told, hears: sides.clone(), oversees: sides, ..Links::default() };
        let Some(overseer) = self.overseer.as_mut().filter(|it| it.links != links) else { return };
        overseer.links.clone_from(&links);
        self.with(session, |leg, out| leg.connect(links, out));
    }

    /// Those who talk with each other, or with an agent.
    fn sides(&self) -> Vec<SessionId> {
        let far = self.far.filter(|_| matches!(self.work, Work::Bridged));
        [Some(self.near), far].into_iter().flatten().collect()
    }

    /// Who is whispered to: whom the caller was connected with, unless the caller is the phone of
    /// ours and the other one is not.
    fn our_side(&self) -> SessionId {
        let Some(far) = self.far else { return self.near };
        let is_phone = |session| {
            let destination = self.leg(session).and_then(Leg::destination);
            matches!(destination, Some(Destination::Phone(_) | Destination::Group(_)))
        };
        let caller_is_phone = self.near == self.incoming.session && !self.trunk.phone.is_empty();
        if caller_is_phone && !is_phone(far) { self.near } else { far }
    }

    /// A supervisor who answers with nothing that we speak.
    pub(super) fn overseer_does_not_fit(&mut self, session: SessionId) {
        self.drop_leg(session, Cause::IncompatibleMedia);
        self.overseer_gone(session);
    }

    /// How a leg oversees the call, if it does.
    pub(super) fn role_of(&self, session: SessionId) -> Option<Role> {
        self.overseer.as_ref().filter(|it| it.session == session).map(|it| it.role)
    }
}

/// How long it rings at a supervisor.
const RING: Duration = Duration::from_secs(30);
