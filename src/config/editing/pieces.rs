//! What is otherwise between two states of the files, piece by piece, without secrets.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;
use toml_edit::DocumentMut;

use crate::config::editing::leaves::{said, shown};
use crate::config::inventory::How;

/// A piece that is otherwise.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// Its name: `agents.reception`, `routes`, or the name of a file beside the dialplans.
    pub what: String,
    /// How.
    pub how: How,
    /// What it said, without secrets; nothing when it was not there.
    pub before: Option<Value>,
    /// What it says.
    pub after: Option<Value>,
}

/// What is otherwise. Files that are no TOML are pieces as a whole.
pub fn between(
    before: &BTreeMap<PathBuf, String>,
    after: &BTreeMap<PathBuf, String>,
) -> Vec<Difference> {
    let (mut before, after) = (pieces(before), pieces(after));
    let mut found = Vec::new();
    for (what, now) in after {
        let then = before.remove(&what);
        if then.as_ref() == Some(&now) {
            continue;
        }
        let how = if then.is_some() { How::Changed } else { How::Added };
        // What differs by a secret only looks the same.
        let (before, after) = (then.map(|it| shown(&it)), Some(shown(&now)));
        found.push(Difference { what, how, before, after });
    }
    let gone = before.into_iter().map(|(what, then)| Difference {
        what,
        how: How::Removed,
        before: Some(shown(&then)),
        after: None,
    });
    found.extend(gone);
    found.sort_by(|one, other| one.what.cmp(&other.what));
    found
}

fn pieces(files: &BTreeMap<PathBuf, String>) -> BTreeMap<String, Value> {
    let mut pieces = BTreeMap::new();
    for (path, text) in files {
        let is_toml = path.extension().is_some_and(|it| it == "toml");
        let document = is_toml.then(|| text.parse::<DocumentMut>().ok()).flatten();
        let Some(document) = document else {
            pieces.insert(name(path), Value::from(text.as_str()));
            continue;
        };
        for (key, item) in document.iter() {
            let key = match key {
                "assistants" => "agents",
                "route" => "routes",
                other => other,
            };
            match item.as_table_like() {
                Some(table) => pieces.extend(
                    table.iter().map(|(name, item)| (format!("{key}.{name}"), below(name, item))),
                ),
                None => add(&mut pieces, key, said(item)),
            }
        }
    }
    pieces
}

/// What an item says, its own key with it: whether it is a secret is known by it.
fn below(key: &str, item: &toml_edit::Item) -> Value {
    match said(item) {
        table @ Value::Object(_) => table,
        other => Value::Object([(key.to_owned(), other)].into_iter().collect()),
    }
}

/// Lists of the same name in several files are one.
fn add(pieces: &mut BTreeMap<String, Value>, key: &str, value: Value) {
    match (pieces.get_mut(key), value) {
        (Some(Value::Array(all)), Value::Array(more)) => all.extend(more),
        (_, value) => {
            pieces.insert(key.to_owned(), value);
        }
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
