//! Chat completions as OpenAI and its imitators send them. The API begins at `/v1`.

use std::io;

use serde_json::{Value, json};

use super::mind::{Complaints, Tongue, unnamed};
use super::stand::Stand;

pub use super::mind::{Answer, Script};

/// Opens a stand-in.
///
/// # Errors
/// When there is no free port.
pub async fn open(script: Script) -> io::Result<Stand> {
    super::mind::open::<Completions>(script).await
}

#[derive(Clone)]
struct Completions;

impl Tongue for Completions {
    const MODELS: &'static str = "/v1/models ";

    fn key(key: &str) -> String {
        format!("authorization: Bearer {key}")
    }

    fn complaints(head: &str, body: &Value) -> Vec<&'static str> {
        let mut wrong = Complaints::default();
        wrong.want(head.starts_with("POST /v1/chat/completions HTTP/1.1\r\n"), "the path");
        wrong.want(body["stream"] == json!(true) && body["model"].is_string(), "stream or model");
        wrong.want(body["stream_options"]["include_usage"] == json!(true), "what it takes");
        wrong.want(body["messages"][0]["role"] == "system", "the instructions");
        wrong.0
    }

    fn last_words(body: &Value) -> String {
        let messages = body["messages"].as_array().into_iter().flatten();
        let mut words =
            messages.filter(|it| it["role"] == "user").filter_map(|it| it["content"].as_str());
        words.next_back().unwrap_or_default().to_owned()
    }

    fn begin() -> Vec<String> {
        vec![": keep-alive\n\n".to_owned()]
    }

    fn word(word: &str) -> String {
        event(&json!({ "content": word }), &Value::Null)
    }

    fn tool(name: &str, input: &str) -> Vec<String> {
        let (front, back) = input.split_at(input.len() / 2);
        let begin = json!({ "index": 0, "id": "call_1", "type": "function",
            "function": { "name": name, "arguments": front } });
        let more = json!({ "index": 0, "function": { "arguments": back } });
        let fragment = |fragment| event(&json!({ "tool_calls": [fragment] }), &Value::Null);
        vec![fragment(begin), fragment(more)]
    }

    fn failure(kind: &str) -> String {
        unnamed(&json!({ "error": { "message": "x", "code": kind } }))
    }

    fn end() -> Vec<String> {
        let usage = json!({ "prompt_tokens": 40, "completion_tokens": 9, "total_tokens": 49,
            "prompt_tokens_details": { "cached_tokens": 8 } });
        let usage = json!({ "object": "chat.completion.chunk", "choices": [], "usage": usage });
        let done = "data: [DONE]\n\n".to_owned();
        vec![event(&json!({}), &json!("stop")), unnamed(&usage), done]
    }

    fn refusal(_status: u16, kind: &str) -> Value {
        json!({ "error": { "message": "No.", "code": kind } })
    }
}

fn event(delta: &Value, finish: &Value) -> String {
    let choice = json!({ "index": 0, "delta": delta, "finish_reason": finish });
    unnamed(&json!({ "object": "chat.completion.chunk", "choices": [choice] }))
}
