//! Dialling: whom the call tries to reach, one round after the other, and what came of it.

use std::collections::VecDeque;
use std::time::Duration;

use crate::agent::tool::ToolCall;
use crate::base::destination::Destination;
use crate::call::cause::Cause;
use crate::call::record::Kind;
use crate::call::transfer::Brief;
use crate::sip::event::SessionId;

/// An attempt to reach somebody.
#[derive(Debug)]
pub struct Dial {
    purpose: Purpose,
    rounds: VecDeque<Round>,
    ring: Duration,
    trying: Vec<SessionId>,
    /// The cause that tells most of those who did not answer.
    worst: Option<Cause>,
    /// Whose early media is heard.
    early: Option<SessionId>,
    /// What the INVITEs say besides: whom they replace, and who asks for it.
    headers: Vec<(String, String)>,
    /// What whoever answers is told before it is connected.
    brief: Option<Brief>,
    /// How often somebody sent us elsewhere.
    redirections: usize,
}

/// For whom somebody is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purpose {
    /// The route of the call says so.
    Route,
    /// The agent connects the caller with somebody.
    Transfer(ToolCall, Kind),
    /// The call is one that we begin.
    Origination,
    /// Members of a queue are rung for one who waits.
    Queue,
    /// A peer asked us by REFER to call somebody in its place.
    Referral(SessionId, Kind),
    /// The operator wants somebody else in the place of the far side of a bridge.
    Order(Kind),
}

/// What is tried next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Round {
    /// These are called at once; the first to answer wins.
    Call(Vec<Destination>),
    /// The call goes there.
    Go(Destination),
}

impl Dial {
    /// Plans the rounds: those of `to` at once, then those of `otherwise` one after the other.
    pub fn new(
        purpose: Purpose,
        to: Vec<Destination>,
        otherwise: Vec<Destination>,
        ring: Option<Duration>,
    ) -> Self {
        let called: Vec<Destination> = to.iter().filter(|to| to.is_called()).cloned().collect();
        let first = match (called.is_empty(), to.into_iter().next()) {
            (true, Some(destination)) => Some(Round::Go(destination)),
            (true, None) => None,
            (false, _) => Some(Round::Call(called.into_iter().take(MOST_AT_ONCE).collect())),
        };
        let later = otherwise.into_iter().take(MOST_ROUNDS).map(Round::of);
        Self {
            purpose,
            rounds: first.into_iter().chain(later).collect(),
            ring: ring.unwrap_or(RING),
            trying: Vec::new(),
            worst: None,
            early: None,
            headers: Vec::new(),
            brief: None,
            redirections: 0,
        }
    }

    /// What is tried for a caller, one after the other.
    pub fn in_turn(otherwise: Vec<Destination>) -> Self {
        Self::new(Purpose::Route, Vec::new(), otherwise, None)
    }

    /// Whether something is left to be tried.
    pub fn has_rounds(&self) -> bool {
        !self.rounds.is_empty()
    }

    /// The same with these headers in the INVITEs.
    #[must_use]
    pub fn with_headers(self, headers: Vec<(String, String)>) -> Self {
        Self { headers, ..self }
    }

    /// The same, and whoever answers is told this of the caller and asked whether it takes it.
    #[must_use]
    pub fn with_brief(self, brief: Option<Brief>) -> Self {
        Self { brief, ..self }
    }

    /// What whoever answers is told.
    pub fn brief(&self) -> Option<&Brief> {
        self.brief.as_ref()
    }

    /// Further headers of the INVITEs, by name and value.
    pub fn headers(&self) -> &[(String, String)] {
        &self.headers
    }

    /// For whom.
    pub fn purpose(&self) -> &Purpose {
        &self.purpose
    }

    /// How long it rings in each round.
    pub fn ring(&self) -> Duration {
        self.ring
    }

    /// What is left to be tried, one after the other.
    pub fn rest(&mut self) -> Vec<Destination> {
        let of = |round: Round| match round {
            Round::Call(all) => all,
            Round::Go(destination) => vec![destination],
        };
        self.rounds.drain(..).flat_map(of).collect()
    }

    /// What is tried next, if anything is left.
    pub fn next_round(&mut self) -> Option<Round> {
        self.trying.clear();
        self.early = None;
        self.rounds.pop_front()
    }

    /// Somebody sent us elsewhere, so often as may be: gives who is to be called in its place at
    /// once; the others are tried after this round.
    pub fn redirected(&mut self, to: Vec<Destination>) -> Option<Destination> {
        if to.is_empty() || self.redirections >= MOST_REDIRECTIONS {
            return None;
        }
        self.redirections += 1;
        let is_called = to.first().is_some_and(Destination::is_called);
        let mut to = to.into_iter().take(MOST_ROUNDS);
        let first = if is_called { to.next() } else { None };
        let rest: Vec<Destination> = to.collect();
        for destination in rest.into_iter().rev() {
            self.rounds.push_front(Round::of(destination));
        }
        first
    }

