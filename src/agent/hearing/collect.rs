//! A long value said over several turns: pieces are joined until they make one.

use super::hear;
use super::value::{Context, Heard, Kind};
use crate::agent::intents::tokens;
use crate::agent::intents::tongue::Tongue;

/// Collects one value.
#[derive(Debug, Clone)]
pub struct Collector {
    kind: Kind,
    context: Context,
    pieces: Vec<String>,
}

impl Collector {
    /// Begins with nothing.
    pub fn new(kind: Kind, context: Context) -> Self {
        Self { kind, context, pieces: Vec::new() }
    }

    /// The caller said more: what all of it comes to. A text that is a whole value by itself
    /// replaces what was said before; "start again" and "the last one was wrong" are obeyed.
    pub fn push(&mut self, text: &str) -> Heard {
        let words = tokens::tokens(text, self.context.locale.tongue);
        let text = match order(&words, self.context.locale.tongue) {
            Some((Order::Again, used)) => {
                self.pieces.clear();
                words.get(used..).unwrap_or_default().join(" ")
            }
            Some((Order::Back, used)) => {
                self.pieces.pop();
                words.get(used..).unwrap_or_default().join(" ")
            }
            None => text.to_owned(),
        };
        let alone = hear::hear(self.kind, &text, &self.context);
        if alone.value().is_some() && is_long(self.kind) {
            self.pieces.clear();
        }
        if !text.trim().is_empty() && self.pieces.len() < MOST_PIECES {
            self.pieces.push(text);
        }
        self.heard()
    }

    /// What was said so far comes to this.
    pub fn heard(&self) -> Heard {
        hear::hear(self.kind, &self.text(), &self.context)
    }

    /// All pieces.
    pub fn text(&self) -> String {
        self.pieces.join(" ")
    }

    /// Whether nothing was said yet.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
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

    #[test]
    fn pieces_become_a_whole() {
        let german = Context::of(Locale::german());
        let mut iban = Collector::new(Kind::Iban, german);
        assert_eq!(lack(&iban.push("D E acht neun")), Some(Lack::Characters(18)));
        assert_eq!(
            lack(&iban.push("drei sieben null vier null null vier vier")),
            Some(Lack::Characters(10))
        );
        let heard = iban.push("null fünf drei zwei null eins drei null null null");
        assert_eq!(
            heard.value().map(ToString::to_string).as_deref(),
            Some("DE89370400440532013000")
        );
        let mut phone = Collector::new(Kind::Phone, Context::of(Locale::american()));
        assert_eq!(lack(&phone.push("five five five")), Some(Lack::Characters(7)));
        phone.push("one two three");
        assert_eq!(lack(&phone.push("scratch that one two four")), Some(Lack::Characters(4)));
        let heard = phone.push("four five six seven");
        assert_eq!(heard.value().map(ToString::to_string).as_deref(), Some("+15551244567"));
    }

    #[test]
    fn who_begins_anew_is_heard_anew() {
        let mut card = Collector::new(Kind::Card, Context::of(Locale::german()));
        card.push("vier eins eins zwei");
        assert_eq!(lack(&card.push("von vorne vier eins eins eins")), Some(Lack::Characters(12)));
        let whole = "4111 1111 1111 1111";
        assert!(card.push(whole).value().is_some());
        assert_eq!(card.text(), whole);
    }
}
