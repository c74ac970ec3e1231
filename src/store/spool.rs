//! Events on their way to the outbox: a small file for each handful, written before anything else is
//! done with them. They wait there for a database that is locked, slow or gone.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::id::CallId;
use crate::base::random::Random;

/// Something that happened, and that somebody wants to be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// `evt_` and 26 letters and digits; the same whenever it is told.
    pub id: String,
    /// `call.ended` and the like.
    pub kind: String,
    /// In whose words it is told, as the format of webhooks has it; empty: in ours.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub dialect: String,
    /// The webhook that is told in any case, by its name, besides those that listen to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// The call, if it was in one.
    pub call: Option<String>,
    /// When, in milliseconds since the Unix epoch.
    pub at: i64,
    /// What is told: a JSON object.
    pub body: String,
    /// The trace that goes on with whoever is told (W3C Trace Context), if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

/// Writes events.
#[derive(Debug)]
pub struct Spool {
    folder: PathBuf,
    next: u64,
    /// Those that the disk did not take yet.
    waiting: VecDeque<Event>,
    /// Whether it was said that it does not.
    is_full: bool,
    /// How many had no room.
    lost: u64,
}

impl Spool {
    /// Takes the folder and makes it when it is not there.
    ///
    /// # Errors
    /// When it cannot be made or read.
    pub fn open(folder: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        for half in names(&folder, PARTIAL) {
            fs::remove_file(half)?;
        }
        let last = files(&folder).last().and_then(|path| path.file_stem()?.to_str()?.parse().ok());
        let mut next = last.map_or(1, |last: u64| last + 1);
        // Nobody comes any more who would have let them go.
        for held in names(&folder, HELD) {
            fs::rename(held, folder.join(format!("{next:020}.{WHOLE}")))?;
            next += 1;
        }
        Ok(Self { folder, next, waiting: VecDeque::new(), is_full: false, lost: 0 })
    }

    /// Keeps events, with those that were not kept before. What the disk does not take is kept in
    /// mind, as far as there is room.
    pub fn keep(&mut self, events: Vec<Event>) {
        self.waiting.extend(events);
        while self.waiting.len() > MOST_WAITING {
            self.waiting.pop_front();
            self.lost += 1;
        }
        if self.waiting.is_empty() {
            return;
        }
        match self.write() {
            Ok(()) => {
                self.waiting.clear();
                if self.is_full {
                    tracing::info!(lost = self.lost, "events for webhooks are kept again");
                }
                (self.is_full, self.lost) = (false, 0);
            }
            Err(why) if !self.is_full => {
                tracing::error!(%why, "events for webhooks cannot be kept: they wait");
                self.is_full = true;
            }
            Err(_) => {}
        }
    }

    /// Holds an event of a call back until it is let go, or the next start tells it.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn hold(&self, call: CallId, event: &Event) -> io::Result<()> {
        let path = self.folder.join(format!("{call}.{HELD}"));
        self.put(&path, std::iter::once(event))
    }

    /// Lets go of what was held back of a call: it is kept by now, as it was or otherwise.
    pub fn let_go(&self, call: CallId) {
        let path = self.folder.join(format!("{call}.{HELD}"));
        if let Err(why) = fs::remove_file(&path)
            && why.kind() != io::ErrorKind::NotFound
        {
            tracing::error!(%why, path = %path.display(), "an event that was told cannot be deleted");
        }
    }

    /// Whether there are some that the disk did not take.
    pub fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    fn write(&mut self) -> io::Result<()> {
        let path = self.folder.join(format!("{:020}.{WHOLE}", self.next));
        self.put(&path, self.waiting.iter())?;
        self.next += 1;
        Ok(())
    }

    /// Writes events as a file, whole or not at all.
    fn put<'a>(&self, path: &Path, events: impl Iterator<Item = &'a Event>) -> io::Result<()> {
        let partial = path.with_extension(PARTIAL);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(&partial)?;
        let mut text = Vec::new();
        for event in events {
            serde_json::to_writer(&mut text, event)?;
            text.push(b'\n');
        }
        file.write_all(&text)?;
        file.sync_data()?;
        fs::rename(&partial, path)
    }
}

