//! The caller's turn, as the model hears it: its sound, what was committed of it, and its words.

use std::collections::VecDeque;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use super::event::message;
use crate::agent::conversation::join;
use crate::agent::event::{PauseId, ThoughtId};
use crate::audio::frame::Rate;
use crate::audio::g711;
use crate::audio::resample::Resampler;
use crate::providers::realtime::Format;

/// The caller's turn.
#[derive(Default)]
pub(super) struct Turn {
    /// All of it, for another socket.
    samples: Vec<i16>,
    encoder: Option<(Format, Resampler)>,
    /// How many samples were sent since the last commit.
    open: usize,
    /// What was committed, in order.
    pub commits: VecDeque<Commit>,
    /// The pause whose text is wanted.
    pub asked: Option<PauseId>,
    /// The last pause.
    pub pause: PauseId,
    /// The thought about it.
    pub answered_by: Option<ThoughtId>,
}

/// A stretch of sound that the vendor makes a text of.
#[derive(Default)]
pub(super) struct Commit {
    /// Our number of it.
    pub number: u64,
    /// What the vendor calls it, and what came before it.
    pub item: Option<(String, Option<String>)>,
    pub text: String,
    pub is_certain: bool,
}

impl Turn {
    /// Hears samples at 16 kHz; gives them as the vendor wants them.
    pub fn hear(&mut self, samples: &[i16], format: Format) -> Message {
        self.samples.extend_from_slice(samples);
        if self.samples.len() > LONGEST_TURN {
            self.samples.drain(..self.samples.len() - LONGEST_TURN / 2);
        }
        self.append(samples, format)
    }

    /// Another socket hears the turn from its beginning.
    pub fn again(&mut self, format: Format) -> Vec<Message> {
        self.commits.clear();
        (self.open, self.encoder) = (0, None);
        let samples = std::mem::take(&mut self.samples);
        let said = samples.chunks(PIECE).map(|piece| self.append(piece, format)).collect();
        self.samples = samples;
        said
    }

    /// The caller paused: commits what was not, if it is worth it.
    pub fn commit(&mut self, number: u64) -> Option<Message> {
        if self.open < LEAST {
            return None;
        }
        self.open = 0;
        self.commits.push_back(Commit { number, ..Commit::default() });
        let event_id = format!("commit_{number}");
        Some(message(&json!({ "type": "input_audio_buffer.commit", "event_id": event_id })))
    }

    /// Whether something was sent that is not committed.
    pub fn is_open(&self) -> bool {
        self.open > 0
    }

    /// Whether the vendor has still to name something.
    pub fn has_unnamed(&self) -> bool {
        self.commits.iter().any(|commit| commit.item.is_none())
    }

    /// The stretch of this name.
    pub fn stretch(&mut self, item: &str) -> Option<&mut Commit> {
        let is_it = |commit: &Commit| commit.item.as_ref().is_some_and(|(name, _)| name == item);
        self.commits.iter_mut().find(|commit| is_it(commit))
    }

    /// All words so far.
    pub fn words(&self) -> String {
        let mut text = String::new();
        self.commits.iter().for_each(|commit| join(&mut text, commit.text.trim()));
        text
    }

    fn append(&mut self, samples: &[i16], format: Format) -> Message {
        self.open += samples.len();
        if self.encoder.as_ref().is_none_or(|(known, _)| *known != format) {
            self.encoder = Some((format, Resampler::new(Rate::WIDE, rate(format))));
        }
        let mut theirs = Vec::with_capacity(samples.len() * 2);
        if let Some((_, resampler)) = &mut self.encoder {
            resampler.push(samples, &mut theirs);
        }
        let audio = STANDARD.encode(encode(&theirs, format));
        message(&json!({ "type": "input_audio_buffer.append", "audio": audio }))
    }
}

/// The rate of a format.
pub(super) fn rate(format: Format) -> Rate {
    match format {
        Format::Pcmu | Format::Pcma => Rate::NARROW,
        Format::Linear => THEIRS,
    }
}

/// The octets of samples.
pub(super) fn encode(samples: &[i16], format: Format) -> Vec<u8> {
    match format {
        Format::Pcmu => samples.iter().map(|sample| g711::linear_to_ulaw(*sample)).collect(),
        Format::Pcma => samples.iter().map(|sample| g711::linear_to_alaw(*sample)).collect(),
        Format::Linear => samples.iter().flat_map(|sample| sample.to_le_bytes()).collect(),
    }
}

/// The samples of octets; half a sample is kept for the next time.
pub(super) fn decode(octets: &[u8], format: Format, half: &mut Option<u8>) -> Vec<i16> {
    match format {
        Format::Pcmu => octets.iter().map(|code| g711::ulaw_to_linear(*code)).collect(),
        Format::Pcma => octets.iter().map(|code| g711::alaw_to_linear(*code)).collect(),
        Format::Linear => {
            let all: Vec<u8> = half.take().into_iter().chain(octets.iter().copied()).collect();
            let pairs = all.chunks_exact(2);
            *half = pairs.remainder().first().copied();
            pairs.map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
        }
    }
}

/// The rate of linear samples that the vendor wants.
const THEIRS: Rate = Rate(24_000);

/// Less sound is refused by the vendor, in samples: 100 ms, and a little for the resampler.
const LEAST: usize = 1_760;

/// How much of a turn another socket would hear, in samples: a minute.
const LONGEST_TURN: usize = 60 * 16_000;

/// In which pieces: 200 ms.
const PIECE: usize = 3_200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_encoded_is_decoded_however_it_is_cut() {
        for format in [Format::Pcmu, Format::Pcma, Format::Linear] {
            let octets = encode(&[0, 1_000, -1_000, 32_000], format);
            let whole = decode(&octets, format, &mut None);
            let (mut half, mut parts) = (None, Vec::new());
            octets.chunks(3).for_each(|it| parts.extend(decode(it, format, &mut half)));
            assert_eq!(whole, parts);
            assert_eq!(encode(&whole, format), octets, "G.711 goes through as it is");
        }
    }
}
