//! Rows of digits as people say them: one by one, in pairs, "double five", "zwo", "oh".

use crate::agent::intents::tongue::Tongue;
use crate::agent::lexicon::cardinal;

/// A row of digits at the start of some words.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Row {
    /// The digits.
    pub digits: String,
    /// How many words they take.
    pub used: usize,
    /// Where a number of two words or a hundred stands, which may be two: "forty two" is 42, and
    /// 40 and 2. Another reading of the same words, if there is one.
    pub other: Option<String>,
}

/// Reads digits, at most `most`; what else stands between them is passed over if it says nothing.
pub fn row(words: &[String], most: usize, tongue: Tongue) -> Row {
    let mut row = Row::default();
    let mut other = String::new();
    let mut at = 0;
    while let Some(rest) = words.get(at..).filter(|rest| !rest.is_empty()) {
        let Some((used, digits, split)) = element(rest, !row.digits.is_empty(), tongue) else {
            let fill = filler(rest, tongue);
            if fill == 0 || row.digits.is_empty() || element_after(rest, fill, tongue).is_none() {
                break;
            }
            at += fill;
            continue;
        };
        if row.digits.len() + digits.len() > most {
            break;
        }
        row.digits.push_str(&digits);
        other.push_str(split.as_deref().unwrap_or(&digits));
        at += used;
        row.used = at;
    }
    row.other = (other != row.digits && other.len() <= most).then_some(other);
    row
}

/// One digit, or a number that stands for several: words used, digits, and another reading.
pub fn element(
    words: &[String],
    inside: bool,
    tongue: Tongue,
) -> Option<(usize, String, Option<String>)> {
    let first = words.first()?.as_str();
    if first.bytes().all(|b| b.is_ascii_digit()) {
        return Some((1, first.to_owned(), None));
    }
    if let Some((used, count)) = repetition(words, tongue) {
        let rest = words.get(used..)?;
        let (more, digit) = single(rest, tongue)?;
        return Some((used + more, digit.to_string().repeat(count), None));
    }
    if let Some((used, number)) = whole_number(words, tongue) {
        let split = (used > 1 || number >= 100).then(|| pieces(words, used, tongue));
        return Some((used, number.to_string(), split));
    }
    if let Some((used, digit)) = single(words, tongue) {
        return Some((used, digit.to_string(), None));
    }
    let homophone = HOMOPHONES.iter().find(|(word, _)| *word == first)?;
    let next = words.get(1..).and_then(|rest| single(rest, tongue));
    (inside && tongue == Tongue::English && next.is_some())
        .then(|| (1, homophone.1.to_string(), None))
}

/// A number; "eight hundred" before "five five" does not take the first five.
fn whole_number(words: &[String], tongue: Tongue) -> Option<(usize, u64)> {
    let (used, number) = cardinal::read(words, tongue)?;
    let more = |at: usize| words.get(at..).and_then(|rest| single(rest, tongue)).is_some();
    if used > 1 && number > 100 && more(used - 1) && more(used) {
        return cardinal::read(words.get(..used - 1)?, tongue);
    }
    Some((used, number))
}

fn element_after(words: &[String], fill: usize, tongue: Tongue) -> Option<usize> {
    element(words.get(fill..)?, true, tongue).map(|(used, _, _)| used)
}

/// The same words, each number for itself: "forty two" as 402, "two hundred five" as 2005.
fn pieces(words: &[String], used: usize, tongue: Tongue) -> String {
    let mut digits = String::new();
    let mut at = 0;
    while at < used {
        let word = words.get(at..at + 1).unwrap_or_default();
        if let Some((_, number)) = cardinal::read(word, tongue) {
            digits.push_str(&number.to_string());
        } else if word.first().is_some_and(|word| matches!(word.as_str(), "hundred" | "hundert")) {
            digits.push_str("00");
        }
        at += 1;
    }
    digits
}

/// One digit: how many words, and which.
pub fn single(words: &[String], tongue: Tongue) -> Option<(usize, u64)> {
    let first = words.first()?;
    if first.len() == 1 && first.bytes().all(|b| b.is_ascii_digit()) {
        return first.parse().ok().map(|digit| (1, digit));
    }
    if tongue == Tongue::English && matches!(first.as_str(), "oh" | "o" | "nought" | "naught") {
        return Some((1, 0));
    }
    let one = words.get(..1)?;
    cardinal::read(one, tongue).filter(|(_, digit)| *digit < 10)
}

/// "double", "zweimal die".
pub fn repetition(words: &[String], tongue: Tongue) -> Option<(usize, usize)> {
    let first = words.first()?.as_str();
    let count = match (tongue, first) {
        (Tongue::English, "double") => 2,
        (Tongue::English, "triple" | "treble") => 3,
        (Tongue::German, "doppel" | "doppelt" | "doppelte" | "zweimal" | "zwomal") => 2,
        (Tongue::German, "dreimal" | "dreifach") => 3,
        (Tongue::German, "viermal") => 4,
        (Tongue::English | Tongue::German, _) => return None,
    };
    let article = words.get(1).is_some_and(|word| matches!(word.as_str(), "die" | "der" | "das"));
    Some((1 + usize::from(article && tongue == Tongue::German), count))
}

/// How many words at the start say nothing between digits.
pub fn filler(words: &[String], tongue: Tongue) -> usize {
    let fillers = match tongue {
        Tongue::English => &ENGLISH_FILLERS[..],
        Tongue::German => &GERMAN_FILLERS[..],
    };
    words.iter().take(3).take_while(|word| fillers.contains(&word.as_str())).count()
}

const HOMOPHONES: [(&str, u64); 4] = [("to", 2), ("too", 2), ("for", 4), ("ate", 8)];
const ENGLISH_FILLERS: [&str; 16] = [
    "and", "then", "um", "uh", "erm", "er", "dash", "hyphen", "slash", "space", "followed", "by",
    "comma", "so", "well", "okay",
];
const GERMAN_FILLERS: [&str; 16] = [
    "und",
    "dann",
    "äh",
    "ähm",
    "öh",
    "minus",
    "strich",
    "schrägstrich",
    "bindestrich",
    "danach",
    "komma",
    "also",
    "so",
    "noch",
    "weiter",
    "okay",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::intents::tokens::tokens;

    #[test]
    fn digits_are_heard_however_they_are_said() {
        for (text, digits) in [
            ("four nine three oh", "4930"),
            ("double five one triple zero", "551000"),
            ("seventy three nineteen", "7319"),
            ("one to three for five", "12345"),
            ("eight hundred five five five", "800555"),
            ("five and um six", "56"),
            ("0711 12-34", "07111234"),
            ("my", ""),
        ] {
            assert_eq!(
                row(&tokens(text, Tongue::English), 40, Tongue::English).digits,
                digits,
                "{text}"
            );
        }
        for (text, digits) in [
            ("null sieben elf zwo zwo", "071122"),
            ("zweimal die fünf und dann drei", "553"),
            ("doppel null sieben", "007"),
            ("zwei und zwanzig dreiunddreißig", "2233"),
            ("eins, äh, zwei", "12"),
            ("zwölf Strich vier", "124"),
        ] {
            assert_eq!(
                row(&tokens(text, Tongue::German), 40, Tongue::German).digits,
                digits,
                "{text}"
            );
        }
    }

    #[test]
    fn a_number_of_two_words_may_be_two_numbers() {
        let row = row(&tokens("forty two one", Tongue::English), 40, Tongue::English);
        assert_eq!((row.digits.as_str(), row.other.as_deref()), ("421", Some("4021")));
    }
}
