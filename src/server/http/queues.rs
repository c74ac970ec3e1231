//! `GET /v1/queues`, and `POST /v1/queues/members/{member}/pause` and `resume`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::Value;

use crate::server::control::clerk::Clerk;
use crate::server::control::protocol::{Ask, PauseMember};
use crate::server::control::queue_view::{PausedView, QueueView};
use crate::server::control::view::List;
use crate::server::http::asked::{Name, Told};
use crate::server::http::front::ask;
use crate::server::http::orders::Nothing;
use crate::server::http::problem::Problem;

/// How every queue stands: who waits, who serves, and what each member is doing.
#[utoipa::path(get, path = "/v1/queues", operation_id = "queues.list", tag = "queues",
    responses((status = OK, body = List<QueueView>)))]
pub async fn list(State(clerk): State<Arc<Clerk>>) -> Result<Json<Value>, Problem> {
    ask(&clerk, Ask::Queues).await.map(Json)
}

/// A member takes no callers from now on; what it does now it does to the end.
#[utoipa::path(post, path = "/v1/queues/members/{name}/pause", operation_id = "queues.pause",
    tag = "queues",
    params(("name" = String, Path, description = "A phone, or a destination among the members")),
    request_body = Option<Nothing>, responses((status = OK, body = PausedView),
        (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn pause(
    State(clerk): State<Arc<Clerk>>,
    Name(member): Name,
    Told(Nothing {}): Told<Nothing>,
) -> Result<Json<Value>, Problem> {
    ask(&clerk, Ask::PauseMember(PauseMember { member, paused: true })).await.map(Json)
}

/// A member takes callers again.
#[utoipa::path(post, path = "/v1/queues/members/{name}/resume", operation_id = "queues.resume",
    tag = "queues",
    params(("name" = String, Path, description = "A phone, or a destination among the members")),
    request_body = Option<Nothing>, responses((status = OK, body = PausedView),
        (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn resume(
    State(clerk): State<Arc<Clerk>>,
    Name(member): Name,
    Told(Nothing {}): Told<Nothing>,
) -> Result<Json<Value>, Problem> {
    ask(&clerk, Ask::PauseMember(PauseMember { member, paused: false })).await.map(Json)
}
