//! Money: amounts in one currency, and what a minute costs.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, de};

/// An amount: `20 EUR`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Money {
    /// How much, in millionths.
    pub millionths: u64,
    /// Of what.
    pub currency: Currency,
}

/// A currency by its three letters (ISO 4217): `EUR`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Currency([u8; 3]);

/// What a minute costs: `0.02 EUR/min`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate(pub Money);

/// Why a text is no money.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no money: write an amount and a currency, such as \"20 EUR\" or \"0.50 USD\"")]
pub struct NotMoney(String);

/// Why a text is not the price of a minute.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the price of a minute: write it like \"0.02 EUR/min\"")]
pub struct NotARate(String);

impl Money {
    /// The amount without its currency, with two to six decimals: `0.019`.
    pub fn amount(&self) -> String {
        let (whole, rest) = (self.millionths / UNIT, self.millionths % UNIT);
        let decimals = format!("{rest:06}");
        let kept = decimals.trim_end_matches('0').len().max(2);
        format!("{whole}.{}", decimals.get(..kept).unwrap_or(&decimals))
    }
}

impl FromStr for Money {
    type Err = NotMoney;

    fn from_str(text: &str) -> Result<Self, NotMoney> {
        let read = || {
            let (amount, currency) = text.trim().split_once(' ')?;
            let (whole, decimals) = amount.split_once('.').unwrap_or((amount, ""));
            let is_number = |it: &str| it.bytes().all(|byte| byte.is_ascii_digit());
            let fits = !whole.is_empty() && is_number(whole) && is_number(decimals);
            if !fits || decimals.len() > 6 || amount.ends_with('.') {
                return None;
            }
            let whole: u64 = whole.parse().ok().filter(|it| *it <= MOST)?;
            let decimals: u64 = format!("{decimals:0<6}").parse().ok()?;
            let millionths = whole.checked_mul(UNIT)?.checked_add(decimals)?;
            Some(Self { millionths, currency: currency.trim().parse().ok()? })
        };
        read().ok_or_else(|| NotMoney(text.to_owned()))
    }
}

impl FromStr for Rate {
    type Err = NotARate;

    fn from_str(text: &str) -> Result<Self, NotARate> {
        let money = text.trim().strip_suffix("/min").and_then(|money| money.parse().ok());
        money.map(Self).ok_or_else(|| NotARate(text.to_owned()))
    }
}

impl FromStr for Currency {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let letters: [u8; 3] = text.as_bytes().try_into().map_err(|_| ())?;
        if letters.iter().all(u8::is_ascii_uppercase) { Ok(Self(letters)) } else { Err(()) }
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount(), self.currency)
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|letter| write!(f, "{}", char::from(*letter)))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/min", self.0)
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: de::Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        crate::base::units::parsed(source)
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: de::Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        crate::base::units::parsed(source)
    }
}

impl Serialize for Money {
    fn serialize<S: serde::Serializer>(&self, target: S) -> Result<S::Ok, S::Error> {
        target.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: de::Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        let text = String::deserialize(source)?;
        text.parse().map_err(|()| de::Error::custom(format!("`{text}` is no currency")))
    }
}

impl Serialize for Currency {
    fn serialize<S: serde::Serializer>(&self, target: S) -> Result<S::Ok, S::Error> {
        target.collect_str(self)
    }
}

impl JsonSchema for Money {
    fn schema_name() -> Cow<'static, str> {
        "Money".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-9]+(\\.[0-9]{1,6})? [A-Z]{3}$" })
    }
}

impl JsonSchema for Rate {
    fn schema_name() -> Cow<'static, str> {
        "Rate".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-9]+(\\.[0-9]{1,6})? [A-Z]{3}/min$" })
    }
}

/// Millionths of one.
const UNIT: u64 = 1_000_000;

/// The largest amount that can be written, before its decimals.
const MOST: u64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_and_written_exactly() {
        for (text, millionths, written) in [
            ("20 EUR", 20_000_000, "20.00 EUR"),
            ("0.5 USD", 500_000, "0.50 USD"),
            ("0.0193 EUR", 19_300, "0.0193 EUR"),
            ("0 EUR", 0, "0.00 EUR"),
            ("1000000000.000001 EUR", 1_000_000_000_000_001, "1000000000.000001 EUR"),
        ] {
            let money: Money = text.parse().expect("money");
            assert_eq!((money.millionths, money.to_string()), (millionths, written.to_owned()));
        }
        let rate: Rate = "0.02 EUR/min".parse().expect("a rate");
        assert_eq!((rate.0.millionths, rate.to_string()), (20_000, "0.02 EUR/min".to_owned()));
    }

    #[test]
    fn what_is_no_money_is_refused_with_an_example() {
        for text in [
            "", "20", "EUR 20", "20 eur", "-1 EUR", "1, EUR", "1. EUR", ".5 EUR", "1e3 EUR",
            "1 EURO",
        ] {
            assert!(text.parse::<Money>().is_err(), "{text}");
        }
        for text in ["0.0000001 EUR", "1000000001 EUR", "99999999999999999999 EUR"] {
            assert!(text.parse::<Money>().is_err(), "{text}");
        }
        let why = "0.02 EUR".parse::<Rate>().expect_err("no rate").to_string();
        assert!(why.contains("\"0.02 EUR/min\""), "{why}");
    }
}
