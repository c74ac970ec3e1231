//! From HTTP to a WebSocket (RFC 6455 4.2): the handshake, and what is done afterwards on the same
//! connection, which counts for as long as that lasts.

use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::future::BoxFuture;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use crate::server::http::problem::{Code, Problem};

/// A WebSocket of somebody who came by HTTP.
pub type WebSocket = WebSocketStream<TokioIo<Upgraded>>;

/// What is done on a connection when HTTP is over there.
#[derive(Clone, Default)]
pub struct Afterwards(Arc<Mutex<Option<BoxFuture<'static, ()>>>>);

/// Somebody wants a WebSocket.
pub struct Upgrade {
    key: HeaderValue,
    upgrade: OnUpgrade,
    afterwards: Afterwards,
}

impl Afterwards {
    /// What is to be done, if anything is.
    pub fn take(&self) -> Option<BoxFuture<'static, ()>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn put(&self, work: BoxFuture<'static, ()>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(work);
    }
}

impl Upgrade {
    /// Shakes hands, and has `work` done with the WebSocket, of which no message has more octets
    /// than `longest`.
    pub fn then<W>(
        self,
        longest: usize,
        work: impl FnOnce(WebSocket) -> W + Send + 'static,
    ) -> Response
    where
        W: Future<Output = ()> + Send + 'static,
    {
        let Self { key, upgrade, afterwards } = self;
        let config = WebSocketConfig::default()
            .max_message_size(Some(longest))
            .max_frame_size(Some(longest))
            .max_write_buffer_size(LARGEST_BACKLOG);
        afterwards.put(Box::pin(async move {
            // Who breaks the connection now has nothing to be told.
            let Ok(upgraded) = upgrade.await else { return };
            let stream = TokioIo::new(upgraded);
            work(WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await).await;
        }));
        let accept = HeaderValue::from_str(&derive_accept_key(key.as_bytes()));
        let accept = accept.unwrap_or(HeaderValue::from_static(""));
        let headers = [
            (header::CONNECTION, HeaderValue::from_static("upgrade")),
            (header::UPGRADE, HeaderValue::from_static("websocket")),
            (header::SEC_WEBSOCKET_ACCEPT, accept),
        ];
        (StatusCode::SWITCHING_PROTOCOLS, headers).into_response()
    }
}

impl<S: Sync> FromRequestParts<S> for Upgrade {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Response> {
        let headers = &parts.headers;
        let key = headers.get(header::SEC_WEBSOCKET_KEY).cloned();
        let wants = says(headers, header::UPGRADE, "websocket")
            && says(headers, header::CONNECTION, "upgrade")
            && says(headers, header::SEC_WEBSOCKET_VERSION, "13");
        let upgrade = parts.extensions.remove::<OnUpgrade>();
        let afterwards = parts.extensions.get::<Afterwards>().cloned();
        match (key.filter(|_| wants), upgrade, afterwards) {
            (Some(key), Some(upgrade), Some(afterwards)) => Ok(Self { key, upgrade, afterwards }),
            _ => {
                let text = "this is a WebSocket: ask with `Upgrade: websocket`, version 13";
                let mut response = Problem::new(Code::Malformed, text).into_response();
                *response.status_mut() = StatusCode::UPGRADE_REQUIRED;
                let how = HeaderValue::from_static("websocket");
                response.headers_mut().insert(header::UPGRADE, how);
                Err(response)
            }
        }
    }
}

/// Whether one of the words of a header is this.
fn says(headers: &HeaderMap, name: HeaderName, word: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|it| it.trim().eq_ignore_ascii_case(word))
}

/// How much waits at most to be sent, in octets.
const LARGEST_BACKLOG: usize = 256 * 1_024;
