//! What sounds in the octets that a vendor sends: raw samples, or a WAV file, cut anywhere. A file
//! and a content type tell the rate, and are believed: another rate than we asked for is heard as it
//! is meant, and not as a giant or a mouse.

use crate::audio::frame::{Frame, Rate};
use crate::audio::g711;

/// Samples of 16 bits, little end first, out of octets that are cut anywhere.
#[derive(Debug, Default)]
pub(super) struct Samples {
    odd: Option<u8>,
}

impl Samples {
    /// The samples that are complete with these octets.
    pub fn push(&mut self, octets: &[u8]) -> Vec<i16> {
        let mut samples = Vec::with_capacity(octets.len() / 2 + 1);
        let mut rest = octets;
        if let (Some(low), [high, after @ ..]) = (self.odd, rest) {
            samples.push(i16::from_le_bytes([low, *high]));
            self.odd = None;
            rest = after;
        }
        let pairs = rest.chunks_exact(2);
        if let [odd] = pairs.remainder() {
            self.odd = Some(*odd);
        }
        samples.extend(pairs.map(|pair| i16::from_le_bytes([pair[0], pair[1]])));
        samples
    }
}

/// Why an answer cannot be played.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unplayable {
    /// It is a text, or nothing that is known.
    #[error("is not in the protocol")]
    Nonsense,
    /// It is compressed, or has several channels.
    #[error("speaks in a format that was not asked for")]
    Format,
    /// It is longer than the text can be.
    #[error("the speech is endless")]
    Endless,
}

/// A stream of sound.
#[derive(Debug)]
pub(super) struct Sound {
    rate: Rate,
    coding: Coding,
    samples: Samples,
    /// The beginning, until it is known whether it is a file.
    head: Option<Vec<u8>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Linear16,
    MuLaw,
    ALaw,
}

impl Sound {
    /// Raw samples of this rate, unless a file begins.
    pub fn raw(rate: Rate) -> Self {
        let (coding, samples) = (Coding::Linear16, Samples::default());
        Self { rate, coding, samples, head: Some(Vec::new()) }
    }

    /// Sound of a content type; `rate` is what was asked for.
    pub fn of(content_type: &str, rate: Rate) -> Result<Self, Unplayable> {
        let lower = content_type.to_ascii_lowercase();
        let mut parts = lower.split(';').map(str::trim);
        match parts.next().unwrap_or_default() {
            kind if COMPRESSED.contains(&kind) => return Err(Unplayable::Format),
            kind if kind.starts_with("text/")
                || kind.ends_with("json")
                || kind.ends_with("xml") =>
            {
                return Err(Unplayable::Nonsense);
            }
            _ => {}
        }
        let told = parts.find_map(|part| part.strip_prefix("rate=")?.parse().ok());
        let known = told.filter(|told| RATES.contains(told));
        Ok(Self::raw(known.map_or(rate, Rate)))
    }

    /// The samples that are complete with these octets.
    pub fn push(&mut self, octets: &[u8]) -> Result<Frame, Unplayable> {
        let Some(mut head) = self.head.take() else { return Ok(self.frame(octets)) };
        head.extend_from_slice(octets);
        let begins = &head[..head.len().min(RIFF.len())];
        if !RIFF.starts_with(begins) {
            return Ok(self.frame(&head));
        }
        match file(&head)? {
            Some((rate, coding, begin)) => {
                (self.rate, self.coding) = (rate, coding);
                Ok(self.frame(&head[begin..]))
            }
            None if head.len() > LONGEST_HEAD => Err(Unplayable::Nonsense),
            None => {
                self.head = Some(head);
                Ok(Frame::new(self.rate, Vec::new()))
            }
        }
    }

    fn frame(&mut self, octets: &[u8]) -> Frame {
        let samples = match self.coding {
            Coding::Linear16 => self.samples.push(octets),
            Coding::MuLaw => octets.iter().map(|it| g711::ulaw_to_linear(*it)).collect(),
            Coding::ALaw => octets.iter().map(|it| g711::alaw_to_linear(*it)).collect(),
        };
        Frame::new(self.rate, samples)
    }
}

/// The rate and the coding of a WAV file, and where its samples begin; `None` while that is not
/// known.
fn file(head: &[u8]) -> Result<Option<(Rate, Coding, usize)>, Unplayable> {
    let word = |at: usize| Some(u16::from_le_bytes([*head.get(at)?, *head.get(at + 1)?]));
    let long = |at: usize| Some(u32::from(word(at)?) | u32::from(word(at + 2)?) << 16);
    let mut known = None;
    let mut at = 12;
    while let (Some(name), Some(length)) = (head.get(at..at + 4), long(at + 4)) {
        let body = at + 8;
        if name == b"data" {
            let (rate, coding) = known.ok_or(Unplayable::Nonsense)?;
            return Ok(Some((rate, coding, body)));
        }
        if name == b"fmt " {
            let fields = (word(body), word(body + 2), long(body + 4), word(body + 14));
            let (Some(tag), Some(channels), Some(rate), Some(bits)) = fields else {
                return Ok(None);
            };
            let coding = match (tag, bits) {
                (1, 16) => Coding::Linear16,
                (6, 8) => Coding::ALaw,
                (7, 8) => Coding::MuLaw,
                _ => return Err(Unplayable::Format),
            };
            if channels != 1 || !RATES.contains(&rate) {
                return Err(Unplayable::Format);
            }
            known = Some((Rate(rate), coding));
        }
        // A chunk of odd length is followed by an octet without meaning.
        let length = length as usize;
        at = body.saturating_add(length).saturating_add(length % 2);
        if at > LONGEST_HEAD {
            return Err(Unplayable::Nonsense);
        }
    }
    Ok(None)
}

