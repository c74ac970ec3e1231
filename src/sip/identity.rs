//! The Identity header (RFC 8224 4): a signature for who calls, and where its certificate is.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::borrow::Cow;

use super::lexer::{self, Cursor};

/// One Identity header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity<'a> {
    /// The signed token: three parts in base64url, with points between.
    pub token: &'a str,
    /// Where the certificate is.
    pub info: &'a str,
    /// How it is signed; without it `ES256`.
    pub alg: Option<Cow<'a, str>>,
    /// What kind of token it is.
    pub ppt: Option<Cow<'a, str>>,
}

/// Why a value is no Identity header that anybody should look into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// It is longer than any honest one.
    #[error("the Identity header is too long")]
    TooLong,
    /// It has only the signature: what was signed is to be guessed (RFC 8224 7), which shaken does
    /// not allow (RFC 8588 6).
    #[error("the Identity header is in compact form, which shaken does not allow")]
    Compact,
    /// It does not say where the certificate is.
    #[error("the Identity header has no info parameter")]
    NoInfo,
    /// It breaks its grammar.
    #[error("the Identity header breaks its grammar")]
    Grammar,
}

impl<'a> Identity<'a> {
    /// Reads the value of one header line.
    ///
    /// # Errors
    /// When it is too long, in compact form, or breaks its grammar.
    pub fn parse(value: &'a str) -> Result<Self, Malformed> {
        if value.len() > LONGEST {
            return Err(Malformed::TooLong);
        }
        let mut cursor = Cursor::new(value.as_bytes());
        cursor.skip_space();
        let token = text(cursor.take_while(is_token_octet))?;
        let mut parts = Parts::default();
        loop {
            cursor.skip_space();
            if cursor.is_empty() {
                break;
            }
            parts.read(&mut cursor)?;
        }
        if token.starts_with("..") {
            return Err(Malformed::Compact);
        }
        let is_full = token.split('.').count() == 3 && token.split('.').all(|it| !it.is_empty());
        if !is_full {
            return Err(Malformed::Grammar);
        }
        let info = parts.info.ok_or(Malformed::NoInfo)?;
        Ok(Self { token, info, alg: parts.alg, ppt: parts.ppt })
    }

    /// Writes the value of a header for a shaken token.
    pub fn write(token: &str, info: &str) -> String {
        format!("{token};info=<{info}>;alg=ES256;ppt=shaken")
    }
}

/// The parameters as far as they are known. One that comes twice could be read in two ways.
#[derive(Debug, Default)]
struct Parts<'a> {
    info: Option<&'a str>,
    alg: Option<Cow<'a, str>>,
    ppt: Option<Cow<'a, str>>,
}

impl<'a> Parts<'a> {
    /// Reads `;name=value`.
    fn read(&mut self, cursor: &mut Cursor<'a>) -> Result<(), Malformed> {
        if !cursor.eat(b';') {
            return Err(Malformed::Grammar);
        }
        cursor.skip_space();
        let name = cursor.token().ok_or(Malformed::Grammar)?;
        cursor.skip_space();
        if name.eq_ignore_ascii_case("info") {
            let uri = if cursor.eat(b'=') { in_brackets(cursor) } else { None };
            return once(&mut self.info, uri.ok_or(Malformed::Grammar)?);
        }
        let value = if cursor.eat(b'=') { Some(word(cursor)?) } else { None };
        let place = match () {
            () if name.eq_ignore_ascii_case("alg") => &mut self.alg,
            () if name.eq_ignore_ascii_case("ppt") => &mut self.ppt,
            () => return Ok(()),
        };
        once(place, value.ok_or(Malformed::Grammar)?)
    }
}

fn once<T>(place: &mut Option<T>, value: T) -> Result<(), Malformed> {
    if place.is_some() {
        return Err(Malformed::Grammar);
    }
    *place = Some(value);
    Ok(())
}

