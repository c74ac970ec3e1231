//! Digest authentication (RFC 7616, RFC 8760, RFC 3261 22): challenges and the answers to them,
//! read, computed and written, for the one who asks and for the one who answers.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

mod fields;
mod hash;

use std::fmt;

pub use fields::schemes;
pub use hash::{Algorithm, Ha1, Hash};
use subtle::ConstantTimeEq;

use self::fields::{Fields, quoted};
use super::header::Name;
use super::message::Message;
use crate::base::secret::{ExposeSecret, Secret};

/// Which side of a hop asks: the server itself (401) or a proxy before it (407).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// 401, WWW-Authenticate, Authorization.
    Server,
    /// 407, Proxy-Authenticate, Proxy-Authorization.
    Proxy,
}

/// How much of a request an answer protects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Quality {
    /// Method and URI.
    Auth,
    /// Method, URI and body.
    AuthInt,
}

/// A demand for credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// Who asks: what the password belongs to.
    pub realm: String,
    /// The server's nonce as it stands between the quotes.
    pub nonce: String,
    /// What is to be sent back as it is.
    pub opaque: Option<String>,
    /// The algorithm as named; without a name it is MD5.
    pub algorithm: Option<Algorithm>,
    /// What may be protected; empty as in RFC 2069.
    pub qualities: Vec<Quality>,
    /// The answer was right, but its nonce is too old.
    pub stale: bool,
}

/// The answer to a challenge, as it came in a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorization {
    /// Who claims to ask.
    pub username: String,
    /// The realm of the challenge.
    pub realm: String,
    /// The nonce of the challenge.
    pub nonce: String,
    /// The URI that was signed.
    pub uri: String,
    /// The algorithm; without a name it is MD5.
    pub algorithm: Algorithm,
    /// How often this nonce has been used, this time included, and what is protected.
    pub count: Option<Count>,
    /// The client's nonce.
    pub cnonce: String,
    /// What the challenge wanted back.
    pub opaque: Option<String>,
    response: String,
}

/// The part of an answer that came with `qop` (RFC 7616 3.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// What is protected.
    pub quality: Quality,
    /// 1 for the first use of a nonce.
    pub number: u32,
}

/// What of a request is signed.
#[derive(Debug, Clone, Copy)]
pub struct Signed<'a> {
    /// `INVITE`
    pub method: &'a str,
    /// The Request-URI.
    pub uri: &'a str,
    /// The body, for `auth-int`.
    pub body: &'a [u8],
}

/// A user and his password.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The name for authentication, which may differ from the user part of the address.
    pub username: String,
    /// The password.
    pub password: Secret,
}

/// The client's part of an answer: how often the nonce was used, and a nonce of its own.
#[derive(Debug, Clone, Copy)]
pub struct Turn<'a> {
    /// 1 for the first use of a nonce.
    pub number: u32,
    /// Our nonce: 16 random characters or more.
    pub cnonce: &'a str,
}

impl Side {
    /// The header that asks.
    pub fn challenge_header(self) -> Name {
        match self {
            Self::Server => Name::WwwAuthenticate,
            Self::Proxy => Name::ProxyAuthenticate,
        }
    }

    /// The header that answers.
    pub fn answer_header(self) -> Name {
        match self {
            Self::Server => Name::Authorization,
            Self::Proxy => Name::ProxyAuthorization,
        }
    }

    /// The status that asks.
    pub fn status(self) -> u16 {
        match self {
            Self::Server => 401,
            Self::Proxy => 407,
        }
    }
}

impl Challenge {
    /// Reads the digest challenges in a header's value, in order. Those with an algorithm or a
    /// quality that nobody knows are left out, and so is every other scheme.
    pub fn read(value: &[u8]) -> Vec<Self> {
        let digests = schemes(value).into_iter().filter(|(scheme, _)| is_digest(scheme));
        digests.filter_map(|(_, fields)| Self::from_fields(&fields)).collect()
    }

