//! Resampling: a windowed sinc that runs along with a stream at a few milliseconds of delay.

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{
    Async, FixedAsync, Resampler as _, Resizable, SincInterpolationParameters,
    SincInterpolationType, WindowFunction,
};

use crate::audio::frame::{Frame, Rate};

/// Changes the rate of a stream of samples. What goes in comes out about 3 ms later; between
/// rates that divide each other, every whole frame in gives a whole frame out.
#[derive(Debug)]
pub struct Resampler {
    from: Rate,
    to: Rate,
    filter: Option<Filter>,
    /// Samples that went in since the beginning.
    taken: u64,
    /// Samples that came out since the beginning.
    given: u64,
}

impl Resampler {
    /// Makes a resampler. Rates outside 4 to 192 kHz, which no telephone and no voice has, are
    /// moved to the nearest of the two.
    pub fn new(from: Rate, to: Rate) -> Self {
        let [from, to] = [from, to].map(|rate| Rate(rate.0.clamp(4_000, 192_000)));
        let filter = (from != to).then(|| Filter::new(from, to));
        Self { from, to, filter, taken: 0, given: 0 }
    }

    /// How many samples the output lies behind the input, at the rate of the output.
    pub fn delay(&self) -> usize {
        self.filter.as_ref().map_or(0, |filter| filter.delay)
    }

    /// Resamples `samples` and appends what is ready to `out`. Allocates nothing but room in `out`.
    pub fn push(&mut self, samples: &[i16], out: &mut Vec<i16>) {
        let before = out.len();
        match &mut self.filter {
            Some(filter) => filter.push(samples, out),
            None => out.extend_from_slice(samples),
        }
        self.taken += samples.len() as u64;
        self.given += (out.len() - before) as u64;
    }

    /// Appends the tail that still stands in the filter, so that as much came out as went in and
    /// the delay. Afterwards the resampler is as new.
    pub fn finish(&mut self, out: &mut Vec<i16>) {
        let Some(filter) = &mut self.filter else { return };
        let whole = self.taken * u64::from(self.to.0);
        let whole = whole.div_ceil(u64::from(self.from.0)) + filter.delay as u64;
        while self.given < whole {
            let before = out.len();
            filter.push(&[0; 8], out);
            let missing = usize::try_from(whole - self.given).unwrap_or(usize::MAX);
            out.truncate(before.saturating_add(missing));
            self.given += (out.len() - before) as u64;
        }
        filter.reset();
        (self.taken, self.given) = (0, 0);
    }
}

/// Resamples a whole clip, without delay: it begins where it began and lasts as long.
pub fn convert(clip: &Frame, to: Rate) -> Frame {
    let mut resampler = Resampler::new(clip.rate, to);
    let mut samples = Vec::new();
    resampler.push(&clip.samples, &mut samples);
    let delay = resampler.delay();
    resampler.finish(&mut samples);
    samples.drain(..delay.min(samples.len()));
    Frame::new(to, samples)
}

/// A filter of rubato with room for one piece of the stream.
#[derive(Debug)]
struct Filter {
    sinc: Async<f32>,
    delay: usize,
    input: Vec<f32>,
    output: Vec<f32>,
}

impl Filter {
    fn new(from: Rate, to: Rate) -> Self {
        // 48 taps at the lower rate with a Hann window keep 3400 Hz whole at 8 kHz, put the image
        // at 4600 Hz 68 dB down and cost 3 ms.
        let longer = (f64::from(from.0) / f64::from(to.0)).max(1.0);
        let taps = (48.0 * longer).round() as usize;
        // With a filter for each phase that occurs, the nearest one is the exact one.
        let phases = to.0 / greatest_common_divisor(from.0, to.0);
        let (oversampling, interpolation) = match phases as usize {
            phases if phases <= MAX_PHASES => (phases, SincInterpolationType::Nearest),
            _ => (MAX_PHASES / 2, SincInterpolationType::Linear),
        };
        let parameters = SincInterpolationParameters::new(taps, WindowFunction::Hann)
            .f_cutoff(0.94)
            .oversampling_factor(oversampling.max(1))
            .interpolation(interpolation);
        let ratio = f64::from(to.0) / f64::from(from.0);
        let piece = from.0 as usize / 50;
        let sinc = Async::new_sinc(ratio, 1.0, &parameters, piece, 1, FixedAsync::Input)
            .expect("the ratio is finite and positive, and the piece is not empty");
        let (delay, room) = (sinc.output_delay(), sinc.output_frames_max());
        let mut filter = Self { sinc, delay, input: vec![0.0; piece], output: vec![0.0; room] };
        filter.prime();
        filter
    }

    fn push(&mut self, samples: &[i16], out: &mut Vec<i16>) {
        for piece in samples.chunks(self.input.len()) {
            for (value, sample) in self.input.iter_mut().zip(piece) {
                *value = f32::from(*sample);
            }
            let ready = self.run(piece.len());
            out.extend(self.output[..ready].iter().map(|value| value.round() as i16));
        }
    }

    fn reset(&mut self) {
        self.sinc.reset();
        self.prime();
    }

    /// The filter looks two samples further than its delay tells. Two of silence beforehand make
    /// the first frame as long as all others.
    fn prime(&mut self) {
        self.input[..2].fill(0.0);
        self.run(2);
    }

