//! Dates: `2026-11-21`, `21.11.2026`, `11/21/2026`, `3. Mai`, `May 3rd, 2026`.

use super::chunk::{Chunk, Place, Said};
use super::numbers;
use crate::agent::lexicon::cardinal;
use crate::agent::lexicon::ordinal;
use crate::base::calendar::{Date, ENGLISH_MONTHS, GERMAN_MONTHS, Weekday};

/// A day of a month, with its year if one is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Day {
    day: u8,
    month: u8,
    year: Option<u16>,
}

/// Says dates.
pub fn dates(place: Place<'_>) -> Option<Said> {
    if let Some(day) = in_digits(place) {
        let short = place.first().core.matches('.').count() == 1;
        let said = Said::new(1, said(day, place));
        return Some(if short { said.with_dot() } else { said });
    }
    if place.locale.is_german() { german(place) } else { english(place) }
}

/// A date of digits only.
fn in_digits(place: Place<'_>) -> Option<Day> {
    let first = place.first();
    if let Ok(date) = first.core.parse::<Date>() {
        return Some(Day { day: date.day(), month: date.month(), year: Some(date.year()) });
    }
    let mark = ['.', '/'].into_iter().find(|mark| first.core.contains(*mark))?;
    let parts: Vec<&str> = first.core.split(mark).collect();
    let small = |text: &&str| text.parse::<u8>().ok().filter(|_| text.len() <= 2);
    match (parts.as_slice(), mark) {
        ([one, two, year], _) => {
            let (one, two) = (small(one)?, small(two)?);
            let (day, month) = if place.locale.month_first() && mark == '/' && one <= 12 {
                (two, one)
            } else {
                (one, two)
            };
            checked(Day { day, month, year: Some(full_year(year)?) })
        }
        // "am 3.5." has its full stop; "3.5" is a number.
        ([day, month], '.') if place.locale.is_german() && first.has_dot() => {
            let day = Day { day: small(day)?, month: small(month)?, year: None };
            let announced = is_announced(place);
            checked(day).filter(|_| announced)
        }
        (_, _) => None,
    }
}

/// Whether a word before says that a date follows.
fn is_announced(place: Place<'_>) -> bool {
    let previous = place.previous();
    let weekday = Weekday::ALL.iter().any(|day| day.german().to_lowercase() == previous);
    weekday
        || ["am", "vom", "bis", "zum", "der", "den", "dem", "ab", "seit", "und"]
            .contains(&previous.as_str())
}

fn german(place: Place<'_>) -> Option<Said> {
    let first = place.first();
    let day = first.digits().filter(|_| first.tail == ".")?.parse().ok()?;
    let next = place.here.get(1).filter(|next| next.lead.is_empty())?;
    let month = month_of(next.core, &GERMAN_MONTHS)?;
    let (used, year) = match year_at(place, 2, next) {
        Some(year) => (3, Some(year)),
        None => (2, None),
    };
    let day = checked(Day { day, month, year })?;
    let text = said(day, place);
    let shortened =
        used == 2 && next.has_dot() && next.core.chars().count() <= 4 && next.core != "Mai";
    let said = Said::new(used, text);
    Some(if shortened && place.here.len() > 2 { said.with_dot() } else { said })
}

fn english(place: Place<'_>) -> Option<Said> {
    let first = place.first();
    let number = |chunk: &Chunk<'_>| {
        let digits = ["st", "nd", "rd", "th"]
            .iter()
            .find_map(|suffix| chunk.core.strip_suffix(suffix))
            .unwrap_or(chunk.core);
        digits.parse::<u8>().ok().filter(|_| digits.len() <= 2)
    };
    let next = place.here.get(1).filter(|next| next.lead.is_empty())?;
    if let Some(month) = month_of(first.core, &ENGLISH_MONTHS) {
        let shortened = first.tail == "." && first.core.len() <= 4;
        let day = number(next).filter(|_| first.is_open() || shortened)?;
        // "May 3,500 people" is no date, and neither is "May 5 percent".
        let (used, year) = match year_at(place, 2, next) {
            Some(year) => (3, Some(year)),
            None => (2, None),
        };
        let day = checked(Day { day, month, year })?;
        return Some(Said::new(used, said(day, place)));
    }
    let day = number(&first).filter(|_| first.is_open())?;
    let month = month_of(next.core, &ENGLISH_MONTHS)?;
    let (used, year) = match year_at(place, 2, next) {
        Some(year) => (3, Some(year)),
        None => (2, None),
    };
    let day = checked(Day { day, month, year })?;
    Some(Said::new(used, said(day, place)))
}

/// The year at a chunk, behind `before`, which a comma may end.
fn year_at(place: Place<'_>, at: usize, before: &Chunk<'_>) -> Option<u16> {
    let chunk = place.here.get(at)?;
    let joined = matches!(before.tail, "" | ",") || (before.tail == "." && before.core.len() <= 4);
    let year = chunk.digits().filter(|digits| digits.len() == 4 && joined)?;
    year.parse().ok().filter(|year| (1000..=2999).contains(year))
}

fn said(day: Day, place: Place<'_>) -> String {
    let (tongue, number) = (place.locale.tongue, u64::from(day.day));
    let at = usize::from(day.month.saturating_sub(1));
    let year = day.year.map(|year| cardinal::year(u64::from(year), tongue));
    let previous = place.previous();
    if place.locale.is_german() {
        let ending = numbers::ending_after(&previous);
        let month = GERMAN_MONTHS.get(at).copied().unwrap_or_default();
        let said = format!("{} {month}", ordinal::spell(number, ending, tongue));
        return year.map_or(said.clone(), |year| format!("{said} {year}"));
    }
    let month = ENGLISH_MONTHS.get(at).copied().unwrap_or_default();
    let number = ordinal::spell(number, "", tongue);
    let said = match (place.locale.month_first(), previous.as_str()) {
        (true, _) => format!("{month} {number}"),
        (false, "the") => format!("{number} of {month}"),
        (false, _) => format!("the {number} of {month}"),
    };
    match year {
        Some(year) if place.locale.month_first() => format!("{said}, {year}"),
        Some(year) => format!("{said} {year}"),
        None => said,
    }
}

/// The month of a name or of its short form of three letters or more.
fn month_of(text: &str, months: &[&str; 12]) -> Option<u8> {
    let fits = |month: &str| {
        month == text
            || (text.chars().count() >= 3 && text.chars().count() <= 4 && month.starts_with(text))
    };
    let at = months.iter().position(|month| fits(month))?;
    u8::try_from(at + 1).ok()
}

/// A day that exists in some year.
fn checked(day: Day) -> Option<Day> {
    Date::new(day.year.unwrap_or(2024), day.month, day.day).map(|_| day)
}

fn full_year(text: &str) -> Option<u16> {
    let year: u16 = text.parse().ok()?;
    match text.len() {
        2 if year < 70 => Some(2000 + year),
        2 => Some(1900 + year),
        4 => (1000..=2999).contains(&year).then_some(year),
        _ => None,
    }
}
