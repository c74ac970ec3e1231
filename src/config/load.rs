//! Loads the operator's files: settings of the machine first, then the dialplans they name.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::agent::assistant::Assistant;
use crate::agent::mailbox::Mailbox;
use crate::agent::menu::Menu;
use crate::agent::squad::Squad;
use crate::agent::tools::definition::Definition;
use crate::base::destination::Destination;
use crate::config::check;
use crate::config::diagnostic::{Diagnostic, Severity};
use crate::config::dialplans::{Dialplans, Found, Script};
use crate::config::external::External;
use crate::config::file;
use crate::config::interpolate::Scope;
use crate::config::inventory::Inventory;
use crate::config::local;
use crate::config::paths::tidied;
use crate::config::presets;
use crate::config::read::Reading;
use crate::config::roles;
use crate::config::settings::Server;
use crate::config::source::{Places, Source, Sources, Span};
use crate::config::subject::Subject;
use crate::config::tenant::Tenant;
use crate::config::transfers;
use crate::config::tree;
use crate::dialplan::campaign::Campaign;
use crate::dialplan::flow::Flow;
use crate::dialplan::plan::Plan;
use crate::dialplan::queue::Queue;
use crate::dialplan::schedule::Schedule;

/// What is to be loaded.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// `conf/server.toml`; without it every setting has its default.
    pub server: Option<Origin>,
    /// Files and folders of dialplans; without any, those that the settings name.
    pub dialplans: Vec<Origin>,
    /// What files are thought to say instead of what they say, by their paths without links;
    /// nothing for those that are thought not to be there.
    pub instead: BTreeMap<PathBuf, Option<String>>,
}

/// Where a text comes from.
#[derive(Debug, Clone)]
pub enum Origin {
    /// A file, or for dialplans also a folder.
    Path(PathBuf),
    /// A text that came with the program.
    Text {
        /// What it is called in messages.
        name: String,
        /// What it says.
        text: String,
    },
}

/// What was loaded.
#[derive(Debug)]
pub struct Loaded {
    /// The settings of the machine; paths begin where the program runs.
    pub server: Server,
    /// The routes.
    pub plan: Plan,
    /// The agents by name, with everything that they inherit, their prompts read.
    pub agents: BTreeMap<String, Arc<Assistant>>,
    /// The squads by name.
    pub squads: BTreeMap<String, Arc<Squad>>,
    /// The flows by name.
    pub flows: BTreeMap<String, Arc<Flow>>,
    /// The queues by name.
    pub queues: BTreeMap<String, Arc<Queue>>,
    /// The campaigns by name.
    pub campaigns: BTreeMap<String, Arc<Campaign>>,
    /// What begins by itself, by name.
    pub schedules: BTreeMap<String, Arc<Schedule>>,
    /// Where callers leave messages, by name.
    pub mailboxes: BTreeMap<String, Mailbox>,
    /// The agents that menus and voicemails are, by their destinations, `menu:main`, and those of
    /// flows.
    pub posts: BTreeMap<String, Arc<Assistant>>,
    /// The tools by name.
    pub tools: BTreeMap<String, Arc<Definition>>,
    /// What is wrong or strange, in the order of the files.
    pub diagnostics: Vec<Diagnostic>,
    /// The files that were read.
    pub sources: Sources,
    /// Where every key and value stands.
    pub places: Places,
    /// What stands in the files, piece by piece.
    pub inventory: Inventory,
    /// The sums of the files that dialplans name, by their paths.
    pub beside: BTreeMap<PathBuf, String>,
}

impl Loaded {
    /// An agent by its name, or a menu by its destination.
    pub fn assistant(&self, name: &str) -> Option<&Arc<Assistant>> {
        self.agents.get(name).or_else(|| self.posts.get(name))
    }

    /// Whether something is wrong, so that the server must not start with it.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|it| it.severity == Severity::Error)
    }
}

