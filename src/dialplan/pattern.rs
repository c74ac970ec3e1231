//! Patterns of numbers, as a route writes them: exact, prefix, range, Asterisk, regular expression.

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use regex::bytes::{Regex, RegexBuilder};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::base::number::Number;
use crate::base::units;

/// What a number is compared with. A number is looked at as it was dialled and, when it can be
/// read as one, in its E.164 form; it is enough when one of the two fits.
#[derive(Debug, Clone, JsonSchema)]
#[schemars(with = "String")]
pub struct Match {
    text: String,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    Exact(Option<Number>),
    Prefix(String),
    Range(Range),
    Asterisk(Vec<Symbol>),
    Regex(Regex),
    /// A list by its name, and what it holds once that is known.
    List(String, Option<Arc<NumberList>>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Range {
    head: String,
    digits: usize,
    first: u64,
    last: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Symbol {
    Literal(char),
    OneOf(Vec<(char, char)>),
    Rest { at_least: usize },
}

/// Why a text is not a pattern: one sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotAPattern(String);

impl Match {
    /// The pattern as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether `dialled` fits.
    pub fn matches(&self, dialled: &str) -> bool {
        self.takes(&Dialled::new(dialled))
    }

    /// Whether a number that was read fits.
    pub fn takes(&self, dialled: &Dialled<'_>) -> bool {
        let number = dialled.number.as_ref();
        match (&self.kind, number) {
            (Kind::Exact(Some(wanted)), Some(number)) => wanted == number,
            (Kind::List(_, list), _) => {
                list.as_ref().is_some_and(|list| list.holds(dialled.text, number))
            }
            _ => self.fits(dialled.text) || number.is_some_and(|it| self.fits(it.to_e164())),
        }
    }

    /// Whether it is a single number.
    pub fn is_exact(&self) -> bool {
        matches!(self.kind, Kind::Exact(_))
    }

    /// The number that it is, in E.164 if it can be, or else as it was written.
    pub fn exact(&self) -> Option<&str> {
        match &self.kind {
            Kind::Exact(Some(number)) => Some(number.to_e164()),
            Kind::Exact(None) => Some(&self.text),
            _ => None,
        }
    }

    /// The name of the list that it is.
    pub fn list(&self) -> Option<&str> {
        match &self.kind {
            Kind::List(name, _) => Some(name),
            _ => None,
        }
    }

    /// Tells what the list holds.
    pub fn hold(&mut self, numbers: Arc<NumberList>) {
        if let Kind::List(_, list) = &mut self.kind {
            *list = Some(numbers);
        }
    }

    /// Whether every number that `other` fits is sure to fit this one too. `false` when nobody
    /// can tell.
    pub fn covers(&self, other: &Self) -> bool {
        match (&self.kind, &other.kind) {
            (Kind::Prefix(ours), _) if ours.is_empty() => true,
            (_, Kind::Exact(Some(number))) => self.matches(number.to_e164()),
            (_, Kind::Exact(None)) => self.matches(&other.text),
            (Kind::Prefix(ours), Kind::Prefix(theirs)) => theirs.starts_with(ours),
            (Kind::Prefix(ours), Kind::Range(theirs)) => theirs.head.starts_with(ours),
            (Kind::Range(ours), Kind::Range(theirs)) => {
                (&ours.head, ours.digits) == (&theirs.head, theirs.digits)
                    && ours.first <= theirs.first
                    && theirs.last <= ours.last
            }
            (
                Kind::Exact(_)
                | Kind::Prefix(_)
                | Kind::Range(_)
                | Kind::Asterisk(_)
                | Kind::Regex(_)
                | Kind::List(..),
                Kind::Prefix(_)
                | Kind::Range(_)
                | Kind::Asterisk(_)
                | Kind::Regex(_)
                | Kind::List(..),
            ) => self.text == other.text,
        }
    }

    /// Some numbers that fit, for lints; none when nobody can tell.
    pub fn examples(&self) -> Vec<String> {
        match &self.kind {
            Kind::Exact(_) => vec![self.text.clone()],
            Kind::Prefix(prefix) => vec![prefix.clone()],
            Kind::Range(Range { head, digits, first, last }) => {
                vec![format!("{head}{first:0digits$}"), format!("{head}{last:0digits$}")]
            }
            Kind::Asterisk(_) | Kind::Regex(_) | Kind::List(..) => Vec::new(),
        }
    }

    fn fits(&self, form: &str) -> bool {
        match &self.kind {
            Kind::Exact(_) => self.text == form,
            Kind::Prefix(prefix) => form.starts_with(prefix),
            Kind::Range(range) => range.holds(form),
            Kind::Asterisk(symbols) => symbols_fit(symbols, form),
            Kind::Regex(regex) => regex.is_match(form.as_bytes()),
            Kind::List(..) => false,
        }
    }
}

/// A number as it was dialled, and in its E.164 form when it can be read as one.
#[derive(Debug, Clone)]
pub struct Dialled<'a> {
    /// As it was dialled.
    pub text: &'a str,
    /// The number that it is.
    pub number: Option<Number>,
}

impl<'a> Dialled<'a> {
    /// Reads a number.
    pub fn new(text: &'a str) -> Self {
        Self { text, number: Number::from_dialled(text) }
    }
}

/// The numbers of a list, found at once however many there are.
#[derive(Clone, Default, PartialEq)]
pub struct NumberList {
    exact: HashSet<String>,
    patterns: Vec<Match>,
}

impl NumberList {
    /// Adds a number or a pattern.
    pub fn add(&mut self, pattern: Match) {
        if pattern.is_exact() {
            let number = Number::from_dialled(pattern.text());
            let text =
                number.map_or_else(|| pattern.text().to_owned(), |it| it.to_e164().to_owned());
            self.exact.insert(text);
        } else {
            self.patterns.push(pattern);
        }
    }

    /// Whether it holds a number, as dialled or in its E.164 form.
    pub fn holds(&self, dialled: &str, number: Option<&Number>) -> bool {
        self.exact.contains(dialled)
            || number.is_some_and(|number| self.exact.contains(number.to_e164()))
            || self.patterns.iter().any(|pattern| pattern.matches(dialled))
    }

    /// How many numbers and patterns there are.
    pub fn len(&self) -> usize {
        self.exact.len() + self.patterns.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Numbers are personal data.
impl fmt::Debug for NumberList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} numbers", self.len())
    }
}

impl Range {
    /// Reads `+49711123450..99`: the digits after the dots replace the last digits before them.
    fn parse(from: &str, to: &str) -> Result<Self, NotAPattern> {
        let digits = to.len();
        let split = from.len().checked_sub(digits).filter(|split| from.is_char_boundary(*split));
        let (Some(split), 1..=15) = (split, digits) else {
            return Err(wrong(format!(
                "the end of the range `{from}..{to}` must be 1 to 15 digits, and no longer than its \
                 beginning"
            )));
        };
        let (head, first) = from.split_at(split);
        let (Some(first), Some(last)) = (number_in(first), number_in(to)) else {
            return Err(wrong(format!(
                "`{from}..{to}` is a range of digits, and has other letters"
            )));
        };
        if first > last {
            return Err(wrong(format!(
                "the range `{from}..{to}` ends before it begins: `{to}` stands for the last \
                 {digits} digits, and they begin at {first:0digits$}"
            )));
        }
        Ok(Self { head: head.to_owned(), digits, first, last })
    }

