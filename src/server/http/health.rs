//! `GET /healthz` and `GET /readyz`: whether the server lives, and whether it takes calls. Both need
//! no key.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

use crate::server::control::clerk::Clerk;
use crate::server::http::problem::{Code, Problem};

/// Knows whether the server takes calls.
#[derive(Debug, Clone)]
pub struct Readiness(pub CancellationToken);

/// How the server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Health {
    /// `ok`.
    pub status: &'static str,
}

impl Readiness {
    /// Whether no new calls are taken any more.
    pub fn is_draining(&self) -> bool {
        self.0.is_cancelled()
    }
}

/// Whether the server lives.
#[utoipa::path(get, path = "/healthz", operation_id = "health.live", tag = "server",
    security(()), responses((status = OK, body = Health)))]
pub async fn live() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// Whether it takes calls.
#[utoipa::path(get, path = "/readyz", operation_id = "health.ready", tag = "server",
    security(()), responses((status = OK, body = Health),
        (status = 503, body = Problem, content_type = "application/problem+json")))]
pub async fn ready(
    State(clerk): State<Arc<Clerk>>,
    State(readiness): State<Readiness>,
) -> Result<Json<Health>, Problem> {
    // A door that is open stands in a server that has bound its sockets and loaded its models.
    // Strangers may ask this as often as they like: nobody is asked for it.
    if readiness.is_draining() || clerk.calls.is_closed() {
        return Err(Problem::new(Code::Unavailable, "the server is going down"));
    }
    Ok(Json(Health { status: "ok" }))
}
