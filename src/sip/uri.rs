//! URIs as SIP writes them (RFC 3261 19.1): read in place, never written anew.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::lexer::{self, Class};

/// A URI. `sip:` and `sips:` are taken apart; every other scheme stays opaque.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Uri<'a> {
    text: &'a str,
    scheme: Scheme<'a>,
    user: Option<&'a str>,
    password: Option<&'a str>,
    host: Option<Host<'a>>,
    port: Option<u16>,
    params: &'a str,
    headers: Option<&'a str>,
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
        let (scheme, rest) = lexer::split_once(text, b':').ok_or(NotAUri)?;
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
        let begins = scheme.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
        if !begins || !scheme.bytes().all(fits) || rest.is_empty() {
            return Err(NotAUri);
        }
        let scheme = Scheme::from_text(scheme);
        let bare = Self {
            text,
            scheme,
            user: None,
            password: None,
            host: None,
            port: None,
            params: "",
            headers: None,
        };
        match scheme {
            Scheme::Sip | Scheme::Sips => bare.with_sip_parts(rest),
            _ if !Class::URI.has_all(rest.as_bytes()) => Err(NotAUri),
            Scheme::Tel => {
                let (number, params) = rest.split_once(';').unwrap_or((rest, ""));
                Ok(Self { user: Some(number), params, ..bare })
            }
            Scheme::Other(_) => Ok(bare),
        }
    }

    /// Reads a URI out of the octets of a message.
    ///
    /// # Errors
    /// As [`Uri::parse`], and when they are no UTF-8.
    pub(super) fn parse_octets(octets: &'a [u8]) -> Result<Self, NotAUri> {
        Self::parse(std::str::from_utf8(octets).map_err(|_| NotAUri)?)
    }

    fn with_sip_parts(self, rest: &'a str) -> Result<Self, NotAUri> {
        let joints = Joints::find(rest.as_bytes()).ok_or(NotAUri)?;
        let cut = |text: &'a str, at: Option<usize>| match at {
            Some(at) => (text.get(..at).unwrap_or_default(), text.get(at.saturating_add(1)..)),
            None => (text, None),
        };
        // From the end, so that each place still holds.
        let (rest, headers) = cut(rest, joints.question);
        let (rest, params) = cut(rest, joints.semicolon);
        let (userinfo, host) = match cut(rest, joints.at) {
            (userinfo, Some(host)) => (Some(userinfo), host),
            (host, None) => (None, host),
        };
        let (user, password) = match userinfo.map(|userinfo| cut(userinfo, joints.colon)) {
            Some(("", _)) => return Err(NotAUri),
            Some((user, password)) => (Some(user), password),
            None => (None, None),
        };
        let (host, port) = Host::with_port(host).ok_or(NotAUri)?;
        let params = params.unwrap_or_default();
        Ok(Self { user, password, host: Some(host), port, params, headers, ..self })
    }

    /// The URI as it stands.
    pub fn as_str(&self) -> &'a str {
        self.text
    }

    /// The scheme.
    pub fn scheme(&self) -> Scheme<'a> {
        self.scheme
    }

    /// The user part as written; of a `tel:` URI the number.
    pub fn user(&self) -> Option<&'a str> {
        self.user
    }

    /// The user part with `%41` read as `A`, control characters dropped; empty when there is none.
    pub fn user_unescaped(&self) -> Cow<'a, str> {
        unescaped(self.user.unwrap_or_default())
    }

    /// The password as written. Nobody should send one (RFC 3261 19.1.1).
    pub fn password(&self) -> Option<&'a str> {
        self.password
    }

    /// The host of a `sip:` or `sips:` URI.
    pub fn host(&self) -> Option<Host<'a>> {
        self.host
    }

    /// The port, if written.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// The parameters as written: name, and value if there is one.
    pub fn params(&self) -> impl Iterator<Item = (&'a str, Option<&'a str>)> + use<'a> {
        pairs(self.params, ';')
    }

    /// The value of a parameter as written; the inner `None` when it has no value.
    pub fn param(&self, name: &str) -> Option<Option<&'a str>> {
        self.params().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The header part after `?` as written.
    pub fn headers(&self) -> Option<&'a str> {
        self.headers
    }

    /// Tells whether two URIs mean the same (RFC 3261 19.1.4, addresses by RFC 5954). Unlike text
    /// this is not transitive. Other schemes compare by octets.
    pub fn is_equivalent(&self, other: &Uri<'_>) -> bool {
        if self.text == other.text {
            return true;
        }
        let (Some(host), Some(other_host)) = (self.host, other.host) else { return false };
        self.scheme == other.scheme
            && host.is_equivalent(&other_host)
            && self.port == other.port
            && same(self.user, other.user)
            && same(self.password, other.password)
            && self.params_fit(other)
            && other.params_fit(self)
            && headers_fit(self.headers, other.headers)
            && headers_fit(other.headers, self.headers)
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

/// Where the parts of a `sip:` URI meet.
#[derive(Debug, Default)]
struct Joints {
    /// The first colon before the `@`.
    colon: Option<usize>,
    at: Option<usize>,
    /// The first semicolon behind the `@` that is not behind the question mark.
    semicolon: Option<usize>,
    /// The first question mark behind the `@`.
    question: Option<usize>,
}

impl Joints {
    /// Finds them in one pass; nothing when the URI could be read in two ways (a second `@`, a
    /// second colon before it), an octet may not stand in one, or an escape is none. `;` and `?`
    /// may stand in the user part.
    fn find(octets: &[u8]) -> Option<Self> {
        let mut joints = Self::default();
        let mut colons = 0_usize;
        for (place, byte) in octets.iter().enumerate() {
            if Class::PLAIN.has(*byte) {
                continue;
            }
            match byte {
                b'@' if joints.at.is_some() || colons > 1 => return None,
                b'@' => joints = Self { colon: joints.colon, at: Some(place), ..Self::default() },
                b':' if joints.at.is_none() => {
                    joints.colon = joints.colon.or(Some(place));
                    colons = colons.saturating_add(1);
                }
                b':' => {}
                b'?' => joints.question = joints.question.or(Some(place)),
                b';' if joints.question.is_none() => {
                    joints.semicolon = joints.semicolon.or(Some(place));
                }
                b';' => {}
                b'%' => match octets.get(place..) {
                    Some([_, high, low, ..]) if hex(*high, *low).is_some() => {}
                    _ => return None,
                },
                _ => return None,
            }
        }
        Some(joints)
    }
}

impl fmt::Display for Uri<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}

