//! What is checked: settings that can be read, and where everything in them stands.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::agent::assistant::Assistant;
use crate::agent::mailbox::Mailbox;
use crate::agent::menu::Menu;
use crate::agent::squad::Squad;
use crate::agent::tools::definition::Definition;
use crate::config::diagnostic::{Diagnostic, Label};
use crate::config::external::{External, Fault};
use crate::config::read::Reading;
use crate::config::settings::Server;
use crate::config::source::Span;
use crate::dialplan::campaign::Campaign;
use crate::dialplan::flow::Flow;
use crate::dialplan::pattern::NumberList;
use crate::dialplan::plan::Plan;
use crate::dialplan::queue::Queue;
use crate::dialplan::schedule::Schedule;

/// What is checked.
pub struct Subject<'a> {
    /// The settings of the machine.
    pub server: &'a Server,
    /// The routes.
    pub plan: &'a Plan,
    /// The lists of numbers.
    pub lists: &'a BTreeMap<String, Arc<NumberList>>,
    /// The agents.
    pub agents: &'a BTreeMap<String, Arc<Assistant>>,
    /// The squads.
    pub squads: &'a BTreeMap<String, Squad>,
    /// The menus.
    pub menus: &'a BTreeMap<String, Menu>,
    /// Where callers leave messages.
    pub mailboxes: &'a BTreeMap<String, Mailbox>,
    /// The flows.
    pub flows: &'a BTreeMap<String, Arc<Flow>>,
    /// The queues.
    pub queues: &'a BTreeMap<String, Arc<Queue>>,
    /// What begins by itself.
    pub schedules: &'a BTreeMap<String, Arc<Schedule>>,
    /// The campaigns.
    pub campaigns: &'a BTreeMap<String, Arc<Campaign>>,
    /// The agents that the menus are, by their destinations.
    /// The agents that the menus and the voicemails are, by their destinations.
    pub posts: &'a BTreeMap<String, Arc<Assistant>>,
    /// The tools.
    pub tools: &'a BTreeMap<String, Definition>,
    /// Tools that have a mistake already: they are known, and not looked at again.
    pub faulty_tools: &'a BTreeSet<String>,
    /// Agents that have a mistake already: they are known, and not looked at again.
    pub faulty: &'a BTreeSet<String>,
    /// Whether a route has a mistake already: the plan as a whole is not looked at.
    pub faulty_routes: bool,
    /// Where everything stands.
    pub reading: &'a Reading<'a>,
    /// What other rooms know.
    pub external: &'a dyn External,
}

impl Subject<'_> {
    /// Where the value of a key stands; when it was not written, where the table around it begins.
    pub fn place(&self, path: &str) -> Option<Span> {
        if let Some(place) = self.reading.places.find(path) {
            return Some(place.value.clone());
        }
        self.reading.places.nearest(path).map(|place| place.key.clone())
    }

    /// Where the key itself stands.
    pub fn key(&self, path: &str) -> Option<Span> {
        self.reading.places.find(path).map(|place| place.key.clone())
    }

    /// Where one element of a list stands that may also be written as a single text.
    pub fn element(&self, path: &str, at: usize) -> Option<Span> {
        let element = self.reading.places.find(&format!("{path}[{at}]"));
        element.map(|place| place.value.clone()).or_else(|| self.place(path))
    }

    /// The file in which a key stands.
    pub fn file_of(&self, path: &str) -> Option<&str> {
        let span = self.key(path)?;
        self.reading.sources.file(&span).map(|source| source.name.as_str())
    }

    /// Makes a diagnostic of what another room found below `root`.
    pub fn diagnostic(&self, fault: Fault, root: &str) -> Diagnostic {
        let path = match (root, fault.path.as_str()) {
            ("", path) => path.to_owned(),
            (root, "") => root.to_owned(),
            (root, path) => format!("{root}.{path}"),
        };
        let written = self.reading.places.find(&path).map(|place| place.value.clone());
        let part = || self.part(written.as_ref()?, fault.within.as_ref()?);
        let span = part().or_else(|| self.place(&path));
        Diagnostic {
            code: fault.code,
            severity: fault.severity,
            message: fault.message,
            labels: span.map(|span| Label { span, text: fault.label }).into_iter().collect(),
            help: fault.help,
        }
    }

    /// The octets `within` of a text, when it stands in its file as it is, without escapes.
    fn part(&self, text: &Span, within: &Span) -> Option<Span> {
        let written = self.reading.sources.slice(text)?;
        let quotes =
            if written.starts_with("\"\"\"") || written.starts_with("'''") { 3 } else { 1 };
        let inside = written.get(quotes..written.len().checked_sub(quotes)?)?;
        let plain = !inside.contains('\\') && !inside.starts_with('\n');
        let fits = plain && !self.reading.is_expanded(text) && inside.get(within.clone()).is_some();
        let start = text.start + quotes;
        fits.then_some(start + within.start..start + within.end)
    }
}
