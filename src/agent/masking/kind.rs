//! The kinds of values that are masked, as they stand in `[security.privacy]`.

use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;

/// A kind of value that is masked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The number of a payment card (the Luhn sum), with what is said behind it, and its code.
    Card,
    /// An IBAN (modulo 97).
    Iban,
    /// An e-mail address, written or said.
    Email,
    /// A telephone number.
    PhoneNumber,
    /// A day of birth: a date behind words that say so, or in answer to such a question.
    BirthDate,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Card, Self::Iban, Self::Email, Self::PhoneNumber, Self::BirthDate];

    /// What stands in the place of such a value.
    pub fn label(self) -> &'static str {
        match self {
            Self::Card => "[card]",
            Self::Iban => "[iban]",
            Self::Email => "[email]",
            Self::PhoneNumber => "[phone]",
            Self::BirthDate => "[birth date]",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.label())
    }
}

/// Which kinds are masked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Masks {
    kinds: u8,
}

impl Masks {
    /// Every kind.
    pub fn all() -> Self {
        Kind::ALL.into_iter().collect()
    }

    /// Whether this kind is masked.
    pub fn has(self, kind: Kind) -> bool {
        self.kinds & (1 << kind as u8) != 0
    }

    /// Whether nothing is.
    pub fn is_empty(self) -> bool {
        self.kinds == 0
    }

    /// These, and those.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { kinds: self.kinds | other.kinds }
    }
}

impl FromIterator<Kind> for Masks {
    fn from_iter<T: IntoIterator<Item = Kind>>(kinds: T) -> Self {
        Self { kinds: kinds.into_iter().fold(0, |all, kind| all | 1 << kind as u8) }
    }
}