impl Event {
    /// Names the end of a call: by the call, since it ends once, whoever tells of it.
    pub fn named_end(call: CallId) -> String {
        format!("evt_{}", call.to_string().trim_start_matches("call_"))
    }

    /// Names what happened at a time since the Unix epoch.
    pub fn named(since_epoch: Duration, random: &mut Random) -> String {
        let id = CallId::new(since_epoch, random).to_string();
        format!("evt_{}", id.trim_start_matches("call_"))
    }
}

/// The files that wait in a folder, the oldest first.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    names(folder, WHOLE)
}

/// The events in a file.
///
/// # Errors
/// When it cannot be read, or holds something else.
pub fn read(path: &Path) -> io::Result<Vec<Event>> {
    let mut text = String::new();
    File::open(path)?.take(LARGEST_FILE).read_to_string(&mut text)?;
    text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

fn names(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let files = fs::read_dir(folder).into_iter().flatten().flatten().map(|file| file.path());
    let mut files: Vec<PathBuf> =
        files.filter(|path| path.extension().is_some_and(|it| it == extension)).collect();
    files.sort_unstable();
    files
}

const WHOLE: &str = "events";

const HELD: &str = "held";

const PARTIAL: &str = "part";

/// How many events wait in memory while the disk is full.
const MOST_WAITING: usize = 10_000;

/// The largest file that is read, in octets.
const LARGEST_FILE: u64 = 1_024 * 1_024 * 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    fn event(number: u8) -> Event {
        let id = Event::named(Duration::from_secs(1), &mut Random::repeatable(number.into()));
        Event {
            id,
            kind: "call.ended".to_owned(),
            dialect: String::new(),
            to: None,
            call: None,
            at: 1,
            body: "{}\n".to_owned(),
            traceparent: None,
        }
    }

    #[test]
    fn events_are_found_again_in_order_and_half_a_file_is_none() {
        let folder = std::env::temp_dir().join(format!("voxtrunk-spool-{}", std::process::id()));
        fs::remove_dir_all(&folder).ok();
        let mut spool = Spool::open(folder.clone()).expect("a folder");
        spool.keep(vec![event(1), event(2)]);
        spool.keep(Vec::new());
        spool.keep(vec![event(3)]);
        fs::write(folder.join("00000000000000000009.part"), "{").expect("half a file");
        let calls = [1, 2].map(|at| CallId::new(Duration::ZERO, &mut Random::repeatable(at)));
        calls.iter().for_each(|call| spool.hold(*call, &event(4)).expect("it is held"));
        spool.let_go(calls[0]);
        spool.let_go(calls[0]);
        let mut again = Spool::open(folder.clone()).expect("a folder");
        again.keep(vec![event(5)]);
        let read: Vec<Event> =
            files(&folder).iter().flat_map(|file| read(file).expect("events")).collect();
        assert_eq!(read, [event(1), event(2), event(3), event(4), event(5)]);
        assert!(read[0].id.starts_with("evt_") && read[0].id.len() == 30);
        assert_eq!(names(&folder, PARTIAL), Vec::<PathBuf>::new());
        fs::remove_dir_all(folder).expect("it was there");
    }

    #[test]
    fn what_the_disk_does_not_take_waits_within_bounds() {
        let folder = std::env::temp_dir().join(format!("voxtrunk-full-{}", std::process::id()));
        fs::remove_dir_all(&folder).ok();
        let mut spool = Spool::open(folder.clone()).expect("a folder");
        fs::remove_dir_all(&folder).expect("it was there");
        spool.keep(vec![event(1); MOST_WAITING]);
        spool.keep(vec![event(2)]);
        assert!(spool.is_waiting());
        assert_eq!((spool.waiting.len(), spool.lost), (MOST_WAITING, 1));
        fs::create_dir_all(&folder).expect("it is there again");
        spool.keep(Vec::new());
        assert!(!spool.is_waiting());
        let kept = read(&files(&folder)[0]).expect("events");
        assert_eq!((kept.len(), kept.last()), (MOST_WAITING, Some(&event(2))));
        fs::remove_dir_all(folder).expect("it was there");
    }
}
