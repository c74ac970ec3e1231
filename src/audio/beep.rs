//! The tone after which a machine takes a message, told from voices.
//!
//! Blocks of 32 ms through a window (Hann's), one every 16 ms, are looked at from 400 to 2500 Hz. A
//! block is a tone when nearly all of its power stands at one frequency or at two. Voices come close
//! to that, but not for long: the tone must keep its frequency and its strength for five blocks. It
//! is told when it is over, since whoever speaks into it is not recorded.

use std::f32::consts::TAU;
use std::time::Duration;

use crate::audio::frame::Rate;

/// Hears beeps in samples at 16 kHz.
#[derive(Debug)]
pub struct Detector {
    /// Samples of the block that is being filled.
    block: Vec<f32>,
    window: Vec<f32>,
    /// The block through the window.
    shaped: Vec<f32>,
    /// Twice the cosine of the step from sample to sample, for each frequency that is looked at.
    coefficients: Vec<f32>,
    powers: Vec<f32>,
    /// The tone of the last block.
    last: Option<Hit>,
    /// How many blocks in a row held it.
    run: u32,
    /// How many blocks the tone that was certain had, until it is over.
    certain: Option<u32>,
    /// Blocks without it.
    misses: u32,
}

/// A tone in a block: its frequencies, the lower first, in places of the row that is looked at.
#[derive(Debug, Clone, Copy)]
struct Hit {
    places: [f32; 2],
    power: f32,
}

impl Detector {
    /// Makes a detector that has heard nothing.
    pub fn new() -> Self {
        let angle = |at: usize| TAU * (at as f32 + 0.5) / BLOCK as f32;
        let step = |bin: usize| TAU * bin as f32 / BLOCK as f32;
        Self {
            block: Vec::with_capacity(BLOCK),
            shaped: Vec::with_capacity(BLOCK),
            window: (0..BLOCK).map(|at| 0.5 - 0.5 * angle(at).cos()).collect(),
            coefficients: (LOWEST..=HIGHEST).map(|bin| 2.0 * step(bin).cos()).collect(),
            powers: Vec::with_capacity(HIGHEST - LOWEST + 1),
            last: None,
            run: 0,
            certain: None,
            misses: 0,
        }
    }

    /// Takes samples; tells how long a beep was that was over with them.
    pub fn push(&mut self, samples: &[i16]) -> Option<Duration> {
        let mut over = None;
        for sample in samples {
            self.block.push(f32::from(*sample) / 32_768.0);
            if self.block.len() == BLOCK {
                over = self.judge().or(over);
                self.block.drain(..HOP);
            }
        }
        over
    }

    /// Looks at a whole block.
    fn judge(&mut self) -> Option<Duration> {
        let hit = self.hit();
        let goes_on = hit.zip(self.last).is_some_and(|(now, before)| now.follows(before));
        self.run = match (hit, goes_on) {
            (None, _) => 0,
            (Some(_), false) => 1,
            (Some(_), true) => self.run.saturating_add(1),
        };
        self.last = hit;
        if self.run >= CERTAIN {
            (self.certain, self.misses) = (Some(self.run), 0);
            return None;
        }
        let blocks = self.certain?;
        self.misses += 1;
        if self.misses < OVER {
            return None;
        }
        self.certain = None;
        let lasted = Rate::WIDE.duration_of(BLOCK + HOP * (blocks as usize - 1));
        // What goes on for longer is a tone of the network.
        (lasted <= LONGEST).then_some(lasted)
    }

