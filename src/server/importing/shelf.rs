//! The tools that several agents share.

use crate::agent::tool::names;
use crate::agent::tools::builtin::Builtin;
use crate::server::importing::pieces::{Piece, Pieces, Table};
use crate::server::importing::wording::slug;

/// The name of a tool, which is none of the house's.
pub fn tool_name(theirs: &str) -> String {
    let fits = |it: char| it.is_ascii_alphanumeric() || it == '_' || it == '-';
    let name = if !theirs.is_empty() && theirs.len() <= 48 && theirs.chars().all(fits) {
        theirs.to_owned()
    } else {
        slug(theirs, "tool").replace('-', "_")
    };
    let taken = Builtin::named(&name).is_some() || OWN.contains(&name.as_str());
    if taken { format!("own_{name}") } else { name }
}

/// Tools of the house that are no builtins.
const OWN: &[&str] =
    &[names::END_CALL, names::TRANSFER_CALL, names::HAND_OVER, names::COLLECT, names::GO_ON];

/// Puts a tool among the pieces and tells its name: the same tool is there once.
pub fn shelve(pieces: &mut Pieces, (wanted, from): (&str, &str), says: Table) -> String {
    let mut name = wanted.to_owned();
    for number in 2.. {
        match pieces.tools.get(&name) {
            Some(there) if there.says == says => return name,
            Some(_) => name = format!("{wanted}_{number}"),
            None if pieces.is_taken(&name) => name = format!("{wanted}_{number}"),
            None => break,
        }
    }
    pieces.tools.insert(name.clone(), Piece { says, from: from.to_owned() });
    name
}
