//! The console of operators on other machines: what the control socket says, by a WebSocket, one line
//! a message.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio_tungstenite::tungstenite::Message;

use crate::server::control::clerk::Clerk;
use crate::server::control::protocol::LONGEST_REQUEST;
use crate::server::control::socket::converse;
use crate::server::http::gate::{Bearer, Peer};
use crate::server::http::problem::Problem;
use crate::server::http::upgrade::{Upgrade, WebSocket};

/// The console: with `Upgrade: websocket` it is asked what `voxtrunk --url` asks, a line a message. It is
/// of one version of the program; other programs do better with the other resources.
#[utoipa::path(get, path = "/v1/console", operation_id = "console.open", tag = "server",
    responses((status = SWITCHING_PROTOCOLS, description = "It is asked by the WebSocket"),
        (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn open(
    State(clerk): State<Arc<Clerk>>,
    Extension(bearer): Extension<Bearer>,
    peer: Option<Extension<Peer>>,
    upgrade: Upgrade,
) -> Response {
    let from = peer.map(|Extension(peer)| peer.0.to_string()).unwrap_or_default();
    tracing::info!(key = bearer.id(), from, "a console was opened");
    upgrade.then(LONGEST_REQUEST, |socket| carry(socket, clerk, (bearer, from)))
}

/// Carries lines to and fro until one of both has enough, or the key is not valid any more.
async fn carry(socket: WebSocket, clerk: Arc<Clerk>, (bearer, from): (Bearer, String)) {
    let (near, far) = tokio::io::duplex(ROOM);
    let (answers, mut requests) = tokio::io::split(near);
    let (mut sink, mut stream) = socket.split();
    let who = (bearer.id().to_owned(), from);
    let answering = async {
        let mut lines = BufReader::new(answers).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            let sent = tokio::time::timeout(PATIENCE, sink.send(Message::text(line))).await;
            if !matches!(sent, Ok(Ok(()))) {
                return;
            }
        }
        sink.close().await.ok();
    };
    let asking = async {
        while let Some(Ok(message)) = stream.next().await {
            if let Message::Text(text) = message {
                let line = format!("{}\n", text.as_str());
                if requests.write_all(line.as_bytes()).await.is_err() {
                    return;
                }
            }
        }
    };
    let taken_back = async {
        let mut often = tokio::time::interval(LOOKED_EVERY);
        while bearer.is_valid() {
            often.tick().await;
        }
    };
    tokio::select! {
        _ = futures_util::future::join(converse(far, clerk, who), answering) => {}
        () = asking => {}
        () = taken_back => {}
    }
}

/// How much waits to be carried, in octets.
const ROOM: usize = 64 * 1_024;

/// How long a line may take to be taken.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often it is looked whether the key is still valid.
const LOOKED_EVERY: Duration = Duration::from_secs(5);
