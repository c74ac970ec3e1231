//! The recording of a leg: both sides on one time line, a packet's length at a time.
//!
//! The slots of the sending side are the ruler. Each is written 120 ms after it was sent, so that
//! what the caller said at that time has arrived, in order or made up. Voices of others stand
//! where the clocks of their streams say.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::audio::coder::Decoder;
use crate::audio::frame::{Frame, Rate};
use crate::audio::library::Libraries;
use crate::base::id::PortId;
use crate::media::event::Output;
use crate::media::lane::{Lane, Stamp};
use crate::media::link::{Content, Passage};

/// Brings both sides together.
#[derive(Debug)]
pub struct Recorder {
    rate: Rate,
    /// What the agent said in the slots that are not written yet, oldest first.
    slots: VecDeque<Slot>,
    /// The samples in them.
    held: usize,
    /// Where the next slot begins.
    end: Option<Instant>,
    caller: Lane,
    /// Another leg whose packets are passed on to the caller as they are.
    relayed: Option<Relayed>,
    /// What is kept of what is said now.
    taping: Taping,
    /// Room for the samples of a packet.
    samples: Vec<i16>,
}

#[derive(Debug)]
struct Slot {
    begin: Instant,
    agent: Vec<i16>,
    taping: Taping,
}

/// What is kept of what is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Taping {
    /// Everything.
    #[default]
    Running,
    /// Nothing but the time that it took.
    Paused,
    /// Nothing at all.
    Withheld,
}

#[derive(Debug)]
struct Relayed {
    from: PortId,
    stream: u32,
    decoder: Decoder,
    lane: Lane,
}

impl Recorder {
    /// Makes a recorder for frames at `rate`.
    pub fn new(rate: Rate) -> Self {
        Self {
            rate,
            slots: VecDeque::with_capacity(16),
            held: 0,
            end: None,
            caller: Lane::new(rate),
            relayed: None,
            taping: Taping::default(),
            samples: Vec::new(),
        }
    }

    /// Takes what the caller said, at `rate`.
    pub fn hear(&mut self, samples: &[i16], rate: Rate, stamp: Stamp) {
        let Some(front) = self.front() else { return };
        self.caller.put((samples, rate), stamp, front);
    }

    /// Takes what was made up for the caller, at `rate`, because nothing came in time.
    pub fn make_up(&mut self, samples: &[i16], rate: Rate) {
        if self.front().is_some() {
            self.caller.make_up(samples, rate);
        }
    }

    /// Takes what another leg said to the caller, when its packets are passed on as they are.
    pub fn relay(
        &mut self,
        now: Instant,
        (from, passage): (PortId, &Passage),
        libraries: &Libraries,
    ) {
        let (Some(front), Content::Voice(codec)) = (self.front(), passage.content) else { return };
        if codec.samples(&passage.payload) > codec.rate().samples_in(LONGEST_PACKET) {
            return;
        }
        let known = |relayed: &Relayed| {
            relayed.from == from
                && relayed.stream == passage.stream
                && relayed.decoder.codec() == codec
        };
        if !self.relayed.as_ref().is_some_and(known) {
            let decoder = Decoder::new(codec, libraries);
            let lane = Lane::new(self.rate);
            self.relayed = Some(Relayed { from, stream: passage.stream, decoder, lane });
        }
        let Some(relayed) = &mut self.relayed else { return };
        self.samples.clear();
        relayed.decoder.decode(&passage.payload, &mut self.samples);
        let (timestamp, clock) = (passage.timestamp, codec.clock_rate());
        let stamp = Stamp { timestamp, clock, arrived: now };
        relayed.lane.put((&self.samples, relayed.decoder.rate()), stamp, front);
    }

    /// Says what is kept of what is said from now on.
    pub fn record_as(&mut self, taping: Taping) {
        self.taping = taping;
    }

    /// Takes what the agent said in the slot that begins at `begin`; writes the slot that is ripe.
    pub fn slot(&mut self, agent: &[i16], begin: Instant, out: &mut VecDeque<Output>) {
        let missed = self.end.map(|end| begin.saturating_duration_since(end)).unwrap_or_default();
        if missed >= HOLE {
            // The thread slept: nobody said anything, and the time line goes on.
            let silence = vec![0; self.rate.samples_in(missed.min(LONGEST_SLEEP))];
            self.push(silence, begin.checked_sub(missed).unwrap_or(begin));
        }
        self.push(agent.to_vec(), begin);
        while self.held > self.rate.samples_in(DELAY) {
            self.write(out);
        }
    }

    /// Writes what is left: the call is over.
    pub fn finish(&mut self, out: &mut VecDeque<Output>) {
        while !self.slots.is_empty() {
            self.write(out);
        }
    }

    /// The time of the next sample that is written.
    fn front(&self) -> Option<Instant> {
        self.slots.front().map(|slot| slot.begin)
    }

    fn push(&mut self, agent: Vec<i16>, begin: Instant) {
        self.held += agent.len();
        self.end = begin.checked_add(self.rate.duration_of(agent.len()));
        self.slots.push_back(Slot { begin, agent, taping: self.taping });
    }

