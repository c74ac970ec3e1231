//! Letters as they are said: spelling alphabets (ICAO/NATO; DIN 5009 of 2022 with names of cities
//! and the older one with first names), the names of letters, and marks.

use super::locale::Locale;
use crate::agent::intents::tongue::Tongue;

/// The word that stands for a letter when a value is read back: `Berlin`, `bravo`.
pub fn word_for(letter: char, tongue: Tongue) -> Option<&'static str> {
    let letter = letter.to_lowercase().next()?;
    let table = match tongue {
        Tongue::English => NATO,
        Tongue::German => CITIES,
    };
    table.iter().find(|(other, _)| *other == letter).map(|(_, word)| *word)
}

/// The letter for which a plain word stands in a spelling alphabet of either language.
pub fn letter_of(word: &str) -> Option<char> {
    let tables = [NATO, CITIES, NAMES, OTHERS];
    let find = |word: &str| {
        let all = tables.iter().flat_map(|table| table.iter());
        let same = |name: &str| name.chars().flat_map(char::to_lowercase).eq(word.chars());
        all.into_iter().find(|(_, name)| same(name)).map(|(letter, _)| *letter)
    };
    let digraphs = ["ae", "oe", "ue"].iter().any(|digraph| word.contains(digraph));
    let unfolded = || word.replace("ae", "ä").replace("oe", "ö").replace("ue", "ü");
    find(word).or_else(|| digraphs.then(|| find(&unfolded())).flatten())
}

/// The letter that a plain word is: the letter itself, or its name as recognisers write it.
pub fn letter_named(word: &str, tongue: Tongue) -> Option<char> {
    let mut chars = word.chars();
    if let (Some(letter), None) = (chars.next(), chars.next())
        && letter.is_alphabetic()
    {
        return Some(letter);
    }
    let table = match tongue {
        Tongue::English => ENGLISH_NAMES,
        Tongue::German => GERMAN_NAMES,
    };
    table.iter().find(|(_, names)| names.contains(&word)).map(|(letter, _)| *letter)
}

/// Says letters one by one: `K I`. Digits are left as they are.
pub fn letters(text: &str) -> String {
    let letters = text.chars().filter(|c| c.is_alphanumeric());
    let letters: Vec<String> = letters.map(|c| c.to_uppercase().collect()).collect();
    letters.join(" ")
}

/// Spells a text so that no letter can be mistaken: `M for mike`, `M wie München`.
pub fn spelled(text: &str, locale: Locale) -> String {
    let spelled: Vec<String> = text
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| {
            let upper: String = c.to_uppercase().collect();
            match (word_for(c, locale.tongue), mark(c, locale)) {
                (Some(word), _) => format!("{upper} {} {word}", locale.pick("for", "wie")),
                (None, Some(mark)) => mark.to_owned(),
                (None, None) => upper,
            }
        })
        .collect();
    spelled.join(", ")
}

/// How a mark is called: `.` is `dot` or `Punkt`.
pub fn mark(mark: char, locale: Locale) -> Option<&'static str> {
    let (_, english, german) = MARKS.iter().find(|(other, _, _)| *other == mark)?;
    Some(locale.pick(english, german))
}

const MARKS: &[(char, &str, &str)] = &[
    ('.', "dot", "Punkt"),
    ('@', "at", "ät"),
    ('-', "dash", "minus"),
    ('_', "underscore", "Unterstrich"),
    ('+', "plus", "plus"),
    ('/', "slash", "Schrägstrich"),
    (':', "colon", "Doppelpunkt"),
    ('?', "question mark", "Fragezeichen"),
    ('=', "equals", "gleich"),
    ('&', "and", "und"),
    ('#', "hash", "Raute"),
    ('%', "percent", "Prozent"),
    ('~', "tilde", "Tilde"),
    ('*', "star", "Stern"),
    ('!', "exclamation mark", "Ausrufezeichen"),
    ('\'', "apostrophe", "Apostroph"),
    (',', "comma", "Komma"),
];

const NATO: &[(char, &str)] = &[
    ('a', "alpha"),
    ('b', "bravo"),
    ('c', "charlie"),
    ('d', "delta"),
    ('e', "echo"),
    ('f', "foxtrot"),
    ('g', "golf"),
    ('h', "hotel"),
    ('i', "india"),
    ('j', "juliett"),
    ('k', "kilo"),
    ('l', "lima"),
    ('m', "mike"),
    ('n', "november"),
    ('o', "oscar"),
    ('p', "papa"),
    ('q', "quebec"),
    ('r', "romeo"),
    ('s', "sierra"),
    ('t', "tango"),
    ('u', "uniform"),
    ('v', "victor"),
    ('w', "whiskey"),
    ('x', "x-ray"),
    ('y', "yankee"),
    ('z', "zulu"),
];

/// DIN 5009:2022.
const CITIES: &[(char, &str)] = &[
    ('a', "Aachen"),
    ('b', "Berlin"),
    ('c', "Chemnitz"),
    ('d', "Düsseldorf"),
    ('e', "Essen"),
    ('f', "Frankfurt"),
    ('g', "Goslar"),
    ('h', "Hamburg"),
    ('i', "Ingelheim"),
    ('j', "Jena"),
    ('k', "Köln"),
    ('l', "Leipzig"),
    ('m', "München"),
    ('n', "Nürnberg"),
    ('o', "Offenbach"),
    ('p', "Potsdam"),
    ('q', "Quickborn"),
    ('r', "Rostock"),
    ('s', "Salzwedel"),
    ('t', "Tübingen"),
    ('u', "Unna"),
    ('v', "Völklingen"),
    ('w', "Wuppertal"),
    ('x', "Xanten"),
    ('y', "Ypsilon"),
    ('z', "Zwickau"),
    ('ä', "Umlaut Aachen"),
    ('ö', "Umlaut Offenbach"),
    ('ü', "Umlaut Unna"),
    ('ß', "Eszett"),
];

