//! The chronicle of what people and programs did to the server: one line for each deed, and each line
//! carries the sum of the one before it, so that nobody changes, drops or reorders one unseen (T33).
//! Several processes write it: the server, and the command line beside it.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::base::sum::hexadecimal;

/// The folder with the chronicle.
#[derive(Debug, Clone)]
pub struct Audit {
    folder: PathBuf,
    largest: u64,
}

/// What somebody did, or tried to do. Nothing in it is a secret, a number or a word of a caller.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deed {
    /// When (RFC 3339).
    pub at: String,
    /// Who: the identity of a key, or a user of the machine, `uid:1000`.
    pub who: String,
    /// From where: an address, `socket` or `local`.
    pub from: String,
    /// What: `PUT /v1/agents/{name}`, `call.hangup` and the like.
    pub what: String,
    /// On what: the identity of a call, the name of a thing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<String>,
    /// The sum of what it said before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// The sum of what it says since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// What came of it: a status of HTTP, `ok`, or the code of a fault.
    pub outcome: String,
}

/// A line of the chronicle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Counts up from 1.
    pub number: u64,
    /// What was done.
    #[serde(flatten)]
    pub deed: Deed,
    /// The sum of the line before.
    pub prev: String,
    /// The sum of this line, up to here.
    pub hash: String,
}

/// How the chronicle stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// How many lines there are.
    pub entries: u64,
    /// The number of the first of them: those before were forgotten.
    pub first: u64,
    /// The first line that is not as it was written; nothing when all are.
    pub broken: Option<Break>,
}

/// A place where the chain is broken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Break {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: u64,
    /// What is wrong there.
    pub why: String,
}

/// Which lines are wanted, the newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sought {
    /// Only those before this number.
    pub before: Option<u64>,
    /// Only those of this one.
    pub who: Option<String>,
    /// Only those that begin so.
    pub what: Option<String>,
    /// Only those on this.
    pub on: Option<String>,
    /// How many.
    pub limit: usize,
}

/// The end of the chain, which is kept beside it: whoever cuts lines off is found out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Head {
    number: u64,
    hash: String,
}

/// A line without its sum.
#[derive(Serialize)]
struct Bare<'a> {
    number: u64,
    #[serde(flatten)]
    deed: &'a Deed,
    prev: &'a str,
}

impl Audit {
    /// The chronicle below the data of a server.
    pub fn below(data: &Path) -> Self {
        Self { folder: data.join("audit"), largest: LARGEST }
    }

