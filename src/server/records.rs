//! The records of calls on the disk, and the events that others are to be told. Whoever lists and
//! tells them comes later, and nobody waits for it.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc, watch};

use crate::base::id::CallId;
use crate::call::event::Fact;
use crate::call::record::Record;
use crate::engine::announcements::Announcement;
use crate::engine::bus::{Noted, Standing, Told};
use crate::engine::clock;
use crate::server::webhooks::scribe::{News, Scribe};
use crate::store::call_archive::Document;
use crate::store::call_files::{CallFiles, analysis, document};
use crate::store::drafts::{self, Drafts, Unfinished};
use crate::store::indexer::Backlog;
use crate::store::labels::{Label, Labels, Order, Unlabelled};
use crate::store::spool::Spool;

/// Writes records and events.
#[derive(Debug)]
pub struct Records {
    files: CallFiles,
    drafts: Drafts,
    /// When they were on the disk last.
    flushed: Instant,
    backlog: Backlog,
    /// What programs keep with calls that are up.
    labels: Labels,
    spool: Spool,
    scribe: Scribe,
    kept: watch::Sender<()>,
}

impl Records {
    /// Writes records to `files`, and to the spool what the scribe says that somebody wants to know;
    /// tells `kept` when there is some.
    pub fn new(
        (files, drafts, backlog, labels): (CallFiles, Drafts, Backlog, Labels),
        (spool, scribe, kept): (Spool, Scribe, watch::Sender<()>),
    ) -> Self {
        Self { files, drafts, flushed: clock::now(), backlog, labels, spool, scribe, kept }
    }

    /// Writes the records of calls that a server left behind when it was killed, and tells their
    /// end.
    ///
    /// # Errors
    /// When it cannot be read which those are.
    pub fn resumed(mut self, drafts: &Path) -> io::Result<Self> {
        let mut left = drafts::unfinished(drafts)?;
        left.retain(|it| !self.files.has(it.call));
        let mut events = Vec::new();
        for Unfinished { call, document, is_over } in &left {
            let reason = document.get("end_reason").and_then(Value::as_str);
            tracing::warn!(%call, reason, is_over, "the server was killed before the record of a call was written");
        }
        for it in &left {
            events.extend(self.scribe.late_end(it));
        }
        self.spool.keep(events);
        let now = clock::since_epoch();
        for Unfinished { call, document, .. } in left {
            if let Err(why) = self.files.write_late(call, &document) {
                tracing::error!(%call, %why, "its record could not be written: the next start tries again");
                self.drafts.note(now, call, document, true);
            }
        }
        self.drafts.flush();
        Ok(self)
    }

    /// Writes the record of each call that ends, what programs order, and events, until nobody tells
    /// facts any more. The disk is slow: it takes all that happened meanwhile at once, and on a
    /// thread of its own.
    pub async fn write(
        mut self,
        (mut facts, mut orders): (mpsc::Receiver<Noted>, mpsc::Receiver<Order>),
        mut announcements: broadcast::Receiver<Announcement>,
    ) {
        let (mut noted, mut is_told) = (Vec::new(), true);
        loop {
            let (mut news, mut ordered) = (News::default(), None);
            tokio::select! {
                count = facts.recv_many(&mut noted, RECORDS) => if count == 0 {
                    self.drafts.flush();
                    return;
                },
                heard = announcements.recv(), if is_told => match heard {
                    Ok(heard) => news.told.extend(self.scribe.of_server(&heard)),
                    Err(RecvError::Lagged(count)) => news.told.extend(self.scribe.missed(count)),
                    Err(RecvError::Closed) => is_told = false,
                },
                Some(order) = orders.recv() => ordered = Some(order),
                () = tokio::time::sleep(AGAIN), if self.spool.is_waiting() || self.scribe.is_holding() => {}
                () = tokio::time::sleep(self.patience()), if self.drafts.has_news() => {}
            }
            let noted = std::mem::take(&mut noted);
            noted.iter().for_each(|noted| log_end(&noted.told));
            let written = tokio::task::spawn_blocking(move || {
                noted.iter().for_each(|noted| self.scribe.of_call(noted, &mut news));
                self.scribe.overdue(clock::now(), &mut news);
                let is_idle = news.told.is_empty() && !self.spool.is_waiting();
                // Whoever is told of an end has been told of the beginning: events come first.
                self.keep(news);
                self.sketch(&noted);
                let is_kept =
                    |it: &Told| matches!(*it.fact, Fact::Ended { .. } | Fact::Analyzed(..));
                let told = noted.into_iter().map(|noted| noted.told);
                let kept: Vec<Told> = told.filter(is_kept).collect();
                let is_idle = is_idle && kept.is_empty();
                let outcomes = if is_idle { Vec::new() } else { self.put(&kept) };
                ordered.into_iter().for_each(|order| self.label(order));
                (self, outcomes)
            });
            let Ok((own, outcomes)) = written.await else {
                tracing::error!("records are written no more; this is a bug");
                return;
            };
            self = own;
            for (call, outcome) in outcomes {
                if let Err(why) = outcome {
                    tracing::error!(%call, %why, "the record of a call could not be written");
                }
            }
        }
    }

