//! The network of Silero VAD: from a batch of windows and what is remembered to probabilities.
//!
//! Four overlapping frames of a window become spectra; four convolutions fold them into 128
//! values; 128 cells remember (an LSTM); one sum tells. Values are kept frame by frame, and in a
//! frame window by window, so that each step is a product of matrices over the whole batch.

use std::sync::Arc;

use pulp::{Arch, Scalar128b, Simd, WithSimd};
use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};

use crate::media::event::WINDOW;
use crate::providers::detector::Slot;
use crate::providers::vad::lanes::{sigmoid, tanh};
use crate::providers::vad::weights::{BINS, CELLS, Convolution, FRAME, Weights, hann};

/// How many windows are computed at once: more would leave the processor's nearer caches.
pub const MOST: usize = 32;

/// What the network remembers of one caller.
#[derive(Debug, Clone, PartialEq)]
pub struct Memory {
    hidden: [f32; CELLS],
    cells: [f32; CELLS],
    /// The end of the window before.
    context: [f32; CONTEXT],
}

impl Default for Memory {
    fn default() -> Self {
        Self { hidden: [0.0; CELLS], cells: [0.0; CELLS], context: [0.0; CONTEXT] }
    }
}

impl Memory {
    /// Tells whether every number in it is one.
    pub fn is_sound(&self) -> bool {
        let values = self.hidden.iter().chain(&self.cells).chain(&self.context);
        values.fold(true, |sound, value| sound & value.is_finite())
    }
}

/// The network with its weights and its workplace.
pub struct Network {
    weights: Weights,
    arch: Arch,
    analysis: Analysis,
    place: Place,
}

impl Network {
    /// Sets the network up for the best instructions that this processor has.
    pub fn new(weights: Weights) -> Self {
        Self::on(Arch::new(), weights)
    }

    /// Sets the network up for given instructions.
    pub fn on(arch: Arch, weights: Weights) -> Self {
        let place = Place::new(&weights);
        Self { weights, arch, analysis: Analysis::new(), place }
    }

    /// Computes at most [`MOST`] windows, each of which follows on the last one of the same slot,
    /// and appends their probabilities. A slot is an index into `memories`.
    pub fn run(
        &mut self,
        batch: &[(Slot, &[f32; WINDOW])],
        memories: &mut [Memory],
        probabilities: &mut Vec<f32>,
    ) {
        let count = batch.len();
        for (index, (slot, window)) in batch.iter().enumerate() {
            let memory = &mut memories[slot.0];
            self.analysis.extend(&memory.context, window);
            memory.context.copy_from_slice(&window[WINDOW - CONTEXT..]);
            for (number, start) in (0..WINDOW).step_by(FRAME / 2).enumerate() {
                let bins = &mut self.place.bins[(number * count + index) * BINS..][..BINS];
                self.analysis.spectrum(start, bins);
            }
            self.place.hidden[index * CELLS..][..CELLS].copy_from_slice(&memory.hidden);
            self.place.cells[index * CELLS..][..CELLS].copy_from_slice(&memory.cells);
        }
        let pass = Pass { weights: &self.weights, place: &mut self.place, count };
        match self.arch {
            // Four lanes are what every processor of this family has.
            Arch::Scalar => Scalar128b.vectorize(pass),
            arch => arch.dispatch(pass),
        }
        for (index, (slot, _)) in batch.iter().enumerate() {
            let memory = &mut memories[slot.0];
            memory.hidden.copy_from_slice(&self.place.hidden[index * CELLS..][..CELLS]);
            memory.cells.copy_from_slice(&self.place.cells[index * CELLS..][..CELLS]);
            let voiced = memory.hidden.iter().map(|value| value.max(0.0));
            let sum: f32 = voiced.zip(&self.weights.output).map(|(it, weight)| it * weight).sum();
            probabilities.push(sigmoid(sum + self.weights.threshold));
        }
    }
}

/// From samples to spectra.
struct Analysis {
    fourier: Arc<dyn RealToComplex<f32>>,
    window: [f32; FRAME],
    samples: [f32; CONTEXT + WINDOW + CONTEXT],
    frame: Vec<f32>,
    spectrum: Vec<Complex<f32>>,
    scratch: Vec<Complex<f32>>,
}

impl Analysis {
    fn new() -> Self {
        let fourier = RealFftPlanner::new().plan_fft_forward(FRAME);
        Self {
            window: hann(),
            samples: [0.0; CONTEXT + WINDOW + CONTEXT],
            frame: fourier.make_input_vec(),
            spectrum: fourier.make_output_vec(),
            scratch: fourier.make_scratch_vec(),
            fourier,
        }
    }

    /// Takes the window with what stood before it; its end is mirrored, without the last sample.
    fn extend(&mut self, context: &[f32; CONTEXT], window: &[f32; WINDOW]) {
        let (before, rest) = self.samples.split_at_mut(CONTEXT);
        let (inside, behind) = rest.split_at_mut(WINDOW);
        before.copy_from_slice(context);
        inside.copy_from_slice(window);
        let mirrored = window[..WINDOW - 1].iter().rev();
        behind.iter_mut().zip(mirrored).for_each(|(sample, mirrored)| *sample = *mirrored);
    }

