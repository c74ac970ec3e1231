//! Days: by their date, by their name, and relative to the day of the call.

use super::digits;
use super::value::{Context, Reading, Value};
use super::when::When;
use crate::agent::intents::tongue::Tongue;
use crate::agent::lexicon::cardinal;
use crate::agent::lexicon::locale::Locale;
use crate::agent::lexicon::ordinal;
use crate::base::calendar::{Date, ENGLISH_MONTHS, GERMAN_MONTHS, Weekday};

/// Reads a day at the start of some words: all ways to understand it, the likeliest first.
pub fn read(words: &[String], context: &Context) -> Vec<Reading> {
    let locale = context.locale;
    let skipped = article(words, locale.tongue);
    let Some(rest) = words.get(skipped..) else { return Vec::new() };
    let found = written(rest, locale)
        .or_else(|| relative(rest, locale.tongue).map(|it| vec![it]))
        .or_else(|| weekday(rest, locale.tongue))
        .or_else(|| of_month(rest, locale));
    let possible = |(_, when, _): &(usize, When, f32)| {
        context.today.is_none_or(|today| when.resolve(today).is_some())
    };
    let found = found.unwrap_or_default().into_iter().filter(possible);
    found
        .map(|(used, when, sureness)| {
            Reading::new(skipped + used, Value::Date(when.settled(context.today)), sureness)
        })
        .collect()
}

type Found = (usize, When, f32);

/// "on the", "am", "den".
fn article(words: &[String], tongue: Tongue) -> usize {
    let articles = match tongue {
        Tongue::English => ["on", "the", "it's", "is"],
        Tongue::German => ["am", "den", "der", "dem"],
    };
    words.iter().take(2).take_while(|word| articles.contains(&word.as_str())).count()
}

/// `2026-11-21`, `21.11.2026`, `3.5.`
fn written(words: &[String], locale: Locale) -> Option<Vec<Found>> {
    let first = words.first()?;
    if let Ok(date) = first.parse::<Date>() {
        return Some(vec![(1, When::On(date), 1.0)]);
    }
    let parts: Vec<&str> = first.split(['.', '/', '-']).filter(|part| !part.is_empty()).collect();
    let number = |text: &&str| text.parse::<u16>().ok();
    let small = |text: &&str| text.parse::<u8>().ok();
    match parts.as_slice() {
        [one, two, year] => {
            let year = full_year(number(year)?, year.len());
            let day_first = Date::new(year, small(two)?, small(one)?);
            let month_first = Date::new(year, small(one)?, small(two)?);
            let (likely, other) = if locale.month_first() {
                (month_first, day_first)
            } else {
                (day_first, month_first)
            };
            let other = other.filter(|other| Some(*other) != likely && !locale.is_german());
            let sure = if likely.is_some() && other.is_some() { 0.8 } else { 1.0 };
            let all = likely.into_iter().map(|date| (1, When::On(date), sure));
            Some(all.chain(other.map(|date| (1, When::On(date), 0.2))).collect())
        }
        [day, month] if first.ends_with('.') => {
            let (day, month) = (small(day)?, small(month)?);
            Date::new(2024, month, day).map(|_| vec![(1, When::Yearly(month, day), 1.0)])
        }
        _ => None,
    }
}

/// "today", "übermorgen", "in three days", "heute in einer Woche".
fn relative(words: &[String], tongue: Tongue) -> Option<Found> {
    let word = |at: usize| words.get(at).map_or("", String::as_str);
    let fixed: &[(&str, i16)] = match tongue {
        Tongue::English => &ENGLISH_DAYS,
        Tongue::German => &GERMAN_DAYS,
    };
    for (said, days) in fixed {
        let parts = said.split(' ').count();
        let fits = said.split(' ').enumerate().all(|(at, part)| word(at) == part);
        if fits {
            let (more, later) = in_a_while(words.get(parts..).unwrap_or_default(), tongue)
                .filter(|_| *days == 0)
                .unwrap_or((0, When::Days(*days)));
            return Some((parts + more, later, 1.0));
        }
    }
    let (used, when) = in_a_while(words, tongue)?;
    Some((used, when, 1.0))
}

