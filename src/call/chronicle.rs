//! The chronicle: writes the record of a call while it happens, and tells the facts.

mod agreements;
mod disclosures;
mod traces;
mod uses;

use std::time::{Duration, Instant};

use crate::agent::event::Note;
use crate::agent::tool::ToolCall;
use crate::base::attestation::Attested;
use crate::base::calendar::Date;
use crate::base::destination::Destination;
use crate::base::id::CallId;
use crate::base::random::Random;
use crate::base::template::Variables;
use crate::call::admission::Badge;
use crate::call::amd::Verdict;
use crate::call::cause::Cause;
use crate::call::event::{Fact, Service};
use crate::call::record::{
    Answerer, Bridge, Callback, Consent, Failure, Hold, Kind, LeftQueue, Leg, Line, Manner,
    Message, NodeEntered, Outcome, Pause, Queued, Record, Refusal, Role, Served, Speaker, Stage,
    Streamed, ToolUse, Transfer, Voicemail,
};
use crate::call::stir::Verification;
use crate::call::stream::{End, StreamId};
use crate::call::uses::Uses;
use crate::call::voicemail::Fate;
use crate::media::event::Quality;
use crate::sip::event::Incoming;

/// Keeps the record of one call.
#[derive(Debug)]
pub struct Chronicle {
    arrived: Instant,
    record: Record,
    /// Who hears, thinks and speaks now.
    served: Served,
    early: uses::Early,
}

/// A transfer as it was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Try {
    /// Where to. Personal data.
    pub to: String,
    /// How.
    pub manner: Manner,
    /// Whether somebody was asked there before.
    pub kind: Kind,
    /// The place of the leg whose peer wanted it; `None` when the agent did.
    pub by: Option<usize>,
}

/// How a call came to us.
#[derive(Debug)]
pub struct Arrival {
    /// The identity that the call was given.
    pub call: CallId,
    /// Which trunk it came by.
    pub trunk: Badge,
    /// When it arrived.
    pub at: Instant,
    /// The same, since the Unix epoch.
    pub since_epoch: Duration,
    /// Where its keys come from.
    pub random: Random,
    /// What came of checking its signature, where the trunk wants that.
    pub verification: Option<Verification>,
}

impl Chronicle {
    /// Opens the record of a call that arrived.
    pub fn new(arrival: &Arrival, incoming: &Incoming) -> Self {
        let leg = Leg {
            sip_call_id: incoming.sip_call_id.clone(),
            peer: incoming.flow.remote.to_string(),
            user_agent: incoming.user_agent.clone(),
            ..Leg::default()
        };
        let record = Record {
            call: arrival.call,
            began: arrival.since_epoch,
            is_ours: false,
            from: incoming.calling_user.clone(),
            name: incoming.calling_name.clone(),
            to: incoming.called_user.clone(),
            trunk: arrival.trunk.name.to_string(),
            tenant: arrival.trunk.tenant.to_string(),
            verification: arrival.verification.clone(),
            route: None,
            agents: Vec::new(),
            took_over: Vec::new(),
            nodes: Vec::new(),
            flow_failed: None,
            legs: vec![leg],
            transcript: Vec::new(),
            turns: Vec::new(),
            failures: Vec::new(),
            thoughts: Vec::new(),
            tools: Vec::new(),
            messages: Vec::new(),
            answerer: None,
            voicemail: None,
            callbacks: Vec::new(),
            bridges: Vec::new(),
            holds: Vec::new(),
            queues: Vec::new(),
            streams: Vec::new(),
            transfers: Vec::new(),
            false_interruptions: 0,
            interruptions: 0,
            answered: None,
            lasted: Duration::ZERO,
            cause: Cause::InternalError,
            recorded: false,
            consent: None,
            disclosure: None,
            pauses: Vec::new(),
            trace: None,
            uses: Uses::default(),
        };
        Self {
            arrived: arrival.at,
            record,
            served: Served::default(),
            early: uses::Early::default(),
        }
    }

    /// The call is one that we begin: nobody called, and its first leg is the first that we place.
    pub fn begins_here(&mut self) {
        self.record.is_ours = true;
        self.record.legs.clear();
    }

    /// The call.
    pub fn call(&self) -> CallId {
        self.record.call
    }

    /// The record as far as it is written.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// When the call arrived, since the Unix epoch.
    pub fn began(&self) -> Duration {
        self.record.began
    }

