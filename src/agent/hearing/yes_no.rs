//! Yes and no, also as people really say them.

use super::value::{Answer, Reading, Value};
use crate::agent::intents::tongue::Tongue;

/// Reads a yes or no at the start of some words: the longest phrase that is one. When both are
/// said, the last counts, and less.
pub fn read(words: &[String], tongue: Tongue) -> Vec<Reading> {
    let (mut at, mut answers) = (0, Vec::new());
    while let Some((used, answer)) = words.get(at..).and_then(|rest| phrase(rest, tongue)) {
        answers.push(answer);
        at += used;
    }
    let Some(last) = answers.last().copied() else { return Vec::new() };
    let agreed = answers.iter().all(|answer| *answer == last);
    let reading = |answer: Answer, sureness: f32| Reading::new(at, Value::YesNo(answer), sureness);
    if agreed {
        return vec![reading(last, 1.0)];
    }
    let other = if last == Answer::Yes { Answer::No } else { Answer::Yes };
    vec![reading(last, 0.7), reading(other, 0.3)]
}

fn phrase(words: &[String], tongue: Tongue) -> Option<(usize, Answer)> {
    let tables = match tongue {
        Tongue::English => [(ENGLISH_YES, Answer::Yes), (ENGLISH_NO, Answer::No)],
        Tongue::German => [(GERMAN_YES, Answer::Yes), (GERMAN_NO, Answer::No)],
    };
    let fits = |phrase: &str| {
        let fits = phrase
            .split(' ')
            .enumerate()
            .all(|(at, word)| words.get(at).is_some_and(|said| said == word));
        fits.then(|| phrase.split(' ').count())
    };
    let all = tables.iter().flat_map(|(table, answer)| table.iter().map(|it| (*it, *answer)));
    all.filter_map(|(phrase, answer)| Some((fits(phrase)?, answer))).max_by_key(|(used, _)| *used)
}

const ENGLISH_YES: &[&str] = &[
    "yes",
    "yeah",
    "yep",
    "yup",
    "yah",
    "ya",
    "aye",
    "sure",
    "sure thing",
    "correct",
    "right",
    "exactly",
    "absolutely",
    "definitely",
    "certainly",
    "indeed",
    "of course",
    "that is right",
    "that is correct",
    "that is it",
    "please do",
    "go ahead",
    "sounds good",
    "that works",
    "okay",
    "ok",
    "alright",
    "all right",
    "fine",
    "perfect",
    "i do",
    "i am",
    "it is",
    "uh huh",
    "mhm",
    "you bet",
    "why not",
    "i think so",
    "i guess so",
    "by all means",
    "spot on",
    "please",
];
const ENGLISH_NO: &[&str] = &[
    "no",
    "nope",
    "nah",
    "no way",
    "not really",
    "not at all",
    "of course not",
    "certainly not",
    "absolutely not",
    "definitely not",
    "wrong",
    "that is wrong",
    "that is not right",
    "incorrect",
    "that is not correct",
    "never",
    "never mind",
    "no thanks",
    "no thank you",
    "i do not",
    "i do not think so",
    "do not",
    "cancel",
    "forget it",
    "rather not",
    "i would rather not",
    "not correct",
    "not quite",
    "negative",
    "uh uh",
    "please do not",
    "not yet",
    "not today",
];
const GERMAN_YES: &[&str] = &[
    "ja",
    "jo",
    "jep",
    "jup",
    "jawohl",
    "jaja",
    "klar",
    "na klar",
    "aber klar",
    "ja klar",
    "sicher",
    "aber sicher",
    "natürlich",
    "selbstverständlich",
    "genau",
    "richtig",
    "korrekt",
    "stimmt",
    "stimmt so",
    "das stimmt",
    "das ist richtig",
    "das passt",
    "passt",
    "passt so",
    "einverstanden",
    "gerne",
    "gern",
    "bitte",
    "auf jeden fall",
    "in ordnung",
    "okay",
    "ok",
    "geht klar",
    "freilich",
    "von mir aus",
    "meinetwegen",
    "warum nicht",
    "mhm",
    "doch",
    "unbedingt",
    "perfekt",
    "super",
    "ich denke schon",
    "ich glaube schon",
    "so ist es",
    "definitiv",
    "absolut",
    "logo",
    "eh klar",
];
const GERMAN_NO: &[&str] = &[
    "nein",
    "nee",
    "ne",
    "nö",
    "na",
    "nope",
    "keinesfalls",
    "auf keinen fall",
    "keineswegs",
    "falsch",
    "das ist falsch",
    "das stimmt nicht",
    "stimmt nicht",
    "nicht richtig",
    "lieber nicht",
    "eher nicht",
    "nicht wirklich",
    "gar nicht",
    "überhaupt nicht",
    "bloß nicht",
    "abbrechen",
    "vergessen sie es",
    "doch nicht",
    "noch nicht",
    "nein danke",
    "danke nein",
    "natürlich nicht",
    "ich glaube nicht",
    "ich denke nicht",
    "niemals",
    "heute nicht",
    "das ist nicht richtig",
    "passt nicht",
    "das passt nicht",
    "besser nicht",
    "jetzt nicht",
];
