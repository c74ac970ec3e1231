//! IBANs: letters and digits said one by one or in groups, with their check (ISO 13616); without
//! it where somebody says that it is one.

use std::ops::Range;

use super::run;
use super::sheet::Sheet;
use super::topic::Topic;
use crate::agent::hearing::spelling;
use crate::agent::intents::tongue::Tongue;
use crate::agent::lexicon::account::{self, Verdict};

/// The pieces of all that is an IBAN.
pub fn found(sheet: &Sheet<'_>) -> Vec<Range<usize>> {
    let (mut found, mut at) = (Vec::new(), 0);
    while at < sheet.pieces.len() {
        match begins_at(sheet, at) {
            Some(end) => {
                found.push(at..end);
                at = end;
            }
            None => at += 1,
        }
    }
    found.extend(without_country(sheet));
    found
}

/// Where an IBAN ends that begins at a piece.
fn begins_at(sheet: &Sheet<'_>, at: usize) -> Option<usize> {
    let words = sheet.words;
    let (mut text, mut next, mut end) = (String::new(), at, at);
    while text.len() < LONGEST {
        let rest = words.get(next..(next + WINDOW).min(words.len())).unwrap_or_default();
        let Some((used, part)) = part(sheet, next, rest) else {
            let fill = if text.is_empty() { 0 } else { run::filler(rest) };
            if fill == 0 {
                break;
            }
            next += fill;
            continue;
        };
        text.push_str(&part.to_ascii_uppercase());
        next += used;
        end = next;
        if !may_become_one(&text) {
            return None;
        }
        if is_iban(&text) {
            return Some(end);
        }
        if account::iban_length(&text).is_some_and(|length| text.len() > length) {
            break;
        }
    }
    let known = account::iban_length(&text).is_some() && text.len() >= SAID;
    let goes_on = sheet.is_open && end == sheet.pieces.len();
    (known && (goes_on || sheet.is_about(Topic::Account, at, FAR))).then_some(end)
}

/// The characters of some pieces.
fn part(sheet: &Sheet<'_>, at: usize, words: &[String]) -> Option<(usize, String)> {
    let first = words.first().filter(|word| !word.is_empty())?;
    let letters = first.bytes().all(|b| b.is_ascii_alphabetic());
    let country = letters && first.len() == 2;
    if country && account::iban_length(&first.to_ascii_uppercase()).is_some() {
        return Some((1, first.clone()));
    }
    if letters && (2..=4).contains(&first.len()) && sheet.is_large(at) {
        return Some((1, first.clone()));
    }
    let tongues = [sheet.terms.tongue, other(sheet.terms.tongue)];
    let found = tongues.into_iter().find_map(|tongue| spelling::character(words, tongue));
    found.map(|(used, text, _)| (used, text)).filter(|(_, text)| text.is_ascii())
}

/// Two letters of a country, then two digits.
fn may_become_one(text: &str) -> bool {
    let country = match text.len() {
        0 | 1 => text.bytes().all(|b| b.is_ascii_alphabetic()),
        _ => account::iban_length(text).is_some(),
    };
    country && text.bytes().skip(2).take(2).all(|b| b.is_ascii_digit() || b == b'O')
}

/// Whether it is a whole one; "O" is a zero where only digits stand.
fn is_iban(text: &str) -> bool {
    let (country, rest) = text.split_at(text.len().min(2));
    let zeros = || format!("{country}{}", rest.replace('O', "0"));
    account::iban(text) == Verdict::Right
        || account::iban_is_numeric(country) && account::iban(&zeros()) == Verdict::Right
}

/// The digits of an account of the country of the call, and what is said to be one.
fn without_country(sheet: &Sheet<'_>) -> Vec<Range<usize>> {
    let country = sheet.terms.country.code;
    let is_one = |run: &&run::Run| {
        let whole = || {
            let mut readings = run.readings(0..run.elements.len()).into_iter();
            readings.any(|digits| account::iban(&format!("{country}{digits}")) == Verdict::Right)
        };
        let digits = run.digits();
        let said = || sheet.is_about(Topic::Account, run.pieces().start, FAR);
        digits.len() >= SAID && (said() || account::iban_is_numeric(country) && whole())
    };
    sheet.runs.iter().filter(is_one).map(run::Run::pieces).collect()
}

fn other(tongue: Tongue) -> Tongue {
    match tongue {
        Tongue::English => Tongue::German,
        Tongue::German => Tongue::English,
    }
}

/// The longest IBAN there is.
const LONGEST: usize = 34;
/// No character takes more words.
const WINDOW: usize = 12;
/// So many characters behind "my IBAN" are a part of it.
const SAID: usize = 6;
const FAR: usize = 10;
