//! What an import makes, piece by piece, before it is written.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::base::url::Host;
use crate::server::importing::report::{Made, Wanted};
use crate::server::importing::wording::slug;

/// A table of a file.
pub type Table = Map<String, Value>;

/// One thing that is made.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Piece {
    /// What it says.
    pub says: Table,
    /// Where it stood.
    pub from: String,
}

/// How the import is wanted.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Whether everything is done by the engines of this machine, without any key.
    pub local: bool,
    /// Names that are taken already.
    pub taken: BTreeSet<String>,
    /// Hosts to which tools may go though no tool goes there by itself.
    pub allowed: Vec<Host>,
    /// What cannot be named elsewhere is called so.
    pub title: String,
    /// What is called otherwise than the file says, by its identity there.
    pub names: BTreeMap<String, String>,
}

/// All that is made.
#[derive(Debug, Clone, Default)]
pub struct Pieces {
    /// Agents by name.
    pub agents: BTreeMap<String, Piece>,
    /// Tools by name.
    pub tools: BTreeMap<String, Piece>,
    /// Squads by name.
    pub squads: BTreeMap<String, Piece>,
    /// Flows by name.
    pub flows: BTreeMap<String, Piece>,
    /// Providers that the settings must have, by name.
    pub providers: BTreeMap<String, Piece>,
    /// Where calls go: the last that was made of the highest kind.
    pub start: Option<String>,
    /// What is to be set.
    pub wanted: Vec<Wanted>,
    names: BTreeSet<String>,
    taken: BTreeSet<String>,
}

impl Pieces {
    /// Nothing yet, with names that are taken.
    pub fn new(options: &Options) -> Self {
        let taken = options.taken.clone();
        let names = taken.iter().chain(options.names.values()).cloned().collect();
        Self { names, taken, ..Self::default() }
    }

    /// A name that nothing has yet.
    pub fn name(&mut self, wanted: &str, otherwise: &str) -> String {
        let base = slug(wanted, otherwise);
        let mut name = base.clone();
        for number in 2.. {
            if self.names.insert(name.clone()) {
                break;
            }
            name = format!("{base}-{number}");
        }
        name
    }

    /// Whether a tool elsewhere has this name.
    pub fn is_taken(&self, tool: &str) -> bool {
        self.taken.contains(tool)
    }

    /// Something that is to be set, told once.
    pub fn want(&mut self, variable: &str, why: &str) {
        if !self.wanted.iter().any(|it| it.variable == variable) {
            self.wanted.push(Wanted { variable: variable.to_owned(), why: why.to_owned() });
        }
    }

    /// What was made, for people.
    pub fn made(&self) -> Vec<Made> {
        let kinds = [
            ("agent", &self.agents),
            ("squad", &self.squads),
            ("flow", &self.flows),
            ("tool", &self.tools),
            ("provider", &self.providers),
        ];
        let made = |kind| {
            move |(name, piece): (&String, &Piece)| Made {
                kind,
                name: name.clone(),
                from: piece.from.clone(),
            }
        };
        kinds.into_iter().flat_map(|(kind, all)| all.iter().map(made(kind))).collect()
    }
}

/// Puts a value into a table, if there is one.
pub fn put(table: &mut Table, key: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        table.insert(key.to_owned(), value.into());
    }
}

/// Puts a table into another, if it says anything.
pub fn put_table(table: &mut Table, key: &str, inner: Table) {
    if !inner.is_empty() {
        table.insert(key.to_owned(), Value::Object(inner));
    }
}
