//! The records of calls on the disk.

use std::io;

use serde_json::Value;
use tokio::sync::mpsc;

use crate::base::id::CallId;
use crate::call::event::Fact;
use crate::call::record::Record;
use crate::engine::bus::Told;
use crate::store::call_files::CallFiles;

/// Writes the record of each call that ends. The disk is slow: it takes all that ended meanwhile at
/// once, and on a thread of its own.
pub async fn write(mut facts: mpsc::Receiver<Told>, files: CallFiles) {
    let mut told = Vec::new();
    while facts.recv_many(&mut told, RECORDS).await > 0 {
        let kept = |told: &Told| matches!(*told.fact, Fact::Ended { .. } | Fact::Analyzed(_));
        let kept: Vec<Told> = told.drain(..).filter(kept).collect();
        kept.iter().for_each(log_end);
        if kept.is_empty() {
            continue;
        }
        let files = files.clone();
        let written = tokio::task::spawn_blocking(move || put(&files, &kept));
        for (call, outcome) in written.await.unwrap_or_default() {
            if let Err(why) = outcome {
                tracing::error!(%call, %why, "the record of a call could not be written");
            }
        }
    }
}

/// Writes the records of calls that ended, and then what was found out about calls.
fn put(files: &CallFiles, told: &[Told]) -> Vec<(CallId, io::Result<()>)> {
    let ended = told.iter().filter_map(|told| match &*told.fact {
        Fact::Ended { record, .. } => Some((told.call, &**record)),
        _ => None,
    });
    let (calls, records): (Vec<CallId>, Vec<&Record>) = ended.unzip();
    let written = files.write_all(records).into_iter().map(|outcome| outcome.map(|_| ()));
    let mut written: Vec<_> = calls.into_iter().zip(written).collect();
    for told in told {
        if let Fact::Analyzed(report) = &*told.fact {
            let report = Value::Object(report.json());
            written.push((told.call, files.add(told.call, "analysis", report)));
        }
    }
    written
}

fn log_end(told: &Told) {
    let Fact::Ended { cause, record } = &*told.fact else { return };
    tracing::info!(
        call = %told.call,
        cause = cause.end_reason(),
        q850 = cause.q850(),
        status = cause.final_state(record.answered.is_some()),
        trunk = record.trunk,
        route = record.route,
        lasted_ms = record.lasted.as_millis() as u64,
        turns = record.turns.len(),
        lost = record.legs.first().map(|leg| leg.quality.lost),
        "call ended",
    );
}

/// How many facts are looked through before the disk is asked to take records.
const RECORDS: usize = 1_024;
