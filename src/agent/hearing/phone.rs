//! Telephone numbers, from the digits that are said to E.164.

use super::digits;
use super::value::{Context, Heard, Lack, Part, Reading, Value};
use crate::base::country::Country;
use crate::base::number::Number;

/// Reads a telephone number at the start of some words.
pub fn read(words: &[String], context: &Context) -> Heard {
    let plus = usize::from(words.first().is_some_and(|word| word == "plus"));
    let row = digits::row(words.get(plus..).unwrap_or_default(), MOST, context.locale.tongue);
    if row.digits.len() < FEWEST_TO_BEGIN {
        return Heard::Nothing;
    }
    let used = plus + row.used;
    let judge = |digits: &str| judged(digits, plus > 0, &context.country);
    let so_far = |digits: &str| format!("{}{digits}", if plus > 0 { "+" } else { "" });
    let reading =
        |number: Number, sureness: f32| Reading::new(used, Value::Phone(number), sureness);
    let other = row.other.as_deref().and_then(|other| judge(other).ok());
    match (judge(&row.digits), other) {
        (Ok(number), None) => Heard::Value(vec![reading(number, 1.0)]),
        (Ok(number), Some(other)) => Heard::Value(vec![reading(number, 0.7), reading(other, 0.3)]),
        (Err(_), Some(other)) => Heard::Value(vec![reading(other, 0.6)]),
        (Err(lack), None) => Heard::Part(Part { used, so_far: so_far(&row.digits), lack }),
    }
}

/// Makes an E.164 number of digits as they are dialled in a country.
///
/// # Errors
/// With what is missing or wrong.
pub fn judged(digits: &str, international: bool, country: &Country) -> Result<Number, Lack> {
    let code = country.calling_code;
    let national = country.national_prefix;
    let whole = if international {
        digits.to_owned()
    } else if let Some(rest) = digits.strip_prefix(country.international_prefix) {
        rest.to_owned()
    } else if !national.is_empty() && digits.starts_with(national) {
        format!("{code}{}", digits.strip_prefix(national).unwrap_or(digits))
    } else if national == "0" {
        // Without the zero it is a number within a town that we do not know.
        return Err(if digits.len() < SHORTEST_LOCAL {
            Lack::Characters(SHORTEST_LOCAL - digits.len())
        } else {
            Lack::AreaCode
        });
    } else {
        format!("{code}{digits}")
    };
    // "Plus vier neun, null sieben elf": the zero is not dialled.
    let own = whole.strip_prefix(code);
    let whole = match own.and_then(|rest| rest.strip_prefix('0')) {
        Some(rest) if national == "0" => format!("{code}{rest}"),
        Some(_) | None => whole,
    };
    let wanted = if whole.starts_with('1') { AMERICAN } else { SHORTEST };
    if whole.len() < wanted {
        return Err(Lack::Characters(wanted - whole.len()));
    }
    let most = if whole.starts_with('1') { AMERICAN } else { LONGEST };
    if whole.len() > most {
        return Err(Lack::TooMany(whole.len() - most));
    }
    format!("+{whole}").parse().map_err(|_| Lack::Impossible)
}

/// Writes a number in groups, as it is read back: `+49 711 123 456`.
pub fn grouped(number: &Number) -> String {
    let digits = number.to_e164().trim_start_matches('+');
    let code = CODES.iter().find(|code| digits.starts_with(**code)).copied();
    let code = code.unwrap_or_else(|| digits.get(..2).unwrap_or(digits));
    let rest: Vec<char> = digits.strip_prefix(code).unwrap_or_default().chars().collect();
    let groups: Vec<String> = if code == "1" && rest.len() == 10 {
        [&rest[..3], &rest[3..6], &rest[6..]].map(|group| group.iter().collect()).to_vec()
    } else {
        rest.chunks(3).map(|group| group.iter().collect()).collect()
    };
    format!("+{code} {}", groups.join(" "))
}

const MOST: usize = 24;
const FEWEST_TO_BEGIN: usize = 2;
/// With the code of the country; shorter numbers exist, and nobody calls back there.
const SHORTEST: usize = 9;
const LONGEST: usize = 15;
/// Numbers of the North American plan have one length.
const AMERICAN: usize = 11;
const SHORTEST_LOCAL: usize = 5;
/// Codes of countries of one and three digits that callers here have; the rest have two.
const CODES: [&str; 16] = [
    "1", "7", "352", "353", "354", "355", "356", "357", "358", "359", "370", "371", "372", "380",
    "385", "420",
];
