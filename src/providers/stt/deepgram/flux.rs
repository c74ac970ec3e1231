//! `/v2/listen`: Flux, which hears by itself when a turn is over.

use std::time::Duration;

use serde::Deserialize;
use tokio_tungstenite::tungstenite::Message;

use super::listen::join;
use super::settings::{Settings, close_stream};
use crate::agent::event::{Judgement, PauseId, Transcript};
use crate::providers::error::ProviderError;
use crate::providers::stt::socket::{Dialect, Out, linear16};
use crate::providers::transcriber::{Context, Heard};
use crate::providers::websocket::{self, Dial};

/// The interface towards one call. A turn of the vendor may be shorter than one of ours: ours ends
/// when it is taken. Places in the stream are counted in samples since the socket was opened.
pub(super) struct Flux {
    dial: Dial,
    /// What was sent.
    sent: u64,
    /// Where our turn began, while there is one.
    began: u64,
    in_turn: bool,
    /// The words of the vendor's turns that ended within ours.
    text: String,
    /// Those of its turn that goes on.
    rest: String,
    /// How it judges them, and what had been sent by then.
    judgement: Judgement,
    judged: u64,
    /// The number of the vendor's turn, and whether it goes on.
    turn: Option<u64>,
    open: bool,
    /// Turns of the vendor up to this one belong to turns of ours that were taken.
    taken: Option<u64>,
    pause: PauseId,
    /// Whether the pause waits for a word.
    asked: bool,
}

impl Flux {
    /// Hears over sockets that are opened so.
    pub fn new(dial: Dial) -> Self {
        Self {
            dial,
            sent: 0,
            began: 0,
            in_turn: false,
            text: String::new(),
            rest: String::new(),
            judgement: Judgement::Open,
            judged: 0,
            turn: None,
            open: false,
            taken: None,
            pause: PauseId::default(),
            asked: false,
        }
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

    fn turn_info(&mut self, info: TurnInfo, out: &mut Out) {
        self.turn = Some(info.turn_index);
        self.open = info.event != Event::EndOfTurn;
        let taken = self.taken.is_some_and(|taken| info.turn_index <= taken);
        if taken || !self.in_turn || info.event == Event::Other {
            return;
        }
        let before = self.words();
        self.rest = info.words_since(self.began);
        self.judged = self.sent;
        self.judgement = match info.event {
            Event::EagerEndOfTurn => Judgement::Likely,
            Event::EndOfTurn => Judgement::Over,
            Event::StartOfTurn | Event::Update | Event::TurnResumed | Event::Other => {
                Judgement::Open
            }
        };
        if self.judgement == Judgement::Over {
            let rest = std::mem::take(&mut self.rest);
            join(&mut self.text, &rest);
        }
        if self.words().is_empty() {
            return;
        }
        match info.event {
            Event::EagerEndOfTurn | Event::EndOfTurn | Event::TurnResumed => self.answer(out),
            Event::StartOfTurn | Event::Update | Event::Other => {
                if self.words() != before {
                    let text = self.words();
                    let transcript = Transcript::Partial { text };
                    out.tell.push(Heard { pause: self.pause, transcript });
                }
            }
        }
    }

    /// Says what was heard, and whether the turn is over.
    fn answer(&mut self, out: &mut Out) {
        self.asked = false;
        let transcript = Transcript::Judged { text: self.words(), judgement: self.judgement };
        out.tell.push(Heard { pause: self.pause, transcript });
    }

    fn words(&self) -> String {
        let mut text = self.text.clone();
        join(&mut text, &self.rest);
        text
    }

    fn forget_words(&mut self) {
        self.text.clear();
        self.rest.clear();
        self.judgement = Judgement::Open;
        self.asked = false;
    }
}

impl Dialect for Flux {
    fn dial(&self) -> Dial {
        self.dial.clone()
    }

    fn opened(&mut self) {
        (self.sent, self.began, self.judged) = (0, 0, 0);
        (self.turn, self.taken, self.open) = (None, None, false);
        self.text.clear();
        self.rest.clear();
    }

    fn begin(&mut self) {
        self.began = self.sent;
        self.in_turn = true;
        self.forget_words();
    }

    fn hear(&mut self, samples: &[i16], out: &mut Out) {
        self.sent += samples.len() as u64;
        out.send.push(linear16(samples));
    }

    fn finalize(&mut self, pause: PauseId, out: &mut Out) {
        self.pause = pause;
        if self.judgement != Judgement::Open && self.sent - self.judged <= JUST_NOW {
            return self.answer(out);
        }
        self.asked = true;
        out.wake = Some(WORD_WITHIN);
    }

    fn forget(&mut self, out: &mut Out) {
        self.in_turn = false;
        self.taken = self.turn;
        if self.open {
            out.send.push(Message::text("{\"type\":\"ForceEndTurn\"}"));
        }
        self.forget_words();
    }

    fn received(&mut self, text: &str, out: &mut Out) -> Result<(), ProviderError> {
        let broken = |_| ProviderError::passing(&self.dial.provider, "is not in the protocol");
        match serde_json::from_str(text).map_err(broken)? {
            Incoming::TurnInfo(info) => self.turn_info(info, out),
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
        if self.asked {
            self.answer(out);
        }
    }

    fn idle(&mut self) -> Message {
        // There is no message for it: silence keeps the stream alive.
        self.sent += SILENCE as u64;
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
        let is_older = |word: &Word| {
            word.start.is_some_and(|start| (start * 16_000.0) as u64 + TOLERANCE < began)
        };
        if !self.words.iter().any(is_older) {
            return self.transcript.clone();
        }
        let newer = self.words.iter().filter(|word| !is_older(word));
        newer.map(|word| word.word.as_str()).collect::<Vec<_>>().join(" ")
    }
}

/// How far the vendor's times may be beside ours, in samples: 100 ms.
const TOLERANCE: u64 = 1_600;

/// A judgement stands as long as no more than this was sent since, in samples: 400 ms.
const JUST_NOW: u64 = 6_400;

/// How long a pause waits for a judgement before it gets the words without one.
const WORD_WITHIN: Duration = Duration::from_millis(300);

/// How much silence is sent at once, in samples: 80 ms.
const SILENCE: usize = 1_280;

/// The most words to expect.
const MOST_KEY_TERMS: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

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

    fn judged(text: &str, judgement: Judgement) -> Vec<Transcript> {
        vec![Transcript::Judged { text: text.to_owned(), judgement }]
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
        assert_eq!(eager, judged("I would", Judgement::Likely));
        let resumed = told(&mut flux, "TurnResumed", 0, &words);
        assert_eq!(resumed, judged("I would", Judgement::Open));
        let words = [("I", 0.1), ("would.", 0.3)];
        let over = told(&mut flux, "EndOfTurn", 0, &words);
        assert_eq!(over, judged("I would.", Judgement::Over));
        // The pause comes after the judgement: it stands.
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
        assert_eq!(over, judged("No.", Judgement::Over));
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
        assert_eq!(heard, judged("well", Judgement::Open));
    }

    #[test]
    fn an_error_of_the_vendor_ends_the_socket() {
        let error = "{\"type\":\"Error\",\"code\":\"INTERNAL_SERVER_ERROR\",\"description\":\"x\"}";
        let why = flux().received(error, &mut Out::default()).expect_err("an end");
        assert!(why.reason.contains("INTERNAL_SERVER_ERROR"), "{why}");
    }
}
