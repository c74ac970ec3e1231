//! What the octets of a recording look like: WAV, or Opus in Ogg. Two voices, the caller left.

use crate::audio::codec::Codec;
use crate::audio::coder::Encoder;
use crate::audio::frame::Rate;
use crate::audio::library::{Libraries, Profile};
use crate::audio::ogg::{self, Kind, Pages};
use crate::audio::resample::Resampler;
use crate::audio::wav;

/// The form of recordings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// Samples of 16 bits.
    #[default]
    Wav,
    /// Opus in Ogg: a tenth of the size.
    Opus,
}

impl Format {
    /// How the names of its files end.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Wav => "wav",
            Self::Opus => "opus",
        }
    }
}

/// Whose voices are in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Voices {
    /// Both sides, the caller left.
    Both,
    /// The caller alone.
    Caller,
}

impl Voices {
    /// How many channels that makes.
    pub fn channels(self) -> u16 {
        match self {
            Self::Both => 2,
            Self::Caller => 1,
        }
    }
}

/// Makes octets of samples.
#[derive(Debug)]
pub enum Container {
    /// WAV.
    Wav {
        /// The samples a second.
        rate: Rate,
        /// Whose.
        voices: Voices,
        /// What waits to be written.
        waiting: Vec<u8>,
        /// Whether the header is still to come.
        begins: bool,
    },
    /// Opus in Ogg.
    Opus(Box<OpusTrack>),
}

/// Two voices in Opus.
#[derive(Debug)]
pub struct OpusTrack {
    voices: [Voice; 2],
    pages: Pages,
    /// How much is to be skipped at the beginning, in samples at 48 kHz.
    pre_skip: u64,
    /// Samples taken, and at 48 kHz for each of them.
    taken: u64,
    scale: u64,
    /// Frames encoded.
    frames: u64,
    /// Whole pages that wait to be written.
    waiting: Vec<u8>,
}

#[derive(Debug)]
struct Voice {
    encoder: Encoder,
    resampler: Resampler,
    /// Samples at 16 kHz that wait for a whole frame.
    samples: Vec<i16>,
    packet: Vec<u8>,
}

impl Container {
    /// Begins a file of samples at `rate`; `serial` tells its stream from others. One voice alone
    /// is WAV.
    pub fn new(
        format: Format,
        (rate, voices): (Rate, Voices),
        (libraries, serial): (&Libraries, u32),
    ) -> Self {
        match (format, voices) {
            (Format::Wav, _) | (_, Voices::Caller) => {
                Self::Wav { rate, voices, waiting: Vec::new(), begins: true }
            }
            (Format::Opus, Voices::Both) => {
                Self::Opus(Box::new(OpusTrack::new(rate, libraries, serial)))
            }
        }
    }

    /// Takes the same time of both sides.
    pub fn add(&mut self, caller: &[i16], agent: &[i16]) {
        match self {
            Self::Wav { waiting, voices: Voices::Caller, .. } => {
                caller.iter().for_each(|it| waiting.extend_from_slice(&it.to_le_bytes()));
            }
            Self::Wav { waiting, voices: Voices::Both, .. } => {
                for (left, right) in caller.iter().zip(agent) {
                    waiting.extend_from_slice(&left.to_le_bytes());
                    waiting.extend_from_slice(&right.to_le_bytes());
                }
            }
            Self::Opus(track) => track.add(caller, agent),
        }
    }

    /// Gives what is to be appended to the file.
    pub fn take(&mut self) -> Vec<u8> {
        match self {
            Self::Wav { rate, voices, waiting, begins } => {
                let mut octets = Vec::with_capacity(waiting.len() + wav::HEADER);
                if std::mem::take(begins) {
                    // Read to its end, whatever it says: it grows.
                    octets.extend_from_slice(&wav::header(voices.channels(), *rate, wav::ENDLESS));
                }
                octets.append(waiting);
                octets
            }
            Self::Opus(track) => track.take(Kind::Middle),
        }
    }

