//! `GET /v1/trunks`, `GET /v1/trunks/{name}`, `POST /v1/trunks/{name}/test`, and `GET /v1/phones`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::Value;

use crate::server::control::clerk::Clerk;
use crate::server::control::protocol::{Ask, Named};
use crate::server::control::view::{List, PhoneView, TrialView, TrunkView};
use crate::server::http::asked::{Name, Told};
use crate::server::http::front::ask;
use crate::server::http::orders::Nothing;
use crate::server::http::problem::Problem;

/// How every trunk stands.
#[utoipa::path(get, path = "/v1/trunks", operation_id = "trunks.list", tag = "trunks",
    responses((status = OK, body = List<TrunkView>)))]
pub async fn list(State(clerk): State<Arc<Clerk>>) -> Result<Json<Value>, Problem> {
    ask(&clerk, Ask::Trunks).await.map(Json)
}

/// How one stands.
#[utoipa::path(get, path = "/v1/trunks/{name}", operation_id = "trunks.get", tag = "trunks",
    params(("name" = String, Path, description = "Its name in the settings")),
    responses((status = OK, body = TrunkView),
        (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn get(
    State(clerk): State<Arc<Clerk>>,
    Name(name): Name,
) -> Result<Json<Value>, Problem> {
    ask(&clerk, Ask::Trunk(Named { name })).await.map(Json)
}

/// Asks a trunk whether it is there, registers anew, and explains what comes of it.
#[utoipa::path(post, path = "/v1/trunks/{name}/test", operation_id = "trunks.test", tag = "trunks",
    params(("name" = String, Path, description = "Its name in the settings")),
    request_body = Option<Nothing>, responses((status = OK, body = TrialView),
        (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn test(
    State(clerk): State<Arc<Clerk>>,
    Name(name): Name,
    Told(Nothing {}): Told<Nothing>,
) -> Result<Json<Value>, Problem> {
    ask(&clerk, Ask::TestTrunk(Named { name })).await.map(Json)
}

/// Every phone, and where it can be reached.
#[utoipa::path(get, path = "/v1/phones", operation_id = "phones.list", tag = "phones",
    responses((status = OK, body = List<PhoneView>)))]
pub async fn phones(State(clerk): State<Arc<Clerk>>) -> Result<Json<Value>, Problem> {
    ask(&clerk, Ask::Phones).await.map(Json)
}
