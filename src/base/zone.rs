//! Time zones: what the clock on the wall says. Somebody else says which moment it is.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::civil;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::base::calendar::Date;
use crate::base::units;

/// A time zone of the IANA database, such as `Europe/Berlin`.
#[derive(Clone, PartialEq, Eq, JsonSchema)]
#[schemars(with = "String")]
pub struct Zone(TimeZone);

/// What the clock on the wall says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Local {
    /// The day.
    pub date: Date,
    /// Minutes since midnight, 0 to 1439.
    pub minute: u16,
}

/// Why a text is not a time zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no time zone `{0}`: write a name of the IANA list, such as \"Europe/Berlin\"")]
pub struct NotAZone(String);

/// Why a text is not a moment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a time: write it like \"2026-12-24 18:00\"")]
pub struct NotALocal;

impl Default for Zone {
    fn default() -> Self {
        Self::utc()
    }
}

impl Zone {
    /// Coordinated universal time.
    pub fn utc() -> Self {
        Self(TimeZone::UTC)
    }

    /// Its name in the IANA list.
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// What the clock on the wall says at a time since the Unix epoch.
    pub fn local(&self, since_epoch: Duration) -> Local {
        let wall = self.0.to_datetime(Self::moment(since_epoch));
        let part = |number: i8| u8::try_from(number).unwrap_or(1);
        let year = u16::try_from(wall.year()).unwrap_or(1);
        let date = Date::new(year, part(wall.month()), part(wall.day()));
        let minute = i16::from(wall.hour()) * 60 + i16::from(wall.minute());
        let first = || Date::at(Duration::ZERO).expect("1970 is in the calendar");
        Local { date: date.unwrap_or_else(first), minute: u16::try_from(minute).unwrap_or(0) }
    }

    /// The hour of the clock on the wall in which a moment lies (RFC 3339, with the distance to
    /// UTC): an hour that is there twice is two. With it, what puts hours in order.
    pub fn hour(&self, since_epoch: Duration) -> (i64, String) {
        let wall = Self::moment(since_epoch).to_zoned(self.0.clone());
        let past = i64::from(wall.minute()) * 60 + i64::from(wall.second());
        let order = wall.timestamp().as_second().saturating_sub(past);
        (order, wall.strftime("%Y-%m-%dT%H:00:00%:z").to_string())
    }

    /// The day of the clock on the wall in which a moment lies: `2026-11-22`.
    pub fn day(&self, since_epoch: Duration) -> String {
        Self::moment(since_epoch).to_zoned(self.0.clone()).date().to_string()
    }

    /// What the clock on the wall says, to the second: `2026-11-22 10:15:30`.
    pub fn written(&self, since_epoch: Duration) -> String {
        let wall = Self::moment(since_epoch).to_zoned(self.0.clone());
        wall.strftime("%Y-%m-%d %H:%M:%S").to_string()
    }

    /// The clock on the wall at a time since the Unix epoch.
    pub(super) fn at(&self, since_epoch: Duration) -> Zoned {
        Self::moment(since_epoch).to_zoned(self.0.clone())
    }

    fn moment(since_epoch: Duration) -> Timestamp {
        let seconds = i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX);
        Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX)
    }

    /// When the clock on the wall says that, since the Unix epoch: the first time if it does twice,
    /// and as much later as it is set forward if it never does.
    pub fn since_epoch(&self, local: Local) -> Option<Duration> {
        let Local { date, minute } = local;
        let part = |number: u16| i8::try_from(number).ok();
        let (year, month, day) =
            (i16::try_from(date.year()).ok()?, i8::try_from(date.month()).ok()?, date.day());
        let day = i8::try_from(day).ok()?;
        let wall =
            civil::DateTime::new(year, month, day, part(minute / 60)?, part(minute % 60)?, 0, 0);
        let moment = self.0.to_timestamp(wall.ok()?).ok()?;
        u64::try_from(moment.as_second()).ok().map(Duration::from_secs)
    }
}

impl FromStr for Zone {
    type Err = NotAZone;

    fn from_str(name: &str) -> Result<Self, NotAZone> {
        TimeZone::get(name).map(Self).map_err(|_| NotAZone(name.to_owned()))
    }
}

impl FromStr for Local {
    type Err = NotALocal;

    fn from_str(text: &str) -> Result<Self, NotALocal> {
        let (date, time) = text.trim().split_once([' ', 'T']).ok_or(NotALocal)?;
        let minute = minute_of(time.trim()).filter(|minute| *minute < MINUTES).ok_or(NotALocal)?;
        Ok(Self { date: date.parse().map_err(|_| NotALocal)?, minute })
    }
}

