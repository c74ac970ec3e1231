//! Days of the Gregorian calendar, without a clock: somebody else says which day it is.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use crate::base::units;

/// A day between the years 1 and 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, JsonSchema)]
#[schemars(with = "String", extend("pattern" = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"))]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Weekday {
    /// Monday: weeks begin here (ISO 8601).
    Monday,
    /// Tuesday.
    Tuesday,
    /// Wednesday.
    Wednesday,
    /// Thursday.
    Thursday,
    /// Friday.
    Friday,
    /// Saturday.
    Saturday,
    /// Sunday.
    Sunday,
}

/// Why a text is not a day.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a day: write it as in ISO 8601, such as 2026-11-21")]
pub struct NotADate;

impl Date {
    /// The day of a month; `None` if there is no such day.
    pub fn new(year: u16, month: u8, day: u8) -> Option<Self> {
        let fits = (1..=9_999).contains(&year)
            && (1..=12).contains(&month)
            && (1..=days_in(year, month)).contains(&day);
        fits.then_some(Self { year, month, day })
    }

    /// The year.
    pub fn year(self) -> u16 {
        self.year
    }

    /// The month, 1 to 12.
    pub fn month(self) -> u8 {
        self.month
    }

    /// The day of the month, 1 to 31.
    pub fn day(self) -> u8 {
        self.day
    }

    /// The day of the week.
    pub fn weekday(self) -> Weekday {
        let since_monday = (self.number() + 3).rem_euclid(7);
        let at = usize::try_from(since_monday).unwrap_or_default();
        WEEK.get(at).copied().unwrap_or(Weekday::Monday)
    }

    /// So many days later; earlier if negative. `None` outside of the calendar.
    pub fn plus_days(self, days: i64) -> Option<Self> {
        Self::numbered(self.number().checked_add(days)?)
    }

    /// So many months later, on the same day or the last one of a shorter month.
    pub fn plus_months(self, months: i64) -> Option<Self> {
        let whole = i64::from(self.year) * 12 + i64::from(self.month) - 1;
        let whole = whole.checked_add(months)?;
        let year = u16::try_from(whole.div_euclid(12)).ok()?;
        let month = u8::try_from(whole.rem_euclid(12) + 1).ok()?;
        Self::new(year, month, self.day.min(days_in(year, month)))
    }

    /// The next day of this name, today not counted.
    pub fn next(self, weekday: Weekday) -> Option<Self> {
        (1..=7).filter_map(|days| self.plus_days(days)).find(|date| date.weekday() == weekday)
    }

    /// How many days lie between: positive when `self` is later.
    pub fn days_after(self, other: Self) -> i64 {
        self.number() - other.number()
    }

    /// The day in UTC at a time since the Unix epoch.
    pub fn at(since_epoch: Duration) -> Option<Self> {
        Self::numbered(i64::try_from(since_epoch.as_secs() / 86_400).ok()?)
    }

    /// Days since 1970-01-01: years begin in March, so that the leap day is the last one.
    fn number(self) -> i64 {
        let (year, month) = (i64::from(self.year), i64::from(self.month));
        let year = if month <= 2 { year - 1 } else { year };
        let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
        let of_year = (153 * ((month + 9) % 12) + 2) / 5 + i64::from(self.day) - 1;
        era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
    }

    fn numbered(number: i64) -> Option<Self> {
        let number = number.checked_add(719_468)?;
        let (era, of_era) = (number.div_euclid(146_097), number.rem_euclid(146_097));
        let years = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * years + years / 4 - years / 100);
        let shifted = (5 * of_year + 2) / 153;
        let day = of_year - (153 * shifted + 2) / 5 + 1;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        let year = years + era * 400 + i64::from(month <= 2);
        Self::new(u16::try_from(year).ok()?, u8::try_from(month).ok()?, u8::try_from(day).ok()?)
    }
}

impl Weekday {
    /// All of them, Monday first.
    pub const ALL: [Self; 7] = WEEK;

    /// The English name.
    pub fn english(self) -> &'static str {
        self.names().0
    }

    /// The German name.
    pub fn german(self) -> &'static str {
        self.names().1
    }

    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Monday => ("Monday", "Montag"),
            Self::Tuesday => ("Tuesday", "Dienstag"),
            Self::Wednesday => ("Wednesday", "Mittwoch"),
            Self::Thursday => ("Thursday", "Donnerstag"),
            Self::Friday => ("Friday", "Freitag"),
            Self::Saturday => ("Saturday", "Samstag"),
            Self::Sunday => ("Sunday", "Sonntag"),
        }
    }
}

/// Months in English, January first.
pub const ENGLISH_MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// Months in German, January first.
pub const GERMAN_MONTHS: [&str; 12] = [
    "Januar",
    "Februar",
    "März",
    "April",
    "Mai",
    "Juni",
    "Juli",
    "August",
    "September",
    "Oktober",
    "November",
    "Dezember",
];

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        units::parsed(source)
    }
}

impl FromStr for Date {
    type Err = NotADate;

    fn from_str(text: &str) -> Result<Self, NotADate> {
        let mut parts = text.split('-');
        let mut part = |length: usize| {
            let part = parts.next().filter(|part| part.len() == length)?;
            part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse::<u16>().ok())?
        };
        let (year, month, day) = (part(4), part(2), part(2));
        let small = |number: Option<u16>| number.and_then(|number| u8::try_from(number).ok());
        if parts.next().is_some() {
            return Err(NotADate);
        }
        match (year, small(month), small(day)) {
            (Some(year), Some(month), Some(day)) => Self::new(year, month, day).ok_or(NotADate),
            (_, _, _) => Err(NotADate),
        }
    }
}

fn days_in(year: u16, month: u8) -> u8 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            29
        }
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

const WEEK: [Weekday; 7] = [
    Weekday::Monday,
    Weekday::Tuesday,
    Weekday::Wednesday,
    Weekday::Thursday,
    Weekday::Friday,
    Weekday::Saturday,
    Weekday::Sunday,
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn date(text: &str) -> Date {
        text.parse().expect(text)
    }

    #[test]
    fn days_have_their_names() {
        assert_eq!(date("2026-11-21").weekday(), Weekday::Saturday);
        assert_eq!(date("1970-01-01").weekday(), Weekday::Thursday);
        assert_eq!(date("2024-02-29").plus_days(1), Some(date("2024-03-01")));
        assert_eq!(date("2026-11-21").next(Weekday::Saturday), Some(date("2026-11-28")));
        assert_eq!(date("2026-01-31").plus_months(1), Some(date("2026-02-28")));
        assert_eq!(date("2026-01-31").plus_months(-2), Some(date("2025-11-30")));
        assert_eq!(date("9999-12-31").plus_days(1), None);
        assert_eq!(Date::at(Duration::from_secs(1_795_255_000)), Some(date("2026-11-21")));
        for wrong in ["2026-02-29", "26-01-01", "2026-13-01", "2026-1-1", "", "2026-01-01-01"] {
            assert_eq!(wrong.parse::<Date>(), Err(NotADate), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn days_are_counted_there_and_back(days in -700_000_i64..2_000_000, more in -1_000_i64..1_000) {
            if let Some(day) = date("1970-01-01").plus_days(days) {
                prop_assert_eq!(day.days_after(date("1970-01-01")), days);
                prop_assert_eq!(day.to_string().parse(), Ok(day));
                if let Some(other) = day.plus_days(more) {
                    prop_assert_eq!(other.plus_days(-more), Some(day));
                    prop_assert_eq!(other > day, more > 0);
                }
            }
        }
    }
}
