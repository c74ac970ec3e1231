//! `/v1/tickets`: what stands for a key in a browser for some minutes.

use std::time::Duration;

use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::base::id::CallId;
use crate::base::units::parse_duration;
use crate::engine::clock;
use crate::server::control::times::timestamp;
use crate::server::http::asked::Told;
use crate::server::http::gate::Bearer;
use crate::server::http::keys::Reach;
use crate::server::http::problem::{Code, Problem};
use crate::server::http::ticket::Claims;
use crate::store::api_keys::Scope;

/// A ticket that is to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTicket {
    /// What it allows: `read` or `operate`.
    #[serde(default)]
    scope: Reach,
    /// The only call that it is for: `/v1/calls/{id}` and what is below.
    #[serde(default)]
    call_id: Option<String>,
    /// How long it is valid, such as `5m`: an hour at most.
    #[serde(default)]
    expires_in: Option<String>,
}

/// A ticket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct TicketView {
    /// Itself, for `Authorization: Bearer` or `?ticket=`.
    pub ticket: String,
    /// What it allows.
    pub scope: &'static str,
    /// The only call that it is for, if it is for one.
    pub call_id: Option<String>,
    /// From when on it is not valid any more (RFC 3339).
    pub expires_at: String,
}

/// Makes a ticket: a JSON Web Token that stands for the key for some minutes, in a browser that must
/// not have the key itself. It allows no more than the key, and ends with it, and with the server.
#[utoipa::path(post, path = "/v1/tickets", operation_id = "tickets.create", tag = "keys",
    request_body = Option<NewTicket>, responses((status = CREATED, body = TicketView),
        (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn create(
    Extension(bearer): Extension<Bearer>,
    Told(wanted): Told<NewTicket>,
) -> Result<(StatusCode, Json<TicketView>), Problem> {
    let scope = Scope::from(wanted.scope);
    if scope == Scope::Admin {
        let why = "a ticket does not change how the server works: `read` or `operate`";
        return Err(Problem::pointer("/scope".to_owned(), why));
    }
    if scope > bearer.scope() {
        return Err(Problem::new(Code::Forbidden, "no ticket gives more than its key"));
    }
    let lasts = match wanted.expires_in.as_deref().map(parse_duration) {
        None => Some(USUALLY),
        Some(lasts) => lasts.ok().filter(|lasts| (LEAST..=MOST).contains(lasts)),
    };
    let lasts = lasts.ok_or_else(|| {
        Problem::pointer("/expires_in".to_owned(), "write it as `5m`: from a second to an hour")
    })?;
    let no_call = |_| Problem::pointer("/call_id".to_owned(), "no call has such an identity");
    let call = wanted.call_id.map(|id| id.parse::<CallId>().map_err(no_call)).transpose()?;
    let expires = (clock::since_epoch() + lasts).as_secs();
    let claims = Claims { key: bearer.id().to_owned(), scope, call, expires };
    let Some(ticket) = bearer.ticket(&claims) else {
        return Err(Problem::new(Code::Forbidden, "a ticket makes no tickets: come with the key"));
    };
    let view = TicketView {
        ticket,
        scope: scope.name(),
        call_id: call.map(|call| call.to_string()),
        expires_at: timestamp(Duration::from_secs(expires)),
    };
    Ok((StatusCode::CREATED, Json(view)))
}

/// How long a ticket is valid when nothing else is said.
const USUALLY: Duration = Duration::from_secs(300);

/// The shortest.
const LEAST: Duration = Duration::from_secs(1);

/// The longest.
const MOST: Duration = Duration::from_secs(3_600);
