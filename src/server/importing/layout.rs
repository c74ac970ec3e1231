//! Where the files of an import lie, what stands in them, and whether `check` takes them. Nothing is
//! written before that is known.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use crate::config::diagnostic::Severity;
use crate::config::load::{Loaded, Origin, Request, load};
use crate::server::importing::pieces::Pieces;
use crate::server::importing::wording::slug;
use crate::server::importing::writing;
use crate::server::inspection::Inspection;

/// Where an import goes.
#[derive(Debug)]
pub struct Layout {
    /// What the import is called, and its folder.
    title: String,
    settings: PathBuf,
    /// The settings that are there already.
    there: Option<Box<Loaded>>,
    dialplans: PathBuf,
}

/// Why nothing can be written there.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// The settings that are there name no folder.
    #[error(
        "{0} names a single file of dialplans: name a folder as `dialplans`, or import into another folder"
    )]
    OneFile(String),
    /// A file is there already.
    #[error("{0} is there already: --force writes over what was imported before")]
    There(String),
    /// The disk does not take it.
    #[error("{0}: {1}")]
    Disk(String, io::Error),
}

/// The files, by their paths, with what stands in them.
pub type Files = BTreeMap<PathBuf, String>;

impl Layout {
    /// Looks at what is in the folder.
    ///
    /// # Errors
    /// When its settings leave no room for more dialplans.
    pub fn of(folder: &Path, title: &str) -> Result<Self, Unfit> {
        let title = slug(title, "imported");
        let settings = folder.join("server.toml");
        if !settings.is_file() {
            let dialplans = folder.join("dialplans");
            return Ok(Self { title, settings, there: None, dialplans });
        }
        let loaded = loaded(Some(Origin::Path(settings.clone())), Vec::new(), BTreeMap::new());
        let dialplans = loaded.server.machine.dialplans.clone();
        if dialplans.is_file() || dialplans.extension().is_some_and(|it| it == "toml") {
            return Err(Unfit::OneFile(settings.display().to_string()));
        }
        Ok(Self { title, settings, there: Some(Box::new(loaded)), dialplans })
    }

    /// The settings that are there, read.
    pub fn there(&self) -> Option<&Loaded> {
        self.there.as_deref()
    }

    /// The folder of the import.
    pub fn folder(&self) -> PathBuf {
        self.dialplans.join(&self.title)
    }

    /// The names that something else has.
    pub fn taken(&self) -> BTreeSet<String> {
        let Some(there) = &self.there else { return BTreeSet::new() };
        let own = self.folder();
        let mine = |table: &str, name: &String| {
            let place = there.places.find(&format!("{table}.{name}"));
            let file = place.and_then(|it| there.sources.file(&it.value));
            file.and_then(|it| it.directory.as_ref()).is_some_and(|it| it.starts_with(&own))
        };
        let agents = there.agents.keys().filter(|it| !mine("agents", it));
        let squads = there.squads.keys().filter(|it| !mine("squads", it));
        let flows = there.flows.keys().filter(|it| !mine("flows", it));
        let tools = there.tools.keys().filter(|it| !mine("tools", it));
        agents.chain(squads).chain(flows).chain(tools).cloned().collect()
    }

    /// What is to be written.
    pub fn files(&self, pieces: &Pieces, source: &str) -> Files {
        let mut files = Files::new();
        let source = writing::one_line(source);
        if self.there.is_none() {
            files.insert(self.settings.clone(), settings(pieces, &source));
        }
        let folder = self.folder();
        let mut add = |name: String, body: String| {
            let depth = if name.contains('/') { "../../" } else { "../" };
            let head = format!(
                "#:schema {depth}../schemas/dialplan.schema.json\n{HEAD} from {source} by `voxtrunk import`.\n"
            );
            files.insert(folder.join(name), head + &body);
        };
        for (name, piece) in &pieces.agents {
            let mut text = String::new();
            writing::piece(&mut text, ("agents", name), piece);
            add(format!("agents/{name}.toml"), text);
        }
        let kinds =
            [("tools", &pieces.tools), ("squads", &pieces.squads), ("flows", &pieces.flows)];
        for (kind, all) in kinds.into_iter().filter(|(_, all)| !all.is_empty()) {
            let mut text = String::new();
            all.iter().for_each(|(name, piece)| writing::piece(&mut text, (kind, name), piece));
            add(format!("{kind}.toml"), text);
        }
        if let Some(start) = &pieces.start {
            let name = format!("imported: {}", self.title);
            let text = format!(
                "\n# Every call that no route before this one takes. A `did` lets it take only calls to that number.\n\
                 [[route]]\nname = {}\nto   = {}\n",
                writing::value(&name.into()),
                writing::value(&start.as_str().into())
            );
            add("routes.toml".to_owned(), text);
        }
        files
    }

