//! Barge-in: whether what the caller says while the agent speaks takes the floor.

use std::time::Duration;

use crate::agent::assistant::Assistant;

/// When the caller may interrupt, ready for use.
#[derive(Debug, Clone)]
pub struct BargeIn {
    min_speech: Duration,
    min_words: usize,
    /// Back-channels, each as its words.
    ignore: Vec<Vec<String>>,
    /// What interrupts at once, each as its words.
    always: Vec<Vec<String>>,
}

/// What speech that goes on means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The caller takes the floor.
    Interrupt,
    /// Not yet decided: ask again when the speech has lasted so long, or at the next words.
    Wait(Option<Duration>),
}

impl BargeIn {
    /// Takes the rules of `assistant`.
    pub fn new(assistant: &Assistant) -> Self {
        let rules = &assistant.interrupt;
        let builtin = if assistant.spoken_language().is_german() { GERMAN } else { ENGLISH };
        let ignore: Vec<Vec<String>> = if rules.ignore.is_empty() {
            builtin.iter().map(|phrase| words(phrase)).collect()
        } else {
            phrases(&rules.ignore)
        };
        let min_words = usize::try_from(rules.min_words).unwrap_or(usize::MAX);
        Self {
            min_speech: rules.min_speech.saturating_add(EDGE_LAG),
            min_words,
            ignore,
            always: phrases(&rules.always),
        }
    }

    /// How long speech lasts, from edge to edge, before it is judged.
    pub fn min_speech(&self) -> Duration {
        self.min_speech
    }

    /// Judges speech that has lasted for `spoken` and goes on; `text` is what was heard so far.
    pub fn verdict(&self, spoken: Duration, text: &str) -> Verdict {
        if self.is_order(text) {
            return Verdict::Interrupt;
        }
        if spoken < self.min_speech {
            return Verdict::Wait(Some(self.min_speech));
        }
        if words(text).len() < self.min_words {
            return Verdict::Wait(None);
        }
        // A drawn-out "mhm" gets the same time once more.
        let patience = self.min_speech.saturating_mul(2);
        if spoken < patience && self.is_backchannel(text) {
            return Verdict::Wait(Some(patience));
        }
        Verdict::Interrupt
    }

    /// Whether finished speech with these words takes the floor.
    pub fn is_substantial(&self, text: &str) -> bool {
        let count = words(text).len();
        self.is_order(text) || count > 0 && count >= self.min_words && !self.is_backchannel(text)
    }

    /// Whether something is said that interrupts at once.
    fn is_order(&self, text: &str) -> bool {
        !self.always.is_empty() && says_any(text, &self.always)
    }

    /// Whether `text` has words and all of them mean "go on".
    pub fn is_backchannel(&self, text: &str) -> bool {
        let words = words(text);
        let mut rest = words.as_slice();
        while !rest.is_empty() {
            let longest =
                self.ignore.iter().filter(|phrase| rest.starts_with(phrase)).map(Vec::len).max();
            match longest {
                Some(length) if length > 0 => rest = rest.get(length..).unwrap_or_default(),
                Some(_) | None => return false,
            }
        }
        !words.is_empty()
    }
}

/// Phrases as their words; those without a word mean nothing.
pub(super) fn phrases(texts: &[String]) -> Vec<Vec<String>> {
    texts.iter().map(|phrase| words(phrase)).filter(|words| !words.is_empty()).collect()
}

/// Whether one of the phrases stands in `text`, word by word.
pub(super) fn says_any(text: &str, phrases: &[Vec<String>]) -> bool {
    let words = words(text);
    phrases.iter().any(|phrase| words.windows(phrase.len()).any(|said| said == phrase.as_slice()))
}

/// The words of `text` in lower case without punctuation: "Uh-huh!" is `uhhuh`.
fn words(text: &str) -> Vec<String> {
    text.split_whitespace()
        .map(|word| word.chars().filter(|c| c.is_alphanumeric()).collect::<String>())
        .filter(|word| !word.is_empty())
        .map(|word| word.to_lowercase())
        .collect()
}