    /// Gives the last octets of the file.
    pub fn finish(&mut self) -> Vec<u8> {
        match self {
            Self::Wav { .. } => self.take(),
            Self::Opus(track) => track.finish(),
        }
    }
}

impl OpusTrack {
    fn new(rate: Rate, libraries: &Libraries, serial: u32) -> Self {
        let voices = [(); 2].map(|()| Voice::new(rate, libraries));
        let delay = voices.first().map_or(0, |voice| voice.resampler.delay());
        let pre_skip = LOOK_AHEAD + delay * 3;
        let (mut pages, mut waiting) = (Pages::new(serial), Vec::new());
        // Each header has a page of its own (RFC 7845 3).
        pages.put(&ogg::opus_head(pre_skip as u16, rate.0), 0);
        pages.close(Kind::First, &mut waiting);
        pages.put(&ogg::opus_tags(concat!("voxtrunk ", env!("CARGO_PKG_VERSION")), &[]), 0);
        pages.close(Kind::Middle, &mut waiting);
        let (pre_skip, scale) = (pre_skip as u64, 48_000 / u64::from(rate.0.max(1)));
        Self { voices, pages, pre_skip, taken: 0, scale, frames: 0, waiting }
    }

    fn add(&mut self, caller: &[i16], agent: &[i16]) {
        self.taken += caller.len().min(agent.len()) as u64;
        for (voice, samples) in self.voices.iter_mut().zip([caller, agent]) {
            voice.resampler.push(samples, &mut voice.samples);
        }
        while self.voices.iter().all(|voice| voice.samples.len() >= FRAME) {
            let [left, right] = &mut self.voices;
            left.encode();
            right.encode();
            self.frames += 1;
            let Some(packet) = ogg::join(&left.packet, &right.packet) else { continue };
            let position = self.frames * FRAME_AT_48_KHZ;
            if !self.pages.put(&packet, position) {
                self.pages.close(Kind::Middle, &mut self.waiting);
                self.pages.put(&packet, position);
            }
        }
    }

    fn take(&mut self, kind: Kind) -> Vec<u8> {
        if !self.pages.is_empty() {
            self.pages.close(kind, &mut self.waiting);
        }
        std::mem::take(&mut self.waiting)
    }

    /// Lets out what is still under way in encoder and filter; the position of the last page cuts
    /// what was never said (RFC 7845 4.4).
    fn finish(&mut self) -> Vec<u8> {
        let end = self.pre_skip + self.taken * self.scale;
        let missing = end.saturating_sub(self.frames * FRAME_AT_48_KHZ) / self.scale;
        let silence = vec![0; usize::try_from(missing).unwrap_or(0) + FRAME];
        self.add(&silence, &silence);
        self.pages.end_at(end);
        self.take(Kind::Last)
    }
}

impl Voice {
    fn new(rate: Rate, libraries: &Libraries) -> Self {
        let wide = rate.0 > Rate::NARROW.0;
        let bits = Some(if wide { WIDE_BITS } else { NARROW_BITS });
        let playback = if wide { Rate(48_000) } else { Rate::NARROW };
        let profile = Profile { playback, bits, ..Profile::default() };
        Self {
            encoder: Encoder::new(Codec::Opus, &profile, libraries),
            resampler: Resampler::new(rate, Codec::Opus.rate()),
            samples: Vec::new(),
            packet: Vec::new(),
        }
    }

    fn encode(&mut self) {
        self.packet.clear();
        self.encoder.encode(&self.samples[..FRAME], &mut self.packet);
        self.samples.drain(..FRAME);
    }
}

/// 20 ms at 16 kHz.
const FRAME: usize = 320;

/// The same at the clock of Opus in Ogg (RFC 7845 4).
const FRAME_AT_48_KHZ: u64 = 960;

/// What libopus lies behind at 16 kHz, made for speech: 6.5 ms, in samples at 48 kHz.
const LOOK_AHEAD: usize = 312;

/// Bits a second for each voice.
const NARROW_BITS: u32 = 16_000;
const WIDE_BITS: u32 = 24_000;
