//! Sees when the operator's files change.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use notify::event::EventKind;
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use crate::config::settings::Server;

/// A watch over the folders of the settings and of the dialplans.
#[derive(Debug)]
pub struct Watch {
    stirred: Arc<Notify>,
    /// Watches as long as it is kept.
    _watcher: RecommendedWatcher,
}

impl Watch {
    /// Begins. `None`, and it is said, when the machine gives no watch.
    pub fn begin(config: &Path, server: &Server) -> Option<Self> {
        let stirred = Arc::new(Notify::new());
        let stir = stirred.clone();
        let seen = move |event: notify::Result<notify::Event>| {
            let is_look = event.is_ok_and(|event| matches!(event.kind, EventKind::Access(_)));
            if !is_look {
                stir.notify_one();
            }
        };
        let begun = notify::recommended_watcher(seen).and_then(|mut watcher| {
            // Editors write a new file and rename it: the folder is what stays.
            let folder = config.parent().filter(|it| !it.as_os_str().is_empty());
            watcher.watch(folder.unwrap_or(Path::new(".")), RecursiveMode::NonRecursive)?;
            watcher.watch(&server.machine.dialplans, RecursiveMode::Recursive)?;
            Ok(watcher)
        });
        match begun {
            Ok(watcher) => Some(Self { stirred, _watcher: watcher }),
            Err(why) => {
                tracing::warn!(%why, "changed files are not noticed: use `voxtrunk reload`");
                None
            }
        }
    }

    /// Waits until something has changed and then was quiet for a moment.
    pub async fn changed(&mut self) {
        self.stirred.notified().await;
        // Somebody who never stops writing is not waited for.
        let quiet = async { while timeout(QUIET, self.stirred.notified()).await.is_ok() {} };
        tokio::select! {
            () = quiet => {}
            () = sleep(AT_MOST) => {}
        }
    }
}

/// How long nothing changes before files are read.
const QUIET: Duration = Duration::from_millis(500);

/// After how long they are read in any case.
const AT_MOST: Duration = Duration::from_secs(5);
