//! The guard: holds the house to the plan of `src/ARCHITECTURE.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Which room may import which: the table of the house, floor by floor.
const ROOMS: &[(&str, &[&str])] = &[
    ("base", &[]),
    ("audio", &["base"]),
    ("sdp", &["base", "audio"]),
    ("sip", &["base"]),
    ("rtp", &["base", "audio"]),
    ("agent", &["base"]),
    ("dialplan", &["base"]),
    ("media", &["base", "audio", "rtp"]),
    ("call", &["base", "audio", "sdp", "sip", "rtp", "agent", "dialplan", "media"]),
    ("net", &["base", "sip"]),
    ("providers", &["base", "audio", "agent", "media"]),
    ("config", &["base", "agent", "dialplan"]),
    ("store", &["base", "agent", "dialplan", "call"]),
    (
        "engine",
        &["base", "audio", "sdp", "sip", "rtp", "agent", "media", "call", "net", "providers"],
    ),
    (
        "server",
        &[
            "base",
            "audio",
            "sip",
            "agent",
            "dialplan",
            "media",
            "call",
            "net",
            "providers",
            "config",
            "engine",
            "store",
        ],
    ),
    ("main", &["base", "config", "engine", "providers", "server"]),
];

/// The rooms that know no clock, socket, thread, file, environment, lock or channel.
const PURE: &[&str] = &["base", "audio", "sdp", "sip", "rtp", "agent", "dialplan", "media", "call"];

/// What a pure room never says.
const SHELL_WORDS: &[&str] = &[
    "Instant::now",
    "SystemTime",
    "std::net::UdpSocket",
    "std::net::Tcp",
    "std::thread",
    "std::fs",
    "std::env",
    "std::process",
    "tokio::",
    "async fn",
    ".await",
    "Mutex",
    "RwLock",
    "mpsc",
    "thread_rng",
    "rand::rng(",
    "println!",
    "eprintln!",
];

/// Words that have exactly one room.
const ONE_ROOM: &[(&str, &[&str])] = &[
    ("tokio::spawn", &[]),
    ("unbounded_channel", &[]),
    ("Instant::now", &["engine/clock.rs"]),
    ("SystemTime::now", &["engine/clock.rs"]),
    ("pocketsphinx", &["providers", "config", "server", "agent/assistant.rs"]),
    ("deepgram", &["providers"]),
];

/// Files that may hold `unsafe`, each with its reason at its head.
const UNSAFE: &[&str] = &["providers/stt/pocketsphinx_sys.rs", "providers/tts/flite_sys.rs"];

