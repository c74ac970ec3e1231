//! Reads clauses as people do: numbers, dates, money, addresses and short forms become words. The
//! written form stays what the record keeps.

use std::collections::BTreeMap;

use super::amounts;
use super::chunk::{Chunk, Clock, Dot, Place, Rule, Said};
use super::contact;
use super::dates;
use super::numbers;
use super::short;
use super::spoken::Spoken;
use super::times;
use crate::agent::lexicon::locale::Locale;
use crate::base::language::Language;

/// Says clauses in one language.
#[derive(Debug, Clone, Default)]
pub struct Speaker {
    /// `None`: a language without built-in words, whose texts are left to the voice.
    locale: Option<Locale>,
    clock: Clock,
    /// The operator's own readings: the words in lower case, and what is said for them.
    pronunciations: Vec<(Vec<String>, String)>,
}

impl Speaker {
    /// Makes a speaker for a language, with the operator's own readings of words.
    pub fn new(language: &Language, pronunciations: &BTreeMap<String, String>) -> Self {
        let own = pronunciations.iter().map(|(written, said)| {
            let words = written.split_whitespace().map(str::to_lowercase).collect();
            (words, said.clone())
        });
        let mut pronunciations: Vec<(Vec<String>, String)> = own.collect();
        pronunciations.retain(|(words, _)| !words.is_empty());
        pronunciations.sort_by_key(|(words, _)| std::cmp::Reverse(words.len()));
        Self { locale: Locale::of(language), clock: Clock::Formal, pronunciations }
    }

    /// The same, with times of day said this way.
    #[must_use]
    pub fn with_clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// Says a clause. What is said is at most 24 times as long as the clause, and the operator's
    /// own readings.
    pub fn say(&self, clause: &str) -> Spoken {
        let plain = !clause.contains(|c: char| !c.is_alphabetic() && !c.is_whitespace());
        let lower = !clause.contains(char::is_uppercase);
        if self.pronunciations.is_empty() && (self.locale.is_none() || (plain && lower)) {
            return Spoken::verbatim(clause);
        }
        let chunks = Chunk::split(clause);
        let (mut spoken, mut at) = (Spoken::default(), 0);
        while let Some(first) = chunks.get(at) {
            let (before, here) = chunks.split_at(at);
            let said = self.own(here).or_else(|| {
                let locale = self.locale?;
                by_rule(Place { before, here, locale, clock: self.clock })
            });
            let Some(said) = said.filter(|said| said.used > 0) else {
                let whole = [first.gap, first.lead, first.core, first.tail].concat();
                spoken.push(&whole, &whole);
                at += 1;
                continue;
            };
            let used = here.get(..said.used).unwrap_or(here);
            let written: String =
                used.iter().flat_map(|it| [it.gap, it.lead, it.core, it.tail]).collect();
            let tail = used.last().map(|last| last.tail).unwrap_or_default();
            let tail = match said.dot {
                Dot::Taken => tail.strip_prefix('.').unwrap_or(tail),
                Dot::Stays => tail,
            };
            // The bracket around the first of several words is closed among them.
            let closed = used.len() > 1 && first.lead == "(" && first.tail.starts_with(')');
            let lead = if closed { "" } else { first.lead };
            spoken.push(&written, &[first.gap, lead, &said.text, tail].concat());
            at += used.len();
        }
        spoken
    }

    /// The operator's own reading of the first words.
    fn own(&self, here: &[Chunk<'_>]) -> Option<Said> {
        let fits = |words: &[String]| {
            here.len() >= words.len()
                && here.iter().zip(words).enumerate().all(|(at, (chunk, word))| {
                    chunk.core.to_lowercase() == *word && (at + 1 == words.len() || chunk.is_open())
                })
        };
        let (words, said) = self.pronunciations.iter().find(|(words, _)| fits(words))?;
        Some(Said::new(words.len(), said.clone()))
    }
}

/// The first rule that knows what to say.
fn by_rule(place: Place<'_>) -> Option<Said> {
    let core = place.first().core;
    if core.is_empty() {
        return None;
    }
    if !core.contains(|c: char| c.is_numeric()) {
        return WORDS.iter().find_map(|rule| rule(place));
    }
    if let Some(said) = BEFORE_RANGES.iter().find_map(|rule| rule(place)) {
        return Some(said);
    }
    if let Some((low, between, high)) = numbers::ranges(place) {
        let mut rest = place.here.to_vec();
        if let Some(first) = rest.first_mut() {
            first.core = high;
        }
        let place = Place { here: &rest, ..place };
        let high = NUMBERS.iter().find_map(|rule| rule(place))?;
        return Some(Said { text: format!("{low} {between} {}", high.text), ..high });
    }
    NUMBERS.iter().find_map(|rule| rule(place))
}

const WORDS: &[Rule] = &[
    contact::mails,
    contact::webs,
    amounts::money_by_code,
    dates::dates,
    short::abbreviations,
    short::acronyms,
    short::signs,
];
const BEFORE_RANGES: &[Rule] = &[
    contact::mails,
    contact::webs,
    contact::accounts,
    dates::dates,
    contact::telephones,
    contact::dotted_numbers,
];
const NUMBERS: &[Rule] = &[
    times::times,
    amounts::money,
    amounts::measures,
    amounts::scales,
    numbers::fractions,
    numbers::ordinals,
    numbers::cardinals,
    short::signs,
    short::acronyms,
    short::codes,
];

#[cfg(test)]
mod tests;
