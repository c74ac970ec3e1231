//! The conversation as a model is told it: what was said and, of our own words, what was heard.

use crate::agent::tool::{ToolCall, ToolResult};

/// One thing that was said or done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// The caller said something or pressed keys.
    Caller {
        /// The words; empty when only keys were pressed.
        text: String,
        /// The keys, `0-9 * #`; empty when there were none.
        keys: String,
    },
    /// The agent said something; only what was heard of it.
    Agent {
        /// The words.
        text: String,
        /// Whether the caller interrupted it.
        interrupted: bool,
    },
    /// The model asked for a tool.
    ToolCall(ToolCall),
    /// What came of it.
    ToolResult(ToolResult),
}

/// A request to a model: everything that it needs to answer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Request {
    /// The agent's instructions, rendered.
    pub instructions: String,
    /// The conversation so far.
    pub messages: Vec<Message>,
    /// The tools that it may call.
    pub tools: Vec<crate::agent::tool::Tool>,
}