    /// Writes down a deed; when this returns it is on the disk. Tells how many octets of a line that
    /// was never finished were cut off before.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn note(&self, deed: &Deed) -> io::Result<u64> {
        fs::create_dir_all(&self.folder)?;
        let _lock = self.lock()?;
        let (file, cut) = self.mended()?;
        let last = self.last()?;
        let (mut number, mut prev) = last.map_or((0, BEGIN.to_owned()), |it| (it.number, it.hash));
        let mut lines = Vec::new();
        let mut write = |deed: &Deed| -> io::Result<()> {
            number += 1;
            let line = line(number, &prev, deed)?;
            prev.clone_from(&line.1);
            lines.extend_from_slice(line.0.as_bytes());
            Ok(())
        };
        if cut > 0 {
            // It is said that there was something.
            let who = "voxtrunk".to_owned();
            let what = "audit.mended".to_owned();
            let outcome = format!("{cut} octets of an unfinished line");
            write(&Deed {
                who,
                what,
                outcome,
                at: deed.at.clone(),
                from: "local".to_owned(),
                ..Deed::default()
            })?;
        }
        write(deed)?;
        let mut file = self.turned(file, number)?;
        file.write_all(&lines)?;
        file.sync_data()?;
        put(&self.folder.join(HEAD), &serde_json::to_vec(&Head { number, hash: prev })?)?;
        Ok(cut)
    }

    /// The lines that are wanted, the newest first.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn find(&self, sought: &Sought) -> io::Result<Vec<Entry>> {
        let mut found = Vec::new();
        for path in self.files()?.into_iter().rev() {
            let mut fitting = Vec::new();
            for line in BufReader::new(fs::File::open(path)?).lines() {
                let Ok(entry) = serde_json::from_str::<Entry>(&line?) else { continue };
                if sought.fits(&entry) {
                    fitting.push(entry);
                }
            }
            fitting.reverse();
            found.extend(fitting);
            if found.len() >= sought.limit {
                break;
            }
        }
        found.truncate(sought.limit);
        Ok(found)
    }

    /// Looks whether every line is as it was written, and none is missing.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn verify(&self) -> io::Result<Verdict> {
        let mut verdict = Verdict { entries: 0, first: 1, broken: None };
        let head: Option<Head> = match fs::read(self.folder.join(HEAD)) {
            Ok(octets) => serde_json::from_slice(&octets).ok(),
            Err(why) if why.kind() == io::ErrorKind::NotFound => None,
            Err(why) => return Err(why),
        };
        let mut last: Option<Head> = None;
        let mut is_headed = head.is_none();
        for path in self.files()? {
            let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            for (at, line) in BufReader::new(fs::File::open(&path)?).split(b'\n').enumerate() {
                let line = line?;
                let place = |why: &str| Break {
                    file: file.clone(),
                    line: at as u64 + 1,
                    why: why.to_owned(),
                };
                let entry = match checked(&line, last.as_ref()) {
                    Ok(entry) => entry,
                    Err(why) => return Ok(Verdict { broken: Some(place(why)), ..verdict }),
                };
                if last.is_none() {
                    verdict.first = entry.number;
                }
                let own = Head { number: entry.number, hash: entry.hash };
                if head.as_ref().is_some_and(|head| head.number == own.number && *head != own) {
                    let why = "this is not the line that was written last";
                    return Ok(Verdict { broken: Some(place(why)), ..verdict });
                }
                is_headed |= head.as_ref() == Some(&own);
                last = Some(own);
                verdict.entries += 1;
            }
        }
        if !is_headed {
            let number = head.map_or(0, |head| head.number);
            let line = last.map_or(0, |last| last.number) + 1;
            let why = format!("the lines {line} to {number} are missing");
            verdict.broken = Some(Break { file: FILE.to_owned(), line, why });
        }
        Ok(verdict)
    }

    /// The open file, after what was not finished was cut off.
    fn mended(&self) -> io::Result<(fs::File, u64)> {
        let mut options = fs::OpenOptions::new();
        options.read(true).append(true).create(true).mode(0o600);
        let mut file = options.open(self.folder.join(FILE))?;
        let length = file.metadata()?.len();
        let from = length.saturating_sub(LONGEST_LINE);
        file.seek(SeekFrom::Start(from))?;
        let mut tail = Vec::new();
        file.read_to_end(&mut tail)?;
        let whole = tail.iter().rposition(|it| *it == b'\n').map_or(0, |at| at as u64 + 1);
        let end = if tail.is_empty() { length } else { from + whole };
        if end < length {
            file.set_len(end)?;
            file.sync_data()?;
        }
        Ok((file, length - end))
    }

    /// The last line of the chronicle.
    fn last(&self) -> io::Result<Option<Head>> {
        for path in self.files()?.into_iter().rev() {
            let mut file = fs::File::open(path)?;
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(length.saturating_sub(2 * LONGEST_LINE)))?;
            let mut tail = Vec::new();
            file.read_to_end(&mut tail)?;
            let line = tail.split(|it| *it == b'\n').rfind(|line| !line.is_empty());
            let Some(line) = line else { continue };
            // A line that cannot be read is followed all the same: `verify` names it.
            let entry = serde_json::from_slice::<Entry>(line);
            let head = entry.map(|it| Head { number: it.number, hash: it.hash });
            return Ok(Some(head.unwrap_or_else(|_| {
                self.head().unwrap_or(Head { number: 0, hash: hexadecimal(&Sha256::digest(line)) })
            })));
        }
        Ok(self.head())
    }

    fn head(&self) -> Option<Head> {
        serde_json::from_slice(&fs::read(self.folder.join(HEAD)).ok()?).ok()
    }

    /// A new file, when this one is full; the oldest is forgotten.
    fn turned(&self, file: fs::File, number: u64) -> io::Result<fs::File> {
        if file.metadata()?.len() < self.largest {
            return Ok(file);
        }
        let old = self.folder.join(format!("audit-{number:012}.jsonl"));
        fs::rename(self.folder.join(FILE), old)?;
        let mut files = self.files()?;
        while files.len() > MOST_FILES {
            fs::remove_file(files.remove(0))?;
        }
        Ok(self.mended()?.0)
    }

    /// The files, the oldest first.
    fn files(&self) -> io::Result<Vec<PathBuf>> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(why) => return Err(why),
        };
        let mut files = Vec::new();
        for entry in entries {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name.starts_with("audit-") && name.ends_with(".jsonl") {
                files.push(path);
            }
        }
        files.sort();
        files.extend(Some(self.folder.join(FILE)).filter(|path| path.exists()));
        Ok(files)
    }

    /// One process at a time writes.
    fn lock(&self) -> io::Result<fs::File> {
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(self.folder.join("lock"))?;
        flock(&file, FlockOperation::LockExclusive)?;
        Ok(file)
    }
}