/// DIN 5009 before 2022.
const NAMES: &[(char, &str)] = &[
    ('a', "Anton"),
    ('ä', "Ärger"),
    ('b', "Berta"),
    ('c', "Cäsar"),
    ('c', "Charlotte"),
    ('d', "Dora"),
    ('e', "Emil"),
    ('f', "Friedrich"),
    ('g', "Gustav"),
    ('h', "Heinrich"),
    ('i', "Ida"),
    ('j', "Julius"),
    ('k', "Kaufmann"),
    ('l', "Ludwig"),
    ('m', "Martha"),
    ('n', "Nordpol"),
    ('o', "Otto"),
    ('ö', "Ökonom"),
    ('p', "Paula"),
    ('q', "Quelle"),
    ('r', "Richard"),
    ('s', "Samuel"),
    ('t', "Theodor"),
    ('u', "Ulrich"),
    ('ü', "Übermut"),
    ('v', "Viktor"),
    ('w', "Wilhelm"),
    ('x', "Xanthippe"),
    ('z', "Zacharias"),
];

/// What people say beside the tables, and as recognisers write it.
const OTHERS: &[(char, &str)] = &[
    ('a', "alfa"),
    ('b', "Bertha"),
    ('d', "David"),
    ('f', "fox"),
    ('f', "Fritz"),
    ('g', "Georg"),
    ('h', "Hans"),
    ('i', "Isaak"),
    ('j', "juliet"),
    ('j', "Jakob"),
    ('k', "Konrad"),
    ('k', "Karl"),
    ('m', "Marta"),
    ('n', "Nathan"),
    ('ö', "Österreich"),
    ('p', "Peter"),
    ('s', "Siegfried"),
    ('s', "sugar"),
    ('t', "Toni"),
    ('ü', "Übel"),
    ('w', "whisky"),
    ('x', "xray"),
    ('x', "Xaver"),
    ('z', "Zeppelin"),
    ('z', "Zürich"),
    ('ß', "scharfes"),
];

const ENGLISH_NAMES: &[(char, &[&str])] = &[
    ('b', &["bee"]),
    ('c', &["cee", "see"]),
    ('d', &["dee"]),
    ('f', &["ef", "eff"]),
    ('g', &["gee"]),
    ('h', &["aitch", "haitch"]),
    ('j', &["jay"]),
    ('k', &["kay"]),
    ('l', &["el", "ell"]),
    ('m', &["em"]),
    ('n', &["en"]),
    ('p', &["pee"]),
    ('q', &["cue", "queue"]),
    ('r', &["ar"]),
    ('s', &["ess"]),
    ('t', &["tee"]),
    ('v', &["vee"]),
    ('x', &["ex"]),
    ('y', &["wye"]),
    ('z', &["zee", "zed"]),
];

const GERMAN_NAMES: &[(char, &[&str])] = &[
    ('b', &["be", "beh"]),
    ('c', &["ce", "zeh"]),
    ('d', &["de", "deh"]),
    ('f', &["eff", "ef"]),
    ('g', &["ge", "geh"]),
    ('h', &["ha"]),
    ('j', &["jott", "jot"]),
    ('k', &["ka"]),
    ('l', &["ell", "el"]),
    ('m', &["emm", "em"]),
    ('n', &["enn", "en"]),
    ('p', &["pe", "peh"]),
    ('q', &["ku", "kuh"]),
    ('s', &["ess", "es"]),
    ('t', &["te", "tee"]),
    ('v', &["vau", "fau"]),
    ('w', &["we", "weh"]),
    ('x', &["ix", "iks"]),
    ('y', &["ypsilon"]),
    ('z', &["zett", "zet"]),
    ('ß', &["eszett", "esszett"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_letter_has_a_word_and_every_word_its_letter() {
        for tongue in [Tongue::English, Tongue::German] {
            for letter in 'a'..='z' {
                let word = word_for(letter, tongue).expect("a word");
                assert_eq!(letter_of(&word.to_lowercase()), Some(letter), "{word}");
            }
        }
        for (word, letter) in [("berta", 'b'), ("dora", 'd'), ("konrad", 'k'), ("caesar", 'c')] {
            assert_eq!(letter_of(word), Some(letter), "{word}");
        }
        assert_eq!(letter_of("tisch"), None);
    }

    #[test]
    fn letters_are_said_and_named() {
        assert_eq!(letters("KI"), "K I");
        assert_eq!(spelled("B-ü", Locale::german()), "B wie Berlin, minus, Ü wie Umlaut Unna");
        assert_eq!(spelled("s.", Locale::american()), "S for sierra, dot");
        assert_eq!(letter_named("zett", Tongue::German), Some('z'));
        assert_eq!(letter_named("queue", Tongue::English), Some('q'));
        assert_eq!(letter_named("ö", Tongue::German), Some('ö'));
        assert_eq!(letter_named("table", Tongue::English), None);
    }
}