/// Reads `08:30` as minutes since midnight; `24:00` is the end of a day.
pub fn minute_of(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let number = |part: &str, most: u16| {
        let digits = (1..=2).contains(&part.len()) && part.bytes().all(|it| it.is_ascii_digit());
        part.parse::<u16>().ok().filter(|number| digits && *number <= most)
    };
    let minutes = if minutes.len() == 2 { number(minutes, 59)? } else { return None };
    Some(number(hours, 24)? * 60 + minutes).filter(|minute| *minute <= MINUTES)
}

/// The minutes of a day.
pub const MINUTES: u16 = 24 * 60;

impl fmt::Display for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:02}:{:02}", self.date, self.minute / 60, self.minute % 60)
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: serde::Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        units::parsed(source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(zone: &str, local: &str) -> (u64, String) {
        let zone: Zone = zone.parse().expect("a zone");
        let since = zone.since_epoch(local.parse().expect("a time")).expect("a moment");
        (since.as_secs(), zone.local(since).to_string())
    }

    #[test]
    fn the_wall_has_its_own_time_in_winter_and_in_summer() {
        assert_eq!(
            at("Europe/Berlin", "2026-12-24 18:00"),
            (1_798_131_600, "2026-12-24 18:00".into())
        );
        assert_eq!(
            at("Europe/Berlin", "2026-07-01T08:30"),
            (1_782_887_400, "2026-07-01 08:30".into())
        );
        assert_eq!(at("UTC", "1970-01-01 00:00").0, 0);
    }

    #[test]
    fn an_hour_that_is_not_there_is_later_and_one_that_is_there_twice_is_the_first() {
        // On the last Sundays of March and October 2026.
        assert_eq!(at("Europe/Berlin", "2026-03-29 02:30").1, "2026-03-29 03:30");
        let (first, told) = at("Europe/Berlin", "2026-10-25 02:30");
        assert_eq!((first, told.as_str()), (1_792_888_200, "2026-10-25 02:30"));
        let zone: Zone = "Europe/Berlin".parse().expect("a zone");
        assert_eq!(zone.local(Duration::from_secs(first + 3_600)).to_string(), told);
    }

    #[test]
    fn days_have_as_many_hours_as_the_clock_on_the_wall_shows() {
        let zone: Zone = "Europe/Berlin".parse().expect("a zone");
        let hours = |from: &str, count: u64| {
            let first = zone.since_epoch(from.parse().expect("a time")).expect("a moment");
            let quarter = |at: u64| first + Duration::from_secs(at * 900);
            let on = |at: &u64| zone.day(quarter(*at)) == from[..10];
            let mut hours: Vec<_> =
                (0..count * 4).filter(on).map(|at| zone.hour(quarter(at))).collect();
            hours.dedup();
            assert!(hours.is_sorted());
            hours
        };
        assert_eq!(hours("2026-11-22 00:00", 30).len(), 24);
        assert_eq!(hours("2026-03-29 00:00", 30).len(), 23);
        let long = hours("2026-10-25 00:00", 30);
        assert_eq!(long.len(), 25);
        assert_eq!(
            (long[2].1.as_str(), long[3].1.as_str()),
            ("2026-10-25T02:00:00+02:00", "2026-10-25T02:00:00+01:00")
        );
        let howe: Zone = "Australia/Lord_Howe".parse().expect("a zone");
        let at = Duration::from_secs(1_791_041_400 + 900);
        assert!(howe.hour(at).1.ends_with(":00:00+11:00"), "{:?}", howe.hour(at));
    }

    #[test]
    fn nonsense_is_refused() {
        for zone in ["Europe/Stuttgart", "", "+02:00"] {
            assert!(zone.parse::<Zone>().is_err(), "{zone}");
        }
        for local in
            ["", "2026-12-24", "2026-12-24 24:00", "2026-02-30 08:00", "x y", "2026-01-01 8:5"]
        {
            assert!(local.parse::<Local>().is_err(), "{local}");
        }
        assert_eq!((minute_of("24:00"), minute_of("24:01")), (Some(1_440), None));
    }

    #[test]
    fn the_end_of_time_is_a_time() {
        let zone: Zone = "Pacific/Auckland".parse().expect("a zone");
        assert!(zone.local(Duration::MAX).date.year() >= 9_999);
    }
}
