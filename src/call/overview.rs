//! A call as an operator sees it while it is up: made when somebody asks, kept for nobody.

use std::time::Duration;

use crate::base::id::{CallId, SessionId};
use crate::call::leg::State;
use crate::call::record::Role;
use crate::media::event::Quality;

/// One call.
#[derive(Debug, Clone, PartialEq)]
pub struct Overview {
    /// The call.
    pub call: CallId,
    /// Whether it is us who began it.
    pub is_ours: bool,
    /// When it arrived, since the Unix epoch.
    pub began: Duration,
    /// How long ago that was.
    pub age: Duration,
    /// After how long it was answered, if it was.
    pub answered: Option<Duration>,
    /// Who called. Personal data.
    pub from: String,
    /// The caller's display name. Personal data.
    pub name: Option<String>,
    /// Whom.
    pub to: String,
    /// Which trunk it came by; empty when it came from a phone.
    pub trunk: String,
    /// Which phone it came from; empty when it came by a trunk.
    pub phone: String,
    /// The route that took it.
    pub route: Option<String>,
    /// The agent that has the line.
    pub agent: Option<String>,
    /// The stream that has the line.
    pub stream: Option<String>,
    /// What it is about.
    pub doing: Doing,
    /// Whether it is recorded.
    pub recorded: bool,
    /// Whether nothing of what is said now is in the recording.
    pub recording_paused: bool,
    /// Whether the operator lets the near side wait.
    pub on_hold: bool,
    /// The legs; the first is the caller's.
    pub legs: Vec<LegView>,
}

/// What a call is about at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// Somebody is called for the caller.
    Dialling,
    /// An agent has the line.
    Agent,
    /// The caller's side was asked to call somebody else.
    Referring,
    /// Somebody is called for a caller who waits.
    Transferring,
    /// Two legs talk with each other.
    Bridged,
    /// A conference has the line.
    Conference,
    /// It waits in a queue.
    Queued,
    /// A stream has the line.
    Stream,
    /// The caller leaves a message.
    Voicemail,
    /// A test destination.
    Drill,
    /// It is being hung up.
    Ending,
}

/// One leg.
#[derive(Debug, Clone, PartialEq)]
pub struct LegView {
    /// Its session at the endpoint.
    pub session: SessionId,
    /// Whom we called there; nobody when it is the leg of the caller. Personal data.
    pub to: Option<String>,
    /// How it oversees the call, if it does.
    pub role: Option<Role>,
    /// The Call-ID header, once it is known.
    pub sip_call_id: String,
    /// The peer's address of signalling, once it is known.
    pub peer: String,
    /// Its User-Agent.
    pub user_agent: Option<String>,
    /// Where it stands.
    pub state: State,
    /// Whether the peer has put us on hold.
    pub is_held: bool,
    /// The codec.
    pub codec: Option<&'static str>,
    /// When it began, since the call arrived.
    pub began: Duration,
    /// When it was answered, since the call arrived.
    pub answered: Option<Duration>,
    /// How well it was received, as its port told last; `None` before the first report.
    pub quality: Option<Quality>,
}

impl Doing {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dialling => "dialling",
            Self::Agent => "agent",
            Self::Referring => "referring",
            Self::Transferring => "transferring",
            Self::Bridged => "bridged",
            Self::Conference => "conference",
            Self::Queued => "queued",
            Self::Drill => "test",
            Self::Stream => "stream",
            Self::Voicemail => "voicemail",
            Self::Ending => "ending",
        }
    }
}
