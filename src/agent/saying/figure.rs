//! A number as it is written with digits: `1.234,56`, `1,234.56`, `-5`, `1'000`.

use crate::agent::intents::numerals;
use crate::agent::lexicon::cardinal;
use crate::agent::lexicon::locale::Locale;

/// A number with its sign and decimals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    /// Below zero.
    pub sign: Sign,
    /// What stands before the decimal mark.
    pub whole: u64,
    /// What stands behind it; may be empty.
    pub decimals: String,
}

/// The sign of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// None is written.
    None,
    /// A plus.
    Plus,
    /// A minus.
    Minus,
}

impl Figure {
    /// Reads a number; `None` if anything else stands in the text, or zeros before it.
    pub fn parse(text: &str, locale: Locale) -> Option<Self> {
        let (sign, digits) = match text.chars().next()? {
            '-' | '−' | '–' => (Sign::Minus, text.trim_start_matches(['-', '−', '–'])),
            '+' => (Sign::Plus, text.strip_prefix('+')?),
            _ => (Sign::None, text),
        };
        let starts_well = digits.starts_with(|c: char| c.is_ascii_digit())
            && digits.ends_with(|c: char| c.is_ascii_digit());
        if !starts_well || digits.len() > 24 {
            return None;
        }
        let (whole, decimals) = Self::parts(digits, locale)?;
        let leading_zero = whole.len() > 1 && whole.starts_with('0');
        let whole = whole.parse().ok().filter(|whole| *whole <= cardinal::MOST && !leading_zero)?;
        Some(Self { sign, whole, decimals: decimals.to_owned() })
    }

    /// Says it: `minus three point five`, `minus drei Komma fünf`.
    pub fn said(&self, locale: Locale) -> String {
        let tongue = locale.tongue;
        let sign = match self.sign {
            Sign::None => "",
            Sign::Plus => "plus ",
            Sign::Minus => "minus ",
        };
        let whole = cardinal::spell(self.whole, tongue);
        if self.decimals.is_empty() {
            return format!("{sign}{whole}");
        }
        let decimals = numerals::spell_digits(&self.decimals, tongue);
        format!("{sign}{whole} {} {decimals}", locale.pick("point", "Komma"))
    }

    /// Says it before the thing that is counted.
    pub fn counting(&self, feminine: bool, locale: Locale) -> String {
        if self.is_one() && self.sign == Sign::None {
            return cardinal::counting(1, feminine, locale.tongue);
        }
        self.said(locale)
    }

    /// Whether it is exactly one.
    pub fn is_one(&self) -> bool {
        self.whole == 1 && self.decimals.is_empty()
    }

    /// The digits before the decimal mark without separators, and those behind it.
    fn parts(digits: &str, locale: Locale) -> Option<(String, &str)> {
        let mark = locale.decimal_mark();
        let other = if mark == ',' { '.' } else { ',' };
        let (whole, decimals) = match digits.rsplit_once(mark) {
            Some((whole, decimals)) => (whole, decimals),
            // "3.5" in a German text is no thousand.
            None => match digits.split_once(other) {
                Some((whole, decimals)) if !is_grouped(digits, other) => (whole, decimals),
                Some(_) | None => (digits, ""),
            },
        };
        let separators = [other, '\'', '’', '\u{202f}', '\u{a0}'];
        let grouped = separators.into_iter().any(|separator| is_grouped(whole, separator));
        let plain = whole.bytes().all(|b| b.is_ascii_digit());
        let numeric = decimals.bytes().all(|b| b.is_ascii_digit());
        if !(plain || grouped) || !numeric || decimals.len() > MOST_DECIMALS {
            return None;
        }
        Some((whole.chars().filter(char::is_ascii_digit).collect(), decimals))
    }
}

/// Whether a text is digits in groups of three: `1.234.567`.
fn is_grouped(text: &str, separator: char) -> bool {
    let mut groups = text.split(separator);
    let first = groups.next().unwrap_or_default();
    let digits = |group: &str| group.bytes().all(|b| b.is_ascii_digit());
    let mut count = 0;
    let rest = groups.all(|group| {
        count += 1;
        group.len() == 3 && digits(group)
    });
    count > 0 && rest && (1..=3).contains(&first.len()) && digits(first)
}

const MOST_DECIMALS: usize = 9;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_by_the_habits_of_their_place() {
        let (english, german) = (Locale::american(), Locale::german());
        let swiss = Locale::of(&"de-CH".parse().expect("a language")).expect("a locale");
        for (text, locale, said) in [
            ("1,234.5", english, "one thousand two hundred thirty four point five"),
            ("1.234,5", german, "eintausendzweihundertvierunddreißig Komma fünf"),
            ("1.000", german, "eintausend"),
            ("1.000", english, "one point zero zero zero"),
            ("3.5", german, "drei Komma fünf"),
            ("3,5", english, "three point five"),
            ("-5", german, "minus fünf"),
            ("+3", english, "plus three"),
            ("1'000.05", swiss, "eintausend Komma null fünf"),
            ("0", english, "zero"),
        ] {
            let figure = Figure::parse(text, locale).expect(text);
            assert_eq!(figure.said(locale), said, "{text}");
        }
        for text in ["", "-", "007", "1.2.3", "12a", "1,23,4", "9999999999999999", "1-2", ".5"] {
            assert_eq!(Figure::parse(text, german), None, "{text}");
        }
    }
}
