//! Deepgram as it appears on the wire: `/v1/listen` and, for Flux, `/v2/listen`. It hears loudness
//! and is told by an [`Ear`] what the words were.

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
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use super::stand::{Asked, Mark, Notes, Observer, Refusal, Serve, Stand, shake_hands};

/// What was said: the samples of an utterance at 16 kHz, and how many came before it.
pub type Ear = Arc<dyn Fn(&[i16], usize) -> String + Send + Sync>;

/// How the stand-in behaves.
#[derive(Clone)]
pub struct Script {
    /// The key that it wants.
    pub key: &'static str,
    /// What it hears.
    pub ear: Ear,
    /// How long it thinks about the text of a pause.
    pub delay: Duration,
    /// How it misbehaves, connection by connection; later ones are served well.
    pub faults: Vec<Fault>,
    /// Who looks on.
    pub observer: Observer,
}

/// A misbehaviour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// None.
    Well,
    /// The handshake is refused with a status and a code.
    Refuses(u16, &'static str),
    /// The connection is cut after so many samples.
    CutsAfter(usize),
    /// It answers in no protocol.
    Garbage,
    /// It never answers a pause.
    IgnoresPauses,
}

/// Opens a stand-in.
///
/// # Errors
/// When there is no free port.
pub async fn open(script: Script) -> io::Result<Stand> {
    Stand::open(Guest { script, utterances: Arc::default() }).await
}

/// An ear that hears these sentences, one after the other, whatever is said.
pub fn scripted(sentences: &[&str]) -> Ear {
    let sentences: Vec<String> = sentences.iter().map(|it| (*it).to_owned()).collect();
    Arc::new(move |_, count| sentences.get(count).cloned().unwrap_or_default())
}

#[derive(Clone)]
struct Guest {
    script: Script,
    /// How many utterances were heard to their end, over all connections.
    utterances: Arc<AtomicUsize>,
}

impl Serve for Guest {
    async fn serve(self, stream: TcpStream, notes: Notes) {
        let number = notes.begin();
        let fault = self.script.faults.get(number).copied().unwrap_or(Fault::Well);
        let welcome = |asked: &Asked| self.welcome(asked, fault, &notes);
        let Some((socket, asked)) = shake_hands(stream, welcome).await else { return };
        let flux = asked.path == "/v2/listen";
        let talk = Talk {
            socket,
            notes,
            script: self.script,
            utterances: self.utterances,
            fault,
            samples: Vec::new(),
            begin: 0,
        };
        if flux {
            talk.flux().await
        } else {
            talk.listen().await
        };
    }
}

impl Guest {
    fn welcome(&self, asked: &Asked, fault: Fault, notes: &Notes) -> Result<(), Refusal> {
        if let Fault::Refuses(status, code) = fault {
            return Err(refusal(status, code));
        }
        if asked.header("authorization") != Some(&format!("Token {}", self.script.key)) {
            return Err(refusal(401, "INVALID_AUTH"));
        }
        let complain = |what: &str| notes.complain(format!("{what}: {asked:?}"));
        let is = |key: &str, value: &str| asked.value(key) == Some(value);
        if !is("encoding", "linear16") || !is("sample_rate", "16000") {
            complain("the encoding");
        }
        match asked.path.as_str() {
            "/v1/listen" => {
                let key_terms = asked.value("model").is_some_and(|it| it.starts_with("nova-3"));
                if !is("interim_results", "true") || asked.value("language").is_none() {
                    complain("the query");
                }
                if !key_terms && !asked.values("keyterm").is_empty() {
                    complain("keyterm is for nova-3");
                }
            }
            "/v2/listen" => {
                let known = [
                    "model",
                    "encoding",
                    "sample_rate",
                    "eager_eot_threshold",
                    "eot_threshold",
                    "eot_timeout_ms",
                    "keyterm",
                    "language_hint",
                ];
                if !asked.query.iter().all(|(key, _)| known.contains(&key.as_str())) {
                    complain("the query");
                }
            }
            _ => return Err(refusal(404, "NOT_FOUND")),
        }
        notes.hear(format!("opens {} {:?}", asked.path, asked.values("keyterm")));
        Ok(())
    }
}

fn refusal(status: u16, code: &str) -> Refusal {
    let body = json!({ "err_code": code, "err_msg": "No.", "request_id": "r-1" }).to_string();
    (status, body, vec![("dg-error", code.to_owned())])
}

struct Talk {
    socket: WebSocketStream<TcpStream>,
    notes: Notes,
    script: Script,
    utterances: Arc<AtomicUsize>,
    fault: Fault,
    /// All that was heard on this connection.
    samples: Vec<i16>,
    /// Where the stretch began that is not yet certain.
    begin: usize,
}