    /// The algorithm that an answer uses.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm.unwrap_or(Algorithm::MD5)
    }

    /// Writes the value of an Authorization or Proxy-Authorization header.
    pub fn answer(&self, by: &Credentials, signed: &Signed<'_>, turn: Turn<'_>) -> String {
        let algorithm = self.algorithm();
        let has_auth = self.qualities.contains(&Quality::Auth);
        let quality = if has_auth { Some(Quality::Auth) } else { self.qualities.first().copied() };
        let password = by.password.expose_secret();
        let ha1 = Ha1::new(algorithm.hash, [&by.username, &self.realm, password]);
        let count = quality.map(|quality| Count { quality, number: turn.number });
        let proof = Proof { algorithm, nonce: &self.nonce, cnonce: turn.cnonce, count };
        let response = proof.response(&ha1, signed);
        let mut text = format!(
            "Digest username={}, realm=\"{}\", nonce=\"{}\", uri=\"{}\", response=\"{response}\"",
            quoted(&by.username),
            self.realm,
            self.nonce,
            signed.uri
        );
        if let Some(algorithm) = self.algorithm {
            text.push_str(&format!(", algorithm={algorithm}"));
        }
        if quality.is_some() || algorithm.is_session {
            text.push_str(&format!(", cnonce=\"{}\"", turn.cnonce));
        }
        if let Some(opaque) = &self.opaque {
            text.push_str(&format!(", opaque=\"{opaque}\""));
        }
        if let Some(quality) = quality {
            text.push_str(&format!(", qop={}, nc={:08x}", quality.as_str(), turn.number));
        }
        text
    }

    fn from_fields(fields: &Fields<'_>) -> Option<Self> {
        let algorithm = match fields.bare("algorithm") {
            Some(name) => Some(Algorithm::from_name(name)?),
            None => None,
        };
        let qualities = match fields.bare("qop") {
            Some(list) => {
                let known: Vec<Quality> = list.split(',').filter_map(Quality::from_name).collect();
                if known.is_empty() {
                    return None;
                }
                known
            }
            None => Vec::new(),
        };
        Some(Self {
            realm: fields.bare("realm")?.to_owned(),
            nonce: fields.bare("nonce")?.to_owned(),
            opaque: fields.bare("opaque").map(str::to_owned),
            algorithm,
            qualities,
            stale: fields.bare("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true")),
        })
    }
}

/// The value of a WWW-Authenticate or Proxy-Authenticate header.
impl fmt::Display for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest realm=\"{}\", nonce=\"{}\"", self.realm, self.nonce)?;
        if let Some(opaque) = &self.opaque {
            write!(f, ", opaque=\"{opaque}\"")?;
        }
        if self.stale {
            f.write_str(", stale=true")?;
        }
        if let Some(algorithm) = self.algorithm {
            write!(f, ", algorithm={algorithm}")?;
        }
        if !self.qualities.is_empty() {
            let names: Vec<&str> = self.qualities.iter().map(|quality| quality.as_str()).collect();
            write!(f, ", qop=\"{}\"", names.join(","))?;
        }
        Ok(())
    }
}

impl Authorization {
    /// Reads the value of an Authorization or Proxy-Authorization header; `None` when it is no
    /// digest, or lacks what every answer has.
    pub fn read(value: &[u8]) -> Option<Self> {
        let (scheme, fields) = schemes(value).into_iter().next()?;
        if !is_digest(scheme) {
            return None;
        }
        let algorithm = match fields.bare("algorithm") {
            Some(name) => Algorithm::from_name(name)?,
            None => Algorithm::MD5,
        };
        let count = match fields.bare("qop") {
            Some(name) => {
                let number = fields.bare("nc").filter(|count| count.len() == 8)?;
                let number = u32::from_str_radix(number, 16).ok()?;
                Some(Count { quality: Quality::from_name(name)?, number })
            }
            None => None,
        };
        Some(Self {
            username: fields.text("username")?,
            realm: fields.bare("realm")?.to_owned(),
            nonce: fields.bare("nonce")?.to_owned(),
            uri: fields.bare("uri")?.to_owned(),
            algorithm,
            count,
            cnonce: fields.bare("cnonce").unwrap_or_default().to_owned(),
            opaque: fields.bare("opaque").map(str::to_owned),
            response: fields.bare("response")?.to_ascii_lowercase(),
        })
    }

