//! Mixing: sums that do not overflow, gains and short fades.

/// Adds `other` to `samples`, as far as both reach.
pub fn add(samples: &mut [i16], other: &[i16]) {
    for (sample, other) in samples.iter_mut().zip(other) {
        *sample = sample.saturating_add(*other);
    }
}

/// Multiplies `samples` by `gain`.
pub fn gain(samples: &mut [i16], gain: f32) {
    for sample in samples {
        *sample = scaled(*sample, gain);
    }
}

/// Lets the gain of `samples` go evenly from one to another.
pub fn slide(samples: &mut [i16], [from, to]: [f32; 2]) {
    let step = (to - from) / samples.len().max(1) as f32;
    for (index, sample) in samples.iter_mut().enumerate() {
        *sample = scaled(*sample, from + step * (index + 1) as f32);
    }
}

/// Lets `samples` rise from silence.
pub fn fade_in(samples: &mut [i16]) {
    let length = samples.len() as f32;
    for (index, sample) in samples.iter_mut().enumerate() {
        *sample = scaled(*sample, index as f32 / length);
    }
}

/// Lets `samples` fall to silence.
pub fn fade_out(samples: &mut [i16]) {
    let length = samples.len() as f32;
    for (index, sample) in samples.iter_mut().rev().enumerate() {
        *sample = scaled(*sample, index as f32 / length);
    }
}

/// A cast of a float to an integer saturates, so this cannot overflow.
fn scaled(sample: i16, gain: f32) -> i16 {
    (f32::from(sample) * gain).round() as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_and_a_gain_stop_at_full_scale() {
        let mut samples = [30_000, -30_000, 5, 9];
        add(&mut samples, &[10_000, -10_000, 1]);
        assert_eq!(samples, [i16::MAX, i16::MIN, 6, 9]);
        gain(&mut samples, 2.0);
        assert_eq!(samples, [i16::MAX, i16::MIN, 12, 18]);
    }

    #[test]
    fn fades_begin_and_end_in_silence() {
        let mut samples = [1_000; 4];
        fade_in(&mut samples);
        assert_eq!(samples, [0, 250, 500, 750]);
        let mut samples = [1_000; 4];
        fade_out(&mut samples);
        assert_eq!(samples, [750, 500, 250, 0]);
        fade_in(&mut []);
    }
}
