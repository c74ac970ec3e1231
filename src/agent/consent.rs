//! What a caller must know or do before a call is recorded, and who asks it.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::agent::assistant::Assistant;
use crate::agent::intents::tongue::Tongue;
use crate::agent::introduction::{self, Question};

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

/// The agent that asks callers of another one, by the name of that.
pub fn asker(agent: &str) -> String {
    format!("consent:{agent}")
}

/// That agent: it speaks as `base` does, asks, and understands yes and no.
pub fn of(base: &Assistant) -> Assistant {
    let asker = introduction::asking(base, &words(Tongue::of(&base.spoken_language())));
    // What it asks is told with the words for it.
    Assistant { first_message: Some(base.notice()), ..asker }
}

/// How it is asked once more, what means yes and no besides the usual words, and what is said to a
/// no.
fn words(tongue: Tongue) -> Question {
    match tongue {
        Tongue::English => Question {
            asks: "Please say yes or no, or press one for yes and two for no.",
            yes: "(go ahead|that is fine|that's fine|fine|i agree|i do|you may|record it)",
            no: "(i do not|i don't|don't record|do not record|rather not|i disagree|not recorded)",
            thanks: "All right, this call is not recorded.",
        },
        Tongue::German => Question {
            asks: "Bitte sagen Sie ja oder nein, oder drücken Sie die eins für ja, die zwei für \
                   nein.",
            yes: "(einverstanden|ich bin einverstanden|gerne|in ordnung|geht klar|dürfen sie)",
            no: "(nicht einverstanden|ich bin nicht einverstanden|lieber nicht|nicht aufzeichnen|\
                 nicht aufnehmen|möchte ich nicht|ich möchte das nicht|auf keinen fall)",
            thanks: "In Ordnung, dieses Gespräch wird nicht aufgezeichnet.",
        },
    }
}
