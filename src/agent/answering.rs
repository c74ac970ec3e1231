//! How a session answers: it thinks, perhaps before the turn is over, calls tools, and connects.

use std::time::Instant;

use crate::agent::answer::{Called, Given, Guessed, Standing};
use crate::agent::conversation::{Conversation, Request, Wanted};
use crate::agent::event::{Delta, Note, Output, ThoughtId};
use crate::agent::floor::{Event, Guess, Said};
use crate::agent::pending::Wants;
use crate::agent::session::{Ending, Hearing, Session};
use crate::agent::speech::{Role, Sent};
use crate::agent::tool::ToolCall;

impl Session {
    pub(super) fn guess(&mut self, text: String) {
        // A yes or no, or keys, are not thought about.
        if self.asking.is_some() {
            return;
        }
        let mut imagined = self.conversation.clone();
        imagined.caller(text, String::new());
        let standing = Standing::Guess { tools: Vec::new(), guessed: Guessed::Open };
        let thought = self.answer.think(&self.language, standing);
        let request = self.request(thought, &imagined);
        self.out.push_back(Output::Think { thought, request });
    }

    pub(super) fn think(&mut self, now: Instant) {
        self.turn.thinks(now);
        let thought = self.answer.think(&self.language, Standing::Taken);
        let request = self.request(thought, &self.conversation);
        self.out.push_back(Output::Think { thought, request });
    }

    fn request(&self, thought: ThoughtId, conversation: &Conversation) -> Request {
        // A model that has used up its calls is offered none, so that it must answer in words.
        let offers = self.answer.admits(self.assistant.limits.max_tool_calls_per_turn);
        Request {
            thought,
            instructions: self.instructions(),
            messages: conversation.messages(),
            tools: if offers { self.opening.tools.clone() } else { Vec::new() },
            today: self.opening.today,
            inherited: conversation.inherited(),
            takes_over: self.opening.inherits.is_some() && !self.was_spoken_to(),
            wanted: Wanted::Answer,
        }
    }

    /// What the model is told; in another language than the agent's own, to speak that one.
    fn instructions(&self) -> String {
        let mut text = self.opening.instructions.clone();
        let mut hint = |hint: &str| {
            if !text.is_empty() {
                text.push_str("\n\n");
            }
            text.push_str(hint);
        };
        if self.language.primary() != self.assistant.spoken_language().primary() {
            let name = if self.language.is_german() { "German" } else { "English" };
            hint(&format!("The caller speaks {name} now: answer in {name}."));
        }
        if let Some(inheritance) = &self.opening.inherits {
            hint(&inheritance.note());
        }
        if self.answer.broke_off && self.answer.given >= Given::Worded {
            hint(GO_ON);
        }
        text
    }

    pub(super) fn commit(&mut self, now: Instant, said: Said) {
        self.account(now, Sent::Unknown);
        self.answer.begin(said.times);
        self.conversation.caller(said.text.clone(), said.keys.clone());
        self.follow(now, &said.text);
        let turn = self.answer.turn;
        let since = said.times.began.unwrap_or(now);
        let is_unheard = said.text.is_empty() && said.keys.is_empty();
        let (text, keys) = (said.text.clone(), said.keys.clone());
        self.note(Note::CallerSaid { turn, since, text, keys });
        if said.judged.asked > 0 {
            self.note(Note::TurnJudged { turn, judged: said.judged });
        }
        // Who hears by itself may know what nobody could write down.
        let is_deaf = self.hearing == Hearing::Deaf && self.assistant.realtime.is_none();
        if is_deaf && is_unheard {
            self.stop_thinking();
            return self.fail(now);
        }
        if let Some(asking) = self.asking.take() {
            self.turn.asks_for_keys(None);
            return match asking.wants {
                Wants::Yes => self.decided(now, asking, &said),
                Wants::Keys(keypad) => self.collected(now, asking, keypad, &said),
            };
        }
        if said.guess == Guess::None || !self.answer.is_guess() {
            return self.think(now);
        }
        let (tools, progress) = self.answer.take_guess();
        let released = self.speech.release(now, turn);
        if let Some((through, _)) = released.last() {
            self.out.push_back(Output::Release { through: *through });
            self.answer.given = Given::Worded;
            let manner = self.manner();
            self.turn.handle(now, Event::SpeechReady(manner));
        }
        for (id, text) in released {
            self.conversation.agent(id, text);
        }
        for call in tools {
            self.call(now, call);
        }
        if progress == Guessed::Done {
            self.thought_done(now);
        }
    }

