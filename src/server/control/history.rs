//! The calls of a server, those that are up and those that ended: found by the database as far as it
//! lists them, and by their files as far as it does not.

use std::collections::HashMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::sync::oneshot;
use utoipa::ToSchema;

use crate::base::id::CallId;
use crate::server::control::protocol::{Fault, FaultCode, Sought};
use crate::server::control::times::timestamp;
use crate::server::control::view::{CallView, PartyView};
use crate::store::analytics::Analytics;
use crate::store::call_archive::{CallArchive, Document};
use crate::store::database::DatabaseError;
use crate::store::index::{Filter, Index};
use crate::store::indexer::Backlog;
use crate::store::labels::{Label, Labelling, Labels, Order, Patch, Unlabelled};
use crate::store::words::Search;

/// The calls of a server.
#[derive(Debug, Clone)]
pub struct History {
    archive: CallArchive,
    index: Index,
    backlog: Backlog,
    analytics: Analytics,
    labels: Labels,
    labelling: Labelling,
}

/// A call in brief.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CallSummary {
    /// Its identity.
    pub id: String,
    /// `inbound`, or `outbound` when it is us who began it.
    pub direction: String,
    /// `ringing`, `in-progress` or `ending` while it is up; then `completed`, `busy`, `no_answer`,
    /// `canceled` or `failed`.
    pub status: String,
    /// Who called.
    pub from: PartyView,
    /// Whom.
    pub to: PartyView,
    /// Which trunk it came by.
    pub trunk: Option<String>,
    /// The tenant whose call it was; known when it ended.
    pub tenant: Option<String>,
    /// The route that took it.
    pub route: Option<String>,
    /// The agents that spoke, in order.
    pub agents: Vec<String>,
    /// When it arrived.
    pub started_at: String,
    /// When it was answered.
    pub answered_at: Option<String>,
    /// When it ended.
    pub ended_at: Option<String>,
    /// How long it lasted, so far.
    pub duration_ms: u64,
    /// Why it ended.
    pub end_reason: Option<String>,
    /// Whether there is a recording.
    pub recorded: bool,
    /// What programs call it.
    pub name: Option<String>,
    /// What programs keep with it.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub metadata: Map<String, Value>,
}

/// Some calls, and where the next ones begin.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The calls.
    pub calls: Vec<CallSummary>,
    /// The last one that was looked at, when there are more.
    pub last: Option<CallId>,
}

/// What is looked for.
#[derive(Debug, Clone)]
pub struct Wanted {
    filter: Filter,
    limit: usize,
}

/// What is looked for cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{parameter}`: {why}")]
pub struct Wrong {
    /// Which word of it.
    pub parameter: &'static str,
    /// Why.
    pub why: String,
}

/// Why nothing is found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfound {
    /// Words are looked for by the database only, and it does not answer.
    #[error("the database does not answer, and only it finds words: the log says why")]
    Words,
    /// It is listed by the database only, and it does not answer.
    #[error("the database does not answer, and some records are only there: the log says why")]
    Records,
    /// It cannot be read.
    #[error("the records of calls cannot be read; this is a bug")]
    Files,
}

