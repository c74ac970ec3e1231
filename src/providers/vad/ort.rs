//! Silero VAD by ONNX Runtime, which is loaded at run time: the oracle of our own kernel.

use std::path::Path;

use ndarray::arr0;
use ort::session::Session;
use ort::value::TensorRef;

use crate::media::event::WINDOW;
use crate::providers::detector::{Detector, Slot};
use crate::providers::error::ProviderError;
use crate::providers::onnx;

/// A detector for all calls of one media thread.
pub struct Ort {
    session: Session,
    memories: Vec<Memory>,
    free: Vec<Slot>,
    /// The windows of a batch, each with what stood before it.
    input: Vec<f32>,
    /// What is remembered: the hidden values of the batch, then its cells.
    state: Vec<f32>,
}

/// What is remembered of one caller.
#[derive(Debug, Clone)]
struct Memory {
    hidden: [f32; CELLS],
    cells: [f32; CELLS],
    context: [f32; CONTEXT],
}

impl Ort {
    /// Loads the official `silero_vad.onnx` and runs it once.
    ///
    /// # Errors
    /// When the library or the model is missing or does not fit.
    pub fn load(model: &Path) -> Result<Self, ProviderError> {
        let refuse = |why: String| ProviderError::lasting("silero by onnxruntime", why);
        let session = onnx::session(model).map_err(refuse)?;
        let (memories, free) = (Vec::new(), Vec::new());
        let mut this = Self { session, memories, free, input: Vec::new(), state: Vec::new() };
        let slot = this.open();
        this.run(&[(slot, &[0.0; WINDOW])], &mut Vec::new())
            .map_err(|why| refuse(format!("{}: {why}", model.display())))?;
        this.close(slot);
        Ok(this)
    }

    fn run(
        &mut self,
        batch: &[(Slot, &[f32; WINDOW])],
        probabilities: &mut Vec<f32>,
    ) -> ort::Result<()> {
        let count = batch.len();
        self.input.clear();
        self.state.resize(2 * count * CELLS, 0.0);
        let (hidden, cells) = self.state.split_at_mut(count * CELLS);
        let rows = hidden.chunks_exact_mut(CELLS).zip(cells.chunks_exact_mut(CELLS));
        for ((slot, window), (hidden, cells)) in batch.iter().zip(rows) {
            let memory = &mut self.memories[slot.0];
            self.input.extend_from_slice(&memory.context);
            self.input.extend_from_slice(&window[..]);
            memory.context.copy_from_slice(&window[WINDOW - CONTEXT..]);
            hidden.copy_from_slice(&memory.hidden);
            cells.copy_from_slice(&memory.cells);
        }
        let rate = arr0(16_000_i64);
        let outputs = self.session.run(ort::inputs![
            "input" => TensorRef::from_array_view(([count, CONTEXT + WINDOW], &self.input[..]))?,
            "state" => TensorRef::from_array_view(([2, count, CELLS], &self.state[..]))?,
            "sr" => TensorRef::from_array_view(&rate)?,
        ])?;
        let (_, told) = outputs["output"].try_extract_tensor::<f32>()?;
        let (_, state) = outputs["stateN"].try_extract_tensor::<f32>()?;
        let (hidden, cells) = state.split_at(count * CELLS);
        let rows = hidden.chunks_exact(CELLS).zip(cells.chunks_exact(CELLS));
        for ((slot, _), (hidden, cells)) in batch.iter().zip(rows) {
            let memory = &mut self.memories[slot.0];
            memory.hidden.copy_from_slice(hidden);
            memory.cells.copy_from_slice(cells);
        }
        probabilities.extend_from_slice(told);
        Ok(())
    }
}

impl Detector for Ort {
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
        if batch.is_empty() {
            return;
        }
        if let Err(why) = self.run(batch, probabilities) {
            tracing::error!(%why, "the speech detector failed");
            probabilities.resize(batch.len(), 0.0);
        }
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self { hidden: [0.0; CELLS], cells: [0.0; CELLS], context: [0.0; CONTEXT] }
    }
}

