//! AssemblyAI's streams, third version: it hears by itself when a turn is over.

use futures_util::future::BoxFuture;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;

use super::judged::{Judged, News};
use super::socket::{Calls, Dialect, Out, linear16, try_out};
use super::words::since;
use crate::agent::event::{PauseId, Verdict};
use crate::base::secret::Secret;
use crate::providers::error::ProviderError;
use crate::providers::transcriber::{Context, Heard, Listening, Transcriber};
use crate::providers::websocket::{self, Dial};

/// AssemblyAI behind an address.
#[derive(Debug)]
pub struct AssemblyAi {
    settings: Settings,
    /// Where the sockets of calls in the language of the agent are opened.
    usual: Context,
    calls: Calls,
}

/// Where it is, and how it is asked.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The provider's name in the configuration.
    pub name: String,
    /// Up to and without the path: `https://streaming.assemblyai.com`.
    pub base_url: String,
    /// The key.
    pub api_key: Secret,
    /// The model; without it the one for the language.
    pub model: Option<String>,
}

impl AssemblyAi {
    /// Makes the transcriber; nothing is sent. `usual` is what it is tried out with.
    pub fn new(settings: Settings, usual: Context) -> Self {
        Self { settings, usual, calls: Calls::default() }
    }

    fn dial(&self, context: &Context) -> Result<Dial, ProviderError> {
        let Settings { name, base_url, api_key, model } = &self.settings;
        let usual = match context.language.is_english() {
            true => "universal-streaming-english",
            false => "universal-streaming-multilingual",
        };
        let mut query = vec![
            ("sample_rate", "16000".to_owned()),
            ("encoding", "pcm_s16le".to_owned()),
            ("speech_model", model.as_deref().unwrap_or(usual).to_owned()),
        ];
        if !context.key_terms.is_empty() {
            let terms = context.key_terms.iter().filter(|it| it.chars().count() <= LONGEST_TERM);
            let terms: Vec<&String> = terms.take(MOST_KEY_TERMS).collect();
            query.push(("keyterms_prompt", json!(terms).to_string()));
        }
        let url = websocket::address(name, (base_url, "/v3/ws"), &query)?;
        let headers = vec![("Authorization".to_owned(), api_key.clone())];
        Ok(Dial { provider: name.clone(), url, headers })
    }
}

impl Transcriber for AssemblyAi {
    fn warm_up(&self) -> BoxFuture<'_, Result<(), ProviderError>> {
        Box::pin(async { try_out(self.dial(&self.usual)?, terminate()).await })
    }

    fn name(&self) -> Option<&str> {
        self.settings.model.as_deref()
    }

    fn open(
        &self,
        context: Context,
        heard: mpsc::Sender<Heard>,
    ) -> BoxFuture<'_, Result<Box<dyn Listening>, ProviderError>> {
        match self.dial(&context) {
            Ok(dial) => self.calls.open(Stream::new(dial), heard),
            Err(why) => Box::pin(async { Err(why) }),
        }
    }
}

/// The interface towards one call.
struct Stream {
    dial: Dial,
    turn: Judged,
    /// Audio that is too short to be sent.
    pending: Vec<i16>,
}

impl Stream {
    fn new(dial: Dial) -> Self {
        Self { dial, turn: Judged::default(), pending: Vec::new() }
    }

    fn send(&mut self, samples: &[i16], out: &mut Out) {
        self.turn.sent(samples.len());
        out.send.push(linear16(samples));
    }

    /// Sends what is left, with as much silence as it needs to be taken.
    fn send_rest(&mut self, out: &mut Out) {
        if self.pending.is_empty() {
            return;
        }
        let mut rest = std::mem::take(&mut self.pending);
        rest.resize(rest.len().max(SHORTEST), 0);
        self.send(&rest, out);
    }
}

impl Dialect for Stream {
    const IS_PACED: bool = true;

    fn dial(&self) -> Dial {
        self.dial.clone()
    }

    fn opened(&mut self) {
        self.pending.clear();
        self.turn.opened();
    }

    fn begin(&mut self) {
        self.pending.clear();
        self.turn.begin();
    }

    fn hear(&mut self, samples: &[i16], out: &mut Out) {
        self.pending.extend_from_slice(samples);
        if self.pending.len() >= SHORTEST {
            let samples = std::mem::take(&mut self.pending);
            for piece in samples.chunks(LONGEST) {
                match piece.len() < SHORTEST {
                    true => self.pending.extend_from_slice(piece),
                    false => self.send(piece, out),
                }
            }
        }
    }

    fn finalize(&mut self, pause: PauseId, out: &mut Out) {
        self.send_rest(out);
        self.turn.finalize(pause, out);
    }

    fn forget(&mut self, out: &mut Out) {
        self.pending.clear();
        if self.turn.forget() {
            out.send.push(Message::text("{\"type\":\"ForceEndpoint\"}"));
        }
    }

