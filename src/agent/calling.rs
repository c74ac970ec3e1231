//! How a session calls tools: what it lets run, what it says meanwhile, and what comes of them.

use std::time::Instant;

use crate::agent::answer::Called;
use crate::agent::closing::RESCUE;
use crate::agent::event::{Note, Output, Over};
use crate::agent::floor::State;
use crate::agent::pending::{Meanwhile, Wants};
use crate::agent::session::{Ending, Session};
use crate::agent::speech::Role;
use crate::agent::tool::{ToolCall, ToolResult, leads_on, names};
use crate::agent::tools::arguments;
use crate::agent::tools::builtin::Builtin;

impl Session {
    pub(super) fn call(&mut self, now: Instant, call: ToolCall) {
        self.note(Note::ToolCalled(call.clone()));
        if call.name == names::END_CALL {
            self.conversation.call(call);
            if self.ending == Ending::None {
                self.ending = Ending::Soft(Over::AgentEnded);
            }
            return;
        }
        let Some(thought) = &mut self.answer.thought else { return self.conversation.call(call) };
        thought.called = Called::Tool;
        let id = thought.id;
        let limit = self.assistant.limits.max_tool_calls_per_turn;
        if let Err(too_many) = self.answer.admit(limit) {
            self.refuse(call, "there were too many tool calls in this turn");
            if too_many.refused > MAX_REFUSED {
                self.out.push_back(Output::Abandon(id));
                self.answer.thought = None;
                self.fail(now);
            }
            return;
        }
        let offered = self.opening.tools.iter().any(|tool| tool.name == call.name);
        if call.name == names::TRANSFER_CALL || call.name == names::HAND_OVER && offered {
            if let Some(why) = self.keeps(&call) {
                return self.refuse(call, &why);
            }
            if self.answer.handover.is_some() {
                return self.refuse(call, "there is no such tool");
            }
            self.conversation.call(call.clone());
            self.sum_up(now, &call);
            self.answer.handover = Some(call);
            return;
        }
        let Some(tool) = self.opening.tools.iter().find(|tool| tool.name == call.name) else {
            return self.refuse(call, "there is no such tool");
        };
        let arguments = match arguments::read(&tool.parameters, &call.arguments) {
            Ok(arguments) => arguments,
            Err(why) => return self.refuse(call, &format!("{why}: nothing was done")),
        };
        if leads_on(&call.name) {
            self.conversation.call(call.clone());
            self.answer.handover = Some(call);
            return;
        }
        if call.name == Builtin::CollectDigits.name() {
            return self.collect(now, call, &arguments);
        }
        match self.question(&call, arguments) {
            Some(question) => self.ask_first(now, (call, question), Wants::Yes),
            None => self.start(now, call),
        }
    }

    /// Lets a tool run.
    pub(super) fn start(&mut self, now: Instant, call: ToolCall) {
        self.conversation.call(call.clone());
        if let Some(handling) = self.opening.handlings.get(&call.name) {
            let say = handling.say.clone();
            self.meanwhile = say.map(|(after, say)| Meanwhile {
                due: now + after,
                call: call.id.clone(),
                say: Some(say),
            });
            self.turn.waits(now, handling.patience);
        }
        self.answer.runs(call.clone());
        self.out.push_back(Output::Run(call));
    }

    /// When something is to be said because a tool still runs.
    pub(super) fn meanwhile_at(&self) -> Option<Instant> {
        let meanwhile = self.meanwhile.as_ref()?;
        meanwhile.say.as_ref().map(|_| meanwhile.due)
    }

    /// Says what is to be said while a tool runs, if it still does and nothing else is heard.
    pub(super) fn say_meanwhile(&mut self, now: Instant) {
        let is_quiet = self.speech.is_idle() && matches!(self.turn.state(), State::Thinking(_));
        let Some(meanwhile) = &mut self.meanwhile else { return };
        let say = meanwhile.say.take();
        if is_quiet && self.answer.is_waiting_for(&meanwhile.call) {
            let manner = self.manner();
            say.into_iter().for_each(|say| self.say(now, say, Role::Filler, manner));
        }
    }

    /// Whether the tool that runs has words of its own for the wait.
    pub(super) fn has_own_words(&self) -> bool {
        let meanwhile = self.meanwhile.as_ref();
        meanwhile.is_some_and(|meanwhile| self.answer.is_waiting_for(&meanwhile.call))
    }

    /// Tells the model that nothing was done, and why.
    pub(super) fn refuse(&mut self, call: ToolCall, why: &str) {
        let result = call.failed(why);
        self.conversation.call(call);
        self.note_result(result);
    }

    pub(super) fn note_result(&mut self, result: ToolResult) {
        self.note(Note::ToolDone { id: result.id.clone(), failed: result.failed });
        self.conversation.result(result);
    }

    pub(super) fn tool_done(&mut self, now: Instant, result: ToolResult) {
        let call = self.answer.ran(&result.id);
        // Nobody waits for it any more, and what it did it did all the same.
        self.note_result(result);
        let Some(call) = call else { return };
        self.turn.answer_moved(now);
        self.result_is_in(now, &call);
    }

    /// Thinks again once every tool has run.
    pub(super) fn result_is_in(&mut self, now: Instant, call: &ToolCall) {
        if call.id == RESCUE {
            return self.conclude(now, Over::ProviderError, self.phrases.apology.clone());
        }
        let is_free = self.ending == Ending::None && self.asking.is_none();
        if is_free && !self.answer.is_owed() {
            self.think(now);
        }
    }
}

/// After so many refused tool calls in one turn the model is not asked again.
const MAX_REFUSED: u32 = 8;
