//! Checks of what is found out when a call is over: somebody who reads, and a tool that is there.

use crate::agent::assistant::Assistant;
use crate::config::check_tools;
use crate::config::diagnostic::{Diagnostic, did_you_mean};
use crate::config::dialect;
use crate::config::subject::Subject;

/// Checks what an agent leaves to be found out.
pub fn after(subject: &Subject<'_>, name: &str, agent: &Assistant) -> Vec<Diagnostic> {
    let (after, path) = (&agent.after, format!("agents.{name}.after"));
    let mut found = Vec::new();
    let table = format!("{path}.extract");
    for (name, wanted) in &after.extract {
        found.extend(check_tools::parameter(subject, (&table, name), wanted));
    }
    if after.is_wanted() && subject.server.thinker(agent).is_none_or(|name| name == "rules") {
        found.push(
            Diagnostic::error("after.no_model", "only a language model can read a call")
                .at(subject.key(&path), format!("agent `{name}` thinks by rules"))
                .help("give the agent an `llm`"),
        );
    }
    let known = |tool: &String| {
        subject.tools.contains_key(tool) || subject.faulty_tools.contains(tool.as_str())
    };
    if agent.memory.calls > 0 && !after.summary {
        found.push(
            Diagnostic::error("memory.no_summary", "there is nothing to be remembered")
                .at(subject.key(&format!("agents.{name}.memory")), "calls are not put in short")
                .help(format!("add summary = true to [agents.{name}.after]")),
        );
    }
    if let Some(tool) = after.tool.as_ref().filter(|tool| !known(tool)) {
        let label = match did_you_mean(tool, subject.tools.keys().map(String::as_str)) {
            Some(name) => format!("did you mean \"{name}\"?"),
            None => "not known".to_owned(),
        };
        found.push(
            Diagnostic::error("tool.unknown", format!("there is no tool `{tool}`"))
                .at(subject.place(&format!("{path}.tool")), label)
                .help(format!("write [tools.{tool}]")),
        );
    }
    found.extend(intents(subject, (name, agent)));
    found.extend(webhook(subject, (name, agent)));
    found
}

/// Checks that what calls may be about can be told apart.
fn intents(subject: &Subject<'_>, (name, agent): (&str, &Assistant)) -> Option<Diagnostic> {
    let intents = &agent.after.intents;
    let is_wrong = |(place, it): &(usize, &String)| {
        it.trim().is_empty() || intents.iter().take(*place).any(|other| other == *it)
    };
    let (place, wrong) = intents.iter().enumerate().find(is_wrong)?;
    let path = format!("agents.{name}.after.intents");
    let (what, help) = ("what calls are about is told by words that differ", "leave it out");
    Some(
        Diagnostic::error("after.intents", what)
            .at(subject.place(&format!("{path}[{place}]")), format!("\"{wrong}\" here"))
            .help(help),
    )
}

/// Checks that whoever is told of it is there, and ever hears of it.
fn webhook(subject: &Subject<'_>, (name, agent): (&str, &Assistant)) -> Option<Diagnostic> {
    let wanted = agent.after.webhook.as_deref()?;
    let path = format!("agents.{name}.after.webhook");
    let place = subject.place(&path);
    let webhooks = &subject.server.webhooks;
    let Some(webhook) = webhooks.get(wanted) else {
        // Of one with a mistake that was reported already there is nothing to say.
        if subject.key(&format!("webhooks.{wanted}")).is_some() {
            return None;
        }
        let label = match did_you_mean(wanted, webhooks.keys().map(String::as_str)) {
            Some(name) => format!("did you mean \"{name}\"?"),
            None => "not known".to_owned(),
        };
        return Some(
            Diagnostic::error("ref.unknown", format!("there is no webhook `{wanted}`"))
                .at(place, label)
                .help(format!("webhooks stand in the settings, under [webhooks.{wanted}]")),
        );
    };
    if !agent.after.is_wanted() {
        return Some(
            Diagnostic::warning("after.nothing", "nothing is found out that could be told")
                .at(place, format!("`{wanted}` would wait in vain"))
                .help(format!("add summary = true to [agents.{name}.after]")),
        );
    }
    if !dialect::is_told(webhook.format, "call.analyzed") {
        return Some(
            Diagnostic::error("after.dialect", "Vapi has no message of its own for it")
                .at(place, format!("`{wanted}` has format = \"vapi\""))
                .help("add \"call.ended\" to its events: the end-of-call-report has it"),
        );
    }
    None
}