/// "in two weeks", "a week from today".
fn in_a_while(words: &[String], tongue: Tongue) -> Option<(usize, When)> {
    let word = |at: usize| words.get(at).map_or("", String::as_str);
    let starts = usize::from(word(0) == "in");
    let article = matches!(word(starts), "a" | "an" | "einem" | "einer" | "ein" | "eine");
    let (used, count) =
        if article { (1, 1) } else { cardinal::read(words.get(starts..)?, tongue)? };
    let at = starts + used;
    let count = i16::try_from(count).ok().filter(|count| *count < 1_000)?;
    let when = match (tongue, word(at)) {
        (Tongue::English, "day" | "days") | (Tongue::German, "tag" | "tagen" | "tage") => {
            When::Days(count)
        }
        (Tongue::English, "week" | "weeks") | (Tongue::German, "woche" | "wochen") => {
            When::Days(count.checked_mul(7)?)
        }
        (Tongue::English, "month" | "months") | (Tongue::German, "monat" | "monaten") => {
            When::Months(count)
        }
        (Tongue::English | Tongue::German, _) => return None,
    };
    let from = (word(at + 1), word(at + 2));
    let behind = match from {
        ("from", "today" | "now") => 2,
        _ => 0,
    };
    (starts == 1 || behind > 0).then_some((at + 1 + behind, when))
}

/// "next Tuesday", "Dienstag in einer Woche", and a date behind it that says it better.
fn weekday(words: &[String], tongue: Tongue) -> Option<Vec<Found>> {
    let word = |at: usize| words.get(at).map_or("", String::as_str);
    let first = word(0);
    let (skipped, later) = match (tongue, first) {
        (Tongue::English, "this" | "coming") => (1, Later::This),
        (Tongue::English, "next") => (1, Later::Next),
        (Tongue::German, it) if it.starts_with("kommende") || it.starts_with("diese") => {
            (1, Later::This)
        }
        (Tongue::German, it) if it.starts_with("nächste") => (1, Later::Next),
        (Tongue::German, it) if it.starts_with("übernächste") => (1, Later::AfterNext),
        (Tongue::English | Tongue::German, _) => (0, Later::This),
    };
    let skipped = skipped + usize::from(skipped == 1 && word(1) == "coming");
    let said = word(skipped).trim_end_matches("abend").trim_end_matches("morgen");
    let said = match said {
        "sonnabend" | "sonn" => "samstag",
        said => said,
    };
    let weekday = Weekday::ALL.into_iter().find(|day| {
        let name = match tongue {
            Tongue::English => day.english(),
            Tongue::German => day.german(),
        };
        name.to_lowercase() == said
    })?;
    let at = skipped + 1;
    let rest = words.get(at..).unwrap_or_default();
    let in_weeks = |used: usize, weeks: u8| vec![(used, When::Weekday(weekday, weeks), 1.0)];
    match (tongue, word(at), word(at + 1)) {
        (Tongue::English, "week", _) => return Some(in_weeks(at + 1, 1)),
        (Tongue::English, "in" | "the", _) | (Tongue::German, "in", _) => {
            if let Some((used, When::Days(days))) = in_a_while(rest, tongue)
                && days % 7 == 0
            {
                return Some(in_weeks(at + used, u8::try_from(days / 7).ok()?));
            }
        }
        (Tongue::German, "nächste" | "nächster", "woche") => return Some(in_weeks(at + 2, 1)),
        (Tongue::English | Tongue::German, _, _) => {}
    }
    // "Tuesday the third of May": the date tells more than the name.
    let skip = article(rest, tongue);
    let locale = Locale::from(tongue);
    if let Some(dates) =
        rest.get(skip..).and_then(|rest| written(rest, locale).or_else(|| of_month(rest, locale)))
    {
        let dates: Vec<Found> = dates
            .into_iter()
            .filter(|(_, when, _)| !matches!(when, When::Monthly(_)) || skip > 0)
            .map(|(used, when, sureness)| (at + skip + used, when, sureness))
            .collect();
        if !dates.is_empty() {
            return Some(dates);
        }
    }
    let week = |weeks: u8, sureness: f32| (at, When::Weekday(weekday, weeks), sureness);
    Some(match later {
        Later::This => vec![week(0, 1.0)],
        // People do not agree on what "next Tuesday" is on a Sunday.
        Later::Next => vec![week(0, 0.7), week(1, 0.3)],
        Later::AfterNext => vec![week(1, 1.0)],
    })
}

enum Later {
    This,
    Next,
    AfterNext,
}

