//! URIs as SIP writes them (RFC 3261 19.1): read in place, never written anew.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::lexer::{self, Class, Cursor};

/// A URI. `sip:` and `sips:` are taken apart; every other scheme stays opaque.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Uri<'a> {
    // All octets here are UTF-8: that was proved when they were read.
    text: &'a [u8],
    scheme: Scheme<'a>,
    user: Option<&'a [u8]>,
    password: Option<&'a [u8]>,
    site: Option<Site<'a>>,
    port: Option<u16>,
    params: &'a [u8],
    headers: Option<&'a [u8]>,
}

/// The scheme of a URI, without case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme<'a> {
    /// `sip:`
    Sip,
    /// `sips:`
    Sips,
    /// `tel:` (RFC 3966)
    Tel,
    /// Anything else, as written.
    Other(&'a str),
}

/// A host: a name or an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Host<'a> {
    /// A name, still to be resolved.
    Name(&'a str),
    /// An address; IPv6 stood in brackets.
    Address(IpAddr),
}

/// The text is not a URI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a URI")]
pub struct NotAUri;

impl<'a> Uri<'a> {
    /// Reads a URI that stands alone, without angle brackets.
    ///
    /// # Errors
    /// When there is no scheme, when a `sip:` URI breaks its grammar, or when it could be read in
    /// two ways (a second `@`).
    pub fn parse(text: &'a str) -> Result<Self, NotAUri> {
        Self::parse_octets(text.as_bytes())
    }

    /// Reads a URI out of the octets of a message.
    ///
    /// # Errors
    /// As [`Uri::parse`], and when they are no UTF-8.
    pub(super) fn parse_octets(octets: &'a [u8]) -> Result<Self, NotAUri> {
        let (scheme, rest) = Scheme::read(octets).ok_or(NotAUri)?;
        let bare = Self {
            text: octets,
            scheme,
            user: None,
            password: None,
            site: None,
            port: None,
            params: b"",
            headers: None,
        };
        match scheme {
            Scheme::Sip | Scheme::Sips => bare.with_sip_parts(rest).ok_or(NotAUri),
            _ if !Class::URI.has_all(rest) || !lexer::is_text(rest) => Err(NotAUri),
            Scheme::Tel => {
                let (number, params) = lexer::split_once(rest, b';').unwrap_or((rest, b""));
                Ok(Self { user: Some(number), params, ..bare })
            }
            Scheme::Other(_) => Ok(bare),
        }
    }

    /// Reads `[user [":" password] "@"] host [":" port] [";" params] ["?" headers]`. `;` and `?` may
    /// stand in the user part.
    #[inline]
    fn with_sip_parts(self, rest: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor::new(rest);
        let plain = cursor.take(Class::PLAIN);
        let (user, password) = if !plain.is_empty() && cursor.eat(b'@') {
            (Some(plain), None)
        } else if let Some((userinfo, behind)) = lexer::split_once(rest, b'@') {
            cursor = Cursor::new(behind);
            let (user, password) = userinfo_parts(userinfo)?;
            (Some(user), password)
        } else {
            cursor = Cursor::new(rest);
            (None, None)
        };
        let (site, port) = Site::with_port(&mut cursor)?;
        let bare = Self { user, password, site: Some(site), port, ..self };
        let tail = match cursor.peek() {
            None => return Some(bare),
            Some(b';' | b'?') => cursor.rest(),
            Some(_) => return None,
        };
        if Class::TAIL.has_all(tail) {
            return Some(Self { params: tail, ..bare });
        }
        if tail.contains(&b'@') || !is_sound(tail) {
            return None;
        }
        let (params, headers) = match lexer::split_once(tail, b'?') {
            Some((params, headers)) => (params, Some(headers)),
            None => (tail, None),
        };
        Some(Self { params, headers, ..bare })
    }

