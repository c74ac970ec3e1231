//! The speech tap: what the caller said, at 16 kHz, as frames for whoever listens and as windows
//! for the speech detector, and the edges of speech that its answers make.
//!
//! Every sample is known by its position in the stream and every position by when it arrived, so
//! that an edge is told with the time of its samples and not with the time of its discovery.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::audio::beep;
use crate::audio::echo::EchoGate;
use crate::audio::frame::{Frame, Rate};
use crate::audio::resample::Resampler;
use crate::audio::speech::{Edge, Gate, Settings};
use crate::media::event::{Event, Output, WINDOW};

/// The tap of one leg.
#[derive(Debug)]
pub struct Tap {
    settings: Settings,
    /// Whether anybody is told of speech; else nothing need be remembered of what is played.
    attends: bool,
    /// Whether a speech detector looks at it; else only frames are given out.
    judged: bool,
    gate: Gate,
    echo: EchoGate,
    rate: Rate,
    upsample: Resampler,
    /// Hears beeps, if anybody wants to know of them.
    beeps: Option<Box<beep::Detector>>,
    /// Samples at 16 kHz that make no whole frame yet.
    pending: Vec<i16>,
    /// Samples that make no whole window yet.
    window: Vec<f32>,
    /// Samples that came out of the resampler since the beginning.
    produced: u64,
    /// When samples arrived, oldest first.
    arrivals: VecDeque<Arrival>,
    windows_given: u64,
    windows_answered: u64,
}

/// Samples up to a position arrived at a time.
#[derive(Debug, Clone, Copy)]
struct Arrival {
    until: u64,
    at: Instant,
}

impl Tap {
    /// Makes a tap for samples at `rate`.
    pub fn new(rate: Rate, settings: Settings) -> Self {
        Self {
            gate: Gate::new(settings.clone()),
            settings,
            attends: true,
            judged: true,
            echo: EchoGate::new(),
            rate,
            upsample: Resampler::new(rate, Rate::WIDE),
            beeps: None,
            pending: Vec::with_capacity(FRAME * 4),
            window: Vec::with_capacity(WINDOW),
            produced: 0,
            arrivals: VecDeque::with_capacity(MAX_ARRIVALS),
            windows_given: 0,
            windows_answered: 0,
        }
    }

    /// Takes other settings for the gate; what was heard stays.
    pub fn configure(&mut self, settings: &Settings) {
        if self.settings != *settings {
            self.settings = settings.clone();
            self.gate.configure(settings.clone());
        }
    }

    /// Takes samples at another rate from now on: another codec was agreed.
    pub fn retune(&mut self, rate: Rate) {
        self.upsample = Resampler::new(rate, Rate::WIDE);
        self.rate = rate;
    }

    /// Takes what the caller is given to hear, at `rate`.
    pub fn play(&mut self, samples: &[i16], rate: Rate) {
        if self.attends && self.settings.echo_gate {
            self.echo.play(samples, rate);
        }
    }

    /// Whether anybody is told of speech from now on, and whether a speech detector looks at it.
    pub fn attend(&mut self, attends: bool, judged: bool) {
        (self.attends, self.judged) = (attends, judged);
    }

    /// Tells of beeps from now on.
    pub fn hear_beeps(&mut self) {
        self.beeps = Some(Box::default());
    }

    /// Takes samples that arrived at `at`.
    pub fn push(&mut self, samples: &[i16], at: Instant, out: &mut VecDeque<Output>) {
        if self.settings.echo_gate {
            self.echo.hear(samples, self.rate);
        }
        let before = self.pending.len();
        self.upsample.push(samples, &mut self.pending);
        let fresh = self.pending.get(before..).unwrap_or_default();
        if let Some(lasted) = self.beeps.as_mut().and_then(|beeps| beeps.push(fresh)) {
            out.push_back(Output::Event(Event::Beep { lasted }));
        }
        if self.judged {
            self.show(before, at, out);
        }
        let whole = self.pending.len() / FRAME * FRAME;
        for frame in self.pending.chunks_exact(FRAME) {
            out.push_back(Output::Heard(Frame::new(Rate::WIDE, frame.to_vec())));
        }
        self.pending.drain(..whole);
    }

    /// Gives the windows that are filled by what waits from `fresh` on.
    fn show(&mut self, fresh: usize, at: Instant, out: &mut VecDeque<Output>) {
        let fresh = self.pending.get(fresh..).unwrap_or_default();
        self.produced += fresh.len() as u64;
        if self.arrivals.len() == MAX_ARRIVALS {
            self.arrivals.pop_front();
        }
        self.arrivals.push_back(Arrival { until: self.produced, at });
        for sample in fresh {
            self.window.push(f32::from(*sample) / 32_768.0);
            if self.window.len() == WINDOW {
                let mut window = Box::new([0.0; WINDOW]);
                window.copy_from_slice(&self.window);
                self.window.clear();
                self.windows_given += 1;
                out.push_back(Output::Window(window));
            }
        }
    }

