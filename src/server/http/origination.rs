//! `POST /v1/calls`: a call begins here.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::server::control::clerk::Clerk;
use crate::server::control::protocol::{self, Ask};
use crate::server::control::view::OriginatedView;
use crate::server::http::asked::Told;
use crate::server::http::front::ask;
use crate::server::http::gate::Bearer;
use crate::server::http::problem::Problem;
use crate::server::http::repeating::once;

/// A call that is to begin.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Create {
    /// Who is called: a number in E.164, or a destination such as `phone:101`.
    to: String,
    /// The agent that speaks with whoever answers.
    #[serde(default)]
    agent: Option<String>,
    /// Where whoever answers comes to, in place of `agent`: `flow:NAME`, `queue:NAME`, `phone:101` …
    #[serde(default)]
    then: Option<String>,
    /// The number that is shown; without it, the trunk's.
    #[serde(default)]
    from: Option<String>,
    /// The name that is shown.
    #[serde(default)]
    name: Option<String>,
    /// What templates may name.
    #[serde(default)]
    variables: BTreeMap<String, String>,
    /// How long it rings, in seconds: 5 to 180.
    #[serde(default)]
    ring_s: Option<u64>,
    /// Whether it is found out who answers (a person, a machine, something that asks who calls), and
    /// what follows: `true`, `"off"`, or an object with `machine` (`hangup`, `continue`), `message`
    /// (left after the tone), `screening`, and the times `greeting`, `pause`, `patience`, `silence`,
    /// `wait`, such as `"600ms"`.
    #[serde(default)]
    amd: Option<serde_json::Value>,
}

/// Begins a call: somebody is called, and an agent speaks with whoever answers.
#[utoipa::path(post, path = "/v1/calls", operation_id = "calls.create", tag = "calls",
    params(("Idempotency-Key" = Option<String>, Header,
        description = "Whoever asks again with the same one gets the same answer for a day, and no \
                       second call begins"),
        ("traceparent" = Option<String>, Header,
        description = "The span in which the call begins (W3C Trace Context): its trace goes on with it")),
    request_body = Create,
    responses((status = CREATED, body = OriginatedView,
        description = "It has begun; `Location` is where it stands"),
        (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn create(
    State(clerk): State<Arc<Clerk>>,
    Extension(bearer): Extension<Bearer>,
    headers: HeaderMap,
    Told(create): Told<Create>,
) -> Result<Response, Problem> {
    let then = match (create.agent, create.then) {
        (Some(agent), None) => format!("agent:{agent}"),
        (None, Some(then)) => then,
        (None, None) => {
            return Err(Problem::pointer("/agent".to_owned(), "say `agent` or `then`"));
        }
        (Some(_), Some(_)) => {
            return Err(Problem::pointer("/then".to_owned(), "say `agent` or `then`, not both"));
        }
    };
    let mut order = protocol::Originate {
        to: create.to,
        then,
        from: create.from.unwrap_or_default(),
        name: create.name,
        variables: create.variables,
        ring_s: create.ring_s,
        amd: create.amd,
        traceparent: None,
    };
    // Whoever asks again may do so in another span.
    let asked = serde_json::to_string(&order).unwrap_or_default();
    order.traceparent = parent(&headers);
    let work = ask(&clerk, Ask::Originate(order));
    let once = once((&clerk, &bearer), &headers, &asked, work).await?;
    let begun = &once.answer;
    let id = begun.get("id").and_then(|id| id.as_str()).unwrap_or_default();
    let place = HeaderValue::from_str(&format!("/v1/calls/{id}"));
    let mut response = (StatusCode::CREATED, Json(begun)).into_response();
    if let Ok(place) = place {
        response.headers_mut().insert(header::LOCATION, place);
    }
    once.mark(&mut response);
    Ok(response)
}

/// The span in which somebody asks, if there is exactly one.
fn parent(headers: &HeaderMap) -> Option<String> {
    let mut all = headers.get_all("traceparent").iter();
    let only = all.next().filter(|_| all.next().is_none());
    only.and_then(|it| it.to_str().ok()).map(str::to_owned)
}
