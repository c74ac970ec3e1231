//! The conversation as a model is told it: what was said and, of our own words, what was heard.

use std::collections::VecDeque;
use std::time::Duration;

use crate::agent::tool::{Tool, ToolCall, ToolResult};
use crate::base::calendar::Date;
use crate::base::id::{ThoughtId, UtteranceId};

/// One thing that was said or done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// The caller said something or pressed keys.
    Caller {
        /// The words; empty when only keys were pressed.
        text: String,
        /// The keys, `0-9 * #`; empty when there were none.
        keys: String,
    },
    /// The agent said something; only what was heard of it.
    Agent {
        /// The words.
        text: String,
        /// Whether the caller interrupted it.
        interrupted: bool,
    },
    /// The model asked for a tool.
    ToolCall(ToolCall),
    /// What came of it.
    ToolResult(ToolResult),
}

/// A request to a model: everything that it needs to answer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Request {
    /// Which thought answers it.
    pub thought: ThoughtId,
    /// The agent's instructions, rendered.
    pub instructions: String,
    /// The conversation so far.
    pub messages: Vec<Message>,
    /// The tools that it may call.
    pub tools: Vec<Tool>,
    /// The day of the call.
    pub today: Option<Date>,
    /// How many of the messages belong to those who had the conversation before.
    pub inherited: usize,
    /// Whether the caller said the last words to somebody else.
    pub takes_over: bool,
    /// What is wanted.
    pub wanted: Wanted,
}

/// What a model is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Wanted {
    /// What the agent says next.
    #[default]
    Answer,
    /// The conversation in short.
    Summary,
}

/// What was said so far. Words of the agent stand in the order in which they were ordered and
/// count as heard until a cut tells better.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conversation {
    entries: VecDeque<Entry>,
    /// How many of them belong to those who had it before, if somebody had.
    inherited: Option<usize>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Entry {
    Caller { text: String, keys: String },
    Agent { utterance: UtteranceId, text: String, interrupted: bool },
    Tool { call: ToolCall, result: Option<ToolResult> },
}

impl Conversation {
    /// The caller's turn was taken.
    pub fn caller(&mut self, text: String, keys: String) {
        self.push(Entry::Caller { text, keys });
    }

    /// A late text replaces the words of the caller's last turn.
    pub fn correct_caller(&mut self, late: String) {
        let last = self.entries.iter_mut().rev().find_map(|entry| match entry {
            Entry::Caller { text, .. } => Some(text),
            Entry::Agent { .. } | Entry::Tool { .. } => None,
        });
        if let Some(text) = last {
            *text = late;
        }
    }

    /// What the agent said since the caller's last turn.
    pub fn last_words(&self) -> String {
        let mut words = String::new();
        let since = self.entries.iter().rposition(|it| matches!(it, Entry::Caller { .. }));
        for entry in self.entries.iter().skip(since.map_or(0, |at| at + 1)) {
            if let Entry::Agent { text, .. } = entry {
                join(&mut words, text);
            }
        }
        words
    }

    /// The agent is about to say `text`.
    pub fn agent(&mut self, utterance: UtteranceId, text: String) {
        self.push(Entry::Agent { utterance, text, interrupted: false });
    }

    /// Of an utterance only `heard` was heard.
    pub fn cut(&mut self, cut: UtteranceId, heard: &str) {
        for entry in self.entries.iter_mut().rev() {
            match entry {
                Entry::Agent { utterance, text, interrupted } if *utterance == cut => {
                    *interrupted = true;
                    heard.clone_into(text);
                    return;
                }
                Entry::Agent { .. } | Entry::Caller { .. } | Entry::Tool { .. } => {}
            }
        }
    }

    /// An utterance that was thought to be cut had been heard whole.
    pub fn restore(&mut self, whole: UtteranceId, words: &str) {
        self.cut(whole, words);
        for entry in &mut self.entries {
            match entry {
                Entry::Agent { utterance, interrupted, .. } if *utterance == whole => {
                    *interrupted = false;
                }
                Entry::Agent { .. } | Entry::Caller { .. } | Entry::Tool { .. } => {}
            }
        }
    }

