//! `GET /v1/calls` and `GET /v1/calls/{id}`: calls that are up, and those that ended.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::base::id::CallId;
use crate::engine::clock;
use crate::server::control::clerk::Clerk;
use crate::server::control::protocol::{Ask, Identified};
use crate::server::control::view::{CallView, PartyView};
use crate::server::http::asked::{Asked, OfCall};
use crate::server::http::front::ask;
use crate::server::http::paging::{Cursor, Page, limit};
use crate::server::http::problem::{Code, Problem};
use crate::store::call_archive::{CallArchive, Document};

/// Which calls are wanted.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct Query {
    /// `ringing`, `in-progress`, `ending`, `completed`, `busy`, `no_answer`, `canceled` or
    /// `failed`.
    status: Option<String>,
    /// Those in which this agent spoke.
    agent: Option<String>,
    /// Those from this number.
    from: Option<String>,
    /// Those to this number.
    to: Option<String>,
    /// Those that began then or later (RFC 3339).
    created_after: Option<String>,
    /// Those that began earlier (RFC 3339).
    created_before: Option<String>,
    /// How many on a page: 1 to 200, usually 50.
    limit: Option<String>,
    /// Where the page begins: `next_cursor` of the one before.
    cursor: Option<String>,
}

/// A call in brief.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
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
}

/// What is looked for.
#[derive(Debug, Clone)]
struct Wanted {
    query: Query,
    after: Option<Duration>,
    before: Option<Duration>,
    limit: usize,
    cursor: Option<Cursor>,
}

