//! The records of calls that are up, as far as they got: one file to which a line is added for all
//! that changes, and which is read when a server starts that was killed. What it says of a call is
//! on the disk a fraction of a second after it happened.
//!
//! A line holds what changed since the last one of its call: a list that grew is written from where
//! it grew, all other values whole. So a long call costs what it says, and not its square.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::base::id::CallId;
use crate::call::cause::Cause;
use crate::store::call_archive::Document;
use crate::store::call_files::timestamp;

/// Writes down how the calls stand that are up.
#[derive(Debug)]
pub struct Drafts {
    path: PathBuf,
    file: Option<File>,
    /// The records, and whether their calls are over.
    open: BTreeMap<CallId, (Document, bool)>,
    /// What the disk is to take next.
    lines: Vec<u8>,
    /// How long the file is, and how long it was when it was new.
    octets: (u64, u64),
    /// Whether it was said that the disk does not take it.
    is_failing: bool,
}

/// A call that was up when the server was killed.
#[derive(Debug, Clone, PartialEq)]
pub struct Unfinished {
    /// The call.
    pub call: CallId,
    /// Its record.
    pub document: Document,
    /// Whether it had ended, and its record was only not written.
    pub is_over: bool,
}

/// A line of the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    /// When, in milliseconds since the Unix epoch.
    at: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    call: Option<CallId>,
    /// Values that are new or otherwise than before.
    #[serde(default, skip_serializing_if = "Document::is_empty")]
    set: Document,
    /// Lists of which so much stays, and what follows.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    grown: BTreeMap<String, (usize, Vec<Value>)>,
    /// Whether the call is over.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    over: bool,
    /// Calls whose records are written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    done: Vec<CallId>,
}

impl Drafts {
    /// Begins a new file. What stood there is gone: whoever wants it reads it before.
    pub fn new(path: PathBuf) -> Self {
        Self {
            path,
            file: None,
            open: BTreeMap::new(),
            lines: Vec::new(),
            octets: (0, 0),
            is_failing: false,
        }
    }

    /// The record of a call is this, at a time since the Unix epoch; tells whether the call is new.
    pub fn note(&mut self, at: Duration, call: CallId, document: Document, over: bool) -> bool {
        let (before, _) = self.open.remove(&call).unwrap_or_default();
        let is_new = before.is_empty();
        let mut line = Line { call: Some(call), over, ..Line::at(at) };
        for (key, value) in &document {
            match (before.get(key), value) {
                (Some(before), value) if before == value => {}
                (Some(Value::Array(before)), Value::Array(now)) if !before.is_empty() => {
                    let same = before.iter().zip(now).take_while(|(before, now)| before == now);
                    let kept = same.count();
                    let rest = now.get(kept..).unwrap_or_default().to_vec();
                    line.grown.insert(key.clone(), (kept, rest));
                }
                _ => {
                    line.set.insert(key.clone(), value.clone());
                }
            }
        }
        self.open.insert(call, (document, over));
        self.put(&line);
        self.bound();
        is_new
    }

    /// How far the record of a call got that is not written yet.
    pub fn record(&self, call: CallId) -> Option<&Document> {
        self.open.get(&call).map(|(document, _)| document)
    }

    /// Changes the record of a call that is not written yet, if there is one.
    pub fn change(&mut self, at: Duration, call: CallId, change: impl FnOnce(&mut Document)) {
        let Some((document, over)) = self.open.get(&call) else { return };
        let (mut document, over) = (document.clone(), *over);
        change(&mut document);
        self.note(at, call, document, over);
    }

    /// The records of these calls are written.
    pub fn done(&mut self, at: Duration, calls: impl IntoIterator<Item = CallId>) {
        let known = calls.into_iter().filter(|call| self.open.remove(call).is_some());
        let done: Vec<CallId> = known.collect();
        if !done.is_empty() {
            self.put(&Line { done, ..Line::at(at) });
        }
    }

    /// The first records of calls that are over and were not written: the disk did not take them.
    pub fn unwritten(&self, most: usize) -> Vec<(CallId, Document)> {
        let over = self.open.iter().filter(|(_, (_, is_over))| *is_over);
        over.take(most).map(|(call, (document, _))| (*call, document.clone())).collect()
    }

    /// A disk that takes nothing for long costs the oldest of those records, not all memory.
    fn bound(&mut self) {
        if self.open.len() <= MOST_CALLS {
            return;
        }
        let over = self.open.iter().find(|(_, (_, is_over))| *is_over);
        if let Some(call) = over.map(|(call, _)| *call) {
            tracing::error!(%call, "its record is lost: the disk takes none for too long");
            self.open.remove(&call);
        }
    }

    /// The calls that are up are up still.
    pub fn tick(&mut self, at: Duration) {
        if self.has_open() {
            self.put(&Line::at(at));
        }
    }

    /// Whether calls are up.
    pub fn has_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// Whether something was noted that the disk was not asked to take.
    pub fn is_behind(&self) -> bool {
        !self.lines.is_empty()
    }

    /// Whether there is, or will soon be, something to be noted.
    pub fn has_news(&self) -> bool {
        self.has_open() || self.is_behind()
    }

