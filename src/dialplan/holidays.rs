//! Public holidays of Germany, Austria and Switzerland, by state and canton. Own table: the laws of
//! the states as of 2026. Where only some towns of a state rest (Assumption in Bavaria, Corpus
//! Christi in Saxony and Thuringia), the state does not: write those days into `closed`.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::base::calendar::{Date, Weekday};
use crate::base::units;

/// Whose holidays they are: `DE`, `DE-BW`, `AT`, `CH-ZH`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema)]
#[schemars(with = "String", extend("enum" = REGIONS.split_whitespace().collect::<Vec<_>>()))]
pub struct Region(&'static str);

/// Why a text is not a region.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "no holidays are known of `{0}`: write DE, AT, CH, a German state such as DE-BW, or a canton \
     such as CH-ZH"
)]
pub struct NotARegion(String);

impl Region {
    /// The holiday that a day is here.
    pub fn holiday(self, date: Date) -> Option<&'static str> {
        let (country, state) = self.0.split_once('-').unwrap_or((self.0, ""));
        let table = match country {
            "DE" => GERMANY,
            "AT" => AUSTRIA,
            _ => SWITZERLAND,
        };
        let here = |holiday: &&Holiday| {
            let rests = match holiday.where_ {
                Where::Everywhere => true,
                Where::Only(states) => states.split(' ').any(|it| it == state),
                Where::Not(states) => !state.is_empty() && !states.split(' ').any(|it| it == state),
            };
            rests && holiday.since <= date.year() && holiday.day.in_year(date.year()) == Some(date)
        };
        table.iter().find(here).map(|holiday| holiday.name)
    }
}

impl FromStr for Region {
    type Err = NotARegion;

