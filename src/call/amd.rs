//! Who answers a call of ours: a person, a machine, or something that asks who calls. It hears when
//! speech begins and ends, tones, and words where somebody writes them down. It has no clock and no
//! port.
//!
//! A person says a few words and waits; a machine reads its greeting. Whoever speaks for long
//! without a pause is taken for a machine, until it stops soon and waits, as offices do. A tone or what
//! is said may say otherwise afterwards.

mod words;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::dialplan::amd::Amd as Terms;

use words::Meaning;

/// Whoever answered a call of ours.
#[derive(Debug)]
pub struct Amd {
    terms: Terms,
    /// Longest wait for the moment at which a machine takes a message.
    wait: Duration,
    began: Instant,
    /// When the first word began.
    first: Option<Instant>,
    speaks: bool,
    /// Whether somebody was asked for a text and has not given it.
    asked: bool,
    /// When the last word ended, while nobody speaks.
    last_voiced: Option<Instant>,
    state: State,
    out: VecDeque<Action>,
}

/// Who answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// A person.
    Human,
    /// A machine that takes messages.
    Machine,
    /// Somebody or something that asks who calls.
    Screening,
    /// Nobody said a word.
    Unknown,
}

impl Verdict {
    /// Those that there are.
    pub const ALL: [Self; 4] = [Self::Human, Self::Machine, Self::Screening, Self::Unknown];

    /// As records, events and templates have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Human => "human",
            Self::Machine => "machine",
            Self::Screening => "screening",
            Self::Unknown => "unknown",
        }
    }
}

/// What happened on the line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happening {
    /// Speech began.
    SpeechStarted,
    /// Speech ended.
    SpeechEnded {
        /// When the last of it came.
        last_voiced: Instant,
    },
    /// A tone is over.
    Beep,
    /// What was understood so far since speech began.
    Words(String),
    /// What was understood when speech paused; nothing, when it was not understood.
    Text(String),
    /// Somebody is asked for that text.
    Asked,
}

/// What follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// This is known now; it may be said otherwise once more.
    Verdict {
        /// Who it is.
        verdict: Verdict,
        /// How long after the answer.
        after: Duration,
    },
    /// Now a machine takes a message.
    Ready,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// It is not known yet.
    Deciding,
    /// Somebody is talked to; a tone or words may still tell of a machine.
    Watching(Verdict),
    /// A machine reads its greeting, since then; whether its words say so.
    Greeting { since: Instant, by_words: bool },
    /// Nothing more is to be found out.
    Done,
}

impl Amd {
    /// Begins when the call is answered; `wait` is how long a machine is waited for.
    pub fn new(terms: Terms, wait: Duration, now: Instant) -> Self {
        Self {
            terms,
            wait,
            began: now,
            first: None,
            speaks: false,
            asked: false,
            last_voiced: None,
            state: State::Deciding,
            out: VecDeque::new(),
        }
    }

    /// Takes what happened.
    pub fn handle(&mut self, now: Instant, happening: Happening) {
        // What was due before came before.
        self.tick(now);
        match happening {
            Happening::SpeechStarted => {
                self.first.get_or_insert(now);
                (self.speaks, self.last_voiced) = (true, None);
            }
            Happening::SpeechEnded { last_voiced } => {
                (self.speaks, self.last_voiced) = (false, Some(last_voiced));
            }
            Happening::Beep => self.beep(now),
            Happening::Words(text) => self.words(now, &text),
            Happening::Text(text) => {
                self.asked = false;
                self.words(now, &text);
            }
            Happening::Asked => self.asked = true,
        }
        self.tick(now);
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Instant) {
        if self.deadline().is_none_or(|due| due > now) {
            return;
        }
        match self.state {
            State::Deciding => match (self.speaks, self.last_voiced) {
                (true, _) => self.tell(now, Verdict::Machine),
                (false, Some(_)) => self.tell(now, Verdict::Human),
                (false, None) => self.tell(now, Verdict::Unknown),
            },
            State::Greeting { .. } if self.waits_for_us().is_some_and(|at| at <= now) => {
                self.tell(now, Verdict::Human);
            }
            State::Greeting { .. } => self.ready(),
            State::Watching(_) => self.state = State::Done,
            State::Done => {}
        }
    }

