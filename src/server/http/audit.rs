//! `GET /v1/audit`: who did what; and whether anybody has changed what was written of it.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::server::http::asked::Asked;
use crate::server::http::paging::{Page, limit};
use crate::server::http::problem::{Code, Problem};
use crate::store::audit::{Audit, Entry, Sought, Verdict};

/// Which deeds are wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct Query {
    /// Those of this one: the identity of a key, or `uid:1000`.
    who: Option<String>,
    /// Those that begin so: `PUT`, `call.hangup`.
    what: Option<String>,
    /// Those on this: the identity of a call, the name of an agent.
    on: Option<String>,
    /// How many on a page: 1 to 200, usually 50.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 200)]
    limit: Option<String>,
    /// Where the page begins: `next_cursor` of the one before.
    cursor: Option<String>,
}

/// What somebody did, or tried to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct DeedView {
    /// Counts up from 1.
    pub number: u64,
    /// When (RFC 3339).
    pub at: String,
    /// Who: the identity of a key, or a user of the machine, `uid:1000`.
    pub who: String,
    /// From where: an address, `socket` or `local`.
    pub from: String,
    /// What.
    pub what: String,
    /// On what.
    pub on: Option<String>,
    /// The SHA-256 of what it said before, without secrets.
    pub before: Option<String>,
    /// The SHA-256 of what it says since.
    pub after: Option<String>,
    /// What came of it: a status of HTTP, `ok`, or the code of a fault.
    pub outcome: String,
    /// The sum of the line before.
    pub prev: String,
    /// The sum of this line.
    pub hash: String,
}

/// How the chain stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct VerdictView {
    /// How many lines there are.
    pub entries: u64,
    /// The number of the first: those before were forgotten.
    pub first: u64,
    /// Whether all are as they were written.
    pub intact: bool,
    /// The first line that is not.
    pub broken: Option<BreakView>,
}

/// A line that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct BreakView {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: u64,
    /// What is wrong there.
    pub why: String,
}

/// What keys and people did, the newest first.
#[utoipa::path(get, path = "/v1/audit", operation_id = "audit.list", tag = "audit", params(Query),
    responses((status = OK, body = Page<DeedView>),
        (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn list(
    State(audit): State<Audit>,
    Asked(query): Asked<Query>,
) -> Result<Json<Page<DeedView>>, Problem> {
    let limit = limit(query.limit.as_deref())?;
    let wrong = |_| Problem::new(Code::InvalidCursor, "this is no cursor of ours");
    let before = query.cursor.map(|it| it.parse()).transpose().map_err(wrong)?;
    let sought = Sought { before, who: query.who, what: query.what, on: query.on, limit };
    let found = beside(move || audit.find(&sought)).await?;
    let next = found.last().filter(|last| found.len() == limit && last.number > 1);
    let next_cursor = next.map(|last| last.number.to_string());
    Ok(Json(Page { data: found.into_iter().map(DeedView::from).collect(), next_cursor }))
}

/// Whether every line of it is as it was written, and none is missing.
#[utoipa::path(get, path = "/v1/audit/verify", operation_id = "audit.verify", tag = "audit",
    responses((status = OK, body = VerdictView),
        (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn verify(State(audit): State<Audit>) -> Result<Json<VerdictView>, Problem> {
    beside(move || audit.verify()).await.map(|verdict| Json(verdict.into()))
}

async fn beside<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, Problem> {
    let unreadable = || Problem::new(Code::Internal, "the chronicle cannot be read");
    let done = tokio::task::spawn_blocking(work).await.map_err(|_| unreadable())?;
    done.map_err(|why| {
        tracing::error!(%why, "the chronicle cannot be read");
        unreadable()
    })
}

impl From<Entry> for DeedView {
    fn from(entry: Entry) -> Self {
        let Entry { number, deed, prev, hash } = entry;
        let (at, who, from, what) = (deed.at, deed.who, deed.from, deed.what);
        let (on, before, after, outcome) = (deed.on, deed.before, deed.after, deed.outcome);
        Self { number, at, who, from, what, on, before, after, outcome, prev, hash }
    }
}

impl From<Verdict> for VerdictView {
    fn from(verdict: Verdict) -> Self {
        let Verdict { entries, first, broken } = verdict;
        let intact = broken.is_none();
        let broken = broken.map(|it| BreakView { file: it.file, line: it.line, why: it.why });
        Self { entries, first, intact, broken }
    }
}
