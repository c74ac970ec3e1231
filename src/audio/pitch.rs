//! Pitch: the lag at which a sound is most like itself.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::audio::frame::Rate;

/// The lags in which a period is looked for, in samples: 66 to 200 Hz, and in effect the multiples
/// of those.
pub fn lags(rate: Rate) -> RangeInclusive<usize> {
    rate.samples_in(SHORTEST)..=rate.samples_in(LONGEST)
}

/// Finds the lag for which `likeness`, given the lag and the step in which samples may be looked
/// at, is highest: first in large steps, then around the best of them.
pub fn best(
    rate: Rate,
    lags: &RangeInclusive<usize>,
    likeness: impl Fn(usize, usize) -> f32,
) -> (usize, f32) {
    let coarse = (rate.0 as usize / 4_000).max(1);
    let best = |lags: &mut dyn Iterator<Item = usize>, stride: usize, start: usize| {
        lags.map(|lag| (lag, likeness(lag, stride)))
            .fold((start, f32::MIN), |best, next| if next.1 > best.1 { next } else { best })
    };
    let (shortest, longest) = (*lags.start(), *lags.end());
    let (near, _) = best(&mut (shortest..=longest).step_by(coarse), coarse, shortest);
    let around = (near + 1).saturating_sub(coarse).max(shortest)..=(near + coarse).min(longest);
    best(&mut around.clone(), 1, near)
}

/// How like two sounds are, whatever their strength: 1 is the same, 0 has nothing in common. Every
/// `stride`th sample is looked at.
pub fn likeness(one: &[i16], other: &[i16], stride: usize) -> f32 {
    let (mut product, mut power) = (0.0, [1.0_f32; 2]);
    for (one, other) in one.iter().zip(other).step_by(stride.max(1)) {
        let (one, other) = (f32::from(*one), f32::from(*other));
        product += one * other;
        power = [power[0] + one * one, power[1] + other * other];
    }
    product / (power[0] * power[1]).sqrt()
}

/// 200 Hz.
const SHORTEST: Duration = Duration::from_millis(5);
/// 66 Hz.
const LONGEST: Duration = Duration::from_millis(15);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::tone::Tone;

    #[test]
    fn the_period_of_a_tone_is_found() {
        for rate in [Rate::NARROW, Rate::WIDE] {
            let tone = Tone::dual(rate, [80.0, 240.0]).play(Duration::from_millis(60));
            let length = rate.samples_in(Duration::from_millis(20));
            let (lag, like) = best(rate, &lags(rate), |lag, stride| {
                likeness(&tone[..length], &tone[lag..lag + length], stride)
            });
            assert_eq!(lag, rate.0 as usize / 80);
            assert!(like > 0.999, "{like}");
        }
    }

    #[test]
    fn likeness_knows_no_strength_but_a_sign() {
        let one = [100, -200, 300, -400];
        assert!(likeness(&one, &one.map(|it| it * 20), 1) > 0.999);
        assert!(likeness(&one, &one.map(|it| -it), 1) < -0.999);
        assert!(likeness(&one, &[0; 4], 1).abs() < 0.01);
    }
}
