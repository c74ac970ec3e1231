//! Checks of who knows that a call is recorded. In many countries that is a crime otherwise; whoever
//! has seen to it in another way says so: `record_consent = "none"`.

use crate::agent::assistant::{Assistant, RecordConsent};
use crate::base::destination::Destination;
use crate::config::diagnostic::Diagnostic;
use crate::config::subject::Subject;

/// Checks every agent that records, and every route that has its agent record.
pub fn recorded(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (name, agent) in subject.agents.iter().filter(|(name, _)| !subject.faulty.contains(*name)) {
        let path = format!("agents.{name}");
        if agent.record && is_unsaid(subject, name, agent) {
            let message = format!("agent `{name}` records its calls, and callers are not told");
            found.push(untold(subject, message, &format!("{path}.record")));
        }
        if agent.record_notice.is_some() && agent.record_consent == RecordConsent::None {
            let place = subject.place(&format!("{path}.record_notice"));
            let message = format!("nobody hears the notice of agent `{name}`");
            found.push(
                Diagnostic::warning("recording.no_consent", message)
                    .at(place, "said only where `record_consent` asks for it")
                    .help("add record_consent = \"announce\", or \"dtmf\" to ask for a key"),
            );
        }
    }
    for (at, route) in subject.plan.routes.iter().enumerate() {
        let agent = route.to.iter().find_map(|to| match to {
            Destination::Agent(name) => Some((name, subject.agents.get(name)?)),
            _ => None,
        });
        let untold_by = agent.filter(|(name, agent)| {
            route.record == Some(true) && !agent.record && is_unsaid(subject, name, agent)
        });
        found.extend(untold_by.map(|(name, _)| {
            let message =
                format!("calls of this route are recorded, and agent `{name}` tells nobody");
            untold(subject, message, &format!("route[{at}].record"))
        }));
    }
    found
}

/// Whether nothing is said of it, neither to callers nor to us.
fn is_unsaid(subject: &Subject<'_>, name: &str, agent: &Assistant) -> bool {
    let path = format!("agents.{name}.record_consent");
    let first = agent.first_message.as_deref().unwrap_or_default().to_lowercase();
    agent.record_consent == RecordConsent::None
        && subject.reading.places.find(&path).is_none()
        && agent.record_notice.is_none()
        && !WORDS.iter().any(|word| first.contains(word))
}

fn untold(subject: &Subject<'_>, message: String, path: &str) -> Diagnostic {
    Diagnostic::warning("recording.no_consent", message)
        .at(subject.place(path), "recorded from here on")
        .help(
            "add record_consent = \"announce\" or \"dtmf\" to the agent, or \"none\" if callers \
             know it already",
        )
}

/// What a first message says that tells of it itself.
const WORDS: [&str; 6] =
    ["record", "aufgezeichnet", "aufzeich", "aufgenommen", "mitschn", "enregistr"];
