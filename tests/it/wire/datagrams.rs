//! A bare socket: what a program sends that is no phone.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use rsip::headers;
use rsip::headers::UntypedHeader as _;
use tokio::net::UdpSocket;

use super::server::{PATIENCE, Server, within};

/// A socket that speaks with one server.
#[derive(Debug)]
pub struct Wire {
    socket: UdpSocket,
    /// The server.
    pub to: SocketAddr,
    /// Our address.
    pub local: SocketAddr,
    sent: u32,
}

impl Wire {
    /// Opens a socket at `address`, such as `127.0.0.1:0`.
    pub async fn open(address: &str, to: SocketAddr) -> Self {
        let socket = UdpSocket::bind(address).await.expect("an address of the loopback");
        let local = socket.local_addr().expect("a bound socket");
        Self { socket, to, local, sent: 0 }
    }

    /// Sends octets.
    pub async fn send(&self, octets: &[u8]) {
        self.socket.send_to(octets, self.to).await.expect("the loopback takes it");
    }

    /// Waits so long for the next datagram.
    pub async fn receive(&self, limit: Duration) -> Option<String> {
        let mut buffer = vec![0; 65_536];
        let received = tokio::time::timeout(limit, self.socket.recv_from(&mut buffer)).await;
        let (length, _) = received.ok()?.ok()?;
        Some(String::from_utf8_lossy(&buffer[..length]).into_owned())
    }

    /// Writes a request with fresh identities; `rsip` writes it, not our own printer.
    pub fn request(&mut self, method: &str, extension: &str, body: &str) -> String {
        self.sent += 1;
        let (local, to, number) = (self.local, self.to, self.sent);
        let branch = format!("z9hG4bK{number}x{}", local.port());
        let mut headers = rsip::Headers::default();
        headers
            .push(headers::Via::new(format!("SIP/2.0/UDP {local};branch={branch};rport")).into());
        headers.push(headers::From::new(format!("<sip:wire@{local}>;tag=w{number}")).into());
        headers.push(headers::To::new(format!("<sip:{extension}@{to}>")).into());
        headers.push(headers::CallId::new(format!("{number}@{local}")).into());
        headers.push(headers::CSeq::new(format!("1 {method}")).into());
        headers.push(headers::Contact::new(format!("<sip:wire@{local}>")).into());
        headers.push(headers::MaxForwards::default().into());
        if !body.is_empty() {
            headers.push(headers::ContentType::new("application/sdp").into());
        }
        headers.push(headers::ContentLength::from(body.len() as u32).into());
        let uri = format!("sip:{extension}@{to}");
        // A method that rsip does not know, as some tests send, is written over one that it does.
        let known = method.parse().unwrap_or(rsip::Method::Info);
        let request = rsip::Request {
            method: known,
            uri: rsip::Uri::try_from(uri.as_str()).expect("an address of the loopback"),
            version: rsip::Version::V2,
            headers,
            body: body.as_bytes().to_vec(),
        };
        request.to_string().replacen(known.to_string().as_str(), method, 1)
    }

    /// A description of a call with audio at our address.
    pub fn description(&self) -> String {
        self.description_at(9_000)
    }

    /// A description of a call with audio at a port of ours.
    pub fn description_at(&self, port: u16) -> String {
        let address = self.local.ip();
        format!(
            "v=0\r\no=- 1 1 IN IP4 {address}\r\ns=-\r\nc=IN IP4 {address}\r\nt=0 0\r\n\
             m=audio {port} RTP/AVP 0\r\n"
        )
    }

    /// Calls an extension and acknowledges the answer, which it gives.
    pub async fn call(&mut self, extension: &str, body: &str) -> String {
        let invite = self.request("INVITE", extension, body);
        self.send(invite.as_bytes()).await;
        loop {
            let answer = self.receive(Duration::from_secs(20)).await.expect("an answer");
            if answer.starts_with("SIP/2.0 200") {
                self.send(self.inside(&answer, "1 ACK").as_bytes()).await;
                return answer;
            }
            assert!(answer.starts_with("SIP/2.0 1"), "{answer}");
        }
    }

    /// Calls an extension as `caller`: the status of the final answer.
    pub async fn status_for(&mut self, extension: &str, caller: &str) -> String {
        self.status_with(extension, caller, "").await
    }

