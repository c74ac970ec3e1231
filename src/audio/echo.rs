//! The echo gate: whether what comes back on a line is what we said there.
//!
//! A hybrid or a loudspeaker returns our own voice, 10 to 400 ms later and some 15 dB weaker, and a
//! speech detector takes it for speech, which it is. The gate knows what was played, so it looks
//! for the last 128 ms of the line in it: an echo agrees with it at one delay (a correlation around
//! 0.7), a caller at none (seldom more than 0.35), and a caller who speaks over an echo soon
//! drowns it. Both sides are whitened by a first difference before they are compared, or all vowels
//! would look alike.

use std::collections::VecDeque;

use super::frame::Rate;

/// The echo gate of one leg.
#[derive(Debug)]
pub struct EchoGate {
    played: Side,
    heard: Side,
    /// Where the echo was found last: the place of a sample that was played, less the place of
    /// the sample in which it came back.
    offset: Option<i64>,
}

impl EchoGate {
    /// Makes a gate that knows nothing yet.
    pub fn new() -> Self {
        Self { played: Side::new(PLAYED), heard: Side::new(HEARD), offset: None }
    }

    /// Takes what was played, silence included.
    pub fn play(&mut self, samples: &[i16], rate: Rate) {
        self.played.push(samples, rate);
    }

    /// Takes what came in.
    pub fn hear(&mut self, samples: &[i16], rate: Rate) {
        self.heard.push(samples, rate);
    }

    /// Tells whether the last 128 ms that came in are an echo of what was played.
    pub fn is_echo(&mut self) -> bool {
        if self.heard.samples.len() < HEARD || self.played.samples.len() < HEARD {
            return false;
        }
        let heard: &[i16] = self.heard.samples.make_contiguous();
        let energy = dot(heard, heard);
        let played: &[i16] = self.played.samples.make_contiguous();
        if energy == 0 || dot(played, played) == 0 {
            return false;
        }
        // The place of the first sample of each, since the beginning.
        let played_from = self.played.taken - played.len() as i64;
        let heard_from = self.heard.taken - HEARD as i64;
        let last = played.len() - HEARD;
        let lag_of = |offset: i64| offset + heard_from - played_from;
        let search = |from: i64, to: i64| {
            let from = usize::try_from(from.max(0)).unwrap_or(0).min(last);
            let to = usize::try_from(to.max(0)).unwrap_or(0).min(last);
            best(heard, energy, played, (from, to))
        };
        if let Some(offset) = self.offset {
            let lag = lag_of(offset);
            let (at, likeness) = search(lag - NEAR, lag + NEAR);
            if likeness >= LIKE_THE_LAST {
                self.offset = Some(at as i64 + played_from - heard_from);
                return true;
            }
        }
        let (at, likeness) = search(last as i64 - SEARCHED, last as i64);
        let found = likeness >= ALIKE;
        if found {
            self.offset = Some(at as i64 + played_from - heard_from);
        }
        found
    }
}

impl Default for EchoGate {
    fn default() -> Self {
        Self::new()
    }
}

/// The latest samples of one side at 8 kHz, whitened.
#[derive(Debug)]
struct Side {
    samples: VecDeque<i16>,
    most: usize,
    /// How many samples were taken since the beginning.
    taken: i64,
    last: i32,
}

impl Side {
    fn new(most: usize) -> Self {
        Self { samples: VecDeque::with_capacity(most), most, taken: 0, last: 0 }
    }

    fn push(&mut self, samples: &[i16], rate: Rate) {
        let step = (rate.0 / Rate::NARROW.0).max(1) as usize;
        for group in samples.chunks_exact(step) {
            let sample = group.iter().map(|it| i32::from(*it)).sum::<i32>() / step as i32;
            let white = (sample - self.last * 9 / 10) / SCALE;
            self.last = sample;
            if self.samples.len() == self.most {
                self.samples.pop_front();
            }
            self.samples.push_back(white.clamp(-LOUDEST, LOUDEST) as i16);
            self.taken += 1;
        }
    }
}

/// The place in `played`, of those between two, that is most like `heard`, and how much:
/// 1 is the same but for its loudness, or the opposite.
fn best(heard: &[i16], energy: i64, played: &[i16], (from, to): (usize, usize)) -> (usize, f32) {
    let mut there = played.get(from..from + HEARD).map_or(0, |part| dot(part, part));
    let mut found = (from, 0.0_f32);
    for lag in from..=to {
        let Some(part) = played.get(lag..lag + HEARD) else { break };
        if there > 0 {
            let both = dot(heard, part) as f32;
            let likeness = both.abs() / ((energy as f32).sqrt() * (there as f32).sqrt());
            if likeness > found.1 {
                found = (lag, likeness);
            }
        }
        let square = |at: usize| played.get(at).map_or(0, |it| i64::from(*it) * i64::from(*it));
        there += square(lag + HEARD) - square(lag);
    }
    found
}

