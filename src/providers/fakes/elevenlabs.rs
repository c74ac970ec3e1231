//! ElevenLabs as it appears on the wire: the socket of many contexts, and speech over HTTP. What it
//! says sounds as a [`Throat`] makes it.

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

pub use super::throat::{Fault, Script, Throat};

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
        let work = JoinSet::new();
        let contexts = HashMap::new();
        let script = self.script;
        Talk { socket, notes, script, fault, contexts, work, sender }.run(ready).await;
    }
}

impl Guest {
    fn welcome(&self, asked: &Asked, fault: Fault, notes: &Notes) -> Result<(), Refusal> {
        if let Fault::Refuses(status, code) = fault {
            return Err(refusal(status, code));
        }
        if asked.header("xi-api-key") != Some(self.script.key) {
            return Err(refusal(401, "invalid_api_key"));
        }
        let voice = asked.path.strip_prefix("/v1/text-to-speech/");
        let voice = voice.and_then(|rest| rest.strip_suffix("/multi-stream-input"));
        if voice.is_none_or(|voice| voice.is_empty() || voice.contains('/')) {
            return Err(refusal(404, "voice_not_found"));
        }
        let known = asked.value("output_format") == Some("pcm_16000");
        notes.want(known && asked.value("model_id").is_some(), || format!("{asked:?}"));
        notes.want(asked.value("xi_api_key").is_none(), || "a key in the address".to_owned());
        notes.hear(format!("opens {}", voice.unwrap_or_default()));
        Ok(())
    }

    async fn speak_over_http(
        &self,
        stream: &mut TcpStream,
        (head, body): (&str, &[u8]),
        notes: &Notes,
    ) -> bool {
        let lower = head.to_ascii_lowercase();
        if !lower.contains(&format!("xi-api-key: {}\r\n", self.script.key)) {
            let (_, body, _) = refusal(401, "invalid_api_key");
            return respond(stream, ("401 Unauthorized", body.as_bytes())).await;
        }
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let line = head.lines().next().unwrap_or_default();
        let fits = line.starts_with("POST /v1/text-to-speech/")
            && line.contains("/stream?output_format=pcm_16000")
            && body["model_id"].is_string();
        notes.want(fits, || format!("{line} {body}"));
        let text = body["text"].as_str().unwrap_or_default();
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

fn refusal(status: u16, code: &str) -> Refusal {
    (status, json!({ "detail": { "status": code, "message": "No." } }).to_string(), Vec::new())
}

struct Talk {
    socket: WebSocketStream<TcpStream>,
    notes: Notes,
    script: Script,
    fault: Fault,
    contexts: HashMap<String, Context>,
    work: JoinSet<()>,
    sender: mpsc::Sender<Value>,
}

#[derive(Default)]
struct Context {
    text: String,
    speaking: Option<AbortHandle>,
    closing: bool,
}

impl Talk {
    async fn run(mut self, mut ready: mpsc::Receiver<Value>) -> Option<()> {
        let mut pieces = 0;
        loop {
            tokio::select! {
                message = timeout(Duration::from_secs(180), self.socket.next()) => {
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
                Some(mut message) = ready.recv() => {
                    let context = message["contextId"].as_str().unwrap_or_default().to_owned();
                    let last = message["isFinal"] == json!(true);
                    if last {
                        self.contexts.remove(&context);
                        // Today's servers spell it so.
                        message = json!({ "is_final": true, "context_id": context });
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
            Fault::Garbage => "{\"audio\":".to_owned(),
            _ => message.to_string(),
        };
        self.socket.send(Message::text(text)).await.ok()
    }

    async fn take(&mut self, message: &Value) -> Option<()> {
        if message["close_socket"] == json!(true) {
            self.notes.hear("close_socket");
            self.socket.close(None).await.ok();
            return None;
        }
        let Some(id) = message["context_id"].as_str() else {
            self.notes.complain(format!("no context: {message}"));
            return Some(());
        };
        if message["close_context"] == json!(true) {
            return self.close(id).await;
        }
        let Some(text) = message["text"].as_str() else {
            self.notes.complain(format!("no text: {message}"));
            return Some(());
        };
        if !self.contexts.contains_key(id) {
            self.notes.want(text == " ", || format!("a context begins with a space: {message}"));
            if self.contexts.len() >= 5 {
                let error = json!({ "error": "too_many_contexts", "context_id": id });
                return self.say(&error).await;
            }
            self.contexts.insert(id.to_owned(), Context::default());
            return Some(());
        }
        self.notes.want(text.is_empty() || text.ends_with(' '), || format!("no space: {message}"));
        let context = self.contexts.entry(id.to_owned()).or_default();
        context.text.push_str(text);
        if message["flush"] == json!(true) {
            self.speak(id).await?;
        }
        Some(())
    }

    async fn speak(&mut self, id: &str) -> Option<()> {
        let Some(context) = self.contexts.get_mut(id) else { return Some(()) };
        let text = std::mem::take(&mut context.text).trim().to_owned();
        (self.script.observer)(Mark::Ordered);
        self.notes.hear(text.clone());
        if let Fault::Complains(code) = self.fault {
            self.contexts.remove(id);
            return self.say(&json!({ "error": code, "context_id": id })).await;
        }
        let endless = self.fault == Fault::Endless;
        let (sender, script, id) = (self.sender.clone(), self.script.clone(), id.to_owned());
        context.speaking = Some(self.work.spawn(async move {
            sleep(script.delay).await;
            let mut sound = (script.throat)(&text);
            if endless {
                sound = throat::endless(&sound);
            }
            (script.observer)(Mark::Sounded);
            for piece in pieces(&sound) {
                sleep(script.pace).await;
                let audio = STANDARD.encode(piece);
                let message = json!({ "audio": audio, "isFinal": false, "contextId": id,
                    "alignment": { "chars": [], "charStartTimesMs": [] } });
                if sender.send(message).await.is_err() {
                    return;
                }
            }
            // What stopped meanwhile is not told that it is over.
            sender.send(json!({ "isFinal": true, "contextId": id })).await.ok();
        }));
        Some(())
    }

    /// The first time it says that nothing more comes; the second time, that nobody listens.
    async fn close(&mut self, id: &str) -> Option<()> {
        let Some(context) = self.contexts.get_mut(id) else {
            return self.say(&json!({ "type": "flush_done", "context_id": id })).await;
        };
        if !std::mem::replace(&mut context.closing, true) {
            return Some(());
        }
        if let Some(context) = self.contexts.remove(id) {
            context.speaking.inspect(AbortHandle::abort);
            self.notes.hear("stopped");
        }
        Some(())
    }
}
