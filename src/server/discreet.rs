//! The log without what nobody may keep: each line goes through here on its way to the standard
//! error. Fields whose names begin with `pii.` hold what people say and dial, and are looked at
//! closely; elsewhere only what can be nothing else is covered.

use std::io::{self, Write};

use tracing_subscriber::fmt::MakeWriter;

use crate::agent::lexicon::account::{self, Verdict};
use crate::agent::masking::card;
use crate::agent::masking::kind::{Kind, Masks};
use crate::agent::masking::redactor::Redactor;
use crate::agent::masking::terms::Terms;

/// Makes writers that cover these kinds.
#[derive(Debug, Clone, Copy)]
pub struct Discreet {
    masks: Masks,
}

/// Writes one line.
#[derive(Debug)]
pub struct Pen {
    masks: Masks,
}

impl Discreet {
    /// Covers these kinds.
    pub fn new(masks: Masks) -> Self {
        Self { masks }
    }
}

impl MakeWriter<'_> for Discreet {
    type Writer = Pen;

    fn make_writer(&self) -> Pen {
        Pen { masks: self.masks }
    }
}

impl Write for Pen {
    /// A whole line comes at once.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        io::stderr().write_all(covered(&text, self.masks).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// A line of the log as it may be kept.
pub fn covered(line: &str, masks: Masks) -> String {
    if masks.is_empty() {
        return line.to_owned();
    }
    let (mut out, mut rest) = (String::with_capacity(line.len()), line);
    while let Some(at) = rest.find(PERSONAL) {
        let (before, field) = rest.split_at(at);
        out.push_str(&plainly(before, masks));
        let (begin, end) = value(field);
        out.push_str(field.get(..begin).unwrap_or_default());
        out.push_str(&closely(field.get(begin..end).unwrap_or_default(), masks));
        rest = field.get(end..).unwrap_or_default();
    }
    out.push_str(&plainly(rest, masks));
    out
}

/// Where the value of a field stands: behind its name and `=` or `":`, with colours between.
fn value(field: &str) -> (usize, usize) {
    let marked = field.find(['=', ':']).map_or(field.len(), |at| at + 1);
    let mut begin = marked;
    while let Some(rest) = field.get(begin..).filter(|rest| rest.starts_with('\u{1b}')) {
        begin += rest.find('m').map_or(rest.len(), |at| at + 1);
    }
    let value = field.get(begin..).unwrap_or_default();
    let Some(quoted) = value.strip_prefix('"') else {
        let length = value.find([' ', ',', '}', '\n', '\u{1b}']).unwrap_or(value.len());
        return (begin, begin + length);
    };
    let mut escaped = false;
    let end = quoted.char_indices().find(|(_, c)| {
        let ends = *c == '"' && !escaped;
        escaped = *c == '\\' && !escaped;
        ends
    });
    let length = end.map_or(quoted.len(), |(at, _)| at);
    (begin + 1, begin + 1 + length)
}

/// What people say or dial: every number is covered that may be one of a telephone.
fn closely(value: &str, masks: Masks) -> String {
    let covered = Redactor::new(masks, Terms::default());
    let others = |kind: &Kind| masks.has(*kind) && *kind != Kind::PhoneNumber;
    let is_one = !value.trim_start_matches('+').bytes().all(|b| b.is_ascii_digit());
    // A number that stands alone keeps its ends: one knows one's callers by them.
    let text = if is_one {
        let kinds: Masks = Kind::ALL.into_iter().filter(others).collect();
        Redactor::new(kinds, Terms::default()).text(value)
    } else {
        value.to_owned()
    };
    let text = words(&text, &|word| match masks.has(Kind::PhoneNumber) {
        true => dialled(word, SHORTEST),
        false => None,
    });
    // Numbers that are said, or written in groups.
    if is_one { covered.text(&text) } else { text }
}

/// What can be nothing else.
fn plainly(text: &str, masks: Masks) -> String {
    words(text, &|word| {
        let digits = word.bytes().all(|b| b.is_ascii_digit());
        let phone = || {
            let sure = word.starts_with('+') || word.starts_with('0');
            dialled(word, LONG).filter(|_| sure && masks.has(Kind::PhoneNumber))
        };
        let label = |kind: Kind| masks.has(kind).then(|| kind.label().to_owned());
        if digits && card::is_card(word) {
            return label(Kind::Card);
        }
        if account::iban(word) == Verdict::Right {
            return label(Kind::Iban);
        }
        if is_address(word) {
            return label(Kind::Email);
        }
        phone()
    })
}

/// Changes the words of a text: letters and digits with what joins them in addresses.
fn words(text: &str, change: &dyn Fn(&str) -> Option<String>) -> String {
    let joins = |c: char| c.is_alphanumeric() || matches!(c, '+' | '@' | '.' | '_' | '-' | '%');
    let mut out = String::with_capacity(text.len());
    for part in text.split_inclusive(|c| !joins(c)) {
        let word = part.trim_end_matches(|c| !joins(c));
        let bare = word.trim_end_matches('.');
        match change(bare) {
            Some(changed) => {
                out.push_str(&changed);
                out.push_str(part.get(bare.len()..).unwrap_or_default());
            }
            None => out.push_str(part),
        }
    }
    out
}

/// The number of a telephone with its middle covered: `+4930•••••67`. In front of a host too.
fn dialled(word: &str, shortest: usize) -> Option<String> {
    let (user, host) = match word.split_once('@') {
        Some((user, host)) => (user, Some(host)),
        None => (word, None),
    };
    let digits = user.strip_prefix('+').unwrap_or(user);
    let is_number = digits.bytes().all(|b| b.is_ascii_digit());
    if !is_number || !(shortest..=LONGEST).contains(&digits.len()) {
        return None;
    }
    let (head, tail) = if user.len() > 9 { (5, 2) } else { (2, 1) };
    let middle = BLOT.repeat(user.len().saturating_sub(head + tail));
    let ends = (user.get(..head)?, user.get(user.len() - tail..)?);
    let host = host.map(|host| format!("@{host}")).unwrap_or_default();
    Some(format!("{}{middle}{}{host}", ends.0, ends.1))
}

/// `anna@example.com`; what has digits only before its host is an address of a telephone.
fn is_address(word: &str) -> bool {
    let Some((user, host)) = word.split_once('@') else { return false };
    let named = user.chars().any(char::is_alphabetic);
    let ending = host.rsplit_once('.').map(|(_, ending)| ending);
    let letters = |ending: &str| ending.len() > 1 && ending.chars().all(char::is_alphabetic);
    named && ending.is_some_and(letters)
}

const PERSONAL: &str = "pii.";
const BLOT: &str = "•";
/// Shorter ones are extensions.
const SHORTEST: usize = 5;
/// Where nothing says that it is one.
const LONG: usize = 8;
const LONGEST: usize = 15;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_ends_and_nothing_else() {
        let masks: Masks =
            [Kind::PhoneNumber, Kind::Card, Kind::Iban, Kind::Email].into_iter().collect();
        for (line, kept) in [
            ("pii.from=\"+493012345667\" x=1", "pii.from=\"+4930••••••67\" x=1"),
            (
                "{\"pii.to\":\"sip:0711123456@10.0.0.1\",\"leg\":1}",
                "{\"pii.to\":\"sip:07111•••56@10.0.0.1\",\"leg\":1}",
            ),
            (
                "\u{1b}[3mpii.to\u{1b}[0m\u{1b}[2m=\u{1b}[0m\"71112345\" ok",
                "\u{1b}[3mpii.to\u{1b}[0m\u{1b}[2m=\u{1b}[0m\"71•••••5\" ok",
            ),
            ("pii.from=\"100\" to", "pii.from=\"100\" to"),
            ("destination=\"trunk:x/+49711123456\"", "destination=\"trunk:x/+4971•••••56\""),
            ("pii.text=\"it is 4111 1111 1111 1111\"", "pii.text=\"it is [card]\""),
            ("why: no anna@example.com here", "why: no [email] here"),
            ("card 4111111111111111.", "card [card]."),
            ("received=12345678 sent=87654321 ms=3.25", "received=12345678 sent=87654321 ms=3.25"),
            (
                "call=0192f3a0-1111-7000-8000-012345678901",
                "call=0192f3a0-1111-7000-8000-012345678901",
            ),
        ] {
            assert_eq!(covered(line, masks), kept, "{line}");
            assert_eq!(covered(line, Masks::default()), line);
        }
    }
}
