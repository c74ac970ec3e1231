//! What the agent has asked for: it decides how long a pause in the answer may be.

use crate::agent::hearing::hear;
use crate::agent::hearing::value::{Context, Heard, Kind, Value};
use crate::agent::intents::tokens;
use crate::agent::intents::tongue::Tongue;
use crate::agent::lexicon::locale::Locale;

/// What the caller is expected to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Expectation {
    /// Anything.
    #[default]
    Anything,
    /// A value of this kind.
    Value(Kind),
}

/// How far an expected value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Nothing of it was said.
    Nothing,
    /// Part of it.
    Part,
    /// A value that might go on: numbers of telephones have many lengths.
    Possible,
    /// The whole of it.
    Whole,
}

impl Expectation {
    /// What a question asks for, as far as its words tell.
    pub fn of_question(text: &str, locale: Locale) -> Self {
        let words = tokens::tokens(text, locale.tongue);
        let table = match locale.tongue {
            Tongue::English => ENGLISH,
            Tongue::German => GERMAN,
        };
        // The last thing that is named is asked for; statements name things too.
        let asks = text.contains('?') || words.iter().any(|word| ASKING.contains(&word.as_str()));
        let named = words.iter().rev().filter_map(|word| {
            let found = table
                .iter()
                .find(|(name, _)| word == name || (name.len() > 4 && word.ends_with(name)));
            found.map(|(_, kind)| *kind)
        });
        let named: Vec<Kind> = named.collect();
        // A "phone number" is a phone, and only then a number.
        let special = named.iter().find(|kind| !matches!(kind, Kind::Digits(None) | Kind::Name));
        let named = special.or(named.first()).copied();
        named.filter(|_| asks).map_or(Self::Anything, Self::Value)
    }

    /// How far the value is in the words of `text`.
    pub fn progress(self, text: &str, context: &Context) -> Progress {
        let Self::Value(kind) = self else { return Progress::Nothing };
        match hear::hear(kind, text, context) {
            Heard::Nothing => Progress::Nothing,
            Heard::Part(part) if part.lack.is_missing() => Progress::Part,
            Heard::Part(_) => Progress::Possible,
            Heard::Value(readings) => match (kind, readings.first().map(|it| &it.value)) {
                // North American numbers have one length.
                (Kind::Phone, Some(Value::Phone(number))) if number.to_e164().starts_with("+1") => {
                    Progress::Whole
                }
                (Kind::Phone | Kind::Digits(None) | Kind::Number | Kind::Name, _) => {
                    Progress::Possible
                }
                (_, _) => Progress::Whole,
            },
        }
    }
}

const ASKING: [&str; 12] = [
    "please",
    "tell",
    "give",
    "say",
    "spell",
    "bitte",
    "nennen",
    "sagen",
    "geben",
    "buchstabieren",
    "what",
    "wie",
];
const ENGLISH: &[(&str, Kind)] = &[
    ("phone", Kind::Phone),
    ("telephone", Kind::Phone),
    ("callback", Kind::Phone),
    ("mobile", Kind::Phone),
    ("email", Kind::Email),
    ("e-mail", Kind::Email),
    ("iban", Kind::Iban),
    ("card", Kind::Card),
    ("zip", Kind::Postcode),
    ("postcode", Kind::Postcode),
    ("pin", Kind::Digits(None)),
    ("number", Kind::Digits(None)),
    ("name", Kind::Name),
];
const GERMAN: &[(&str, Kind)] = &[
    ("telefonnummer", Kind::Phone),
    ("rufnummer", Kind::Phone),
    ("handynummer", Kind::Phone),
    ("rückrufnummer", Kind::Phone),
    ("durchwahl", Kind::Phone),
    ("email", Kind::Email),
    ("mail", Kind::Email),
    ("mailadresse", Kind::Email),
    ("iban", Kind::Iban),
    ("kontonummer", Kind::Iban),
    ("kartennummer", Kind::Card),
    ("kreditkarte", Kind::Card),
    ("postleitzahl", Kind::Postcode),
    ("nummer", Kind::Digits(None)),
    ("pin", Kind::Digits(None)),
    ("name", Kind::Name),
    ("namen", Kind::Name),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_tells_what_is_expected() {
        for (text, kind) in [
            ("What is your phone number?", Some(Kind::Phone)),
            ("Could you give me your email address, please?", Some(Kind::Email)),
            ("Please tell me your IBAN.", Some(Kind::Iban)),
            ("What is your name?", Some(Kind::Name)),
            ("We will send you an email.", None),
            ("How can I help you?", None),
        ] {
            let expected = kind.map_or(Expectation::Anything, Expectation::Value);
            assert_eq!(Expectation::of_question(text, Locale::american()), expected, "{text}");
        }
        for (text, kind) in [
            ("Wie ist Ihre Telefonnummer?", Some(Kind::Phone)),
            ("Nennen Sie mir bitte Ihre Kundennummer.", Some(Kind::Digits(None))),
            ("Wie lautet Ihre E-Mail-Adresse?", Some(Kind::Email)),
            ("Was kann ich für Sie tun?", None),
        ] {
            let expected = kind.map_or(Expectation::Anything, Expectation::Value);
            assert_eq!(Expectation::of_question(text, Locale::german()), expected, "{text}");
        }
    }

    #[test]
    fn a_value_that_is_said_is_followed() {
        let german = Context::of(Locale::german());
        let iban = Expectation::Value(Kind::Iban);
        assert_eq!(iban.progress("D E acht neun", &german), Progress::Part);
        assert_eq!(iban.progress("DE89 3704 0044 0532 0130 00", &german), Progress::Whole);
        let phone = Expectation::Value(Kind::Phone);
        assert_eq!(phone.progress("0711 123456", &german), Progress::Possible);
        assert_eq!(phone.progress("ich weiß nicht", &german), Progress::Nothing);
        assert_eq!(Expectation::Anything.progress("0711", &german), Progress::Nothing);
    }
}