impl Wanted {
    /// Reads what is looked for.
    ///
    /// # Errors
    /// When a word of it makes no sense.
    pub fn read(sought: &Sought) -> Result<Self, Wrong> {
        let wrong = |parameter, why: String| Err(Wrong { parameter, why });
        if let Some(status) = &sought.status
            && !STATES.contains(&status.as_str())
        {
            return wrong("status", format!("one of {}", STATES.join(", ")));
        }
        if let Some(direction) = &sought.direction
            && !DIRECTIONS.contains(&direction.as_str())
        {
            return wrong("direction", format!("one of {}", DIRECTIONS.join(", ")));
        }
        let moment = |parameter, text: &Option<String>| {
            let text = text.as_ref().map(|text| text.replace(' ', "+"));
            let read = |text: String| {
                moment(&text).ok_or_else(|| Wrong { parameter, why: NO_MOMENT.to_owned() })
            };
            text.map(read).transpose()
        };
        let after = moment("created_after", &sought.created_after)?;
        let before = moment("created_before", &sought.created_before)?;
        let search = match sought.q.as_deref().map(Search::read) {
            Some(None) => return wrong("q", "there is no word in it".to_owned()),
            found => found.flatten(),
        };
        // A plus in a query is a space when nobody wrote it as %2B.
        let number = |text: &Option<String>| text.as_ref().map(|it| it.replacen(' ', "+", 1));
        let before = before.map(CallId::first_at);
        let filter = Filter {
            status: sought.status.clone(),
            direction: sought.direction.clone(),
            agent: sought.agent.clone(),
            trunk: sought.trunk.clone(),
            tenant: sought.tenant.clone(),
            cause: sought.cause.clone(),
            caller: number(&sought.from),
            callee: number(&sought.to),
            first: after.map(CallId::first_at),
            before: before.into_iter().chain(sought.behind).min(),
            search,
        };
        Ok(Self { filter, limit: sought.limit })
    }

    /// Which calls those are.
    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// Whether a call is at the time that is looked for.
    fn is_in_time(&self, call: CallId) -> bool {
        self.filter.first.is_none_or(|first| call >= first)
            && self.filter.before.is_none_or(|before| call < before)
    }

    /// Whether a call is one of those; words are not looked for.
    fn fits(&self, call: &CallSummary) -> bool {
        let is = |wanted: &Option<String>, it: &str| wanted.as_ref().is_none_or(|own| own == it);
        let may = |wanted: &Option<String>, it: &Option<String>| {
            is(wanted, it.as_deref().unwrap_or_default())
        };
        let filter = &self.filter;
        is(&filter.status, &call.status)
            && is(&filter.direction, &call.direction)
            && filter.agent.as_ref().is_none_or(|agent| call.agents.contains(agent))
            && may(&filter.trunk, &call.trunk)
            && may(&filter.tenant, &call.tenant)
            && may(&filter.cause, &call.end_reason)
            && is(&filter.caller, &call.from.number)
            && is(&filter.callee, &call.to.number)
    }
}

impl History {
    /// Finds by the index, and by the archive what is in the backlog.
    /// Labels stand in the records of calls, or with those that are up.
    pub fn new(
        (archive, index, backlog): (CallArchive, Index, Backlog),
        (labels, labelling): (Labels, Labelling),
    ) -> Self {
        let analytics = Analytics::new(index.database().clone());
        Self { archive, index, backlog, analytics, labels, labelling }
    }

    /// What is kept with a call that is up.
    pub fn label(&self, call: CallId) -> Option<Label> {
        self.labels.of(call)
    }

    /// Keeps something with a call; says what is kept with it now. Nothing when there is nobody to
    /// do it any more.
    pub async fn keep(
        &self,
        (call, is_up): (CallId, bool),
        patch: Patch,
    ) -> Option<Result<Label, Unlabelled>> {
        let (asker, answer) = oneshot::channel();
        let order = Order { call, patch, is_up, asker };
        self.labelling.send(order).await.ok()?;
        answer.await.ok()
    }

    /// What counts them.
    pub fn analytics(&self) -> &Analytics {
        &self.analytics
    }

    /// How many calls have ended and are not counted yet; nothing when it is not known.
    pub fn uncounted(&self) -> Option<u64> {
        self.backlog.behind().and_then(|calls| u64::try_from(calls.len()).ok())
    }

    /// The records of calls that ended, the newest first, and where the next ones begin.
    ///
    /// # Errors
    /// When only the database could find them, and it does not answer.
    pub async fn records(
        &self,
        wanted: Wanted,
    ) -> Result<(Vec<Document>, Option<CallId>), Unfound> {
        let found = self.find(wanted, Vec::new()).await?;
        let calls = found.calls.iter().filter_map(|call| call.id.parse().ok());
        let (calls, archive): (Vec<CallId>, _) = (calls.collect(), self.archive.clone());
        let reading = tokio::task::spawn_blocking(move || {
            calls.into_iter().map(|call| (call, record(&archive, call))).collect::<Vec<_>>()
        });
        let mut records = Vec::new();
        for (call, read) in reading.await.map_err(|_| Unfound::Files)? {
            let record = match read {
                Some(record) => Some(record),
                // Another server may have written it.
                None => self.index.record(call).await.map_err(|_| Unfound::Records)?,
            };
            records.extend(record);
        }
        Ok((records, found.last))
    }

