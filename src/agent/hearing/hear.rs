//! Finds a value in a transcript: at its start, or anywhere in it.

use super::account;
use super::amount;
use super::date;
use super::digits;
use super::duration;
use super::email;
use super::name;
use super::number;
use super::phone;
use super::postcode;
use super::spelling;
use super::time;
use super::value::{Context, Heard, Kind, Lack, Part, Reading, Value};
use super::yes_no;
use crate::agent::intents::tokens;
use crate::agent::intents::tongue::Tongue;
use crate::agent::lexicon::cardinal;

/// Reads a value at the start of some plain words.
pub fn read(kind: Kind, words: &[String], context: &Context) -> Heard {
    let tongue = context.locale.tongue;
    match kind {
        Kind::Digits(wanted) => row(words, wanted, context),
        Kind::Number => values(number::read(words, context)),
        Kind::Money => values(amount::read(words, context)),
        Kind::Date => values(date::read(words, context)),
        Kind::Time => values(time::read(words, context)),
        Kind::Duration => values(duration::read(words, context)),
        Kind::Phone => phone::read(words, context),
        Kind::Email => email::read(words, context),
        Kind::Name => values(name::read(words, tongue)),
        Kind::Iban => account::iban(words, context),
        Kind::Card => account::card(words, context),
        Kind::Postcode => postcode::read(words, context),
        Kind::YesNo => values(yes_no::read(words, tongue)),
    }
}

/// Reads a value anywhere in a text: the one that takes most words, else the longest part of one.
pub fn hear(kind: Kind, text: &str, context: &Context) -> Heard {
    let words = tokens::tokens(text, context.locale.tongue);
    find(kind, &words, context).1
}

/// Finds a value among plain words: where it begins, and what was heard.
pub fn find(kind: Kind, words: &[String], context: &Context) -> (usize, Heard) {
    let mut best: (usize, f32, Heard) = (0, 0.0, Heard::Nothing);
    for at in starts(kind, words, context.locale.tongue) {
        let heard = read(kind, words.get(at..).unwrap_or_default(), context);
        let weight = match &heard {
            Heard::Nothing => 0.0,
            // A part counts less than any value.
            Heard::Part(part) => part.so_far.len().min(99) as f32 / 1_000.0,
            Heard::Value(readings) => {
                readings.first().map_or(0.0, |it| 1.0 + it.used as f32 * it.sureness)
            }
        };
        if weight > best.1 {
            best = (at, weight, heard);
        }
    }
    (best.0, best.2)
}

/// Where a value may begin.
fn starts(kind: Kind, words: &[String], tongue: Tongue) -> Vec<usize> {
    let after = |at: usize| at.checked_sub(1).and_then(|before| words.get(before..));
    // Nothing begins in the middle of a row of digits or letters, or behind the month of a day.
    let in_a_row = |at: usize| {
        after(at).is_some_and(|rest| {
            is_number(rest, tongue) || rest.first().is_some_and(|word| word == "plus")
        })
    };
    let in_letters = |at: usize| {
        let before = after(at).and_then(|rest| spelling::character(rest, tongue));
        before.is_some_and(|(used, _, sure)| used == 1 && sure)
    };
    let after_month = |at: usize| {
        after(at).and_then(<[String]>::first).is_some_and(|word| date::is_month(word, tongue))
    };
    match kind {
        Kind::Email => vec![email::start(words)],
        Kind::Digits(_) | Kind::Number | Kind::Phone | Kind::Card | Kind::Postcode => {
            (0..words.len()).filter(|at| !in_a_row(*at)).collect()
        }
        Kind::Iban => (0..words.len()).filter(|at| !in_letters(*at)).collect(),
        Kind::Date => (0..words.len()).filter(|at| !after_month(*at) && !in_a_row(*at)).collect(),
        Kind::Money | Kind::Time | Kind::Duration | Kind::Name | Kind::YesNo => {
            (0..words.len()).collect()
        }
    }
}

/// Whether the first of some words is a digit or a number.
fn is_number(words: &[String], tongue: Tongue) -> bool {
    let one = words.get(..1).unwrap_or_default();
    digits::single(one, tongue).is_some() || cardinal::read(one, tongue).is_some()
}

fn values(readings: Vec<Reading>) -> Heard {
    if readings.is_empty() { Heard::Nothing } else { Heard::Value(readings) }
}

fn row(words: &[String], wanted: Option<u8>, context: &Context) -> Heard {
    let wanted = wanted.map(usize::from);
    let row = digits::row(words, wanted.unwrap_or(MOST_DIGITS), context.locale.tongue);
    let reading =
        |text: String, sureness: f32| Reading::new(row.used, Value::Digits(text), sureness);
    let fits = |text: &String| wanted.is_none_or(|wanted| text.len() == wanted);
    let other = row.other.clone().filter(fits);
    match (row.digits.is_empty(), fits(&row.digits), other) {
        (true, _, _) => Heard::Nothing,
        (_, true, None) => Heard::Value(vec![reading(row.digits.clone(), 1.0)]),
        (_, true, Some(other)) => {
            Heard::Value(vec![reading(row.digits.clone(), 0.7), reading(other, 0.3)])
        }
        (_, false, Some(other)) => Heard::Value(vec![reading(other, 0.7)]),
        (_, false, None) => Heard::Part(Part {
            used: row.used,
            lack: Lack::Characters(wanted.unwrap_or(0).saturating_sub(row.digits.len())),
            so_far: row.digits,
        }),
    }
}

/// The longest row of digits.
const MOST_DIGITS: usize = 24;

#[cfg(test)]
mod tests;
