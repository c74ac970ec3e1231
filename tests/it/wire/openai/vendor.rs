//! A stand-in for OpenAI: it says by webhook that a call has come, is told what to be, and speaks at
//! the socket beside as a test wants. It notes whatever is not as OpenAI wants it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures_util::{SinkExt as _, StreamExt as _};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;

use super::super::http::Api;
use super::super::server::PATIENCE;
use super::super::store::hmac;

/// The key of its API.
pub const KEY: &str = "sk-sesame-4711";

/// What its webhooks are signed with.
pub const SECRET: &[u8] = b"a secret of thirty-two octets ok";

/// The same as an operator writes it.
pub fn secret() -> String {
    format!("whsec_{}", BASE64_STANDARD.encode(SECRET))
}

/// How it meets a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// It says that the call has come, and takes it when it is told what to be.
    Takes,
    /// It does not accept what it is told.
    Refuses,
    /// It says nothing.
    NeverAsks,
}

/// The stand-in.
pub struct Vendor {
    url: String,
    desk: Arc<Desk>,
    heard: mpsc::UnboundedReceiver<Value>,
    says: mpsc::UnboundedSender<Word>,
    _tasks: JoinSet<()>,
}

struct Desk {
    manner: Manner,
    /// Where it says that a call has come.
    tells: Mutex<Option<Api>>,
    accepted: Mutex<Option<Value>>,
    complaints: Mutex<Vec<String>>,
    hears: mpsc::UnboundedSender<Value>,
    words: tokio::sync::Mutex<mpsc::UnboundedReceiver<Word>>,
}

enum Word {
    Says(Value),
    BreaksOff,
}

impl Vendor {
    /// Opens it.
    pub async fn open(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let ((hears, heard), (says, words)) =
            (mpsc::unbounded_channel(), mpsc::unbounded_channel());
        let desk = Arc::new(Desk {
            manner,
            tells: Mutex::default(),
            accepted: Mutex::default(),
            complaints: Mutex::default(),
            hears,
            words: tokio::sync::Mutex::new(words),
        });
        let (own, mut tasks) = (desk.clone(), JoinSet::new());
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(own.clone().serve(stream));
            }
        });
        Self { url, desk, heard, says, _tasks: tasks }
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Whom it tells.
    pub fn tells(&self, api: Api) {
        *self.desk.tells.lock().expect("unpoisoned") = Some(api);
    }

    /// What it was told to be.
    pub fn accepted(&self) -> Value {
        self.desk.accepted.lock().expect("unpoisoned").clone().expect("it was accepted")
    }

    /// What was not as it should be.
    pub fn complaints(&self) -> Vec<String> {
        self.desk.complaints.lock().expect("unpoisoned").clone()
    }

    /// Waits for the next message of this kind.
    pub async fn hears(&mut self, kind: &str) -> Value {
        let next = async {
            loop {
                let message = self.heard.recv().await.expect("it is open");
                if message["type"] == kind {
                    return message;
                }
            }
        };
        let heard = tokio::time::timeout(PATIENCE, next).await;
        heard.unwrap_or_else(|_| panic!("no {kind} comes: {:?}", self.complaints()))
    }

    /// Waits for another socket.
    pub async fn hears_socket(&mut self) {
        self.hears("socket").await;
    }

    /// It says words, and the caller hears them to their end.
    pub fn says_words(&self, words: &str) {
        self.answers("completed", json!([item(words)]));
    }

    /// The caller's words, as it wrote them down.
    pub fn hears_words(&self, words: &str) {
        self.says(json!({ "type": "conversation.item.input_audio_transcription.completed",
            "item_id": "item_1", "content_index": 0, "transcript": words,
            "usage": { "type": "duration", "seconds": 2 } }));
    }

    /// It calls a tool.
    pub fn calls(&self, id: &str, name: &str, arguments: Value) {
        self.answers("completed", json!([call(id, name, &arguments)]));
    }

    /// It says its last words and ends the call.
    pub fn leaves(&self, words: &str) {
        self.answers("completed", json!([item(words), call("call_9", "end_call", &json!({}))]));
    }

    /// Its socket breaks.
    pub fn breaks_off(&self) {
        self.says.send(Word::BreaksOff).ok();
    }

    fn answers(&self, status: &str, output: Value) {
        self.says(json!({ "type": "response.created",
            "response": { "id": "resp_1", "status": "in_progress", "output": [] } }));
        self.says(json!({ "type": "output_audio_buffer.started", "response_id": "resp_1" }));
        self.says(json!({ "type": "response.done", "response": { "id": "resp_1",
            "object": "realtime.response", "status": status, "output": output,
            "usage": { "total_tokens": 30 } } }));
        self.says(json!({ "type": "output_audio_buffer.stopped", "response_id": "resp_1" }));
    }

    fn says(&self, message: Value) {
        self.says.send(Word::Says(message)).ok();
    }
}

fn item(words: &str) -> Value {
    json!({ "id": "item_2", "type": "message", "role": "assistant", "status": "completed",
        "content": [{ "type": "output_audio", "transcript": words }] })
}

fn call(id: &str, name: &str, arguments: &Value) -> Value {
    json!({ "id": "item_3", "type": "function_call", "status": "completed", "call_id": id,
        "name": name, "arguments": arguments.to_string() })
}

/// A request signed as Standard Webhooks have it, so many seconds ago.
pub fn webhook(request: RequestBuilder, body: &str, secret: &[u8], late: i64) -> RequestBuilder {
    let at = jiff::Timestamp::now().as_second() - late;
    let signature = hmac(secret, format!("wh_1.{at}.{body}").as_bytes());
    request
        .header("webhook-id", "wh_1")
        .header("webhook-timestamp", at.to_string())
        .header("webhook-signature", format!("v1,{}", BASE64_STANDARD.encode(signature)))
        .header("content-type", "application/json")
        .body(body.to_owned())
}

