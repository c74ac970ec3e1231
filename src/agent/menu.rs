//! Menus: the caller chooses by key, or says what it wants. A menu is an agent that thinks by
//! rules: each choice is an intent of it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::agent::assistant::{Assistant, Choice, Intent, Keys, Silence, Transfer, Unclear};
use crate::agent::tool::names;
use crate::base::destination::Destination;
use crate::base::language::Language;
use crate::base::units;

/// A menu, as it stands under `[menus.NAME]`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Menu {
    /// What it says: the choices.
    pub say: String,
    /// Where each key leads, or each number of several keys.
    pub digits: BTreeMap<String, Destination>,
    /// Whether callers may also say what they want.
    #[serde(default = "yes")]
    pub speech: bool,
    /// What callers say, by key; without it, the name of the destination.
    #[serde(default)]
    pub phrases: BTreeMap<String, Vec<String>>,
    /// What happens when nobody chooses.
    #[serde(default)]
    pub timeout: Timeout,
    /// What happens when a choice is none.
    #[serde(default)]
    pub invalid: Invalid,
    /// The agent whose language, ears and voice it has; without it, those of `[defaults.agent]`.
    #[serde(default)]
    pub agent: Option<String>,
    /// The language that it speaks and hears.
    #[serde(default)]
    pub language: Option<Language>,
    /// Who hears.
    #[serde(default)]
    pub stt: Option<Choice>,
    /// Who speaks.
    #[serde(default)]
    pub tts: Option<Choice>,
    /// Whether callers may choose while it speaks; otherwise a key counts once all was said.
    #[serde(default = "yes")]
    pub barge_in: bool,
}

/// What happens when nobody chooses.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Timeout {
    /// After how long.
    #[serde(deserialize_with = "units::duration")]
    pub after: Duration,
    /// Where the caller goes then; without it, the call ends.
    pub to: Option<Destination>,
    /// After how many silences; before the last, the menu is said again.
    pub tries: u32,
}

/// What happens when a choice is none.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Invalid {
    /// After how many wrong choices in a row.
    pub tries: u32,
    /// Where the caller goes then; without it, the call ends.
    pub to: Option<Destination>,
    /// What is said before the menu is said again.
    pub say: Option<String>,
}

impl Default for Timeout {
    fn default() -> Self {
        Self { after: Duration::from_secs(6), to: None, tries: 2 }
    }
}

impl Default for Invalid {
    fn default() -> Self {
        Self { tries: 3, to: None, say: None }
    }
}

impl Menu {
    /// Everywhere it leads, with the key under which that stands.
    pub fn destinations(&self) -> impl Iterator<Item = (String, &Destination)> {
        let digits = self.digits.iter().map(|(key, to)| (format!("digits.{key}"), to));
        let others = [("timeout.to", &self.timeout.to), ("invalid.to", &self.invalid.to)];
        let others =
            others.into_iter().filter_map(|(key, to)| Some((key.to_owned(), to.as_ref()?)));
        digits.chain(others)
    }

    /// The agent that it is, with the language, ears and voice of another one.
    pub fn assistant(&self, base: &Assistant) -> Assistant {
        let language = self.language.clone().or_else(|| base.language.clone());
        let is_german = language.as_ref().is_some_and(Language::is_german);
        let sorry = match (&self.invalid.say, is_german) {
            (Some(say), _) => say.as_str(),
            (None, true) => "Das habe ich nicht verstanden.",
            (None, false) => "Sorry, I did not get that.",
        };
        let again = format!("{sorry} {}", self.say);
        let name = |to: &Option<Destination>| to.as_ref().map(Destination::to_string);
        let mut interrupt = base.interrupt.clone();
        (interrupt.enabled, interrupt.first_message) = (self.barge_in, self.barge_in);
        Assistant {
            language,
            languages: Vec::new(),
            first_message: Some(self.say.clone()),
            prompt: None,
            prompt_file: None,
            stt: self.stt.clone().unwrap_or_else(|| base.stt.clone()),
            tts: self.tts.clone().unwrap_or_else(|| base.tts.clone()),
            llm: Choice { provider: Some("rules".to_owned()), ..Choice::default() },
            realtime: None,
            tools: vec![names::END_CALL.to_owned(), names::TRANSFER_CALL.to_owned()],
            // The caller chose it, and needs no announcement.
            transfers: self
                .destinations()
                .map(|(_, to)| (to.to_string(), Transfer::silent(to.clone())))
                .collect(),
            intents: self.intents(is_german),
            interrupt,
            dtmf: Keys { at_once: true, terminator: None, ..base.dtmf.clone() },
            silence: Silence {
                remind_after: self.timeout.after,
                remind_say: vec![self.say.clone()],
                reminders: Some(self.timeout.tries.saturating_sub(1)),
                hangup_after: Duration::ZERO,
                to: name(&self.timeout.to),
            },
            unclear: Unclear {
                tries: self.invalid.tries,
                say: Some(again),
                to: name(&self.invalid.to),
            },
            speech: self.speech,
            ..base.clone()
        }
    }

