//! Introductions: whoever is called for a caller hears who that is, and says by key or word whether
//! it takes the call. A menu with two choices; the caller hears nothing of it.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::agent::assistant::Assistant;
use crate::agent::intents::tongue::{Global, Tongue};
use crate::agent::menu::{Invalid, Menu, Timeout};
use crate::agent::tool::{ToolCall, names};
use crate::base::destination::Destination;

/// What came of an introduction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Whoever answered takes the caller.
    Taken,
    /// It does not.
    Declined,
    /// It said neither: nobody may be there, or a machine.
    Unclear,
    /// It hung up.
    HungUp,
}

impl Answer {
    /// The answer that an introducer reports by a call of a tool, if it reports one.
    pub fn of(call: &ToolCall) -> Option<Self> {
        if call.name == names::END_CALL {
            return Some(Self::Declined);
        }
        let to = call.argument("to").filter(|_| call.name == names::TRANSFER_CALL)?;
        let is = |destination: Destination| to == destination.to_string();
        Some(match () {
            () if is(taken()) => Self::Taken,
            () if is(declined()) => Self::Declined,
            () => Self::Unclear,
        })
    }

    /// What the agent that has the caller is told of it.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Taken => "the caller is connected",
            Self::Declined => "somebody answered there, and does not take the call now",
            Self::Unclear => {
                "it was answered there, and nobody said whether to take the call; it may be a machine"
            }
            Self::HungUp => "somebody answered there, and hung up before the caller was connected",
        }
    }
}

/// The agent that introduces callers for another one, by the name of that.
pub fn introducer(agent: &str) -> String {
    format!("introducer:{agent}")
}

/// That agent: it speaks as `base` does, and understands yes and no.
pub fn of(base: &Assistant) -> Assistant {
    asking(base, &words(Tongue::of(&base.spoken_language())))
}

/// A question that is answered with yes or no, by key or word.
#[derive(Debug)]
pub struct Question {
    /// What is asked.
    pub asks: &'static str,
    /// What means yes besides the usual words.
    pub yes: &'static str,
    /// What means no.
    pub no: &'static str,
    /// What is said to a no.
    pub thanks: &'static str,
}

/// An agent that speaks as `base` does and asks this; `Answer::of` reads its answer.
pub fn asking(base: &Assistant, question: &Question) -> Assistant {
    let globals = Tongue::of(&base.spoken_language()).globals();
    let said = |wanted: Global, more: &str| {
        let known = globals.iter().find(|(global, _)| *global == wanted);
        known.map(|(_, words)| (*words).to_owned()).into_iter().chain([more.to_owned()]).collect()
    };
    let menu = Menu {
        say: question.asks.to_owned(),
        digits: BTreeMap::from([("1".to_owned(), taken()), ("2".to_owned(), declined())]),
        speech: base.speech,
        phrases: BTreeMap::from([
            ("1".to_owned(), said(Global::Yes, question.yes)),
            ("2".to_owned(), said(Global::No, question.no)),
        ]),
        timeout: Timeout { after: ANSWERED_WITHIN, to: Some(unclear()), tries: TRIES },
        invalid: Invalid { tries: TRIES, to: Some(unclear()), say: None },
        agent: None,
        language: None,
        stt: None,
        tts: None,
        barge_in: true,
    };
    let mut asker = menu.assistant(base);
    // Keys are pressed here: a "two" behind a "yes" is easily heard where nobody said it.
    for intent in &mut asker.intents {
        intent.phrases.retain(|phrase| phrase.starts_with('('));
    }
    // A short yes is an answer here, and no mere sign of listening.
    asker.interrupt.ignore = LISTENING.map(str::to_owned).to_vec();
    asker.interrupt.always = ANSWERS.map(str::to_owned).to_vec();
    if let Some(transfer) = asker.transfers.get_mut(&declined().to_string()) {
        transfer.say = Some(question.thanks.to_owned());
    }
    asker
}

/// What whoever is called for a caller is asked.
fn words(tongue: Tongue) -> Question {
    match tongue {
        Tongue::English => Question {
            asks: "Press one or say yes to take the call, or two to leave it.",
            yes: "(put (him|her|them|the caller) through|i will take it|i'll take it|take it)",
            no: "(not now|i can't|i cannot|leave it|i am busy|i'm busy)",
            thanks: "All right, thank you.",
        },
        Tongue::German => Question {
            asks: "Drücken Sie die eins oder sagen Sie ja, um den Anruf anzunehmen, sonst die zwei.",
            yes: "(stellen sie durch|stell durch|durchstellen|ich nehme ihn|ich nehme an|annehmen)",
            no: "(jetzt nicht|ich kann nicht|ich kann gerade nicht|keine zeit|ablehnen)",
            thanks: "In Ordnung, danke.",
        },
    }
}

