//! How a trunk writes numbers, and how they are read into the one form that dialplans know: E.164
//! with its plus. What is no number of the public network, such as `101` or `**620`, stays as it
//! is.

use crate::base::country::Country;
use crate::base::number::Number;

/// How a trunk writes numbers, and from which country it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Numbering {
    /// The country of national numbers.
    pub country: Country,
    /// How numbers are written.
    pub format: Format,
}

/// How numbers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// `+4971112345`
    #[default]
    PlusE164,
    /// `4971112345`
    E164,
    /// `071112345`, and `0041…` for another country.
    National,
    /// `004971112345`
    International,
}

impl Numbering {
    /// Reads a number as the trunk delivers it.
    pub fn read(&self, text: &str) -> String {
        let bare = bare(text);
        let read = if let Some(number) = bare.strip_prefix('+') {
            Some(number.to_owned())
        } else if let Some(number) = strip(&bare, self.country.international_prefix) {
            Some(number.to_owned())
        } else {
            self.read_local(&bare)
        };
        let number = read.and_then(|digits| format!("+{digits}").parse::<Number>().ok());
        number.map_or_else(|| text.to_owned(), |number| number.to_e164().to_owned())
    }

    /// Writes a number as the trunk wants it.
    pub fn write(&self, number: &str) -> String {
        let bare = bare(number);
        let Some(digits) = bare.strip_prefix('+') else { return number.to_owned() };
        let Country { calling_code, national_prefix, international_prefix, .. } = self.country;
        match (self.format, digits.strip_prefix(calling_code)) {
            (Format::PlusE164, _) => bare,
            (Format::E164, _) => digits.to_owned(),
            (Format::National, Some(national)) => format!("{national_prefix}{national}"),
            (Format::National, None) | (Format::International, _) => {
                format!("{international_prefix}{digits}")
            }
        }
    }

    /// A number without a sign of being international.
    fn read_local(&self, digits: &str) -> Option<String> {
        if digits.len() < SHORTEST || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let Country { calling_code, national_prefix, .. } = self.country;
        let national = strip(digits, national_prefix);
        match (self.format, national) {
            // No country begins with a zero: that is a national number all the same.
            (Format::E164, _) if !digits.starts_with('0') => Some(digits.to_owned()),
            // A number that should have its sign and has none may be a long extension.
            (Format::PlusE164 | Format::International, _) if !digits.starts_with('0') => None,
            (_, Some(national)) => Some(format!("{calling_code}{national}")),
            (Format::National, None) if national_prefix.is_empty() => {
                Some(format!("{calling_code}{digits}"))
            }
            (_, None) => None,
        }
    }
}

/// What follows a prefix; nothing follows a prefix that is empty.
fn strip<'a>(digits: &'a str, prefix: &str) -> Option<&'a str> {
    if prefix.is_empty() { None } else { digits.strip_prefix(prefix) }
}

/// A number without what only separates for the eye, and without parameters (RFC 3966 3).
fn bare(text: &str) -> String {
    let number = text.split(';').next().unwrap_or_default();
    number.chars().filter(|letter| !matches!(letter, ' ' | '-' | '.' | '(' | ')' | '/')).collect()
}

/// Shorter numbers are extensions or services: they mean something only where they are dialled.
const SHORTEST: usize = 7;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn numbering(country: &str, format: Format) -> Numbering {
        Numbering { country: country.parse().expect("a country"), format }
    }

    #[test]
    fn every_form_is_read_as_e164() {
        let table = [
            ("DE", Format::PlusE164, "+49 711/123-45", "+4971112345"),
            ("DE", Format::E164, "4971112345", "+4971112345"),
            ("DE", Format::National, "071112345", "+4971112345"),
            ("DE", Format::National, "0041443000000", "+41443000000"),
            ("DE", Format::International, "004971112345", "+4971112345"),
            ("DE", Format::PlusE164, "071112345", "+4971112345"),
            ("DE", Format::PlusE164, "4971112345", "4971112345"),
            ("DE", Format::PlusE164, "+4971112345;phone-context=x", "+4971112345"),
            ("US", Format::National, "14155550100", "+14155550100"),
            ("US", Format::National, "0114971112345", "+4971112345"),
            ("IT", Format::National, "0612345678", "+390612345678"),
            ("HU", Format::National, "0612345678", "+3612345678"),
        ];
        for (country, format, text, read) in table {
            assert_eq!(numbering(country, format).read(text), read, "{country} {text}");
        }
    }

    #[test]
    fn extensions_codes_and_names_stay_what_they_are() {
        for format in [Format::PlusE164, Format::E164, Format::National, Format::International] {
            for text in ["101", "**620", "110", "ann", "anonymous", "", "+", "1234567t0"] {
                assert_eq!(numbering("DE", format).read(text), text, "{format:?}");
            }
        }
    }

    #[test]
    fn a_number_is_written_as_the_trunk_wants_it() {
        let table = [
            ("DE", Format::PlusE164, "+4971112345"),
            ("DE", Format::E164, "4971112345"),
            ("DE", Format::National, "071112345"),
            ("DE", Format::International, "004971112345"),
            ("CH", Format::National, "004971112345"),
            ("US", Format::National, "0114971112345"),
        ];
        for (country, format, written) in table {
            assert_eq!(numbering(country, format).write("+4971112345"), written);
        }
        assert_eq!(numbering("DE", Format::E164).write("101"), "101");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn what_is_written_is_read_back(
            digits in "[1-9][0-9]{8,12}",
            country in prop_oneof![Just("DE"), Just("CH"), Just("GB"), Just("IT")],
            format in prop_oneof![
                Just(Format::PlusE164), Just(Format::E164), Just(Format::International),
                Just(Format::National),
            ],
        ) {
            let numbering = numbering(country, format);
            let number = format!("+{digits}");
            // Within Italy a national number may begin like an international one.
            let own = number.strip_prefix('+').and_then(|it| it.strip_prefix("39"));
            prop_assume!(!(country == "IT" && own.is_some_and(|it| it.starts_with("00"))));
            let zero = format!("+{}0", numbering.country.calling_code);
            prop_assume!(country == "IT" || !number.starts_with(&zero));
            prop_assert_eq!(numbering.read(&numbering.write(&number)), number);
        }

        #[test]
        fn no_text_breaks_the_reader(text in "\\PC{0,20}") {
            for format in [Format::E164, Format::National] {
                let read = numbering("DE", format).read(&text);
                numbering("DE", format).write(&read);
            }
        }
    }
}
