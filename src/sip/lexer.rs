//! The one lexer of the room: whatever reads a header reads it through this file, so that no two
//! readers can disagree about where a quote, a comma or a fold ends (RFC 3261 25.1).
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::borrow::Cow;

/// Reads octets from left to right. No step goes back, so every reader is linear.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// Steps over `wanted` if it stands here.
    pub(super) fn eat(&mut self, wanted: u8) -> bool {
        match self.rest.split_first() {
            Some((first, rest)) if *first == wanted => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    /// Steps over spaces, tabs and folds.
    pub(super) fn skip_space(&mut self) {
        if self.peek().is_some_and(is_space) {
            self.take(Class::SPACE);
        }
    }

    /// Takes the octets that `fits` likes, possibly none.
    #[inline]
    pub(super) fn take_while(&mut self, fits: impl Fn(u8) -> bool) -> &'a [u8] {
        let end = self.rest.iter().position(|byte| !fits(*byte)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, &[]));
        self.rest = rest;
        taken
    }

    /// Takes the octets of a class, possibly none.
    #[inline]
    pub(super) fn take(&mut self, class: Class) -> &'a [u8] {
        self.take_while(|byte| class.has(byte))
    }

    /// Takes a token (RFC 3261 25.1), if one stands here.
    pub(super) fn token(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.token_octets()?).ok()
    }

    /// The same, for those who only compare it.
    #[inline]
    pub(super) fn token_octets(&mut self) -> Option<&'a [u8]> {
        let token = self.take(Class::TOKEN);
        if token.is_empty() { None } else { Some(token) }
    }

    /// Takes a quoted string with its quotes; `None` when it is not closed.
    pub(super) fn quoted(&mut self) -> Option<&'a [u8]> {
        let mut escaped = false;
        let close = self.rest.iter().skip(1).position(|byte| {
            let closes = *byte == b'"' && !escaped;
            escaped = *byte == b'\\' && !escaped;
            closes
        })?;
        let (taken, rest) = self.rest.split_at_checked(close.saturating_add(2))?;
        self.rest = rest;
        Some(taken)
    }
}

/// The parts of `bytes` between separators that stand outside quotes and angle brackets, trimmed.
#[derive(Debug, Clone)]
pub(super) struct Split<'a> {
    rest: Option<&'a [u8]>,
    separator: u8,
}

impl<'a> Split<'a> {
    pub(super) fn new(bytes: &'a [u8], separator: u8) -> Self {
        Self { rest: Some(bytes), separator }
    }
}

impl<'a> Iterator for Split<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest?;
        // Most values have no separator at all, hidden or not.
        let end = match memchr::memchr(self.separator, rest) {
            None => None,
            Some(_) => {
                let mut place = Place::Open;
                rest.iter().position(|byte| {
                    let found = place == Place::Open && *byte == self.separator;
                    place = place.after(*byte);
                    found
                })
            }
        };
        let (part, after) = match end.and_then(|end| rest.split_at_checked(end)) {
            Some((part, after)) => (part, after.split_first().map(|(_, after)| after)),
            None => (rest, None),
        };
        self.rest = after;
        Some(trim(part))
    }
}

/// Where in a header value an octet stands. A quote inside angle brackets is part of the address,
/// and an angle bracket inside quotes is part of the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Open,
    Quoted,
    Escaped,
    Angled,
}

impl Place {
    fn after(self, byte: u8) -> Self {
        match (self, byte) {
            (Self::Open, b'"') | (Self::Escaped, _) => Self::Quoted,
            (Self::Open, b'<') => Self::Angled,
            (Self::Quoted, b'\\') => Self::Escaped,
            (Self::Quoted, b'"') | (Self::Angled, b'>') => Self::Open,
            (Self::Open | Self::Quoted | Self::Angled, _) => self,
        }
    }
}

/// What an octet may be part of; a table says it for each octet, for these questions are asked for
/// nearly all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Class(u8);

