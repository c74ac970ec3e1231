//! Tapes: what is played over and over, such as hold music and ringback. A tape is resampled once
//! for each rate of samples, however many hear it.

use std::f32::consts::TAU;
use std::time::Duration;

use crate::audio::frame::{Frame, Rate};
use crate::audio::mix;
use crate::audio::resample;
use crate::audio::tone::Tone;

/// Audio without an end, ready for every rate of samples.
pub struct Tape {
    sides: Vec<Frame>,
}

impl Tape {
    /// Makes a tape of a clip; its last frame of 20 ms is filled up with silence.
    pub fn new(clip: &Frame) -> Self {
        Self::of_sides(RATES.into_iter().map(|rate| resample::convert(clip, rate)).collect())
    }

    /// Makes a tape of the same sound at each of [`RATES`].
    pub fn of_sides(mut sides: Vec<Frame>) -> Self {
        for side in &mut sides {
            let frame = side.rate.samples_in(FRAME).max(1);
            side.samples.resize(side.samples.len().div_ceil(frame) * frame, 0);
        }
        Self { sides }
    }

    /// A quiet melody for those who wait.
    pub fn melody() -> Self {
        Self::new(&melody())
    }

    /// The tone of a telephone that rings at the other end: one second of 425 Hz, four of silence
    /// (ITU-T E.180).
    pub fn ringback() -> Self {
        let mut samples = Tone::sine(Rate::NARROW, 425.0).at(0.1).play(Duration::from_secs(1));
        samples.resize(Rate::NARROW.samples_in(Duration::from_secs(5)), 0);
        Self::new(&Frame::new(Rate::NARROW, samples))
    }

    /// The tone after which a caller speaks: 1000 Hz for as long as it is played.
    pub fn beep() -> Self {
        let samples = Tone::sine(Rate::NARROW, 1_000.0).at(0.3).play(Duration::from_secs(1));
        Self::new(&Frame::new(Rate::NARROW, samples))
    }

    /// How long it is until it begins again.
    pub fn lasts(&self) -> Duration {
        self.sides.first().map_or(Duration::ZERO, Frame::duration)
    }

    /// The milliwatt: 1004 Hz at 0 dBm0, without a seam.
    pub fn milliwatt() -> Self {
        let length = Duration::from_millis(500);
        let samples = Tone::sine(Rate::NARROW, 1_004.0).at(MILLIWATT).play(length);
        Self::new(&Frame::new(Rate::NARROW, samples))
    }

    /// Adds what stands at a position to `frame`, both in samples at `rate`. The tape goes round
    /// and round; at a rate that nobody made a side for it is silent.
    pub fn add_to(&self, frame: &mut [i16], rate: Rate, position: u64) {
        let Some(side) = self.sides.iter().find(|side| side.rate == rate) else { return };
        let place = position.checked_rem(side.samples.len() as u64).unwrap_or(0) as usize;
        let (before, after) = side.samples.split_at(place);
        let first = frame.len().min(after.len());
        mix::add(frame, after);
        mix::add(&mut frame[first..], before);
    }
}

impl std::fmt::Debug for Tape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a tape of {:?}", self.lasts())
    }
}

/// Sixteen seconds of soft broken chords.
fn melody() -> Frame {
    let rate = Rate::NARROW;
    let mut samples = vec![0.0_f32; rate.samples_in(BEAT * (CHORDS.len() * 8) as u32)];
    let notes = CHORDS.iter().flat_map(|chord| PATTERN.map(|voice| chord[voice]));
    for (beat, note) in notes.enumerate() {
        let hertz = 440.0 * 2.0_f32.powf((f32::from(note) - 69.0) / 12.0);
        let begin = rate.samples_in(BEAT) * beat;
        // A note rings on into the next ones; the end of the tape rings into its beginning.
        for at in 0..rate.samples_in(BEAT * 4) {
            let time = at as f32 / rate.0 as f32;
            let swell = (time / 0.02).min(1.0) * (-time * 2.5).exp();
            let wave = (TAU * hertz * time).sin() + 0.25 * (TAU * 2.0 * hertz * time).sin();
            let place = (begin + at) % samples.len();
            samples[place] += wave * swell;
        }
    }
    let loudest = samples.iter().fold(1.0_f32, |most, sample| most.max(sample.abs()));
    let scaled = samples.iter().map(|sample| (sample / loudest * 6_000.0) as i16);
    Frame::new(rate, scaled.collect())
}