    /// The calls that are looked for, the newest first, with those that are `up`.
    ///
    /// # Errors
    /// When only the database could find them, and it does not answer.
    pub async fn find(&self, wanted: Wanted, up: Vec<CallView>) -> Result<Found, Unfound> {
        // What is not listed yet is asked for first: what is listed meanwhile is found twice, and
        // not at all the other way round.
        let behind = self.backlog.behind();
        let listed = match &behind {
            Some(_) => self.listed(&wanted).await,
            None => None,
        };
        if listed.is_none() && wanted.filter.search.is_some() {
            return Err(Unfound::Words);
        }
        let archive = self.archive.clone();
        let finding = tokio::task::spawn_blocking(move || match (listed, behind) {
            (Some(listed), Some(behind)) => wanted.beside(&archive, (listed, behind), up),
            _ => wanted.in_files(&archive, up),
        });
        finding.await.map_err(|_| Unfound::Files)
    }

    /// The record of a call that ended.
    ///
    /// # Errors
    /// When there is none of this identity, or it cannot be read.
    pub async fn record(&self, id: &str) -> Result<Document, Fault> {
        let none = || Fault::new(FaultCode::NotFound, format!("there is no call `{id}`"));
        let call: CallId = id.parse().map_err(|_| none())?;
        let archive = self.archive.clone();
        let reading = tokio::task::spawn_blocking(move || record(&archive, call));
        let busy = |why: Unfound| Fault::new(FaultCode::Busy, why.to_string());
        if let Some(record) = reading.await.map_err(|_| busy(Unfound::Files))? {
            return Ok(record);
        }
        // Another server may have written it.
        let listed = self.index.record(call).await.map_err(|_| busy(Unfound::Records))?;
        listed.ok_or_else(none)
    }

    /// The record of a call that ended; nothing when there is none.
    ///
    /// # Errors
    /// When the database does not answer, and there is no file.
    pub async fn listed_record(&self, call: CallId) -> Result<Option<Document>, DatabaseError> {
        self.index.record(call).await
    }

    async fn listed(&self, wanted: &Wanted) -> Option<Vec<(CallId, Document)>> {
        match self.index.find(&wanted.filter, wanted.limit + 1).await {
            Ok(found) => Some(found),
            Err(why) => {
                tracing::warn!(%why, "the database does not answer: files of calls are read");
                None
            }
        }
    }
}

impl Wanted {
    /// What the database lists, and beside it what is up and what it does not list yet.
    fn beside(
        &self,
        archive: &CallArchive,
        (listed, behind): (Vec<(CallId, Document)>, Vec<CallId>),
        up: Vec<CallView>,
    ) -> Found {
        let mut found: HashMap<CallId, CallSummary> =
            listed.into_iter().map(|(call, record)| (call, ended(call, &record))).collect();
        let newer = behind.into_iter().rev().filter(|call| self.is_in_time(*call));
        for call in newer.take(MOST_READ) {
            let summary = record(archive, call).map(|record| ended(call, &record));
            match summary.filter(|it| self.filter.search.is_none() && self.fits(it)) {
                Some(summary) => found.insert(call, summary),
                // It may be listed as it was before.
                None => None,
            };
        }
        for view in up {
            let Ok(call) = view.id.parse() else { continue };
            let is_wanted = self.is_in_time(call) && self.filter.search.is_none();
            // A call whose record is written has ended, whoever still knows it.
            if is_wanted && !found.contains_key(&call) && !archive.has(call) {
                found.extend(
                    Some(brief(call, view)).filter(|it| self.fits(it)).map(|it| (call, it)),
                );
            }
        }
        let mut calls: Vec<(CallId, CallSummary)> = found.into_iter().collect();
        calls.sort_unstable_by(|(one, _), (other, _)| other.cmp(one));
        let is_more = calls.len() > self.limit;
        calls.truncate(self.limit);
        let last = calls.last().map(|(call, _)| *call).filter(|_| is_more);
        Found { calls: calls.into_iter().map(|(_, call)| call).collect(), last }
    }

