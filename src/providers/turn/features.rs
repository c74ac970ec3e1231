//! From the sound of a turn to the log-mel spectrum that Smart Turn hears: that of Whisper, over
//! eight seconds.

use std::array;
use std::f64::consts::PI;
use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};

use crate::providers::turn_model::LONGEST;

/// Computes spectra; what that needs is made once.
pub struct Features {
    transform: Arc<dyn RealToComplex<f64>>,
    /// A periodic Hann window.
    window: [f64; FRAME],
    filters: [Filter; BANDS],
    /// The turn, of zero mean and unit variance.
    sound: Vec<f64>,
    frame: Vec<f64>,
    spectrum: Vec<Complex<f64>>,
    scratch: Vec<Complex<f64>>,
}

/// A triangle over the spectrum.
struct Filter {
    first_bin: usize,
    weights: Vec<f64>,
}

impl Features {
    /// Makes the tables.
    pub fn new() -> Self {
        let transform = RealFftPlanner::new().plan_fft_forward(FRAME);
        let hann = |at: usize| 0.5 - 0.5 * (2.0 * PI * at as f64 / FRAME as f64).cos();
        Self {
            window: array::from_fn(hann),
            filters: array::from_fn(Filter::of_band),
            sound: Vec::with_capacity(LONGEST),
            frame: transform.make_input_vec(),
            spectrum: transform.make_output_vec(),
            scratch: transform.make_scratch_vec(),
            transform,
        }
    }

    /// The spectrum of a turn: [`BANDS`] rows of [`FRAMES`] values. The end of the turn is the end
    /// of each row; before a short turn there is silence.
    pub fn of(&mut self, turn: &[i16], rows: &mut Vec<f32>) {
        let silence = self.take(turn);
        rows.clear();
        rows.resize(BANDS * FRAMES, 0.0);
        let mut loudest = f64::MIN;
        let mut logs = [0.0_f64; BANDS];
        for number in 0..FRAMES {
            // Frames that lie in the silence before the turn are all the same.
            let is_known = (2..silence.saturating_sub(FRAME) / HOP).contains(&number);
            if !is_known {
                logs = self.frame_at(number);
            }
            for (band, log) in logs.iter().enumerate() {
                loudest = loudest.max(*log);
                rows[band * FRAMES + number] = *log as f32;
            }
        }
        let floor = (loudest - RANGE) as f32;
        rows.iter_mut().for_each(|log| *log = (log.max(floor) + 4.0) / 4.0);
    }

    /// Takes the last eight seconds of a turn, or puts silence before it; gives how much.
    fn take(&mut self, turn: &[i16]) -> usize {
        let turn = &turn[turn.len().saturating_sub(LONGEST)..];
        let silence = LONGEST - turn.len();
        let count = LONGEST as f64;
        let samples = || turn.iter().map(|sample| f64::from(*sample) / 32_768.0);
        let mean = samples().sum::<f64>() / count;
        let squares: f64 = samples().map(|sample| (sample - mean).powi(2)).sum();
        let variance = (squares + silence as f64 * mean * mean) / count;
        let deviation = (variance + VARIANCE_FLOOR).sqrt();
        self.sound.clear();
        self.sound.resize(silence, -mean / deviation);
        self.sound.extend(samples().map(|sample| (sample - mean) / deviation));
        silence
    }

    /// The logarithms of the bands around one point of the turn.
    fn frame_at(&mut self, number: usize) -> [f64; BANDS] {
        for (at, (value, window)) in self.frame.iter_mut().zip(&self.window).enumerate() {
            *value = self.sound[mirrored(number * HOP + at)] * window;
        }
        let (frame, spectrum) = (&mut self.frame, &mut self.spectrum);
        let transformed = self.transform.process_with_scratch(frame, spectrum, &mut self.scratch);
        transformed.expect("the lengths are those of the transform");
        array::from_fn(|band| {
            let filter = &self.filters[band];
            let bins = self.spectrum[filter.first_bin..].iter();
            let energy: f64 = bins.zip(&filter.weights).map(|(bin, it)| bin.norm_sqr() * it).sum();
            energy.max(QUIETEST).log10()
        })
    }
}