/// The sum of products. Whole groups fit into 32 bits, which the processor adds several at a time.
fn dot(one: &[i16], other: &[i16]) -> i64 {
    let group = |one: &[i16], other: &[i16]| -> i32 {
        one.iter().zip(other).map(|(one, other)| i32::from(*one) * i32::from(*other)).sum()
    };
    one.chunks(GROUP)
        .zip(other.chunks(GROUP))
        .map(|(one, other)| i64::from(group(one, other)))
        .sum()
}

/// Whitened samples are made so much smaller and are at most so large, so that a group of
/// products fits into 32 bits.
const SCALE: i32 = 8;
const LOUDEST: i32 = 4_095;
const GROUP: usize = 64;

/// How much of the line is compared: 128 ms at 8 kHz. Half of it leaves callers twice as alike.
const HEARD: usize = 1_024;

/// How far back an echo is looked for: it is at most 400 ms late, and both sides come in frames and
/// bursts.
const SEARCHED: i64 = 5_120;

/// How much of what was played is remembered: the packets of a known echo may be held up for half
/// a second on their way.
const PLAYED: usize = HEARD + 5_120 + 4_096;

/// How like it must be where no echo was found before.
const ALIKE: f32 = 0.5;

/// How like it must be near the place of the last echo.
const LIKE_THE_LAST: f32 = 0.38;

/// How far from the place of the last echo the next may be: a talkspurt of ours begins up to a
/// frame early.
const NEAR: i64 = 200;

#[cfg(test)]
mod tests {
    use super::*;

    /// A voice: pulses at a pitch that wanders, through two resonances that wander.
    struct Voice {
        seed: u32,
        pitch: f32,
        formants: [(f32, f32, f32); 2],
        phase: f32,
    }

    impl Voice {
        fn new(seed: u32, pitch: f32) -> Self {
            Self { seed, pitch, formants: [(500.0, 0.0, 0.0), (1_500.0, 0.0, 0.0)], phase: 0.0 }
        }

        fn random(&mut self) -> f32 {
            self.seed = self.seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (self.seed >> 8) as f32 / 8_388_608.0 - 1.0
        }

        /// A syllable of 20 ms frames.
        fn frame(&mut self) -> Vec<i16> {
            self.pitch = (self.pitch + 4.0 * self.random()).clamp(80.0, 260.0);
            for at in 0..2 {
                let wander = 120.0 * self.random();
                let formant = &mut self.formants[at];
                let middle = [500.0, 1_500.0][at];
                formant.0 = (formant.0 + wander).clamp(middle * 0.6, middle * 1.6);
            }
            let mut samples = Vec::new();
            for _ in 0..160 {
                self.phase += self.pitch / 8_000.0;
                let pulse = if self.phase >= 1.0 { 1.0 } else { 0.0 };
                self.phase %= 1.0;
                let mut sample = 4_000.0 * pulse + 60.0 * self.random();
                for (frequency, before, earlier) in &mut self.formants {
                    let turn = (std::f32::consts::TAU * *frequency / 8_000.0).cos();
                    let next = sample + 2.0 * 0.95 * turn * *before - 0.9 * *earlier;
                    *earlier = *before;
                    *before = next;
                    sample = next * 0.4;
                }
                samples.push(sample.clamp(-30_000.0, 30_000.0) as i16);
            }
            samples
        }
    }

    /// What a hybrid gives back: late, weaker, and smeared over a few milliseconds.
    struct Hybrid {
        line: VecDeque<f32>,
        loudness: f32,
    }

    impl Hybrid {
        fn new(millis: usize, decibels: f32) -> Self {
            let line = std::iter::repeat_n(0.0, millis * 8).collect();
            Self { line, loudness: 10.0_f32.powf(-decibels / 20.0) }
        }

