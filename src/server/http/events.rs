//! `GET /v1/events` and `GET /v1/calls/{id}/events`: what happens, as server-sent events or by a
//! WebSocket. Whoever was cut off goes on where it was; whoever is too slow is told how much it missed.

use std::convert::Infallible;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::base::id::CallId;
use crate::server::control::events as control;
use crate::server::http::asked::{Asked, OfCall};
use crate::server::http::gate::Bearer;
use crate::server::http::problem::{Code, Problem};
use crate::server::http::sockets::{self, Wished};
use crate::server::http::watching::{Filter, Flow, Item, Streams, kinds};
use crate::store::call_archive::CallArchive;

/// Which events are wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// Only these, as `call.ended,transcript.*`.
    types: Option<String>,
    /// Only those of this call.
    call_id: Option<String>,
    /// The last event that was seen, for those who cannot write `Last-Event-ID`.
    last_event_id: Option<String>,
}

/// Which events of a call are wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct WantedOfCall {
    /// Only these, as `call.ended,transcript.*`.
    types: Option<String>,
    /// The last event that was seen, for those who cannot write `Last-Event-ID`.
    last_event_id: Option<String>,
}

/// What happens from now on, or from the event on that `Last-Event-ID` names: as server-sent events, or
/// with `Upgrade: websocket` each in a message of its own. A browser shows a ticket as `?ticket=`.
#[utoipa::path(get, path = "/v1/events", operation_id = "events.stream", tag = "events",
    params(Wanted, ("Last-Event-ID" = Option<String>, Header,
        description = "The last event that was seen")),
    responses((status = OK, body = String, content_type = "text/event-stream"),
        (status = SWITCHING_PROTOCOLS, description = "They come by the WebSocket"),
        (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn all(
    State(streams): State<Streams>,
    Extension(bearer): Extension<Bearer>,
    Asked(wanted): Asked<Wanted>,
    headers: HeaderMap,
    Wished(upgrade): Wished,
) -> Result<Response, Problem> {
    let unknown = |_| Problem::parameter("call_id", "no call has such an identity");
    let call = wanted.call_id.map(|id| id.parse().map_err(unknown)).transpose()?;
    let filter = Filter::new(wanted.types.as_deref(), call)?;
    let last = last_seen(&headers).or(wanted.last_event_id.as_deref());
    let flow = streams.watch(filter, last, Some(bearer)).await?;
    Ok(match upgrade {
        Some(upgrade) => sockets::answer(upgrade, flow),
        None => answer(flow),
    })
}

/// What happened in a call, as far as it is remembered, and what happens until it ends: as server-sent
/// events, or with `Upgrade: websocket` each in a message of its own.
#[utoipa::path(get, path = "/v1/calls/{id}/events", operation_id = "calls.events", tag = "calls",
    params(("id" = String, Path, description = "The call"), WantedOfCall,
        ("Last-Event-ID" = Option<String>, Header, description = "The last event that was seen")),
    responses((status = OK, body = String, content_type = "text/event-stream"),
        (status = SWITCHING_PROTOCOLS, description = "They come by the WebSocket"),
        (status = NO_CONTENT, description = "The call is over, and nothing more is remembered"),
        (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn of_call(
    State((streams, archive)): State<(Streams, CallArchive)>,
    Extension(bearer): Extension<Bearer>,
    (OfCall(call), Wished(upgrade)): (OfCall, Wished),
    Asked(wanted): Asked<WantedOfCall>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let types = kinds(wanted.types.as_deref())?;
    let last = last_seen(&headers).or(wanted.last_event_id.as_deref());
    let mut flow = streams.watch_call((call, types), last, Some(bearer)).await?;
    if !streams.is_up(call).await? {
        if flow.is_empty() {
            let known = tokio::task::spawn_blocking(move || archive.has(call)).await;
            return match known {
                Ok(true) => Ok(StatusCode::NO_CONTENT.into_response()),
                Ok(false) | Err(_) => Err(Problem::new(Code::NotFound, "there is no such call")),
            };
        }
        // Its end is among them, or too long ago to be remembered.
        flow = flow.ended();
    }
    Ok(match upgrade {
        Some(upgrade) => sockets::answer(upgrade, flow),
        None => answer(flow),
    })
}

/// What is said in a call, for whoever has it.
///
/// # Errors
/// When too many watch.
pub async fn words_of(streams: &Streams, call: CallId) -> Result<Response, Problem> {
    let types = ["transcript.updated", "call.*"].map(str::to_owned).to_vec();
    Ok(answer(streams.watch_call((call, types), None, None).await?))
}

/// As server-sent events.
fn answer(flow: Flow) -> Response {
    let first = stream::iter([Ok::<_, Infallible>(Bytes::from_static(b"retry: 2000\n\n"))]);
    let then = stream::unfold(flow, |mut flow| async {
        let items = flow.more().await.ok()?;
        let text: String = items.iter().map(written).collect();
        Some((Ok(Bytes::from(text)), flow))
    });
    let headers =
        [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-cache")];
    (headers, Body::from_stream(stream::StreamExt::chain(first, then))).into_response()
}

fn written(item: &Item) -> String {
    match item {
        Item::Event(name, event) => {
            format!("id: {name}\nevent: {}\ndata: {}\n\n", event.kind, event.text)
        }
        Item::Missed(count) => {
            format!("event: events.missed\ndata: {}\n\n", control::missed(*count))
        }
        Item::Beat => ": here\n\n".to_owned(),
    }
}

fn last_seen(headers: &HeaderMap) -> Option<&str> {
    headers.get("last-event-id").and_then(|id| id.to_str().ok()).filter(|id| !id.is_empty())
}
