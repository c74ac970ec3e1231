//! What two ends of a WebRTC session go by: names and passwords of ICE (RFC 8445), and the
//! fingerprints of certificates (RFC 8122). Passwords never print themselves.

use std::fmt;

use zeroize::Zeroizing;

use crate::base::random::Random;

/// By what one end is asked whether it can be reached (RFC 8839 5.4).
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    name: String,
    password: Zeroizing<String>,
}

impl Credentials {
    /// What the other side wrote; `None` when it is too short, too long, or of other letters than
    /// those of ICE.
    pub fn new(name: &str, password: &str) -> Option<Self> {
        let is_letter = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'/');
        let is_good = |text: &str, least: usize| {
            (least..=LONGEST).contains(&text.len()) && text.bytes().all(is_letter)
        };
        let is_good = is_good(name, SHORTEST_NAME) && is_good(password, SHORTEST_PASSWORD);
        let (name, password) = (name.to_owned(), Zeroizing::new(password.to_owned()));
        is_good.then_some(Self { name, password })
    }

    /// New ones of our own: 40 bits of a name, 160 of a password.
    pub fn random(random: &mut Random) -> Self {
        Self { name: random.token(8), password: Zeroizing::new(random.token(32)) }
    }

    /// The name (`a=ice-ufrag`).
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The password (`a=ice-pwd`).
    pub fn password(&self) -> &str {
        &self.password
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The SHA-256 of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    /// Reads the value of `a=fingerprint`; `None` for other digests than SHA-256, which every
    /// browser writes.
    pub fn read(value: &str) -> Option<Self> {
        let (digest, octets) = value.trim().split_once(' ')?;
        if !digest.eq_ignore_ascii_case(DIGEST) {
            return None;
        }
        let mut own = [0; 32];
        let mut written = octets.trim().split(':');
        for octet in &mut own {
            let pair = written.next().filter(|pair| pair.len() == 2 && !pair.contains('+'))?;
            *octet = u8::from_str_radix(pair, 16).ok()?;
        }
        written.next().is_none().then_some(Self(own))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let octets: Vec<_> = self.0.iter().map(|octet| format!("{octet:02X}")).collect();
        write!(f, "{DIGEST} {}", octets.join(":"))
    }
}

/// Our end of a session that may be one of WebRTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Own {
    /// By what we are asked.
    pub credentials: Credentials,
    /// Our certificate.
    pub fingerprint: Fingerprint,
    /// The port to which all browsers come; without one, each comes to that of its leg.
    pub port: Option<u16>,
}

/// What both ends agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pairing {
    /// By what we are asked.
    pub ours: Credentials,
    /// By what the peer would be.
    pub theirs: Credentials,
    /// The certificate that the peer must show.
    pub fingerprint: Fingerprint,
}

const DIGEST: &str = "sha-256";

/// RFC 8839 5.4.
const SHORTEST_NAME: usize = 4;
const SHORTEST_PASSWORD: usize = 22;
const LONGEST: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_does_not_print_itself() {
        let own = Credentials::random(&mut Random::repeatable(1));
        assert!(!format!("{own:?}").contains(own.password()));
        assert!(Credentials::new(own.name(), own.password()).is_some());
    }

    #[test]
    fn names_and_passwords_are_as_long_and_plain_as_they_must_be() {
        let good = "abcdefghijklmnopqrstuv";
        let is_good = |name: &str, password: &str| Credentials::new(name, password).is_some();
        assert!(is_good("ab+/", good));
        assert!(!is_good("abc", good) && !is_good("ab:d", good));
        assert!(!is_good("abcd", &good[1..]) && !is_good("abcd", &"a".repeat(257)));
    }

    #[test]
    fn a_fingerprint_is_read_as_it_is_written() {
        let own = Fingerprint(std::array::from_fn(|at| at as u8 * 7));
        assert_eq!(Fingerprint::read(&own.to_string()), Some(own));
        assert_eq!(Fingerprint::read(&own.to_string().to_lowercase()), Some(own));
        for wrong in ["", "sha-256 00:11", "sha-1 00", &format!("{own}:00"), "sha-256 +1:00"] {
            assert_eq!(Fingerprint::read(wrong), None, "{wrong}");
        }
    }
}
