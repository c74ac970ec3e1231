//! `GET /v1/analytics` and `GET /v1/calls/export`: what calls came to, and their records for others to
//! read.

use std::io;
use std::sync::Arc;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderValue, Response, header};
use futures_util::stream;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::server::control::clerk::Clerk;
use crate::server::control::columns::{Table, Unwritten};
use crate::server::control::export::{ExtractView, Format};
use crate::server::control::insight::{InsightView, Misfit};
use crate::server::control::protocol::{Extract, Inquiry, Sought};
use crate::server::http::asked::Asked;
use crate::server::http::problem::{Code, Problem};
use crate::server::http::sound::Octets;

/// A query with the filters of the list of calls, and what is its own.
macro_rules! query {
    ($(#[$about:meta])* $name:ident { $($(#[$own:meta])* $field:ident,)* }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Default, Deserialize, IntoParams)]
        #[serde(deny_unknown_fields, default)]
        #[into_params(parameter_in = Query)]
        pub struct $name {
            $($(#[$own])* $field: Option<String>,)*
            /// `completed`, `busy`, `no_answer`, `canceled` or `failed`.
            status: Option<String>,
            /// Those in which this agent spoke.
            agent: Option<String>,
            /// Those that came by this trunk.
            trunk: Option<String>,
            /// Those of this tenant.
            tenant: Option<String>,
            /// `inbound` or `outbound`.
            direction: Option<String>,
            /// Those that ended so: `caller_hangup` and the like.
            cause: Option<String>,
            /// Those in which these words were said.
            q: Option<String>,
            /// Those from this number.
            from: Option<String>,
            /// Those to this number.
            to: Option<String>,
            /// Those that began then or later (RFC 3339); also `since`.
            #[serde(alias = "since")]
            created_after: Option<String>,
            /// Those that began earlier (RFC 3339); also `until`.
            #[serde(alias = "until")]
            created_before: Option<String>,
        }

        impl $name {
            /// Which calls are looked for.
            fn sought(&self) -> Sought {
                Sought {
                    status: self.status.clone(),
                    direction: self.direction.clone(),
                    agent: self.agent.clone(),
                    trunk: self.trunk.clone(),
                    tenant: self.tenant.clone(),
                    cause: self.cause.clone(),
                    from: self.from.clone(),
                    to: self.to.clone(),
                    created_after: self.created_after.clone(),
                    created_before: self.created_before.clone(),
                    q: self.q.clone(),
                    ..Sought::default()
                }
            }
        }
    };
}

query! {
    /// What is counted.
    Counting {
        /// By what, with commas between: `agent`, `trunk`, `tenant`, `route`, `direction`, `hour`,
        /// `day`. Without it all calls are one group.
        by,
        /// By whose clock hours and days begin, such as `Europe/Berlin`; usually the server's.
        timezone,
    }
}

query! {
    /// Which records are written, and how.
    Exporting {
        /// `csv` (usually), `jsonl`, `asterisk` (the columns of its `cdr_csv`), `training` (what was
        /// said, as OpenAI reads it for fine-tuning; only of callers who consented) or `parquet` (the
        /// columns of `csv`, with their types, as Apache Parquet has them).
        format,
        /// By whose clock the times of `asterisk` are written; usually the server's.
        timezone,
    }
}

/// What calls that ended came to: how many, how long, how they ended, how fast turns were answered.
/// Of the last 30 days, or of at most 400 that are named.
#[utoipa::path(get, path = "/v1/analytics", operation_id = "analytics.get", tag = "analytics",
    params(Counting), responses((status = OK, body = InsightView),
        (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn count(
    State(clerk): State<Arc<Clerk>>,
    Asked(query): Asked<Counting>,
) -> Result<Json<InsightView>, Problem> {
    let inquiry = Inquiry { sought: query.sought(), by: query.by, timezone: query.timezone };
    clerk.insight(&inquiry).await.map(Json).map_err(problem)
}

/// The records of calls that ended, the newest first, as one stream. A stream that breaks off has
/// no end: whoever reads it knows.
#[utoipa::path(get, path = "/v1/calls/export", operation_id = "calls.export", tag = "calls",
    params(Exporting), responses((status = OK,
        content((String = "text/csv"), (String = "application/jsonl"),
        (Octets = "application/vnd.apache.parquet"))),
        (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn export(
    State(clerk): State<Arc<Clerk>>,
    Asked(query): Asked<Exporting>,
) -> Result<Response<Body>, Problem> {
    let sought = query.sought();
    let format = query.format.unwrap_or_else(|| "csv".to_owned());
    let form = Format::read(&format);
    let (kind, name) = form.map(Format::kind).unwrap_or_default();
    let extract = Extract { format, timezone: query.timezone, sought, after: None };
    // What is wrong with it is said before anything is written.
    let first = clerk.extract(&extract).await.map_err(problem)?;
    let table = match form == Some(Format::Parquet) {
        true => Some(Table::new().map_err(|why| unwritten(&why)).map_err(|_| no_table())?),
        false => None,
    };
    let state = Some(Written { clerk, extract, first: Some(first), table });
    let parts = stream::try_unfold(state, |state| async move {
        let Some(state) = state else { return Ok(None) };
        state.next().await.map(Some)
    });
    let mut response = Response::new(Body::from_stream(parts));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    let name = format!("attachment; filename=\"{name}\"");
    if let Ok(name) = HeaderValue::from_str(&name) {
        headers.insert(header::CONTENT_DISPOSITION, name);
    }
    Ok(response)
}

/// An export that is being written.
struct Written {
    clerk: Arc<Clerk>,
    extract: Extract,
    /// The part that was read before anything was written.
    first: Option<ExtractView>,
    /// What puts the records into columns, if anything does.
    table: Option<Table>,
}

impl Written {
    /// The next octets, which are never none, and what comes after them.
    async fn next(mut self) -> io::Result<(Bytes, Option<Self>)> {
        loop {
            let page = match self.first.take() {
                Some(page) => page,
                None => self.clerk.extract(&self.extract).await.map_err(broken)?,
            };
            let is_last = page.next.is_none();
            self.extract.after = page.next;
            let Some(table) = self.table.take() else {
                return Ok((Bytes::from(page.text), (!is_last).then_some(self)));
            };
            let putting = move || put(table, &page.text, is_last);
            let put = tokio::task::spawn_blocking(putting).await.map_err(io::Error::other)?;
            let (octets, table) = put.map_err(|why| unwritten(&why))?;
            self.table = table;
            match self.table.is_some() {
                true if octets.is_empty() => {}
                true => return Ok((octets.into(), Some(self))),
                false => return Ok((octets.into(), None)),
            }
        }
    }
}

/// Puts records into columns: what is ready of them, and the table, if it goes on.
fn put(
    mut table: Table,
    lines: &str,
    is_last: bool,
) -> Result<(Vec<u8>, Option<Table>), Unwritten> {
    let mut octets = table.put(lines)?;
    if !is_last {
        return Ok((octets, Some(table)));
    }
    octets.extend(table.end()?);
    Ok((octets, None))
}

fn unwritten(why: &Unwritten) -> io::Error {
    tracing::error!(%why, "calls cannot be put into columns");
    io::Error::other("calls cannot be put into columns")
}

fn no_table() -> Problem {
    Problem::new(Code::Internal, "calls cannot be put into columns")
}

fn problem(misfit: Misfit) -> Problem {
    match misfit {
        Misfit::Wrong(wrong) => Problem::parameter(wrong.parameter, wrong.why),
        Misfit::Fault(fault) => fault.into(),
    }
}

fn broken(misfit: Misfit) -> io::Error {
    let fault = crate::server::control::protocol::Fault::from(misfit);
    tracing::warn!(why = %fault, "an export of calls broke off");
    io::Error::other("the records cannot be read any more")
}
