//! Tones: single sines, and the pairs of the telephone's keys (ITU-T Q.23).

use std::time::Duration;

use crate::audio::frame::Rate;

/// A steady tone of one or two frequencies; it goes on without a seam from call to call.
#[derive(Debug, Clone)]
pub struct Tone {
    rate: Rate,
    hertz: [f32; 2],
    amplitude: f32,
    position: u32,
}

impl Tone {
    /// Makes a sine at half of full scale.
    pub fn sine(rate: Rate, hertz: f32) -> Self {
        Self::dual(rate, [hertz, hertz])
    }

    /// Makes a tone of two frequencies of equal strength at half of full scale.
    pub fn dual(rate: Rate, hertz: [f32; 2]) -> Self {
        Self { rate, hertz, amplitude: 0.5, position: 0 }
    }

    /// Makes the tone of a key, `0-9 * # A-D`.
    pub fn key(rate: Rate, key: char) -> Option<Self> {
        const KEYS: [&str; 4] = ["123A", "456B", "789C", "*0#D"];
        const ROWS: [f32; 4] = [697.0, 770.0, 852.0, 941.0];
        const COLUMNS: [f32; 4] = [1_209.0, 1_336.0, 1_477.0, 1_633.0];
        KEYS.iter().zip(ROWS).find_map(|(keys, row)| {
            let column = COLUMNS.get(keys.find(key)?)?;
            Some(Self::dual(rate, [row, *column]))
        })
    }

    /// Takes another strength: the peak, of 0.0 to 1.0.
    pub fn at(mut self, amplitude: f32) -> Self {
        self.amplitude = amplitude.clamp(0.0, 1.0);
        self
    }

    /// Gives the next `duration` of it.
    pub fn play(&mut self, duration: Duration) -> Vec<i16> {
        let mut samples = vec![0; self.rate.samples_in(duration)];
        self.fill(&mut samples);
        samples
    }

    /// Fills `samples` with what comes next.
    pub fn fill(&mut self, samples: &mut [i16]) {
        let step = self.hertz.map(|hertz| f64::from(hertz) / f64::from(self.rate.0.max(1)));
        let scale = f64::from(self.amplitude) * f64::from(i16::MAX) / 2.0;
        for sample in samples {
            let turns = step.map(|step| (step * f64::from(self.position)).fract());
            let value: f64 = turns.iter().map(|turn| (turn * std::f64::consts::TAU).sin()).sum();
            *sample = (value * scale).round() as i16;
            self.position = self.position.wrapping_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sine_has_its_frequency_and_its_peak() {
        let samples = Tone::sine(Rate::NARROW, 1_000.0).play(Duration::from_secs(1));
        let rising = samples.windows(2).filter(|pair| pair[0] < 0 && pair[1] >= 0).count();
        assert!((999..=1_000).contains(&rising), "{rising}");
        assert_eq!(samples.iter().max(), Some(&16_384));
    }

    #[test]
    fn every_key_has_a_tone_and_nothing_else_has() {
        assert!("0123456789*#ABCD".chars().all(|key| Tone::key(Rate::NARROW, key).is_some()));
        assert!("aE €".chars().all(|key| Tone::key(Rate::NARROW, key).is_none()));
    }

    #[test]
    fn a_tone_goes_on_without_a_seam() {
        let mut one = Tone::key(Rate::NARROW, '5').expect("5 is a key");
        let mut two = one.clone();
        let mut parts = one.play(Duration::from_millis(20));
        parts.extend(one.play(Duration::from_millis(20)));
        assert_eq!(parts, two.play(Duration::from_millis(40)));
    }
}
