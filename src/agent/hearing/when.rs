//! A day as it was said, before it is one of the calendar.

use std::fmt;
use std::str::FromStr;

use crate::base::calendar::{Date, Weekday};

/// A day as it was said; [`When::resolve`] makes it one of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum When {
    /// A date with its year.
    On(Date),
    /// So many days after the call.
    Days(i16),
    /// So many months after the call.
    Months(i16),
    /// The next day of this name, and so many weeks later.
    Weekday(Weekday, u8),
    /// A day of a month, the next one: month, day.
    Yearly(u8, u8),
    /// A day of this month or the next.
    Monthly(u8),
}

impl When {
    /// The day, in a call on `today`. `None` if there is no such day.
    pub fn resolve(self, today: Date) -> Option<Date> {
        match self {
            Self::On(date) => Some(date),
            Self::Days(days) => today.plus_days(i64::from(days)),
            Self::Months(months) => today.plus_months(i64::from(months)),
            Self::Weekday(weekday, weeks) => today.next(weekday)?.plus_days(i64::from(weeks) * 7),
            // Leap days come every eight years at worst.
            Self::Yearly(month, day) => (0..=8)
                .filter_map(|years| Date::new(today.year().checked_add(years)?, month, day))
                .find(|date| *date >= today),
            Self::Monthly(day) => (0..=2)
                .filter_map(|months| {
                    let of = Date::new(today.year(), today.month(), 1)?.plus_months(months)?;
                    Date::new(of.year(), of.month(), day)
                })
                .find(|date| *date >= today),
        }
    }

    /// The same with its date, if the day of the call is known.
    #[must_use]
    pub fn settled(self, today: Option<Date>) -> Self {
        today.and_then(|today| self.resolve(today)).map_or(self, Self::On)
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::On(date) => write!(f, "{date}"),
            Self::Days(0) => f.write_str("today"),
            Self::Days(1) => f.write_str("tomorrow"),
            Self::Days(days) => write!(f, "today{days:+}d"),
            Self::Months(months) => write!(f, "today{months:+}m"),
            Self::Weekday(weekday, 0) => f.write_str(weekday.english()),
            Self::Weekday(weekday, weeks) => write!(f, "{}+{weeks}", weekday.english()),
            Self::Yearly(month, day) => write!(f, "--{month:02}-{day:02}"),
            Self::Monthly(day) => write!(f, "---{day:02}"),
        }
    }
}

/// Why a text is not a day.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a day")]
pub struct NotADay;

impl FromStr for When {
    type Err = NotADay;

    fn from_str(text: &str) -> Result<Self, NotADay> {
        let number = |text: &str| text.parse::<u8>().map_err(|_| NotADay);
        if let Ok(date) = text.parse() {
            return Ok(Self::On(date));
        }
        match text {
            "today" => return Ok(Self::Days(0)),
            "tomorrow" => return Ok(Self::Days(1)),
            _ => {}
        }
        if let Some(rest) = text.strip_prefix("today") {
            let signed = |text: &str| text.parse::<i16>().map_err(|_| NotADay);
            return match (rest.strip_suffix('d'), rest.strip_suffix('m')) {
                (Some(days), _) => Ok(Self::Days(signed(days)?)),
                (None, Some(months)) => Ok(Self::Months(signed(months)?)),
                (None, None) => Err(NotADay),
            };
        }
        if let Some(day) = text.strip_prefix("---") {
            return Ok(Self::Monthly(number(day)?));
        }
        if let Some((month, day)) = text.strip_prefix("--").and_then(|it| it.split_once('-')) {
            return Ok(Self::Yearly(number(month)?, number(day)?));
        }
        let (name, weeks) = text.split_once('+').unwrap_or((text, "0"));
        let weekday = Weekday::ALL.into_iter().find(|day| day.english() == name).ok_or(NotADay)?;
        Ok(Self::Weekday(weekday, number(weeks)?))
    }
}