/// "the third of May", "May 3rd 2026", "dritter fünfter", "the twenty first".
fn of_month(words: &[String], locale: Locale) -> Option<Vec<Found>> {
    let tongue = locale.tongue;
    let word = |at: usize| words.get(at).map_or("", String::as_str);
    if tongue == Tongue::English
        && let Some(month) = month_of(word(0), tongue)
    {
        let skip = usize::from(word(1) == "the");
        let (used, day) = day_of(words.get(1 + skip..)?, tongue)?;
        return dated(words, 1 + skip + used, (month, day), tongue);
    }
    let (used, day) = day_of(words, tongue)?;
    let is_ordinal = ordinal::read(words, tongue).is_some();
    let skip = usize::from(tongue == Tongue::English && word(used) == "of");
    if let Some(month) = month_of(word(used + skip), tongue) {
        return dated(words, used + skip + 1, (month, day), tongue);
    }
    // "am dritten fünften".
    if tongue == Tongue::German
        && is_ordinal
        && let Some((more, month)) = words.get(used..).and_then(|rest| ordinal::read(rest, tongue))
        && let Ok(month @ 1..=12) = u8::try_from(month)
    {
        return dated(words, used + more, (month, day), tongue);
    }
    is_ordinal.then(|| vec![(used, When::Monthly(day), 0.6)])
}

fn dated(
    words: &[String],
    used: usize,
    (month, day): (u8, u8),
    tongue: Tongue,
) -> Option<Vec<Found>> {
    Date::new(2024, month, day)?;
    let year = words.get(used..).and_then(|rest| year_of(rest, tongue));
    if let Some((more, year)) = year
        && let Some(date) = Date::new(year, month, day)
    {
        return Some(vec![(used + more, When::On(date), 1.0)]);
    }
    Some(vec![(used, When::Yearly(month, day), 1.0)])
}

/// The day of a month: "third", "3", "dritten".
fn day_of(words: &[String], tongue: Tongue) -> Option<(usize, u8)> {
    let (used, day) = ordinal::read(words, tongue).or_else(|| cardinal::read(words, tongue))?;
    u8::try_from(day).ok().filter(|day| (1..=31).contains(day)).map(|day| (used, day))
}

/// Whether a plain word is a month.
pub fn is_month(word: &str, tongue: Tongue) -> bool {
    month_of(word, tongue).is_some()
}

fn month_of(word: &str, tongue: Tongue) -> Option<u8> {
    let months = match tongue {
        Tongue::English => &ENGLISH_MONTHS,
        Tongue::German => &GERMAN_MONTHS,
    };
    let word = match word {
        "jänner" => "januar",
        "feber" => "februar",
        "juno" => "juni",
        "julei" => "juli",
        "maerz" => "märz",
        word => word,
    };
    let short = word.chars().count() == 3;
    let at = months.iter().position(|month| {
        let month = month.to_lowercase();
        month == word || (short && month.starts_with(word))
    })?;
    u8::try_from(at + 1).ok()
}

/// A year: in four digits, "twenty twenty six", "nineteen eighty five", "zweitausendsechs".
fn year_of(words: &[String], tongue: Tongue) -> Option<(usize, u16)> {
    let four = digits::row(words, 4, tongue);
    let single = (0..4).all(|at| words.get(at..).and_then(|w| digits::single(w, tongue)).is_some());
    if four.digits.len() == 4 && single {
        return four.digits.parse().ok().filter(is_year).map(|year| (4, year));
    }
    let (used, first) = cardinal::read(words, tongue)?;
    if let Ok(year) = u16::try_from(first)
        && is_year(&year)
    {
        return Some((used, year));
    }
    let rest = words.get(used..)?;
    let (more, second) = match rest.first().map(String::as_str) {
        Some("oh") => cardinal::read(rest.get(1..)?, tongue).map(|(more, n)| (more + 1, n))?,
        Some("hundred") => (1, 0),
        Some(_) | None => cardinal::read(rest, tongue)?,
    };
    let fits = (15..=22).contains(&first) && second < 100;
    let year = u16::try_from(first * 100 + second).ok().filter(|_| fits)?;
    Some((used + more, year))
}

fn is_year(year: &u16) -> bool {
    (1_900..=2_199).contains(year)
}

fn full_year(year: u16, length: usize) -> u16 {
    match (length, year) {
        (2, 0..70) => 2_000 + year,
        (2, _) => 1_900 + year,
        _ => year,
    }
}

/// The canonical form: a date, or how it follows from the day of the call.
const ENGLISH_DAYS: [(&str, i16); 6] = [
    ("the day after tomorrow", 2),
    ("day after tomorrow", 2),
    ("tomorrow", 1),
    ("today", 0),
    ("tonight", 0),
    ("yesterday", -1),
];
const GERMAN_DAYS: [(&str, i16); 6] = [
    ("überübermorgen", 3),
    ("übermorgen", 2),
    ("morgen", 1),
    ("heute", 0),
    ("gestern", -1),
    ("vorgestern", -2),
];
