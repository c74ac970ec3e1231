//! The texts of all files on one line of octets, so that a span alone says which file it is in.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

/// Octets in the texts of all files together.
pub type Span = Range<usize>;

/// The files that were read.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    files: Vec<Source>,
}

/// One file. Its debug form leaves the text out: secrets may stand in it.
#[derive(Clone)]
pub struct Source {
    /// The path as the operator gave it.
    pub name: String,
    /// The folder that holds it; none for a text that came with the program.
    pub directory: Option<PathBuf>,
    /// What it says.
    pub text: Arc<str>,
    /// Where it begins among the texts of all files.
    pub base: usize,
}

/// A span within its file, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// From 1.
    pub line: usize,
    /// From 1, in letters.
    pub column: usize,
}

impl Sources {
    /// Takes a file in.
    pub fn add(&mut self, name: String, directory: Option<PathBuf>, text: Arc<str>) -> &Source {
        let base = self.files.last().map_or(0, |last| last.base + last.text.len() + 1);
        self.files.push(Source { name, directory, text, base });
        self.files.last().expect("a file was just added")
    }

    /// The files, in the order in which they were read.
    pub fn files(&self) -> &[Source] {
        &self.files
    }

    /// The file that holds `span`.
    pub fn file(&self, span: &Span) -> Option<&Source> {
        let after = self.files.partition_point(|file| file.base <= span.start);
        self.files.get(after.checked_sub(1)?)
    }

    /// What stands at `span`.
    pub fn slice(&self, span: &Span) -> Option<&str> {
        let file = self.file(span)?;
        file.text.get(file.within(span))
    }
}

impl Source {
    /// Where `span` lies in this file.
    pub fn within(&self, span: &Span) -> Range<usize> {
        let inside = |at: usize| at.saturating_sub(self.base).min(self.text.len());
        inside(span.start)..inside(span.end)
    }

    /// The part of `span` on its first line in this file, without the blanks at its end: a table of
    /// many lines is pointed at by its head.
    pub fn first_line(&self, span: &Span) -> Range<usize> {
        let span = self.within(span);
        let written = self.text.get(span.clone()).unwrap_or_default();
        let line = written.split('\n').next().unwrap_or_default().trim_end();
        span.start..span.start + line.len()
    }

    /// The line and column of an octet of this file.
    pub fn position(&self, at: usize) -> Position {
        let before = self.text.get(..at).unwrap_or(&self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Position {
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
        }
    }

    /// The text with every secret that stands in it written as stars of the same length, for
    /// people to see. It works on broken files too.
    pub fn shown(&self) -> String {
        let mut shown = self.text.to_string();
        for word in SECRET_KEYS {
            let mut from = 0;
            while let Some(found) = find_ignoring_case(&shown, word, from) {
                from = found + word.len();
                if let Some(value) = value_after(&shown, from) {
                    from = value.end;
                    shown.replace_range(value.clone(), &"*".repeat(value.len()));
                }
            }
        }
        starred(&shown)
    }
}

/// A text with the secrets that are known by what stands around them written as stars: passwords in
/// URLs, and secrets of webhooks.
pub fn starred(text: &str) -> String {
    let mut shown = text.to_owned();
    for value in passwords_in_urls(text).into_iter().chain(secrets_of_webhooks(text)) {
        shown.replace_range(value.clone(), &"*".repeat(value.len()));
    }
    shown
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Whether the value of this key must not be shown.
pub fn is_secret_key(key: &str) -> bool {
    SECRET_KEYS.iter().any(|word| key.eq_ignore_ascii_case(word))
}

/// Where each key and value of the settings stands, by path: `agents.reception.intents[2].say`.
#[derive(Debug, Clone, Default)]
pub struct Places {
    by_path: BTreeMap<String, Place>,
}

/// Where a key and its value stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The key; of an element of a list, the element.
    pub key: Span,
    /// The value.
    pub value: Span,
}

impl Places {
    /// Notes a place.
    pub fn add(&mut self, path: String, place: Place) {
        self.by_path.insert(path, place);
    }

    /// The place of exactly this path.
    pub fn find(&self, path: &str) -> Option<&Place> {
        self.by_path.get(path)
    }

