//! The keys of a turn: when a number that is pressed is whole. And what is written, which is whole.

use std::time::Instant;

use crate::agent::floor::{Ended, Keypad, State};
use crate::agent::turn::Turn;

impl Turn {
    /// A key ends what was said before it.
    pub(super) fn key(&mut self, now: Instant, key: char) -> State {
        self.withdraw();
        self.caller.presses(now, key);
        self.cut_short(now);
        self.decide(now, self.text, Ended::Keys)
    }

    /// So does what is written, and it is whole.
    pub(super) fn wrote(&mut self, now: Instant, text: &str) -> State {
        self.withdraw();
        self.caller.writes(now, text);
        self.cut_short(now);
        self.decide(now, self.text, Ended::Limit(now))
    }

    /// What the caller is saying ends here.
    fn cut_short(&mut self, now: Instant) {
        if self.caller.is_speaking() {
            self.caller.stops(now, now);
            self.finalize();
        }
    }

    /// The caller was asked for keys, or is not any more.
    pub(super) fn asks_for_keys(&mut self, keypad: Option<Keypad>) {
        self.keypad = keypad;
    }

    /// The key that ends a number.
    pub(super) fn terminator(&self) -> Option<char> {
        self.keypad.map_or(self.assistant.dtmf.terminator, |keypad| keypad.terminator)
    }

    /// When no more keys are waited for, if one was pressed.
    pub(super) fn keys_end_at(&self) -> Option<Instant> {
        let pressed = self.caller.pressed()?;
        let (timeout, is_all) = match &self.keypad {
            Some(keypad) => (keypad.timeout, self.caller.keys().len() >= keypad.most),
            None => (self.assistant.dtmf.timeout, self.is_choice()),
        };
        let is_whole = is_all || self.caller.is_terminated(self.terminator());
        Some(if is_whole { pressed } else { pressed + timeout })
    }

    /// Whether no more keys can come of those that were pressed: they are a choice, or none.
    fn is_choice(&self) -> bool {
        let pressed = self.caller.keys();
        let goes_on = |key: &str| key.len() > pressed.len() && key.starts_with(pressed);
        let mut keys = self.assistant.intents.iter().filter_map(|intent| intent.key.as_deref());
        self.assistant.dtmf.at_once && !keys.any(goes_on)
    }
}
