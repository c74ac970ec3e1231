//! Countries, as far as dialling goes: the code of a country and what is dialled before a number
//! within it and from it (ITU-T E.164, E.123).

use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

/// How numbers are dialled in a country.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema)]
#[schemars(with = "String", extend("pattern" = r"[A-Za-z]{2}"))]
pub struct Country {
    /// ISO 3166: `DE`.
    pub code: &'static str,
    /// The code of the country in E.164: `49`.
    pub calling_code: &'static str,
    /// What comes before a national number: `0`; empty where nothing does.
    pub national_prefix: &'static str,
    /// What comes before an international number: `00`.
    pub international_prefix: &'static str,
}

/// Why a text is not a country that we know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a country that we know: write its two letters of ISO 3166, such as \"DE\"")]
pub struct NotACountry(String);

impl Country {
    /// Germany, where the makers sit: what is meant when nobody says anything.
    pub const GERMANY: Self = country("DE", "49", "0", "00");
}

impl Default for Country {
    fn default() -> Self {
        Self::GERMANY
    }
}

impl FromStr for Country {
    type Err = NotACountry;

    fn from_str(text: &str) -> Result<Self, NotACountry> {
        let found = COUNTRIES.iter().find(|country| country.code.eq_ignore_ascii_case(text));
        found.copied().ok_or_else(|| NotACountry(text.to_owned()))
    }
}

impl<'de> Deserialize<'de> for Country {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        super::units::parsed(source)
    }
}

const fn country(
    code: &'static str,
    calling_code: &'static str,
    national_prefix: &'static str,
    international_prefix: &'static str,
) -> Country {
    Country { code, calling_code, national_prefix, international_prefix }
}

const COUNTRIES: &[Country] = &[
    country("AE", "971", "0", "00"),
    country("AR", "54", "0", "00"),
    country("AT", "43", "0", "00"),
    country("AU", "61", "0", "0011"),
    country("BE", "32", "0", "00"),
    country("BG", "359", "0", "00"),
    country("BR", "55", "0", "00"),
    country("CA", "1", "1", "011"),
    country("CH", "41", "0", "00"),
    country("CL", "56", "", "00"),
    country("CN", "86", "0", "00"),
    country("CY", "357", "", "00"),
    country("CZ", "420", "", "00"),
    Country::GERMANY,
    country("DK", "45", "", "00"),
    country("EE", "372", "", "00"),
    country("ES", "34", "", "00"),
    country("FI", "358", "0", "00"),
    country("FR", "33", "0", "00"),
    country("GB", "44", "0", "00"),
    country("GR", "30", "", "00"),
    country("HK", "852", "", "001"),
    country("HR", "385", "0", "00"),
    country("HU", "36", "06", "00"),
    country("IE", "353", "0", "00"),
    country("IL", "972", "0", "00"),
    country("IN", "91", "0", "00"),
    country("IS", "354", "", "00"),
    country("IT", "39", "", "00"),
    country("JP", "81", "0", "010"),
    country("KR", "82", "0", "00"),
    country("LI", "423", "", "00"),
    country("LT", "370", "0", "00"),
    country("LU", "352", "", "00"),
    country("LV", "371", "", "00"),
    country("MT", "356", "", "00"),
    country("MX", "52", "", "00"),
    country("NL", "31", "0", "00"),
    country("NO", "47", "", "00"),
    country("NZ", "64", "0", "00"),
    country("PL", "48", "", "00"),
    country("PT", "351", "", "00"),
    country("RO", "40", "0", "00"),
    country("RS", "381", "0", "00"),
    country("SE", "46", "0", "00"),
    country("SG", "65", "", "000"),
    country("SI", "386", "0", "00"),
    country("SK", "421", "0", "00"),
    country("TR", "90", "0", "00"),
    country("UA", "380", "0", "00"),
    country("US", "1", "1", "011"),
    country("ZA", "27", "0", "00"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn countries_stand_in_order_and_are_found_by_their_letters() {
        assert!(COUNTRIES.windows(2).all(|pair| pair[0].code < pair[1].code));
        assert_eq!("de".parse(), Ok(Country::GERMANY));
        assert!("XX".parse::<Country>().is_err());
    }
}
