//! Silero VAD by our own arithmetic: no shared library, ready in a few milliseconds.

use std::fs;
use std::path::Path;

use crate::media::event::WINDOW;
use crate::providers::detector::{Detector, Slot};
use crate::providers::error::ProviderError;
use crate::providers::vad::network::{MOST, Memory, Network};
use crate::providers::vad::weights::{NotSilero, Weights};

/// A detector for all calls of one media thread.
pub struct Kernel {
    network: Network,
    memories: Vec<Memory>,
    free: Vec<Slot>,
}

impl Kernel {
    /// Reads the official `silero_vad.onnx`.
    ///
    /// # Errors
    /// When the file is missing or another one; the reason says what to do.
    pub fn load(path: &Path) -> Result<Self, ProviderError> {
        let refuse = |why: String| {
            let path = path.display();
            ProviderError::lasting("silero", format!("{path}: {why}; `./dev setup` fetches it"))
        };
        let file = fs::read(path).map_err(|why| refuse(why.to_string()))?;
        Self::from_octets(&file).map_err(|why| refuse(why.to_string()))
    }

    /// Reads the octets of the official `silero_vad.onnx`.
    ///
    /// # Errors
    /// When they are another file.
    pub fn from_octets(file: &[u8]) -> Result<Self, NotSilero> {
        Ok(Self::with(Network::new(Weights::read(file)?)))
    }

    fn with(network: Network) -> Self {
        Self { network, memories: Vec::new(), free: Vec::new() }
    }
}

impl Detector for Kernel {
    fn open(&mut self) -> Slot {
        self.free.pop().unwrap_or_else(|| {
            self.memories.push(Memory::default());
            Slot(self.memories.len() - 1)
        })
    }

    fn close(&mut self, slot: Slot) {
        self.memories[slot.0] = Memory::default();
        if !self.free.contains(&slot) {
            self.free.push(slot);
        }
    }

    fn detect(&mut self, batch: &[(Slot, &[f32; WINDOW])], probabilities: &mut Vec<f32>) {
        probabilities.clear();
        for batch in batch.chunks(MOST) {
            self.network.run(batch, &mut self.memories, probabilities);
        }
        // A sample beyond all bounds would stay in the memory of its caller for ever.
        for (slot, _) in batch {
            let memory = &mut self.memories[slot.0];
            if !memory.is_sound() {
                *memory = Memory::default();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::vad::speech::{model, spoken};
    use pulp::Arch;

    fn kernel() -> Kernel {
        Kernel::load(&model()).expect("models/silero_vad.onnx is there: run ./dev setup")
    }

    /// The probabilities of one stream, window by window.
    fn alone(kernel: &mut Kernel, samples: &[f32]) -> Vec<f32> {
        let slot = kernel.open();
        let mut all = Vec::new();
        for window in samples.as_chunks().0 {
            let mut probabilities = Vec::new();
            kernel.detect(&[(slot, window)], &mut probabilities);
            all.extend(probabilities);
        }
        kernel.close(slot);
        all
    }

    #[test]
    fn people_are_heard_and_silence_is_not() {
        let mut kernel = kernel();
        let quiet = alone(&mut kernel, &[0.0; 32 * WINDOW]);
        assert!(quiet.iter().all(|it| *it < 0.1), "{quiet:?}");
        for (name, samples) in spoken() {
            let heard = alone(&mut kernel, &samples);
            let voiced = heard.iter().filter(|it| **it > 0.5).count();
            assert!(voiced * 3 > heard.len(), "{name}: {voiced} of {} windows", heard.len());
        }
    }

    #[test]
    fn a_batch_of_many_callers_hears_each_as_if_it_were_alone() {
        let mut kernel = kernel();
        // More streams than go at once, of many lengths, so that the batch changes all the time.
        let streams: Vec<Vec<f32>> = spoken()
            .into_iter()
            .cycle()
            .take(37)
            .enumerate()
            .map(|(index, (_, samples))| {
                samples[index * 100..].iter().copied().take((9 + index) * WINDOW).collect()
            })
            .collect();
        let expected: Vec<_> = streams.iter().map(|it| alone(&mut kernel, it)).collect();
        let slots: Vec<_> = streams.iter().map(|_| kernel.open()).collect();
        let longest = streams.iter().map(|it| it.len() / WINDOW).max().unwrap_or(0);
        for number in (0..).take(longest) {
            let windows = streams.iter().map(|it| it.as_chunks().0.get(number));
            let some = |(index, window): (usize, Option<_>)| Some((index, window?));
            let present: Vec<_> = windows.enumerate().filter_map(some).collect();
            let batch: Vec<_> = present.iter().map(|(index, it)| (slots[*index], *it)).collect();
            let mut probabilities = Vec::new();
            kernel.detect(&batch, &mut probabilities);
            for ((index, _), probability) in present.iter().zip(&probabilities) {
                let difference = (probability - expected[*index][number]).abs();
                assert!(difference < 1e-5, "stream {index}, window {number}: {difference}");
            }
        }
    }

    #[test]
    fn every_processor_hears_the_same() {
        let file = std::fs::read(model()).expect("models/silero_vad.onnx: run ./dev setup");
        let weights = Weights::read(&file).expect("it is the model");
        let mut plain = Kernel::with(Network::on(Arch::Scalar, weights));
        let mut best = kernel();
        for (name, samples) in spoken() {
            let (plain, best) = (alone(&mut plain, &samples), alone(&mut best, &samples));
            let apart = plain.iter().zip(&best).map(|(one, other)| (one - other).abs());
            assert!(apart.fold(0.0, f32::max) < 1e-4, "{name}");
        }
    }

    #[test]
    fn a_slot_is_wiped_and_given_out_again() {
        let mut kernel = kernel();
        let first = kernel.open();
        let mut probabilities = Vec::new();
        kernel.detect(&[(first, &[0.5; WINDOW])], &mut probabilities);
        assert_ne!(kernel.memories[first.0], Memory::default());
        kernel.close(first);
        kernel.close(first);
        assert_eq!(kernel.memories[first.0], Memory::default());
        assert_eq!(kernel.open(), first);
        assert_ne!(kernel.open(), first);
    }

    #[test]
    fn what_is_no_number_is_forgotten() {
        let mut kernel = kernel();
        let slot = kernel.open();
        for wrong in [f32::NAN, f32::INFINITY, f32::MAX] {
            let mut probabilities = Vec::new();
            kernel.detect(&[(slot, &[wrong; WINDOW])], &mut probabilities);
            assert!((0.0..=1.0).contains(&probabilities[0]), "{wrong}");
            for _ in 0..20 {
                kernel.detect(&[(slot, &[0.0; WINDOW])], &mut probabilities);
            }
            assert!(probabilities[0] < 0.1 && kernel.memories[slot.0].is_sound(), "{wrong}");
        }
    }

    #[test]
    fn a_missing_model_says_what_to_do() {
        let why = Kernel::load(Path::new("nowhere.onnx")).err().expect("it is missing");
        assert!(why.reason.contains("nowhere.onnx") && why.reason.contains("./dev setup"));
    }
}
