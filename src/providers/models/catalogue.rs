//! The models that can be had, as they stand in `models.toml`: sizes, sums and licences come with the
//! program, so whoever serves the files cannot change them.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

/// A model.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// What settings and commands call it.
    pub name: String,
    /// What it is for.
    pub job: Job,
    /// What it knows, in a few words.
    pub about: String,
    /// What may be done with it.
    pub licence: String,
    /// Where its files lie, without a slash at the end.
    pub from: String,
    /// Its files; the first is the network.
    pub files: Vec<Part>,
}

/// What a model is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Job {
    /// Speech to text.
    Stt,
    /// Text to speech.
    Tts,
    /// How turns end.
    Turn,
}

/// A file of a model.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Its name, there and here.
    pub name: String,
    /// How many octets it has.
    pub size: u64,
    /// Its SHA-256, in hexadecimal digits.
    pub sha256: String,
}

/// Whether a model is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// All files, in their sizes.
    There,
    /// Some of it, in per cent.
    Begun(u8),
    /// None of it.
    Missing,
}

/// All models.
pub fn all() -> &'static [Model] {
    #[derive(Deserialize)]
    struct Table {
        model: Vec<Model>,
    }
    static MODELS: OnceLock<Vec<Model>> = OnceLock::new();
    MODELS.get_or_init(|| {
        let table: Table =
            toml::from_str(include_str!("models.toml")).expect("the table of models is sound");
        table.model
    })
}

/// The model of a name.
pub fn named(name: &str) -> Option<&'static Model> {
    all().iter().find(|model| model.name == name)
}

/// The model that brings a file of this name.
pub fn with_file(name: &str) -> Option<&'static Model> {
    all().iter().find(|model| model.files.iter().any(|file| file.name == name))
}

/// The command that gets a model.
pub fn command(name: &str) -> String {
    format!("`voxtrunk models pull {name}`")
}

impl Model {
    /// How many octets it has in all.
    pub fn size(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }

    /// The file of its network in the folder of the models.
    pub fn network(&self, models: &Path) -> PathBuf {
        models.join(self.files.first().map_or("", |file| &file.name))
    }

    /// Whether it is in the folder, by the sizes of its files.
    pub fn state(&self, models: &Path) -> State {
        let length = |path: &Path| path.metadata().map_or(0, |found| found.len());
        let (mut whole, mut there) = (true, 0);
        for file in &self.files {
            let path = models.join(&file.name);
            let found = length(&path);
            let is_whole = found == file.size;
            whole &= is_whole;
            there += match is_whole {
                true => found,
                false => length(&path.with_added_extension("part")).min(file.size),
            };
        }
        match there {
            _ if whole => State::There,
            0 => State::Missing,
            some => State::Begun((some * 100 / self.size().max(1)) as u8),
        }
    }
}

impl Job {
    /// As settings call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stt => "stt",
            Self::Tts => "tts",
            Self::Turn => "turn",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_model_can_be_asked_for_and_compared() {
        let mut names = BTreeSet::new();
        for model in all() {
            let name = &model.name;
            assert!(names.insert(name), "{name} stands there twice");
            assert!(model.from.starts_with("https://") && !model.from.ends_with('/'), "{name}");
            assert!(!model.files.is_empty() && !model.licence.is_empty(), "{name}");
            for file in &model.files {
                let plain = |it: char| it.is_ascii_alphanumeric() || "-_.".contains(it);
                assert!(file.name.chars().all(plain) && !file.name.starts_with('.'), "{name}");
                let digit = |it: char| it.is_ascii_digit() || ('a'..='f').contains(&it);
                assert!(file.sha256.len() == 64 && file.sha256.chars().all(digit), "{name}");
                assert!((1..2 << 30).contains(&file.size), "{name}");
            }
        }
        assert_eq!(
            named("whisper-base.en").map(|it| it.files[0].name.as_str()),
            Some("ggml-base.en.bin")
        );
        assert_eq!(named("whisper"), None);
    }

    #[test]
    fn a_model_is_there_when_all_its_files_are() {
        let folder =
            std::env::temp_dir().join(format!("voxtrunk-catalogue-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = |name: &str, size| Part { name: name.to_owned(), size, sha256: String::new() };
        let model = Model { files: vec![file("a", 60), file("b", 40)], ..all()[0].clone() };
        assert_eq!(model.state(&folder), State::Missing);
        std::fs::write(folder.join("a"), [0; 60]).unwrap();
        std::fs::write(folder.join("b.part"), [0; 10]).unwrap();
        assert_eq!(model.state(&folder), State::Begun(70));
        std::fs::write(folder.join("b"), [0; 41]).unwrap();
        assert_eq!(model.state(&folder), State::Begun(70));
        std::fs::write(folder.join("b"), [0; 40]).unwrap();
        assert_eq!(model.state(&folder), State::There);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
