//! The answer to one turn in the making: the thought that words it, the tools that it called, and
//! when each stage was reached.

use std::time::Instant;

use crate::agent::event::{ThoughtId, TurnId, TurnTimes};
use crate::agent::sentence::Splitter;
use crate::agent::tool::ToolCall;
use crate::base::language::Language;

/// The answer to the turn that was taken last.
#[derive(Debug, Default)]
pub struct Answer {
    /// The turn; 0 before the first.
    pub turn: TurnId,
    /// Who is thinking, if anybody.
    pub thought: Option<Thought>,
    /// A transfer that waits until its announcement was heard.
    pub handover: Option<ToolCall>,
    /// When each stage was reached.
    pub times: TurnTimes,
    /// What the caller got of it.
    pub given: Given,
    /// Whether it broke off, and is to be gone on with.
    pub broke_off: bool,
    running: Vec<ToolCall>,
    calls: u32,
    /// How often somebody else went on with it.
    resumed: u32,
    last: ThoughtId,
}

/// What the caller got of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Given {
    /// Nothing yet.
    #[default]
    Nothing,
    /// Words that the voice could not say.
    Voiceless,
    /// Words that wait for their voice.
    Worded,
    /// Words that were heard.
    Heard,
}

/// A request to a model that is being answered.
#[derive(Debug)]
pub struct Thought {
    /// Its identity.
    pub id: ThoughtId,
    /// Whether it may be heard.
    pub standing: Standing,
    /// Whether it called a tool.
    pub called: Called,
    /// What cuts its words.
    pub splitter: Splitter,
    clauses: u32,
}

/// Whether a thought may be heard.
#[derive(Debug, PartialEq, Eq)]
pub enum Standing {
    /// It answers a turn that was taken.
    Taken,
    /// It answers a guess: nothing of it is heard or done yet.
    Guess {
        /// The tools that it called.
        tools: Vec<ToolCall>,
        /// Whether it is complete.
        guessed: Guessed,
    },
}

/// How far the answer to a guess is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guessed {
    /// More may come.
    Open,
    /// It is complete.
    Done,
}

/// Whether a thought called a tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Called {
    /// None.
    Nothing,
    /// At least one, whose result is to be thought about.
    Tool,
}

impl Answer {
    /// Begins to count thoughts where another stopped.
    pub fn count_on(&mut self, before: &Self) {
        self.last = before.last;
    }

    /// Begins the answer to the next turn; a guess stays.
    pub fn begin(&mut self, times: TurnTimes) {
        self.turn = self.turn.next();
        self.times = TurnTimes {
            first_delta: self.times.first_delta,
            first_clause: self.times.first_clause,
            first_audio: self.times.first_audio,
            ..times
        };
        self.given = Given::Nothing;
        (self.handover, self.broke_off) = (None, false);
        self.running.clear();
        (self.calls, self.resumed) = (0, 0);
    }

    /// Begins a thought; what was known of the model's speed belongs to the one before.
    pub fn think(&mut self, language: &Language, standing: Standing) -> ThoughtId {
        self.last = self.last.next();
        if standing != Standing::Taken {
            self.calls = 0;
        }
        if standing != Standing::Taken || self.given < Given::Worded {
            (self.times.first_delta, self.times.first_clause) = (None, None);
            self.times.first_audio = None;
        }
        let (splitter, called) = (Splitter::new(language), Called::Nothing);
        self.thought = Some(Thought { id: self.last, standing, called, splitter, clauses: 0 });
        self.last
    }

    /// The identity of a thought that is no answer.
    pub fn beside(&mut self) -> ThoughtId {
        self.last = self.last.next();
        self.last
    }

    /// The thought, if `id` is not a stale one.
    pub fn current(&mut self, id: ThoughtId) -> Option<&mut Thought> {
        self.thought.as_mut().filter(|thought| thought.id == id)
    }

