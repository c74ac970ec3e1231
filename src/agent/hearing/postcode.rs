//! Postcodes of the countries whose callers speak English or German.

use super::digits;
use super::spelling;
use super::value::{Context, Heard, Lack, Part, Reading, Value};

/// Reads a postcode at the start of some words.
pub fn read(words: &[String], context: &Context) -> Heard {
    let tongue = context.locale.tongue;
    let value = |used: usize, text: String| {
        Heard::Value(vec![Reading::new(used, Value::Postcode(text), 1.0)])
    };
    let wanted = match context.country.code {
        "GB" => {
            let spelled = spelling::spelled(words, 7, tongue);
            let text = spelled.text.to_uppercase();
            return match british(&text) {
                Some(code) => value(spelled.used, code),
                None if text.len() >= 2 && spelled.sure > 0 => Heard::Part(Part {
                    used: spelled.used,
                    lack: Lack::Characters(7_usize.saturating_sub(text.len()).max(1)),
                    so_far: text,
                }),
                None => Heard::Nothing,
            };
        }
        "AT" | "CH" | "LI" | "BE" | "DK" | "LU" => 4,
        _ => 5,
    };
    let row = digits::row(words, wanted + 1, tongue);
    let other = row.other.as_deref().filter(|other| other.len() == wanted);
    match (row.digits.len(), other) {
        (0, _) => Heard::Nothing,
        (length, _) if length == wanted => value(row.used, row.digits),
        (_, Some(other)) => value(row.used, other.to_owned()),
        (length, None) if length < wanted => Heard::Part(Part {
            used: row.used,
            so_far: row.digits,
            lack: Lack::Characters(wanted - length),
        }),
        (length, None) => Heard::Part(Part {
            used: row.used,
            so_far: row.digits,
            lack: Lack::TooMany(length - wanted),
        }),
    }
}

/// `SW1A1AA` as `SW1A 1AA`.
fn british(text: &str) -> Option<String> {
    let length = text.len();
    if !text.is_ascii() || !(5..=7).contains(&length) {
        return None;
    }
    let (outward, inward) = text.split_at(length - 3);
    let inward_fits = inward.starts_with(|c: char| c.is_ascii_digit())
        && inward.bytes().skip(1).all(|b| b.is_ascii_uppercase());
    let outward_fits = outward.starts_with(|c: char| c.is_ascii_uppercase())
        && outward.contains(|c: char| c.is_ascii_digit());
    (inward_fits && outward_fits).then(|| format!("{outward} {inward}"))
}
