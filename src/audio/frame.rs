//! Frames: a few milliseconds of linear mono samples.

use std::time::Duration;

/// A sample rate in samples per second. (The RTP clock rate is another thing: G.722 has 8000
/// there and 16000 here.)
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Rate(pub u32);

impl Rate {
    /// 8 kHz: the telephone.
    pub const NARROW: Self = Self(8_000);
    /// 16 kHz: what speech models hear.
    pub const WIDE: Self = Self(16_000);

    /// How many samples last for `duration`, rounded down.
    pub fn samples_in(self, duration: Duration) -> usize {
        usize::try_from(duration.as_micros() * u128::from(self.0) / 1_000_000).unwrap_or(usize::MAX)
    }

    /// How long `samples` last.
    pub fn duration_of(self, samples: usize) -> Duration {
        Duration::from_nanos(
            (samples as u64).saturating_mul(1_000_000_000) / u64::from(self.0.max(1)),
        )
    }
}

/// Linear mono samples at a rate, 16 bits each. On the media path a frame lasts 20 ms; a voice may
/// deliver frames of any length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Samples per second.
    pub rate: Rate,
    /// The samples, in time order.
    pub samples: Vec<i16>,
}

impl Frame {
    /// Makes a frame.
    pub fn new(rate: Rate, samples: Vec<i16>) -> Self {
        Self { rate, samples }
    }

    /// Makes a frame of digital silence.
    pub fn silence(rate: Rate, duration: Duration) -> Self {
        Self { rate, samples: vec![0; rate.samples_in(duration)] }
    }

    /// How long the frame lasts.
    pub fn duration(&self) -> Duration {
        self.rate.duration_of(self.samples.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_of_twenty_milliseconds_has_160_samples_at_8_khz() {
        let frame = Frame::silence(Rate::NARROW, Duration::from_millis(20));
        assert_eq!(frame.samples.len(), 160);
        assert_eq!(frame.duration(), Duration::from_millis(20));
    }
}