    /// The model asked for a tool.
    pub fn call(&mut self, call: ToolCall) {
        self.push(Entry::Tool { call, result: None });
    }

    /// A tool has run. A result for no open call is dropped.
    pub fn result(&mut self, done: ToolResult) {
        for entry in self.entries.iter_mut().rev() {
            match entry {
                Entry::Tool { call, result: result @ None } if call.id == done.id => {
                    *result = Some(done);
                    return;
                }
                Entry::Tool { .. } | Entry::Caller { .. } | Entry::Agent { .. } => {}
            }
        }
    }

    /// Appends what was said in another one since it was handed on.
    pub fn append(&mut self, other: &Self) {
        // The caller's last words were the border.
        let since = other.inherited.map_or(0, |count| count + 1);
        other.entries.iter().skip(since).for_each(|entry| self.push(entry.clone()));
    }

    /// The conversation for who goes on with it, down to the caller's last words: the last `most`
    /// things that were said, and what came of tools that it has as well. `None` when the caller
    /// has said nothing.
    pub fn handed_on(&self, most: usize, knows: &dyn Fn(&str) -> bool) -> Option<Self> {
        let last = self.entries.iter().rposition(|it| matches!(it, Entry::Caller { .. }))?;
        let known = |entry: &&Entry| match entry {
            Entry::Caller { .. } | Entry::Agent { .. } => true,
            Entry::Tool { call, .. } => knows(&call.name),
        };
        let mut entries: VecDeque<Entry> =
            self.entries.iter().take(last + 1).filter(known).cloned().collect();
        entries.drain(..entries.len().saturating_sub(most));
        Some(Self { inherited: Some(entries.len().saturating_sub(1)), entries })
    }

    /// The caller's last words.
    pub fn callers_last_words(&self) -> &str {
        let last = self.entries.iter().rev().find_map(|entry| match entry {
            Entry::Caller { text, .. } => Some(text.as_str()),
            Entry::Agent { .. } | Entry::Tool { .. } => None,
        });
        last.unwrap_or_default()
    }

    /// How many of the messages belong to those who had the conversation before.
    pub fn inherited(&self) -> usize {
        let Some(inherited) = self.inherited.filter(|count| *count > 0) else { return 0 };
        let count = told(self.entries.iter().take(inherited)).len();
        let ends = |at: usize| matches!(self.entries.get(at), Some(Entry::Caller { .. }));
        // Words of the caller on both sides of the border are one message, and the next one's.
        let shares = ends(inherited - 1) && ends(inherited);
        count - usize::from(shares)
    }

    /// The conversation for a model. Words of the caller with nothing heard between are one
    /// message, as are words of the agent; every tool call is followed by its result.
    pub fn messages(&self) -> Vec<Message> {
        told(self.entries.iter())
    }

    fn push(&mut self, entry: Entry) {
        self.entries.push_back(entry);
        // The oldest turns are forgotten whole, so that no answer stands without its question.
        if self.entries.len() > MAX_ENTRIES {
            let before = self.entries.len();
            self.entries.pop_front();
            while matches!(self.entries.front(), Some(Entry::Agent { .. } | Entry::Tool { .. })) {
                self.entries.pop_front();
            }
            let gone = before - self.entries.len();
            self.inherited = self.inherited.map(|count| count.saturating_sub(gone));
        }
    }
}