/// What is said of a caller of whom nothing else is known than who it is.
pub fn plainly(caller: &str, german: bool) -> String {
    match (caller.trim(), german) {
        ("", false) => "A caller is waiting for you.".to_owned(),
        ("", true) => "Ein Anruf wartet auf Sie.".to_owned(),
        (caller, false) => format!("A call from {caller} is waiting for you."),
        (caller, true) => format!("Ein Anruf von {caller} wartet auf Sie."),
    }
}

/// Where the choices of that menu lead: nobody is there, they only say what was chosen.
fn taken() -> Destination {
    Destination::Agent("caller".to_owned())
}

fn declined() -> Destination {
    Destination::Reject(603)
}

fn unclear() -> Destination {
    Destination::HangUp(480)
}

/// How long a silence after the question is no answer.
const ANSWERED_WITHIN: Duration = Duration::from_secs(6);

/// What only says that somebody listens.
const LISTENING: [&str; 4] = ["mhm", "hm", "aha", "uh-huh"];

/// What is an answer as soon as it is heard.
const ANSWERS: [&str; 6] = ["yes", "yeah", "no", "ja", "nein", "nee"];

/// How often it is asked.
const TRIES: u32 = 2;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::agent::conversation::Message;
    use crate::agent::intents::compile::Compiled;
    use crate::agent::intents::dialogue::Dialogue;

    /// What comes of so many turns, each of words, or of keys behind `#`.
    fn answer(language: &str, turns: &[&str]) -> (String, Option<Answer>) {
        let language = Some(language.parse().expect("a language"));
        let assistant = of(&Assistant { language, ..Assistant::default() });
        let compiled = Compiled::for_assistant(&assistant).expect("it compiles");
        let dialogue = Dialogue::new(Arc::new(compiled), Arc::new(assistant));
        let message = |turn: &&str| match turn.strip_prefix('#') {
            Some(keys) => Message::Caller { text: String::new(), keys: keys.to_owned() },
            None => Message::Caller { text: (*turn).to_owned(), keys: String::new() },
        };
        let reply = dialogue.reply(&turns.iter().map(message).collect::<Vec<_>>());
        let call = reply.tool.map(|(name, arguments)| ToolCall {
            id: "1".to_owned(),
            name: name.to_owned(),
            arguments,
        });
        (reply.text, call.and_then(|call| Answer::of(&call)))
    }

    #[test]
    fn yes_takes_the_caller_and_no_does_not() {
        for (language, yes, no) in [
            ("en", ["#1", "Yes.", "yes please", "Put them through."], ["#2", "No.", "not now"]),
            ("de", ["#1", "Ja.", "ja gerne", "Stellen Sie durch."], ["#2", "Nein.", "jetzt nicht"]),
        ] {
            for turn in yes {
                assert_eq!(answer(language, &[turn]).1, Some(Answer::Taken), "{turn}");
            }
            for turn in no {
                let (said, answer) = answer(language, &[turn]);
                assert_eq!(answer, Some(Answer::Declined), "{turn}");
                assert!(!said.is_empty(), "who says no hears that it was understood");
            }
        }
    }

    #[test]
    fn who_says_neither_is_asked_again_and_then_taken_for_nobody() {
        let machine = "You have reached the office, we are closed until Monday.";
        let (said, first) = answer("en", &[machine]);
        assert_eq!(first, None);
        assert!(said.contains("Press one"), "{said}");
        assert_eq!(answer("en", &[machine, machine]).1, Some(Answer::Unclear));
        assert_eq!(answer("en", &["#7", "#7"]).1, Some(Answer::Unclear));
        let call = |name: &str, arguments: &str| {
            let (id, name) = (String::new(), name.to_owned());
            Answer::of(&ToolCall { id, name, arguments: arguments.to_owned() })
        };
        assert_eq!(call(names::END_CALL, "{}"), Some(Answer::Declined));
        assert_eq!(call(names::SAID, "{}"), None);
    }
}
