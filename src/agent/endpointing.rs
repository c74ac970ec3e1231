//! Endpointing: how long to wait after the caller's last voiced sample before the turn is taken.

use std::time::Duration;

use crate::agent::assistant::Turns;

/// How the caller's words end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Like a finished sentence, or the whole phrase of a grammar.
    Complete,
    /// Neither like an end nor like the middle.
    Unclear,
    /// In the middle: "my name is um".
    Unfinished,
}

impl Ending {
    /// Judges `text`, which took `voiced` to say. `complete` words are a whole phrase of a
    /// grammar.
    pub fn of(text: &str, complete: Completeness, voiced: Duration) -> Self {
        let last = last_word(text);
        if last.is_empty() {
            // Long speech without words: the transcriber is behind, or the caller hesitates.
            return if voiced >= LONG_SPEECH { Self::Unfinished } else { Self::Unclear };
        }
        if complete == Completeness::Whole {
            return Self::Complete;
        }
        let tail = text.trim_end_matches(|c: char| c.is_whitespace() || CLOSING.contains(c));
        if tail.ends_with(['!', '?']) {
            return Self::Complete;
        }
        // Some transcribers end everything with a full stop, so the last word is asked first.
        let trails_off = tail.ends_with("..") || tail.ends_with(['…', ',', '-', '–', '—', ':']);
        if trails_off || UNFINISHED.contains(&last.as_str()) {
            return Self::Unfinished;
        }
        if tail.ends_with('.') { Self::Complete } else { Self::Unclear }
    }

    /// How much silence such an end needs.
    pub fn wait(self, turns: &Turns) -> Duration {
        match self {
            Self::Complete => turns.wait,
            Self::Unclear => turns.wait_unclear,
            Self::Unfinished => turns.max_wait,
        }
    }
}

/// What the transcriber says of the shape of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completeness {
    /// The text is a whole phrase of the grammar.
    Whole,
    /// Nothing is known.
    Unknown,
}

fn last_word(text: &str) -> String {
    text.split(|c: char| !c.is_alphanumeric() && c != '\'' && c != '’')
        .rfind(|word| !word.is_empty())
        .map(|word| word.replace('’', "'").to_lowercase())
        .unwrap_or_default()
}

const LONG_SPEECH: Duration = Duration::from_secs(1);
const CLOSING: &str = "\"'”’»)]";

/// Words after which something must follow: English, then German. Words that often end a
/// sentence too ("so", "from", "das", "mit") are not among them: they would cost a second each.
const UNFINISHED: &[&str] = &[
    "and", "but", "or", "because", "if", "although", "the", "a", "an", "my", "your", "our",
    "their", "of", "to", "um", "uh", "erm", "er", "i'm", "i'd", "i'll", "i've", "we're", "it's",
    "und", "aber", "oder", "weil", "dass", "wenn", "ob", "denn", "der", "dem", "den", "des", "ein",
    "eine", "einen", "einem", "einer", "mein", "meine", "meinen", "meinem", "meiner", "unser",
    "unsere", "unseren", "zu", "zum", "zur", "vom", "im", "am", "beim", "für", "von", "äh", "ähm",
    "öh", "ich", "also",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_tells_how_long_to_wait() {
        let short = Duration::from_millis(400);
        for (text, ending) in [
            ("I want to book a table.", Ending::Complete),
            ("What is that for?", Ending::Complete),
            ("\"Yes.\"", Ending::Complete),
            ("tomorrow at five", Ending::Unclear),
            ("I would like to", Ending::Unfinished),
            ("My name is, um", Ending::Unfinished),
            ("and the.", Ending::Unfinished),
            ("Well...", Ending::Unfinished),
            ("Ich hätte gern einen", Ending::Unfinished),
            ("Morgen um fünf und", Ending::Unfinished),
            ("Ja, ÄHM", Ending::Unfinished),
            ("Was ist das", Ending::Unclear),
            ("", Ending::Unclear),
        ] {
            assert_eq!(Ending::of(text, Completeness::Unknown, short), ending, "{text}");
        }
        let long = Duration::from_secs(3);
        assert_eq!(Ending::of(" ", Completeness::Unknown, long), Ending::Unfinished);
    }

    #[test]
    fn a_whole_phrase_of_the_grammar_is_complete_whatever_its_last_word() {
        let ending = Ending::of("who am i talking to", Completeness::Whole, Duration::ZERO);
        assert_eq!(ending.wait(&Turns::default()), Turns::default().wait);
    }
}
