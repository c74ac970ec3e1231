//! Both at once: the two rows of turn-taking in which the agent speaks, and what the caller says
//! over it.

use std::time::Instant;

use crate::agent::barge_in::Verdict;
use crate::agent::caller::Words;
use crate::agent::floor::{
    Aside, Ended, Event, Manner, Next, Order, Sound, Speaking, State, Text, Yielding, speaking,
    thinking,
};
use crate::agent::turn::{Debt, Turn};

impl Turn {
    pub(super) fn speaking(&mut self, now: Instant, mut state: Speaking, event: Event) -> State {
        match event {
            Event::SpeechStarted => return self.overlap(now, state),
            Event::Faded | Event::Returned => {}
            Event::SpeechEnded { last_voiced } => {
                if state.aside == Aside::Talking {
                    self.caller.stops(now, last_voiced);
                    self.inquire(now);
                    state.aside = Aside::Asked(last_voiced);
                }
            }
            Event::Partial(text) => {
                if matches!(state.aside, Aside::Talking | Aside::Asked(_)) {
                    self.caller.may_have_said(&text);
                }
            }
            Event::Words(words) => return self.words_while_speaking(now, state, &words),
            Event::Judged(judgement) => {
                if matches!(state.aside, Aside::Asked(_)) {
                    self.caller.judging.answer(now, judgement.complete);
                }
            }
            Event::Key(key) if state.manner == Manner::Open => {
                self.no_longer_late(state.aside);
                self.interrupt(now);
                return self.key(now, key);
            }
            Event::Wrote(text) if state.manner == Manner::Open => {
                self.no_longer_late(state.aside);
                self.interrupt(now);
                return self.wrote(now, &text);
            }
            Event::Wrote(text) => {
                state.aside = self.no_longer_late(state.aside);
                self.caller.writes(now, &text);
                if state.aside == Aside::Quiet {
                    state.aside = Aside::Kept;
                }
            }
            Event::Key(key) => {
                state.aside = self.no_longer_late(state.aside);
                self.caller.presses(now, key);
                if state.aside == Aside::Quiet {
                    state.aside = Aside::Kept;
                }
            }
            Event::Deadline => {}
            Event::SpeechReady(manner) => state.manner = state.manner.with(manner),
            Event::PlayoutDone(Next::Nothing) => return self.give_floor(now, state.aside),
            Event::PlayoutDone(Next::More) => return self.fall_silent(now, state.aside),
        }
        State::Speaking(state)
    }

    pub(super) fn yielding(&mut self, now: Instant, mut state: Yielding, event: Event) -> State {
        match (event, state.sound) {
            (Event::SpeechStarted, Sound::Over { .. }) => {
                self.caller.starts(now);
                state.sound = self.sound(now);
            }
            (Event::Faded | Event::Returned, _) => {}
            (Event::SpeechStarted | Event::Judged(_), Sound::Going { .. }) => {}
            (Event::SpeechEnded { last_voiced }, Sound::Going { .. }) => {
                self.caller.stops(now, last_voiced);
                self.inquire(now);
                let resume = now + self.assistant.interrupt.resume_after;
                state.sound = Sound::Over { last_voiced, resume };
            }
            (Event::SpeechEnded { .. }, Sound::Over { .. }) => {}
            (Event::Partial(text), Sound::Going { since, .. }) => {
                self.caller.may_have_said(&text);
                return self.judge(now, since, state);
            }
            (Event::Partial(text), Sound::Over { .. }) => self.caller.may_have_said(&text),
            (Event::Words(words), Sound::Going { .. }) => {
                self.caller.said(now, &words);
                if self.is_substantial() {
                    return self.interrupted(now);
                }
            }
            (Event::Words(words), Sound::Over { last_voiced, .. }) => {
                self.caller.said(now, &words);
                return self.weigh(now, state.manner, last_voiced);
            }
            (Event::Judged(it), Sound::Over { .. }) => self.caller.judging.answer(now, it.complete),
            (Event::Key(key), Sound::Going { .. } | Sound::Over { .. }) => {
                self.break_off(now);
                return self.key(now, key);
            }
            (Event::Wrote(text), Sound::Going { .. } | Sound::Over { .. }) => {
                self.break_off(now);
                return self.wrote(now, &text);
            }
            (Event::Deadline, Sound::Going { since, .. }) => {
                return self.judge(now, since, state);
            }
            (Event::Deadline, Sound::Over { last_voiced, .. }) => {
                self.go_on();
                return speaking(state.manner, Aside::Asked(last_voiced));
            }
            (Event::SpeechReady(manner), Sound::Going { .. } | Sound::Over { .. }) => {
                state.manner = state.manner.with(manner);
            }
            // The agent had said it all: nothing is interrupted, and the caller may go on.
            (Event::PlayoutDone(Next::Nothing), Sound::Going { .. }) => {
                self.order(Order::Resume);
                return self.hear(now);
            }
            (Event::PlayoutDone(Next::Nothing), Sound::Over { last_voiced, .. }) => {
                self.order(Order::Resume);
                return self.decide(now, Text::Asked, Ended::Pause(last_voiced));
            }
            (Event::PlayoutDone(Next::More), Sound::Going { .. } | Sound::Over { .. }) => {}
        }
        State::Yielding(state)
    }
}

