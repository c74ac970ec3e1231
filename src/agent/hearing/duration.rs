//! Lengths of time: "an hour and a half", "anderthalb Stunden", "zwei Tage".

use std::time::Duration;

use super::number;
use super::value::{Context, Reading, Value};
use crate::agent::intents::tongue::Tongue;

/// Reads a length of time at the start of some words.
pub fn read(words: &[String], context: &Context) -> Vec<Reading> {
    let tongue = context.locale.tongue;
    let (mut at, mut seconds) = (0, 0.0_f64);
    while let Some((used, more)) = words.get(at..).and_then(|rest| part(rest, tongue, context)) {
        seconds += more;
        at += used;
        let and = words.get(at).is_some_and(|word| word == "and" || word == "und");
        let rest = words.get(at + 1..).filter(|_| and);
        if rest.is_some_and(|rest| part(rest, tongue, context).is_some()) {
            at += 1;
        } else if let Some((used, half)) = half_behind(words.get(at..).unwrap_or_default(), more) {
            seconds += half;
            at += used;
        }
    }
    let duration = Duration::try_from_secs_f64(seconds).ok();
    let duration = duration.filter(|it| at > 0 && *it < LONGEST);
    let whole = |it: Duration| Duration::from_secs(it.as_secs());
    duration.map(|it| Reading::new(at, Value::Duration(whole(it)), 1.0)).into_iter().collect()
}

/// "an hour and a half": half of what stands before.
fn half_behind(words: &[String], unit: f64) -> Option<(usize, f64)> {
    let word = |at: usize| words.get(at).map_or("", String::as_str);
    let plain = [1.0, 60.0, 3_600.0, 86_400.0, 604_800.0].contains(&unit);
    (plain && word(0) == "and" && word(1) == "a" && word(2) == "half").then_some((3, unit / 2.0))
}

/// A count and its unit, in seconds.
fn part(words: &[String], tongue: Tongue, context: &Context) -> Option<(usize, f64)> {
    let word = |at: usize| words.get(at).map_or("", String::as_str);
    match (tongue, word(0), word(1)) {
        (Tongue::English, "half", "an" | "a") => {
            return unit(word(2), tongue).map(|unit| (3, unit / 2.0));
        }
        (Tongue::English, "a", "quarter") if word(2) == "of" => {
            return unit(word(4), tongue).map(|unit| (5, unit / 4.0));
        }
        (Tongue::English, "three", "quarters") if word(2) == "of" => {
            return unit(word(4), tongue).map(|unit| (5, unit * 0.75));
        }
        (Tongue::English, "a" | "an", _) if word(1) != "couple" => {
            return unit(word(1), tongue).map(|unit| (2, unit));
        }
        (Tongue::German, "eine" | "ne" | "die", "halbe") => {
            return unit(word(2), tongue).map(|unit| (3, unit / 2.0));
        }
        (Tongue::German, "halbe" | "halben", _) => {
            return unit(word(1), tongue).map(|unit| (2, unit / 2.0));
        }
        (Tongue::German, "eine" | "ne", "viertelstunde") => return Some((2, 900.0)),
        (Tongue::German, "eine" | "ne", "dreiviertelstunde") => return Some((2, 2_700.0)),
        (Tongue::German, "viertelstunde", _) => return Some((1, 900.0)),
        (Tongue::German, "dreiviertelstunde", _) => return Some((1, 2_700.0)),
        (Tongue::German, "ein" | "eine" | "einen" | "einer" | "einem", _) => {
            return unit(word(1), tongue).map(|unit| (2, unit));
        }
        (Tongue::English | Tongue::German, _, _) => {}
    }
    number::read(words, context).into_iter().find_map(|reading| {
        let Value::Number(text) = &reading.value else { return None };
        let count: f64 = text.parse().ok().filter(|count| *count >= 0.0)?;
        let unit = unit(word(reading.used), tongue)?;
        Some((reading.used + 1, count * unit))
    })
}

fn unit(word: &str, tongue: Tongue) -> Option<f64> {
    let units: &[(&str, f64)] = match tongue {
        Tongue::English => &ENGLISH,
        Tongue::German => &GERMAN,
    };
    let stem = match tongue {
        Tongue::English => word.strip_suffix('s').unwrap_or(word),
        Tongue::German => {
            word.strip_suffix("en").or_else(|| word.strip_suffix(['e', 'n'])).unwrap_or(word)
        }
    };
    units.iter().find(|(name, _)| *name == stem).map(|(_, seconds)| *seconds)
}

const ENGLISH: [(&str, f64); 8] = [
    ("second", 1.0),
    ("minute", 60.0),
    ("min", 60.0),
    ("hour", 3_600.0),
    ("day", 86_400.0),
    ("week", 604_800.0),
    ("month", 2_592_000.0),
    ("year", 31_536_000.0),
];
const GERMAN: [(&str, f64); 8] = [
    ("sekund", 1.0),
    ("minut", 60.0),
    ("min", 60.0),
    ("stund", 3_600.0),
    ("tag", 86_400.0),
    ("woch", 604_800.0),
    ("monat", 2_592_000.0),
    ("jahr", 31_536_000.0),
];
const LONGEST: Duration = Duration::from_secs(100 * 31_536_000);