/// What a client sends.
enum Sent {
    Audio,
    Text(Value),
    Nothing,
}

impl Talk {
    /// The next message, checked.
    async fn next(&mut self) -> Option<Sent> {
        let message = timeout(Duration::from_secs(10), self.socket.next()).await;
        let Ok(message) = message else {
            self.close(1011, "NET-0001").await;
            return None;
        };
        match message?.ok()? {
            Message::Binary(octets) => {
                let length = octets.len();
                // 20 to 250 ms of 16 bits.
                self.notes.want((640..=8_000).contains(&length) && length % 2 == 0, || {
                    format!("a frame of {length} octets")
                });
                let samples = octets.chunks_exact(2).map(|it| i16::from_le_bytes([it[0], it[1]]));
                self.samples.extend(samples);
                if matches!(self.fault, Fault::CutsAfter(most) if self.samples.len() >= most) {
                    return None;
                }
                Some(Sent::Audio)
            }
            Message::Text(text) => match serde_json::from_str(&text) {
                Ok(value) => Some(Sent::Text(value)),
                Err(_) => {
                    self.notes.complain(format!("no JSON: {text}"));
                    Some(Sent::Nothing)
                }
            },
            Message::Close(_) => None,
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => Some(Sent::Nothing),
        }
    }

    async fn say(&mut self, value: &Value) -> Option<()> {
        let text = match self.fault {
            Fault::Garbage => "{\"type\":\"Resul".to_owned(),
            _ => value.to_string(),
        };
        self.socket.send(Message::text(text)).await.ok()
    }

    async fn close(&mut self, code: u16, reason: &'static str) {
        let frame = CloseFrame { code: code.into(), reason: reason.into() };
        self.socket.close(Some(frame)).await.ok();
    }

    /// The words of the stretch so far.
    fn words(&self) -> String {
        let stretch = &self.samples[self.begin..];
        if loud(stretch) < LEAST_LOUD {
            return String::new();
        }
        (self.script.ear)(stretch, self.utterances.load(Ordering::Acquire))
    }

    /// The stretch is over.
    fn end_stretch(&mut self, text: &str) {
        self.begin = self.samples.len();
        if !text.is_empty() {
            self.utterances.fetch_add(1, Ordering::AcqRel);
            self.notes.hear(text);
        }
    }

    fn at(&self, sample: usize) -> f64 {
        sample as f64 / 16_000.0
    }

    /// When the first sound of the stretch began.
    fn onset(&self) -> f64 {
        let stretch = self.samples[self.begin..].chunks(WINDOW);
        let silence = stretch.take_while(|window| !is_loud(window)).count() * WINDOW;
        self.at((self.begin + silence).min(self.samples.len()))
    }

    /// `/v1/listen`.
    async fn listen(mut self) -> Option<()> {
        let mut told = 0;
        loop {
            match self.next().await? {
                Sent::Audio => {
                    let heard = self.samples.len() - self.begin;
                    if heard / INTERIM > told / INTERIM {
                        let text = self.words();
                        let text = part(&text, loud(&self.samples[self.begin..]));
                        let interim = self.results(&text, (false, false));
                        self.say(&interim).await?;
                    }
                    told = heard;
                }
                Sent::Text(value) => match value["type"].as_str() {
                    Some("KeepAlive") => self.notes.hear("KeepAlive"),
                    Some("Finalize") => {
                        self.finalize().await?;
                        told = 0;
                    }
                    Some("CloseStream") => {
                        self.finalize().await?;
                        let duration = self.at(self.samples.len());
                        let last = json!({ "type": "Metadata", "request_id": "r-1",
                            "duration": duration, "channels": 1 });
                        self.say(&last).await?;
                        self.notes.hear("CloseStream");
                        self.close(1000, "").await;
                        return None;
                    }
                    _ => self.notes.complain(format!("unknown: {value}")),
                },
                Sent::Nothing => {}
            }
        }
    }

    async fn finalize(&mut self) -> Option<()> {
        if self.fault == Fault::IgnoresPauses || self.samples.len() == self.begin {
            return Some(());
        }
        let text = self.words();
        sleep(self.script.delay).await;
        let results = self.results(&text, (true, true));
        self.end_stretch(&text);
        (self.script.observer)(Mark::Transcribed);
        self.say(&results).await
    }

    fn results(&self, text: &str, (is_final, from_finalize): (bool, bool)) -> Value {
        let (start, end) = (self.at(self.begin), self.at(self.samples.len()));
        let words = words(text, (self.onset(), end), "punctuated_word");
        json!({
            "type": "Results", "channel_index": [0, 1], "start": start, "duration": end - start,
            "is_final": is_final, "speech_final": false, "from_finalize": from_finalize,
            "channel": { "alternatives": [
                { "transcript": text, "confidence": 0.98, "words": words },
            ] },
            "metadata": { "request_id": "r-1", "model_info": { "arch": "fake" } },
        })
    }