/// What the cells do.
impl Turn {
    /// The caller has stopped, and what was said is known: enough for a turn, or nothing.
    fn weigh(&mut self, now: Instant, manner: Manner, last_voiced: Instant) -> State {
        if self.is_substantial() {
            self.break_off(now);
            return self.decide(now, Text::Here, Ended::Pause(last_voiced));
        }
        self.go_on();
        self.forget();
        speaking(manner, Aside::Quiet)
    }

    /// The caller speaks over the agent.
    fn overlap(&mut self, now: Instant, state: Speaking) -> State {
        if state.manner == Manner::Open {
            self.order(Order::Pause);
        }
        self.no_longer_late(state.aside);
        self.listen(now);
        match state.manner {
            Manner::Open => {
                State::Yielding(Yielding { manner: state.manner, sound: self.sound(now) })
            }
            Manner::Protected => speaking(state.manner, Aside::Talking),
        }
    }

    fn sound(&self, now: Instant) -> Sound {
        Sound::Going { since: now, judged: now + self.barge_in.min_speech() }
    }

    /// Judges sound that goes on since `since`.
    fn judge(&mut self, now: Instant, since: Instant, state: Yielding) -> State {
        let limit = since + self.assistant.turns.max_turn;
        let spoken = now.saturating_duration_since(since);
        let judged = match self.barge_in.verdict(spoken, &self.caller.text()) {
            Verdict::Wait(Some(longer)) if now < limit => since + longer,
            Verdict::Wait(None) if now < limit => limit,
            Verdict::Wait(_) | Verdict::Interrupt => return self.interrupted(now),
        };
        State::Yielding(Yielding { sound: Sound::Going { since, judged }, ..state })
    }

    fn interrupted(&mut self, now: Instant) -> State {
        self.break_off(now);
        if self.sounds_over() { self.is_over(now) } else { self.hear(now) }
    }

    /// The agent loses the floor. The pause ends with the flush: nothing is left to be held.
    fn break_off(&mut self, now: Instant) {
        self.interrupt(now);
        self.order(Order::Resume);
    }

    /// The agent goes on after a pause for nothing.
    fn go_on(&mut self) {
        self.order(Order::Resume);
        self.order(Order::FalseInterruption);
    }

    fn words_while_speaking(&mut self, now: Instant, state: Speaking, words: &Words) -> State {
        let last_voiced = match state.aside {
            Aside::Asked(last_voiced) => last_voiced,
            Aside::Late(taken) => return speaking(state.manner, self.late(now, &taken, words)),
            Aside::Quiet | Aside::Talking | Aside::Kept => return State::Speaking(state),
        };
        self.caller.said(now, words);
        if !self.is_substantial() && self.caller.keys().is_empty() {
            self.forget();
            return speaking(state.manner, Aside::Quiet);
        }
        match state.manner {
            Manner::Open => {
                self.interrupt(now);
                self.decide(now, Text::Here, Ended::Pause(last_voiced))
            }
            Manner::Protected => speaking(state.manner, Aside::Kept),
        }
    }

    /// The agent said what it had, and more is to come.
    fn fall_silent(&mut self, now: Instant, aside: Aside) -> State {
        match aside {
            Aside::Quiet | Aside::Late(_) | Aside::Asked(_) => {
                thinking(now + self.assistant.fallback.hold_after, aside)
            }
            Aside::Talking | Aside::Kept => {
                self.debt = Debt::Answer;
                self.order(Order::Cancel);
                self.give_floor(now, aside)
            }
        }
    }
}
