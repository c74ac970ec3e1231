//! Ordinal numbers as words, English and German, both ways: `twenty first`, `einundzwanzigste`.

use super::cardinal;
use crate::agent::intents::tongue::Tongue;

/// Spells an ordinal number. German ones need the ending that stands after `-t` or `-st`: `e`,
/// `er`, `en`.
pub fn spell(number: u64, ending: &str, tongue: Tongue) -> String {
    let cardinal = cardinal::spell(number, tongue);
    match tongue {
        Tongue::English => english(&cardinal),
        Tongue::German => format!("{}{ending}", german(number, &cardinal)),
    }
}

/// Reads an ordinal number from 1 to 99 at the start of some plain words: how many words it takes,
/// and the number. In German all endings will do.
pub fn read(words: &[String], tongue: Tongue) -> Option<(usize, u64)> {
    let first = words.first()?;
    match tongue {
        Tongue::English if !words.iter().take(2).any(|word| is_marked(word)) => None,
        Tongue::English => (1..100).rev().find_map(|number| {
            let said = spell(number, "", tongue);
            let parts: Vec<&str> = said.split(' ').collect();
            let fits = words.len() >= parts.len() && words.iter().zip(&parts).all(|(w, p)| w == p);
            fits.then_some((parts.len(), number))
        }),
        Tongue::German => {
            let first = first.replace("fuenf", "fünf").replace("zwoelf", "zwölf");
            let first = first.replace("zwot", "zweit").replace("ssig", "ßig");
            let stems = GERMAN_ENDINGS.iter().filter_map(|ending| first.strip_suffix(ending));
            let stems: Vec<&str> = stems.collect();
            if !stems.iter().any(|stem| stem.ends_with('t')) {
                return None;
            }
            (1..100)
                .find(|number| {
                    let stem = german(*number, &cardinal::spell(*number, tongue));
                    stems.contains(&stem.as_str())
                })
                .map(|number| (1, number))
        }
    }
}

/// Whether an English word can be an ordinal number.
fn is_marked(word: &str) -> bool {
    word.ends_with("th") || ["first", "second", "third"].contains(&word)
}

fn english(cardinal: &str) -> String {
    let (before, last) = match cardinal.rsplit_once(' ') {
        Some((before, last)) => (format!("{before} "), last),
        None => (String::new(), cardinal),
    };
    let irregular = ENGLISH_IRREGULAR.iter().find(|(word, _)| *word == last);
    match (irregular, last.strip_suffix('y')) {
        (Some((_, word)), _) => format!("{before}{word}"),
        (None, Some(stem)) => format!("{before}{stem}ieth"),
        (None, None) => format!("{before}{last}th"),
    }
}

/// The stem, to which an ending is put: `erst`, `einundzwanzigst`.
fn german(number: u64, cardinal: &str) -> String {
    let irregular = |stem: &str, tail: &str| {
        cardinal.strip_suffix(tail).map(|before| format!("{before}{stem}"))
    };
    let last = match number % 100 {
        1 => irregular("erst", "eins"),
        3 => irregular("dritt", "drei"),
        7 => irregular("siebt", "sieben"),
        8 => irregular("acht", "acht"),
        2..20 => Some(format!("{cardinal}t")),
        _ => None,
    };
    last.unwrap_or_else(|| format!("{cardinal}st"))
}

const ENGLISH_IRREGULAR: [(&str, &str); 7] = [
    ("one", "first"),
    ("two", "second"),
    ("three", "third"),
    ("five", "fifth"),
    ("eight", "eighth"),
    ("nine", "ninth"),
    ("twelve", "twelfth"),
];
const GERMAN_ENDINGS: [&str; 5] = ["e", "er", "en", "es", "em"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinals_are_said_and_heard() {
        for (number, english, german) in [
            (1, "first", "erste"),
            (3, "third", "dritte"),
            (7, "seventh", "siebte"),
            (8, "eighth", "achte"),
            (12, "twelfth", "zwölfte"),
            (20, "twentieth", "zwanzigste"),
            (21, "twenty first", "einundzwanzigste"),
            (31, "thirty first", "einunddreißigste"),
            (100, "one hundredth", "einhundertste"),
            (101, "one hundred first", "einhunderterste"),
        ] {
            assert_eq!(spell(number, "e", Tongue::English), english);
            assert_eq!(spell(number, "e", Tongue::German), german);
        }
        for number in 1..100 {
            for tongue in [Tongue::English, Tongue::German] {
                let said = spell(number, "en", tongue);
                let words: Vec<String> = said.split(' ').map(str::to_owned).collect();
                assert_eq!(read(&words, tongue), Some((words.len(), number)), "{said}");
            }
        }
        assert_eq!(read(&["twenty".to_owned()], Tongue::English), None);
    }
}
