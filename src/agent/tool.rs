//! Tools: what a model may ask for, and what came of it. A tool call is always typed; text that is
//! spoken is never searched for commands.

/// A tool as a model sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tool {
    /// Its name: `end_call`.
    pub name: String,
    /// What it does and when to call it, for the model.
    pub description: String,
    /// JSON Schema of its arguments, as a JSON text.
    pub parameters: String,
}

/// A model asks for a tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolCall {
    /// The model's own identity for the call; made up when it gave none.
    pub id: String,
    /// The tool's name.
    pub name: String,
    /// The arguments, as a JSON text.
    pub arguments: String,
}

/// What came of a tool call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolResult {
    /// The identity of the call.
    pub id: String,
    /// The result for the model, as text or JSON.
    pub content: String,
    /// Whether it failed.
    pub failed: bool,
}

/// The tools that every agent knows, by name.
pub mod names {
    /// Ends the call after what is being said.
    pub const END_CALL: &str = "end_call";
    /// Sends the caller to one of the agent's destinations: `{"to": "sales"}`.
    pub const TRANSFER_CALL: &str = "transfer_call";
}
