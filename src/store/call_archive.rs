//! The records of calls that ended, found again: the newest first.

use std::fs::{self, File};
use std::io::{self, Read};
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

    /// Whether a call has a record.
    pub fn has(&self, call: CallId) -> bool {
        self.folder.join(format!("{call}{JSON}")).is_file()
    }

    /// The record of a call; nothing when there is none.
    ///
    /// # Errors
    /// When it cannot be read, or is longer than a record is.
    pub fn read(&self, call: CallId) -> io::Result<Option<Document>> {
        let file = match File::open(self.folder.join(format!("{call}{JSON}"))) {
            Ok(file) => file,
            Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(why) => return Err(why),
        };
        let mut octets = Vec::new();
        file.take(LONGEST_RECORD).read_to_end(&mut octets)?;
        Ok(Some(serde_json::from_slice(&octets)?))
    }
}

const JSON: &str = ".json";

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