    /// A text came after the turn had been taken with less.
    pub(super) fn correct(&mut self, now: Instant, text: String) {
        self.conversation.correct_caller(text.clone());
        let (turn, keys) = (self.answer.turn, String::new());
        self.answer.times.transcript = Some(now);
        let since = self.answer.times.began.unwrap_or(now);
        self.note(Note::CallerSaid { turn, since, text, keys });
        // What the caller already hears is not taken back, and whoever heard it needs no words.
        if self.answer.given == Given::Nothing && self.assistant.realtime.is_none() {
            self.stop_thinking();
            self.think(now);
        }
    }

    pub(super) fn thought(&mut self, now: Instant, id: ThoughtId, delta: Delta) {
        if self.is_summed_up(id, &delta) {
            return;
        }
        let Some(thought) = self.answer.current(id) else { return };
        match delta {
            Delta::Text(text) => {
                let clauses = thought.splitter.push(&text);
                self.answer_moved(now);
                self.word(now, clauses);
            }
            Delta::Clause => {
                let clauses = thought.splitter.finish();
                self.word(now, clauses);
            }
            Delta::Tool(call) => {
                // What was said before the call is a clause of its own, heard while the tool runs.
                let clauses = thought.splitter.finish();
                self.answer_moved(now);
                self.word(now, clauses);
                if let Some(call) = self.answer.unless_guessed(call) {
                    self.call(now, call);
                }
            }
            Delta::Used(_) => {}
            Delta::Done => {
                let clauses = thought.splitter.finish();
                self.word(now, clauses);
                if !self.answer.guess_is_done() {
                    self.thought_done(now);
                }
            }
            // The turn is not over: the model will be asked again when it is.
            Delta::BrokeOff | Delta::Failed | Delta::Down if self.answer.is_guess() => {
                self.answer.thought = None;
                self.flush(now);
            }
            Delta::BrokeOff if self.answer.resumes() => self.go_on(now),
            Delta::BrokeOff | Delta::Failed => {
                self.answer.thought = None;
                self.fail(now);
            }
            Delta::Down => {
                self.answer.thought = None;
                self.failures = self.tries();
                self.fail(now);
            }
        }
    }

    /// Somebody else goes on with the answer. What was whole of it was said and is known to him;
    /// the words after that are void, and come again.
    fn go_on(&mut self, now: Instant) {
        self.answer.thought = None;
        // A tool that was called is not called again: its result is thought about.
        if self.ending == Ending::None && !self.answer.is_owed() {
            self.answer.broke_off = true;
            self.think(now);
            self.answer.broke_off = false;
        }
    }

    fn answer_moved(&mut self, now: Instant) {
        self.answer.moved(now);
        self.turn.answer_moved(now);
    }

    /// Speaks clauses of the answer.
    fn word(&mut self, now: Instant, clauses: Vec<String>) {
        for clause in clauses {
            self.answer.times.first_clause.get_or_insert(now);
            let Some(thought) = &mut self.answer.thought else { return };
            let (id, fits) = (thought.id, thought.counts());
            if !fits {
                self.out.push_back(Output::Abandon(id));
                return self.thought_done(now);
            }
            if self.answer.is_guess() {
                let mut held = self.speech.hold(now, clause);
                self.speech.was_thought(id);
                held.thought = Some(id);
                self.out.push_back(Output::Speak(held));
            } else {
                self.answer.given = self.answer.given.max(Given::Worded);
                self.say(now, clause, Role::Answer, self.manner());
            }
        }
    }

    fn thought_done(&mut self, now: Instant) {
        let Some(thought) = self.answer.thought.take() else { return };
        let ends = self.ending != Ending::None;
        if ends || self.answer.is_owed() {
            return;
        }
        if thought.called == Called::Tool {
            self.think(now);
        } else if self.answer.given == Given::Nothing {
            self.fail(now);
        }
    }

    /// Connects the caller once that was announced.
    pub(super) fn hand_over(&mut self, now: Instant, call: ToolCall) {
        if self.answer.given == Given::Nothing
            && let Some(line) = self.announcement_of(&call)
        {
            self.answer.given = Given::Worded;
            self.answer.handover = Some(call);
            return self.say(now, line, Role::Fixed, self.manner());
        }
        self.turn.transfer(now);
        self.answer.runs(call.clone());
        self.out.push_back(Output::Run(call));
    }

    /// What is said before a transfer; `None`: nothing.
    pub(super) fn announcement(&self, name: &str) -> Option<String> {
        let own = self.assistant.transfers.get(name).and_then(|transfer| transfer.say.clone());
        match own {
            Some(say) if say.trim().is_empty() => None,
            Some(say) => Some(say),
            None => Some(self.phrases.connecting.clone()),
        }
    }
}

/// What a model is told that goes on with the words of another.
const GO_ON: &str = "Your last words were heard, and the answer broke off after them. Go on from \
                     there without repeating them. If nothing is missing, say nothing.";
