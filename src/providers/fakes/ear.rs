//! What stand-ins for transcribers share: they hear loudness and are told by an [`Ear`] what the
//! words were.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use super::stand::{Notes, Observer};

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
    /// It answers half a letter of UTF-8.
    HalfALetter,
    /// It never answers a pause.
    IgnoresPauses,
}

/// An ear that hears these sentences, one after the other, whatever is said.
pub fn scripted(sentences: &[&str]) -> Ear {
    let sentences: Vec<String> = sentences.iter().map(|it| (*it).to_owned()).collect();
    Arc::new(move |_, count| sentences.get(count).cloned().unwrap_or_default())
}

/// What was heard on a connection.
pub(super) struct Hearing {
    ear: Ear,
    notes: Notes,
    /// How many utterances were heard to their end, over all connections.
    utterances: Arc<AtomicUsize>,
    /// All of it, at 16 kHz.
    pub samples: Vec<i16>,
    /// Where the stretch began that is not yet certain.
    pub begin: usize,
}

impl Hearing {
    /// Nothing was heard yet.
    pub fn new(ear: Ear, notes: Notes, utterances: Arc<AtomicUsize>) -> Self {
        Self { ear, notes, utterances, samples: Vec::new(), begin: 0 }
    }

    /// Hears samples of 16 bits, little end first.
    pub fn hear(&mut self, octets: &[u8]) {
        let samples = octets.chunks_exact(2).map(|it| i16::from_le_bytes([it[0], it[1]]));
        self.samples.extend(samples);
    }

    /// The stretch so far.
    pub fn stretch(&self) -> &[i16] {
        &self.samples[self.begin..]
    }

    /// How much of the stretch is loud, and how much silence is at its end, in samples.
    pub fn loudness(&self) -> (usize, usize) {
        let stretch = self.stretch();
        let silence = stretch.rchunks(WINDOW).take_while(|it| !is_loud(it)).count() * WINDOW;
        (loud(stretch), silence)
    }

    /// The words of the stretch so far.
    pub fn words(&self) -> String {
        let stretch = self.stretch();
        if loud(stretch) < LEAST_LOUD {
            return String::new();
        }
        (self.ear)(stretch, self.utterances.load(Ordering::Acquire))
    }

    /// As many of the words as fit into what was loud: two and a half a second.
    pub fn part(&self) -> String {
        let count = loud(self.stretch()) * 5 / 32_000;
        self.words().split(' ').take(count).collect::<Vec<_>>().join(" ")
    }

    /// The stretch is over.
    pub fn end(&mut self, text: &str) {
        self.begin = self.samples.len();
        if !text.is_empty() {
            self.utterances.fetch_add(1, Ordering::AcqRel);
            self.notes.hear(text);
        }
    }

    /// When the first sound of the stretch began, and when it ends, in seconds.
    pub fn span(&self) -> (f64, f64) {
        let windows = self.stretch().chunks(WINDOW);
        let silence = windows.take_while(|window| !is_loud(window)).count() * WINDOW;
        let onset = (self.begin + silence).min(self.samples.len());
        (at(onset), at(self.samples.len()))
    }
}

impl Fault {
    /// A message as it is said under this misbehaviour.
    pub(super) fn said(self, value: &Value) -> Message {
        match self {
            Self::Garbage => Message::text("{\"type\":\"Resul"),
            Self::HalfALetter => {
                let text = OpCode::Data(Data::Text);
                Message::Frame(Frame::message(&b"{\"type\":\"Gr\xC3\"}"[..], text, true))
            }
            Self::Well | Self::Refuses(..) | Self::CutsAfter(_) | Self::IgnoresPauses => {
                Message::text(value.to_string())
            }
        }
    }
}

/// A place in the stream in seconds.
pub(super) fn at(sample: usize) -> f64 {
    sample as f64 / 16_000.0
}

/// The words with their times, spread over a stretch.
pub(super) fn words(text: &str, (start, end): (f64, f64), key: &str) -> Vec<Value> {
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
pub(super) const LEAST_LOUD: usize = 1_600;
