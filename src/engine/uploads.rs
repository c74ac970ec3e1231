//! Brings recordings that are closed to a bucket. The folder is the queue: what stands there and is
//! not open is still to be brought, after a restart, too; what the store has confirmed is removed.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::base::calendar::Date;
use crate::engine::clock;
use crate::engine::recorder::shelf;
use crate::engine::recorder::sidecar::{Sidecar, State};
use crate::net::bucket::{Bucket, PutError};

/// Brings recordings to a bucket.
#[derive(Debug)]
pub struct Uploads {
    folder: PathBuf,
    bucket: Bucket,
    /// Tells when there may be something to bring.
    closed: Arc<Notify>,
}

impl Uploads {
    /// Makes one that has nothing brought yet.
    pub fn new(folder: PathBuf, bucket: Bucket, closed: Arc<Notify>) -> Self {
        Self { folder, bucket, closed }
    }

    /// Brings whatever there is, until `stop`. A store that refuses is asked again later, at first
    /// after a second, then ever more seldom.
    pub async fn run(self, stop: CancellationToken) {
        let mut patience = SHORTEST;
        loop {
            let round = self.bring_all();
            let brought = tokio::select! {
                () = stop.cancelled() => return,
                brought = round => brought,
            };
            let wait = match brought {
                Ok(()) => {
                    patience = SHORTEST;
                    LOOK_AGAIN
                }
                Err(why) => {
                    let again_s = patience.as_secs();
                    tracing::warn!(%why, again_s, "a recording is not in its store yet");
                    let wait = patience;
                    patience = (patience * 2).min(LONGEST);
                    wait
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.closed.notified(), if patience == SHORTEST => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Brings all that is closed, oldest first.
    async fn bring_all(&self) -> Result<(), PutError> {
        let folder = self.folder.clone();
        let found = tokio::task::spawn_blocking(move || shelf::notes(&folder)).await;
        let mut closed = found.unwrap_or_default();
        closed.retain(|it| it.state != State::Open);
        // Identities sort by time.
        closed.sort_by_key(Sidecar::path);
        let mut brought = Ok(());
        for sidecar in closed {
            match self.bring(&sidecar).await {
                // Nobody is there: the others would not fare better.
                Err(why @ PutError::Unreached(_)) => return Err(why),
                Err(why) => brought = Err(why),
                Ok(()) => {}
            }
        }
        brought
    }

    async fn bring(&self, sidecar: &Sidecar) -> Result<(), PutError> {
        let (recording, note) = (sidecar.recording(), sidecar.path());
        // They are called there as they are here, with the folder of their day.
        let name = shelf::name_in(&self.folder, &recording);
        if recording.is_file() {
            self.bucket.put(&recording, &name, clock::since_epoch()).await?;
        }
        let name_of_note = shelf::name_in(&self.folder, &note);
        self.bucket.put(&note, &name_of_note, clock::since_epoch()).await?;
        // The note goes last: while it is there, the next start finds what is left.
        remove(&recording).await?;
        remove(&note).await?;
        self.tidy().await;
        tracing::info!(name = self.bucket.name_of(&name), "a recording is in its store");
        Ok(())
    }

    /// Removes the folders of days of which everything is brought.
    async fn tidy(&self) {
        let folder = self.folder.clone();
        let tidied = tokio::task::spawn_blocking(move || {
            Date::at(clock::since_epoch()).map(|today| shelf::tidy(&folder, today))
        });
        tidied.await.ok();
    }
}

async fn remove(path: &Path) -> Result<(), PutError> {
    match tokio::fs::remove_file(path).await {
        Err(why) if why.kind() != std::io::ErrorKind::NotFound => Err(why.into()),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// After the first failure.
const SHORTEST: Duration = Duration::from_secs(1);

/// After many.
const LONGEST: Duration = Duration::from_secs(300);

/// Somebody may have put something there by hand.
const LOOK_AGAIN: Duration = Duration::from_secs(600);
