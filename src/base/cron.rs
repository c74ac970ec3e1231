//! When something happens again and again: five fields as `crontab` has them, by the clock on the
//! wall of a zone.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use croner::parser::{CronParser, Seconds, Year};
use schemars::JsonSchema;

use crate::base::zone::Zone;

/// Minute, hour, day, month and day of the week: `0 9 * * mon-fri`; `L` is the last day of a month,
/// `#` the first, second … such day of it, and there are `@daily`, `@weekly` and their like.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(with = "String")]
pub struct Cron(croner::Cron);

/// Why a text is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not five fields of a crontab: {0}")]
pub struct NotACron(String);

impl Cron {
    /// When it happens next after a time, both since the Unix epoch; `None` when it never does. A
    /// time that is left out when the clock is set forward is taken when the clock is set, and of
    /// one that comes twice the first is meant.
    pub fn next(&self, after: Duration, zone: &Zone) -> Option<Duration> {
        let next = self.0.find_next_occurrence(&zone.at(after), false).ok()?;
        u64::try_from(next.timestamp().as_second()).ok().map(Duration::from_secs)
    }

    /// In words: `At 09:00, on Monday through Friday`.
    pub fn in_words(&self) -> String {
        self.0.describe().trim_end_matches('.').to_owned()
    }
}

impl FromStr for Cron {
    type Err = NotACron;

    fn from_str(text: &str) -> Result<Self, NotACron> {
        let wrong = |why: String| NotACron(why);
        if text.len() > LONGEST {
            return Err(wrong("it is too long".to_owned()));
        }
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed);
        parser.build().parse(text).map(Self).map_err(|why| wrong(why.to_string()))
    }
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

/// The longest text of one, in octets.
const LONGEST: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::zone::Local;

    fn at(text: &str, zone: &Zone) -> Duration {
        let local: Local = text.parse().expect("a time");
        zone.since_epoch(local).expect("a moment")
    }

    #[test]
    fn what_happens_again_goes_by_the_clock_on_the_wall() {
        let zone: Zone = "Europe/Berlin".parse().expect("a zone");
        for (cron, after, next) in [
            ("0 9 * * mon-fri", "2026-11-20 09:00", "2026-11-23 09:00"),
            ("*/20 8-9 * * *", "2026-11-20 09:39", "2026-11-20 09:40"),
            ("0 12 L * *", "2026-02-01 00:00", "2026-02-28 12:00"),
            ("@daily", "2026-12-31 10:00", "2027-01-01 00:00"),
            // Half past two is left out in March, and comes twice in October.
            ("30 2 * * *", "2026-03-28 02:30", "2026-03-29 03:00"),
            ("30 2 * * *", "2026-10-24 02:30", "2026-10-25 02:30"),
            ("30 2 * * *", "2026-10-25 02:30", "2026-10-26 02:30"),
        ] {
            let read: Cron = cron.parse().expect(cron);
            assert_eq!(read.next(at(after, &zone), &zone), Some(at(next, &zone)), "{cron} {after}");
        }
        let never: Cron = "0 0 30 2 *".parse().expect("a cron");
        assert_eq!(never.next(Duration::ZERO, &zone), None);
    }

    #[test]
    fn what_is_none_is_told() {
        for wrong in ["", "9", "0 9 * *", "0 0 9 * * *", "61 * * * *", "0 25 * * *", "x 9 * * *"] {
            assert!(wrong.parse::<Cron>().is_err(), "{wrong}");
        }
        let words = "0 9 * * mon-fri".parse::<Cron>().expect("a cron").in_words();
        assert!(words.contains("09:00") && words.contains("Monday"), "{words}");
    }
}
