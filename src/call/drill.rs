//! A drill at work: what a test destination does with the caller, step by step.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::base::drill;
use crate::media::event::Digit;

/// A test destination with a caller on the line.
#[derive(Debug)]
pub struct Drill {
    kind: drill::Drill,
    step: Step,
    due: Option<Instant>,
    out: VecDeque<Action>,
}

/// What is to be done with the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Let it ring.
    Ring,
    /// Play the tone before the answer.
    EarlyTone,
    /// Answer.
    Answer,
    /// Let the caller hear itself.
    Echo,
    /// Play the tone.
    Tone,
    /// Send these keys.
    Dial(Vec<Digit>),
    /// Ask the caller's side to call this URI.
    Refer(String),
    /// It lasted long enough.
    HangUp,
}

/// What happened to the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happening {
    /// A socket is bound.
    Bound,
    /// A caller who made no offer answered ours, and hears before the call is answered.
    Early,
    /// The caller's side confirmed the answer.
    Up,
    /// A key was pressed.
    Key(Digit),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Waiting,
    Ringing,
    Answered,
    Up,
    Referred,
    Over,
}

impl Drill {
    /// Begins a drill.
    pub fn new(kind: drill::Drill) -> Self {
        Self { kind, step: Step::Waiting, due: None, out: VecDeque::new() }
    }

    /// Takes what happened.
    pub fn handle(&mut self, now: Instant, happening: Happening) {
        match happening {
            Happening::Bound if self.step == Step::Waiting => self.begin(now),
            Happening::Early if self.step == Step::Ringing && self.kind == drill::Drill::Early => {
                self.out.push_back(Action::Tone);
            }
            Happening::Up if self.step == Step::Answered => self.come_up(now),
            Happening::Key(digit) if self.step == Step::Up && self.kind == drill::Drill::Digits => {
                self.out.push_back(Action::Dial(vec![digit]));
            }
            Happening::Bound | Happening::Early | Happening::Up | Happening::Key(_) => {}
        }
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Instant) {
        if self.due.take_if(|due| *due <= now).is_none() {
            return;
        }
        match (self.step, &self.kind) {
            (Step::Ringing, _) => {
                self.step = Step::Answered;
                self.out.push_back(Action::Answer);
            }
            (Step::Up, drill::Drill::Refer(target)) => {
                self.out.push_back(Action::Refer(target.clone()));
                self.step = Step::Referred;
                self.due = Some(now + LONGEST);
            }
            (Step::Up | Step::Referred, _) => {
                self.step = Step::Over;
                self.out.push_back(Action::HangUp);
            }
            (Step::Waiting | Step::Answered | Step::Over, _) => {}
        }
    }

    /// Gives what is to be done next.
    pub fn poll(&mut self) -> Option<Action> {
        self.out.pop_front()
    }

    /// When `tick` has something to do.
    pub fn deadline(&self) -> Option<Instant> {
        self.due
    }

    fn begin(&mut self, now: Instant) {
        self.step = Step::Ringing;
        match &self.kind {
            drill::Drill::NoAnswer => self.out.push_back(Action::Ring),
            drill::Drill::Ring(time) => {
                self.out.push_back(Action::Ring);
                self.due = Some(now + *time);
            }
            drill::Drill::Early => {
                self.out.push_back(Action::EarlyTone);
                self.due = Some(now + EARLY);
            }
            drill::Drill::Echo
            | drill::Drill::Tone
            | drill::Drill::Digits
            | drill::Drill::Refer(_) => {
                self.step = Step::Answered;
                self.out.push_back(Action::Answer);
            }
        }
    }

    fn come_up(&mut self, now: Instant) {
        self.step = Step::Up;
        self.due = Some(now + LONGEST);
        match &self.kind {
            drill::Drill::Echo | drill::Drill::Ring(_) => self.out.push_back(Action::Echo),
            drill::Drill::Tone | drill::Drill::Early => self.out.push_back(Action::Tone),
            drill::Drill::Refer(_) => self.due = Some(now + BEFORE_REFER),
            drill::Drill::Digits | drill::Drill::NoAnswer => {}
        }
    }
}

/// How long the tone is heard before the answer.
const EARLY: Duration = Duration::from_secs(3);

/// A caller is listened to for a moment before it is asked to go elsewhere.
const BEFORE_REFER: Duration = Duration::from_secs(1);

/// A forgotten test does not hold the line for ever.
const LONGEST: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    use super::*;

    fn actions(drill: &mut Drill) -> Vec<Action> {
        std::iter::from_fn(|| drill.poll()).collect()
    }

    #[test]
    fn a_drill_that_rings_answers_after_its_time() {
        let (mut drill, start) = (Drill::new("ring:5".parse_drill()), Instant::now());
        drill.handle(start, Happening::Bound);
        assert_eq!(actions(&mut drill), [Action::Ring]);
        let answer = start + Duration::from_secs(5);
        assert_eq!(drill.deadline(), Some(answer));
        drill.tick(answer);
        drill.handle(answer, Happening::Up);
        assert_eq!(actions(&mut drill), [Action::Answer, Action::Echo]);
        drill.tick(answer + LONGEST);
        assert_eq!(actions(&mut drill), [Action::HangUp]);
        assert_eq!(drill.deadline(), None);
    }

    #[test]
    fn a_key_is_sent_back_by_the_drill_for_keys_only() {
        for (kind, expected) in [("digits", 1), ("echo", 0)] {
            let (mut drill, now) = (Drill::new(kind.parse_drill()), Instant::now());
            drill.handle(now, Happening::Bound);
            drill.handle(now, Happening::Up);
            drill.handle(now, Happening::Key(Digit::new('5').expect("a key")));
            let dialled = actions(&mut drill);
            let dialled = dialled.iter().filter(|action| matches!(action, Action::Dial(_)));
            assert_eq!(dialled.count(), expected, "{kind}");
        }
    }

    #[test]
    fn nobody_answers_where_nobody_answers() {
        let (mut drill, now) = (Drill::new("noanswer".parse_drill()), Instant::now());
        drill.handle(now, Happening::Bound);
        assert_eq!((actions(&mut drill), drill.deadline()), (vec![Action::Ring], None));
    }

    trait ParseDrill {
        fn parse_drill(&self) -> drill::Drill;
    }

    impl ParseDrill for str {
        fn parse_drill(&self) -> drill::Drill {
            match self.parse() {
                Ok(crate::base::destination::Destination::Drill(drill)) => drill,
                other => panic!("{other:?}"),
            }
        }
    }
}
