//! A trunk carries so many calls at once as its settings say, in and out together.

use tokio::net::UdpSocket;
use tokio::time::timeout;

use super::datagrams::{Wire, header};
use super::server::{House, PATIENCE, Server};

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_go_out_count_as_those_that_come_in() {
    let carrier = UdpSocket::bind("127.0.0.4:0").await.expect("a socket");
    let at = carrier.local_addr().expect("an address");
    let house = House::with(DIALPLAN).and(&format!(
        "[trunks.carrier]\nhost = \"{at}\"\noptions_ping = \"off\"\n\
         inbound = {{ allow = [\"127.0.0.4\"] }}\nmax_calls = 1\n\
         [security.outbound]\nallow = [\"+4971*\"]\n"
    ));
    let server = Server::start(house).await;

    // A call goes out by the carrier, where it rings.
    let mut caller = Wire::open("127.0.0.1:0", server.address).await;
    let description = caller.description();
    let first = caller.request("INVITE", "out", &description);
    caller.send(first.as_bytes()).await;
    let invite = receive(&carrier).await;
    assert!(invite.starts_with("INVITE sip:"), "{invite}\n{}", server.log());

    // There is no room for another one: who would go out cannot be connected, who comes in is told
    // to come back.
    let second = caller.request("INVITE", "out", &description);
    assert_eq!(status(&caller, &second).await, "480");
    let mut other = Wire::open("127.0.0.4:0", server.address).await;
    let inbound = other.request("INVITE", "echo", &description);
    assert_eq!(status(&other, &inbound).await, "503");

    // The carrier is busy: whoever comes next is answered.
    let copied = ["Via", "From", "To", "Call-ID", "CSeq"]
        .map(|name| format!("{name}: {}\r\n", header(&invite, name)))
        .concat()
        .replace("\r\nCall-ID", ";tag=busy\r\nCall-ID");
    let busy = format!("SIP/2.0 486 Busy Here\r\n{copied}Content-Length: 0\r\n\r\n");
    carrier.send_to(busy.as_bytes(), server.address).await.expect("sent");
    assert_eq!(status(&caller, &first).await, "486");
    let answer = other.call("echo", &description).await;
    other.hang_up(&answer).await;
}

/// The final answer to a request.
async fn status(wire: &Wire, request: &str) -> String {
    let own = header(request, "Call-ID");
    wire.send(request.as_bytes()).await;
    loop {
        let answer = wire.receive(PATIENCE).await.expect("an answer");
        let status = answer.split(' ').nth(1).unwrap_or_default();
        if header(&answer, "Call-ID") == own && status >= "200" {
            return status.to_owned();
        }
    }
}

async fn receive(socket: &UdpSocket) -> String {
    let mut buffer = vec![0; 65_536];
    let received = timeout(PATIENCE, socket.recv_from(&mut buffer)).await.expect("in time");
    let (length, _) = received.expect("a datagram");
    String::from_utf8_lossy(&buffer[..length]).into_owned()
}

const DIALPLAN: &str = r#"
[[route]]
did = "out"
to  = "trunk:carrier/+4971112345"

[[route]]
did = "echo"
to  = "echo"
"#;