    /// The place of this path or, when it was not written, of the nearest table around it.
    pub fn nearest(&self, path: &str) -> Option<&Place> {
        let mut path = path;
        loop {
            if let Some(place) = self.by_path.get(path) {
                return Some(place);
            }
            path = &path[..path.rfind(['.', '['])?];
        }
    }
}

fn find_ignoring_case(text: &str, word: &str, from: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let last = bytes.len().checked_sub(word.len())?;
    (from..=last).find(|at| bytes[*at..at + word.len()].eq_ignore_ascii_case(word.as_bytes()))
}

/// The quoted value of `key = "value"` without its quotes, when `at` is just behind the key.
/// References (`${…}`) are no secrets. An open quote ends with its line.
fn value_after(text: &str, at: usize) -> Option<Range<usize>> {
    let rest = text.get(at..)?;
    let rest = rest.trim_start_matches(['"', '\'', ' ', '\t']).strip_prefix('=')?;
    let rest = rest.trim_start_matches([' ', '\t']);
    let quote = rest.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    let triple = quote.to_string().repeat(3);
    let fence = if rest.starts_with(&triple) { triple } else { quote.to_string() };
    let inside = &rest[fence.len()..];
    let end = if fence.len() == 3 { inside.find(&fence) } else { inside.find([quote, '\n']) };
    let value = &inside[..end.unwrap_or(inside.len())];
    let start = text.len() - inside.len();
    (!value.contains("${") && !value.contains('\n')).then_some(start..start + value.len())
}

/// Where passwords stand in URLs: `scheme://user:password@host/?password=password`.
fn passwords_in_urls(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for (at, mark) in text.match_indices("://") {
        let start = at + mark.len();
        let rest = text.get(start..).unwrap_or_default();
        let url = rest.split(['"', '\'', '\n', ' ']).next().unwrap_or_default();
        let authority = url.split(['/', '?']).next().unwrap_or_default();
        if let Some((user, _)) = authority.rsplit_once('@')
            && let Some(colon) = user.find(':')
        {
            found.push(start + colon + 1..start + user.len());
        }
        for (at, mark) in url.match_indices(IN_QUERY) {
            let from = at + mark.len();
            let value = url.get(from..).unwrap_or_default().split('&').next().unwrap_or_default();
            found.push(start + from..start + from + value.len());
        }
    }
    found.retain(|range| text.get(range.clone()).is_some_and(|value| !value.contains("${")));
    found
}

/// What stands before a password in a URL.
const IN_QUERY: &str = "password=";

/// Where secrets of webhooks stand, also in lists: they are known by their beginning.
fn secrets_of_webhooks(text: &str) -> Vec<Range<usize>> {
    let is_of_it = |octet: &u8| octet.is_ascii_alphanumeric() || b"+/=_-".contains(octet);
    let found = text.match_indices("whsec_").map(|(at, word)| {
        let from = at + word.len();
        let rest = text.as_bytes().get(from..).unwrap_or_default();
        from..from + rest.iter().take_while(|octet| is_of_it(octet)).count()
    });
    found.collect()
}

/// Keys whose values are secrets wherever they stand.
const SECRET_KEYS: [&str; 10] = [
    "api_key",
    "password",
    "ha1",
    "secret",
    "token",
    "authorization",
    "x-api-key",
    "secret_key",
    "access_key",
    "encrypt",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_finds_its_file_and_line() {
        let mut sources = Sources::default();
        sources.add("a.toml".to_owned(), None, "one\n".into());
        sources.add("b.toml".to_owned(), None, "zwei\ndrü = 1\n".into());
        let base = sources.files()[1].base;
        let span = base + 10..base + 11;
        let file = sources.file(&span).expect("a file");
        assert_eq!(file.name, "b.toml");
        assert_eq!(sources.slice(&span), Some("="));
        assert_eq!(file.position(file.within(&span).start), Position { line: 2, column: 5 });
    }

    #[test]
    fn secrets_are_starred_and_references_are_not() {
        let text = "api_key = \"sk-12\"\nh = { Authorization = 'Bearer x', a = \"b\" }\n\
                    password = \"${env:P}\"\nsecret = \"open\ntoken=1\n";
        let mut sources = Sources::default();
        let shown = sources.add("x".to_owned(), None, text.into()).shown();
        assert_eq!(
            shown,
            "api_key = \"*****\"\nh = { Authorization = '********', a = \"b\" }\n\
             password = \"${env:P}\"\nsecret = \"****\ntoken=1\n"
        );
    }

    #[test]
    fn passwords_in_urls_are_starred_too() {
        let text = "url = \"postgres://shop:x@ä@db.test/shop?a=b&password=yy&c=d\"\n\
                    u = 'postgres://shop:${env:P}@db.test' # http://a:80/b@c\n";
        let mut sources = Sources::default();
        let shown = sources.add("x".to_owned(), None, text.into()).shown();
        let expected = text.replace("x@ä@", "****@").replace("=yy", "=**");
        assert_eq!(shown, expected);
        let text = "secret = [\"whsec_MfKQ+/=\", \"whsec_x\"]\n";
        let shown = sources.add("y".to_owned(), None, text.into()).shown();
        assert_eq!(shown, text.replace("MfKQ+/=", "*******").replace("_x", "_*"));
    }

    #[test]
    fn the_nearest_place_is_the_table_around() {
        let mut places = Places::default();
        let place = Place { key: 1..2, value: 3..4 };
        places.add("agents.front".to_owned(), place.clone());
        assert_eq!(places.nearest("agents.front.intents[2].say"), Some(&place));
        assert_eq!(places.nearest("route[0]"), None);
    }
}
