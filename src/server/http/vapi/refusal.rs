//! What does not work, as programs of Vapi's read it: `{"message", "error", "statusCode"}`.

use axum::Json;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::server::control::edits::Rejected;
use crate::server::http::front;
use crate::server::http::problem::{Code, Problem};

/// Why something does not work.
#[derive(Debug)]
pub struct Refusal {
    status: StatusCode,
    messages: Vec<String>,
}

impl Refusal {
    /// The status of the answer.
    pub fn status(&self) -> u16 {
        self.status.as_u16()
    }

    /// What was sent makes no sense here.
    pub fn wrong(why: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, messages: vec![why.into()] }
    }

    /// There is nothing of this kind with this identity.
    pub fn missing(kind: &str, id: &str) -> Self {
        let id: String = id.chars().take(64).collect();
        let why = format!("Couldn't find the {kind} `{id}`.");
        Self { status: StatusCode::NOT_FOUND, messages: vec![why] }
    }

    /// It cannot be done now.
    pub fn unfit(why: impl Into<String>) -> Self {
        Self { status: StatusCode::SERVICE_UNAVAILABLE, messages: vec![why.into()] }
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        let status = match problem.code {
            Code::Validation | Code::InvalidConfig | Code::Conflict | Code::Malformed => {
                StatusCode::BAD_REQUEST
            }
            _ => StatusCode::from_u16(problem.status).unwrap_or(StatusCode::BAD_REQUEST),
        };
        let flaw = |text: &String, help: &Option<String>| match help {
            Some(help) => format!("{text}: {help}"),
            None => text.clone(),
        };
        let mut messages: Vec<String> =
            problem.errors.iter().map(|it| flaw(&it.message, &it.help)).collect();
        if messages.is_empty() {
            messages.push(problem.detail.to_string());
        }
        Self { status, messages }
    }
}

impl From<Rejected> for Refusal {
    fn from(rejected: Rejected) -> Self {
        Problem::from(rejected).into()
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Self { status, mut messages } = self;
        let message = match messages.len() {
            1 => json!(messages.pop()),
            _ => json!(messages),
        };
        let error = status.canonical_reason();
        let body = json!({ "message": message, "error": error, "statusCode": status.as_u16() });
        (status, Json(body)).into_response()
    }
}

/// Nothing is there.
pub async fn nowhere() -> Refusal {
    let why = "this is not answered here: /assistant, /squad, /tool, /phone-number and /call are";
    Refusal { status: StatusCode::NOT_FOUND, messages: vec![why.to_owned()] }
}

/// Tells problems of the house in their words, and dresses the answer.
pub async fn dress(request: Request, next: Next) -> Response {
    let inner = Next::run(next, request);
    let mut response = inner.await;
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        let (parts, _) = response.into_parts();
        response = Refusal::from(problem).into_response();
        for name in [axum::http::header::RETRY_AFTER, axum::http::header::WWW_AUTHENTICATE] {
            if let Some(value) = parts.headers.get(&name) {
                response.headers_mut().insert(name, value.clone());
            }
        }
    }
    front::clothe(&mut response);
    response
}
