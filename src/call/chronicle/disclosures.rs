//! What is noted of how a caller learned that it talks with an AI.

use std::time::Instant;

use super::Chronicle;
use crate::agent::disclosure::says_so;
use crate::call::event::Fact;
use crate::call::record::Disclosed;

impl Chronicle {
    /// It is told so before anything else: in these words, or by the greeting itself.
    pub fn will_disclose(&mut self, words: Option<String>) {
        self.record.disclosure = Some(Disclosed { words, ..Disclosed::default() });
    }

    /// It is not told, for this reason.
    pub fn will_not_disclose(&mut self, reason: &str) {
        let none_because = Some(reason.to_owned());
        self.record.disclosure = Some(Disclosed { none_because, ..Disclosed::default() });
    }

    /// The agent was heard to say something: when that was it, for the first time.
    pub fn disclosed(&mut self, now: Instant, heard: &str) -> Option<Fact> {
        let at = self.since(now);
        let disclosure = self.record.disclosure.as_mut()?;
        if disclosure.heard.is_some() || disclosure.none_because.is_some() {
            return None;
        }
        let is_it = match &disclosure.words {
            Some(words) => heard.starts_with(words.as_str()),
            None => says_so(heard),
        };
        is_it.then(|| {
            disclosure.heard = Some(at);
            Fact::Disclosed
        })
    }
}
