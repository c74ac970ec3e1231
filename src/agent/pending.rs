//! What a session waits for besides the words of a model: a yes or the keys of the caller, and a
//! slow tool.

use std::time::Instant;

use crate::agent::event::UtteranceId;
use crate::agent::floor::Keypad;
use crate::agent::tool::ToolCall;

/// A tool that waits for the caller.
#[derive(Debug)]
pub(super) struct Asking {
    /// The tool, and with what.
    pub call: ToolCall,
    /// What the caller is asked.
    pub question: String,
    /// The utterance that asks.
    pub asks: UtteranceId,
    /// When the question had been heard to its end, and nothing was said since.
    pub heard: Option<Instant>,
    /// How often it was asked.
    pub times: u32,
    /// For what.
    pub wants: Wants,
}

/// What a tool wants of the caller.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wants {
    /// A yes, before it runs.
    Yes,
    /// Keys.
    Keys(Keypad),
}

/// What is said while a tool runs.
#[derive(Debug)]
pub(super) struct Meanwhile {
    /// When.
    pub due: Instant,
    /// The call of the tool.
    pub call: String,
    /// The words; none once they were said.
    pub say: Option<String>,
}
