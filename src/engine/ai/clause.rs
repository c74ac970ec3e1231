//! A clause on its way from a voice to the port: its frames at the port's rate, and how much of its
//! words they are.

use std::collections::VecDeque;
use std::time::Duration;

use crate::agent::conversation::{heard_part, pace};
use crate::audio::frame::{Frame, Rate};
use crate::audio::resample::Resampler;

/// A clause being spoken.
pub(super) struct Clause {
    text: String,
    /// From which octet on the present voice speaks.
    from: usize,
    resampler: Option<Resampler>,
    /// Samples that fill no frame yet.
    rest: Vec<i16>,
    /// At the rate of the port, 20 ms each.
    ready: VecDeque<Frame>,
    /// How much the present voice gave.
    given: Duration,
    /// Whether any of it can be heard.
    loud: bool,
}

/// What is wrong with what a voice gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    /// Silence.
    Silent,
    /// Far more than the words need.
    Endless,
}

impl Flaw {
    /// What to say of it.
    pub fn what(self) -> &'static str {
        match self {
            Self::Silent => "it gives silence",
            Self::Endless => "its speech does not end",
        }
    }

    /// Whether it is one even when nobody can do better.
    pub fn ends_it(self) -> bool {
        self == Self::Endless
    }
}

impl Clause {
    /// A clause of which nothing was spoken.
    pub fn new(text: String) -> Self {
        Self {
            text,
            from: 0,
            resampler: None,
            rest: Vec::new(),
            ready: VecDeque::new(),
            given: Duration::ZERO,
            loud: false,
        }
    }

    /// What is to be spoken.
    pub fn left(&self) -> &str {
        self.text.get(self.from..).unwrap_or_default()
    }

    /// How many frames wait.
    pub fn frames(&self) -> usize {
        self.ready.len()
    }

    /// The next frame.
    pub fn frame(&mut self) -> Option<Frame> {
        self.ready.pop_front()
    }

    /// Takes samples of the voice, brings them to the port's rate and cuts them into frames.
    pub fn take(&mut self, frame: &Frame, rate: Rate) {
        self.given += frame.duration();
        self.loud |= frame.samples.iter().any(|sample| sample.unsigned_abs() > QUIET);
        if frame.rate == rate {
            self.rest.extend_from_slice(&frame.samples);
        } else {
            let resampler = self.resampler.get_or_insert_with(|| Resampler::new(frame.rate, rate));
            resampler.push(&frame.samples, &mut self.rest);
        }
        let length = rate.samples_in(FRAME);
        while self.rest.len() >= length {
            let tail = self.rest.split_off(length);
            self.ready.push_back(Frame::new(rate, std::mem::replace(&mut self.rest, tail)));
        }
    }

    /// The voice gives no more.
    pub fn close(&mut self, rate: Rate) {
        if let Some(mut resampler) = self.resampler.take() {
            resampler.finish(&mut self.rest);
        }
        if !self.rest.is_empty() {
            self.ready.push_back(Frame::new(rate, std::mem::take(&mut self.rest)));
        }
    }

    /// What is wrong with what the voice gave.
    pub fn flaw(&self) -> Option<Flaw> {
        if self.is_over() {
            Some(Flaw::Endless)
        } else {
            (!self.loud && self.given >= LONGEST_SILENCE).then_some(Flaw::Silent)
        }
    }

    /// Whether any of what the voice gave can be heard.
    pub fn is_loud(&self) -> bool {
        self.loud
    }

    /// Whether the voice gave nothing for words that can be spoken.
    pub fn is_dumb(&self) -> bool {
        self.given.is_zero() && self.left().contains(char::is_alphanumeric)
    }

    /// Whether more was given than the slowest voice needs.
    pub fn is_over(&self) -> bool {
        self.given > pace(self.left()) * 4 + LONGEST_TAIL
    }

    /// Another voice goes on with what is not heard: what was given will be, unless it is silence.
    pub fn go_on(&mut self) {
        let given = std::mem::take(&mut self.given);
        if std::mem::take(&mut self.loud) {
            let heard = heard_part(self.left(), given, None).len();
            let left = self.left().get(heard..).unwrap_or_default();
            self.from = self.text.len() - left.trim_start().len();
        } else {
            self.ready.clear();
        }
    }
}

/// How long a frame lasts.
const FRAME: Duration = Duration::from_millis(20);

/// Samples up to here are heard by nobody: -54 dB.
const QUIET: u16 = 64;

/// A voice that gave only silence for so long says nothing.
const LONGEST_SILENCE: Duration = Duration::from_secs(1);

/// Beyond four times the usual pace, a slow voice gets so much more.
const LONGEST_TAIL: Duration = Duration::from_secs(4);

#[cfg(test)]
mod tests {
    use super::*;

    fn sound(seconds: f64, sample: i16) -> Frame {
        let rate = Rate::WIDE;
        Frame::new(rate, vec![sample; rate.samples_in(Duration::from_secs_f64(seconds))])
    }

    #[test]
    fn the_next_voice_says_what_was_not_heard() {
        let mut clause = Clause::new("We are open from nine to six.".to_owned());
        clause.go_on();
        assert_eq!(clause.left(), "We are open from nine to six.", "nothing was heard");
        clause.take(&sound(1.0, 900), Rate::NARROW);
        clause.close(Rate::NARROW);
        clause.go_on();
        assert_eq!(clause.left(), "from nine to six.");
        assert!((50..=51).contains(&clause.frames()), "what was given is heard");
        clause.take(&sound(3.0, 900), Rate::NARROW);
        clause.go_on();
        assert_eq!(clause.left(), "");
    }

    #[test]
    fn silence_is_not_speech_and_is_not_heard() {
        let mut clause = Clause::new("We are open from nine to six.".to_owned());
        clause.take(&sound(0.9, 3), Rate::WIDE);
        assert_eq!(clause.flaw(), None);
        clause.take(&sound(0.2, 3), Rate::WIDE);
        assert_eq!(clause.flaw(), Some(Flaw::Silent));
        clause.go_on();
        assert_eq!((clause.left(), clause.frames()), ("We are open from nine to six.", 0));
    }

    #[test]
    fn speech_that_does_not_end_is_told_from_slow_speech() {
        let mut clause = Clause::new("We are open from nine to six.".to_owned());
        clause.take(&sound(8.0, 900), Rate::WIDE);
        assert_eq!(clause.flaw(), None);
        clause.take(&sound(8.0, 900), Rate::WIDE);
        assert_eq!(clause.flaw(), Some(Flaw::Endless));
    }

    #[test]
    fn only_words_can_be_missing() {
        assert!(Clause::new("Yes.".to_owned()).is_dumb());
        assert!(!Clause::new("…".to_owned()).is_dumb());
    }
}
