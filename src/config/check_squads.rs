//! Checks of squads: agents that are there, and ways among them that somebody can go.

use std::collections::BTreeSet;

use crate::agent::squad::{Carry, Squad};
use crate::agent::tool::names;
use crate::config::diagnostic::{Diagnostic, did_you_mean};
use crate::config::source::Span;
use crate::config::subject::Subject;

/// Checks every squad.
pub fn squads(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (name, squad) in subject.squads {
        let check = Check { subject, squad, name, path: format!("squads.{name}") };
        found.extend(check.names());
        found.extend(check.unreachable());
        found.extend(check.actions());
    }
    found
}

struct Check<'a> {
    subject: &'a Subject<'a>,
    squad: &'a Squad,
    name: &'a str,
    path: String,
}

impl Check<'_> {
    /// Names of agents that are there, and of members.
    fn names(&self) -> Vec<Diagnostic> {
        let (squad, mut found) = (self.squad, Vec::new());
        let agents: Vec<&str> = self.subject.agents.keys().map(String::as_str).collect();
        let members: Vec<&str> = squad.members.iter().map(String::as_str).collect();
        for (at, member) in squad.members.iter().enumerate() {
            let place = self.subject.element(&format!("{}.members", self.path), at);
            if !agents.contains(&member.as_str()) && !self.subject.faulty.contains(member) {
                let message = format!("there is no agent `{member}`");
                found.push(unknown(message, place, (member, &agents)));
            } else if members.iter().position(|it| it == member) != Some(at) {
                let message = format!("`{member}` is twice in squad `{}`", self.name);
                found.push(
                    Diagnostic::error("squad.duplicate_member", message).at(place, "again here"),
                );
            }
        }
        let ways = squad.handoff.iter().enumerate().flat_map(|(at, way)| {
            let path = |key: &str| format!("handoff[{at}].{key}");
            [(path("from"), &way.from), (path("to"), &way.to)]
        });
        for (key, name) in [("start".to_owned(), &squad.start)].into_iter().chain(ways) {
            if !members.contains(&name.as_str()) {
                let message = format!("`{name}` is no member of squad `{}`", self.name);
                found.push(unknown(message, self.place(&key), (name, &members)));
            }
        }
        found.extend(self.ways());
        found
    }

    /// Ways that lead somewhere else, once, and with words for the model.
    fn ways(&self) -> Vec<Diagnostic> {
        let (mut seen, mut found) = (BTreeSet::new(), Vec::new());
        for (at, way) in self.squad.handoff.iter().enumerate() {
            let path = format!("handoff[{at}]");
            let to = self.place(&format!("{path}.to"));
            if way.from == way.to {
                let message = format!("`{}` hands the caller over to itself", way.from);
                found.push(Diagnostic::error("squad.self_handoff", message).at(to, "the same"));
            } else if !seen.insert((&way.from, &way.to)) {
                let message = format!("`{}` hands over to `{}` twice", way.from, way.to);
                let help = "put both reasons into one `when`";
                let twice = Diagnostic::error("squad.duplicate_handoff", message);
                found.push(twice.at(to, "again here").help(help));
            }
            if way.extract.contains_key("to") {
                let place = self.place(&format!("{path}.extract.to"));
                let message = "`to` says who takes over and cannot be extracted";
                found.push(
                    Diagnostic::error("squad.extract", message).at(place, "choose another name"),
                );
            }
            if way.context == Carry::Summary && self.thinks_by_rules(&way.from) {
                let place = self.place(&format!("{path}.context"));
                let message = format!("`{}` thinks by rules and cannot sum up", way.from);
                found.push(
                    Diagnostic::warning("squad.summary_by_rules", message)
                        .at(place, "all of the conversation goes along instead")
                        .help("write context = \"all\", or \"last:N\""),
                );
            }
        }
        found
    }

    /// Members whom no way reaches from the start.
    fn unreachable(&self) -> Vec<Diagnostic> {
        let mut reached = BTreeSet::from([self.squad.start.as_str()]);
        for _ in &self.squad.members {
            for way in &self.squad.handoff {
                if reached.contains(way.from.as_str()) {
                    reached.insert(&way.to);
                }
            }
        }
        let lost = self.squad.members.iter().enumerate();
        let lost = lost.filter(|(_, member)| !reached.contains(member.as_str()));
        lost.map(|(at, member)| {
            let place = self.subject.element(&format!("{}.members", self.path), at);
            let message = format!("nobody in squad `{}` hands over to `{member}`", self.name);
            Diagnostic::error("squad.unreachable_member", message)
                .at(place, "never has the caller")
                .help(format!("add [[squads.{}.handoff]] with to = \"{member}\"", self.name))
        })
        .collect()
    }

    /// Rules that hand over to whom there is no way.
    fn actions(&self) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        for member in &self.squad.members {
            let Some(agent) = self.subject.agents.get(member) else { continue };
            for (at, intent) in agent.intents.iter().enumerate() {
                let to = intent.action.as_deref().and_then(|it| it.split_once(':'));
                let Some((names::HAND_OVER, to)) = to else { continue };
                let ways: Vec<&str> = self.squad.ways_of(member).map(|it| it.to.as_str()).collect();
                if !ways.contains(&to) {
                    let message =
                        format!("`{member}` has no way to `{to}` in squad `{}`", self.name);
                    let place = format!("agents.{member}.intents[{at}].action");
                    found.push(unknown(message, self.subject.place(&place), (to, &ways)));
                }
            }
        }
        found
    }

    fn thinks_by_rules(&self, member: &str) -> bool {
        let agent = self.subject.agents.get(member);
        agent.is_some_and(|agent| self.subject.server.thinker(agent).is_none_or(|it| it == "rules"))
    }

    fn place(&self, key: &str) -> Option<Span> {
        self.subject.place(&format!("{}.{key}", self.path))
    }
}

fn unknown(message: String, place: Option<Span>, (name, known): (&str, &[&str])) -> Diagnostic {
    let label = match did_you_mean(name, known.iter().copied()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => "not known here".to_owned(),
    };
    let diagnostic = Diagnostic::error("squad.unknown_member", message).at(place, label);
    if known.is_empty() {
        diagnostic
    } else {
        diagnostic.help(format!("known: {}", known.join(", ")))
    }
}
