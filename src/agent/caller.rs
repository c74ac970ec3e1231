//! What the caller has said and pressed since the turn began, before it is taken.

use std::time::{Duration, Instant};

use crate::agent::conversation;
use crate::agent::endpointing::{Completeness, Ending, Expected};
use crate::agent::event::{PauseId, TurnTimes};
use crate::agent::judgement::Judging;

/// The words of a final transcript.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// The pause that asked for them.
    pub pause: PauseId,
    /// The words; empty when nothing was understood.
    pub text: String,
    /// Whether they are a whole phrase of the grammar.
    pub completeness: Completeness,
}

/// The caller's turn in the making.
#[derive(Debug, Clone, Default)]
pub struct Caller {
    /// Words that came too late for an earlier turn that was thought to be noise.
    earlier: String,
    text: String,
    /// What was written, and not spoken.
    written: String,
    keys: String,
    /// When the transcriber was told to listen; `None` while only keys were pressed.
    pub listening: Option<Instant>,
    /// Since when the caller speaks without a pause.
    speaking: Option<Instant>,
    voiced: Duration,
    pressed: Option<Instant>,
    complete: Option<Completeness>,
    /// What a turn model makes of it.
    pub judging: Judging,
    /// When each stage was reached.
    pub times: TurnTimes,
}

impl Caller {
    /// Words that came too late for an earlier turn stand before those of this one.
    pub fn remember(&mut self, earlier: String) {
        self.earlier = earlier;
    }

    /// Speech began.
    pub fn starts(&mut self, now: Instant) {
        self.listening.get_or_insert(now);
        self.speaking.get_or_insert(now);
        self.times.began.get_or_insert(now);
    }

    /// Speech ended.
    pub fn stops(&mut self, now: Instant, last_voiced: Instant) {
        if let Some(since) = self.speaking.take() {
            self.voiced = self.voiced.saturating_add(last_voiced.saturating_duration_since(since));
        }
        self.times.last_voiced = Some(last_voiced);
        self.times.speech_ended = Some(now);
    }

    /// The words may be these.
    pub fn may_have_said(&mut self, text: &str) {
        text.trim().clone_into(&mut self.text);
        self.complete = None;
    }

    /// The words are these.
    pub fn said(&mut self, now: Instant, words: &Words) {
        words.text.trim().clone_into(&mut self.text);
        self.complete = Some(words.completeness);
        self.times.transcript = Some(now);
    }

    /// A key was pressed; too many are dropped.
    pub fn presses(&mut self, now: Instant, key: char) {
        self.pressed = Some(now);
        self.times.began.get_or_insert(now);
        if self.keys.len() < MAX_KEYS {
            self.keys.push(key);
        }
    }

    /// Something was written; too much of it is dropped.
    pub fn writes(&mut self, now: Instant, text: &str) {
        self.times.began.get_or_insert(now);
        let text = text.trim();
        if self.written.len().saturating_add(text.len()) <= MOST_WRITTEN {
            conversation::join(&mut self.written, text);
        }
    }

    /// All words of the turn.
    pub fn text(&self) -> String {
        let mut text = self.earlier.clone();
        conversation::join(&mut text, &self.text);
        conversation::join(&mut text, &self.written);
        text
    }

    /// What the transcriber heard since it listens.
    pub fn heard(&self) -> &str {
        &self.text
    }

    /// The keys pressed.
    pub fn keys(&self) -> &str {
        &self.keys
    }

    /// When the last key was pressed.
    pub fn pressed(&self) -> Option<Instant> {
        self.pressed
    }

    /// Whether speech began and did not end yet.
    pub fn is_speaking(&self) -> bool {
        self.speaking.is_some()
    }

    /// Whether there was neither a word nor a key.
    pub fn is_wordless(&self) -> bool {
        let words = [&self.text, &self.written, &self.earlier];
        self.keys.is_empty() && words.iter().all(|it| it.is_empty())
    }

    /// Whether it was a cough or a door: no word, no key, and too short for a sentence.
    pub fn is_noise(&self) -> bool {
        self.is_wordless() && self.voiced < REAL_SPEECH
    }

    /// How the turn ends: by its words, and by what the turn model says of the pause. Without
    /// words there is nothing to be answered, and nothing is hastened.
    pub fn ending(&self, expected: &Expected) -> Ending {
        let verdict = self.judging.verdict().filter(|_| !self.text.is_empty());
        self.wording(expected).with(verdict)
    }

    /// How the words end.
    pub fn wording(&self, expected: &Expected) -> Ending {
        let completeness = self.complete.unwrap_or(Completeness::Unknown);
        Ending::of(&self.text, completeness, self.voiced, expected)
    }

    /// No more keys come. A hash that closes a number is not part of it; alone it is a key like
    /// any other.
    pub fn close_keys(&mut self, terminator: Option<char>) {
        if self.keys.len() > 1 && self.is_terminated(terminator) {
            self.keys.pop();
        }
    }

    /// Whether the last key is the one that ends a number.
    pub fn is_terminated(&self, terminator: Option<char>) -> bool {
        terminator.is_some_and(|key| self.keys.ends_with(key))
    }
}

/// Shorter speech without a word is noise.
const REAL_SPEECH: Duration = Duration::from_millis(300);
const MAX_KEYS: usize = 32;
/// The most octets that one turn takes of what is written.
const MOST_WRITTEN: usize = 8_192;
