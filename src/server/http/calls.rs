//! `GET /v1/calls` and `GET /v1/calls/{id}`: calls that are up, and those that ended.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::Value;
use utoipa::IntoParams;

use crate::base::id::CallId;
use crate::engine::clock;
use crate::server::control::clerk::Clerk;
use crate::server::control::history::{CallSummary, Wanted, Wrong};
use crate::server::control::protocol::{Ask, Identified, Sought};
use crate::server::http::asked::{Asked, OfCall};
use crate::server::http::call_record::CallDocument;
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
    /// Those that came by this trunk.
    trunk: Option<String>,
    /// Those of this tenant, that ended.
    tenant: Option<String>,
    /// `inbound` or `outbound`.
    direction: Option<String>,
    /// Those that ended so: `caller_hangup` and the like.
    cause: Option<String>,
    /// Those in which these words were said, or left as a message, or found out: all of them, in any
    /// order. `rech*` is whatever begins so.
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
    /// How many on a page: 1 to 200, usually 50.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 200)]
    limit: Option<String>,
    /// Where the page begins: `next_cursor` of the one before.
    cursor: Option<String>,
}

/// Calls, the newest first.
#[utoipa::path(get, path = "/v1/calls", operation_id = "calls.list", tag = "calls", params(Query),
    responses((status = OK, body = Page<CallSummary>),
        (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn list(
    State(clerk): State<Arc<Clerk>>,
    Asked(query): Asked<Query>,
) -> Result<Response, Problem> {
    let wrong = |it: Wrong| Problem::parameter(it.parameter, it.why);
    let wanted = Wanted::read(&query.sought()?).map_err(wrong)?;
    let found = clerk.found(wanted).await?;
    let next = found.last.map(|last| Cursor(last).written());
    let link = next.as_ref().and_then(|cursor| query.link(cursor));
    let mut response = Json(Page { data: found.calls, next_cursor: next }).into_response();
    if let Some(link) = link {
        response.headers_mut().insert(header::LINK, link);
    }
    Ok(response)
}

/// A call: as it stands while it is up, and afterwards all that is kept of it.
#[utoipa::path(get, path = "/v1/calls/{id}", operation_id = "calls.get", tag = "calls",
    params(("id" = String, Path, description = "The call")),
    responses((status = OK, body = CallDocument),
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
    match record(archive, call).await {
        // Another server may have written it, or this one in another folder.
        Err(problem) if problem.code == Code::NotFound => {
            let listed = clerk.history.listed_record(call).await;
            listed.ok().flatten().map(|record| Json(Value::Object(record))).ok_or(problem)
        }
        found => found.map(|record| Json(Value::Object(record))),
    }
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
    /// What is looked for.
    fn sought(&self) -> Result<Sought, Problem> {
        Ok(Sought {
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
            limit: limit(self.limit.as_deref())?,
            behind: self.cursor.as_deref().map(Cursor::read).transpose()?.map(|it| it.0),
        })
    }

    /// The link to the next page (RFC 8288).
    fn link(&self, cursor: &str) -> Option<HeaderValue> {
        let known = [
            ("status", &self.status),
            ("agent", &self.agent),
            ("trunk", &self.trunk),
            ("tenant", &self.tenant),
            ("direction", &self.direction),
            ("cause", &self.cause),
            ("q", &self.q),
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

/// A call that began earlier has ended long ago.
const LONGEST_CALL: Duration = Duration::from_secs(86_400);

/// How often the record of a call is looked for that may just have ended.
const TRIES: u32 = 4;

/// How long it is waited for in between.
const AGAIN: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_holds_nothing_that_ends_it() {
        let from = Some("+49>; rel=\"x\"\r\nX: y".to_owned());
        let link = Query { from, ..Query::default() }.link("abc").expect("a link");
        let link = link.to_str().expect("text");
        assert!(link.starts_with("</v1/calls?from=%2B49%3E%3B%20rel%3D%22x%22%0D%0A"), "{link}");
        assert!(link.ends_with("&cursor=abc>; rel=\"next\""), "{link}");
    }
}
