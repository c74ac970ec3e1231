//! `/v1/listen`: words as they are heard, certain ones when the caller pauses.

use std::time::Duration;

use serde::Deserialize;
use tokio_tungstenite::tungstenite::Message;

use super::settings::{Settings, close_stream};
use crate::agent::event::{PauseId, Transcript};
use crate::providers::error::ProviderError;
use crate::providers::stt::socket::{Dialect, Out, linear16};
use crate::providers::stt::words::{TOLERANCE, join, samples};
use crate::providers::transcriber::{Context, Heard};
use crate::providers::websocket::{self, Dial};

/// The interface towards one call. Places in the stream are counted in samples since the socket
/// was opened.
pub(super) struct Listen {
    dial: Dial,
    /// What was sent.
    sent: u64,
    /// Where the turn began.
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
    /// Where the vendor was last told to make everything certain.
    flushed: u64,
}

impl Listen {
    /// Hears over sockets that are opened so.
    pub fn new(dial: Dial) -> Self {
        Self {
            dial,
            sent: 0,
            began: 0,
            certain: 0,
            text: String::new(),
            rest: String::new(),
            confidence: None,
            pause: PauseId::default(),
            asked: None,
            flushed: 0,
        }
    }

    /// Where a socket is opened for a call.
    ///
    /// # Errors
    /// When the address of the settings is none.
    pub fn dial_of(settings: &Settings, context: &Context) -> Result<Dial, ProviderError> {
        let newest = settings.model.starts_with("nova-3");
        let mut query = vec![
            ("model", settings.model.clone()),
            ("language", context.language.tag().to_owned()),
            ("encoding", "linear16".to_owned()),
            ("sample_rate", "16000".to_owned()),
            ("channels", "1".to_owned()),
            ("interim_results", "true".to_owned()),
            ("punctuate", "true".to_owned()),
            // We say ourselves when the caller pauses, and sooner.
            ("endpointing", "false".to_owned()),
        ];
        let key_terms = context.key_terms.iter().take(MOST_KEY_TERMS);
        let key = if newest { "keyterm" } else { "keywords" };
        query.extend(key_terms.map(|term| (key, term.clone())));
        let url = websocket::address(&settings.name, (&settings.base_url, "/v1/listen"), &query)?;
        Ok(Dial { provider: settings.name.clone(), url, headers: settings.headers() })
    }

    fn results(&mut self, results: Results, out: &mut Out) {
        let begin = samples(results.start);
        let end = samples(results.start + results.duration);
        if end <= self.began + TOLERANCE / 4 && self.began > 0 {
            return;
        }
        let Some(best) = results.channel.alternatives.into_iter().next() else { return };
        let text = match begin + TOLERANCE < self.began {
            // The stretch began in the turn before: only the words of this one count.
            true => best.words_since(self.began.saturating_sub(TOLERANCE / 2)),
            false => best.transcript,
        };
        if !results.is_final {
            self.rest = text;
            let text = self.words();
            if !text.is_empty() && self.asked.is_none() {
                out.tell
                    .push(Heard { pause: self.pause, transcript: Transcript::Partial { text } });
            }
            return;
        }
        if !text.trim().is_empty() {
            join(&mut self.text, &text);
            let sure = best.confidence;
            self.confidence = Some(self.confidence.map_or(sure, |so_far| so_far.min(sure)));
        }
        self.rest.clear();
        let certain = self.certain.max(self.began);
        self.certain = certain.max(end);
        out.settled += usize::try_from(self.certain - certain).unwrap_or(0);
        if self.asked.is_some_and(|asked| end + TOLERANCE >= asked) {
            self.answer(out);
        }
    }

    /// Gives the text of the pause.
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

    fn flush(&mut self, out: &mut Out) {
        self.flushed = self.sent;
        out.send.push(Message::text("{\"type\":\"Finalize\"}"));
    }
}

impl Dialect for Listen {
    fn dial(&self) -> Dial {
        self.dial.clone()
    }

    fn opened(&mut self) {
        (self.sent, self.began, self.certain, self.flushed) = (0, 0, 0, 0);
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
        if self.sent <= self.certain + TOLERANCE / 4 {
            // All of it is certain already; nothing would be answered.
            return self.answer(out);
        }
        self.asked = Some(self.sent);
        self.flush(out);
        let unheard = self.sent.saturating_sub(self.certain.max(self.began));
        out.wake = Some(TEXT_WITHIN + Duration::from_micros(unheard * 1_000_000 / 16_000) / 10);
    }

    fn forget(&mut self, out: &mut Out) {
        self.asked = None;
        // What was not yet certain must not run into the next turn.
        if self.flushed < self.sent {
            self.flush(out);
        }
        (self.began, self.certain) = (self.sent, self.sent);
    }

    fn received(&mut self, text: &str, out: &mut Out) -> Result<(), ProviderError> {
        let broken = |_| ProviderError::passing(&self.dial.provider, "is not in the protocol");
        let message: Incoming = serde_json::from_str(text).map_err(broken)?;
        match message {
            Incoming::Results(results) => self.results(results, out),
            Incoming::Error { code } => {
                let code = code.unwrap_or_default();
                tracing::warn!(provider = self.dial.provider, code, "the transcriber complains");
            }
            Incoming::Other => {}
        }
        Ok(())
    }

    fn wake(&mut self, out: &mut Out) {
        // It does not always answer: then what is known has to do.
        if self.asked.is_some() {
            self.answer(out);
        }
    }