        fn give_back(&mut self, samples: &[i16]) -> Vec<i16> {
            let taps = [0.6, -0.5, 0.4, 0.3, -0.25, 0.15, -0.1, 0.05];
            let sample = |line: &VecDeque<f32>| -> f32 {
                taps.iter().zip(line).map(|(tap, sample)| tap * sample).sum()
            };
            samples
                .iter()
                .map(|it| {
                    self.line.push_back(f32::from(*it));
                    let echo = sample(&self.line) * self.loudness;
                    self.line.pop_front();
                    echo as i16
                })
                .collect()
        }
    }

    /// The share of the frames that are taken for an echo, after the first ten.
    fn echoes(frames: usize, mut line: impl FnMut(&[i16]) -> Vec<i16>) -> f32 {
        let (mut gate, mut agent) = (EchoGate::new(), Voice::new(1, 120.0));
        let mut found = 0;
        for frame in 0..frames {
            let said = agent.frame();
            gate.play(&said, Rate::NARROW);
            gate.hear(&line(&said), Rate::NARROW);
            found += usize::from(frame >= 10 && gate.is_echo());
        }
        found as f32 / (frames - 10) as f32
    }

    #[test]
    fn our_own_voice_is_known_again_at_any_delay() {
        for (millis, decibels) in [(10, 15.0), (60, 15.0), (200, 20.0), (400, 25.0)] {
            let mut hybrid = Hybrid::new(millis, decibels);
            let share = echoes(100, |said| hybrid.give_back(said));
            assert!(share > 0.7, "{millis} ms, {decibels} dB: {share}");
        }
    }

    #[test]
    fn a_caller_is_no_echo_though_we_speak() {
        for seed in 2..6 {
            let mut caller = Voice::new(seed, 110.0 + 20.0 * seed as f32);
            let share = echoes(100, |_| caller.frame());
            assert!(share < 0.05, "{seed}: {share}");
        }
    }

    #[test]
    fn a_caller_who_speaks_over_the_echo_is_heard() {
        let (mut hybrid, mut caller) = (Hybrid::new(120, 15.0), Voice::new(9, 170.0));
        let share = echoes(200, |said| {
            let echo = hybrid.give_back(said);
            echo.iter().zip(caller.frame()).map(|(one, other)| one.saturating_add(other)).collect()
        });
        assert!(share < 0.2, "{share}");
    }

    #[test]
    fn an_echo_that_is_held_up_on_its_way_is_known_as_well() {
        let (mut gate, mut agent) = (EchoGate::new(), Voice::new(1, 120.0));
        let (mut hybrid, mut on_its_way) = (Hybrid::new(400, 15.0), VecDeque::new());
        let (mut found, mut asked) = (0, 0);
        for frame in 0..200 {
            let said = agent.frame();
            gate.play(&said, Rate::NARROW);
            on_its_way.push_back(hybrid.give_back(&said));
            // Once a second nothing comes for 400 ms, and then all of it, in several pieces.
            if frame % 50 >= 30 {
                continue;
            }
            while let Some(echo) = on_its_way.pop_front() {
                gate.hear(&echo, Rate::NARROW);
                asked += usize::from(frame > 30);
                found += usize::from(frame > 30 && gate.is_echo());
            }
        }
        assert!(found * 10 > asked * 7, "{found} of {asked}");
    }

    #[test]
    fn where_nothing_was_played_nothing_comes_back() {
        let (mut gate, mut caller) = (EchoGate::new(), Voice::new(3, 130.0));
        for _ in 0..50 {
            gate.play(&[0; 160], Rate::NARROW);
            gate.hear(&caller.frame(), Rate::NARROW);
            assert!(!gate.is_echo());
        }
    }

    #[test]
    fn an_echo_at_another_rate_is_known_as_well() {
        let (mut gate, mut agent) = (EchoGate::new(), Voice::new(1, 120.0));
        let mut hybrid = Hybrid::new(80, 15.0);
        let mut found = 0;
        for _ in 0..60 {
            let said = agent.frame();
            let wide: Vec<i16> = said.iter().flat_map(|it| [*it, *it]).collect();
            gate.play(&wide, Rate::WIDE);
            gate.hear(&hybrid.give_back(&said), Rate::NARROW);
            found += usize::from(gate.is_echo());
        }
        assert!(found > 30, "{found}");
    }

    #[test]
    fn extremes_do_not_overflow() {
        let mut gate = EchoGate::new();
        for frame in 0..60 {
            let loud = if frame % 2 == 0 { i16::MIN } else { i16::MAX };
            gate.play(&[loud; 160], Rate::NARROW);
            gate.hear(&[loud.wrapping_neg(); 160], Rate::NARROW);
            gate.is_echo();
        }
    }
}
