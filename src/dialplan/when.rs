//! When a route holds: within opening hours, outside of them, or on a condition.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::base::condition::{Condition, ConditionError};
use crate::base::units;

/// When a route holds.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
#[schemars(with = "String")]
pub enum When {
    /// `hours.office`, or `!hours.office` for the time outside of them.
    Hours {
        /// The name of the hours.
        name: String,
        /// Whether they must be open.
        open: bool,
    },
    /// A condition in CEL, which may name hours too: `hours.office && caller.startsWith("+49")`.
    If(Condition),
}

/// Why a text is neither.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is neither \"hours.NAME\" or \"!hours.NAME\" nor a condition such as \
     caller.startsWith(\"+49\"): {why}"
)]
pub struct NotAWhen {
    text: String,
    why: ConditionError,
}

impl When {
    /// The names of the hours that it asks.
    pub fn hours(&self) -> Vec<String> {
        match self {
            Self::Hours { name, .. } => vec![name.clone()],
            Self::If(condition) => {
                let names = condition.names();
                let hours = names.iter().filter_map(|name| name.strip_prefix("hours."));
                hours.map(|name| name.split('.').next().unwrap_or(name).to_owned()).collect()
            }
        }
    }
}

impl FromStr for When {
    type Err = NotAWhen;

    fn from_str(text: &str) -> Result<Self, NotAWhen> {
        let open = !text.starts_with('!');
        let name = text.strip_prefix('!').unwrap_or(text).trim_start().strip_prefix("hours.");
        let is_name = |name: &&str| {
            let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
            !name.is_empty() && name.bytes().all(is_letter)
        };
        match name.filter(is_name) {
            Some(name) => Ok(Self::Hours { name: name.to_owned(), open }),
            None => Condition::read(text)
                .map(Self::If)
                .map_err(|why| NotAWhen { text: text.to_owned(), why }),
        }
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hours { name, open } => write!(f, "{}hours.{name}", if *open { "" } else { "!" }),
            Self::If(condition) => condition.fmt(f),
        }
    }
}

impl<'de> Deserialize<'de> for When {
    fn deserialize<D: serde::Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        units::parsed(source)
    }
}

/// What a condition of a route may name, beside hours.
pub const NAMES: [&str; 8] =
    ["called", "caller", "trunk", "context", "tenant", "attestation", "anonymous", "sip.header"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_and_a_condition_are_written_as_they_were_read() {
        for text in ["hours.office", "!hours.after-hours", "hours.a && caller == \"+49\""] {
            assert_eq!(text.parse::<When>().map(|when| when.to_string()), Ok(text.to_owned()));
        }
        for text in ["", "hours.", "caller ==", "hours.office &&"] {
            assert!(text.parse::<When>().is_err(), "{text}");
        }
    }

    #[test]
    fn hours_are_found_in_conditions_too() {
        let hours = |text: &str| text.parse::<When>().map(|when| when.hours());
        assert_eq!(hours("!hours.office"), Ok(vec!["office".to_owned()]));
        let both = vec!["lunch".to_owned(), "office".to_owned()];
        assert_eq!(hours("hours.office && !hours.lunch && anonymous"), Ok(both));
    }
}
