//! Reading back what was heard, as it is written; the voice finds the words for it.

use super::phone;
use super::value::{Answer, Kind, Lack, Part, Value};
use super::when::When;
use crate::agent::lexicon::alphabet;
use crate::agent::lexicon::locale::Locale;
use crate::base::calendar::{Date, ENGLISH_MONTHS, GERMAN_MONTHS};

/// A value as people write it: `+49 711 123 45`, `Tuesday, November 24`.
pub fn written(value: &Value, locale: Locale) -> String {
    match value {
        Value::Digits(text) | Value::Card(text) | Value::Postcode(text) => grouped(text),
        Value::Number(text) => decimal(text, locale),
        Value::Money(hundredths, code) => money(*hundredths, code, locale),
        Value::Date(when) => day(*when, locale),
        Value::Time(hour, minute) => clock(*hour, *minute, locale),
        Value::Duration(duration) => length(duration.as_secs(), locale),
        Value::Phone(number) => phone::grouped(number),
        Value::Email(text) | Value::Name(text) => text.clone(),
        Value::Iban(text) => in_fours(text),
        Value::YesNo(Answer::Yes) => locale.pick("yes", "ja").to_owned(),
        Value::YesNo(Answer::No) => locale.pick("no", "nein").to_owned(),
    }
}

/// A sentence that reads a value back and asks whether it is right.
pub fn question(value: &Value, locale: Locale) -> String {
    let written = written(value, locale);
    let what = match value {
        Value::Name(name) => format!("{written}, {}", alphabet::spelled(name, locale)),
        _ => written,
    };
    match locale.is_german() {
        false => format!("I have {what}. Is that right?"),
        true => format!("Ich habe notiert: {what}. Stimmt das?"),
    }
}

/// A sentence that says what is missing or wrong.
pub fn lacking(kind: Kind, part: &Part, locale: Locale) -> String {
    let german = locale.is_german();
    let text = match (part.lack, german) {
        (Lack::Characters(_) | Lack::Domain | Lack::Ending, false) => "Go on, please.",
        (Lack::Characters(_) | Lack::Domain | Lack::Ending, true) => "Bitte weiter.",
        (Lack::AreaCode, false) => "Please give me the area code too.",
        (Lack::AreaCode, true) => "Bitte nennen Sie auch die Vorwahl.",
        (Lack::Check, false) => match kind {
            Kind::Iban => "The check digits of that IBAN do not fit. Please say it once more.",
            Kind::Card => "That card number cannot be right. Please say it once more.",
            _ => "That cannot be right. Please say it once more.",
        },
        (Lack::Check, true) => match kind {
            Kind::Iban => "Die Prüfziffern dieser IBAN passen nicht. Bitte noch einmal.",
            Kind::Card => "Diese Kartennummer kann nicht stimmen. Bitte noch einmal.",
            _ => "Das kann nicht stimmen. Bitte noch einmal.",
        },
        (Lack::TooMany(_), false) => "That was too much. Please say it once more.",
        (Lack::TooMany(_), true) => "Das war zu viel. Bitte noch einmal.",
        (Lack::Impossible, false) => "That does not exist. Please say it once more.",
        (Lack::Impossible, true) => "Das gibt es nicht. Bitte noch einmal.",
    };
    text.to_owned()
}

/// Digits with spaces, in groups with commas: a voice reads them one by one.
fn grouped(text: &str) -> String {
    let all: Vec<char> = text.chars().filter(|c| !c.is_whitespace()).collect();
    let size = match all.len() {
        0..=5 => 5,
        length if length.is_multiple_of(4) => 4,
        _ => 3,
    };
    let group = |group: &[char]| {
        let group: Vec<String> = group.iter().map(char::to_string).collect();
        group.join(" ")
    };
    all.chunks(size).map(group).collect::<Vec<String>>().join(", ")
}

fn in_fours(text: &str) -> String {
    let all: Vec<char> = text.chars().collect();
    let groups = all.chunks(4).map(|group| group.iter().collect::<String>());
    groups.collect::<Vec<String>>().join(" ")
}

fn decimal(text: &str, locale: Locale) -> String {
    text.replace('.', &locale.decimal_mark().to_string())
}

