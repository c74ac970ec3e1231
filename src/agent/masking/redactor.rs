//! The redactor: covers what nobody may keep in lines of a conversation. It looks at all lines of a
//! speaker together: a number that is said over several turns is one number.

use std::collections::VecDeque;
use std::ops::Range;

use super::kind::{Kind, Masks};
use super::piece::{Piece, Sort, pieces};
use super::run::{Run, runs};
use super::sheet::Sheet;
use super::terms::Terms;
use super::topic::Topic;
use super::{birth, card, email, iban, phone};

/// Who said a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The caller.
    Caller,
    /// The agent.
    Agent,
}

/// A line of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Who said it.
    pub side: Side,
    /// What.
    pub text: String,
}

/// Covers the lines of a conversation as they come, and all of them at its end.
#[derive(Debug, Clone)]
pub struct Redactor {
    masks: Masks,
    terms: Terms,
    /// The last lines, for what goes on over several.
    lately: VecDeque<Said>,
    /// Digits that are covered wherever they are said again.
    secrets: Vec<String>,
}

impl Redactor {
    /// One that covers these kinds.
    pub fn new(masks: Masks, terms: Terms) -> Self {
        Self { masks, terms, lately: VecDeque::new(), secrets: Vec::new() }
    }

    /// From now on these kinds are covered, and numbers are said and dialled so.
    pub fn widen(&mut self, masks: Masks, terms: Terms) {
        (self.masks, self.terms) = (masks, terms);
    }

    /// Digits that are covered from now on wherever they are said.
    pub fn hide(&mut self, digits: String) {
        if digits.len() >= FEWEST_HIDDEN && self.secrets.len() < MOST_SECRETS {
            self.secrets.push(digits);
        }
    }

    /// Whether nothing is covered.
    pub fn is_idle(&self) -> bool {
        self.masks.is_empty() && self.secrets.is_empty()
    }

    /// Covers a line that is told while the conversation goes on. Digits at its end that may become
    /// a number with the next line are covered too.
    pub fn line(&mut self, said: Said) -> String {
        if self.is_idle() {
            return said.text;
        }
        self.lately.push_back(said);
        if self.lately.len() > MOST_LINES {
            self.lately.pop_front();
        }
        let lines: Vec<Said> = self.lately.iter().cloned().collect();
        self.covered(&lines, true).pop().unwrap_or_default()
    }

    /// Covers all lines of a conversation that is over.
    pub fn lines(&self, lines: &[Said]) -> Vec<String> {
        if self.is_idle() {
            return lines.iter().map(|said| said.text.clone()).collect();
        }
        // What is longer than any conversation is looked at in parts.
        lines.chunks(MOST_AT_ONCE).flat_map(|lines| self.covered(lines, false)).collect()
    }

    /// Covers a text that may go on.
    pub fn begun(&self, text: &str) -> String {
        let said = Said { side: Side::Caller, text: text.to_owned() };
        if self.is_idle() {
            return said.text;
        }
        self.covered(&[said], true).pop().unwrap_or_default()
    }

    /// Covers a text that stands for itself.
    pub fn text(&self, text: &str) -> String {
        let said = Said { side: Side::Caller, text: text.to_owned() };
        self.lines(&[said]).pop().unwrap_or_default()
    }

    fn covered(&self, lines: &[Said], is_open: bool) -> Vec<String> {
        let covers = self.covers(lines, is_open).into_iter();
        lines.iter().zip(covers).map(|(said, covers)| written(&said.text, covers)).collect()
    }

    /// What is covered in each line, and by what.
    pub(super) fn covers(&self, lines: &[Said], is_open: bool) -> Vec<Vec<Cover>> {
        let mut covers: Vec<Vec<Cover>> = vec![Vec::new(); lines.len()];
        let mut hidden = self.secrets.clone();
        let sides = [Side::Caller, Side::Agent];
        let last = lines.last().map(|said| said.side);
        let parts: Vec<Part> = sides
            .into_iter()
            .map(|side| Part::new(lines, side, self.terms, is_open && last == Some(side)))
            .collect();
        let mut found: Vec<Vec<Found>> = parts.iter().map(Part::found).collect();
        for (part, found) in parts.iter().zip(&found) {
            hidden.extend(part.numbers(found, self.masks));
        }
        for (part, found) in parts.iter().zip(&mut found) {
            found.extend(part.again(found, &hidden));
            found.extend(part.open_tail(found, self.masks));
            for it in found.iter().filter(|it| it.is_covered(self.masks)) {
                part.cover(it, &mut covers);
            }
        }
        covers
    }
}