    /// Whether the thought answers a guess.
    pub fn is_guess(&self) -> bool {
        let standing = self.thought.as_ref().map(|thought| &thought.standing);
        matches!(standing, Some(Standing::Guess { .. }))
    }

    /// Keeps a tool call until the guess is known to be right; gives it back if there is none.
    pub fn unless_guessed(&mut self, call: ToolCall) -> Option<ToolCall> {
        let Some(Standing::Guess { tools, .. }) = self.standing() else { return Some(call) };
        if tools.len() < MAX_GUESSED_TOOLS {
            tools.push(call);
        }
        None
    }

    /// Marks a guess as complete; `false` if there is none.
    pub fn guess_is_done(&mut self) -> bool {
        let Some(Standing::Guess { guessed, .. }) = self.standing() else { return false };
        *guessed = Guessed::Done;
        true
    }

    /// The guess was right: gives its tools and how far it is.
    pub fn take_guess(&mut self) -> (Vec<ToolCall>, Guessed) {
        match self.standing().map(|standing| std::mem::replace(standing, Standing::Taken)) {
            Some(Standing::Guess { tools, guessed }) => (tools, guessed),
            Some(Standing::Taken) | None => (Vec::new(), Guessed::Open),
        }
    }

    fn standing(&mut self) -> Option<&mut Standing> {
        self.thought.as_mut().map(|thought| &mut thought.standing)
    }

    /// The model gave something.
    pub fn moved(&mut self, now: Instant) {
        self.times.first_delta.get_or_insert(now);
    }

    /// Counts a tool call; refuses it when the turn has had `limit`.
    ///
    /// # Errors
    /// With how many were refused so far.
    pub fn admit(&mut self, limit: u32) -> Result<(), TooManyCalls> {
        self.calls = self.calls.saturating_add(1);
        let refused = self.calls.saturating_sub(limit);
        if refused == 0 { Ok(()) } else { Err(TooManyCalls { refused }) }
    }

    /// Counts that somebody else goes on with it; `false` when enough have tried.
    pub fn resumes(&mut self) -> bool {
        self.resumed += 1;
        self.resumed <= MAX_RESUMED
    }

    /// Whether the turn may have more tool calls.
    pub fn admits(&self, limit: u32) -> bool {
        self.calls < limit
    }

    /// A tool runs.
    pub fn runs(&mut self, call: ToolCall) {
        self.running.push(call);
    }

    /// A tool has run; gives its call unless nobody waits for it.
    pub fn ran(&mut self, id: &str) -> Option<ToolCall> {
        let at = self.running.iter().position(|call| call.id == id)?;
        Some(self.running.remove(at))
    }

    /// Whether this call of a tool runs.
    pub fn is_waiting_for(&self, id: &str) -> bool {
        self.running.iter().any(|call| call.id == id)
    }

    /// Takes the tools that run: nobody waits for them any more.
    pub fn drop_running(&mut self) -> Vec<ToolCall> {
        std::mem::take(&mut self.running)
    }

    /// Whether a tool runs.
    pub fn is_waiting(&self) -> bool {
        !self.running.is_empty()
    }

    /// Whether anything is still to come: words, a result, a transfer.
    pub fn is_owed(&self) -> bool {
        self.thought.is_some() || self.is_waiting() || self.handover.is_some()
    }
}

impl Thought {
    /// Counts a clause; `false` when the answer is longer than anybody would listen to.
    pub fn counts(&mut self) -> bool {
        self.clauses += 1;
        self.clauses <= MAX_CLAUSES
    }
}

/// A turn has had its tool calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many tool calls in one turn")]
pub struct TooManyCalls {
    /// How many were refused, with this one.
    pub refused: u32,
}

/// The most tool calls of an answer that nobody may hear yet.
const MAX_GUESSED_TOOLS: usize = 16;
const MAX_CLAUSES: u32 = 200;
/// How often somebody else may go on with an answer that broke off.
const MAX_RESUMED: u32 = 3;