/// What was said and done, as a model is told it.
fn told<'a>(entries: impl Iterator<Item = &'a Entry>) -> Vec<Message> {
    let mut messages: Vec<Message> = Vec::new();
    for entry in entries {
        match entry {
            Entry::Caller { text, keys } => caller_said(&mut messages, text, keys),
            Entry::Agent { text, .. } if text.is_empty() => {}
            Entry::Agent { text, interrupted, .. } => {
                agent_said(&mut messages, text, *interrupted);
            }
            Entry::Tool { call, result } => {
                let result = result.clone().unwrap_or_else(|| interrupted_result(call));
                messages.push(Message::ToolCall(call.clone()));
                messages.push(Message::ToolResult(result));
            }
        }
    }
    messages
}

fn caller_said(messages: &mut Vec<Message>, more: &str, pressed: &str) {
    match messages.last_mut() {
        Some(Message::Caller { text, keys }) => {
            join(text, more);
            keys.push_str(pressed);
        }
        Some(Message::Agent { .. } | Message::ToolCall(_) | Message::ToolResult(_)) | None => {
            messages.push(Message::Caller { text: more.to_owned(), keys: pressed.to_owned() });
        }
    }
}

fn agent_said(messages: &mut Vec<Message>, more: &str, cut: bool) {
    match messages.last_mut() {
        Some(Message::Agent { text, interrupted }) => {
            join(text, more);
            *interrupted |= cut;
        }
        Some(Message::Caller { .. } | Message::ToolCall(_) | Message::ToolResult(_)) | None => {
            messages.push(Message::Agent { text: more.to_owned(), interrupted: cut });
        }
    }
}

/// A call without a result would be refused by most models.
fn interrupted_result(call: &ToolCall) -> ToolResult {
    call.failed("interrupted by the caller; if it was under way, its result is told later")
}

/// Appends `more` to `text` with a space between.
pub fn join(text: &mut String, more: &str) {
    if !text.is_empty() && !more.is_empty() {
        text.push(' ');
    }
    text.push_str(more);
}

/// The words of `text` that were heard whole after `heard` of it; by proportion when the length
/// of its audio is known, else by the pace of ordinary speech.
pub fn heard_part(text: &str, heard: Duration, total: Option<Duration>) -> &str {
    let letters = text.chars().count();
    let passed = match total {
        Some(total) if heard >= total => return text,
        Some(total) => heard.as_secs_f64() / total.as_secs_f64() * letters as f64,
        None => heard.as_secs_f64() * LETTERS_PER_SECOND,
    };
    // The cast saturates: a float beyond the range becomes the largest number.
    let passed = passed as usize;
    let Some((cut, next)) = text.char_indices().nth(passed) else { return text };
    let before = text.get(..cut).unwrap_or_default();
    if next.is_whitespace() {
        return before.trim_end();
    }
    before.rfind(char::is_whitespace).and_then(|at| before.get(..at)).unwrap_or("").trim_end()
}

/// How long `text` takes to say at the pace of ordinary speech.
pub fn pace(text: &str) -> Duration {
    Duration::from_secs_f64(text.chars().count() as f64 / LETTERS_PER_SECOND)
}

/// 150 to 160 words in a minute, in English as in German.
const LETTERS_PER_SECOND: f64 = 14.0;
const MAX_ENTRIES: usize = 400;

#[cfg(test)]
mod tests {
    use super::*;

    fn call(id: &str) -> ToolCall {
        ToolCall { id: id.to_owned(), name: "look_up".to_owned(), arguments: "{}".to_owned() }
    }

    #[test]
    fn words_are_cut_where_the_caller_stopped_hearing() {
        let text = "We are open from nine to five.";
        let total = Some(Duration::from_secs(3));
        assert_eq!(heard_part(text, Duration::from_millis(1_500), total), "We are open");
        assert_eq!(heard_part(text, Duration::from_secs(3), total), text);
        assert_eq!(heard_part(text, Duration::ZERO, total), "");
        assert_eq!(heard_part(text, Duration::from_secs(1), None), "We are open");
        assert_eq!(heard_part("Grüße aus Köln", Duration::from_millis(400), None), "Grüße");
        assert_eq!(heard_part(text, Duration::MAX, None), text);
        assert_eq!(heard_part("", Duration::ZERO, Some(Duration::ZERO)), "");
    }