    /// The same with more headers, each with its line end.
    pub async fn status_with(&mut self, extension: &str, caller: &str, headers: &str) -> String {
        let body = self.description();
        let invite = self.request("INVITE", extension, &body);
        let from = header(&invite, "From");
        let invite = invite.replace(from, &from.replace("sip:wire@", &format!("sip:{caller}@")));
        let invite = invite.replace("Contact: ", &format!("{headers}Contact: "));
        let call = header(&invite, "Call-ID");
        self.send(invite.as_bytes()).await;
        loop {
            let answer = self.receive(PATIENCE).await.expect("an answer");
            let status = answer.split(' ').nth(1).unwrap_or_default().to_owned();
            // The answer to the call before may be repeated: it has no ACK.
            if !status.starts_with('1') && header(&answer, "Call-ID") == call {
                return status;
            }
        }
    }

    /// Hangs up, if the other side has not.
    pub async fn hang_up(&self, answer: &str) {
        self.send(self.inside(answer, "2 BYE").as_bytes()).await;
        loop {
            let told = self.receive(Duration::from_secs(20)).await.expect("an answer");
            if told.starts_with("SIP/2.0 ") {
                let over = told.starts_with("SIP/2.0 200") || told.starts_with("SIP/2.0 481");
                return assert!(over, "{told}");
            }
        }
    }

    /// Answers a request of the server with 200.
    pub async fn agree(&self, request: &str) {
        let names = ["Via", "From", "To", "Call-ID", "CSeq"];
        let copied = names.map(|name| format!("{name}: {}\r\n", header(request, name))).concat();
        let answer = format!("SIP/2.0 200 OK\r\n{copied}Content-Length: 0\r\n\r\n");
        self.send(answer.as_bytes()).await;
    }

    /// A request inside the dialog that an answer made; `sequence` is its CSeq.
    pub fn inside(&self, answer: &str, sequence: &str) -> String {
        let (local, method) = (self.local, sequence.split(' ').next_back().unwrap_or_default());
        let target = header(answer, "Contact").trim_matches(['<', '>']);
        let copied = ["From", "To", "Call-ID"].map(|name| (name, header(answer, name)));
        let copied = copied.map(|(name, value)| format!("{name}: {value}\r\n")).concat();
        format!(
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bK{method}x{};rport\r\n\
             {copied}CSeq: {sequence}\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
            local.port()
        )
    }

    /// Proves with an answered request that the server has read everything sent before.
    pub async fn settle(&mut self) {
        let request = self.request("OPTIONS", "porter", "");
        let call = header(&request, "Call-ID").to_owned();
        for _ in 0..20 {
            self.send(request.as_bytes()).await;
            while let Some(answer) = self.receive(Duration::from_millis(500)).await {
                if answer.starts_with("SIP/2.0 200") && header(&answer, "Call-ID") == call {
                    return;
                }
            }
        }
        panic!("the server does not answer OPTIONS any more");
    }
}

/// The value of a header.
pub fn header<'a>(message: &'a str, name: &str) -> &'a str {
    let line = message.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    line.unwrap_or_default()
}

/// The two media ports of the one call that is up at a server.
pub async fn ports_of_a_call(server: &Server) -> BTreeSet<u16> {
    let signalling = server.address.port();
    within(PATIENCE, "a call that is up", || {
        let mut ports = ports_of(server.pid());
        ports.remove(&signalling);
        (ports.len() == 2).then_some(ports)
    })
    .await
}

/// The UDP ports that a process has bound, from Linux's own tables.
pub fn ports_of(pid: u32) -> BTreeSet<u16> {
    let links = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("it lives").flatten();
    let own: BTreeSet<String> = links
        .filter_map(|link| std::fs::read_link(link.path()).ok()?.to_str().map(str::to_owned))
        .collect();
    let table = std::fs::read_to_string(format!("/proc/{pid}/net/udp")).expect("it lives");
    let sockets = table.lines().skip(1).filter_map(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let (_, port) = columns.get(1)?.split_once(':')?;
        let inode = format!("socket:[{}]", columns.get(9)?);
        own.contains(&inode).then(|| u16::from_str_radix(port, 16).ok())?
    });
    sockets.collect()
}
