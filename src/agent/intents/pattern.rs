//! The phrase language: `[optional]`, `(one|other)`, `{slot}` and `{slot:type}`; and how a phrase
//! walks over the words of a transcript.

use std::fmt::Write;

use super::tokens;
use super::tongue::Tongue;

/// A phrase as a tree. Its depth is bounded by the parser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pattern {
    /// One word.
    Word(String),
    /// A value of the slot with this name.
    Slot {
        /// Its name.
        name: String,
        /// What was written after the colon.
        kind: Option<String>,
        /// The byte position of the name, for messages.
        at: usize,
    },
    /// All of these, one after the other.
    All(Vec<Pattern>),
    /// One of these.
    One(Vec<Pattern>),
    /// This or nothing.
    Maybe(Box<Pattern>),
}

/// Why a text is not a phrase.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct PatternError {
    /// The byte position in the phrase.
    pub at: usize,
    /// What is wrong there.
    pub problem: Problem,
}

/// What can be wrong in a phrase.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Nothing must be said.
    #[error("the phrase is empty, or everything in it is optional")]
    Empty,
    /// An alternative without words.
    #[error("an alternative is empty; write [ ] around what may be left out")]
    EmptyAlternative,
    /// An opening bracket without its partner.
    #[error("this `{0}` is never closed")]
    Unclosed(char),
    /// A closing bracket without its partner.
    #[error("this `{0}` closes nothing")]
    Unopened(char),
    /// A bar outside of brackets.
    #[error("`|` needs brackets around the alternatives: (one|other)")]
    BareBar,
    /// A slot that does not read.
    #[error("a slot looks like {{day:weekday}}: a name of a-z, 0-9 and _, then its type")]
    Slot,
    /// A character that nobody says.
    #[error("`{0}` cannot be spoken; write it as a word")]
    Unspeakable(char),
    /// Too many brackets in brackets.
    #[error("brackets are nested deeper than {MOST_DEPTH}")]
    TooDeep,
    /// Too much in one phrase.
    #[error("the phrase is longer than {MOST_BYTES} bytes; split it in two")]
    TooLong,
}

/// How far a phrase came over some words, and what its slots took.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reach {
    /// The number of words that are used up.
    pub at: usize,
    /// Slots and their values.
    pub slots: Vec<(String, String)>,
}

/// Reads the value of a slot at the start of some words: all lengths that make sense.
pub type ReadSlot<'a> = dyn Fn(&str, &[String]) -> Vec<(usize, String)> + 'a;

/// A part of one way to say a phrase.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// A word.
    Word(String),
    /// A value of a slot.
    Slot(String),
}

/// The deepest nesting of brackets.
const MOST_DEPTH: usize = 6;

/// The longest phrase.
const MOST_BYTES: usize = 600;

