//! Where a call that is up goes, and what is said in it: `POST /v1/calls/{id}/transfer`, `/say`,
//! `/dtmf`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::base::destination::Mode;
use crate::server::control::clerk::Clerk;
use crate::server::control::protocol::{self, Ask};
use crate::server::control::view::{PressedView, SentView, ToldView};
use crate::server::http::asked::{OfCall, Told};
use crate::server::http::front::ask;
use crate::server::http::problem::Problem;

/// Where a call is to go.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Transfer {
    /// A destination such as `queue:sales`, `agent:billing`, `tel:+4971112340`, or the name of a
    /// phone.
    to: String,
    /// How the caller is brought there.
    #[serde(default)]
    mode: Way,
    /// What whoever answers a warm transfer is told.
    brief: Option<String>,
}

/// How a caller is brought to somebody.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// It is sent there, by REFER where its side takes it.
    #[default]
    Blind,
    /// We call there, and connect the caller with whoever answers.
    Attended,
    /// The same, after whoever answers was told who is calling and wants it.
    Warm,
}

/// What an agent is to say.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Say {
    /// The words, at most 1,000 letters.
    text: String,
    /// Whether the call ends when they were heard.
    #[serde(default)]
    end: bool,
}

/// Which keys are to be pressed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Press {
    /// `0` to `9`, `*`, `#` and `A` to `D`, at most 64.
    digits: String,
}

/// Sends the caller's side of a call somewhere. What comes of it is told by `call.transferred` and
/// `call.transfer_failed`; where it fails, whoever had the caller has it again.
#[utoipa::path(post, path = "/v1/calls/{id}/transfer", operation_id = "calls.transfer",
    tag = "calls", params(("id" = String, Path, description = "The call")), request_body = Transfer,
    responses((status = ACCEPTED, body = SentView),
        (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn transfer(
    State(clerk): State<Arc<Clerk>>,
    OfCall(call): OfCall,
    Told(Transfer { to, mode, brief }): Told<Transfer>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let mode = match mode {
        Way::Blind => Mode::Blind,
        Way::Attended => Mode::Attended,
        Way::Warm => Mode::Warm,
    };
    let order = protocol::Transfer { id: call.to_string(), to, mode, brief };
    Ok((StatusCode::ACCEPTED, Json(ask(&clerk, Ask::Transfer(order)).await?)))
}

/// Has the agent of a call say something at once, whoever speaks.
#[utoipa::path(post, path = "/v1/calls/{id}/say", operation_id = "calls.say", tag = "calls",
    params(("id" = String, Path, description = "The call")), request_body = Say,
    responses((status = ACCEPTED, body = ToldView),
        (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn say(
    State(clerk): State<Arc<Clerk>>,
    OfCall(call): OfCall,
    Told(Say { text, end }): Told<Say>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let order = protocol::Say { id: call.to_string(), text, end };
    Ok((StatusCode::ACCEPTED, Json(ask(&clerk, Ask::Say(order)).await?)))
}

/// Presses keys towards the caller's side, or towards whom we called.
#[utoipa::path(post, path = "/v1/calls/{id}/dtmf", operation_id = "calls.dtmf", tag = "calls",
    params(("id" = String, Path, description = "The call")), request_body = Press,
    responses((status = ACCEPTED, body = PressedView),
        (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn press(
    State(clerk): State<Arc<Clerk>>,
    OfCall(call): OfCall,
    Told(Press { digits }): Told<Press>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let order = protocol::Press { id: call.to_string(), digits };
    Ok((StatusCode::ACCEPTED, Json(ask(&clerk, Ask::Press(order)).await?)))
}
