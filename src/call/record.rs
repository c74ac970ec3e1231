//! The record of a call: what is kept when it is over.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::agent::event::TurnTimes;
use crate::agent::judgement::Judged;
use crate::base::id::CallId;
use crate::call::amd::Verdict;
use crate::call::cause::Cause;
use crate::call::stir::Verification;
use crate::call::stream::{End, StreamId};
use crate::call::trace::{Thought, Trace, When};
use crate::call::uses::Uses;
use crate::call::voicemail::Fate;
use crate::media::event::Quality;

pub use crate::call::stage::Stage;

/// Everything that is kept of one call.
#[derive(Debug, Clone)]
pub struct Record {
    /// The call.
    pub call: CallId,
    /// When it arrived, since the Unix epoch.
    pub began: Duration,
    /// Whether it was us who began it.
    pub is_ours: bool,
    /// Who called, as dialled. Personal data.
    pub from: String,
    /// The caller's display name. Personal data.
    pub name: Option<String>,
    /// Whom, as dialled.
    pub to: String,
    /// Which trunk it came by.
    pub trunk: String,
    /// The tenant whose call it is; empty when it is nobody's.
    pub tenant: String,
    /// What came of checking the signature of the caller's number, if that was done.
    pub verification: Option<Verification>,
    /// The route that took it.
    pub route: Option<String>,
    /// The agents that spoke, in order.
    pub agents: Vec<String>,
    /// When each of them took over, since the call arrived.
    pub took_over: Vec<Duration>,
    /// The nodes of flows that it came to, in order.
    pub nodes: Vec<NodeEntered>,
    /// Why a flow could not go on, if that happened.
    pub flow_failed: Option<String>,
    /// The legs; the first is the caller's.
    pub legs: Vec<Leg>,
    /// What was said, in order.
    pub transcript: Vec<Line>,
    /// The caller's turns and how fast they were answered.
    pub turns: Vec<Turn>,
    /// Those who should have heard, thought or spoken and failed, in order; only so many.
    pub failures: Vec<Failure>,
    /// What models were asked, in order; only so many.
    pub thoughts: Vec<Thought>,
    /// The tools that were called, in order.
    pub tools: Vec<ToolUse>,
    /// The messages that the caller left, in order.
    pub messages: Vec<Message>,
    /// Who answered a call of ours, if that was to be found out.
    pub answerer: Option<Answerer>,
    /// What came of the message that the caller left at a voicemail, if it came so far.
    pub voicemail: Option<Voicemail>,
    /// When the caller wants to be called back, in order.
    pub callbacks: Vec<Callback>,
    /// Who talked with whom, in order.
    pub bridges: Vec<Bridge>,
    /// The holds, in order.
    pub holds: Vec<Hold>,
    /// The queues in which it waited, in order.
    pub queues: Vec<Queued>,
    /// The streams that had the line or listened, in order.
    pub streams: Vec<Streamed>,
    /// The transfers that were tried, in order.
    pub transfers: Vec<Transfer>,
    /// How often the agent paused for nothing.
    pub false_interruptions: u32,
    /// How often the caller interrupted the agent.
    pub interruptions: u32,
    /// After how long it was answered; `None` when it was not.
    pub answered: Option<Duration>,
    /// How long it lasted since it arrived.
    pub lasted: Duration,
    /// Why it ended.
    pub cause: Cause,
    /// Whether it is recorded.
    pub recorded: bool,
    /// How the caller was told of it, and agreed.
    pub consent: Option<Consent>,
    /// How the caller learned that it talks with an AI.
    pub disclosure: Option<Disclosed>,
    /// When the recording was paused, in order.
    pub pauses: Vec<Pause>,
    /// How it stands in a trace, if it does.
    pub trace: Option<Trace>,
    /// What providers did, and what it costs.
    pub uses: Uses,
}

/// Who answered a call of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answerer {
    /// Who, as it was known at last.
    pub verdict: Verdict,
    /// How long after the answer something was known first.
    pub after: Duration,
    /// Whether a message was left with a machine, or begun.
    pub message: bool,
}

/// What came of a message at a voicemail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Voicemail {
    /// Since the call arrived.
    pub at: Duration,
    /// The voicemail's name in the dialplan.
    pub mailbox: String,
    /// What came of it.
    pub fate: Fate,
}

/// A node of a flow that the call came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeEntered {
    /// Since the call arrived.
    pub at: Duration,
    /// The flow's name in the dialplan.
    pub flow: String,
    /// The node's.
    pub node: String,
}

/// A stream that had the line, or listened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Streamed {
    /// Which stream of the call it was.
    pub id: StreamId,
    /// Whether it only listened.
    pub is_fork: bool,
    /// Since the call arrived.
    pub at: Duration,
    /// Its name in the configuration.
    pub stream: String,
    /// For how long; `None` while it has it.
    pub lasted: Option<Duration>,
    /// Why it is over.
    pub end: Option<End>,
}

