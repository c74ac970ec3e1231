//! What operators ask of a shard. Every answer is made when it is asked for: the shard copies what
//! it has and goes on; whoever asked makes something of it elsewhere.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{broadcast, oneshot};

use super::SipShard;
use crate::base::id::CallId;
use crate::base::money::Currency;
use crate::call::admission::Tally;
use crate::call::exchange::{Count, Trial, Untried};
use crate::call::outbound::purse::Line;
use crate::call::trunk::Report;
use crate::engine::announcements::Announcement;
use crate::engine::clock;
use crate::sip::census::Census;
use crate::sip::event::{Flow, SessionId, Standing};
use crate::sip::registrar::{Counts, PhoneReport};
use crate::sip::trace::{Entry, Excerpt, Heading, Peer};

/// A question, with the place for its answer.
#[derive(Debug)]
pub enum Question {
    /// How do the trunks stand, and what do they carry?
    Trunks(oneshot::Sender<Vec<(Report, Count)>>),
    /// Where are the phones? Nothing, when none may register.
    Phones(oneshot::Sender<Vec<PhoneReport>>),
    /// What happens at the door?
    Door(oneshot::Sender<DoorReport>),
    /// Which trunks carry these sessions?
    Carriers(Vec<SessionId>, oneshot::Sender<Vec<Option<Arc<str>>>>),
    /// Which trunks or phones are at these addresses?
    Names(Vec<SocketAddr>, oneshot::Sender<Vec<Option<Arc<str>>>>),
    /// What was spent, and what may be?
    Spending(oneshot::Sender<(Vec<Line>, Option<Currency>)>),
    /// What was said of late?
    Trace(oneshot::Sender<Excerpt>),
    /// What is being said from now on?
    Follow(oneshot::Sender<broadcast::Receiver<Entry>>),
    /// Which call does a Call-ID belong to?
    CallOf(Box<str>, oneshot::Sender<Option<CallId>>),
    /// Does this trunk answer?
    Try(Arc<str>, oneshot::Sender<Result<Trial, Untried>>),
}

/// What happens at the door of a shard.
#[derive(Debug, Clone)]
pub struct DoorReport {
    /// How often it stayed shut.
    pub tally: Tally,
    /// Who is banned, and for how long; the longest first.
    pub banned: Vec<(String, Duration)>,
    /// What the registrar counted.
    pub registrar: Counts,
    /// How many phones can be reached.
    pub phones: usize,
    /// How many sessions and transactions there are.
    pub sessions: usize,
    /// How many transactions there are.
    pub transactions: usize,
    /// How many messages were of no use to anybody.
    pub dropped: u64,
    /// How many messages were sent again because nobody answered.
    pub resent: u64,
    /// How many messages there were, by kind.
    pub census: Census,
    /// How many connections there are.
    pub connections: usize,
    /// How many messages are in the trace, and of how many octets.
    pub trace: (usize, usize),
}

impl SipShard {
    /// Answers at once, but for trials.
    pub(super) fn answer(&mut self, question: Question) {
        match question {
            Question::Trunks(asker) => tell(asker, self.exchange.reports()),
            Question::Phones(asker) => {
                let registrar = self.endpoint.registrar();
                tell(asker, registrar.map(|it| it.report()).unwrap_or_default());
            }
            Question::Door(asker) => tell(asker, self.door_report(clock::now())),
            Question::Carriers(sessions, asker) => {
                let carrier = |session| self.exchange.carrier(session).cloned();
                tell(asker, sessions.into_iter().map(carrier).collect());
            }
            Question::Names(addresses, asker) => {
                let name = |address| {
                    let met = self.exchange.trunk_met_at(address).cloned();
                    met.or_else(|| self.doorkeeper.name_of(address))
                };
                tell(asker, addresses.into_iter().map(name).collect());
            }
            Question::Spending(asker) => tell(asker, self.exchange.spending()),
            Question::Trace(asker) => tell(asker, self.trace.excerpt()),
            Question::Follow(asker) => {
                let live = self.live.get_or_insert_with(|| broadcast::channel(MOST_BEHIND).0);
                tell(asker, live.subscribe());
            }
            Question::CallOf(call_id, asker) => {
                tell(asker, self.trace.call_with(&call_id));
            }
            Question::Try(trunk, asker) => match self.exchange.try_trunk(&trunk, clock::now()) {
                Ok(()) => self.trials.entry(trunk).or_default().push(asker),
                Err(why) => tell(asker, Err(why)),
            },
        }
    }