    /// All of it without the database. Only so many records are read for one page.
    fn in_files(&self, archive: &CallArchive, up: Vec<CallView>) -> Found {
        let running = up.into_iter().filter_map(|view| Some((view.id.parse().ok()?, view)));
        let mut running: HashMap<CallId, CallView> = running.collect();
        let mut calls = archive.calls();
        calls.extend(running.keys());
        calls.sort_unstable_by(|one, other| other.cmp(one));
        calls.dedup();
        calls.retain(|call| self.is_in_time(*call));
        let (mut data, mut last) = (Vec::new(), None);
        let mut left = calls.len();
        for call in calls.into_iter().take(MOST_READ) {
            if data.len() == self.limit {
                break;
            }
            (left, last) = (left - 1, Some(call));
            // A call whose record is written has ended, whoever still knows it.
            let summary = match archive.has(call) {
                true => record(archive, call).map(|record| ended(call, &record)),
                false => running.remove(&call).map(|view| brief(call, view)),
            };
            data.extend(summary.filter(|summary| self.fits(summary)));
        }
        Found { calls: data, last: last.filter(|_| left > 0) }
    }
}

/// The record in the file of a call.
fn record(archive: &CallArchive, call: CallId) -> Option<Document> {
    archive.read(call).unwrap_or_else(|why| {
        tracing::error!(%call, %why, "the record of a call cannot be read");
        None
    })
}

/// A call that is up, in brief.
fn brief(call: CallId, view: CallView) -> CallSummary {
    let answered = view.answered_ms.map(|after| call.began() + Duration::from_millis(after));
    CallSummary {
        id: view.id,
        direction: view.direction,
        status: view.status,
        from: view.from,
        to: view.to,
        trunk: view.trunk,
        tenant: None,
        route: view.route,
        agents: view.agent.into_iter().collect(),
        started_at: view.started_at,
        answered_at: answered.map(timestamp),
        ended_at: None,
        duration_ms: view.age_ms,
        end_reason: None,
        recorded: view.recorded,
        name: view.name,
        metadata: view.metadata,
    }
}

/// A call that ended, in brief.
fn ended(call: CallId, record: &Document) -> CallSummary {
    let text = |key: &str| record.get(key).and_then(Value::as_str).map(str::to_owned);
    let party = |key: &str| {
        let of = |name| record.get(key)?.get(name)?.as_str().map(str::to_owned);
        PartyView { number: of("number").unwrap_or_default(), name: of("name") }
    };
    let agents = record.get("agents").and_then(Value::as_array).into_iter().flatten();
    let Label { name, metadata } = Label::of(record);
    CallSummary {
        id: call.to_string(),
        direction: text("direction").unwrap_or_default(),
        status: text("status").unwrap_or_default(),
        from: party("from"),
        to: party("to"),
        trunk: text("trunk").filter(|trunk| !trunk.is_empty()),
        tenant: text("tenant"),
        route: text("route"),
        agents: agents.filter_map(|agent| agent.as_str().map(str::to_owned)).collect(),
        started_at: text("started_at").unwrap_or_default(),
        answered_at: text("answered_at"),
        ended_at: text("ended_at"),
        duration_ms: record.get("duration_ms").and_then(Value::as_u64).unwrap_or_default(),
        end_reason: text("end_reason"),
        recorded: record.get("recorded").and_then(Value::as_bool).unwrap_or_default(),
        name,
        metadata,
    }
}

/// A moment as RFC 3339 has it, since the Unix epoch.
pub fn moment(text: &str) -> Option<Duration> {
    let at: jiff::Timestamp = text.parse().ok()?;
    // Whatever was before the epoch was before every call.
    Some(Duration::from_millis(u64::try_from(at.as_millisecond()).unwrap_or_default()))
}

