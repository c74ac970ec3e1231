//! AssemblyAI's streams, third version, as they appear on the wire.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::{interval, sleep, timeout};
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
    utterances: Arc<AtomicUsize>,
}

impl Serve for Guest {
    async fn serve(self, stream: TcpStream, notes: Notes) {
        let number = notes.begin();
        let fault = self.script.faults.get(number).copied().unwrap_or(Fault::Well);
        let welcome = |asked: &Asked| welcome(asked, fault, &notes);
        let Some((socket, asked)) = shake_hands(stream, welcome).await else { return };
        let hearing = Hearing::new(self.script.ear, notes.clone(), self.utterances);
        let (delay, observer) = (self.script.delay, self.script.observer);
        let mut talk =
            Talk { socket, notes, delay, observer, hearing, fault, turn: Turn::default() };
        // It opens to everybody, and says only then that the key is wrong.
        match asked.header("authorization") == Some(self.script.key) {
            true => drop(talk.run().await),
            false => talk.close(1008, "Unauthorized Connection: missing or wrong API key").await,
        }
    }
}

fn welcome(asked: &Asked, fault: Fault, notes: &Notes) -> Result<(), Refusal> {
    if let Fault::Refuses(status, code) = fault {
        let wait = (status == 429).then(|| ("Retry-After", "7".to_owned()));
        let body = json!({ "error": { "code": code } }).to_string();
        return Err((status, body, wait.into_iter().collect()));
    }
    if asked.path != "/v3/ws" {
        return Err((404, "{}".to_owned(), Vec::new()));
    }
    let known = ["sample_rate", "encoding", "speech_model", "keyterms_prompt"];
    let fits = asked.query.iter().all(|(key, _)| known.contains(&key.as_str()))
        && asked.value("encoding") == Some("pcm_s16le")
        && asked.value("sample_rate") == Some("16000")
        && asked.value("speech_model").is_some_and(|it| !it.is_empty());
    notes.want(fits, || format!("the query: {asked:?}"));
    let terms = asked.value("keyterms_prompt").unwrap_or("[]");
    let terms: Option<Vec<String>> = serde_json::from_str(terms).ok();
    notes.want(terms.is_some(), || format!("the words to expect: {asked:?}"));
    notes.hear(format!("opens {} {:?}", asked.path, terms.unwrap_or_default()));
    Ok(())
}

struct Talk {
    socket: WebSocketStream<TcpStream>,
    notes: Notes,
    delay: Duration,
    observer: Observer,
    hearing: Hearing,
    fault: Fault,
    turn: Turn,
}

#[derive(Default)]
struct Turn {
    order: u64,
    open: bool,
    paused: bool,
    told: usize,
}

impl Talk {
    async fn run(&mut self) -> Option<()> {
        let begin = json!({ "type": "Begin", "id": "s-1", "expires_at": 1_759_796_682 });
        self.say(&begin).await?;
        // No faster than it can be said; it turns a blind eye to a second and a half.
        let mut may_come = 24_000;
        let mut time = interval(Duration::from_millis(100));
        loop {
            tokio::select! {
                message = timeout(Duration::from_secs(60), self.socket.next()) => {
                    match message.ok()??.ok()? {
                        Message::Binary(octets) => self.check(&octets, &mut may_come).await?,
                        Message::Text(text) => self.take(&text).await?,
                        Message::Close(_) => return None,
                        Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
                    }
                }
                _ = time.tick() => may_come += 1_600,
            }
        }
    }

    async fn check(&mut self, octets: &[u8], may_come: &mut usize) -> Option<()> {
        // 50 to 1000 ms of 16 bits.
        if !(1_600..=32_000).contains(&octets.len()) {
            self.notes.complain(format!("a piece of {} octets", octets.len()));
            self.close(3007, "Input Duration Violation").await;
            return None;
        }
        let Some(left) = may_come.checked_sub(octets.len() / 2) else {
            self.notes.complain("audio faster than real time");
            self.close(3007, "Audio Transmission Rate Exceeded").await;
            return None;
        };
        *may_come = left;
        self.hears(octets).await
    }

