//! The sheet: all that one side of a conversation said, as those who look for values see it.

use std::ops::Range;

use super::piece::{Piece, Sort};
use super::run::Run;
use super::terms::Terms;
use super::topic::Topic;

/// What finders look at.
#[derive(Debug)]
pub struct Sheet<'a> {
    /// All pieces of a speaker.
    pub pieces: &'a [Piece],
    /// Their words; dates and times are empty ones.
    pub words: &'a [String],
    /// The digits among them.
    pub runs: &'a [Run],
    /// How numbers are said and dialled.
    pub terms: Terms,
    /// Whether the last line may go on.
    pub is_open: bool,
    /// Between each piece and the one before, in the same line.
    pub gaps: &'a [String],
    /// What the other side asked before each line.
    pub asked: &'a [Vec<Topic>],
}

impl Sheet<'_> {
    /// A word; empty where there is none.
    pub fn word(&self, at: usize) -> &str {
        self.words.get(at).map_or("", String::as_str)
    }

    /// What stands between a piece and the one before it; a space where that is in another line.
    pub fn gap(&self, at: usize) -> &str {
        self.gaps.get(at).map_or(" ", String::as_str)
    }

    /// Whether a piece was written in capital letters.
    pub fn is_large(&self, at: usize) -> bool {
        self.pieces.get(at).is_some_and(|piece| piece.sort == Sort::Capitals)
    }

    /// Whether an element of a run is its first, or the first in its line.
    pub fn begins_line(&self, run: &Run, at: usize) -> bool {
        let line = |at: usize| Some(self.pieces.get(run.elements.get(at)?.pieces.start)?.line);
        at == 0 || line(at) != line(at - 1)
    }

    /// The pieces of some elements of a run.
    pub fn span_of(&self, run: &Run, elements: Range<usize>) -> Option<Range<usize>> {
        let elements = run.elements.get(elements)?;
        Some(elements.first()?.pieces.start..elements.last()?.pieces.end)
    }

    /// Whether the words before a piece are about something, or the question was.
    pub fn is_about(&self, topic: Topic, at: usize, reach: usize) -> bool {
        let Some(line) = self.pieces.get(at).map(|piece| piece.line) else { return false };
        let before = self.pieces.get(at.saturating_sub(reach)..at).unwrap_or_default();
        let here = before.iter().position(|piece| piece.line == line);
        let before = here.and_then(|begin| before.get(begin..)).unwrap_or_default();
        self.is_asked(topic, line) || topic.named(before).is_some()
    }

    /// Whether the words behind a piece are about something.
    pub fn is_named_behind(&self, topic: Topic, at: usize, reach: usize) -> bool {
        let Some(line) = self.pieces.get(at).map(|piece| piece.line) else { return false };
        let end = (at + reach).min(self.pieces.len());
        let behind = self.pieces.get(at..end).unwrap_or_default();
        let same = behind.iter().take_while(|piece| piece.line == line).count();
        topic.named(behind.get(..same).unwrap_or_default()).is_some()
    }

    /// Whether the other side asked about something before a line.
    pub fn is_asked(&self, topic: Topic, line: usize) -> bool {
        self.asked.get(line).is_some_and(|topics| topics.contains(&topic))
    }

    /// Whether digits are an amount of money.
    pub fn is_amount(&self, run: &Run) -> bool {
        CURRENCIES.contains(&self.word(run.pieces().end))
    }
}

const CURRENCIES: [&str; 10] =
    ["euro", "euros", "eur", "dollar", "dollars", "pounds", "cent", "cents", "franken", "prozent"];
