//! Characters said one by one: letters, "B wie Berta", "S as in sierra", digits, marks.

use super::digits;
use crate::agent::intents::tongue::Tongue;
use crate::agent::lexicon::alphabet;
use crate::agent::lexicon::cardinal;

/// Characters at the start of some words.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Spelled {
    /// The characters, letters in lower case.
    pub text: String,
    /// How many words they take.
    pub used: usize,
    /// How many of the words are certain to be meant as characters: more than a bare letter.
    pub sure: usize,
}

/// Reads characters one by one, at most `most`.
pub fn spelled(words: &[String], most: usize, tongue: Tongue) -> Spelled {
    let mut spelled = Spelled::default();
    let mut at = 0;
    while let Some(rest) = words.get(at..).filter(|rest| !rest.is_empty()) {
        if spelled.text.chars().count() >= most {
            break;
        }
        let Some((used, text, sure)) = character(rest, tongue) else {
            let fill = digits::filler(rest, tongue);
            let goes_on = words.get(at + fill..).and_then(|rest| character(rest, tongue)).is_some();
            if fill == 0 || spelled.text.is_empty() || !goes_on {
                break;
            }
            at += fill;
            continue;
        };
        spelled.text.push_str(&text);
        at += used;
        spelled.used = at;
        spelled.sure += usize::from(sure);
    }
    spelled
}

/// One character, or a number for several: words used, text, and whether it can be nothing else.
pub fn character(words: &[String], tongue: Tongue) -> Option<(usize, String, bool)> {
    let skipped = usize::from(words.first().is_some_and(|word| CASES.contains(&word.as_str())));
    let words = words.get(skipped..)?;
    let next = words.get(1).map(String::as_str);
    if words.first().is_some_and(|word| word == "double") && matches!(next, Some("u" | "you")) {
        return Some((skipped + 2, "w".to_owned(), true));
    }
    if let Some((used, count)) = digits::repetition(words, tongue) {
        let (more, text, _) = once(words.get(used..)?, tongue)?;
        return Some((skipped + used + more, text.repeat(count), true));
    }
    let (used, text, sure) = once(words, tongue)?;
    Some((skipped + used, text, sure || skipped > 0))
}

fn once(words: &[String], tongue: Tongue) -> Option<(usize, String, bool)> {
    let first = words.first()?.as_str();
    let word = |at: usize| words.get(at).map(String::as_str);
    if let Some((used, letter)) = with_example(words, tongue) {
        return Some((used, letter.to_string(), true));
    }
    match (first, word(1)) {
        ("scharfes" | "scharfe", Some("s" | "ess" | "es")) => {
            return Some((2, "ß".to_owned(), true));
        }
        ("umlaut", Some(letter)) | (letter, Some("umlaut"))
            if first == "umlaut" || letter.chars().count() == 1 =>
        {
            let letter =
                alphabet::letter_of(letter).or_else(|| alphabet::letter_named(letter, tongue));
            if let Some(umlaut) = letter.and_then(umlaut) {
                return Some((2, umlaut.to_string(), true));
            }
        }
        (_, _) => {}
    }
    if first.bytes().any(|b| b.is_ascii_digit()) && first.chars().all(char::is_alphanumeric) {
        return Some((1, first.to_owned(), true));
    }
    if let Some(letter) = alphabet::letter_named(first, tongue) {
        return Some((1, letter.to_string(), first.chars().count() == 1 && first != "a"));
    }
    if let Some(letter) = alphabet::letter_of(first) {
        return Some((1, letter.to_string(), false));
    }
    if let Some((used, number)) = cardinal::read(words, tongue) {
        return Some((used, number.to_string(), true));
    }
    digits::single(words, tongue).map(|(used, digit)| (used, digit.to_string(), true))
}

/// "S as in sierra", "B wie Berta".
fn with_example(words: &[String], tongue: Tongue) -> Option<(usize, char)> {
    let letter = alphabet::letter_named(words.first()?, tongue)?;
    let word = |at: usize| words.get(at).map(String::as_str);
    let example_at = match (tongue, word(1)?, word(2)) {
        (Tongue::English, "as", Some("in")) => 3,
        (Tongue::English, "for" | "like", Some(_)) => 2,
        (Tongue::German, "wie", Some("in" | "bei")) => 3,
        (Tongue::German, "wie" | "von", Some(_)) => 2,
        (Tongue::English | Tongue::German, _, _) => return None,
    };
    let example = word(example_at)?;
    // "Umlaut Unna" is the name of a letter, and "x ray" two words.
    let umlaut = alphabet::letter_of(&format!("{example} {}", word(example_at + 1).unwrap_or("")));
    let ray = example == "x" && word(example_at + 1) == Some("ray");
    let more = usize::from(umlaut.is_some() || ray);
    let begins = example.chars().next().is_some_and(|c| c == letter || folded(c) == letter);
    let named = alphabet::letter_of(example).or(umlaut);
    (begins || named.is_some()).then_some((
        example_at + 1 + more,
        match named {
            // What is recognised as B with the example "Dora" is a D: the example is surer.
            Some(named) if !begins => named,
            Some(_) | None => letter,
        },
    ))
}

fn folded(c: char) -> char {
    match c {
        'ä' => 'a',
        'ö' => 'o',
        'ü' => 'u',
        c => c,
    }
}

fn umlaut(letter: char) -> Option<char> {
    match letter {
        'a' | 'ä' => Some('ä'),
        'o' | 'ö' => Some('ö'),
        'u' | 'ü' => Some('ü'),
        _ => None,
    }
}

/// Words that say how a letter is written, which does not matter here.
const CASES: [&str; 8] =
    ["capital", "uppercase", "lowercase", "großes", "kleines", "groß", "klein", "letter"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::intents::tokens::tokens;

    #[test]
    fn letters_are_heard_with_and_without_examples() {
        for (text, heard) in [
            ("M I L L E R", "miller"),
            ("m, i, double l, e, r", "miller"),
            ("S as in sierra, M as in Mike", "sm"),
            ("B for bravo 7", "b7"),
            ("X as in x-ray", "x"),
            ("alpha bravo charlie", "abc"),
            ("double u", "w"),
            ("capital A 2", "a2"),
        ] {
            let words = tokens(text, Tongue::English);
            assert_eq!(spelled(&words, 40, Tongue::English).text, heard, "{text}");
        }
        for (text, heard) in [
            ("M wie Martha, Ü wie Übermut, doppel L, E, R", "müller"),
            ("B wie Berta D wie Dora", "bd"),
            ("Anton Emil Zacharias", "aez"),
            ("Köln Aachen Umlaut Unna", "kaü"),
            ("S wie Siegfried, scharfes S", "sß"),
            ("A Umlaut", "ä"),
            ("zett wie Zeppelin", "z"),
            ("D wie Düsseldorf acht neun", "d89"),
        ] {
            let words = tokens(text, Tongue::German);
            assert_eq!(spelled(&words, 40, Tongue::German).text, heard, "{text}");
        }
    }
}
