//! E-mail addresses as people say them: "anna punkt müller ät web punkt de", "j o e at example dot
//! com".

use super::spelling;
use super::value::{Context, Heard, Lack, Part, Reading, Value};
use crate::agent::intents::tongue::Tongue;
use crate::agent::lexicon::cardinal;

/// Reads an e-mail address at the start of some words.
pub fn read(words: &[String], context: &Context) -> Heard {
    let tongue = context.locale.tongue;
    let skipped = leading(words);
    let whole = words;
    let words = words.get(skipped..).unwrap_or_default();
    let Some(at) = words.iter().position(|word| AT.contains(&word.as_str())) else {
        return before_at(whole, tongue);
    };
    let local = joined(words.get(..at).unwrap_or_default(), tongue);
    let behind = words.get(at + 1..).unwrap_or_default();
    let (used, domain) = domain(behind, tongue);
    if local.is_empty() || !local.starts_with(|c: char| c.is_alphanumeric()) {
        return Heard::Nothing;
    }
    let part = |so_far: String, lack: Lack| {
        Heard::Part(Part { used: skipped + at + 1 + used, so_far, lack })
    };
    if domain.is_empty() {
        return part(format!("{local}@"), Lack::Domain);
    }
    let address = format!("{local}@{domain}");
    let Some((_, ending)) = domain.rsplit_once('.').filter(|(_, ending)| ending.len() >= 2) else {
        return part(address, Lack::Ending);
    };
    let known = ENDINGS.contains(&ending);
    let umlauts = words.get(..at).is_some_and(|local| local.iter().any(|word| !word.is_ascii()));
    let sureness = match (known, umlauts) {
        (true, false) => 1.0,
        (true, true) => 0.8,
        (false, _) => 0.5,
    };
    Heard::Value(vec![Reading::new(skipped + at + 1 + used, Value::Email(address), sureness)])
}

/// An address whose "at" is still to come, if its words look like the beginning of one.
fn before_at(words: &[String], tongue: Tongue) -> Heard {
    let marks = words.iter().any(|word| mark(word, tongue).is_some());
    let spelled = spelling::spelled(words, 64, tongue);
    let sure = spelled.used == words.len() && words.len() >= 2;
    let so_far = joined(words, tongue);
    if so_far.is_empty() || !(marks || sure) {
        return Heard::Nothing;
    }
    Heard::Part(Part { used: words.len(), so_far, lack: Lack::Domain })
}

/// The domain, and how many words it takes: up to its ending, or to the last word that fits.
fn domain(words: &[String], tongue: Tongue) -> (usize, String) {
    let mut end = words.len().min(MOST_WORDS);
    for (at, word) in words.iter().enumerate().take(end) {
        let dotted = at > 0 && words.get(at - 1).is_some_and(|it| mark(it, tongue) == Some("."));
        let more = words.get(at + 1).is_some_and(|it| mark(it, tongue) == Some("."));
        if dotted && !more && ENDINGS.contains(&word.as_str()) {
            end = at + 1;
            break;
        }
    }
    let words = words.get(..end).unwrap_or_default();
    // "g m x dot de", "t online punkt de", "d e" at the end.
    let text = joined(words, tongue);
    let text = text.trim_matches('.');
    let name = text.split('.').next().unwrap_or_default();
    let known = KNOWN.iter().find(|(said, _)| *said == name);
    let text = known.map_or_else(|| text.to_owned(), |(said, meant)| text.replacen(said, meant, 1));
    // "anna at gmail" has only one ending.
    let alone = ALONE.iter().find(|(said, _)| *said == text).map(|(_, whole)| (*whole).to_owned());
    (end, alone.unwrap_or(text))
}

/// Writes words and letters without spaces, in ASCII.
fn joined(words: &[String], tongue: Tongue) -> String {
    let (mut text, mut at) = (String::new(), 0);
    while let Some(rest) = words.get(at..).filter(|rest| !rest.is_empty()) {
        let (used, piece) = piece(rest, tongue);
        text.push_str(&piece);
        at += used.max(1);
    }
    let text = text.replace('ä', "ae").replace('ö', "oe").replace('ü', "ue").replace('ß', "ss");
    text.chars().filter(|c| c.is_ascii_alphanumeric() || "._+-".contains(*c)).take(64).collect()
}