const ENGLISH: &[&str] = &[
    "mhm",
    "mm",
    "mmm",
    "mm-hmm",
    "mm hmm",
    "hm",
    "hmm",
    "uh-huh",
    "uh huh",
    "aha",
    "yeah",
    "yep",
    "yup",
    "ok",
    "okay",
    "right",
    "alright",
    "all right",
    "i see",
];
const GERMAN: &[&str] = &[
    "mhm",
    "mm",
    "mmm",
    "hm",
    "hmm",
    "aha",
    "ah",
    "ach so",
    "ja",
    "jaja",
    "genau",
    "ok",
    "okay",
    "gut",
    "alles klar",
    "verstehe",
    "stimmt",
    "richtig",
];

/// By how much more the end of speech is told late than its beginning (160 and 64 ms after the
/// voice, by default): sound shorter than the least has ended by its edges before it is judged.
const EDGE_LAG: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    /// The least of 400 ms, from edge to edge.
    const LONG: Duration = Duration::from_millis(500);

    #[test]
    fn back_channels_do_not_take_the_floor() {
        let english = BargeIn::new(&Assistant::default());
        for text in ["Mhm.", "uh-huh", "Yeah, okay.", "OK right", "I see."] {
            assert!(english.is_backchannel(text), "{text}");
            assert!(!english.is_substantial(text), "{text}");
        }
        for text in ["yeah but no", "stop", "I see a problem", "okay what"] {
            assert!(english.is_substantial(text), "{text}");
        }
        assert!(!english.is_backchannel(""));
        let german = Assistant { language: "de".parse().ok(), ..Assistant::default() };
        assert!(BargeIn::new(&german).is_backchannel("Ja, genau, alles klar"));
        assert!(BargeIn::new(&german).is_substantial("Ja aber"));
    }

    #[test]
    fn the_operators_list_replaces_that_of_the_language() {
        let mut assistant = Assistant::default();
        assistant.interrupt.ignore = vec!["roger that".to_owned()];
        let barge_in = BargeIn::new(&assistant);
        assert!(barge_in.is_backchannel("Roger that."));
        assert!(barge_in.is_substantial("mhm"));
    }

    #[test]
    fn a_word_that_always_interrupts_does_so_at_once() {
        let mut assistant = Assistant::default();
        assistant.interrupt.always = vec!["stop".to_owned(), "Hold on!".to_owned(), "?".to_owned()];
        assistant.interrupt.min_words = 4;
        let barge_in = BargeIn::new(&assistant);
        for text in ["Stop.", "no, hold on", "okay stop that"] {
            assert_eq!(barge_in.verdict(LONG / 5, text), Verdict::Interrupt, "{text}");
            assert!(barge_in.is_substantial(text), "{text}");
        }
        for text in ["", "hold", "stopping", "on hold"] {
            assert_eq!(barge_in.verdict(LONG / 5, text), Verdict::Wait(Some(LONG)), "{text}");
            assert!(!barge_in.is_substantial(text), "{text}");
        }
    }

    #[test]
    fn speech_must_last_and_have_its_words() {
        let mut assistant = Assistant::default();
        let barge_in = BargeIn::new(&assistant);
        assert_eq!(barge_in.verdict(LONG / 2, ""), Verdict::Wait(Some(LONG)));
        assert_eq!(barge_in.verdict(LONG, ""), Verdict::Interrupt);
        assert_eq!(barge_in.verdict(LONG, "mhm"), Verdict::Wait(Some(LONG * 2)));
        assert_eq!(barge_in.verdict(LONG * 2, "mhm"), Verdict::Interrupt);
        assistant.interrupt.min_words = 2;
        let barge_in = BargeIn::new(&assistant);
        assert_eq!(barge_in.verdict(LONG, "no"), Verdict::Wait(None));
        assert_eq!(barge_in.verdict(LONG, "no wait"), Verdict::Interrupt);
        assert!(!barge_in.is_substantial("no"));
    }
}
