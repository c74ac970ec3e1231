//! What cannot be undone is not done before the caller has heard a question and said yes to it
//! (T14). The house asks and the house judges the answer: no word of a model stands for a yes.

use std::time::{Duration, Instant};

use serde_json::Map;

use crate::agent::answer::Given;
use crate::agent::event::{Output, UtteranceId};
use crate::agent::floor::{Manner, Said};
use crate::agent::hearing::hear;
use crate::agent::hearing::value::{Answer, Context, Kind, Reading, Value};
use crate::agent::intents::tokens;
use crate::agent::pending::{Asking, Wants};
use crate::agent::session::Session;
use crate::agent::speech::Role;
use crate::agent::tool::ToolCall;
use crate::base::template;

/// What the caller said to a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Yes, and nothing that takes it back.
    Yes,
    /// No.
    No,
    /// Something else.
    Unclear,
}

impl Session {
    /// The question that comes before a tool, if there is one.
    pub(super) fn question(
        &self,
        call: &ToolCall,
        args: Map<String, serde_json::Value>,
    ) -> Option<String> {
        let question = self.opening.handlings.get(&call.name)?.confirm.as_ref()?;
        let mut scope = self.opening.scope.clone();
        scope.set("args", args);
        // A template that fails was refused by `check`; a question of our own is always there.
        let question = template::render_in(question, &scope).unwrap_or_default();
        let is_said = question.chars().any(char::is_alphanumeric);
        Some(if is_said { question } else { self.phrases.confirm.clone() })
    }

    /// Asks the caller before a tool runs. What the model was about to say besides is not wanted.
    pub(super) fn ask_first(&mut self, now: Instant, what: (ToolCall, String), wants: Wants) {
        if let Some(thought) = self.answer.thought.take() {
            self.out.push_back(Output::Abandon(thought.id));
        }
        self.ask(now, what, (wants, 1));
    }

    fn ask(
        &mut self,
        now: Instant,
        (call, question): (ToolCall, String),
        (wants, times): (Wants, u32),
    ) {
        self.answer.given = Given::Worded;
        let manner = match wants {
            Wants::Yes => Manner::Protected,
            Wants::Keys(keypad) => {
                self.turn.asks_for_keys(Some(keypad));
                self.manner()
            }
        };
        self.say(now, question.clone(), Role::Fixed, manner);
        let asks = self.speech.last().unwrap_or_default();
        self.asking = Some(Asking { call, question, asks, heard: None, times, wants });
    }

    /// Asks again, when a question waits for its answer; false when none does.
    pub(super) fn asks_again(&mut self, now: Instant) -> bool {
        let Some(Asking { call, question, times, wants, .. }) = self.asking.take() else {
            return false;
        };
        match wants {
            Wants::Keys(_) if times >= MOST_PROMPTED => self.no_keys(now, call),
            Wants::Yes | Wants::Keys(_) => self.ask(now, (call, question), (wants, times + 1)),
        }
        true
    }

    /// An utterance was heard to its end.
    pub(super) fn question_heard(&mut self, now: Instant, id: UtteranceId) {
        if let Some(asking) = self.asking.as_mut().filter(|it| it.asks == id) {
            asking.heard = Some(now);
        }
    }

    /// Something else is said: a yes after it may be one to that.
    pub(super) fn question_is_stale(&mut self) {
        if let Some(asking) = &mut self.asking {
            asking.heard = None;
        }
    }

    /// The caller's turn behind the question was taken.
    pub(super) fn decided(&mut self, now: Instant, asking: Asking, said: &Said) {
        let Asking { call, question, heard, times, wants, .. } = asking;
        let was_heard = heard.is_some_and(|heard| {
            let began = said.times.began.unwrap_or(now);
            began + EARLIEST >= heard
        });
        let context = self.assistant.context(&self.language);
        let decision = decision(&said.text, &said.keys, &context);
        let is_wordless = said.text.trim().is_empty() && said.keys.is_empty();
        match decision {
            Decision::Yes if was_heard => return self.start(now, call),
            Decision::No => {
                let why = format!("the caller was asked \"{question}\" and said no: {UNDONE}");
                self.refuse(call, &why);
            }
            Decision::Yes if times < MOST_ASKED => {
                return self.ask(now, (call, question), (wants, times + 1));
            }
            Decision::Unclear if is_wordless && times < MOST_ASKED => {
                return self.ask(now, (call, question), (wants, times + 1));
            }
            Decision::Yes | Decision::Unclear => {
                let why = format!(
                    "the caller was asked \"{question}\" and said neither yes nor no: {UNDONE}. \
                     Answer the caller, and call the tool again if it is still wanted"
                );
                self.refuse(call, &why);
            }
        }
        self.think(now);
    }
}

