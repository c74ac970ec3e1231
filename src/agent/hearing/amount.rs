//! Amounts of money: "drei Euro fünfzig", "three dollars and fifty cents".

use super::number;
use super::value::{Context, Reading, Value};
use crate::agent::lexicon::cardinal;
use crate::agent::lexicon::currency::Currency;

/// Reads an amount of money at the start of some words.
pub fn read(words: &[String], context: &Context) -> Vec<Reading> {
    let tongue = context.locale.tongue;
    let value = |used: usize, hundredths: Option<u64>, currency: &Currency, sureness: f32| {
        let value = Value::Money(hundredths?, currency.code);
        Some(Reading::new(used, value, sureness))
    };
    let hundredths = |whole: u64, parts: u64| whole.checked_mul(100)?.checked_add(parts);
    let named = |at: usize| currency_at(words, at);
    if let Some((used, text)) = number::decimal(words, tongue)
        && let Some((more, currency)) = named(used)
    {
        let (whole, decimals) = text.split_once('.').unwrap_or((&text, ""));
        let parts = match decimals.len() {
            1 => decimals.parse::<u64>().ok().map(|tenths| tenths * 10),
            2 => decimals.parse().ok(),
            _ => None,
        };
        let whole = whole.parse().ok();
        let amount = whole.zip(parts).and_then(|(whole, parts)| hundredths(whole, parts));
        return value(used + more, amount, currency, 1.0).into_iter().collect();
    }
    let Some((used, whole)) = cardinal::read(words, tongue) else { return Vec::new() };
    if let Some((more, currency)) = named(used) {
        return with_parts(words, (used + more, whole), currency, context);
    }
    if let Some(currency) = words.get(used).and_then(|word| Currency::parts_named(word)) {
        let mine = currency_of(context).filter(|mine| {
            words.get(used).is_some_and(|word| Currency::parts_named(word) == Some(currency))
                && matches!(words[used].as_str(), "cent" | "cents")
                && mine.has_parts()
        });
        let currency = mine.unwrap_or(currency);
        return value(used + 1, Some(whole), currency, 1.0).into_iter().collect();
    }
    // "three fifty dollars"; "three fifty" alone in the money of the country.
    let parts = words.get(used..).and_then(|rest| cardinal::read(rest, tongue));
    let Some((more, parts)) = parts.filter(|(_, parts)| (10..100).contains(parts)) else {
        return Vec::new();
    };
    match (named(used + more), currency_of(context)) {
        (Some((name, currency)), _) => {
            value(used + more + name, hundredths(whole, parts), currency, 0.9).into_iter().collect()
        }
        (None, Some(currency)) => {
            value(used + more, hundredths(whole, parts), currency, 0.4).into_iter().collect()
        }
        (None, None) => Vec::new(),
    }
}

/// What may follow the name of the currency.
fn with_parts(
    words: &[String],
    (at, whole): (usize, u64),
    currency: &'static Currency,
    context: &Context,
) -> Vec<Reading> {
    let tongue = context.locale.tongue;
    let and = usize::from(words.get(at).is_some_and(|word| word == "and" || word == "und"));
    let parts = words.get(at + and..).and_then(|rest| cardinal::read(rest, tongue));
    let parts = parts.filter(|(_, parts)| (1..100).contains(parts));
    let reading = |used: usize, parts: u64, sureness: f32| {
        let amount = whole.checked_mul(100)?.checked_add(parts)?;
        Some(Reading::new(used, Value::Money(amount, currency.code), sureness))
    };
    let bare = || reading(at, 0, 0.9).into_iter().collect();
    let Some((used, parts)) = parts else { return bare() };
    let behind = at + and + used;
    let cents = words.get(behind).is_some_and(|word| Currency::parts_named(word).is_some());
    match (cents, and) {
        (true, _) => reading(behind + 1, parts, 1.0).into_iter().collect(),
        (false, 0) if parts < 10 => {
            reading(behind, parts, 0.7).into_iter().chain(reading(at, 0, 0.3)).collect()
        }
        (false, 0) => reading(behind, parts, 0.9).into_iter().collect(),
        (false, _) => bare(),
    }
}

fn currency_at(words: &[String], at: usize) -> Option<(usize, &'static Currency)> {
    let word = words.get(at)?;
    if let Some(currency) = Currency::named(word) {
        return Some((1, currency));
    }
    // "Swiss francs", "US dollars", "schwedische Kronen".
    let pair = format!("{word} {}", words.get(at + 1)?);
    match pair.as_str() {
        "swiss franc" | "swiss francs" | "schweizer franken" => {
            Currency::written("CHF").map(|currency| (2, currency))
        }
        "us dollar" | "us dollars" => Currency::written("USD").map(|currency| (2, currency)),
        _ => Currency::named(&pair).map(|currency| (2, currency)),
    }
}

/// The money of the context's country.
fn currency_of(context: &Context) -> Option<&'static Currency> {
    let code = match context.country.code {
        "US" => "USD",
        "GB" => "GBP",
        "CH" | "LI" => "CHF",
        "PL" => "PLN",
        "CZ" => "CZK",
        "SE" => "SEK",
        "JP" => "JPY",
        "AT" | "BE" | "DE" | "ES" | "FI" | "FR" | "GR" | "IE" | "IT" | "LU" | "NL" | "PT" => "EUR",
        _ => return None,
    };
    Currency::written(code)
}