    /// The tone in the block, if there is one and hardly anything else.
    fn hit(&mut self) -> Option<Hit> {
        self.shaped.clear();
        let weighted = self.block.iter().zip(&self.window);
        self.shaped.extend(weighted.map(|(sample, weight)| sample * weight));
        let total: f32 = self.shaped.iter().map(|sample| sample * sample).sum();
        // Hann's window lets three eighths of the power through.
        if total < WEAKEST * WEAKEST / 2.0 * BLOCK as f32 * 0.375 {
            return None;
        }
        self.powers.clear();
        let powers =
            self.coefficients.iter().map(|coefficient| goertzel(&self.shaped, *coefficient));
        self.powers.extend(powers);
        let first = self.peak(None)?;
        // As much of a sine stands at its negative frequency (Parseval).
        let share = |power: f32| 2.0 * power / (BLOCK as f32 * total);
        let alone = self.around(first);
        if share(alone) >= ALONE {
            let place = self.centre(first);
            return Some(Hit { places: [place, place], power: alone });
        }
        let second = self.peak(Some(first))?;
        let other = self.around(second);
        // Of two that are equally strong, now one and now the other is the stronger.
        let places = [self.centre(first.min(second)), self.centre(first.max(second))];
        let is_pair = share(alone + other) >= PAIR && other >= alone * TWIST && !is_key(places);
        is_pair.then_some(Hit { places, power: alone + other })
    }

    /// The strongest frequency, away from another one.
    fn peak(&self, other: Option<usize>) -> Option<usize> {
        let away = |place: usize| other.is_none_or(|other| place.abs_diff(other) > 2 * SPREAD);
        let powers = self.powers.iter().enumerate().filter(|(place, _)| away(*place));
        powers.max_by(|one, two| one.1.total_cmp(two.1)).map(|(place, _)| place)
    }

    /// The places into which the window smears a frequency.
    fn near(&self, peak: usize) -> impl Iterator<Item = (usize, f32)> {
        let from = peak.saturating_sub(SPREAD);
        self.powers.iter().copied().enumerate().skip(from).take(peak + SPREAD + 1 - from)
    }

    fn around(&self, peak: usize) -> f32 {
        self.near(peak).map(|(_, power)| power).sum()
    }

    /// Where between the places a frequency is.
    fn centre(&self, peak: usize) -> f32 {
        let weights = self.near(peak).map(|(place, power)| (place as f32 * power, power));
        let (sum, power) = weights.fold((0.0, 1e-12), |sum, it| (sum.0 + it.0, sum.1 + it.1));
        sum / power
    }
}

impl Default for Detector {
    fn default() -> Self {
        Self::new()
    }
}

impl Hit {
    /// Whether it is the tone of the block before, as loud as it was.
    fn follows(self, before: Self) -> bool {
        let change = self.power / before.power;
        let same = |one: f32, two: f32| (one - two).abs() * BIN < STEADY;
        (1.0 / LOUDER..LOUDER).contains(&change)
            && same(self.places[0], before.places[0])
            && same(self.places[1], before.places[1])
    }
}

/// The power of a frequency.
fn goertzel(samples: &[f32], coefficient: f32) -> f32 {
    let (mut one, mut two) = (0.0, 0.0);
    for sample in samples {
        (one, two) = (sample + coefficient * one - two, one);
    }
    one * one + two * two - coefficient * one * two
}

/// Whether two frequencies are those of a key of the telephone (ITU-T Q.23).
fn is_key(places: [f32; 2]) -> bool {
    let hertz = places.map(|place| (place + LOWEST as f32) * BIN);
    let of = |group: [f32; 4], hertz: f32| group.iter().any(|it| (hertz / it - 1.0).abs() < 0.02);
    of([697.0, 770.0, 852.0, 941.0], hertz[0]) && of([1_209.0, 1_336.0, 1_477.0, 1_633.0], hertz[1])
}

/// Samples of a block: 32 ms.
const BLOCK: usize = 512;

/// By how many samples a block begins after the one before: 16 ms.
const HOP: usize = 256;

/// From one frequency that is looked at to the next, in hertz.
const BIN: f32 = 16_000.0 / BLOCK as f32;

/// The first and the last frequency that is looked at: 375 and 2531 Hz.
const LOWEST: usize = 12;
const HIGHEST: usize = 81;

/// How far the window smears a frequency.
const SPREAD: usize = 2;

/// The peak of the weakest tone: -46 dB.
const WEAKEST: f32 = 0.005;

/// How much of the power stands at one frequency, or at two.
const ALONE: f32 = 0.82;
const PAIR: f32 = 0.86;

/// How much weaker the second frequency may be.
const TWIST: f32 = 0.08;

/// By how many hertz a tone may waver, and by how much its power may change.
const STEADY: f32 = 9.0;
const LOUDER: f32 = 2.5;