/// The digits of a text, covered, and what they were.
pub fn without_digits(text: &str, terms: Terms) -> (String, Vec<String>) {
    let lines = [Said { side: Side::Caller, text: text.to_owned() }];
    let part = Part::new(&lines, Side::Caller, terms, false);
    let mut covers = vec![Vec::new()];
    for run in &part.runs {
        part.cover(&Found { pieces: run.pieces(), what: What::Digits }, &mut covers);
    }
    let digits = part.runs.iter().map(Run::digits).collect();
    (written(text, covers.pop().unwrap_or_default()), digits)
}

/// Octets of a line, and what stands in their place.
pub(super) type Cover = (Range<usize>, &'static str);

/// Something that was found.
#[derive(Debug, Clone)]
struct Found {
    pieces: Range<usize>,
    what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Kind(Kind),
    /// Digits that may become something.
    Digits,
    /// What is covered elsewhere, or part of it.
    Hidden,
}

impl Found {
    fn is_covered(&self, masks: Masks) -> bool {
        match self.what {
            What::Kind(kind) => masks.has(kind),
            What::Digits | What::Hidden => true,
        }
    }

    fn label(&self) -> &'static str {
        match self.what {
            What::Kind(kind) => kind.label(),
            What::Digits | What::Hidden => DIGITS,
        }
    }
}

/// All that one side said.
#[derive(Debug)]
struct Part {
    pieces: Vec<Piece>,
    words: Vec<String>,
    runs: Vec<Run>,
    /// Between each piece and the one before, in the same line.
    gaps: Vec<String>,
    /// What the other side asked before each line.
    asked: Vec<Vec<Topic>>,
    terms: Terms,
    is_open: bool,
}

impl Part {
    fn new(lines: &[Said], side: Side, terms: Terms, is_open: bool) -> Self {
        let (mut all, mut gaps, mut asked) = (Vec::new(), Vec::new(), Vec::new());
        let mut question: Vec<Topic> = Vec::new();
        for (line, said) in lines.iter().enumerate() {
            asked.push(question.clone());
            if said.text.is_empty() {
                continue;
            }
            let own = pieces(line, &said.text);
            if said.side != side {
                let named = |topic: &Topic| topic.named(&own).is_some();
                question = TOPICS.into_iter().filter(named).collect();
                continue;
            }
            let mut end = None;
            for piece in own {
                let gap = end.and_then(|end| said.text.get(end..piece.at.start));
                gaps.push(gap.unwrap_or(" ").to_owned());
                end = Some(piece.at.end);
                all.push(piece);
            }
        }
        let runs = runs(&all, &terms);
        let word = |piece: &Piece| match piece.sort {
            Sort::Word | Sort::Capitals => piece.word.clone(),
            Sort::Date | Sort::Time => String::new(),
        };
        let words = all.iter().map(word).collect();
        Self { pieces: all, words, runs, gaps, asked, terms, is_open }
    }

