//! Gladia's streams as they appear on the wire: a request, and then a socket.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use super::ear::{Hearing, LEAST_LOUD, words};
use super::stand::{Asked, Mark, Notes, Observer, Refusal, Serve, Stand, shake_hands};
use super::web::{read_request, respond, wants_socket};

pub use super::ear::{Ear, Fault, Script, scripted};

/// Opens a stand-in.
///
/// # Errors
/// When there is no free port.
pub async fn open(script: Script) -> io::Result<Stand> {
    Stand::open(Guest { script, utterances: Arc::default(), asked: Arc::default() }).await
}

#[derive(Clone)]
struct Guest {
    script: Script,
    utterances: Arc<AtomicUsize>,
    /// How many sockets were asked for.
    asked: Arc<AtomicUsize>,
}

impl Serve for Guest {
    async fn serve(self, mut stream: TcpStream, notes: Notes) {
        if !wants_socket(&stream).await {
            while let Some((head, body)) = read_request(&mut stream).await {
                let host = stream.local_addr().map(|it| it.to_string()).unwrap_or_default();
                let (status, answer) = self.place((&head, &body), &host, &notes);
                if !respond(&mut stream, (&status, answer.as_bytes())).await {
                    return;
                }
            }
            return;
        }
        let number = notes.begin();
        let fault = self.script.faults.get(number).copied().unwrap_or(Fault::Well);
        let welcome = |asked: &Asked| welcome(asked, &notes);
        let Some((socket, _)) = shake_hands(stream, welcome).await else { return };
        notes.hear("opens");
        let hearing = Hearing::new(self.script.ear, notes.clone(), self.utterances);
        let (delay, observer) = (self.script.delay, self.script.observer);
        let talk = Talk { socket, notes, delay, observer, hearing, fault, told: 0, pieces: 0 };
        talk.run().await;
    }
}

impl Guest {
    /// Says where a socket is, to whoever may have one.
    fn place(&self, (head, body): (&str, &[u8]), host: &str, notes: &Notes) -> (String, String) {
        let key = format!("\r\nx-gladia-key: {}\r\n", self.script.key);
        if !head.to_ascii_lowercase().contains(&key) {
            return refusal(401, "unauthorized");
        }
        if head.starts_with("GET /v2/live?") {
            return ("200 OK".to_owned(), "{\"items\":[]}".to_owned());
        }
        let number = self.asked.fetch_add(1, Ordering::AcqRel);
        if let Some(Fault::Refuses(status, code)) = self.script.faults.get(number) {
            notes.begin();
            return refusal(*status, code);
        }
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let wants = &body["messages_config"];
        let fits = head.starts_with("POST /v2/live?region=eu-west HTTP/1.1\r\n")
            && body["encoding"] == "wav/pcm"
            && (body["bit_depth"] == 16 && body["sample_rate"] == 16_000 && body["channels"] == 1)
            && body["language_config"]["languages"][0].as_str().is_some_and(|it| it.len() == 2)
            && wants["receive_partial_transcripts"] == json!(true)
            && wants["receive_final_transcripts"] == json!(true);
        notes.want(fits, || format!("{head} {body}"));
        let terms = &body["realtime_processing"]["custom_vocabulary_config"]["vocabulary"];
        if terms.is_array() {
            notes.hear(format!("expects {terms}"));
        }
        let url = format!("ws://{host}/v2/live?token={TOKEN}");
        ("201 Created".to_owned(), json!({ "id": "l-1", "url": url }).to_string())
    }
}

fn welcome(asked: &Asked, notes: &Notes) -> Result<(), Refusal> {
    let known = asked.path == "/v2/live" && asked.value("token") == Some(TOKEN);
    notes.want(asked.header("x-gladia-key").is_none(), || "the key is shown twice".to_owned());
    match known {
        true => Ok(()),
        false => Err((403, "{}".to_owned(), Vec::new())),
    }
}

fn refusal(status: u16, code: &str) -> (String, String) {
    let wait = if status == 429 { "\r\nRetry-After: 7" } else { "" };
    let body = json!({ "error": { "code": code }, "message": "No." }).to_string();
    (format!("{status} No{wait}"), body)
}

struct Talk {
    socket: WebSocketStream<TcpStream>,
    notes: Notes,
    delay: Duration,
    observer: Observer,
    hearing: Hearing,
    fault: Fault,
    told: usize,
    pieces: usize,
}

impl Talk {
    async fn run(mut self) -> Option<()> {
        loop {
            match timeout(Duration::from_secs(30), self.socket.next()).await.ok()??.ok()? {
                Message::Binary(octets) => {
                    let fits = !octets.is_empty() && octets.len() % 2 == 0;
                    self.notes.want(fits, || format!("{} octets", octets.len()));
                    self.hearing.hear(&octets);
                    let heard = self.hearing.samples.len();
                    if matches!(self.fault, Fault::CutsAfter(most) if heard >= most) {
                        return None;
                    }
                    self.hears().await?;
                }
                Message::Text(text) => {
                    let value: Value = serde_json::from_str(&text).unwrap_or_default();
                    if value["type"] != "stop_recording" {
                        self.notes.complain(format!("unknown: {text}"));
                        continue;
                    }
                    self.ends().await?;
                    let last = json!({ "type": "post_final_transcript", "data": {} });
                    self.say(&last).await?;
                    self.notes.hear("stop_recording");
                    self.socket.close(None).await.ok();
                    return None;
                }
                Message::Close(_) => return None,
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
        }
    }

    async fn hears(&mut self) -> Option<()> {
        let (loudness, silence) = self.hearing.loudness();
        if loudness >= LEAST_LOUD && silence >= ENDPOINT {
            return self.ends().await;
        }
        let stretch = self.hearing.stretch().len();
        if loudness >= LEAST_LOUD && stretch / UPDATE > self.told / UPDATE {
            let text = self.hearing.part();
            self.tell(&text, false).await?;
        }
        self.told = stretch;
        Some(())
    }

    async fn ends(&mut self) -> Option<()> {
        let text = self.hearing.words();
        if text.is_empty() || self.fault == Fault::IgnoresPauses {
            return Some(());
        }
        sleep(self.delay).await;
        (self.observer)(Mark::Transcribed);
        self.tell(&text, true).await?;
        self.hearing.end(&text);
        self.told = 0;
        Some(())
    }

    async fn tell(&mut self, text: &str, is_final: bool) -> Option<()> {
        self.pieces += 1;
        let (start, end) = self.hearing.span();
        // It tells where the words end, and not the silence behind them.
        let (_, silence) = self.hearing.loudness();
        let end = end - silence as f64 / 16_000.0;
        let words = words(text, (start, end), "word");
        let utterance = json!({ "text": text, "start": start, "end": end, "confidence": 0.9,
            "language": "de", "channel": 0, "words": words });
        let id = format!("00_{:08}", self.pieces);
        let data = json!({ "id": id, "is_final": is_final, "utterance": utterance });
        self.say(&json!({ "type": "transcript", "session_id": "l-1", "data": data })).await
    }

    async fn say(&mut self, value: &Value) -> Option<()> {
        self.socket.send(self.fault.said(value)).await.ok()
    }
}

/// What lets into the socket.
const TOKEN: &str = "once-0815";

/// How often the words so far are told: 300 ms.
const UPDATE: usize = 4_800;

/// So much silence ends an utterance: 250 ms, later than it is asked for.
const ENDPOINT: usize = 4_000;