fn piece(words: &[String], tongue: Tongue) -> (usize, String) {
    let word = |at: usize| words.get(at).map_or("", String::as_str);
    let first = word(0);
    if (first, word(1)) == ("under", "score") {
        return (2, "_".to_owned());
    }
    if let Some(mark) = mark(first, tongue) {
        return (1, mark.to_owned());
    }
    if FILLERS.contains(&first) || matches!((first, word(1)), ("in", "einem") | ("in", "one")) {
        return (1, String::new());
    }
    let numbers = cardinal::read(words, tongue).filter(|_| first != "a" && first != "ein");
    match spelling::character(words, tongue) {
        // A word that stands for a letter only in an alphabet is itself: "sierra@…".
        Some((used, text, true)) => (used, text),
        Some((_, _, false)) | None => match numbers {
            Some((used, number)) => (used, number.to_string()),
            None => (1, first.to_owned()),
        },
    }
}

fn mark(word: &str, tongue: Tongue) -> Option<&'static str> {
    Some(match (tongue, word) {
        (_, "dot" | "punkt") | (Tongue::English, "point" | "period") => ".",
        (_, "dash" | "hyphen" | "bindestrich" | "minus" | "mittelstrich") => "-",
        (Tongue::German, "strich") => "-",
        (_, "underscore" | "unterstrich") => "_",
        (_, "plus") => "+",
        (Tongue::English | Tongue::German, _) => return None,
    })
}

/// How many words at the start introduce an address.
fn leading(words: &[String]) -> usize {
    let leads = |word: &&String| LEADING.contains(&word.as_str());
    let count = words.iter().take_while(leads).count();
    // "mail at example dot com": the word before the "at" is no introduction.
    let at = words.get(count).is_some_and(|word| AT.contains(&word.as_str()));
    count - usize::from(at && count > 0)
}

const LEADING: [&str; 22] = [
    "my",
    "the",
    "email",
    "e-mail",
    "e",
    "mail",
    "address",
    "is",
    "it",
    "it's",
    "um",
    "uh",
    "meine",
    "die",
    "adresse",
    "mailadresse",
    "emailadresse",
    "ist",
    "lautet",
    "wäre",
    "äh",
    "ähm",
];
/// How the sign between name and domain is said.
pub const AT: [&str; 7] = ["at", "ät", "et", "@", "klammeraffe", "affenschwanz", "add"];
const FILLERS: [&str; 13] = [
    "um",
    "uh",
    "äh",
    "ähm",
    "lower",
    "case",
    "kleingeschrieben",
    "zusammen",
    "wort",
    "zusammengeschrieben",
    "then",
    "dann",
    "lowercase",
];
/// Endings after which an address is over.
pub const ENDINGS: [&str; 28] = [
    "com", "de", "org", "net", "info", "eu", "at", "ch", "uk", "us", "io", "fr", "it", "nl", "es",
    "biz", "edu", "gov", "app", "dev", "online", "shop", "berlin", "me", "tv", "be", "pl", "ca",
];
/// Names of providers as they are heard.
const KNOWN: [(&str, &str); 5] = [
    ("tonline", "t-online"),
    ("g-mail", "gmail"),
    ("geemail", "gmail"),
    ("hot-mail", "hotmail"),
    ("jahoo", "yahoo"),
];
/// Domains whose ending nobody says.
const ALONE: [(&str, &str); 4] = [
    ("gmail", "gmail.com"),
    ("hotmail", "hotmail.com"),
    ("icloud", "icloud.com"),
    ("googlemail", "googlemail.com"),
];
const MOST_WORDS: usize = 40;

/// Where an address begins among other words: behind what introduces it.
pub fn start(words: &[String]) -> usize {
    let at = words.iter().rposition(|word| AT.contains(&word.as_str())).unwrap_or(words.len());
    let before = words.get(..at).unwrap_or_default();
    let introduced = before.iter().rposition(|word| INTRODUCTIONS.contains(&word.as_str()));
    introduced.map_or(0, |place| place + 1)
}

const INTRODUCTIONS: [&str; 14] = [
    "is", "ist", "lautet", "unter", "under", "address", "adresse", "mail", "email", "to", "an",
    "it's", "wäre", "reach",
];
