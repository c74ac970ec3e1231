//! The front of the house, the same for every request: each has a name, each answer its headers, and
//! every problem says where it arose.

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::time::timeout;

use crate::engine::clock;
use crate::server::control::clerk::{Clerk, Reply};
use crate::server::control::protocol::{Ask, Fault};
use crate::server::control::socket::patience;
use crate::server::http::problem::{Code, Problem};
use serde_json::Value;

/// Names the request, and dresses its answer.
pub async fn dress(request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let name = format!("req_{}", clock::random().token(20));
    let mut response = next.run(request).await;
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        tracing::debug!(request = name, status = problem.status, "a request was refused");
        *response.body_mut() = problem.of(&path, &name).into_response().into_body();
        response.headers_mut().remove(header::CONTENT_LENGTH);
    }
    clothe(&mut response);
    if let Ok(name) = HeaderValue::from_str(&name) {
        response.headers_mut().insert(HeaderName::from_static("x-request-id"), name);
    }
    response
}

/// What every answer says of itself: nobody guesses its type, or keeps it.
pub fn clothe(response: &mut Response) {
    let headers = response.headers_mut();
    let sniff = HeaderValue::from_static("nosniff");
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, sniff);
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

/// Nothing is there.
pub async fn nowhere() -> Problem {
    Problem::new(Code::NotFound, "there is nothing here: /openapi.json tells what there is")
}

/// It cannot be asked so.
pub async fn not_so() -> Problem {
    Problem::new(Code::MethodNotAllowed, "this is there, and does not know this method")
}

/// Asks the clerk.
///
/// # Errors
/// With what he says, or that he says nothing.
pub async fn ask(clerk: &Clerk, ask: Ask) -> Result<Value, Problem> {
    let patience = patience(&ask);
    match timeout(patience, clerk.ask(ask)).await {
        Ok(Ok(Reply::Whole(value))) => Ok(value),
        Ok(Ok(Reply::Stream(_))) => Err(late()),
        Ok(Err(fault)) => Err(Fault::into(fault)),
        Err(_) => Err(late()),
    }
}

/// Nobody answered.
pub fn late() -> Problem {
    Problem::new(Code::Unavailable, "the server did not answer in time").after(1)
}