impl Sought {
    fn fits(&self, entry: &Entry) -> bool {
        let deed = &entry.deed;
        self.before.is_none_or(|before| entry.number < before)
            && self.who.as_ref().is_none_or(|who| deed.who == *who)
            && self.what.as_ref().is_none_or(|what| deed.what.starts_with(what.as_str()))
            && self.on.as_ref().is_none_or(|on| deed.on.as_ref() == Some(on))
    }
}

/// The sum of a text that was changed.
pub fn sum(text: &str) -> String {
    hexadecimal(&Sha256::digest(text.as_bytes()))
}

/// A line with its end, and its sum: that of all octets before it.
fn line(number: u64, prev: &str, deed: &Deed) -> io::Result<(String, String)> {
    let deed = &deed.bounded();
    let mut text = serde_json::to_string(&Bare { number, deed, prev })?;
    // The brace is put behind the sum.
    text.pop();
    let hash = sum(&text);
    text.push_str(&format!("{OF_HASH}{hash}\"}}\n"));
    Ok((text, hash))
}

/// Reads a line, if it is whole and follows the last one.
fn checked(line: &[u8], last: Option<&Head>) -> Result<Entry, &'static str> {
    let text = std::str::from_utf8(line).map_err(|_| "this is no text")?;
    let (own, _) = text.rsplit_once(OF_HASH).ok_or("the line has no sum")?;
    let entry: Entry =
        serde_json::from_str(text).map_err(|_| "this is no line of the chronicle")?;
    if sum(own) != entry.hash {
        return Err("the line was changed: its sum is another one");
    }
    match last {
        Some(last) if last.number + 1 != entry.number => Err("lines are missing before this one"),
        Some(last) if last.hash != entry.prev => Err("the line before this one was another one"),
        None if entry.number == 1 && entry.prev != BEGIN => Err("the chronicle began otherwise"),
        Some(_) | None => Ok(entry),
    }
}

impl Deed {
    /// No text of it makes a line longer than it may be.
    fn bounded(&self) -> Self {
        let cut = |text: &String| -> String { text.chars().take(LONGEST_TEXT).collect() };
        Self {
            at: cut(&self.at),
            who: cut(&self.who),
            from: cut(&self.from),
            what: cut(&self.what),
            on: self.on.as_ref().map(cut),
            before: self.before.as_ref().map(cut),
            after: self.after.as_ref().map(cut),
            outcome: cut(&self.outcome),
        }
    }
}

/// Writes a file, whole or not at all.
fn put(path: &Path, content: &[u8]) -> io::Result<()> {
    let partial = path.with_extension("part");
    let mut options = fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&partial)?;
    file.write_all(content)?;
    file.sync_data()?;
    fs::rename(&partial, path)
}

/// What stands before the sum of a line.
const OF_HASH: &str = ",\"hash\":\"";

/// The file that grows.
const FILE: &str = "audit.jsonl";

/// The end of the chain.
const HEAD: &str = "head.json";

/// What the first line follows.
const BEGIN: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// After how many octets a new file begins.
const LARGEST: u64 = 4 * 1_024 * 1_024;

/// How many full files are kept.
const MOST_FILES: usize = 15;

/// The longest text in a line, in letters.
const LONGEST_TEXT: usize = 256;

