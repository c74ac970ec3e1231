//! Ahead of the end of a turn: when a model is asked, and what becomes of its answer.

use std::time::{Duration, Instant};

use crate::agent::floor::{Ended, Guess, Hearing, Order, State, Text, Voice};
use crate::agent::foresight::When;
use crate::agent::turn::Turn;

impl Turn {
    /// The voice fell off: a model may think about the words so far.
    pub(super) fn foresee(&mut self, hearing: &Hearing) {
        // The words of the pause itself keep a try.
        if hearing.voice != Voice::Sounds && self.foresight.tries + 1 < MOST_TRIES {
            self.ask_early(When::Fading);
        }
    }

    /// The voice fell off: a transcriber that may be asked in vain is asked soon, if it stays away.
    pub(super) fn fades(&mut self, now: Instant) -> Voice {
        let turns = &self.assistant.turns;
        let may_ask = turns.asks_early && turns.preemptive && self.foresight.may_ask();
        Voice::Fades { ask: may_ask.then(|| now + ASKED_AFTER) }
    }

    /// It is back.
    pub(super) fn returns(&mut self, voice: Voice) {
        if voice == Voice::Asked {
            self.foresight.asked(false);
        }
        self.withdraw();
    }

    /// The caller paused.
    pub(super) fn paused(&mut self, now: Instant, voice: Voice, last_voiced: Instant) -> State {
        self.caller.stops(now, last_voiced);
        match voice {
            // What came without a word is asked for again.
            Voice::Asked if self.text == Text::Asked || !self.caller.heard().is_empty() => {
                self.foresight.asked(true);
                self.have_judged(now);
            }
            Voice::Asked | Voice::Sounds | Voice::Fades { .. } => self.inquire(now),
        }
        self.decide(now, self.text, Ended::Pause(last_voiced))
    }

    /// Lets a model think on the words of a pause that look complete, unless the turn is taken now.
    pub(super) fn guess(&mut self, is_due: bool) {
        if !is_due && self.foresight.tries < MOST_TRIES {
            self.ask_early(When::Paused);
        } else if !self.foresight.is(&self.caller.text()) {
            self.withdraw();
        }
    }

    fn ask_early(&mut self, when: When) {
        let text = self.caller.text();
        if self.foresight.is(&text) {
            return;
        }
        self.withdraw();
        let likely =
            self.caller.ending(&self.expected).is_likely_an_end() && self.caller.keys().is_empty();
        if likely
            && self.assistant.turns.preemptive
            && !self.is_backchannel_to_debt()
            && self.foresight.permits(when)
        {
            self.foresight.ask(text.clone(), when);
            self.order(Order::Guess(text));
        }
    }

    /// The words are others, or the turn goes on.
    pub(super) fn withdraw(&mut self) {
        if self.foresight.ends(false) {
            self.order(Order::Withdraw);
        }
    }

    /// The turn is taken with these words.
    pub(super) fn redeem(&mut self, text: &str) -> Guess {
        if self.foresight.is(text) && self.foresight.ends(true) {
            return Guess::Right;
        }
        self.withdraw();
        Guess::None
    }
}

/// How often in one turn a model is asked before the turn is over.
const MOST_TRIES: u32 = 3;

/// How long after it fell off a voice is waited for: a little more than the next window of 32 ms,
/// so that no stop within a word is taken for an end.
const ASKED_AFTER: Duration = Duration::from_millis(40);