impl Class {
    /// A token (RFC 3261 25.1).
    pub(super) const TOKEN: Self = Self(1);
    /// White space; CR and LF are, for within a value they are only a fold.
    pub(super) const SPACE: Self = Self(1 << 1);
    /// The value of a parameter. Wider than a token: hosts with brackets and colons, and what
    /// phones write without quotes.
    pub(super) const VALUE: Self = Self(1 << 2);
    /// A URI of any scheme; wider than the grammar where nobody can misread it.
    pub(super) const URI: Self = Self(1 << 3);
    /// A host name. An underscore is no part of one, but of what people call their machines.
    pub(super) const HOST: Self = Self(1 << 4);
    /// What may stand before an angle bracket without quotes. The grammar has tokens only; letters
    /// of other alphabets are met in the wild. What could be an address or a second value is
    /// refused.
    pub(super) const DISPLAY: Self = Self(1 << 5);
    /// One word of visible ASCII, as tags and branches are.
    pub(super) const WORD: Self = Self(1 << 6);
    /// What parts nothing in a `sip:` URI.
    pub(super) const PLAIN: Self = Self(1 << 7);

    const fn of(byte: u8) -> u8 {
        let alphanumeric = byte.is_ascii_alphanumeric();
        let control = byte.is_ascii_control();
        let mark =
            matches!(byte, b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~');
        let value = !control && !matches!(byte, b' ' | b';' | b',' | b'"' | b'<' | b'>');
        let uri = !control && !matches!(byte, b' ' | b'<' | b'>' | b'"');
        let host = alphanumeric || matches!(byte, b'-' | b'.' | b'_');
        let parts = matches!(byte, b'@' | b':' | b'?' | b';' | b'%');
        let space = matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
        let display = !matches!(byte, b'<' | b'>' | b'"' | b',' | b';' | b':');
        Self::TOKEN.when(alphanumeric || mark)
            | Self::SPACE.when(space)
            | Self::VALUE.when(value)
            | Self::URI.when(uri)
            | Self::HOST.when(host)
            | Self::DISPLAY.when(display)
            | Self::WORD.when(byte.is_ascii_graphic())
            | Self::PLAIN.when(uri && !parts)
    }

    const fn when(self, is_of_it: bool) -> u8 {
        if is_of_it { self.0 } else { 0 }
    }

    /// Tells whether `byte` is of this class.
    #[inline]
    pub(super) fn has(self, byte: u8) -> bool {
        CLASSES.get(usize::from(byte)).is_some_and(|classes| classes & self.0 != 0)
    }

    /// Tells whether all octets are of this class.
    #[inline]
    pub(super) fn has_all(self, bytes: &[u8]) -> bool {
        bytes.iter().all(|byte| self.has(*byte))
    }
}

static CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut rest: &mut [u8] = &mut classes;
    let mut byte = 0_u8;
    while let Some((first, after)) = rest.split_first_mut() {
        *first = Class::of(byte);
        byte = byte.wrapping_add(1);
        rest = after;
    }
    classes
};

/// Tells whether `byte` may stand in a token.
#[inline]
pub(super) fn is_token(byte: u8) -> bool {
    Class::TOKEN.has(byte)
}

/// Tells whether `byte` is white space; CR and LF are, for within a value they are only a fold.
#[inline]
pub(super) fn is_space(byte: u8) -> bool {
    Class::SPACE.has(byte)
}

/// Cuts white space off both ends.
pub(super) fn trim(bytes: &[u8]) -> &[u8] {
    trim_end(trim_start(bytes))
}

/// Cuts white space off the end.
pub(super) fn trim_end(bytes: &[u8]) -> &[u8] {
    let mut bytes = bytes;
    while let Some((last, rest)) = bytes.split_last()
        && is_space(*last)
    {
        bytes = rest;
    }
    bytes
}

/// The texts before and behind the first `octet`, which is ASCII.
#[inline]
pub(super) fn split_once(text: &str, octet: u8) -> Option<(&str, &str)> {
    let at = memchr::memchr(octet, text.as_bytes())?;
    let (before, rest) = text.split_at_checked(at)?;
    Some((before, rest.get(1..)?))
}

