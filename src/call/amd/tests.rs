//! Tests of who answers, in virtual time.

use super::*;

/// A line in virtual time; gives what followed, with milliseconds.
struct Line {
    start: Instant,
    amd: Amd,
    told: Vec<(u64, Action)>,
}

impl Line {
    fn new(terms: Terms) -> Self {
        let (start, wait) = (Instant::now(), terms.wait);
        Self { start, amd: Amd::new(terms, wait, start), told: Vec::new() }
    }

    /// Lets time go on, with every deadline kept.
    fn until(&mut self, millis: u64) {
        let end = self.start + Duration::from_millis(millis);
        while let Some(due) = self.amd.deadline().filter(|due| *due <= end) {
            self.amd.tick(due);
            self.drain(due);
            assert!(self.amd.deadline().is_none_or(|next| next > due), "no past deadline");
        }
    }

    fn drain(&mut self, now: Instant) {
        let at = now.saturating_duration_since(self.start).as_millis() as u64;
        self.told.extend(std::iter::from_fn(|| self.amd.poll()).map(|action| (at, action)));
    }

    fn at(&mut self, millis: u64, happening: Happening) {
        self.until(millis);
        let now = self.start + Duration::from_millis(millis);
        self.amd.handle(now, happening);
        self.drain(now);
    }

    /// Speech from one time to another; its end is known 160 ms later.
    fn speaks(&mut self, from: u64, to: u64) {
        self.at(from, Happening::SpeechStarted);
        let last_voiced = self.start + Duration::from_millis(to);
        self.at(to + 160, Happening::SpeechEnded { last_voiced });
    }

    fn verdicts(&self) -> Vec<(u64, Verdict)> {
        let verdict = |(at, action): &(u64, Action)| match action {
            Action::Verdict { verdict, .. } => Some((*at, *verdict)),
            Action::Ready => None,
        };
        self.told.iter().filter_map(verdict).collect()
    }

    fn ready(&self) -> Option<u64> {
        self.told.iter().find(|(_, action)| *action == Action::Ready).map(|(at, _)| *at)
    }
}

#[test]
fn a_few_words_and_a_pause_are_a_person() {
    let mut line = Line::new(Terms::default());
    line.speaks(400, 900);
    line.until(60_000);
    assert_eq!(line.verdicts(), [(1_500, Verdict::Human)]);
    assert_eq!(line.ready(), None);
    assert_eq!(line.amd.deadline(), None);
}

#[test]
fn a_short_gap_between_words_is_no_pause() {
    let mut line = Line::new(Terms::default());
    line.speaks(400, 800);
    line.speaks(1_100, 1_500);
    line.until(60_000);
    assert_eq!(line.verdicts(), [(2_100, Verdict::Human)]);
}

#[test]
fn a_long_greeting_is_a_machine_and_its_tone_is_waited_for() {
    let mut line = Line::new(Terms::default());
    line.speaks(300, 3_000);
    line.speaks(3_500, 6_000);
    line.at(7_200, Happening::Beep);
    line.until(60_000);
    assert_eq!(line.verdicts(), [(1_700, Verdict::Machine)]);
    assert_eq!(line.ready(), Some(7_200));
}

#[test]
fn words_that_were_asked_for_are_waited_for_a_little() {
    let ask = |line: &mut Line| {
        line.speaks(400, 900);
        line.at(1_060, Happening::Asked);
    };
    let mut line = Line::new(Terms::default());
    ask(&mut line);
    line.at(1_800, Happening::Text("who is calling".to_owned()));
    assert_eq!(line.verdicts(), [(1_800, Verdict::Screening)]);
    let mut line = Line::new(Terms::default());
    ask(&mut line);
    line.at(1_700, Happening::Text("hello".to_owned()));
    assert_eq!(line.verdicts(), [(1_700, Verdict::Human)]);
    let mut line = Line::new(Terms::default());
    ask(&mut line);
    line.until(60_000);
    assert_eq!(line.verdicts(), [(2_100, Verdict::Human)]);
}

#[test]
fn an_office_that_stops_and_waits_is_a_person_unless_its_words_or_its_tone_say_otherwise() {
    let mut line = Line::new(Terms::default());
    line.speaks(300, 3_000);
    line.until(60_000);
    assert_eq!(line.verdicts(), [(1_700, Verdict::Machine), (4_200, Verdict::Human)]);
    assert_eq!(line.ready(), None);
    let mut line = Line::new(Terms::default());
    line.speaks(300, 3_000);
    line.at(4_500, Happening::Beep);
    assert_eq!(line.verdicts().last(), Some(&(4_500, Verdict::Machine)));
    assert_eq!(line.ready(), Some(4_500));
    let mut line = Line::new(Terms::default());
    line.at(300, Happening::SpeechStarted);
    line.at(2_800, Happening::Words("I am not available right now".to_owned()));
    let last_voiced = line.start + Duration::from_secs(3);
    line.at(3_160, Happening::SpeechEnded { last_voiced });
    line.until(60_000);
    assert_eq!((line.verdicts().len(), line.ready()), (1, Some(5_000)));
}

#[test]
fn a_machine_without_a_tone_is_talked_to_after_a_silence_and_one_that_never_stops_at_last() {
    let mut line = Line::new(Terms::default());
    line.speaks(300, 5_000);
    line.until(60_000);
    assert_eq!(line.ready(), Some(7_000));

    let mut line = Line::new(Terms::default());
    line.at(300, Happening::SpeechStarted);
    line.until(100_000);
    assert_eq!(line.ready(), Some(1_700 + 45_000));
}

#[test]
fn silence_is_unknown_and_a_tone_afterwards_is_a_machine() {
    let mut line = Line::new(Terms::default());
    line.at(5_000, Happening::Beep);
    line.until(60_000);
    assert_eq!(line.verdicts(), [(3_000, Verdict::Unknown), (5_000, Verdict::Machine)]);
    assert_eq!(line.ready(), Some(5_000));
}

#[test]
fn a_machine_that_pauses_early_is_found_by_its_words_or_its_tone() {
    let mut line = Line::new(Terms::default());
    line.speaks(300, 800);
    line.at(2_000, Happening::SpeechStarted);
    line.at(4_000, Happening::Words("please leave a message after the beep".to_owned()));
    line.at(5_000, Happening::Beep);
    assert_eq!(line.verdicts(), [(1_400, Verdict::Human), (4_000, Verdict::Machine)]);
    assert_eq!(line.ready(), Some(5_000));
    // A tone in a conversation is none of a machine.
    let mut line = Line::new(Terms::default());
    line.speaks(300, 800);
    line.at(15_000, Happening::Beep);
    assert_eq!(line.verdicts(), [(1_400, Verdict::Human)]);
}

#[test]
fn whoever_asks_who_calls_is_no_machine() {
    let mut line = Line::new(Terms::default());
    line.at(300, Happening::SpeechStarted);
    line.at(2_500, Happening::Words("hi if you state your name".to_owned()));
    line.until(60_000);
    assert_eq!(line.verdicts(), [(1_700, Verdict::Machine), (2_500, Verdict::Screening)]);
    assert_eq!(line.ready(), None);
    // The same by a person, before anything was known.
    let mut line = Line::new(Terms::default());
    line.at(300, Happening::SpeechStarted);
    line.at(1_000, Happening::Words("Who is calling?".to_owned()));
    assert_eq!(line.verdicts(), [(1_000, Verdict::Screening)]);
}
