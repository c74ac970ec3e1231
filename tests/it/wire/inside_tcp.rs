//! Requests inside a call by TCP: whoever is called by datagrams may want the rest of the call by
//! TCP, and says so in its Contact. It gets the ACK, the BYE and everything between there.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::time::timeout;

use super::datagrams::{Wire, header};
use super::server::{House, PATIENCE, Server};

#[tokio::test(flavor = "multi_thread")]
async fn the_ack_and_the_bye_follow_a_contact_that_asks_for_tcp() {
    let (called, listener) = called().await;
    let at = called.local_addr().expect("an address");
    let server = Server::start(house(&at.to_string())).await;
    let mut caller = Wire::open("127.0.0.1:0", server.address).await;
    let description = caller.description();

    let (answer, (mut stream, ack)) = tokio::join!(caller.call("anybody", &description), async {
        let invite = receive(&called).await;
        let ok = answer_to(&invite, &format!("<sip:called@{at};transport=tcp>"));
        called.send_to(ok.as_bytes(), server.address).await.expect("sent");
        // The server's answer to its caller waits for ours; our ACK comes by a stream.
        let (stream, _) = timeout(PATIENCE, listener.accept()).await.expect("in time").unwrap();
        let mut stream = Stream { stream, unread: String::new() };
        let ack = stream.message().await;
        (stream, ack)
    });
    assert!(ack.starts_with("ACK sip:called@"), "{ack}\n{}", server.log());
    assert!(header(&ack, "Via").starts_with("SIP/2.0/TCP "), "{ack}");

    let (bye, ()) = tokio::join!(
        async {
            let bye = stream.message().await;
            stream.say(&answer_to(&bye, "<sip:called@127.0.0.1>")).await;
            bye
        },
        caller.hang_up(&answer)
    );
    assert!(bye.starts_with("BYE ") && header(&bye, "Via").starts_with("SIP/2.0/TCP "), "{bye}");
    let record = server.record().await;
    assert_eq!(record["end_reason"], "caller_hangup");
    assert_eq!(record["bridges"][0]["legs"], serde_json::json!([0, 1]), "{record:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callee_without_tcp_gets_the_ack_as_a_datagram_when_it_asks_again() {
    let (called, listener) = called().await;
    drop(listener);
    let at = called.local_addr().expect("an address");
    let server = Server::start(house(&at.to_string())).await;
    let mut caller = Wire::open("127.0.0.1:0", server.address).await;
    let description = caller.description();
    let (_answer, ack) = tokio::join!(caller.call("anybody", &description), async {
        let invite = receive(&called).await;
        let ok = answer_to(&invite, &format!("<sip:called@{at};transport=tcp>"));
        called.send_to(ok.as_bytes(), server.address).await.expect("sent");
        // No ACK: the answer is repeated, as RFC 3261 13.3.1.4 has it.
        let mut waiting = Box::pin(receive(&called));
        loop {
            match timeout(REPEAT, &mut waiting).await {
                Ok(message) if message.starts_with("ACK ") => break message,
                Ok(_) => waiting = Box::pin(receive(&called)),
                Err(_) => {
                    called.send_to(ok.as_bytes(), server.address).await.expect("sent");
                }
            }
        }
    });
    assert!(header(&ack, "Via").starts_with("SIP/2.0/UDP "), "{ack}");
}

/// Who is called, by datagrams and by TCP at one port.
async fn called() -> (UdpSocket, TcpListener) {
    loop {
        let udp = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
        let at = udp.local_addr().expect("an address");
        // Another program may have the same port for TCP.
        if let Ok(tcp) = TcpListener::bind(at).await {
            return (udp, tcp);
        }
    }
}

fn house(at: &str) -> House {
    House::with(&format!("[[route]]\nto = \"sip:called@{at}\"\n"))
        .and("[[sip.listen]]\ntransport = \"tcp\"\nbind = \"127.0.0.1:0\"\n")
}

async fn receive(socket: &UdpSocket) -> String {
    let mut buffer = vec![0; 65_536];
    let received = timeout(PATIENCE, socket.recv_from(&mut buffer)).await.expect("in time");
    let (length, _) = received.expect("a datagram");
    String::from_utf8_lossy(&buffer[..length]).into_owned()
}

/// A 200 to a request; to an INVITE with a description.
fn answer_to(request: &str, contact: &str) -> String {
    let copied = ["Via", "From", "Call-ID", "CSeq"]
        .map(|name| format!("{name}: {}\r\n", header(request, name)))
        .concat();
    let to = header(request, "To");
    let to = if to.contains(";tag=") { to.to_owned() } else { format!("{to};tag=called") };
    let body = match request.starts_with("INVITE ") {
        true => {
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
             m=audio 9 RTP/AVP 0\r\n"
        }
        false => "",
    };
    format!(
        "SIP/2.0 200 OK\r\n{copied}To: {to}\r\nContact: {contact}\r\n\
         Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// A connection that the server has opened.
struct Stream {
    stream: TcpStream,
    unread: String,
}

impl Stream {
    /// The next message, which has no body.
    async fn message(&mut self) -> String {
        loop {
            if let Some((message, rest)) = self.unread.split_once("\r\n\r\n") {
                let (message, rest) = (format!("{message}\r\n\r\n"), rest.to_owned());
                self.unread = rest;
                return message;
            }
            let mut buffer = [0; 4_096];
            let read = timeout(PATIENCE, self.stream.read(&mut buffer)).await.expect("in time");
            let length = read.expect("an open connection");
            assert!(length > 0, "the server has closed its connection");
            self.unread.push_str(&String::from_utf8_lossy(&buffer[..length]));
        }
    }

    async fn say(&mut self, message: &str) {
        self.stream.write_all(message.as_bytes()).await.expect("sent");
    }
}

/// T1 (RFC 3261 17).
const REPEAT: std::time::Duration = std::time::Duration::from_millis(500);
