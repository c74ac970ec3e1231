//! How far a carrier vouches for a caller's number (RFC 8588 4).

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use super::units;

/// How far whoever signed a call vouches for its number. The greater vouches for more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, JsonSchema)]
#[schemars(with = "String", extend("enum" = ["A", "B", "C"]))]
pub enum Attestation {
    /// `C`: for where the call entered the network, and for nothing else.
    Gateway,
    /// `B`: for the customer who calls, but not for the right to the number.
    Partial,
    /// `A`: for the customer and for the right to the number.
    Full,
}

/// Why a text is no attestation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an attestation is \"A\", \"B\" or \"C\"")]
pub struct NotAttestation;

impl Attestation {
    /// The letter that stands for it.
    pub fn letter(self) -> &'static str {
        match self {
            Self::Full => "A",
            Self::Partial => "B",
            Self::Gateway => "C",
        }
    }
}

impl FromStr for Attestation {
    type Err = NotAttestation;

    fn from_str(text: &str) -> Result<Self, NotAttestation> {
        match text {
            "A" => Ok(Self::Full),
            "B" => Ok(Self::Partial),
            "C" => Ok(Self::Gateway),
            _ => Err(NotAttestation),
        }
    }
}

impl fmt::Display for Attestation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.letter())
    }
}

impl<'de> Deserialize<'de> for Attestation {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        units::parsed(source)
    }
}

/// What a route may ask of the caller's number: an attestation that was checked, or that there is
/// none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, JsonSchema)]
#[schemars(with = "String", extend("enum" = ["A", "B", "C", "none"]))]
pub enum Attested {
    /// Somebody whom we believe vouched so far.
    As(Attestation),
    /// Nobody whom we believe vouched.
    #[default]
    Nobody,
}

impl From<Option<Attestation>> for Attested {
    fn from(attestation: Option<Attestation>) -> Self {
        attestation.map_or(Self::Nobody, Self::As)
    }
}

impl FromStr for Attested {
    type Err = NotAttested;

    fn from_str(text: &str) -> Result<Self, NotAttested> {
        match text {
            "none" => Ok(Self::Nobody),
            letter => letter.parse().map(Self::As).map_err(|_| NotAttested),
        }
    }
}

/// Why a text says nothing of an attestation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an attestation is \"A\", \"B\", \"C\" or \"none\"")]
pub struct NotAttested;

impl fmt::Display for Attested {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::As(attestation) => attestation.fmt(f),
            Self::Nobody => f.write_str("none"),
        }
    }
}

impl<'de> Deserialize<'de> for Attested {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        units::parsed(source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for text in ["A", "B", "C", "none"] {
            assert_eq!(text.parse::<Attested>().map(|it| it.to_string()), Ok(text.to_owned()));
        }
        assert!("a".parse::<Attestation>().is_err() && "none".parse::<Attestation>().is_err());
        assert!(Attestation::Full > Attestation::Partial);
    }
}
