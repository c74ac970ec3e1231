//! A ticket: a JSON Web Token (RFC 7519) that stands for a key where none can be kept, as in a browser.
//! It is signed with HS256 (RFC 7518 3.2) by a secret that lives as long as the server runs.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::hmac;
use serde::{Deserialize, Serialize};

use crate::base::id::CallId;
use crate::base::random::Random;
use crate::store::api_keys::Scope;

/// What a ticket says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// The identity of the key that it stands for.
    #[serde(rename = "sub")]
    pub key: String,
    /// What it allows, if its key does.
    pub scope: Scope,
    /// The only call that it is for, if it is for one.
    #[serde(rename = "call_id", skip_serializing_if = "Option::is_none", default)]
    pub call: Option<CallId>,
    /// From when on it is not valid any more, in seconds since the Unix epoch.
    #[serde(rename = "exp")]
    pub expires: u64,
}

/// Signs tickets, and knows its own.
pub struct Seal(hmac::Key);

impl Claims {
    /// Whether they allow what this path leads to: all, or what is below one call.
    pub fn lead_to(&self, path: &str) -> bool {
        let Some(call) = self.call.map(|call| call.to_string()) else { return true };
        let below = path.strip_prefix("/v1/calls/").and_then(|it| it.strip_prefix(&*call));
        below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Whether their time is not over.
    pub fn last(&self, now: Duration) -> bool {
        now.as_secs() < self.expires
    }
}

impl Seal {
    /// A new one.
    pub fn new(random: &mut Random) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, random.token(SECRET).as_bytes()))
    }

    /// Signs.
    pub fn ticket(&self, claims: &Claims) -> String {
        let claims = serde_json::to_vec(claims).unwrap_or_default();
        let said = format!("{}.{}", header(), BASE64_URL_SAFE_NO_PAD.encode(claims));
        let tag = hmac::sign(&self.0, said.as_bytes());
        format!("{said}.{}", BASE64_URL_SAFE_NO_PAD.encode(tag))
    }

    /// What a ticket of ours says, if it is one and its time is not over.
    pub fn claims(&self, ticket: &str, now: Duration) -> Option<Claims> {
        let (said, tag) = ticket.rsplit_once('.')?;
        // The header is ours or none: nobody chooses how it is checked.
        let claims = said.strip_prefix(&header())?.strip_prefix('.')?;
        let tag = BASE64_URL_SAFE_NO_PAD.decode(tag).ok()?;
        hmac::verify(&self.0, said.as_bytes(), &tag).ok()?;
        let claims = BASE64_URL_SAFE_NO_PAD.decode(claims).ok()?;
        let claims: Claims = serde_json::from_slice(&claims).ok()?;
        claims.last(now).then_some(claims)
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal")
    }
}

/// Whether a text looks like a ticket rather than a key.
pub fn is_ticket(text: &str) -> bool {
    text.starts_with("ey") && text.len() <= LONGEST
}

fn header() -> String {
    BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#)
}

/// The letters of the secret: more than 256 bits.
const SECRET: usize = 48;

/// The longest ticket that is looked at, in octets.
const LONGEST: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1_000);

    fn claims() -> Claims {
        let key = "key_abc".to_owned();
        Claims { key, scope: Scope::Read, call: None, expires: 1_060 }
    }

    #[test]
    fn a_ticket_is_known_until_its_time_is_over() {
        let mut random = Random::repeatable(7);
        let (seal, other) = (Seal::new(&mut random), Seal::new(&mut random));
        let ticket = seal.ticket(&claims());
        assert!(is_ticket(&ticket), "{ticket}");
        assert_eq!(seal.claims(&ticket, NOW), Some(claims()));
        assert_eq!(seal.claims(&ticket, Duration::from_secs(1_060)), None);
        assert_eq!(other.claims(&ticket, NOW), None);
    }

    #[test]
    fn whatever_is_changed_is_no_ticket() {
        let seal = Seal::new(&mut Random::repeatable(7));
        let ticket = seal.ticket(&claims());
        for at in 0..ticket.len() {
            let mut octets = ticket.clone().into_bytes();
            octets[at] = if octets[at] == b'A' { b'B' } else { b'A' };
            let spoilt = String::from_utf8(octets).expect("text");
            assert_eq!(seal.claims(&spoilt, NOW), None, "{spoilt}");
        }
        for (alg, tag) in [("none", ""), ("HS512", "AAAA")] {
            let header = BASE64_URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"{alg}","typ":"JWT"}}"#));
            let said = BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(&claims()).expect("JSON"));
            assert_eq!(seal.claims(&format!("{header}.{said}.{tag}"), NOW), None);
        }
        for text in ["", ".", "..", "ey", "a.b.c", "ey.ey.ey.ey"] {
            assert_eq!(seal.claims(text, NOW), None, "{text}");
        }
    }

    #[test]
    fn one_for_a_call_leads_nowhere_else() {
        let mut random = Random::repeatable(7);
        let [call, other] = [NOW, NOW].map(|now| CallId::new(now, &mut random));
        let of = Claims { call: Some(call), ..claims() };
        for (path, leads) in [
            (format!("/v1/calls/{call}"), true),
            (format!("/v1/calls/{call}/events"), true),
            (format!("/v1/calls/{call}0"), false),
            (format!("/v1/calls/{other}/events"), false),
            ("/v1/calls".to_owned(), false),
            ("/v1/events".to_owned(), false),
        ] {
            assert_eq!(of.lead_to(&path), leads, "{path}");
            assert!(claims().lead_to(&path));
        }
    }
}
