//! Callers learn that they talk with an AI, once in a call and before anything else.

use std::sync::Arc;
use std::time::Instant;

use super::Conductor;
use crate::agent::assistant::Assistant;
use crate::agent::disclosure::{Disclosure, says_so};
use crate::agent::event::Note;
use crate::call::briefing::Casting;
use crate::call::event::Output;

impl Conductor {
    /// Lets the first model that talks with the caller say what it is.
    pub(super) fn with_disclosure(&mut self, casting: Arc<Casting>) -> Arc<Casting> {
        let assistant = &casting.assistant;
        if self.chronicle.record().disclosure.is_some() {
            return casting;
        }
        let first = assistant.first_message.as_deref().unwrap_or_default();
        let words = match &assistant.disclosure {
            Disclosure::Usual => return casting,
            Disclosure::None => {
                if let Some(reason) = &assistant.disclosure_reason {
                    self.chronicle.will_not_disclose(reason);
                }
                return casting;
            }
            Disclosure::Words(_) if says_so(first) => {
                self.chronicle.will_disclose(None);
                return casting;
            }
            Disclosure::Words(words) => words.clone(),
        };
        let first_message = Some(format!("{words} {first}").trim_end().to_owned());
        self.chronicle.will_disclose(Some(words));
        let assistant = Arc::new(Assistant { first_message, ..(**assistant).clone() });
        Arc::new(Casting { assistant, ..(*casting).clone() })
    }

    /// Something was said: perhaps that.
    pub(super) fn discloses(&mut self, now: Instant, note: &Note) {
        let Note::AgentSaid { text, .. } = note else { return };
        let fact = self.chronicle.disclosed(now, text);
        self.out.extend(fact.map(Output::Fact));
    }
}