    /// How long ago the call arrived.
    pub fn age(&self, now: Instant) -> Duration {
        self.since(now)
    }

    /// The signature of the call was checked.
    pub fn verified(&self) -> Option<Fact> {
        self.record.verification.clone().map(Fact::Verified)
    }

    /// The header that tells the signer what is wrong with a call that we take all the same
    /// (RFC 9410 5).
    pub fn complaint(&self) -> Option<(String, String)> {
        let reason = self.record.verification.as_ref().and_then(Verification::reason);
        reason.map(|reason| ("Reason".to_owned(), reason))
    }

    /// How far somebody whom we believe vouches for the caller's number.
    pub fn attested(&self) -> Attested {
        self.record.verification.as_ref().map_or(Attested::Nobody, Verification::attested)
    }

    /// A route took the call.
    pub fn routed(&mut self, route: &str, destination: &str) -> Fact {
        self.record.route = Some(route.to_owned());
        Fact::Started {
            from: self.record.from.clone(),
            to: self.record.to.clone(),
            route: route.to_owned(),
            destination: destination.to_owned(),
        }
    }

    /// Another leg is placed: the next in the record.
    pub fn dialled(&mut self, now: Instant, to: &Destination) -> Fact {
        let to = to.to_string();
        let leg = Leg { to: Some(to.clone()), began: self.since(now), ..Leg::default() };
        self.record.legs.push(leg);
        Fact::Dialled { to }
    }

    /// Somebody oversees the call on a leg, in this way from now on.
    pub fn oversees(&mut self, leg: usize, role: Role) {
        self.record.legs.get_mut(leg).into_iter().for_each(|leg| leg.role = Some(role));
    }

    /// Somebody calls to take the place of a leg: another leg of the record.
    pub fn joined(&mut self, incoming: &Incoming) {
        let leg = Leg {
            sip_call_id: incoming.sip_call_id.clone(),
            peer: incoming.flow.remote.to_string(),
            user_agent: incoming.user_agent.clone(),
            to: Some(incoming.calling_user.clone()),
            ..Leg::default()
        };
        self.record.legs.push(leg);
    }

    /// A leg that we placed was answered.
    pub fn leg_answered(&mut self, now: Instant, leg: usize, headers: &[(String, String)]) {
        let at = self.since(now);
        let Some(leg) = self.record.legs.get_mut(leg) else { return };
        let value = |wanted: &str| {
            let found = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
            found.map(|(_, value)| value.clone())
        };
        leg.answered = Some(at);
        if let Some(call_id) = value("Call-ID") {
            leg.sip_call_id = call_id;
        }
        if let Some(agent) = value("User-Agent").or_else(|| value("Server")) {
            leg.user_agent = Some(agent);
        }
    }

    /// A leg ended; the cause is told when it is its own.
    pub fn leg_ended(&mut self, now: Instant, leg: usize, cause: Option<Cause>) {
        let at = self.since(now);
        if let Some(leg) = self.record.legs.get_mut(leg) {
            leg.ended = Some(at);
            leg.cause = cause;
        }
    }

    /// Two legs talk with each other.
    pub fn bridged(&mut self, now: Instant, legs: [usize; 2]) -> Fact {
        self.record.bridges.push(Bridge { at: self.since(now), legs });
        let with = legs.iter().rev().find_map(|leg| self.record.legs.get(*leg)?.to.clone());
        Fact::Bridged { with: with.unwrap_or_default() }
    }

    /// The caller begins to wait in a queue.
    pub fn queued(&mut self, now: Instant, queue: &str) -> Fact {
        let (at, queue) = (self.since(now), queue.to_owned());
        if self.record.queues.len() < MOST_QUEUES {
            self.record.queues.push(Queued { at, queue: queue.clone(), waited: None, why: None });
        }
        Fact::Queued { queue }
    }

    /// The caller waits no more, if it did.
    pub fn left_queue(&mut self, now: Instant, why: LeftQueue) -> Option<Fact> {
        let since = self.since(now);
        let queued = self.record.queues.last_mut().filter(|queued| queued.waited.is_none())?;
        let waited = *queued.waited.insert(since.saturating_sub(queued.at));
        queued.why = Some(why);
        Some(Fact::LeftQueue { queue: queued.queue.clone(), waited, why })
    }