/// Calls, the newest first.
#[utoipa::path(get, path = "/v1/calls", operation_id = "calls.list", tag = "calls", params(Query),
    responses((status = OK, body = Page<CallSummary>),
        (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn list(
    State(clerk): State<Arc<Clerk>>,
    State(archive): State<CallArchive>,
    Asked(query): Asked<Query>,
) -> Result<Response, Problem> {
    let wanted = Wanted::read(query.clone())?;
    let up = clerk.overviews().await?;
    let finding = tokio::task::spawn_blocking(move || wanted.page(&archive, up));
    let page = finding.await.map_err(|_| unreadable())?;
    let next = page.next_cursor.as_ref().and_then(|cursor| query.link(cursor));
    let mut response = Json(page).into_response();
    if let Some(next) = next {
        response.headers_mut().insert(header::LINK, next);
    }
    Ok(response)
}

/// A call: as it stands while it is up, and afterwards all that is kept of it.
#[utoipa::path(get, path = "/v1/calls/{id}", operation_id = "calls.get", tag = "calls",
    params(("id" = String, Path, description = "The call")),
    responses((status = OK, body = CallView,
        description = "While the call is up. Afterwards its whole record, with the same names and \
                       more: `end_reason`, `transcript`, `turns`, `tools`, `analysis` …"),
        (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn get(
    State(clerk): State<Arc<Clerk>>,
    State(archive): State<CallArchive>,
    OfCall(call): OfCall,
) -> Result<Json<Value>, Problem> {
    match ask(&clerk, Ask::Call(Identified { id: call.to_string() })).await {
        Err(problem) if problem.code == Code::NotFound => {}
        told => return told.map(Json),
    }
    Ok(Json(Value::Object(record(archive, call).await?)))
}

/// The record of a call that ended.
///
/// # Errors
/// When there is none, or it cannot be read.
pub async fn record(archive: CallArchive, call: CallId) -> Result<Document, Problem> {
    let age = clock::since_epoch().saturating_sub(call.began());
    // One that has just ended is not up any more, and may not be written yet.
    let tries = if age < LONGEST_CALL { TRIES } else { 1 };
    for left in (0..tries).rev() {
        let archive = archive.clone();
        let reading = tokio::task::spawn_blocking(move || archive.read(call)).await;
        let read = reading.map_err(|_| unreadable())?.map_err(|why| {
            tracing::error!(%call, %why, "the record of a call cannot be read");
            unreadable()
        })?;
        match read {
            Some(record) => return Ok(record),
            None if left > 0 => tokio::time::sleep(AGAIN).await,
            None => {}
        }
    }
    Err(Problem::new(Code::NotFound, "there is no such call"))
}

fn unreadable() -> Problem {
    Problem::new(Code::Internal, "the record of the call cannot be read: the log says why")
}

impl Query {
    /// The link to the next page (RFC 8288).
    fn link(&self, cursor: &str) -> Option<HeaderValue> {
        let known = [
            ("status", &self.status),
            ("agent", &self.agent),
            ("from", &self.from),
            ("to", &self.to),
            ("created_after", &self.created_after),
            ("created_before", &self.created_before),
            ("limit", &self.limit),
        ];
        let known = known.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?)));
        let pairs = known.chain([("cursor", cursor)]);
        let pairs: Vec<String> =
            pairs.map(|(name, value)| format!("{name}={}", percent(value))).collect();
        HeaderValue::from_str(&format!("</v1/calls?{}>; rel=\"next\"", pairs.join("&"))).ok()
    }
}

impl Wanted {
    fn read(query: Query) -> Result<Self, Problem> {
        if let Some(status) = &query.status
            && !STATES.contains(&status.as_str())
        {
            return Err(Problem::parameter("status", format!("one of {}", STATES.join(", "))));
        }
        let moment = |name, text: &Option<String>| {
            let text = text.as_ref().map(|text| text.replace(' ', "+"));
            text.map(|text| moment(&text).ok_or_else(|| Problem::parameter(name, NO_MOMENT)))
                .transpose()
        };
        Ok(Self {
            after: moment("created_after", &query.created_after)?,
            before: moment("created_before", &query.created_before)?,
            limit: limit(query.limit.as_deref())?,
            cursor: query.cursor.as_deref().map(Cursor::read).transpose()?,
            query,
        })
    }

    /// The calls of a page. Only so many records are read for one.
    fn page(&self, archive: &CallArchive, up: Vec<CallView>) -> Page<CallSummary> {
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
            let summary = match archive.read(call) {
                Ok(Some(record)) => Some(ended(call, &record)),
                Ok(None) => running.remove(&call).map(|view| brief(call, view)),
                Err(why) => {
                    tracing::error!(%call, %why, "the record of a call cannot be read");
                    None
                }
            };
            data.extend(summary.filter(|summary| self.fits(summary)));
        }
        let next = last.filter(|_| left > 0);
        Page { data, next_cursor: next.map(|call| Cursor(call).written()) }
    }

    fn is_in_time(&self, call: CallId) -> bool {
        let began = call.began();
        self.cursor.is_none_or(|cursor| call < cursor.0)
            && self.after.is_none_or(|after| began >= after)
            && self.before.is_none_or(|before| began < before)
    }

    fn fits(&self, call: &CallSummary) -> bool {
        let query = &self.query;
        let is = |wanted: &Option<String>, number: &str| {
            // A plus in a query is a space when nobody wrote it as %2B.
            wanted.as_ref().is_none_or(|wanted| wanted.replacen(' ', "+", 1) == number)
        };
        query.status.as_ref().is_none_or(|wanted| *wanted == call.status)
            && query.agent.as_ref().is_none_or(|wanted| call.agents.contains(wanted))
            && is(&query.from, &call.from.number)
            && is(&query.to, &call.to.number)
    }
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
        route: view.route,
        agents: view.agent.into_iter().collect(),
        started_at: view.started_at,
        answered_at: answered.map(crate::server::control::times::timestamp),
        ended_at: None,
        duration_ms: view.age_ms,
        end_reason: None,
        recorded: view.recorded,
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
    CallSummary {
        id: call.to_string(),
        direction: text("direction").unwrap_or_default(),
        status: text("status").unwrap_or_default(),
        from: party("from"),
        to: party("to"),
        trunk: text("trunk").filter(|trunk| !trunk.is_empty()),
        route: text("route"),
        agents: agents.filter_map(|agent| agent.as_str().map(str::to_owned)).collect(),
        started_at: text("started_at").unwrap_or_default(),
        answered_at: text("answered_at"),
        ended_at: text("ended_at"),
        duration_ms: record.get("duration_ms").and_then(Value::as_u64).unwrap_or_default(),
        end_reason: text("end_reason"),
        recorded: record.get("recorded").and_then(Value::as_bool).unwrap_or_default(),
    }
}