    /// The URI as it stands.
    pub fn as_str(&self) -> &'a str {
        lexer::proved(self.text)
    }

    /// The scheme.
    pub fn scheme(&self) -> Scheme<'a> {
        self.scheme
    }

    /// The user part as written; of a `tel:` URI the number.
    pub fn user(&self) -> Option<&'a str> {
        self.user.map(lexer::proved)
    }

    /// The user part with `%41` read as `A`, control characters dropped; empty when there is none.
    pub fn user_unescaped(&self) -> Cow<'a, str> {
        unescaped(self.user().unwrap_or_default())
    }

    /// The password as written. Nobody should send one (RFC 3261 19.1.1).
    pub fn password(&self) -> Option<&'a str> {
        self.password.map(lexer::proved)
    }

    /// The host of a `sip:` or `sips:` URI.
    pub fn host(&self) -> Option<Host<'a>> {
        self.site.map(|site| site.host())
    }

    /// The port, if written.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// The parameters as written: name, and value if there is one.
    pub fn params(&self) -> impl Iterator<Item = (&'a str, Option<&'a str>)> + use<'a> {
        pairs(lexer::proved(self.params), ';')
    }

    /// The value of a parameter as written; the inner `None` when it has no value.
    pub fn param(&self, name: &str) -> Option<Option<&'a str>> {
        self.params().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The header part after `?` as written.
    pub fn headers(&self) -> Option<&'a str> {
        self.headers.map(lexer::proved)
    }

    /// Tells whether two URIs mean the same (RFC 3261 19.1.4, addresses by RFC 5954). Unlike text
    /// this is not transitive. Other schemes compare by octets.
    pub fn is_equivalent(&self, other: &Uri<'_>) -> bool {
        if self.text == other.text {
            return true;
        }
        let (Some(host), Some(other_host)) = (self.host(), other.host()) else { return false };
        self.scheme == other.scheme
            && host.is_equivalent(&other_host)
            && self.port == other.port
            && same(self.user(), other.user())
            && same(self.password(), other.password())
            && self.params_fit(other)
            && other.params_fit(self)
            && headers_fit(self.headers(), other.headers())
            && headers_fit(other.headers(), self.headers())
    }

    /// A parameter in both must be equal; five of them must not be in one alone.
    fn params_fit(&self, other: &Uri<'_>) -> bool {
        self.params().enumerate().all(|(index, (name, value))| {
            if index >= MOST_COMPARED {
                return false;
            }
            match other.param(name) {
                Some(found) => same_without_case(value, found),
                None => !TELLING.iter().any(|telling| name.eq_ignore_ascii_case(telling)),
            }
        })
    }
}

/// Reads `user [":" password]`; nothing when it could be read in two ways (a second colon).
fn userinfo_parts(userinfo: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    let (user, password) = match lexer::split_once(userinfo, b':') {
        Some((user, password)) => (user, Some(password)),
        None => (userinfo, None),
    };
    let is_twofold = password.is_some_and(|password| password.contains(&b':'));
    (!user.is_empty() && !is_twofold && is_sound(userinfo)).then_some((user, password))
}

/// Tells whether octets may stand in a `sip:` URI: each of them, and every escape, and as UTF-8.
fn is_sound(octets: &[u8]) -> bool {
    let is_escape = |place: usize| match octets.get(place..) {
        Some([_, high, low, ..]) => hex(*high, *low).is_some(),
        _ => false,
    };
    Class::URI.has_all(octets)
        && memchr::memchr_iter(b'%', octets).all(is_escape)
        && lexer::is_text(octets)
}

impl fmt::Display for Uri<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<'a> Scheme<'a> {
    /// Reads the scheme; also gives what stands behind its colon, which is something.
    #[inline]
    fn read(octets: &'a [u8]) -> Option<(Self, &'a [u8])> {
        // Nearly everybody writes it so.
        let (scheme, rest) = match octets.strip_prefix(b"sip:") {
            Some(rest) => (Self::Sip, rest),
            None => Self::read_any(octets)?,
        };
        if rest.is_empty() { None } else { Some((scheme, rest)) }
    }