    /// `/v2/listen`.
    async fn flux(mut self) -> Option<()> {
        self.say(&json!({ "type": "Connected", "request_id": "r-2", "sequence_id": 0 })).await?;
        let mut turn = FluxTurn::default();
        loop {
            match self.next().await? {
                Sent::Audio => self.flux_hears(&mut turn).await?,
                Sent::Text(value) => match value["type"].as_str() {
                    Some("ForceEndTurn") => {
                        self.notes.hear("ForceEndTurn");
                        self.flux_ends(&mut turn).await?;
                    }
                    Some("CloseStream") => {
                        self.notes.hear("CloseStream");
                        self.close(1000, "").await;
                        return None;
                    }
                    _ => self.notes.complain(format!("unknown: {value}")),
                },
                Sent::Nothing => {}
            }
        }
    }

    async fn flux_hears(&mut self, turn: &mut FluxTurn) -> Option<()> {
        let stretch = &self.samples[self.begin..];
        let (heard, loudness) = (stretch.len(), loud(stretch));
        let silence = stretch.rchunks(WINDOW).take_while(|it| !is_loud(it)).count() * WINDOW;
        if !turn.open {
            if loudness >= LEAST_LOUD {
                turn.open = true;
                self.turn_info("StartOfTurn", turn, "").await?;
            }
            return Some(());
        }
        if turn.eager && silence == 0 {
            turn.eager = false;
            let text = part(&self.words(), loudness);
            return self.turn_info("TurnResumed", turn, &text).await;
        }
        if !turn.eager && silence >= EAGER {
            turn.eager = true;
            let text = self.words();
            return self.turn_info("EagerEndOfTurn", turn, &text).await;
        }
        if silence >= OVER {
            return self.flux_ends(turn).await;
        }
        if heard / UPDATE > turn.told / UPDATE {
            let text = part(&self.words(), loudness);
            self.turn_info("Update", turn, &text).await?;
        }
        turn.told = heard;
        Some(())
    }

    async fn flux_ends(&mut self, turn: &mut FluxTurn) -> Option<()> {
        if !turn.open {
            return Some(());
        }
        let text = self.words();
        sleep(self.script.delay).await;
        self.turn_info("EndOfTurn", turn, &text).await?;
        self.end_stretch(&text);
        *turn = FluxTurn { index: turn.index + 1, ..FluxTurn::default() };
        Some(())
    }

    async fn turn_info(&mut self, event: &str, turn: &FluxTurn, text: &str) -> Option<()> {
        let span = (self.onset(), self.at(self.samples.len()));
        let info = json!({
            "type": "TurnInfo", "request_id": "r-2", "sequence_id": self.samples.len(),
            "event": event, "turn_index": turn.index, "transcript": text,
            "audio_window_start": span.0, "audio_window_end": span.1,
            "words": words(text, span, "word"), "end_of_turn_confidence": 0.5,
            "trigger": "model",
        });
        self.say(&info).await
    }
}

#[derive(Default)]
struct FluxTurn {
    index: u64,
    open: bool,
    eager: bool,
    told: usize,
}

/// As many words as fit into what was loud: two and a half a second.
fn part(text: &str, loudness: usize) -> String {
    let count = loudness * 5 / 32_000;
    text.split(' ').take(count).collect::<Vec<_>>().join(" ")
}

/// The words with their times, spread over a stretch.
fn words(text: &str, (start, end): (f64, f64), key: &str) -> Vec<Value> {
    let count = text.split_whitespace().count().max(1) as f64;
    let each = (end - start) / count;
    let times = text.split_whitespace().enumerate().map(|(at, word)| {
        let begin = start + at as f64 * each;
        let mut value = json!({ "word": word, "start": begin, "end": begin + each,
            "confidence": 0.98 });
        value[key] = json!(word);
        value
    });
    times.collect()
}

/// How many samples of a stretch are loud.
fn loud(stretch: &[i16]) -> usize {
    stretch.chunks(WINDOW).filter(|window| is_loud(window)).count() * WINDOW
}

fn is_loud(window: &[i16]) -> bool {
    window.iter().any(|sample| sample.unsigned_abs() > 600)
}

/// 20 ms.
const WINDOW: usize = 320;

/// Less is no word: 100 ms.
const LEAST_LOUD: usize = 1_600;

/// How often the words so far are told: 300 ms.
const INTERIM: usize = 4_800;

/// How often Flux tells them: 250 ms.
const UPDATE: usize = 4_000;

/// After so much silence Flux thinks that a turn may be over, and after so much that it is.
const EAGER: usize = 3_200;
const OVER: usize = 6_400;
