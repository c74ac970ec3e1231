//! Numbers: whole, decimal, negative, halves, dozens.

use super::digits;
use super::value::{Context, Reading, Value};
use crate::agent::intents::tongue::Tongue;
use crate::agent::lexicon::cardinal;

/// Reads a number at the start of some words: all ways to understand it, the likeliest first.
pub fn read(words: &[String], context: &Context) -> Vec<Reading> {
    let tongue = context.locale.tongue;
    let minus = words.first().is_some_and(|word| matches!(word.as_str(), "minus" | "negative"));
    let skipped = usize::from(minus);
    let Some(rest) = words.get(skipped..) else { return Vec::new() };
    let sign = if minus { "-" } else { "" };
    let reading = |used: usize, text: &str, sureness: f32| {
        Reading::new(skipped + used, Value::Number(format!("{sign}{text}")), sureness)
    };
    let mut found = Vec::new();
    if let Some((used, text)) = in_halves(rest, tongue) {
        found.push(reading(used, &text, 1.0));
    } else if let Some((used, text)) = decimal(rest, tongue) {
        found.push(reading(used, &text, 1.0));
    } else if let Some((used, number)) = cardinal::read(rest, tongue) {
        let row = digits::row(rest, MOST_DIGITS, tongue);
        if row.used > used {
            found.push(reading(row.used, trimmed(&row.digits), 0.8));
        }
        found.push(reading(used, &number.to_string(), if row.used > used { 0.3 } else { 1.0 }));
    }
    found
}

/// "three point one four".
pub fn decimal(words: &[String], tongue: Tongue) -> Option<(usize, String)> {
    let (used, whole) = cardinal::read(words, tongue)?;
    let mark = words.get(used)?.as_str();
    let fits = match tongue {
        Tongue::English => mark == "point",
        Tongue::German => matches!(mark, "komma" | "punkt"),
    };
    let row = digits::row(words.get(used + 1..).filter(|_| fits)?, 9, tongue);
    (!row.digits.is_empty()).then(|| (used + 1 + row.used, format!("{whole}.{}", row.digits)))
}

/// "two and a half", "anderthalb", "a dozen".
fn in_halves(words: &[String], tongue: Tongue) -> Option<(usize, String)> {
    let word = |at: usize| words.get(at).map_or("", String::as_str);
    match (tongue, word(0), word(1)) {
        (Tongue::English, "half", "a") if word(2) == "dozen" => return Some((3, "6".to_owned())),
        (Tongue::English, "a", "dozen") => return Some((2, "12".to_owned())),
        (Tongue::English, "a" | "one", "half") => return Some((2, "0.5".to_owned())),
        (Tongue::German, "ein", "dutzend") => return Some((2, "12".to_owned())),
        (Tongue::German, "anderthalb" | "eineinhalb" | "einundeinhalb", _) => {
            return Some((1, "1.5".to_owned()));
        }
        (Tongue::German, "halb" | "einhalb", _) => return Some((1, "0.5".to_owned())),
        (Tongue::German, first, _) => {
            if let Some(whole) = first.strip_suffix("einhalb") {
                let whole = whole.strip_suffix("und").unwrap_or(whole);
                let (_, number) = cardinal::read(&[whole.to_owned()], tongue)?;
                return Some((1, format!("{number}.5")));
            }
        }
        (Tongue::English, _, _) => {}
    }
    let (used, whole) = cardinal::read(words, tongue)?;
    let rest = [word(used), word(used + 1), word(used + 2)];
    let used = match (tongue, rest) {
        (Tongue::English, ["and", "a", "half"]) => used + 3,
        (Tongue::German, ["einhalb", _, _]) => used + 1,
        (Tongue::German, ["und", "einhalb", _]) => used + 2,
        (Tongue::English | Tongue::German, _) => return None,
    };
    Some((used, format!("{whole}.5")))
}

fn trimmed(digits: &str) -> &str {
    let trimmed = digits.trim_start_matches('0');
    if trimmed.is_empty() { "0" } else { trimmed }
}

const MOST_DIGITS: usize = 15;