    /// Has the disk take what was noted. A disk that does not is asked again the next time, and then
    /// takes everything that is still of use.
    pub fn flush(&mut self) {
        let is_new = self.file.is_none() || self.octets.0 > MOST.max(self.octets.1 * 4);
        let written = if is_new { self.rewrite() } else { self.add() };
        self.lines.clear();
        match written {
            Ok(()) if self.is_failing => {
                tracing::info!("calls that are up are written down again");
                self.is_failing = false;
            }
            Ok(()) => {}
            Err(why) => {
                self.file = None;
                if !self.is_failing {
                    tracing::error!(%why, "calls that are up cannot be written down");
                }
                self.is_failing = true;
            }
        }
    }

    fn add(&mut self) -> io::Result<()> {
        let Some(file) = self.file.as_mut().filter(|_| !self.lines.is_empty()) else {
            return Ok(());
        };
        file.write_all(&self.lines)?;
        file.sync_data()?;
        self.octets.0 += self.lines.len() as u64;
        Ok(())
    }

    /// Writes the calls that are up into a new file, which takes the place of the old one whole.
    fn rewrite(&mut self) -> io::Result<()> {
        let mut text = Vec::new();
        for (call, (document, over)) in &self.open {
            let (set, over) = (document.clone(), *over);
            let at = Duration::from_millis(ended(document).unwrap_or_default());
            write(&mut text, &Line { call: Some(*call), set, over, ..Line::at(at) });
        }
        let partial = self.path.with_extension("part");
        let mut options = OpenOptions::new();
        let mut file =
            options.write(true).create(true).truncate(true).mode(0o600).open(&partial)?;
        file.write_all(&text)?;
        file.sync_data()?;
        fs::rename(&partial, &self.path)?;
        (self.file, self.octets) = (Some(file), (text.len() as u64, text.len() as u64));
        Ok(())
    }

    fn put(&mut self, line: &Line) {
        write(&mut self.lines, line);
    }
}

impl Line {
    fn at(at: Duration) -> Self {
        Self {
            at: u64::try_from(at.as_millis()).unwrap_or(u64::MAX),
            call: None,
            set: Document::new(),
            grown: BTreeMap::new(),
            over: false,
            done: Vec::new(),
        }
    }
}

impl Unfinished {
    /// What is told of its end.
    pub fn end(&self) -> Value {
        let keys = ["end_reason", "q850", "status", "duration_ms", "cost"];
        let of = |key: &str| (key.to_owned(), self.document.get(key).cloned().unwrap_or_default());
        Value::Object(keys.into_iter().map(of).collect())
    }
}

/// The calls that were up, or not written, when the server was killed that wrote this file. A line
/// that is torn ends what it knew.
///
/// # Errors
/// When the file is there and cannot be read.
pub fn unfinished(path: &Path) -> io::Result<Vec<Unfinished>> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(why) => return Err(why),
    };
    let mut calls: BTreeMap<CallId, (Document, bool)> = BTreeMap::new();
    let mut last = 0;
    for line in text.split_inclusive(|octet| *octet == b'\n') {
        let Some(line) = line.strip_suffix(b"\n") else { break };
        let Ok(line) = serde_json::from_slice::<Line>(line) else { break };
        last = last.max(line.at);
        if let Some(call) = line.call {
            let (document, is_over) = calls.entry(call).or_default();
            apply(document, line.set, line.grown);
            *is_over |= line.over;
        }
        for call in line.done {
            calls.remove(&call);
        }
    }
    let call = |(call, (mut document, is_over)): (CallId, (Document, bool))| {
        if !is_over {
            cut_off(&mut document, last);
        }
        Unfinished { call, document, is_over }
    };
    Ok(calls.into_iter().map(call).collect())
}

fn apply(document: &mut Document, set: Document, grown: BTreeMap<String, (usize, Vec<Value>)>) {
    document.extend(set);
    for (key, (kept, rest)) in grown {
        if let Some(Value::Array(list)) = document.get_mut(&key) {
            list.truncate(kept);
            list.extend(rest);
        }
    }
}

/// The call was up until the server was killed, and ended then.
fn cut_off(document: &mut Document, last: u64) {
    let noted = ended(document).unwrap_or(last);
    let more = last.saturating_sub(noted);
    let lasted = document.get("duration_ms").and_then(Value::as_u64).unwrap_or_default() + more;
    document.insert("duration_ms".to_owned(), lasted.into());
    if let Some(at) = timestamp(Duration::from_millis(noted.max(last))) {
        document.insert("ended_at".to_owned(), at.into());
    }
    let legs = document.get_mut("legs").and_then(Value::as_array_mut);
    for leg in legs.into_iter().flatten().filter_map(Value::as_object_mut) {
        if leg.get("ended_ms").is_none_or(Value::is_null) {
            leg.insert("ended_ms".to_owned(), lasted.into());
            leg.insert("end_reason".to_owned(), Cause::ServerCrash.end_reason().into());
        }
    }
}

/// When a record says that its call ended, in milliseconds since the Unix epoch.
fn ended(document: &Document) -> Option<u64> {
    let at: jiff::Timestamp = document.get("ended_at")?.as_str()?.parse().ok()?;
    u64::try_from(at.as_millisecond()).ok()
}

fn write(text: &mut Vec<u8>, line: &Line) {
    // Values that came from JSON go into JSON.
    serde_json::to_writer(&mut *text, line).expect("a line has text for keys");
    text.push(b'\n');
}

/// How many calls are held, those included whose records no disk takes.
const MOST_CALLS: usize = 20_000;

/// How long the file may be, in octets, before it is written anew without what is of no use.
const MOST: u64 = 4 * 1_024 * 1_024;

#[cfg(test)]
mod tests;
