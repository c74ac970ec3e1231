//! The recording of a leg: both sides on one time line, a packet's length at a time.
//!
//! The slots of the sending side are the ruler. Each is written 120 ms after it was sent, so that
//! what the caller said at that time has arrived, in order or made up.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::audio::frame::{Frame, Rate};
use crate::audio::resample::Resampler;
use crate::media::event::Output;

/// Brings both sides together.
#[derive(Debug)]
pub struct Recorder {
    rate: Rate,
    /// What the agent said in the slots that are not written yet, oldest first.
    slots: VecDeque<Slot>,
    /// The samples in them.
    held: usize,
    /// From the rate at which the caller is heard, if it is another.
    resampler: Option<(Rate, Resampler)>,
    /// Room for what comes out of it.
    converted: Vec<i16>,
    /// What the caller said, from the beginning of the oldest slot on.
    caller: VecDeque<i16>,
    /// Whether the caller's samples are aligned with the slots.
    aligned: bool,
}

#[derive(Debug)]
struct Slot {
    begin: Instant,
    agent: Vec<i16>,
}

impl Recorder {
    /// Makes a recorder for frames at `rate`.
    pub fn new(rate: Rate) -> Self {
        Self {
            rate,
            slots: VecDeque::with_capacity(16),
            held: 0,
            resampler: None,
            converted: Vec::new(),
            caller: VecDeque::with_capacity(rate.samples_in(LONGEST_WAIT)),
            aligned: false,
        }
    }

    /// Takes what the caller said from `begin` on, at `rate`; it follows without a hole on what
    /// came before.
    pub fn hear(&mut self, samples: &[i16], rate: Rate, begin: Instant) {
        let Some(oldest) = self.slots.front() else { return };
        if !self.aligned {
            self.aligned = true;
            let before = begin.saturating_duration_since(oldest.begin);
            let silence = self.rate.samples_in(before.min(LONGEST_WAIT));
            self.caller.extend(std::iter::repeat_n(0, silence));
        }
        let room = self.rate.samples_in(LONGEST_WAIT).saturating_sub(self.caller.len());
        if rate == self.rate {
            self.resampler = None;
            return self.caller.extend(samples.iter().take(room));
        }
        if self.resampler.as_ref().is_none_or(|(known, _)| *known != rate) {
            self.resampler = Some((rate, Resampler::new(rate, self.rate)));
        }
        self.converted.clear();
        if let Some((_, resampler)) = &mut self.resampler {
            resampler.push(samples, &mut self.converted);
        }
        self.caller.extend(self.converted.iter().take(room));
    }

    /// Takes what the agent said in the slot that begins at `begin`; writes the slot that is ripe.
    pub fn slot(&mut self, agent: &[i16], begin: Instant, out: &mut VecDeque<Output>) {
        self.slots.push_back(Slot { begin, agent: agent.to_vec() });
        self.held += agent.len();
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

    fn write(&mut self, out: &mut VecDeque<Output>) {
        let Some(slot) = self.slots.pop_front() else { return self.held = 0 };
        self.held = self.held.saturating_sub(slot.agent.len());
        let have = slot.agent.len().min(self.caller.len());
        let mut caller: Vec<i16> = self.caller.drain(..have).collect();
        caller.resize(slot.agent.len(), 0);
        out.push_back(Output::Recorded {
            caller: Frame::new(self.rate, caller),
            agent: Frame::new(self.rate, slot.agent),
        });
    }
}

/// How long slots wait.
const DELAY: Duration = Duration::from_millis(120);

/// The caller's samples are kept so long; a line that runs further ahead is cut.
const LONGEST_WAIT: Duration = Duration::from_millis(600);

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(out: VecDeque<Output>) -> Vec<(Vec<i16>, i16)> {
        out.into_iter()
            .map(|output| match output {
                Output::Recorded { caller, agent } => (caller.samples, agent.samples[0]),
                other => panic!("not recorded: {other:?}"),
            })
            .collect()
    }

    #[test]
    fn both_sides_stand_on_one_time_line() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let (mut recorder, mut out) = (Recorder::new(Rate::NARROW), VecDeque::new());
        for slot in 0..20 {
            recorder.slot(&[slot as i16; 160], at(slot * 20), &mut out);
            // From 50 ms on the caller says 7, and each packet comes 30 ms late.
            if slot >= 4 {
                recorder.hear(&[7; 160], Rate::NARROW, at(50 + (slot - 4) * 20));
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
        let (mut recorder, mut out) = (Recorder::new(Rate::NARROW), VecDeque::new());
        recorder.hear(&[1; 160], Rate::NARROW, Instant::now());
        for _ in 0..10 {
            recorder.slot(&[3; 160], Instant::now(), &mut out);
        }
        assert_eq!(pairs(out), vec![(vec![0; 160], 3); 4]);
    }
}
