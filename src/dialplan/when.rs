//! When a route holds: within opening hours, or outside of them.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

use crate::base::units;

/// When a route holds: `hours.office`, or `!hours.office` for the time outside of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct When {
    /// The name of the hours.
    pub hours: String,
    /// Whether they must be open.
    pub open: bool,
}

/// Why a text is no time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no time: write \"hours.NAME\", or \"!hours.NAME\" for the time outside of them")]
pub struct NotAWhen(String);

impl FromStr for When {
    type Err = NotAWhen;

    fn from_str(text: &str) -> Result<Self, NotAWhen> {
        let open = !text.starts_with('!');
        let name = text.strip_prefix('!').unwrap_or(text).trim_start().strip_prefix("hours.");
        let name = name.filter(|name| !name.is_empty()).ok_or_else(|| NotAWhen(text.to_owned()))?;
        Ok(Self { hours: name.to_owned(), open })
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}hours.{}", if self.open { "" } else { "!" }, self.hours)
    }
}

impl<'de> Deserialize<'de> for When {
    fn deserialize<D: serde::Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        units::parsed(source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_as_it_was_read() {
        for text in ["hours.office", "!hours.office"] {
            assert_eq!(text.parse::<When>().map(|when| when.to_string()), Ok(text.to_owned()));
        }
        for text in ["", "office", "hours.", "!office", "hours"] {
            assert!(text.parse::<When>().is_err(), "{text}");
        }
    }
}
