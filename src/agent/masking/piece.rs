//! The pieces of a text: words, digits, dates and times, each with the place where it stands.

use std::ops::Range;

/// A piece of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The place of its line among all.
    pub line: usize,
    /// Where it stands in the line, in octets.
    pub at: Range<usize>,
    /// In lower case; digits as they stand.
    pub word: String,
    /// What it is.
    pub sort: Sort,
}

/// What a piece is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// Letters, digits, or both.
    Word,
    /// Letters that were all written large.
    Capitals,
    /// A date in digits: `12.03.1985`, `1985-03-12`.
    Date,
    /// A time of day in digits: `10:30`.
    Time,
}

/// Splits a line.
pub fn pieces(line: usize, text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let before = text.get(..at).unwrap_or_default();
        let inside = before.strip_suffix(['.', '/', '-']).unwrap_or_default();
        let begins = !inside.ends_with(|c: char| c.is_ascii_digit());
        let (length, sort) = piece(rest, begins);
        if let Some(sort) = sort {
            let raw = rest.get(..length).unwrap_or_default();
            pieces.push(Piece { line, at: at..at + length, word: plain(raw), sort });
        }
        at += length;
    }
    pieces
}

/// How long the first piece of a text is, and what; nothing where none begins. No date begins
/// behind digits and their mark.
fn piece(text: &str, begins: bool) -> (usize, Option<Sort>) {
    let Some(first) = text.chars().next() else { return (1, None) };
    if matches!(first, '+' | '@') {
        return (1, Some(Sort::Word));
    }
    if !first.is_alphanumeric() {
        return (first.len_utf8(), None);
    }
    if let Some(length) = date(text).filter(|_| begins) {
        return (length, Some(Sort::Date));
    }
    if let Some(length) = time(text) {
        return (length, Some(Sort::Time));
    }
    let inner = |c: char| c.is_alphanumeric() || matches!(c, '\'' | '’');
    let length = text.find(|c: char| !inner(c)).unwrap_or(text.len());
    let word = text.get(..length).unwrap_or_default();
    let large = word.chars().all(|c| c.is_ascii_uppercase());
    (length, Some(if large { Sort::Capitals } else { Sort::Word }))
}

/// In lower case; `3rd` is a 3, and `+` a plus.
fn plain(raw: &str) -> String {
    let word = raw.to_lowercase();
    let digits = word.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let ending = word.strip_prefix(digits).unwrap_or_default();
    let is_ordinal = matches!(ending, "st" | "nd" | "rd" | "th") && (1..=2).contains(&digits.len());
    match word.as_str() {
        "+" => "plus".to_owned(),
        _ if is_ordinal => digits.to_owned(),
        _ => word,
    }
}

/// The length of a date in digits at the start of a text.
fn date(text: &str) -> Option<usize> {
    let (first, rest) = digits(text)?;
    let mark = rest.chars().next().filter(|mark| matches!(mark, '.' | '/' | '-'))?;
    let (second, rest) = digits(rest.strip_prefix(mark)?)?;
    let (third, rest) = digits(rest.strip_prefix(mark)?)?;
    let small = |part: &str, most: u8| part.parse::<u8>().is_ok_and(|it| (1..=most).contains(&it));
    let fits = match (first.len(), second.len(), third.len()) {
        (4, 1..=2, 1..=2) => small(second, 12) && small(third, 31),
        (1..=2, 1..=2, 2 | 4) => small(first, 31) && small(second, 31),
        _ => false,
    };
    let goes_on = rest.strip_prefix(mark).is_some_and(|it| digits(it).is_some());
    (fits && !goes_on).then(|| text.len() - rest.len())
}

/// The length of a time of day in digits at the start of a text.
fn time(text: &str) -> Option<usize> {
    let (hours, rest) = digits(text)?;
    let (minutes, rest) = digits(rest.strip_prefix(':')?)?;
    let fits = hours.len() <= 2 && minutes.len() == 2;
    fits.then(|| text.len() - rest.len())
}

fn digits(text: &str) -> Option<(&str, &str)> {
    let length = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    (length > 0).then(|| text.split_at(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_split_where_words_end() {
        let words = |text: &str| {
            let pieces = pieces(0, text).into_iter();
            pieces.map(|it| (it.word, it.sort)).collect::<Vec<_>>()
        };
        let word = |text: &str| (text.to_owned(), Sort::Word);
        assert_eq!(words("It's 4111-1111."), [word("it's"), word("4111"), word("1111")]);
        assert_eq!(words("+49 711"), [word("plus"), word("49"), word("711")]);
        assert_eq!(
            words("am 12.03.1985 um 10:30"),
            [
                word("am"),
                ("12.03.1985".to_owned(), Sort::Date),
                word("um"),
                ("10:30".to_owned(), Sort::Time)
            ]
        );
        assert_eq!(words("3rd DE89"), [word("3"), word("de89")]);
        assert_eq!(words("07.11.12.34"), [word("07"), word("11"), word("12"), word("34")]);
    }
}
