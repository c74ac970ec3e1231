//! The echo gate: whether what comes back on a line is what we said there.
//!
//! A hybrid or a loudspeaker returns our own voice, 10 to 400 ms later and some 15 dB weaker, and a
//! speech detector takes it for speech, which it is. The gate knows what was played, so it looks
//! for the last 128 ms of the line in it: an echo agrees with it at one delay (a correlation around
//! 0.7), a caller at none (seldom more than 0.35), and a caller who speaks over an echo soon
//! drowns it. What is 27 dB weaker than what we say at the time is nobody who speaks over us, though no
//! likeness shows in the noise of the line. Both sides are whitened by a first difference before they are compared, or all vowels
//! would look alike. Behind an echo a detector still hears speech for a moment where there is next to
//! nothing: that is its echo too.

use super::frame::Rate;

/// The echo gate of one leg.
#[derive(Debug)]
pub struct EchoGate {
    played: Side,
    heard: Side,
    /// The part of `heard` that is looked for, as loud as groups of products allow.
    wanted: Vec<i16>,
    /// Where the echo was found last: the place of a sample that was played, less the place of
    /// the sample in which it came back.
    offset: Option<i64>,
    /// How loud the last echo was, and how often there was none since.
    last: (i64, u32),
}

impl EchoGate {
    /// Makes a gate that knows nothing yet.
    pub fn new() -> Self {
        Self {
            played: Side::new(PLAYED, LOUD),
            heard: Side::new(HEARD, FINE),
            wanted: Vec::with_capacity(HEARD),
            offset: None,
            last: (0, TAIL),
        }
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
        let heard = self.heard.latest();
        let loudest = heard.iter().map(|it| it.unsigned_abs()).max().unwrap_or(0);
        let down = (u16::BITS - loudest.leading_zeros()).saturating_sub(LOUDEST.ilog2() + 1);
        self.wanted.clear();
        self.wanted.extend(heard.iter().map(|it| it >> down));
        let wanted = dot(&self.wanted, &self.wanted);
        // What is fainter than the noise of a line is no sound.
        let audible = |it: &i16| i64::from(it / (LOUD.by / FINE.by) as i16).pow(2);
        let energy = heard.iter().map(audible).sum::<i64>();
        let (found, loudest) = self.find(wanted);
        if found {
            self.last = (energy.max(self.last.0 / 8 * 7), 0);
            return true;
        }
        let (loudness, since) = self.last;
        self.last = (loudness, since.saturating_add(1));
        let is_faint = energy.saturating_mul(FAR_BELOW) < loudest;
        is_faint || (since < TAIL && energy < loudness / FAINT)
    }

    /// Looks for what came in, which has this energy, in what was played; keeps where it was. Tells
    /// whether it is there, and how loud the loudest was that it was compared with.
    fn find(&mut self, energy: i64) -> (bool, i64) {
        let (heard, played) = (self.wanted.as_slice(), self.played.latest());
        if energy == 0 || dot(played, played) == 0 {
            return (false, 0);
        }
        // The place of the first sample of each, since the beginning.
        let played_from = self.played.taken - played.len() as i64;
        let heard_from = self.heard.taken - HEARD as i64;
        let last = played.len() - HEARD;
        let search = |from: i64, to: i64| {
            let from = usize::try_from(from.max(0)).unwrap_or(0).min(last);
            let to = usize::try_from(to.max(0)).unwrap_or(0).min(last);
            best(heard, energy, played, (from, to))
        };
        let near = self.offset.map(|offset| {
            let lag = offset + heard_from - played_from;
            search(lag - NEAR, lag + NEAR)
        });
        let near = near.filter(|found| found.likeness >= LIKE_THE_LAST);
        let anywhere = || search(last as i64 - SEARCHED, last as i64);
        let Found { at, likeness, loudest } = near.unwrap_or_else(anywhere);
        let is_there = near.is_some() || likeness >= ALIKE;
        if is_there {
            self.offset = Some(at as i64 + played_from - heard_from);
        }
        (is_there, loudest)
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
    /// The latest ones at the end; older ones stand before them until the room is full.
    samples: Vec<i16>,
    most: usize,
    /// By how much they are made smaller, and how large the largest is.
    scale: Scale,
    /// How many samples were taken since the beginning.
    taken: i64,
    last: i32,
}

/// By how much whitened samples are made smaller, and how large they may be then.
#[derive(Debug, Clone, Copy)]
struct Scale {
    by: i32,
    most: i32,
}

impl Side {
    fn new(most: usize, scale: Scale) -> Self {
        let mut samples = Vec::with_capacity(most + (most / 2).min(2_048));
        // Before a call there was silence: the echo of its first word is looked for there, too.
        samples.resize(most, 0);
        Self { samples, most, scale, taken: most as i64, last: 0 }
    }

    fn latest(&self) -> &[i16] {
        &self.samples[self.samples.len().saturating_sub(self.most)..]
    }

