//! IBANs and numbers of payment cards, with their checks.

use super::digits;
use super::spelling;
use super::value::{Context, Heard, Lack, Part, Reading, Value};
use crate::agent::lexicon::account::{self, Verdict};

/// Reads an IBAN at the start of some words. Without a country, that of the context is tried.
pub fn iban(words: &[String], context: &Context) -> Heard {
    let spelled = spelling::spelled(words, MOST, context.locale.tongue);
    let text = spelled.text.to_uppercase();
    if text.is_empty() {
        return Heard::Nothing;
    }
    let used = spelled.used;
    let code = context.country.code;
    let bare = text.bytes().all(|b| b.is_ascii_digit());
    let text = if bare && account::iban_is_numeric(code) { format!("{code}{text}") } else { text };
    if bare && text.len() < 4 + SHORTEST {
        return Heard::Nothing;
    }
    // "O" is a zero where only digits stand.
    let numeric = text.get(..2).is_some_and(account::iban_is_numeric);
    let text = match text.get(2..) {
        Some(rest) if numeric => format!("{}{}", &text[..2], rest.replace('O', "0")),
        Some(_) | None => text,
    };
    let sureness = if bare { 0.8 } else { 1.0 };
    let part = |lack| Heard::Part(Part { used, so_far: text.clone(), lack });
    match account::iban(&text) {
        Verdict::Right => {
            Heard::Value(vec![Reading::new(used, Value::Iban(text.clone()), sureness)])
        }
        Verdict::Wrong => part(Lack::Check),
        Verdict::Short(missing) => part(Lack::Characters(missing)),
        Verdict::Long(more) => part(Lack::TooMany(more)),
        Verdict::Unknown if text.len() < 4 && spelled.sure > 0 => part(Lack::Characters(4)),
        Verdict::Unknown if text.len() > 4 && spelled.sure >= 4 => part(Lack::Impossible),
        Verdict::Unknown => Heard::Nothing,
    }
}

/// Reads the number of a payment card at the start of some words.
pub fn card(words: &[String], context: &Context) -> Heard {
    let row = digits::row(words, MOST, context.locale.tongue);
    if row.digits.is_empty() {
        return Heard::Nothing;
    }
    let value = |text: &str| Reading::new(row.used, Value::Card(text.to_owned()), 1.0);
    if let Some(other) = row.other.as_deref().filter(|it| account::card(it) == Verdict::Right)
        && account::card(&row.digits) != Verdict::Right
    {
        return Heard::Value(vec![value(other)]);
    }
    let part = |lack| Heard::Part(Part { used: row.used, so_far: row.digits.clone(), lack });
    match account::card(&row.digits) {
        Verdict::Right => Heard::Value(vec![value(&row.digits)]),
        Verdict::Wrong => part(Lack::Check),
        Verdict::Short(missing) => part(Lack::Characters(missing)),
        Verdict::Long(more) => part(Lack::TooMany(more)),
        Verdict::Unknown => Heard::Nothing,
    }
}

/// Nobody says more characters of an account.
const MOST: usize = 40;
/// Fewer digits without a country are no IBAN in the making.
const SHORTEST: usize = 2;
