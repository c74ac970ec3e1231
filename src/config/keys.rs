//! By which ways keys of the telephone are heard, as it stands in `[rtp]` and in trunks.

use schemars::JsonSchema;
use serde::Deserialize;

/// One way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum KeyWay {
    /// Telephone events.
    Rfc4733,
    /// INFO, by the signalling.
    Info,
    /// Tones among the voice.
    Inband,
}
