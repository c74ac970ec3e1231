//! Which language a caller speaks, by the words of a transcript, and when to change to it.

use crate::agent::intents::tongue::Tongue;
use crate::base::language::Language;

/// Follows the language of a caller.
#[derive(Debug, Clone)]
pub struct Languages {
    current: Language,
    /// The languages that the agent may speak, its own among them.
    allowed: Vec<Language>,
    /// How many turns in a row sounded like another language.
    streak: u8,
}

/// What a text sounds like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Impression {
    /// The language.
    pub tongue: Tongue,
    /// How much more it is that one than the other: 0.0 to 1.0.
    pub margin: f32,
    /// How many words speak for it.
    pub words: u32,
}

impl Languages {
    /// The agent speaks `current` and may change to one of `others`.
    pub fn new(current: Language, others: &[Language]) -> Self {
        let mut allowed = vec![current.clone()];
        allowed.extend(others.iter().filter(|other| **other != current).cloned());
        Self { current, allowed, streak: 0 }
    }

    /// The caller said this: gives the language to change to, if it is time. One sentence that is
    /// clearly in another language is enough, shorter ones count from the second on; who asks for
    /// a language gets it.
    pub fn hear(&mut self, text: &str) -> Option<Language> {
        if self.allowed.len() < 2 {
            return None;
        }
        if let Some(wanted) = asked_for(text) {
            return self.change_to(wanted);
        }
        let heard = impression(text)?;
        if heard.tongue == Tongue::of(&self.current) || heard.margin < LEAST_MARGIN {
            if heard.margin >= LEAST_MARGIN {
                self.streak = 0;
            }
            return None;
        }
        self.streak = self.streak.saturating_add(1);
        let clear = heard.words >= CLEAR_WORDS && heard.margin >= CLEAR_MARGIN;
        (clear || self.streak >= PATIENCE).then(|| self.change_to(heard.tongue)).flatten()
    }

    fn change_to(&mut self, tongue: Tongue) -> Option<Language> {
        self.streak = 0;
        let is_it = |language: &&Language| match tongue {
            Tongue::English => language.is_english(),
            Tongue::German => language.is_german(),
        };
        let wanted = self.allowed.iter().find(is_it)?.clone();
        if wanted.primary() == self.current.primary() {
            return None;
        }
        self.current = wanted.clone();
        Some(wanted)
    }
}

/// What a text sounds like; `None` when no word tells.
pub fn impression(text: &str) -> Option<Impression> {
    let (mut english, mut german, mut words) = (0.0_f32, 0.0_f32, (0, 0));
    let lower = text.chars().take(MOST_CHARS).flat_map(char::to_lowercase).collect::<String>();
    for word in lower.split(|c: char| !c.is_alphabetic() && c != '\'') {
        let (one, other) = weights(word);
        english += one;
        german += other;
        words.0 += u32::from(one > 0.0);
        words.1 += u32::from(other > 0.0);
    }
    let all = english + german;
    if all <= 0.0 {
        return None;
    }
    let margin = (english - german).abs() / all;
    Some(if english >= german {
        Impression { tongue: Tongue::English, margin, words: words.0 }
    } else {
        Impression { tongue: Tongue::German, margin, words: words.1 }
    })
}

/// How much a word speaks for English and for German.
fn weights(word: &str) -> (f32, f32) {
    if word.is_empty() {
        return (0.0, 0.0);
    }
    let (is_english, is_german) = (ENGLISH.contains(&word), GERMAN.contains(&word));
    if is_english || is_german {
        return (f32::from(u8::from(is_english)), f32::from(u8::from(is_german)));
    }
    let long = word.chars().count() > 4;
    let ends = |endings: &[&str]| long && endings.iter().any(|ending| word.ends_with(ending));
    let holds = |parts: &[&str]| long && parts.iter().any(|part| word.contains(part));
    let mut weights = (0.0, 0.0);
    if word.contains(['ä', 'ö', 'ü', 'ß']) {
        weights.1 += 1.0;
    }
    if ends(&["ing", "tion", "ght", "ould", "ness", "ful", "ly", "ck", "ee", "'s", "'t"]) {
        weights.0 += 0.5;
    }
    if ends(&["ung", "lich", "keit", "heit", "isch", "chen", "eren", "igen", "tten", "ig", "tz"]) {
        weights.1 += 0.5;
    }
    if holds(&["th", "wh", "oo", "ough", "ea", "ow"]) {
        weights.0 += 0.3;
    }
    if holds(&["sch", "cht", "pf", "ei", "au", "zw", "tz", "ie"]) {
        weights.1 += 0.3;
    }
    weights
}