#[test]
fn rooms_import_only_what_the_table_allows() {
    let mut wrong = Vec::new();
    for file in sources() {
        let Some((_, allowed)) = ROOMS.iter().find(|(room, _)| *room == file.room) else {
            if file.room != "lib" {
                wrong.push(format!("{}: the room `{}` is not in the table", file.path, file.room));
            }
            continue;
        };
        for room in file.imported_rooms() {
            if room != file.room && !allowed.contains(&room.as_str()) {
                wrong.push(format!("{} imports {room}", file.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn pure_rooms_say_no_word_of_the_shell() {
    let mut wrong = Vec::new();
    for file in sources().iter().filter(|file| PURE.contains(&file.room.as_str())) {
        for (number, line) in file.code_lines() {
            if let Some(word) = SHELL_WORDS.iter().find(|word| line.contains(**word)) {
                wrong.push(format!("{}:{number} says `{word}`", file.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn some_words_have_one_room() {
    let mut wrong = Vec::new();
    for file in sources().iter().filter(|file| !file.is_main()) {
        for (number, line) in file.code_lines() {
            for (word, homes) in ONE_ROOM {
                let at_home = homes.iter().any(|home| file.path.starts_with(home));
                if line.contains(word) && !at_home {
                    wrong.push(format!("{}:{number} says `{word}`", file.path));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_file_is_a_book() {
    let mut wrong = Vec::new();
    for file in sources() {
        let lines = file.text.lines().take_while(|line| *line != "#[cfg(test)]").count();
        if lines > 600 {
            wrong.push(format!("{} has {lines} lines without its tests", file.path));
        }
        if !file.text.starts_with("//!") {
            wrong.push(format!("{} does not say in its first line what it is for", file.path));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_room_is_a_cupboard() {
    for file in sources() {
        for part in Path::new(&file.path).with_extension("").iter() {
            let part = part.to_string_lossy().into_owned();
            let cupboard = ["utils", "util", "common", "helpers", "types", "manager", "misc"]
                .contains(&part.as_str());
            assert!(!cupboard, "{}: a room named `{part}` says nothing", file.path);
        }
    }
}

#[test]
fn modules_only_list_their_files() {
    for file in sources().iter().filter(|file| file.path.ends_with("mod.rs")) {
        for (number, line) in file.code_lines() {
            let listing = line.trim().is_empty()
                || line.starts_with("//")
                || line.starts_with("pub mod ")
                || line.starts_with("mod ")
                || line.starts_with("#[cfg(");
            assert!(listing, "{}:{number} holds more than a list: {line}", file.path);
        }
    }
}

#[test]
fn unsafe_code_stands_only_where_it_is_listed() {
    for file in sources() {
        let listed = UNSAFE.contains(&file.path.as_str());
        let holds = file
            .code_lines()
            .any(|(_, line)| line.contains("unsafe ") || line.contains("allow(unsafe_code)"));
        assert!(listed || !holds, "{} holds unsafe code", file.path);
    }
}

#[test]
fn files_do_not_import_in_circles() {
    let files = sources();
    let names: BTreeSet<String> = files.iter().map(Source::module).collect();
    let graph: BTreeMap<String, BTreeSet<String>> = files
        .iter()
        .filter(|file| !file.path.ends_with("mod.rs"))
        .map(|file| (file.module(), file.imported_files(&names)))
        .collect();
    // Take away files that import nothing that is left, and those that nothing left imports,
    // again and again; a rest is a circle.
    let mut left = graph;
    loop {
        let keys: BTreeSet<String> = left.keys().cloned().collect();
        let free: Vec<String> = left
            .iter()
            .filter(|(name, imports)| {
                imports.is_disjoint(&keys) || !left.values().any(|others| others.contains(*name))
            })
            .map(|(name, _)| name.clone())
            .collect();
        if free.is_empty() {
            break;
        }
        for name in free {
            left.remove(&name);
        }
    }
    assert!(left.is_empty(), "a circle stands among these files: {:#?}", left.keys());
}

/// A file of `src/`.
struct Source {
    /// Below `src/`, with slashes.
    path: String,
    /// The first part of the path.
    room: String,
    /// What it holds.
    text: String,
}

impl Source {
    /// The modules below this one that only tests build: `#[cfg(test)]` before `mod`.
    fn test_modules(&self) -> Vec<String> {
        let lines: Vec<&str> = self.text.lines().collect();
        let own = self.module();
        let after_attributes =
            |at: usize| lines.iter().skip(at + 1).find(|line| !line.starts_with("#["));
        lines
            .iter()
            .enumerate()
            .filter(|(_, line)| **line == "#[cfg(test)]")
            .filter_map(|(at, _)| after_attributes(at))
            .filter_map(|line| line.trim_end_matches(';').rsplit_once("mod "))
            .map(|(_, name)| if own == "lib" { name.to_owned() } else { format!("{own}::{name}") })
            .collect()
    }

    fn is_main(&self) -> bool {
        self.room == "main"
    }

    /// The path as the language says it: `sip::event`.
    fn module(&self) -> String {
        self.path.trim_end_matches(".rs").trim_end_matches("/mod").replace('/', "::")
    }

    /// The lines before the tests, without comments, with their numbers.
    fn code_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text
            .lines()
            .enumerate()
            .map(|(at, line)| (at + 1, line))
            .take_while(|(_, line)| *line != "#[cfg(test)]" || self.path.ends_with("mod.rs"))
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
    }

    /// Every path that follows `crate::`, braces resolved one level deep.
    fn imported_paths(&self) -> Vec<String> {
        let code: String = self.code_lines().map(|(_, line)| line).collect::<Vec<_>>().join(" ");
        let mut paths = Vec::new();
        for marker in ["crate::", "voxtrunk::"] {
            for (at, _) in code.match_indices(marker) {
                let rest = &code[at + marker.len()..];
                let end = rest
                    .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'))
                    .unwrap_or(rest.len());
                let head = rest[..end].trim_end_matches(':');
                if rest[end..].starts_with('{') {
                    let inner = rest[end + 1..].split('}').next().unwrap_or_default();
                    for name in inner.split(',') {
                        paths.push(format!("{head}::{}", name.trim()));
                    }
                } else {
                    paths.push(head.to_owned());
                }
            }
        }
        paths
    }

    fn imported_rooms(&self) -> BTreeSet<String> {
        self.imported_paths()
            .iter()
            .filter_map(|path| path.split("::").next())
            .filter(|room| ROOMS.iter().any(|(known, _)| known == room))
            .map(str::to_owned)
            .collect()
    }

    /// The files that it imports: the longest prefix of each path that names one.
    fn imported_files(&self, names: &BTreeSet<String>) -> BTreeSet<String> {
        let own = self.module();
        let parent = own.rsplit_once("::").map(|(parent, _)| parent.to_owned());
        let mut paths = self.imported_paths();
        let code: String = self.code_lines().map(|(_, line)| line).collect::<Vec<_>>().join(" ");
        for (at, _) in code.match_indices("super::") {
            let rest = &code[at + "super::".len()..];
            let end =
                rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).unwrap_or(0);
            paths.extend(parent.as_ref().map(|parent| format!("{parent}::{}", &rest[..end])));
        }
        paths
            .iter()
            .filter_map(|path| {
                let parts: Vec<&str> = path.split("::").collect();
                (1..=parts.len())
                    .rev()
                    .map(|many| parts[..many].join("::"))
                    .find(|name| names.contains(name))
            })
            .filter(|name| *name != own)
            .collect()
    }
}

/// The files of the house without those that only tests build.
fn sources() -> Vec<Source> {
    let all = everything();
    let tests: Vec<String> = all.iter().flat_map(Source::test_modules).collect();
    let is_test = |file: &Source| {
        let module = file.module();
        file.text.contains("#![cfg(test)]")
            || tests.iter().any(|test| module == *test || module.starts_with(&format!("{test}::")))
    };
    let found: Vec<Source> = all.into_iter().filter(|file| !is_test(file)).collect();
    assert!(found.len() > 100, "the house has rooms");
    found
}

fn everything() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("src can be read").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let below = path.strip_prefix(&root).expect("below src");
                let below = below.to_string_lossy().replace('\\', "/");
                let room = below.split('/').next().unwrap_or_default().trim_end_matches(".rs");
                found.push(Source {
                    room: room.to_owned(),
                    text: fs::read_to_string(&path).expect("a text"),
                    path: below,
                });
            }
        }
    }
    found
}
