//! Values with units, as the operator writes them: `"300ms"`, `"15m"`. Bare numbers are refused.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de};

/// How often something may happen: `10/s`, `100/m`.
#[derive(Debug, Clone, Copy, PartialEq, JsonSchema)]
#[schemars(with = "String", extend("pattern" = r"[0-9]+ */ *[smh]"))]
pub struct Frequency {
    /// Times in a second.
    pub per_second: f64,
}

/// Why a text is not a rate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a rate: write a number and /s, /m or /h, such as \"10/s\"")]
pub struct NotAFrequency(String);

impl FromStr for Frequency {
    type Err = NotAFrequency;

    fn from_str(text: &str) -> Result<Self, NotAFrequency> {
        let read = || {
            let (times, unit) = text.split_once('/')?;
            let times: u32 = times.trim().parse().ok()?;
            let seconds = match unit.trim() {
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3_600.0,
                _ => return None,
            };
            Some(Self { per_second: f64::from(times) / seconds })
        };
        read().ok_or_else(|| NotAFrequency(text.to_owned()))
    }
}

/// Why a text is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a duration: write a number and one of ms, s, m, h, d, y, such as \"300ms\"")]
pub struct NotADuration;

/// Reads `300ms`, `1.5s`, `15m`, `2h`, `90d`, `2y` (of 365 days).
///
/// # Errors
/// When the number or the unit is missing, or the number is negative or absurd.
pub fn parse_duration(text: &str) -> Result<Duration, NotADuration> {
    let split = text.find(|c: char| c.is_ascii_alphabetic()).ok_or(NotADuration)?;
    let (number, unit) = text.split_at(split);
    let seconds = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3_600.0,
        "d" => 86_400.0,
        "y" => 365.0 * 86_400.0,
        _ => return Err(NotADuration),
    };
    let number: f64 = number.trim_end().parse().map_err(|_| NotADuration)?;
    Duration::try_from_secs_f64(number * seconds)
        .ok()
        .filter(|duration| duration.as_secs() < 100 * 365 * 86_400)
        .map(|duration| Duration::from_micros((duration.as_nanos() as u64 + 500) / 1_000))
        .ok_or(NotADuration)
}

/// For `#[serde(deserialize_with)]`: a duration as a string with its unit.
///
/// # Errors
/// When the value is no such string; a bare number gets a hint.
pub fn duration<'de, D: Deserializer<'de>>(source: D) -> Result<Duration, D::Error> {
    struct Visitor;
    impl de::Visitor<'_> for Visitor {
        type Value = Duration;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a duration with its unit, such as \"300ms\" or \"15m\"")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Duration, E> {
            parse_duration(text).map_err(E::custom)
        }

        fn visit_i64<E: de::Error>(self, number: i64) -> Result<Duration, E> {
            Err(E::custom(format!(
                "a duration needs its unit: did you mean \"{number}ms\" or \"{number}s\"?"
            )))
        }

        fn visit_f64<E: de::Error>(self, number: f64) -> Result<Duration, E> {
            Err(E::custom(format!("a duration needs its unit: did you mean \"{number}s\"?")))
        }
    }
    source.deserialize_any(Visitor)
}

/// The same, for an optional key.
///
/// # Errors
/// As [`duration`].
pub fn optional_duration<'de, D: Deserializer<'de>>(
    source: D,
) -> Result<Option<Duration>, D::Error> {
    #[derive(Deserialize)]
    struct Wrapped(#[serde(deserialize_with = "duration")] Duration);
    Ok(Option::<Wrapped>::deserialize(source)?.map(|wrapped| wrapped.0))
}

/// For `#[serde(deserialize_with)]`: a text that is parsed by its type. What the type refuses is
/// reported at the text itself, also in a list.
///
/// # Errors
/// When the value is no text or does not parse.
pub fn parsed<'de, T, D>(source: D) -> Result<T, D::Error>
where
    T: FromStr<Err: fmt::Display>,
    D: Deserializer<'de>,
{
    struct Visitor<T>(PhantomData<T>);
    impl<T: FromStr<Err: fmt::Display>> de::Visitor<'_> for Visitor<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
            text.parse().map_err(E::custom)
        }
    }
    source.deserialize_str(Visitor(PhantomData))
}

/// The same, for an optional key.
///
/// # Errors
/// As [`parsed`].
pub fn optional_parsed<'de, T, D>(source: D) -> Result<Option<T>, D::Error>
where
    T: FromStr<Err: fmt::Display>,
    D: Deserializer<'de>,
{
    parsed(source).map(Some)
}

/// For `#[serde(deserialize_with)]`: a text, or a list of texts.
///
/// # Errors
/// When the value is neither.
pub fn texts<'de, D: Deserializer<'de>>(source: D) -> Result<Vec<String>, D::Error> {
    struct Visitor;
    impl<'de> de::Visitor<'de> for Visitor {
        type Value = Vec<String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string or a list of strings")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
            Ok(vec![text.to_owned()])
        }

        fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut texts = Vec::new();
            while let Some(text) = list.next_element()? {
                texts.push(text);
            }
            Ok(texts)
        }
    }
    source.deserialize_any(Visitor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_a_unit() {
        assert_eq!(parse_duration("300ms"), Ok(Duration::from_millis(300)));
        assert_eq!(parse_duration("1.5s"), Ok(Duration::from_millis(1_500)));
        assert_eq!(parse_duration("2h"), Ok(Duration::from_secs(7_200)));
        assert_eq!(parse_duration("2y"), Ok(Duration::from_secs(2 * 365 * 86_400)));
        for wrong in ["300", "ms", "-1s", "1 fortnight", "", "NaNs", "1e300s"] {
            assert_eq!(parse_duration(wrong), Err(NotADuration), "{wrong}");
        }
    }

    #[test]
    fn a_rate_needs_its_unit() {
        assert_eq!("120/m".parse(), Ok(Frequency { per_second: 2.0 }));
        for wrong in ["10", "10/d", "-1/s", "/s"] {
            assert!(wrong.parse::<Frequency>().is_err(), "{wrong}");
        }
    }
}