    fn intents(&self, is_german: bool) -> Vec<Intent> {
        let mut taken = BTreeSet::new();
        let intents = self.digits.iter().map(|(key, to)| {
            let mut phrases = self.phrases.get(key).cloned().unwrap_or_default();
            if phrases.is_empty() {
                phrases.extend(label(to));
            }
            phrases.extend(digit_word(key, is_german).map(str::to_owned));
            // Two keys may lead to the same place: the first has the words.
            phrases.retain(|phrase| taken.insert(phrase.to_lowercase()));
            let label = label(to).or_else(|| phrases.first().cloned());
            Intent {
                id: key.clone(),
                key: Some(key.clone()),
                label,
                phrases: if self.speech { phrases } else { Vec::new() },
                action: Some(format!("{}:{to}", names::TRANSFER_CALL)),
                ..Intent::default()
            }
        });
        intents.collect()
    }
}

/// What callers call a destination, if it has a name of words.
fn label(to: &Destination) -> Option<String> {
    let name = match to {
        Destination::Agent(name)
        | Destination::Squad(name)
        | Destination::Menu(name)
        | Destination::Flow(name)
        | Destination::Group(name)
        | Destination::Voicemail(name)
        | Destination::Conference(name)
        | Destination::Queue(name)
        | Destination::Stream(name)
        | Destination::OpenAi(name)
        | Destination::Phone(name) => name,
        Destination::Sip(_)
        | Destination::Tel(_)
        | Destination::Trunk { .. }
        | Destination::Webhook(_)
        | Destination::Drill(_)
        | Destination::Reject(_)
        | Destination::Busy
        | Destination::HangUp(_) => return None,
    };
    let words = name.replace(['-', '_', '.'], " ");
    words.chars().all(|c| c.is_alphabetic() || c == ' ').then_some(words)
}

/// A key of one digit as callers say it.
fn digit_word(key: &str, is_german: bool) -> Option<&'static str> {
    let digit: usize = key.parse().ok().filter(|_| key.len() == 1)?;
    let words = if is_german { GERMAN } else { ENGLISH };
    words.get(digit).copied()
}

fn yes() -> bool {
    true
}

const ENGLISH: [&str; 10] =
    ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
const GERMAN: [&str; 10] =
    ["null", "eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::conversation::Message;
    use crate::agent::intents::compile::Compiled;
    use crate::agent::intents::dialogue::{Dialogue, Reply};
    use std::sync::Arc;

    fn menu() -> Menu {
        toml::from_str(
            "say = \"For sales press one, for support two.\"\n\
             digits = { 1 = \"agent:sales\", 2 = \"group:tech-support\", 12 = \"phone:101\", \
             \"*\" = \"menu:main\" }\n\
             phrases = { 2 = [\"(support|help)\"] }\n\
             invalid = { tries = 2, to = \"busy\", say = \"No.\" }\n\
             timeout = { after = \"4s\", to = \"agent:sales\" }\n",
        )
        .expect("it reads")
    }

    fn replies(lines: &[&str]) -> Vec<Reply> {
        let assistant = menu().assistant(&Assistant::default());
        let compiled = Compiled::for_assistant(&assistant).expect("it compiles");
        let dialogue = Dialogue::new(Arc::new(compiled), Arc::new(assistant));
        let messages: Vec<Message> = lines
            .iter()
            .map(|line| match line.strip_prefix('#') {
                Some(keys) => Message::Caller { text: String::new(), keys: keys.to_owned() },
                None => Message::Caller { text: (*line).to_owned(), keys: String::new() },
            })
            .collect();
        (1..=messages.len()).map(|count| dialogue.reply(&messages[..count])).collect()
    }

    fn goes(reply: &Reply) -> Option<&str> {
        assert_eq!(reply.text, "", "nobody announces it");
        let (name, arguments) = reply.tool.as_ref()?;
        assert_eq!(*name, "transfer_call");
        arguments.strip_prefix("{\"to\":\"")?.strip_suffix("\"}")
    }

    #[test]
    fn a_choice_is_a_key_a_number_or_a_word() {
        for (line, to) in [
            ("#1", "agent:sales"),
            ("#12", "phone:101"),
            ("#*", "menu:main"),
            ("sales", "agent:sales"),
            ("two", "group:tech-support"),
            ("help", "group:tech-support"),
        ] {
            assert_eq!(goes(&replies(&[line])[0]), Some(to), "{line}");
        }
    }

    #[test]
    fn wrong_choices_are_asked_again_so_often_as_may_be() {
        for wrong in ["#7", "#19", "bananas", "#0"] {
            let replies = replies(&[wrong, wrong]);
            assert_eq!(replies[0].text, "No. For sales press one, for support two.", "{wrong}");
            assert_eq!(goes(&replies[1]), Some("busy"), "{wrong}");
        }
    }
}
