//! Phones, as they stand under `[phones.NAME]`, their groups, and how they register.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::base::destination::Destination;
use crate::base::network::Network;
use crate::base::secret::Secret;
use crate::base::units;
use crate::config::codec::Codec;

/// `[phones.NAME]`: a phone that registers with us. Its name is the user part of its address.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Phone {
    /// Who has it; shown to whom it calls.
    pub name: Option<String>,
    /// Its password.
    #[schemars(with = "Option<String>")]
    pub password: Option<Secret>,
    /// Instead of a password, its hash with user and realm: MD5 or SHA-256, in hexadecimal digits.
    #[schemars(with = "Option<String>")]
    pub ha1: Option<Secret>,
    /// The user for authentication, if it is not the phone's name.
    pub username: Option<String>,
    /// From where it may register and call; without any, from private networks.
    pub networks: Vec<Network>,
    /// The context that routes see when it calls.
    pub context: Option<String>,
    /// The number that it shows to the outside.
    pub caller_id: Option<String>,
    /// The voicemail whose messages it is told of.
    pub voicemail: Option<String>,
    /// The codecs that are spoken with it, the best first; without any, those of `[rtp]`.
    pub codecs: Vec<Codec>,
    /// At how many places it may be registered at once.
    pub max_contacts: u32,
    /// The most calls that it may make at once.
    pub max_calls: u32,
}

/// `[groups.NAME]`: phones that ring together.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Group {
    /// The phones: `phone:101`.
    pub members: Vec<Destination>,
}

/// `[sip.registrar]`: how phones register.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Registering {
    /// A phone that wants less gets 423.
    #[serde(deserialize_with = "units::duration")]
    pub min_expires: Duration,
    /// A phone that wants more gets this.
    #[serde(deserialize_with = "units::duration")]
    pub max_expires: Duration,
    /// How often a phone that came by UDP is written to, so that a NAT before it stays open.
    #[serde(deserialize_with = "units::duration")]
    pub keep_alive: Duration,
    /// How phones may prove themselves, the best first.
    pub digest: Vec<DigestAlgorithm>,
}

/// An algorithm of digest authentication.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DigestAlgorithm {
    /// SHA-256 (RFC 8760).
    #[serde(rename = "sha-256")]
    Sha256,
    /// MD5, for phones that know nothing better.
    Md5,
}

impl Phone {
    /// From where it may register and call.
    pub fn sources(&self) -> Vec<Network> {
        if !self.networks.is_empty() {
            return self.networks.clone();
        }
        PRIVATE.iter().filter_map(|network| network.parse().ok()).collect()
    }
}

impl Group {
    /// The names of its phones.
    pub fn phones(&self) -> impl Iterator<Item = &str> {
        self.members.iter().filter_map(|member| match member {
            Destination::Phone(name) => Some(name.as_str()),
            _ => None,
        })
    }
}

impl Default for Phone {
    fn default() -> Self {
        Self {
            name: None,
            password: None,
            ha1: None,
            username: None,
            networks: Vec::new(),
            context: None,
            caller_id: None,
            voicemail: None,
            codecs: Vec::new(),
            max_contacts: 5,
            max_calls: 4,
        }
    }
}

impl Default for Registering {
    fn default() -> Self {
        Self {
            min_expires: Duration::from_secs(60),
            max_expires: Duration::from_secs(3_600),
            keep_alive: Duration::from_secs(25),
            digest: vec![DigestAlgorithm::Sha256, DigestAlgorithm::Md5],
        }
    }
}

/// Networks that are not reached from the internet (RFC 1918, RFC 4193, loopback, link-local).
const PRIVATE: [&str; 8] = [
    "127.0.0.0/8",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "169.254.0.0/16",
    "::1",
    "fc00::/7",
    "fe80::/10",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phone_without_networks_speaks_from_private_ones_only() {
        let sources = Phone::default().sources();
        assert_eq!(sources.len(), PRIVATE.len());
        let inside = |address: &str| {
            let address = address.parse().expect(address);
            sources.iter().any(|network| network.contains(address))
        };
        assert!(inside("192.168.178.20") && inside("127.0.0.1") && inside("fd00::1"));
        assert!(!inside("203.0.113.9") && !inside("2001:db8::1"));
    }
}
