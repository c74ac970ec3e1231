//! What two parties of SRTP agree on: a suite and a master key. A key never prints itself and is
//! wiped when it is dropped.

use std::fmt;

use schemars::JsonSchema;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::base::random::Random;

/// How packets are hidden and proven, by the names of RFC 4568, RFC 6188 and RFC 7714.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, JsonSchema)]
#[schemars(with = "String", extend("enum" = Suite::ALL.map(Suite::name)))]
pub enum Suite {
    /// AES in counter mode, and HMAC-SHA1 of 80 bits: what everybody has.
    Aes128Sha80,
    /// The same with a tag of 32 bits on RTP. One forged packet in four billion is believed.
    Aes128Sha32,
    /// The same with 80 bits and a key of 256 bits.
    Aes256Sha80,
    /// AES-GCM with a key of 128 bits and a tag of 128.
    Gcm128,
    /// AES-GCM with a key of 256 bits and a tag of 128.
    Gcm256,
}

impl Suite {
    /// All of them, the best first.
    pub const ALL: [Self; 5] =
        [Self::Gcm128, Self::Aes128Sha80, Self::Gcm256, Self::Aes256Sha80, Self::Aes128Sha32];

    /// The name in session descriptions, settings and records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Aes128Sha80 => "AES_CM_128_HMAC_SHA1_80",
            Self::Aes128Sha32 => "AES_CM_128_HMAC_SHA1_32",
            Self::Aes256Sha80 => "AES_256_CM_HMAC_SHA1_80",
            Self::Gcm128 => "AEAD_AES_128_GCM",
            Self::Gcm256 => "AEAD_AES_256_GCM",
        }
    }

    /// The suite of that name, if we have it.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|suite| suite.name().eq_ignore_ascii_case(name))
    }

    /// The octets of the key.
    pub fn key_length(self) -> usize {
        match self {
            Self::Aes128Sha80 | Self::Aes128Sha32 | Self::Gcm128 => 16,
            Self::Aes256Sha80 | Self::Gcm256 => 32,
        }
    }

    /// The octets of the salt.
    pub fn salt_length(self) -> usize {
        match self {
            Self::Aes128Sha80 | Self::Aes128Sha32 | Self::Aes256Sha80 => 14,
            Self::Gcm128 | Self::Gcm256 => 12,
        }
    }

    /// The octets of a master key with its salt, as session descriptions carry them.
    pub fn master_length(self) -> usize {
        self.key_length() + self.salt_length()
    }
}

/// A master key with its salt.
#[derive(Clone)]
pub struct Master {
    suite: Suite,
    octets: Zeroizing<[u8; LONGEST]>,
    mki: Mki,
}

/// The identifier of a master key that stands in every packet (RFC 3711 3.1); empty: none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mki(Vec<u8>);

impl Mki {
    /// The identifier `value` in so many octets; no length that RFC 4568 6.1 allows: `None`.
    pub fn new(value: u64, length: usize) -> Option<Self> {
        if !(1..=LONGEST_MKI).contains(&length) {
            return None;
        }
        let value = value.to_be_bytes();
        let missing = length.saturating_sub(value.len());
        let (zeros, digits) = value.split_at_checked(value.len().saturating_sub(length))?;
        let fits = zeros.iter().all(|octet| *octet == 0);
        fits.then(|| Self([&vec![0; missing], digits].concat()))
    }

    /// The octets.
    pub fn octets(&self) -> &[u8] {
        &self.0
    }
}

impl Master {
    /// A key with its salt behind it; `None` when they are not as long as the suite wants them.
    pub fn new(suite: Suite, octets: &[u8]) -> Option<Self> {
        let mut own = Zeroizing::new([0; LONGEST]);
        if octets.len() != suite.master_length() {
            return None;
        }
        own.get_mut(..octets.len())?.copy_from_slice(octets);
        Some(Self { suite, octets: own, mki: Mki::default() })
    }

    /// A new key.
    pub fn random(suite: Suite, random: &mut Random) -> Self {
        let mut octets = Zeroizing::new([0; LONGEST]);
        random.fill(&mut octets[..suite.master_length()]);
        Self { suite, octets, mki: Mki::default() }
    }

    /// The same key, whose packets carry an identifier.
    #[must_use]
    pub fn with_mki(self, mki: Mki) -> Self {
        Self { mki, ..self }
    }

    /// Which suite it is for.
    pub fn suite(&self) -> Suite {
        self.suite
    }

    /// What its packets carry.
    pub fn mki(&self) -> &Mki {
        &self.mki
    }

    /// The key and the salt behind it, as session descriptions carry them.
    pub fn octets(&self) -> &[u8] {
        &self.octets[..self.suite.master_length()]
    }

    /// The key.
    pub fn key(&self) -> &[u8] {
        &self.octets[..self.suite.key_length()]
    }

    /// The salt.
    pub fn salt(&self) -> &[u8] {
        &self.octets[self.suite.key_length()..self.suite.master_length()]
    }
}

/// The keys of both directions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    /// What we send is hidden with this.
    pub ours: Master,
    /// What the peer sends is.
    pub theirs: Master,
}

impl PartialEq for Master {
    fn eq(&self, other: &Self) -> bool {
        self.suite == other.suite
            && self.mki == other.mki
            && bool::from(self.octets[..].ct_eq(&other.octets[..]))
    }
}

impl Eq for Master {}

impl fmt::Debug for Master {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Master").field("suite", &self.suite).finish_non_exhaustive()
    }
}

/// A key of 256 bits and a salt of 112.
const LONGEST: usize = 46;

/// RFC 4568 6.1.
const LONGEST_MKI: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_does_not_print_itself() {
        let master = Master::new(Suite::Gcm128, &[0xab; 28]).expect("a key");
        assert_eq!(format!("{master:?}"), "Master { suite: Gcm128, .. }");
    }

    #[test]
    fn a_key_of_another_length_is_none() {
        for suite in Suite::ALL {
            let octets = [7; 64];
            assert!(Master::new(suite, &octets[..suite.master_length()]).is_some());
            assert!(Master::new(suite, &octets[..suite.master_length() - 1]).is_none());
            assert!(Master::new(suite, &octets[..suite.master_length() + 1]).is_none());
            assert_eq!(Suite::of_name(&suite.name().to_lowercase()), Some(suite));
        }
    }

    #[test]
    fn an_identifier_is_written_in_its_octets() {
        assert_eq!(Mki::new(1, 4).expect("it fits").octets(), [0, 0, 0, 1]);
        assert_eq!(Mki::new(258, 10).expect("it fits").octets(), [0, 0, 0, 0, 0, 0, 0, 0, 1, 2]);
        assert_eq!(Mki::new(258, 1), None);
        assert_eq!(Mki::new(1, 0), None);
        assert_eq!(Mki::new(1, 129), None);
    }
}