impl Pattern {
    /// Parses a phrase.
    ///
    /// # Errors
    /// With the byte position and a sentence for the operator.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        if text.len() > MOST_BYTES {
            return Err(PatternError { at: MOST_BYTES, problem: Problem::TooLong });
        }
        let pattern = Parser::new(text).run()?;
        if pattern.can_be_empty() {
            return Err(PatternError { at: 0, problem: Problem::Empty });
        }
        Ok(pattern)
    }

    /// Parses a phrase that stands in this program: of any length, and never wrong.
    pub fn built_in(text: &str) -> Self {
        Parser::new(text).run().expect("the phrases in this program are tested")
    }

    /// The same phrase over plain words as `tokens` gives them.
    #[must_use]
    pub fn plain(&self, tongue: Tongue) -> Self {
        self.reworded(&|word| tokens::tokens(word, tongue))
    }

    /// The same phrase over the words that a recogniser knows: contractions stay whole.
    #[must_use]
    pub fn spoken(&self, tongue: Tongue) -> Self {
        self.reworded(&|word| tokens::spoken_words(word, tongue))
    }

    /// Whether nothing at all fits.
    pub fn can_be_empty(&self) -> bool {
        match self {
            Self::Word(_) | Self::Slot { .. } => false,
            Self::All(parts) => parts.iter().all(Self::can_be_empty),
            Self::One(ways) => ways.iter().any(Self::can_be_empty),
            Self::Maybe(_) => true,
        }
    }

    /// All nodes of the tree, this one first.
    pub fn nodes(&self) -> Vec<&Self> {
        let mut nodes = vec![self];
        let mut next = 0;
        while let Some(node) = nodes.get(next).copied() {
            match node {
                Self::Word(_) | Self::Slot { .. } => {}
                Self::All(parts) | Self::One(parts) => nodes.extend(parts),
                Self::Maybe(part) => nodes.push(part),
            }
            next += 1;
        }
        nodes
    }

    /// The ways to say it, at most `most` of them, the fullest ones first.
    pub fn ways(&self, most: usize) -> Vec<Vec<Part>> {
        match self {
            Self::Word(word) => vec![vec![Part::Word(word.clone())]],
            Self::Slot { name, .. } => vec![vec![Part::Slot(name.clone())]],
            Self::One(ways) => ways.iter().flat_map(|way| way.ways(most)).take(most).collect(),
            Self::Maybe(part) => {
                let mut ways = part.ways(most.saturating_sub(1));
                ways.push(Vec::new());
                ways
            }
            Self::All(parts) => {
                let mut ways: Vec<Vec<Part>> = vec![Vec::new()];
                for part in parts {
                    let next = part.ways(most);
                    ways = ways
                        .iter()
                        .flat_map(|way| next.iter().map(move |more| [&way[..], &more[..]].concat()))
                        .take(most)
                        .collect();
                }
                ways
            }
        }
    }

    /// Writes the phrase in JSGF; slots become references to the rule that `rule` names.
    pub fn jsgf(&self, rule: &dyn Fn(&str) -> String) -> String {
        let list = |parts: &[Self], between: &str| {
            let parts: Vec<String> = parts.iter().map(|part| part.jsgf(rule)).collect();
            parts.join(between)
        };
        match self {
            Self::Word(word) => word.clone(),
            Self::Slot { name, .. } => format!("<{}>", rule(name)),
            Self::All(parts) => list(parts, " "),
            Self::One(ways) => format!("({})", list(ways, " | ")),
            Self::Maybe(part) => format!("[{}]", part.jsgf(rule)),
        }
    }

    /// Walks over `tokens` from each of `from`; gives every place that can be reached, one for
    /// each number of words.
    pub fn walk(&self, tokens: &[String], from: Vec<Reach>, read: &ReadSlot<'_>) -> Vec<Reach> {
        match self {
            Self::Word(word) => from
                .into_iter()
                .filter(|reach| tokens.get(reach.at) == Some(word))
                .map(|reach| Reach { at: reach.at + 1, ..reach })
                .collect(),
            Self::Slot { name, .. } => {
                let mut reached = Vec::new();
                for reach in from {
                    let rest = tokens.get(reach.at..).unwrap_or_default();
                    for (length, value) in read(name, rest) {
                        let mut slots = reach.slots.clone();
                        slots.push((name.clone(), value));
                        reached.push(Reach { at: reach.at + length, slots });
                    }
                }
                distinct(reached)
            }
            Self::All(parts) => parts.iter().fold(from, |from, part| part.walk(tokens, from, read)),
            Self::One(ways) => {
                distinct(ways.iter().flat_map(|way| way.walk(tokens, from.clone(), read)).collect())
            }
            Self::Maybe(part) => {
                let mut reached = part.walk(tokens, from.clone(), read);
                reached.extend(from);
                distinct(reached)
            }
        }
    }

    /// Walks over `tokens` from their start, without slots: the numbers of words that fit.
    pub fn lengths(&self, tokens: &[String]) -> Vec<usize> {
        let reached = self.walk(tokens, vec![Reach::default()], &|_, _| Vec::new());
        reached.into_iter().map(|reach| reach.at).collect()
    }

    fn reworded(&self, words: &dyn Fn(&str) -> Vec<String>) -> Self {
        let all = |parts: &[Self]| parts.iter().map(|part| part.reworded(words)).collect();
        match self {
            Self::Word(word) => {
                let mut words: Vec<Self> = words(word).into_iter().map(Self::Word).collect();
                if words.len() == 1 { words.remove(0) } else { Self::All(words) }
            }
            Self::Slot { .. } => self.clone(),
            Self::All(parts) => Self::All(all(parts)),
            Self::One(ways) => Self::One(all(ways)),
            Self::Maybe(part) => Self::Maybe(Box::new(part.reworded(words))),
        }
    }
}

/// Keeps one reach for each place: the one whose slots took most, else the first. So the work is
/// bounded by words times nodes.
fn distinct(reached: Vec<Reach>) -> Vec<Reach> {
    let mut kept: Vec<Reach> = Vec::new();
    for reach in reached {
        match kept.iter_mut().find(|other| other.at == reach.at) {
            None => kept.push(reach),
            Some(other) if other.slots.len() < reach.slots.len() => *other = reach,
            Some(_) => {}
        }
    }
    kept
}

