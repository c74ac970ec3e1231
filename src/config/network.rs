//! Values of the settings that are about the network: port ranges.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;

/// The ports for RTP: `20000-20999`. Calls take pairs: an even port for RTP, the next for RTCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, JsonSchema)]
#[schemars(with = "String", extend("pattern" = r"[0-9]+ *- *[0-9]+"))]
pub struct PortRange {
    /// The first port.
    pub first: u16,
    /// The last port.
    pub last: u16,
}

/// Why a text is not one of these: one sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotNetwork(String);

impl PortRange {
    /// How many calls have room: two ports a call.
    pub fn calls(&self) -> u32 {
        let first = u32::from(self.first) + u32::from(self.first % 2);
        (u32::from(self.last) + 1).saturating_sub(first) / 2
    }

    /// Whether `port` is one of them.
    pub fn contains(&self, port: u16) -> bool {
        (self.first..=self.last).contains(&port)
    }
}

impl FromStr for PortRange {
    type Err = NotNetwork;

    fn from_str(text: &str) -> Result<Self, NotNetwork> {
        let ports = text.split_once('-').and_then(|(first, last)| {
            Some(Self { first: first.trim().parse().ok()?, last: last.trim().parse().ok()? })
        });
        ports.filter(|ports| 0 < ports.first && ports.first < ports.last).ok_or_else(|| {
            NotNetwork(format!(
                "`{text}` is not a range of ports: write two numbers up to 65535, the smaller \
                 first, such as \"20000-20999\""
            ))
        })
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_range_has_room_for_half_as_many_calls() {
        let calls = |text: &str| text.parse::<PortRange>().expect(text).calls();
        assert_eq!(calls("20000-20999"), 500);
        assert_eq!(calls("20001-20004"), 1);
        assert_eq!(calls("65534-65535"), 1);
        for wrong in ["20000", "2-1", "0-9", "1-65536", "a-b", "5-5"] {
            assert!(wrong.parse::<PortRange>().is_err(), "{wrong}");
        }
    }
}