/// The rates for which tapes are made.
pub const RATES: [Rate; 2] = [Rate::NARROW, Rate::WIDE];

const FRAME: Duration = Duration::from_millis(20);

/// How long a note of the melody stands alone.
const BEAT: Duration = Duration::from_millis(250);

/// C, A minor, F, G, twice over, the second time with another end; as MIDI notes.
const CHORDS: [[u8; 4]; 8] = [
    [60, 64, 67, 72],
    [57, 60, 64, 69],
    [53, 57, 60, 65],
    [55, 59, 62, 67],
    [60, 64, 67, 72],
    [57, 60, 64, 69],
    [53, 57, 60, 69],
    [55, 59, 65, 67],
];

/// In which order the notes of a chord are struck.
const PATTERN: [usize; 8] = [0, 1, 2, 3, 2, 1, 3, 1];

/// The peak of 0 dBm0 in 16 bits: 3.17 dB below the overload of µ-law (ITU-T G.711).
const MILLIWATT: f32 = 0.694;

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(tape: &Tape, frames: u64) -> Vec<i16> {
        let mut samples = vec![0; frames as usize * 160];
        for (position, frame) in samples.chunks_mut(160).enumerate() {
            tape.add_to(frame, Rate::NARROW, position as u64 * 160);
        }
        samples
    }

    #[test]
    fn the_end_runs_into_the_beginning_at_every_rate() {
        let tape = Tape::new(&Frame::new(Rate::NARROW, (1..=320).collect()));
        let mut frame = [0; 480];
        tape.add_to(&mut frame, Rate::NARROW, 320 * 7 + 300);
        assert_eq!((frame[0], frame[19], frame[20], frame[319]), (301, 320, 1, 300));
        assert_eq!(frame[320..], [0; 160], "no frame is longer than a tape");
        let mut wide = [0; 640];
        tape.add_to(&mut wide, Rate::WIDE, 0);
        assert!(wide.iter().any(|sample| *sample != 0));
        let mut other = [0; 100];
        tape.add_to(&mut other, Rate(48_000), 0);
        assert_eq!(other, [0; 100]);
    }

    #[test]
    fn the_milliwatt_has_its_frequency_and_its_level_and_no_seam() {
        let heard = samples(&Tape::milliwatt(), 100);
        let crossings = heard.windows(2).filter(|pair| pair[0] < 0 && pair[1] >= 0).count();
        assert!((2_007..=2_009).contains(&crossings), "{crossings} in two seconds");
        let power: f64 = heard.iter().map(|it| f64::from(*it).powi(2)).sum();
        let level = (power / heard.len() as f64).sqrt() * 2.0_f64.sqrt();
        assert!((22_400.0..=23_100.0).contains(&level), "{level}");
    }

    #[test]
    fn the_melody_is_heard_all_the_time_and_never_loud() {
        let heard = samples(&Tape::melody(), 800);
        assert_eq!(heard.len(), 16 * 8_000);
        for second in heard.chunks(2_000) {
            let loudest = second.iter().map(|it| it.unsigned_abs()).max().unwrap_or(0);
            assert!((600..=6_200).contains(&loudest), "{loudest}");
        }
    }

    #[test]
    fn ringback_rings_one_second_in_five() {
        let heard = samples(&Tape::ringback(), 500);
        let loud = heard.chunks(160).filter(|it| it.iter().any(|it| it.abs() > 1_000)).count();
        assert_eq!(loud, 100);
    }
}