/// The longest line, in octets: eight texts, each letter escaped.
const LONGEST_LINE: u64 = 32 * 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let name = format!("voxtrunk-audit-{name}-{}", std::process::id());
            Self(std::env::temp_dir().join(name))
        }

        fn text(&self) -> String {
            fs::read_to_string(self.0.join("audit").join(FILE)).expect("a chronicle")
        }

        fn put(&self, text: &str) {
            fs::write(self.0.join("audit").join(FILE), text).expect("written");
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).ok();
        }
    }

    fn deed(what: &str) -> Deed {
        let word = |text: &str| text.to_owned();
        let (at, who, from) = (word("2026-11-23T01:00:00.000Z"), word("key_1"), word("127.0.0.1"));
        Deed { at, who, from, what: word(what), outcome: word("ok"), ..Deed::default() }
    }

    #[test]
    fn whoever_changes_drops_swaps_or_cuts_lines_is_found_out() {
        let folder = Folder::new("chain");
        let audit = Audit::below(&folder.0);
        assert_eq!(audit.verify().expect("a verdict").entries, 0);
        for what in ["a", "b\n\"}", "c", "d"] {
            assert_eq!(audit.note(&deed(what)).expect("noted"), 0);
        }
        let verdict = audit.verify().expect("a verdict");
        assert_eq!((verdict.entries, verdict.first, verdict.broken), (4, 1, None));
        let text = folder.text();
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        let forged = |number: u64, text: String| {
            folder.put(&text);
            let broken = audit.verify().expect("a verdict").broken.expect("it is broken");
            assert_eq!(broken.line, number, "{broken:?}");
        };
        forged(2, text.replacen("key_1", "key_2", 2).replacen("key_2", "key_1", 1));
        forged(2, [lines[0], lines[2], lines[3]].concat());
        forged(2, [lines[0], lines[2], lines[1], lines[3]].concat());
        forged(1, [lines[1], lines[2], lines[3]].concat().replace("\"number\":2", "\"number\":1"));
        forged(4, lines[..3].concat());
        forged(1, String::new());
        forged(3, format!("{}{}\n", lines[..2].concat(), "x"));
        // Whoever makes every sum anew still ends otherwise than was written.
        let (mut prev, mut anew) = (BEGIN.to_owned(), String::new());
        for (number, what) in (1..).zip(["a", "x", "c", "d"]) {
            let (line, hash) = line(number, &prev, &deed(what)).expect("a line");
            anew.push_str(&line);
            prev = hash;
        }
        forged(4, anew);
        folder.put(&text);
        assert_eq!(audit.verify().expect("a verdict").broken, None);
    }

    #[test]
    fn a_line_that_was_never_finished_is_cut_and_told() {
        let folder = Folder::new("torn");
        let audit = Audit::below(&folder.0);
        audit.note(&deed("a")).expect("noted");
        let torn = format!("{}{{\"number\":2,\"at\":\"20", folder.text());
        folder.put(&torn);
        assert!(audit.verify().expect("a verdict").broken.is_some());
        assert_eq!(audit.note(&deed("b")).expect("noted"), 20);
        let found = audit.find(&Sought { limit: 10, ..Sought::default() }).expect("lines");
        let what: Vec<&str> = found.iter().map(|it| it.deed.what.as_str()).collect();
        assert_eq!(what, ["b", "audit.mended", "a"]);
        assert_eq!(audit.verify().expect("a verdict").broken, None);
    }

    #[test]
    fn the_chain_goes_on_in_the_next_file_and_the_oldest_is_forgotten() {
        let folder = Folder::new("turned");
        let audit = Audit { largest: 1_000, ..Audit::below(&folder.0) };
        for number in 0..100 {
            audit.note(&deed(&number.to_string())).expect("noted");
        }
        let verdict = audit.verify().expect("a verdict");
        assert_eq!(verdict.broken, None);
        assert!(verdict.first > 1 && verdict.first + verdict.entries == 101, "{verdict:?}");
        assert_eq!(audit.files().expect("files").len(), MOST_FILES + 1);
        let sought = Sought { before: Some(51), limit: 2, ..Sought::default() };
        let found = audit.find(&sought).expect("lines");
        assert_eq!(found.iter().map(|it| it.number).collect::<Vec<_>>(), [50, 49]);
        let sought = Sought { what: Some("99".to_owned()), limit: 5, ..Sought::default() };
        assert_eq!(audit.find(&sought).expect("lines").len(), 1);
    }

    #[test]
    fn several_write_at_once() {
        let folder = Folder::new("crowd");
        let audit = Audit::below(&folder.0);
        std::thread::scope(|scope| {
            for number in 0..8 {
                let audit = audit.clone();
                scope.spawn(move || audit.note(&deed(&number.to_string())).expect("noted"));
            }
        });
        let verdict = audit.verify().expect("a verdict");
        assert_eq!((verdict.entries, verdict.broken), (8, None));
    }
}
