//! Destinations: the one grammar for where a call can go, used by routes, transfers and `else`.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

use super::number::Number;

/// Where a call can go.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Destination {
    /// `agent:reception`: an agent speaks.
    Agent(String),
    /// `sip:sales@pbx.example.com`: another SIP address.
    Sip(String),
    /// `tel:+4971112340`: a telephone number.
    Tel(Number),
    /// `reject` or `reject:603`: a final answer without a word.
    Reject(u16),
    /// `busy`: 486.
    Busy,
    /// `hangup` or `hangup:404`.
    HangUp(u16),
}

/// Why a text is not a destination.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotADestination {
    /// The part before the colon is not known.
    #[error(
        "`{0}` is not a kind of destination: there are agent:, sip:, tel:, reject, busy and hangup"
    )]
    Kind(String),
    /// The part after the colon does not fit.
    #[error("{0}")]
    Value(String),
}

impl FromStr for Destination {
    type Err = NotADestination;

    fn from_str(text: &str) -> Result<Self, NotADestination> {
        let (kind, value) = text.split_once(':').unwrap_or((text, ""));
        let status = |default: u16| match value {
            "" => Ok(default),
            digits => {
                digits.parse().ok().filter(|status| (400..=699).contains(status)).ok_or_else(|| {
                    NotADestination::Value(format!(
                        "`{digits}` is not a SIP status from 400 to 699"
                    ))
                })
            }
        };
        match kind {
            "agent" | "assistant" if !value.is_empty() => Ok(Self::Agent(value.to_owned())),
            "sip" | "sips" if !value.is_empty() => Ok(Self::Sip(text.to_owned())),
            "tel" => value
                .parse()
                .map(Self::Tel)
                .map_err(|why| NotADestination::Value(format!("`{value}` is {why}"))),
            "reject" => status(603).map(Self::Reject),
            "hangup" => status(480).map(Self::HangUp),
            "busy" if value.is_empty() => Ok(Self::Busy),
            _ => Err(NotADestination::Kind(text.to_owned())),
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Agent(name) => write!(f, "agent:{name}"),
            Self::Sip(uri) => f.write_str(uri),
            Self::Tel(number) => write!(f, "tel:{number}"),
            Self::Reject(status) => write!(f, "reject:{status}"),
            Self::Busy => f.write_str("busy"),
            Self::HangUp(status) => write!(f, "hangup:{status}"),
        }
    }
}

impl<'de> Deserialize<'de> for Destination {
    fn deserialize<D: serde::Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        String::deserialize(source)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_reads_and_writes_the_same() {
        for text in [
            "agent:reception",
            "sip:sales@pbx.example.com",
            "tel:+4971112340",
            "reject:603",
            "busy",
            "hangup:404",
        ] {
            let destination: Destination = text.parse().expect(text);
            assert_eq!(destination.to_string(), text);
        }
        for wrong in ["agent:", "queue:x", "reject:200", "tel:0711", "busy:1", ""] {
            assert!(wrong.parse::<Destination>().is_err(), "{wrong}");
        }
    }
}
