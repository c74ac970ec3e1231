//! Header parameters: `;name=value`, with white space, quotes and folds wherever RFC 3261 25.1
//! lets them stand.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::borrow::Cow;

use super::lexer::{self, Class, Cursor};

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
}

impl<'a> Params<'a> {
    /// Reads `*(SEMI param)`; `None` when it is anything else, such as `;;` or `;a=`.
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        Self::parse_each(bytes, |_, _| Some(()))
    }

    /// Reads them and shows each to `look` by name and value, which may refuse them all.
    #[inline]
    pub(super) fn parse_each(
        bytes: &'a [u8],
        mut look: impl FnMut(&'a [u8], Option<&'a [u8]>) -> Option<()>,
    ) -> Option<Self> {
        let mut cursor = Cursor::new(bytes);
        loop {
            cursor.skip_space();
            if cursor.is_empty() {
                return Some(Self(lexer::trim(bytes)));
            }
            let (name, value) = read(&mut cursor)?;
            look(name, value)?;
        }
    }

    /// The parameters in order.
    pub fn iter(&self) -> impl Iterator<Item = Param<'a>> + use<'a> {
        let mut cursor = Cursor::new(self.0);
        std::iter::from_fn(move || {
            cursor.skip_space();
            let (name, value) = read(&mut cursor)?;
            Some(Param { name: lexer::proved(name), value })
        })
    }

    /// Finds the first parameter of that name.
    pub fn find(&self, name: &str) -> Option<Param<'a>> {
        let mut cursor = Cursor::new(self.0);
        loop {
            cursor.skip_space();
            let (found, value) = read(&mut cursor)?;
            if found.eq_ignore_ascii_case(name.as_bytes()) {
                return Some(Param { name: lexer::proved(found), value });
            }
        }
    }

    /// Tells whether a parameter of that name is there, with a value or without.
    pub fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// The value of a parameter with its quotes, when it is UTF-8.
    pub fn value(&self, name: &str) -> Option<&'a str> {
        std::str::from_utf8(self.find(name)?.value?).ok()
    }

    /// The octets, from the first semicolon to the end.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.0
    }
}

/// One parameter: its name and its value.
#[inline]
fn read<'a>(cursor: &mut Cursor<'a>) -> Option<(&'a [u8], Option<&'a [u8]>)> {
    if !cursor.eat(b';') {
        return None;
    }
    cursor.skip_space();
    let name = cursor.token_octets()?;
    let mut ahead = *cursor;
    ahead.skip_space();
    if !ahead.eat(b'=') {
        return Some((name, None));
    }
    *cursor = ahead;
    cursor.skip_space();
    let value = match cursor.peek()? {
        b'"' => cursor.quoted()?,
        _ => cursor.take(Class::VALUE),
    };
    if value.is_empty() {
        return None;
    }
    Some((name, Some(value)))
}

/// Refuses a parameter that stands there twice, for each reader could take another one, or whose
/// value is no word of visible ASCII where one is wanted.
#[derive(Debug)]
pub(super) struct Once<'a> {
    name: &'static [u8],
    wants_word: bool,
    was_seen: bool,
    value: Option<&'a [u8]>,
}

impl<'a> Once<'a> {
    /// One that may have any value or none.
    #[inline]
    pub(super) fn any(name: &'static str) -> Self {
        Self { name: name.as_bytes(), wants_word: false, was_seen: false, value: None }
    }

    /// One that must be a word: whoever cannot read it would add another one.
    #[inline]
    pub(super) fn word(name: &'static str) -> Self {
        Self { wants_word: true, ..Self::any(name) }
    }

    /// Looks at a parameter; `None` refuses it.
    #[inline]
    pub(super) fn look(&mut self, name: &[u8], value: Option<&'a [u8]>) -> Option<()> {
        // Nearly everybody writes names as we do.
        if name != self.name && !name.eq_ignore_ascii_case(self.name) {
            return Some(());
        }
        let is_word = value.is_some_and(|value| value.iter().all(u8::is_ascii_graphic));
        let is_first = !std::mem::replace(&mut self.was_seen, true);
        self.value = value;
        (is_first && (is_word || !self.wants_word)).then_some(())
    }

    /// The value that was seen.
    #[inline]
    pub(super) fn seen(&self) -> Option<&'a [u8]> {
        self.value
    }
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
        let look = |text: &'static str| {
            let mut tag = Once::word("tag");
            Params::parse_each(text.as_bytes(), |name, value| tag.look(name, value)).is_some()
        };
        assert!(look(";tag=a;tagged=b") && !look(";tag=a;TAG=b") && !look(";tag"));
    }
}
