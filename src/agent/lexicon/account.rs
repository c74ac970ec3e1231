//! Numbers that carry their own check: IBAN (ISO 13616, modulo 97) and payment cards (ISO/IEC
//! 7812, the Luhn sum).

/// What the check says of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is right.
    Right,
    /// It has its length, and a character is wrong.
    Wrong,
    /// So many characters are missing.
    Short(usize),
    /// So many characters are too many.
    Long(usize),
    /// There is no such country, or the characters are none of these numbers.
    Unknown,
}

/// Checks an IBAN, written without spaces in capital letters.
pub fn iban(text: &str) -> Verdict {
    let Some(length) = iban_length(text) else { return Verdict::Unknown };
    let told = text.chars().count();
    if told < length {
        return Verdict::Short(length - told);
    }
    if told > length {
        return Verdict::Long(told - length);
    }
    if !text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()) {
        return Verdict::Unknown;
    }
    let (head, body) = text.split_at(4);
    let rest = body.chars().chain(head.chars()).fold(0_u32, |rest, c| {
        let value = c.to_digit(36).unwrap_or_default();
        if value < 10 { (rest * 10 + value) % 97 } else { (rest * 100 + value) % 97 }
    });
    if rest == 1 { Verdict::Right } else { Verdict::Wrong }
}

/// How long the IBANs of a country are; the country stands in the first two characters.
pub fn iban_length(text: &str) -> Option<usize> {
    let country = text.get(..2)?;
    IBAN_LENGTHS.iter().find(|(other, _)| *other == country).map(|(_, length)| *length)
}

/// Whether IBANs of this country hold digits only behind the country.
pub fn iban_is_numeric(country: &str) -> bool {
    [
        "AT", "BE", "CZ", "DE", "DK", "EE", "ES", "FI", "HR", "HU", "IS", "LT", "NO", "PL", "PT",
        "SE", "SI", "SK",
    ]
    .contains(&country)
}

/// Checks the number of a payment card: digits only.
pub fn card(text: &str) -> Verdict {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Verdict::Unknown;
    }
    let usual = card_length(text);
    match text.len() {
        length if length < usual => Verdict::Short(usual - length),
        length if length > 19 => Verdict::Long(length - 19),
        _ if luhn(text) => Verdict::Right,
        _ => Verdict::Wrong,
    }
}

/// The usual length of a card's number, by its first digits.
fn card_length(text: &str) -> usize {
    match text.as_bytes() {
        [b'3', b'4' | b'7', ..] => 15,
        [b'3', b'0' | b'6' | b'8', ..] => 14,
        _ => 16,
    }
}

/// The sum that a card's number satisfies.
pub fn luhn(digits: &str) -> bool {
    let sum: u32 = digits
        .chars()
        .rev()
        .filter_map(|c| c.to_digit(10))
        .enumerate()
        .map(|(at, digit)| match digit * (1 + u32::from(at % 2 == 1)) {
            doubled @ 10.. => doubled - 9,
            digit => digit,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// The two check digits that make an IBAN right, for its country and what follows them.
pub fn iban_check(country: &str, account: &str) -> Option<String> {
    (0..100).map(|check| format!("{check:02}")).find(|check| {
        iban(&format!("{country}{check}{account}")) == Verdict::Right && check.as_str() >= "02"
    })
}

const IBAN_LENGTHS: &[(&str, usize)] = &[
    ("AD", 24),
    ("AE", 23),
    ("AT", 20),
    ("BE", 16),
    ("BG", 22),
    ("CH", 21),
    ("CY", 28),
    ("CZ", 24),
    ("DE", 22),
    ("DK", 18),
    ("EE", 20),
    ("ES", 24),
    ("FI", 18),
    ("FR", 27),
    ("GB", 22),
    ("GR", 27),
    ("HR", 21),
    ("HU", 28),
    ("IE", 22),
    ("IL", 23),
    ("IS", 26),
    ("IT", 27),
    ("LI", 21),
    ("LT", 20),
    ("LU", 20),
    ("LV", 21),
    ("MC", 27),
    ("MT", 31),
    ("NL", 18),
    ("NO", 15),
    ("PL", 28),
    ("PT", 25),
    ("RO", 24),
    ("RS", 22),
    ("SE", 24),
    ("SI", 19),
    ("SK", 24),
    ("SM", 27),
    ("TR", 26),
    ("UA", 29),
    ("VA", 22),
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ibans_and_cards_are_checked() {
        for (text, verdict) in [
            ("DE89370400440532013000", Verdict::Right),
            ("GB82WEST12345698765432", Verdict::Right),
            ("AT611904300234573201", Verdict::Right),
            ("CH9300762011623852957", Verdict::Right),
            ("DE89370400440532013001", Verdict::Wrong),
            ("DE8937040044053201300", Verdict::Short(1)),
            ("DE893704004405320130000", Verdict::Long(1)),
            ("ZZ89", Verdict::Unknown),
            ("D", Verdict::Unknown),
            ("äöü", Verdict::Unknown),
        ] {
            assert_eq!(iban(text), verdict, "{text}");
        }
        for (text, verdict) in [
            ("4111111111111111", Verdict::Right),
            ("378282246310005", Verdict::Right),
            ("4111111111111112", Verdict::Wrong),
            ("4111", Verdict::Short(12)),
            ("41111111111111111111", Verdict::Long(1)),
            ("", Verdict::Unknown),
        ] {
            assert_eq!(card(text), verdict, "{text}");
        }
    }

    proptest! {
        #[test]
        fn one_wrong_digit_is_noticed(account in "[0-9]{18}", at in 4_usize..22, other in 1_u8..10) {
            let check = iban_check("DE", &account).expect("check digits");
            let mut text = format!("DE{check}{account}").into_bytes();
            text[at] = b'0' + (text[at] - b'0' + other) % 10;
            let text = String::from_utf8(text).expect("digits");
            prop_assert_eq!(iban(&text), Verdict::Wrong);
        }
    }
}