    fn push(&mut self, samples: &[i16], rate: Rate) {
        let step = (rate.0 / Rate::NARROW.0).max(1) as usize;
        let coming = samples.len() / step;
        if self.samples.len() + coming > self.samples.capacity() {
            let old = self.samples.len().saturating_sub(self.most);
            self.samples.drain(..old);
        }
        self.taken += coming as i64;
        if step == 1 {
            return self.whiten(samples.iter().map(|sample| i32::from(*sample)));
        }
        let sum = |group: &[i16]| group.iter().map(|it| i32::from(*it)).sum::<i32>();
        self.whiten(samples.chunks_exact(step).map(|group| sum(group) / step as i32));
    }

    fn whiten(&mut self, samples: impl Iterator<Item = i32>) {
        let (mut last, Scale { by, most }) = (self.last, self.scale);
        self.samples.extend(samples.map(|sample| {
            let white = (sample - last * 9 / 10) / by;
            last = sample;
            white.clamp(-most, most) as i16
        }));
        self.last = last;
    }
}

/// The place in what was played that is most like what was heard.
#[derive(Debug, Clone, Copy)]
struct Found {
    at: usize,
    /// 1 is the same but for its loudness, or the opposite.
    likeness: f32,
    /// The energy of the loudest place of those that were played last.
    loudest: i64,
}

/// The place in `played`, of those between two, that is most like `heard`.
fn best(heard: &[i16], energy: i64, played: &[i16], (from, to): (usize, usize)) -> Found {
    let mut there = played.get(from..from + HEARD).map_or(0, |part| dot(part, part));
    let mut found = Found { at: from, likeness: 0.0, loudest: 0 };
    for lag in from..=to {
        let Some(part) = played.get(lag..lag + HEARD) else { break };
        if there > 0 {
            let both = dot(heard, part) as f32;
            let likeness = both.abs() / ((energy as f32).sqrt() * (there as f32).sqrt());
            if likeness > found.likeness {
                found = Found { at: lag, likeness, ..found };
            }
            if lag + AT_THE_TIME >= to {
                found.loudest = found.loudest.max(there);
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

/// What is compared is at most so large, so that a group of products fits into 32 bits.
const LOUDEST: i32 = 4_095;
const GROUP: usize = 64;

/// What was played is loud.
const LOUD: Scale = Scale { by: 8, most: LOUDEST };

/// What comes back may be faint: all of it counts.
const FINE: Scale = Scale { by: 2, most: i16::MAX as i32 };

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

/// Behind an echo, what is so much weaker (18 dB) is nobody's voice, in so many windows.
const FAINT: i64 = 64;
const TAIL: u32 = 8;

/// So much weaker (27 dB) than what we say at the time is nobody who speaks over us.
const FAR_BELOW: i64 = 500;

/// At the time: 250 ms before.
const AT_THE_TIME: usize = 2_000;

/// How far from the place of the last echo the next may be: a talkspurt of ours begins up to a
/// frame early.
const NEAR: i64 = 200;

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

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
    fn the_end_of_an_echo_is_no_caller_and_a_caller_behind_it_is_one() {
        let (mut gate, mut agent) = (EchoGate::new(), Voice::new(1, 120.0));
        let (mut hybrid, mut caller) = (Hybrid::new(60, 15.0), Voice::new(4, 170.0));
        for _ in 0..50 {
            let said = agent.frame();
            gate.play(&said, Rate::NARROW);
            gate.hear(&hybrid.give_back(&said), Rate::NARROW);
            gate.is_echo();
        }
        let hiss = |at: usize| -> Vec<i16> { (0..160).map(|it| ((it * at) % 7) as i16).collect() };
        let mut faint = Vec::new();
        for at in 1..20 {
            gate.play(&[0; 160], Rate::NARROW);
            let echo = hybrid.give_back(&[0; 160]);
            let heard: Vec<i16> = echo.iter().zip(hiss(at)).map(|(one, two)| one + two).collect();
            gate.hear(&heard, Rate::NARROW);
            faint.push(gate.is_echo());
        }
        assert!(faint[..14].iter().all(|it| *it), "{faint:?}");
        assert!(!faint[18], "it is not for ever: {faint:?}");
        for _ in 0..8 {
            gate.play(&[0; 160], Rate::NARROW);
            gate.hear(&caller.frame(), Rate::NARROW);
        }
        assert!(!gate.is_echo());
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
    fn what_is_far_below_our_own_voice_is_nobody_and_is_heard_when_we_are_silent() {
        let faint = |frame: Vec<i16>, by: i16| frame.into_iter().map(|it| it / by).collect();
        for (by, heard) in [(40, false), (8, true)] {
            let (mut gate, mut agent) = (EchoGate::new(), Voice::new(1, 120.0));
            let mut caller = Voice::new(4, 170.0);
            let mut over_us = 0;
            for frame in 0..100 {
                gate.play(&agent.frame(), Rate::NARROW);
                let faint: Vec<i16> = faint(caller.frame(), by);
                gate.hear(&faint, Rate::NARROW);
                over_us += usize::from(frame > 10 && !gate.is_echo());
            }
            assert_eq!(over_us > 80, heard, "{over_us} of 89, made {by} times weaker");
            let mut behind_us = 0;
            for frame in 0..100 {
                gate.play(&[0; 160], Rate::NARROW);
                let faint: Vec<i16> = faint(caller.frame(), by);
                gate.hear(&faint, Rate::NARROW);
                behind_us += usize::from(frame >= 50 && !gate.is_echo());
            }
            assert_eq!(behind_us, 50);
        }
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
