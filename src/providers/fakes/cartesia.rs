//! Cartesia as it appears on the wire: the socket of many contexts, and speech over HTTP.

use std::collections::HashMap;
use std::io;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use super::stand::{Asked, Mark, Notes, Refusal, Serve, Stand, shake_hands};
use super::throat::{self, pieces};
use super::web::{begin_chunks, chunk, read_request, respond, wants_socket};

pub use super::throat::{Fault, Script};

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
        if !wants_socket(&stream).await {
            while let Some((head, body)) = read_request(&mut stream).await {
                if !self.speak_over_http(&mut stream, (&head, &body), &notes).await {
                    return;
                }
            }
            return;
        }
        let number = notes.begin();
        let fault = self.script.faults.get(number).copied().unwrap_or(Fault::Well);
        let welcome = |asked: &Asked| self.welcome(asked, fault, &notes);
        let Some((socket, _)) = shake_hands(stream, welcome).await else { return };
        let (sender, ready) = mpsc::channel(64);
        let (contexts, work) = (HashMap::new(), JoinSet::new());
        let script = self.script;
        Talk { socket, notes, script, fault, contexts, work, sender }.run(ready).await;
    }
}

impl Guest {
    fn welcome(&self, asked: &Asked, fault: Fault, notes: &Notes) -> Result<(), Refusal> {
        if let Fault::Refuses(status, code) = fault {
            return Err(refusal(status, code));
        }
        if asked.header("x-api-key") != Some(self.script.key) {
            return Err(refusal(401, "unauthorized"));
        }
        if asked.path != "/tts/websocket" {
            return Err(refusal(404, "not_found"));
        }
        notes.want(asked.value("cartesia_version").is_some(), || format!("{asked:?}"));
        notes.want(asked.query.len() == 1, || format!("a key in the address: {asked:?}"));
        Ok(())
    }

    async fn speak_over_http(
        &self,
        stream: &mut TcpStream,
        (head, body): (&str, &[u8]),
        notes: &Notes,
    ) -> bool {
        let lower = head.to_ascii_lowercase();
        if !lower.contains(&format!("\r\nx-api-key: {}\r\n", self.script.key)) {
            let (_, body, _) = refusal(401, "unauthorized");
            return respond(stream, ("401 Unauthorized", body.as_bytes())).await;
        }
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        notes.want(head.starts_with("POST /tts/bytes HTTP/1.1\r\n"), || head.to_owned());
        notes.want(lower.contains("\r\ncartesia-version: "), || head.to_owned());
        check_order(&body, notes);
        let text = body["transcript"].as_str().unwrap_or_default();
        notes.hear(format!("over HTTP: {text}"));
        sleep(self.script.delay).await;
        if !begin_chunks(stream, "audio/pcm").await {
            return false;
        }
        for piece in pieces(&(self.script.throat)(text)) {
            if !chunk(stream, &piece).await {
                return false;
            }
        }
        chunk(stream, &[]).await
    }
}

/// What both ways have in common.
fn check_order(order: &Value, notes: &Notes) {
    let format = json!({ "container": "raw", "encoding": "pcm_s16le", "sample_rate": 16_000 });
    let fits = order["model_id"].is_string()
        && order["voice"]["mode"] == "id"
        && order["voice"]["id"].is_string()
        && order["language"].as_str().is_some_and(|it| it.len() == 2)
        && order["output_format"] == format;
    notes.want(fits, || format!("{order}"));
}

fn refusal(status: u16, code: &str) -> Refusal {
    let body = json!({ "error": { "code": code }, "title": "No", "message": "No." }).to_string();
    let wait = (status == 429).then(|| ("Retry-After", "7".to_owned()));
    (status, body, wait.into_iter().collect())
}

struct Talk {
    socket: WebSocketStream<TcpStream>,
    notes: Notes,
    script: Script,
    fault: Fault,
    contexts: HashMap<String, AbortHandle>,
    work: JoinSet<()>,
    sender: mpsc::Sender<Value>,
}

impl Talk {
    async fn run(mut self, mut ready: mpsc::Receiver<Value>) -> Option<()> {
        let mut pieces = 0;
        loop {
            tokio::select! {
                message = timeout(Duration::from_secs(300), self.socket.next()) => {
                    match message.ok()??.ok()? {
                        Message::Text(text) => {
                            let message = serde_json::from_str(&text).unwrap_or_default();
                            self.take(&message).await?;
                        }
                        Message::Close(_) => return None,
                        Message::Binary(_) => self.notes.complain("octets"),
                        Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
                    }
                }
                Some(message) = ready.recv() => {
                    if message["type"] == "done" {
                        self.contexts.remove(message["context_id"].as_str().unwrap_or_default());
                    }
                    pieces += 1;
                    if matches!(self.fault, Fault::CutsAfter(most) if pieces > most) {
                        return None;
                    }
                    self.say(&message).await?;
                }
            }
        }
    }

    async fn say(&mut self, message: &Value) -> Option<()> {
        let text = match self.fault {
            Fault::Garbage => "{\"type\":\"chu".to_owned(),
            _ => message.to_string(),
        };
        self.socket.send(Message::text(text)).await.ok()
    }

    async fn take(&mut self, message: &Value) -> Option<()> {
        let Some(id) = message["context_id"].as_str().map(str::to_owned) else {
            self.notes.complain(format!("no context: {message}"));
            return Some(());
        };
        if message["cancel"] == json!(true) {
            if let Some(speaking) = self.contexts.remove(&id) {
                speaking.abort();
                self.notes.hear("stopped");
            }
            return Some(());
        }
        check_order(message, &self.notes);
        let whole = message["continue"] == json!(false) && message["max_buffer_delay_ms"] == 0;
        self.notes.want(whole, || format!("it would wait for more: {message}"));
        self.notes.want(!self.contexts.contains_key(&id), || format!("twice: {message}"));
        let text = message["transcript"].as_str().unwrap_or_default().to_owned();
        self.notes.want(!text.is_empty(), || format!("nothing to say: {message}"));
        (self.script.observer)(Mark::Ordered);
        self.notes.hear(text.clone());
        if let Fault::Complains(code) = self.fault {
            let error = json!({ "type": "error", "context_id": id, "status_code": 402,
                "error_code": code, "title": "No", "message": "No.", "done": true });
            return self.say(&error).await;
        }
        let speaking = self.speak(id.clone(), text);
        self.contexts.insert(id, speaking);
        Some(())
    }

    fn speak(&mut self, id: String, text: String) -> AbortHandle {
        let (sender, script) = (self.sender.clone(), self.script.clone());
        let endless = self.fault == Fault::Endless;
        self.work.spawn(async move {
            sleep(script.delay).await;
            let mut sound = (script.throat)(&text);
            if endless {
                sound = throat::endless(&sound);
            }
            (script.observer)(Mark::Sounded);
            for piece in pieces(&sound) {
                sleep(script.pace).await;
                let data = STANDARD.encode(piece);
                let chunk = json!({ "type": "chunk", "context_id": id, "data": data,
                    "done": false, "status_code": 206, "step_time": 12.3 });
                if sender.send(chunk).await.is_err() {
                    return;
                }
            }
            let words = json!({ "words": [], "start": [], "end": [] });
            let times = json!({ "type": "timestamps", "context_id": id, "done": false,
                "word_timestamps": words });
            let done =
                json!({ "type": "done", "context_id": id, "done": true, "status_code": 200 });
            for message in [times, done] {
                if sender.send(message).await.is_err() {
                    return;
                }
            }
        })
    }
}
