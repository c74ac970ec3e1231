//! OpenAI's Responses as they appear on the wire. The API begins at `/v1`.

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
    super::mind::open::<Responses>(script).await
}

#[derive(Clone)]
struct Responses;

impl Tongue for Responses {
    const MODELS: &'static str = "/v1/models ";

    fn key(key: &str) -> String {
        format!("authorization: Bearer {key}")
    }

    fn complaints(head: &str, body: &Value) -> Vec<&'static str> {
        let mut wrong = Complaints::default();
        wrong.want(head.starts_with("POST /v1/responses HTTP/1.1\r\n"), "the path");
        wrong.want(body["stream"] == json!(true) && body["model"].is_string(), "stream or model");
        wrong.want(body["store"] == json!(false), "what callers say is kept");
        wrong.want(body["max_output_tokens"].is_u64(), "the longest answer");
        wrong.want(body["instructions"].is_string(), "the instructions");
        let tools = body["tools"].as_array().into_iter().flatten();
        let flat = |tool: &Value| tool["type"] == "function" && tool["name"].is_string();
        wrong.want(tools.into_iter().all(flat), "a tool");
        let mut open: Vec<&Value> = Vec::new();
        for item in body["input"].as_array().into_iter().flatten() {
            match item["type"].as_str() {
                Some("function_call") => {
                    wrong.want(item["arguments"].is_string(), "the arguments");
                    open.push(&item["call_id"]);
                }
                Some("function_call_output") => {
                    wrong.want(item["output"].is_string(), "the output of a tool");
                    let before = open.len();
                    open.retain(|id| **id != item["call_id"]);
                    wrong.want(open.len() + 1 == before, "an output without a call");
                }
                _ => {
                    let known = item["role"] == "user" || item["role"] == "assistant";
                    let told = item["content"].as_str().is_some_and(|text| !text.is_empty());
                    wrong.want(known && told, "a message");
                }
            }
        }
        wrong.want(open.is_empty(), "a call without an output");
        wrong.0
    }

    fn last_words(body: &Value) -> String {
        let items = body["input"].as_array().into_iter().flatten();
        let mut words =
            items.filter(|it| it["role"] == "user").filter_map(|it| it["content"].as_str());
        words.next_back().unwrap_or_default().to_owned()
    }

    fn begin() -> Vec<String> {
        let response = json!({ "id": "resp_1", "status": "in_progress" });
        let types = ["response.created", "response.in_progress"];
        let mut events: Vec<String> =
            types.iter().map(|it| named(&json!({ "type": it, "response": response }))).collect();
        // What it thought is there, and nobody's business.
        let thought = json!({ "type": "reasoning", "id": "rs_1", "summary": [] });
        let thought = json!({ "type": "response.output_item.done", "output_index": 0,
            "item": thought });
        events.push(named(&thought));
        events
    }

    fn before_words() -> Vec<String> {
        let item = json!({ "type": "message", "id": "msg_1", "role": "assistant", "content": [] });
        let added =
            json!({ "type": "response.output_item.added", "output_index": 1, "item": item });
        let part = json!({ "type": "response.content_part.added", "item_id": "msg_1",
            "output_index": 1, "content_index": 0, "part": { "type": "output_text" } });
        vec![named(&added), named(&part)]
    }

    fn word(word: &str) -> String {
        named(&json!({ "type": "response.output_text.delta", "item_id": "msg_1",
            "output_index": 1, "content_index": 0, "delta": word, "obfuscation": "abc" }))
    }

    fn after_words(text: &str) -> Vec<String> {
        let item = json!({ "type": "message", "id": "msg_1", "status": "completed" });
        let text = json!({ "type": "response.output_text.done", "output_index": 1, "text": text });
        let done = json!({ "type": "response.output_item.done", "output_index": 1, "item": item });
        vec![named(&text), named(&done)]
    }

    fn tool(name: &str, input: &str) -> Vec<String> {
        let item = |arguments: &str| {
            json!({ "type": "function_call", "id": "fc_1", "call_id": "call_1", "name": name,
                "arguments": arguments })
        };
        let event =
            |kind: &str, item| named(&json!({ "type": kind, "output_index": 2, "item": item }));
        let delta = |delta| {
            named(&json!({ "type": "response.function_call_arguments.delta", "item_id": "fc_1",
                "output_index": 2, "delta": delta }))
        };
        let (front, back) = input.split_at(input.len() / 2);
        vec![
            event("response.output_item.added", item("")),
            delta(front),
            delta(back),
            event("response.output_item.done", item(input)),
        ]
    }

    fn failure(kind: &str) -> String {
        let response = json!({ "id": "resp_1", "error": { "code": kind, "message": "x" } });
        named(&json!({ "type": "response.failed", "response": response }))
    }

    fn end() -> Vec<String> {
        let usage = json!({ "input_tokens": 40, "output_tokens": 9,
            "input_tokens_details": { "cached_tokens": 8 } });
        let response = json!({ "id": "resp_1", "status": "completed", "usage": usage });
        vec![named(&json!({ "type": "response.completed", "response": response }))]
    }

    fn refusal(_status: u16, kind: &str) -> Value {
        json!({ "error": { "message": "No.", "type": "x y", "code": kind } })
    }
}