    /// Another leg is being called.
    pub fn try_leg(&mut self, session: SessionId) {
        self.trying.push(session);
    }

    /// Whether a leg is one of those being called.
    pub fn tries(&self, session: SessionId) -> bool {
        self.trying.contains(&session)
    }

    /// Those that are being called, without one.
    pub fn others(&self, session: SessionId) -> Vec<SessionId> {
        self.trying.iter().copied().filter(|other| *other != session).collect()
    }

    /// A leg has early media: whether it is the one that is heard.
    pub fn hears_early(&mut self, session: SessionId) -> bool {
        *self.early.get_or_insert(session) == session
    }

    /// Whose early media is heard.
    pub fn early(&self) -> Option<SessionId> {
        self.early
    }

    /// A leg did not come to an answer; tells whether it was the last of its round.
    pub fn failed(&mut self, session: SessionId, cause: Cause) -> bool {
        let before = self.trying.len();
        self.trying.retain(|other| *other != session);
        if self.early == Some(session) {
            self.early = None;
        }
        if self.worst.is_none_or(|worst| worst.rank() <= cause.rank()) {
            self.worst = Some(cause);
        }
        before > 0 && self.trying.is_empty()
    }

    /// Why nobody was reached.
    pub fn cause(&self) -> Cause {
        self.worst.unwrap_or(Cause::NoRoute)
    }
}

impl Round {
    fn of(destination: Destination) -> Self {
        if destination.is_called() { Self::Call(vec![destination]) } else { Self::Go(destination) }
    }
}

/// How long it rings when nobody says for how long.
pub const RING: Duration = Duration::from_secs(30);

/// How many are called at once.
pub const MOST_AT_ONCE: usize = 16;

/// How often a call is sent elsewhere before it goes nowhere.
const MOST_REDIRECTIONS: usize = 5;

/// How many rounds follow the first.
const MOST_ROUNDS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn destinations(texts: &[&str]) -> Vec<Destination> {
        texts.iter().map(|text| text.parse().expect("a destination")).collect()
    }

    #[test]
    fn some_are_called_at_once_and_others_one_after_the_other() {
        let to = destinations(&["phone:101", "sip:a@192.0.2.1"]);
        let otherwise = destinations(&["tel:+4971112340", "agent:desk"]);
        let mut dial = Dial::new(Purpose::Route, to.clone(), otherwise.clone(), None);
        assert_eq!(dial.next_round(), Some(Round::Call(to)));
        assert_eq!(dial.next_round(), Some(Round::Call(vec![otherwise[0].clone()])));
        assert_eq!(dial.next_round(), Some(Round::Go(otherwise[1].clone())));
        assert_eq!(dial.next_round(), None);
    }

    #[test]
    fn who_is_sent_elsewhere_goes_there_first_but_not_for_ever() {
        let to = destinations(&["phone:101"]);
        let otherwise = destinations(&["agent:desk"]);
        let mut dial = Dial::new(Purpose::Route, to, otherwise.clone(), None);
        dial.next_round();
        let there = destinations(&["phone:102", "phone:103"]);
        assert_eq!(dial.redirected(there.clone()), Some(there[0].clone()));
        assert_eq!(dial.redirected(Vec::new()), None);
        let desk = destinations(&["agent:night"]);
        assert_eq!(dial.redirected(desk.clone()), None, "it is no leg: it waits for the round");
        assert_eq!(dial.next_round(), Some(Round::Go(desk[0].clone())));
        assert_eq!(dial.next_round(), Some(Round::Call(vec![there[1].clone()])));
        for _ in 2..MOST_REDIRECTIONS {
            assert!(dial.redirected(there.clone()).is_some());
        }
        assert_eq!(dial.redirected(there), None);
    }

    #[test]
    fn the_last_to_fail_ends_the_round_and_the_cause_is_that_which_tells_most() {
        let mut dial = Dial::new(Purpose::Route, destinations(&["phone:101"]), Vec::new(), None);
        dial.next_round();
        let [one, two, stranger] = [SessionId(1), SessionId(2), SessionId(3)];
        dial.try_leg(one);
        dial.try_leg(two);
        assert!(dial.hears_early(two) && !dial.hears_early(one));
        assert!(!dial.failed(two, Cause::Busy));
        assert_eq!((dial.early(), dial.others(one)), (None, Vec::new()));
        assert!(!dial.failed(stranger, Cause::NoAnswer) && dial.failed(one, Cause::NoAnswer));
        assert_eq!(dial.cause(), Cause::Busy);
    }
}