/// Loads and checks everything. Never fails: what is wrong stands in the diagnostics, and what
/// could not be read has its default or is left out. With errors it is good for a report only.
pub fn load(
    request: &Request,
    environment: &dyn Fn(&str) -> Option<String>,
    external: &dyn External,
) -> Loaded {
    let mut reading = Reading::new(Scope { environment, names: BTreeMap::new(), data: None });
    let server = read_server(request, &mut reading);
    let found = read_dialplans(request, &server, &mut reading);
    let found = Dialplans::new(&mut reading).read(found);
    let Found { mut plan, mut agents, squads, menus, flows, mut defaults, lists, .. } = found;
    let Found { mut tools, queues, campaigns, schedules, mailboxes, .. } = found;
    let Found { faulty_tools, faulty, faulty_routes, .. } = found;
    plan.zone = server.machine.timezone.clone();
    plan.complete(&lists);
    furnish(agents.values_mut().chain([&mut defaults]), &server, &tools);
    let agents = shared(agents);
    let mut posts = posts(&menus, &mailboxes, (&agents, &defaults));
    posts.extend(roles::all((&flows, &queues), &agents, &defaults));
    let askers = roles::askers(&agents, &posts);
    posts.extend(askers);
    if !reading.incomplete {
        let subject = Subject {
            server: &server,
            plan: &plan,
            lists: &lists,
            agents: &agents,
            squads: &squads,
            menus: &menus,
            mailboxes: &mailboxes,
            flows: &flows,
            queues: &queues,
            campaigns: &campaigns,
            schedules: &schedules,
            posts: &posts,
            tools: &tools,
            faulty_tools: &faulty_tools,
            faulty: &faulty,
            faulty_routes,
            reading: &reading,
            external,
        };
        let found = check::all(&subject);
        reading.diagnostics.extend(found);
    }
    tools.extend(roles::tools_of_flows(&flows));
    let Reading { sources, places, mut diagnostics, beside, .. } = reading;
    tidy(&mut diagnostics);
    Loaded {
        server,
        plan,
        agents,
        squads: shared(squads),
        flows,
        queues,
        campaigns,
        schedules,
        mailboxes,
        posts,
        tools: shared(tools),
        diagnostics,
        inventory: Inventory::of(&sources, request.server.is_some(), &beside),
        sources,
        places,
        beside,
    }
}

/// Gives agents what the machine and their tools say.
fn furnish<'a>(
    agents: impl Iterator<Item = &'a mut Assistant>,
    server: &Server,
    tools: &BTreeMap<String, Definition>,
) {
    for agent in agents {
        agent.language.get_or_insert_with(|| server.machine.language.clone());
        transfers::spread(agent, tools);
        local::resolve(agent, &server.providers);
        let speaks = server.security.privacy.ai_disclosure && agent.is_model();
        let is_german = agent.spoken_language().is_german();
        agent.disclosure = std::mem::take(&mut agent.disclosure).settled(speaks, is_german);
    }
}

/// The same, for many to have.
fn shared<T>(named: BTreeMap<String, T>) -> BTreeMap<String, Arc<T>> {
    named.into_iter().map(|(name, it)| (name, Arc::new(it))).collect()
}

/// In the order of the files, each but once.
fn tidy(diagnostics: &mut Vec<Diagnostic>) {
    diagnostics.sort_by_key(Diagnostic::start);
    let mut told = HashSet::new();
    diagnostics.retain(|diagnostic| told.insert(diagnostic.essence()));
}

/// The agents that menus and voicemails are, by their destinations.
fn posts(
    menus: &BTreeMap<String, Menu>,
    mailboxes: &BTreeMap<String, Mailbox>,
    (agents, defaults): (&BTreeMap<String, Arc<Assistant>>, &Assistant),
) -> BTreeMap<String, Arc<Assistant>> {
    let base = |name: &Option<String>| {
        let named = name.as_ref().and_then(|name| agents.get(name));
        named.map_or(defaults, Arc::as_ref)
    };
    let menus = menus
        .iter()
        .map(|(name, menu)| (Destination::Menu(name.clone()), menu.assistant(base(&menu.agent))));
    let mailboxes = mailboxes.iter().map(|(name, mailbox)| {
        (Destination::Voicemail(name.clone()), mailbox.assistant(base(&mailbox.agent)))
    });
    let posts = menus.chain(mailboxes);
    posts.map(|(destination, agent)| (destination.to_string(), Arc::new(agent))).collect()
}

/// Reads the settings of the machine.
fn read_server(request: &Request, reading: &mut Reading<'_>) -> Server {
    let mut server = match &request.server {
        None => Server::default(),
        Some(origin) => match open(origin, request, reading) {
            None => Server::default(),
            Some(source) => server_in(&source, reading),
        },
    };
    match &request.server {
        Some(Origin::Path(path)) => server.settle(path.parent().unwrap_or(Path::new(""))),
        Some(Origin::Text { .. }) | None => server.settle(Path::new("conf")),
    }
    server
}

fn server_in(source: &Source, reading: &mut Reading<'_>) -> Server {
    if let Some(folder) = data_folder(source) {
        let expanded = reading.scope.expand(&folder, source.directory.as_deref()).ok().flatten();
        let data = expanded.unwrap_or(folder);
        let beside = source.directory.as_deref().unwrap_or(Path::new("conf"));
        reading.scope.data = Some(tidied(&beside.join(&data)));
        reading.scope.names.insert("data_dir", data);
    }
    let Some(node) = reading.parse(source) else { return Server::default() };
    reading.scope.names.clear();
    tree::note(&mut reading.places, "", &node.span(), &node);
    let (node, wrong) = presets::laid_under(node);
    reading.diagnostics.extend(wrong);
    let (server, _) = reading.read::<Server>("", node);
    server.unwrap_or_default()
}

