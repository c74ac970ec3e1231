//! The history of the operator's files: what they said whenever the server took them, so that an
//! older state can be brought back. Each content is kept once, under its sum.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::editing::writing::replace;
use crate::config::inventory;
use crate::config::load::Loaded;

/// A folder with the history.
#[derive(Debug, Clone)]
pub struct History {
    folder: PathBuf,
}

/// One state of the files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// When the server took it, in seconds since the Unix epoch.
    pub at: u64,
    /// The sum of each file by its path.
    pub files: BTreeMap<PathBuf, String>,
}

/// A file that was brought back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Restored {
    /// It says again what it said.
    Written(PathBuf),
    /// It was not there.
    Removed(PathBuf),
}

impl History {
    /// The history below the data of a server.
    pub fn below(data: &Path) -> Self {
        Self { folder: data.join("history") }
    }

    /// Keeps the files as they were read, unless they are as they were the last time.
    ///
    /// # Errors
    /// When the disk does not take them.
    pub fn keep(&self, loaded: &Loaded, at: Duration) -> io::Result<()> {
        let texts = texts(loaded);
        let files: BTreeMap<PathBuf, String> =
            texts.iter().map(|(path, text)| (path.clone(), inventory::sum(text))).collect();
        let states = self.states()?;
        if states.first().is_some_and(|last| last.files == files) {
            return Ok(());
        }
        fs::DirBuilder::new().recursive(true).mode(0o700).create(self.folder.join(CONTENTS))?;
        for (path, text) in &texts {
            let content = self.content(&files[path]);
            if !content.exists() {
                write(&content, text.as_bytes())?;
            }
        }
        // Two states of one second are told apart by their order.
        let newest = states.first().map_or(0, |last| last.at + 1);
        let state = State { at: at.as_secs().max(newest), files };
        let text = serde_json::to_vec(&state).map_err(io::Error::other)?;
        write(&self.folder.join(format!("{}.json", state.at)), &text)?;
        self.forget_the_oldest()
    }

    /// The states, the newest first.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn states(&self) -> io::Result<Vec<State>> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(why) => return Err(why),
        };
        let mut states = Vec::new();
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_some_and(|it| it == "json") {
                // What somebody else put there, or what was cut off, is no state.
                states.extend(serde_json::from_slice::<State>(&fs::read(path)?));
            }
        }
        states.sort_by_key(|state| std::cmp::Reverse(state.at));
        Ok(states)
    }

    /// What the files of a state said.
    ///
    /// # Errors
    /// When a content is missing.
    pub fn contents(&self, state: &State) -> io::Result<BTreeMap<PathBuf, String>> {
        let read = |(path, sum): (&PathBuf, &String)| {
            Ok((path.clone(), fs::read_to_string(self.content(sum))?))
        };
        state.files.iter().map(read).collect()
    }

    /// What files say that were read just now.
    pub fn now(loaded: &Loaded) -> BTreeMap<PathBuf, String> {
        texts(loaded)
    }

    /// Brings a state back, in place of the newest. Nothing is written unless all of it is there.
    ///
    /// # Errors
    /// When a content is missing, or the disk does not take a file.
    pub fn bring_back(&self, state: &State, newest: &State) -> io::Result<Vec<Restored>> {
        let mut contents = Vec::new();
        for (path, sum) in &state.files {
            contents.push((path, fs::read(self.content(sum))?));
        }
        let mut restored = Vec::new();
        for (path, content) in contents {
            if fs::read(path).is_ok_and(|now| now == content) {
                continue;
            }
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            replace(path, &content)?;
            restored.push(Restored::Written(path.clone()));
        }
        for path in newest.files.keys().filter(|path| !state.files.contains_key(*path)) {
            match fs::remove_file(path) {
                Ok(()) => restored.push(Restored::Removed(path.clone())),
                Err(why) if why.kind() == io::ErrorKind::NotFound => {}
                Err(why) => return Err(why),
            }
        }
        Ok(restored)
    }

    fn forget_the_oldest(&self) -> io::Result<()> {
        let mut states = self.states()?;
        for old in states.split_off(states.len().min(MOST_STATES)) {
            fs::remove_file(self.folder.join(format!("{}.json", old.at)))?;
        }
        let kept: BTreeSet<&String> =
            states.iter().flat_map(|state| state.files.values()).collect();
        for entry in fs::read_dir(self.folder.join(CONTENTS))? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if !kept.contains(&name) {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    fn content(&self, sum: &str) -> PathBuf {
        // A sum that somebody wrote by hand leads nowhere else.
        let name: String = sum.chars().filter(char::is_ascii_hexdigit).collect();
        self.folder.join(CONTENTS).join(name)
    }
}

impl State {
    /// The files that are otherwise than in the state before, by the ends of their paths.
    pub fn changed_since(&self, before: Option<&Self>) -> Vec<String> {
        let Some(before) = before else { return vec![format!("{} files", self.files.len())] };
        let is_new = |path: &&PathBuf| before.files.get(*path) != self.files.get(*path);
        let written = self.files.keys().filter(is_new).map(|path| (path, ""));
        let gone = before.files.keys().filter(|path| !self.files.contains_key(*path));
        let all = written.chain(gone.map(|path| (path, " (removed)")));
        all.map(|(path, how)| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            format!("{name}{how}")
        })
        .collect()
    }
}

