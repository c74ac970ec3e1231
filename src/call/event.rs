//! The vocabulary of the call room: what a call is told and what it orders.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::agent;
use crate::agent::after::Report;
use crate::agent::memory::Earlier;
use crate::agent::tool::{ToolCall, ToolResult};
use crate::base::destination::Destination;
use crate::base::id::{PortId, SessionId};
use crate::base::scope::Scope;
use crate::call::amd::Verdict;
use crate::call::briefing::Casting;
use crate::call::cause::Cause;
use crate::call::decision::Inquiry;
use crate::call::outside::{Charge, News};
use crate::call::placement::Placement;
use crate::call::queue;
use crate::call::record::{Callback, Latency, LeftQueue, Manner, Message, Record, Role, Stage};
use crate::call::stir::Verification;
use crate::call::stream::{self, StreamId};
use crate::call::transfer::Escort;
use crate::call::uses::{Used, Uses};
use crate::call::voicemail::Fate;
use crate::dialplan::plan::Route;
use crate::media;
use crate::sdp::keying::Policy;
use crate::sip;

/// Where the media of a leg is heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sockets {
    /// At a pair of its own: RTP here, RTCP one above.
    pub own: SocketAddr,
    /// A browser's at this port, to which all of them come.
    pub browsers: Option<u16>,
}

/// What a call is told.
#[derive(Debug)]
pub enum Input {
    /// What is known of earlier calls with this caller, the oldest first.
    Remembered(Vec<Earlier>),
    /// Where the call goes, as a server of the operator's says; nothing when it does not.
    Decided(Option<Box<Route>>),
    /// The signalling moved.
    Sip(sip::event::Event),
    /// Sockets for the media of a port were bound, or could not be.
    Socket(PortId, Option<Sockets>),
    /// The media of a port moved.
    Media(PortId, media::event::Event),
    /// A leg that we place goes by a way on which packets are hidden so; its INVITE follows.
    Offered {
        /// The leg.
        session: SessionId,
        /// With keys, or without.
        srtp: Policy,
    },
    /// Those who hear, think and speak moved. Only transcripts, thoughts and utterances come
    /// here; the conductor makes the other inputs of a session itself.
    Mind(agent::event::Input),
    /// Who hears, thinks or speaks for the agent has changed, or failed.
    Service(Service),
    /// What came of a tool that was to be used.
    ToolDone(ToolResult),
    /// Whether there is room for another message in the voicemail.
    Room(bool),
    /// Who else is in the conference; nothing when there is no room in it.
    Gathered(Option<Vec<PortId>>),
    /// Whoever holds the queue says something.
    Queue(queue::Word),
    /// Something happened on a stream.
    Stream(StreamId, stream::News),
    /// Somebody calls to take the place of one of the legs (RFC 3891).
    Replace {
        /// The leg.
        session: SessionId,
        /// The INVITE.
        incoming: Box<sip::event::Incoming>,
    },
    /// A peer in whose call an agent was consulted has sent somebody there by another call: this
    /// one has done its work.
    Retired,
    /// The model outside that has the call, or is to have it, is heard of.
    Outside(News),
    /// The operator ends the call, with this cause of Q.850.
    HangUp {
        /// 1 to 127; 16 is the ordinary one.
        q850: u8,
    },
    /// The operator lets nobody hear the near side: keys are told all the same.
    Mute,
    /// It is heard again.
    Unmute,
    /// The operator lets the near side wait, with music, or takes it back.
    Hold(bool),
    /// The operator wants nothing of what is said now in the recording, or everything again.
    Recording(Taping),
    /// The operator sends the caller's side somewhere.
    Send {
        /// Where.
        to: Destination,
        /// In which way, and with which words.
        escort: Escort,
    },
    /// The operator has the agent say something.
    Say {
        /// The words.
        text: String,
        /// Whether the call ends when they were heard.
        ends: bool,
    },
    /// The operator presses keys for our side.
    Press(Vec<media::event::Digit>),
    /// The operator lets somebody oversee the call, or change how.
    Oversee {
        /// How.
        role: Role,
        /// Who is called for it.
        phone: Destination,
    },
    /// The server is draining: say goodbye soon.
    WindUp,
    /// The server is going down: hang up now.
    Shutdown,
}

