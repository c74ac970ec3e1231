//! Codecs by the names that operators write.

use schemars::JsonSchema;
use serde::Deserialize;

/// A codec by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Codec {
    /// G.711 A-law.
    Pcma,
    /// G.711 µ-law.
    Pcmu,
    /// G.722.
    G722,
    /// Opus.
    Opus,
    /// Linear samples at 16 kHz.
    L16,
    /// Linear samples at 8 kHz.
    #[serde(rename = "l16/8000")]
    L16Narrow,
}
