//! `GET /v1/campaigns` and what belongs to one: rows, and `start`, `pause`, `resume`, `stop`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::server::control::campaigns::{CampaignRowView, CampaignView, NoCallsView};
use crate::server::control::clerk::Clerk;
use crate::server::control::protocol::{Action, Ask, CampaignOrder, Named, NoCalls, RowsWanted};
use crate::server::control::view::List;
use crate::server::http::asked::{Asked, Name, Told};
use crate::server::http::front::ask;
use crate::server::http::orders::Nothing;
use crate::server::http::problem::Problem;

/// How every campaign stands.
#[utoipa::path(get, path = "/v1/campaigns", operation_id = "campaigns.list", tag = "campaigns",
    responses((status = OK, body = List<CampaignView>)))]
pub async fn list(State(clerk): State<Arc<Clerk>>) -> Result<Json<Value>, Problem> {
    ask(&clerk, Ask::Campaigns).await.map(Json)
}

/// How one campaign stands, and how many came to what.
#[utoipa::path(get, path = "/v1/campaigns/{name}", operation_id = "campaigns.get",
    tag = "campaigns", params(("name" = String, Path, description = "The name in the files")),
    responses((status = OK, body = CampaignView),
        (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn get(
    State(clerk): State<Arc<Clerk>>,
    Name(name): Name,
) -> Result<Json<Value>, Problem> {
    ask(&clerk, Ask::Campaign(Named { name })).await.map(Json)
}

/// Which rows are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Rows {
    /// Those behind this line of the file: the `line` of the last row that is known.
    #[serde(default)]
    after: u64,
    /// How many, from 1 to 1000.
    #[param(minimum = 1, maximum = 1000)]
    #[serde(default = "usual")]
    limit: usize,
}

fn usual() -> usize {
    200
}

/// What came of each row, in the order of the file; bad rows are named with their reason.
#[utoipa::path(get, path = "/v1/campaigns/{name}/rows", operation_id = "campaigns.rows",
    tag = "campaigns",
    params(("name" = String, Path, description = "The name in the files"), Rows),
    responses((status = OK, body = List<CampaignRowView>),
        (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn rows(
    State(clerk): State<Arc<Clerk>>,
    Name(name): Name,
    Asked(Rows { after, limit }): Asked<Rows>,
) -> Result<Json<Value>, Problem> {
    ask(&clerk, Ask::CampaignRows(RowsWanted { name, after, limit })).await.map(Json)
}

async fn order(clerk: &Clerk, name: String, action: Action) -> Result<Json<Value>, Problem> {
    ask(clerk, Ask::OrderCampaign(CampaignOrder { name, action })).await.map(Json)
}

/// It begins, or goes on with those who were not called yet.
#[utoipa::path(post, path = "/v1/campaigns/{name}/start", operation_id = "campaigns.start",
    tag = "campaigns", params(("name" = String, Path, description = "The name in the files")),
    request_body = Option<Nothing>, responses((status = OK, body = CampaignView),
        (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn start(
    State(clerk): State<Arc<Clerk>>,
    Name(name): Name,
    Told(Nothing {}): Told<Nothing>,
) -> Result<Json<Value>, Problem> {
    order(&clerk, name, Action::Start).await
}

/// It calls nobody for now; calls that are up go on.
#[utoipa::path(post, path = "/v1/campaigns/{name}/pause", operation_id = "campaigns.pause",
    tag = "campaigns", params(("name" = String, Path, description = "The name in the files")),
    request_body = Option<Nothing>, responses((status = OK, body = CampaignView),
        (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn pause(
    State(clerk): State<Arc<Clerk>>,
    Name(name): Name,
    Told(Nothing {}): Told<Nothing>,
) -> Result<Json<Value>, Problem> {
    order(&clerk, name, Action::Pause).await
}

/// It goes on.
#[utoipa::path(post, path = "/v1/campaigns/{name}/resume", operation_id = "campaigns.resume",
    tag = "campaigns", params(("name" = String, Path, description = "The name in the files")),
    request_body = Option<Nothing>, responses((status = OK, body = CampaignView),
        (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn resume(
    State(clerk): State<Arc<Clerk>>,
    Name(name): Name,
    Told(Nothing {}): Told<Nothing>,
) -> Result<Json<Value>, Problem> {
    order(&clerk, name, Action::Resume).await
}

/// It calls nobody any more; calls that are up go on.
#[utoipa::path(post, path = "/v1/campaigns/{name}/stop", operation_id = "campaigns.stop",
    tag = "campaigns", params(("name" = String, Path, description = "The name in the files")),
    request_body = Option<Nothing>, responses((status = OK, body = CampaignView),
        (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn stop(
    State(clerk): State<Arc<Clerk>>,
    Name(name): Name,
    Told(Nothing {}): Told<Nothing>,
) -> Result<Json<Value>, Problem> {
    order(&clerk, name, Action::Stop).await
}

/// A number that no campaign is to call.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Number {
    /// In E.164.
    number: String,
}

/// No campaign calls a number from now on.
#[utoipa::path(post, path = "/v1/campaigns/dnc", operation_id = "campaigns.dnc",
    tag = "campaigns", request_body = Number,
    responses((status = OK, body = NoCallsView),
        (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn dnc(
    State(clerk): State<Arc<Clerk>>,
    Told(Number { number }): Told<Number>,
) -> Result<Json<Value>, Problem> {
    ask(&clerk, Ask::NoCalls(NoCalls { number })).await.map(Json)
}
