//! Keys as telephones send them are heard; voices and what is not quite a key are not.

use std::path::Path;
use std::time::Duration;

use super::*;
use crate::audio::codec::Codec;
use crate::audio::coder::{Decoder, Encoder};
use crate::audio::resample;
use crate::audio::wav;
use crate::base::random::Random;

/// A key as a telephone sends it.
#[derive(Debug, Clone, Copy)]
struct Press {
    key: char,
    /// The level of the stronger tone in dBm0.
    level: f64,
    /// By how many decibels the column is stronger than the row.
    twist: f64,
    /// By how much both tones are off.
    off: [f64; 2],
    lasts: Duration,
    pause: Duration,
}

impl Press {
    fn usual(key: char) -> Self {
        let millis = Duration::from_millis;
        Self { key, level: -10.0, twist: 0.0, off: [0.0; 2], lasts: millis(50), pause: millis(50) }
    }

    fn sound(self, rate: Rate) -> Vec<i16> {
        let row = KEYS.iter().position(|keys| keys.contains(&self.key)).expect("a key");
        let column = KEYS[row].iter().position(|key| *key == self.key).expect("a key");
        let peak = |level: f64| 10_f64.powf((level - FULL_SCALE) / 20.0) * 32_768.0;
        let peaks =
            [peak(self.level - self.twist.max(0.0)), peak(self.level + self.twist.min(0.0))];
        let hertz = [ROWS[row], COLUMNS[column]].map(f64::from);
        let count = rate.samples_in(self.lasts);
        let sample = |at: usize| {
            let tone = |of: usize| {
                let hertz = hertz[of] * (1.0 + self.off[of]);
                let turn = std::f64::consts::TAU * hertz * at as f64 / f64::from(rate.0);
                peaks[of] * turn.sin()
            };
            (tone(0) + tone(1)).round() as i16
        };
        let mut samples: Vec<i16> = (0..count).map(sample).collect();
        samples.resize(count + rate.samples_in(self.pause), 0);
        samples
    }
}

const ALL: &str = "1234567890*#ABCD";

fn heard_at(rate: Rate, samples: &[i16]) -> String {
    let mut detector = Detector::new(rate);
    let mut keys = String::new();
    for packet in samples.chunks(rate.samples_in(Duration::from_millis(20))) {
        let mut rest = packet;
        while !rest.is_empty() {
            let (key, behind) = detector.push(rest);
            keys.extend(key);
            rest = behind;
        }
    }
    keys
}

fn heard(samples: &[i16]) -> String {
    heard_at(Rate::NARROW, samples)
}

/// All sixteen keys one after the other, by G.711.
fn all(change: impl Fn(Press) -> Press) -> Vec<i16> {
    let presses = ALL.chars().map(|key| change(Press::usual(key)));
    let sound: Vec<i16> = presses.flat_map(|press| press.sound(Rate::NARROW)).collect();
    let (mut payload, mut samples) = (Vec::new(), Vec::new());
    Encoder::plain(Codec::Pcmu).encode(&sound, &mut payload);
    Decoder::plain(Codec::Pcmu).decode(&payload, &mut samples);
    samples
}

/// White noise of so many decibels below a level.
fn with_noise(mut samples: Vec<i16>, level: f64, seed: u64) -> Vec<i16> {
    let mut random = Random::repeatable(seed);
    // Uniform noise has a third of the square of its peak.
    let peak = 10_f64.powf((level - FULL_SCALE) / 20.0) * 32_768.0 * (1.5_f64).sqrt();
    for sample in &mut samples {
        *sample = sample.saturating_add(((random.unit() * 2.0 - 1.0) * peak) as i16);
    }
    samples
}

#[test]
fn every_key_is_heard_at_every_level() {
    for level in [-3.0, -10.0, -20.0, -30.0] {
        assert_eq!(heard(&all(|it| Press { level, ..it })), ALL, "{level} dBm0");
    }
}

#[test]
fn every_key_is_heard_through_noise() {
    for (seed, level) in (1..).zip([-10.0, -20.0, -30.0]) {
        for below in [20.0, 15.0, 12.0] {
            let sound = with_noise(all(|it| Press { level, ..it }), level - below, seed);
            assert_eq!(heard(&sound), ALL, "{level} dBm0, noise {below} dB below");
        }
    }
}

#[test]
fn every_key_is_heard_with_twist_and_a_frequency_that_is_off() {
    for level in [-10.0, -30.0] {
        for twist in [-8.0, -4.0, 0.0, 4.0] {
            for off in [[0.0, 0.0], [0.015, 0.015], [-0.015, -0.015], [0.015, -0.015]] {
                let sound = all(|it| Press { level, twist, off, ..it });
                assert_eq!(heard(&sound), ALL, "{level} dBm0, twist {twist} dB, off {off:?}");
                let sound = with_noise(sound, level - 23.0, 9);
                assert_eq!(heard(&sound), ALL, "{level}, {twist}, {off:?} and noise");
            }
        }
    }
}

#[test]
fn what_is_not_within_the_limits_is_no_key() {
    for twist in [-13.0, 9.0] {
        assert_eq!(heard(&all(|it| Press { twist, ..it })), "", "twist {twist} dB");
    }
    for off in [[0.035, 0.035], [-0.035, -0.035]] {
        let sound = all(|it| Press { off, ..it });
        assert_eq!(heard(&sound), "", "off {off:?}");
    }
    assert_eq!(heard(&all(|it| Press { level: -50.0, ..it })), "");
}

