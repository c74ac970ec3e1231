//! Everything that the dialogue says by itself, in English and German.

use super::slot::Kind;
use super::tongue::Tongue;
use crate::agent::hearing::value;

/// A fixed sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sentence {
    /// Nothing was understood.
    Sorry,
    /// Still nothing.
    StillSorry,
    /// A confirmation needs a clear answer.
    YesOrNo,
    /// The same by keys.
    YesOrNoKeys,
    /// A refusal was understood.
    Refused,
    /// What else?
    WhatElse,
    /// What is it about?
    HowCanIHelp,
    /// In other words, please: there is nothing to offer.
    OtherWords,
    /// The caller is handed to a human, or elsewhere.
    Connecting,
    /// There is nobody to hand the caller to.
    Nobody,
    /// Nobody answered there.
    NotReached,
    /// The end.
    Goodbye,
}

/// The sentence in a language.
pub fn say(sentence: Sentence, tongue: Tongue) -> &'static str {
    let (english, german) = match sentence {
        Sentence::Sorry => {
            ("Sorry, I did not understand that.", "Das habe ich leider nicht verstanden.")
        }
        Sentence::StillSorry => (
            "I am sorry, I still did not understand.",
            "Es tut mir leid, ich habe Sie immer noch nicht verstanden.",
        ),
        Sentence::YesOrNo => ("Please say yes or no.", "Bitte sagen Sie ja oder nein."),
        Sentence::YesOrNoKeys => {
            ("Press 1 for yes, or 2 for no.", "Drücken Sie die 1 für ja oder die 2 für nein.")
        }
        Sentence::Refused => ("All right, I will leave it.", "In Ordnung, dann nicht."),
        Sentence::WhatElse => {
            ("Is there anything else I can do for you?", "Kann ich sonst noch etwas für Sie tun?")
        }
        Sentence::HowCanIHelp => ("How can I help you?", "Was kann ich für Sie tun?"),
        Sentence::OtherWords => {
            ("Could you say that in other words?", "Können Sie das anders sagen?")
        }
        Sentence::Connecting => {
            ("One moment, I am connecting you.", "Einen Moment, ich verbinde Sie.")
        }
        Sentence::Nobody => (
            "I am sorry, there is nobody I could connect you with.",
            "Leider ist gerade niemand da, mit dem ich Sie verbinden könnte.",
        ),
        Sentence::NotReached => {
            ("I am sorry, nobody could be reached there.", "Leider war dort niemand zu erreichen.")
        }
        Sentence::Goodbye => {
            ("Thank you for calling. Goodbye.", "Vielen Dank für Ihren Anruf. Auf Wiederhören.")
        }
    };
    match tongue {
        Tongue::English => english,
        Tongue::German => german,
    }
}

/// Names what can be done: "I can help you with prices or an appointment."
pub fn topics(labels: &[&str], tongue: Tongue) -> String {
    match tongue {
        Tongue::English => format!("I can help you with {}.", any_of(labels, "or")),
        Tongue::German => format!("Ich helfe Ihnen gerne hierbei: {}.", any_of(labels, "oder")),
    }
}

/// Offers keys: "Press 1 for prices, 2 for an appointment."
pub fn keys(options: &[(&str, &str)], tongue: Tongue) -> String {
    let (press, key_for, star, pound) = match tongue {
        Tongue::English => ("Press", "for", "star", "pound"),
        Tongue::German => ("Drücken Sie", "für", "Stern", "Raute"),
    };
    let options: Vec<String> = options
        .iter()
        .map(|(key, label)| {
            let key = match *key {
                "*" => star,
                "#" => pound,
                digit => digit,
            };
            format!("{key} {key_for} {label}")
        })
        .collect();
    format!("{press} {}.", options.join(", "))
}

/// Says how a value can be given by keys.
pub fn keys_for(kind: &Kind, tongue: Tongue) -> String {
    let (english, german) = match kind {
        Kind::Value(
            value::Kind::Phone | value::Kind::Card | value::Kind::Postcode | value::Kind::Digits(_),
        )
        | Kind::Digit
        | Kind::Digits(_)
        | Kind::Number => ("You can also use the keys.", "Sie können auch die Tasten benutzen."),
        Kind::Weekday => (
            "You can also press 1 for Monday, 2 for Tuesday, and so on.",
            "Sie können auch die 1 für Montag drücken, die 2 für Dienstag und so weiter.",
        ),
        Kind::Time => (
            "You can also use the keys: 1 0 3 0 is half past ten.",
            "Sie können auch die Tasten benutzen: 1 0 3 0 ist halb elf.",
        ),
        Kind::Value(_) => return String::new(),
        Kind::YesNo => return say(Sentence::YesOrNoKeys, tongue).to_owned(),
        Kind::List(items) => {
            let places: Vec<String> = (1..=items.len()).map(|place| place.to_string()).collect();
            let options: Vec<(&str, &str)> = places
                .iter()
                .zip(items)
                .take(9)
                .map(|(place, item)| (place.as_str(), item.as_str()))
                .collect();
            return keys(&options, tongue);
        }
    };
    match tongue {
        Tongue::English => english,
        Tongue::German => german,
    }
    .to_owned()
}

/// Several sentences as one text.
pub fn together(sentences: &[&str]) -> String {
    let sentences: Vec<&str> = sentences.iter().copied().filter(|s| !s.is_empty()).collect();
    sentences.join(" ")
}

/// "a, b or c".
fn any_of(labels: &[&str], or: &str) -> String {
    match labels {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [first @ .., last] => format!("{} {or} {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offers_are_whole_sentences() {
        let english = Tongue::English;
        assert_eq!(topics(&["prices"], english), "I can help you with prices.");
        assert_eq!(topics(&["a", "b", "c"], english), "I can help you with a, b or c.");
        assert_eq!(keys(&[("1", "a"), ("*", "b")], english), "Press 1 for a, star for b.");
        let items = Kind::List(vec!["rot".to_owned(), "blau".to_owned()]);
        assert_eq!(keys_for(&items, Tongue::German), "Drücken Sie 1 für rot, 2 für blau.");
    }
}
