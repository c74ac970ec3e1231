//! What the operator's files say, said and would say: `/v1/config/…` and `POST /v1/routes/test`; and
//! `GET /v1/status`.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::timeout;
use utoipa::ToSchema;

use crate::server::control::clerk::Clerk;
use crate::server::control::edits::{DifferenceView, RestoredView, StateView};
use crate::server::control::protocol::{Ask, Reload};
use crate::server::control::socket::patience;
use crate::server::control::view::{List, ReloadView, StatusView};
use crate::server::http::asked::Told;
use crate::server::http::front::{ask, late};
use crate::server::http::orders::Nothing;
use crate::server::http::problem::{Code, Problem};
use crate::server::http::things::in_time;
use crate::server::routing::Thought;

/// What a check of the files came to.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Checked {
    /// Whether the server would take them.
    pub valid: bool,
    /// What is wrong, as `voxtrunk check` says it.
    pub report: Option<String>,
    /// What a reload would change.
    #[schema(value_type = Option<ReloadView>)]
    pub changes: Option<Value>,
}

/// Two states of the files.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Between {
    /// The first: `at` of one of the history; without it, the newest.
    from: Option<String>,
    /// The second; without it, the files as they are.
    to: Option<String>,
}

/// A state of the files that is to come back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Back {
    /// Which: `at` of one of the history.
    to: String,
    /// Whether it is only told what would come of it.
    #[serde(default)]
    dry_run: bool,
}

/// A call that might come.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// The number called, as it would be dialled.
    to: String,
    /// The number calling; without it, it is withheld.
    #[serde(default)]
    from: String,
    /// The trunk that the call comes by.
    #[serde(default)]
    trunk: Option<String>,
    /// The context of the call; without it, that of the trunk.
    #[serde(default)]
    context: Option<String>,
    /// The tenant whose call it is.
    #[serde(default)]
    tenant: Option<String>,
    /// Headers of its INVITE.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// When, on the clock of the server, such as `2026-12-24 18:00`; without it, now.
    #[serde(default)]
    at: Option<String>,
}

/// How the server stands.
#[utoipa::path(get, path = "/v1/status", operation_id = "status.get", tag = "server",
    responses((status = OK, body = StatusView)))]
pub async fn status(State(clerk): State<Arc<Clerk>>) -> Result<Json<Value>, Problem> {
    ask(&clerk, Ask::Status).await.map(Json)
}

/// Reads the files, and tells what is wrong and what a reload would change.
#[utoipa::path(post, path = "/v1/config/check", operation_id = "config.check", tag = "config",
    request_body = Option<Nothing>, responses((status = OK, body = Checked),
        (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn check(
    State(clerk): State<Arc<Clerk>>,
    Told(Nothing {}): Told<Nothing>,
) -> Result<Json<Checked>, Problem> {
    let checked = match ask(&clerk, Ask::Reload(Reload { dry: true })).await {
        Ok(changes) => Checked { valid: true, report: None, changes: Some(changes) },
        Err(problem) if problem.code == Code::InvalidConfig => {
            Checked { valid: false, report: Some(problem.detail.into()), changes: None }
        }
        Err(problem) => return Err(problem),
    };
    Ok(Json(checked))
}

/// Lets calls that begin from now on go by the files as they are now: all of it, or nothing.
#[utoipa::path(post, path = "/v1/config/reload", operation_id = "config.reload", tag = "config",
    request_body = Option<Nothing>, responses((status = OK, body = ReloadView),
        (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn reload(
    State(clerk): State<Arc<Clerk>>,
    Told(Nothing {}): Told<Nothing>,
) -> Result<Json<Value>, Problem> {
    ask(&clerk, Ask::Reload(Reload { dry: false })).await.map(Json)
}

/// The states of the files that the server took, the newest first.
#[utoipa::path(get, path = "/v1/config/history", operation_id = "config.history", tag = "config",
    responses((status = OK, body = List<StateView>),
        (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn history(State(clerk): State<Arc<Clerk>>) -> Result<Json<List<StateView>>, Problem> {
    Ok(Json(List { data: in_time(clerk.states()).await? }))
}

/// What is otherwise in one state of the files than in another, piece by piece, without secrets.
#[utoipa::path(post, path = "/v1/config/diff", operation_id = "config.diff", tag = "config",
    request_body = Option<Between>, responses((status = OK, body = List<DifferenceView>),
        (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn diff(
    State(clerk): State<Arc<Clerk>>,
    Told(Between { from, to }): Told<Between>,
) -> Result<Json<List<DifferenceView>>, Problem> {
    Ok(Json(List { data: in_time(clerk.differing(from, to)).await? }))
}

/// Brings a state of the files back, as a whole, if the server would take it.
#[utoipa::path(post, path = "/v1/config/rollback", operation_id = "config.rollback", tag = "config",
    request_body = Back, responses((status = OK, body = RestoredView),
        (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn rollback(
    State(clerk): State<Arc<Clerk>>,
    Told(Back { to, dry_run }): Told<Back>,
) -> Result<Json<RestoredView>, Problem> {
    in_time(clerk.restored(to, dry_run)).await.map(Json)
}

/// Which route would take a call, and what each one before it says to it.
#[utoipa::path(post, path = "/v1/routes/test", operation_id = "routes.test", tag = "config",
    request_body = Call, responses((status = OK, body = Object),
        (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn route(
    State(clerk): State<Arc<Clerk>>,
    Told(call): Told<Call>,
) -> Result<Json<Value>, Problem> {
    let no_time = |_| Problem::pointer("/at".to_owned(), "write it as `2026-12-24 18:00`");
    let thought = Thought {
        to: call.to,
        from: call.from,
        trunk: call.trunk,
        context: call.context,
        tenant: call.tenant,
        headers: call.headers.into_iter().collect(),
        at: call.at.map(|at| at.parse().map_err(no_time)).transpose()?,
    };
    let routed = timeout(patience(&Ask::Status), clerk.routed(thought)).await;
    Ok(Json(routed.map_err(|_| late())??))
}