fn money(hundredths: u64, code: &str, locale: Locale) -> String {
    let (whole, parts) = (hundredths / 100, hundredths % 100);
    let mark = locale.decimal_mark();
    let sign = match code {
        "EUR" => "€",
        "USD" => "$",
        "GBP" => "£",
        _ => code,
    };
    match locale.is_german() {
        true => format!("{whole}{mark}{parts:02} {sign}"),
        false if sign == code => format!("{code} {whole}{mark}{parts:02}"),
        false => format!("{sign}{whole}{mark}{parts:02}"),
    }
}

/// A day with its name, or the words for how far it is.
fn day(when: When, locale: Locale) -> String {
    let weekday = |day: crate::base::calendar::Weekday| locale.pick(day.english(), day.german());
    match when {
        When::On(date) => format!("{}, {}", weekday(date.weekday()), dated(date, true, locale)),
        When::Days(0) => locale.pick("today", "heute").to_owned(),
        When::Days(1) => locale.pick("tomorrow", "morgen").to_owned(),
        When::Days(2) => locale.pick("the day after tomorrow", "übermorgen").to_owned(),
        When::Days(-1) => locale.pick("yesterday", "gestern").to_owned(),
        When::Days(days) if days % 7 == 0 => {
            let weeks = days / 7;
            match locale.is_german() {
                true if weeks == 1 => "heute in einer Woche".to_owned(),
                true => format!("heute in {weeks} Wochen"),
                false if weeks == 1 => "a week from today".to_owned(),
                false => format!("{weeks} weeks from today"),
            }
        }
        When::Days(days) => {
            locale.pick(format!("{days} days from today"), format!("heute in {days} Tagen"))
        }
        When::Months(months) => {
            locale.pick(format!("in {months} months"), format!("in {months} Monaten"))
        }
        When::Weekday(day, 0) => weekday(day).to_owned(),
        When::Weekday(day, weeks) => match locale.is_german() {
            true => format!("{} in {weeks} Wochen", weekday(day)),
            false => format!("{} in {weeks} weeks", weekday(day)),
        },
        When::Yearly(month, number) => Date::new(2024, month, number)
            .map_or_else(String::new, |date| dated(date, false, locale)),
        When::Monthly(number) if locale.is_german() => format!("den {number}. des Monats"),
        When::Monthly(number) => format!("day {number} of the month"),
    }
}

fn dated(date: Date, with_year: bool, locale: Locale) -> String {
    let at = usize::from(date.month().saturating_sub(1));
    let year = if with_year { format!(" {}", date.year()) } else { String::new() };
    let number = date.day();
    match locale.is_german() {
        true => format!("der {number}. {}{year}", GERMAN_MONTHS.get(at).unwrap_or(&"")),
        false => {
            let month = ENGLISH_MONTHS.get(at).unwrap_or(&"");
            let comma = if with_year && locale.month_first() { "," } else { "" };
            match locale.month_first() {
                true => format!("{month} {number}{comma}{year}"),
                false => format!("{number} {month}{year}"),
            }
        }
    }
}

fn clock(hour: u8, minute: u8, locale: Locale) -> String {
    if locale.is_german() {
        // Before seven, people would think of the afternoon.
        let part = match hour {
            1..=4 => " nachts",
            5 | 6 => " morgens",
            _ => "",
        };
        return format!("{hour}:{minute:02} Uhr{part}");
    }
    let part = if hour % 24 < 12 { "AM" } else { "PM" };
    format!("{}:{minute:02} {part}", (hour + 11) % 12 + 1)
}

fn length(seconds: u64, locale: Locale) -> String {
    let units = [
        (86_400, ["day", "days"], ["Tag", "Tage"]),
        (3_600, ["hour", "hours"], ["Stunde", "Stunden"]),
        (60, ["minute", "minutes"], ["Minute", "Minuten"]),
        (1, ["second", "seconds"], ["Sekunde", "Sekunden"]),
    ];
    let (mut rest, mut parts) = (seconds, Vec::new());
    for (size, english, german) in units {
        let count = rest / size;
        rest %= size;
        if count > 0 || (size == 1 && parts.is_empty()) {
            let names = locale.pick(english, german);
            parts.push(format!("{count} {}", names[usize::from(count != 1)]));
        }
    }
    parts.join(locale.pick(" and ", " und "))
}