    /// Notes how calls stand that are up, so that it outlives the server.
    fn sketch(&mut self, noted: &[Noted]) {
        let now = clock::since_epoch();
        let mut newest: BTreeMap<CallId, (&Record, bool)> = BTreeMap::new();
        for Noted { told, standing } in noted {
            match (&*told.fact, standing) {
                (Fact::Ended { record, .. }, _) => newest.insert(told.call, (&**record, true)),
                (_, Standing::Up(record)) => newest.insert(told.call, (&**record, false)),
                (_, Standing::Read | Standing::Over) => None,
            };
        }
        let mut is_urgent = newest.values().any(|(_, is_over)| *is_over);
        let is_due = clock::now().saturating_duration_since(self.flushed) >= GROUP;
        if newest.is_empty() && is_due {
            self.catch_up(now);
            self.drafts.tick(now);
        }
        for (call, (record, is_over)) in newest {
            // That there is a call is known at once.
            is_urgent |= self.drafts.note(now, call, self.labelled(record), is_over);
        }
        if is_urgent || is_due {
            self.drafts.flush();
            self.flushed = clock::now();
        }
    }

    /// Writes records that the disk did not take when their calls ended.
    fn catch_up(&mut self, now: Duration) {
        for (call, document) in self.drafts.unwritten(AT_ONCE) {
            if self.files.write_late(call, &document).is_err() {
                // It was said when it was tried first.
                return;
            }
            tracing::info!(%call, "its record is written now");
            self.drafts.done(now, [call]);
            self.labels.forget([call]);
            self.backlog.written([call]);
        }
    }

    /// How soon the disk is to know what it does not know yet; or else that the server lives.
    fn patience(&self) -> Duration {
        if self.drafts.is_behind() { GROUP } else { TICK }
    }

    /// Writes the records of calls that ended and what was found out about calls. Their events are
    /// kept by then: whoever is told of a call that ended finds its record soon, and nobody finds the
    /// record of one whose end is never told.
    fn put(&mut self, told: &[Told]) -> Vec<(CallId, io::Result<()>)> {
        self.backlog.coming(told.iter().map(|told| told.call));
        let ended = told.iter().filter_map(|told| match &*told.fact {
            Fact::Ended { record, .. } => Some((told.call, self.labelled(record))),
            _ => None,
        });
        let records: Vec<(CallId, Document)> = ended.collect();
        let calls: Vec<CallId> = records.iter().map(|(call, _)| *call).collect();
        let written = self.files.write_all(records).into_iter();
        let written = written.map(|outcome| outcome.map(|_| ()));
        let mut written: Vec<_> = calls.into_iter().zip(written).collect();
        let done =
            written.iter().filter(|(_, outcome): &&(CallId, io::Result<()>)| outcome.is_ok());
        let done: Vec<CallId> = done.map(|(call, _)| *call).collect();
        self.labels.forget(done.iter().copied());
        self.drafts.done(clock::since_epoch(), done);
        for told in told {
            if let Fact::Analyzed(report, uses) = &*told.fact {
                let report = Value::Object(analysis(report, uses));
                written.push((told.call, self.files.add(told.call, "analysis", report)));
            }
        }
        self.backlog.written(told.iter().map(|told| told.call));
        // Told when the record is there, too.
        self.kept.send_replace(());
        written
    }

    /// The record of a call, with what programs keep with it.
    fn labelled(&self, record: &Record) -> Document {
        let mut document = document(record);
        if let Some(label) = self.labels.of(record.call) {
            label.put(&mut document);
        }
        document
    }

    /// Keeps something with a call: in its record, or with it until there is one.
    fn label(&mut self, order: Order) {
        let Order { call, patch, is_up, asker } = order;
        let labelled = if self.files.has(call) {
            self.backlog.coming([call]);
            let mut labelled = Err(Unlabelled::Disk);
            let changed = self.files.change(call, |document| {
                labelled = Label::of(document).patched(patch);
                labelled.iter().for_each(|label| label.put(document));
            });
            self.backlog.written([call]);
            changed.map_or_else(
                |why| {
                    tracing::error!(%call, %why, "what is kept with a call cannot be written");
                    Err(Unlabelled::Disk)
                },
                |()| labelled,
            )
        } else {
            let noted = self.labels.of(call).or_else(|| self.drafts.record(call).map(Label::of));
            let known = noted.or_else(|| is_up.then(Label::default)).ok_or(Unlabelled::Unknown);
            let labelled = known.and_then(|label| label.patched(patch));
            if let Ok(label) = &labelled {
                self.labels.put(call, label.clone());
                self.drafts.change(clock::since_epoch(), call, |document| label.put(document));
                // Whoever is told that it is kept may rely upon it.
                self.drafts.flush();
            }
            labelled
        };
        asker.send(labelled).ok();
    }

    /// Keeps what is to be told.
    fn keep(&mut self, News { mut told, held, let_go }: News) {
        for (call, event) in held {
            if let Err(why) = self.spool.hold(call, &event) {
                tracing::debug!(%why, %call, "a report is told without what is found out");
                told.push(event);
            }
        }
        self.spool.keep(told);
        if !self.spool.is_waiting() {
            let_go.into_iter().for_each(|call| self.spool.let_go(call));
        }
    }
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

/// How many records are caught up on at once.
const AT_ONCE: usize = 100;

/// How long news of calls that are up wait for each other before the disk takes them.
const GROUP: Duration = Duration::from_millis(200);

/// How often it is written down that the server lives, while calls are up.
const TICK: Duration = Duration::from_secs(1);

/// How soon a full disk is asked again to take events.
const AGAIN: Duration = Duration::from_secs(5);
