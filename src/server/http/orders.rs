//! What can be done to a call that is up: `POST /v1/calls/{id}/end`, `/mute`, `/unmute`, `/oversee`,
//! `/record`; and what was said on the wire for it, `GET /v1/calls/{id}/sip`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use utoipa::ToSchema;

use crate::server::control::clerk::{Clerk, Stream};
use crate::server::control::protocol::{self, Ask, Wish};
use crate::server::control::view::{
    HeldView, HungUpView, MessageView, MutedView, OverseenView, RecordingView,
};
use crate::server::http::asked::{OfCall, Told};
use crate::server::http::front::ask;
use crate::server::http::paging::Page;
use crate::server::http::problem::Problem;

/// How a call is to end.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct End {
    /// The cause of Q.850, 1 to 127; 16 is the ordinary one.
    #[schema(minimum = 1, maximum = 127, default = 16)]
    q850: Option<u8>,
}

/// Nothing needs to be said.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Nothing {}

/// Who is to oversee a call.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Oversee {
    /// How.
    role: Role,
    /// The name of a phone, or a destination such as `sip:boss@192.0.2.5`.
    phone: String,
}

/// How a call is overseen.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Heard by nobody.
    Listen,
    /// Heard by our side only.
    Whisper,
    /// Heard by all.
    Barge,
}

/// What is to be done with a recording.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// What.
    action: Taping,
}

/// What is to be done with a recording.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Taping {
    /// What is said from now on is silence in it.
    Pause,
    /// It goes on.
    Resume,
}

