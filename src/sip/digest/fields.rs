//! The grammar of challenges and answers: `Scheme name=value, name="value", Scheme …`.

use std::borrow::Cow;

use crate::sip::lexer::{self, Cursor};

/// The fields of one challenge or answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fields<'a>(Vec<(&'a str, &'a [u8])>);

impl<'a> Fields<'a> {
    /// The octets of a value, without its quotes but with what is escaped in them as it stands:
    /// that is what is hashed and sent back.
    pub fn bare(&self, name: &str) -> Option<&'a str> {
        let value = self.find(name)?;
        let inner = value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
        std::str::from_utf8(inner.unwrap_or(value)).ok()
    }

    /// A value as text, quotes and escapes undone.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.find(name).map(lexer::unquoted).map(Cow::into_owned)
    }

    fn find(&self, name: &str) -> Option<&'a [u8]> {
        self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }
}

/// Reads the schemes of a header's value with their fields. Where the grammar breaks, or a field
/// stands there twice, the scheme is left out and nothing behind it is read.
pub fn schemes(value: &[u8]) -> Vec<(&str, Fields<'_>)> {
    let mut found = Vec::new();
    let mut cursor = Cursor::new(value);
    cursor.skip_space();
    while found.len() < MOST_SCHEMES {
        let Some(scheme) = cursor.token() else { break };
        let Some(fields) = read_fields(&mut cursor) else { break };
        found.push((scheme, fields));
    }
    found
}

/// Reads fields up to the next scheme or the end.
fn read_fields<'a>(cursor: &mut Cursor<'a>) -> Option<Fields<'a>> {
    let mut fields = Fields::default();
    loop {
        cursor.take_while(|byte| lexer::is_space(byte) || byte == b',');
        if cursor.is_empty() {
            return Some(fields);
        }
        let mut ahead = *cursor;
        let name = ahead.token()?;
        ahead.skip_space();
        if !ahead.eat(b'=') {
            return Some(fields);
        }
        ahead.skip_space();
        let value = match ahead.peek() {
            Some(b'"') => ahead.quoted()?,
            Some(_) | None => ahead.take_while(|byte| !lexer::is_space(byte) && byte != b','),
        };
        *cursor = ahead;
        if fields.find(name).is_some() || fields.0.len() >= MOST_FIELDS {
            return None;
        }
        fields.0.push((name, value));
    }
}

/// Writes a quoted string.
pub(super) fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{escaped}\"")
}

/// How many schemes of one line are looked at.
const MOST_SCHEMES: usize = 8;

/// How many fields a scheme may have.
const MOST_FIELDS: usize = 32;
