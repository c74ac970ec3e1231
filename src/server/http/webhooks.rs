//! `GET /v1/webhooks`, and what one of them was told, could not be told, and is to be told again.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::server::control::clerk::Clerk;
use crate::server::control::protocol::{Ask, Named, Replay, WebhookLog};
use crate::server::control::view::List;
use crate::server::control::webhook_view::{
    DeliveryView, ReplayedView, WebhookTestView, WebhookView,
};
use crate::server::http::asked::{Asked, Name, Told};
use crate::server::http::front::ask;
use crate::server::http::orders::Nothing;
use crate::server::http::paging::limit;
use crate::server::http::problem::Problem;

/// Which events are wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct Query {
    /// `pending`, `delivered` or `dead`.
    #[param(pattern = "^(pending|delivered|dead)$")]
    state: Option<String>,
    /// How many, the newest: 1 to 200, usually 50.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 200)]
    limit: Option<String>,
}

/// What is to be told again.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Again {
    /// The event; without one, all that were given up.
    event: Option<String>,
}

/// Who is told what happens, and what is still to be told.
#[utoipa::path(get, path = "/v1/webhooks", operation_id = "webhooks.list", tag = "webhooks",
    responses((status = OK, body = List<WebhookView>),
        (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn list(State(clerk): State<Arc<Clerk>>) -> Result<Json<Value>, Problem> {
    ask(&clerk, Ask::Webhooks).await.map(Json)
}

/// What a webhook was told of late, or could not be told, the newest first.
#[utoipa::path(get, path = "/v1/webhooks/{name}/deliveries", operation_id = "webhooks.deliveries",
    tag = "webhooks",
    params(("name" = String, Path, description = "Its name in the settings"), Query),
    responses((status = OK, body = List<DeliveryView>),
        (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn log(
    State(clerk): State<Arc<Clerk>>,
    Name(name): Name,
    Asked(Query { state, limit: most }): Asked<Query>,
) -> Result<Json<Value>, Problem> {
    let known = ["pending", "delivered", "dead"];
    if state.as_deref().is_some_and(|state| !known.contains(&state)) {
        return Err(Problem::parameter("state", format!("one of {}", known.join(", "))));
    }
    let limit = Some(limit(most.as_deref())?);
    ask(&clerk, Ask::WebhookLog(WebhookLog { name, state, limit })).await.map(Json)
}

/// Tells a webhook something that did not happen. One that was gone and takes it is told things
/// again.
#[utoipa::path(post, path = "/v1/webhooks/{name}/test", operation_id = "webhooks.test",
    tag = "webhooks",
    params(("name" = String, Path, description = "Its name in the settings")),
    request_body = Option<Nothing>, responses((status = OK, body = WebhookTestView),
        (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn test(
    State(clerk): State<Arc<Clerk>>,
    Name(name): Name,
    Told(Nothing {}): Told<Nothing>,
) -> Result<Json<Value>, Problem> {
    ask(&clerk, Ask::TestWebhook(Named { name })).await.map(Json)
}

/// Tells a webhook again what it was told, or all that was given up.
#[utoipa::path(post, path = "/v1/webhooks/{name}/replay", operation_id = "webhooks.replay",
    tag = "webhooks",
    params(("name" = String, Path, description = "Its name in the settings")),
    request_body = Option<Again>, responses((status = OK, body = ReplayedView),
        (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn replay(
    State(clerk): State<Arc<Clerk>>,
    Name(name): Name,
    Told(Again { event }): Told<Again>,
) -> Result<Json<Value>, Problem> {
    ask(&clerk, Ask::Replay(Replay { name, event })).await.map(Json)
}
