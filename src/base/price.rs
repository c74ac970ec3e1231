//! What the work of providers costs: what is counted of it, and what each of that costs.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

use crate::base::money::{Currency, Money};

/// What is counted of the work of a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Unit {
    /// Tokens that a model read, without those that it had read before.
    InputTokens,
    /// Tokens that it had read before.
    CachedTokens,
    /// Tokens that it wrote, with those of its thoughts.
    OutputTokens,
    /// Tokens of sound that it heard.
    AudioInputTokens,
    /// Tokens of sound that it spoke.
    AudioOutputTokens,
    /// Milliseconds of sound that were heard.
    AudioMillis,
    /// Letters that were spoken.
    Characters,
}

/// How much of what a provider did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amount {
    /// What is counted.
    pub unit: Unit,
    /// How much of it.
    pub count: u64,
}

/// What so many of something cost: `0.15 USD per 1M tokens`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price {
    money: Money,
    /// How many of the unit cost that much; never 0.
    per: u64,
    kind: Kind,
}

/// What a price is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Tokens,
    Sound,
    Characters,
}

/// An amount of money that is more exact than coins, in billionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// How much, in billionths.
    pub billionths: u128,
    /// Of what.
    pub currency: Currency,
}

/// Why a text is no cost.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no amount and its currency, such as \"0.000015 USD\"")]
pub struct NotACost(String);

/// Why a text is no price of something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no price: write it like \"0.15 USD per 1M tokens\", \"0.0077 USD per minute\" or \"30 USD per 1M characters\""
)]
pub struct NotAPrice(String);

/// What the work of a provider, or of one of its models, costs. One that hears or speaks has one
/// price, which may stand alone: `0.0077 USD per minute`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, remote = "Self")]
#[schemars(transform = or_alone)]
pub struct Tariff {
    /// What a language model reads: `0.15 USD per 1M tokens`.
    #[serde(deserialize_with = "tokens")]
    pub input: Option<Price>,
    /// What it has read before; without it, it costs what `input` does.
    #[serde(deserialize_with = "tokens")]
    pub cached: Option<Price>,
    /// What it writes.
    #[serde(deserialize_with = "tokens")]
    pub output: Option<Price>,
    /// The sound that a speech model hears, in tokens.
    #[serde(deserialize_with = "tokens")]
    pub audio_input: Option<Price>,
    /// The sound that it speaks.
    #[serde(deserialize_with = "tokens")]
    pub audio_output: Option<Price>,
    /// What is heard: `0.0077 USD per minute`.
    #[serde(deserialize_with = "sound")]
    pub audio: Option<Price>,
    /// What is spoken: `30 USD per 1M characters`.
    #[serde(deserialize_with = "characters")]
    pub characters: Option<Price>,
}

/// What the work of all providers costs, by their names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Prices(BTreeMap<String, (Tariff, BTreeMap<String, Tariff>)>);

impl Unit {
    /// The name in records.
    pub fn name(self) -> &'static str {
        match self {
            Self::InputTokens => "input_tokens",
            Self::CachedTokens => "cached_tokens",
            Self::OutputTokens => "output_tokens",
            Self::AudioInputTokens => "audio_input_tokens",
            Self::AudioOutputTokens => "audio_output_tokens",
            Self::AudioMillis => "audio_ms",
            Self::Characters => "characters",
        }
    }
}

impl Price {
    /// What it is in.
    pub fn currency(&self) -> Currency {
        self.money.currency
    }

    /// What so many cost, to the nearest billionth.
    pub fn of(&self, count: u64) -> Cost {
        let (count, per) = (u128::from(count), u128::from(self.per.max(1)));
        let whole = count.saturating_mul(u128::from(self.money.millionths)).saturating_mul(1_000);
        let billionths = whole.saturating_add(per / 2).checked_div(per).unwrap_or_default();
        Cost { billionths, currency: self.money.currency }
    }
}

impl Cost {
    /// The amount without its currency, with two to nine decimals: `0.000015`.
    pub fn amount(&self) -> String {
        let (whole, rest) = (self.billionths / BILLION, self.billionths % BILLION);
        let decimals = format!("{rest:09}");
        let kept = decimals.trim_end_matches('0').len().max(2);
        format!("{whole}.{}", decimals.get(..kept).unwrap_or(&decimals))
    }
}

impl Tariff {
    /// What one thing costs.
    pub fn price(&self, unit: Unit) -> Option<Price> {
        match unit {
            Unit::InputTokens => self.input,
            Unit::CachedTokens => self.cached.or(self.input),
            Unit::OutputTokens => self.output,
            Unit::AudioInputTokens => self.audio_input,
            Unit::AudioOutputTokens => self.audio_output,
            Unit::AudioMillis => self.audio,
            Unit::Characters => self.characters,
        }
    }

