//! What was said, as things of the vendor's conversation.

use serde_json::{Value, json};

use crate::agent::conversation::Message;
use crate::agent::tool::{Tool, ToolCall, ToolResult};

/// A message of the conversation.
pub(super) fn of_message(message: &Message) -> Value {
    match message {
        Message::Caller { text, keys } => caller(text, keys),
        Message::Agent { text, .. } => agent(text),
        Message::ToolCall(call) => of_call(call),
        Message::ToolResult(result) => of_result(result),
    }
}

/// Words of the agent.
pub(super) fn agent(text: &str) -> Value {
    let content = json!([{ "type": "output_text", "text": text }]);
    json!({ "type": "message", "role": "assistant", "content": content })
}

/// Words of the caller, and keys.
pub(super) fn caller(text: &str, keys: &str) -> Value {
    let said = match (text, keys) {
        ("", "") => "(The caller could not be understood.)".to_owned(),
        (text, "") => text.to_owned(),
        ("", keys) => format!("(The caller pressed the keys {keys}.)"),
        (text, keys) => format!("{text} (The caller pressed the keys {keys}.)"),
    };
    let content = json!([{ "type": "input_text", "text": said }]);
    json!({ "type": "message", "role": "user", "content": content })
}

fn of_call(call: &ToolCall) -> Value {
    json!({ "type": "function_call", "call_id": call.id, "name": call.name,
        "arguments": call.arguments })
}

/// What came of a tool.
pub(super) fn of_result(result: &ToolResult) -> Value {
    json!({ "type": "function_call_output", "call_id": result.id, "output": result.content })
}

/// The tools that may be called.
pub(super) fn tools(tools: &[Tool]) -> Value {
    let tools = tools.iter().map(|tool| {
        let parameters: Value = serde_json::from_str(&tool.parameters)
            .unwrap_or_else(|_| json!({ "type": "object", "properties": {} }));
        json!({ "type": "function", "name": tool.name, "description": tool.description,
            "parameters": parameters })
    });
    tools.collect()
}

/// Who writes down what the caller says.
pub(super) const TRANSCRIBER: &str = "gpt-4o-mini-transcribe";
