//! Sorts the tables of dialplan files by what they are.

use toml::de::DeValue;

use crate::config::diagnostic::Diagnostic;
use crate::config::explain;
use crate::config::extends::Named;
use crate::config::tree::Node;

/// The tables of all files, not yet typed.
#[derive(Default)]
pub struct Tables<'t> {
    /// Each with the tenant whose it is.
    pub routes: Vec<(Option<String>, Node<'t>)>,
    /// The rules of the way out.
    pub outbound: Vec<Node<'t>>,
    /// Tables that have names.
    pub agents: Named<'t>,
    /// The same.
    pub squads: Named<'t>,
    /// The same.
    pub menus: Named<'t>,
    /// The same.
    pub boxes: Named<'t>,
    /// The same.
    pub flows: Named<'t>,
    /// The same.
    pub queues: Named<'t>,
    /// The same.
    pub schedules: Named<'t>,
    /// The same.
    pub campaigns: Named<'t>,
    /// The same.
    pub hours: Named<'t>,
    /// The same.
    pub lists: Named<'t>,
    /// The same.
    pub tools: Named<'t>,
    /// What agents have that say nothing else.
    pub defaults: Option<Node<'t>>,
    /// What is wrong with their form.
    pub wrong: Vec<Diagnostic>,
}

impl<'t> Tables<'t> {
    /// The tables that have names, by their key.
    fn named(&mut self, key: &str) -> Option<(Kind, &mut Named<'t>)> {
        Some(match key {
            "agents" | "assistants" => (AGENT, &mut self.agents),
            "squads" => (SQUAD, &mut self.squads),
            "menus" => (MENU, &mut self.menus),
            "flows" => (FLOW, &mut self.flows),
            "queues" => (QUEUE, &mut self.queues),
            "schedules" => (SCHEDULE, &mut self.schedules),
            "campaigns" => (CAMPAIGN, &mut self.campaigns),
            "voicemail" => (BOX, &mut self.boxes),
            "hours" => (HOURS, &mut self.hours),
            "lists" => (LIST, &mut self.lists),
            "tools" => (TOOL, &mut self.tools),
            _ => return None,
        })
    }

    /// Sorts the tables of one file.
    pub fn sort(&mut self, node: Node<'t>, tenant: Option<&str>) {
        let DeValue::Table(table) = node.into_inner() else { return };
        for (key, value) in table {
            let span = key.span();
            if let (DeValue::Table(_), Some((kind, named))) =
                (value.get_ref(), self.named(key.get_ref()))
            {
                let wrong = sort_named(kind, value, named);
                self.wrong.extend(wrong);
                continue;
            }
            match (key.get_ref().as_ref(), value.get_ref()) {
                ("route", DeValue::Array(_)) => {
                    if let DeValue::Array(routes) = value.into_inner() {
                        let owner = || tenant.map(str::to_owned);
                        self.routes.extend(routes.into_iter().map(|route| (owner(), route)));
                    }
                }
                (everybodys @ ("outbound" | "defaults"), _) if let Some(tenant) = tenant => {
                    let message = format!("`{everybodys}` would count for everybody");
                    self.wrong.push(
                        Diagnostic::error("tenant.everybodys", message)
                            .at(Some(span), format!("this file is one of tenant `{tenant}`"))
                            .help("write it into a file beside the folders of tenants"),
                    );
                }
                ("outbound", DeValue::Array(_)) => {
                    if let DeValue::Array(rules) = value.into_inner() {
                        self.outbound.extend(rules);
                    }
                }
                ("defaults", DeValue::Table(_)) => self.sort_defaults(value),
                (known, _) if KEYS.contains(&known) => {
                    let form = match known {
                        "hours" => "[hours.NAME]",
                        "lists" => "[lists.NAME]",
                        "squads" => "[squads.NAME]",
                        "menus" => "[menus.NAME]",
                        "voicemail" => "[voicemail.NAME]",
                        "flows" => "[flows.NAME]",
                        "queues" => "[queues.NAME]",
                        "campaigns" => "[campaigns.NAME]",
                        "schedules" => "[schedules.NAME]",
                        "tools" => "[tools.NAME]",
                        "route" => "[[route]]",
                        "outbound" => "[[outbound]]",
                        "defaults" => "[defaults.agent]",
                        _ => "[agents.NAME]",
                    };
                    self.wrong.push(
                        Diagnostic::error("value.type", format!("`{known}` has the wrong form"))
                            .at(Some(span), format!("write it as {form}")),
                    );
                }
                (unknown, _) => self.wrong.push(explain::unknown_key(unknown, &KEYS, span)),
            }
        }
    }