const STATES: &[&str] =
    &["ringing", "in-progress", "ending", "completed", "busy", "no_answer", "canceled", "failed"];

const DIRECTIONS: &[&str] = &["inbound", "outbound"];

const NO_MOMENT: &str = "a time as RFC 3339 has it, such as 2026-11-22T10:00:00Z";

/// The most records that are read for one page.
const MOST_READ: usize = 2_000;

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::PathBuf;

    use serde_json::json;

    use crate::base::random::Random;

    struct Folder(PathBuf);

    impl Folder {
        /// With a record for each: when it began in seconds, from whom, and what became of it.
        fn new(name: &str, records: &[(u64, &str, &str)]) -> Self {
            let name = format!("voxtrunk-history-{name}-{}", std::process::id());
            let folder = Self(std::env::temp_dir().join(name));
            fs::create_dir_all(&folder.0).expect("a folder");
            let mut random = Random::repeatable(1);
            for (at, from, status) in records {
                let call = CallId::new(Duration::from_secs(*at), &mut random);
                let record = json!({
                    "id": call.to_string(), "status": status, "agents": ["desk"],
                    "from": { "number": from, "name": "<script>\r\nX: y" },
                });
                fs::write(folder.0.join(format!("{call}.json")), record.to_string())
                    .expect("it is written");
            }
            folder
        }

        fn page(&self, sought: &Sought) -> Found {
            let wanted = Wanted::read(sought).expect("a query");
            wanted.in_files(&CallArchive::new(self.0.clone()), Vec::new())
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).ok();
        }
    }

    fn from(found: &Found) -> Vec<&str> {
        found.calls.iter().map(|call| call.from.number.as_str()).collect()
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn without_the_database_pages_follow_each_other_without_a_gap_and_end() {
        let records: Vec<(u64, String)> =
            (1..=5).map(|at| (1_000 + at, format!("+4971{at}"))).collect();
        let records: Vec<_> =
            records.iter().map(|(at, from)| (*at, from.as_str(), "completed")).collect();
        let folder = Folder::new("pages", &records);
        let mut sought = Sought { limit: 2, ..Sought::default() };
        let mut seen = Vec::new();
        for expected in [2, 2, 1] {
            let page = folder.page(&sought);
            assert_eq!(page.calls.len(), expected);
            seen.extend(page.calls.iter().map(|call| call.from.number.clone()));
            sought.behind = page.last;
        }
        assert_eq!(seen, ["+49715", "+49714", "+49713", "+49712", "+49711"]);
        assert_eq!(sought.behind, None);
    }

    #[test]
    fn without_the_database_calls_are_looked_for_by_what_they_were() {
        let records = [
            (1_000, "+4971", "completed"),
            (1_001, "+4972", "busy"),
            (1_002, "+4971", "completed"),
        ];
        let folder = Folder::new("filters", &records);
        let busy = folder.page(&Sought { status: some("busy"), ..Sought::default() });
        assert_eq!(from(&busy), ["+4972"]);
        // `from=+4971` as a form would read it.
        let caller = folder.page(&Sought { from: some(" 4971"), ..Sought::default() });
        assert_eq!(caller.calls.len(), 2);
        let time = |at: &str| Some(format!("1970-01-01T00:16:{at}Z"));
        let (created_after, created_before) = (time("41"), time("42"));
        let then = Sought { created_after, created_before, ..Sought::default() };
        assert_eq!(from(&folder.page(&then)), ["+4972"]);
        let nobody = folder.page(&Sought { agent: some("x"), ..Sought::default() });
        assert_eq!((nobody.calls.len(), nobody.last), (0, None));
        for (wrong, parameter) in [
            (Sought { status: some("up"), ..Sought::default() }, "status"),
            (Sought { direction: some("up"), ..Sought::default() }, "direction"),
            (Sought { created_after: some("yesterday"), ..Sought::default() }, "created_after"),
            (Sought { q: some(" * "), ..Sought::default() }, "q"),
        ] {
            assert_eq!(Wanted::read(&wrong).unwrap_err().parameter, parameter);
        }
    }
}
