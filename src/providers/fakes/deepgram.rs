//! Deepgram as it appears on the wire: `/v1/listen` and, for Flux, `/v2/listen`. It hears loudness
//! and is told by an [`Ear`] what the words were.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use super::ear::{Hearing, LEAST_LOUD, at, words};
use super::stand::{Asked, Mark, Notes, Observer, Refusal, Serve, Stand, shake_hands};

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
    /// How many utterances were heard to their end, over all connections.
    utterances: Arc<AtomicUsize>,
}

impl Serve for Guest {
    async fn serve(self, stream: TcpStream, notes: Notes) {
        let number = notes.begin();
        let fault = self.script.faults.get(number).copied().unwrap_or(Fault::Well);
        let welcome = |asked: &Asked| self.welcome(asked, fault, &notes);
        let Some((socket, asked)) = shake_hands(stream, welcome).await else { return };
        let hearing = Hearing::new(self.script.ear, notes.clone(), self.utterances);
        let flux = asked.path == "/v2/listen";
        let talk = Talk {
            socket,
            notes,
            delay: self.script.delay,
            observer: self.script.observer,
            hearing,
            fault,
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
    delay: Duration,
    observer: Observer,
    hearing: Hearing,
    fault: Fault,
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
                self.hearing.hear(&octets);
                let heard = self.hearing.samples.len();
                if matches!(self.fault, Fault::CutsAfter(most) if heard >= most) {
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
        self.socket.send(self.fault.said(value)).await.ok()
    }

    async fn close(&mut self, code: u16, reason: &'static str) {
        let frame = CloseFrame { code: code.into(), reason: reason.into() };
        self.socket.close(Some(frame)).await.ok();
    }

    /// `/v1/listen`.
    async fn listen(mut self) -> Option<()> {
        let mut told = 0;
        loop {
            match self.next().await? {
                Sent::Audio => {
                    let heard = self.hearing.stretch().len();
                    if heard / INTERIM > told / INTERIM {
                        let interim = self.results(&self.hearing.part(), (false, false));
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
                        let duration = at(self.hearing.samples.len());
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
        if self.fault == Fault::IgnoresPauses || self.hearing.stretch().is_empty() {
            return Some(());
        }
        let text = self.hearing.words();
        sleep(self.delay).await;
        let results = self.results(&text, (true, true));
        self.hearing.end(&text);
        (self.observer)(Mark::Transcribed);
        self.say(&results).await
    }

    fn results(&self, text: &str, (is_final, from_finalize): (bool, bool)) -> Value {
        let (onset, end) = self.hearing.span();
        let start = at(self.hearing.begin);
        let words = words(text, (onset, end), "punctuated_word");
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
        let heard = self.hearing.stretch().len();
        let (loudness, silence) = self.hearing.loudness();
        if !turn.open {
            if loudness >= LEAST_LOUD {
                turn.open = true;
                self.turn_info("StartOfTurn", turn, "").await?;
            }
            return Some(());
        }
        if turn.eager && silence == 0 {
            turn.eager = false;
            let text = self.hearing.part();
            return self.turn_info("TurnResumed", turn, &text).await;
        }
        if !turn.eager && silence >= EAGER {
            turn.eager = true;
            let text = self.hearing.words();
            return self.turn_info("EagerEndOfTurn", turn, &text).await;
        }
        if silence >= OVER {
            return self.flux_ends(turn).await;
        }
        if heard / UPDATE > turn.told / UPDATE {
            let text = self.hearing.part();
            self.turn_info("Update", turn, &text).await?;
        }
        turn.told = heard;
        Some(())
    }

    async fn flux_ends(&mut self, turn: &mut FluxTurn) -> Option<()> {
        if !turn.open {
            return Some(());
        }
        let text = self.hearing.words();
        sleep(self.delay).await;
        self.turn_info("EndOfTurn", turn, &text).await?;
        self.hearing.end(&text);
        *turn = FluxTurn { index: turn.index + 1, ..FluxTurn::default() };
        Some(())
    }

    async fn turn_info(&mut self, event: &str, turn: &FluxTurn, text: &str) -> Option<()> {
        let span = self.hearing.span();
        let info = json!({
            "type": "TurnInfo", "request_id": "r-2", "sequence_id": self.hearing.samples.len(),
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

/// How often the words so far are told: 300 ms.
const INTERIM: usize = 4_800;

/// How often Flux tells them: 250 ms.
const UPDATE: usize = 4_000;

/// After so much silence Flux thinks that a turn may be over, and after so much that it is.
const EAGER: usize = 3_200;
const OVER: usize = 6_400;