    /// What has a price, by the keys in the configuration.
    pub fn prices(&self) -> impl Iterator<Item = (&'static str, Price)> {
        let all = [
            ("input", self.input),
            ("cached", self.cached),
            ("output", self.output),
            ("audio_input", self.audio_input),
            ("audio_output", self.audio_output),
            ("audio", self.audio),
            ("characters", self.characters),
        ];
        all.into_iter().filter_map(|(key, price)| Some((key, price?)))
    }

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Prices {
    /// Takes what a provider costs, and what some of its models do.
    pub fn know(&mut self, provider: &str, all: Tariff, models: &BTreeMap<String, Tariff>) {
        if !all.is_empty() || !models.is_empty() {
            self.0.insert(provider.to_owned(), (all, models.clone()));
        }
    }

    /// What something costs of a provider. What stands at its model goes before what stands at all.
    pub fn price(&self, provider: &str, model: Option<&str>, unit: Unit) -> Option<Price> {
        let (all, models) = self.0.get(provider)?;
        let of_model = model.and_then(|model| models.get(model));
        of_model.and_then(|tariff| tariff.price(unit)).or_else(|| all.price(unit))
    }
}

impl FromStr for Price {
    type Err = NotAPrice;

    fn from_str(text: &str) -> Result<Self, NotAPrice> {
        let read = || {
            let (money, per) = text.split_once(" per ").or_else(|| text.split_once('/'))?;
            let (per, kind) = unit(per.trim())?;
            Some(Self { money: money.trim().parse().ok()?, per, kind })
        };
        read().ok_or_else(|| NotAPrice(text.to_owned()))
    }
}

impl FromStr for Cost {
    type Err = NotACost;

    /// Reads what [`Cost::amount`] writes, and the currency behind it.
    fn from_str(text: &str) -> Result<Self, NotACost> {
        let read = || {
            let (amount, currency) = text.split_once(' ')?;
            let (whole, decimals) = amount.split_once('.')?;
            let is_number =
                |it: &str| !it.is_empty() && it.bytes().all(|byte| byte.is_ascii_digit());
            if !is_number(whole) || !is_number(decimals) || decimals.len() > 9 {
                return None;
            }
            let whole = whole.parse::<u128>().ok()?.checked_mul(BILLION)?;
            let rest: u128 = format!("{decimals:0<9}").parse().ok()?;
            Some(Self { billionths: whole.checked_add(rest)?, currency: currency.parse().ok()? })
        };
        read().ok_or_else(|| NotACost(text.to_owned()))
    }
}

/// Reads for how many of what a price is.
fn unit(text: &str) -> Option<(u64, Kind)> {
    let time = match text {
        "s" | "second" => 1_000,
        "min" | "minute" => 60_000,
        "h" | "hour" => 3_600_000,
        _ => 0,
    };
    if time > 0 {
        return Some((time, Kind::Sound));
    }
    let (count, word) = text.split_once(' ').unwrap_or(("1", text));
    let kind = match word.trim() {
        "token" | "tokens" => Kind::Tokens,
        "character" | "characters" => Kind::Characters,
        _ => return None,
    };
    let (digits, factor) = match count.as_bytes().last()? {
        b'M' => (count.get(..count.len().saturating_sub(1))?, 1_000_000),
        b'k' | b'K' => (count.get(..count.len().saturating_sub(1))?, 1_000),
        _ => (count, 1),
    };
    let count: u64 = digits.parse().ok().filter(|count| (1..=1_000_000).contains(count))?;
    Some((count * factor, kind))
}

/// Why a price stands at the wrong place.
#[derive(Debug, Clone, Copy)]
struct Misplaced(&'static str);

impl fmt::Display for Misplaced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "this has another unit: write it like \"{}\"", self.0)
    }
}

fn of_kind<'de, D: Deserializer<'de>>(
    source: D,
    (kind, like): (Kind, &'static str),
) -> Result<Option<Price>, D::Error> {
    let price: Price = crate::base::units::parsed(source)?;
    match price.kind == kind {
        true => Ok(Some(price)),
        false => Err(de::Error::custom(Misplaced(like))),
    }
}

fn tokens<'de, D: Deserializer<'de>>(source: D) -> Result<Option<Price>, D::Error> {
    of_kind(source, (Kind::Tokens, "0.15 USD per 1M tokens"))
}

fn sound<'de, D: Deserializer<'de>>(source: D) -> Result<Option<Price>, D::Error> {
    of_kind(source, (Kind::Sound, "0.0077 USD per minute"))
}

fn characters<'de, D: Deserializer<'de>>(source: D) -> Result<Option<Price>, D::Error> {
    of_kind(source, (Kind::Characters, "30 USD per 1M characters"))
}

impl<'de> Deserialize<'de> for Tariff {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Tariff;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a price, or a table of prices")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Tariff, E> {
                let price: Price = text.parse().map_err(E::custom)?;
                let only = Some(price);
                match price.kind {
                    Kind::Sound => Ok(Tariff { audio: only, ..Tariff::default() }),
                    Kind::Characters => Ok(Tariff { characters: only, ..Tariff::default() }),
                    Kind::Tokens => Err(E::custom(TOKENS_APART)),
                }
            }

            fn visit_map<A: de::MapAccess<'de>>(self, table: A) -> Result<Tariff, A::Error> {
                Tariff::deserialize(de::value::MapAccessDeserializer::new(table))
            }
        }
        source.deserialize_any(Visitor)
    }
}

