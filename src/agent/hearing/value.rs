//! What can be heard: kinds of values, their readings, and what is missing or wrong.

use std::fmt;
use std::time::Duration;

use crate::agent::hearing::when::When;
use crate::agent::lexicon::currency::Currency;
use crate::agent::lexicon::locale::{Locale, Region};
use crate::base::calendar::Date;
use crate::base::country::Country;
use crate::base::number::Number;

/// The kind of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Digits, said one by one or in groups; as many as wanted, if that is known.
    Digits(Option<u8>),
    /// A number: `205`, `-3.5`.
    Number,
    /// An amount of money: `3.50 EUR`.
    Money,
    /// A day.
    Date,
    /// A time of day.
    Time,
    /// A length of time.
    Duration,
    /// A telephone number.
    Phone,
    /// An e-mail address.
    Email,
    /// The name of a person.
    Name,
    /// An IBAN.
    Iban,
    /// The number of a payment card.
    Card,
    /// A postcode.
    Postcode,
    /// Yes or no.
    YesNo,
}

/// What is known before somebody is heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context {
    /// The language and its habits.
    pub locale: Locale,
    /// The country whose national numbers and postcodes are meant.
    pub country: Country,
    /// The day of the call; without it, relative days are understood and not resolved.
    pub today: Option<Date>,
    /// What "Viertel drei" means.
    pub quarter: Quarter,
}

/// What "Viertel drei" means, and whether it means anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Quarter {
    /// Nothing for sure: the north and west of Germany do not say it.
    #[default]
    Unused,
    /// A quarter of the third hour, 2:15; "dreiviertel drei" is 2:45: the east, the south, Austria.
    OfTheHour,
}

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Digits.
    Digits(String),
    /// A number, written as a decimal with a full stop.
    Number(String),
    /// Hundredths of a currency, by its code in ISO 4217.
    Money(u64, &'static str),
    /// A day, perhaps relative to that of the call.
    Date(When),
    /// Hour and minute.
    Time(u8, u8),
    /// A length of time.
    Duration(Duration),
    /// A telephone number.
    Phone(Number),
    /// An e-mail address.
    Email(String),
    /// A name.
    Name(String),
    /// An IBAN without spaces.
    Iban(String),
    /// The number of a payment card.
    Card(String),
    /// A postcode.
    Postcode(String),
    /// Yes or no.
    YesNo(Answer),
}

/// Yes or no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Agreement.
    Yes,
    /// Refusal.
    No,
}

/// One way to understand some words.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// How many words it takes.
    pub used: usize,
    /// What they mean.
    pub value: Value,
    /// How sure that is, above 0.0 and up to 1.0.
    pub sureness: f32,
}

/// Part of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// How many words it takes.
    pub used: usize,
    /// The characters that are there.
    pub so_far: String,
    /// What keeps it from being a value.
    pub lack: Lack,
}

/// What keeps something from being a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lack {
    /// At least so many characters are missing.
    Characters(usize),
    /// The area code is missing.
    AreaCode,
    /// The part behind the "at" is missing.
    Domain,
    /// The ending of the domain is missing.
    Ending,
    /// The check digits say that something is wrong.
    Check,
    /// There are too many characters, by so many.
    TooMany(usize),
    /// There is no such value: a 31st of February, a country without IBANs.
    Impossible,
}

/// What was understood of a text.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    /// Nothing of the kind.
    Nothing,
    /// A part of a value, or one that is wrong.
    Part(Part),
    /// A value; several if it is ambiguous, the likeliest first.
    Value(Vec<Reading>),
}

impl Reading {
    /// A reading.
    pub fn new(used: usize, value: Value, sureness: f32) -> Self {
        Self { used, value, sureness }
    }
}

impl Lack {
    /// Whether more of the same would help.
    pub fn is_missing(self) -> bool {
        match self {
            Self::Characters(_) | Self::Domain | Self::Ending => true,
            Self::AreaCode | Self::Check | Self::TooMany(_) | Self::Impossible => false,
        }
    }
}

impl Heard {
    /// The likeliest reading.
    pub fn first(&self) -> Option<&Reading> {
        match self {
            Self::Value(readings) => readings.first(),
            Self::Nothing | Self::Part(_) => None,
        }
    }

