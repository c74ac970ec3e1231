//! Addresses in headers: From, To, Contact, Route, Record-Route, Refer-To (RFC 3261 20.10).
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::borrow::Cow;

use super::lexer::{self, Class, Cursor};
use super::params::{Once, Params};
use super::uri::Uri;

/// `"Display" <uri>;params` or `uri;params`. Without brackets a semicolon begins the header's own
/// parameters, never the URI's (RFC 3261 20).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NameAddr<'a> {
    display: &'a [u8],
    uri: Uri<'a>,
    params: Params<'a>,
    tag: Option<&'a [u8]>,
}

impl<'a> NameAddr<'a> {
    /// Reads one address; `None` when it breaks its grammar, carries two tags or one that is no
    /// word: whoever cannot read a tag would add another one.
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor::new(lexer::trim(value));
        let display = match cursor.peek()? {
            b'<' => &[],
            b'"' => cursor.quoted()?,
            _ => {
                let mut ahead = cursor;
                let words = ahead.take(Class::DISPLAY);
                if ahead.peek() != Some(b'<') {
                    return Self::parse_bare(cursor);
                }
                cursor = ahead;
                lexer::trim(words)
            }
        };
        cursor.skip_space();
        if !cursor.eat(b'<') {
            return None;
        }
        let end = lexer::find_near(cursor.rest(), b'>')?;
        let (uri, rest) = cursor.rest().split_at_checked(end)?;
        let uri = Uri::parse_octets(uri).ok()?;
        Self::with_one_tag(display, uri, rest.get(1..)?)
    }

    fn parse_bare(mut cursor: Cursor<'a>) -> Option<Self> {
        let uri = cursor.take_while(|byte| byte != b';' && !lexer::is_space(byte));
        // Both must stand in brackets; a stray `@` behind the semicolon is one that did not.
        if uri.contains(&b',') || uri.contains(&b'?') || cursor.rest().contains(&b'@') {
            return None;
        }
        let uri = Uri::parse_octets(uri).ok()?;
        Self::with_one_tag(&[], uri, cursor.rest())
    }

    #[inline]
    fn with_one_tag(display: &'a [u8], uri: Uri<'a>, params: &'a [u8]) -> Option<Self> {
        let mut tag = Once::word("tag");
        let params = Params::parse_each(params, |name, value| tag.look(name, value))?;
        Some(Self { display, uri, params, tag: tag.seen() })
    }

    /// The display name, quotes and escapes undone, control characters dropped.
    pub fn display(&self) -> Option<Cow<'a, str>> {
        let name = lexer::unquoted(self.display);
        if name.is_empty() { None } else { Some(name) }
    }

    /// The URI.
    pub fn uri(&self) -> Uri<'a> {
        self.uri
    }

    /// The header's parameters.
    pub fn params(&self) -> Params<'a> {
        self.params
    }

    /// The tag, in From and To.
    pub fn tag(&self) -> Option<&'a str> {
        self.tag.map(lexer::proved)
    }
}

/// The addresses between the commas of a header's value; what is none is left out.
pub fn addresses(value: &str) -> impl Iterator<Item = NameAddr<'_>> {
    lexer::Split::new(value.as_bytes(), b',').filter_map(NameAddr::parse)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(value: &str) -> NameAddr<'_> {
        NameAddr::parse(value.as_bytes()).expect(value)
    }

    #[test]
    fn quotes_hide_what_looks_like_an_address() {
        let spoof = address(r#""a>b;tag=evil <sip:evil@evil>" <sip:good@y>;tag=1"#);
        assert_eq!(spoof.uri().as_str(), "sip:good@y");
        assert_eq!(spoof.tag(), Some("1"));
        assert_eq!(spoof.display().as_deref(), Some("a>b;tag=evil <sip:evil@evil>"));
        let escaped = address(r#""J Rosenberg \\\"" <sip:j@h.org> ; tag = 98a"#);
        assert_eq!(escaped.display().as_deref(), Some(r#"J Rosenberg \""#));
        assert_eq!(escaped.tag(), Some("98a"));
    }

    #[test]
    fn without_brackets_the_tag_belongs_to_the_header() {
        let bare = address("sip:a@b;tag=x");
        assert_eq!((bare.uri().as_str(), bare.tag(), bare.display()), ("sip:a@b", Some("x"), None));
        let boxed = address("<sip:a@b;tag=x>");
        assert_eq!((boxed.tag(), boxed.uri().param("tag")), (None, Some(Some("x"))));
        let spaced = address("sip:a@b ;   tag    = 19");
        assert_eq!(spaced.tag(), Some("19"));
    }

    #[test]
    fn display_names_come_bare_quoted_and_in_any_alphabet() {
        assert_eq!(address("caller<sip:a@b>").display().as_deref(), Some("caller"));
        assert_eq!(address("A. Bell <sip:a@b>").display().as_deref(), Some("A. Bell"));
        assert_eq!(address("Jürgen <sip:a@b>").display().as_deref(), Some("Jürgen"));
        assert_eq!(address("\"\" <tel:+4971112>").display(), None);
        let latin = NameAddr::parse(b"\"J\xfcrgen\" <sip:a@b>").expect("valid");
        assert_eq!(latin.display().as_deref(), Some("J\u{fffd}rgen"));
    }

    #[test]
    fn what_two_readers_could_read_differently_is_refused() {
        for wrong in [
            "",
            "\"open <sip:a@b>",
            "\"Watson\" < sip:a@b >",
            "sip:a@b <sip:c@d>",
            "Bell, Alexander <sip:a@b>",
            "sip:a@b;tag=1;tag=2",
            "<sip:a@b",
            "<sip:a@b>>",
            "<sip:a@b> x",
            "<sip:a@b>;tag=",
            "sip:a@b?Route=x",
            "sip:a;b@c",
            "*",
        ] {
            assert_eq!(NameAddr::parse(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
