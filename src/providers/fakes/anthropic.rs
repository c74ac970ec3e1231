//! Anthropic's messages as they appear on the wire.

use std::io;

use serde_json::{Value, json};

use super::mind::{Complaints, Tongue, named};
use super::stand::Stand;

pub use super::mind::{Answer, Script};

/// Opens a stand-in.
///
/// # Errors
/// When there is no free port.
pub async fn open(script: Script) -> io::Result<Stand> {
    super::mind::open::<Messages>(script).await
}

#[derive(Clone)]
struct Messages;

impl Tongue for Messages {
    const MODELS: &'static str = "/v1/models ";

    fn key(key: &str) -> String {
        format!("x-api-key: {key}")
    }

    fn complaints(head: &str, body: &Value) -> Vec<&'static str> {
        complaints(head, body)
    }

    fn last_words(body: &Value) -> String {
        last_words(body)
    }

    fn begin() -> Vec<String> {
        let usage = json!({ "input_tokens": 30, "cache_read_input_tokens": 8,
            "cache_creation_input_tokens": 2, "output_tokens": 1 });
        let message = json!({ "id": "msg_1", "usage": usage });
        let begin = json!({ "type": "message_start", "message": message });
        vec![named(&begin), named(&json!({ "type": "ping" }))]
    }

    fn before_words() -> Vec<String> {
        let block = json!({ "type": "text", "text": "" });
        vec![named(&json!({ "type": "content_block_start", "index": 0, "content_block": block }))]
    }

    fn word(word: &str) -> String {
        let delta = json!({ "type": "text_delta", "text": word });
        named(&json!({ "type": "content_block_delta", "index": 0, "delta": delta }))
    }

    fn after_words(_text: &str) -> Vec<String> {
        vec![named(&json!({ "type": "content_block_stop", "index": 0 }))]
    }

    /// The input comes in two halves; of a tool without one, an empty text.
    fn tool(name: &str, input: &str) -> Vec<String> {
        let block = json!({ "type": "tool_use", "id": "toolu_1", "name": name, "input": {} });
        let begin = json!({ "type": "content_block_start", "index": 1, "content_block": block });
        let (front, back) = input.split_at(input.len() / 2);
        let halves = ["", front, back].map(|half| {
            let delta = json!({ "type": "input_json_delta", "partial_json": half });
            named(&json!({ "type": "content_block_delta", "index": 1, "delta": delta }))
        });
        let mut events = vec![named(&begin)];
        events.extend(halves);
        events.push(named(&json!({ "type": "content_block_stop", "index": 1 })));
        events
    }

    fn failure(kind: &str) -> String {
        named(&json!({ "type": "error", "error": { "type": kind, "message": "x" } }))
    }

    fn end() -> Vec<String> {
        let delta = json!({ "type": "message_delta", "delta": { "stop_reason": "end_turn" },
            "usage": { "output_tokens": 9 } });
        vec![named(&delta), named(&json!({ "type": "message_stop" }))]
    }

    fn refusal(_status: u16, kind: &str) -> Value {
        let error = json!({ "type": kind, "message": "No." });
        json!({ "type": "error", "error": error, "request_id": "req_1" })
    }
}

fn complaints(head: &str, body: &Value) -> Vec<&'static str> {
    let mut wrong = Complaints::default();
    let mut want = |holds, what| wrong.want(holds, what);
    let lower = head.to_ascii_lowercase();
    want(head.starts_with("POST /v1/messages HTTP/1.1\r\n"), "the path");
    want(lower.contains("anthropic-version: 2023-06-01\r\n"), "the version");
    want(body["stream"] == json!(true) && body["max_tokens"].is_u64(), "stream or max_tokens");
    want(body["system"][0]["text"].is_string(), "the instructions");
    let messages = body["messages"].as_array().cloned().unwrap_or_default();
    want(messages.first().is_some_and(|it| it["role"] == "user"), "the caller begins");
    want(messages.windows(2).all(|pair| pair[0]["role"] != pair[1]["role"]), "they alternate");
    let mut open: Vec<Value> = Vec::new();
    for message in &messages {
        let blocks = message["content"].as_array().cloned().unwrap_or_default();
        want(!blocks.is_empty(), "an empty message");
        if message["role"] == "user" {
            let answers: Vec<_> = blocks.iter().map(|it| it["tool_use_id"].clone()).collect();
            want(open.iter().all(|id| answers.contains(id)), "a use of a tool without answer");
            open.clear();
        }
        let uses = blocks.iter().filter(|block| block["type"] == "tool_use");
        open.extend(uses.map(|block| block["id"].clone()));
        let text = |block: &Value| block["text"].as_str().is_none_or(|text| !text.is_empty());
        want(blocks.iter().all(text), "an empty text");
    }
    want(open.is_empty(), "a use of a tool at the end");
    wrong.0
}

fn last_words(body: &Value) -> String {
    let messages = body["messages"].as_array().into_iter().flatten();
    let mut blocks = messages
        .filter(|message| message["role"] == "user")
        .filter_map(|message| message["content"].as_array()?.last())
        .filter_map(|block| block["text"].as_str());
    blocks.next_back().unwrap_or_default().to_owned()
}