    /// The likeliest value.
    pub fn value(&self) -> Option<&Value> {
        self.first().map(|reading| &reading.value)
    }
}

impl Context {
    /// The usual context of a locale.
    pub fn of(locale: Locale) -> Self {
        let quarter = match locale.region {
            Region::Austria => Quarter::OfTheHour,
            Region::America | Region::Britain | Region::Germany | Region::Switzerland => {
                Quarter::Unused
            }
        };
        Self { locale, country: locale.country(), today: None, quarter }
    }

    /// The same, in a call of this day.
    #[must_use]
    pub fn on(self, today: Date) -> Self {
        Self { today: Some(today), ..self }
    }
}

/// The canonical form: what tools, templates and records get.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Digits(text)
            | Self::Number(text)
            | Self::Email(text)
            | Self::Name(text)
            | Self::Iban(text)
            | Self::Card(text)
            | Self::Postcode(text) => f.write_str(text),
            Self::Money(hundredths, currency) => {
                write!(f, "{}.{:02} {currency}", hundredths / 100, hundredths % 100)
            }
            Self::Date(when) => write!(f, "{when}"),
            Self::Time(hour, minute) => write!(f, "{hour}:{minute:02}"),
            Self::Duration(duration) => write_duration(duration.as_secs(), f),
            Self::Phone(number) => f.write_str(number.to_e164()),
            Self::YesNo(Answer::Yes) => f.write_str("yes"),
            Self::YesNo(Answer::No) => f.write_str("no"),
        }
    }
}

impl Value {
    /// Reads the canonical form of a value.
    pub fn parse(kind: Kind, text: &str) -> Option<Self> {
        let own = || text.to_owned();
        Some(match kind {
            Kind::Digits(_) => Self::Digits(own()),
            Kind::Number => Self::Number(own()),
            Kind::Email => Self::Email(own()),
            Kind::Name => Self::Name(own()),
            Kind::Iban => Self::Iban(own()),
            Kind::Card => Self::Card(own()),
            Kind::Postcode => Self::Postcode(own()),
            Kind::Phone => Self::Phone(text.parse().ok()?),
            Kind::Date => Self::Date(text.parse().ok()?),
            Kind::Duration => Self::Duration(read_duration(text)?),
            Kind::YesNo if text == "yes" => Self::YesNo(Answer::Yes),
            Kind::YesNo => Self::YesNo(Answer::No),
            Kind::Time => {
                let (hour, minute) = text.split_once(':')?;
                Self::Time(hour.parse().ok()?, minute.parse().ok()?)
            }
            Kind::Money => {
                let (amount, code) = text.split_once(' ')?;
                let (whole, parts) = amount.split_once('.')?;
                let hundredths = whole.parse::<u64>().ok()?.checked_mul(100)?;
                let hundredths = hundredths.checked_add(parts.parse().ok()?)?;
                Self::Money(hundredths, Currency::written(code)?.code)
            }
        })
    }
}

/// Reads what [`write_duration`] wrote.
fn read_duration(text: &str) -> Option<Duration> {
    let (mut seconds, mut number) = (0_u64, String::new());
    for c in text.strip_prefix('P')?.chars() {
        let unit = match c {
            'T' => continue,
            'D' => 86_400,
            'H' => 3_600,
            'M' => 60,
            'S' => 1,
            c => {
                number.push(c);
                continue;
            }
        };
        let count: u64 = std::mem::take(&mut number).parse().ok()?;
        seconds = seconds.checked_add(count.checked_mul(unit)?)?;
    }
    number.is_empty().then(|| Duration::from_secs(seconds))
}

/// ISO 8601: `PT1H30M`.
fn write_duration(seconds: u64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    f.write_str("P")?;
    if days > 0 {
        write!(f, "{days}D")?;
    }
    if rest > 0 || days == 0 {
        f.write_str("T")?;
    }
    for (length, letter) in [(3_600, 'H'), (60, 'M'), (1, 'S')] {
        let above = if length == 3_600 { rest } else { rest % (length * 60) };
        let count = above / length;
        if count > 0 || (letter == 'S' && seconds == 0) {
            write!(f, "{count}{letter}")?;
        }
    }
    Ok(())
}