impl Default for Features {
    fn default() -> Self {
        Self::new()
    }
}

impl Filter {
    /// The triangle of a band: it rises from the middle of the band below, falls to that of the
    /// band above, and has the area 1.
    fn of_band(band: usize) -> Self {
        let highest = mels(BINS as f64 * BIN_WIDTH - BIN_WIDTH);
        let corner = |number: usize| hertz(highest * number as f64 / (BANDS + 1) as f64);
        let (low, middle, high) = (corner(band), corner(band + 1), corner(band + 2));
        let weight = |bin: usize| {
            let frequency = bin as f64 * BIN_WIDTH;
            let rising = (frequency - low) / (middle - low);
            let falling = (high - frequency) / (high - middle);
            rising.min(falling).max(0.0) * 2.0 / (high - low)
        };
        let first_bin = (0..BINS).find(|bin| weight(*bin) > 0.0).unwrap_or(BINS);
        let weights = (first_bin..BINS).map(weight).take_while(|it| *it > 0.0).collect();
        Self { first_bin, weights }
    }
}

/// The place of a sample in the turn when it is mirrored at both ends; frames are centred, so the
/// first begins half a frame early.
fn mirrored(at: usize) -> usize {
    let at = at.abs_diff(FRAME / 2);
    if at < LONGEST { at } else { 2 * (LONGEST - 1) - at }
}

/// The mel scale of Slaney: linear up to 1 kHz, logarithmic above.
fn mels(hertz: f64) -> f64 {
    if hertz < 1_000.0 {
        hertz * 3.0 / 200.0
    } else {
        15.0 + (hertz / 1_000.0).ln() * 27.0 / 6.4_f64.ln()
    }
}

fn hertz(mels: f64) -> f64 {
    if mels < 15.0 {
        mels * 200.0 / 3.0
    } else {
        1_000.0 * ((mels - 15.0) * 6.4_f64.ln() / 27.0).exp()
    }
}

