//! Chat completions as OpenAI and its imitators send them: an answer, word by word.

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
    pub mind: Arc<dyn Fn(&str) -> String + Send + Sync>,
    /// How long it thinks before its first word.
    pub delay: Duration,
    /// How long each further word takes.
    pub per_word: Duration,
    /// Who looks on.
    pub observer: Observer,
}

/// Opens a stand-in. Its API begins at `/v1`.
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
            let served = if head.starts_with("GET /v1/models ") {
                respond(&mut stream, ("200 OK", b"{\"data\":[]}")).await
            } else {
                (self.script.observer)(Mark::Asked);
                self.answer(&mut stream, (&head, &body), &notes).await
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
    ) -> bool {
        let key = format!("authorization: bearer {}\r\n", self.script.key);
        if !head.to_ascii_lowercase().contains(&key) {
            let body = json!({ "error": { "code": "invalid_api_key" } }).to_string();
            return respond(stream, ("401 Unauthorized", body.as_bytes())).await;
        }
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let fits = head.starts_with("POST /v1/chat/completions ") && body["stream"] == json!(true);
        notes.want(fits, || format!("{head} {body}"));
        let messages = body["messages"].as_array().cloned().unwrap_or_default();
        let last = messages.iter().rev().find(|message| message["role"] == "user");
        let asked = last.and_then(|message| message["content"].as_str()).unwrap_or_default();
        notes.hear(asked);
        let answer = (self.script.mind)(asked);
        sleep(self.script.delay).await;
        if !begin_chunks(stream, "text/event-stream").await {
            return false;
        }
        for (at, word) in answer.split_inclusive(' ').enumerate() {
            if at > 0 && !self.script.per_word.is_zero() {
                sleep(self.script.per_word).await;
            }
            if !event(stream, json!({ "content": word }), Value::Null).await {
                return false;
            }
            if word.trim_end().ends_with(['.', '!', '?']) {
                (self.script.observer)(Mark::Worded);
            }
        }
        event(stream, json!({}), json!("stop")).await
            && chunk(stream, b"data: [DONE]\n\n").await
            && chunk(stream, &[]).await
    }
}

async fn event(stream: &mut TcpStream, delta: Value, finish: Value) -> bool {
    let choice = json!({ "index": 0, "delta": delta, "finish_reason": finish });
    let data = json!({ "object": "chat.completion.chunk", "choices": [choice] });
    chunk(stream, format!("data: {data}\n\n").as_bytes()).await
}
