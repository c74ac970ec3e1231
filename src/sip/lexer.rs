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
    #[inline]
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    #[inline]
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    #[inline]
    pub(super) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// Steps over `wanted` if it stands here.
    #[inline]
    pub(super) fn eat(&mut self, wanted: u8) -> bool {
        match self.rest.split_first() {
            Some((first, rest)) if *first == wanted => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    /// Steps over `wanted` if it stands here, octet by octet.
    #[inline]
    pub(super) fn eat_all(&mut self, wanted: &[u8]) -> bool {
        let rest = self.rest.strip_prefix(wanted);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// Steps over spaces, tabs and folds.
    #[inline]
    pub(super) fn skip_space(&mut self) {
        self.rest = trim_start(self.rest);
    }

    /// Takes a digit, if one stands here, and gives its value.
    #[inline]
    pub(super) fn digit(&mut self) -> Option<u8> {
        match self.rest {
            [digit @ b'0'..=b'9', rest @ ..] => {
                self.rest = rest;
                Some(digit & 0xf)
            }
            _ => None,
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
        let end = class.run(self.rest);
        let (taken, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, &[]));
        self.rest = rest;
        taken
    }

    /// Takes a token (RFC 3261 25.1), if one stands here.
    pub(super) fn token(&mut self) -> Option<&'a str> {
        self.token_octets().map(proved)
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

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest.take()?;
        // Most values have no separator at all, hidden or not.
        if find_near(rest, self.separator).is_none() {
            return Some(trim(rest));
        }
        let mut place = Place::Open;
        let end = rest.iter().position(|byte| {
            let found = place == Place::Open && *byte == self.separator;
            place = place.after(*byte);
            found
        });
        let Some((part, after)) = end.and_then(|end| rest.split_at_checked(end)) else {
            return Some(trim(rest));
        };
        self.rest = after.get(1..);
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
    /// What the parameters of a `sip:` URI are made of, escapes aside, and is ASCII.
    pub(super) const TAIL: Self = Self(1 << 6);
    /// What parts nothing in a `sip:` URI and is ASCII.
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
            | Self::TAIL.when(uri && !matches!(byte, b'@' | b'?' | b'%') && byte.is_ascii())
            | Self::PLAIN.when(uri && !parts && byte.is_ascii())
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
        self.run(bytes) == bytes.len()
    }

    /// How many octets of the class stand in front.
    #[inline]
    fn run(self, bytes: &[u8]) -> usize {
        // Apart from its callers, so that nothing but the loop is in the registers.
        #[inline(never)]
        fn run(class: Class, bytes: &[u8]) -> usize {
            bytes.iter().position(|byte| !class.has(*byte)).unwrap_or(bytes.len())
        }
        run(self, bytes)
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

/// The text of octets that a reader has proved to be UTF-8, mostly by their class.
pub(super) fn proved(octets: &[u8]) -> &str {
    std::str::from_utf8(octets).unwrap_or_default()
}

/// Tells whether octets are UTF-8, as nearly all are.
#[inline]
pub(super) fn is_text(octets: &[u8]) -> bool {
    octets.is_ascii() || std::str::from_utf8(octets).is_ok()
}

/// Cuts white space off both ends.
#[inline]
pub(super) fn trim(bytes: &[u8]) -> &[u8] {
    trim_end(trim_start(bytes))
}

/// Cuts white space off the end.
#[inline]
pub(super) fn trim_end(bytes: &[u8]) -> &[u8] {
    // Apart, for mostly there is none.
    #[inline(never)]
    fn trim_end(bytes: &[u8]) -> &[u8] {
        trim_end_of(bytes, is_space)
    }
    match bytes {
        [.., last] if is_space(*last) => trim_end(bytes),
        _ => bytes,
    }
}

/// Cuts what `fits` off the end.
#[inline]
pub(super) fn trim_end_of(bytes: &[u8], fits: impl Fn(u8) -> bool) -> &[u8] {
    let mut bytes = bytes;
    while let Some((last, rest)) = bytes.split_last()
        && fits(*last)
    {
        bytes = rest;
    }
    bytes
}

/// Tells whether two names are the same octet by octet; without the call that longer texts need.
#[inline]
pub(super) fn is_same(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    match one.len() {
        0..4 => one.iter().eq(other),
        4..8 => {
            one.first_chunk::<4>() == other.first_chunk()
                && one.last_chunk::<4>() == other.last_chunk()
        }
        8..=16 => {
            one.first_chunk::<8>() == other.first_chunk()
                && one.last_chunk::<8>() == other.last_chunk()
        }
        _ => one == other,
    }
}

/// Finds the first `octet` near the front: without the start that `memchr` needs.
pub(super) fn find_near(octets: &[u8], octet: u8) -> Option<usize> {
    let (words, rest) = octets.as_chunks::<8>();
    let wanted = u64::from_le_bytes([octet; 8]);
    let mut before = 0_usize;
    for word in words {
        // Only the octet that is wanted becomes zero, and only a zero borrows from its own top bit;
        // what stands behind the first one does not matter.
        let other = u64::from_le_bytes(*word) ^ wanted;
        let found = other.wrapping_sub(LOW_BITS) & !other & HIGH_BITS;
        if found != 0 {
            return Some(before.wrapping_add(found.trailing_zeros() as usize / 8));
        }
        before = before.wrapping_add(8);
    }
    let found = rest.iter().position(|byte| *byte == octet)?;
    Some(before.wrapping_add(found))
}

const LOW_BITS: u64 = u64::from_le_bytes([0x01; 8]);
const HIGH_BITS: u64 = u64::from_le_bytes([0x80; 8]);

/// How many octets stand before the first CR or LF.
#[inline(never)]
pub(super) fn line_length(octets: &[u8]) -> usize {
    let mut before = 0_usize;
    for word in octets.as_chunks::<8>().0 {
        // The first octet below 14 borrows from its own top bit: nearly always it is a line end.
        let word = u64::from_le_bytes(*word);
        let found = word.wrapping_sub(u64::from_le_bytes([14; 8])) & !word & HIGH_BITS;
        if found != 0 {
            let place = before.wrapping_add(found.trailing_zeros() as usize / 8);
            if matches!(octets.get(place), Some(b'\r' | b'\n')) {
                return place;
            }
            break;
        }
        before = before.wrapping_add(8);
    }
    let rest = octets.get(before..).unwrap_or_default();
    before.wrapping_add(memchr::memchr2(b'\r', b'\n', rest).unwrap_or(rest.len()))
}

/// What stands before and behind the first `octet`.
#[inline]
pub(super) fn split_once(octets: &[u8], octet: u8) -> Option<(&[u8], &[u8])> {
    let (before, rest) = octets.split_at_checked(memchr::memchr(octet, octets)?)?;
    Some((before, rest.get(1..)?))
}

/// Cuts white space off the front.
#[inline]
pub(super) fn trim_start(bytes: &[u8]) -> &[u8] {
    // Mostly there is none, or one space.
    let bytes = bytes.strip_prefix(b" ").unwrap_or(bytes);
    match bytes {
        [first, ..] if is_space(*first) => bytes.get(Class::SPACE.run(bytes)..).unwrap_or_default(),
        _ => bytes,
    }
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
#[inline]
pub(super) fn number(bytes: &[u8]) -> Option<u64> {
    let mut cursor = Cursor::new(bytes);
    let mut number = u64::from(cursor.digit()?);
    while let Some(digit) = cursor.digit() {
        number = number.saturating_mul(10).saturating_add(u64::from(digit));
    }
    cursor.is_empty().then_some(number)
}

#[cfg(test)]
#[expect(clippy::indexing_slicing, reason = "what is not there fails the test")]
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

    /// Before and behind it stand octets that eight at a time could be taken for it.
    #[test]
    fn the_first_octet_is_found_wherever_it_stands() {
        for length in 1..40 {
            for place in 0..length {
                let mut octets = vec![b':' | 0x80; length];
                octets[place..].fill(b':' ^ 1);
                octets[place] = b':';
                assert_eq!(find_near(&octets, b':'), Some(place));
                assert_eq!(find_near(&octets[..place], b':'), None);
                octets[..place].fill(b'\r' | 0x80);
                octets[place] = b'\n';
                assert_eq!((line_length(&octets), line_length(&octets[..place])), (place, place));
                octets[..place].fill(b'\t');
                assert_eq!((line_length(&octets), line_length(&octets[..place])), (place, place));
            }
        }
    }

    #[test]
    fn texts_are_the_same_when_every_octet_is() {
        for length in 0..24 {
            let text = vec![b'x'; length];
            assert!(is_same(&text, &text) && !is_same(&text, &vec![b'x'; length + 1]));
            for place in 0..length {
                let mut other = text.clone();
                other[place] = b'X';
                assert!(!is_same(&text, &other), "{place} of {length}");
            }
        }
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
