//! Reads the dialplan files: routes in order, agents with what they inherit and their prompts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use crate::agent::assistant::Assistant;
use crate::agent::mailbox::Mailbox;
use crate::agent::menu::Menu;
use crate::agent::squad::Squad;
use crate::agent::tools::definition::Definition;
use crate::config::diagnostic::Diagnostic;
use crate::config::extends;
use crate::config::read::Reading;
use crate::config::source::{Source, Span};
use crate::config::tables::Tables;
use crate::config::tree::{self, Node};
use crate::dialplan::campaign::{Campaign, rows};
use crate::dialplan::flow::Flow;
use crate::dialplan::hours::Hours;
use crate::dialplan::numbers::{self, Listed};
use crate::dialplan::outbound::Outbound;
use crate::dialplan::pattern::{Match, NumberList};
use crate::dialplan::plan::{Plan, Route};
use crate::dialplan::queue::Queue;
use crate::dialplan::schedule::Schedule;

/// What the files held.
#[derive(Debug, Default)]
pub struct Found {
    /// The routes.
    pub plan: Plan,
    /// The agents.
    pub agents: BTreeMap<String, Assistant>,
    /// The squads.
    pub squads: BTreeMap<String, Squad>,
    /// The menus.
    pub menus: BTreeMap<String, Menu>,
    /// Where callers leave messages.
    pub mailboxes: BTreeMap<String, Mailbox>,
    /// The flows.
    pub flows: BTreeMap<String, Arc<Flow>>,
    /// The queues.
    pub queues: BTreeMap<String, Arc<Queue>>,
    /// The campaigns.
    pub campaigns: BTreeMap<String, Arc<Campaign>>,
    /// What begins by itself, by name.
    pub schedules: BTreeMap<String, Arc<Schedule>>,
    /// What agents have that say nothing else.
    pub defaults: Assistant,
    /// The lists of numbers.
    pub lists: BTreeMap<String, Arc<NumberList>>,
    /// The tools.
    pub tools: BTreeMap<String, Definition>,
    /// Tools with a mistake that was reported already, so that there is nothing of them to check.
    pub faulty_tools: BTreeSet<String>,
    /// Agents with a mistake that was reported already: other checks would only echo it.
    pub faulty: BTreeSet<String>,
    /// Whether a route has a mistake that was reported already: what the plan as a whole does
    /// cannot be told.
    pub faulty_routes: bool,
}

/// One file of dialplans.
#[derive(Debug)]
pub struct Script {
    /// What it says.
    pub source: Source,
    /// The tenant whose it is.
    pub tenant: Option<String>,
}

/// The reading of all dialplan files.
pub struct Dialplans<'r, 'a> {
    reading: &'r mut Reading<'a>,
    found: Found,
}

impl<'r, 'a> Dialplans<'r, 'a> {
    /// Begins.
    pub fn new(reading: &'r mut Reading<'a>) -> Self {
        Self { reading, found: Found::default() }
    }

    /// Reads the files, in this order.
    pub fn read(mut self, scripts: Vec<Script>) -> Found {
        let tables = self.sorted(&scripts);
        for (tenant, node) in tables.routes {
            self.read_route(tenant, node);
        }
        for node in tables.outbound {
            self.read_outbound(node);
        }
        for (name, (key, node)) in tables.hours {
            self.read_hours(name, &key, node);
        }
        for (name, (key, node)) in tables.lists {
            self.read_list(name, &key, node);
        }
        for (name, (key, node)) in tables.squads {
            self.read_squad(name, &key, node);
        }
        for (name, (key, node)) in tables.menus {
            self.read_menu(name, &key, node);
        }
        for (name, (key, node)) in tables.boxes {
            self.read_mailbox(name, &key, node);
        }
        for (name, (key, node)) in tables.flows {
            self.read_flow(name, &key, node);
        }
        for (name, (key, node)) in tables.queues {
            self.read_queue(name, &key, node);
        }
        for (name, (key, node)) in tables.campaigns {
            self.read_campaign(name, &key, node);
        }
        for (name, (key, node)) in tables.schedules {
            self.read_schedule(name, &key, node);
        }
        if let Some(node) = &tables.defaults {
            // What is wrong there is said of the agents.
            let known = self.reading.diagnostics.len();
            let (defaults, _) = self.reading.read::<Assistant>("defaults.agent", node.clone());
            self.reading.diagnostics.truncate(known);
            self.found.defaults = defaults.unwrap_or_default();
        }
        for (name, (key, node)) in tables.tools {
            self.read_tool(name, &key, node);
        }
        for campaign in self.found.campaigns.values_mut() {
            Arc::make_mut(campaign).complete(&self.found.lists);
        }
        let (agents, wrong) = extends::inherited(tables.defaults, tables.agents);
        for (name, why) in wrong {
            self.found.faulty.insert(name);
            self.reading.diagnostics.extend(why);
        }
        for (name, (key, node)) in agents {
            self.read_agent(name, &key, node);
        }
        self.found
    }