/// The language that a caller asks for.
fn asked_for(text: &str) -> Option<Tongue> {
    let lower = text.to_lowercase();
    let words: Vec<&str> = lower.split(|c: char| !c.is_alphabetic()).collect();
    let says = |word: &str| words.contains(&word);
    let asks =
        ["speak", "talk", "in", "please", "switch", "sprechen", "reden", "auf", "bitte", "kann"]
            .iter()
            .any(|word| says(word));
    if !asks || words.len() > MOST_WORDS_TO_ASK {
        return None;
    }
    match (says("english") || says("englisch"), says("german") || says("deutsch")) {
        (true, false) => Some(Tongue::English),
        (false, true) => Some(Tongue::German),
        (true, true) | (false, false) => None,
    }
}

/// Below it a text may be either.
const LEAST_MARGIN: f32 = 0.5;
/// From here one sentence is enough.
const CLEAR_MARGIN: f32 = 0.8;
const CLEAR_WORDS: u32 = 4;
/// So many less clear turns in a row are enough.
const PATIENCE: u8 = 2;
const MOST_CHARS: usize = 400;
/// Longer sentences speak of a language rather than asking for it.
const MOST_WORDS_TO_ASK: usize = 10;

const ENGLISH: &[&str] = &[
    "the",
    "a",
    "an",
    "and",
    "or",
    "but",
    "is",
    "are",
    "am",
    "was",
    "were",
    "be",
    "been",
    "i",
    "i'm",
    "i'd",
    "i'll",
    "i've",
    "you",
    "he",
    "she",
    "it",
    "it's",
    "we",
    "they",
    "my",
    "your",
    "our",
    "their",
    "this",
    "that",
    "that's",
    "these",
    "those",
    "what",
    "what's",
    "when",
    "where",
    "who",
    "why",
    "how",
    "do",
    "does",
    "did",
    "don't",
    "doesn't",
    "can",
    "can't",
    "could",
    "would",
    "should",
    "have",
    "has",
    "had",
    "not",
    "yes",
    "yeah",
    "please",
    "thanks",
    "thank",
    "hello",
    "of",
    "to",
    "for",
    "with",
    "from",
    "at",
    "on",
    "about",
    "there",
    "here",
    "want",
    "need",
    "like",
    "get",
    "got",
    "make",
    "know",
    "tell",
    "call",
    "open",
    "closed",
    "today",
    "tomorrow",
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "number",
    "phone",
    "much",
    "many",
    "something",
    "someone",
    "because",
    "if",
    "then",
    "good",
    "morning",
    "right",
    "sorry",
    "speak",
    "appointment",
    "bye",
    "goodbye",
    "okay",
    "nothing",
    "again",
    "which",
    "will",
    "just",
];
const GERMAN: &[&str] = &[
    "der",
    "die",
    "das",
    "den",
    "dem",
    "des",
    "ein",
    "eine",
    "einen",
    "einem",
    "einer",
    "und",
    "oder",
    "aber",
    "ist",
    "sind",
    "bin",
    "war",
    "waren",
    "sein",
    "ich",
    "du",
    "er",
    "sie",
    "es",
    "wir",
    "ihr",
    "mein",
    "meine",
    "meinen",
    "ihre",
    "ihren",
    "ihnen",
    "unser",
    "dieser",
    "diese",
    "was",
    "wann",
    "wo",
    "wer",
    "warum",
    "wie",
    "wieviel",
    "kann",
    "können",
    "könnte",
    "könnten",
    "möchte",
    "würde",
    "soll",
    "haben",
    "habe",
    "hat",
    "hätte",
    "nicht",
    "kein",
    "keine",
    "ja",
    "nein",
    "bitte",
    "danke",
    "hallo",
    "guten",
    "tag",
    "von",
    "zu",
    "zum",
    "zur",
    "für",
    "mit",
    "aus",
    "bei",
    "auf",
    "im",
    "am",
    "um",
    "an",
    "über",
    "noch",
    "schon",
    "auch",
    "nur",
    "sehr",
    "gern",
    "gerne",
    "heute",
    "morgen",
    "übermorgen",
    "montag",
    "dienstag",
    "mittwoch",
    "donnerstag",
    "freitag",
    "samstag",
    "sonntag",
    "eins",
    "zwei",
    "drei",
    "vier",
    "fünf",
    "sechs",
    "sieben",
    "acht",
    "neun",
    "zehn",
    "nummer",
    "termin",
    "uhr",
    "weil",
    "wenn",
    "dass",
    "ob",
    "dann",
    "gut",
    "richtig",
    "genau",
    "sprechen",
    "brauche",
    "will",
    "mal",
    "etwas",
    "jemand",
    "tschüss",
    "wiederhören",
    "kostet",
    "geöffnet",
    "geschlossen",
    "mir",
    "mich",
    "uns",
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn short_texts_tell_their_language() {
        for text in [
            "What are your opening hours?",
            "I'd like an appointment",
            "yes please",
            "how much does it cost",
            "can you help me",
            "My bike is broken.",
            "tomorrow morning",
            "Who is there?",
            "five five five",
            "thanks, bye",
        ] {
            assert_eq!(impression(text).map(|it| it.tongue), Some(Tongue::English), "{text}");
        }
        for text in [
            "Wann haben Sie geöffnet?",
            "Ich hätte gerne einen Termin",
            "ja bitte",
            "was kostet das",
            "können Sie mir helfen",
            "Mein Fahrrad ist kaputt.",
            "morgen früh",
            "Wer ist da?",
            "null sieben eins eins",
            "danke, tschüss",
        ] {
            assert_eq!(impression(text).map(|it| it.tongue), Some(Tongue::German), "{text}");
        }
        for text in ["", "Müller?".trim_end_matches("üller?"), "0711 12345", "…"] {
            assert_eq!(impression(text), None, "{text}");
        }
    }

    fn languages() -> Languages {
        let german = "de".parse().expect("a language");
        Languages::new(german, &["en-GB".parse().expect("a language")])
    }

    #[test]
    fn a_clear_sentence_changes_the_language_and_a_word_does_not() {
        let mut bilingual = languages();
        assert_eq!(bilingual.hear("Ich hätte gerne einen Termin"), None);
        assert_eq!(bilingual.hear("okay"), None);
        assert_eq!(bilingual.hear("Ja, genau, am Montag"), None);
        assert_eq!(bilingual.hear("yes"), None, "one word is not enough");
        let english = bilingual.hear("yes please");
        assert_eq!(english.map(|it| it.to_string()).as_deref(), Some("en-GB"), "two are");
        assert_eq!(bilingual.hear("My name is Miller"), None);
        let german =
            bilingual.hear("Entschuldigung, ich spreche doch lieber mit Ihnen auf Deutsch");
        assert_eq!(german.map(|it| it.to_string()).as_deref(), Some("de"));
    }

    #[test]
    fn who_asks_for_a_language_gets_it_if_the_agent_has_it() {
        assert!(languages().hear("Do you speak English?").is_some());
        assert!(languages().hear("English please").is_some());
        assert_eq!(languages().hear("Sprechen Sie Deutsch?"), None, "it does already");
        let mut alone = Languages::new(Language::english(), &[]);
        assert_eq!(alone.hear("Ich möchte bitte mit einem Menschen sprechen"), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_text_has_a_margin_between_nothing_and_one(text in "\\PC{0,80}") {
            if let Some(it) = impression(&text) {
                prop_assert!((0.0..=1.0).contains(&it.margin));
            }
            languages().hear(&text);
        }
    }
}