impl Desk {
    async fn serve(self: Arc<Self>, mut stream: TcpStream) {
        let mut begin = [0; 20];
        loop {
            match stream.peek(&mut begin).await {
                Ok(length) if length >= 20 => break,
                Ok(0) | Err(_) => return,
                Ok(_) => tokio::time::sleep(Duration::from_millis(2)).await,
            }
        }
        if begin.starts_with(b"GET /v1/realtime") {
            return self.converse(stream).await;
        }
        while let Some((head, body)) = request(&mut stream).await {
            let (status, body) = self.answer(&head, &body).await;
            let text = format!(
                "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n\
                 {body}",
                body.len()
            );
            if stream.write_all(text.as_bytes()).await.is_err() {
                return;
            }
        }
    }

    async fn answer(&self, head: &str, body: &str) -> (&'static str, String) {
        if head.starts_with("POST /decide ") {
            return ("200 OK", self.call_comes(body).await.to_string());
        }
        let shown = format!("authorization: Bearer {KEY}").to_ascii_lowercase();
        if !head.to_ascii_lowercase().contains(&shown) {
            self.complain(format!("a wrong key: {head}"));
            return ("401 Unauthorized", "{}".to_owned());
        }
        if head.starts_with("GET /v1/models") {
            return ("200 OK", r#"{"data":[]}"#.to_owned());
        }
        if !head.starts_with("POST /v1/realtime/calls/rtc_u0%2F1/accept ") {
            self.complain(format!("no such thing: {head}"));
            return ("404 Not Found", "{}".to_owned());
        }
        if self.manner == Manner::Refuses {
            let error = json!({ "error": { "code": "model_not_found", "message": "No." } });
            return ("400 Bad Request", error.to_string());
        }
        *self.accepted.lock().expect("unpoisoned") = serde_json::from_str(body).ok();
        ("200 OK", String::new())
    }

    /// A call is there: gives where the other server is to send it, once it is accepted.
    async fn call_comes(&self, question: &str) -> Value {
        let question: Value = serde_json::from_str(question).expect("JSON");
        let name = question["data"]["headers"]["X-Voxtrunk-Call"].as_str().unwrap_or_default();
        if !name.starts_with("call_") {
            self.complain(format!("no header names the call: {question:#}"));
        }
        let api = self.tells.lock().expect("unpoisoned").clone();
        let (Some(api), false) = (api, self.manner == Manner::NeverAsks) else {
            tokio::time::sleep(Duration::from_secs(60)).await;
            return json!({ "to": "busy" });
        };
        let word = json!({ "object": "event", "id": "evt_1", "type": "realtime.call.incoming",
            "created_at": 1_750_287_018, "data": { "call_id": "rtc_u0/1", "sip_headers": [
                { "name": "From", "value": "sip:+142555512112@sip.example.com" },
                { "name": "x-voxtrunk-call", "value": name },
            ] } });
        let request = api.request(Method::POST, "/v1/openai/calls");
        let answer =
            webhook(request, &word.to_string(), SECRET, 0).send().await.expect("an answer");
        if answer.status() != 204 {
            self.complain(format!("the webhook is answered {}", answer.status()));
        }
        for _ in 0..400 {
            if self.accepted.lock().expect("unpoisoned").is_some() {
                return json!({ "to": "agent:porter" });
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        json!({ "to": "busy" })
    }

    async fn converse(&self, stream: TcpStream) {
        // The handshake is one packet, and is looked at before it is read.
        let mut room = vec![0; 4_096];
        let length = stream.peek(&mut room).await.unwrap_or_default();
        let head = String::from_utf8_lossy(&room[..length]).to_ascii_lowercase();
        let begins = "get /v1/realtime?call_id=rtc_u0%2f1 http/1.1\r\n";
        let shown = format!("\r\nauthorization: bearer {KEY}\r\n");
        if !head.starts_with(begins) || !head.contains(&shown) {
            self.complain(format!("another socket: {head}"));
        }
        let Ok(mut socket) = tokio_tungstenite::accept_async(stream).await else { return };
        self.hears.send(json!({ "type": "socket" })).ok();
        let session = json!({ "type": "session.created", "session": { "type": "realtime" } });
        socket.send(Message::text(session.to_string())).await.ok();
        let mut words = self.words.lock().await;
        loop {
            tokio::select! {
                word = words.recv() => match word {
                    Some(Word::Says(word)) => {
                        socket.send(Message::text(word.to_string())).await.ok();
                    }
                    Some(Word::BreaksOff) | None => return,
                },
                heard = socket.next() => match heard {
                    Some(Ok(Message::Text(text))) => {
                        self.hears.send(serde_json::from_str(&text).expect("JSON")).ok();
                    }
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return,
                },
            }
        }
    }

    fn complain(&self, why: String) {
        self.complaints.lock().expect("unpoisoned").push(why);
    }
}

/// Reads a request: its head and its body.
async fn request(stream: &mut TcpStream) -> Option<(String, String)> {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(end) = bytes.windows(4).position(|it| it == b"\r\n\r\n") {
            break end + 4;
        }
        stream.read_buf(&mut bytes).await.ok().filter(|read| *read > 0)?;
    };
    let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    while bytes.len() < head + length.unwrap_or(0) {
        stream.read_buf(&mut bytes).await.ok().filter(|read| *read > 0)?;
    }
    Some((text, String::from_utf8_lossy(&bytes[head..]).into_owned()))
}
