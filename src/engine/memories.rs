//! What is kept of callers for their next call: a file for each number, which does not hold the
//! number, with the last calls in short and until when each is kept.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::agent::memory::Earlier;
use crate::base::number::Number;
use crate::engine::clock;

/// The folder of what is kept.
#[derive(Debug, Clone)]
pub struct Memories {
    folder: PathBuf,
    /// Whose callers they are; empty is nobody's.
    tenant: String,
}

/// An earlier call as it stands in a file: times in seconds since the Unix epoch.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    at: u64,
    until: u64,
    agent: String,
    summary: String,
}

impl Memories {
    /// Takes the folder; it is made when there is something to keep.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder, tenant: String::new() }
    }

    /// What this tenant knows: companies that share a machine do not share callers.
    #[must_use]
    pub fn of(&self, tenant: &str) -> Self {
        Self { folder: self.folder.clone(), tenant: tenant.to_owned() }
    }

    /// The same as `recall`, for a task. A disk that does not answer keeps no call waiting: then nothing
    /// is known.
    pub async fn look_up(self, caller: Number, now: Duration) -> Vec<Earlier> {
        let recall = tokio::task::spawn_blocking(move || self.recall(&caller, now));
        match timeout(RECALL_WITHIN, recall).await {
            Ok(known) => known.unwrap_or_default(),
            Err(_) => {
                tracing::warn!("what is known of a caller could not be read in time");
                Vec::new()
            }
        }
    }

    /// What is known of a caller at `now`, the oldest first.
    pub fn recall(&self, caller: &Number, now: Duration) -> Vec<Earlier> {
        let kept = self.read(&self.path(caller)).into_iter();
        let kept = kept.filter(|kept| kept.until > now.as_secs());
        kept.map(|Kept { at, agent, summary, .. }| Earlier {
            at: Duration::from_secs(at),
            agent,
            summary,
        })
        .collect()
    }

    /// Keeps a call for the next one.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn remember(
        &self,
        caller: &Number,
        call: Earlier,
        (now, keep): (Duration, Duration),
    ) -> io::Result<()> {
        let path = self.path(caller);
        let mut kept = self.read(&path);
        kept.retain(|kept| kept.until > now.as_secs());
        let (at, until) = (call.at.as_secs(), now.saturating_add(keep).as_secs());
        let summary = call.summary.chars().take(LONGEST).collect();
        kept.push(Kept { at, until, agent: call.agent, summary });
        kept.drain(..kept.len().saturating_sub(MOST));
        self.write(&path, &kept)
    }

    /// Forgets a caller; `false` when nothing was known.
    ///
    /// # Errors
    /// When the disk does not let it go.
    pub fn forget(&self, caller: &Number) -> io::Result<bool> {
        match fs::remove_file(self.path(caller)) {
            Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(false),
            gone => gone.map(|()| true),
        }
    }

    /// Deletes what is kept no longer, now and each hour, until `stop`.
    pub async fn tend(self, stop: CancellationToken) {
        loop {
            let this = self.clone();
            let swept = tokio::task::spawn_blocking(move || this.sweep(clock::since_epoch()));
            if let Ok(deleted @ 1..) = swept.await {
                tracing::info!(deleted, "callers were remembered long enough and are forgotten");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(EACH) => {}
            }
        }
    }

    /// Deletes what is kept no longer; tells how many callers are forgotten.
    fn sweep(&self, now: Duration) -> usize {
        let files = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let files = files.map(|entry| entry.path());
        let ours = files.filter(|path| path.extension().is_some_and(|it| it == "json"));
        let mut forgotten = 0;
        for path in ours {
            let before = self.read(&path);
            let left = before.iter().filter(|kept| kept.until > now.as_secs()).count();
            if left == before.len() && left > 0 {
                continue;
            }
            let kept: Vec<Kept> =
                before.into_iter().filter(|kept| kept.until > now.as_secs()).collect();
            let done =
                if kept.is_empty() { fs::remove_file(&path) } else { self.write(&path, &kept) };
            match done {
                Ok(()) => forgotten += usize::from(kept.is_empty()),
                Err(why) => tracing::warn!(%why, "what is known of a caller cannot be deleted"),
            }
        }
        forgotten
    }

    /// The file of a caller. Its name does not show the number to whoever lists the folder.
    fn path(&self, caller: &Number) -> PathBuf {
        let digest = Sha256::new().chain_update(&self.tenant).chain_update([0]);
        let digest = digest.chain_update(caller.to_e164()).finalize();
        let name: String = digest.iter().map(|octet| format!("{octet:02x}")).collect();
        self.folder.join(format!("{name}.json"))
    }

    /// What stands in a file; nothing when it is not there or not ours.
    fn read(&self, path: &Path) -> Vec<Kept> {
        let text = fs::read(path).ok();
        text.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
    }

    fn write(&self, path: &Path, kept: &[Kept]) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let partial = path.with_extension("part");
        let mut options = fs::OpenOptions::new();
        let mut file =
            options.write(true).create(true).truncate(true).mode(0o600).open(&partial)?;
        file.write_all(&serde_json::to_vec_pretty(kept)?)?;
        file.sync_data()?;
        fs::rename(partial, path)
    }
}

/// How many calls of a caller are kept.
const MOST: usize = 20;

/// The longest summary, in letters.
const LONGEST: usize = 2_000;

/// How often it is looked for what is too old.
const EACH: Duration = Duration::from_secs(3_600);

/// How long a call waits for what is known of its caller.
const RECALL_WITHIN: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_is_known_until_it_is_forgotten() {
        let folder = std::env::temp_dir().join(format!("voxtrunk-memories-{}", std::process::id()));
        fs::remove_dir_all(&folder).ok();
        let memories = Memories::new(folder.clone());
        let anna: Number = "+4971112345".parse().expect("a number");
        let ben: Number = "+4971112346".parse().expect("a number");
        let secs = Duration::from_secs;
        let call = |at: u64| Earlier {
            at: secs(at),
            agent: "desk".to_owned(),
            summary: format!("call {at}"),
        };
        assert_eq!(memories.recall(&anna, secs(0)), []);
        for at in 0..30 {
            memories.remember(&anna, call(at), (secs(at), secs(100))).expect("a disk");
        }
        memories.remember(&ben, call(7), (secs(7), secs(10))).expect("a disk");
        let known = memories.recall(&anna, secs(30));
        assert_eq!(
            (known.len(), known.first(), known.last()),
            (MOST, Some(&call(10)), Some(&call(29)))
        );
        assert_eq!(memories.recall(&anna, secs(128)), [call(29)]);
        // Another company on the same machine does not know her.
        assert_eq!(memories.of("acme").recall(&anna, secs(30)), []);
        let names: Vec<_> = fs::read_dir(&folder).expect("a folder").flatten().collect();
        assert!(names.iter().all(|it| !it.file_name().to_string_lossy().contains("4971112")));
        // One is forgotten by time, and half of the other.
        assert_eq!(memories.sweep(secs(120)), 1);
        assert_eq!(memories.recall(&ben, secs(0)), []);
        assert_eq!(memories.recall(&anna, secs(0)).len(), 9);
        assert_eq!(memories.forget(&anna).ok(), Some(true));
        assert_eq!(memories.forget(&anna).ok(), Some(false));
        fs::remove_dir_all(&folder).expect("it was made");
    }
}
