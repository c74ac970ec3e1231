//! Keys of the telephone heard as tones (ITU-T Q.23, Q.24), and told from speech.
//!
//! Eight Goertzel filters look at blocks of 17 ms through a window (Hann's), one every 6.4 ms. A
//! block holds a key when one row and one column stand out from the others of their group, when
//! both are about equally strong, when there is little else in the block, and no second harmonic
//! of the column, as voices have it. From block to block the phase of both tones must go on as that
//! of steady tones of the right frequencies does: speech hardly ever keeps that up. Three such
//! blocks in a row are a key; five others end it.

use std::f32::consts::TAU;

use crate::audio::frame::Rate;

/// Hears keys.
#[derive(Debug)]
pub struct Detector {
    rate: Rate,
    rows: [Filter; 4],
    columns: [Filter; 4],
    /// Samples of the block that is being filled; all but the first of them begin the next one.
    block: Vec<f32>,
    window: Vec<f32>,
    /// The block through the window.
    shaped: Vec<f32>,
    /// By how many samples a block begins after the one before.
    hop: usize,
    /// What the last block held.
    last: Option<Hit>,
    /// How many blocks in a row held that key.
    run: u32,
    /// The key that was told and is still pressed.
    pressed: Option<char>,
    /// Blocks without it.
    misses: u32,
}

/// One frequency.
#[derive(Debug, Clone, Copy)]
struct Filter {
    hertz: f32,
    /// Twice the cosine of the step from sample to sample.
    coefficient: f32,
    sine: f32,
}

/// A tone in a block.
#[derive(Debug, Clone, Copy)]
struct Tone {
    /// Which of its group.
    place: usize,
    power: f32,
    phase: f32,
}

/// A key in a block.
#[derive(Debug, Clone, Copy)]
struct Hit {
    row: Tone,
    column: Tone,
}

impl Detector {
    /// Makes a detector for samples at `rate`.
    pub fn new(rate: Rate) -> Self {
        let scaled = |samples: usize| (samples * rate.0 as usize / 8_000).max(2);
        let (length, hop) = (scaled(BLOCK), scaled(HOP));
        let filter = |hertz| Filter::new(hertz, rate);
        let window = |at: usize| (TAU * (at as f32 + 0.5) / length as f32).cos();
        let window: Vec<f32> = (0..length).map(|at| 0.5 - 0.5 * window(at)).collect();
        Self {
            rate,
            rows: ROWS.map(filter),
            columns: COLUMNS.map(filter),
            block: Vec::with_capacity(length),
            shaped: Vec::with_capacity(length),
            window,
            hop,
            last: None,
            run: 0,
            pressed: None,
            misses: 0,
        }
    }

    /// The rate of the samples that it takes.
    pub fn rate(&self) -> Rate {
        self.rate
    }

    /// Takes samples; gives every key whose press became certain, with the rest of them still to
    /// be taken.
    pub fn push<'a>(&mut self, samples: &'a [i16]) -> (Option<char>, &'a [i16]) {
        let mut rest = samples;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(self.window.len() - self.block.len()));
            self.block.extend(now.iter().map(|sample| f32::from(*sample) / FULL_SCALE));
            rest = later;
            if self.block.len() == self.window.len() {
                let key = self.judge();
                self.block.drain(..self.hop);
                if key.is_some() {
                    return (key, rest);
                }
            }
        }
        (None, rest)
    }

    /// Forgets what was heard last: something else follows.
    pub fn restart(&mut self) {
        self.block.clear();
        (self.last, self.run) = (None, 0);
    }

    /// Looks at a whole block.
    fn judge(&mut self) -> Option<char> {
        self.shaped.clear();
        self.shaped.extend(self.block.iter().zip(&self.window).map(|(it, weight)| it * weight));
        let hit = self.hit();
        let goes_on = hit.is_some_and(|hit| self.follows(hit));
        self.run = match (hit, goes_on) {
            (None, _) => 0,
            (Some(_), false) => 1,
            (Some(_), true) => self.run.saturating_add(1),
        };
        self.last = hit;
        let key = hit.filter(|_| self.run >= CERTAIN).map(Hit::key);
        match (key, self.pressed) {
            (Some(key), Some(pressed)) if key == pressed => self.misses = 0,
            (Some(key), _) => {
                (self.pressed, self.misses) = (Some(key), 0);
                return Some(key);
            }
            // A tone that is there, but not certain, is no end.
            (None, Some(pressed)) if hit.is_some_and(|hit| hit.key() == pressed) => {}
            (None, Some(_)) => {
                self.misses += 1;
                if self.misses >= RELEASED {
                    self.pressed = None;
                }
            }
            (None, None) => {}
        }
        None
    }

    /// The key in the block, if there is one and nothing else.
    fn hit(&self) -> Option<Hit> {
        let weights: f32 = self.window.iter().map(|weight| weight * weight).sum();
        let total: f32 = self.shaped.iter().map(|sample| sample * sample).sum::<f32>() / weights;
        // The power of a sine is half the square of its peak.
        let weakest = WEAKEST * WEAKEST / 2.0;
        if total < weakest {
            return None;
        }
        let row = strongest(&self.rows, &self.shaped)?;
        let column = strongest(&self.columns, &self.shaped)?;
        let twist = column.power / row.power;
        let both = (row.power + column.power) / total;
        let in_order = row.power.min(column.power) > weakest
            && (REVERSE_TWIST..FORWARD_TWIST).contains(&twist)
            && both > SHARE;
        (in_order && !self.has_harmonic(&column)).then_some(Hit { row, column })
    }

    /// Whether there is a second harmonic of a column, as voices have it. That of a row would lie
    /// among the columns.
    fn has_harmonic(&self, column: &Tone) -> bool {
        let hertz = self.columns.get(column.place).map_or(0.0, |filter| filter.hertz * 2.0);
        let harmonic = Filter::new(hertz, self.rate).measure(&self.shaped, 0);
        harmonic.power > column.power * HARMONIC
    }

    /// Whether a block goes on with the key of the one before: the same, about as loud, and in
    /// phase with steady tones of its frequencies.
    fn follows(&self, hit: Hit) -> bool {
        let Some(last) = self.last else { return false };
        let goes_on = |filters: &[Filter; 4], before: Tone, now: Tone| {
            let Some(filter) = filters.get(now.place) else { return false };
            let change = now.power / before.power;
            let turns = |hertz: f32| TAU * hertz * self.hop as f32 / self.rate.0.max(1) as f32;
            let drift = turned(now.phase - before.phase - turns(filter.hertz));
            // What a tone that is off by so much would drift.
            let allowed = turns(filter.hertz * OFF + SLOP);
            before.place == now.place
                && (1.0 / STEADY..STEADY).contains(&change)
                && drift.abs() < allowed
        };
        goes_on(&self.rows, last.row, hit.row) && goes_on(&self.columns, last.column, hit.column)
    }
}

