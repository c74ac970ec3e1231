//! `GET /healthz` and `GET /readyz`: whether the server lives, and whether it takes calls. Both need
//! no key.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

use crate::server::control::clerk::Clerk;
use crate::server::control::protocol::Ask;
use crate::server::control::socket::patience;
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
    if readiness.is_draining() {
        return Err(Problem::new(Code::Unavailable, "the server is going down"));
    }
    // Whoever answers this has bound its sockets and loaded its models.
    match timeout(patience(&Ask::Status), clerk.status()).await {
        Ok(Ok(_)) => Ok(Json(Health { status: "ok" })),
        Ok(Err(fault)) => Err(fault.into()),
        Err(_) => Err(Problem::new(Code::Unavailable, "the signalling does not answer")),
    }
}
