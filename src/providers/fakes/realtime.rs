//! OpenAI's transcriptions over a socket as they appear on the wire. The API begins at `/v1`.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use super::ear::Hearing;
use super::stand::{Asked, Mark, Notes, Observer, Refusal, Serve, Stand, shake_hands};
use super::web::{read_request, respond, wants_socket};
use crate::audio::frame::{Frame, Rate};
use crate::audio::resample;

pub use super::ear::{Ear, Fault, Script, scripted};

/// Opens a stand-in.
///
/// # Errors
/// When there is no free port.
pub async fn open(script: Script) -> io::Result<Stand> {
    Stand::open(Guest { script, utterances: Arc::default() }).await
}

#[derive(Clone)]
struct Guest {
    script: Script,
    utterances: Arc<AtomicUsize>,
}

impl Serve for Guest {
    async fn serve(self, mut stream: TcpStream, notes: Notes) {
        let bearer = format!("Bearer {}", self.script.key);
        if !wants_socket(&stream).await {
            while let Some((head, _)) = read_request(&mut stream).await {
                let known = head.to_ascii_lowercase();
                let known = known
                    .contains(&format!("\r\nauthorization: {}\r\n", bearer.to_ascii_lowercase()));
                let (status, body) = match known && head.starts_with("GET /v1/models ") {
                    true => ("200 OK", "{\"data\":[]}"),
                    false => ("401 No", "{\"error\":{\"code\":\"invalid_api_key\"}}"),
                };
                if !respond(&mut stream, (status, body.as_bytes())).await {
                    return;
                }
            }
            return;
        }
        let number = notes.begin();
        let fault = self.script.faults.get(number).copied().unwrap_or(Fault::Well);
        let welcome = |asked: &Asked| welcome(asked, fault, &bearer);
        let Some((socket, _)) = shake_hands(stream, welcome).await else { return };
        let hearing = Hearing::new(self.script.ear, notes.clone(), self.utterances);
        let (delay, observer) = (self.script.delay, self.script.observer);
        let talk = Talk {
            socket,
            notes,
            delay,
            observer,
            hearing,
            fault,
            pending: Vec::new(),
            items: 0,
            is_told: false,
        };
        talk.run().await;
    }
}

fn welcome(asked: &Asked, fault: Fault, bearer: &str) -> Result<(), Refusal> {
    let refused = |status: u16, code: &str| {
        let body = json!({ "error": { "code": code, "message": "No." } }).to_string();
        (status, body, Vec::new())
    };
    if let Fault::Refuses(status, code) = fault {
        return Err(refused(status, code));
    }
    if asked.header("authorization") != Some(bearer) {
        return Err(refused(401, "invalid_api_key"));
    }
    match asked.path == "/v1/realtime" && asked.value("intent") == Some("transcription") {
        true => Ok(()),
        false => Err(refused(404, "not_found")),
    }
}

struct Talk {
    socket: WebSocketStream<TcpStream>,
    notes: Notes,
    delay: Duration,
    observer: Observer,
    hearing: Hearing,
    fault: Fault,
    /// What was not yet committed, at 24 kHz.
    pending: Vec<i16>,
    items: usize,
    /// Whether it was told what to do.
    is_told: bool,
}

