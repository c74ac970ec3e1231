//! Checks of flows: nodes that are there and can be reached, ways out, and variables that somebody
//! sets.

use std::collections::BTreeSet;

use crate::agent::intents::slot::{Kind as Type, NAMES};
use crate::agent::tools::builtin::Builtin;
use crate::base::template;
use crate::config::check_routes::{unknown_agent, unknown_destination};
use crate::config::diagnostic::{Diagnostic, did_you_mean};
use crate::config::source::Span;
use crate::config::subject::Subject;
use crate::dialplan::flow::{Flow, Kind, Node, type_name};

/// Checks every flow.
pub fn flows(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (name, flow) in subject.flows {
        let check = Check { subject, flow, path: format!("flows.{name}") };
        found.extend(unknown_agent(subject, &flow.agent, &format!("{}.agent", check.path)));
        found.extend(check.ways());
        found.extend(check.unreachable());
        found.extend(check.no_exit());
        found.extend(check.variables());
        for (id, node) in &flow.nodes {
            found.extend(check.node(id, node));
        }
    }
    found
}

struct Check<'a> {
    subject: &'a Subject<'a>,
    flow: &'a Flow,
    path: String,
}

impl Check<'_> {
    /// Names of nodes that are there.
    fn ways(&self) -> Vec<Diagnostic> {
        let named = self.flow.nodes.iter().flat_map(|(id, node)| {
            let leads = node.leads().into_iter();
            leads.map(move |(key, to)| (format!("nodes.{id}.{key}"), to))
        });
        let start = [("start".to_owned(), self.flow.start.as_str())];
        let mut found = Vec::new();
        for (key, to) in start.into_iter().chain(named) {
            if self.flow.nodes.contains_key(to) {
                continue;
            }
            let known = self.flow.nodes.keys().map(String::as_str);
            let label = match did_you_mean(to, known) {
                Some(name) => format!("did you mean `{name}`?"),
                None => "not defined".to_owned(),
            };
            let message = format!("there is no node `{to}`");
            found.push(Diagnostic::error("flow.unknown_node", message).at(self.place(&key), label));
        }
        found
    }

    /// Where a call can come to from the start.
    fn reached(&self) -> BTreeSet<&str> {
        let mut reached = BTreeSet::new();
        let mut next = vec![self.flow.start.as_str()];
        while let Some(id) = next.pop() {
            if let Some(node) = self.flow.nodes.get(id).filter(|_| reached.insert(id)) {
                next.extend(node.leads().into_iter().map(|(_, to)| to));
            }
        }
        reached
    }

    fn unreachable(&self) -> Vec<Diagnostic> {
        let reached = self.reached();
        let lost = self.flow.nodes.keys().filter(|id| !reached.contains(id.as_str()));
        lost.map(|id| {
            Diagnostic::warning("flow.unreachable_node", format!("nothing leads to node `{id}`"))
                .at(self.key(&format!("nodes.{id}")), "never reached from the start")
        })
        .collect()
    }

    /// Nodes from which the flow never comes to an end.
    fn no_exit(&self) -> Vec<Diagnostic> {
        let mut ends: BTreeSet<&str> = BTreeSet::new();
        for _ in 0..=self.flow.nodes.len() {
            for (id, node) in &self.flow.nodes {
                let leads_there = node.leads().iter().any(|(_, to)| ends.contains(to));
                if node.is_last() || leads_there {
                    ends.insert(id);
                }
            }
        }
        let stuck = self.reached().into_iter().filter(|id| self.flow.nodes.contains_key(*id));
        stuck
            .filter(|id| !ends.contains(id))
            .map(|id| {
                let message = format!("from node `{id}` the flow never ends");
                Diagnostic::error("flow.no_exit", message)
                    .at(self.key(&format!("nodes.{id}")), "no way leads to an end or a transfer")
                    .help("add a node with type = \"end\"")
            })
            .collect()
    }

    /// Variables that no node sets.
    fn variables(&self) -> Vec<Diagnostic> {
        let set: BTreeSet<&str> = self.flow.nodes.values().flat_map(Node::gives).collect();
        let mut found = Vec::new();
        for (id, node) in &self.flow.nodes {
            let texts = node.texts().into_iter();
            let texts = texts.filter_map(|(key, text)| Some((key, template::names(text).ok()?)));
            let conditions = node.next.iter().enumerate().filter_map(|(at, way)| {
                Some((format!("next[{at}].when"), way.when.as_ref()?.names()))
            });
            for (key, names) in texts.chain(conditions) {
                let of_flow = names.iter().filter_map(|name| name.strip_prefix("vars."));
                let first = of_flow.map(|name| name.split('.').next().unwrap_or_default());
                for name in first.filter(|name| !set.contains(name)) {
                    let label = match did_you_mean(name, set.iter().copied()) {
                        Some(name) => format!("did you mean `vars.{name}`?"),
                        None => "always empty".to_owned(),
                    };
                    let message = format!("no node of the flow sets `vars.{name}`");
                    let place = self.place(&format!("nodes.{id}.{key}"));
                    found
                        .push(Diagnostic::warning("flow.unset_variable", message).at(place, label));
                }
            }
        }
        found
    }

    fn node(&self, id: &str, node: &Node) -> Vec<Diagnostic> {
        let at = |key: &str| self.place(&format!("nodes.{id}.{key}"));
        let mut found = self.keys(id, node);
        found.extend(self.needs(id, node));
        for (name, kind) in &node.collect {
            if Type::parse(type_name(kind)).is_none() {
                let message = format!("`{kind}` is not a type");
                let types = NAMES.join(", ");
                found.push(
                    Diagnostic::error("flow.type", message)
                        .at(at(&format!("collect.{name}")), "not known")
                        .help(format!("types: {types}, boolean, integer, or a list of values")),
                );
            }
        }
        for (key, text) in node.texts() {
            if let Err(why) = template::names(text) {
                found.push(
                    Diagnostic::error("template.syntax", format!("`{key}` is not a template"))
                        .at(at(&key), why.to_string()),
                );
            }
        }
        found.extend(node.tool.iter().filter_map(|tool| self.unknown_tool(id, tool)));
        if let Some(to) = &node.to {
            let path = format!("{}.nodes.{id}.to", self.path);
            found.extend(unknown_destination(self.subject, to, &path));
        }
        found
    }

    /// Keys that a node of its kind must have.
    fn needs(&self, id: &str, node: &Node) -> Vec<Diagnostic> {
        let own = match node.kind {
            Kind::Say => Some(("text", node.text.is_some())),
            Kind::Ask => Some(("collect", !node.collect.is_empty())),
            Kind::Set => Some(("set", !node.set.is_empty())),
            Kind::Wait => Some(("for", node.time.is_some())),
            Kind::Tool => Some(("tool", node.tool.is_some())),
            Kind::Transfer => Some(("to", node.to.is_some())),
            Kind::Branch | Kind::End => None,
        };
        let own = own.map(|(key, is_there)| (key.to_owned(), is_there));
        let next = ("next".to_owned(), node.is_last() || !node.next.is_empty());
        let asked =
            node.collect.keys().map(|name| (format!("ask.{name}"), node.ask.contains_key(name)));
        let missing = own.into_iter().chain([next]).chain(asked).filter(|(_, is_there)| !is_there);
        let told = |(key, _): (String, bool)| {
            Diagnostic::error("flow.missing", format!("node `{id}` needs `{key}`"))
                .at(self.key(&format!("nodes.{id}")), "in this table")
        };
        missing.map(told).collect()
    }

    fn unknown_tool(&self, id: &str, tool: &str) -> Option<Diagnostic> {
        let subject = self.subject;
        // Keys are asked for by agents alone; a flow has nodes for that.
        let is_builtin = Builtin::named(tool).is_some_and(|it| it != Builtin::CollectDigits);
        let is_known =
            is_builtin || subject.tools.contains_key(tool) || subject.faulty_tools.contains(tool);
        let mut known: Vec<&str> = subject.tools.keys().map(String::as_str).collect();
        Builtin::ALL.into_iter().for_each(|builtin| known.push(builtin.name()));
        let label = match did_you_mean(tool, known) {
            Some(name) => format!("did you mean `{name}`?"),
            None => "not defined".to_owned(),
        };
        let told = Diagnostic::error("ref.unknown", format!("there is no tool `{tool}`"))
            .at(self.place(&format!("nodes.{id}.tool")), label)
            .help(format!("write [tools.{tool}]"));
        (!is_known).then_some(told)
    }

    /// Keys that a node of its kind does not have.
    fn keys(&self, id: &str, node: &Node) -> Vec<Diagnostic> {
        let known = node.kind.keys();
        let all = ["text", "collect", "ask", "confirm", "tries", "set", "for", "to", "say", "next"];
        let more = ["failed", "else", "tool", "args", "save", "error"];
        let all = all.into_iter().chain(more).filter(|key| !known.contains(key));
        let wrong = all.filter_map(|key| {
            let span = self.key(&format!("nodes.{id}.{key}"))?;
            let message = format!("node `{id}` has no use for `{key}`");
            Some(
                Diagnostic::error("flow.key", message)
                    .at(Some(span), "not a key of this type")
                    .help(format!("keys of this type: {}", known.join(", "))),
            )
        });
        wrong.collect()
    }

    fn place(&self, key: &str) -> Option<Span> {
        self.subject.place(&format!("{}.{key}", self.path))
    }

    fn key(&self, key: &str) -> Option<Span> {
        self.subject.key(&format!("{}.{key}", self.path))
    }
}
