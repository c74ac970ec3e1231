//! Whose calls count as calls from a trunk, as it stands under `[trunks.NAME.inbound]`.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use crate::base::network::Network;
use crate::base::secret::Secret;
use crate::base::units;

/// Whose calls count as calls from a trunk.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Inbound {
    /// Addresses, ranges of addresses, and names of hosts.
    pub allow: Vec<Sender>,
    /// With what it must prove itself; without it, its address is proof enough.
    pub auth: Option<Auth>,
}

/// With what a trunk proves itself to us.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    /// Its user.
    pub username: String,
    /// Its password.
    #[schemars(with = "String")]
    pub password: Secret,
}

/// From where a trunk sends.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
#[schemars(with = "String")]
pub enum Sender {
    /// An address, or a range of them.
    Network(Network),
    /// A host by its name: its addresses, as name servers tell them (RFC 3263). Who writes a name
    /// here trusts them.
    Name(String),
}

impl Inbound {
    /// The addresses and ranges of addresses.
    pub fn networks(&self) -> impl Iterator<Item = Network> + '_ {
        self.allow.iter().filter_map(|sender| match sender {
            Sender::Network(network) => Some(*network),
            Sender::Name(_) => None,
        })
    }

    /// The names of hosts, each with its place in `allow`.
    pub fn names(&self) -> impl Iterator<Item = (usize, &str)> {
        self.allow.iter().enumerate().filter_map(|(at, sender)| match sender {
            Sender::Network(_) => None,
            Sender::Name(name) => Some((at, name.as_str())),
        })
    }
}

impl FromStr for Sender {
    type Err = <Network as FromStr>::Err;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse() {
            Ok(network) => Ok(Self::Network(network)),
            Err(_) if is_host(text) => Ok(Self::Name(text.to_ascii_lowercase())),
            Err(why) => Err(why),
        }
    }
}

impl fmt::Display for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(network) => network.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl<'de> Deserialize<'de> for Sender {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        units::parsed(source)
    }
}

/// Whether a text is the name of a host (RFC 1123 2.1): what ends with a number is an address with
/// a mistake.
fn is_host(text: &str) -> bool {
    let is_label = |label: &str| {
        let fits = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_');
        !label.is_empty() && label.len() <= 63 && label.bytes().all(fits)
    };
    let last = text.rsplit('.').next().unwrap_or_default();
    text.len() <= 253
        && text.split('.').all(is_label)
        && !last.bytes().all(|octet| octet.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_told_from_an_address_with_a_mistake() {
        let read = |text: &str| text.parse::<Sender>();
        assert!(matches!(read("10.0.0.0/8"), Ok(Sender::Network(_))));
        assert!(matches!(read("2001:db8::1"), Ok(Sender::Network(_))));
        assert_eq!(read("SIP.carrier.example"), Ok(Sender::Name("sip.carrier.example".into())));
        assert_eq!(read("localhost"), Ok(Sender::Name("localhost".into())));
        for wrong in ["10.0.0.500", "10.0.0.5/8", "", "sip carrier", "a..b", "sip:carrier"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