    fn holds(&self, form: &str) -> bool {
        form.strip_prefix(&self.head)
            .filter(|rest| rest.len() == self.digits)
            .and_then(number_in)
            .is_some_and(|value| (self.first..=self.last).contains(&value))
    }
}

impl FromStr for Match {
    type Err = NotAPattern;

    fn from_str(text: &str) -> Result<Self, NotAPattern> {
        if text.is_empty() || text.len() > LONGEST {
            return Err(wrong(format!("a pattern has 1 to {LONGEST} letters")));
        }
        let kind = if let Some(expression) = text.strip_prefix("re:") {
            Kind::Regex(compile(expression)?)
        } else if let Some(name) = text.strip_prefix("list:") {
            Kind::List(name.to_owned(), None)
        } else if let Some(symbols) = text.strip_prefix('_') {
            Kind::Asterisk(symbols_in(symbols)?)
        } else if let Some((from, to)) = text.split_once("..") {
            Kind::Range(Range::parse(from, to)?)
        } else if let Some(prefix) = text.strip_suffix('*') {
            Kind::Prefix(prefix.to_owned())
        } else {
            Kind::Exact(Number::from_dialled(text))
        };
        Ok(Self { text: text.to_owned(), kind })
    }
}

impl PartialEq for Match {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Match {}

impl fmt::Display for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Match {
    fn deserialize<D: serde::Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        units::parsed(source)
    }
}

/// Reads an Asterisk pattern without its underscore: N 2-9, Z 1-9, X 0-9, `[1-57]`, and at the end
/// `.` for one or more and `!` for any number of further letters.
fn symbols_in(text: &str) -> Result<Vec<Symbol>, NotAPattern> {
    let mut symbols = Vec::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        symbols.push(match letter {
            'X' | 'x' => Symbol::OneOf(vec![('0', '9')]),
            'Z' | 'z' => Symbol::OneOf(vec![('1', '9')]),
            'N' | 'n' => Symbol::OneOf(vec![('2', '9')]),
            '[' => Symbol::OneOf(set_in(&mut letters)?),
            '.' => Symbol::Rest { at_least: 1 },
            '!' => Symbol::Rest { at_least: 0 },
            other => Symbol::Literal(other),
        });
        if matches!(symbols.last(), Some(Symbol::Rest { .. })) && !letters.as_str().is_empty() {
            return Err(wrong(format!(
                "`{letter}` must be the last letter of the pattern `_{text}`"
            )));
        }
    }
    if symbols.is_empty() {
        return Err(wrong("the pattern `_` has nothing to match".to_owned()));
    }
    Ok(symbols)
}

