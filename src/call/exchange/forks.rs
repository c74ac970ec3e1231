//! Legs that ring at several places at once: the first that answers has the call, the others are
//! told to stop. To the call it looks like one leg.

use std::collections::HashMap;
use std::time::Instant;

use super::{ENDS_WITHIN, NO_ANSWER};
use crate::sip::event::{Command, Ending, Event, Party, SessionId};

/// Every leg that rings at several places, or was answered at one of them.
#[derive(Debug)]
pub(super) struct Forks {
    legs: HashMap<SessionId, Leg>,
    /// The leg that a fork belongs to.
    owners: HashMap<SessionId, SessionId>,
    last: SessionId,
}

/// One leg.
#[derive(Debug)]
struct Leg {
    /// The forks that have not ended.
    ringing: Vec<SessionId>,
    winner: Option<SessionId>,
    /// What the call was told last, so that it is not told twice.
    told: u16,
    /// The best reason for not answering that was heard so far.
    excuse: Option<Ending>,
    rings_until: Instant,
}

/// What an event of a fork means.
#[derive(Debug, Default)]
pub(super) struct Meaning {
    /// What the call is told.
    pub event: Option<Event>,
    /// What the endpoint is told.
    pub commands: Vec<Command>,
}

impl Forks {
    /// Makes a table without legs.
    pub fn new() -> Self {
        Self { legs: HashMap::new(), owners: HashMap::new(), last: FIRST }
    }

    /// Begins a leg with so many forks; gives their identities.
    pub fn begin(&mut self, leg: SessionId, forks: usize, until: Instant) -> Vec<SessionId> {
        let mut ringing = Vec::new();
        for _ in 0..forks {
            let fork = self.last;
            self.last = fork.next();
            self.owners.insert(fork, leg);
            ringing.push(fork);
        }
        let of_leg = Leg {
            ringing: ringing.clone(),
            winner: None,
            told: 0,
            excuse: None,
            rings_until: until,
        };
        self.legs.insert(leg, of_leg);
        ringing
    }

    /// The leg that a session is a fork of, or itself.
    pub fn leg_of(&self, session: SessionId) -> SessionId {
        self.owners.get(&session).copied().unwrap_or(session)
    }

    /// The session that a leg came to: the fork that was answered, or its own.
    pub fn session_of(&self, leg: SessionId) -> SessionId {
        self.legs.get(&leg).and_then(|leg| leg.winner).unwrap_or(leg)
    }

    /// How many legs there are.
    pub fn len(&self) -> usize {
        self.legs.len()
    }

    /// Takes an event; `None` when it is that of no fork.
    pub fn hear(&mut self, event: &Event) -> Option<Meaning> {
        let fork = event.session()?;
        let owner = *self.owners.get(&fork)?;
        let Some(leg) = self.legs.get_mut(&owner) else { return Some(Meaning::default()) };
        let mut event = event.clone();
        if let Some(session) = event.session_mut() {
            *session = owner;
        }
        let meaning = match event {
            Event::Ended { ending, .. } => self.ended(owner, fork, ending),
            _ if leg.winner == Some(fork) => Meaning::of(event),
            Event::Answered { .. } if leg.winner.is_none() => {
                leg.winner = Some(fork);
                let others = leg.ringing.iter().filter(|other| **other != fork);
                let commands = others.map(|other| hang_up(*other, ELSEWHERE)).collect();
                Meaning { event: Some(event), commands }
            }
            // Early media of several phones cannot be heard at once: the caller hears that it
            // rings.
            Event::Progressed { session, status, from, .. } if leg.winner.is_none() => {
                let is_new = std::mem::replace(&mut leg.told, status) != status;
                let body = bytes::Bytes::new();
                let rings = Event::Progressed { session, status, body, from };
                if is_new { Meaning::of(rings) } else { Meaning::default() }
            }
            Event::Redirected { .. } if leg.winner.is_none() => Meaning::of(event),
            _ => Meaning::default(),
        };
        Some(meaning)
    }

    /// Takes an order of a call; gives what the endpoint is to see instead.
    pub fn obey(&mut self, mut command: Command) -> Vec<Command> {
        let leg = command.session_mut().and_then(|session| self.legs.get_mut(session));
        let Some(leg) = leg else { return vec![command] };
        match (leg.winner, &command) {
            (Some(winner), _) => {
                if let Some(session) = command.session_mut() {
                    *session = winner;
                }
                vec![command]
            }
            (None, Command::HangUp { reason, .. }) => {
                let reason = reason.clone();
                leg.excuse = Some(Ending::Cancelled { by: Party::Us, reason: reason.clone() });
                let hang_up =
                    |fork: &SessionId| Command::HangUp { session: *fork, reason: reason.clone() };
                leg.ringing.iter().map(hang_up).collect()
            }
            // Whatever else there is to say is said to who answers.
            (None, _) => Vec::new(),
        }
    }