    /// The answers in a request, for one side.
    pub fn of(request: &Message, side: Side) -> Vec<Self> {
        let fields = request.headers(side.answer_header());
        fields.filter_map(|field| Self::read(field.value())).take(MOST_SCHEMES).collect()
    }

    /// Whether the answer was made with that secret for this request. Takes the same time whether
    /// the answer is right or wrong. The URI that was signed counts: whether it is that of the
    /// request is the caller's to compare, for proxies may rewrite the Request-URI.
    pub fn is_made_with(&self, ha1: &Ha1, method: &str, body: &[u8]) -> bool {
        let (algorithm, count) = (self.algorithm, self.count);
        let proof = Proof { algorithm, nonce: &self.nonce, cnonce: &self.cnonce, count };
        let expected = proof.response(ha1, &Signed { method, uri: &self.uri, body });
        let is_same: bool = expected.as_bytes().ct_eq(self.response.as_bytes()).into();
        is_same && ha1.hash() == self.algorithm.hash
    }
}

/// The challenges of a 401 or 407: of each side and realm the strongest that is known, in the
/// order of the realms (RFC 8760 2.4 asks for the topmost; a server that lists the weaker first
/// gains nothing by the stronger).
pub fn strongest(response: &Message) -> Vec<(Side, Challenge)> {
    let mut chosen: Vec<(Side, Challenge)> = Vec::new();
    for side in [Side::Server, Side::Proxy] {
        let fields = response.headers(side.challenge_header());
        for challenge in fields.flat_map(|field| Challenge::read(field.value())) {
            let is_same =
                |(of, known): &(Side, Challenge)| *of == side && known.realm == challenge.realm;
            let known = chosen.iter().position(is_same);
            match known {
                Some(at) => {
                    if let Some((_, known)) = chosen.get_mut(at)
                        && known.algorithm() < challenge.algorithm()
                    {
                        *known = challenge;
                    }
                }
                None if chosen.len() < MOST_SCHEMES => chosen.push((side, challenge)),
                None => {}
            }
        }
    }
    chosen
}

impl Quality {
    fn from_name(name: &str) -> Option<Self> {
        match name.trim() {
            name if name.eq_ignore_ascii_case("auth") => Some(Self::Auth),
            name if name.eq_ignore_ascii_case("auth-int") => Some(Self::AuthInt),
            _ => None,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::AuthInt => "auth-int",
        }
    }
}

/// What a response is computed from, beside the secret and the request.
struct Proof<'a> {
    algorithm: Algorithm,
    nonce: &'a str,
    cnonce: &'a str,
    count: Option<Count>,
}

impl Proof<'_> {
    /// RFC 7616 3.4.1 to 3.4.3.
    fn response(&self, ha1: &Ha1, signed: &Signed<'_>) -> String {
        let hash = self.algorithm.hash;
        let ha1 = if self.algorithm.is_session {
            hash.of(&[ha1.as_str(), self.nonce, self.cnonce])
        } else {
            ha1.as_str().to_owned()
        };
        let ha2 = match self.count.map(|count| count.quality) {
            Some(Quality::AuthInt) => {
                hash.of(&[signed.method, signed.uri, &hash.of_bytes(signed.body)])
            }
            Some(Quality::Auth) | None => hash.of(&[signed.method, signed.uri]),
        };
        match self.count {
            Some(Count { quality, number }) => {
                let number = format!("{number:08x}");
                hash.of(&[&ha1, self.nonce, &number, self.cnonce, quality.as_str(), &ha2])
            }
            None => hash.of(&[&ha1, self.nonce, &ha2]),
        }
    }
}

fn is_digest(scheme: &str) -> bool {
    scheme.eq_ignore_ascii_case("digest")
}

/// How many challenges or answers of one message are looked at.
const MOST_SCHEMES: usize = 8;

#[cfg(test)]
mod tests;