/// Reads the rest of `[1-57]`, up to and with the bracket that closes it.
fn set_in(letters: &mut std::str::Chars<'_>) -> Result<Vec<(char, char)>, NotAPattern> {
    let open = || wrong("a `[` in the pattern is never closed by `]`".to_owned());
    let (inside, rest) = letters.as_str().split_once(']').ok_or_else(open)?;
    *letters = rest.chars();
    let mut ranges = Vec::new();
    let mut inside_letters = inside.chars().peekable();
    while let Some(first) = inside_letters.next() {
        let last = match inside_letters.next_if_eq(&'-') {
            Some(_) => inside_letters.next().ok_or_else(|| backwards(inside))?,
            None => first,
        };
        if first > last {
            return Err(backwards(inside));
        }
        ranges.push((first, last));
    }
    if ranges.is_empty() {
        return Err(wrong("the set `[]` in the pattern is empty".to_owned()));
    }
    Ok(ranges)
}

fn symbols_fit(symbols: &[Symbol], form: &str) -> bool {
    let mut letters = form.chars();
    for symbol in symbols {
        let fits = match symbol {
            Symbol::Rest { at_least } => return letters.count() >= *at_least,
            Symbol::Literal(wanted) => letters.next() == Some(*wanted),
            Symbol::OneOf(ranges) => letters.next().is_some_and(|letter| {
                ranges.iter().any(|(first, last)| (*first..=*last).contains(&letter))
            }),
        };
        if !fits {
            return false;
        }
    }
    letters.next().is_none()
}

/// Compiles a regular expression that runs in linear time and knows ASCII only: `\d` is 0-9.
fn compile(expression: &str) -> Result<Regex, NotAPattern> {
    RegexBuilder::new(expression).unicode(false).size_limit(LARGEST_REGEX).build().map_err(|why| {
        let why = why.to_string();
        let reason = why.lines().last().unwrap_or_default().trim_start_matches("error: ");
        wrong(format!("`{expression}` is not a regular expression: {reason}"))
    })
}

fn number_in(digits: &str) -> Option<u64> {
    let fits = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    fits.then(|| digits.parse().ok()).flatten()
}

fn wrong(sentence: String) -> NotAPattern {
    NotAPattern(sentence)
}

fn backwards(inside: &str) -> NotAPattern {
    wrong(format!("the set `[{inside}]` in the pattern has a range that does not go upwards"))
}

/// The longest pattern, in octets.
const LONGEST: usize = 256;

