//! Runs of digits: said one by one, in groups, as words of English or German, over several lines.

use std::ops::Range;

use super::piece::{Piece, Sort};
use super::terms::Terms;
use crate::agent::hearing::digits;
use crate::agent::intents::tongue::Tongue;

/// Digits that belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// What it is made of.
    pub elements: Vec<Element>,
    /// Whether "plus" stands before it.
    pub plus: bool,
}

/// A digit or a number that stands for several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    /// Its pieces.
    pub pieces: Range<usize>,
    /// Its digits.
    pub digits: String,
    /// Another reading: "forty two" is 42, or 40 and 2.
    pub other: Option<String>,
}

impl Run {
    /// Its pieces, with the plus.
    pub fn pieces(&self) -> Range<usize> {
        let begin = self.elements.first().map_or(0, |first| first.pieces.start);
        let end = self.elements.last().map_or(begin, |last| last.pieces.end);
        begin.saturating_sub(usize::from(self.plus))..end
    }

    /// All its digits.
    pub fn digits(&self) -> String {
        self.elements.iter().map(|element| element.digits.as_str()).collect()
    }

    /// The ways to read some of its elements, the likeliest first.
    pub fn readings(&self, elements: Range<usize>) -> Vec<String> {
        let elements = self.elements.get(elements).unwrap_or_default();
        let mut readings = vec![String::new()];
        for element in elements {
            let others: Vec<String> = match &element.other {
                Some(other) if readings.len() < MOST_READINGS => {
                    readings.iter().map(|reading| format!("{reading}{other}")).collect()
                }
                Some(_) | None => Vec::new(),
            };
            readings.iter_mut().for_each(|reading| reading.push_str(&element.digits));
            readings.extend(others);
        }
        readings
    }
}

/// Finds the runs of digits among the pieces of one speaker.
pub fn runs(pieces: &[Piece], terms: &Terms) -> Vec<Run> {
    let words: Vec<String> = pieces.iter().map(said).collect();
    let mut runs: Vec<Run> = Vec::new();
    let mut at = 0;
    let mut open: Option<Run> = None;
    while at < words.len() {
        let rest = words.get(at..(at + LONGEST).min(words.len())).unwrap_or_default();
        let inside = open.is_some();
        if let Some((used, digits, other)) = element(rest, inside, terms.tongue) {
            let element = Element { pieces: at..at + used, digits, other };
            let plus =
                at.checked_sub(1).and_then(|it| words.get(it)).is_some_and(|it| it == "plus");
            open.get_or_insert_with(|| Run { elements: Vec::new(), plus }).elements.push(element);
            at += used;
            continue;
        }
        let fill = if inside { filler(rest) } else { 0 };
        let behind = words.get(at + fill..(at + fill + LONGEST).min(words.len()));
        if fill > 0 && element(behind.unwrap_or_default(), true, terms.tongue).is_some() {
            at += fill;
            continue;
        }
        runs.extend(open.take());
        at += 1;
    }
    runs.extend(open);
    runs
}

/// A word as digits are read from it; dates and times are none.
fn said(piece: &Piece) -> String {
    match piece.sort {
        Sort::Word | Sort::Capitals => piece.word.clone(),
        Sort::Date | Sort::Time => String::new(),
    }
}

/// An element in the language of the call, or in the other one.
fn element(
    words: &[String],
    inside: bool,
    tongue: Tongue,
) -> Option<(usize, String, Option<String>)> {
    let first = words.first().filter(|first| !first.is_empty())?;
    // "A" and "one" of "one of us" count nothing.
    if ARTICLES.contains(&first.as_str()) {
        return None;
    }
    let other = match tongue {
        Tongue::English => Tongue::German,
        Tongue::German => Tongue::English,
    };
    [tongue, other].into_iter().find_map(|tongue| digits::element(words, inside, tongue))
}

/// How many words at the start say nothing between digits, in either language.
pub fn filler(words: &[String]) -> usize {
    let says_nothing = |word: &&String| {
        let one = std::slice::from_ref(*word);
        MORE_FILLERS.contains(&word.as_str())
            || digits::filler(one, Tongue::English) == 1
            || digits::filler(one, Tongue::German) == 1
    };
    words.iter().take(MOST_FILLERS).take_while(says_nothing).count()
}

/// Words that stand for a number only in a sentence.
const ARTICLES: [&str; 6] = ["a", "an", "ein", "eine", "einen", "einer"];

/// What else is said between the parts of a long number.
const MORE_FILLERS: [&str; 14] = [
    "yes",
    "ja",
    "genau",
    "bitte",
    "please",
    "moment",
    "continuing",
    "next",
    "jetzt",
    "now",
    "mhm",
    "hm",
    "right",
    "mal",
];

const MOST_FILLERS: usize = 4;

/// No number takes more words.
const LONGEST: usize = 16;

/// More ways to read digits are not tried.
const MOST_READINGS: usize = 32;