    fn read_any(octets: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (scheme, rest) = lexer::split_once(octets, b':')?;
        let fits = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
        let begins = scheme.first().is_some_and(u8::is_ascii_alphabetic);
        if !begins || !scheme.iter().all(fits) {
            return None;
        }
        let is = |name: &str| scheme.eq_ignore_ascii_case(name.as_bytes());
        let scheme = if is("sip") {
            Self::Sip
        } else if is("sips") {
            Self::Sips
        } else if is("tel") {
            Self::Tel
        } else {
            Self::Other(lexer::proved(scheme))
        };
        Some((scheme, rest))
    }
}

/// A host as a URI or Via keeps it: text is made of a name when somebody asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Site<'a> {
    /// ASCII.
    Name(&'a [u8]),
    Address(IpAddr),
}

impl<'a> Site<'a> {
    /// Reads `host [":" port]`.
    #[inline]
    fn with_port(cursor: &mut Cursor<'a>) -> Option<(Self, Option<u16>)> {
        let site = Self::read(cursor)?;
        if !cursor.eat(b':') {
            return Some((site, None));
        }
        Some((site, Some(port(cursor)?)))
    }

    /// Reads a host, or what would be one if something else stood behind it.
    #[inline]
    pub(super) fn read(cursor: &mut Cursor<'a>) -> Option<Self> {
        let mut ahead = *cursor;
        if let Some(address) = ipv4(&mut ahead)
            && !ahead.peek().is_some_and(|byte| Class::HOST.has(byte))
        {
            *cursor = ahead;
            return Some(Self::Address(IpAddr::V4(address)));
        }
        match cursor.take(Class::HOST) {
            [] => Self::bracketed(cursor),
            name => name.iter().any(u8::is_ascii_alphabetic).then_some(Self::Name(name)),
        }
    }

    /// Reads an IPv6 address in brackets.
    fn bracketed(cursor: &mut Cursor<'a>) -> Option<Self> {
        if !cursor.eat(b'[') {
            return None;
        }
        let inner = cursor.take_while(|byte| byte != b']');
        let address: Ipv6Addr = std::str::from_utf8(inner).ok()?.parse().ok()?;
        cursor.eat(b']').then_some(Self::Address(IpAddr::V6(address)))
    }

    #[inline]
    pub(super) fn host(self) -> Host<'a> {
        match self {
            Self::Name(name) => Host::Name(lexer::proved(name)),
            Self::Address(address) => Host::Address(address),
        }
    }
}

/// Reads four numbers below 256, none with a zero in front (RFC 6943 3.1.1).
#[inline]
fn ipv4(cursor: &mut Cursor<'_>) -> Option<Ipv4Addr> {
    let first = decimal(cursor)?;
    let mut next = || if cursor.eat(b'.') { decimal(cursor) } else { None };
    Some(Ipv4Addr::new(first, next()?, next()?, next()?))
}

#[inline]
fn decimal(cursor: &mut Cursor<'_>) -> Option<u8> {
    let mut value = u16::from(cursor.digit()?);
    for _ in 0..2 {
        if value > 0
            && let Some(digit) = cursor.digit()
        {
            value = value.wrapping_mul(10).wrapping_add(u16::from(digit));
        }
    }
    u8::try_from(value).ok()
}

/// Reads 1*DIGIT below 65,536; zeros may stand in front.
#[inline]
pub(super) fn port(cursor: &mut Cursor<'_>) -> Option<u16> {
    let mut port = u32::from(cursor.digit()?);
    while let Some(digit) = cursor.digit() {
        port = port.wrapping_mul(10).wrapping_add(u32::from(digit));
        if port > u32::from(u16::MAX) {
            return None;
        }
    }
    u16::try_from(port).ok()
}

