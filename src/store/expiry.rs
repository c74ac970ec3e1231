//! Deletes what was kept long enough: records of calls, what was said in them, and events. It looks at
//! the start and each hour, and says how much it deleted.

use std::time::Duration;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::base::id::CallId;
use crate::store::call_archive::{CallArchive, Document};
use crate::store::call_files::CallFiles;
use crate::store::database::DatabaseError;
use crate::store::index::Index;
use crate::store::indexer::Backlog;
use crate::store::outbox::Outbox;

/// How long what is kept. Nothing: for ever.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Keep {
    /// Records of calls, since the calls began.
    pub calls: Option<Duration>,
    /// What was said in them.
    pub transcripts: Option<Duration>,
    /// Events for webhooks, told or not.
    pub events: Option<Duration>,
}

/// Deletes what is too old.
#[derive(Debug, Clone)]
pub struct Expiry {
    keep: Keep,
    files: CallFiles,
    archive: CallArchive,
    index: Index,
    backlog: Backlog,
    /// What was said in the calls before this one is deleted.
    silent: Option<CallId>,
}

/// How much was deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Deleted {
    /// Files of calls.
    pub calls: u64,
    /// Calls of which nobody can read any more what was said.
    pub transcripts: u64,
    /// Events.
    pub events: u64,
}

impl Expiry {
    /// Keeps things for so long.
    pub fn new(keep: Keep, files: CallFiles, index: Index, backlog: Backlog) -> Self {
        let archive = CallArchive::new(files.folder().to_owned());
        Self { keep, files, archive, index, backlog, silent: None }
    }

    /// Deletes now and each hour, until `stop`; `now` tells the time since the Unix epoch.
    pub async fn run(mut self, now: fn() -> Duration, stop: CancellationToken) {
        loop {
            match self.sweep(now()).await {
                Ok(Deleted { calls, transcripts, events }) if calls + transcripts + events > 0 => {
                    tracing::info!(
                        calls,
                        transcripts,
                        events,
                        "deleted: they were kept long enough"
                    );
                }
                Ok(_) => {}
                Err(why) => tracing::warn!(%why, "what is too old stays in the database for now"),
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(EACH) => {}
            }
        }
    }

    /// Deletes what is too old at `now`, since the Unix epoch.
    ///
    /// # Errors
    /// When the database does not do its part; the files are done then, and the next sweep does the
    /// rest.
    pub async fn sweep(&mut self, now: Duration) -> Result<Deleted, DatabaseError> {
        let first = |keep: Duration| now.saturating_sub(keep);
        let mut deleted = Deleted::default();
        if let Some(keep) = self.keep.calls {
            let before = CallId::first_at(first(keep));
            let archive = self.archive.clone();
            let deleting = tokio::task::spawn_blocking(move || delete(&archive, before));
            deleted.calls = deleting.await.unwrap_or_default();
            self.unlist(before).await?;
        }
        if let Some(keep) = self.keep.transcripts {
            let before = CallId::first_at(first(keep));
            let (this, after) = (self.clone(), self.silent);
            let silencing = tokio::task::spawn_blocking(move || this.silence(after, before));
            deleted.transcripts = silencing.await.unwrap_or_default();
            self.silent = Some(before);
        }
        if let Some(keep) = self.keep.events {
            let outbox = Outbox::new(self.index.database().clone());
            deleted.events = outbox.forget(first(keep)).await?;
        }
        Ok(deleted)
    }

    /// Lists no call any more that began earlier, a page at a time.
    async fn unlist(&self, before: CallId) -> Result<(), DatabaseError> {
        loop {
            let listed = self.index.listed(None, PAGE).await?;
            let old = listed.into_iter().map(|(call, _)| call).take_while(|call| *call < before);
            let old: Vec<CallId> = old.collect();
            if old.is_empty() {
                return Ok(());
            }
            self.index.remove(&old).await?;
        }
    }

    /// Deletes what was said in calls that began earlier; tells in how many.
    fn silence(&self, after: Option<CallId>, before: CallId) -> u64 {
        let calls = self.archive.calls().into_iter();
        let old = calls.filter(|call| *call < before && after.is_none_or(|after| *call >= after));
        old.filter(|call| self.silence_one(*call)).count() as u64
    }

    fn silence_one(&self, call: CallId) -> bool {
        let Ok(Some(record)) = self.archive.read(call) else { return false };
        if !speaks(&record) {
            return false;
        }
        self.backlog.coming([call]);
        let done = self.files.change(call, silent);
        self.backlog.written([call]);
        if let Err(why) = &done {
            tracing::error!(%call, %why, "what was said in a call cannot be deleted");
        }
        done.is_ok()
    }
}

fn delete(archive: &CallArchive, before: CallId) -> u64 {
    let old = archive.calls().into_iter().filter(|call| *call < before);
    let deleted = |call: &CallId| match archive.delete(*call) {
        Ok(was_there) => was_there,
        Err(why) => {
            tracing::error!(%call, %why, "the record of a call cannot be deleted");
            false
        }
    };
    old.filter(deleted).count() as u64
}

/// Whether a record tells what was said.
fn speaks(record: &Document) -> bool {
    let is_there = |key: &&&str| match record.get(**key) {
        None | Some(Value::Null) => false,
        Some(Value::Array(list)) => !list.is_empty(),
        Some(_) => true,
    };
    let arguments = record.get("tools").and_then(Value::as_array).into_iter().flatten();
    SPOKEN.iter().any(|key| is_there(&key))
        || arguments.into_iter().any(|tool| tool.get("arguments").is_some_and(|it| !it.is_null()))
}

/// Takes out of a record what was said.
fn silent(record: &mut Document) {
    for key in SPOKEN {
        if let Some(value) = record.get_mut(*key) {
            *value = if value.is_array() { json!([]) } else { Value::Null };
        }
    }
    let tools = record.get_mut("tools").and_then(Value::as_array_mut);
    for tool in tools.into_iter().flatten().filter_map(Value::as_object_mut) {
        tool.insert("arguments".to_owned(), Value::Null);
    }
    record.insert("transcript_deleted".to_owned(), json!(true));
}

/// What of a record was said, or made of it.
const SPOKEN: &[&str] = &["transcript", "messages", "callbacks", "analysis"];

/// How often it is looked.
const EACH: Duration = Duration::from_secs(3_600);

/// How many calls are taken from the database at once.
const PAGE: usize = 500;
