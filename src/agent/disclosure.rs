//! How callers learn that nobody human talks with them: in the first words, in the language of the agent
//! (Art. 50(1) of the AI Act, Regulation (EU) 2024/1689).

use schemars::JsonSchema;
use serde::Deserialize;

/// How an agent says that it is an AI.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(from = "String")]
#[schemars(with = "String")]
pub enum Disclosure {
    /// As all agents of the server do.
    #[default]
    Usual,
    /// In these words.
    Words(String),
    /// Not at all.
    None,
}

impl Disclosure {
    /// What it is for an agent. `speaks`: whether a model finds its words, and the server wants that to
    /// be said.
    pub fn settled(self, speaks: bool, is_german: bool) -> Self {
        match self {
            Self::Usual if speaks => Self::Words(usual(is_german).to_owned()),
            settled => settled,
        }
    }

    /// The words, if there are any.
    pub fn words(&self) -> Option<&str> {
        match self {
            Self::Words(words) => Some(words),
            Self::Usual | Self::None => None,
        }
    }
}

impl From<String> for Disclosure {
    fn from(text: String) -> Self {
        match text.trim() {
            "none" => Self::None,
            "" => Self::Usual,
            _ => Self::Words(text),
        }
    }
}

/// Whether a text tells whoever hears it that no person speaks.
pub fn says_so(text: &str) -> bool {
    let is_word = |word: &str| {
        let word_in_any_case = word.to_lowercase();
        matches!(word, "AI" | "KI" | "Ai" | "Ki")
            || word_in_any_case.ends_with("bot") && word_in_any_case.len() <= LONGEST_BOT
            || matches!(&*word_in_any_case, "robot" | "roboter")
    };
    let lower = text.to_lowercase();
    text.split(|it: char| !it.is_alphanumeric()).any(is_word)
        || PHRASES.iter().any(|phrase| lower.contains(phrase))
}

fn usual(is_german: bool) -> &'static str {
    match is_german {
        true => "Sie sprechen mit einer KI.",
        false => "You are speaking with an AI.",
    }
}

const PHRASES: [&str; 3] =
    ["artificial intelligence", "künstliche intelligenz", "künstlichen intelligenz"];

/// `voicebot`, `sprachbot`, `chatbot`: the longest of such words, in octets.
const LONGEST_BOT: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_greeting_may_say_so_itself() {
        for text in [
            "Hi, I am Lena, the AI of the shop.",
            "Hallo, hier ist die KI-Assistentin von Acme.",
            "Ich bin eine künstliche Intelligenz.",
            "This is a voicebot.",
            "I'm a robot!",
            usual(true),
            usual(false),
        ] {
            assert!(says_so(text), "{text}");
        }
        for text in
            ["", "Hello?", "She said hi.", "Kiel ist schön.", "We sell taboo bots.", "Wait."]
        {
            assert!(!says_so(text), "{text}");
        }
    }

    #[test]
    fn what_is_not_said_is_as_the_server_has_it() {
        let words = |text: &str| Disclosure::Words(text.to_owned());
        assert_eq!(Disclosure::Usual.settled(true, true), words("Sie sprechen mit einer KI."));
        assert_eq!(Disclosure::Usual.settled(false, true).words(), None);
        assert_eq!(words("I am a bot.").settled(false, true), words("I am a bot."));
        assert_eq!(Disclosure::from("none".to_owned()).settled(true, false), Disclosure::None);
    }
}