    /// Stops what has rung for long enough.
    pub fn tick(&mut self, now: Instant) -> Vec<Command> {
        let is_due = |leg: &&mut Leg| leg.winner.is_none() && leg.rings_until <= now;
        let mut commands = Vec::new();
        for leg in self.legs.values_mut().filter(is_due) {
            let reason = Some(NO_ANSWER.to_owned());
            leg.excuse.get_or_insert(Ending::Cancelled { by: Party::Us, reason });
            leg.rings_until = now + ENDS_WITHIN;
            commands.extend(leg.ringing.iter().map(|fork| hang_up(*fork, NO_ANSWER)));
        }
        commands
    }

    /// When `tick` wants to be called.
    pub fn deadline(&self) -> Option<Instant> {
        let waiting = self.legs.values().filter(|leg| leg.winner.is_none());
        waiting.map(|leg| leg.rings_until).min()
    }

    fn ended(&mut self, owner: SessionId, fork: SessionId, ending: Ending) -> Meaning {
        self.owners.remove(&fork);
        let Some(leg) = self.legs.get_mut(&owner) else { return Meaning::default() };
        leg.ringing.retain(|other| *other != fork);
        let is_winner = leg.winner == Some(fork);
        let is_last = leg.ringing.is_empty();
        if leg.winner.is_none() {
            let is_final = matches!(ending, Ending::Refused { status: 600.., .. });
            let is_better = leg.excuse.as_ref().is_none_or(|best| rank(&ending) < rank(best));
            if is_better {
                leg.excuse = Some(ending.clone());
            }
            if is_final && !is_last {
                // 600 and more speaks for everybody (RFC 3261 16.7, step 5).
                let commands = leg.ringing.iter().map(|other| hang_up(*other, DECLINED)).collect();
                return Meaning { event: None, commands };
            }
        }
        let is_over = is_winner || (is_last && leg.winner.is_none());
        let told = if is_winner { Some(ending) } else { leg.excuse.take_if(|_| is_over) };
        if is_last {
            self.legs.remove(&owner);
        }
        let event = |ending| Event::Ended { session: owner, ending };
        Meaning { event: told.map(event), commands: Vec::new() }
    }
}

impl Meaning {
    fn of(event: Event) -> Self {
        Self { event: Some(event), commands: Vec::new() }
    }
}

/// Which reason is worth more to the call: a person's word, then that of a phone, then silence.
fn rank(ending: &Ending) -> u8 {
    match ending {
        Ending::Refused { status: 600.., .. } => 0,
        Ending::Cancelled { .. } => 1,
        Ending::Refused { status: 486, .. } => 2,
        Ending::Refused { status: 480, .. } => 3,
        Ending::Refused { .. } => 4,
        Ending::Bye { .. } | Ending::Lost => 5,
    }
}

fn hang_up(session: SessionId, reason: &str) -> Command {
    Command::HangUp { session, reason: Some(reason.to_owned()) }
}

/// The Reason for those who were not the first (RFC 3326 2).
const ELSEWHERE: &str = "SIP;cause=200;text=\"Call completed elsewhere\"";

/// The Reason for those who ring when somebody has declined for all.
const DECLINED: &str = "SIP;cause=603;text=\"Declined\"";

