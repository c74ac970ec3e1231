//! What somebody says to the caller over a stream: sounds and marks in order, a little ahead of
//! what is heard. Knows no clock.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::audio::frame::{Frame, Rate};
use crate::audio::resample::Resampler;
use crate::base::id::UtteranceId;

/// The queue of one stream.
#[derive(Debug)]
pub struct Queue {
    rate: Rate,
    /// How many samples may wait.
    most: usize,
    items: VecDeque<Item>,
    /// Samples that wait.
    waiting: usize,
    /// Marks that wait, here and to be heard.
    marks: usize,
    resampler: Option<(Rate, Resampler)>,
    /// What is given to the port now, or next.
    utterance: UtteranceId,
    /// Whether some of it was given.
    begun: bool,
    /// How long what was given lasts.
    until: Option<Instant>,
    /// The last utterance that was given whole and was not heard to its end.
    unheard: Option<UtteranceId>,
    /// Marks behind utterances that were given whole.
    awaited: VecDeque<(UtteranceId, String)>,
    out: VecDeque<Step>,
}

#[derive(Debug)]
enum Item {
    /// Samples; so many of them are gone.
    Sound(Vec<i16>, usize),
    Mark(String),
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Give this to the port.
    Play(UtteranceId, Frame),
    /// No more comes of it.
    Finish(UtteranceId),
    /// Nothing up to here is to be heard any more.
    Flush(UtteranceId),
    /// Everything before this mark was heard, or will never be.
    Marked(String),
}

/// More waits than may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flood;

impl Queue {
    /// An empty queue for a port that plays at `rate`, where at most `most` may wait; the first
    /// utterance is the one after `after`.
    pub fn new(rate: Rate, most: Duration, after: UtteranceId) -> Self {
        Self {
            rate,
            most: rate.samples_in(most),
            items: VecDeque::new(),
            waiting: 0,
            marks: 0,
            resampler: None,
            utterance: after.next(),
            begun: false,
            until: None,
            unheard: None,
            awaited: VecDeque::new(),
            out: VecDeque::new(),
        }
    }

    /// Takes a sound.
    ///
    /// # Errors
    /// When too much waits.
    pub fn sound(&mut self, now: Instant, frame: &Frame) -> Result<(), Flood> {
        if self.resampler.as_ref().is_none_or(|(rate, _)| *rate != frame.rate) {
            self.resampler = Some((frame.rate, Resampler::new(frame.rate, self.rate)));
        }
        let Some((_, resampler)) = &mut self.resampler else { return Ok(()) };
        let mut samples = Vec::with_capacity(frame.samples.len());
        resampler.push(&frame.samples, &mut samples);
        if samples.is_empty() {
            return Ok(());
        }
        if self.waiting + samples.len() > self.most {
            return Err(Flood);
        }
        self.waiting += samples.len();
        self.items.push_back(Item::Sound(samples, 0));
        self.tick(now);
        Ok(())
    }

    /// Takes a mark.
    ///
    /// # Errors
    /// When too many wait.
    pub fn mark(&mut self, now: Instant, name: String) -> Result<(), Flood> {
        if self.marks == MOST_MARKS {
            return Err(Flood);
        }
        self.marks += 1;
        self.items.push_back(Item::Mark(name));
        self.tick(now);
        Ok(())
    }

    /// Drops what was not heard; its marks come back.
    pub fn clear(&mut self) {
        if self.begun || self.unheard.is_some() {
            self.out.push_back(Step::Flush(self.utterance));
            self.utterance = self.utterance.next();
        }
        (self.begun, self.until, self.unheard, self.resampler) = (false, None, None, None);
        self.waiting = 0;
        let given = self.awaited.drain(..).map(|(_, name)| name);
        let here = self.items.drain(..).filter_map(|item| match item {
            Item::Mark(name) => Some(name),
            Item::Sound(..) => None,
        });
        self.out.extend(given.chain(here).map(Step::Marked));
        self.marks = 0;
    }