    fn sheet(&self) -> Sheet<'_> {
        Sheet {
            pieces: &self.pieces,
            words: &self.words,
            runs: &self.runs,
            terms: self.terms,
            is_open: self.is_open,
            gaps: &self.gaps,
            asked: &self.asked,
        }
    }

    /// All that is of one of the kinds. Each piece is of one: what carries a check goes before what
    /// does not.
    fn found(&self) -> Vec<Found> {
        let sheet = self.sheet();
        let mut all: Vec<Found> = Vec::new();
        let kinds: [(Kind, fn(&Sheet<'_>) -> Vec<Range<usize>>); 5] = [
            (Kind::Iban, iban::found),
            (Kind::Card, card::found),
            (Kind::Email, email::found),
            (Kind::BirthDate, birth::found),
            (Kind::PhoneNumber, phone::found),
        ];
        for (kind, finder) in kinds {
            for pieces in finder(&sheet) {
                if !overlaps(&all, &pieces) {
                    all.push(Found { pieces, what: What::Kind(kind) });
                }
            }
        }
        all
    }

    /// The digits of cards and accounts that are covered: parts of them are said again.
    fn numbers(&self, found: &[Found], masks: Masks) -> Vec<String> {
        let secret = |it: &&Found| {
            matches!(it.what, What::Kind(Kind::Card | Kind::Iban)) && it.is_covered(masks)
        };
        let digits = |it: &Found| {
            let within = self.runs.iter().flat_map(|run| &run.elements);
            let within = within.filter(|element| it.pieces.contains(&element.pieces.start));
            within.map(|element| element.digits.as_str()).collect::<String>()
        };
        found.iter().filter(secret).map(digits).filter(|it| it.len() > FEWEST_AGAIN).collect()
    }

    /// What is said once more of digits that are covered.
    fn again(&self, found: &[Found], hidden: &[String]) -> Vec<Found> {
        let is_hidden = |run: &&Run| {
            let digits = run.digits();
            hidden.iter().any(|secret| {
                digits == *secret
                    || secret.len() >= FEWEST_WITHIN && digits.contains(secret.as_str())
                    || digits.len() >= FEWEST_AGAIN && secret.contains(&digits)
            })
        };
        let runs = self.runs.iter().filter(is_hidden).map(Run::pieces);
        let runs = runs.filter(|pieces| !overlaps(found, pieces));
        runs.map(|pieces| Found { pieces, what: What::Hidden }).collect()
    }

    /// Digits at the end of the last line that may become a number with the next one.
    fn open_tail(&self, found: &[Found], masks: Masks) -> Option<Found> {
        let numbers = [Kind::Card, Kind::Iban, Kind::PhoneNumber];
        let wanted = self.is_open && numbers.into_iter().any(|kind| masks.has(kind));
        let run = self.runs.last().filter(|_| wanted)?;
        let pieces = run.pieces();
        let behind = self.words.get(pieces.end..)?;
        let is_last = behind.len() <= 4 && super::run::filler(behind) == behind.len();
        let grows = is_last && run.digits().len() >= FEWEST_AGAIN && !overlaps(found, &pieces);
        grows.then_some(Found { pieces, what: What::Digits })
    }

    /// Covers something in each line where it stands.
    fn cover(&self, found: &Found, covers: &mut [Vec<Cover>]) {
        let pieces = self.pieces.get(found.pieces.clone()).unwrap_or_default();
        for of_line in pieces.chunk_by(|one, other| one.line == other.line) {
            let (Some(first), Some(last)) = (of_line.first(), of_line.last()) else { continue };
            if let Some(covers) = covers.get_mut(first.line) {
                covers.push((first.at.start..last.at.end, found.label()));
            }
        }
    }
}

fn overlaps(found: &[Found], pieces: &Range<usize>) -> bool {
    found.iter().any(|it| it.pieces.start < pieces.end && pieces.start < it.pieces.end)
}

/// A line with its covers.
fn written(text: &str, mut covers: Vec<Cover>) -> String {
    covers.sort_by_key(|(at, _)| at.start);
    let (mut out, mut from) = (String::with_capacity(text.len()), 0);
    for (at, label) in covers {
        let Some(before) = text.get(from..at.start) else { continue };
        out.push_str(before);
        out.push_str(label);
        from = at.end;
    }
    out.push_str(text.get(from..).unwrap_or_default());
    out
}

/// What stands in the place of digits of which it is not known what they are.
pub const DIGITS: &str = "[digits]";

const TOPICS: [Topic; 6] =
    [Topic::Card, Topic::CardCode, Topic::Account, Topic::Phone, Topic::Birth, Topic::Email];

/// How many lines are remembered while a conversation goes on.
const MOST_LINES: usize = 16;

/// How many lines are looked at together.
const MOST_AT_ONCE: usize = 2_000;

/// Digits that are said again and are a part of a number that is covered.
const FEWEST_AGAIN: usize = 4;

/// Shorter ones are not looked for within others.
const FEWEST_WITHIN: usize = 6;

/// Shorter ones are not looked for at all.
const FEWEST_HIDDEN: usize = 3;

const MOST_SECRETS: usize = 64;
