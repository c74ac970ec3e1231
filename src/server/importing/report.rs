//! What is told of an import: what was made, what could not be mapped, and what is to be set.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

/// Something in the file that is not, or not quite, in what was made of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Remark {
    /// Where it stands: `$.members[1].assistant.voice.chunkPlan`.
    pub path: String,
    /// Why.
    pub why: String,
    /// What to do instead.
    pub instead: String,
}

/// A secret that was not written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Wanted {
    /// The variable of the environment that is to hold it.
    pub variable: String,
    /// What for.
    pub why: String,
}

/// Something that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Made {
    /// `agent`, `tool`, `squad`, `flow` or `provider`.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// Where it stood in the file.
    pub from: String,
}

/// Everything that is told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// What was made.
    pub made: Vec<Made>,
    /// What could not be mapped.
    pub unmapped: Vec<Remark>,
    /// What is to be set before calls come.
    pub wanted: Vec<Wanted>,
    /// The files, by their paths.
    pub files: Vec<String>,
    /// What `check` says: how many errors and warnings.
    pub errors: usize,
    /// Warnings.
    pub warnings: usize,
    /// Whether the files were written.
    pub written: bool,
}

/// Why keys that are known to have no place are without one.
#[derive(Debug, Deserialize)]
pub struct Reasons(BTreeMap<String, (String, String)>);

impl Reasons {
    /// Those that stand in `reasons.toml`.
    pub fn of_the_house() -> &'static Self {
        static HOUSE: OnceLock<Reasons> = OnceLock::new();
        HOUSE.get_or_init(|| toml::from_str(TEXT).expect("the file is ours"))
    }

    /// What is said of a path that nobody read.
    pub fn remark(&self, path: &str) -> Remark {
        let last = path.rsplit(['.', ']']).find(|it| !it.is_empty()).unwrap_or_default();
        let last = last.split('[').next().unwrap_or_default();
        let of_parent = || {
            let parents = path.rsplit('.').map(|it| it.split('[').next().unwrap_or_default());
            parents.skip(1).find_map(|it| self.0.get(it))
        };
        let (why, instead) = match self.0.get(last).or_else(of_parent) {
            Some((why, instead)) => (why.clone(), instead.clone()),
            None => ("there is nothing like it here".to_owned(), "it was left out".to_owned()),
        };
        Remark { path: path.to_owned(), why, instead }
    }
}

impl Report {
    /// For people.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for Made { kind, name, from } in &self.made {
            let _ = writeln!(text, "  {kind:8} {name}  ({from})");
        }
        if !self.unmapped.is_empty() {
            let _ = writeln!(text, "\nNot mapped, or not quite:");
            for Remark { path, why, instead } in &self.unmapped {
                let _ = writeln!(text, "  {path}\n    {why}; {instead}");
            }
        }
        if !self.wanted.is_empty() {
            let _ = writeln!(text, "\nTo be set in the environment of the server:");
            for Wanted { variable, why } in &self.wanted {
                let _ = writeln!(text, "  {variable}  ({why})");
            }
        }
        let verb = if self.written { "Written:" } else { "Not written:" };
        let _ = writeln!(text, "\n{verb}");
        for file in &self.files {
            let _ = writeln!(text, "  {file}");
        }
        let (errors, warnings) = (self.errors, self.warnings);
        let _ = writeln!(text, "\nvoxtrunk check: {errors} errors, {warnings} warnings");
        text
    }
}

const TEXT: &str = include_str!("reasons.toml");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_told_by_its_key_or_by_what_it_lies_in() {
        let reasons = Reasons::of_the_house();
        let house = reasons.remark("$.assistant.voice.chunkPlan");
        assert!(house.why.contains("clauses"), "{house:?}");
        assert_eq!(reasons.remark("$.voice.chunkPlan.enabled").why, house.why);
        assert_eq!(reasons.remark("$.nothing[3]").why, "there is nothing like it here");
    }
}
