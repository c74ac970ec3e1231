//! `/v2/listen`: Flux, which hears by itself when a turn is over.

use serde::Deserialize;
use tokio_tungstenite::tungstenite::Message;

use super::settings::{Settings, close_stream};
use crate::agent::event::{PauseId, Verdict};
use crate::providers::error::ProviderError;
use crate::providers::stt::judged::{Judged, News};
use crate::providers::stt::socket::{Dialect, Out, linear16};
use crate::providers::stt::words::{samples, since};
use crate::providers::transcriber::Context;
use crate::providers::websocket::{self, Dial};

/// The interface towards one call.
pub(super) struct Flux {
    dial: Dial,
    turn: Judged,
}

impl Flux {
    /// Hears over sockets that are opened so.
    pub fn new(dial: Dial) -> Self {
        Self { dial, turn: Judged::default() }
    }

    /// Where a socket is opened for a call.
    ///
    /// # Errors
    /// When the address of the settings is none.
    pub fn dial_of(settings: &Settings, context: &Context) -> Result<Dial, ProviderError> {
        let mut query = vec![
            ("model", settings.model.clone()),
            ("encoding", "linear16".to_owned()),
            ("sample_rate", "16000".to_owned()),
            // Without it, nothing is said before the end is certain.
            ("eager_eot_threshold", "0.5".to_owned()),
        ];
        if settings.model.ends_with("multi") {
            query.push(("language_hint", context.language.primary().to_owned()));
        }
        let key_terms = context.key_terms.iter().take(MOST_KEY_TERMS);
        query.extend(key_terms.map(|term| ("keyterm", term.clone())));
        let url = websocket::address(&settings.name, (&settings.base_url, "/v2/listen"), &query)?;
        Ok(Dial { provider: settings.name.clone(), url, headers: settings.headers() })
    }

    fn turn_info(&mut self, info: &TurnInfo, out: &mut Out) {
        let verdict = match info.event {
            Event::EagerEndOfTurn => Some(Verdict::Likely),
            Event::TurnResumed => Some(Verdict::Open),
            Event::EndOfTurn => Some(Verdict::Over),
            Event::StartOfTurn | Event::Update => None,
            Event::Other => return,
        };
        let words = |began| info.words_since(began);
        self.turn.news(&News { turn: info.turn_index, words: &words, verdict }, out);
    }
}

impl Dialect for Flux {
    fn dial(&self) -> Dial {
        self.dial.clone()
    }

    fn opened(&mut self) {
        self.turn.opened();
    }

    fn begin(&mut self) {
        self.turn.begin();
    }

    fn hear(&mut self, samples: &[i16], out: &mut Out) {
        self.turn.sent(samples.len());
        out.send.push(linear16(samples));
    }

    fn finalize(&mut self, pause: PauseId, out: &mut Out) {
        self.turn.finalize(pause, out);
    }

    fn forget(&mut self, out: &mut Out) {
        if self.turn.forget() {
            out.send.push(Message::text("{\"type\":\"ForceEndTurn\"}"));
        }
    }

    fn received(&mut self, text: &str, out: &mut Out) -> Result<(), ProviderError> {
        let broken = |_| ProviderError::passing(&self.dial.provider, "is not in the protocol");
        match serde_json::from_str(text).map_err(broken)? {
            Incoming::TurnInfo(info) => self.turn_info(&info, out),
            Incoming::Error { code } => {
                let code = code.filter(|code| crate::providers::http::is_plain(code));
                let code = code.unwrap_or_else(|| "an error".to_owned());
                return Err(ProviderError::passing(&self.dial.provider, format!("says {code}")));
            }
            Incoming::Other => {}
        }
        Ok(())
    }

    fn wake(&mut self, out: &mut Out) {
        self.turn.wake(out);
    }

    fn idle(&mut self) -> Message {
        // There is no message for it: silence keeps the stream alive.
        self.turn.sent(SILENCE);
        linear16(&[0; SILENCE])
    }

    fn goodbye(&self) -> Message {
        close_stream()
    }
}

/// What the vendor says. Kinds of messages and keys that are not named are left alone.
#[derive(Debug, Deserialize)]
#[serde(tag = "type")]
enum Incoming {
    TurnInfo(TurnInfo),
    Error {
        code: Option<String>,
    },
    #[serde(other)]
    Other,
}

#[derive(Debug, Deserialize)]
struct TurnInfo {
    event: Event,
    #[serde(default)]
    turn_index: u64,
    #[serde(default)]
    transcript: String,
    #[serde(default)]
    words: Vec<Word>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
enum Event {
    StartOfTurn,
    Update,
    EagerEndOfTurn,
    TurnResumed,
    EndOfTurn,
    #[serde(other)]
    Other,
}

#[derive(Debug, Deserialize)]
struct Word {
    #[serde(default)]
    word: String,
    /// In seconds of the stream; not every version says it.
    start: Option<f64>,
}

impl TurnInfo {
    /// The words that were not said before `began`.
    fn words_since(&self, began: u64) -> String {
        let words = self.words.iter();
        let timed = words.map(|word| (word.word.as_str(), word.start.map(samples)));
        since(began, &self.transcript, timed)
    }
}

/// How much silence is sent at once, in samples: 80 ms.
const SILENCE: usize = 1_280;

/// The most words to expect.
const MOST_KEY_TERMS: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::event::Transcript;
    use crate::providers::stt::judged::WORD_WITHIN;