impl Talk {
    async fn run(mut self) -> Option<()> {
        let session = json!({ "type": "transcription", "id": "sess_1" });
        self.say(&json!({ "type": "session.created", "session": session })).await?;
        loop {
            match timeout(Duration::from_secs(60), self.socket.next()).await.ok()??.ok()? {
                Message::Text(text) => {
                    let value: Value = serde_json::from_str(&text).unwrap_or_default();
                    self.take(&value).await?;
                }
                Message::Close(_) => {
                    self.notes.hear("closes");
                    return None;
                }
                Message::Binary(_) => self.notes.complain("octets"),
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
        }
    }

    async fn take(&mut self, value: &Value) -> Option<()> {
        let kind = value["type"].as_str().unwrap_or_default();
        self.notes.want(self.is_told || kind == "session.update", || format!("first: {value}"));
        match kind {
            "session.update" => {
                self.is_told = true;
                let session = &value["session"];
                let input = &session["audio"]["input"];
                let fits = session["type"] == "transcription"
                    && input["format"] == json!({ "type": "audio/pcm", "rate": 24_000 })
                    && input["turn_detection"].is_null()
                    && input["transcription"]["model"].is_string()
                    && input["transcription"]["language"].as_str().is_some_and(|it| it.len() == 2);
                self.notes.want(fits, || format!("{value}"));
                if let Some(prompt) = input["transcription"]["prompt"].as_str() {
                    self.notes.hear(format!("expects {prompt}"));
                }
                self.say(&json!({ "type": "session.updated", "session": session })).await
            }
            "input_audio_buffer.append" => self.hears(value).await,
            "input_audio_buffer.clear" => {
                self.pending.clear();
                self.hearing.begin = self.hearing.samples.len();
                self.say(&json!({ "type": "input_audio_buffer.cleared" })).await
            }
            "input_audio_buffer.commit" => self.transcribes().await,
            _ => {
                self.notes.complain(format!("unknown: {value}"));
                Some(())
            }
        }
    }

    async fn hears(&mut self, value: &Value) -> Option<()> {
        let octets = STANDARD.decode(value["audio"].as_str().unwrap_or_default());
        let octets = octets.unwrap_or_default();
        self.notes.want(octets.len().is_multiple_of(2), || format!("{} octets", octets.len()));
        let samples = octets.chunks_exact(2).map(|it| i16::from_le_bytes([it[0], it[1]]));
        self.pending.extend(samples);
        let heard = self.hearing.samples.len() + self.pending.len() * 2 / 3;
        match self.fault {
            Fault::CutsAfter(most) if heard >= most => None,
            _ => Some(()),
        }
    }

    async fn transcribes(&mut self) -> Option<()> {
        if self.pending.len() < LEAST {
            self.notes.complain("a commit of less than 100 ms");
            let error = json!({ "code": "input_audio_buffer_commit_empty", "message": "x" });
            return self.say(&json!({ "type": "error", "error": error })).await;
        }
        let stretch = Frame::new(Rate(24_000), std::mem::take(&mut self.pending));
        let wide = resample::convert(&stretch, Rate::WIDE).samples;
        self.hearing.hear(&wide.iter().flat_map(|it| it.to_le_bytes()).collect::<Vec<u8>>());
        let text = self.hearing.words();
        let before = (self.items > 0).then(|| format!("item_{}", self.items));
        self.items += 1;
        let item = format!("item_{}", self.items);
        self.say(&json!({ "type": "input_audio_buffer.committed", "item_id": item,
            "previous_item_id": before }))
            .await?;
        sleep(self.delay).await;
        let kind = |what: &str| format!("conversation.item.input_audio_transcription.{what}");
        let most = if self.fault == Fault::IgnoresPauses { 2 } else { usize::MAX };
        for word in text.split_inclusive(' ').take(most) {
            let delta = json!({ "type": kind("delta"), "item_id": item, "content_index": 0,
                "delta": word });
            self.say(&delta).await?;
        }
        if self.fault == Fault::IgnoresPauses {
            return Some(());
        }
        (self.observer)(Mark::Transcribed);
        self.hearing.end(&text);
        let usage = json!({ "type": "tokens", "total_tokens": 9 });
        self.say(&json!({ "type": kind("completed"), "item_id": item, "content_index": 0,
            "transcript": text, "usage": usage }))
            .await
    }

    async fn say(&mut self, value: &Value) -> Option<()> {
        self.socket.send(self.fault.said(value)).await.ok()
    }
}

/// Less audio is refused, at 24 kHz: 100 ms.
const LEAST: usize = 2_400;