/// Blocks in a row that make it certain, and others that end it.
const CERTAIN: u32 = 5;
const OVER: u32 = 2;

/// The longest beep.
const LONGEST: Duration = Duration::from_millis(2_500);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::g711;
    use crate::audio::resample::Resampler;
    use crate::audio::tone::Tone;
    use crate::base::random::Random;

    fn heard(samples: &[i16]) -> Vec<u64> {
        let mut detector = Detector::new();
        samples
            .chunks(320)
            .filter_map(|it| detector.push(it))
            .map(|it| it.as_millis() as u64)
            .collect()
    }

    /// Silence, a tone, and silence, with noise, through µ-law at 8 kHz.
    fn over_the_phone(
        mut tone: Tone,
        (lead, millis): (u64, u64),
        (peak, noise): (f32, i32),
    ) -> Vec<i16> {
        let mut random = Random::repeatable(lead);
        let quiet = |millis: u64| vec![0_i16; millis as usize * 8];
        tone = tone.at(peak);
        let mut samples = quiet(lead);
        samples.extend(tone.play(Duration::from_millis(millis)));
        samples.extend(quiet(400));
        for sample in &mut samples {
            let hiss = random.below(2 * noise as u32 + 1) as i32 - noise;
            *sample = (i32::from(*sample) + hiss).clamp(-32_768, 32_767) as i16;
            *sample = g711::ulaw_to_linear(g711::linear_to_ulaw(*sample));
        }
        let mut wide = Vec::new();
        Resampler::new(Rate::NARROW, Rate::WIDE).push(&samples, &mut wide);
        wide
    }

    #[test]
    fn beeps_of_all_pitches_and_lengths_are_heard_once_through_noise() {
        for hertz in [400.0, 440.0, 620.0, 800.0, 1_000.0, 1_400.0, 1_750.0, 2_100.0, 2_500.0] {
            for (millis, noise) in [(110, 40), (200, 200), (500, 400), (1_500, 100)] {
                for lead in [100, 107, 113, 121] {
                    let tone = Tone::sine(Rate::NARROW, hertz);
                    let heard = heard(&over_the_phone(tone, (lead, millis), (0.2, noise)));
                    assert_eq!(heard.len(), 1, "{hertz} Hz, {millis} ms, {noise}: {heard:?}");
                    assert!(heard[0].abs_diff(millis) <= 48, "{hertz} Hz, {millis} ms: {heard:?}");
                }
            }
        }
    }

    #[test]
    fn two_tones_at_once_are_a_beep_and_keys_are_none() {
        for pair in [[440.0, 620.0], [850.0, 1_150.0], [1_400.0, 2_060.0]] {
            let tone = Tone::dual(Rate::NARROW, pair);
            assert_eq!(heard(&over_the_phone(tone, (90, 300), (0.4, 50))).len(), 1, "{pair:?}");
        }
        for key in "0123456789*#".chars() {
            let tone = Tone::key(Rate::NARROW, key).expect("a key");
            assert!(heard(&over_the_phone(tone, (90, 300), (0.4, 50))).is_empty(), "{key}");
        }
    }

    #[test]
    fn what_is_too_short_too_long_or_no_tone_is_none() {
        let tone = || Tone::sine(Rate::NARROW, 1_000.0);
        assert!(heard(&over_the_phone(tone(), (100, 50), (0.3, 0))).is_empty());
        assert!(heard(&over_the_phone(tone(), (100, 4_000), (0.3, 0))).is_empty());
        assert!(heard(&over_the_phone(tone(), (100, 0), (0.3, 4_000))).is_empty(), "noise");
        // A voice: many harmonics of a pitch that moves.
        let mut voice = vec![0_i16; 32_000];
        let mut phase = 0.0_f32;
        for (at, sample) in voice.iter_mut().enumerate() {
            phase += (180.0 + 40.0 * (at as f32 / 3_000.0).sin()) / 16_000.0;
            let wave: f32 = (1..8).map(|it| (phase * TAU * it as f32).sin() / it as f32).sum();
            *sample = (wave * 6_000.0) as i16;
        }
        assert!(heard(&voice).is_empty());
    }
}
