//! WebSockets (RFC 7118).

use std::sync::Arc;

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;

use super::super::*;
use super::peer::{Folder, PATIENCE, Setup, request, to_tag};
use super::secured::Authority;
use crate::net::stream::Stream;
use crate::net::tls::{self, Client, Files};

struct Browser {
    socket: WebSocketStream<Stream>,
    transport: Transport,
}

impl Browser {
    /// Opens a WebSocket with a subprotocol, from a page.
    async fn open(stream: Stream, protocol: &str, origin: Option<&str>) -> Option<Self> {
        let mut request = "ws://127.0.0.1/sip".into_client_request().expect("a request");
        let headers = request.headers_mut();
        let value = |text: &str| HeaderValue::from_str(text).expect("a value");
        headers.insert("Sec-WebSocket-Protocol", value(protocol));
        if let Some(origin) = origin {
            headers.insert("Origin", value(origin));
        }
        let (socket, _) = tokio_tungstenite::client_async(request, stream).await.ok()?;
        Some(Self { socket, transport: Transport::Ws })
    }

    async fn send(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.expect("sent");
    }

    async fn wait_for(&mut self, start: &str) -> String {
        loop {
            let message = tokio::time::timeout(PATIENCE, self.socket.next()).await;
            let message = message.expect("in time").expect("a message").expect("a frame");
            match message {
                Message::Text(text) if text.starts_with(start) => return text.to_string(),
                _ => {}
            }
        }
    }

    async fn call(&mut self) {
        let call = clock::random().token(8);
        let request = |method: &str, sequence: u32, tag: &str| {
            request(method, sequence, (&call, tag), self.transport)
        };
        let (invite, ack, bye) = ("INVITE", "ACK", "BYE");
        let text = request(invite, 1, "");
        self.socket.send(Message::text(text)).await.expect("sent");
        let ok = self.wait_for("SIP/2.0 200").await;
        assert!(ok.contains(";transport=ws>"), "{ok}");
        let tag = to_tag(&ok);
        let call = |method: &str, sequence: u32| {
            super::peer::request(method, sequence, (&call, &tag), self.transport)
        };
        let (ack, bye) = (call(ack, 1), call(bye, 2));
        self.send(&ack).await;
        self.send(&bye).await;
        assert!(self.wait_for("SIP/2.0 200").await.contains("CSeq: 2 BYE"));
    }
}

async fn tcp(at: SocketAddr) -> Stream {
    Box::new(TcpStream::connect(at).await.expect("a connection"))
}

#[tokio::test]
async fn a_call_comes_in_by_websocket() {
    let desk = Setup::plain().start();
    let stream = tcp(desk.at(Transport::Ws)).await;
    let mut browser = Browser::open(stream, "sip", None).await.expect("a WebSocket");
    browser.call().await;
    browser.send("\r\n\r\n").await;
    assert_eq!(browser.wait_for("\r\n").await, "\r\n");
}

#[tokio::test]
async fn a_call_comes_in_by_websocket_over_tls() {
    let folder = Arc::new(Folder::new());
    let ours = Authority::new(&folder, "ours");
    let files = Files { identity: Some(ours.issue("server")), authorities: None };
    let desk = Setup::secured(Transport::Wss, files).start();
    let at = desk.at(Transport::Wss);
    let client = Files { identity: None, authorities: Some(ours.file()) };
    let connector = Client::load(client).expect("a client").connector();
    let socket = TcpStream::connect(at).await.expect("a connection");
    let stream = connector.connect(tls::name(None, at.ip()), socket).await.expect("TLS");
    let mut browser = Browser::open(Box::new(stream), "sip", None).await.expect("a WebSocket");
    browser.transport = Transport::Wss;
    browser.call().await;
}

#[tokio::test]
async fn foreign_pages_and_other_protocols_are_refused() {
    let mut setup = Setup::plain();
    setup.listen[2].origins = vec!["https://phone.example.com".to_owned()];
    let desk = setup.start();
    let at = desk.at(Transport::Ws);
    for (protocol, origin, is_welcome) in [
        ("sip", None, true),
        ("chat, sip", Some("https://phone.example.com"), true),
        ("sip", Some("https://evil.example"), false),
        ("sip", Some("null"), false),
        ("chat", None, false),
    ] {
        let browser = Browser::open(tcp(at).await, protocol, origin).await;
        assert_eq!(browser.is_some(), is_welcome, "{protocol} {origin:?}");
    }
}

#[tokio::test]
async fn a_frame_that_is_too_large_ends_the_connection_and_nobody_elses() {
    let desk = Setup::plain().start();
    let at = desk.at(Transport::Ws);
    let mut good = Browser::open(tcp(at).await, "sip", None).await.expect("a WebSocket");
    let mut bad = Browser::open(tcp(at).await, "sip", None).await.expect("a WebSocket");
    bad.socket.send(Message::text("x".repeat(100_000))).await.ok();
    let end = tokio::time::timeout(PATIENCE, bad.socket.next()).await.expect("in time");
    assert!(!matches!(end, Some(Ok(Message::Text(_)))));
    good.call().await;
}
