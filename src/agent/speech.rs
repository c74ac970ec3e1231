//! The agent's own speech: what was ordered, what is being heard, and how much of it was.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::agent::conversation::{heard_part, pace};
use crate::agent::event::{Portion, ThoughtId, TurnId, Utterance, UtteranceId};
use crate::agent::saying::speaker::Speaker;
use crate::agent::saying::spoken::Spoken;

/// The queue of utterances.
#[derive(Debug, Clone)]
pub struct Speech {
    /// Who finds the words for numbers and short forms.
    speaker: Speaker,
    next: UtteranceId,
    lines: VecDeque<Line>,
    /// Flushed, but how much of it was heard is not yet known.
    cut: Vec<Cut>,
    paused: Option<Instant>,
}

/// One utterance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its identity.
    pub id: UtteranceId,
    /// The turn that it answers.
    pub turn: TurnId,
    /// The thought whose words they are.
    pub thought: Option<ThoughtId>,
    /// The words, as they are written.
    pub text: String,
    /// The words, as they are said.
    spoken: Spoken,
    /// What it is for.
    pub role: Role,
    /// Where it is.
    pub stage: Stage,
    /// When it last moved.
    moved: Instant,
}

/// What an utterance is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Part of a model's answer.
    Answer,
    /// It only bridges a wait; no model is told of it.
    Filler,
    /// A fixed line: greeting, reminder, apology, goodbye.
    Fixed,
}

/// Where an utterance is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It must not be heard yet.
    Held,
    /// It waits for its voice or for its turn.
    Waiting,
    /// Its first packet was sent then.
    Audible(Instant),
}

/// An utterance that was flushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// Which one.
    pub line: Line,
    /// The words that were probably heard.
    pub heard: String,
    /// How much of its sound that is.
    sent: Duration,
}

impl Cut {
    /// What it leaves of the utterance.
    pub fn portion(&self) -> Portion {
        let (utterance, thought) = (self.line.id, self.line.thought);
        Portion { utterance, thought, heard: self.sent, words: self.heard.clone() }
    }
}

impl Speech {
    /// Nothing was said; `speaker` says what is to be.
    pub fn new(speaker: Speaker) -> Self {
        let (lines, cut) = (VecDeque::new(), Vec::new());
        Self { speaker, next: UtteranceId(1), lines, cut, paused: None }
    }

    /// From now on another speaker says it.
    pub fn speaks_as(&mut self, speaker: Speaker) {
        self.speaker = speaker;
    }

    /// Begins to count where another queue stopped.
    pub fn count_on(&mut self, before: &Self) {
        self.next = before.next;
    }

    /// Counts on from this utterance, if it has not come so far.
    pub fn count_past(&mut self, last: UtteranceId) {
        self.next = self.next.max(last.next());
    }

    /// The last utterance that was ordered so far; 0 before the first.
    pub fn ordered(&self) -> UtteranceId {
        UtteranceId(self.next.0.saturating_sub(1))
    }

    /// Appends an utterance.
    pub fn say(&mut self, now: Instant, turn: TurnId, text: String, role: Role) -> Utterance {
        self.append(now, (turn, role, Stage::Waiting), text)
    }

    /// The utterance that was ordered last.
    pub fn last(&self) -> Option<UtteranceId> {
        self.lines.back().map(|line| line.id)
    }

    /// Appends an utterance that must not be heard until it is released.
    pub fn hold(&mut self, now: Instant, text: String) -> Utterance {
        self.append(now, (TurnId::default(), Role::Answer, Stage::Held), text)
    }

    /// The words of the last utterance are those of a thought.
    pub fn was_thought(&mut self, thought: ThoughtId) {
        if let Some(line) = self.lines.back_mut() {
            line.thought = Some(thought);
        }
    }