/// A URI in angle brackets: printable, without white space.
fn in_brackets<'a>(cursor: &mut Cursor<'a>) -> Option<&'a str> {
    cursor.skip_space();
    if !cursor.eat(b'<') {
        return None;
    }
    let uri = cursor.take_while(|byte| byte.is_ascii_graphic() && !matches!(byte, b'<' | b'>'));
    (cursor.eat(b'>') && !uri.is_empty()).then(|| std::str::from_utf8(uri).ok()).flatten()
}

/// A token, or the same in quotes as some write it.
fn word<'a>(cursor: &mut Cursor<'a>) -> Result<Cow<'a, str>, Malformed> {
    cursor.skip_space();
    if cursor.peek() == Some(b'"') {
        return cursor.quoted().map(lexer::unquoted).ok_or(Malformed::Grammar);
    }
    cursor.token().map(Cow::Borrowed).ok_or(Malformed::Grammar)
}

fn text(octets: &[u8]) -> Result<&str, Malformed> {
    std::str::from_utf8(octets).map_err(|_| Malformed::Grammar)
}

fn is_token_octet(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
}

/// The longest value that is looked into, in octets: honest ones have some 800.
pub const LONGEST: usize = 4_096;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_header_is_read_with_its_parameters_in_any_order_and_case() {
        let value = "aa.bb.cc ; PPT=\"shaken\";info=<https://cert.example/a.pem;x,y?z>\r\n ;\
                     alg=ES256;other;more=1";
        let identity = Identity::parse(value).expect("a header");
        assert_eq!(identity.token, "aa.bb.cc");
        assert_eq!(identity.info, "https://cert.example/a.pem;x,y?z");
        assert_eq!(
            (identity.alg.as_deref(), identity.ppt.as_deref()),
            (Some("ES256"), Some("shaken"))
        );
        let bare = Identity::parse("aa.bb.cc;info=<https://a>").expect("a header");
        assert_eq!((bare.alg, bare.ppt), (None, None));
    }

    #[test]
    fn what_is_no_full_header_is_refused_with_a_reason() {
        let long = format!("{}.b.c;info=<https://a>", "a".repeat(LONGEST));
        for (value, why) in [
            ("..cc;info=<https://a>", Malformed::Compact),
            ("aa.bb.cc", Malformed::NoInfo),
            ("aa.bb.cc;alg=ES256", Malformed::NoInfo),
            ("aa.bb.cc;info=https://a", Malformed::Grammar),
            ("aa.bb.cc;info=<https://a", Malformed::Grammar),
            ("aa.bb.cc;info=<https://a b>", Malformed::Grammar),
            ("aa.bb.cc;info=<https://a>;info=<https://b>", Malformed::Grammar),
            ("aa.bb.cc;info=<https://a>;ppt=shaken;ppt=div", Malformed::Grammar),
            ("aa.bb.cc;info=<https://a>;ppt", Malformed::Grammar),
            ("aa.bb.cc;info=<https://a>,dd.ee.ff;info=<https://b>", Malformed::Grammar),
            ("aa.bb;info=<https://a>", Malformed::Grammar),
            ("aa.bb.cc.dd;info=<https://a>", Malformed::Grammar),
            ("aa..cc;info=<https://a>", Malformed::Grammar),
            ("a+/=.bb.cc;info=<https://a>", Malformed::Grammar),
            ("", Malformed::Grammar),
            (&long, Malformed::TooLong),
        ] {
            assert_eq!(Identity::parse(value), Err(why), "{value}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn no_text_breaks_the_reader(value in "[a-z.;=<>\"\\\\ ,]{0,60}|\\PC{0,60}") {
            Identity::parse(&value).ok();
        }

        #[test]
        fn what_is_written_is_read_again(token in "[a-zA-Z0-9_-]{1,9}\\.[a-z]{1,9}\\.[a-z]{1,9}") {
            let value = Identity::write(&token, "https://cert.example/a.pem");
            let identity = Identity::parse(&value).expect("a header");
            prop_assert_eq!(identity.token, token.as_str());
            prop_assert_eq!(identity.info, "https://cert.example/a.pem");
            prop_assert_eq!(identity.ppt.as_deref(), Some("shaken"));
        }
    }
}
