//! The records of calls that ended, found again: the newest first.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use serde_json::{Map, Value};

use crate::base::id::CallId;

/// Reads records below a folder.
#[derive(Debug, Clone)]
pub struct CallArchive {
    folder: PathBuf,
}

/// A record, by the names of the call object of the API.
pub type Document = Map<String, Value>;

impl CallArchive {
    /// Takes the folder, which may be empty.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The identities of all calls that have a record, the newest first.
    pub fn calls(&self) -> Vec<CallId> {
        let files = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let call = |name: &str| name.strip_suffix(JSON)?.parse().ok();
        let mut calls: Vec<CallId> =
            files.filter_map(|file| call(file.file_name().to_str()?)).collect();
        calls.sort_unstable_by(|one, other| other.cmp(one));
        calls
    }

    /// The same in no order, each with what tells this state of its file from another.
    pub fn stamps(&self) -> Vec<(CallId, i64)> {
        let calls = self.calls().into_iter();
        calls.filter_map(|call| Some((call, self.stamp(call)?))).collect()
    }

    /// What tells this state of the file of a call from another; nothing when there is none.
    pub fn stamp(&self, call: CallId) -> Option<i64> {
        let found = fs::metadata(self.path(call)).ok()?;
        found.mtime().checked_mul(NANOS)?.checked_add(found.mtime_nsec())
    }

    /// Whether a call has a record.
    pub fn has(&self, call: CallId) -> bool {
        self.path(call).is_file()
    }

    /// The record of a call; nothing when there is none.
    ///
    /// # Errors
    /// When it cannot be read, or is longer than a record is.
    pub fn read(&self, call: CallId) -> io::Result<Option<Document>> {
        let file = match File::open(self.path(call)) {
            Ok(file) => file,
            Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(why) => return Err(why),
        };
        let mut octets = Vec::new();
        file.take(LONGEST_RECORD).read_to_end(&mut octets)?;
        Ok(Some(serde_json::from_slice(&octets)?))
    }

    /// Deletes the record of a call; tells whether there was one.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn delete(&self, call: CallId) -> io::Result<bool> {
        match fs::remove_file(self.path(call)) {
            Ok(()) => Ok(true),
            Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(why) => Err(why),
        }
    }

    fn path(&self, call: CallId) -> PathBuf {
        self.folder.join(format!("{call}{JSON}"))
    }
}

const JSON: &str = ".json";

/// Nanoseconds in a second.
const NANOS: i64 = 1_000_000_000;

/// The longest record that is read, in octets.
const LONGEST_RECORD: u64 = 64 * 1_024 * 1_024;

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    use crate::base::random::Random;

    #[test]
    fn records_are_found_the_newest_first_and_nothing_else_is() {
        let name = format!("voxtrunk-archive-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        let mut random = Random::repeatable(1);
        let calls = [3_u64, 1, 2].map(|at| CallId::new(Duration::from_secs(at), &mut random));
        for call in calls {
            fs::write(folder.join(format!("{call}.json")), r#"{"status":"completed"}"#).unwrap();
        }
        for other in ["x.json", "call_x.json", &format!("{}.json.part", calls[0])] {
            fs::write(folder.join(other), "{}").unwrap();
        }
        let archive = CallArchive::new(folder.clone());
        assert_eq!(archive.calls(), [calls[0], calls[2], calls[1]]);
        let record = archive.read(calls[1]).unwrap().expect("a record");
        assert_eq!(record["status"], "completed");
        let nobody = CallId::new(Duration::from_secs(4), &mut random);
        assert_eq!(archive.read(nobody).unwrap(), None);
        fs::write(folder.join(format!("{nobody}.json")), "{").unwrap();
        assert!(archive.read(nobody).is_err());
        fs::remove_dir_all(folder).unwrap();
    }
}