    fn received(&mut self, text: &str, out: &mut Out) -> Result<(), ProviderError> {
        let name = &self.dial.provider;
        let broken = |_| ProviderError::passing(name, "is not in the protocol");
        match serde_json::from_str(text).map_err(broken)? {
            Incoming::Turn(turn) => {
                let verdict = match (turn.end_of_turn, turn.utterance.is_empty()) {
                    (true, _) => Some(Verdict::Over),
                    (false, false) => Some(Verdict::Likely),
                    (false, true) => None,
                };
                let words = |began| turn.words_since(began);
                self.turn.news(&News { turn: turn.turn_order, words: &words, verdict }, out);
            }
            Incoming::Error { error_code } => {
                let code = error_code.map(|code| format!(" {code}")).unwrap_or_default();
                return Err(ProviderError::passing(name, format!("says error{code}")));
            }
            Incoming::Other => {}
        }
        Ok(())
    }

    fn wake(&mut self, out: &mut Out) {
        self.turn.wake(out);
    }

    fn idle(&mut self) -> Message {
        Message::text("{\"type\":\"KeepAlive\"}")
    }

    fn goodbye(&self) -> Message {
        terminate()
    }
}

/// What ends a stream: without it, it would count as one that is still there.
fn terminate() -> Message {
    Message::text("{\"type\":\"Terminate\"}")
}

/// What the vendor says. Kinds of messages and keys that are not named are left alone.
#[derive(Debug, Deserialize)]
#[serde(tag = "type")]
enum Incoming {
    Turn(Turn),
    Error {
        error_code: Option<u64>,
    },
    #[serde(other)]
    Other,
}

#[derive(Debug, Deserialize)]
struct Turn {
    #[serde(default)]
    turn_order: u64,
    #[serde(default)]
    end_of_turn: bool,
    /// The words that do not change any more.
    #[serde(default)]
    transcript: String,
    /// The same at a pause: the turn may be over.
    #[serde(default)]
    utterance: String,
    #[serde(default)]
    words: Vec<Word>,
}

#[derive(Debug, Deserialize)]
struct Word {
    #[serde(default)]
    text: String,
    /// In milliseconds of the stream.
    start: Option<u64>,
}

impl Turn {
    /// The words that were not said before `began`: while the turn goes on, those that may change
    /// are among them.
    fn words_since(&self, began: u64) -> String {
        let words = self.words.iter();
        let timed = words.map(|word| (word.text.as_str(), word.start.map(|at| at * 16)));
        if self.end_of_turn || self.words.is_empty() {
            return since(began, &self.transcript, timed);
        }
        let all: Vec<&str> = self.words.iter().map(|word| word.text.as_str()).collect();
        since(began, &all.join(" "), timed)
    }
}

/// The shortest and the longest audio that is taken at once, in samples: 50 ms and a second.
const SHORTEST: usize = 800;
const LONGEST: usize = 16_000;

/// The most words to expect, and the longest of them.
const MOST_KEY_TERMS: usize = 100;
const LONGEST_TERM: usize = 50;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::event::Transcript;

    fn told(stream: &mut Stream, turn: u64, over: bool, words: &[(&str, u64)]) -> Vec<Transcript> {
        let text = words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(" ");
        let words = words.iter().map(|(text, start)| json!({ "text": text, "start": start }));
        let message = json!({ "type": "Turn", "turn_order": turn, "end_of_turn": over,
            "transcript": text, "utterance": "", "words": words.collect::<Vec<_>>() });
        let mut out = Out::default();
        stream.received(&message.to_string(), &mut out).unwrap();
        out.tell.into_iter().map(|heard| heard.transcript).collect()
    }

    fn stream() -> Stream {
        let url = websocket::address("test", ("http://127.0.0.1:1", "/v3/ws"), &[]).unwrap();
        Stream::new(Dial { provider: "test".to_owned(), url, headers: Vec::new() })
    }

    #[test]
    fn a_turn_that_is_told_again_in_better_words_has_those() {
        let mut stream = stream();
        stream.begin();
        stream.hear(&[0; 16_000], &mut Out::default());
        let over =
            |text: &str| vec![Transcript::Judged { text: text.to_owned(), verdict: Verdict::Over }];
        assert_eq!(told(&mut stream, 0, true, &[("hi", 100), ("there", 300)]), over("hi there"));
        assert_eq!(told(&mut stream, 0, true, &[("Hi", 100), ("there.", 300)]), over("Hi there."));
        assert_eq!(told(&mut stream, 1, true, &[("Yes.", 900)]), over("Hi there. Yes."));
    }

    #[test]
    fn audio_is_neither_too_short_nor_too_long() {
        let mut stream = stream();
        let lengths = |stream: &mut Stream, samples: usize| {
            let mut out = Out::default();
            stream.hear(&vec![1; samples], &mut out);
            out.send.iter().map(|message| message.len() / 2).collect::<Vec<_>>()
        };
        stream.begin();
        assert!(lengths(&mut stream, 320).is_empty());
        assert!(lengths(&mut stream, 320).is_empty());
        assert_eq!(lengths(&mut stream, 320), [960]);
        assert_eq!(lengths(&mut stream, 16_100), [16_000], "the rest waits");
        let mut out = Out::default();
        stream.finalize(PauseId(1), &mut out);
        assert_eq!(out.send[0].len(), 1_600, "the rest has silence behind it");
    }
}