/// The text of every file that was read, by its whole path. A file beside the dialplans that was
/// changed meanwhile is left out: the next reading has it.
fn texts(loaded: &Loaded) -> BTreeMap<PathBuf, String> {
    let whole = |path: &Path| path.canonicalize().ok();
    let mut texts = BTreeMap::new();
    for source in loaded.sources.files().iter().filter(|source| source.directory.is_some()) {
        texts.extend(whole(Path::new(&source.name)).map(|path| (path, source.text.to_string())));
    }
    for (path, sum) in &loaded.beside {
        let text = fs::read_to_string(path).ok().filter(|text| inventory::sum(text) == *sum);
        texts.extend(text.and_then(|text| Some((whole(path)?, text))));
    }
    texts
}

/// Writes a file of ours, whole or not at all. Secrets may stand in it.
fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let partial = path.with_extension("part");
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&partial)?;
    file.write_all(content)?;
    file.sync_data()?;
    fs::rename(&partial, path)
}

/// Where contents lie.
const CONTENTS: &str = "contents";

/// How many states are kept.
const MOST_STATES: usize = 50;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::external::FilesOnly;
    use crate::config::load::load;
    use crate::config::report;

    struct Folder(PathBuf);

    impl Drop for Folder {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).ok();
        }
    }

    fn read(folder: &Folder) -> Loaded {
        load(&report::request(&[folder.0.join("conf")]), &|_| None, &FilesOnly)
    }

    #[test]
    fn an_older_state_comes_back_whole() {
        let name = format!("voxtrunk-history-{}", std::process::id());
        let folder = Folder(std::env::temp_dir().join(name));
        let put = |name: &str, text: &str| {
            let path = folder.0.join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, text).expect("a file");
        };
        let get = |name: &str| fs::read_to_string(folder.0.join(name)).ok();
        let history = History::below(&folder.0.join("data"));
        put("conf/server.toml", "");
        put(
            "dialplans/main.toml",
            "[[route]]\nto = \"agent:a\"\n[agents.a]\nprompt_file = \"a.md\"",
        );
        put("dialplans/a.md", "Be kind.");
        let at = Duration::from_secs(1_000);
        history.keep(&read(&folder), at).expect("kept");
        history.keep(&read(&folder), at).expect("kept");
        put("dialplans/a.md", "Be rude.");
        put("dialplans/more.toml", "[[route]]\nto = \"busy\"\n");
        history.keep(&read(&folder), at).expect("kept");
        let states = history.states().expect("states");
        assert_eq!(states.iter().map(|state| state.at).collect::<Vec<_>>(), [1_001, 1_000]);
        let restored = history.bring_back(&states[1], &states[0]).expect("it is all there");
        assert_eq!(restored.len(), 2, "{restored:?}");
        assert_eq!(get("dialplans/a.md").as_deref(), Some("Be kind."));
        assert_eq!(get("dialplans/more.toml"), None);
        for more in 0..60 {
            put("dialplans/a.md", &format!("Be {more}."));
            history.keep(&read(&folder), at).expect("kept");
        }
        assert_eq!(history.states().expect("states").len(), MOST_STATES);
        let contents = fs::read_dir(folder.0.join("data/history/contents")).expect("a folder");
        assert_eq!(contents.count(), MOST_STATES + 2, "what no state needs is gone");
    }
}