/// Cuts white space off the front.
pub(super) fn trim_start(bytes: &[u8]) -> &[u8] {
    let mut bytes = bytes;
    while let Some((first, rest)) = bytes.split_first()
        && is_space(*first)
    {
        bytes = rest;
    }
    bytes
}

/// The text of a value: folds become one space, octets that are no UTF-8 become U+FFFD.
pub(super) fn text(value: &[u8]) -> Cow<'_, str> {
    if !value.contains(&b'\r') {
        return String::from_utf8_lossy(value);
    }
    let mut unfolded = Vec::with_capacity(value.len());
    let mut cursor = Cursor::new(value);
    while !cursor.is_empty() {
        unfolded.extend_from_slice(cursor.take_while(|byte| !is_space(byte)));
        let space = cursor.take_while(is_space);
        if space.contains(&b'\r') {
            unfolded.push(b' ');
        } else {
            unfolded.extend_from_slice(space);
        }
    }
    Cow::Owned(String::from_utf8_lossy(&unfolded).into_owned())
}

/// The text within a quoted string or of bare words: quotes and escapes undone, control characters
/// dropped, for the text goes on into logs and prompts.
pub(super) fn unquoted(value: &[u8]) -> Cow<'_, str> {
    let inner = match value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")) {
        Some(inner) => inner,
        None => return plain(text(value)),
    };
    if !inner.contains(&b'\\') {
        return plain(text(inner));
    }
    let mut escaped = false;
    let bare: Vec<u8> = inner
        .iter()
        .filter(|byte| {
            escaped = **byte == b'\\' && !escaped;
            !escaped
        })
        .copied()
        .collect();
    Cow::Owned(plain(text(&bare)).into_owned())
}

fn plain(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.contains(char::is_control) {
        Cow::Owned(text.chars().filter(|c| !c.is_control()).collect())
    } else {
        text
    }
}

/// Reads 1*DIGIT; `None` when there is anything else. A number too large is `u64::MAX`.
pub(super) fn number(bytes: &[u8]) -> Option<u64> {
    if bytes.is_empty() {
        return None;
    }
    bytes.iter().try_fold(0_u64, |sum, byte| {
        let digit = char::from(*byte).to_digit(10)?;
        Some(sum.saturating_mul(10).saturating_add(u64::from(digit)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(value: &str) -> Vec<String> {
        Split::new(value.as_bytes(), b',')
            .map(|part| String::from_utf8_lossy(part).into_owned())
            .collect()
    }

    #[test]
    fn commas_in_quotes_and_angles_do_not_split() {
        assert_eq!(parts("a, b ,c"), ["a", "b", "c"]);
        assert_eq!(parts(r#""x, \", y" <sip:a,b@h>, z"#), [r#""x, \", y" <sip:a,b@h>"#, "z"]);
        assert_eq!(parts(r#""never closed, b"#), [r#""never closed, b"#]);
        assert_eq!(parts(r#""a > , b" <sip:x@y>"#), [r#""a > , b" <sip:x@y>"#]);
        assert_eq!(parts(""), [""]);
    }

    #[test]
    fn a_quoted_string_ends_at_its_own_quote() {
        let mut cursor = Cursor::new(br#""a\\" b"#);
        assert_eq!(cursor.quoted(), Some(br#""a\\""#.as_slice()));
        assert_eq!(Cursor::new(br#""a\""#).quoted(), None);
        assert_eq!(Cursor::new(b"\"").quoted(), None);
    }

    #[test]
    fn folds_become_one_space_and_escapes_vanish() {
        assert_eq!(text(b"a  b\r\n \t c"), "a  b c");
        assert_eq!(unquoted(br#""J \"Ros\" \\""#), r#"J "Ros" \"#);
        assert_eq!(unquoted(b"\"bell\\\x07\""), "bell");
    }

    #[test]
    fn numbers_saturate_and_take_digits_only() {
        assert_eq!(number(b"0068"), Some(68));
        assert_eq!(number(b"99999999999999999999999"), Some(u64::MAX));
        for wrong in ["", "-1", "+1", "1 ", "0x1"] {
            assert_eq!(number(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
