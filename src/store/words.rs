//! The words of a text, as they are kept and looked for: both databases are given the same, so that
//! both find the same.

use std::collections::BTreeSet;

/// The words of texts, each once, in lower case and in the order of the alphabet, with blanks
/// between them.
pub fn words<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let mut found = BTreeSet::new();
    let mut octets = 0;
    for word in texts.into_iter().flat_map(split) {
        octets += word.len() + 1;
        if octets > MOST_OCTETS {
            break;
        }
        found.insert(word);
    }
    found.into_iter().collect::<Vec<_>>().join(" ")
}

/// What somebody looks for: words that must all be there. `rech*` is whatever begins so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search(Vec<(String, bool)>);

impl Search {
    /// Reads it; `None` when there is no word in it.
    pub fn read(text: &str) -> Option<Self> {
        let parts = text.split_whitespace().flat_map(|part| {
            let mut words: Vec<(String, bool)> = split(part).map(|word| (word, false)).collect();
            if let Some(last) = words.last_mut() {
                last.1 = part.ends_with('*');
            }
            words
        });
        let words: Vec<_> = parts.take(MOST_SOUGHT).collect();
        (!words.is_empty()).then_some(Self(words))
    }

    /// As FTS5 of SQLite reads it.
    pub fn for_sqlite(&self) -> String {
        self.joined(" AND ", |word, begins| format!("\"{word}\"{}", if begins { " *" } else { "" }))
    }

    /// As a `tsquery` of PostgreSQL is written.
    pub fn for_postgres(&self) -> String {
        self.joined(" & ", |word, begins| format!("'{word}'{}", if begins { ":*" } else { "" }))
    }

    fn joined(&self, between: &str, written: impl Fn(&str, bool) -> String) -> String {
        let written: Vec<String> =
            self.0.iter().map(|(word, begins)| written(word, *begins)).collect();
        written.join(between)
    }
}

/// Letters and digits that stand together.
fn split(text: &str) -> impl Iterator<Item = String> + '_ {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(|word| word.chars().take(LONGEST_WORD).flat_map(char::to_lowercase).collect())
}

/// How much of a call can be found, in octets: a `tsvector` holds a megabyte.
const MOST_OCTETS: usize = 512 * 1_024;

/// How much of a word counts, in characters.
const LONGEST_WORD: usize = 64;

/// How many words are looked for at once.
const MOST_SOUGHT: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_kept_once_and_without_what_stands_between_them() {
        let kept = words(["Guten Tag, Frau Müller-Öz!", "TAG 4711"]);
        assert_eq!(kept, "4711 frau guten müller tag öz");
        let long = "x".repeat(LONGEST_WORD + 5);
        assert_eq!(words([long.as_str()]).len(), LONGEST_WORD);
        let many: String = (0..200_000).map(|number| format!("w{number} ")).collect();
        assert!(words([many.as_str()]).len() <= MOST_OCTETS);
        assert_eq!(words(["... ", "\0\u{1b}[0m"]), "0m");
    }

    #[test]
    fn what_is_looked_for_is_words_and_never_a_language() {
        let search = Search::read("Rech* \"OR\" x'); DROP").expect("words");
        assert_eq!(search.for_sqlite(), "\"rech\" * AND \"or\" AND \"x\" AND \"drop\"");
        assert_eq!(search.for_postgres(), "'rech':* & 'or' & 'x' & 'drop'");
        assert_eq!(Search::read(" * ' \" "), None);
        assert_eq!(Search::read(&"a ".repeat(99)).map(|it| it.0.len()), Some(MOST_SOUGHT));
    }
}
