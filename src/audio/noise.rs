//! Comfort noise (RFC 3389): its level, its payload, and a sound of that level.

/// How loud the background is: 0 is the loudest, 127 nothing (dB below overload).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level(u8);

impl Level {
    /// What we describe as our own background: so soft that it is hardly heard.
    pub const SOFT: Self = Self(70);

    /// Reads a payload; what it says of the spectrum is left aside, as RFC 3389 3 allows. `None`:
    /// it is empty.
    pub fn read(payload: &[u8]) -> Option<Self> {
        payload.first().map(|octet| Self(octet & 0x7f))
    }

    /// The payload: the level and no spectrum, which means white noise.
    pub fn payload(self) -> [u8; 1] {
        [self.0]
    }

    /// The effective value of the samples. Nobody's background is louder than -30 dBov.
    fn amplitude(self) -> f32 {
        if self.0 == 127 {
            0.0
        } else {
            32_768.0 * 10.0_f32.powf(-f32::from(self.0.max(30)) / 20.0)
        }
    }
}

/// Makes noise. It repeats itself after minutes only, and nobody draws secrets from it.
#[derive(Debug, Clone)]
pub struct Noise {
    state: u32,
    /// What went before: the noise is a little darker than white, as rooms are.
    last: f32,
}

impl Default for Noise {
    fn default() -> Self {
        Self { state: 0x2545_f491, last: 0.0 }
    }
}

impl Noise {
    /// Adds noise of a level to `samples`.
    pub fn add_to(&mut self, samples: &mut [i16], level: Level) {
        // An even distribution of peak 1 has the effective value 1 / √3; the filter below takes
        // another factor of √3.
        let scale = level.amplitude() * 3.0;
        for sample in samples {
            self.state ^= self.state << 13;
            self.state ^= self.state >> 17;
            self.state ^= self.state << 5;
            let white = self.state.cast_signed() as f32 / 2_147_483_648.0;
            self.last = (self.last + white) / 2.0;
            let value = (self.last * scale).round() as i16;
            *sample = sample.saturating_add(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decibels(level: u8) -> f64 {
        let mut samples = vec![0; 16_000];
        Noise::default().add_to(&mut samples, Level(level));
        let power = samples.iter().map(|it| f64::from(*it).powi(2)).sum::<f64>();
        10.0 * (power / 16_000.0 / 32_768.0_f64.powi(2)).log10()
    }

    #[test]
    fn noise_is_as_loud_as_it_is_described() {
        for level in [40, 50, 60] {
            let heard = -decibels(level);
            assert!((heard - f64::from(level)).abs() < 1.0, "{heard} for {level}");
        }
        assert!(-decibels(0) > 28.0, "nobody's background is an alarm");
        let mut samples = [0; 320];
        Noise::default().add_to(&mut samples, Level(127));
        assert_eq!(samples, [0; 320]);
    }

    #[test]
    fn a_payload_says_the_level_and_may_say_more() {
        assert_eq!(Level::read(&[0xc6, 1, 2]), Some(Level(70)));
        assert_eq!(Level::read(&Level::SOFT.payload()), Some(Level::SOFT));
        assert_eq!(Level::read(&[]), None);
    }
}