    /// Tells those who wait how a trunk answered.
    pub(super) fn tried(&mut self, trial: &Trial) {
        for asker in self.trials.remove(&trial.trunk).unwrap_or_default() {
            asker.send(Ok(trial.clone())).ok();
        }
    }

    /// Has written down what was spent, and tells what came near its limit.
    pub(super) fn note_spending(&mut self) {
        let (ledger, news) = self.exchange.spent();
        if let (Some(ledger), Some(told)) = (ledger, &self.spending) {
            told.send_replace(Arc::new(ledger));
        }
        for news in news {
            self.announcer.tell(Announcement::Budget(news));
        }
    }

    /// Keeps a message that arrived for those who look later, and shows it to those who look now.
    pub(super) fn note_heard(&mut self, bytes: &bytes::Bytes, flow: Flow, standing: Standing) {
        let is_strange = matches!(standing, Standing::Stranger | Standing::Refused);
        self.stranger = is_strange.then_some(flow.remote);
        let peer = if is_strange { Peer::Stranger } else { Peer::Known };
        // What came by a stream shares its octets with whatever else was read with it.
        let own = flow.transport.is_reliable().then(|| bytes::Bytes::copy_from_slice(bytes));
        self.note((Heading::In, peer), flow, own.as_ref().unwrap_or(bytes));
    }

    /// The same for a message that is sent.
    pub(super) fn note_said(&mut self, bytes: &bytes::Bytes, flow: Flow) {
        let is_answer = bytes.starts_with(b"SIP/2.0 ");
        let is_strange = is_answer && self.stranger == Some(flow.remote);
        let peer = if is_strange { Peer::Stranger } else { Peer::Known };
        self.note((Heading::Out, peer), flow, bytes);
    }

    fn note(&mut self, (heading, peer): (Heading, Peer), flow: Flow, bytes: &bytes::Bytes) {
        let entry = self.trace.entry(clock::now(), heading, flow, bytes);
        if let Some(live) = &self.live
            && live.send(entry.clone()).is_err()
        {
            // Nobody looks any more.
            self.live = None;
        }
        self.trace.keep(peer, entry);
        self.census.count(heading, bytes);
    }

    fn door_report(&self, now: Instant) -> DoorReport {
        let banned = self.doorkeeper.banned(now).into_iter();
        let mut banned: Vec<(String, Duration)> =
            banned.map(|(source, until)| (source, until.saturating_duration_since(now))).collect();
        banned.sort_unstable_by_key(|(_, left)| std::cmp::Reverse(*left));
        banned.truncate(MOST_BANNED);
        let registrar = self.endpoint.registrar();
        DoorReport {
            tally: self.doorkeeper.tally().clone(),
            banned,
            registrar: registrar.map(|it| it.counts()).unwrap_or_default(),
            phones: registrar.map(|it| it.reachable()).unwrap_or_default(),
            sessions: self.endpoint.sessions(),
            transactions: self.endpoint.transactions(),
            dropped: self.endpoint.dropped(),
            resent: self.endpoint.resent(),
            census: self.census.clone(),
            connections: self.streams.count(),
            trace: self.trace.size(),
        }
    }
}

/// Nobody waiting any more is no error.
fn tell<T>(asker: oneshot::Sender<T>, answer: T) {
    asker.send(answer).ok();
}

/// How many messages somebody who looks may be behind.
const MOST_BEHIND: usize = 1_024;

/// How many of those who are banned are named.
const MOST_BANNED: usize = 100;