/// The first identity of a fork: no call and no endpoint gives such to its sessions.
const FIRST: SessionId = SessionId(1 << 62);

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use proptest::prelude::*;
    use std::time::Duration;

    const LEG: SessionId = SessionId(7);

    const PEER: std::net::IpAddr = std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn stage(forks: usize) -> (Forks, Vec<SessionId>, Instant) {
        let (mut table, now) = (Forks::new(), Instant::now());
        let ids = table.begin(LEG, forks, now + Duration::from_secs(30));
        (table, ids, now)
    }

    fn answered(session: SessionId) -> Event {
        Event::Answered { session, body: Bytes::new(), headers: Vec::new(), from: PEER }
    }

    fn rings(session: SessionId, status: u16) -> Event {
        Event::Progressed { session, status, body: Bytes::from_static(b"v=0"), from: PEER }
    }

    fn refused(session: SessionId, status: u16) -> Event {
        let ending = Ending::Refused { by: Party::Peer, status, reason: None };
        Event::Ended { session, ending }
    }

    fn lost(session: SessionId) -> Event {
        Event::Ended { session, ending: Ending::Lost }
    }

    fn status_of(meaning: &Meaning) -> Option<u16> {
        match &meaning.event {
            Some(Event::Ended { session, ending: Ending::Refused { status, .. } }) => {
                assert_eq!(*session, LEG);
                Some(*status)
            }
            _ => None,
        }
    }

    fn stopped(commands: &[Command]) -> Vec<SessionId> {
        let session = |command: &Command| match command {
            Command::HangUp { session, .. } => *session,
            other => panic!("{other:?}"),
        };
        commands.iter().map(session).collect()
    }

    #[test]
    fn the_first_to_answer_has_the_call_and_the_others_stop() {
        let (mut table, ids, _) = stage(3);
        let rung = table.hear(&rings(ids[0], 180)).expect("a fork").event;
        assert!(
            matches!(rung, Some(Event::Progressed { session: LEG, ref body, .. }) if body.is_empty())
        );
        assert!(table.hear(&rings(ids[1], 180)).expect("a fork").event.is_none());
        let won = table.hear(&answered(ids[1])).expect("a fork");
        assert!(matches!(won.event, Some(Event::Answered { session: LEG, .. })));
        assert_eq!(stopped(&won.commands), [ids[0], ids[2]]);
        // One of them answers all the same: nobody hears of it.
        assert!(table.hear(&answered(ids[2])).expect("a fork").event.is_none());
        assert!(table.hear(&lost(ids[2])).expect("a fork").event.is_none());
        assert!(table.hear(&refused(ids[0], 487)).expect("a fork").event.is_none());
        let bye = Command::HangUp { session: LEG, reason: None };
        assert_eq!(stopped(&table.obey(bye)), [ids[1]]);
        let ending = Ending::Bye { by: Party::Us, reason: None };
        let over = table.hear(&Event::Ended { session: ids[1], ending }).expect("a fork");
        assert!(matches!(over.event, Some(Event::Ended { session: LEG, .. })));
        assert_eq!((table.len(), table.owners.len()), (0, 0));
    }

    #[test]
    fn when_nobody_answers_the_best_reason_is_told_once() {
        for (statuses, told) in [([480, 486], 486), ([486, 408], 486), ([404, 480], 480)] {
            let (mut table, ids, _) = stage(3);
            assert_eq!(status_of(&table.hear(&refused(ids[0], statuses[0])).expect("it")), None);
            assert_eq!(status_of(&table.hear(&lost(ids[1])).expect("it")), None);
            let last = table.hear(&refused(ids[2], statuses[1])).expect("it");
            assert_eq!(status_of(&last), Some(told));
            assert_eq!((table.len(), table.owners.len()), (0, 0));
        }
    }

    #[test]
    fn whoever_declines_declines_for_all() {
        let (mut table, ids, _) = stage(2);
        let declined = table.hear(&refused(ids[0], 603)).expect("a fork");
        assert!(declined.event.is_none());
        assert_eq!(stopped(&declined.commands), [ids[1]]);
        assert_eq!(status_of(&table.hear(&refused(ids[1], 487)).expect("a fork")), Some(603));
    }

    #[test]
    fn it_rings_only_so_long_and_not_after_the_caller_gave_up() {
        let (mut table, ids, now) = stage(2);
        let end = now + Duration::from_secs(30);
        assert_eq!(table.deadline(), Some(end));
        assert_eq!(stopped(&table.tick(end)), ids);
        assert!(table.tick(end).is_empty());
        table.hear(&refused(ids[0], 487));
        let over = table.hear(&refused(ids[1], 487)).expect("a fork");
        let Some(Event::Ended { ending: Ending::Cancelled { by: Party::Us, reason }, .. }) =
            over.event
        else {
            panic!("{over:?}");
        };
        assert_eq!(reason.as_deref(), Some(NO_ANSWER));
        let (mut table, ids, _) = stage(2);
        let give_up = Command::HangUp { session: LEG, reason: None };
        assert_eq!(stopped(&table.obey(give_up)), ids);
        table.hear(&refused(ids[0], 487));
        let over = table.hear(&refused(ids[1], 487)).expect("a fork");
        assert!(matches!(over.event, Some(Event::Ended { ending: Ending::Cancelled { .. }, .. })));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn a_leg_is_answered_at_most_once_and_ends_exactly_once(
            forks in 1_usize..5,
            steps in prop::collection::vec((0_usize..5, 0_u8..5), 0..30),
        ) {
            let (mut table, ids, _) = stage(forks);
            let mut alive = ids.clone();
            let mut picked = std::collections::HashSet::new();
            let (mut answers, mut ends) = (0, 0);
            let mut see = |meaning: Option<Meaning>| match meaning.and_then(|it| it.event) {
                Some(Event::Answered { .. }) => answers += 1,
                Some(Event::Ended { .. }) => ends += 1,
                _ => {}
            };
            for (at, what) in steps {
                let Some(fork) = alive.get(at).copied() else { continue };
                match what {
                    0 => see(table.hear(&rings(fork, 180))),
                    // No endpoint says so twice.
                    1 if picked.insert(fork) => see(table.hear(&answered(fork))),
                    1 => {}
                    2 => {
                        table.obey(Command::HangUp { session: LEG, reason: None });
                    }
                    _ => {
                        alive.remove(at);
                        see(table.hear(&refused(fork, if what == 3 { 486 } else { 603 })));
                    }
                }
            }
            for fork in alive {
                see(table.hear(&lost(fork)));
            }
            prop_assert!(answers <= 1);
            prop_assert_eq!(ends, 1);
            prop_assert_eq!((table.len(), table.owners.len()), (0, 0));
        }
    }
}
