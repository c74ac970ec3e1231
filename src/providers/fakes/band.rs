//! Three stand-ins that play together: one hears, one thinks, one speaks. Questions and answers are
//! digits, so whoever calls knows whether an answer is the right one.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::stand::{Observer, Stand};
use super::{chat, code, deepgram, ear, elevenlabs, mind, throat};
use crate::audio::frame::{Frame, Rate};
use crate::audio::resample;

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

impl Score {
    /// Who hears digits as tones of the telephone.
    pub(super) fn ears(&self) -> ear::Script {
        ear::Script {
            key: KEY,
            ear: ear(),
            delay: self.hears,
            faults: Vec::new(),
            observer: self.observer.clone(),
        }
    }

    /// Who answers with each digit and one.
    pub(super) fn mind(&self) -> mind::Script {
        mind::Script {
            key: KEY,
            mind: Arc::new(|asked| {
                mind::Answer::Says(format!("It is {}.", spelled(&answer(&digits(asked)))))
            }),
            delay: self.thinks,
            per_word: self.per_word,
            observer: self.observer.clone(),
        }
    }

    /// Who speaks digits as tones, and then in words that nobody counts.
    pub(super) fn mouth(&self) -> throat::Script {
        throat::Script {
            key: KEY,
            throat: self.throat(Rate::WIDE),
            delay: self.speaks,
            pace: Duration::ZERO,
            faults: Vec::new(),
            observer: self.observer.clone(),
        }
    }

    /// The sound of its mouth at a rate.
    pub(super) fn throat(&self, rate: Rate) -> throat::Throat {
        let speech = Frame::new(Rate::WIDE, self.speech.clone());
        let speech = resample::convert(&speech, rate).samples;
        Arc::new(move |text| {
            let mut samples = code::sound(&digits(text), rate);
            samples.extend(&speech);
            samples
        })
    }
}

impl Band {
    /// Opens them on ports of 127.0.0.1.
    ///
    /// # Errors
    /// When there is no free port.
    pub async fn open(score: &Score) -> io::Result<Self> {
        let ears = deepgram::open(score.ears()).await?;
        let mind = chat::open(score.mind()).await?;
        Ok(Self { ears, mind, mouth: elevenlabs::open(score.mouth()).await? })
    }

    /// The settings of a server whose agents may name them: `ears`, `mind` and `mouth`.
    pub fn settings(&self) -> String {
        let mind = format!("{}/v1", self.mind.base_url());
        [
            table("ears", "deepgram", (&self.ears.base_url(), "model = \"nova-3\"")),
            table("mind", "openai-compatible", (&mind, "model = \"digits\"")),
            table("mouth", "elevenlabs", (&self.mouth.base_url(), "voice = \"digits\"")),
        ]
        .concat()
    }

    /// What real vendors would not have accepted.
    pub fn complaints(&self) -> Vec<String> {
        [&self.ears, &self.mind, &self.mouth].into_iter().flat_map(Stand::complaints).collect()
    }
}

/// A table of the settings.
pub(super) fn table(name: &str, kind: &str, (base_url, more): (&str, &str)) -> String {
    format!(
        "[providers.{name}]\nkind = \"{kind}\"\napi_key = \"{KEY}\"\n\
         base_url = \"{base_url}\"\n{more}\n"
    )
}

/// Hears digits as tones of the telephone, at 16 kHz.
pub(super) fn ear() -> ear::Ear {
    Arc::new(|samples, _| heard(&code::keys(samples, Rate::WIDE)))
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

/// The key that all of them want.
pub(super) const KEY: &str = "sesame";

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
