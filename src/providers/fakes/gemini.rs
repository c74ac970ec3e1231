//! Google's Gemini as it appears on the wire.

use std::io;

use serde_json::{Value, json};

use super::mind::{Complaints, Tongue};
use super::stand::Stand;

pub use super::mind::{Answer, Script};

/// Opens a stand-in.
///
/// # Errors
/// When there is no free port.
pub async fn open(script: Script) -> io::Result<Stand> {
    super::mind::open::<Gemini>(script).await
}

#[derive(Clone)]
struct Gemini;

impl Tongue for Gemini {
    const MODELS: &'static str = "/v1beta/models?";

    fn key(key: &str) -> String {
        format!("x-goog-api-key: {key}")
    }

    fn complaints(head: &str, body: &Value) -> Vec<&'static str> {
        let mut wrong = Complaints::default();
        let line = head.lines().next().unwrap_or_default();
        let model = line.strip_prefix("POST /v1beta/models/");
        let model = model.and_then(|it| it.strip_suffix(":streamGenerateContent?alt=sse HTTP/1.1"));
        wrong.want(model.is_some_and(|model| !model.contains('/')), "the path");
        wrong.want(body["systemInstruction"]["parts"][0]["text"].is_string(), "the instructions");
        let generation = &body["generationConfig"];
        wrong.want(generation["maxOutputTokens"].is_u64(), "the longest answer");
        let newer = model.is_some_and(|model| model.starts_with("gemini-3"));
        let thinking = &generation["thinkingConfig"];
        wrong.want(!newer || thinking["thinkingLevel"].is_string(), "it would think");
        for tool in body["tools"][0]["functionDeclarations"].as_array().into_iter().flatten() {
            wrong.want(tool["parametersJsonSchema"].is_object(), "a tool");
        }
        check_contents(body, newer, &mut wrong);
        wrong.0
    }

    fn last_words(body: &Value) -> String {
        let contents = body["contents"].as_array().into_iter().flatten();
        let parts = contents
            .filter(|content| content["role"] == "user")
            .filter_map(|content| content["parts"].as_array())
            .flatten();
        parts.filter_map(|part| part["text"].as_str()).next_back().unwrap_or_default().to_owned()
    }

    fn begin() -> Vec<String> {
        // What it thought is there, and nobody's business.
        vec![event(&json!([{ "text": "They greet me.", "thought": true }]), None)]
    }

    fn word(word: &str) -> String {
        event(&json!([{ "text": word }]), None)
    }

    fn tool(name: &str, input: &str) -> Vec<String> {
        let mut call = json!({ "id": "fn_1", "name": name });
        if let Ok(args) = serde_json::from_str::<Value>(input) {
            call["args"] = args;
        }
        vec![event(&json!([{ "functionCall": call, "thoughtSignature": MARK }]), None)]
    }

    fn failure(kind: &str) -> String {
        let error = json!({ "code": 503, "message": "x", "status": kind });
        format!("data: {}\r\n\r\n", json!({ "error": error }))
    }

    fn end() -> Vec<String> {
        vec![event(&json!([{ "text": "" }]), Some("STOP"))]
    }

    fn refusal(status: u16, kind: &str) -> Value {
        json!({ "error": { "code": status, "message": "No.", "status": kind } })
    }
}

/// The mark on calls of tools, without which a newer model takes no conversation.
pub const MARK: &str = "bWFyaw==";

/// The caller begins, the sides alternate, and each call has its mark and its answer behind it.
fn check_contents(body: &Value, newer: bool, wrong: &mut Complaints) {
    let contents = body["contents"].as_array().cloned().unwrap_or_default();
    wrong.want(contents.first().is_some_and(|it| it["role"] == "user"), "the caller begins");
    wrong.want(contents.windows(2).all(|it| it[0]["role"] != it[1]["role"]), "they alternate");
    let mut open: Vec<Value> = Vec::new();
    for content in &contents {
        let parts = content["parts"].as_array().cloned().unwrap_or_default();
        wrong.want(!parts.is_empty(), "an empty content");
        let answered: Vec<&Value> = parts.iter().map(|it| &it["functionResponse"]["id"]).collect();
        wrong.want(open.iter().all(|id| answered.contains(&id)), "a call without an answer");
        open.clear();
        for part in &parts {
            let text = part["text"].as_str();
            wrong.want(text.is_none_or(|text| !text.is_empty()), "an empty text");
            let call = &part["functionCall"];
            if call.is_object() {
                let mark = part["thoughtSignature"].as_str();
                let known = mark == Some(MARK) || mark == Some("skip_thought_signature_validator");
                wrong.want(known || !newer, "a call without its mark");
                wrong.want(call["args"].is_object(), "the arguments");
                open.push(call["id"].clone());
            }
            let answer = &part["functionResponse"];
            wrong.want(answer.is_null() || answer["response"].is_object(), "the answer of a tool");
            wrong.want(answer.is_null() || answer["name"].is_string(), "the name of a tool");
        }
    }
    wrong.want(open.is_empty(), "a call at the end");
}

fn event(parts: &Value, finish: Option<&str>) -> String {
    let mut candidate = json!({ "content": { "role": "model", "parts": parts }, "index": 0 });
    if let Some(reason) = finish {
        candidate["finishReason"] = json!(reason);
    }
    let usage = json!({ "promptTokenCount": 40, "cachedContentTokenCount": 8,
        "candidatesTokenCount": 6, "thoughtsTokenCount": 3 });
    let answer = json!({ "candidates": [candidate], "usageMetadata": usage, "responseId": "r-1" });
    format!("data: {answer}\r\n\r\n")
}
