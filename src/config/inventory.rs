//! What stands in the operator's files, piece by piece, so that it can be told what was changed.

use std::collections::BTreeMap;
use std::path::PathBuf;

use toml::{Table, Value};

use crate::base::sum::sha256;
use crate::config::source::{Source, Sources};

/// The sum of every piece by its name: `sip.listen`, `agents.reception`, `routes`, and the files
/// that lie beside the dialplans. What was written there cannot be read out of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inventory(BTreeMap<String, String>);

/// A piece that is not as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its name.
    pub what: String,
    /// How.
    pub how: How,
}

/// How a piece was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// It was not there.
    Added,
    /// It was otherwise.
    Changed,
    /// It is there no more.
    Removed,
}

impl How {
    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Changed => "changed",
            Self::Removed => "removed",
        }
    }
}

impl Inventory {
    /// The inventory of files: of the settings of the machine, if there is such a file, of the
    /// dialplans, and of the files that lie `beside` them.
    pub fn of(sources: &Sources, has_settings: bool, beside: &BTreeMap<PathBuf, String>) -> Self {
        let mut pieces: BTreeMap<String, String> = BTreeMap::new();
        // Settings that could not be opened are no source.
        let count = usize::from(has_settings).min(sources.files().len());
        let (settings, dialplans) = sources.files().split_at(count);
        for (name, value) in settings.iter().filter_map(table).flatten() {
            take(&mut pieces, name, value);
        }
        for (name, value) in dialplans.iter().filter_map(table).flatten() {
            let name = match name.as_str() {
                "route" => "routes".to_owned(),
                "assistants" => "agents".to_owned(),
                _ => name,
            };
            take(&mut pieces, name, value);
        }
        let mut sums: BTreeMap<String, String> =
            pieces.into_iter().map(|(name, text)| (name, sum(&text))).collect();
        let files = beside.iter().map(|(path, sum)| (path.display().to_string(), sum.clone()));
        sums.extend(files);
        Self(sums)
    }

    /// What is not as it was `before`, in the order of the names.
    pub fn since(&self, before: &Self) -> Vec<Change> {
        let change = |what: &String, how| Change { what: what.clone(), how };
        let mut changes: Vec<Change> = before
            .0
            .keys()
            .filter(|what| !self.0.contains_key(*what))
            .map(|what| change(what, How::Removed))
            .collect();
        for (what, sum) in &self.0 {
            match before.0.get(what) {
                None => changes.push(change(what, How::Added)),
                Some(old) if old != sum => changes.push(change(what, How::Changed)),
                Some(_) => {}
            }
        }
        changes.sort_by(|one, other| one.what.cmp(&other.what));
        changes
    }
}

/// What a file holds; nothing, when it is no TOML.
fn table(source: &Source) -> Option<Table> {
    source.text.parse().ok()
}

/// Takes a piece, or the pieces of a table. Lists of the same name in several files are one.
fn take(pieces: &mut BTreeMap<String, String>, name: String, value: Value) {
    match value {
        Value::Table(table) => {
            for (key, value) in table {
                pieces.entry(format!("{name}.{key}")).or_default().push_str(&value.to_string());
            }
        }
        other => pieces.entry(name).or_default().push_str(&other.to_string()),
    }
}

/// The sum of a text.
pub fn sum(text: &str) -> String {
    // A text can always be read.
    sha256(text.as_bytes()).map(|it| it.0).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inventory(settings: &str, dialplan: &str) -> Inventory {
        let mut sources = Sources::default();
        sources.add("conf/server.toml".to_owned(), None, settings.into());
        sources.add("main.toml".to_owned(), None, dialplan.into());
        Inventory::of(&sources, true, &BTreeMap::new())
    }

    #[test]
    fn what_was_changed_is_named_piece_by_piece() {
        let before = inventory(
            "[rtp]\nptime = \"20ms\"\n[trunks.a]\nhost = \"x\"",
            "[[route]]\nto = \"busy\"\n[agents.a]\nprompt = \"x\"\n[agents.b]\nprompt = \"y\"",
        );
        let after = inventory(
            "# a remark\n[trunks.a]\nhost = \"x\"\n[rtp]\nptime = \"30ms\"",
            "[[route]]\nto = \"busy\"\n[agents.a]\nprompt = \"z\"\n[hours.h]\nmon = \"09:00-17:00\"",
        );
        let told: Vec<String> = after
            .since(&before)
            .into_iter()
            .map(|change| format!("{} {}", change.what, change.how.name()))
            .collect();
        assert_eq!(
            told,
            ["agents.a changed", "agents.b removed", "hours.h added", "rtp.ptime changed"]
        );
        assert_eq!(after.since(&after), []);
    }
}
