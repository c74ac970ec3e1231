//! Texts that come when their turn was taken already, or before the agent said a word.

use std::time::Instant;

use crate::agent::caller::Words;
use crate::agent::floor::{Aside, Ended, Order, State, Text, Thinking};
use crate::agent::turn::{Debt, Turn};

impl Turn {
    /// Words come while the answer is thought about.
    pub(super) fn words_while_thinking(
        &mut self,
        now: Instant,
        state: Thinking,
        words: &Words,
    ) -> State {
        let aside = match state.aside.clone() {
            Aside::Late(taken) => self.late(now, &taken, words),
            Aside::Asked(last_voiced) => {
                self.caller.said(now, words);
                if self.is_substantial() {
                    self.debt = Debt::Answer;
                    self.order(Order::Cancel);
                    return self.decide(now, Text::Here, Ended::Pause(last_voiced));
                }
                self.forget();
                Aside::Quiet
            }
            aside @ (Aside::Quiet | Aside::Talking | Aside::Kept) => aside,
        };
        State::Thinking(Thinking { aside, ..state })
    }

    /// The text of a turn comes after it was taken with the words `taken`.
    pub(super) fn late(&mut self, now: Instant, taken: &str, words: &Words) -> Aside {
        let late = words.text.trim();
        if !late.is_empty() && late != taken {
            self.moved = now;
            self.order(Order::Correct(late.to_owned()));
        }
        self.forget();
        Aside::Quiet
    }

    /// The text of the turn before is not asked any more.
    pub(super) fn no_longer_late(&mut self, aside: Aside) -> Aside {
        match aside {
            Aside::Late(_) => {
                self.forget();
                Aside::Quiet
            }
            aside @ (Aside::Quiet | Aside::Talking | Aside::Asked(_) | Aside::Kept) => aside,
        }
    }

    /// The caller goes on: what the turn before really was is not asked any more.
    pub(super) fn wait_no_longer(&mut self) {
        if self.late.take().is_some() {
            self.forget();
        }
    }
}
