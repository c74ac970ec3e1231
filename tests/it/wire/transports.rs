//! The running server over TCP, TLS and WebSockets, as others and as our own phone speak them.

use std::path::Path;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;

use super::certificates::Authority;
use super::datagrams::header;
use super::server::{Folder, House, PATIENCE, SOURCE, Server, finish, program};
use super::sipp::play_over;

#[tokio::test(flavor = "multi_thread")]
async fn sipp_calls_by_tcp_with_one_connection_and_with_one_for_each_call() {
    let house =
        House::porter().and("[[sip.listen]]\ntransport = \"tcp\"\nbind = \"127.0.0.1:0\"\n");
    let server = Server::start(house).await;
    let to = server.listens("tcp").to_string();
    // SIPp does not wait for 180 before its CANCEL when it writes to a stream: not that one.
    let scenarios = ["basic_call", "hold_and_resume", "late_offer", "options", "unknown_extension"];
    for transport in ["t1", "tn"] {
        for name in scenarios {
            let path = Path::new(SOURCE).join("sipp-scenarios").join(format!("{name}.xml"));
            let wrong = play_over(transport, path, "127.0.0.1", to.clone()).await;
            assert_eq!(wrong, None, "{}", server.log());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_phone_calls_by_tcp_and_by_tls() {
    let folder = Folder::new();
    let authority = Authority::write(&folder);
    let server =
        Server::start(House::brief_demo().and(&authority.listening(&["tcp", "tls"]))).await;
    for transport in ["tcp", "tls"] {
        let target = format!("sip:demo@{};transport={transport}", server.listens(transport));
        let mut call = program();
        call.args(["call", "--say", "goodbye", "--ca"]).arg(&authority.file);
        call.arg("--record").arg(folder.path(&format!("{transport}.wav"))).arg(target);
        let (code, told) = finish(call).await;
        assert_eq!(code, Some(0), "{told}\n{}", server.log());
        assert!(told.contains("answered"), "{told}");
    }
    // Without our authority nobody is believed.
    let target = format!("sip:demo@{};transport=tls", server.listens("tls"));
    let mut call = program();
    call.args(["call", "--say", "goodbye", "--record"]).arg(folder.path("no.wav")).arg(target);
    let (code, told) = finish(call).await;
    assert_eq!(code, Some(1), "{told}");
    assert_eq!(server.records(2).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_calls_by_websocket() {
    let house = House::porter().and("[[sip.listen]]\ntransport = \"ws\"\nbind = \"127.0.0.1:0\"\n");
    let server = Server::start(house).await;
    let at = server.listens("ws");
    let stream = TcpStream::connect(at).await.expect("a connection");
    let mut request = format!("ws://{at}/").into_client_request().expect("a request");
    request.headers_mut().insert("Sec-WebSocket-Protocol", HeaderValue::from_static("sip"));
    let (mut socket, response) =
        tokio_tungstenite::client_async(request, stream).await.expect("a WebSocket");
    assert_eq!(response.headers()["Sec-WebSocket-Protocol"], "sip");

    let message = |method: &str, sequence: u32, to_tag: &str, body: &str| {
        format!(
            "{method} sip:porter@{at} SIP/2.0\r\n\
             Via: SIP/2.0/WS df7jal23ls0d.invalid;branch=z9hG4bK{method}{sequence};rport\r\n\
             From: <sip:web@df7jal23ls0d.invalid>;tag=web\r\nTo: <sip:porter@{at}>{to_tag}\r\n\
             Call-ID: web-call\r\nCSeq: {sequence} {method}\r\nMax-Forwards: 70\r\n\
             Contact: <sip:web@df7jal23ls0d.invalid;transport=ws>\r\n\
             Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let body = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
                m=audio 41000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n";
    socket.send(Message::text(message("INVITE", 1, "", body))).await.expect("sent");
    let ok = loop {
        let frame = timeout(PATIENCE, socket.next()).await.expect("in time");
        let Some(Ok(Message::Text(text))) = frame else { continue };
        if text.starts_with("SIP/2.0 200") {
            break text.to_string();
        }
    };
    assert!(header(&ok, "Contact").ends_with(";transport=ws>"), "{ok}");
    let to = header(&ok, "To");
    let tag = to.split_once(";tag=").map(|(_, tag)| format!(";tag={tag}")).expect("a tag");
    socket.send(Message::text(message("ACK", 1, &tag, ""))).await.expect("sent");
    tokio::time::sleep(Duration::from_millis(300)).await;
    socket.send(Message::text(message("BYE", 2, &tag, ""))).await.expect("sent");
    let bye = timeout(PATIENCE, socket.next()).await.expect("in time");
    let Some(Ok(Message::Text(bye))) = bye else { panic!("{bye:?}") };
    assert!(bye.starts_with("SIP/2.0 200") && bye.contains("CSeq: 2 BYE"));
    assert_eq!(server.record().await["end_reason"], "caller_hangup");
}
