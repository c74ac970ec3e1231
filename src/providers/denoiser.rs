//! Noise taken off what a caller says (RNNoise by `nnnoiseless`), before it is transcribed. Whether that
//! helps depends on the transcriber (PocketSphinx in white noise at 10 dB by telephone: no), so it is
//! off unless asked for.

use nnnoiseless::DenoiseState;

use crate::audio::frame::{Frame, Rate};
use crate::audio::resample::Resampler;

/// Cleans the frames of one line, in order. What comes out lies 16 ms behind what goes in.
pub struct Denoiser {
    up: Resampler,
    network: Box<DenoiseState<'static>>,
    down: Resampler,
    /// Samples at 48 kHz that make no whole piece yet.
    waiting: Vec<i16>,
    cleaned: Vec<i16>,
    /// Samples at 16 kHz that make no whole frame yet.
    ready: Vec<i16>,
}

impl Denoiser {
    /// Makes one for frames at 16 kHz.
    pub fn new() -> Self {
        Self {
            up: Resampler::new(Rate::WIDE, FULL),
            network: DenoiseState::new(),
            down: Resampler::new(FULL, Rate::WIDE),
            waiting: Vec::new(),
            cleaned: Vec::new(),
            // The network needs a moment: until then there is silence, so that each frame in gives
            // a frame out.
            ready: vec![0; Rate::WIDE.samples_in(std::time::Duration::from_millis(10))],
        }
    }

    /// Cleans a frame; as many samples come out as went in.
    pub fn clean(&mut self, frame: &Frame) -> Frame {
        self.up.push(&frame.samples, &mut self.waiting);
        let mut pieces = self.waiting.chunks_exact(PIECE);
        for piece in &mut pieces {
            let mut heard = [0.0_f32; PIECE];
            for (heard, sample) in heard.iter_mut().zip(piece) {
                *heard = f32::from(*sample);
            }
            let mut clean = [0.0_f32; PIECE];
            self.network.process_frame(&mut clean, &heard);
            self.cleaned.extend(clean.iter().map(|sample| sample.round() as i16));
        }
        let rest = pieces.remainder().len();
        self.waiting.drain(..self.waiting.len() - rest);
        self.down.push(&self.cleaned, &mut self.ready);
        self.cleaned.clear();
        let wanted = frame.samples.len();
        // A stream that begins is made up for by silence; nothing is left out later.
        let missing = wanted.saturating_sub(self.ready.len());
        let mut samples = vec![0; missing];
        samples.extend(self.ready.drain(..wanted - missing));
        Frame::new(Rate::WIDE, samples)
    }
}

impl Default for Denoiser {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Denoiser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Denoiser").finish_non_exhaustive()
    }
}

/// The rate at which the network works.
const FULL: Rate = Rate(48_000);

/// How many samples it takes at once: 10 ms.
const PIECE: usize = DenoiseState::FRAME_SIZE;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::Random;

    fn power(samples: &[i16]) -> f64 {
        samples.iter().map(|it| f64::from(*it).powi(2)).sum::<f64>() / samples.len() as f64
    }

    fn noise(seconds: usize) -> Vec<i16> {
        let mut random = Random::from_seed([7; 32]);
        (0..seconds * 16_000).map(|_| (random.u32() % 1_000) as i16 - 500).collect()
    }

    #[test]
    fn noise_is_taken_off_and_as_much_comes_out_as_went_in() {
        let mut denoiser = Denoiser::new();
        let noise = noise(4);
        let cleaned: Vec<i16> = noise
            .chunks(320)
            .flat_map(|frame| {
                let clean = denoiser.clean(&Frame::new(Rate::WIDE, frame.to_vec()));
                assert_eq!(clean.samples.len(), frame.len());
                clean.samples
            })
            .collect();
        let tail = noise.len() / 2..;
        let softer = power(&noise[tail.clone()]) / power(&cleaned[tail]).max(1e-9);
        assert!(softer > 30.0, "15 dB and more: {softer}");
    }

    #[test]
    fn frames_of_any_length_are_taken() {
        let mut denoiser = Denoiser::new();
        for (length, frame) in [1, 159, 480, 321, 0, 960].into_iter().zip(noise(1).chunks(960)) {
            let clean = denoiser.clean(&Frame::new(Rate::WIDE, frame[..length].to_vec()));
            assert_eq!(clean.samples.len(), length);
        }
    }
}
