//! The terms of a call: its language and country.

use crate::agent::intents::tongue::Tongue;
use crate::base::country::Country;
use crate::base::language::Language;

/// How numbers are said and dialled where a call takes place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// The language; the other one is understood too.
    pub tongue: Tongue,
    /// The country whose numbers are dialled without its code.
    pub country: Country,
}

impl Default for Terms {
    fn default() -> Self {
        Self { tongue: Tongue::German, country: Country::GERMANY }
    }
}

impl Terms {
    /// Those of a language in a country.
    pub fn new(language: &Language, country: Country) -> Self {
        Self { tongue: Tongue::of(language), country }
    }
}