/// What became of somebody who hears, thinks or speaks for an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Service {
    /// It does, from now on.
    Serves {
        /// What it does.
        stage: Stage,
        /// Its name in the configuration.
        provider: Arc<str>,
    },
    /// It did not do what was asked.
    Failed {
        /// What it does.
        stage: Stage,
        /// Its name in the configuration.
        provider: Arc<str>,
        /// Why, in words that say what to do. Never a key or a caller's words.
        reason: String,
        /// Who is asked in its place, if anybody.
        next: Option<Arc<str>>,
    },
    /// It did something that may cost something.
    Used(Used),
}

/// What an operator wants of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taping {
    /// What is said from now on is silence in it.
    Pause,
    /// It goes on.
    Resume,
}

/// What a call orders.
#[derive(Debug)]
pub enum Output {
    /// Signalling.
    Sip(sip::event::Command),
    /// Place a leg; its events come with the session that the placement names.
    Place(Box<Placement>),
    /// Ask a server of the operator's where the call goes; answered by `Input::Decided`.
    Decide(Box<Inquiry>),
    /// A model outside is about to be called: this is what it is to be.
    Entrust(Box<Charge>),
    /// Two legs talk with each other from now on.
    Pair(SessionId, SessionId),
    /// The call of ours in which this value of Replaces names a leg has done its work:
    /// `Input::Retired` there.
    Retire(String),
    /// Bind a socket pair for the media of a port; answered by `Input::Socket`. All ports of a call
    /// live in one media shard.
    BindSocket(PortId),
    /// Open the port on the sockets bound for it.
    OpenPort(PortId, Box<media::event::Settings>),
    /// Media.
    Media(PortId, media::event::Command),
    /// Close the port; its last event is the quality of the whole leg. A port that was never
    /// opened gives its sockets back and says nothing.
    ClosePort(PortId),
    /// A port comes into a conference; `Input::Gathered` tells who else is there, now and later.
    Join(String, PortId),
    /// A port leaves its conference.
    Leave(PortId),
    /// Tell whoever holds the queues; the port stands for the caller. Answered by `Input::Queue`.
    Queue(PortId, queue::Input),
    /// Something for whoever holds the line to a stream; answered by `Input::Stream`.
    Stream(StreamId, stream::Order),
    /// Look whether there are fewer messages than so many in a voicemail; `Input::Room`.
    LookInto(String, u32),
    /// What is said at a port from now on is a message.
    TakeDown(PortId, Box<Word>),
    /// It is no more, and this came of it.
    TakenDown(PortId, Fate),
    /// Those who hear and speak are at this port from now on; at first, they are at the first.
    Attach(PortId),
    /// Bring those who hear, think and speak for this agent; whoever was there before goes.
    Engage(Arc<Casting>),
    /// Orders for those who hear, think and speak: `Listen`, `Finalize`, `Judge`, `Forget`,
    /// `Think`, `Abandon`, `Speak`, `Release`, and `Flush`.
    Mind(agent::event::Output),
    /// Use a tool of the operator's, with what its templates may name; answered by
    /// `Input::ToolDone`.
    Use {
        /// Which, and with what.
        call: ToolCall,
        /// What templates may name; the arguments stand there as `args`.
        scope: Scope,
    },
    /// Something happened that others may want to know.
    Fact(Fact),
    /// The call is over: dismiss everybody. The last output.
    Over,
}

/// A message that begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// The voicemail.
    pub mailbox: String,
    /// Who leaves it, as dialled. Personal data.
    pub from: String,
    /// The caller's display name. Personal data.
    pub name: Option<String>,
    /// When, since the Unix epoch.
    pub at: Duration,
}

