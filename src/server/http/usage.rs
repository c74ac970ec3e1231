//! `GET /v1/usage`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::Value;

use crate::server::control::clerk::Clerk;
use crate::server::control::protocol::Ask;
use crate::server::control::usage::UsageView;
use crate::server::control::view::List;
use crate::server::http::front::ask;
use crate::server::http::problem::Problem;

/// What calls have cost today and this month, and what they may: the server, its trunks, its
/// tenants, its agents; and what providers have, by their prices.
#[utoipa::path(get, path = "/v1/usage", operation_id = "usage.list", tag = "usage",
    responses((status = OK, body = List<UsageView>)))]
pub async fn list(State(clerk): State<Arc<Clerk>>) -> Result<Json<Value>, Problem> {
    ask(&clerk, Ask::Usage).await.map(Json)
}
