//! Days of birth: dates near words that say so, or in answer to such a question.

use std::ops::Range;

use super::piece::Sort;
use super::sheet::Sheet;
use super::topic::Topic;
use crate::agent::hearing::date;
use crate::agent::hearing::value::{Context, Value};
use crate::agent::hearing::when::When;
use crate::agent::lexicon::locale::Locale;

/// The pieces of all that is a day of birth.
pub fn found(sheet: &Sheet<'_>) -> Vec<Range<usize>> {
    let (mut found, mut at) = (Vec::new(), 0);
    while at < sheet.pieces.len() {
        match is_meant(sheet, at).then(|| day_at(sheet, at)).flatten() {
            Some(used) => {
                found.push(at..at + used);
                at += used;
            }
            None => at += 1,
        }
    }
    let digits = sheet
        .runs
        .iter()
        .filter(|run| (4..=8).contains(&run.digits().len()) && is_meant(sheet, run.pieces().start));
    found.extend(digits.map(super::run::Run::pieces));
    found
}

/// Whether a date here is a day of birth.
fn is_meant(sheet: &Sheet<'_>, at: usize) -> bool {
    sheet.is_about(Topic::Birth, at, FAR) || sheet.is_named_behind(Topic::Birth, at, BEHIND)
}

/// How many pieces a date takes that begins at one.
fn day_at(sheet: &Sheet<'_>, at: usize) -> Option<usize> {
    if sheet.pieces.get(at)?.sort == Sort::Date {
        return Some(1);
    }
    let words = sheet.words.get(at..(at + WINDOW).min(sheet.words.len()))?;
    let locales = [Locale::american(), Locale::from(sheet.terms.tongue), german()];
    let used = |locale: Locale| {
        let readings = date::read(words, &Context::of(locale)).into_iter();
        let days = readings.filter_map(|it| match it.value {
            Value::Date(When::On(_) | When::Yearly(..)) if it.used > 1 => Some(it.used),
            _ => None,
        });
        days.max()
    };
    let used = locales.into_iter().filter_map(used).max()?;
    // "Zwölfter dritter fünfundachtzig": the year may be said short.
    let elements = sheet.runs.iter().flat_map(|run| &run.elements);
    let year = elements.filter(|it| it.pieces.start == at + used && it.digits.len() == 2);
    let year = year.map(|it| it.pieces.len()).max();
    Some(used + year.unwrap_or(0))
}

fn german() -> Locale {
    Locale::from(crate::agent::intents::tongue::Tongue::German)
}

const FAR: usize = 12;
const BEHIND: usize = 8;
/// No date takes more words.
const WINDOW: usize = 10;