/// The most memory that a compiled regular expression may take, in octets.
const LARGEST_REGEX: usize = 1 << 18;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pattern(text: &str) -> Match {
        text.parse().expect(text)
    }

    #[test]
    fn each_kind_of_pattern_fits_what_it_should() {
        let table: &[(&str, &[&str], &[&str])] = &[
            ("+4971112345", &["+4971112345", "0049 711-12345"], &["4971112345", "+49711123450"]),
            ("101", &["101"], &["1010", "+101"]),
            ("anonymous", &["anonymous"], &["Anonymous"]),
            ("+4971112345*", &["+4971112345", "+497111234599", "004971112345"], &["+497111234"]),
            ("0711*", &["0711", "071199"], &["+49711"]),
            ("*", &["", "anything", "+4971112345"], &[]),
            (
                "+49711123450..99",
                &["+49711123450", "+49711123499"],
                &["+49711123449", "+497111234500"],
            ),
            ("100..199", &["100", "150", "199"], &["99", "200", "1000", "1x0"]),
            ("_9XX", &["900", "999"], &["99", "9000", "90a", "800"]),
            ("_NZX", &["210", "999"], &["110", "209"]),
            ("_[1-37]X", &["10", "39", "75"], &["40", "80"]),
            ("_0.", &["01", "0711"], &["0", "1"]),
            ("_0!", &["0", "01"], &["1"]),
            ("_+49X.", &["+49711", "0049711"], &["+43711"]),
            (r"re:^\+49", &["+49711", "0049711"], &["+43711", "1+49"]),
            (r"re:^\d{3}$", &["123"], &["12", "1234", "١٢٣"]),
        ];
        for (text, fitting, other) in table {
            let pattern = pattern(text);
            for number in *fitting {
                assert!(pattern.matches(number), "{text} should fit {number}");
            }
            for number in *other {
                assert!(!pattern.matches(number), "{text} should not fit {number}");
            }
        }
    }

    #[test]
    fn a_wrong_pattern_is_refused_with_a_reason() {
        let table = [
            ("", "1 to 256"),
            ("+49711123450..49", "ends before it begins"),
            ("+4971112345..", "1 to 15 digits"),
            ("12..ab", "range of digits"),
            ("é..99", "range of digits"),
            ("_", "nothing to match"),
            ("_9.X", "last letter"),
            ("_[1-", "never closed"),
            ("_[9-1]", "upwards"),
            ("_[]", "empty"),
            ("re:(", "unclosed group"),
            ("re:(a{1000}){1000}", "limit"),
        ];
        for (text, reason) in table {
            let why = text.parse::<Match>().expect_err(text).to_string();
            assert!(why.contains(reason), "{text}: {why}");
        }
    }

    #[test]
    fn a_wider_pattern_covers_a_narrower_one() {
        for (wide, narrow) in [
            ("*", "re:^1"),
            ("+497111234*", "+49711123450..99"),
            ("+49*", "+49711*"),
            ("+49711123450..99", "+49711123450"),
            ("+49711123400..99", "+49711123450..60"),
            ("_9XX", "911"),
            ("re:^1", "110"),
            ("_9XX", "_9XX"),
            ("+4971112345", "004971112345"),
        ] {
            assert!(pattern(wide).covers(&pattern(narrow)), "{wide} covers {narrow}");
        }
        for (narrow, wide) in [
            ("+49711*", "+49*"),
            ("+49711123450..60", "+49711123400..99"),
            ("911", "_9XX"),
            ("0049*", "+4971112345"),
            ("_9XX", "_XXX"),
        ] {
            assert!(!pattern(narrow).covers(&pattern(wide)), "{narrow} does not cover {wide}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn no_pattern_and_no_number_makes_it_panic(
            text in r"(_|re:|list:)?[+0-9XNZ\[\]\-.!*()é\\]{0,20}",
            number in r"[+0-9a-zé*. -]{0,20}",
        ) {
            if let Ok(pattern) = text.parse::<Match>() {
                pattern.matches(&number);
                prop_assert!(pattern.covers(&pattern));
            }
        }

        #[test]
        fn what_a_covered_pattern_fits_the_covering_one_fits(
            wide in r"(\+49[0-9]{0,2}\*|_\+?4X.|[0-9]{2}..[0-9]{2}|[0-9]{1,3}|0049[0-9]{3}|_0.)",
            narrow in r"(\+49[0-9]{0,2}\*|_\+?4X.|[0-9]{2}..[0-9]{2}|[0-9]{1,3}|0049[0-9]{3}|_0.)",
            number in r"(\+49|0049|)[0-9]{1,3}",
        ) {
            if let (Ok(wide), Ok(narrow)) = (wide.parse::<Match>(), narrow.parse::<Match>())
                && wide.covers(&narrow) && narrow.matches(&number)
            {
                prop_assert!(wide.matches(&number), "{wide} covers {narrow}, yet not {number}");
            }
        }
    }
}