    /// What is held, as it is when it is dropped.
    pub fn held(&self) -> Vec<Portion> {
        let held = self.lines.iter().filter(|line| line.stage == Stage::Held);
        let unheard = |line: &Line| Portion {
            utterance: line.id,
            thought: line.thought,
            heard: Duration::ZERO,
            words: String::new(),
        };
        held.map(unheard).collect()
    }

    /// Lets held utterances be heard as the answer to `turn`; gives them with their words.
    pub fn release(&mut self, now: Instant, turn: TurnId) -> Vec<(UtteranceId, String)> {
        let mut released = Vec::new();
        for line in self.lines.iter_mut().filter(|line| line.stage == Stage::Held) {
            (line.stage, line.turn, line.moved) = (Stage::Waiting, turn, now);
            released.push((line.id, line.text.clone()));
        }
        released
    }

    /// The voice gave the first samples of an utterance.
    pub fn voiced(&mut self, now: Instant, id: UtteranceId) -> Option<&Line> {
        let line = self.lines.iter_mut().find(|line| line.id == id)?;
        line.moved = now;
        Some(line)
    }

    /// The first packet of an utterance was sent.
    pub fn started(&mut self, now: Instant, id: UtteranceId, at: Instant) -> Option<&Line> {
        let line = self.lines.iter_mut().find(|line| line.id == id)?;
        if line.stage != Stage::Waiting {
            return None;
        }
        (line.stage, line.moved) = (Stage::Audible(at), now);
        Some(line)
    }

    /// An utterance is at its end; whatever comes next may begin.
    pub fn ended(&mut self, now: Instant, id: UtteranceId) -> Option<Line> {
        let at = self.lines.iter().position(|line| line.id == id)?;
        let line = self.lines.remove(at);
        if let Some(next) = self.lines.front_mut() {
            next.moved = now;
        }
        line
    }

    /// A flushed utterance had already been heard to its end.
    pub fn was_whole(&mut self, id: UtteranceId) -> Option<Line> {
        let at = self.cut.iter().position(|cut| cut.line.id == id)?;
        Some(self.cut.remove(at).line)
    }

    /// The queue is held.
    pub fn pause(&mut self, now: Instant) {
        self.paused.get_or_insert(now);
    }

    /// The queue goes on.
    pub fn resume(&mut self, now: Instant) {
        self.paused = None;
        if let Some(line) = self.lines.front_mut() {
            line.moved = now;
        }
    }

    /// Drops everything; gives the last utterance dropped.
    pub fn flush(&mut self, now: Instant) -> Option<UtteranceId> {
        let through = self.lines.back()?.id;
        let until = self.paused.take().unwrap_or(now);
        for line in std::mem::take(&mut self.lines) {
            let sent = match line.stage {
                Stage::Held => continue,
                Stage::Waiting => Duration::ZERO,
                Stage::Audible(since) => until.saturating_duration_since(since),
            };
            let heard = line.heard_by(until).to_owned();
            self.cut.push(Cut { line, heard, sent });
        }
        Some(through)
    }

    /// What was flushed and is not yet settled, with a guess of what was heard.
    pub fn cut(&self) -> &[Cut] {
        &self.cut
    }

    /// Settles what was flushed by what was sent of each utterance; without that by the guess.
    pub fn settle(&mut self, sent: Sent<'_>) -> Vec<Cut> {
        let mut cuts = std::mem::take(&mut self.cut);
        let Sent::Known(sent) = sent else { return cuts };
        for cut in &mut cuts {
            let known = sent.iter().find(|(id, _, _)| *id == cut.line.id);
            cut.sent = known.map_or(Duration::ZERO, |(_, heard, _)| *heard);
            cut.heard = known.map_or_else(String::new, |(_, heard, total)| {
                cut.line.heard_after(*heard, *total).to_owned()
            });
        }
        cuts
    }

    /// What is heard now or next.
    pub fn first(&self) -> Option<&Line> {
        self.lines.front()
    }

