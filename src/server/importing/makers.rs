//! Whoever makes pieces of a file: what is made so far, and what is known of the file.

use std::collections::BTreeMap;

use crate::server::importing::pieces::{Options, Pieces};
use crate::server::importing::read::View;
use crate::server::importing::wording::Words;

/// Whoever makes agents of a file of Vapi's.
#[derive(Debug)]
pub struct FromVapi<'a> {
    /// What is made.
    pub pieces: Pieces,
    /// How it is wanted.
    pub options: &'a Options,
    /// What templates mean.
    pub words: Words,
    /// The agents by what names them in the file: their ids and names.
    pub agents: BTreeMap<String, String>,
    /// The tools of the file by their ids.
    pub shelf: BTreeMap<String, View<'a>>,
    /// The assistants of the file by their ids.
    pub drafts: BTreeMap<String, View<'a>>,
}

/// Whoever makes agents of a file of Retell's.
#[derive(Debug)]
pub struct FromRetell<'a> {
    /// What is made.
    pub pieces: Pieces,
    /// How it is wanted.
    pub options: &'a Options,
    /// What templates mean.
    pub words: Words,
    /// The agents of the file by their ids, as destinations of ours.
    pub agents: BTreeMap<String, String>,
    /// Servers of tools, by their names in the file.
    pub servers: BTreeMap<String, View<'a>>,
}
