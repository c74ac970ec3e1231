//! Opening hours: when somebody is there.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value};

use crate::base::calendar::{Date, Weekday};
use crate::base::schema::OneOrMany;
use crate::base::units;
use crate::base::zone::{Local, MINUTES, Zone, minute_of};
use crate::dialplan::holidays::Region;
use crate::dialplan::list::Many;

/// Opening hours, as they stand under `[hours.NAME]`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Hours {
    /// Where the clock hangs; without it, where the server is.
    pub timezone: Option<Zone>,
    /// The hours of each day of the week, Monday first.
    pub week: [Vec<Span>; 7],
    /// Whose public holidays are closed.
    pub holidays: Vec<Region>,
    /// Days that are closed all day.
    pub closed: Vec<Date>,
    /// Days with hours of their own, whatever else would hold.
    pub open: BTreeMap<Date, Vec<Span>>,
}

/// From when to when, on one day or past midnight: `"08:00-18:00"`, `"22:00-06:00"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema)]
#[schemars(with = "String", extend("pattern" = r"[0-9]{1,2}:[0-9]{2} *[-–] *[0-9]{1,2}:[0-9]{2}"))]
pub struct Span {
    /// Minutes since midnight.
    from: u16,
    /// The same; not after `from` where it is on the next day.
    to: u16,
}

/// Why a text is no span.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a span of time: write it like \"08:00-18:00\"; \"22:00-06:00\" goes past midnight")]
pub struct NotASpan;

/// Whether somebody is there, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// What the clock on the wall says.
    pub local: Local,
    /// Whether it is open.
    pub is_open: bool,
    /// In a few words: `closed date 2026-12-24`.
    pub why: String,
}

impl Hours {
    /// Whether somebody is there at a time since the Unix epoch; `here` is where the server is.
    pub fn status(&self, since_epoch: Duration, here: &Zone) -> Status {
        let local = self.timezone.as_ref().unwrap_or(here).local(since_epoch);
        let (is_open, why) = self.at(local);
        Status { local, is_open, why }
    }

    /// Whether it is open by the clock of a zone, whatever zone is written there.
    pub fn is_open_in(&self, zone: &Zone, since_epoch: Duration) -> bool {
        self.at(zone.local(since_epoch)).0
    }

    /// Whether they are ever open.
    pub fn ever_open(&self) -> bool {
        self.week.iter().any(|spans| !spans.is_empty())
            || self.open.values().any(|spans| !spans.is_empty())
    }

    fn at(&self, Local { date, minute }: Local) -> (bool, String) {
        // What began yesterday goes on past midnight, whatever today is.
        let before = date.plus_days(-1).and_then(|day| {
            let spans = self.day(day).ok()?;
            spans.iter().find(|span| span.is_overnight() && minute < span.to)
        });
        if let Some(span) = before {
            return (true, format!("{span} since yesterday"));
        }
        let spans = match self.day(date) {
            Ok(spans) => spans,
            Err(why) => return (false, why),
        };
        if let Some(span) = spans.iter().find(|span| span.holds(minute)) {
            return (true, span.to_string());
        }
        match spans {
            [] => (false, format!("closed on {}", short(date.weekday()))),
            spans => {
                let spans: Vec<String> = spans.iter().map(Span::to_string).collect();
                (false, format!("outside of {}", spans.join(", ")))
            }
        }
    }

    /// The hours of a day, or why there are none.
    fn day(&self, date: Date) -> Result<&[Span], String> {
        if let Some(spans) = self.open.get(&date) {
            return Ok(spans);
        }
        if self.closed.contains(&date) {
            return Err(format!("closed date {date}"));
        }
        for region in &self.holidays {
            if let Some(name) = region.holiday(date) {
                return Err(format!("public holiday {name} ({region})"));
            }
        }
        let at = Weekday::ALL.iter().position(|day| *day == date.weekday()).unwrap_or_default();
        Ok(self.week.get(at).map(Vec::as_slice).unwrap_or_default())
    }
}