impl<'a> Host<'a> {
    /// Reads a name, an IPv4 address, or an IPv6 address in brackets.
    pub fn parse(text: &'a str) -> Option<Self> {
        let mut cursor = Cursor::new(text.as_bytes());
        Site::read(&mut cursor).filter(|_| cursor.is_empty()).map(Site::host)
    }

    /// Tells whether two hosts are the same: names without case, addresses by value.
    pub fn is_equivalent(&self, other: &Host<'_>) -> bool {
        match (self, other) {
            (Self::Name(one), Host::Name(two)) => one.eq_ignore_ascii_case(two),
            (Self::Address(one), Host::Address(two)) => one == two,
            (Self::Name(_), Host::Address(_)) | (Self::Address(_), Host::Name(_)) => false,
        }
    }

    /// The address, when it is one.
    pub fn address(&self) -> Option<IpAddr> {
        match self {
            Self::Address(address) => Some(*address),
            Self::Name(_) => None,
        }
    }
}

impl fmt::Display for Host<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(IpAddr::V4(address)) => write!(f, "{address}"),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

/// Parameters that change where a request goes: in one URI alone they make a difference.
const TELLING: [&str; 5] = ["user", "ttl", "method", "maddr", "transport"];

/// With more parameters or headers than this, only equal texts are the same: the comparison looks
/// at every pair.
const MOST_COMPARED: usize = 32;

/// A header in one must be in the other with the same value.
fn headers_fit(one: Option<&str>, other: Option<&str>) -> bool {
    pairs(one.unwrap_or_default(), '&').enumerate().all(|(index, (name, value))| {
        index < MOST_COMPARED
            && pairs(other.unwrap_or_default(), '&')
                .any(|(found, seen)| found.eq_ignore_ascii_case(name) && same(value, seen))
    })
}

fn pairs(text: &str, separator: char) -> impl Iterator<Item = (&str, Option<&str>)> {
    text.split(separator).filter(|part| !part.is_empty()).map(|part| match part.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (part, None),
    })
}

fn same(one: Option<&str>, two: Option<&str>) -> bool {
    match (one, two) {
        (Some(one), Some(two)) => octets(one).eq(octets(two)),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    }
}

fn same_without_case(one: Option<&str>, two: Option<&str>) -> bool {
    match (one, two) {
        (Some(one), Some(two)) => {
            let lower = |octet: Octet| Octet { byte: octet.byte.to_ascii_lowercase(), ..octet };
            octets(one).map(lower).eq(octets(two).map(lower))
        }
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    }
}

/// One octet behind the escapes. A reserved character and its escape are different things
/// (RFC 3261 19.1.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Octet {
    byte: u8,
    is_guarded: bool,
}

fn octets(text: &str) -> impl Iterator<Item = Octet> {
    let mut rest = text.as_bytes();
    std::iter::from_fn(move || {
        let (byte, after, was_escaped) = match rest {
            [b'%', high, low, after @ ..] => match hex(*high, *low) {
                Some(byte) => (byte, after, true),
                None => (b'%', rest.get(1..)?, false),
            },
            [byte, after @ ..] => (*byte, after, false),
            [] => return None,
        };
        rest = after;
        Some(Octet { byte, is_guarded: was_escaped && b";/?:@&=+$,".contains(&byte) })
    })
}

fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let bytes: Vec<u8> = octets(text).map(|octet| octet.byte).collect();
    let text = String::from_utf8_lossy(&bytes);
    Cow::Owned(text.chars().filter(|c| !c.is_control()).collect())
}

