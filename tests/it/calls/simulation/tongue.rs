//! The tongue of the simulation: every word is a pair of tones, so that whoever listens on either
//! side understands exactly what really arrived, and nothing else.

use std::f64::consts::TAU;
use std::time::{Duration, Instant};

use voxtrunk::audio::frame::{Frame, Rate};
use voxtrunk::audio::tone::Tone;

/// The words that were ever said, in order; the place of a word is its pair of tones.
#[derive(Debug, Default)]
pub struct Tongue {
    words: Vec<String>,
}

/// What was heard of somebody, frame by frame.
#[derive(Debug, Default)]
pub struct Hearing {
    runs: Vec<Run>,
}

/// One pair of tones for as long as no other came between.
#[derive(Debug)]
struct Run {
    word: usize,
    frames: u32,
    since: Instant,
    until: Instant,
}

/// A word that was heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    pub text: String,
    pub since: Instant,
    pub until: Instant,
}

impl Tongue {
    /// Says `text` at `rate`.
    pub fn say(&mut self, text: &str, rate: Rate) -> Frame {
        let mut samples = Vec::new();
        for word in words(text) {
            let place = self.learn(&word);
            let hertz = pair(place).map(|tone| hertz(tone) as f32);
            samples.extend(Tone::dual(rate, hertz).at(LOUD).play(length(&word)));
            samples.resize(samples.len() + rate.samples_in(GAP), 0);
        }
        Frame::new(rate, samples)
    }

    fn learn(&mut self, word: &str) -> usize {
        if let Some(place) = self.words.iter().position(|known| known == word) {
            return place;
        }
        assert!(self.words.len() < TONES * (TONES - 1) / 2, "the tongue has no more words");
        self.words.push(word.to_owned());
        self.words.len() - 1
    }

    /// The word that a frame of 20 ms at 16 kHz belongs to.
    fn word_in(&self, frame: &Frame) -> Option<usize> {
        let power = power(&frame.samples);
        if power < QUIET {
            return None;
        }
        let mut tones: Vec<(f64, usize)> =
            (0..TONES).map(|tone| (goertzel(&frame.samples, hertz(tone)) / power, tone)).collect();
        tones.sort_by(|one, other| other.0.total_cmp(&one.0));
        let (first, second) = (tones[0], tones[1]);
        if first.0 + second.0 < 0.6 || second.0 < 0.15 {
            return None;
        }
        let wanted = [first.1.min(second.1), first.1.max(second.1)];
        (0..self.words.len()).find(|place| pair(*place) == wanted)
    }
}

impl Hearing {
    /// Takes 20 ms at 16 kHz.
    pub fn hear(&mut self, now: Instant, frame: &Frame, tongue: &Tongue) {
        let Some(word) = tongue.word_in(frame) else { return };
        match self.runs.last_mut() {
            Some(run) if run.word == word => {
                run.frames += 1;
                run.until = now;
            }
            Some(_) | None => {
                self.runs.push(Run { word, frames: 1, since: now, until: now });
            }
        }
    }

    /// The words of which at least the larger part was heard; a word in two parts is one word.
    pub fn words(&self, tongue: &Tongue) -> Vec<Word> {
        let mut heard = Vec::new();
        for run in &self.runs {
            let text = &tongue.words[run.word];
            let times = (f64::from(run.frames) * 20.0 / length(text).as_millis() as f64).round();
            let word = Word { text: text.clone(), since: run.since, until: run.until };
            heard.extend(std::iter::repeat_n(word, times as usize));
        }
        heard
    }

    /// The same as one text.
    pub fn text(&self, tongue: &Tongue) -> String {
        let words: Vec<String> = self.words(tongue).into_iter().map(|word| word.text).collect();
        words.join(" ")
    }
}

/// The words of a text as they are heard: lower case, without punctuation at their edges.
pub fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split_whitespace()
        .map(|word| word.trim_matches(|letter: char| !letter.is_alphanumeric()).to_lowercase())
        .filter(|word| !word.is_empty())
}

/// A text as it is heard.
pub fn plain(text: &str) -> String {
    words(text).collect::<Vec<_>>().join(" ")
}

/// How loud samples are on average: the mean square, 1.0 at full scale.
pub fn power(samples: &[i16]) -> f64 {
    let square = |sample: &i16| (f64::from(*sample) / 32_768.0).powi(2);
    samples.iter().map(square).sum::<f64>() / samples.len().max(1) as f64
}

/// Below this mean square nobody speaks.
pub const QUIET: f64 = 0.000_4;

/// How long a word lasts: whole frames, at the pace of ordinary speech.
fn length(word: &str) -> Duration {
    let frames = (word.chars().count() as u64 * 7 / 2).clamp(8, 30);
    Duration::from_millis(frames * 20)
}

/// The two tones of the word at `place`, the lower one first.
fn pair(place: usize) -> [usize; 2] {
    // By their distance, so that words that stand together differ in both.
    let (mut distance, mut low) = (1, place);
    while low >= TONES - distance {
        low -= TONES - distance;
        distance += 1;
    }
    [low, low + distance]
}

fn hertz(tone: usize) -> f64 {
    400.0 + 100.0 * tone as f64
}

/// The power of one frequency in samples at 16 kHz (Goertzel), so that a pure tone has its mean
/// square.
fn goertzel(samples: &[i16], hertz: f64) -> f64 {
    let turn = 2.0 * (TAU * hertz / 16_000.0).cos();
    let (mut last, mut before) = (0.0, 0.0);
    for sample in samples {
        let next = f64::from(*sample) / 32_768.0 + turn * last - before;
        (before, last) = (last, next);
    }
    let magnitude = last * last + before * before - turn * last * before;
    2.0 * magnitude / (samples.len().max(1) as f64).powi(2)
}

/// How many tones there are, 100 Hz apart: all fit into a telephone line.
const TONES: usize = 28;

/// How strong the tones are.
const LOUD: f32 = 0.5;

/// The pause after a word.
const GAP: Duration = Duration::from_millis(40);
