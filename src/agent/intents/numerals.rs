//! Numbers from 0 to 99 as words, English and German, both ways.

use super::tongue::Tongue;

/// Spells a number below 100: `twenty one`, `einundzwanzig`. Larger ones digit by digit.
pub fn spell(number: u32, tongue: Tongue) -> String {
    let (units, tens) = tables(tongue);
    let (ten, unit) = (number / 10, number % 10);
    let word = |table: &[&'static str], index: u32| {
        usize::try_from(index).ok().and_then(|index| table.get(index)).copied()
    };
    match (word(units, number), word(tens, ten), unit) {
        (Some(word), _, _) => word.to_owned(),
        (None, Some(ten), 0) => ten.to_owned(),
        (None, Some(ten), _) => {
            let unit = word(units, unit).unwrap_or_default();
            match tongue {
                Tongue::English => format!("{ten} {unit}"),
                Tongue::German => format!("{}und{ten}", if unit == "eins" { "ein" } else { unit }),
            }
        }
        (None, None, _) => spell_digits(&number.to_string(), tongue),
    }
}

/// Spells each digit of a text: `73` as `seven three`. Other characters are left out.
pub fn spell_digits(digits: &str, tongue: Tongue) -> String {
    let (units, _) = tables(tongue);
    let words: Vec<&str> = digits
        .chars()
        .filter_map(|c| c.to_digit(10))
        .filter_map(|digit| units.get(usize::try_from(digit).ok()?).copied())
        .collect();
    words.join(" ")
}

/// Reads one number below 100 at the start: how many tokens it takes, and the number. The longest
/// reading wins: `twenty one` is 21.
pub fn read(tokens: &[String], tongue: Tongue) -> Option<(usize, u32)> {
    let first = tokens.first()?;
    let (units, tens) = tables(tongue);
    if let Some(unit) = digit_or_teen(first, units, tongue) {
        return Some((1, unit));
    }
    let ten_of = |word: &str| {
        tens.iter()
            .position(|ten| !ten.is_empty() && *ten == word)
            .and_then(|index| u32::try_from(index * 10).ok())
    };
    match tongue {
        Tongue::English => {
            let ten = ten_of(first)?;
            let unit = tokens
                .get(1)
                .and_then(|word| digit_or_teen(word, units, tongue))
                .filter(|unit| (1..10).contains(unit));
            Some(unit.map_or((1, ten), |unit| (2, ten + unit)))
        }
        Tongue::German => {
            if let Some(ten) = ten_of(first) {
                return Some((1, ten));
            }
            let (unit, ten) = first.split_once("und")?;
            let unit = digit_or_teen(unit, units, tongue).filter(|unit| (1..10).contains(unit))?;
            Some((1, ten_of(ten)? + unit))
        }
    }
}

/// Reads one digit: `oh` is 0 as well.
pub fn read_digit(word: &str, tongue: Tongue) -> Option<u32> {
    let (units, _) = tables(tongue);
    digit_or_teen(word, units, tongue).filter(|digit| *digit < 10)
}

/// The words for 0 to 19 and, by tens, for 20 to 90 (the first two places are empty).
pub fn tables(tongue: Tongue) -> (&'static [&'static str], &'static [&'static str]) {
    match tongue {
        Tongue::English => (&ENGLISH_UNITS, &ENGLISH_TENS),
        Tongue::German => (&GERMAN_UNITS, &GERMAN_TENS),
    }
}

fn digit_or_teen(word: &str, units: &[&str], tongue: Tongue) -> Option<u32> {
    let word = match (tongue, word) {
        (Tongue::English, "oh") => "zero",
        (Tongue::German, "ein" | "eine") => "eins",
        (Tongue::German, "zwo") => "zwei",
        _ => word,
    };
    units.iter().position(|unit| *unit == word).and_then(|index| u32::try_from(index).ok())
}

const ENGLISH_UNITS: [&str; 20] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const ENGLISH_TENS: [&str; 10] =
    ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
const GERMAN_UNITS: [&str; 20] = [
    "null",
    "eins",
    "zwei",
    "drei",
    "vier",
    "fünf",
    "sechs",
    "sieben",
    "acht",
    "neun",
    "zehn",
    "elf",
    "zwölf",
    "dreizehn",
    "vierzehn",
    "fünfzehn",
    "sechzehn",
    "siebzehn",
    "achtzehn",
    "neunzehn",
];
const GERMAN_TENS: [&str; 10] = [
    "", "", "zwanzig", "dreißig", "vierzig", "fünfzig", "sechzig", "siebzig", "achtzig", "neunzig",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_read_as_it_is_spelled() {
        for tongue in [Tongue::English, Tongue::German] {
            for number in 0..100 {
                let words: Vec<String> =
                    spell(number, tongue).split(' ').map(str::to_owned).collect();
                assert_eq!(read(&words, tongue), Some((words.len(), number)), "{words:?}");
            }
        }
        assert_eq!(spell(21, Tongue::German), "einundzwanzig");
        assert_eq!(spell(7319, Tongue::English), "seven three one nine");
    }

    #[test]
    fn other_words_are_no_numbers() {
        for word in ["", "und", "hundert", "twentyish", "einund"] {
            for tongue in [Tongue::English, Tongue::German] {
                assert_eq!(read(&[word.to_owned()], tongue), None, "{word}");
            }
        }
    }
}
