//! The conversation by intents: answers, questions for what is missing, confirmations, and a way
//! out when words fail. It keeps nothing: every reply is found by replaying the history, so a
//! reply that was only tried changes nothing.

mod asking;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::compile::{Action, Compiled, CompiledIntent, Understood};
use super::instructions::transfer_arguments;
use super::matcher::{Match, Values};
use super::sentences::{self, Sentence, together};
use super::slot::Slot;
use super::tokens::tokens;
use super::tongue::Global;
use crate::agent::assistant::{Assistant, Intent, Transfer};
use crate::agent::conversation::{Message, Request};
use crate::agent::hearing::collect::{self, Pieces};
use crate::agent::hearing::read_back;
use crate::agent::hearing::value::Heard;
use crate::agent::tool::names;
use crate::base::calendar::Date;
use crate::base::template;

/// An agent's way to answer by its intents.
#[derive(Debug, Clone)]
pub struct Dialogue {
    compiled: Arc<Compiled>,
    assistant: Arc<Assistant>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reply {
    /// What is said; may be empty.
    pub text: String,
    /// The tool that is called after it: its name, and its arguments as JSON.
    pub tool: Option<(&'static str, String)>,
}

/// Where the conversation stands.
#[derive(Debug, Default)]
struct State {
    pending: Pending,
    /// How often in a row nothing was understood.
    misses: u32,
    /// How often each intent was answered.
    told: BTreeMap<usize, usize>,
    /// What was said last, for "repeat".
    last: String,
    /// The day of the call.
    today: Option<Date>,
}

/// What the agent waits for.
#[derive(Debug, Default, Clone)]
enum Pending {
    /// Anything.
    #[default]
    Nothing,
    /// The value of a slot.
    Slot { intent: usize, slots: Values, asked: String, pieces: Pieces },
    /// A yes or no.
    Confirm { intent: usize, slots: Values },
}

/// An answer of at most so many words to a question may be a value among other words.
const SHORT_ANSWER: usize = 6;

/// The most topics that are named at once: nobody remembers more.
const MOST_TOPICS: usize = 6;

impl Dialogue {
    /// Makes the dialogue of an agent; `compiled` is made of its intents.
    pub fn new(compiled: Arc<Compiled>, assistant: Arc<Assistant>) -> Self {
        Self { compiled, assistant }
    }

    /// The reply to the last thing the caller said or a tool did; empty when the agent has already
    /// answered it.
    pub fn reply(&self, messages: &[Message]) -> Reply {
        self.reply_on(None, messages)
    }

    /// The reply to what a model is asked for. What the caller said to others before is theirs;
    /// words that were handed over and mean nothing here are met by an offer of help.
    pub fn reply_to(&self, request: &Request) -> Reply {
        let own = request.messages.get(request.inherited..).unwrap_or_default();
        if let (true, [Message::Caller { text, keys }]) = (request.takes_over, own)
            && self.compiled.understand(text) == Understood::Nothing
        {
            // Keys mean what whoever had the caller before said they mean.
            let first = self.assistant.first_message.as_deref().filter(|_| !keys.is_empty());
            let first = first.filter(|it| !it.contains("{{"));
            return Reply::text(first.unwrap_or(self.say(Sentence::HowCanIHelp)).to_owned());
        }
        self.reply_on(request.today, own)
    }

    /// The same in a call on a day that is known, from which others are counted.
    pub fn reply_on(&self, today: Option<Date>, messages: &[Message]) -> Reply {
        let mut state = State { today, ..State::default() };
        self.open(&mut state);
        let mut reply = Reply::default();
        for message in messages {
            reply = match message {
                Message::Caller { text, keys } => self.hear(&mut state, text, keys),
                Message::ToolResult(result) if result.failed => self.tool_failed(&mut state),
                Message::ToolResult(_) => Reply::default(),
                Message::ToolCall(_) => continue,
                Message::Agent { text, .. } => {
                    if state.last.is_empty() {
                        state.last.clone_from(text);
                    }
                    Reply::default()
                }
            };
            if !reply.text.is_empty() {
                state.last.clone_from(&reply.text);
            }
        }
        reply
    }

    fn hear(&self, state: &mut State, text: &str, keys: &str) -> Reply {
        if let Some(reply) = self.press(state, keys) {
            return reply;
        }
        let words = tokens(text, self.compiled.tongue());
        let reply = match state.pending.clone() {
            Pending::Nothing => None,
            Pending::Slot { intent, slots, asked, pieces } => {
                let waiting = Waiting { intent, slots, asked: Some(asked) };
                self.hear_pieces(state, text, pieces, &waiting)
                    .or_else(|| self.hear_value(state, &words, waiting))
            }
            Pending::Confirm { intent, slots } => {
                self.hear_decision(state, &words, Waiting { intent, slots, asked: None })
            }
        };
        reply.unwrap_or_else(|| self.hear_anything(state, text))
    }

    /// Any text, without regard to a question.
    fn hear_anything(&self, state: &mut State, text: &str) -> Reply {
        match self.compiled.understand(text) {
            Understood::Intent(found) => self.begin(state, found),
            Understood::Global(global) => self.obey(state, global),
            Understood::Nothing => self.miss(state),
        }
    }

    /// A long value that is said over several turns, as far as it is.
    fn hear_pieces(
        &self,
        state: &mut State,
        text: &str,
        pieces: Pieces,
        waiting: &Waiting,
    ) -> Option<Reply> {
        let asked = waiting.asked.as_deref()?;
        let slot = self.slot(waiting.intent, asked)?;
        let kind = slot.kind().heard_as().filter(|kind| collect::is_long(*kind))?;
        let begun = !pieces.is_empty();
        let (heard, pieces) = pieces.push(text, kind, slot.context());
        match heard {
            Heard::Nothing => None,
            Heard::Value(readings) => {
                let value = readings.first()?.value.to_string();
                let values = Values::from([(asked.to_owned(), value)]);
                Some(self.fill(state, waiting.clone(), values))
            }
            Heard::Part(part) => {
                let words = tokens(text, self.compiled.tongue());
                let other = self.compiled.matcher().global(&words).is_some()
                    || self.compiled.matcher().exact(&words).is_some();
                if other || (!begun && part.used < 2) {
                    return None;
                }
                let kept = if part.lack.is_missing() { pieces } else { Pieces::default() };
                let (intent, slots) = (waiting.intent, waiting.slots.clone());
                let asked = asked.to_owned();
                state.pending = Pending::Slot { intent, slots, asked, pieces: kept };
                state.misses = 0;
                Some(Reply::text(read_back::lacking(kind, &part, slot.context().locale)))
            }
        }
    }

    /// The answer to a question for a slot, if it is one.
    fn hear_value(&self, state: &mut State, words: &[String], waiting: Waiting) -> Option<Reply> {
        let matcher = self.compiled.matcher();
        let wanted = self.wanted(&waiting);
        let mut values = matcher.answer(words, &wanted);
        if values.is_none() {
            if matcher.exact(words).is_some() || matcher.global(words).is_some() {
                return None;
            }
            let (found, _) = matcher.values_in(words, &wanted);
            values = (!found.is_empty()).then_some(found).or_else(|| loose(words, wanted.first()?));
        }
        Some(self.fill(state, waiting, values?))
    }

    /// The answer to a confirmation, if it is one.
    fn hear_decision(
        &self,
        state: &mut State,
        words: &[String],
        waiting: Waiting,
    ) -> Option<Reply> {
        let matcher = self.compiled.matcher();
        let global = matcher.global(words);
        if global == Some(Global::Yes) {
            return Some(self.finish(state, waiting.intent, waiting.slots));
        }
        if global == Some(Global::No) {
            return Some(self.decline(state, waiting));
        }
        let wanted = self.wanted(&waiting);
        let refusal = matcher.refusal(words);
        let after = words.get(refusal..).unwrap_or_default();
        if let Some(values) = matcher.answer(after, &wanted) {
            return Some(self.fill(state, waiting, values));
        }
        if global.is_some() || matcher.exact(words).is_some() {
            return None;
        }
        let (values, _) = matcher.values_in(words, &wanted);
        if !values.is_empty() {
            return Some(self.fill(state, waiting, values));
        }
        if refusal > 0 {
            return Some(self.decline(state, waiting));
        }
        matcher.agreement(words).then(|| self.finish(state, waiting.intent, waiting.slots))
    }

    /// What pressed keys mean, if anything.
    fn press(&self, state: &mut State, keys: &str) -> Option<Reply> {
        let last = keys.chars().last()?;
        match (state.pending.clone(), last) {
            (Pending::Confirm { intent, slots }, '1') => {
                return Some(self.finish(state, intent, slots));
            }
            (Pending::Confirm { intent, slots }, '2') => {
                return Some(self.decline(state, Waiting { intent, slots, asked: None }));
            }
            (Pending::Slot { intent, slots, asked, .. }, _) => {
                let slot = self.slot(intent, &asked)?;
                if let Some(value) = slot.from_keys(keys) {
                    let values = Values::from([(asked.clone(), value)]);
                    let waiting = Waiting { intent, slots, asked: Some(asked) };
                    return Some(self.fill(state, waiting, values));
                }
            }
            (Pending::Confirm { .. } | Pending::Nothing, _) => {}
        }
        // The keys of a menu are one choice; elsewhere the last one counts.
        let bound = |intent: &Intent| match &intent.key {
            Some(key) if self.is_menu() => key == keys,
            Some(key) => key.chars().eq(std::iter::once(last)),
            None => false,
        };
        if let (Pending::Nothing, Some(intent)) =
            (&state.pending, self.assistant.intents.iter().position(bound))
        {
            return Some(self.begin(state, Match { intent, slots: Values::new(), score: 1.0 }));
        }
        match last {
            '*' if !self.is_menu() => Some(self.obey(state, Global::Repeat)),
            '0' if self.human().is_some() => Some(self.obey(state, Global::Human)),
            _ => None,
        }
    }

    fn begin(&self, state: &mut State, found: Match) -> Reply {
        let ends = self
            .intent(found.intent)
            .is_some_and(|(_, compiled)| compiled.action == Some(Action::EndCall));
        if ends && state.is_surprised() {
            return self.miss(state);
        }
        let mut slots = match &state.pending {
            Pending::Slot { intent, slots, .. } | Pending::Confirm { intent, slots }
                if *intent == found.intent =>
            {
                slots.clone()
            }
            Pending::Slot { .. } | Pending::Confirm { .. } | Pending::Nothing => Values::new(),
        };
        slots.extend(found.slots);
        self.advance(state, found.intent, slots)
    }

    fn fill(&self, state: &mut State, waiting: Waiting, values: Values) -> Reply {
        let mut slots = waiting.slots;
        slots.extend(values);
        self.advance(state, waiting.intent, slots)
    }

    /// Asks for what is missing, then for a confirmation, then answers.
    fn advance(&self, state: &mut State, intent: usize, slots: Values) -> Reply {
        state.misses = 0;
        let Some((definition, compiled)) = self.intent(intent) else { return Reply::default() };
        let settled = |(name, value): (String, String)| {
            let slot = compiled.slots.iter().find(|(slot, _)| *slot == name);
            let value = match slot {
                Some((_, slot)) => slot.settled(value, state.today),
                None => value,
            };
            (name, value)
        };
        let slots: Values = slots.into_iter().map(settled).collect();
        let missing = compiled.needed.iter().find(|name| !slots.contains_key(*name)).cloned();
        if let Some(asked) = missing {
            let question = definition.ask.get(&asked).map(String::as_str).unwrap_or_default();
            let text = self.render(question, intent, &slots);
            let pieces = Pieces::default();
            state.pending = Pending::Slot { intent, slots, asked, pieces };
            return Reply::text(text);
        }
        if let Some(question) = &definition.confirm {
            let text = self.render(question, intent, &slots);
            state.pending = Pending::Confirm { intent, slots };
            return Reply::text(text);
        }
        self.finish(state, intent, slots)
    }

    fn finish(&self, state: &mut State, intent: usize, slots: Values) -> Reply {
        state.misses = 0;
        state.pending = Pending::Nothing;
        let Some((definition, compiled)) = self.intent(intent) else { return Reply::default() };
        let told = state.told.entry(intent).or_default();
        let turn = told.checked_rem(definition.say.len()).unwrap_or(0);
        *told += 1;
        let answer = definition.say.get(turn).map(|text| self.render(text, intent, &slots));
        match &compiled.action {
            None => Reply::text(answer.unwrap_or_default()),
            Some(Action::EndCall) => self.end_call(answer),
            Some(Action::Transfer(to)) => self.transfer(to, answer),
            Some(Action::Collect) => asking::collected(&slots),
            Some(Action::HandOver(to)) => Reply {
                text: answer.unwrap_or_default(),
                tool: Some((names::HAND_OVER, transfer_arguments(to))),
            },
        }
    }

    fn decline(&self, state: &mut State, waiting: Waiting) -> Reply {
        if self.asks() {
            return self.ask_again(state, waiting.intent);
        }
        state.misses = 0;
        state.pending = Pending::Nothing;
        let declined = self
            .intent(waiting.intent)
            .and_then(|(intent, _)| intent.declined.as_deref())
            .map(|text| self.render(text, waiting.intent, &waiting.slots));
        Reply::text(declined.unwrap_or_else(|| {
            together(&[self.say(Sentence::Refused), self.say(Sentence::WhatElse)])
        }))
    }

    /// Does what every agent understands.
    fn obey(&self, state: &mut State, global: Global) -> Reply {
        if global == Global::Goodbye && state.is_surprised() {
            return self.miss(state);
        }
        state.misses = 0;
        let pending = match global {
            Global::Repeat => state.pending.clone(),
            Global::Help | Global::Human if self.asks() => state.pending.clone(),
            Global::Yes => {
                if matches!(state.pending, Pending::Slot { .. }) {
                    return self.miss(state);
                }
                Pending::Nothing
            }
            Global::No | Global::Help | Global::Human | Global::Goodbye => Pending::Nothing,
        };
        let before = std::mem::replace(&mut state.pending, pending);
        match global {
            Global::Repeat => Reply::text(state.last.clone()),
            Global::Yes => Reply::text(self.say(Sentence::HowCanIHelp).to_owned()),
            Global::No => match before {
                Pending::Slot { intent, slots, asked, .. } => {
                    self.decline(state, Waiting { intent, slots, asked: Some(asked) })
                }
                Pending::Confirm { .. } | Pending::Nothing => {
                    Reply::text(self.say(Sentence::WhatElse).to_owned())
                }
            },
            Global::Help => Reply::text(together(&[&self.topics(), &self.keys()])),
            Global::Human => self.hand_over(Sentence::Nobody),
            Global::Goodbye => self.end_call(None),
        }
    }

    /// Nothing was understood: ask again, offer keys, hand over.
    fn miss(&self, state: &mut State) -> Reply {
        state.misses = state.misses.saturating_add(1);
        let unclear = &self.assistant.unclear;
        if state.misses >= unclear.tries {
            let to = unclear.to.as_deref();
            let way_out = match to.filter(|to| self.assistant.transfers.contains_key(*to)) {
                Some(to) => Some(self.transfer(to, None)),
                None if self.human().is_some() => Some(self.hand_over(Sentence::StillSorry)),
                None => self.is_menu().then(|| self.end_call(None)),
            };
            if let Some(reply) = way_out {
                state.misses = 0;
                state.pending = Pending::Nothing;
                return reply;
            }
        }
        if let (Some(say), Pending::Nothing) = (&unclear.say, &state.pending) {
            return Reply::text(say.clone());
        }
        let first = state.misses == 1;
        let sorry = self.say(if first { Sentence::Sorry } else { Sentence::StillSorry });
        let again = match &state.pending {
            Pending::Nothing if first => self.topics(),
            Pending::Nothing => self.keys(),
            Pending::Confirm { intent, slots } => {
                let question =
                    self.intent(*intent).and_then(|(intent, _)| intent.confirm.as_deref());
                let question = self.render(question.unwrap_or_default(), *intent, slots);
                let how = if first { Sentence::YesOrNo } else { Sentence::YesOrNoKeys };
                together(&[&question, self.say(how)])
            }
            Pending::Slot { intent, slots, asked, .. } => {
                let question = self.intent(*intent).and_then(|(intent, _)| intent.ask.get(asked));
                let question =
                    self.render(question.map(String::as_str).unwrap_or_default(), *intent, slots);
                let slot = self.slot(*intent, asked).filter(|_| !first);
                let keys = slot
                    .map(|slot| sentences::keys_for(slot.kind(), self.compiled.tongue()))
                    .unwrap_or_default();
                together(&[&question, &keys])
            }
        };
        Reply::text(together(&[sorry, &again]))
    }

    fn tool_failed(&self, state: &mut State) -> Reply {
        state.pending = Pending::Nothing;
        state.misses = 0;
        Reply::text(together(&[self.say(Sentence::NotReached), &self.keys()]))
    }

    /// Sends the caller to a human, or says why not.
    fn hand_over(&self, first: Sentence) -> Reply {
        match self.human() {
            Some((to, _)) => {
                let to = to.to_owned();
                let mut reply = self.transfer(&to, None);
                if first == Sentence::StillSorry {
                    reply.text = together(&[self.say(first), &reply.text]);
                }
                reply
            }
            None => Reply::text(together(&[self.say(Sentence::Nobody), &self.keys()])),
        }
    }

    /// The transfer that leads to a human: called so, or the only one.
    fn human(&self) -> Option<(&str, &Transfer)> {
        // What a menu leads to is chosen.
        if self.is_menu() || !self.may(names::TRANSFER_CALL) {
            return None;
        }
        let transfers = &self.assistant.transfers;
        let named = ["operator", "human"].iter().find_map(|name| transfers.get_key_value(*name));
        let only = || transfers.iter().next().filter(|_| transfers.len() == 1);
        named.or_else(only).map(|(name, transfer)| (name.as_str(), transfer))
    }

    fn transfer(&self, to: &str, answer: Option<String>) -> Reply {
        let said_before = || self.assistant.transfers.get(to)?.say.clone();
        let text = answer
            .or_else(said_before)
            .unwrap_or_else(|| self.say(Sentence::Connecting).to_owned());
        Reply { text, tool: Some((names::TRANSFER_CALL, transfer_arguments(to))) }
    }

    fn end_call(&self, answer: Option<String>) -> Reply {
        let text = answer
            .or_else(|| self.assistant.goodbye.clone())
            .unwrap_or_else(|| self.say(Sentence::Goodbye).to_owned());
        let tool = self.may(names::END_CALL).then(|| (names::END_CALL, "{}".to_owned()));
        Reply { text, tool }
    }

    /// Whether the keys are choices of a menu.
    fn is_menu(&self) -> bool {
        self.assistant.dtmf.at_once
    }

    fn may(&self, tool: &str) -> bool {
        self.assistant.tools.iter().any(|name| name == tool)
    }

    /// Names what can be done.
    fn topics(&self) -> String {
        let labels = self.assistant.intents.iter().filter_map(|intent| intent.label.as_deref());
        let labels: Vec<&str> = labels.take(MOST_TOPICS).collect();
        if labels.is_empty() {
            return self.say(Sentence::OtherWords).to_owned();
        }
        sentences::topics(&labels, self.compiled.tongue())
    }

    /// Offers keys, or topics where there are none.
    fn keys(&self) -> String {
        let keys = self.assistant.intents.iter().filter_map(|intent| {
            Some((intent.key.as_deref()?, intent.label.as_deref().unwrap_or(&intent.id)))
        });
        let mut options: Vec<(&str, &str)> = keys.collect();
        options.sort_unstable();
        if options.is_empty() {
            return self.topics();
        }
        sentences::keys(&options, self.compiled.tongue())
    }

    /// The slots that an answer may fill: the one asked for, then those still empty, then the rest.
    fn wanted(&self, waiting: &Waiting) -> Vec<(String, Slot)> {
        let Some((_, compiled)) = self.intent(waiting.intent) else { return Vec::new() };
        let mut wanted = compiled.slots.clone();
        wanted.sort_by_key(|(name, _)| {
            (waiting.asked.as_ref() != Some(name), waiting.slots.contains_key(name))
        });
        wanted
    }

    fn slot(&self, intent: usize, name: &str) -> Option<&Slot> {
        let (_, compiled) = self.intent(intent)?;
        compiled.slots.iter().find(|(slot, _)| slot == name).map(|(_, slot)| slot)
    }

    fn intent(&self, intent: usize) -> Option<(&Intent, &CompiledIntent)> {
        self.assistant.intents.get(intent).zip(self.compiled.intents().get(intent))
    }

    /// Renders a text with the values as they are said.
    fn render(&self, text: &str, intent: usize, slots: &Values) -> String {
        let tongue = self.compiled.tongue();
        let variables = slots
            .iter()
            .map(|(name, value)| {
                let slot = self.slot(intent, name);
                let said = slot.map(|slot| slot.kind().spoken(value, tongue));
                (name.clone(), said.unwrap_or_else(|| value.clone()))
            })
            .collect();
        // Texts were tried when the intents were compiled; what fails all the same is said as it is.
        template::render(text, &variables).unwrap_or_else(|_| text.to_owned())
    }

    fn say(&self, sentence: Sentence) -> &'static str {
        sentences::say(sentence, self.compiled.tongue())
    }
}

impl State {
    /// Whether a goodbye would come out of the blue: in the middle of a question it is more likely
    /// misheard than meant, unless it comes again.
    fn is_surprised(&self) -> bool {
        !matches!(self.pending, Pending::Nothing) && self.misses == 0
    }
}

impl Reply {
    fn text(text: String) -> Self {
        Self { text, tool: None }
    }
}

/// An intent that waits for an answer.
#[derive(Clone)]
struct Waiting {
    intent: usize,
    slots: Values,
    asked: Option<String>,
}

/// The value of the slot that was asked for, anywhere in a short answer.
fn loose(words: &[String], wanted: &(String, Slot)) -> Option<Values> {
    if words.len() > SHORT_ANSWER {
        return None;
    }
    let (name, slot) = wanted;
    let places = (0..words.len()).filter_map(|at| words.get(at..));
    let value = places.filter_map(|rest| slot.read(rest).into_iter().next()).next();
    value.map(|(_, value)| Values::from([(name.clone(), value)]))
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use proptest::prelude::*;

    use super::*;
    use crate::agent::tool::{ToolCall, ToolResult};
    use crate::base::destination::Destination;

    fn intent(id: &str, key: &str, label: &str, phrases: &[&str], say: &[&str]) -> Intent {
        let own = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Intent {
            id: id.to_owned(),
            key: (!key.is_empty()).then(|| key.to_owned()),
            label: (!label.is_empty()).then(|| label.to_owned()),
            phrases: own(phrases),
            say: own(say),
            ..Intent::default()
        }
    }

    fn shop() -> Assistant {
        let ask = |slot: &str, question: &str| (slot.to_owned(), question.to_owned());
        let book = Intent {
            ask: BTreeMap::from([ask("day", "Which day?"), ask("time", "What time on {{ day }}?")]),
            confirm: Some("{{ day }}, {{ time }}. Shall I book it?".to_owned()),
            declined: Some("Not booked.".to_owned()),
            ..intent(
                "book",
                "2",
                "an appointment",
                &["book an appointment [on {day:weekday}] [at {time:time}]"],
                &["Booked: {{ day }}, {{ time }}."],
            )
        };
        let sales = Intent {
            action: Some("transfer_call:sales".to_owned()),
            ..intent("sales", "3", "sales", &["sales [please]"], &[])
        };
        let bye = Intent {
            action: Some("end_call".to_owned()),
            ..intent("bye", "", "", &["that is all"], &[])
        };
        let hours = intent(
            "hours",
            "1",
            "opening hours",
            &["opening hours"],
            &["Nine to five.", "Again, nine to five."],
        );
        let sales_desk = Transfer {
            say: Some("Off to sales.".to_owned()),
            ..Transfer::silent(Destination::Agent("sales".to_owned()))
        };
        Assistant {
            goodbye: Some("Bye now.".to_owned()),
            tools: vec!["end_call".to_owned(), "transfer_call".to_owned()],
            transfers: BTreeMap::from([("sales".to_owned(), sales_desk)]),
            intents: vec![hours, book, sales, bye],
            ..Assistant::default()
        }
    }

    fn dialogue(assistant: Assistant) -> Dialogue {
        let compiled = Compiled::for_assistant(&assistant).expect("the shop compiles");
        Dialogue::new(Arc::new(compiled), Arc::new(assistant))
    }

    fn spoken(reply: &Reply) -> String {
        let mut line = reply.text.clone();
        if let Some((name, arguments)) = &reply.tool {
            let _ = write!(line, " [{name} {arguments}]");
        }
        line
    }

    /// Plays a script: lines of the caller (keys begin with `#`), each with the expected reply.
    fn play(assistant: Assistant, script: &[(&str, &str)]) {
        let dialogue = dialogue(assistant);
        let mut messages = vec![Message::Agent { text: "Welcome.".to_owned(), interrupted: false }];
        for (line, wanted) in script {
            let (text, keys) = match line.strip_prefix('#') {
                Some(keys) => (String::new(), keys.to_owned()),
                None => ((*line).to_owned(), String::new()),
            };
            messages.push(if *line == "(the transfer fails)" {
                let content = "no answer".to_owned();
                Message::ToolResult(ToolResult { id: "rules-1".to_owned(), content, failed: true })
            } else {
                Message::Caller { text, keys }
            });
            let reply = dialogue.reply(&messages);
            assert_eq!(spoken(&reply), *wanted, "after {line:?}");
            if let Some((name, arguments)) = reply.tool {
                let (id, name) = ("rules-1".to_owned(), name.to_owned());
                messages.push(Message::ToolCall(ToolCall { id, name, arguments }));
            }
            messages.push(Message::Agent { text: reply.text, interrupted: false });
        }
    }

    #[test]
    fn answers_are_taken_in_turn() {
        play(
            shop(),
            &[
                ("Opening hours?", "Nine to five."),
                ("opening hours", "Again, nine to five."),
                ("#1", "Nine to five."),
                ("repeat that", "Nine to five."),
            ],
        );
    }

    #[test]
    fn repeat_at_the_very_beginning_repeats_the_greeting() {
        play(shop(), &[("Say that again, please", "Welcome.")]);
    }

    #[test]
    fn missing_values_are_asked_for_one_by_one() {
        play(
            shop(),
            &[
                ("I'd like to book an appointment", "Which day?"),
                ("Monday", "What time on Monday?"),
                ("um, at half past nine please", "Monday, nine thirty. Shall I book it?"),
                ("yes please", "Booked: Monday, nine thirty."),
            ],
        );
    }

    #[test]
    fn one_answer_may_hold_several_values() {
        play(
            shop(),
            &[
                ("book an appointment", "Which day?"),
                ("on Tuesday at 3 pm", "Tuesday, three in the afternoon. Shall I book it?"),
                ("No, Wednesday", "Wednesday, three in the afternoon. Shall I book it?"),
                (
                    "hmm, make it Thursday at four",
                    "Thursday, four in the afternoon. Shall I book it?",
                ),
                ("No.", "Not booked."),
                ("opening hours", "Nine to five."),
            ],
        );
    }

    #[test]
    fn a_value_is_found_among_other_words() {
        play(
            shop(),
            &[
                ("book an appointment on Friday", "What time on Friday?"),
                ("I guess ten would be good", "Friday, ten in the morning. Shall I book it?"),
                ("yes that would be great", "Booked: Friday, ten in the morning."),
            ],
        );
    }

    #[test]
    fn the_caller_may_change_the_subject() {
        play(
            shop(),
            &[
                ("book an appointment", "Which day?"),
                ("opening hours", "Nine to five."),
                (
                    "Monday",
                    "Sorry, I did not understand that. I can help you with opening hours, an appointment or sales.",
                ),
                (
                    "book an appointment on Monday at ten",
                    "Monday, ten in the morning. Shall I book it?",
                ),
                ("opening hours", "Again, nine to five."),
            ],
        );
    }

    #[test]
    fn a_caller_without_words_has_keys() {
        play(
            shop(),
            &[
                ("#2", "Which day?"),
                ("#3", "What time on Wednesday?"),
                ("#1030", "Wednesday, ten thirty. Shall I book it?"),
                ("#2", "Not booked."),
                ("#2", "Which day?"),
                ("#*", "Which day?"),
                ("#1", "What time on Monday?"),
                ("#9", "Monday, nine in the morning. Shall I book it?"),
                ("#1", "Booked: Monday, nine in the morning."),
            ],
        );
    }

    #[test]
    fn when_words_fail_keys_are_offered_and_then_a_human() {
        play(
            shop(),
            &[
                (
                    "blah",
                    "Sorry, I did not understand that. I can help you with opening hours, an appointment or sales.",
                ),
                (
                    "",
                    "I am sorry, I still did not understand. Press 1 for opening hours, 2 for an appointment, 3 for sales.",
                ),
                (
                    "blah",
                    "I am sorry, I still did not understand. Off to sales. [transfer_call {\"to\":\"sales\"}]",
                ),
                (
                    "(the transfer fails)",
                    "I am sorry, nobody could be reached there. Press 1 for opening hours, 2 for an appointment, 3 for sales.",
                ),
            ],
        );
    }

    #[test]
    fn without_a_human_keys_are_offered_again() {
        let mut lonely = shop();
        lonely.transfers.clear();
        lonely.intents.remove(2);
        let keys = "I am sorry, I still did not understand. Press 1 for opening hours, 2 for an appointment.";
        play(
            lonely,
            &[
                (
                    "",
                    "Sorry, I did not understand that. I can help you with opening hours or an appointment.",
                ),
                ("", keys),
                ("", keys),
                (
                    "operator",
                    "I am sorry, there is nobody I could connect you with. Press 1 for opening hours, 2 for an appointment.",
                ),
            ],
        );
    }

    #[test]
    fn a_question_that_is_not_understood_is_asked_again() {
        play(
            shop(),
            &[
                ("book an appointment", "Which day?"),
                ("blah", "Sorry, I did not understand that. Which day?"),
                (
                    "blah",
                    "I am sorry, I still did not understand. Which day? You can also press 1 for Monday, 2 for Tuesday, and so on.",
                ),
                ("#5", "What time on Friday?"),
                ("ten", "Friday, ten in the morning. Shall I book it?"),
                (
                    "blah",
                    "Sorry, I did not understand that. Friday, ten in the morning. Shall I book it? Please say yes or no.",
                ),
                ("#1", "Booked: Friday, ten in the morning."),
            ],
        );
    }

    #[test]
    fn calls_are_transferred_and_ended_by_tools() {
        play(
            shop(),
            &[
                ("sales please", "Off to sales. [transfer_call {\"to\":\"sales\"}]"),
                (
                    "(the transfer fails)",
                    "I am sorry, nobody could be reached there. Press 1 for opening hours, 2 for an appointment, 3 for sales.",
                ),
                ("that is all", "Bye now. [end_call {}]"),
            ],
        );
        play(shop(), &[("bye bye", "Bye now. [end_call {}]")]);
    }

    #[test]
    fn a_goodbye_in_the_middle_of_a_question_must_come_twice() {
        for goodbye in ["goodbye", "that is all"] {
            play(
                shop(),
                &[
                    ("book an appointment", "Which day?"),
                    (goodbye, "Sorry, I did not understand that. Which day?"),
                    (goodbye, "Bye now. [end_call {}]"),
                ],
            );
        }
    }

    #[test]
    fn an_agent_without_intents_still_answers() {
        let empty = Assistant::default();
        let other = "Could you say that in other words?";
        play(
            empty,
            &[
                ("hello there", &format!("Sorry, I did not understand that. {other}")),
                ("#1", &format!("I am sorry, I still did not understand. {other}")),
                ("help", &format!("{other} {other}")),
            ],
        );
    }

    #[test]
    fn german_agents_speak_german() {
        let mut laden = shop();
        laden.language = Some("de".parse().expect("a language"));
        laden.intents.truncate(2);
        laden.intents[1].phrases =
            vec!["einen termin [am {day:weekday}] [um {time:time}]".to_owned()];
        laden.intents[1].confirm = Some("{{ day }}, {{ time }}?".to_owned());
        play(
            laden,
            &[
                ("einen Termin am Dienstag um halb zehn", "Dienstag, 9 Uhr 30?"),
                ("nein, Mittwoch", "Mittwoch, 9 Uhr 30?"),
                ("ja genau", "Booked: Mittwoch, 9 Uhr 30."),
                (
                    "bla",
                    "Das habe ich leider nicht verstanden. Ich helfe Ihnen gerne hierbei: opening hours oder an appointment.",
                ),
            ],
        );
    }

    #[test]
    fn what_was_answered_is_not_answered_again() {
        let dialogue = dialogue(shop());
        let caller = Message::Caller { text: "opening hours".to_owned(), keys: String::new() };
        let agent = Message::Agent { text: "Nine".to_owned(), interrupted: true };
        assert_eq!(dialogue.reply(&[]), Reply::default());
        assert_eq!(dialogue.reply(&[caller.clone(), agent.clone()]), Reply::default());
        let messages = [caller.clone(), agent, caller];
        assert_eq!(dialogue.reply(&messages).text, "Again, nine to five.");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_reply_that_was_only_tried_changes_nothing(
            lines in proptest::collection::vec(
                "(book an appointment|monday|at ten|yes|no|opening hours|repeat|help|blah|sales|)",
                1..8,
            ),
            keys in "[0-9*#]{0,3}",
        ) {
            let dialogue = dialogue(shop());
            let caller = |text: &str, keys: &str| {
                Message::Caller { text: text.to_owned(), keys: keys.to_owned() }
            };
            let mut messages: Vec<Message> = lines.iter().map(|line| caller(line, "")).collect();
            let before = dialogue.reply(&messages);
            messages.push(caller("", &keys));
            dialogue.reply(&messages);
            messages.pop();
            prop_assert_eq!(dialogue.reply(&messages), before);
        }
    }
}