fn hex(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let value = digit(high)?.checked_mul(16)?.checked_add(digit(low)?)?;
    u8::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> Uri<'_> {
        Uri::parse(text).expect(text)
    }

    #[test]
    fn a_sip_uri_is_taken_apart() {
        let found = uri("SIP:al%20ice%3B:pw@[2001:db8::10]:5070;lr;Transport=tcp?X=%41&y=");
        assert_eq!(found.scheme(), Scheme::Sip);
        assert_eq!(found.user(), Some("al%20ice%3B"));
        assert_eq!(found.user_unescaped(), "al ice;");
        assert_eq!(found.password(), Some("pw"));
        assert_eq!(found.host().and_then(|host| host.address()), "2001:db8::10".parse().ok());
        assert_eq!(found.port(), Some(5070));
        assert_eq!(found.param("LR"), Some(None));
        assert_eq!(found.param("transport"), Some(Some("tcp")));
        assert_eq!(found.headers(), Some("X=%41&y="));
        assert_eq!(found.host().expect("there").to_string(), "[2001:db8::10]");
    }

    #[test]
    fn the_user_part_may_hold_almost_anything() {
        let found = uri("sip:user;par=u%40example.net@example.com");
        assert_eq!(found.user(), Some("user;par=u%40example.net"));
        assert_eq!(found.host(), Some(Host::Name("example.com")));
        assert_eq!(uri("sip:a@1.2.3.4a").host(), Some(Host::Name("1.2.3.4a")));
        assert_eq!(
            uri("sip:a@255.0.10.1").host().and_then(|host| host.address()),
            "255.0.10.1".parse().ok()
        );
        let odd = "sip:1_u~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,w!*pas$wo~d_(d'-it)@h.org";
        assert_eq!(uri(odd).user(), Some("1_u~(to-be!sure)&isn't+it$/crazy?,/;;*"));
        assert_eq!(uri("sip:null-%00-null@h.org").user_unescaped(), "null--null");
        assert_eq!(uri("sip:%ff@h.org").user_unescaped(), "\u{fffd}");
    }

    #[test]
    fn other_schemes_stay_opaque() {
        let number = uri("tel:+49-711-1234;ext=5");
        assert_eq!((number.scheme(), number.user()), (Scheme::Tel, Some("+49-711-1234")));
        assert_eq!(number.param("ext"), Some(Some("5")));
        assert_eq!(uri("soap.beep://192.0.2.103:3002").scheme(), Scheme::Other("soap.beep"));
        assert_eq!(uri("isbn:2983792873").host(), None);
    }

    #[test]
    fn what_two_readers_could_read_differently_is_refused() {
        let wrong = "|sip:|user|sip:@h|sip:a@b@c|sip:a@|sip:a@h:|sip:a@h:x|sip:a@h:99999|sip:a@[::1\
            |sip:a@::1|sip:a b@h|sip:a%4@h|sip:a%zz@h|:a@h|1sip:a@h|sip:a@h;x=%1|sip:a@h x|sip:a@h!\
            |sip:a:b:c@h|sip:a@1.2.3.999|sip:a@01.2.3.4|sip:a@1.2.3|sip:a@1.2.3.4.5|sip:a@h;x=@|sip:a@h>|<sip:a@h>| sip:a@h|sip:a@[::1]x|sip:a@h:+5";
        for wrong in wrong.split('|') {
            assert_eq!(Uri::parse(wrong), Err(NotAUri), "{wrong}");
        }
    }

    #[test]
    fn equivalence_follows_the_examples_of_the_rfc() {
        let same = [
            ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
            ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;newparam=5"),
            (
                "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
                "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
            ),
            (
                "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
                "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
            ),
            ("sip:a@[2001:db8:0::1]", "sip:a@[2001:DB8::1]"),
        ];
        let different = [
            ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
            ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
            ("sip:carol@chicago.com;security=off", "sip:carol@chicago.com;security=on"),
            ("sip:a%3Bb@h.org", "sip:a;b@h.org"),
            ("sip:a@h.org", "sips:a@h.org"),
        ];
        for (one, two) in same {
            assert!(
                uri(one).is_equivalent(&uri(two)) && uri(two).is_equivalent(&uri(one)),
                "{one}"
            );
        }
        for (one, two) in different {
            assert!(
                !uri(one).is_equivalent(&uri(two)) && !uri(two).is_equivalent(&uri(one)),
                "{one}"
            );
        }
    }
}