/// Reads a phrase with an explicit stack of open brackets.
struct Parser<'a> {
    text: &'a str,
    at: usize,
    open: Vec<Open>,
}

/// An open bracket and what stands in it so far.
struct Open {
    bracket: Option<char>,
    at: usize,
    ways: Vec<Pattern>,
    parts: Vec<Pattern>,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, at: 0, open: vec![Open::new(None, 0)] }
    }

    fn run(mut self) -> Result<Pattern, PatternError> {
        while let Some(c) = self.rest().chars().next() {
            match c {
                '[' | '(' => self.open_bracket(c)?,
                ']' | ')' => self.close_bracket(c)?,
                '|' => {
                    let at = self.at;
                    let top = self.top();
                    if top.bracket.is_none() {
                        return Err(PatternError { at, problem: Problem::BareBar });
                    }
                    top.end_way(at)?;
                    self.at += 1;
                }
                '{' => self.slot()?,
                c if c.is_whitespace() || matches!(c, ',' | '.' | '?' | '!') => {
                    self.at += c.len_utf8();
                }
                _ => self.word()?,
            }
        }
        let last = self.open.pop().expect("the outermost bracket is never closed");
        match last.bracket {
            Some(bracket) => Err(PatternError { at: last.at, problem: Problem::Unclosed(bracket) }),
            None => Ok(all(last.parts)),
        }
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn top(&mut self) -> &mut Open {
        self.open.last_mut().expect("the outermost bracket is never closed")
    }

    fn open_bracket(&mut self, bracket: char) -> Result<(), PatternError> {
        if self.open.len() > MOST_DEPTH {
            return Err(PatternError { at: self.at, problem: Problem::TooDeep });
        }
        self.open.push(Open::new(Some(bracket), self.at));
        self.at += 1;
        Ok(())
    }

    fn close_bracket(&mut self, bracket: char) -> Result<(), PatternError> {
        let at = self.at;
        let fits = matches!((self.top().bracket, bracket), (Some('['), ']') | (Some('('), ')'));
        let unopened = PatternError { at, problem: Problem::Unopened(bracket) };
        if !fits {
            return Err(unopened);
        }
        let mut closed = self.open.pop().ok_or(unopened)?;
        closed.end_way(at)?;
        let ways = closed.ways;
        let group = if let [_] = &ways[..] { all(ways) } else { Pattern::One(ways) };
        self.top().parts.push(match bracket {
            ']' => Pattern::Maybe(Box::new(group)),
            _ => group,
        });
        self.at += 1;
        Ok(())
    }

    fn slot(&mut self) -> Result<(), PatternError> {
        let at = self.at + 1;
        let unclosed = PatternError { at: self.at, problem: Problem::Unclosed('{') };
        let length = self.rest().find('}').ok_or(unclosed)?;
        let inner = self.text.get(at..self.at + length).unwrap_or_default();
        let (name, kind) = match inner.split_once(':') {
            Some((name, kind)) => (name.trim(), Some(kind.trim())),
            None => (inner.trim(), None),
        };
        let name_fits = name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        if !name_fits || kind.is_some_and(|kind| kind.is_empty() || kind.contains('{')) {
            return Err(PatternError { at, problem: Problem::Slot });
        }
        let (name, kind) = (name.to_owned(), kind.map(str::to_owned));
        self.top().parts.push(Pattern::Slot { name, kind, at });
        self.at += length + 1;
        Ok(())
    }

    fn word(&mut self) -> Result<(), PatternError> {
        let rest = self.rest();
        let ends = |c: char| c.is_whitespace() || "[](){}|,.?!".contains(c);
        let word = &rest[..rest.find(ends).unwrap_or(rest.len())];
        let speakable = |c: char| c.is_alphanumeric() || matches!(c, '\'' | '’' | '-' | ':');
        match word.char_indices().find(|(_, c)| !speakable(*c)) {
            Some((offset, c)) => Err(PatternError {
                at: self.at + offset,
                problem: if c == '}' { Problem::Unopened(c) } else { Problem::Unspeakable(c) },
            }),
            None if word.is_empty() => {
                Err(PatternError { at: self.at, problem: Problem::Unopened('}') })
            }
            None => {
                let word = word.to_owned();
                self.at += word.len();
                if word.contains(char::is_alphanumeric) {
                    self.top().parts.push(Pattern::Word(word));
                }
                Ok(())
            }
        }
    }
}