/// How many bands there are.
pub const BANDS: usize = 80;
/// How many frames there are: one for each 10 ms.
pub const FRAMES: usize = LONGEST / HOP;
/// 25 ms.
const FRAME: usize = 400;
const HOP: usize = 160;
const BINS: usize = FRAME / 2 + 1;
/// In hertz.
const BIN_WIDTH: f64 = 16_000.0 / FRAME as f64;
/// What is quieter counts as this.
const QUIETEST: f64 = 1e-10;
/// How far below the loudest value the others are told apart, as a power of ten.
const RANGE: f64 = 8.0;
const VARIANCE_FLOOR: f64 = 1e-7;

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A saw-tooth whose pitch climbs, with pauses, over a hiss: whole numbers only, so that it is
    /// the same in every language.
    pub fn signal(length: i64) -> Vec<i16> {
        let sample = |at: i64| {
            let tone = if at / 2_000 % 4 == 3 { 0 } else { at * (200 + at / 40) % 16_000 - 8_000 };
            (tone + (at * at * 7 + at * 13) % 101 - 50) as i16
        };
        (0..length).map(sample).collect()
    }

    /// What numpy gives for signals of these lengths by the feature extractor of Whisper: in some
    /// bands, at some frames, and the mean and the mean square of all.
    const GOLDEN: [(i64, [[f32; 5]; 6], f64, f64); 4] = [
        (
            51_200,
            [
                [0.58517, 0.58517, 1.42615, 1.47227, 1.14458],
                [0.31104, 0.31104, 1.44517, 1.20607, 1.02852],
                [-0.23389, -0.23389, 1.14459, 0.70863, 0.84013],
                [-0.23389, -0.23389, 0.96323, 0.72601, 1.04242],
                [-0.23389, -0.23389, 0.87963, 0.86878, 1.25090],
                [-0.23389, -0.23389, 0.80211, 1.00637, 0.98216],
            ],
            0.236641,
            0.451337,
        ),
        (
            128_000,
            [
                [1.47127, 0.62342, 1.03010, 0.70968, 0.62420],
                [1.49085, 0.34929, 1.02894, 0.90740, 0.35009],
                [1.15184, 0.03807, 1.00300, 1.01017, 0.04180],
                [0.95565, 0.08156, 1.11263, 1.16474, 0.08341],
                [0.80997, -0.06142, 1.26382, 1.03149, -0.06202],
                [0.73315, 0.02570, 1.00483, 0.89965, 0.02559],
            ],
            0.787656,
            0.819831,
        ),
        (
            150_000,
            [
                [0.55055, 0.98511, 1.13119, 0.55683, 1.27745],
                [0.28069, 0.90802, 0.91188, 0.28270, 1.17848],
                [0.00939, 1.05830, 0.85036, 0.03786, 0.82447],
                [-0.05232, 1.09790, 0.78796, 0.08135, 0.98888],
                [-0.08187, 1.02476, 0.88803, -0.06176, 1.37487],
                [-0.03899, 1.03378, 1.19980, 0.02534, 1.29694],
            ],
            0.777040,
            0.799919,
        ),
        (
            100,
            [
                [0.52098, 0.52098, 0.52098, 0.52098, 2.00594],
                [0.24685, 0.24685, 0.24685, 0.24685, 2.02780],
                [0.09858, 0.09858, 0.09858, 0.09858, 1.67571],
                [0.09858, 0.09858, 0.09858, 0.09858, 1.48724],
                [0.09858, 0.09858, 0.09858, 0.09858, 1.37464],
                [0.09858, 0.09858, 0.09858, 0.09858, 1.30333],
            ],
            0.107559,
            0.016787,
        ),
    ];
    const SOME_BANDS: [usize; 6] = [0, 1, 17, 40, 63, 79];
    const SOME_FRAMES: [usize; 5] = [0, 240, 480, 555, 799];

    #[test]
    fn spectra_are_those_that_the_network_was_trained_with() {
        let (mut features, mut rows) = (Features::new(), Vec::new());
        for (length, expected, mean, square) in GOLDEN {
            features.of(&signal(length), &mut rows);
            for (band, expected) in SOME_BANDS.into_iter().zip(expected) {
                for (frame, expected) in SOME_FRAMES.into_iter().zip(expected) {
                    let value = rows[band * FRAMES + frame];
                    let place = format!("{length} samples, band {band}, frame {frame}");
                    assert!((value - expected).abs() < 1e-4, "{place}: {value}, not {expected}");
                }
            }
            let count = rows.len() as f64;
            let told = rows.iter().map(|it| f64::from(*it)).sum::<f64>() / count;
            let squared = rows.iter().map(|it| f64::from(*it).powi(2)).sum::<f64>() / count;
            assert!((told - mean).abs() < 1e-5, "{length}: the mean {told}");
            assert!((squared - square).abs() < 1e-5, "{length}: the mean square {squared}");
        }
    }

    #[test]
    fn silence_has_a_spectrum_and_every_sample_of_eight_seconds_counts() {
        let (mut features, mut rows) = (Features::new(), Vec::new());
        features.of(&[], &mut rows);
        assert!(rows.len() == BANDS * FRAMES && rows.iter().all(|it| *it == -1.5));
        features.of(&[i16::MIN; LONGEST], &mut rows);
        assert!(rows.iter().all(|it| it.is_finite()));
        let mut turn = vec![0; LONGEST];
        turn[0] = 9_000;
        features.of(&turn, &mut rows);
        let first = rows[40 * FRAMES];
        assert!(rows[40 * FRAMES + 3..41 * FRAMES].iter().all(|it| *it < first));
    }
}