    /// What follows next.
    pub fn poll(&mut self) -> Option<Action> {
        self.out.pop_front()
    }

    /// When `tick` wants to be called.
    pub fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Deciding => Some(match (self.first, self.last_voiced) {
                (Some(first), None) => first + self.terms.greeting,
                // Words that say who it is may come a little late.
                (_, Some(last_voiced)) if self.asked => last_voiced + self.terms.pause + GRACE,
                (_, Some(last_voiced)) => last_voiced + self.terms.pause,
                (None, None) => self.began + self.terms.patience,
            }),
            State::Greeting { since, .. } => {
                let silent = self.last_voiced.map(|last| last + self.terms.silence);
                let ends = [silent, self.waits_for_us(), Some(since + self.wait)];
                ends.into_iter().flatten().min().map(|at| at.max(since))
            }
            State::Watching(_) => Some(self.began + WATCH),
            State::Done => None,
        }
    }

    /// When somebody who spoke no longer than people do, and gave no tone, is one who waits for an
    /// answer.
    fn waits_for_us(&self) -> Option<Instant> {
        let (first, last) = (self.first?, self.last_voiced?);
        let is_short = last.saturating_duration_since(first) <= LONGEST_OF_PEOPLE;
        let by_words = matches!(self.state, State::Greeting { by_words: true, .. });
        (is_short && !by_words).then_some(last + WAITS)
    }

    fn tell(&mut self, now: Instant, verdict: Verdict) {
        let after = now.saturating_duration_since(self.began);
        self.out.push_back(Action::Verdict { verdict, after });
        self.state = match verdict {
            Verdict::Machine => State::Greeting { since: now, by_words: false },
            other => State::Watching(other),
        };
    }

    fn ready(&mut self) {
        self.out.push_back(Action::Ready);
        self.state = State::Done;
    }

    fn beep(&mut self, now: Instant) {
        match self.state {
            State::Deciding => self.tell(now, Verdict::Machine),
            // Later tones are those of a person's own telephone.
            State::Watching(_) if now.saturating_duration_since(self.began) < BEEPS => {
                self.tell(now, Verdict::Machine);
            }
            State::Greeting { .. } => {}
            State::Watching(_) | State::Done => return,
        }
        self.ready();
    }

    fn words(&mut self, now: Instant, text: &str) {
        match (words::meaning(text), self.state) {
            (
                Some(Meaning::Screening),
                State::Deciding
                | State::Greeting { .. }
                | State::Watching(Verdict::Unknown | Verdict::Human),
            ) => {
                self.tell(now, Verdict::Screening);
            }
            (Some(Meaning::Machine), State::Deciding | State::Watching(_)) => {
                self.tell(now, Verdict::Machine);
                self.state = State::Greeting { since: now, by_words: true };
            }
            (Some(Meaning::Machine), State::Greeting { since, .. }) => {
                self.state = State::Greeting { since, by_words: true };
            }
            (Some(_) | None, _) => {}
        }
    }
}

/// The longest that people say before they wait for an answer, as offices do.
const LONGEST_OF_PEOPLE: Duration = Duration::from_secs(4);

/// A silence after which somebody waits for an answer. Most tones come sooner.
const WAITS: Duration = Duration::from_millis(1_200);

/// How long after the pause a text is waited for that was asked for.
const GRACE: Duration = Duration::from_millis(600);

/// For how long after the answer words may still tell of somebody else.
const WATCH: Duration = Duration::from_secs(20);

/// For how long a tone is that of a machine.
const BEEPS: Duration = Duration::from_secs(12);

#[cfg(test)]
mod tests;
