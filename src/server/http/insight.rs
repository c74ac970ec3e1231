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
use crate::server::control::export::Format;
use crate::server::control::insight::{InsightView, Misfit};
use crate::server::control::protocol::{Extract, Inquiry, Sought};
use crate::server::http::asked::Asked;
use crate::server::http::problem::Problem;

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
        /// `csv` (usually), `jsonl`, `asterisk` (the columns of its `cdr_csv`) or `training` (what was
        /// said, as OpenAI reads it for fine-tuning; only of callers who consented).
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
        content((String = "text/csv"), (String = "application/jsonl"))),
        (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn export(
    State(clerk): State<Arc<Clerk>>,
    Asked(query): Asked<Exporting>,
) -> Result<Response<Body>, Problem> {
    let sought = query.sought();
    let format = query.format.unwrap_or_else(|| "csv".to_owned());
    let (kind, name) = Format::read(&format).map(Format::kind).unwrap_or_default();
    let extract = Extract { format, timezone: query.timezone, sought, after: None };
    // What is wrong with it is said before anything is written.
    let first = clerk.extract(&extract).await.map_err(problem)?;
    let state = Some((clerk, extract, Some(first)));
    let parts = stream::try_unfold(state, |state| async move {
        let Some((clerk, mut extract, begun)) = state else { return Ok(None) };
        let page = match begun {
            Some(page) => page,
            None => clerk.extract(&extract).await.map_err(broken)?,
        };
        extract.after = page.next;
        let next = extract.after.is_some().then_some((clerk, extract, None));
        Ok::<_, io::Error>(Some((Bytes::from(page.text), next)))
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