    /// A stream is to have the line.
    pub fn streams(&mut self, now: Instant, (id, stream): (StreamId, &str), is_fork: bool) -> Fact {
        let (at, stream) = (self.since(now), stream.to_owned());
        let streamed =
            Streamed { id, is_fork, at, stream: stream.clone(), lasted: None, end: None };
        self.record.streams.push(streamed);
        Fact::Streams { stream }
    }

    /// A stream that has not ended, if there is one.
    pub fn listens(&self) -> Option<StreamId> {
        self.record.streams.iter().find(|it| it.lasted.is_none()).map(|it| it.id)
    }

    /// It has the line no more, if it had.
    pub fn streamed(&mut self, now: Instant, id: StreamId, end: &End) -> Option<Fact> {
        let since = self.since(now);
        let mut open = self.record.streams.iter_mut().filter(|it| it.lasted.is_none());
        let streamed = open.find(|it| it.id == id)?;
        let lasted = *streamed.lasted.insert(since.saturating_sub(streamed.at));
        streamed.end = Some(end.clone());
        Some(Fact::Streamed { stream: streamed.stream.clone(), lasted, end: end.clone() })
    }

    /// A peer put its leg on hold, or we did.
    pub fn held(&mut self, now: Instant, leg: usize, by_us: bool) -> Fact {
        self.record.holds.push(Hold { at: self.since(now), leg, by_us, lasted: None });
        Fact::Held { leg }
    }

    /// A leg goes on after a hold.
    pub fn resumed(&mut self, now: Instant, leg: usize, by_us: bool) -> Fact {
        let since = self.since(now);
        let mut holds = self.record.holds.iter_mut().rev().filter(|hold| hold.by_us == by_us);
        let hold = holds.find(|hold| hold.leg == leg && hold.lasted.is_none());
        let lasted =
            hold.map_or(Duration::ZERO, |hold| *hold.lasted.insert(since.saturating_sub(hold.at)));
        Fact::Resumed { leg, lasted }
    }

    /// The caller is told that the call is recorded, or asked whether it may be.
    pub fn notified(&mut self, mode: &'static str, notice: String) {
        self.record.consent = Some(Consent { mode, notice, agreed: None, refused: None });
    }

    /// The caller agreed to be recorded.
    pub fn agreed(&mut self, now: Instant) -> Fact {
        let at = self.since(now);
        self.record.recorded = true;
        self.record.consent.iter_mut().for_each(|consent| consent.agreed = Some(at));
        Fact::RecordingAgreed
    }

    /// The caller does not agree to be recorded: it said no, or nothing of use.
    pub fn refused(&mut self, now: Instant, said_no: bool) -> Fact {
        let refused = Some(Refusal { at: self.since(now), said_no });
        self.record.consent.iter_mut().for_each(|consent| consent.refused = refused);
        Fact::RecordingRefused { said_no }
    }

    /// Nothing is kept from now on.
    pub fn recording_paused(&mut self, now: Instant) -> Fact {
        self.record.pauses.push(Pause { at: self.since(now), lasted: None });
        Fact::RecordingPaused
    }

    /// The recording goes on.
    pub fn recording_resumed(&mut self, now: Instant) -> Fact {
        let since = self.since(now);
        let pause = self.record.pauses.last_mut();
        let lasted = pause
            .map_or(Duration::ZERO, |pause| *pause.lasted.insert(since.saturating_sub(pause.at)));
        Fact::RecordingResumed { lasted }
    }

    /// Whether the recording is paused.
    pub fn is_paused(&self) -> bool {
        self.record.pauses.last().is_some_and(|pause| pause.lasted.is_none())
    }

    /// A transfer was tried.
    pub fn transferred(&mut self, now: Instant, try_of: Try, failed: Option<Cause>) -> Fact {
        let (at, Try { to, manner, kind, by }) = (self.since(now), try_of);
        self.record.transfers.push(Transfer { at, to: to.clone(), manner, kind, by, failed });
        Fact::Transferred { to, manner, failed }
    }

