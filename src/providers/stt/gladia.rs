//! Gladia's streams: a request says what is to be heard, and its answer where.

use std::time::Duration;

use futures_util::future::BoxFuture;
use reqwest::{Client, RequestBuilder};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use super::socket::{Calls, Dialect, Out, linear16};
use super::words::{TOLERANCE, join, samples, since};
use crate::agent::event::{PauseId, Transcript};
use crate::base::secret::Secret;
use crate::providers::error::ProviderError;
use crate::providers::http;
use crate::providers::transcriber::{Context, Heard, Listening, Transcriber};
use crate::providers::websocket::{self, Dial};

/// Gladia behind an address.
#[derive(Debug)]
pub struct Gladia {
    settings: Settings,
    client: Client,
    calls: Calls,
}

/// Where it is, and how it is asked.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The provider's name in the configuration.
    pub name: String,
    /// Up to and without the path: `https://api.gladia.io`.
    pub base_url: String,
    /// Where it is to work: `eu-west` or `us-west`.
    pub region: Option<String>,
    /// The key.
    pub api_key: Secret,
    /// The model: `solaria-1`.
    pub model: String,
    /// How long it may take to say where the socket is.
    pub timeout: Duration,
}

impl Gladia {
    /// Makes the transcriber; nothing is sent.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(settings: Settings) -> Result<Self, ProviderError> {
        let client = http::client(&settings.name)?;
        Ok(Self { settings, client, calls: Calls::default() })
    }

    fn keyed(&self, builder: RequestBuilder) -> RequestBuilder {
        http::keyed(builder, &Default::default(), ("x-gladia-key", Some(&self.settings.api_key)))
    }

    fn wish(&self, context: &Context) -> Value {
        let mut wish = json!({
            "encoding": "wav/pcm",
            "bit_depth": 16,
            "sample_rate": 16_000,
            "channels": 1,
            "model": self.settings.model,
            // We say ourselves when a turn is over: what it heard is wanted at once.
            "endpointing": 0.05,
            "maximum_duration_without_endpointing": 5,
            "language_config": {
                "languages": [context.language.primary()],
                "code_switching": false,
            },
            "messages_config": {
                "receive_partial_transcripts": true,
                "receive_final_transcripts": true,
                "receive_speech_events": false,
                "receive_acknowledgments": false,
            },
        });
        if !context.key_terms.is_empty() {
            let terms: Vec<&String> = context.key_terms.iter().take(MOST_KEY_TERMS).collect();
            wish["realtime_processing"] = json!({
                "custom_vocabulary": true,
                "custom_vocabulary_config": { "vocabulary": terms },
            });
        }
        wish
    }
}

impl Transcriber for Gladia {
    fn warm_up(&self) -> BoxFuture<'_, Result<(), ProviderError>> {
        let url = http::url(&self.settings.base_url, "/v2/live?limit=1");
        let request = self.keyed(self.client.get(url)).timeout(WARM_UP_WITHIN);
        Box::pin(http::warmed(&self.settings.name, request))
    }

    fn name(&self) -> Option<&str> {
        Some(&self.settings.model)
    }

    fn open(
        &self,
        context: Context,
        heard: mpsc::Sender<Heard>,
    ) -> BoxFuture<'_, Result<Box<dyn Listening>, ProviderError>> {
        let Settings { name, base_url, region, timeout, .. } = &self.settings;
        let query: Vec<_> = region.iter().map(|region| ("region", region.clone())).collect();
        let url = match websocket::address(name, (base_url, "/v2/live"), &query) {
            Ok(url) => url,
            Err(why) => return Box::pin(async { Err(why) }),
        };
        let ask = self.keyed(self.client.post(url.clone())).json(&self.wish(&context));
        let dial = Dial { provider: name.clone(), url, headers: Vec::new() };
        self.calls.open(Live::new(dial, (ask, *timeout)), heard)
    }
}

/// The interface towards one call. Places in the stream are counted in samples since the socket
/// was opened.
struct Live {
    /// Where is asked for a socket, and how long that may take.
    dial: Dial,
    ask: RequestBuilder,
    patience: Duration,
    sent: u64,
    began: u64,
    /// Up to where the text is certain.
    certain: u64,
    /// The certain words of the turn.
    text: String,
    /// What may follow them.
    rest: String,
    confidence: Option<f32>,
    /// The last pause, and where it was while its text is still to come.
    pause: PauseId,
    asked: Option<u64>,
}