    async fn take(&mut self, text: &str) -> Option<()> {
        let value: Value = serde_json::from_str(text).unwrap_or_default();
        match value["type"].as_str() {
            Some("KeepAlive") => {}
            Some("ForceEndpoint") => {
                self.notes.hear("ForceEndpoint");
                self.ends().await?;
            }
            Some("Terminate") => {
                self.ends().await?;
                let seconds = at(self.hearing.samples.len());
                let last = json!({ "type": "Termination", "audio_duration_seconds": seconds });
                self.say(&last).await?;
                self.notes.hear("Terminate");
                self.close(1000, "").await;
                return None;
            }
            _ => self.notes.complain(format!("unknown: {text}")),
        }
        Some(())
    }

    async fn hears(&mut self, octets: &[u8]) -> Option<()> {
        self.hearing.hear(octets);
        let heard = self.hearing.samples.len();
        if matches!(self.fault, Fault::CutsAfter(most) if heard >= most) {
            return None;
        }
        let (loudness, silence) = self.hearing.loudness();
        if !self.turn.open {
            self.turn.open = loudness >= LEAST_LOUD;
            return Some(());
        }
        if silence == 0 {
            self.turn.paused = false;
        }
        if silence >= OVER {
            return self.ends().await;
        }
        if silence >= PAUSE && !self.turn.paused {
            self.turn.paused = true;
            let text = self.hearing.words();
            return self.tell(&text, (&text, false)).await;
        }
        let stretch = self.hearing.stretch().len();
        if stretch / UPDATE > self.turn.told / UPDATE {
            let text = self.hearing.part();
            self.tell(&text, ("", false)).await?;
        }
        self.turn.told = stretch;
        Some(())
    }

    async fn ends(&mut self) -> Option<()> {
        if !self.turn.open || self.fault == Fault::IgnoresPauses {
            return Some(());
        }
        let text = self.hearing.words();
        sleep(self.delay).await;
        (self.observer)(Mark::Transcribed);
        self.tell(&text, (&text, true)).await?;
        self.hearing.end(&text);
        self.turn = Turn { order: self.turn.order + 1, ..Turn::default() };
        Some(())
    }

    async fn tell(&mut self, text: &str, (utterance, over): (&str, bool)) -> Option<()> {
        // Times are in milliseconds here.
        let words: Vec<Value> = words(text, self.hearing.span(), "text")
            .into_iter()
            .map(|word| {
                let millis = |key: &str| (word[key].as_f64().unwrap_or(0.0) * 1_000.0) as u64;
                json!({ "text": word["text"], "start": millis("start"), "end": millis("end"),
                    "confidence": 0.96, "word_is_final": over })
            })
            .collect();
        // Words that may change are not in the transcript.
        let transcript = if over || !utterance.is_empty() { text } else { "" };
        let turn = json!({
            "type": "Turn", "turn_order": self.turn.order, "turn_is_formatted": false,
            "end_of_turn": over, "transcript": transcript, "utterance": utterance,
            "end_of_turn_confidence": 0.5, "words": words, "language_code": "de",
        });
        self.say(&turn).await
    }

    async fn say(&mut self, value: &Value) -> Option<()> {
        self.socket.send(self.fault.said(value)).await.ok()
    }

    async fn close(&mut self, code: u16, reason: &'static str) {
        let frame = CloseFrame { code: code.into(), reason: reason.into() };
        self.socket.close(Some(frame)).await.ok();
    }
}

/// How often the words so far are told: 250 ms.
const UPDATE: usize = 4_000;

/// After so much silence a turn may be over, and after so much it is: 200 and 400 ms.
const PAUSE: usize = 3_200;
const OVER: usize = 6_400;