    /// The files of an earlier import, which go when it is written over.
    pub fn earlier(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.folder()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
                let path = entry.path();
                if path.is_dir() && folder == self.folder() {
                    folders.push(path);
                } else if path.extension().is_some_and(|it| it == "toml") && is_ours(&path) {
                    found.push(path);
                }
            }
        }
        found
    }

    /// Reads the files as if they were written.
    pub fn read(&self, files: &Files) -> Loaded {
        let text = |path: &Path, text: &String| Origin::Text {
            name: path.display().to_string(),
            text: text.clone(),
        };
        let settings = match (files.get(&self.settings), &self.there) {
            (Some(said), _) => text(&self.settings, said),
            (None, _) => Origin::Path(self.settings.clone()),
        };
        let mut dialplans = Vec::new();
        if self.there.is_some() && self.dialplans.exists() {
            dialplans.push(Origin::Path(self.dialplans.clone()));
        }
        let new = files.iter().filter(|(path, _)| **path != self.settings);
        dialplans.extend(new.map(|(path, said)| text(path, said)));
        let gone =
            self.earlier().into_iter().filter_map(|path| Some((path.canonicalize().ok()?, None)));
        loaded(Some(settings), dialplans, gone.collect())
    }

    /// Writes the files. What an earlier import left goes.
    ///
    /// # Errors
    /// When a file is there and nobody said that it may go, or the disk does not take it.
    pub fn write(&self, files: &Files, force: bool) -> Result<(), Unfit> {
        let disk = |path: &Path, why| Unfit::Disk(path.display().to_string(), why);
        let earlier = self.earlier();
        if !force {
            let there = files.keys().chain(&earlier).find(|path| path.exists());
            if let Some(path) = there {
                return Err(Unfit::There(path.display().to_string()));
            }
        }
        for (path, text) in files {
            let folder = path.parent().unwrap_or(Path::new(""));
            std::fs::create_dir_all(folder).map_err(|why| disk(folder, why))?;
            std::fs::write(path, text).map_err(|why| disk(path, why))?;
        }
        for path in earlier.iter().filter(|path| !files.contains_key(*path)) {
            std::fs::remove_file(path).map_err(|why| disk(path, why))?;
        }
        Ok(())
    }
}

/// Whether an import wrote a file: what somebody put beside it stays.
fn is_ours(path: &Path) -> bool {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().take(3).any(|line| line.starts_with(HEAD))
}

/// How many errors and warnings there are.
pub fn counted(loaded: &Loaded) -> (usize, usize) {
    let count = |wanted| loaded.diagnostics.iter().filter(|it| it.severity == wanted).count();
    (count(Severity::Error), count(Severity::Warning))
}

/// The settings of a machine that has none.
fn settings(pieces: &Pieces, source: &str) -> String {
    let mut text = format!(
        "#:schema ../schemas/server.schema.json\n# Written by `voxtrunk import` of {source}; see conf/server.toml for every key.\n\n\
         [server]\nname      = \"voxtrunk\"\ndata_dir  = \"data\"\ndialplans = \"dialplans\"\n"
    );
    let models = Path::new("models").canonicalize().ok();
    if let Some(models) = models.filter(|it| it.join("silero_vad.onnx").is_file()) {
        let _ =
            writeln!(text, "models    = {}", writing::value(&models.display().to_string().into()));
    }
    text.push_str(
        "\n# For the network: the address of this machine.\n[[sip.listen]]\ntransport = \"udp\"\n\
         bind      = \"127.0.0.1:5060\"\n\n# Whoever calls from this machine is let in.\n\
         [trunks.local]\ninbound = { allow = [\"127.0.0.1\"] }\n",
    );
    for (name, piece) in &pieces.providers {
        writing::piece(&mut text, ("providers", name), piece);
    }
    text
}

/// The tables that settings need for the providers of an import.
pub fn providers(pieces: &Pieces, known: &Loaded) -> String {
    let mut text = String::new();
    for (name, piece) in &pieces.providers {
        if !known.server.providers.contains_key(name) {
            writing::piece(&mut text, ("providers", name), piece);
        }
    }
    text
}

fn loaded(
    server: Option<Origin>,
    dialplans: Vec<Origin>,
    instead: BTreeMap<PathBuf, Option<String>>,
) -> Loaded {
    let request = Request { server, dialplans, instead };
    load(&request, &|name: &str| std::env::var(name).ok(), &Inspection)
}

/// How the remark at the head of a file begins.
const HEAD: &str = "# Imported";