    #[test]
    fn only_what_was_heard_is_told_and_every_call_is_answered() {
        let mut conversation = Conversation::default();
        conversation.caller("hello".to_owned(), String::new());
        conversation.agent(UtteranceId(1), "Let me see.".to_owned());
        conversation.call(call("a"));
        conversation.agent(UtteranceId(2), "It is red.".to_owned());
        conversation.agent(UtteranceId(3), "It is large.".to_owned());
        conversation.cut(UtteranceId(2), "It");
        conversation.cut(UtteranceId(3), "");
        conversation.caller("stop".to_owned(), "1".to_owned());
        conversation.caller("please".to_owned(), "2".to_owned());
        let agent = |text: &str, interrupted| Message::Agent { text: text.to_owned(), interrupted };
        let expected = [
            Message::Caller { text: "hello".to_owned(), keys: String::new() },
            agent("Let me see.", false),
            Message::ToolCall(call("a")),
            Message::ToolResult(interrupted_result(&call("a"))),
            agent("It", true),
            Message::Caller { text: "stop please".to_owned(), keys: "12".to_owned() },
        ];
        assert_eq!(conversation.messages(), expected);
    }

    #[test]
    fn who_goes_on_with_a_conversation_is_told_it_down_to_the_callers_last_words() {
        let mut conversation = Conversation::default();
        let caller = |text: &str| Message::Caller { text: text.to_owned(), keys: String::new() };
        let agent = |text: &str| Message::Agent { text: text.to_owned(), interrupted: false };
        assert!(conversation.handed_on(9, &|_| true).is_none());
        conversation.agent(UtteranceId(1), "Hello.".to_owned());
        conversation.caller("It is".to_owned(), String::new());
        conversation.call(call("a"));
        conversation.caller("broken".to_owned(), String::new());
        conversation.agent(UtteranceId(2), "I hand you over.".to_owned());
        let next = conversation.handed_on(9, &|_| false).expect("words of the caller");
        assert_eq!(next.messages(), [agent("Hello."), caller("It is broken")]);
        assert_eq!((next.inherited(), next.callers_last_words()), (1, "broken"));
        assert_eq!(conversation.handed_on(9, &|_| true).expect("words").messages().len(), 5);
        let last = conversation.handed_on(1, &|_| true).expect("words");
        assert_eq!((last.messages(), last.inherited()), (vec![caller("broken")], 0));
    }

    #[test]
    fn what_was_said_since_a_conversation_was_handed_on_is_appended() {
        let mut conversation = Conversation::default();
        conversation.agent(UtteranceId(1), "Hello.".to_owned());
        conversation.caller("Anna".to_owned(), String::new());
        let mut next = conversation.handed_on(9, &|_| false).expect("words of the caller");
        next.agent(UtteranceId(2), "Welcome, Anna.".to_owned());
        conversation.append(&next);
        let mut own = Conversation::default();
        own.caller("thanks".to_owned(), String::new());
        conversation.append(&own);
        let agent = |text: &str| Message::Agent { text: text.to_owned(), interrupted: false };
        let caller = |text: &str| Message::Caller { text: text.to_owned(), keys: String::new() };
        let expected = [agent("Hello."), caller("Anna"), agent("Welcome, Anna."), caller("thanks")];
        assert_eq!(conversation.messages(), expected);
    }

    #[test]
    fn a_long_conversation_forgets_its_oldest_turns_whole() {
        let mut conversation = Conversation::default();
        for turn in 0..MAX_ENTRIES as u64 {
            conversation.caller(format!("question {turn}"), String::new());
            conversation.agent(UtteranceId(turn), "Answer.".to_owned());
        }
        assert!(conversation.entries.len() <= MAX_ENTRIES);
        assert!(matches!(conversation.messages().first(), Some(Message::Caller { .. })));
    }
}
