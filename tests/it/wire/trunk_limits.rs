//! A trunk carries so many calls at once as its settings say, in and out together; and so many of a
//! tenant go by all trunks together.

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

#[tokio::test(flavor = "multi_thread")]
async fn calls_of_a_tenant_count_together_whichever_trunk_carries_them() {
    let carrier = UdpSocket::bind("127.0.0.4:0").await.expect("a socket");
    let at = carrier.local_addr().expect("an address");
    let house = House::with(DIALPLAN).and(&format!(
        "[tenants.acme]\nname = \"ACME GmbH\"\nnumbers = [\"+49711123450..59\"]\n\
         limits = {{ concurrent_calls = 2 }}\n\
         [trunks.carrier]\nhost = \"{at}\"\noptions_ping = \"off\"\ntenant = \"acme\"\n\
         inbound = {{ allow = [\"127.0.0.4\"] }}\n\
         [trunks.second]\ninbound = {{ allow = [\"127.0.0.5\"] }}\n\
         [security.outbound]\nallow = [\"+4971*\"]\n"
    ));
    let server = Server::start(house).await;
    let mut local = Wire::open("127.0.0.1:0", server.address).await;
    let mut second = Wire::open("127.0.0.5:0", server.address).await;
    let description = local.description();

    // One call comes in for a number of the tenant, another one goes out by its trunk.
    let first = second.call("+49711123451", &description).await;
    let out = local.request("INVITE", "out", &description);
    local.send(out.as_bytes()).await;
    let invite = receive(&carrier).await;
    assert!(invite.starts_with("INVITE sip:"), "{invite}\n{}", server.log());

    // There is no room for a third, whichever way and whichever trunk; others are not concerned.
    // Who is refused does not acknowledge it, and so each has a socket of its own.
    let refused = ask(&server, "127.0.0.5:0", "+49711123459").await;
    assert!(refused.starts_with("SIP/2.0 503"), "{refused}");
    assert_ne!(header(&refused, "Retry-After"), "", "{refused}");
    let refused = ask(&server, "127.0.0.1:0", "out").await;
    assert!(refused.starts_with("SIP/2.0 480"), "{refused}");
    let mut other = Wire::open("127.0.0.5:0", server.address).await;
    let foreign = other.call("+49711123460", &description).await;
    other.hang_up(&foreign).await;

    // Who hangs up makes room, for whomever.
    second.hang_up(&first).await;
    let mut next = Wire::open("127.0.0.1:0", server.address).await;
    let again = next.call("+49711123452", &description).await;
    let refused = ask(&server, "127.0.0.5:0", "+49711123459").await;
    assert!(refused.starts_with("SIP/2.0 503"), "{refused}");
    next.hang_up(&again).await;
}

/// Somebody else calls an extension; gives the final answer.
async fn ask(server: &Server, address: &str, extension: &str) -> String {
    let mut wire = Wire::open(address, server.address).await;
    let description = wire.description();
    let invite = wire.request("INVITE", extension, &description);
    answer(&wire, &invite).await
}

/// The final answer to a request.
async fn answer(wire: &Wire, request: &str) -> String {
    let own = header(request, "Call-ID");
    wire.send(request.as_bytes()).await;
    loop {
        let answer = wire.receive(PATIENCE).await.expect("an answer");
        let status = answer.split(' ').nth(1).unwrap_or_default();
        if header(&answer, "Call-ID") == own && status >= "200" {
            return answer;
        }
    }
}

/// Its status.
async fn status(wire: &Wire, request: &str) -> String {
    let answer = answer(wire, request).await;
    answer.split(' ').nth(1).unwrap_or_default().to_owned()
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
did = ["echo", "+4971112345*", "+4971112346*"]
to  = "echo"
"#;
