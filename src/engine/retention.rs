//! Deletes recordings that are kept no longer: at the start, and each hour. Nothing is touched that
//! the recorder did not write: what has no note of ours in the folder of its day stays.

use std::path::PathBuf;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::base::calendar::Date;
use crate::engine::clock;
use crate::engine::recorder::shelf;
use crate::engine::recorder::sidecar::{Sidecar, State};

/// Deletes what is too old.
#[derive(Debug, Clone)]
pub struct Retention {
    folder: PathBuf,
    keep: Duration,
    /// When we began, since the Unix epoch: what stands open from before is written by nobody.
    began: Duration,
}

impl Retention {
    /// Makes one that keeps recordings for so long after their calls began.
    pub fn new(folder: PathBuf, keep: Duration) -> Self {
        Self { folder, keep, began: clock::since_epoch() }
    }

    /// Deletes now and each hour, until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        loop {
            let swept = {
                let this = self.clone();
                tokio::task::spawn_blocking(move || this.sweep(clock::since_epoch()))
            };
            if let Ok(deleted @ 1..) = swept.await {
                tracing::info!(deleted, "recordings were kept long enough and are deleted");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(EACH) => {}
            }
        }
    }

    /// Deletes what is too old at `now`, since the Unix epoch; tells how many recordings that were.
    pub fn sweep(&self, now: Duration) -> usize {
        let first = now.saturating_sub(self.keep);
        let old = shelf::notes(&self.folder).into_iter().filter(|note| self.is_old(note, first));
        let deleted = old.filter(delete).count();
        if let Some(today) = Date::at(now) {
            shelf::tidy(&self.folder, today);
        }
        deleted
    }

    fn is_old(&self, note: &Sidecar, first: Duration) -> bool {
        let Some(call) = note.call() else { return false };
        // A copy that somebody put elsewhere is not ours.
        let is_ours = [shelf::folder_of(&self.folder, call), self.folder.clone()]
            .iter()
            .any(|folder| folder == note.folder());
        let is_closed = note.state != State::Open || call.began() < self.began;
        is_ours && is_closed && call.began() < first
    }
}

/// Deletes a recording and its note; false when the disk refuses.
fn delete(note: &Sidecar) -> bool {
    // The note goes last: while it is there, the next sweep finds what is left.
    for path in [note.recording(), note.path()] {
        match std::fs::remove_file(&path) {
            Err(why) if why.kind() != std::io::ErrorKind::NotFound => {
                tracing::error!(%why, path = %path.display(), "a recording cannot be deleted");
                return false;
            }
            Ok(()) | Err(_) => {}
        }
    }
    true
}

/// How often it is looked.
const EACH: Duration = Duration::from_secs(3_600);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::CallId;
    use crate::base::random::Random;
    use crate::engine::recorder::container::Format;

    const DAY: Duration = Duration::from_secs(86_400);
    /// 2026-11-21, 12:00.
    const NOON: Duration = Duration::from_secs(1_795_262_400);

    /// A recording of a call that began so long before noon.
    fn recorded(root: &std::path::Path, before: Duration, state: State) -> Sidecar {
        let call = CallId::new(NOON - before, &mut Random::repeatable(before.as_secs()));
        let place = (call, shelf::folder_of(root, call));
        let mut note = Sidecar::new(place, Format::Wav, None);
        note.begin();
        std::fs::write(note.recording(), "octets").unwrap();
        if state != State::Open {
            note.end(state, (Duration::from_secs(1), Duration::ZERO));
        }
        note
    }

    #[test]
    fn what_is_too_old_is_deleted_and_nothing_that_is_not_ours() {
        let root = std::env::temp_dir().join(format!("voxtrunk-retention-{}", std::process::id()));
        std::fs::remove_dir_all(&root).ok();
        let retention = Retention { folder: root.clone(), keep: 10 * DAY, began: NOON - 3 * DAY };
        let old = recorded(&root, 11 * DAY, State::Complete);
        let killed = recorded(&root, 12 * DAY, State::Open);
        let kept = recorded(&root, 9 * DAY, State::Complete);
        assert!(kept.path().starts_with(root.join("2026/11/12")), "{:?}", kept.path());
        // Beside one that goes stands something of the operator's.
        let beside = recorded(&root, 20 * DAY, State::Interrupted);
        let own = beside.folder().join("notes.txt");
        let stray = beside.folder().join("call_0000000000000000000000000a.wav");
        // A copy under another day, and one whose note is none.
        let elsewhere = root.join("2026/01/01");
        std::fs::create_dir_all(&elsewhere).unwrap();
        let copy = elsewhere.join(old.path().file_name().unwrap());
        std::fs::copy(old.path(), &copy).unwrap();
        for path in [&own, &stray] {
            std::fs::write(path, "mine").unwrap();
        }
        assert_eq!(retention.sweep(NOON), 3);
        for gone in [&old, &killed, &beside] {
            assert!(!gone.path().exists() && !gone.recording().exists(), "{:?}", gone.path());
        }
        assert!(!old.folder().exists() && !killed.folder().exists(), "empty days go, too");
        for there in [&kept.path(), &kept.recording(), &own, &stray, &copy] {
            assert!(there.exists(), "{there:?}");
        }
        assert_eq!(retention.sweep(NOON), 0);
        // One that is still being written stays, however old it is.
        let running = recorded(&root, DAY, State::Open);
        assert_eq!(retention.sweep(NOON + 30 * DAY), 1, "only {:?}", kept.path());
        assert!(running.recording().exists() && !kept.path().exists());
        std::fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn the_folder_of_today_stays_even_when_it_is_empty() {
        let root = std::env::temp_dir().join(format!("voxtrunk-today-{}", std::process::id()));
        let (today, before) = (root.join("2026/11/21"), root.join("2026/11/20"));
        for folder in [&today, &before] {
            std::fs::create_dir_all(folder).unwrap();
        }
        let retention = Retention { folder: root.clone(), keep: DAY, began: NOON };
        assert_eq!(retention.sweep(NOON), 0);
        assert!(today.exists() && !before.exists());
        std::fs::remove_dir_all(root).unwrap();
    }
}
