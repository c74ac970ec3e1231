//! Checks of how agents say that they are an AI.

use crate::agent::assistant::Assistant;
use crate::agent::disclosure::{Disclosure, says_so};
use crate::config::diagnostic::Diagnostic;
use crate::config::subject::Subject;

/// Checks each agent.
pub fn disclosures(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let each = subject.agents.iter();
    each.flat_map(|(name, agent)| disclosure(subject, name, agent)).collect()
}

fn disclosure(subject: &Subject<'_>, name: &str, agent: &Assistant) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let path = format!("agents.{name}.disclosure");
    let reason = format!("agents.{name}.disclosure_reason");
    // Who writes nothing is as the server has it.
    let is_off = agent.disclosure == Disclosure::None;
    let has_reason = agent.disclosure_reason.as_ref().is_some_and(|it| !it.trim().is_empty());
    if is_off && !has_reason {
        found.push(
            Diagnostic::error("disclosure.reason", "callers would not learn that an AI speaks")
                .at(subject.place(&path), "without a reason")
                .help("add disclosure_reason = \"…\": it stands in the record of each call"),
        );
    }
    if agent.disclosure_reason.is_some() && !is_off {
        found.push(
            Diagnostic::warning("disclosure.reason", "this reason is for nothing")
                .at(subject.place(&reason), "it is said that an AI speaks")
                .help("leave it out, or add disclosure = \"none\""),
        );
    }
    let Some(words) = agent.disclosure.words() else { return found };
    if words.contains("{{") || words.contains("{%") {
        found.push(
            Diagnostic::error("disclosure.words", "these words are said as they stand")
                .at(subject.place(&path), "no template")
                .help("write them out; `first_message` may have templates"),
        );
    } else if !says_so(words) {
        found.push(
            Diagnostic::warning("disclosure.words", "nobody learns from this that an AI speaks")
                .at(subject.place(&path), "neither AI nor KI")
                .help("write such as \"You are speaking with an AI.\""),
        );
    }
    found
}
