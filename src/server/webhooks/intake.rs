//! Brings events from their files into the outbox, as soon as the database takes them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::server::webhooks::endpoint::Endpoint;
use crate::store::database::DatabaseError;
use crate::store::outbox::Outbox;
use crate::store::spool;

/// Brings events into the outbox.
#[derive(Debug)]
pub struct Intake {
    /// Where their files are.
    pub folder: PathBuf,
    /// Where they go.
    pub outbox: Outbox,
    /// Who is told what.
    pub endpoints: Arc<[Endpoint]>,
    /// Whoever brings them on is told that there are some.
    pub arrived: Arc<watch::Sender<()>>,
}

impl Intake {
    /// Serves until `stop`; `kept` tells when there is a file.
    pub async fn run(self, mut kept: watch::Receiver<()>, stop: CancellationToken) {
        let mut is_failing = false;
        while !stop.is_cancelled() {
            let pause = match self.take_all().await {
                Ok(()) => {
                    if is_failing {
                        tracing::info!("the database takes events for webhooks again");
                    }
                    is_failing = false;
                    None
                }
                Err(why) => {
                    if !is_failing {
                        tracing::warn!(%why, "the database takes no events: they are kept in files");
                    }
                    is_failing = true;
                    Some(AGAIN)
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(pause.unwrap_or(LOOK)) => {}
                changed = kept.changed(), if pause.is_none() => {
                    if changed.is_err() {
                        // Nobody keeps any more; what is there is told after the next start.
                        return;
                    }
                }
            }
        }
    }

    async fn take_all(&self) -> Result<(), DatabaseError> {
        let folder = self.folder.clone();
        let listing = tokio::task::spawn_blocking(move || spool::files(&folder)).await;
        for path in listing.unwrap_or_default() {
            let read = {
                let path = path.clone();
                tokio::task::spawn_blocking(move || spool::read(&path)).await
            };
            let events = match read {
                Ok(Ok(events)) => events,
                Ok(Err(why)) => {
                    tracing::error!(%why, path = %path.display(), "a file holds no events: it is left");
                    std::fs::rename(&path, path.with_extension("unreadable")).ok();
                    continue;
                }
                Err(_) => continue,
            };
            let wanted_by = |event: &spool::Event| {
                let those = self.endpoints.iter().filter(|it| it.is_told(event));
                those.map(|it| it.name.to_string()).collect()
            };
            self.outbox.append(&events, wanted_by).await?;
            // What is there twice, because we are killed here, has the same identity.
            if let Err(why) = std::fs::remove_file(&path) {
                tracing::error!(%why, path = %path.display(), "a file of events cannot be deleted");
            }
            self.arrived.send_replace(());
        }
        Ok(())
    }
}

/// How soon it is tried again.
const AGAIN: Duration = Duration::from_secs(2);

/// How often it is looked, whatever is told.
const LOOK: Duration = Duration::from_secs(60);
