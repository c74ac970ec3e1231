//! SIP over WebSockets (RFC 7118): the handshake, and who may shake hands.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::Error;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use super::stream::Stream;
use crate::sip::parse::MOST_OCTETS;

/// A WebSocket of a client.
pub type WebSocket = WebSocketStream<Counted>;

/// The web pages that may open a WebSocket here. A program that is no browser says none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origins(Vec<String>);

impl Origins {
    /// These, as `https://phone.example.com`; `*` stands for all.
    pub fn new(origins: Vec<String>) -> Self {
        Self(origins)
    }

    fn allow(&self, origin: &str) -> bool {
        self.0.iter().any(|allowed| allowed == "*" || allowed.eq_ignore_ascii_case(origin))
    }
}

/// Shakes hands with a client that speaks SIP and comes from a page that may.
///
/// # Errors
/// When it does not, or is refused: it has been told.
#[expect(clippy::result_large_err, reason = "the callback of tungstenite has that shape")]
pub async fn accept(stream: Stream, origins: &Origins) -> Result<WebSocket, Box<Error>> {
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_message_size(Some(MOST_OCTETS))
        .max_frame_size(Some(MOST_OCTETS));
    let check = |request: &Request, response: Response| welcome(request, response, origins);
    let counted = Counted { stream, octets: 0 };
    let accepted =
        tokio_tungstenite::accept_hdr_async_with_config(counted, check, Some(config)).await;
    accepted.map_err(Box::new)
}

#[expect(clippy::result_large_err, reason = "the callback of tungstenite has that shape")]
fn welcome(
    request: &Request,
    mut response: Response,
    origins: &Origins,
) -> Result<Response, ErrorResponse> {
    let headers = request.headers();
    let origin = headers.get("Origin").map(|origin| origin.to_str().unwrap_or_default());
    if origin.is_some_and(|origin| !origins.allow(origin)) {
        return Err(refusal(StatusCode::FORBIDDEN));
    }
    let offered = headers.get_all("Sec-WebSocket-Protocol").iter();
    let mut offered = offered.filter_map(|value| value.to_str().ok()).flat_map(|it| it.split(','));
    if !offered.any(|protocol| protocol.trim().eq_ignore_ascii_case("sip")) {
        return Err(refusal(StatusCode::BAD_REQUEST));
    }
    response.headers_mut().insert("Sec-WebSocket-Protocol", HeaderValue::from_static("sip"));
    Ok(response)
}

fn refusal(status: StatusCode) -> ErrorResponse {
    let mut refusal = ErrorResponse::new(None);
    *refusal.status_mut() = status;
    refusal
}

/// A stream that counts what it is given: so somebody can tell that a frame grows too slowly.
pub struct Counted {
    stream: Stream,
    octets: u64,
}

impl Counted {
    /// How many octets came so far.
    pub fn octets(&self) -> u64 {
        self.octets
    }
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        let result = Pin::new(&mut self.stream).poll_read(context, buffer);
        let more = buffer.filled().len().saturating_sub(before);
        self.octets = self.octets.saturating_add(more as u64);
        result
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// The buffer of a connection: most messages fit.
const READ_BUFFER: usize = 4 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listed_pages_may_open_a_websocket() {
        let origins = Origins::new(vec!["https://phone.example.com".to_owned()]);
        assert!(origins.allow("https://PHONE.example.com"));
        for foreign in
            ["null", "https://phone.example.com.evil.example", "http://phone.example.com"]
        {
            assert!(!origins.allow(foreign), "{foreign}");
        }
        assert!(!Origins::default().allow("https://phone.example.com"));
        assert!(Origins::new(vec!["*".to_owned()]).allow("null"));
    }
}