/// How a WAV file begins.
const RIFF: &[u8] = b"RIFF";

/// The longest beginning of a file in which there is no sound yet.
const LONGEST_HEAD: usize = 4 << 10;

/// Rates that are believed.
const RATES: std::ops::RangeInclusive<u32> = 8_000..=48_000;

/// What is not asked for and cannot be played.
const COMPRESSED: [&str; 8] = [
    "audio/mpeg",
    "audio/mp3",
    "audio/ogg",
    "audio/opus",
    "audio/aac",
    "audio/flac",
    "audio/webm",
    "audio/mp4",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::wav;

    /// What is heard of octets that come in pieces.
    fn heard(sound: &mut Sound, octets: &[u8], cuts: &[usize]) -> Result<Frame, Unplayable> {
        let mut whole = Frame::new(sound.rate, Vec::new());
        let mut rest = octets;
        for cut in cuts.iter().chain([&usize::MAX]) {
            let (piece, after) = rest.split_at((*cut).min(rest.len()));
            let frame = sound.push(piece)?;
            whole.rate = frame.rate;
            whole.samples.extend(frame.samples);
            rest = after;
        }
        Ok(whole)
    }

    proptest::proptest! {
        #[test]
        fn samples_are_the_same_however_they_are_cut(
            spoken in proptest::collection::vec(proptest::num::i16::ANY, 0..100),
            cuts in proptest::collection::vec(0_usize..7, 0..100),
        ) {
            let octets: Vec<u8> = spoken.iter().flat_map(|it| it.to_le_bytes()).collect();
            // What begins like a file is one.
            proptest::prop_assume!(!octets.starts_with(b"R"));
            let raw = heard(&mut Sound::raw(Rate::WIDE), &octets, &cuts);
            proptest::prop_assert_eq!(raw, Ok(Frame::new(Rate::WIDE, spoken.clone())));
            let narrow = Frame::new(Rate::NARROW, spoken);
            let file = heard(&mut Sound::raw(Rate::WIDE), &wav::write(&narrow), &cuts);
            proptest::prop_assert_eq!(file.map(|it| it.samples), Ok(narrow.samples));
        }

        #[test]
        fn nothing_that_comes_does_harm(octets in proptest::collection::vec(0_u8.., 0..200)) {
            let mut file = b"RIFF\0\0\0\0WAVE".to_vec();
            file.extend(&octets);
            heard(&mut Sound::raw(Rate::WIDE), &file, &[5, 9]).ok();
            heard(&mut Sound::raw(Rate::WIDE), &octets, &[1]).ok();
        }
    }

    #[test]
    fn a_file_and_a_content_type_tell_the_rate() {
        let file = wav::write(&Frame::new(Rate::NARROW, vec![1, 2, 3]));
        let frame = heard(&mut Sound::raw(Rate::WIDE), &file, &[]).expect("it sounds");
        assert_eq!((frame.rate, frame.samples), (Rate::NARROW, vec![1, 2, 3]));
        let mut sound = Sound::of("audio/L16; rate=24000", Rate::WIDE).expect("it sounds");
        assert_eq!(sound.push(&[1, 0]).map(|it| it.rate), Ok(Rate(24_000)));
        for (kind, rate) in [("audio/pcm", 16_000), ("", 16_000), ("audio/l16;rate=1", 16_000)] {
            let mut sound = Sound::of(kind, Rate::WIDE).expect("it sounds");
            assert_eq!(sound.push(&[1, 0]).map(|it| it.rate.0), Ok(rate), "{kind}");
        }
    }

    #[test]
    fn what_is_no_sound_is_not_played() {
        let refused = |kind| Sound::of(kind, Rate::WIDE).map(|_| ()).expect_err(kind);
        assert_eq!(refused("audio/mpeg"), Unplayable::Format);
        assert_eq!(refused("application/json; charset=utf-8"), Unplayable::Nonsense);
        assert_eq!(refused("text/html"), Unplayable::Nonsense);
        let stereo =
            wav::write_stereo(&Frame::new(Rate::WIDE, vec![1]), &Frame::new(Rate::WIDE, vec![1]));
        let played = Sound::raw(Rate::WIDE).push(&stereo);
        assert_eq!(played.expect_err("two voices"), Unplayable::Format);
        let mut endless = b"RIFF\0\0\0\0WAVEjunk\xFF\xFF\0\0".to_vec();
        endless.extend([0; 100]);
        assert_eq!(Sound::raw(Rate::WIDE).push(&endless).expect_err("junk"), Unplayable::Nonsense);
    }
}
