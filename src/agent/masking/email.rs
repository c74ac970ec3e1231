//! E-mail addresses: written, and said: "anna dot miller at example dot com", "anna punkt müller
//! ät beispiel punkt de".

use std::ops::Range;

use super::sheet::Sheet;
use super::topic::Topic;
use crate::agent::hearing::{email, spelling};
use crate::agent::intents::tongue::Tongue;

/// The pieces of all that is an e-mail address.
pub fn found(sheet: &Sheet<'_>) -> Vec<Range<usize>> {
    let ats = (0..sheet.words.len()).filter(|at| email::AT.contains(&sheet.word(*at)));
    let mut found: Vec<Range<usize>> = ats.filter_map(|at| around(sheet, at)).collect();
    if found.is_empty() && sheet.is_open {
        found.extend(begun(sheet));
    }
    found
}

/// The address around an "at".
fn around(sheet: &Sheet<'_>, at: usize) -> Option<Range<usize>> {
    if at == 0 || is_mark(sheet, at - 1) {
        return None;
    }
    let end = domain(sheet, at + 1)?;
    let begin = local(sheet, at);
    let doubtful = matches!(sheet.word(at), "at" | "et" | "add");
    let bare = begin + 1 == at && NO_NAMES.contains(&sheet.word(begin));
    (!doubtful || !bare || sheet.is_about(Topic::Email, at, FAR)).then_some(begin..end)
}

/// Where the domain ends that begins at a piece.
fn domain(sheet: &Sheet<'_>, begin: usize) -> Option<usize> {
    let mut end = None;
    let last = (begin + MOST_WORDS).min(sheet.words.len());
    for at in begin + 1..last {
        let dotted = sheet.word(at - 1) == "." || is_dot(sheet, at - 1) || sheet.gap(at) == ".";
        if dotted && is_ending(sheet.word(at)) {
            end = Some(at + 1);
            let more = is_dot(sheet, at + 1) || sheet.gap(at + 1) == ".";
            if !more {
                break;
            }
        }
    }
    end.or_else(|| ALONE.contains(&sheet.word(begin)).then_some(begin + 1))
}

fn is_ending(word: &str) -> bool {
    email::ENDINGS.contains(&word)
        || word.len() == 2 && word.bytes().all(|b| b.is_ascii_lowercase())
}

/// Where the part before the "at" begins.
fn local(sheet: &Sheet<'_>, at: usize) -> usize {
    let mut begin = at - 1;
    while begin > 0 && at - begin < MOST_WORDS {
        let joined = is_mark(sheet, begin)
            || is_mark(sheet, begin - 1)
            || is_joint(sheet.gap(begin))
            // "power 99": a number belongs to the name before it.
            || is_number(sheet, begin) && !is_lead(sheet, begin - 1)
            || is_character(sheet, begin) && is_character(sheet, begin - 1);
        if !joined {
            break;
        }
        begin -= 1;
    }
    // "My address is anna miller at …": all that stands behind the "is".
    let first = begin.saturating_sub(MOST_NAMES);
    let led = (first..begin).rev().find(|at| is_lead(sheet, *at));
    led.map_or(begin, |led| led + 1)
}

/// An address whose "at" is still to come, where one was asked for.
fn begun(sheet: &Sheet<'_>) -> Option<Range<usize>> {
    let line = sheet.pieces.last()?.line;
    let begin = sheet.pieces.iter().position(|piece| piece.line == line)?;
    let looks = (begin..sheet.words.len())
        .any(|at| is_mark(sheet, at) || email::AT.contains(&sheet.word(at)));
    (looks && sheet.is_asked(Topic::Email, line)).then_some(begin..sheet.words.len())
}

fn is_character(sheet: &Sheet<'_>, at: usize) -> bool {
    let words = sheet.words.get(at..(at + 3).min(sheet.words.len())).unwrap_or_default();
    let is = |tongue| spelling::character(words, tongue).is_some_and(|(_, _, sure)| sure);
    is(Tongue::English) || is(Tongue::German)
}

/// Whether a piece is one or more digits.
fn is_number(sheet: &Sheet<'_>, at: usize) -> bool {
    let mut elements = sheet.runs.iter().flat_map(|run| &run.elements);
    elements.any(|element| element.pieces.contains(&at))
}

fn is_lead(sheet: &Sheet<'_>, at: usize) -> bool {
    LEADS.contains(&sheet.word(at))
}

fn is_dot(sheet: &Sheet<'_>, at: usize) -> bool {
    matches!(sheet.word(at), "dot" | "punkt" | "point")
}

fn is_mark(sheet: &Sheet<'_>, at: usize) -> bool {
    is_dot(sheet, at) || MARKS.contains(&sheet.word(at))
}

/// Whether pieces with this between them are one word.
fn is_joint(gap: &str) -> bool {
    !gap.is_empty() && gap.chars().all(|c| "._-%+".contains(c))
}

const MARKS: [&str; 10] = [
    "dash",
    "hyphen",
    "minus",
    "strich",
    "bindestrich",
    "underscore",
    "unterstrich",
    "score",
    "plus",
    "under",
];

/// Providers whose ending nobody says.
const ALONE: [&str; 9] =
    ["gmail", "googlemail", "hotmail", "icloud", "outlook", "yahoo", "gmx", "tonline", "posteo"];

/// What stands before an "at" that is none of an address: "look at example dot com".
const NO_NAMES: [&str; 22] = [
    "look",
    "looked",
    "looking",
    "us",
    "me",
    "you",
    "it",
    "them",
    "online",
    "website",
    "site",
    "shop",
    "page",
    "found",
    "bought",
    "order",
    "ordered",
    "out",
    "available",
    "visit",
    "available",
    "again",
];

/// What leads in the name in an address.
const LEADS: [&str; 14] = [
    "is",
    "ist",
    "lautet",
    "unter",
    "address",
    "adresse",
    "mail",
    "email",
    "it's",
    "wäre",
    "also",
    "an",
    "mailadresse",
    "under",
];

const MOST_WORDS: usize = 40;
const MOST_NAMES: usize = 4;
const FAR: usize = 12;
