//! Checks of flows: nodes that are there and can be reached, ways out, and variables that somebody
//! sets.

use std::collections::BTreeSet;

use crate::agent::intents::slot::{Kind as Type, NAMES};
use crate::agent::tool::names;
use crate::agent::tools::builtin::Builtin;
use crate::base::destination::Destination;
use crate::base::template;
use crate::config::check_routes::{unknown_agent, unknown_destination};
use crate::config::check_tools;
use crate::config::check_transfers::{self, Written};
use crate::config::diagnostic::{Diagnostic, did_you_mean};
use crate::config::roles;
use crate::config::source::Span;
use crate::config::subject::Subject;
use crate::dialplan::flow::{Flow, Kind, Node, When, type_name};

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
            let conditions = node.next.iter().enumerate().filter_map(|(at, way)| match &way.when {
                Some(When::Holds(condition)) => {
                    Some((format!("next[{at}].when"), condition.names()))
                }
                Some(When::Judged(_)) | None => None,
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
        for (name, kind) in node.collect.iter() {
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
        // What a web service is asked is looked at as that of a tool.
        for (key, text) in node.texts().into_iter().filter(|(key, _)| key != "url") {
            if let Err(why) = template::names(text) {
                found.push(
                    Diagnostic::error("template.syntax", format!("`{key}` is not a template"))
                        .at(at(&key), why.to_string()),
                );
            }
        }
        if let Some(told) = roles::webhook(node) {
            let path = format!("{}.nodes.{id}", self.path);
            found.extend(check_tools::node(self.subject, (id, path), &told));
        }
        found.extend(self.same_words(id, node));
        found.extend(self.judged(id, node));
        let tools = node.tool.iter().map(|tool| ("tool".to_owned(), tool));
        let more = node.tools.iter().enumerate().map(|(at, it)| (format!("tools[{at}]"), it));
        found.extend(tools.chain(more).filter_map(|(key, tool)| self.unknown_tool(id, &key, tool)));
        if let Some(to) = node.target() {
            let key = if node.to.is_some() { "to" } else { "queue" };
            let path = format!("{}.nodes.{id}.{key}", self.path);
            found.extend(unknown_destination(self.subject, &to, &path));
            let written = Written { to: &to, mode: node.mode, brief: node.brief.as_deref() };
            let table = format!("{}.nodes.{id}", self.path);
            found.extend(check_transfers::all(self.subject, &written, &table));
        }
        found
    }

    /// Keys that a node of its kind must have.
    fn needs(&self, id: &str, node: &Node) -> Vec<Diagnostic> {
        let own = match node.kind {
            Kind::Say | Kind::Menu => Some(("text", node.text.is_some())),
            Kind::Agent => Some(("prompt", node.prompt.is_some())),
            Kind::Record => Some(("recording", node.recording.is_some())),
            Kind::Webhook => Some(("url", node.url.is_some())),
            Kind::Ask => Some(("collect", !node.collect.is_empty())),
            Kind::Set => Some(("set", !node.set.is_empty())),
            Kind::Wait => Some(("for", node.time.is_some())),
            Kind::Tool => Some(("tool", node.tool.is_some())),
            Kind::Queue => Some(("queue", node.queue.is_some())),
            Kind::Transfer | Kind::Handoff | Kind::Voicemail => Some(("to", node.to.is_some())),
            Kind::Branch | Kind::End => None,
        };
        let own = own.map(|(key, is_there)| (key.to_owned(), is_there));
        let next = match node.kind {
            Kind::Agent => ("exits", !node.exits.is_empty()),
            Kind::Menu => ("digits", !node.digits.is_empty()),
            _ => ("next", node.is_last() || !node.next.is_empty()),
        };
        let next = (next.0.to_owned(), next.1);
        let asked =
            node.collect.keys().map(|name| (format!("ask.{name}"), node.ask.contains_key(name)));
        let asked = asked.filter(|_| node.prompt.is_none());
        let missing = own.into_iter().chain([next]).chain(asked).filter(|(_, is_there)| !is_there);
        let told = |(key, _): (String, bool)| {
            Diagnostic::error("flow.missing", format!("node `{id}` needs `{key}`"))
                .at(self.key(&format!("nodes.{id}")), "in this table")
        };
        missing.map(told).collect()
    }

    /// What is said without a look at the variables of the flow.
    fn same_words(&self, id: &str, node: &Node) -> Vec<Diagnostic> {
        let asked = node.ask.iter().map(|(name, text)| (format!("ask.{name}"), text));
        let menu = node.text.iter().filter(|_| node.kind == Kind::Menu);
        let texts = asked.chain(menu.map(|text| ("text".to_owned(), text)));
        let named = texts.filter(|(_, text)| {
            let names = template::names(text).unwrap_or_default();
            names.iter().any(|name| name.contains('.') || node.collect.get(name).is_none())
        });
        named
            .map(|(key, _)| {
                let place = self.place(&format!("nodes.{id}.{key}"));
                Diagnostic::error("flow.template", "a question is the same in every call")
                    .at(place, "names a value of the flow")
                    .help("say the value before it: in `text`, or in a node of type \"say\"")
            })
            .collect()
    }

    /// Conditions for a model, where they may stand and where there is a model.
    fn judged(&self, id: &str, node: &Node) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        for (at, way) in node.exits.iter().enumerate() {
            if !matches!(way.when, Some(When::Judged(_))) {
                let place = self.place(&format!("nodes.{id}.exits[{at}].to"));
                let message = "an exit is judged by the model";
                found.push(
                    Diagnostic::error("flow.exit", message)
                        .at(place, "not said when")
                        .help("write when = \"ai: what must be so\""),
                );
            }
        }
        let wants = node.is_free() || node.judged().next().is_some();
        let agent = self.subject.agents.get(&self.flow.agent);
        let thinker = agent.and_then(|agent| self.subject.server.thinker(agent));
        if agent.is_some() && wants && thinker.is_none_or(|name| name == "rules") {
            let message = format!("node `{id}` needs a language model");
            let label = format!("agent `{}` thinks by rules", self.flow.agent);
            found.push(
                Diagnostic::error("flow.no_model", message)
                    .at(self.key(&format!("nodes.{id}")), label)
                    .help("give the agent an `llm`, or ask by rules: `ask` with `collect`"),
            );
        }
        if node.kind == Kind::Handoff
            && let Some(to) = node.to.as_ref().filter(|to| !to.is_agent())
        {
            found.push(
                Diagnostic::error("flow.handoff", format!("`{to}` takes no conversation over"))
                    .at(self.place(&format!("nodes.{id}.to")), "not an agent or a squad")
                    .help("use a node of type \"transfer\""),
            );
        }
        if node.kind == Kind::Voicemail
            && let Some(to) = node.to.as_ref().filter(|to| !matches!(to, Destination::Voicemail(_)))
        {
            found.push(
                Diagnostic::error("flow.voicemail", format!("nobody leaves a message at `{to}`"))
                    .at(self.place(&format!("nodes.{id}.to")), "not a voicemail")
                    .help("write to = \"voicemail:NAME\""),
            );
        }
        found
    }

    fn unknown_tool(&self, id: &str, key: &str, tool: &str) -> Option<Diagnostic> {
        let subject = self.subject;
        // The node itself ends calls and asks for keys; a model that talks may.
        let of_agents = [names::END_CALL, Builtin::CollectDigits.name()];
        let is_known = subject.tools.contains_key(tool)
            || subject.faulty_tools.contains(tool)
            || match of_agents.contains(&tool) {
                true => key != "tool",
                false => Builtin::named(tool).is_some(),
            };
        let mut known: Vec<&str> = subject.tools.keys().map(String::as_str).collect();
        Builtin::ALL.into_iter().for_each(|builtin| known.push(builtin.name()));
        let label = match did_you_mean(tool, known) {
            Some(name) => format!("did you mean `{name}`?"),
            None => "not defined".to_owned(),
        };
        let told = Diagnostic::error("ref.unknown", format!("there is no tool `{tool}`"))
            .at(self.place(&format!("nodes.{id}.{key}")), label)
            .help(format!("write [tools.{tool}]"));
        (!is_known).then_some(told)
    }

    /// Keys that a node of its kind does not have.
    fn keys(&self, id: &str, node: &Node) -> Vec<Diagnostic> {
        let known = node.kind.keys();
        let all = ["text", "collect", "ask", "confirm", "tries", "set", "for", "to", "say", "next"];
        let more = ["failed", "else", "tool", "args", "save", "error", "prompt", "tools", "exits"];
        let more =
            more.into_iter().chain(["digits", "phrases", "after", "recording", "url", "headers"]);
        let more = more.chain(["mode", "brief"]);
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