    fn since(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.arrived)
    }

    /// The caller's side confirmed the answer.
    pub fn answered(&mut self, now: Instant) -> Fact {
        let after = self.since(now);
        self.record.answered = Some(after);
        if let Some(leg) = self.record.legs.first_mut() {
            leg.answered = Some(after);
        }
        Fact::Answered
    }

    /// Whether the caller's side ever confirmed the answer.
    pub fn was_answered(&self) -> bool {
        self.record.answered.is_some()
    }

    /// Whether a leg was ever answered.
    pub fn was_leg_answered(&self, leg: usize) -> bool {
        self.record.legs.get(leg).is_some_and(|leg| leg.answered.is_some())
    }

    /// An agent took over.
    pub fn agent_changed(&mut self, now: Instant, agent: &str) -> Fact {
        self.record.agents.push(agent.to_owned());
        self.record.took_over.push(self.since(now));
        Fact::AgentChanged { agent: agent.to_owned() }
    }

    /// It is known who answered, or known better.
    pub fn answerer(&mut self, verdict: Verdict, after: Duration) -> Fact {
        let first = Answerer { verdict, after, message: false };
        self.record.answerer = Some(match self.record.answerer {
            Some(known) => Answerer { verdict, ..known },
            None => first,
        });
        Fact::AnswererKnown { verdict, after }
    }

    /// A message is left with a machine.
    pub fn message_dropped(&mut self) {
        self.record.answerer.iter_mut().for_each(|answerer| answerer.message = true);
    }

    /// A message at a voicemail is over.
    pub fn word_left(&mut self, now: Instant, mailbox: &str, fate: Fate) -> Option<Fact> {
        let (at, mailbox) = (self.since(now), mailbox.to_owned());
        self.record.voicemail = Some(Voicemail { at, mailbox: mailbox.clone(), fate });
        match fate {
            Fate::Kept(lasted) => Some(Fact::VoicemailReceived { mailbox, lasted }),
            Fate::TooShort | Fate::Full => None,
        }
    }

    /// The call came to a node of a flow.
    pub fn came_to_node(&mut self, now: Instant, flow: &str, node: String) {
        if self.record.nodes.len() < MOST_NODES {
            let (at, flow) = (self.since(now), flow.to_owned());
            self.record.nodes.push(NodeEntered { at, flow, node });
        }
    }

    /// A flow could not go on.
    pub fn flow_failed(&mut self, why: String) {
        self.record.flow_failed = Some(why);
    }

    /// Who hears, thinks or speaks has changed, or failed.
    pub fn service(&mut self, now: Instant, service: Service) -> Option<Fact> {
        match service {
            Service::Serves { stage, provider } => {
                // Of a voice it is known only when it can be heard, behind the first packet.
                let turn = self.record.turns.last_mut().filter(|_| stage == Stage::Speak);
                if let Some(turn) = turn.filter(|turn| turn.latency.first_packet.is_some()) {
                    turn.served.by(stage, provider.clone());
                }
                self.served.by(stage, provider);
                None
            }
            Service::Failed { stage, provider, reason, next } => {
                if self.record.failures.len() < MOST_FAILURES {
                    let at = self.since(now);
                    let (provider, next) = (provider.clone(), next.clone());
                    let failure = Failure { at, stage, provider, reason: reason.clone(), next };
                    self.record.failures.push(failure);
                }
                Some(Fact::ProviderFailed { stage, provider, reason, next })
            }
            Service::Used(_) => None,
        }
    }

    /// A session noted something.
    pub fn note(&mut self, now: Instant, note: Note) -> Option<Fact> {
        match note {
            Note::CallerSaid { turn, since, text, keys } => {
                let at = since.saturating_duration_since(self.arrived);
                let line = Line { at, speaker: Speaker::Caller, text, keys, interrupted: false };
                // A late text may correct a turn that was told already.
                if self.record.turns.last().is_some_and(|last| last.turn == turn.0) {
                    let before = |line: &Line| line.speaker == Speaker::Caller;
                    if let Some(place) = self.record.transcript.iter().rposition(before) {
                        self.record.transcript.remove(place);
                    }
                } else {
                    self.turn_begins(turn.0, at);
                }
                self.line(line)
            }
            Note::AgentSaid { since, text, interrupted, .. } if !text.is_empty() => {
                let at = since.saturating_duration_since(self.arrived);
                let keys = String::new();
                self.answer_ends(now);
                self.line(Line { at, speaker: Speaker::Agent, text, keys, interrupted })
            }
            Note::AgentSaid { .. } => None,
            Note::ToolCalled(call) => {
                let at = now.saturating_duration_since(self.arrived);
                let fact = Fact::ToolCalled { name: call.name.clone() };
                let ToolCall { id, name, arguments } = call;
                self.record.tools.push(ToolUse { at, name, arguments, id, outcome: None });
                Some(fact)
            }
            Note::ToolDone { id, failed } => {
                let since = self.since(now);
                let mut tools = self.record.tools.iter_mut().rev();
                let used = tools.find(|used| used.id == id && used.outcome.is_none())?;
                used.outcome = Some(Outcome { took: since.saturating_sub(used.at), failed });
                None
            }
            Note::FalseInterruption => {
                self.record.false_interruptions += 1;
                None
            }
            Note::Interrupted => {
                self.record.interruptions += 1;
                None
            }
            Note::TurnJudged { turn, judged } => {
                let mut turns = self.record.turns.iter_mut();
                turns.rfind(|known| known.turn == turn.0)?.judged = Some(judged);
                None
            }
            Note::TurnTimed { turn, times } => self.turn_timed(turn.0, &times),
        }
    }

    /// The name of the tool that a model called by this identity.
    pub fn tool_of(&self, id: &str) -> Option<&str> {
        self.record.tools.iter().rev().find(|used| used.id == id).map(|used| used.name.as_str())
    }

    /// The caller left a message; nothing when there are enough.
    pub fn message(&mut self, now: Instant, message: Message) -> Option<Fact> {
        let message = Message { at: self.since(now), ..message };
        let fits = self.record.messages.len() < MOST_MESSAGES;
        fits.then(|| {
            self.record.messages.push(message.clone());
            Fact::MessageTaken { message }
        })
    }

    /// The caller wants to be called back; nothing when there are enough of those.
    pub fn callback(&mut self, now: Instant, callback: Callback) -> Option<Fact> {
        let callback = Callback { at: self.since(now), ..callback };
        let fits = self.record.callbacks.len() < MOST_MESSAGES;
        fits.then(|| {
            self.record.callbacks.push(callback.clone());
            Fact::CallbackWanted { callback }
        })
    }

    /// What time it is, since the Unix epoch.
    pub fn time(&self, now: Instant) -> Duration {
        self.record.began + self.since(now)
    }

    /// How well a leg was received.
    pub fn quality(&mut self, leg: usize, quality: Quality) {
        self.record.legs.get_mut(leg).into_iter().for_each(|leg| leg.quality = quality);
    }

    /// The record as it stands, as if the server were killed now.
    pub fn so_far(&self, now: Instant) -> Record {
        let mut record = self.settled();
        (record.lasted, record.cause) = (self.since(now), Cause::ServerCrash);
        record
    }

    /// Closes the record.
    pub fn close(&mut self, now: Instant, cause: Cause) -> Fact {
        // The call was over when its last leg was: what was said last may be known later.
        let ends: Option<Vec<Duration>> = self.record.legs.iter().map(|leg| leg.ended).collect();
        let over = ends.and_then(|ends| ends.into_iter().max());
        self.record.lasted = over.unwrap_or_else(|| self.since(now));
        self.record.cause = cause;
        Fact::Ended { cause, record: Box::new(self.settled()) }
    }

    /// The day on which the call arrived, in UTC.
    pub fn today(&self) -> Option<Date> {
        Date::at(self.record.began)
    }

    /// What templates may name.
    pub fn variables(&self) -> Variables {
        let pairs = [
            ("caller", self.record.from.clone()),
            ("caller_name", self.record.name.clone().unwrap_or_default()),
            ("called", self.record.to.clone()),
            ("trunk", self.record.trunk.clone()),
            ("attestation", self.attested().to_string()),
            ("verstat", self.verstat().to_owned()),
        ];
        pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    fn verstat(&self) -> &'static str {
        self.record.verification.as_ref().map_or("", Verification::verstat)
    }

    fn line(&mut self, line: Line) -> Option<Fact> {
        let fact = match line.speaker {
            Speaker::Caller => {
                Fact::CallerSaid { at: line.at, text: line.text.clone(), keys: line.keys.clone() }
            }
            Speaker::Agent => Fact::AgentSaid {
                at: line.at,
                text: line.text.clone(),
                interrupted: line.interrupted,
            },
        };
        self.record.transcript.push(line);
        Some(fact)
    }
}

/// How many nodes of flows are kept.
const MOST_NODES: usize = 1_000;

/// How many queues are noted of one call.
const MOST_QUEUES: usize = 100;
/// How many messages, and how many callbacks, are kept of a call.
const MOST_MESSAGES: usize = 10;

/// How many failures of providers are kept of a call.
const MOST_FAILURES: usize = 100;