#[test]
fn short_keys_are_heard_and_shorter_sounds_are_none() {
    let millis = Duration::from_millis;
    for begin in 0..51 {
        let mut sound = vec![0; begin * 2];
        sound.extend(all(|it| Press { lasts: millis(40), pause: millis(40), ..it }));
        assert_eq!(heard(&sound), ALL, "after {begin}");
        let mut sound = vec![0; begin * 2];
        sound.extend(all(|it| Press { lasts: millis(20), pause: millis(40), ..it }));
        assert_eq!(heard(&sound), "", "after {begin}");
    }
}

#[test]
fn a_long_key_is_one_and_a_short_interruption_makes_no_second() {
    let long = Press { lasts: Duration::from_secs(3), ..Press::usual('5') }.sound(Rate::NARROW);
    assert_eq!(heard(&long), "5");
    for at in [1_000, 1_017, 1_033] {
        let mut holed = long.clone();
        holed[at..at + 80].fill(0);
        assert_eq!(heard(&holed), "5", "10 ms at {at}");
    }
    let mut twice = long.clone();
    twice[1_000..1_320].fill(0);
    assert_eq!(heard(&twice), "55", "40 ms");
}

#[test]
fn wide_codecs_carry_keys_too() {
    for rate in [Rate::NARROW, Rate::WIDE, Rate(48_000)] {
        let sound: Vec<i16> = ALL.chars().flat_map(|it| Press::usual(it).sound(rate)).collect();
        assert_eq!(heard_at(rate, &sound), ALL, "{rate:?}");
    }
}

#[test]
fn single_tones_dial_tones_and_noise_are_no_keys() {
    use crate::audio::tone::Tone;
    let second = Duration::from_secs(1);
    for hertz in (300..3_400).step_by(10) {
        let sound = Tone::sine(Rate::NARROW, hertz as f32).play(second);
        assert_eq!(heard(&sound), "", "{hertz} Hz");
    }
    for pair in [[350.0, 440.0], [440.0, 480.0], [480.0, 620.0], [425.0, 425.0], [900.0, 1_300.0]] {
        assert_eq!(heard(&Tone::dual(Rate::NARROW, pair).play(second)), "", "{pair:?}");
    }
    for seed in 0..20 {
        assert_eq!(heard(&with_noise(vec![0; 80_000], -10.0, seed)), "");
    }
}

/// A voice of our own: a glottal pulse through resonances, at every pitch and vowel.
fn vowels() -> Vec<i16> {
    let mut random = Random::repeatable(77);
    let mut sound = Vec::new();
    for _ in 0..600 {
        let pitch = 80.0 + f64::from(random.below(250));
        let slide = 1.0 + (random.unit() - 0.5) * 0.2;
        let formants =
            [300 + random.below(700), 900 + random.below(1_500), 2_300 + random.below(900)];
        let (mut phase, mut states) = (0.0_f64, [[0.0_f64; 2]; 3]);
        for at in 0..1_600 {
            phase += pitch * (1.0 + (slide - 1.0) * f64::from(at) / 1_600.0) / 8_000.0;
            let mut value = if phase >= 1.0 { 1.0 } else { 0.0 };
            phase = phase.fract();
            for (state, hertz) in states.iter_mut().zip(formants) {
                let radius = 0.96_f64;
                let turn = (std::f64::consts::TAU * f64::from(hertz) / 8_000.0).cos();
                let next = value + 2.0 * radius * turn * state[0] - radius * radius * state[1];
                *state = [next, state[0]];
                value = next * 0.3;
            }
            sound.push((value * 20_000.0).clamp(-32_000.0, 32_000.0) as i16);
        }
    }
    sound
}

#[test]
fn voices_are_no_keys() {
    // Two minutes of nothing but vowels that stand still: nobody speaks like that.
    let mistaken = heard(&vowels());
    assert!(mistaken.len() <= 4, "{mistaken}");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/audio");
    for part in ["digits", "sentences"] {
        let Ok(files) = std::fs::read_dir(folder.join(part)) else { continue };
        for file in files.flatten() {
            let bytes = std::fs::read(file.path()).expect("a file");
            let Ok(clip) = wav::read(&bytes) else { continue };
            // At several speeds, so that every pitch is met.
            for percent in [80, 90, 100, 110, 125] {
                let rate = Rate(clip.rate.0 * percent / 100);
                let clip = crate::audio::frame::Frame::new(rate, clip.samples.clone());
                let clip = resample::convert(&clip, Rate::NARROW);
                assert_eq!(heard(&clip.samples), "", "{:?} at {percent} %", file.path());
            }
        }
    }
}

#[test]
fn keys_are_heard_over_a_voice_that_is_soft() {
    let mut sound = all(|it| it);
    let voice = vowels();
    for (sample, voice) in sound.iter_mut().zip(voice.iter().skip(4_000)) {
        *sample = sample.saturating_add(voice / 64);
    }
    assert_eq!(heard(&sound), ALL);
}

/// The level of a sine that reaches full scale, in dBm0 (ITU-T G.711).
#[expect(clippy::approx_constant, reason = "decibels, not pi")]
const FULL_SCALE: f64 = 3.14;