    fn idle(&mut self) -> Message {
        Message::text("{\"type\":\"KeepAlive\"}")
    }

    fn goodbye(&self) -> Message {
        close_stream()
    }
}

/// What the vendor says. Kinds of messages and keys that are not named are left alone: there are
/// new ones every month.
#[derive(Debug, Deserialize)]
#[serde(tag = "type")]
enum Incoming {
    Results(Results),
    Error {
        code: Option<String>,
    },
    #[serde(other)]
    Other,
}

#[derive(Debug, Deserialize)]
struct Results {
    #[serde(default)]
    start: f64,
    #[serde(default)]
    duration: f64,
    #[serde(default)]
    is_final: bool,
    channel: Channel,
}

#[derive(Debug, Deserialize)]
struct Channel {
    #[serde(default)]
    alternatives: Vec<Alternative>,
}

#[derive(Debug, Deserialize)]
struct Alternative {
    #[serde(default)]
    transcript: String,
    #[serde(default)]
    confidence: f32,
    #[serde(default)]
    words: Vec<Word>,
}

#[derive(Debug, Deserialize)]
struct Word {
    #[serde(default)]
    word: String,
    punctuated_word: Option<String>,
    #[serde(default)]
    start: f64,
}

impl Alternative {
    fn words_since(&self, begin: u64) -> String {
        let since = self.words.iter().filter(|word| samples(word.start) >= begin);
        let words = since.map(|word| word.punctuated_word.as_deref().unwrap_or(&word.word));
        words.collect::<Vec<_>>().join(" ")
    }
}

/// How long the text of a pause may take, when nearly everything was heard before. Mostly it comes
/// much sooner; sometimes it does not come at all.
const TEXT_WITHIN: Duration = Duration::from_millis(500);

/// The most words to expect: the vendor takes 500 tokens.
const MOST_KEY_TERMS: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    fn listen() -> Listen {
        let url = websocket::address("test", ("http://127.0.0.1:1", "/v1/listen"), &[]).unwrap();
        Listen::new(Dial { provider: "test".to_owned(), url, headers: Vec::new() })
    }

    fn results(text: &str, (start, end): (f64, f64), is_final: bool) -> String {
        serde_json::json!({
            "type": "Results", "start": start, "duration": end - start, "is_final": is_final,
            "from_finalize": is_final, "new_key": [1],
            "channel": { "alternatives": [{ "transcript": text, "confidence": 0.9, "words": [] }] },
        })
        .to_string()
    }

    fn heard(listen: &mut Listen, text: &str) -> Out {
        let mut out = Out::default();
        listen.received(text, &mut out).unwrap();
        out
    }

    #[test]
    fn the_text_of_a_pause_covers_the_turn_and_no_other() {
        let mut listen = listen();
        let mut out = Out::default();
        listen.begin();
        listen.hear(&[0; 16_000], &mut out);
        let told = heard(&mut listen, &results("I would", (0.0, 0.9), false)).tell;
        assert_eq!(told.len(), 1, "{told:?}");
        listen.finalize(PauseId(1), &mut out);
        let out = heard(&mut listen, &results("I would like", (0.0, 1.0), true));
        let text = "I would like".to_owned();
        let said = Transcript::Final { text, confidence: Some(0.9), complete: false };
        assert_eq!(out.tell, [Heard { pause: PauseId(1), transcript: said }]);
        assert_eq!(out.settled, 16_000);
        // The caller goes on, and a late answer to the first pause is none to the second.
        let mut out = Out::default();
        listen.hear(&[0; 16_000], &mut out);
        listen.finalize(PauseId(2), &mut out);
        assert!(heard(&mut listen, &results("", (1.0, 1.1), true)).tell.is_empty());
        let out = heard(&mut listen, &results("to book.", (1.1, 2.0), true));
        assert!(
            matches!(&out.tell[0].transcript, Transcript::Final { text, .. } if text == "I would like to book.")
        );
        // What is left of a turn that was taken is not heard in the next.
        let mut out = Out::default();
        listen.forget(&mut out);
        listen.begin();
        assert!(heard(&mut listen, &results("late", (1.8, 2.0), true)).tell.is_empty());
        listen.hear(&[0; 8_000], &mut out);
        listen.finalize(PauseId(3), &mut out);
        let out = heard(&mut listen, &results("Yes.", (2.0, 2.5), true));
        assert!(
            matches!(&out.tell[0].transcript, Transcript::Final { text, .. } if text == "Yes.")
        );
    }

    #[test]
    fn a_pause_that_is_not_answered_gets_what_is_known() {
        let mut listen = listen();
        let mut out = Out::default();
        listen.begin();
        listen.hear(&[0; 16_000], &mut out);
        heard(&mut listen, &results("maybe", (0.0, 0.8), false));
        listen.finalize(PauseId(4), &mut out);
        assert!(out.wake.is_some_and(|after| after >= TEXT_WITHIN));
        let mut out = Out::default();
        listen.wake(&mut out);
        assert!(
            matches!(&out.tell[0].transcript, Transcript::Final { text, .. } if text == "maybe")
        );
        let mut out = Out::default();
        listen.wake(&mut out);
        assert!(out.tell.is_empty(), "only once");
    }

    #[test]
    fn nonsense_ends_the_socket_and_news_do_not() {
        let mut listen = listen();
        assert!(listen.received("{\"type\":\"Res", &mut Out::default()).is_err());
        assert!(listen.received("{\"type\":\"Weather\",\"rain\":1}", &mut Out::default()).is_ok());
    }
}