    fn write(&mut self, out: &mut VecDeque<Output>) {
        let Some(Slot { mut agent, taping, .. }) = self.slots.pop_front() else {
            return self.held = 0;
        };
        self.held = self.held.saturating_sub(agent.len());
        let mut caller = vec![0; agent.len()];
        self.caller.add_to(&mut caller);
        if let Some(relayed) = &mut self.relayed {
            relayed.lane.add_to(&mut agent);
        }
        match taping {
            Taping::Running => {}
            Taping::Paused => {
                caller.fill(0);
                agent.fill(0);
            }
            Taping::Withheld => return,
        }
        out.push_back(Output::Recorded {
            caller: Frame::new(self.rate, caller),
            agent: Frame::new(self.rate, agent),
        });
    }
}

/// How long slots wait.
const DELAY: Duration = Duration::from_millis(120);

/// From here on slots were left out.
const HOLE: Duration = Duration::from_millis(5);

/// A machine that sleeps longer was switched off.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// More than any sender puts into a packet (RFC 3551 4.2).
const LONGEST_PACKET: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::Random;

    fn pairs(out: VecDeque<Output>) -> Vec<(Vec<i16>, i16)> {
        out.into_iter()
            .map(|output| match output {
                Output::Recorded { caller, agent } => (caller.samples, agent.samples[0]),
                other => panic!("not recorded: {other:?}"),
            })
            .collect()
    }

    fn stamp(packet: u64, arrived: Instant) -> Stamp {
        Stamp { timestamp: (packet as u32).wrapping_mul(160), clock: 8_000, arrived }
    }

    #[test]
    fn both_sides_stand_on_one_time_line() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let (mut recorder, mut out) = (Recorder::new(Rate::NARROW), VecDeque::new());
        for slot in 0..20 {
            recorder.slot(&[slot as i16; 160], at(slot * 20), &mut out);
            // From 50 ms on the caller says 7; each packet comes when it was said.
            if slot >= 4 {
                let arrived = at(50 + (slot - 3) * 20);
                recorder.hear(&[7; 160], Rate::NARROW, stamp(slot, arrived));
            }
        }
        recorder.finish(&mut out);
        let pairs = pairs(out);
        assert_eq!(pairs.len(), 20);
        for (slot, (caller, agent)) in pairs.iter().enumerate() {
            assert_eq!(*agent, slot as i16);
            assert_eq!(caller.len(), 160);
            match slot {
                0 | 1 => assert!(caller.iter().all(|sample| *sample == 0)),
                2 => assert_eq!(caller.iter().filter(|sample| **sample == 7).count(), 80),
                3..18 => assert!(caller.iter().all(|sample| *sample == 7), "{slot}"),
                _ => {}
            }
        }
    }

    #[test]
    fn a_caller_who_is_never_heard_is_silence() {
        let start = Instant::now();
        let (mut recorder, mut out) = (Recorder::new(Rate::NARROW), VecDeque::new());
        recorder.hear(&[1; 160], Rate::NARROW, stamp(0, start));
        for slot in 0..10 {
            recorder.slot(&[3; 160], start + Duration::from_millis(slot * 20), &mut out);
        }
        assert_eq!(pairs(out), vec![(vec![0; 160], 3); 4]);
    }

    #[test]
    fn what_is_paused_is_silence_of_the_right_length() {
        let start = Instant::now();
        let (mut recorder, mut out) = (Recorder::new(Rate::NARROW), VecDeque::new());
        for slot in 0..100_u64 {
            let at = start + Duration::from_millis(slot * 20);
            let paused = (30..60).contains(&slot);
            recorder.record_as(if paused { Taping::Paused } else { Taping::Running });
            recorder.slot(&[3; 160], at, &mut out);
            recorder.hear(&[7; 160], Rate::NARROW, stamp(slot, at + Duration::from_millis(20)));
        }
        recorder.finish(&mut out);
        for (slot, (caller, agent)) in pairs(out).into_iter().enumerate() {
            let expected = if (30..60).contains(&slot) { (0, 0) } else { (7, 3) };
            assert_eq!((caller[80], agent), expected, "{slot}");
        }
    }

    #[test]
    fn what_is_withheld_is_not_there_at_all() {
        let start = Instant::now();
        let (mut recorder, mut out) = (Recorder::new(Rate::NARROW), VecDeque::new());
        recorder.record_as(Taping::Withheld);
        for slot in 0..50_u64 {
            if slot == 30 {
                recorder.record_as(Taping::Running);
            }
            let at = start + Duration::from_millis(slot * 20);
            recorder.slot(&[slot as i16; 160], at, &mut out);
        }
        recorder.finish(&mut out);
        let agent: Vec<i16> = pairs(out).iter().map(|(_, agent)| *agent).collect();
        assert_eq!(agent, (30..50).collect::<Vec<i16>>());
    }

    #[test]
    fn a_thread_that_slept_leaves_silence_and_not_a_shorter_call() {
        let start = Instant::now();
        let (mut recorder, mut out) = (Recorder::new(Rate::NARROW), VecDeque::new());
        for slot in (0..20).chain(70..100_u64) {
            recorder.slot(&[3; 160], start + Duration::from_millis(slot * 20), &mut out);
        }
        recorder.finish(&mut out);
        let written: usize = pairs(out).iter().map(|(caller, _)| caller.len()).sum();
        assert_eq!(written, 100 * 160);
    }

    /// What a line does to a caller.
    struct Line {
        /// How much faster than ours the caller's clock runs, in millionths.
        drift: i64,
        /// In a hundred packets so many are lost.
        loss: u32,
        /// The caller sends nothing while it is silent.
        rests: bool,
        /// In milliseconds.
        jitter: u32,
    }

    /// An hour of a call in which both sides click each ten seconds at the same moment; for each
    /// click, how many milliseconds the caller's comes after the agent's in the recording.
    fn an_hour(line: &Line) -> Vec<f64> {
        let (start, mut random) = (Instant::now(), Random::repeatable(5));
        let (mut recorder, mut out) = (Recorder::new(Rate::NARROW), VecDeque::new());
        let (mut heard, mut said, mut written) = (Vec::new(), Vec::new(), 0);
        let mut filled_to = 0_u64;
        let mut due: VecDeque<(u64, u64)> = VecDeque::new();
        let mut packet = 0_u64;
        for slot in 0..180_000_u64 {
            let now = slot * 20_000;
            // On hold from minute 20 to 21 the caller sends nothing at all.
            let held = (60_000..63_000).contains(&slot);
            while said_at(packet + 1, line.drift) <= now + 20_000 {
                let speaks = packet % 500 < 100;
                if !held && random.below(100) >= line.loss && (speaks || !line.rests) {
                    let way = 30_000 + u64::from(random.below(line.jitter.max(1))) * 1_000;
                    let at = said_at(packet + 1, line.drift) + way;
                    due.push_back((at.max(due.back().map_or(0, |it| it.0)), packet));
                }
                packet += 1;
            }
            let agent = if slot % 500 == 50 { [9_000; 160] } else { [0; 160] };
            recorder.slot(&agent, start + Duration::from_micros(now), &mut out);
            while due.front().is_some_and(|it| it.0 < now + 20_000) {
                let (at, packet) = due.pop_front().expect("it is there");
                let samples = caller_says(packet, line.drift);
                let arrived = start + Duration::from_micros(at);
                recorder.hear(&samples, Rate::NARROW, stamp(packet, arrived));
                filled_to = filled_to.max(at);
            }
            // As the receiver does: what did not come for 60 ms is made up.
            if now > filled_to + 60_000 && !held {
                recorder.make_up(&[0; 160], Rate::NARROW);
                filled_to += 20_000;
            }
            for output in out.drain(..) {
                let Output::Recorded { caller, agent } = output else { continue };
                let click = |samples: &[i16]| samples.iter().position(|it| *it > 4_000);
                heard.extend(click(&caller.samples).map(|at| written + at));
                said.extend(click(&agent.samples).map(|at| written + at));
                written += caller.samples.len();
            }
        }
        assert!((179_990..=180_000).contains(&(written / 160)), "{written}");
        let first = |at: usize| heard.iter().find(|it| it.abs_diff(at) < 2_000).copied();
        said.iter().filter_map(|at| Some((first(*at)? as f64 - *at as f64) / 8.0)).collect()
    }

    /// When the sample before this packet was said, in microseconds of our clock.
    fn said_at(packet: u64, drift: i64) -> u64 {
        (packet as i64 * 20_000 * 1_000_000 / (1_000_000 + drift)) as u64
    }

    /// A click at each moment at which the agent clicks.
    fn caller_says(packet: u64, drift: i64) -> [i16; 160] {
        let mut samples = [0; 160];
        let (begin, end) = (said_at(packet, drift), said_at(packet + 1, drift));
        let click = begin.saturating_sub(1_000_000).div_ceil(10_000_000) * 10_000_000 + 1_000_000;
        if click < end {
            let at = (click - begin) * 8 / 1_000;
            samples.iter_mut().skip(at as usize).take(40).for_each(|it| *it = 9_000);
        }
        samples
    }

    #[test]
    fn both_sides_stay_in_step_for_an_hour_over_any_line() {
        for line in [
            Line { drift: 0, loss: 0, rests: false, jitter: 0 },
            Line { drift: 100, loss: 5, rests: false, jitter: 30 },
            Line { drift: -100, loss: 5, rests: true, jitter: 30 },
            Line { drift: 300, loss: 1, rests: true, jitter: 10 },
        ] {
            let apart = an_hour(&line);
            assert!(apart.len() > 310, "{} clicks at {}", apart.len(), line.drift);
            let least = apart.iter().copied().fold(f64::MAX, f64::min);
            let most = apart.iter().copied().fold(f64::MIN, f64::max);
            assert!(most - least <= 20.0, "{least} to {most} ms at {} ppm", line.drift);
            assert!((0.0..=50.0).contains(&least), "{least} ms: the way of the packets");
        }
    }
}
