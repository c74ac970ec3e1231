//! A language as it is written in a place: which comes first, month or day; what a comma means.

use crate::agent::intents::tongue::Tongue;
use crate::base::country::Country;
use crate::base::language::Language;

/// A tongue with the habits of a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Locale {
    /// The words.
    pub tongue: Tongue,
    /// The habits.
    pub region: Region,
}

/// Where the habits come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Region {
    /// The United States: the month comes first. English without a region means this one.
    America,
    /// Britain and everybody else who writes English: the day comes first.
    Britain,
    /// Germany.
    Germany,
    /// Austria: "Viertel drei" is a quarter past two.
    Austria,
    /// Switzerland: a full stop stands before decimals.
    Switzerland,
}

impl Locale {
    /// The locale of a language; `None` for languages without built-in words.
    pub fn of(language: &Language) -> Option<Self> {
        let region = language
            .tag()
            .split('-')
            .find(|part| part.len() == 2 && part.bytes().all(|letter| letter.is_ascii_uppercase()));
        if language.is_german() {
            let region = match region {
                Some("AT") => Region::Austria,
                Some("CH" | "LI") => Region::Switzerland,
                Some(_) | None => Region::Germany,
            };
            return Some(Self { tongue: Tongue::German, region });
        }
        let region = match region {
            None | Some("US") => Region::America,
            Some(_) => Region::Britain,
        };
        language.is_english().then_some(Self { tongue: Tongue::English, region })
    }

    /// English as in the United States.
    pub const fn american() -> Self {
        Self { tongue: Tongue::English, region: Region::America }
    }

    /// English as in Britain.
    pub const fn british() -> Self {
        Self { tongue: Tongue::English, region: Region::Britain }
    }

    /// German as in Germany.
    pub const fn german() -> Self {
        Self { tongue: Tongue::German, region: Region::Germany }
    }

    /// Whether it is German.
    pub fn is_german(self) -> bool {
        self.tongue == Tongue::German
    }

    /// Whether 3/5 is the fifth of March.
    pub fn month_first(self) -> bool {
        self.region == Region::America
    }

    /// The mark before decimals: `,` or `.`.
    pub fn decimal_mark(self) -> char {
        match self.region {
            Region::Germany | Region::Austria => ',',
            Region::America | Region::Britain | Region::Switzerland => '.',
        }
    }

    /// Chooses between the English and the German word.
    pub fn pick<T>(self, english: T, german: T) -> T {
        match self.tongue {
            Tongue::English => english,
            Tongue::German => german,
        }
    }

    /// The country whose numbers are meant when nobody names one.
    pub fn country(self) -> Country {
        let code = match self.region {
            Region::America => "US",
            Region::Britain => "GB",
            Region::Germany => "DE",
            Region::Austria => "AT",
            Region::Switzerland => "CH",
        };
        code.parse().unwrap_or_default()
    }
}

impl From<Tongue> for Locale {
    fn from(tongue: Tongue) -> Self {
        match tongue {
            Tongue::English => Self::american(),
            Tongue::German => Self::german(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_brings_its_habits() {
        let of = |tag: &str| Locale::of(&tag.parse().expect(tag));
        assert_eq!(of("en"), Some(Locale::american()));
        assert_eq!(of("en-GB"), Some(Locale::british()));
        assert_eq!(of("en-AU"), Some(Locale::british()));
        assert_eq!(of("de"), Some(Locale::german()));
        assert_eq!(of("de-AT").map(|locale| locale.region), Some(Region::Austria));
        assert_eq!(of("de-CH").map(Locale::decimal_mark), Some('.'));
        assert_eq!(of("fr"), None);
        assert!(Locale::american().month_first() && !Locale::british().month_first());
        assert_eq!(Locale::german().country(), Country::GERMANY);
    }
}