impl Live {
    fn new(dial: Dial, (ask, patience): (RequestBuilder, Duration)) -> Self {
        Self {
            dial,
            ask,
            patience,
            sent: 0,
            began: 0,
            certain: 0,
            text: String::new(),
            rest: String::new(),
            confidence: None,
            pause: PauseId::default(),
            asked: None,
        }
    }

    fn transcript(&mut self, heard: Piece, out: &mut Out) {
        let Utterance { text, start, end, confidence, words } = heard.utterance;
        let end = samples(end);
        if end <= self.began && self.began > 0 {
            return;
        }
        let timed = words.iter().map(|word| (word.word.trim(), word.start.map(samples)));
        let begins_before = samples(start) + TOLERANCE < self.began;
        let text = if begins_before { since(self.began, &text, timed) } else { text };
        if !heard.is_final {
            self.rest = text;
            let text = self.words();
            if !text.is_empty() && self.asked.is_none() {
                let transcript = Transcript::Partial { text };
                out.tell.push(Heard { pause: self.pause, transcript });
            }
            return;
        }
        if !text.trim().is_empty() {
            join(&mut self.text, &text);
            let sure = confidence.unwrap_or(1.0);
            self.confidence = Some(self.confidence.map_or(sure, |so_far| so_far.min(sure)));
        }
        self.rest.clear();
        let certain = self.certain.max(self.began);
        self.certain = certain.max(end.min(self.sent));
        out.settled += usize::try_from(self.certain - certain).unwrap_or(0);
        if self.asked.is_some_and(|asked| self.certain + TAIL >= asked) {
            self.answer(out);
        }
    }

    fn answer(&mut self, out: &mut Out) {
        self.asked = None;
        let (text, confidence) = (self.words(), self.confidence);
        let transcript = Transcript::Final { text, confidence, complete: false };
        out.tell.push(Heard { pause: self.pause, transcript });
    }

    fn words(&self) -> String {
        let mut text = self.text.clone();
        join(&mut text, &self.rest);
        text
    }
}

impl Dialect for Live {
    fn dial(&self) -> Dial {
        self.dial.clone()
    }

    fn arrange(&self) -> BoxFuture<'static, Result<Dial, ProviderError>> {
        let (name, patience) = (self.dial.provider.clone(), self.patience);
        let ask = self.ask.try_clone();
        Box::pin(async move {
            let nonsense = || ProviderError::passing(&name, "is not in the protocol");
            let silent = |_| ProviderError::passing(&name, "no answer in time");
            let ask = ask.ok_or_else(nonsense)?;
            let sent = timeout(patience, ask.send()).await.map_err(silent)?;
            let response = sent.map_err(|why| http::broken(&name, &why))?;
            if !response.status().is_success() {
                return Err(http::refused(&name, response).await);
            }
            let read = timeout(patience, http::limited(response, LARGEST_ANSWER));
            let body = read.await.map_err(silent)?;
            let place: Place = serde_json::from_slice(&body).map_err(|_| nonsense())?;
            let url = reqwest::Url::parse(&place.url).map_err(|_| nonsense())?;
            if !matches!(url.scheme(), "ws" | "wss") {
                return Err(nonsense());
            }
            Ok(Dial { provider: name, url, headers: Vec::new() })
        })
    }

    fn opened(&mut self) {
        (self.sent, self.began, self.certain) = (0, 0, 0);
        self.asked = None;
        self.rest.clear();
    }

    fn begin(&mut self) {
        (self.began, self.certain) = (self.sent, self.sent);
        self.asked = None;
        self.text.clear();
        self.rest.clear();
        self.confidence = None;
    }

    fn hear(&mut self, samples: &[i16], out: &mut Out) {
        self.sent += samples.len() as u64;
        out.send.push(linear16(samples));
    }

    fn finalize(&mut self, pause: PauseId, out: &mut Out) {
        self.pause = pause;
        let is_known = !self.text.is_empty() && self.certain + TAIL >= self.sent;
        if self.sent == self.began || (is_known && self.rest.is_empty()) {
            return self.answer(out);
        }
        self.asked = Some(self.sent);
        out.wake = Some(TEXT_WITHIN);
    }

    fn forget(&mut self, _out: &mut Out) {
        self.asked = None;
        (self.began, self.certain) = (self.sent, self.sent);
    }

    fn received(&mut self, text: &str, out: &mut Out) -> Result<(), ProviderError> {
        let name = &self.dial.provider;
        let broken = |_| ProviderError::passing(name, "is not in the protocol");
        match serde_json::from_str(text).map_err(broken)? {
            Incoming::Transcript { data } => self.transcript(data, out),
            Incoming::Error {} => {
                return Err(ProviderError::passing(name, "says that something is wrong"));
            }
            Incoming::Other => {}
        }
        Ok(())
    }

    fn wake(&mut self, out: &mut Out) {
        // Of silence and noise it says nothing: then what is known has to do.
        if self.asked.is_some() {
            self.answer(out);
        }
    }

    fn idle(&mut self) -> Message {
        // There is no message for it: silence keeps the stream alive.
        self.sent += SILENCE as u64;
        linear16(&[0; SILENCE])
    }

    fn goodbye(&self) -> Message {
        Message::text("{\"type\":\"stop_recording\"}")
    }
}