impl Open {
    fn new(bracket: Option<char>, at: usize) -> Self {
        Self { bracket, at, ways: Vec::new(), parts: Vec::new() }
    }

    fn end_way(&mut self, at: usize) -> Result<(), PatternError> {
        if self.parts.is_empty() {
            return Err(PatternError { at, problem: Problem::EmptyAlternative });
        }
        self.ways.push(all(std::mem::take(&mut self.parts)));
        Ok(())
    }
}

/// One pattern for several in a row.
fn all(mut parts: Vec<Pattern>) -> Pattern {
    if parts.len() == 1 { parts.remove(0) } else { Pattern::All(parts) }
}

/// Draws an arrow under a place of a phrase, for messages: two lines.
pub fn pointed_at(phrase: &str, at: usize) -> String {
    let mut drawing = phrase.replace(['\n', '\t'], " ");
    let column = phrase.char_indices().take_while(|(index, _)| *index < at).count();
    let _ = write!(drawing, "\n{:column$}^", "");
    drawing
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn print(text: &str) -> String {
        Pattern::parse(text).expect(text).jsgf(&str::to_owned)
    }

    #[test]
    fn phrases_are_read() {
        for (text, jsgf) in [
            ("opening hours", "opening hours"),
            ("  when\tare you [open | there ] ?", "when are you [(open | there)]"),
            ("(a|b c|[d] e)", "(a | b c | [d] e)"),
            ("book {day:weekday} at {time}", "book <day> at <time>"),
            ("{what:oil change|new tires}", "<what>"),
            ("what's über-fein", "what's über-fein"),
        ] {
            assert_eq!(print(text), jsgf, "{text}");
        }
    }

    #[test]
    fn a_mistake_is_pointed_at() {
        for (text, at, problem) in [
            ("", 0, Problem::Empty),
            ("[please]", 0, Problem::Empty),
            ("book (a|b", 5, Problem::Unclosed('(')),
            ("book a]", 6, Problem::Unopened(']')),
            ("book (a]", 7, Problem::Unopened(']')),
            ("a | b", 2, Problem::BareBar),
            ("(a|)", 3, Problem::EmptyAlternative),
            ("a ()", 3, Problem::EmptyAlternative),
            ("on {Day}", 4, Problem::Slot),
            ("on {day:}", 4, Problem::Slot),
            ("on {day", 3, Problem::Unclosed('{')),
            ("on day}", 6, Problem::Unopened('}')),
            ("only 5€", 6, Problem::Unspeakable('€')),
            ("a <b>", 2, Problem::Unspeakable('<')),
            ("[[[[[[[a]]]]]]] b", 6, Problem::TooDeep),
        ] {
            assert_eq!(Pattern::parse(text), Err(PatternError { at, problem }), "{text}");
        }
        assert_eq!(pointed_at("für 5€", 5), "für 5€\n    ^");
    }

    #[test]
    fn a_phrase_walks_over_words() {
        let pattern = Pattern::parse("[please] (open|open up) [now]").expect("a phrase");
        let words = |text: &str| tokens::tokens(text, Tongue::English);
        assert_eq!(pattern.lengths(&words("please open up now then")), [4, 2, 3]);
        assert_eq!(pattern.lengths(&words("open")), [1]);
        assert!(pattern.lengths(&words("close")).is_empty());
    }

    #[test]
    fn the_ways_to_say_it_are_bounded() {
        let pattern = Pattern::parse(&"[(a|b)] ".repeat(60).replacen("[(a|b)]", "c", 1));
        assert_eq!(pattern.expect("a phrase").ways(64).len(), 64);
        let ways = Pattern::parse("a [b] {c:digit}").expect("a phrase").ways(9);
        assert_eq!(ways.len(), 2);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn no_text_breaks_the_parser(text in "[\\[\\](){}|:a-c {}ä€' ]{0,60}") {
            match Pattern::parse(&text) {
                Err(why) => prop_assert!(why.at <= text.len()),
                Ok(pattern) => {
                    prop_assert!(pattern.ways(50).len() <= 50);
                    let words = tokens::tokens(&text, Tongue::English);
                    let read = |_: &str, rest: &[String]| {
                        (1..=rest.len()).map(|length| (length, String::new())).collect()
                    };
                    let from = vec![Reach::default()];
                    let reached = pattern.plain(Tongue::English).walk(&words, from, &read);
                    prop_assert!(reached.iter().all(|reach| reach.at <= words.len()));
                }
            }
        }
    }
}
