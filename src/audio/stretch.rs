//! Stretching: time made shorter or longer by one pitch period, at a place where the sound is like
//! itself. The seam is blended, so that neither a click nor another pitch is heard (the manner of
//! WSOLA, but only now and then, and for one period).

use std::time::Duration;

use crate::audio::frame::Rate;
use crate::audio::pitch;

/// The longest period that is left out or said twice, in samples.
pub fn longest(rate: Rate) -> usize {
    *pitch::lags(rate).end()
}

/// How long a seam is, in samples.
pub fn seam(rate: Rate) -> usize {
    rate.samples_in(SEAM)
}

/// Leaves one period out of `samples` from `begin` on, if the sound is as like itself as `wanted`
/// says (0 to 1). The longest period and a seam must stand there. Gives how many samples are gone:
/// 0, when nothing was done.
pub fn shorten(samples: &mut Vec<i16>, begin: usize, rate: Rate, wanted: f32) -> usize {
    let seam = seam(rate);
    let ahead = samples.get(begin..).unwrap_or_default();
    if ahead.len() < longest(rate) + seam {
        return 0;
    }
    let like =
        |lag: usize, stride| pitch::likeness(&ahead[..seam], &ahead[lag..lag + seam], stride);
    let Some(period) = period(&ahead[..longest(rate) + seam], rate, wanted, like) else { return 0 };
    // What stands at the beginning flows into what stands a period later; from behind, because a
    // seam may be longer than a period.
    for at in (begin..begin + seam).rev() {
        let later = samples[at + period];
        samples[at + period] = blend(samples[at], later, weight(at - begin, seam));
    }
    samples.drain(begin..begin + period);
    period
}

/// Says the period of `samples` before `begin` once more, if the sound is as like itself as
/// `wanted` says (0 to 1). The longest period must stand before it, and a seam behind. Gives how
/// many samples were added: 0, when nothing was done.
pub fn lengthen(samples: &mut Vec<i16>, begin: usize, rate: Rate, wanted: f32) -> usize {
    let (longest, seam) = (longest(rate), seam(rate));
    if begin < longest || samples.len() < begin + seam {
        return 0;
    }
    let like = |lag: usize, stride| {
        let back = begin - lag;
        pitch::likeness(&samples[begin..begin + seam], &samples[back..back + seam], stride)
    };
    let around = &samples[begin - longest..begin + seam];
    let Some(period) = period(around, rate, wanted, like) else { return 0 };
    // What stands at the beginning flows into what stood a period earlier.
    let length = samples.len();
    samples.resize(length + period, 0);
    samples.copy_within(begin - period..length, begin);
    for at in begin..begin + seam {
        let (now, then) = (samples[at + period], samples[at]);
        samples[at] = blend(now, then, weight(at - begin, seam));
    }
    period
}

/// The period by which a sound can be spliced.
fn period(
    around: &[i16],
    rate: Rate,
    wanted: f32,
    like: impl Fn(usize, usize) -> f32,
) -> Option<usize> {
    if around.iter().all(|sample| sample.unsigned_abs() < SILENT) {
        return Some(longest(rate));
    }
    let (period, likeness) = pitch::best(rate, &pitch::lags(rate), like);
    (likeness >= wanted).then_some(period)
}

fn weight(at: usize, length: usize) -> f32 {
    (at + 1) as f32 / (length + 1) as f32
}

fn blend(from: i16, to: i16, weight: f32) -> i16 {
    let (from, to) = (f32::from(from), f32::from(to));
    (from + (to - from) * weight).round() as i16
}

/// How long a seam is.
const SEAM: Duration = Duration::from_millis(10);

/// What is weaker everywhere (-60 dB) has no period, and nobody hears a seam in it.
const SILENT: u16 = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::tone::Tone;
    use crate::base::random::Random;
    use proptest::prelude::*;

    fn steepest(samples: &[i16]) -> i32 {
        let steps = samples.windows(2).map(|pair| (i32::from(pair[0]) - i32::from(pair[1])).abs());
        steps.max().unwrap_or(0)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        #[test]
        fn a_seam_in_a_tone_is_no_steeper_than_the_tone(
            hertz in 70.0_f32..1_500.0,
            wide in any::<bool>(),
            longer in any::<bool>(),
        ) {
            let rate = if wide { Rate::WIDE } else { Rate::NARROW };
            let mut samples = Tone::sine(rate, hertz).play(Duration::from_millis(100));
            let (length, was) = (samples.len(), steepest(&samples));
            let stretch = if longer { lengthen } else { shorten };
            let stretched = stretch(&mut samples, length / 2, rate, 0.5);
            prop_assert!(stretched > 0);
            let wanted = if longer { length + stretched } else { length - stretched };
            prop_assert_eq!(samples.len(), wanted);
            prop_assert!(steepest(&samples) <= was + was / 10 + 20, "{} {}", steepest(&samples), was);
        }
    }

    #[test]
    fn speechlike_sound_is_stretched_by_whole_periods() {
        let rate = Rate::NARROW;
        let clean = Tone::dual(rate, [125.0, 375.0]).play(Duration::from_millis(80));
        for stretch in [shorten, lengthen] {
            let mut samples = clean.clone();
            let stretched = stretch(&mut samples, 200, rate, 0.9);
            assert_eq!(stretched, 64);
            assert!(samples.iter().zip(&clean).all(|(one, two)| one.abs_diff(*two) < 40));
        }
    }

    #[test]
    fn noise_is_left_alone_unless_it_must_be() {
        let mut random = Random::repeatable(3);
        let noise: Vec<i16> = (0..400).map(|_| (random.unit() * 8_000.0) as i16 - 4_000).collect();
        for stretch in [shorten, lengthen] {
            let mut samples = noise.clone();
            assert_eq!(stretch(&mut samples, 150, Rate::NARROW, 0.9), 0);
            assert_eq!(samples, noise);
            assert!(stretch(&mut samples, 150, Rate::NARROW, -1.0) > 0);
        }
    }

    #[test]
    fn silence_goes_by_the_longest_period_and_too_little_not_at_all() {
        let mut silence = vec![0; 400];
        assert_eq!(shorten(&mut silence, 0, Rate::NARROW, 1.0), 120);
        assert_eq!(lengthen(&mut silence, 120, Rate::NARROW, 1.0), 120);
        let mut little = vec![5; 199];
        assert_eq!(shorten(&mut little, 0, Rate::NARROW, -1.0), 0);
        assert_eq!(lengthen(&mut little, 119, Rate::NARROW, -1.0), 0);
        assert_eq!(lengthen(&mut little, 120, Rate::NARROW, -1.0), 0);
    }
}
