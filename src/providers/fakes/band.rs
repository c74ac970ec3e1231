//! Three stand-ins that play together: one hears, one thinks, one speaks. Questions and answers are
//! digits, so whoever calls knows whether an answer is the right one.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::code;
use super::stand::{Observer, Stand};
use super::{chat, deepgram, elevenlabs};
use crate::audio::frame::Rate;

/// The stand-ins at work.
#[derive(Debug)]
pub struct Band {
    ears: Stand,
    mind: Stand,
    mouth: Stand,
}

/// How long each of them takes, and what the voice sounds like behind the digits of an answer.
#[derive(Clone)]
pub struct Score {
    /// From the caller's pause to the text.
    pub hears: Duration,
    /// From the request to the first word.
    pub thinks: Duration,
    /// For each further word.
    pub per_word: Duration,
    /// From a clause to its first sound.
    pub speaks: Duration,
    /// Speech at 16 kHz.
    pub speech: Vec<i16>,
    /// Who looks on.
    pub observer: Observer,
}

impl Band {
    /// Opens them on ports of 127.0.0.1.
    ///
    /// # Errors
    /// When there is no free port.
    pub async fn open(score: Score) -> io::Result<Self> {
        let observer = score.observer;
        let ears = deepgram::Script {
            key: KEY,
            ear: Arc::new(|samples, _| heard(&code::keys(samples, Rate::WIDE))),
            delay: score.hears,
            faults: Vec::new(),
            observer: observer.clone(),
        };
        let mind = chat::Script {
            key: KEY,
            mind: Arc::new(|asked| {
                chat::Answer::Says(format!("It is {}.", spelled(&answer(&digits(asked)))))
            }),
            delay: score.thinks,
            per_word: score.per_word,
            observer: observer.clone(),
        };
        let speech = score.speech;
        let mouth = elevenlabs::Script {
            key: KEY,
            throat: Arc::new(move |text| {
                let mut samples = code::sound(&digits(text), Rate::WIDE);
                samples.extend(&speech);
                samples
            }),
            delay: score.speaks,
            pace: Duration::ZERO,
            faults: Vec::new(),
            observer,
        };
        let ears = deepgram::open(ears).await?;
        let mind = chat::open(mind).await?;
        Ok(Self { ears, mind, mouth: elevenlabs::open(mouth).await? })
    }

    /// The settings of a server whose agents may name them: `ears`, `mind` and `mouth`.
    pub fn settings(&self) -> String {
        let table = |name: &str, kind: &str, url: &str, more: &str| {
            format!(
                "[providers.{name}]\nkind = \"{kind}\"\napi_key = \"{KEY}\"\n\
                 base_url = \"{url}\"\n{more}\n"
            )
        };
        let mind = format!("{}/v1", self.mind.base_url());
        [
            table("ears", "deepgram", &self.ears.base_url(), "model = \"nova-3\""),
            table("mind", "openai-compatible", &mind, "model = \"digits\""),
            table("mouth", "elevenlabs", &self.mouth.base_url(), "voice = \"digits\""),
        ]
        .concat()
    }

    /// What real vendors would not have accepted.
    pub fn complaints(&self) -> Vec<String> {
        [&self.ears, &self.mind, &self.mouth].into_iter().flat_map(Stand::complaints).collect()
    }
}

/// The answer to a question of digits: each of them and one.
pub fn answer(question: &str) -> String {
    let next = |digit: u32| char::from_digit((digit + 1) % 10, 10);
    question.chars().filter_map(|it| it.to_digit(10)).filter_map(next).collect()
}

/// What the caller said in these keys.
fn heard(keys: &str) -> String {
    if keys.is_empty() { String::new() } else { format!("Is {} open?", spelled(keys)) }
}

fn spelled(keys: &str) -> String {
    let digits = keys.chars().filter_map(|key| key.to_digit(10));
    let words = digits.filter_map(|digit| WORDS.get(digit as usize).copied());
    words.collect::<Vec<_>>().join(" ")
}

/// The digits in words.
fn digits(text: &str) -> String {
    let words = text.split(|letter: char| !letter.is_alphanumeric());
    let places = words.filter_map(|word| WORDS.iter().position(|it| *it == word));
    places.map(|digit| digit.to_string()).collect()
}

const WORDS: [&str; 10] =
    ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];

const KEY: &str = "sesame";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_known_by_its_question() {
        assert_eq!(heard("47"), "Is four seven open?");
        assert_eq!(answer(&digits("Is four nine open?")), "50");
        assert_eq!(spelled("50"), "five zero");
    }
}
