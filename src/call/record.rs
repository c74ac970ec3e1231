//! The record of a call: what is kept when it is over.

use std::time::Duration;

use crate::base::id::CallId;
use crate::call::cause::Cause;
use crate::call::event::Latency;
use crate::media::event::Quality;

/// Everything that is kept of one call.
#[derive(Debug, Clone)]
pub struct Record {
    /// The call.
    pub call: CallId,
    /// When it arrived, since the Unix epoch.
    pub began: Duration,
    /// Who called, as dialled. Personal data.
    pub from: String,
    /// The caller's display name. Personal data.
    pub name: Option<String>,
    /// Whom, as dialled.
    pub to: String,
    /// Which trunk it came by.
    pub trunk: String,
    /// The route that took it.
    pub route: Option<String>,
    /// The agents that spoke, in order.
    pub agents: Vec<String>,
    /// The legs; the first is the caller's.
    pub legs: Vec<Leg>,
    /// What was said, in order.
    pub transcript: Vec<Line>,
    /// The caller's turns and how fast they were answered.
    pub turns: Vec<Turn>,
    /// The tools that were called, in order.
    pub tools: Vec<ToolUse>,
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
    /// The codec.
    pub codec: Option<&'static str>,
    /// How well we received it.
    pub quality: Quality,
}

/// Who said something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaker {
    /// The caller.
    Caller,
    /// The agent.
    Agent,
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
    /// How fast it was answered; empty when it was not.
    pub latency: Latency,
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
}