    /// An utterance was heard to its end.
    pub fn heard(&mut self, utterance: UtteranceId) {
        while let Some((_, name)) = self.awaited.pop_front_if(|(behind, _)| *behind <= utterance) {
            self.marks -= 1;
            self.out.push_back(Step::Marked(name));
        }
        self.unheard = self.unheard.filter(|unheard| *unheard > utterance);
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Instant) {
        loop {
            match self.items.front() {
                Some(Item::Sound(..)) if self.is_ahead(now) => return,
                Some(Item::Sound(..)) => self.give(now),
                Some(Item::Mark(_)) => self.come_to_mark(),
                None => break,
            }
        }
        if self.begun && self.until.is_some_and(|until| until + PAUSE <= now) {
            self.finish();
        }
    }

    /// Gives the next step.
    pub fn poll(&mut self) -> Option<Step> {
        self.out.pop_front()
    }

    /// When `tick` has something to do.
    pub fn deadline(&self) -> Option<Instant> {
        let until = self.until?;
        match self.items.front() {
            Some(_) => until.checked_sub(AHEAD),
            None => self.begun.then(|| until + PAUSE),
        }
    }

    /// Whether everything was heard.
    pub fn is_silent(&self) -> bool {
        self.items.is_empty() && !self.begun && self.unheard.is_none()
    }

    /// The last utterance of which anything was given.
    pub fn last(&self) -> UtteranceId {
        self.utterance
    }

    fn is_ahead(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| until > now + AHEAD)
    }

    /// Gives as much as a packet holds.
    fn give(&mut self, now: Instant) {
        let Some(Item::Sound(samples, taken)) = self.items.front_mut() else { return };
        let rest = samples.get(*taken..).unwrap_or_default();
        let piece: Vec<i16> = rest.iter().take(self.rate.samples_in(PIECE)).copied().collect();
        *taken += piece.len();
        if *taken >= samples.len() {
            self.items.pop_front();
        }
        self.waiting -= piece.len();
        let lasts = self.rate.duration_of(piece.len());
        self.until = Some(self.until.filter(|until| *until > now).unwrap_or(now) + lasts);
        self.begun = true;
        self.out.push_back(Step::Play(self.utterance, Frame::new(self.rate, piece)));
    }

    fn come_to_mark(&mut self) {
        let Some(Item::Mark(name)) = self.items.pop_front() else { return };
        if self.begun {
            self.finish();
        }
        match self.unheard {
            Some(unheard) => self.awaited.push_back((unheard, name)),
            None => {
                self.marks -= 1;
                self.out.push_back(Step::Marked(name));
            }
        }
    }

    fn finish(&mut self) {
        self.out.push_back(Step::Finish(self.utterance));
        self.unheard = Some(self.utterance);
        self.utterance = self.utterance.next();
        self.begun = false;
    }
}

/// How much is given at once.
const PIECE: Duration = Duration::from_millis(20);

/// How far what was given is ahead of what is heard.
const AHEAD: Duration = Duration::from_millis(200);

/// After how long without anything what was said is over.
const PAUSE: Duration = Duration::from_millis(60);

