//! Lists calls in the database behind everybody's back: nobody waits for it. What it does not take
//! now it takes later; the files of calls are there all the time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::base::id::CallId;
use crate::store::call_archive::CallArchive;
use crate::store::database::DatabaseError;
use crate::store::index::{Entry, Index};

/// What is still to be listed. A clone is the same one.
#[derive(Debug, Clone)]
pub struct Backlog {
    state: Arc<watch::Sender<State>>,
}

/// Lists calls.
#[derive(Debug)]
pub struct Indexer {
    index: Index,
    archive: CallArchive,
    backlog: Backlog,
    /// Whether it was said that the database does not do it.
    is_failing: bool,
}

#[derive(Debug, Default)]
struct State {
    /// Calls whose files are newer than what is listed.
    behind: BTreeMap<CallId, File>,
    /// Counts the changes.
    changes: u64,
    /// Whether all other files are listed.
    is_complete: bool,
    /// How often there were too many to remember each.
    overflows: u64,
}

/// How the file of a call stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum File {
    /// It is about to be written.
    Coming,
    /// It was, and this is the number of the change.
    Written(u64),
}

impl Default for Backlog {
    fn default() -> Self {
        Self { state: Arc::new(watch::channel(State::default()).0) }
    }
}

impl Backlog {
    /// The files of these calls are about to be written, or changed; `written` follows.
    pub fn coming(&self, calls: impl IntoIterator<Item = CallId>) {
        self.state.send_modify(|state| {
            state.behind.extend(calls.into_iter().map(|call| (call, File::Coming)));
            state.bound();
        });
    }

    /// They were, as far as the disk took them.
    pub fn written(&self, calls: impl IntoIterator<Item = CallId>) {
        self.state.send_modify(|state| {
            for call in calls {
                state.changes += 1;
                state.behind.insert(call, File::Written(state.changes));
            }
            state.bound();
        });
    }

    /// The calls that are not listed yet; `None` when it is not known which those are.
    pub fn behind(&self) -> Option<Vec<CallId>> {
        let state = self.state.borrow();
        state.is_complete.then(|| state.behind.keys().copied().collect())
    }

    /// The first calls whose files can be listed.
    fn next(&self) -> Vec<(CallId, File)> {
        let state = self.state.borrow();
        let written = state.behind.iter().filter(|(_, file)| **file != File::Coming);
        written.take(BATCH).map(|(call, file)| (*call, *file)).collect()
    }

    /// These are listed, as they were at these changes.
    fn done(&self, listed: &[(CallId, File)]) {
        self.state.send_modify(|state| {
            for (call, file) in listed {
                if state.behind.get(call) == Some(file) {
                    state.behind.remove(call);
                }
            }
        });
    }
}

impl State {
    /// Remembers only so many: beyond, all files are compared.
    fn bound(&mut self) {
        if self.behind.len() > MOST_BEHIND {
            self.behind.clear();
            self.is_complete = false;
            self.overflows += 1;
        }
    }
}

impl Indexer {
    /// Lists the calls of an archive.
    pub fn new(index: Index, archive: CallArchive, backlog: Backlog) -> Self {
        Self { index, archive, backlog, is_failing: false }
    }

    /// Lists what is missing, and then whatever comes, until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut changed = self.backlog.state.subscribe();
        let mut pause = SHORTEST_PAUSE;
        while !stop.is_cancelled() {
            match self.work().await {
                Ok(()) => {
                    if self.is_failing {
                        tracing::info!("the database has caught up with the calls");
                    }
                    (self.is_failing, pause) = (false, SHORTEST_PAUSE);
                    tokio::select! {
                        () = stop.cancelled() => {}
                        _ = changed.changed() => {}
                    }
                }
                Err(why) => {
                    if !self.is_failing {
                        tracing::warn!(%why, "the database takes no calls: their files are kept");
                    }
                    self.is_failing = true;
                    tokio::select! {
                        () = stop.cancelled() => {}
                        () = tokio::time::sleep(pause) => {}
                    }
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    /// Lists all that is behind.
    async fn work(&self) -> Result<(), DatabaseError> {
        let is_complete = self.backlog.state.borrow().is_complete;
        if !is_complete {
            self.compare().await?;
        }
        loop {
            let next = self.backlog.next();
            if next.is_empty() {
                return Ok(());
            }
            let calls = next.iter().map(|(call, _)| *call).collect();
            self.list(calls).await?;
            self.backlog.done(&next);
        }
    }

    /// Lists every file that is not listed, or otherwise than it is now.
    async fn compare(&self) -> Result<(), DatabaseError> {
        let overflows = self.backlog.state.borrow().overflows;
        let missing = self.missing().await?;
        if missing.len() >= WORTH_TELLING {
            tracing::info!(calls = missing.len(), "calls are being listed in the database");
        }
        for calls in missing.chunks(BATCH) {
            self.list(calls.to_vec()).await?;
        }
        self.backlog.state.send_modify(|state| state.is_complete = state.overflows == overflows);
        Ok(())
    }

    async fn missing(&self) -> Result<Vec<CallId>, DatabaseError> {
        let archive = self.archive.clone();
        let reading = tokio::task::spawn_blocking(move || archive.stamps()).await;
        let mut stamps: BTreeMap<CallId, i64> = reading.unwrap_or_default().into_iter().collect();
        let mut after = None;
        loop {
            let page = self.index.listed(after, PAGE).await?;
            let Some((last, _)) = page.last() else { break };
            after = Some(*last);
            for (call, stamp) in &page {
                if stamps.get(call) == Some(stamp) {
                    stamps.remove(call);
                }
            }
        }
        Ok(stamps.into_keys().collect())
    }

    async fn list(&self, calls: Vec<CallId>) -> Result<(), DatabaseError> {
        let archive = self.archive.clone();
        let reading = move || calls.into_iter().filter_map(|call| entry(&archive, call)).collect();
        let entries: Vec<Entry> = tokio::task::spawn_blocking(reading).await.unwrap_or_default();
        match self.index.put(&entries).await {
            Err(why) if why.of_data => self.list_singly(&entries).await,
            done => done,
        }
    }

    /// One of them cannot be listed, and the others need not wait for it.
    async fn list_singly(&self, entries: &[Entry]) -> Result<(), DatabaseError> {
        for entry in entries {
            match self.index.put(std::slice::from_ref(entry)).await {
                Err(why) if why.of_data => {
                    tracing::error!(call = %entry.call, %why, "a call cannot be listed");
                }
                done => done?,
            }
        }
        Ok(())
    }
}

/// What is listed of a call: nothing while its file is not there.
fn entry(archive: &CallArchive, call: CallId) -> Option<Entry> {
    let stamp = archive.stamp(call)?;
    match archive.read(call) {
        Ok(record) => Some(Entry { call, stamp, record: record? }),
        Err(why) => {
            tracing::error!(%call, %why, "the record of a call cannot be read");
            None
        }
    }
}

/// How many calls may be behind before all files are compared.
const MOST_BEHIND: usize = 10_000;

/// How many are listed at once.
const BATCH: usize = 200;

/// How many identities are looked at, at once.
const PAGE: usize = 10_000;

/// So many missing calls are spoken of.
const WORTH_TELLING: usize = 1_000;

const SHORTEST_PAUSE: Duration = Duration::from_secs(1);

const LONGEST_PAUSE: Duration = Duration::from_secs(30);
