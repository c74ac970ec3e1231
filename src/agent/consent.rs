//! What a caller must know or do before a call is recorded.

use schemars::JsonSchema;
use serde::Deserialize;

/// What a caller must know or do before a call is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RecordConsent {
    /// Nothing: whoever wrote the settings has seen to it.
    #[default]
    None,
    /// It is told before anything else.
    Announce,
    /// It is asked, and nothing is kept before it pressed 1.
    Dtmf,
}