impl Span {
    fn is_overnight(self) -> bool {
        self.to <= self.from
    }

    /// Whether the part of it that lies on its own day holds a minute.
    fn holds(self, minute: u16) -> bool {
        minute >= self.from && (self.is_overnight() || minute < self.to)
    }
}

impl FromStr for Span {
    type Err = NotASpan;

    fn from_str(text: &str) -> Result<Self, NotASpan> {
        let (from, to) = text.split_once(['-', '–']).ok_or(NotASpan)?;
        let read = |text: &str| minute_of(text.trim()).ok_or(NotASpan);
        let (from, to) = (read(from)?, read(to)?);
        if from == to || from == MINUTES || to == 0 { Err(NotASpan) } else { Ok(Self { from, to }) }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to } = self;
        write!(f, "{:02}:{:02}-{:02}:{:02}", from / 60, from % 60, to / 60, to % 60)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        units::parsed(source)
    }
}

impl JsonSchema for Hours {
    fn schema_name() -> Cow<'static, str> {
        "Hours".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let spans = generator.subschema_for::<OneOrMany<Span>>();
        let mut keys = Map::new();
        for days in DAYS.iter().chain(&["mon-fri", "sat-sun"]) {
            keys.insert((*days).to_owned(), spans.clone().to_value());
        }
        let days = DAYS.join("|");
        let mut schema = json_schema!({
            "description": "When somebody is there.",
            "type": "object",
            "properties": {
                "timezone": generator.subschema_for::<Zone>(),
                "holidays": generator.subschema_for::<OneOrMany<Region>>(),
                "closed": generator.subschema_for::<OneOrMany<Date>>(),
                "open": { "type": "object", "additionalProperties": spans.clone() },
            },
            "patternProperties": { (format!("^({days})-({days})$")): spans },
            "additionalProperties": false,
        });
        let known = schema.get_mut("properties").and_then(Value::as_object_mut);
        known.into_iter().for_each(|known| known.append(&mut keys));
        schema
    }
}

impl<'de> Deserialize<'de> for Hours {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        struct Table;

        impl<'de> Visitor<'de> for Table {
            type Value = Hours;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table of opening hours")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut table: A) -> Result<Hours, A::Error> {
                let mut hours = Hours::default();
                while let Some(key) = table.next_key::<Key>()? {
                    match key {
                        Key::Timezone => hours.timezone = Some(table.next_value()?),
                        Key::Holidays => hours.holidays = table.next_value::<Many<Region>>()?.0,
                        Key::Closed => hours.closed = table.next_value::<Many<Date>>()?.0,
                        Key::Open => {
                            let days = table.next_value::<BTreeMap<Date, Many<Span>>>()?;
                            hours.open = days.into_iter().map(|(day, it)| (day, it.0)).collect();
                        }
                        Key::Days(days) => {
                            let spans = table.next_value::<Many<Span>>()?.0;
                            for day in days {
                                hours.week[day].extend(&spans);
                            }
                        }
                    }
                }
                Ok(hours)
            }
        }

        source.deserialize_map(Table)
    }
}

/// A key of the table.
enum Key {
    Timezone,
    Holidays,
    Closed,
    Open,
    /// Days of the week, by their places.
    Days(Vec<usize>),
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        struct Name;

        impl Visitor<'_> for Name {
            type Value = Key;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key of opening hours")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Key, E> {
                Ok(match name {
                    "timezone" => Key::Timezone,
                    "holidays" => Key::Holidays,
                    "closed" => Key::Closed,
                    "open" => Key::Open,
                    days => {
                        let days = days_in(days);
                        Key::Days(days.ok_or_else(|| E::unknown_field(name, KEYS))?)
                    }
                })
            }
        }

        source.deserialize_identifier(Name)
    }
}

/// The places in the week of `mon`, or of `mon-fri`, or of `sat-mon`.
fn days_in(text: &str) -> Option<Vec<usize>> {
    let place = |name: &str| DAYS.iter().position(|day| *day == name);
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (place(first)?, place(last)?);
    let count = (last + 7 - first) % 7 + 1;
    Some((first..first + count).map(|day| day % 7).collect())
}