    fn flux() -> Flux {
        let url = websocket::address("test", ("http://127.0.0.1:1", "/v2/listen"), &[]).unwrap();
        Flux::new(Dial { provider: "test".to_owned(), url, headers: Vec::new() })
    }

    fn told(flux: &mut Flux, event: &str, turn: u64, words: &[(&str, f64)]) -> Vec<Transcript> {
        let transcript = words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(" ");
        let words = words.iter().map(|(word, at)| serde_json::json!({"word": word, "start": at}));
        let message = serde_json::json!({
            "type": "TurnInfo", "event": event, "turn_index": turn, "transcript": transcript,
            "words": words.collect::<Vec<_>>(), "end_of_turn_confidence": 0.5, "trigger": "model",
        });
        let mut out = Out::default();
        flux.received(&message.to_string(), &mut out).unwrap();
        out.tell.into_iter().map(|heard| heard.transcript).collect()
    }

    fn judged(text: &str, verdict: Verdict) -> Vec<Transcript> {
        vec![Transcript::Judged { text: text.to_owned(), verdict }]
    }

    #[test]
    fn the_vendor_says_when_a_turn_may_be_over_goes_on_and_is_over() {
        let mut flux = flux();
        let mut out = Out::default();
        flux.begin();
        flux.hear(&[0; 16_000], &mut out);
        assert!(told(&mut flux, "StartOfTurn", 0, &[]).is_empty());
        let partial = Transcript::Partial { text: "I would".to_owned() };
        let words = [("I", 0.1), ("would", 0.3)];
        assert_eq!(told(&mut flux, "Update", 0, &words), [partial]);
        let eager = told(&mut flux, "EagerEndOfTurn", 0, &words);
        assert_eq!(eager, judged("I would", Verdict::Likely));
        let resumed = told(&mut flux, "TurnResumed", 0, &words);
        assert_eq!(resumed, judged("I would", Verdict::Open));
        let words = [("I", 0.1), ("would.", 0.3)];
        let over = told(&mut flux, "EndOfTurn", 0, &words);
        assert_eq!(over, judged("I would.", Verdict::Over));
        // The pause comes after the verdict: it stands.
        let mut out = Out::default();
        flux.finalize(PauseId(7), &mut out);
        assert_eq!(out.tell[0].pause, PauseId(7));
        // We wait for more; the next turn of the vendor goes on with ours.
        let words = [("Monday", 1.2)];
        let partial = Transcript::Partial { text: "I would. Monday".to_owned() };
        assert_eq!(told(&mut flux, "Update", 1, &words), [partial]);
    }

    #[test]
    fn what_a_turn_said_that_was_taken_is_not_heard_again() {
        let mut flux = flux();
        let mut out = Out::default();
        flux.begin();
        flux.hear(&[0; 16_000], &mut out);
        told(&mut flux, "Update", 0, &[("Yes", 0.2)]);
        let mut out = Out::default();
        flux.forget(&mut out);
        assert_eq!(out.send, [Message::text("{\"type\":\"ForceEndTurn\"}")]);
        flux.begin();
        assert!(told(&mut flux, "EndOfTurn", 0, &[("Yes.", 0.2)]).is_empty());
        flux.hear(&[0; 16_000], &mut out);
        let words = [("cough", 0.9 - 0.05 - 0.05), ("No.", 1.2)];
        let over = told(&mut flux, "EndOfTurn", 1, &words);
        assert_eq!(over, judged("No.", Verdict::Over));
    }

    #[test]
    fn a_pause_without_a_judgement_gets_the_words_there_are() {
        let mut flux = flux();
        let mut out = Out::default();
        flux.begin();
        flux.hear(&[0; 16_000], &mut out);
        told(&mut flux, "Update", 0, &[("well", 0.2)]);
        flux.finalize(PauseId(1), &mut out);
        assert_eq!(out.wake, Some(WORD_WITHIN));
        let mut out = Out::default();
        flux.wake(&mut out);
        let heard: Vec<_> = out.tell.into_iter().map(|heard| heard.transcript).collect();
        assert_eq!(heard, judged("well", Verdict::Open));
    }

    #[test]
    fn an_error_of_the_vendor_ends_the_socket() {
        let error = "{\"type\":\"Error\",\"code\":\"INTERNAL_SERVER_ERROR\",\"description\":\"x\"}";
        let why = flux().received(error, &mut Out::default()).expect_err("an end");
        assert!(why.reason.contains("INTERNAL_SERVER_ERROR"), "{why}");
    }
}
