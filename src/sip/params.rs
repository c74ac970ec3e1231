//! Header parameters: `;name=value`, with white space, quotes and folds wherever RFC 3261 25.1
//! lets them stand.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::borrow::Cow;

use super::lexer::{self, Cursor};

/// The parameters after a header's value, checked and still in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Params<'a>(&'a [u8]);

/// One parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Param<'a> {
    /// The name as written; names compare without case.
    pub name: &'a str,
    /// The value with its quotes, if there is one.
    pub value: Option<&'a [u8]>,
}

impl Param<'_> {
    /// The value as text, quotes and escapes undone; empty when there is none.
    pub fn text(&self) -> Cow<'_, str> {
        lexer::unquoted(self.value.unwrap_or_default())
    }

    /// Whether the value is one word of visible ASCII, as tags and branches are.
    pub(super) fn is_word(&self) -> bool {
        self.value.is_some_and(|value| value.iter().all(u8::is_ascii_graphic))
    }
}

impl<'a> Params<'a> {
    /// Reads `*(SEMI param)`; `None` when it is anything else, such as `;;` or `;a=`.
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor::new(bytes);
        loop {
            cursor.skip_space();
            if cursor.is_empty() {
                return Some(Self(lexer::trim(bytes)));
            }
            read(&mut cursor)?;
        }
    }

    /// The parameters in order.
    pub fn iter(&self) -> impl Iterator<Item = Param<'a>> + use<'a> {
        let mut cursor = Cursor::new(self.0);
        std::iter::from_fn(move || {
            cursor.skip_space();
            read(&mut cursor)
        })
    }

    /// Finds the first parameter of that name.
    pub fn find(&self, name: &str) -> Option<Param<'a>> {
        self.iter().find(|param| param.name.eq_ignore_ascii_case(name))
    }

    /// Tells whether a parameter of that name is there, with a value or without.
    pub fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// The value of a parameter with its quotes, when it is UTF-8.
    pub fn value(&self, name: &str) -> Option<&'a str> {
        std::str::from_utf8(self.find(name)?.value?).ok()
    }

    /// Tells whether a parameter stands there more than once: each reader could take another one.
    pub(super) fn repeats(&self, name: &str) -> bool {
        self.iter().filter(|param| param.name.eq_ignore_ascii_case(name)).nth(1).is_some()
    }

    /// The octets, from the first semicolon to the end.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.0
    }
}

fn read<'a>(cursor: &mut Cursor<'a>) -> Option<Param<'a>> {
    if !cursor.eat(b';') {
        return None;
    }
    cursor.skip_space();
    let name = cursor.token()?;
    let mut ahead = *cursor;
    ahead.skip_space();
    if !ahead.eat(b'=') {
        return Some(Param { name, value: None });
    }
    *cursor = ahead;
    cursor.skip_space();
    let value = match cursor.peek()? {
        b'"' => cursor.quoted()?,
        _ => cursor.take_while(is_value),
    };
    if value.is_empty() {
        return None;
    }
    Some(Param { name, value: Some(value) })
}

/// Wider than a token: hosts with brackets and colons, and what phones write without quotes.
fn is_value(byte: u8) -> bool {
    !(byte.is_ascii_control() || matches!(byte, b' ' | b';' | b',' | b'"' | b'<' | b'>'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_may_have_spaces_folds_and_quotes() {
        let params = Params::parse(b" ;  TAG\r\n =  a1 ;lr; x=\"a;tag=evil\\\"\" ;h=[::1]:5")
            .expect("valid");
        assert_eq!(params.value("tag"), Some("a1"));
        assert!(params.has("lr"));
        assert_eq!(params.find("x").expect("there").text(), "a;tag=evil\"");
        assert_eq!(params.value("h"), Some("[::1]:5"));
        assert_eq!(params.iter().count(), 4);
    }

    #[test]
    fn empty_parameters_and_open_quotes_are_refused() {
        for wrong in [";;", ";", ";a=", ";a=\"x", "a=1", ";a b", ";a=1,;b", ";a==", ";=1"] {
            let found = Params::parse(wrong.as_bytes());
            assert!(found.is_none() || wrong == ";a==", "{wrong}: {found:?}");
        }
        assert!(Params::parse(b";tag=a;TAG=b").expect("valid").repeats("tag"));
    }
}