    /// Takes the probability of the earliest window that has no answer yet.
    pub fn hear(&mut self, probability: f32) -> Option<Event> {
        if self.windows_answered == self.windows_given {
            return None;
        }
        self.windows_answered += 1;
        let end = self.windows_answered * WINDOW as u64;
        let speech = probability >= self.settings.release;
        let echo = speech && self.settings.echo_gate && self.echo.is_echo();
        match self.gate.hear(if echo { 0.0 } else { probability })? {
            Edge::Started => {
                // The gate wants so much speech; the first window of it ended this long ago.
                let rest = self.settings.min_speech.saturating_sub(Gate::WINDOW);
                let windows = rest.as_micros().div_ceil(Gate::WINDOW.as_micros()) as u64;
                let at = self.arrival(end.saturating_sub(windows * WINDOW as u64))?;
                Some(Event::SpeechStarted { at })
            }
            Edge::Faded => Some(Event::SpeechFaded),
            Edge::Returned => Some(Event::SpeechReturned),
            Edge::Ended { silence } => {
                let silent = Rate::WIDE.samples_in(silence) as u64;
                let last_voiced = self.arrival(end.saturating_sub(silent))?;
                Some(Event::SpeechEnded { last_voiced })
            }
        }
    }

    /// When the sample before `position` arrived. What is forgotten is counted back from the
    /// oldest arrival that is remembered.
    fn arrival(&self, position: u64) -> Option<Instant> {
        // The resampler gives a sample a little after it took it.
        let position = position.saturating_sub(self.upsample.delay() as u64);
        let after = self.arrivals.partition_point(|arrival| arrival.until < position);
        let arrival = self.arrivals.get(after).or(self.arrivals.back())?;
        let forgotten = after == 0 && self.arrivals.len() == MAX_ARRIVALS;
        let missing = arrival.until.saturating_sub(position);
        match forgotten {
            true => arrival.at.checked_sub(Duration::from_micros(missing * 1_000 / 16)),
            false => Some(arrival.at),
        }
    }
}

/// A frame of 20 ms at 16 kHz.
const FRAME: usize = 320;

/// How many arrivals are remembered: at least 2.5 s of packets of 10 ms.
const MAX_ARRIVALS: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    /// Packets of 20 ms, some voiced, each late by `jitter` milliseconds; every window is answered
    /// at once. Gives what was told, in milliseconds: when speech began, when it ended, and when
    /// the end was known.
    fn edges(voiced: std::ops::Range<u64>, jitter: impl Fn(u64) -> u64) -> (u64, u64, u64) {
        let start = Instant::now();
        let (mut tap, mut out) = (Tap::new(Rate::NARROW, Settings::default()), VecDeque::new());
        let (mut began, mut ended, mut known) = (0, 0, 0);
        for packet in 0..200_u64 {
            let at = start + Duration::from_millis(packet * 20 + jitter(packet));
            let level = if voiced.contains(&packet) { 8_000 } else { 0 };
            tap.push(&[level; 160], at, &mut out);
            while let Some(output) = out.pop_front() {
                let Output::Window(window) = output else { continue };
                let loud = window.iter().any(|sample| sample.abs() > 0.1);
                match tap.hear(if loud { 0.9 } else { 0.1 }) {
                    Some(Event::SpeechStarted { at }) => began = (at - start).as_millis() as u64,
                    Some(Event::SpeechEnded { last_voiced }) => {
                        ended = (last_voiced - start).as_millis() as u64;
                        known = (at - start).as_millis() as u64;
                    }
                    _ => {}
                }
            }
        }
        (began, ended, known)
    }

    #[test]
    fn frames_and_windows_come_as_time_goes() {
        let (mut tap, mut out) = (Tap::new(Rate::NARROW, Settings::default()), VecDeque::new());
        for packet in 0..100_u64 {
            tap.push(&[0; 80], Instant::now() + Duration::from_millis(packet * 10), &mut out);
        }
        let frames = out.iter().filter(|output| matches!(output, Output::Heard(_))).count();
        let windows = out.iter().filter(|output| matches!(output, Output::Window(_))).count();
        assert_eq!((frames, windows), (50, 31));
    }

    #[test]
    fn an_answer_without_a_window_is_nothing() {
        let mut tap = Tap::new(Rate::NARROW, Settings::default());
        assert_eq!(tap.hear(1.0), None);
    }

    #[test]
    fn an_edge_is_told_with_the_time_of_its_samples() {
        let (began, ended, known) = edges(50..100, |_| 0);
        // The first voiced packet comes at 1000 ms, the last at 1980 ms; a window lasts 32 ms.
        assert!((1_000..=1_040).contains(&began), "{began}");
        assert!((1_980..=2_020).contains(&ended), "{ended}");
        assert!((2_140..=2_200).contains(&known), "{known}");
    }

    #[test]
    fn a_packet_that_came_late_moves_the_edge_with_it() {
        // From the last voiced packet on everything comes 300 ms late.
        let (_, ended, _) = edges(50..100, |packet| if packet >= 99 { 300 } else { 0 });
        assert!((2_280..=2_320).contains(&ended), "{ended}");
    }

    #[test]
    fn a_long_silence_is_counted_back_over_what_is_forgotten() {
        let settings = Settings { min_silence: Duration::from_secs(6), ..Settings::default() };
        let (mut tap, mut out) = (Tap::new(Rate::NARROW, settings), VecDeque::new());
        let start = Instant::now();
        let mut ended = None;
        for packet in 0..900_u64 {
            tap.push(&[0; 80], start + Duration::from_millis(packet * 10), &mut out);
            while let Some(output) = out.pop_front() {
                let Output::Window(_) = output else { continue };
                let voiced = packet < 200;
                if let Some(Event::SpeechEnded { last_voiced }) =
                    tap.hear(if voiced { 0.9 } else { 0.1 })
                {
                    ended = Some((last_voiced - start).as_millis());
                }
            }
        }
        let ended = ended.expect("speech ended");
        assert!((1_960..=2_040).contains(&ended), "{ended}");
    }
}
