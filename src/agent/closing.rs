//! How a session gives up and how it ends: never in silence, never before all was heard.

use std::time::Instant;

use crate::agent::answer::Given;
use crate::agent::event::{Note, Output, Over, UtteranceId};
use crate::agent::floor::Manner;
use crate::agent::session::{Ending, Life, Session};
use crate::agent::speech::{Role, Sent};
use crate::agent::tool::{ToolCall, names};

impl Session {
    pub(super) fn hold(&mut self, now: Instant) {
        if self.ending != Ending::None {
            return self.give_up(now);
        }
        if !self.has_own_words() {
            self.say(now, self.phrases.holding.clone(), Role::Filler, self.manner());
        }
    }

    pub(super) fn give_up(&mut self, now: Instant) {
        if let Some(thought) = self.answer.thought.take() {
            self.out.push_back(Output::Abandon(thought.id));
        }
        // What is left of a call that ends is said when this is settled.
        if self.ending != Ending::None {
            return;
        }
        let late = self.answer.drop_running();
        for call in &late {
            self.note_result(call.failed("there was no result in time"));
        }
        match late.iter().find(|call| call.name == names::TRANSFER_CALL) {
            Some(transfer) => self.result_is_in(now, transfer),
            None => self.fail(now),
        }
    }

    /// A turn got no answer.
    pub(super) fn fail(&mut self, now: Instant) {
        for call in self.answer.drop_running() {
            self.note_result(call.failed("there was no answer to the turn"));
        }
        self.answer.handover = None;
        self.answer.given = Given::Worded;
        self.failures = self.failures.saturating_add(1);
        if self.failures < self.tries() {
            return self.say(now, self.phrases.fallback.clone(), Role::Fixed, self.manner());
        }
        let to = self.assistant.fallback.to.clone();
        if !self.send_away(now, (RESCUE, to.as_deref())) {
            self.conclude(now, Over::ProviderError, self.phrases.apology.clone());
        }
    }

    /// The caller has said nothing for too long: whether it goes to somebody else then.
    pub(super) fn goes_elsewhere_when_silent(&mut self, now: Instant) -> bool {
        let to = self.assistant.silence.to.clone();
        self.send_away(now, (SILENCE, to.as_deref()))
    }

    /// Connects the caller with one of the transfers, unasked; `false` when there is no such.
    fn send_away(&mut self, now: Instant, (id, to): (&str, Option<&str>)) -> bool {
        let Some(to) = to.filter(|to| self.assistant.transfers.contains_key(*to)) else {
            return false;
        };
        let call = ToolCall::transfer(id, to);
        self.note(Note::ToolCalled(call.clone()));
        self.conversation.call(call.clone());
        self.answer.handover = Some(call);
        // Whatever is to be said before is said here.
        self.answer.given = Given::Worded;
        if let Some(line) = self.announcement(to) {
            self.say(now, line, Role::Fixed, self.manner());
        }
        true
    }

    /// Says a last line, whoever has the floor, and ends.
    pub(super) fn conclude(&mut self, now: Instant, why: Over, line: String) {
        if matches!(self.ending, Ending::Firm(_)) {
            return;
        }
        self.drop_answer(now);
        self.turn.take_floor();
        self.ending = Ending::Firm(why);
        self.say(now, line, Role::Fixed, Manner::Protected);
    }

    /// Says a line that nobody here thought of; what the model was about to say is dropped.
    pub(super) fn told_to_say(&mut self, now: Instant, text: String, ends: bool) {
        if text.trim().is_empty() || matches!(self.ending, Ending::Firm(_)) {
            return;
        }
        if ends {
            return self.conclude(now, Over::AgentEnded, text);
        }
        if self.drop_answer(now).is_some() {
            self.note(Note::Interrupted);
        }
        self.turn.take_floor();
        self.answer.given = Given::Worded;
        self.say(now, text, Role::Fixed, self.manner());
    }

    /// Connects the caller with somebody whom nobody here chose; what comes of it is told to the
    /// model as if it had.
    pub(super) fn told_to_send_away(&mut self, now: Instant, call: ToolCall) {
        if self.ending != Ending::None {
            return;
        }
        if self.drop_answer(now).is_some() {
            self.note(Note::Interrupted);
        }
        self.turn.take_floor();
        self.note(Note::ToolCalled(call.clone()));
        self.conversation.call(call.clone());
        self.answer.handover = Some(call);
        self.answer.given = Given::Worded;
    }

    pub(super) fn end(&mut self, now: Instant, why: Over) {
        self.account(now, Sent::Unknown);
        self.life = Life::Over;
        self.out.push_back(Output::Over(why));
    }

    /// Stops thinking and speaking; gives the last utterance that was dropped.
    pub(super) fn drop_answer(&mut self, now: Instant) -> Option<UtteranceId> {
        self.stop_thinking();
        self.flush(now)
    }

    /// Stops thinking; what was ordered from the voice is heard.
    pub(super) fn stop_thinking(&mut self) {
        if let Some(thought) = self.answer.thought.take() {
            self.out.push_back(Output::Abandon(thought.id));
        }
        // A call without a result is told as interrupted.
        self.answer.drop_running();
        self.drop_summary();
        self.answer.handover = None;
        if self.answer.given == Given::Voiceless {
            self.answer.given = Given::Worded;
        }
        if matches!(self.ending, Ending::Soft(_)) {
            self.ending = Ending::None;
        }
    }
}

/// The identity of the transfer of a caller who says nothing.
const SILENCE: &str = "session-silence";

/// The identity of the transfer that nobody but the session itself asked for.
pub(super) const RESCUE: &str = "session-fallback";
