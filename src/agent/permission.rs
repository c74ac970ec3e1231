//! Permission: who asks a caller whether the call may be recorded, before anything else. A menu with
//! two choices, as an introduction is.

use crate::agent::assistant::Assistant;
use crate::agent::intents::tongue::Tongue;
use crate::agent::introduction::{self, Question};

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