    /// Whether nothing is left to be heard.
    pub fn is_idle(&self) -> bool {
        self.lines.is_empty()
    }

    /// When the voice counts as stuck: it was silent for `patience`, or spoke far too long.
    pub fn stuck_at(&self, patience: Duration) -> Option<Instant> {
        let line = self.lines.front().filter(|_| self.paused.is_none())?;
        let allowed = match line.stage {
            Stage::Held => return None,
            Stage::Waiting => patience.max(SHORTEST_PATIENCE),
            Stage::Audible(_) => pace(line.spoken.said()) * 3 + LONGEST_TAIL,
        };
        Some(line.moved + allowed)
    }

    fn append(&mut self, now: Instant, what: (TurnId, Role, Stage), text: String) -> Utterance {
        let (id, (turn, role, stage)) = (self.next, what);
        let spoken = self.speaker.say(&text);
        let held = stage == Stage::Held;
        let utterance = Utterance {
            id,
            text: text.clone(),
            spoken: spoken.said().to_owned(),
            held,
            thought: None,
        };
        self.next = id.next();
        let (moved, thought) = (now, None);
        self.lines.push_back(Line { id, turn, thought, text, spoken, role, stage, moved });
        utterance
    }
}

impl Line {
    /// The written words that were heard whole after `heard` of what is said.
    fn heard_after(&self, heard: Duration, total: Option<Duration>) -> &str {
        self.spoken.written_part(heard_part(self.spoken.said(), heard, total))
    }

    /// When its first packet was sent; `now` when it never was.
    pub fn since(&self, now: Instant) -> Instant {
        match self.stage {
            Stage::Held | Stage::Waiting => now,
            Stage::Audible(since) => since,
        }
    }

    /// The words that were probably heard until `now`.
    pub fn heard_by(&self, now: Instant) -> &str {
        match self.stage {
            Stage::Held | Stage::Waiting => "",
            Stage::Audible(since) => self.heard_after(now.saturating_duration_since(since), None),
        }
    }
}

/// How much of each flushed utterance was sent.
#[derive(Debug, Clone, Copy)]
pub enum Sent<'a> {
    /// Utterance, how much of it, and how long it is if that is known.
    Known(&'a [(UtteranceId, Duration, Option<Duration>)]),
    /// Nobody told.
    Unknown,
}

/// A voice gets at least so long for its first samples.
const SHORTEST_PATIENCE: Duration = Duration::from_secs(1);
/// Beyond three times the usual pace, a slow voice gets so much more.
const LONGEST_TAIL: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flush_is_guessed_first_and_settled_by_the_facts() {
        let start = Instant::now();
        let mut speech = Speech::new(Speaker::default());
        let second = Duration::from_secs(1);
        for text in ["We are open today.", "Until five."] {
            speech.say(start, TurnId(1), text.to_owned(), Role::Answer);
        }
        speech.started(start, UtteranceId(1), start);
        speech.pause(start + second);
        assert_eq!(speech.stuck_at(second), None);
        assert_eq!(speech.flush(start + second * 5), Some(UtteranceId(2)));
        assert_eq!(speech.cut()[0].heard, "We are open");
        let facts = [(UtteranceId(1), second, Some(second * 4))];
        let settled = speech.settle(Sent::Known(&facts));
        assert_eq!(settled[0].heard, "We");
        assert_eq!(settled[1].heard, "");
        assert!(speech.is_idle() && speech.cut().is_empty());
    }

    #[test]
    fn what_is_held_leaves_no_trace() {
        let start = Instant::now();
        let mut speech = Speech::new(Speaker::default());
        assert!(speech.hold(start, "Yes.".to_owned()).held);
        assert_eq!(speech.started(start, UtteranceId(1), start), None);
        assert_eq!(speech.flush(start), Some(UtteranceId(1)));
        assert!(speech.cut().is_empty());
        assert_eq!(speech.flush(start), None);
    }
}