/// What happened in a call, in the past tense, for records and watchers.
#[derive(Debug, Clone)]
pub enum Fact {
    /// The signature of the caller's number was checked.
    Verified(Verification),
    /// The call arrived and a route took it.
    Started {
        /// Who calls, as dialled. Personal data.
        from: String,
        /// Whom, as dialled.
        to: String,
        /// The route's name.
        route: String,
        /// Where the route sends it.
        destination: String,
    },
    /// A server of the operator's said where the call goes.
    Decided {
        /// Where.
        destination: String,
        /// Whether the files know that.
        is_there: bool,
    },
    /// We answered and the caller's side confirmed it.
    Answered,
    /// It is known who answered a call of ours, or known better.
    AnswererKnown {
        /// Who.
        verdict: Verdict,
        /// How long after the answer.
        after: Duration,
    },
    /// An agent took over.
    AgentChanged {
        /// Its name in the dialplan.
        agent: String,
    },
    /// The caller's turn. Personal data.
    CallerSaid {
        /// Since the call arrived.
        at: Duration,
        /// The words.
        text: String,
        /// The keys.
        keys: String,
    },
    /// The agent's words, as far as they were heard. Personal data.
    AgentSaid {
        /// Since the call arrived.
        at: Duration,
        /// The words.
        text: String,
        /// Whether the caller interrupted them.
        interrupted: bool,
    },
    /// The model asked for a tool.
    ToolCalled {
        /// Its name.
        name: String,
    },
    /// The caller left a message. Personal data.
    MessageTaken {
        /// The message.
        message: Message,
    },
    /// The caller left a message at a voicemail.
    VoicemailReceived {
        /// The voicemail.
        mailbox: String,
        /// How long it is.
        lasted: Duration,
    },
    /// The caller wants to be called back. Personal data.
    CallbackWanted {
        /// When, and at which number.
        callback: Callback,
    },
    /// A leg is being placed.
    Dialled {
        /// Where to. Personal data.
        to: String,
    },
    /// Two legs talk with each other.
    Bridged {
        /// Whom the caller, or who is in its place, talks with. Personal data.
        with: String,
    },
    /// A transfer was tried.
    Transferred {
        /// Where to. Personal data.
        to: String,
        /// How.
        manner: Manner,
        /// Why it failed, if it did.
        failed: Option<Cause>,
    },
    /// The caller waits in a queue.
    Queued {
        /// Its name.
        queue: String,
    },
    /// The caller waits no more.
    LeftQueue {
        /// The name of the queue.
        queue: String,
        /// How long it waited.
        waited: Duration,
        /// Why it left.
        why: LeftQueue,
    },
    /// A stream is to have the line.
    Streams {
        /// Its name.
        stream: String,
    },
    /// A stream has the line no more.
    Streamed {
        /// Its name.
        stream: String,
        /// How long, since it was called.
        lasted: Duration,
        /// Why.
        end: stream::End,
    },
    /// A peer put its leg on hold.
    Held {
        /// The place of the leg in the record, from 0.
        leg: usize,
    },
    /// A leg goes on after a hold.
    Resumed {
        /// The place of the leg in the record, from 0.
        leg: usize,
        /// How long it was held.
        lasted: Duration,
    },
    /// The caller has heard that it talks with an AI.
    Disclosed,
    /// The caller agreed to be recorded.
    RecordingAgreed,
    /// The caller does not agree to be recorded: nothing is kept of the call's sound.
    RecordingRefused {
        /// Whether it said so; otherwise it gave no answer that could be understood.
        said_no: bool,
    },
    /// Nothing of what is said is in the recording from now on.
    RecordingPaused,
    /// The recording goes on.
    RecordingResumed {
        /// After so long.
        lasted: Duration,
    },
    /// Somebody who hears, thinks or speaks for an agent failed.
    ProviderFailed {
        /// What it does.
        stage: Stage,
        /// Its name in the configuration.
        provider: Arc<str>,
        /// Why.
        reason: String,
        /// Who is asked in its place, if anybody.
        next: Option<Arc<str>>,
    },
    /// The latency of a turn is known.
    TurnTimed {
        /// Which turn of the call, from 1.
        turn: u64,
        /// The stages.
        latency: Latency,
    },
    /// A model has read what was said; told after the end. Personal data.
    Analyzed(Box<Report>, Uses),
    /// The call is over.
    Ended {
        /// Why.
        cause: Cause,
        /// All that is kept of it.
        record: Box<Record>,
    },
}