/// A price may stand alone, too.
fn or_alone(schema: &mut Schema) {
    let table = std::mem::take(schema);
    *schema = json_schema!({ "anyOf": [{ "type": "string", "pattern": PATTERN }, table] });
}

impl JsonSchema for Price {
    fn schema_name() -> Cow<'static, str> {
        "Price".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": PATTERN
        })
    }
}

/// What a price looks like.
const PATTERN: &str = "^[0-9]+(\\.[0-9]{1,6})? [A-Z]{3}(/| per )(s|second|min|minute|h|hour|([0-9]+[kKM]? )?(tokens?|characters?))$";

/// What is said of a price of tokens that stands alone.
const TOKENS_APART: &str = "tokens that are read and written have prices of their own: write it like \
    { input = \"0.15 USD per 1M tokens\", output = \"0.60 USD per 1M tokens\" }";

/// A billionth is the smallest amount.
const BILLION: u128 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_read_as_vendors_publish_them() {
        let cost = |price: &str, count| {
            let cost = price.parse::<Price>().expect(price).of(count);
            format!("{} {}", cost.amount(), cost.currency)
        };
        assert_eq!(cost("0.15 USD/1M tokens", 100), "0.000015 USD");
        assert_eq!(cost("0.075 USD/1M tokens", 7), "0.000000525 USD");
        assert_eq!(cost("0.0077 USD/min", 90_000), "0.01155 USD");
        assert_eq!(cost("0.46 EUR/h", 1_000), "0.000127778 EUR");
        assert_eq!(cost("30 USD/1M characters", 1_000_000), "30.00 USD");
        assert_eq!(cost("0.3 USD/1k characters", 10), "0.003 USD");
        assert_eq!(cost("1 USD/token", 3), "3.00 USD");
        assert_eq!(cost("0.0077 USD per minute", 90_000), "0.01155 USD");
        assert_eq!(cost("0.15 USD per 1M tokens", 100), "0.000015 USD");
        let dear = "1000000000 USD/token".parse::<Price>();
        assert!(dear.is_err() || dear.is_ok_and(|it| it.of(u64::MAX).billionths > 0));
        for wrong in [
            "",
            "/",
            "0.15",
            "0.15 USD",
            "0.15 USD/",
            "0.15 USD/1M",
            "0.15 USD/0 tokens",
            "x USD/min",
            "0.15 USD/1M words",
            "0.15 usd/min",
            "-1 USD/min",
            "1 USD/99999999999M tokens",
            "1 USD/M tokens",
            "1 USD per",
            "1 USD per day",
            "1 USDper minute",
        ] {
            assert!(wrong.parse::<Price>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_model_goes_before_all_and_what_was_read_before_costs_what_reading_does() {
        let read = |text: &str| text.parse::<Price>().ok();
        let all = Tariff {
            input: read("1 USD/1M tokens"),
            output: read("4 USD/1M tokens"),
            ..Tariff::default()
        };
        let mini = Tariff { input: read("0.1 USD/1M tokens"), ..Tariff::default() };
        let mut prices = Prices::default();
        prices.know("openai", all, &BTreeMap::from([("mini".to_owned(), mini)]));
        prices.know("free", Tariff::default(), &BTreeMap::new());
        assert_eq!(prices.price("openai", Some("mini"), Unit::InputTokens), mini.input);
        assert_eq!(prices.price("openai", Some("mini"), Unit::CachedTokens), mini.input);
        assert_eq!(prices.price("openai", Some("mini"), Unit::OutputTokens), all.output);
        assert_eq!(prices.price("openai", None, Unit::CachedTokens), all.input);
        assert_eq!(prices.price("openai", None, Unit::Characters), None);
        assert_eq!(prices.price("free", None, Unit::InputTokens), None);
    }

    #[test]
    fn a_cost_is_read_as_it_is_written() {
        let usd = "USD".parse().expect("a currency");
        for billionths in [0, 1, 525, 1_000_000_000, 30_000_000_001, u128::from(u64::MAX)] {
            let cost = Cost { billionths, currency: usd };
            assert_eq!(format!("{} USD", cost.amount()).parse(), Ok(cost));
        }
        for wrong in
            ["", "1", "1 USD", "1. USD", ".1 USD", "-0.1 USD", "0.1 usd", "0.1234567890 USD"]
        {
            assert!(wrong.parse::<Cost>().is_err(), "{wrong}");
        }
        let huge = format!("{}.00 USD", u128::MAX);
        assert!(huge.parse::<Cost>().is_err());
    }
}
