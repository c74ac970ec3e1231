//! `GET /v1/schedules`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::Value;

use crate::server::control::clerk::Clerk;
use crate::server::control::protocol::Ask;
use crate::server::control::schedules::ScheduleView;
use crate::server::control::view::List;
use crate::server::http::front::ask;
use crate::server::http::problem::Problem;

/// What begins by itself at its time: when next, and what came of the last time.
#[utoipa::path(get, path = "/v1/schedules", operation_id = "schedules.list", tag = "schedules",
    responses((status = OK, body = List<ScheduleView>)))]
pub async fn list(State(clerk): State<Arc<Clerk>>) -> Result<Json<Value>, Problem> {
    ask(&clerk, Ask::Schedules).await.map(Json)
}