    /// The magnitudes of the frame that begins with the sample `start`.
    fn spectrum(&mut self, start: usize, bins: &mut [f32]) {
        let samples = &self.samples[start..start + FRAME];
        for ((value, sample), weight) in self.frame.iter_mut().zip(samples).zip(&self.window) {
            *value = sample * weight;
        }
        self.fourier
            .process_with_scratch(&mut self.frame, &mut self.spectrum, &mut self.scratch)
            .expect("the buffers were made for this transform");
        for (bin, value) in bins.iter_mut().zip(&self.spectrum) {
            *bin = (value.re * value.re + value.im * value.im).sqrt();
        }
    }
}

/// Room for the values between the layers, for the largest batch.
#[derive(Debug)]
struct Place {
    /// Four frames of magnitudes.
    bins: Vec<f32>,
    /// The outputs of the encoder's layers: four, two, one and one frame.
    layers: [Vec<f32>; 4],
    hidden: Vec<f32>,
    cells: Vec<f32>,
    gates: Vec<f32>,
}

impl Place {
    fn new(weights: &Weights) -> Self {
        let zeros = |count: usize| vec![0.0; count * MOST];
        let [one, two, three, four] = &weights.encoder;
        Self {
            bins: zeros(4 * BINS),
            layers: [
                zeros(4 * one.bias.len()),
                zeros(2 * two.bias.len()),
                zeros(three.bias.len()),
                zeros(four.bias.len()),
            ],
            hidden: zeros(CELLS),
            cells: zeros(CELLS),
            gates: zeros(4 * CELLS),
        }
    }
}

/// A batch on its way through the layers.
struct Pass<'a> {
    weights: &'a Weights,
    place: &'a mut Place,
    count: usize,
}

impl WithSimd for Pass<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { weights, place, count } = self;
        let Place { bins, layers: [first, second, third, fourth], hidden, cells, gates } = place;
        let [one, two, three, four] = &weights.encoder;
        convolve(simd, (one, &EVERY_FRAME), bins, first, count);
        convolve(simd, (two, &EVERY_SECOND_OF_FOUR), first, second, count);
        convolve(simd, (three, &FIRST_OF_TWO), second, third, count);
        convolve(simd, (four, &ONLY_ONE), third, fourth, count);
        let gates = &mut gates[..count * 4 * CELLS];
        gates.chunks_exact_mut(4 * CELLS).for_each(|row| row.copy_from_slice(&weights.gates));
        weights.input.accumulate(simd, &fourth[..count * CELLS], gates);
        weights.hidden.accumulate(simd, &hidden[..count * CELLS], gates);
        let rows = hidden.chunks_exact_mut(CELLS).zip(cells.chunks_exact_mut(CELLS));
        for (gates, (hidden, cells)) in gates.chunks_exact(4 * CELLS).zip(rows) {
            remember(gates, hidden, cells);
        }
    }
}

/// One tap of a convolution on frames that lie side by side.
struct Step {
    tap: usize,
    from: usize,
    to: usize,
    frames: usize,
}

impl Step {
    const fn new(tap: usize, from: usize, to: usize, frames: usize) -> Self {
        Self { tap, from, to, frames }
    }
}

/// A convolution and a rectifier. Frames outside the window are zero and their taps left out.
#[inline(always)]
fn convolve<S: Simd>(
    simd: S,
    (layer, steps): (&Convolution, &[Step]),
    x: &[f32],
    y: &mut [f32],
    count: usize,
) {
    let frames = steps.iter().map(|step| step.to + step.frames).max().unwrap_or(0);
    let outputs = layer.bias.len();
    let y = &mut y[..frames * count * outputs];
    y.chunks_exact_mut(outputs).for_each(|row| row.copy_from_slice(&layer.bias));
    for step in steps {
        let tap = &layer.taps[step.tap];
        let (x_frame, y_frame) = (count * tap.inputs(), count * tap.outputs());
        let x = &x[step.from * x_frame..][..step.frames * x_frame];
        let y = &mut y[step.to * y_frame..][..step.frames * y_frame];
        tap.accumulate(simd, x, y);
    }
    for value in y {
        *value = value.max(0.0);
    }
}

/// The cell of an LSTM, its gates in the order input, forget, cell, output.
#[inline(always)]
fn remember(gates: &[f32], hidden: &mut [f32], cells: &mut [f32]) {
    let (input, rest) = gates.split_at(CELLS);
    let (forget, rest) = rest.split_at(CELLS);
    let (cell, output) = rest.split_at(CELLS);
    let gates = input.iter().zip(forget).zip(cell.iter().zip(output));
    for ((hidden, kept), ((input, forget), (cell, output))) in
        hidden.iter_mut().zip(cells).zip(gates)
    {
        *kept = sigmoid(*forget) * *kept + sigmoid(*input) * tanh(*cell);
        *hidden = sigmoid(*output) * tanh(*kept);
    }
}

/// How many samples before a window are looked at with it, and how many behind are made up.
const CONTEXT: usize = 64;

// Which taps meet which frames: three taps, one frame of zeros on both sides.
const EVERY_FRAME: [Step; 3] =
    [Step::new(0, 0, 1, 3), Step::new(1, 0, 0, 4), Step::new(2, 1, 0, 3)];
const EVERY_SECOND_OF_FOUR: [Step; 5] = [
    Step::new(1, 0, 0, 1),
    Step::new(2, 1, 0, 1),
    Step::new(0, 1, 1, 1),
    Step::new(1, 2, 1, 1),
    Step::new(2, 3, 1, 1),
];
const FIRST_OF_TWO: [Step; 2] = [Step::new(1, 0, 0, 1), Step::new(2, 1, 0, 1)];
const ONLY_ONE: [Step; 1] = [Step::new(1, 0, 0, 1)];
