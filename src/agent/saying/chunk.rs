//! A clause as words between white space, each with the marks around it.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::agent::lexicon::locale::Locale;

/// A word with the marks around it: `(0711)` is `(`, `0711` and `)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunk<'a> {
    /// White space before it.
    pub gap: &'a str,
    /// Opening marks.
    pub lead: &'a str,
    /// The word.
    pub core: &'a str,
    /// Closing marks, and those that end clauses.
    pub tail: &'a str,
}

/// A place in a clause: what stands before it, and what stands from here on.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The chunks before.
    pub before: &'a [Chunk<'a>],
    /// The chunks from here on; at least one.
    pub here: &'a [Chunk<'a>],
    /// The language and its habits.
    pub locale: Locale,
    /// How times of day are said.
    pub clock: Clock,
}

/// How times of day are said in German.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Clock {
    /// "vierzehn Uhr dreißig".
    #[default]
    Formal,
    /// "halb drei".
    Colloquial,
}

/// What is said for some chunks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// How many chunks it stands for.
    pub used: usize,
    /// The words, without the marks around them.
    pub text: String,
    /// Whether the full stop behind the last chunk belongs to it.
    pub dot: Dot,
}

/// A full stop behind a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dot {
    /// It ends a sentence.
    Stays,
    /// It belongs to the word: `z.`
    Taken,
}

/// A way to say some chunks.
pub type Rule = fn(Place<'_>) -> Option<Said>;

impl<'a> Chunk<'a> {
    /// Splits a clause.
    pub fn split(clause: &'a str) -> Vec<Self> {
        let (mut chunks, mut rest) = (Vec::new(), clause);
        while !rest.is_empty() {
            let word_at = rest.find(|c: char| !c.is_whitespace()).unwrap_or(rest.len());
            let (gap, after) = rest.split_at(word_at);
            let (word, after) =
                after.split_at(after.find(char::is_whitespace).unwrap_or(after.len()));
            let core = word.trim_start_matches(OPENING);
            let lead = word.strip_suffix(core).unwrap_or_default();
            let bare = core.trim_end_matches(CLOSING);
            let tail = core.strip_prefix(bare).unwrap_or_default();
            chunks.push(Self { gap, lead, core: bare, tail });
            rest = after;
        }
        chunks
    }

    /// Whether nothing stands between this word and the next.
    pub fn is_open(&self) -> bool {
        self.tail.is_empty()
    }

    /// Whether a full stop follows at once.
    pub fn has_dot(&self) -> bool {
        self.tail.starts_with('.')
    }

    /// The word as a row of digits.
    pub fn digits(&self) -> Option<&'a str> {
        (!self.core.is_empty() && self.core.bytes().all(|b| b.is_ascii_digit()))
            .then_some(self.core)
    }
}

impl<'a> Place<'a> {
    /// The first chunk.
    pub fn first(&self) -> Chunk<'a> {
        self.here.first().copied().unwrap_or(Chunk { gap: "", lead: "", core: "", tail: "" })
    }

    /// A later chunk, if nothing but white space stands before it.
    pub fn then(&self, at: usize) -> Option<Chunk<'a>> {
        let before = self.here.get(..at)?;
        let open = before.iter().skip(1).all(Chunk::is_open) && before.first()?.is_open();
        self.here.get(at).copied().filter(|chunk| open && chunk.lead.is_empty())
    }

    /// The word before this place, in lower case, if it belongs to the same clause.
    pub fn previous(&self) -> String {
        self.before.last().map(|chunk| chunk.core.to_lowercase()).unwrap_or_default()
    }

    /// Whether this is the last chunk of the clause.
    pub fn is_last(&self) -> bool {
        self.here.len() <= 1
    }
}

impl Said {
    /// Words for the first `used` chunks.
    pub fn new(used: usize, text: String) -> Self {
        Self { used, text, dot: Dot::Stays }
    }

    /// The same, and the full stop behind belongs to it.
    #[must_use]
    pub fn with_dot(self) -> Self {
        Self { dot: Dot::Taken, ..self }
    }
}

const OPENING: &[char] = &['"', '\'', '„', '“', '‚', '‘', '»', '«', '(', '[', '{', '¿', '¡'];
const CLOSING: &[char] = &[
    '"', '\'', '”', '“', '’', '‘', '»', '«', ')', ']', '}', '.', ',', ';', ':', '!', '?', '…', '–',
    '—',
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_between_their_marks() {
        let chunks = Chunk::split("Call (0711) 12-3, \"now\"!  ");
        let parts: Vec<_> = chunks.iter().map(|it| (it.lead, it.core, it.tail)).collect();
        assert_eq!(
            parts,
            [
                ("", "Call", ""),
                ("(", "0711", ")"),
                ("", "12-3", ","),
                ("\"", "now", "\"!"),
                ("", "", "")
            ]
        );
        let whole: String =
            chunks.iter().map(|it| [it.gap, it.lead, it.core, it.tail].concat()).collect();
        assert_eq!(whole, "Call (0711) 12-3, \"now\"!  ");
    }
}