    /// The tables of all files, by what they are.
    fn sorted<'t>(&mut self, scripts: &'t [Script]) -> Tables<'t> {
        let mut tables = Tables::default();
        for Script { source, tenant } in scripts {
            if let Some(node) = self.reading.parse(source) {
                tables.sort(node, tenant.as_deref());
            }
        }
        self.reading.diagnostics.append(&mut tables.wrong);
        tables
    }

    fn read_route(&mut self, tenant: Option<String>, node: Node<'_>) {
        let path = format!("route[{}]", self.found.plan.routes.len());
        tree::note(&mut self.reading.places, &path, &node.span(), &node);
        let (mut route, sound) = self.reading.read::<Route>(&path, node);
        if let Some((tenant, route)) = tenant.zip(route.as_mut()) {
            if route.tenant.iter().any(|it| *it != tenant) {
                let place = self.reading.places.find(&format!("{path}.tenant"));
                let place = place.map(|it| it.value.clone());
                let message = format!("this file is one of tenant `{tenant}`");
                self.report(
                    Diagnostic::error("tenant.other", message)
                        .at(place, "a call of another one never comes here")
                        .help("leave it out"),
                );
            }
            route.tenant = vec![tenant];
        }
        self.found.plan.routes.extend(route);
        self.found.faulty_routes |= !sound;
    }

    fn read_hours(&mut self, name: String, key: &Span, node: Node<'_>) {
        let path = format!("hours.{name}");
        tree::note(&mut self.reading.places, &path, key, &node);
        let (hours, sound) = self.reading.read::<Hours>(&path, node);
        // What was said of them is enough.
        let hours = hours.filter(|_| sound);
        self.found.plan.hours.extend(hours.map(|hours| (name, hours)));
    }

    fn read_list(&mut self, name: String, key: &Span, node: Node<'_>) {
        let path = format!("lists.{name}");
        tree::note(&mut self.reading.places, &path, key, &node);
        let (listed, _) = self.reading.read::<Listed>(&path, node);
        let Listed { numbers, file } = listed.unwrap_or_default();
        let mut list = NumberList::default();
        numbers.into_iter().for_each(|number| list.add(number));
        for number in file.iter().flat_map(|file| self.numbers_in(file, &path)) {
            list.add(number);
        }
        self.found.lists.insert(name, Arc::new(list));
    }

    /// Reads the file of a list.
    fn numbers_in(&mut self, file: &str, path: &str) -> Vec<Match> {
        let span = self.reading.places.find(&format!("{path}.file"));
        let span = span.map(|place| place.value.clone());
        let full = self.beside(file, span.as_ref());
        let (numbers, wrong) = match full.and_then(|it| self.reading.read_beside(it, LARGEST_LIST))
        {
            Ok(text) => numbers::in_file(&text),
            Err(why) => {
                let message = format!("the list `{file}` cannot be read: {why}");
                self.report(
                    Diagnostic::error("list.file", message)
                        .at(span, "named here")
                        .help("the path begins at the folder of this dialplan file"),
                );
                return Vec::new();
            }
        };
        for (line, why) in wrong.into_iter().take(MOST_WRONG_LINES) {
            let message = format!("line {line} of `{file}` is no number: {why}");
            self.report(Diagnostic::error("list.number", message).at(span.clone(), "in this file"));
        }
        numbers
    }

    fn read_outbound(&mut self, node: Node<'_>) {
        let path = format!("outbound[{}]", self.found.plan.outbound.len());
        tree::note(&mut self.reading.places, &path, &node.span(), &node);
        let (rule, _) = self.reading.read::<Outbound>(&path, node);
        self.found.plan.outbound.extend(rule);
    }

    fn read_squad(&mut self, name: String, key: &Span, node: Node<'_>) {
        let path = format!("squads.{name}");
        tree::note(&mut self.reading.places, &path, key, &node);
        let (squad, sound) = self.reading.read::<Squad>(&path, node);
        self.found.squads.extend(squad.filter(|_| sound).map(|squad| (name, squad)));
    }

    fn read_menu(&mut self, name: String, key: &Span, node: Node<'_>) {
        let path = format!("menus.{name}");
        tree::note(&mut self.reading.places, &path, key, &node);
        let (menu, sound) = self.reading.read::<Menu>(&path, node);
        self.found.menus.extend(menu.filter(|_| sound).map(|menu| (name, menu)));
    }

    fn read_mailbox(&mut self, name: String, key: &Span, node: Node<'_>) {
        let path = format!("voicemail.{name}");
        tree::note(&mut self.reading.places, &path, key, &node);
        let (mailbox, sound) = self.reading.read::<Mailbox>(&path, node);
        let Some(mut mailbox) = mailbox.filter(|_| sound) else { return };
        let mut file = mailbox.file().map(str::to_owned);
        if file.is_some() {
            let is_there = self.find_sound(&mut file, &format!("{path}.greeting"));
            mailbox.sound = file.filter(|_| is_there).or_else(|| Some(String::new()));
        }
        self.found.mailboxes.insert(name, mailbox);
    }

    fn read_flow(&mut self, name: String, key: &Span, node: Node<'_>) {
        let path = format!("flows.{name}");
        tree::note(&mut self.reading.places, &path, key, &node);
        let (flow, sound) = self.reading.read::<Flow>(&path, node);
        let flow = flow.filter(|_| sound).map(|mut flow| {
            flow.complete();
            (name, Arc::new(flow))
        });
        self.found.flows.extend(flow);
    }

    fn read_queue(&mut self, name: String, key: &Span, node: Node<'_>) {
        let path = format!("queues.{name}");
        tree::note(&mut self.reading.places, &path, key, &node);
        let (queue, sound) = self.reading.read::<Queue>(&path, node);
        let Some(mut queue) = queue.filter(|_| sound) else { return };
        if self.find_sound(&mut queue.music, &format!("{path}.music")) {
            self.found.queues.insert(name, Arc::new(queue));
        }
    }

    /// Reads a campaign; the file of those who are called is looked at, and read when it starts.
    fn read_campaign(&mut self, name: String, key: &Span, node: Node<'_>) {
        let path = format!("campaigns.{name}");
        tree::note(&mut self.reading.places, &path, key, &node);
        let (campaign, sound) = self.reading.read::<Campaign>(&path, node);
        let Some(mut campaign) = campaign.filter(|_| sound) else { return };
        let span = self.reading.places.find(&format!("{path}.csv"));
        let span = span.map(|place| place.value.clone());
        let full = self.beside(&campaign.csv, span.as_ref());
        let known =
            full.and_then(|it| Ok((self.reading.read_beside(it.clone(), LARGEST_CSV)?, it)));
        match known {
            Ok((text, full)) => {
                campaign.csv_path = full.to_string_lossy().into_owned();
                let wrong = rows::complaint(&text, &campaign.number);
                self.reading.diagnostics.extend(wrong.map(|why| {
                    Diagnostic::error("campaign.column", format!("`{}`: {why}", campaign.csv))
                        .at(span, "in this file")
                        .help("the first line names the columns; `number` says which holds them")
                }));
            }
            Err(why) => self.report(
                Diagnostic::error(
                    "campaign.csv",
                    format!("`{}` cannot be read: {why}", campaign.csv),
                )
                .at(span, "named here")
                .help("the path begins at the folder of this dialplan file"),
            ),
        }
        let mut file = campaign.amd.as_ref().and_then(|amd| amd.sound().map(str::to_owned));
        if self.find_sound(&mut file, &format!("{path}.amd.message")) {
            campaign.sound = file;
        }
        self.found.campaigns.insert(name, Arc::new(campaign));
    }

    fn read_schedule(&mut self, name: String, key: &Span, node: Node<'_>) {
        let path = format!("schedules.{name}");
        tree::note(&mut self.reading.places, &path, key, &node);
        let (schedule, sound) = self.reading.read::<Schedule>(&path, node);
        self.found.schedules.extend(schedule.filter(|_| sound).map(|it| (name, Arc::new(it))));
    }

    fn read_tool(&mut self, name: String, key: &Span, node: Node<'_>) {
        let path = format!("tools.{name}");
        tree::note(&mut self.reading.places, &path, key, &node);
        let (tool, sound) = self.reading.read::<Definition>(&path, node);
        if !sound || tool.is_none() {
            self.found.faulty_tools.insert(name.clone());
        }
        self.found.tools.extend(tool.map(|tool| (name, tool)));
    }

    fn read_agent(&mut self, name: String, key: &Span, node: Node<'_>) {
        let path = format!("agents.{name}");
        tree::note(&mut self.reading.places, &path, key, &node);
        let (agent, sound) = self.reading.read::<Assistant>(&path, node);
        let mut agent = agent.unwrap_or_default();
        let prompted = self.read_prompt(&mut agent, &path);
        let furnished = self.find_sound(&mut agent.ambience, &format!("{path}.ambience"));
        if !(sound && prompted && furnished) {
            self.found.faulty.insert(name.clone());
        }
        self.found.agents.insert(name, agent);
    }

    /// Reads `prompt_file`. Whether all is well.
    fn read_prompt(&mut self, agent: &mut Assistant, path: &str) -> bool {
        let Some(file) = &agent.prompt_file else { return true };
        let span = self.reading.places.find(&format!("{path}.prompt_file"));
        let span = span.map(|place| place.value.clone());
        if agent.prompt.is_some() {
            self.report(
                Diagnostic::error("agent.two_prompts", "there are `prompt` and `prompt_file`")
                    .at(span, "keep one of them"),
            );
            return false;
        }
        match self.prompt_in(file, span.as_ref()) {
            Ok(prompt) => {
                agent.prompt = Some(prompt);
                true
            }
            Err(why) => {
                let message = format!("the prompt `{file}` cannot be read: {why}");
                self.report(
                    Diagnostic::error("agent.prompt_file", message)
                        .at(span, "named here")
                        .help("the path begins at the folder of this dialplan file"),
                );
                false
            }
        }
    }

    /// Finds a sound file beside the one that names it at `path`, and writes where it is. Whether
    /// all is well.
    fn find_sound(&mut self, sound: &mut Option<String>, path: &str) -> bool {
        let Some(file) = sound else { return true };
        let span = self.reading.places.find(path);
        let span = span.map(|place| place.value.clone());
        match self.beside(file, span.as_ref()) {
            Ok(full) => {
                *file = full.to_string_lossy().into_owned();
                true
            }
            Err(why) => {
                let message = format!("the sound `{file}` cannot be read: {why}");
                self.report(
                    Diagnostic::error("sound.file", message)
                        .at(span, "named here")
                        .help("the path begins at the folder of this dialplan file"),
                );
                false
            }
        }
    }

    /// Reads a prompt beside the file that names it.
    fn prompt_in(&mut self, file: &str, span: Option<&Span>) -> Result<String, String> {
        let full = self.beside(file, span)?;
        self.reading.read_beside(full, LARGEST_PROMPT)
    }

    /// Where a file lies beside the one that names it. It must lie in the folder of the dialplans:
    /// a dialplan cannot make an agent recite the files of the machine (T20).
    fn beside(&self, file: &str, span: Option<&Span>) -> Result<PathBuf, String> {
        let source = span.and_then(|span| self.reading.sources.file(span));
        let folder = source.and_then(|source| source.directory.as_deref());
        let folder = folder.ok_or("this dialplan is not in a folder")?;
        let gone = |_| "it does not exist".to_owned();
        let full = folder.join(file).canonicalize().map_err(gone)?;
        let inside = self.reading.roots.iter().filter_map(|root| root.canonicalize().ok());
        if !inside.into_iter().any(|root| full.starts_with(root)) {
            return Err("it lies outside the folder of the dialplans".to_owned());
        }
        Ok(full)
    }

    fn report(&mut self, diagnostic: Diagnostic) {
        self.reading.diagnostics.push(diagnostic);
    }
}

/// The largest list, in octets: some hundred thousand numbers.
const LARGEST_LIST: u64 = 16 * 1_024 * 1_024;

/// The largest file of a campaign, in octets.
pub const LARGEST_CSV: u64 = 64 * 1_024 * 1_024;

/// How many wrong lines of a list are told.
const MOST_WRONG_LINES: usize = 3;

/// The largest prompt, in octets.
const LARGEST_PROMPT: u64 = 64 * 1_024;
