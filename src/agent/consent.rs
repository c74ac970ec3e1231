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
    /// It is asked before anything else, and says yes or no, or presses 1 or 2. Nothing is kept
    /// before a yes; after a no, or no answer, the call goes on and nothing is kept.
    Voice,
}

impl RecordConsent {
    /// The usual words for it.
    pub(super) fn notice(self, is_german: bool) -> &'static str {
        match (self, is_german) {
            (Self::None | Self::Announce, true) => "Dieses Gespräch wird aufgezeichnet.",
            (Self::None | Self::Announce, false) => "This call is recorded.",
            (Self::Dtmf, true) => {
                "Wenn wir dieses Gespräch aufzeichnen dürfen, drücken Sie bitte die 1."
            }
            (Self::Dtmf, false) => "If we may record this call, please press 1.",
            (Self::Voice, true) => {
                "Dürfen wir dieses Gespräch aufzeichnen? Sagen Sie ja oder nein, oder drücken Sie \
                 die eins für ja, die zwei für nein."
            }
            (Self::Voice, false) => {
                "May we record this call? Say yes or no, or press one for yes and two for no."
            }
        }
    }
}