impl Hit {
    fn key(self) -> char {
        let row = KEYS.get(self.row.place).and_then(|row| row.get(self.column.place));
        row.copied().unwrap_or_default()
    }
}

impl Filter {
    fn new(hertz: f32, rate: Rate) -> Self {
        let step = TAU * hertz / rate.0.max(1) as f32;
        Self { hertz, coefficient: 2.0 * step.cos(), sine: step.sin() }
    }

    /// Measures the tone in a block that came through the window: its power, and its phase at the
    /// end.
    fn measure(&self, block: &[f32], place: usize) -> Tone {
        let (mut one, mut two) = (0.0_f32, 0.0_f32);
        for sample in block {
            let next = self.coefficient * one - two + sample;
            (two, one) = (one, next);
        }
        let real = one - two * self.coefficient / 2.0;
        let imaginary = two * self.sine;
        let square = real * real + imaginary * imaginary;
        // The window lets half of the amplitude pass: a peak of `a` sums up to a quarter of it for
        // each sample.
        let length = block.len().max(1) as f32;
        let power = square * 8.0 / (length * length);
        Tone { place, power, phase: imaginary.atan2(real) }
    }
}

/// The tone that stands out of its group; `None` when none does.
fn strongest(filters: &[Filter; 4], block: &[f32]) -> Option<Tone> {
    let mut tones = [Tone { place: 0, power: 0.0, phase: 0.0 }; 4];
    for ((place, filter), tone) in filters.iter().enumerate().zip(&mut tones) {
        *tone = filter.measure(block, place);
    }
    let best = tones.into_iter().max_by(|one, two| one.power.total_cmp(&two.power))?;
    let others = tones.iter().filter(|tone| tone.place != best.place);
    let stands_out = others.map(|tone| tone.power * PEAK).all(|power| power < best.power);
    stands_out.then_some(best)
}

/// The same angle between minus and plus half a turn.
fn turned(angle: f32) -> f32 {
    angle - TAU * (angle / TAU).round()
}

const KEYS: [[char; 4]; 4] =
    [['1', '2', '3', 'A'], ['4', '5', '6', 'B'], ['7', '8', '9', 'C'], ['*', '0', '#', 'D']];
const ROWS: [f32; 4] = [697.0, 770.0, 852.0, 941.0];
const COLUMNS: [f32; 4] = [1_209.0, 1_336.0, 1_477.0, 1_633.0];

/// Samples of a block at 8 kHz: wide enough for tones that are off by 1.5 %, and narrow enough to
/// tell neighbours apart.
const BLOCK: usize = 136;

/// Samples from block to block at 8 kHz.
const HOP: usize = 51;

/// Blocks in a row that make a key: it lasted 25 ms at least (ITU-T Q.24 wants 40 to be heard, and
/// 20 not to be).
const CERTAIN: u32 = 4;

/// Blocks in a row that end it: 32 ms. An interruption of 10 ms is none.
const RELEASED: u32 = 5;

const FULL_SCALE: f32 = 32_768.0;

/// The peak of the weakest tone, by full scale: -42 dBm0, where 3.14 dBm0 is full scale.
const WEAKEST: f32 = 0.0055;

/// A column may be so much stronger than its row: 4 dB and a little more.
const FORWARD_TWIST: f32 = 4.0;

/// And a row stronger than its column: 8 dB and a little more.
const REVERSE_TWIST: f32 = 0.1;

/// A tone is so much stronger than all others of its group: 3 dB.
const PEAK: f32 = 2.0;

/// Both tones are so much of all that is in the block.
const SHARE: f32 = 0.79;

/// A second harmonic is weaker than so much of its tone: 10 dB.
const HARMONIC: f32 = 0.1;

/// From block to block a tone changes by less than so much: 3 dB.
const STEADY: f32 = 1.6;

/// A tone may be off by so much, and by so many hertz that other tones pretend.
const OFF: f32 = 0.023;
const SLOP: f32 = 3.0;

#[cfg(test)]
mod tests;
