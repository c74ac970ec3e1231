//! Names of people, said or spelled.

use super::digits;
use super::spelling;
use super::value::{Reading, Value};
use crate::agent::intents::tongue::Tongue;
use crate::agent::lexicon::cardinal;

/// Reads a name at the start of some words. Letters that are spelled count more than the words
/// before them.
pub fn read(words: &[String], tongue: Tongue) -> Vec<Reading> {
    let skipped = introduction(words, tongue);
    let Some(rest) = words.get(skipped..) else { return Vec::new() };
    let mut said = Vec::new();
    let mut at = 0;
    while let Some(rest) = rest.get(at..).filter(|rest| !rest.is_empty()) {
        if let Some((used, spelled)) = letters(rest, tongue) {
            let first_name =
                said.len() > 1 && similar(said.last().copied().unwrap_or_default(), &spelled);
            let name = match (first_name, said.first()) {
                (true, Some(first)) => format!("{} {}", capital(first), capital(&spelled)),
                (_, _) => capital(&spelled),
            };
            let sureness = 0.95;
            return vec![Reading::new(skipped + at + used, Value::Name(name), sureness)];
        }
        let Some(word) =
            rest.first().filter(|word| said.len() < MOST_WORDS && is_name(word, tongue))
        else {
            break;
        };
        said.push(word.as_str());
        at += 1;
    }
    if said.is_empty() {
        return Vec::new();
    }
    let name: Vec<String> = said.iter().map(|word| capital(word)).collect();
    let sureness = if skipped > 0 { 0.8 } else { 0.5 };
    let mut found = vec![Reading::new(skipped + at, Value::Name(name.join(" ")), sureness)];
    // Fewer words are a name too, if the phrase goes on behind them.
    found.extend((1..said.len()).rev().map(|count| {
        let shorter = Value::Name(name.get(..count).unwrap_or_default().join(" "));
        Reading::new(skipped + count, shorter, sureness / 2.0)
    }));
    found
}

/// Two letters or more, spelled.
fn letters(words: &[String], tongue: Tongue) -> Option<(usize, String)> {
    let spelled = spelling::spelled(words, 40, tongue);
    let letters = spelled.text.chars().filter(|c| c.is_alphabetic()).count();
    let clear = spelled.sure * 2 > letters || spelled.sure >= 3;
    let all = letters == spelled.text.chars().count();
    (letters >= 2 && clear && all).then_some((spelled.used, spelled.text))
}

/// "my name is", "ich heiße".
fn introduction(words: &[String], tongue: Tongue) -> usize {
    let phrases = match tongue {
        Tongue::English => &ENGLISH_INTRODUCTIONS[..],
        Tongue::German => &GERMAN_INTRODUCTIONS[..],
    };
    let fits = |phrase: &str| {
        phrase
            .split(' ')
            .enumerate()
            .all(|(at, word)| words.get(at).is_some_and(|said| said == word))
    };
    let found = phrases.iter().filter(|phrase| fits(phrase));
    let length = found.map(|phrase| phrase.split(' ').count()).max().unwrap_or(0);
    let fillers = words
        .iter()
        .skip(length)
        .take_while(|word| digits::filler(std::slice::from_ref(*word), tongue) > 0);
    length + fillers.count()
}

fn is_name(word: &str, tongue: Tongue) -> bool {
    let word_chars = word.chars().all(|c| c.is_alphabetic() || c == '\'' || c == '-');
    let number = cardinal::read(&[word.to_owned()], tongue).is_some();
    word_chars
        && !number
        && word.chars().count() > 1
        && !tongue.is_stop_word(word)
        && digits::filler(&[word.to_owned()], tongue) == 0
        && !NO_NAMES.contains(&word)
}

/// Whether a spelled name is the word that was said before it.
fn similar(said: &str, spelled: &str) -> bool {
    said.chars().next() == spelled.chars().next()
}

/// Writes a name with a capital: `Müller`.
fn capital(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

const ENGLISH_INTRODUCTIONS: [&str; 9] = [
    "my name is",
    "my last name is",
    "the name is",
    "this is",
    "i am",
    "it is",
    "that is",
    "name is",
    "i am called",
];
const GERMAN_INTRODUCTIONS: [&str; 12] = [
    "mein name ist",
    "mein nachname ist",
    "der name ist",
    "ich heiße",
    "ich bin",
    "ich bin der",
    "ich bin die",
    "hier ist",
    "hier spricht",
    "das ist",
    "name ist",
    "auf den namen",
];
const NO_NAMES: [&str; 30] = [
    "yes",
    "no",
    "ja",
    "nein",
    "mister",
    "missus",
    "mrs",
    "herr",
    "frau",
    "name",
    "names",
    "spelled",
    "spell",
    "buchstabiert",
    "buchstabiere",
    "geschrieben",
    "wie",
    "am",
    "um",
    "on",
    "next",
    "today",
    "tomorrow",
    "heute",
    "morgen",
    "call",
    "number",
    "nummer",
    "mit",
    "from",
];
const MOST_WORDS: usize = 3;