    fn from_str(text: &str) -> Result<Self, NotARegion> {
        let known = REGIONS.split_whitespace().find(|region| *region == text);
        known.map(Self).ok_or_else(|| NotARegion(text.to_owned()))
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl<'de> Deserialize<'de> for Region {
    fn deserialize<D: serde::Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        units::parsed(source)
    }
}

struct Holiday {
    name: &'static str,
    day: Day,
    where_: Where,
    /// The first year.
    since: u16,
}

/// Which day of a year.
#[derive(Clone, Copy)]
enum Day {
    /// Of this month, this day.
    On(u8, u8),
    /// So many days after Easter Sunday.
    Easter(i64),
    /// The first day of this name on or after a day of a month, and so many days more.
    From(u8, u8, Weekday, i64),
}

/// In which states.
#[derive(Clone, Copy)]
enum Where {
    /// In all of them, and in the country as a whole.
    Everywhere,
    /// In these.
    Only(&'static str),
    /// In all but these.
    Not(&'static str),
}

impl Day {
    fn in_year(self, year: u16) -> Option<Date> {
        match self {
            Self::On(month, day) => Date::new(year, month, day),
            Self::Easter(days) => easter(year)?.plus_days(days),
            Self::From(month, day, weekday, more) => {
                let before = Date::new(year, month, day)?.plus_days(-1)?;
                before.next(weekday)?.plus_days(more)
            }
        }
    }
}

/// Easter Sunday in the Gregorian calendar (the rule of Gauss in the form of Meeus and Butcher).
fn easter(year: u16) -> Option<Date> {
    let year_ = u32::from(year);
    let (golden, century, rest) = (year_ % 19, year_ / 100, year_ % 100);
    let moon =
        (19 * golden + century - century / 4 - (century - (century + 8) / 25 + 1) / 3 + 15) % 30;
    let weekday = (32 + 2 * (century % 4) + 2 * (rest / 4) - moon - rest % 4) % 7;
    let late = (golden + 11 * moon + 22 * weekday) / 451;
    let day = moon + weekday + 114 - 7 * late;
    Date::new(year, u8::try_from(day / 31).ok()?, u8::try_from(day % 31 + 1).ok()?)
}

const fn holiday(name: &'static str, day: Day, where_: Where) -> Holiday {
    Holiday { name, day, where_, since: 0 }
}

use Day::{Easter, From, On};
use Where::{Everywhere, Not, Only};

const GERMANY: &[Holiday] = &[
    holiday("Neujahr", On(1, 1), Everywhere),
    holiday("Heilige Drei Könige", On(1, 6), Only("BW BY ST")),
    Holiday { since: 2019, ..holiday("Internationaler Frauentag", On(3, 8), Only("BE")) },
    Holiday { since: 2023, ..holiday("Internationaler Frauentag", On(3, 8), Only("MV")) },
    holiday("Karfreitag", Easter(-2), Everywhere),
    holiday("Ostersonntag", Easter(0), Only("BB")),
    holiday("Ostermontag", Easter(1), Everywhere),
    holiday("Tag der Arbeit", On(5, 1), Everywhere),
    holiday("Christi Himmelfahrt", Easter(39), Everywhere),
    holiday("Pfingstsonntag", Easter(49), Only("BB")),
    holiday("Pfingstmontag", Easter(50), Everywhere),
    holiday("Fronleichnam", Easter(60), Only("BW BY HE NW RP SL")),
    holiday("Mariä Himmelfahrt", On(8, 15), Only("SL")),
    Holiday { since: 2019, ..holiday("Weltkindertag", On(9, 20), Only("TH")) },
    holiday("Tag der Deutschen Einheit", On(10, 3), Everywhere),
    holiday("Reformationstag", On(10, 31), Only("BB MV SN ST TH")),
    Holiday { since: 2018, ..holiday("Reformationstag", On(10, 31), Only("HB HH NI SH")) },
    holiday("Allerheiligen", On(11, 1), Only("BW BY NW RP SL")),
    holiday("Buß- und Bettag", From(11, 16, Weekday::Wednesday, 0), Only("SN")),
    holiday("1. Weihnachtstag", On(12, 25), Everywhere),
    holiday("2. Weihnachtstag", On(12, 26), Everywhere),
];

const AUSTRIA: &[Holiday] = &[
    holiday("Neujahr", On(1, 1), Everywhere),
    holiday("Heilige Drei Könige", On(1, 6), Everywhere),
    holiday("Ostermontag", Easter(1), Everywhere),
    holiday("Staatsfeiertag", On(5, 1), Everywhere),
    holiday("Christi Himmelfahrt", Easter(39), Everywhere),
    holiday("Pfingstmontag", Easter(50), Everywhere),
    holiday("Fronleichnam", Easter(60), Everywhere),
    holiday("Mariä Himmelfahrt", On(8, 15), Everywhere),
    holiday("Nationalfeiertag", On(10, 26), Everywhere),
    holiday("Allerheiligen", On(11, 1), Everywhere),
    holiday("Mariä Empfängnis", On(12, 8), Everywhere),
    holiday("Christtag", On(12, 25), Everywhere),
    holiday("Stefanitag", On(12, 26), Everywhere),
];

/// Days of rest by law in a canton or in most of its towns.
const SWITZERLAND: &[Holiday] = &[
    holiday("Neujahr", On(1, 1), Everywhere),
    holiday("Berchtoldstag", On(1, 2), Only("AG BE FR GL JU LU OW SH SO TG VD ZG ZH")),
    holiday("Heilige Drei Könige", On(1, 6), Only("SZ TI UR")),
    holiday("Ausrufung der Republik", On(3, 1), Only("NE")),
    holiday("Josefstag", On(3, 19), Only("NW SZ TI UR VS")),
    holiday("Karfreitag", Easter(-2), Not("TI VS")),
    holiday("Ostermontag", Easter(1), Not("NE VS")),
    holiday("Tag der Arbeit", On(5, 1), Only("BL BS JU NE SH SO TG TI ZH")),
    holiday("Auffahrt", Easter(39), Everywhere),
    holiday("Pfingstmontag", Easter(50), Not("NE VS")),
    holiday("Fronleichnam", Easter(60), Only("AI FR JU LU NW OW SO SZ TI UR VS ZG")),
    holiday("Unabhängigkeitstag", On(6, 23), Only("JU")),
    holiday("Peter und Paul", On(6, 29), Only("TI")),
    holiday("Bundesfeier", On(8, 1), Everywhere),
    holiday("Mariä Himmelfahrt", On(8, 15), Only("AI FR JU LU NW OW SO SZ TI UR VS ZG")),
    // The Thursday after the first Sunday, and the Monday after the third.
    holiday("Genfer Bettag", From(9, 1, Weekday::Sunday, 4), Only("GE")),
    holiday("Bettagsmontag", From(9, 15, Weekday::Sunday, 1), Only("VD")),
    holiday("Bruder Klaus", On(9, 25), Only("OW")),
    holiday("Allerheiligen", On(11, 1), Only("AI FR GL JU LU NW OW SG SO SZ TI UR VS ZG")),
    holiday("Mariä Empfängnis", On(12, 8), Only("AI FR LU NW OW SZ TI UR VS ZG")),
    holiday("Weihnachten", On(12, 25), Everywhere),
    holiday("Stephanstag", On(12, 26), Not("FR GE JU NE VD VS")),
    holiday("Wiederherstellung der Republik", On(12, 31), Only("GE")),
];

const REGIONS: &str = "DE DE-BB DE-BE DE-BW DE-BY DE-HB DE-HE DE-HH DE-MV DE-NI DE-NW DE-RP DE-SH \
    DE-SL DE-SN DE-ST DE-TH AT CH CH-AG CH-AI CH-AR CH-BE CH-BL CH-BS CH-FR CH-GE CH-GL CH-GR \
    CH-JU CH-LU CH-NE CH-NW CH-OW CH-SG CH-SH CH-SO CH-SZ CH-TG CH-TI CH-UR CH-VD CH-VS CH-ZG CH-ZH";

#[cfg(test)]
mod tests {
    use super::*;

    fn count(region: &str, year: u16) -> usize {
        let region: Region = region.parse().expect("a region");
        let first = Date::new(year, 1, 1).expect("a day");
        let days = (0..366).filter_map(|days| first.plus_days(days));
        days.filter(|day| day.year() == year && region.holiday(*day).is_some()).count()
    }

    #[test]
    fn easter_is_where_the_moon_says() {
        for (year, month, day) in
            [(1961, 4, 2), (2000, 4, 23), (2008, 3, 23), (2024, 3, 31), (2026, 4, 5), (2038, 4, 25)]
        {
            assert_eq!(easter(year), Date::new(year, month, day), "{year}");
        }
    }

    #[test]
    fn each_state_has_as_many_holidays_as_its_law_says() {
        // Of 2026: nine for the country, and what each state adds.
        for (region, holidays) in [
            ("DE", 9),
            ("DE-BW", 12),
            ("DE-BY", 12),
            ("DE-BE", 10),
            ("DE-BB", 12),
            ("DE-HB", 10),
            ("DE-HH", 10),
            ("DE-HE", 10),
            ("DE-MV", 11),
            ("DE-NI", 10),
            ("DE-NW", 11),
            ("DE-RP", 11),
            ("DE-SL", 12),
            ("DE-SN", 11),
            ("DE-ST", 11),
            ("DE-SH", 10),
            ("DE-TH", 11),
            ("AT", 13),
        ] {
            assert_eq!(count(region, 2_026), holidays, "{region}");
        }
        assert_eq!(count("DE-BE", 2_018), 9, "before the day of the women");
    }

    #[test]
    fn days_that_move_are_found() {
        let on = |region: &str, day: &str| {
            let region: Region = region.parse().expect("a region");
            region.holiday(day.parse().expect("a day"))
        };
        assert_eq!(on("DE-SN", "2026-11-18"), Some("Buß- und Bettag"));
        assert_eq!(on("DE-SN", "2022-11-16"), Some("Buß- und Bettag"));
        assert_eq!(on("DE-BW", "2026-06-04"), Some("Fronleichnam"));
        assert_eq!(on("DE-BE", "2026-06-04"), None);
        assert_eq!(on("CH-GE", "2026-09-10"), Some("Genfer Bettag"));
        assert_eq!(on("CH-VD", "2026-09-21"), Some("Bettagsmontag"));
        assert_eq!(on("CH", "2026-04-03"), None, "not by the law of the federation");
        assert_eq!(on("CH-ZH", "2026-04-03"), Some("Karfreitag"));
        assert_eq!(on("AT", "2026-10-26"), Some("Nationalfeiertag"));
    }

    #[test]
    fn a_state_that_is_none_is_refused() {
        for text in ["DE-XX", "de-bw", "FR", "", "CH-"] {
            assert!(text.parse::<Region>().is_err(), "{text}");
        }
    }
}