impl<'a> Scheme<'a> {
    fn from_text(text: &'a str) -> Self {
        if text.eq_ignore_ascii_case("sip") {
            Self::Sip
        } else if text.eq_ignore_ascii_case("sips") {
            Self::Sips
        } else if text.eq_ignore_ascii_case("tel") {
            Self::Tel
        } else {
            Self::Other(text)
        }
    }
}

impl<'a> Host<'a> {
    /// Reads `host [":" port]`.
    pub(super) fn with_port(text: &'a str) -> Option<(Self, Option<u16>)> {
        let port_at = match text.strip_prefix('[') {
            Some(inner) => inner.find(']')?.checked_add(2)?,
            None => memchr::memchr(b':', text.as_bytes()).unwrap_or(text.len()),
        };
        let (host, port) = text.split_at_checked(port_at)?;
        let port = match port.strip_prefix(':') {
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                Some(digits.parse().ok()?)
            }
            Some(_) => return None,
            None if port.is_empty() => None,
            None => return None,
        };
        Some((Self::parse(host)?, port))
    }

    /// Reads a name, an IPv4 address, or an IPv6 address in brackets.
    pub fn parse(text: &'a str) -> Option<Self> {
        if let Some(inner) = text.strip_prefix('[') {
            let address: Ipv6Addr = inner.strip_suffix(']')?.parse().ok()?;
            return Some(Self::Address(IpAddr::V6(address)));
        }
        let begins_with_digit = text.bytes().next().is_some_and(|byte| byte.is_ascii_digit());
        if begins_with_digit && let Ok(address) = text.parse::<Ipv4Addr>() {
            return Some(Self::Address(IpAddr::V4(address)));
        }
        let is_name = text.bytes().any(|byte| byte.is_ascii_alphabetic())
            && Class::HOST.has_all(text.as_bytes());
        is_name.then_some(Self::Name(text))
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
            |sip:a:b:c@h|sip:a@1.2.3.999|sip:a@h>|<sip:a@h>| sip:a@h|sip:a@[::1]x|sip:a@h:+5";
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