/// How many marks may wait.
const MOST_MARKS: usize = 1_000;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn steps(queue: &mut Queue) -> Vec<Step> {
        std::iter::from_fn(|| queue.poll()).collect()
    }

    fn second(rate: Rate) -> Frame {
        Frame::new(rate, vec![7; rate.0 as usize])
    }

    fn queue() -> Queue {
        Queue::new(Rate::NARROW, Duration::from_secs(2), UtteranceId(4))
    }

    #[test]
    fn what_waits_is_given_a_little_ahead() {
        let (mut queue, start) = (queue(), Instant::now());
        queue.sound(start, &second(Rate::NARROW)).expect("there is room");
        assert_eq!(steps(&mut queue).len(), 11, "200 ms, and what is said now");
        let mut now = start;
        let mut given = 11;
        while let Some(due) = queue.deadline().filter(|_| given < 50) {
            assert!(due >= now);
            now = due + Duration::from_millis(1);
            queue.tick(now);
            let fresh = steps(&mut queue);
            assert!(fresh.len() <= 2, "{fresh:?}");
            given += fresh.len();
        }
        assert!(now < start + Duration::from_secs(1));
        queue.tick(start + Duration::from_millis(1_100));
        assert_eq!(steps(&mut queue), [Step::Finish(UtteranceId(5))]);
        assert!(!queue.is_silent());
        queue.heard(UtteranceId(5));
        assert!(queue.is_silent() && queue.deadline().is_none());
    }

    #[test]
    fn a_mark_comes_back_when_what_was_before_it_is_heard() {
        let (mut queue, now) = (queue(), Instant::now());
        queue.mark(now, "at once".to_owned()).expect("there is room");
        assert_eq!(steps(&mut queue), [Step::Marked("at once".to_owned())]);
        queue.sound(now, &Frame::new(Rate::NARROW, vec![1; 100])).expect("there is room");
        queue.mark(now, "one".to_owned()).expect("there is room");
        queue.mark(now, "two".to_owned()).expect("there is room");
        let steps_now = steps(&mut queue);
        assert_eq!(steps_now.last(), Some(&Step::Finish(UtteranceId(5))));
        queue.heard(UtteranceId(5));
        let both = [Step::Marked("one".to_owned()), Step::Marked("two".to_owned())];
        assert_eq!(steps(&mut queue), both);
    }

    #[test]
    fn what_is_cleared_is_not_heard_and_its_marks_come_back() {
        let (mut queue, now) = (queue(), Instant::now());
        queue.clear();
        assert_eq!(steps(&mut queue), [], "nothing was said");
        queue.sound(now, &Frame::new(Rate::NARROW, vec![1; 160])).expect("there is room");
        queue.mark(now, "one".to_owned()).expect("there is room");
        queue.sound(now, &second(Rate::NARROW)).expect("there is room");
        queue.mark(now, "two".to_owned()).expect("there is room");
        steps(&mut queue);
        queue.clear();
        let cleared = [
            Step::Flush(UtteranceId(6)),
            Step::Marked("one".to_owned()),
            Step::Marked("two".to_owned()),
        ];
        assert_eq!(steps(&mut queue), cleared);
        assert!(queue.is_silent());
        queue.sound(now, &Frame::new(Rate::NARROW, vec![1; 160])).expect("there is room");
        assert!(matches!(steps(&mut queue)[..], [Step::Play(UtteranceId(7), _)]));
    }

    #[test]
    fn a_flood_is_noticed() {
        let (mut queue, now) = (queue(), Instant::now());
        let sent = (0..100).take_while(|_| queue.sound(now, &second(Rate::WIDE)).is_ok()).count();
        assert!((2..=3).contains(&sent), "two seconds may wait: {sent}");
        let marks = (0..9_999).take_while(|_| queue.mark(now, String::new()).is_ok()).count();
        assert_eq!(marks, MOST_MARKS);
    }

    proptest! {
        #[test]
        fn every_mark_comes_back_once_and_in_order(
            acts in prop::collection::vec((0_u8..5, 1_usize..900), 1..80),
        ) {
            let (mut queue, mut now) = (queue(), Instant::now());
            let (mut next, mut back, mut given) = (0_u32, Vec::new(), Vec::new());
            for (act, size) in acts {
                match act {
                    0 => {
                        queue.sound(now, &Frame::new(Rate::NARROW, vec![1; size])).ok();
                    }
                    1 => {
                        queue.mark(now, next.to_string()).expect("there is room");
                        next += 1;
                    }
                    2 => queue.clear(),
                    3 => {
                        if let Some(utterance) = given.pop() {
                            queue.heard(utterance);
                        }
                    }
                    _ => {
                        now += Duration::from_millis(size as u64);
                        queue.tick(now);
                        let due = queue.deadline();
                        prop_assert!(due.is_none_or(|due| due > now), "{:?}", due);
                    }
                }
                for step in steps(&mut queue) {
                    match step {
                        Step::Marked(name) => back.push(name),
                        Step::Finish(utterance) => given.push(utterance),
                        Step::Play(_, frame) => prop_assert!(!frame.samples.is_empty()),
                        Step::Flush(_) => given.clear(),
                    }
                }
            }
            queue.clear();
            back.extend(steps(&mut queue).into_iter().filter_map(|step| match step {
                Step::Marked(name) => Some(name),
                _ => None,
            }));
            prop_assert_eq!(back, (0..next).map(|it| it.to_string()).collect::<Vec<_>>());
        }
    }
}