fn short(day: Weekday) -> &'static str {
    let at = Weekday::ALL.iter().position(|it| *it == day).unwrap_or_default();
    DAYS[at.min(6)]
}

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// The keys; days may also be ranges.
const KEYS: &[&str] = &[
    "timezone", "mon", "tue", "wed", "thu", "fri", "sat", "sun", "mon-fri", "holidays", "closed",
    "open",
];

#[cfg(test)]
mod tests {
    use super::*;

    const OFFICE: &str = r#"
        timezone = "Europe/Berlin"
        mon-thu  = ["08:00-12:00", "13:00-18:00"]
        fri      = "08:00-14:00"
        sat      = "22:00-02:00"
        holidays = ["DE-BW"]
        closed   = ["2026-12-24", "2026-12-31"]
        open     = { 2026-12-31 = "09:00-11:00" }
    "#;

    fn office() -> Hours {
        toml::from_str(OFFICE).expect("hours")
    }

    fn told(hours: &Hours, local: &str) -> (bool, String) {
        hours.at(local.parse().expect("a time"))
    }

    #[test]
    fn doors_open_and_close_on_the_minute() {
        let office = office();
        for (local, open, why) in [
            ("2026-11-23 07:59", false, "outside of 08:00-12:00, 13:00-18:00"),
            ("2026-11-23 08:00", true, "08:00-12:00"),
            ("2026-11-23 12:00", false, "outside of 08:00-12:00, 13:00-18:00"),
            ("2026-11-27 13:59", true, "08:00-14:00"),
            ("2026-11-29 12:00", false, "closed on sun"),
            ("2026-11-28 23:30", true, "22:00-02:00"),
            ("2026-11-29 01:59", true, "22:00-02:00 since yesterday"),
            ("2026-11-29 02:00", false, "closed on sun"),
            ("2026-12-24 10:00", false, "closed date 2026-12-24"),
            ("2026-12-31 10:00", true, "09:00-11:00"),
            ("2026-01-06 10:00", false, "public holiday Heilige Drei Könige (DE-BW)"),
        ] {
            assert_eq!(told(&office, local), (open, why.to_owned()), "{local}");
        }
    }

    #[test]
    fn the_clock_of_the_office_counts_in_winter_and_in_summer() {
        let office = office();
        for (moment, open) in [
            ("2026-07-01 05:59", false),
            ("2026-07-01 06:00", true),
            ("2026-12-01 06:30", false),
            ("2026-12-01 07:00", true),
        ] {
            let since = Zone::utc().since_epoch(moment.parse().expect("a time"));
            let status = office.status(since.expect("a moment"), &Zone::utc());
            assert_eq!(status.is_open, open, "{moment} UTC: {status:?}");
        }
    }

    #[test]
    fn weeks_may_begin_anywhere() {
        let hours: Hours = toml::from_str("sat-mon = \"10:00-12:00\"").expect("hours");
        let open: Vec<bool> = hours.week.iter().map(|spans| !spans.is_empty()).collect();
        assert_eq!(open, [true, false, false, false, false, true, true]);
        assert!(hours.ever_open() && !Hours::default().ever_open());
    }

    #[test]
    fn what_is_no_hours_is_refused() {
        for (text, why) in [
            ("mon = \"8-18\"", "not a span of time"),
            ("mon = \"08:00-08:00\"", "not a span of time"),
            ("mon = \"08:00-25:00\"", "not a span of time"),
            ("moon = \"08:00-18:00\"", "unknown field `moon`"),
            ("mon = 8", "a number is written as a text"),
            ("holidays = [\"DE-XX\"]", "no holidays are known of `DE-XX`"),
            ("timezone = \"Berlin\"", "there is no time zone `Berlin`"),
            ("closed = [\"24.12.2026\"]", "not a day"),
        ] {
            let refused = toml::from_str::<Hours>(text).expect_err(text).to_string();
            assert!(refused.contains(why), "{text}: {refused}");
        }
    }
}
