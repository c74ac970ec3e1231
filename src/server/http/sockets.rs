//! What happens, by a WebSocket: each event is a message of text, as JSON.

use std::ops::ControlFlow;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use axum::response::Response;
use futures_util::{SinkExt, StreamExt};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::server::control::events as control;
use crate::server::http::upgrade::{Upgrade, WebSocket};
use crate::server::http::watching::{Flow, Item, Over};

/// A WebSocket, if one is wished for.
pub struct Wished(pub Option<Upgrade>);

impl<S: Sync> FromRequestParts<S> for Wished {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        match parts.headers.contains_key(header::UPGRADE) {
            true => {
                Upgrade::from_request_parts(parts, state).await.map(|upgrade| Self(Some(upgrade)))
            }
            false => Ok(Self(None)),
        }
    }
}

/// Sends what comes until nothing comes any more.
pub fn answer(upgrade: Upgrade, flow: Flow) -> Response {
    upgrade.then(LONGEST, |socket| send(socket, flow))
}

async fn send(mut socket: WebSocket, mut flow: Flow) {
    let over = loop {
        tokio::select! {
            items = flow.more() => match items {
                Ok(items) => {
                    for item in &items {
                        if is_gone(timeout(PATIENCE, socket.send(message(item))).await) {
                            return;
                        }
                    }
                }
                Err(over) => break over,
            },
            // What is said here means nothing: only that somebody is there, or leaves.
            said = socket.next() => if let ControlFlow::Break(()) = heard(said) { return },
        }
    };
    let (code, reason) = match over {
        Over::Ended => (CloseCode::Normal, "the call is over"),
        Over::TakenBack => (CloseCode::Policy, "the key is not valid any more"),
        Over::Stopped => (CloseCode::Away, "the server stops"),
    };
    let close = CloseFrame { code, reason: reason.into() };
    // Whoever is gone need not be told. Whoever is there says the same (RFC 6455 7.1.1): what it
    // said before is taken, else its kernel may throw away what we said last.
    if let Ok(Ok(())) = timeout(PATIENCE, socket.close(Some(close))).await {
        timeout(FAREWELL, async { while let Some(Ok(_)) = socket.next().await {} }).await.ok();
    }
}

fn message(item: &Item) -> Message {
    match item {
        Item::Event(_, event) => Message::text(event.text.clone()),
        Item::Missed(count) => Message::text(control::missed(*count).to_string()),
        Item::Beat => Message::Ping(Vec::new().into()),
    }
}

fn is_gone<T, E, L>(sent: Result<Result<T, E>, L>) -> bool {
    !matches!(sent, Ok(Ok(_)))
}

fn heard<E>(said: Option<Result<Message, E>>) -> ControlFlow<()> {
    match said {
        Some(Ok(Message::Close(_)) | Err(_)) | None => ControlFlow::Break(()),
        Some(Ok(_)) => ControlFlow::Continue(()),
    }
}

/// The longest message that is taken, in octets.
const LONGEST: usize = 4 * 1_024;

/// How long the other side has for its own end.
const FAREWELL: Duration = Duration::from_secs(2);

/// How long a message may take.
const PATIENCE: Duration = Duration::from_secs(30);