/// Where the socket is.
#[derive(Deserialize)]
struct Place {
    url: String,
}

/// What the vendor says. Kinds of messages and keys that are not named are left alone.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Incoming {
    Transcript {
        data: Piece,
    },
    Error {},
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Piece {
    #[serde(default)]
    is_final: bool,
    utterance: Utterance,
}

#[derive(Deserialize)]
struct Utterance {
    #[serde(default)]
    text: String,
    #[serde(default)]
    start: f64,
    #[serde(default)]
    end: f64,
    confidence: Option<f32>,
    #[serde(default)]
    words: Vec<Word>,
}

#[derive(Deserialize)]
struct Word {
    #[serde(default)]
    word: String,
    start: Option<f64>,
}

/// How much silence may lie between the last word and the pause, in samples: 700 ms.
const TAIL: u64 = 11_200;

/// How long the text of a pause may take.
const TEXT_WITHIN: Duration = Duration::from_millis(700);

/// How much silence is sent at once, in samples: 100 ms.
const SILENCE: usize = 1_600;

/// The most words to expect.
const MOST_KEY_TERMS: usize = 100;

/// The largest answer in octets.
const LARGEST_ANSWER: usize = 64 << 10;

/// How long the warm-up may take.
const WARM_UP_WITHIN: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    fn live() -> Live {
        let url = websocket::address("test", ("http://127.0.0.1:1", "/v2/live"), &[]).unwrap();
        let ask = http::client("test").unwrap().post(url.clone());
        let dial = Dial { provider: "test".to_owned(), url, headers: Vec::new() };
        Live::new(dial, (ask, Duration::from_secs(1)))
    }

    fn heard(live: &mut Live, text: &str, (start, end): (f64, f64), is_final: bool) -> Out {
        let utterance = json!({ "text": text, "start": start, "end": end, "confidence": 0.9,
            "language": "de", "words": [] });
        let message = json!({ "type": "transcript",
            "data": { "id": "00_1", "is_final": is_final, "utterance": utterance } });
        let mut out = Out::default();
        live.received(&message.to_string(), &mut out).unwrap();
        out
    }

    fn text(out: &Out) -> &str {
        match &out.tell[0].transcript {
            Transcript::Final { text, .. } => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_pause_waits_for_the_words_before_it() {
        let mut live = live();
        let mut out = Out::default();
        live.begin();
        live.hear(&[0; 32_000], &mut out);
        heard(&mut live, "I would", (0.1, 0.6), true);
        live.finalize(PauseId(1), &mut out);
        assert!(out.tell.is_empty(), "there may be more");
        let out = heard(&mut live, "like to book", (1.0, 1.8), true);
        assert_eq!(text(&out), "I would like to book");
        assert_eq!(out.settled, 28_800 - 9_600);
        // What is known already is told at once.
        let mut out = Out::default();
        live.finalize(PauseId(2), &mut out);
        assert_eq!(text(&out), "I would like to book");
        // What the turn before said is not heard in the next.
        live.forget(&mut out);
        live.begin();
        assert!(heard(&mut live, "late", (1.7, 2.0), true).tell.is_empty());
        let mut out = Out::default();
        live.hear(&[0; 16_000], &mut out);
        live.finalize(PauseId(3), &mut out);
        assert_eq!(out.wake, Some(TEXT_WITHIN));
        let mut out = Out::default();
        live.wake(&mut out);
        assert_eq!(text(&out), "", "nothing was understood");
    }
}