/// Ends a call.
#[utoipa::path(post, path = "/v1/calls/{id}/end", operation_id = "calls.end", tag = "calls",
    params(("id" = String, Path, description = "The call")), request_body = Option<End>,
    responses((status = ACCEPTED, body = HungUpView),
        (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn end(
    State(clerk): State<Arc<Clerk>>,
    OfCall(call): OfCall,
    Told(End { q850 }): Told<End>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let q850 = q850.unwrap_or(NORMAL);
    if !(1..=127).contains(&q850) {
        let text = "a cause of Q.850 is a number from 1 to 127";
        return Err(Problem::pointer("/q850".to_owned(), text));
    }
    let order = protocol::HangUp { id: call.to_string(), q850 };
    Ok((StatusCode::ACCEPTED, Json(ask(&clerk, Ask::HangUp(order)).await?)))
}

/// Lets nobody hear the caller: no agent, no other leg, no conference.
#[utoipa::path(post, path = "/v1/calls/{id}/mute", operation_id = "calls.mute", tag = "calls",
    params(("id" = String, Path, description = "The call")), request_body = Option<Nothing>,
    responses((status = OK, body = MutedView),
        (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn mute(
    State(clerk): State<Arc<Clerk>>,
    OfCall(call): OfCall,
    Told(Nothing {}): Told<Nothing>,
) -> Result<Json<Value>, Problem> {
    let order = protocol::Mute { id: call.to_string(), muted: true };
    ask(&clerk, Ask::Mute(order)).await.map(Json)
}

/// Lets the caller be heard again.
#[utoipa::path(post, path = "/v1/calls/{id}/unmute", operation_id = "calls.unmute", tag = "calls",
    params(("id" = String, Path, description = "The call")), request_body = Option<Nothing>,
    responses((status = OK, body = MutedView),
        (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn unmute(
    State(clerk): State<Arc<Clerk>>,
    OfCall(call): OfCall,
    Told(Nothing {}): Told<Nothing>,
) -> Result<Json<Value>, Problem> {
    let order = protocol::Mute { id: call.to_string(), muted: false };
    ask(&clerk, Ask::Mute(order)).await.map(Json)
}

/// Lets the caller's side wait, with music. Whoever it talks with hears nothing; an agent waits.
#[utoipa::path(post, path = "/v1/calls/{id}/hold", operation_id = "calls.hold", tag = "calls",
    params(("id" = String, Path, description = "The call")), request_body = Option<Nothing>,
    responses((status = OK, body = HeldView),
        (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn hold(
    State(clerk): State<Arc<Clerk>>,
    OfCall(call): OfCall,
    Told(Nothing {}): Told<Nothing>,
) -> Result<Json<Value>, Problem> {
    let order = protocol::Hold { id: call.to_string(), on_hold: true };
    ask(&clerk, Ask::Hold(order)).await.map(Json)
}

/// Takes the caller's side back.
#[utoipa::path(post, path = "/v1/calls/{id}/unhold", operation_id = "calls.unhold", tag = "calls",
    params(("id" = String, Path, description = "The call")), request_body = Option<Nothing>,
    responses((status = OK, body = HeldView),
        (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn unhold(
    State(clerk): State<Arc<Clerk>>,
    OfCall(call): OfCall,
    Told(Nothing {}): Told<Nothing>,
) -> Result<Json<Value>, Problem> {
    let order = protocol::Hold { id: call.to_string(), on_hold: false };
    ask(&clerk, Ask::Hold(order)).await.map(Json)
}

/// Lets somebody hear both sides of a call, or changes who hears that one.
#[utoipa::path(post, path = "/v1/calls/{id}/oversee", operation_id = "calls.oversee", tag = "calls",
    params(("id" = String, Path, description = "The call")), request_body = Oversee,
    responses((status = ACCEPTED, body = OverseenView),
        (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn oversee(
    State(clerk): State<Arc<Clerk>>,
    OfCall(call): OfCall,
    Told(Oversee { role, phone }): Told<Oversee>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let role = match role {
        Role::Listen => protocol::Role::Listen,
        Role::Whisper => protocol::Role::Whisper,
        Role::Barge => protocol::Role::Barge,
    };
    let order = protocol::Oversee { id: call.to_string(), role, phone };
    Ok((StatusCode::ACCEPTED, Json(ask(&clerk, Ask::Oversee(order)).await?)))
}

/// Pauses the recording of a call, or lets it go on.
#[utoipa::path(post, path = "/v1/calls/{id}/record", operation_id = "calls.record", tag = "calls",
    params(("id" = String, Path, description = "The call")), request_body = Record,
    responses((status = OK, body = RecordingView),
        (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn record(
    State(clerk): State<Arc<Clerk>>,
    OfCall(call): OfCall,
    Told(Record { action }): Told<Record>,
) -> Result<Json<Value>, Problem> {
    let action = match action {
        Taping::Pause => protocol::Taping::Pause,
        Taping::Resume => protocol::Taping::Resume,
    };
    let order = protocol::Record { id: call.to_string(), action };
    ask(&clerk, Ask::Record(order)).await.map(Json)
}

/// What was said on the wire for a call, as far as it is kept; passwords and keys are blotted out.
#[utoipa::path(get, path = "/v1/calls/{id}/sip", operation_id = "calls.sip", tag = "calls",
    params(("id" = String, Path, description = "The call")),
    responses((status = OK, body = Page<MessageView>),
        (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn sip(
    State(clerk): State<Arc<Clerk>>,
    OfCall(call): OfCall,
) -> Result<Json<Value>, Problem> {
    let wish = Wish { call: Some(call.to_string()), raw: true, ..Wish::default() };
    let (sender, mut messages) = mpsc::channel(AHEAD);
    // What is kept is bounded, and none is waited for: this ends.
    let reading = Stream::Trace(wish).run(clerk, sender);
    let taking = async {
        let mut data = Vec::new();
        while let Some(message) = messages.recv().await {
            data.push(message);
        }
        data
    };
    let (_, data) = tokio::join!(reading, taking);
    Ok(Json(json!({ "data": data, "next_cursor": null })))
}

/// The ordinary cause of Q.850.
const NORMAL: u8 = 16;

/// How many messages may wait.
const AHEAD: usize = 64;
