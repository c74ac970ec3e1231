//! A leg that rings at several places at once: the first to answer wins, the others are hung up.

use std::collections::HashMap;
use std::time::Instant;

use super::{Exchange, Hop, MOST_HUNTS, NO_ANSWER, Output, Way};
use crate::call::cause::Cause;
use crate::call::placement::Placement;
use crate::sip::event::{Command, Ending, Event, Flow, Outgoing, Party, SessionId};

/// Every leg that rings at several places.
#[derive(Debug, Default)]
pub(super) struct Forks {
    forks: HashMap<SessionId, Fork>,
    branches: HashMap<SessionId, Branch>,
    /// The branch that won, by its leg.
    won: HashMap<SessionId, SessionId>,
    last: u64,
}

/// One leg, until somebody answers or nobody is left.
#[derive(Debug)]
struct Fork {
    ringing: Vec<SessionId>,
    rings_until: Instant,
    /// Why nobody wants it any more, if so.
    given_up: Option<Option<String>>,
    /// The best of the refusals.
    best: Option<Ending>,
}

/// One place where a leg rings, by the identity of its own session.
#[derive(Debug, Clone, Copy)]
struct Branch {
    leg: SessionId,
    has_won: bool,
}

impl Exchange {
    /// Places a leg by all these ways at once. A host that is yet to be resolved does not count.
    pub fn place_at_once(&mut self, now: Instant, placement: &Placement, ways: &[Way]) {
        let leg = placement.session;
        let flow = |way: &Way| match &way.hop {
            Hop::Flow(flow) => Some(*flow),
            Hop::Host(_) => None,
        };
        let ways: Vec<(&Way, Flow)> =
            ways.iter().filter_map(|way| Some((way, flow(way)?))).take(MOST_BRANCHES).collect();
        if ways.is_empty() {
            return self.refuse(leg, Cause::NoRoute);
        }
        if self.forks.forks.len() >= MOST_HUNTS {
            return self.refuse(leg, Cause::Full);
        }
        let mut ringing = Vec::new();
        for (way, flow) in ways {
            self.forks.last = self.forks.last.saturating_add(1);
            let session = SessionId(FIRST_BRANCH | self.forks.last);
            self.forks.branches.insert(session, Branch { leg, has_won: false });
            ringing.push(session);
            let outgoing = Outgoing {
                session,
                target: way.target.clone(),
                from: way.from.clone(),
                flow,
                body: placement.body.clone(),
                headers: way.headers.clone(),
            };
            self.outputs.push_back(Output::Command(Command::Invite(Box::new(outgoing))));
        }
        let rings_until = now + placement.ring_limit;
        let fork = Fork { ringing, rings_until, given_up: None, best: None };
        self.forks.forks.insert(leg, fork);
        self.rearm(leg);
    }

    /// Takes an event of a branch as one of its leg; `None` when the leg is not to hear of it.
    pub(super) fn of_leg(&mut self, mut event: Event) -> Option<Event> {
        let Some(session) = event.session() else { return Some(event) };
        let Some(branch) = self.forks.branches.get(&session).copied() else {
            if matches!(event, Event::Ended { .. }) {
                self.forks.forget(session);
            }
            return Some(event);
        };
        if let Some(session) = event.session_mut() {
            *session = branch.leg;
        }
        match event {
            Event::Ended { ending, .. } => self.branch_ended(session, branch, ending),
            event if branch.has_won => Some(event),
            Event::Answered { .. } => self.branch_answered(session, branch).then_some(event),
            event => self.forks.forks.contains_key(&branch.leg).then_some(event),
        }
    }

    /// Hangs up wherever a leg rings; false when it does not ring at several places.
    pub(super) fn give_up_fork(&mut self, leg: SessionId, reason: Option<&str>) -> bool {
        let Some(fork) = self.forks.forks.get_mut(&leg) else { return false };
        fork.given_up.get_or_insert_with(|| reason.map(str::to_owned));
        for session in fork.ringing.clone() {
            self.hang_up(session, reason);
        }
        self.rearm(leg);
        true
    }

    /// Gives up a leg that has rung for as long as it may.
    pub(super) fn fork_due(&mut self, leg: SessionId, now: Instant) {
        if self.forks.deadline(leg).is_some_and(|at| at <= now) {
            self.give_up_fork(leg, Some(NO_ANSWER));
        }
    }

    /// Somebody answers; tells whether he is the first.
    fn branch_answered(&mut self, session: SessionId, branch: Branch) -> bool {
        let open = self.forks.forks.remove(&branch.leg);
        let Some(fork) = open.filter(|fork| fork.given_up.is_none()) else {
            self.hang_up(session, None);
            return false;
        };
        self.forks.branches.insert(session, Branch { has_won: true, ..branch });
        self.forks.won.insert(branch.leg, session);
        self.rearm(branch.leg);
        for other in fork.ringing.into_iter().filter(|other| *other != session) {
            self.hang_up(other, Some(ELSEWHERE));
        }
        let command = Command::Rename { from: session, to: branch.leg };
        self.outputs.push_back(Output::Command(command));
        true
    }

    fn branch_ended(
        &mut self,
        session: SessionId,
        branch: Branch,
        ending: Ending,
    ) -> Option<Event> {
        self.forks.branches.remove(&session);
        let leg = branch.leg;
        if branch.has_won {
            self.forks.won.remove(&leg);
            return Some(Event::Ended { session: leg, ending });
        }
        let fork = self.forks.forks.get_mut(&leg)?;
        fork.ringing.retain(|other| *other != session);
        fork.best = match fork.best.take() {
            Some(best) if worth(&best) >= worth(&ending) => Some(best),
            Some(_) | None => Some(ending),
        };
        if !fork.ringing.is_empty() {
            return None;
        }
        let fork = self.forks.forks.remove(&leg)?;
        self.rearm(leg);
        let ending = match fork.given_up {
            Some(reason) => Ending::Cancelled { by: Party::Us, reason },
            None => fork.best?,
        };
        Some(Event::Ended { session: leg, ending })
    }

    fn hang_up(&mut self, session: SessionId, reason: Option<&str>) {
        let reason = reason.map(str::to_owned);
        self.outputs.push_back(Output::Command(Command::HangUp { session, reason }));
    }
}

impl Forks {
    /// When a leg has rung for as long as it may.
    pub(super) fn deadline(&self, leg: SessionId) -> Option<Instant> {
        let fork = self.forks.get(&leg).filter(|fork| fork.given_up.is_none());
        fork.map(|fork| fork.rings_until)
    }

    /// A leg is over.
    fn forget(&mut self, leg: SessionId) {
        if let Some(branch) = self.won.remove(&leg) {
            self.branches.remove(&branch);
        }
    }
}

/// Which of several refusals tells the caller most: a person's word before a machine's (RFC 3261
/// 16.7).
fn worth(ending: &Ending) -> u8 {
    match ending {
        Ending::Refused { status: 600.., .. } => 5,
        Ending::Refused { status: 486, .. } => 4,
        Ending::Refused { status: 300..=499, .. } => 3,
        Ending::Refused { .. } => 2,
        Ending::Bye { .. } | Ending::Cancelled { .. } => 1,
        Ending::Lost => 0,
    }
}

/// How many places one leg may ring at.
const MOST_BRANCHES: usize = 16;

/// Where the identities of branches begin: far from those that calls choose.
const FIRST_BRANCH: u64 = 1 << 62;

/// The Reason of a CANCEL for those who were slower (RFC 3326 2).
const ELSEWHERE: &str = "SIP;cause=200;text=\"Call completed elsewhere\"";