    fn sort_defaults(&mut self, node: Node<'t>) {
        let DeValue::Table(table) = node.into_inner() else { return };
        for (key, value) in table {
            let span = Some(key.span());
            if key.get_ref() != "agent" {
                let message = format!("there are no defaults for `{}`", key.get_ref());
                self.wrong.push(
                    Diagnostic::error("key.unknown", message).at(span, "only `agent` is known"),
                );
            } else if let Some(first) = &self.defaults {
                let first = Some(first.span());
                let message = "[defaults.agent] stands twice";
                self.wrong.push(
                    Diagnostic::error("key.duplicate", message)
                        .at(span, "again here")
                        .at(first, "first here"),
                );
            } else {
                self.defaults = Some(value);
            }
        }
    }
}

/// Takes in those of a kind that have names; gives what is wrong with them.
fn sort_named<'t>(kind: Kind, node: Node<'t>, tables: &mut Named<'t>) -> Vec<Diagnostic> {
    let mut wrong = Vec::new();
    let DeValue::Table(table) = node.into_inner() else { return wrong };
    for (key, value) in table {
        let (span, name) = (key.span(), key.into_inner().into_owned());
        if !is_name(&name) {
            wrong.push(
                Diagnostic::error(kind.bad_name, format!("`{name}` cannot be a name"))
                    .at(Some(span.clone()), "here")
                    .help("names have letters a-z, digits, - and _, and at most 64 of them"),
            );
        } else if let Some((first, _)) = tables.get(&name) {
            let first = Some(first.clone());
            wrong.push(
                Diagnostic::error(
                    kind.duplicate,
                    format!("{} `{name}` is defined twice", kind.what),
                )
                .at(Some(span), "again here")
                .at(first, "first here"),
            );
        } else {
            tables.insert(name, (span, value));
        }
    }
    wrong
}

/// Whether a text can be the name of an agent (T20).
fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

/// What a dialplan file may hold.
pub const KEYS: [&str; 15] = [
    "route",
    "outbound",
    "agents",
    "assistants",
    "defaults",
    "squads",
    "menus",
    "voicemail",
    "flows",
    "queues",
    "campaigns",
    "schedules",
    "hours",
    "lists",
    "tools",
];

/// A kind of tables that have names, and the codes of their mistakes.
#[derive(Debug, Clone, Copy)]
struct Kind {
    what: &'static str,
    bad_name: &'static str,
    duplicate: &'static str,
}

const AGENT: Kind =
    Kind { what: "agent", bad_name: "agent.name", duplicate: "agent.duplicate_name" };
const HOURS: Kind =
    Kind { what: "hours", bad_name: "hours.name", duplicate: "hours.duplicate_name" };
const SQUAD: Kind =
    Kind { what: "squad", bad_name: "squad.name", duplicate: "squad.duplicate_name" };
const MENU: Kind = Kind { what: "menu", bad_name: "menu.name", duplicate: "menu.duplicate_name" };
const QUEUE: Kind =
    Kind { what: "queue", bad_name: "queue.name", duplicate: "queue.duplicate_name" };
const CAMPAIGN: Kind =
    Kind { what: "campaign", bad_name: "campaign.name", duplicate: "campaign.duplicate_name" };
const SCHEDULE: Kind =
    Kind { what: "schedule", bad_name: "schedule.name", duplicate: "schedule.duplicate_name" };
const BOX: Kind =
    Kind { what: "voicemail", bad_name: "voicemail.name", duplicate: "voicemail.duplicate_name" };
const FLOW: Kind = Kind { what: "flow", bad_name: "flow.name", duplicate: "flow.duplicate_name" };
const TOOL: Kind = Kind { what: "tool", bad_name: "tool.name", duplicate: "tool.duplicate_name" };
const LIST: Kind = Kind { what: "list", bad_name: "list.name", duplicate: "list.duplicate_name" };
