//! `/vapi`: what programs that were written for Vapi ask, answered as they read it. They work with this
//! as the address of the API, and a key of ours as their token.

mod calls;
mod front;
mod refusal;
mod things;

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Extension};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{MethodRouter, any, get, patch, post};

use crate::server::http::gate::{Gate, admit};
use crate::server::http::service::Service;
use crate::server::vapi::drawer::Kind;
use crate::store::api_keys::Scope;

use self::front::Front;
pub use self::front::Settings;

/// Answers.
pub fn pages(service: &Service, gate: &Arc<Gate>, https: bool, settings: Settings) -> Router {
    let front = Arc::new(Front::open(settings, https));
    let gated = |path: &str, kind, methods: MethodRouter<Service>, scope| {
        Router::new()
            .route(path, methods)
            .route_layer(from_fn_with_state((gate.clone(), scope), admit))
            .layer(Extension::<Kind>(kind))
    };
    let of = |(all, one): (&str, &str), kind| {
        gated(all, kind, get(things::list), Scope::Read)
            .merge(gated(one, kind, get(things::one), Scope::Read))
            .merge(gated(all, kind, post(things::create), Scope::Admin))
            .merge(gated(one, kind, patch(things::change).delete(things::remove), Scope::Admin))
    };
    let none = Kind::Assistants;
    let (all, one) = ("/vapi/call", "/vapi/call/{id}");
    Router::new()
        .merge(of(("/vapi/assistant", "/vapi/assistant/{id}"), Kind::Assistants))
        .merge(of(("/vapi/squad", "/vapi/squad/{id}"), Kind::Squads))
        .merge(of(("/vapi/tool", "/vapi/tool/{id}"), Kind::Tools))
        .merge(of(("/vapi/phone-number", "/vapi/phone-number/{id}"), Kind::PhoneNumbers))
        .merge(gated(all, none, get(calls::list), Scope::Read))
        .merge(gated(one, none, get(calls::one), Scope::Read))
        .merge(gated(all, none, post(calls::create), Scope::Operate))
        .merge(gated(one, none, patch(calls::rename).delete(calls::end), Scope::Operate))
        // Whoever has this address may: it is told to those only who may see the call.
        .route("/vapi/call/{id}/control/{token}", post(calls::control))
        .route("/vapi/{*other}", any(refusal::nowhere))
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(Extension(front))
        .layer(from_fn(refusal::dress))
        .with_state(service.clone())
}

/// The largest body, in octets: prompts are long.
const LARGEST_BODY: usize = 512 * 1_024;