/// What `${data_dir}` stands for: the value as it is written, or its default.
fn data_folder(source: &Source) -> Option<String> {
    let table = toml::de::DeTable::parse(&source.text).ok()?;
    let written = table.get_ref().get("server").and_then(|it| it.get_ref().get("data_dir"));
    let default = || Server::default().machine.data_dir.to_string_lossy().into_owned();
    Some(written.and_then(|it| it.get_ref().as_str()).map_or_else(default, str::to_owned))
}

/// Reads the files of the dialplans.
fn read_dialplans(request: &Request, server: &Server, reading: &mut Reading<'_>) -> Vec<Script> {
    let own: Vec<PathBuf> = server.tenants.values().filter_map(|it| it.dialplans.clone()).collect();
    let named = [Origin::Path(server.machine.dialplans.clone())];
    let origins = if request.dialplans.is_empty() { &named[..] } else { &request.dialplans };
    let mut sources = Vec::new();
    for origin in origins {
        if let Origin::Path(path) = origin {
            let folder = if path.is_dir() { Some(path.as_path()) } else { path.parent() };
            reading.roots.extend(folder.map(Path::to_owned));
        }
        let files = match origin {
            Origin::Path(path) if path.is_dir() => match file::toml_files(path) {
                Ok(files) => {
                    let mut files = request.thought(path, files);
                    file::put_first(&mut files, &own);
                    files.into_iter().map(Origin::Path).collect()
                }
                Err((folder, why)) => {
                    unreadable(&folder, &why, None, reading);
                    continue;
                }
            },
            Origin::Path(_) | Origin::Text { .. } => vec![origin.clone()],
        };
        if files.len() > MOST_FILES {
            unreadable_folder(files.len(), reading);
        }
        sources.extend(files.iter().take(MOST_FILES).filter_map(|file| {
            let source = open(file, request, reading)?;
            Some(Script { source, tenant: owner(file, server) })
        }));
    }
    sources
}

/// The tenant in whose folder a file lies.
fn owner(file: &Origin, server: &Server) -> Option<String> {
    let Origin::Path(path) = file else { return None };
    let is_in = |it: &Tenant| it.dialplans.as_ref().is_some_and(|it| path.starts_with(it));
    server.tenants.iter().find(|(_, it)| is_in(it)).map(|(name, _)| name.clone())
}

impl Request {
    /// The files of a folder, with those that are thought to be there, and without those that are
    /// not.
    fn thought(&self, folder: &Path, mut files: Vec<PathBuf>) -> Vec<PathBuf> {
        if self.instead.is_empty() {
            return files;
        }
        let instead =
            |path: &PathBuf| path.canonicalize().ok().and_then(|it| self.instead.get(&it));
        files.retain(|path| instead(path).is_none_or(Option::is_some));
        let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        let is_toml = |path: &Path| path.extension().is_some_and(|it| it == "toml");
        let new = self.instead.iter().filter(|(path, text)| {
            text.is_some() && path.starts_with(&folder) && is_toml(path) && !path.exists()
        });
        files.extend(new.map(|(path, _)| path.clone()));
        files
    }

    /// What a file says, or is thought to say.
    fn text(&self, path: &Path) -> Result<String, String> {
        let whole = || path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let instead = if self.instead.is_empty() { None } else { self.instead.get(&whole()) };
        match instead {
            // What could not be read again is not taken now either.
            Some(Some(text)) => file::of_size(text.clone(), LARGEST_FILE),
            Some(None) => Err("it is gone".to_owned()),
            None => file::read_text(path, LARGEST_FILE),
        }
    }
}

/// Opens one file.
fn open(origin: &Origin, request: &Request, reading: &mut Reading<'_>) -> Option<Source> {
    match origin {
        Origin::Text { name, text } => Some(reading.add(name.clone(), None, text.as_str().into())),
        Origin::Path(path) => match request.text(path) {
            Ok(text) => {
                let name = tidied(path).display().to_string();
                let folder = path.parent().map(Path::to_owned);
                Some(reading.add(name, folder, text.into()))
            }
            Err(why) => {
                let place = reading.places.find("server.dialplans").map(|it| it.value.clone());
                unreadable(path, &why, place, reading);
                None
            }
        },
    }
}

fn unreadable(path: &Path, why: &str, place: Option<Span>, reading: &mut Reading<'_>) {
    reading.incomplete = true;
    let message = format!("`{}` cannot be read: {why}", tidied(path).display());
    reading.diagnostics.push(Diagnostic::error("file.unreadable", message).at(place, "named here"));
}

fn unreadable_folder(files: usize, reading: &mut Reading<'_>) {
    reading.incomplete = true;
    let message =
        format!("there are {files} files of dialplans, and at most {MOST_FILES} are read");
    reading.diagnostics.push(Diagnostic::error("file.too_many", message));
}

/// The largest file, in octets.
const LARGEST_FILE: u64 = 1_024 * 1_024;

/// The most files of dialplans.
const MOST_FILES: usize = 1_000;