fn moment(text: &str) -> Option<Duration> {
    let at: jiff::Timestamp = text.parse().ok()?;
    // Whatever was before the epoch was before every call.
    Some(Duration::from_millis(u64::try_from(at.as_millisecond()).unwrap_or_default()))
}

/// As it may stand in a query (RFC 3986 2.3).
fn percent(text: &str) -> String {
    let escaped = |octet: u8| match octet {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(octet).to_string()
        }
        _ => format!("%{octet:02X}"),
    };
    text.bytes().map(escaped).collect()
}

const STATES: &[&str] =
    &["ringing", "in-progress", "ending", "completed", "busy", "no_answer", "canceled", "failed"];

const NO_MOMENT: &str = "a time as RFC 3339 has it, such as 2026-11-22T10:00:00Z";

/// A call that began earlier has ended long ago.
const LONGEST_CALL: Duration = Duration::from_secs(86_400);

/// How often the record of a call is looked for that may just have ended.
const TRIES: u32 = 4;

/// How long it is waited for in between.
const AGAIN: Duration = Duration::from_millis(100);

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
            let name = format!("voxtrunk-http-calls-{name}-{}", std::process::id());
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

        fn page(&self, query: Query) -> Page<CallSummary> {
            Wanted::read(query)
                .expect("a query")
                .page(&CallArchive::new(self.0.clone()), Vec::new())
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).ok();
        }
    }

    fn from(page: &Page<CallSummary>) -> Vec<&str> {
        page.data.iter().map(|call| call.from.number.as_str()).collect()
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn pages_follow_each_other_without_a_gap_and_end() {
        let records: Vec<(u64, String)> =
            (1..=5).map(|at| (1_000 + at, format!("+4971{at}"))).collect();
        let records: Vec<_> =
            records.iter().map(|(at, from)| (*at, from.as_str(), "completed")).collect();
        let folder = Folder::new("pages", &records);
        let mut query = Query { limit: some("2"), ..Query::default() };
        let mut seen = Vec::new();
        for expected in [2, 2, 1] {
            let page = folder.page(query.clone());
            assert_eq!(page.data.len(), expected);
            seen.extend(page.data.iter().map(|call| call.from.number.clone()));
            query.cursor = page.next_cursor;
        }
        assert_eq!(seen, ["+49715", "+49714", "+49713", "+49712", "+49711"]);
        assert_eq!(query.cursor, None);
    }

    #[test]
    fn calls_are_looked_for_by_what_they_were() {
        let records = [
            (1_000, "+4971", "completed"),
            (1_001, "+4972", "busy"),
            (1_002, "+4971", "completed"),
        ];
        let folder = Folder::new("filters", &records);
        let busy = folder.page(Query { status: some("busy"), ..Query::default() });
        assert_eq!(from(&busy), ["+4972"]);
        // `from=+4971` as a form would read it.
        let caller = folder.page(Query { from: some(" 4971"), ..Query::default() });
        assert_eq!(caller.data.len(), 2);
        let time = |at: &str| Some(format!("1970-01-01T00:16:{at}Z"));
        let (after, before) = (time("41"), time("42"));
        let then = Query { created_after: after, created_before: before, ..Query::default() };
        assert_eq!(from(&folder.page(then)), ["+4972"]);
        let nobody = folder.page(Query { agent: some("x"), ..Query::default() });
        assert_eq!((nobody.data.len(), nobody.next_cursor), (0, None));
        for wrong in [
            Query { status: some("up"), ..Query::default() },
            Query { created_after: some("yesterday"), ..Query::default() },
            Query { cursor: some("../../etc/passwd"), ..Query::default() },
        ] {
            assert!(matches!(Wanted::read(wrong).unwrap_err().status, 400 | 422));
        }
    }

    #[test]
    fn a_link_holds_nothing_that_ends_it() {
        let query = Query { from: some("+49>; rel=\"x\"\r\nX: y"), ..Query::default() };
        let link = query.link("abc").expect("a link");
        let link = link.to_str().expect("text");
        assert!(link.starts_with("</v1/calls?from=%2B49%3E%3B%20rel%3D%22x%22%0D%0A"), "{link}");
        assert!(link.ends_with("&cursor=abc>; rel=\"next\""), "{link}");
    }
}