    /// Runs the filter over the first `length` samples of the input; tells how many came out.
    fn run(&mut self, length: usize) -> usize {
        self.sinc.set_chunk_size(length).expect("a piece is neither empty nor too long");
        let room = self.output.len();
        let input = InterleavedSlice::new(&self.input, 1, length).expect("the piece fits");
        let mut output =
            InterleavedSlice::new_mut(&mut self.output, 1, room).expect("the room is its own");
        let (_, ready) = self
            .sinc
            .process_into_buffer(&input, &mut output, None)
            .expect("both buffers have the size that the filter asked for");
        ready
    }
}

fn greatest_common_divisor(mut a: u32, mut b: u32) -> u32 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a.max(1)
}

/// More phases than this are interpolated: 22.05 kHz to 16 kHz has 320, 11.025 kHz 640.
const MAX_PHASES: usize = 640;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::tone::Tone;
    use std::time::Duration;

    const PAIRS: [(u32, u32); 10] = [
        (8_000, 16_000),
        (16_000, 8_000),
        (22_050, 8_000),
        (22_050, 16_000),
        (24_000, 8_000),
        (24_000, 16_000),
        (44_100, 8_000),
        (44_100, 16_000),
        (48_000, 8_000),
        (48_000, 16_000),
    ];

    /// The level of one frequency, in decibels against a full sine.
    fn level(samples: &[i16], rate: u32, hertz: f64) -> f64 {
        let (mut re, mut im, mut weight) = (0.0, 0.0, 0.0);
        for (index, sample) in samples.iter().enumerate() {
            let turn = std::f64::consts::TAU * index as f64;
            let window = 0.5 - 0.5 * (turn / samples.len() as f64).cos();
            let (sin, cos) = (turn * hertz / f64::from(rate)).sin_cos();
            re += window * f64::from(*sample) * cos;
            im += window * f64::from(*sample) * sin;
            weight += window;
        }
        20.0 * ((re * re + im * im).sqrt() * 2.0 / weight / 32_768.0).max(1e-9).log10()
    }

    fn sine(rate: u32, hertz: f32) -> Frame {
        let mut tone = Tone::sine(Rate(rate), hertz).at(0.5);
        Frame::new(Rate(rate), tone.play(Duration::from_millis(500)))
    }

    #[test]
    fn the_telephone_band_passes_within_half_a_decibel() {
        for (from, to) in PAIRS {
            for hertz in [300.0, 1_000.0, 2_000.0, 3_000.0, 3_400.0] {
                let out = convert(&sine(from, hertz), Rate(to));
                let level = level(&out.samples[200..], to, f64::from(hertz)) + 6.02;
                assert!(level.abs() < 0.5, "{from} to {to}: {hertz} Hz at {level} dB");
            }
        }
    }

    #[test]
    fn what_the_lower_rate_cannot_hold_is_sixty_decibels_down() {
        for (from, to) in PAIRS {
            let lower = f64::from(from.min(to));
            for share in [0.075, 0.125, 0.25] {
                let offset = share * lower;
                // Going up, the image of a tone is looked for; going down, its alias.
                let (tone, ghost) = match from < to {
                    true => (lower / 2.0 - offset, lower / 2.0 + offset),
                    false => (lower / 2.0 + offset, lower / 2.0 - offset),
                };
                let out = convert(&sine(from, tone as f32), Rate(to));
                let middle = &out.samples[200..out.samples.len() - 200];
                let level = level(middle, to, ghost) + 6.02;
                assert!(level < -60.0, "{from} to {to}: {tone} Hz leaves {level} dB at {ghost}");
            }
        }
    }

    #[test]
    fn a_clip_lasts_as_long_as_before_however_it_is_cut() {
        for (from, to) in PAIRS {
            let clip = sine(from, 440.0);
            let whole = convert(&clip, Rate(to));
            assert_eq!(whole.samples.len(), to as usize / 2, "{from} to {to}");
            let mut resampler = Resampler::new(Rate(from), Rate(to));
            let mut pieces = Vec::new();
            for (index, piece) in clip.samples.chunks(331).enumerate() {
                let cut = (index * 37) % piece.len();
                resampler.push(&piece[..cut], &mut pieces);
                resampler.push(&piece[cut..], &mut pieces);
            }
            let delay = resampler.delay();
            resampler.finish(&mut pieces);
            assert!(pieces[delay..] == whole.samples, "{from} to {to}: pieces differ");
        }
    }

    #[test]
    fn a_frame_in_is_a_frame_out_from_the_first_one_on() {
        for (from, to) in [(8_000, 16_000), (16_000, 8_000), (48_000, 8_000), (24_000, 8_000)] {
            let mut resampler = Resampler::new(Rate(from), Rate(to));
            let delay = Rate(to).duration_of(resampler.delay());
            assert!(delay <= Duration::from_millis(4), "{from} to {to}: {delay:?}");
            for _ in 0..1_000 {
                let mut out = Vec::new();
                resampler.push(&vec![100; from as usize / 50], &mut out);
                assert_eq!(out.len(), to as usize / 50, "{from} to {to}");
            }
        }
    }

    #[test]
    fn equal_rates_pass_untouched_and_odd_rates_do_not_hurt() {
        let clip = sine(8_000, 300.0);
        assert_eq!(convert(&clip, Rate::NARROW), clip);
        assert_eq!(convert(&sine(8_001, 300.0), Rate::WIDE).samples.len(), 8_000);
        Resampler::new(Rate(0), Rate(u32::MAX)).push(&[1, 2, 3], &mut Vec::new());
    }
}
