//! SRTP, as it stands in `[rtp]` and in trunks.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de};

use crate::base::master_key::Suite;

/// Whether the packets of calls are hidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Srtp {
    /// Never.
    Off,
    /// When the peer can, over TLS.
    #[default]
    Optional,
    /// Always: who cannot is refused.
    Required,
}

/// The suites that are taken when nobody says which: all but the one with the short tag.
pub fn usual() -> Vec<Suite> {
    Suite::ALL.into_iter().filter(|suite| *suite != Suite::Aes128Sha32).collect()
}

/// Suites by their names in RFC 4568, RFC 6188 and RFC 7714.
pub fn suites<'de, D: Deserializer<'de>>(source: D) -> Result<Vec<Suite>, D::Error> {
    let names = Vec::<String>::deserialize(source)?;
    let suite = |name: &String| {
        Suite::of_name(name).ok_or_else(|| {
            let known: Vec<_> = Suite::ALL.iter().map(|suite| suite.name()).collect();
            de::Error::custom(format!("`{name}` is none of {}", known.join(", ")))
        })
    };
    names.iter().map(suite).collect()
}
