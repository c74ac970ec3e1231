//! Money, percent and measures: `3,50 €`, `$3.50`, `5 %`, `80 km/h`.

use super::chunk::{Place, Said};
use super::figure::{Figure, Sign};
use crate::agent::lexicon::currency::Currency;
use crate::agent::lexicon::locale::Locale;
use crate::agent::lexicon::measure::Unit;

/// Says amounts of money.
pub fn money(place: Place<'_>) -> Option<Said> {
    let (first, locale) = (place.first(), place.locale);
    let core = first.core.strip_suffix(",-").or_else(|| first.core.strip_suffix(",–"));
    let core = core.unwrap_or(first.core);
    let (sign, core) = match core.strip_prefix(['-', '−']) {
        Some(core) => (locale.pick("minus ", "minus "), core),
        None => ("", core),
    };
    let split = core.find(|c: char| c.is_ascii_digit())?;
    let (before, rest) = core.split_at(split);
    let last = rest.rfind(|c: char| c.is_ascii_digit()).map_or(0, |at| at + 1);
    let (digits, behind) = rest.split_at(last);
    let in_front = place.before.last().filter(|chunk| chunk.is_open()).map(|chunk| chunk.core);
    // A code in front was said already, with what follows it.
    if in_front.is_some_and(|code| Currency::written(code).is_some()) && before.is_empty() {
        return None;
    }
    let figure = figure_of_money(digits, locale)?;
    let mut used = 1;
    let mut scale = None;
    if let Some(next) = place.then(used)
        && behind.is_empty()
        && let Some(found) = scale_of(next.core, locale)
    {
        used += 1;
        scale = Some(found);
    }
    let behind = behind.trim_start_matches([',', '-', '–']);
    let currency = match (Currency::written(before), Currency::written(behind)) {
        (Some(currency), _) if behind.is_empty() => currency,
        (None, Some(currency)) if before.is_empty() => currency,
        (None, None) if before.is_empty() && behind.is_empty() => {
            let next = place.then(used)?;
            used += 1;
            let named = Currency::written(next.core);
            named.or_else(|| {
                Currency::named(&next.core.to_lowercase()).filter(|_| scale.is_none())
            })?
        }
        (_, _) => return None,
    };
    Some(Said::new(used, format!("{sign}{}", amount(&figure, scale, currency, locale)?)))
}

/// Says `EUR 3.50` and `CHF 20`: the code stands before the number.
pub fn money_by_code(place: Place<'_>) -> Option<Said> {
    let currency = Currency::written(place.first().core)?;
    let figure = figure_of_money(place.then(1)?.core, place.locale)?;
    Some(Said::new(2, amount(&figure, None, currency, place.locale)?))
}

/// A price: either mark may stand before two decimals.
fn figure_of_money(digits: &str, locale: Locale) -> Option<Figure> {
    let other = if locale.decimal_mark() == ',' { Locale::american() } else { Locale::german() };
    let two = |figure: &Figure| matches!(figure.decimals.len(), 0 | 2);
    let own = Figure::parse(digits, locale);
    own.clone().filter(two).or_else(|| Figure::parse(digits, other).filter(two)).or(own)
}

fn amount(
    figure: &Figure,
    scale: Option<&str>,
    currency: &Currency,
    locale: Locale,
) -> Option<String> {
    let many = currency.name(2, locale);
    if let Some(scale) = scale {
        return Some(format!("{} {scale} {many}", figure.counting(true, locale)));
    }
    match figure.decimals.len() {
        0 => Some(currency.said(figure.whole, 0, locale)),
        2 if currency.has_parts() => {
            Some(currency.said(figure.whole, figure.decimals.parse().ok()?, locale))
        }
        _ => Some(format!("{} {many}", figure.said(locale))),
    }
}

fn scale_of(word: &str, locale: Locale) -> Option<&'static str> {
    let (_, english, german) = SCALES.iter().find(|(written, _, _)| *written == word)?;
    Some(locale.pick(*english, *german))
}

/// Says numbers with their unit.
pub fn measures(place: Place<'_>) -> Option<Said> {
    let (first, locale) = (place.first(), place.locale);
    let last = first.core.rfind(|c: char| c.is_ascii_digit()).map_or(0, |at| at + 1);
    let (digits, behind) = first.core.split_at(last);
    let figure = Figure::parse(digits, locale)?;
    if behind.is_empty() {
        let next = place.then(1)?;
        let dotted = format!("{}.", next.core);
        let with_dot = Unit::written(&dotted).filter(|_| next.has_dot());
        let unit = with_dot.or_else(|| Unit::written(next.core))?;
        // "5 m" is a measure, "5 h" may be; a single letter at the end of a list may be anything.
        let said = Said::new(2, counted(&figure, unit, locale));
        let goes_on = place.here.len() > 2;
        return Some(if with_dot.is_some() && goes_on { said.with_dot() } else { said });
    }
    let unit = Unit::written(behind)?;
    Some(Said::new(1, counted(&figure, unit, locale)))
}

fn counted(figure: &Figure, unit: &Unit, locale: Locale) -> String {
    let one = figure.is_one() && figure.sign == Sign::None;
    let number = figure.counting(unit.is_feminine(), locale);
    format!("{number} {}", unit.name(one, locale))
}

/// Says `5 Mio.` and `3 million` without money.
pub fn scales(place: Place<'_>) -> Option<Said> {
    let (first, locale) = (place.first(), place.locale);
    let figure = Figure::parse(first.core, locale)?;
    let next = place.then(1)?;
    let dotted = next.has_dot() && SCALES.iter().any(|(written, _, _)| *written == next.core);
    let scale = scale_of(next.core, locale)?;
    let said = Said::new(2, format!("{} {scale}", figure.counting(true, locale)));
    Some(if dotted && place.here.len() > 2 { said.with_dot() } else { said })
}

const SCALES: &[(&str, &str, &str)] = &[
    ("Mio", "million", "Millionen"),
    ("Mio.", "million", "Millionen"),
    ("Million", "million", "Million"),
    ("Millionen", "million", "Millionen"),
    ("million", "million", "Millionen"),
    ("Mrd", "billion", "Milliarden"),
    ("Mrd.", "billion", "Milliarden"),
    ("Milliarde", "billion", "Milliarde"),
    ("Milliarden", "billion", "Milliarden"),
    ("billion", "billion", "Milliarden"),
    ("Tsd", "thousand", "Tausend"),
    ("thousand", "thousand", "Tausend"),
];