const CELLS: usize = 128;
const CONTEXT: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::codec::Codec;
    use crate::audio::coder::{Decoder, Encoder};
    use crate::audio::frame::{Frame, Rate};
    use crate::audio::resample;
    use crate::base::random::Random;
    use crate::providers::vad::kernel::Kernel;
    use crate::providers::vad::speech::{floats, model, spoken};

    /// All speech in a row, with pauses, and what a telephone and noise make of it.
    fn conditions() -> Vec<(String, Vec<f32>)> {
        let mut clean = Vec::new();
        for (_, samples) in spoken() {
            clean.extend(samples);
            clean.extend([0.0; 16_000]);
        }
        let mut conditions = vec![("telephone".to_owned(), telephone(&clean))];
        for decibels in [20, 10, 5] {
            conditions.push((format!("noise at {decibels} dB"), noisy(&clean, decibels)));
        }
        conditions.push(("clean".to_owned(), clean));
        conditions
    }

    fn telephone(samples: &[f32]) -> Vec<f32> {
        let wide = samples.iter().map(|it| (it * 32_767.0) as i16).collect();
        let narrow = resample::convert(&Frame::new(Rate::WIDE, wide), Rate::NARROW);
        let (mut payload, mut heard) = (Vec::new(), Vec::new());
        Encoder::plain(Codec::Pcmu).encode(&narrow.samples, &mut payload);
        Decoder::plain(Codec::Pcmu).decode(&payload, &mut heard);
        floats(&Frame::new(Rate::NARROW, heard))
    }

    fn noisy(samples: &[f32], decibels: i32) -> Vec<f32> {
        let mut random = Random::repeatable(5);
        let power = samples.iter().map(|it| it * it).sum::<f32>() / samples.len() as f32;
        // Uniform noise has a power of a twelfth of its squared width.
        let width = (12.0 * power / 10.0_f32.powf(decibels as f32 / 10.0)).sqrt();
        samples.iter().map(|it| it + (random.unit() as f32 - 0.5) * width).collect()
    }

    /// The probabilities of several streams of one length, heard in one batch.
    fn heard(detector: &mut dyn Detector, streams: &[&[f32]]) -> Vec<Vec<f32>> {
        let slots: Vec<_> = streams.iter().map(|_| detector.open()).collect();
        let mut heard = vec![Vec::new(); streams.len()];
        for number in 0..streams[0].len() / WINDOW {
            let window = |stream: &&'_ [f32]| -> [f32; WINDOW] { stream.as_chunks().0[number] };
            let windows: Vec<_> = streams.iter().map(window).collect();
            let batch: Vec<_> = slots.iter().copied().zip(&windows).collect();
            let mut probabilities = Vec::new();
            detector.detect(&batch, &mut probabilities);
            heard.iter_mut().zip(probabilities).for_each(|(row, it)| row.push(it));
        }
        slots.into_iter().for_each(|slot| detector.close(slot));
        heard
    }

    #[test]
    fn the_kernel_hears_what_onnx_runtime_hears() {
        let mut oracle = Ort::load(&model()).expect("./dev setup fetched model and library");
        let mut kernel = Kernel::load(&model()).expect("./dev setup fetched the model");
        let conditions = conditions();
        let streams: Vec<_> = conditions.iter().map(|(_, samples)| &samples[..]).collect();
        let (expected, batched) = (heard(&mut oracle, &streams), heard(&mut kernel, &streams));
        for (index, (name, _)) in conditions.iter().enumerate() {
            let single = heard(&mut kernel, &[streams[index]]).remove(0);
            let mut largest: f32 = 0.0;
            for (number, oracle) in expected[index].iter().enumerate() {
                for ours in [batched[index][number], single[number]] {
                    largest = largest.max((ours - oracle).abs());
                    let flipped = (ours >= 0.5) != (*oracle >= 0.5);
                    assert!(!flipped, "{name}, window {number}: {ours} against {oracle}");
                }
            }
            assert!(largest < 1e-4, "{name}: {largest} apart");
            assert!(expected[index].iter().any(|it| *it > 0.9), "{name} holds speech");
        }
    }
}
