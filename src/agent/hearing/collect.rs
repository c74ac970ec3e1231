//! A long value said over several turns: pieces are joined until they make one.

use super::hear;
use super::value::{Context, Heard, Kind};
use crate::agent::intents::tokens;
use crate::agent::intents::tongue::Tongue;

/// What was said of a value so far.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pieces(Vec<String>);

impl Pieces {
    /// The caller said more: what all of it comes to, and all of it. A text that is a whole value
    /// by itself replaces what was said before; "start again" and "the last one was wrong" are
    /// obeyed.
    pub fn push(mut self, text: &str, kind: Kind, context: &Context) -> (Heard, Self) {
        let words = tokens::tokens(text, context.locale.tongue);
        let rest = |used: usize| words.get(used..).unwrap_or_default().join(" ");
        let text = match order(&words, context.locale.tongue) {
            Some((Order::Again, used)) => {
                self.0.clear();
                rest(used)
            }
            Some((Order::Back, used)) => {
                self.0.pop();
                rest(used)
            }
            None => text.to_owned(),
        };
        if is_long(kind) && hear::hear(kind, &text, context).value().is_some() {
            self.0.clear();
        }
        if !text.trim().is_empty() && self.0.len() < MOST_PIECES {
            self.0.push(text);
        }
        (hear::hear(kind, &self.0.join(" "), context), self)
    }

    /// Whether nothing was said yet.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Whether values of this kind are so long that people say them in pieces.
pub fn is_long(kind: Kind) -> bool {
    match kind {
        Kind::Phone | Kind::Email | Kind::Iban | Kind::Card => true,
        Kind::Digits(wanted) => wanted.is_none_or(|wanted| wanted > 4),
        Kind::Number
        | Kind::Money
        | Kind::Date
        | Kind::Time
        | Kind::Duration
        | Kind::Name
        | Kind::Postcode
        | Kind::YesNo => false,
    }
}

/// What a caller orders about what was said before.
enum Order {
    /// From the beginning.
    Again,
    /// Without the last piece.
    Back,
}

fn order(words: &[String], tongue: Tongue) -> Option<(Order, usize)> {
    let (again, back) = match tongue {
        Tongue::English => (ENGLISH_AGAIN, ENGLISH_BACK),
        Tongue::German => (GERMAN_AGAIN, GERMAN_BACK),
    };
    let find = |phrases: &[&str]| {
        let fits = |phrase: &&&str| {
            phrase
                .split(' ')
                .enumerate()
                .all(|(at, word)| words.get(at).is_some_and(|it| it == word))
        };
        phrases.iter().filter(fits).map(|phrase| phrase.split(' ').count()).max()
    };
    find(again)
        .map(|used| (Order::Again, used))
        .or_else(|| find(back).map(|used| (Order::Back, used)))
}

const ENGLISH_AGAIN: &[&str] = &[
    "start again",
    "start over",
    "let me start again",
    "let me start over",
    "from the beginning",
    "no start again",
    "once again from the start",
];
const ENGLISH_BACK: &[&str] = &[
    "scratch that",
    "no the last one was wrong",
    "the last one was wrong",
    "go back",
    "correction",
];
const GERMAN_AGAIN: &[&str] = &[
    "noch einmal von vorne",
    "nochmal von vorne",
    "von vorne",
    "ich fange noch einmal an",
    "alles noch einmal",
    "nein von vorne",
    "noch mal von vorn",
    "von vorn",
];
const GERMAN_BACK: &[&str] = &[
    "das letzte war falsch",
    "nein das letzte war falsch",
    "streichen",
    "streichen sie das letzte",
    "zurück",
    "korrektur",
];
const MOST_PIECES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::hearing::value::Lack;
    use crate::agent::lexicon::locale::Locale;

    fn lack(heard: &Heard) -> Option<Lack> {
        match heard {
            Heard::Part(part) => Some(part.lack),
            Heard::Nothing | Heard::Value(_) => None,
        }
    }

    /// Says texts one after the other: the lacks on the way, and the value at the end.
    fn collect(kind: Kind, locale: Locale, texts: &[&str]) -> (Vec<Option<Lack>>, Option<String>) {
        let (context, mut pieces, mut lacks) = (Context::of(locale), Pieces::default(), Vec::new());
        let mut last = Heard::Nothing;
        for text in texts {
            (last, pieces) = pieces.push(text, kind, &context);
            lacks.push(lack(&last));
        }
        (lacks, last.value().map(ToString::to_string))
    }

    #[test]
    fn pieces_become_a_whole() {
        let iban = [
            "D E acht neun",
            "drei sieben null vier null null vier vier",
            "null fünf drei zwei null eins drei null null null",
        ];
        let (lacks, value) = collect(Kind::Iban, Locale::german(), &iban);
        let missing = |count| Some(Lack::Characters(count));
        assert_eq!(lacks, [missing(18), missing(10), None]);
        assert_eq!(value.as_deref(), Some("DE89370400440532013000"));
        let phone =
            ["five five five", "one two three", "scratch that one two four", "four five six seven"];
        let (lacks, value) = collect(Kind::Phone, Locale::american(), &phone);
        assert_eq!(lacks, [missing(7), missing(4), missing(4), None]);
        assert_eq!(value.as_deref(), Some("+15551244567"));
    }

    #[test]
    fn who_begins_anew_is_heard_anew() {
        let card = ["vier eins eins zwei", "von vorne vier eins eins eins", "4111 1111 1111 1111"];
        let (lacks, value) = collect(Kind::Card, Locale::german(), &card);
        assert_eq!(lacks[1], Some(Lack::Characters(12)));
        assert_eq!(value.as_deref(), Some("4111111111111111"));
    }
}
