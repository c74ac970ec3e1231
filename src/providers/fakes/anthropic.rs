//! Anthropic's messages as they appear on the wire.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::sleep;

use super::stand::{Mark, Notes, Observer, Serve, Stand};
use super::web::{begin_chunks, chunk, read_request, respond};

/// How the stand-in behaves.
#[derive(Clone)]
pub struct Script {
    /// The key that it wants.
    pub key: &'static str,
    /// What it answers to the caller's last words.
    pub mind: Arc<dyn Fn(&str) -> Answer + Send + Sync>,
    /// How long it thinks before its first word.
    pub delay: Duration,
    /// Who looks on.
    pub observer: Observer,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Words.
    Says(String),
    /// Words, and a use of a tool with its input in JSON.
    Uses(String, &'static str, String),
    /// Words, and then an error inside the answer.
    Fails(String, &'static str),
    /// Words, and then the connection is cut.
    BreaksOff(String),
    /// A refusal with a status, a kind of error, and seconds to wait.
    Refuses(u16, &'static str, Option<u64>),
    /// What is no protocol.
    Garbage,
}

/// Opens a stand-in.
///
/// # Errors
/// When there is no free port.
pub async fn open(script: Script) -> io::Result<Stand> {
    Stand::open(Guest { script }).await
}

#[derive(Clone)]
struct Guest {
    script: Script,
}

impl Serve for Guest {
    async fn serve(self, mut stream: TcpStream, notes: Notes) {
        while let Some((head, body)) = read_request(&mut stream).await {
            let lower = head.to_ascii_lowercase();
            let known = lower.contains(&format!("x-api-key: {}\r\n", self.script.key));
            let served = if !known {
                refuse(&mut stream, (401, "authentication_error", None)).await
            } else if head.starts_with("GET /v1/models ") {
                respond(&mut stream, ("200 OK", b"{\"data\":[]}")).await
            } else {
                (self.script.observer)(Mark::Asked);
                self.answer(&mut stream, (&head, &body), &notes).await.is_some()
            };
            if !served {
                return;
            }
        }
    }
}

impl Guest {
    async fn answer(
        &self,
        stream: &mut TcpStream,
        (head, body): (&str, &[u8]),
        notes: &Notes,
    ) -> Option<()> {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        for complaint in complaints(head, &body) {
            notes.complain(format!("{complaint}: {body}"));
        }
        let asked = last_words(&body);
        notes.hear(asked.clone());
        let answer = (self.script.mind)(&asked);
        if let Answer::Refuses(status, kind, after) = answer {
            return refuse(stream, (status, kind, after)).await.then_some(());
        }
        sleep(self.script.delay).await;
        begin_chunks(stream, "text/event-stream").await.then_some(())?;
        let begin = json!({ "type": "message_start", "message": { "id": "msg_1", "usage": {} } });
        event(stream, &begin).await?;
        event(stream, &json!({ "type": "ping" })).await?;
        match answer {
            Answer::Says(text) => say(stream, &text).await?,
            Answer::Uses(text, tool, input) => {
                say(stream, &text).await?;
                use_tool(stream, tool, &input).await?;
            }
            Answer::Fails(text, kind) => {
                say(stream, &text).await?;
                let error = json!({ "type": "error", "error": { "type": kind, "message": "x" } });
                event(stream, &error).await?;
            }
            Answer::BreaksOff(text) => {
                say(stream, &text).await?;
                return None;
            }
            Answer::Garbage => {
                chunk(stream, b"data: {\"type\": [\n\n").await.then_some(())?;
            }
            Answer::Refuses(..) => {}
        }
        event(stream, &json!({ "type": "message_delta", "delta": { "stop_reason": "end_turn" } }))
            .await?;
        event(stream, &json!({ "type": "message_stop" })).await?;
        chunk(stream, &[]).await.then_some(())
    }
}

/// What the vendor would not accept.
fn complaints(head: &str, body: &Value) -> Vec<&'static str> {
    let mut wrong = Vec::new();
    let mut want = |holds: bool, what: &'static str| {
        if !holds {
            wrong.push(what);
        }
    };
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
    wrong
}

fn last_words(body: &Value) -> String {
    let messages = body["messages"].as_array().into_iter().flatten();
    let mut blocks = messages
        .filter(|message| message["role"] == "user")
        .filter_map(|message| message["content"].as_array()?.last())
        .filter_map(|block| block["text"].as_str());
    blocks.next_back().unwrap_or_default().to_owned()
}

async fn say(stream: &mut TcpStream, text: &str) -> Option<()> {
    let block = json!({ "type": "text", "text": "" });
    let begin = json!({ "type": "content_block_start", "index": 0, "content_block": block });
    event(stream, &begin).await?;
    for word in text.split_inclusive(' ') {
        let delta = json!({ "type": "text_delta", "text": word });
        event(stream, &json!({ "type": "content_block_delta", "index": 0, "delta": delta }))
            .await?;
    }
    event(stream, &json!({ "type": "content_block_stop", "index": 0 })).await
}

/// The input comes in two halves; of a tool without one, an empty text.
async fn use_tool(stream: &mut TcpStream, tool: &str, input: &str) -> Option<()> {
    let block = json!({ "type": "tool_use", "id": "toolu_1", "name": tool, "input": {} });
    let begin = json!({ "type": "content_block_start", "index": 1, "content_block": block });
    event(stream, &begin).await?;
    let (front, back) = input.split_at(input.len() / 2);
    for half in ["", front, back] {
        let delta = json!({ "type": "input_json_delta", "partial_json": half });
        event(stream, &json!({ "type": "content_block_delta", "index": 1, "delta": delta }))
            .await?;
    }
    event(stream, &json!({ "type": "content_block_stop", "index": 1 })).await
}

async fn event(stream: &mut TcpStream, event: &Value) -> Option<()> {
    let name = event["type"].as_str().unwrap_or_default();
    let text = format!("event: {name}\ndata: {event}\n\n");
    // Cut in the middle: a letter may be cut, too.
    let (front, back) = text.as_bytes().split_at(text.len() * 2 / 3);
    (chunk(stream, front).await && chunk(stream, back).await).then_some(())
}

async fn refuse(stream: &mut TcpStream, (status, kind, after): (u16, &str, Option<u64>)) -> bool {
    let error = json!({ "type": kind, "message": "No." });
    let body = json!({ "type": "error", "error": error, "request_id": "req_1" }).to_string();
    let wait = after.map(|after| format!("\r\nRetry-After: {after}")).unwrap_or_default();
    respond(stream, (&format!("{status} No{wait}"), body.as_bytes())).await
}
