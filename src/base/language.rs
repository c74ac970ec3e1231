//! Languages, as the operator writes them: `en`, `de`, `en-GB` (BCP 47).

use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;

/// A language with an optional region.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, JsonSchema)]
#[schemars(with = "String", extend("pattern" = r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*"))]
pub struct Language(String);

/// Why a text is not a language.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a language tag: write two or three letters, and a region if it matters, such as \"en\" or \"de-AT\""
)]
pub struct NotALanguage;

impl Language {
    /// English.
    pub fn english() -> Self {
        Self("en".to_owned())
    }

    /// The whole tag, as written: `en-GB`.
    pub fn tag(&self) -> &str {
        &self.0
    }

    /// The primary language in lower case: `en`.
    pub fn primary(&self) -> &str {
        self.0.split('-').next().unwrap_or_default()
    }

    /// Whether this is a kind of English.
    pub fn is_english(&self) -> bool {
        self.primary() == "en"
    }

    /// Whether this is a kind of German.
    pub fn is_german(&self) -> bool {
        self.primary() == "de"
    }
}

impl std::str::FromStr for Language {
    type Err = NotALanguage;

    fn from_str(text: &str) -> Result<Self, NotALanguage> {
        let mut parts = text.split('-');
        let primary = parts.next().unwrap_or_default();
        let primary_fits =
            matches!(primary.len(), 2 | 3) && primary.bytes().all(|b| b.is_ascii_lowercase());
        let rest_fits = parts.all(|part| {
            (2..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric())
        });
        if primary_fits && rest_fits { Ok(Self(text.to_owned())) } else { Err(NotALanguage) }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Language {
    fn deserialize<D: serde::Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        String::deserialize(source)?.parse().map_err(serde::de::Error::custom)
    }
}
