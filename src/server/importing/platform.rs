//! The other platforms, and what is made of a file of theirs.

use crate::server::importing::pieces::{Options, Pieces};
use crate::server::importing::read::{Marks, Unreadable, json};
use crate::server::importing::report::Report;
use crate::server::importing::{retell, vapi};

/// Where a file comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Platform {
    /// Assistants, squads and tools.
    Vapi,
    /// Agents, their models and conversation flows.
    Retell,
}

/// What came of reading a file.
#[derive(Debug)]
pub struct Import {
    /// What is made of it.
    pub pieces: Pieces,
    /// What is told of it; the files and the check are not in it yet.
    pub report: Report,
}

/// Reads a file of another platform.
///
/// # Errors
/// With the line and the column, or the path of the value that cannot be.
pub fn import(platform: Platform, text: &str, options: &Options) -> Result<Import, Unreadable> {
    let value = json(text)?;
    let marks = Marks::default();
    let root = marks.root(&value);
    let pieces = match platform {
        Platform::Vapi => vapi::pieces(&root, options)?,
        Platform::Retell => retell::pieces(&root, options)?,
    };
    let report = Report {
        made: pieces.made(),
        unmapped: marks.remarks(&value),
        wanted: pieces.wanted.clone(),
        ..Report::default()
    };
    Ok(Import { pieces, report })
}
