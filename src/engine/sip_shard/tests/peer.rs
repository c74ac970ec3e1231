//! A shard that answers every call, and a peer that writes its messages by hand.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::super::*;
use crate::call::admission::{self, Trunk};
use crate::engine::doors::{Doors, Listen, Settings};
use crate::net::stream::Stream;
use crate::net::tls::Files;
use crate::sip::endpoint;
use crate::sip::framing::{Framer, Piece};

pub const PATIENCE: Duration = Duration::from_secs(10);

/// A shard at work. It believes 127.0.0.1 and ::1, and nobody else.
pub struct Desk {
    pub sip: SipHandle,
    _tasks: JoinSet<()>,
}

/// How a desk is set up.
pub struct Setup {
    pub listen: Vec<Listen>,
    pub client: Files,
    pub name_servers: Vec<SocketAddr>,
    pub caps: Caps,
}

impl Setup {
    /// One socket of each kind on the loopback, without TLS.
    pub fn plain() -> Self {
        let local = "127.0.0.1:0".parse().expect("an address");
        let plain = [Transport::Udp, Transport::Tcp, Transport::Ws];
        let listen = plain.map(|transport| Listen::plain(transport, local)).to_vec();
        let caps = Caps::default();
        Self { listen, client: Files::default(), name_servers: Vec::new(), caps }
    }

    /// One socket with certificates.
    pub fn secured(transport: Transport, tls: Files) -> Self {
        let mut setup = Self::plain();
        let local = "127.0.0.1:0".parse().expect("an address");
        setup.listen = vec![Listen { tls, ..Listen::plain(transport, local) }];
        setup
    }

    pub fn start(self) -> Desk {
        let Self { listen, client, name_servers, caps } = self;
        let doors = Doors::open(Settings { listen, client, name_servers }).expect("open doors");
        let tcp = doors.sockets.of(Transport::Tcp);
        let settings =
            endpoint::Settings { tcp, max_half_open_per_source: 200, ..Default::default() };
        let endpoint = Endpoint::new(settings, clock::random());
        let allow = ["127.0.0.1", "::1"].map(|it| it.parse().expect("an address")).to_vec();
        let trunk = Trunk { allow, ..Trunk::default() };
        let settings = admission::Settings { trunks: vec![trunk], ..Default::default() };
        let doorkeeper = Doorkeeper::new(settings, clock::random());
        let (arrivals, incoming) = mpsc::channel(256);
        let (shard, sip) = SipShard::new(doors, endpoint, doorkeeper, arrivals);
        let mut tasks = JoinSet::new();
        tasks.spawn(shard.with_caps(caps).run(CancellationToken::new()));
        tasks.spawn(answer_all(incoming, sip.clone()));
        Desk { sip, _tasks: tasks }
    }
}

impl Desk {
    pub fn at(&self, transport: Transport) -> SocketAddr {
        self.sip.sockets.of(transport)[0]
    }
}

/// Answers every call at once.
async fn answer_all(mut incoming: mpsc::Receiver<Arrival>, sip: SipHandle) {
    let mut calls = JoinSet::new();
    while let Some(arrival) = incoming.recv().await {
        let session = arrival.incoming.session;
        let body = Bytes::from_static(b"v=0\r\n");
        let answer = Command::Answer { session, body, headers: Vec::new() };
        sip.order(Order::Command(answer)).await;
        let mut inbox = arrival.inbox;
        calls.spawn(async move { while inbox.inputs.recv().await.is_some() {} });
    }
}

/// A peer on a stream.
pub struct Peer {
    stream: Stream,
    framer: Framer,
    /// Its word in Via.
    pub transport: Transport,
    pub call: String,
}

impl Peer {
    pub fn over(stream: Stream, transport: Transport) -> Self {
        let call = clock::random().token(12);
        Self { stream, framer: Framer::new(), transport, call }
    }

    pub async fn tcp(to: SocketAddr) -> Self {
        Self::over(Box::new(TcpStream::connect(to).await.expect("a connection")), Transport::Tcp)
    }

    /// From an address that nobody knows.
    pub async fn stranger(to: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind("127.0.0.2:0".parse().expect("an address")).expect("Linux has them all");
        Self::over(Box::new(socket.connect(to).await.expect("a connection")), Transport::Tcp)
    }

    pub async fn send(&mut self, text: &str) {
        assert!(self.is_heard(text).await, "it takes it");
    }

    /// Sends, if the other side still listens.
    pub async fn is_heard(&mut self, text: &str) -> bool {
        let written = self.stream.write_all(text.as_bytes()).await;
        written.is_ok() && self.stream.flush().await.is_ok()
    }

    /// The next octets, whatever they are.
    pub async fn octets(&mut self) -> Vec<u8> {
        let mut buffer = vec![0; 4_096];
        let read = timeout(PATIENCE, self.stream.read(&mut buffer)).await.expect("in time");
        buffer.truncate(read.unwrap_or(0));
        buffer
    }

    /// The next message.
    pub async fn hear(&mut self) -> String {
        loop {
            if let Some(piece) = self.framer.poll() {
                match piece.expect("messages with a length") {
                    Piece::Message(bytes) => {
                        return String::from_utf8(bytes.to_vec()).expect("our messages are text");
                    }
                    Piece::Ping => continue,
                }
            }
            let octets = self.octets().await;
            assert!(!octets.is_empty(), "the connection was closed");
            self.framer.push(&octets);
        }
    }

    /// The next message that begins so.
    pub async fn wait_for(&mut self, start: &str) -> String {
        loop {
            let message = self.hear().await;
            if message.starts_with(start) {
                return message;
            }
        }
    }

    /// Calls and is answered; gives our tag.
    pub async fn call(&mut self) -> String {
        let invite = self.request("INVITE", 1, "");
        self.send(&invite).await;
        let ok = self.wait_for("SIP/2.0 200").await;
        let tag = to_tag(&ok);
        let ack = self.request("ACK", 1, &tag);
        self.send(&ack).await;
        tag
    }

    pub async fn hang_up(&mut self, tag: &str) {
        let bye = self.request("BYE", 2, tag);
        self.send(&bye).await;
        self.wait_for("SIP/2.0 200").await;
    }

    pub fn request(&self, method: &str, sequence: u32, tag: &str) -> String {
        request(method, sequence, (&self.call, tag), self.transport)
    }
}

pub fn request(method: &str, sequence: u32, call: (&str, &str), transport: Transport) -> String {
    let (call, tag) = call;
    let tag = if tag.is_empty() { String::new() } else { format!(";tag={tag}") };
    let body = if method == "INVITE" { "v=0\r\n" } else { "" };
    format!(
        "{method} sip:desk@127.0.0.1 SIP/2.0\r\n\
         Via: SIP/2.0/{} x.invalid;branch=z9hG4bK{call}{method}{sequence};rport\r\n\
         From: <sip:peer@x.invalid>;tag=p{call}\r\nTo: <sip:desk@127.0.0.1>{tag}\r\n\
         Call-ID: {call}\r\nCSeq: {sequence} {method}\r\nMax-Forwards: 70\r\n\
         Contact: <sip:peer@x.invalid>\r\nContent-Type: application/sdp\r\n\
         Content-Length: {}\r\n\r\n{body}",
        transport.name(),
        body.len()
    )
}

pub fn to_tag(message: &str) -> String {
    let to = message.lines().find(|line| line.starts_with("To:")).expect("To");
    to.split(";tag=").nth(1).expect("a tag").to_owned()
}

/// A folder for one test.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Self {
        let name = format!("voxtrunk-shard-{}", clock::random().token(12));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    pub fn put(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).expect("a file");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}