/// What the caller decided: the key 1 is a yes and 2 a no; words are a yes only if nothing among
/// them takes it back.
pub fn decision(text: &str, keys: &str, context: &Context) -> Decision {
    match keys.chars().rfind(char::is_ascii_digit) {
        Some('1') => return Decision::Yes,
        Some('2') => return Decision::No,
        Some(_) => return Decision::Unclear,
        None => {}
    }
    let tongue = context.locale.tongue;
    let words = tokens::tokens(text, tongue);
    let (mut at, mut others, mut answers) = (0, 0, Vec::new());
    while let Some(rest) = words.get(at..).filter(|rest| !rest.is_empty()) {
        let heard = hear::read(Kind::YesNo, rest, context);
        if let Some(Reading { used, value: Value::YesNo(answer), sureness }) = heard.first() {
            answers.push(*answer);
            // Of one and the other, neither counts.
            answers.extend((*sureness < 1.0).then_some(other(*answer)));
            at += (*used).max(1);
            continue;
        }
        let revokes = rest.first().is_some_and(|word| REVOKE.contains(&word.as_str()));
        others += if revokes { MOST_OTHERS + 1 } else { 1 };
        at += 1;
    }
    let all = |wanted: Answer| !answers.is_empty() && answers.iter().all(|it| *it == wanted);
    match (all(Answer::Yes), all(Answer::No), others <= MOST_OTHERS) {
        (true, _, true) => Decision::Yes,
        (_, true, true) => Decision::No,
        _ => Decision::Unclear,
    }
}

fn other(answer: Answer) -> Answer {
    match answer {
        Answer::Yes => Answer::No,
        Answer::No => Answer::Yes,
    }
}

/// Words that take a yes back, or put something else in its place.
const REVOKE: &[&str] = &[
    "not",
    "but",
    "except",
    "instead",
    "wait",
    "stop",
    "hold",
    "actually",
    "change",
    "different",
    "nicht",
    "aber",
    "kein",
    "keine",
    "keinen",
    "sondern",
    "statt",
    "stattdessen",
    "warten",
    "warte",
    "moment",
    "halt",
    "stopp",
    "anders",
    "lieber",
    "ändern",
];

/// How many words beside yes or no an answer may have: "yes please book it for me".
const MOST_OTHERS: usize = 5;

/// How long before the end of the question an answer may begin: its last word is guessed by then.
const EARLIEST: Duration = Duration::from_millis(500);

/// How often a question is asked that nobody answered.
const MOST_ASKED: u32 = 3;

/// How often a caller who presses no key is asked for some.
const MOST_PROMPTED: u32 = 2;

/// What the model is told of what was not done.
const UNDONE: &str = "nothing was done";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::lexicon::locale::Locale;
    use crate::base::language::Language;

    fn decided(language: &str, text: &str) -> Decision {
        let language: Language = language.parse().expect("a language");
        let locale = Locale::of(&language).expect("it is known");
        decision(text, "", &Context::of(locale))
    }

    #[test]
    fn a_yes_is_one_only_if_nothing_takes_it_back() {
        for yes in
            ["Yes.", "yes please", "Yes, please book it for me.", "sure, go ahead", "That's right."]
        {
            assert_eq!(decided("en", yes), Decision::Yes, "{yes}");
        }
        for no in ["No.", "no thanks", "please don't", "nope, not today"] {
            assert_eq!(decided("en", no), Decision::No, "{no}");
        }
        for unclear in [
            "",
            "yes but at eleven",
            "yes no",
            "no yes",
            "what was the time again",
            "book it",
            "yes wait",
            "yes and I would like to change the name to Miller if that is possible",
        ] {
            assert_eq!(decided("en", unclear), Decision::Unclear, "{unclear}");
        }
        for (text, expected) in [
            ("Ja.", Decision::Yes),
            ("ja gerne, buchen Sie das", Decision::Yes),
            ("Ja, aber um elf.", Decision::Unclear),
            ("ja nicht", Decision::Unclear),
            ("Nein danke.", Decision::No),
            ("lieber nicht", Decision::No),
        ] {
            assert_eq!(decided("de", text), expected, "{text}");
        }
    }

    #[test]
    fn keys_decide_too() {
        let context = Context::of(Locale::american());
        for (keys, expected) in [
            ("1", Decision::Yes),
            ("2#", Decision::No),
            ("3", Decision::Unclear),
            ("21", Decision::Yes),
        ] {
            assert_eq!(decision("", keys, &context), expected, "{keys}");
        }
    }
}