/// A queue in which the caller waited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queued {
    /// Since the call arrived.
    pub at: Duration,
    /// The queue's name in the dialplan.
    pub queue: String,
    /// For how long; `None` while it waits.
    pub waited: Option<Duration>,
    /// Why it waits no more.
    pub why: Option<LeftQueue>,
}

/// Why a caller waits in a queue no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeftQueue {
    /// A member has it.
    Answered,
    /// It waited too long.
    Timeout,
    /// There was no room.
    Full,
    /// It is called back.
    Callback,
    /// It went into another queue.
    Overflow,
    /// The operator sent it elsewhere.
    Transferred,
    /// It hung up, or was hung up.
    Abandoned,
}

impl LeftQueue {
    /// As records and events have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Timeout => "timeout",
            Self::Full => "full",
            Self::Callback => "callback",
            Self::Transferred => "transferred",
            Self::Overflow => "overflow",
            Self::Abandoned => "abandoned",
        }
    }
}

/// How a caller learned that it talks with an AI.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Disclosed {
    /// The words; without any the greeting says so.
    pub words: Option<String>,
    /// When they had been heard, since the call arrived; `None`: the caller did not hear them to their end.
    pub heard: Option<Duration>,
    /// Why they are not said.
    pub none_because: Option<String>,
}

/// How a caller was told that the call is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    /// `announce`, `dtmf` or `voice`.
    pub mode: &'static str,
    /// The words.
    pub notice: String,
    /// When the caller agreed, since the call arrived; `None`: it did not, or was not asked.
    pub agreed: Option<Duration>,
    /// That it did not.
    pub refused: Option<Refusal>,
}

/// A caller does not want to be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// Since the call arrived.
    pub at: Duration,
    /// Whether it said so; otherwise it gave no answer that could be understood.
    pub said_no: bool,
}

/// A time of which nothing is in the recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pause {
    /// Since the call arrived.
    pub at: Duration,
    /// How long; `None` when the call ended in it.
    pub lasted: Option<Duration>,
}

/// One leg.
#[derive(Debug, Clone, Default)]
pub struct Leg {
    /// The Call-ID header.
    pub sip_call_id: String,
    /// The peer's address of signalling.
    pub peer: String,
    /// The User-Agent header.
    pub user_agent: Option<String>,
    /// Whom we called there; nobody, when it is the leg of the caller. Personal data.
    pub to: Option<String>,
    /// How its peer oversaw the call at last, if it did.
    pub role: Option<Role>,
    /// When it began, since the call arrived.
    pub began: Duration,
    /// When it was answered, since the call arrived; `None` when it was not.
    pub answered: Option<Duration>,
    /// When it ended, since the call arrived.
    pub ended: Option<Duration>,
    /// Why it ended, if that is not why the call did.
    pub cause: Option<Cause>,
    /// The codec.
    pub codec: Option<&'static str>,
    /// The suite by which packets were hidden (SRTP); `None`: they were in the clear.
    pub srtp: Option<&'static str>,
    /// How well we received it.
    pub quality: Quality,
}

/// How somebody oversees a call. Whoever does hears both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Is heard by nobody.
    Listen,
    /// Is heard by our side only.
    Whisper,
    /// Is heard by all.
    Barge,
}

impl Role {
    /// The name in records and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Listen => "listen",
            Self::Whisper => "whisper",
            Self::Barge => "barge",
        }
    }
}

/// Two legs that talked with each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bridge {
    /// Since the call arrived.
    pub at: Duration,
    /// The places of the legs in the record, from 0.
    pub legs: [usize; 2],
}

/// A peer did not want to hear us for a while, or the operator let it wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// Since the call arrived.
    pub at: Duration,
    /// The place of the leg in the record, from 0.
    pub leg: usize,
    /// Whether it was the operator.
    pub by_us: bool,
    /// How long; `None` when the leg ended on hold.
    pub lasted: Option<Duration>,
}

/// A transfer that was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    /// Since the call arrived.
    pub at: Duration,
    /// Where to. Personal data.
    pub to: String,
    /// How.
    pub manner: Manner,
    /// Whether somebody was asked there before.
    pub kind: Kind,
    /// The place in the record, from 0, of the leg whose peer wanted it; `None` when the agent did.
    pub by: Option<usize>,
    /// Why it failed, if it did.
    pub failed: Option<Cause>,
}

/// Whether somebody was asked at the target of a transfer before it was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Nobody was: it rings there.
    Blind,
    /// Somebody was: the call takes the place of the one in which it was asked (RFC 3891).
    Attended,
    /// Somebody was, by us, and heard who is calling and why.
    Warm,
}

impl Kind {
    /// The name in records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Blind => "blind",
            Self::Attended => "attended",
            Self::Warm => "warm",
        }
    }
}

/// How a transfer is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// The caller's side was asked to call (REFER).
    Refer,
    /// We called, and connected both.
    Bridge,
    /// A peer asked us to call (REFER) in its place.
    Referral,
    /// Somebody called us to take the place of a peer (Replaces).
    Replaced,
}

impl Manner {
    /// The name in records and events.
    pub fn name(self) -> &'static str {
        match self {
            Self::Refer => "refer",
            Self::Bridge => "bridge",
            Self::Referral => "referral",
            Self::Replaced => "replaced",
        }
    }
}

/// Who said something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaker {
    /// The caller.
    Caller,
    /// The agent.
    Agent,
}

impl Speaker {
    /// The name in records and events.
    pub fn name(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Agent => "agent",
        }
    }
}

/// One line of the transcript.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Since the call arrived.
    pub at: Duration,
    /// Who.
    pub speaker: Speaker,
    /// The words, as far as they were heard. Personal data.
    pub text: String,
    /// The keys that the caller pressed.
    pub keys: String,
    /// Whether the caller interrupted them.
    pub interrupted: bool,
}

/// One turn of the caller.
#[derive(Debug, Clone, PartialEq)]
pub struct Turn {
    /// Counted from 1.
    pub turn: u64,
    /// When, if that is known.
    pub when: When,
    /// How fast it was answered; empty when it was not.
    pub latency: Latency,
    /// What the turn model said; `None` when it was not asked.
    pub judged: Option<Judged>,
    /// Who heard it, thought about it and spoke the answer.
    pub served: Served,
    /// What they did for it.
    pub uses: Uses,
}

/// Who does what for an agent, by the names in the configuration. `None`: nobody, or only from
/// memory.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Served {
    /// Who hears.
    pub heard: Option<Arc<str>>,
    /// Who thinks.
    pub thought: Option<Arc<str>>,
    /// Who speaks.
    pub spoken: Option<Arc<str>>,
}

impl Served {
    /// Somebody does it from now on.
    pub fn by(&mut self, stage: Stage, provider: Arc<str>) {
        let place = match stage {
            Stage::Hear => &mut self.heard,
            Stage::Think => &mut self.thought,
            Stage::Speak => &mut self.spoken,
        };
        *place = Some(provider);
    }
}

/// Somebody who should have heard, thought or spoken and failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Since the call arrived.
    pub at: Duration,
    /// What it does.
    pub stage: Stage,
    /// Its name in the configuration.
    pub provider: Arc<str>,
    /// Why.
    pub reason: String,
    /// Who was asked in its place, if anybody.
    pub next: Option<Arc<str>>,
}

/// A tool that was called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolUse {
    /// Since the call arrived.
    pub at: Duration,
    /// Its name.
    pub name: String,
    /// Its arguments, as a JSON text. Personal data.
    pub arguments: String,
    /// The identity of the call.
    pub id: String,
    /// What came of it; `None` when nothing did before the call ended.
    pub outcome: Option<Outcome>,
}

/// What came of a tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// How long it took, with the wait for a yes of the caller.
    pub took: Duration,
    /// Whether it failed, or was not done at all.
    pub failed: bool,
}

/// A message that the caller left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Since the call arrived.
    pub at: Duration,
    /// Who left it. Personal data.
    pub name: Option<String>,
    /// Whom it is for.
    pub whom: Option<String>,
    /// Where the caller can be reached. Personal data.
    pub number: String,
    /// What was said. Personal data.
    pub text: String,
}

/// The caller wants to be called back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Callback {
    /// Since the call arrived.
    pub at: Duration,
    /// When, since the Unix epoch.
    pub when: Duration,
    /// At which number. Personal data.
    pub number: String,
    /// What it is about. Personal data.
    pub reason: Option<String>,
}

/// How long after the caller's last voiced sample each stage of a turn was reached. `None`: it was
/// not, or the turn began with keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Latency {
    /// The speech gate closed.
    pub speech_ended: Option<Duration>,
    /// The final text was there.
    pub transcript: Option<Duration>,
    /// The turn was taken.
    pub committed: Option<Duration>,
    /// The model's first words.
    pub first_delta: Option<Duration>,
    /// The first clause was complete.
    pub first_clause: Option<Duration>,
    /// The voice's first samples.
    pub first_audio: Option<Duration>,
    /// The first packet of the answer: what the caller waited for.
    pub first_packet: Option<Duration>,
}

impl Latency {
    /// Takes the times of a turn; they count from the last voiced sample, or from the commit when
    /// there was no speech.
    pub fn new(times: &TurnTimes) -> Self {
        let origin = times.last_voiced.or(times.committed);
        let since = |at: Option<Instant>| Some(at?.saturating_duration_since(origin?));
        Self {
            speech_ended: since(times.speech_ended),
            transcript: since(times.transcript),
            committed: since(times.committed),
            first_delta: since(times.first_delta),
            first_clause: since(times.first_clause),
            first_audio: since(times.first_audio),
            first_packet: since(times.first_packet),
        }
    }
}
