//! A web service on the loopback that notes what it is asked and answers as a test wants.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::server::{PATIENCE, within};

/// A web service that notes what it is asked.
#[derive(Debug)]
pub struct Service {
    address: std::net::SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    _tasks: JoinSet<()>,
}

/// A request; the names of its headers are in lower case.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The request line and the headers.
    pub head: String,
    /// The body.
    pub body: String,
}

/// What it answers, and after how long.
#[derive(Debug)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The headers, each with its line end.
    pub headers: String,
    /// The body.
    pub body: String,
    /// How long it takes.
    pub after: Duration,
}

impl Service {
    /// Opens one.
    pub async fn open(answers: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (seen, answers) = (Arc::new(Mutex::new(Vec::new())), Arc::new(answers));
        let (notes, mut tasks) = (seen.clone(), JoinSet::new());
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (notes, answers) = (notes.clone(), answers.clone());
                connections.spawn(async move {
                    serve(stream, &notes, &*answers).await;
                });
            }
        });
        Self { address, seen, _tasks: tasks }
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its host and port.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// What it was asked.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("unpoisoned").clone()
    }

    /// Waits until it was asked so often.
    pub async fn wait_for(&self, count: usize) -> Vec<Seen> {
        within(PATIENCE, &format!("{count} requests"), || {
            Some(self.seen()).filter(|seen| seen.len() >= count)
        })
        .await
    }
}

impl Seen {
    /// The path.
    pub fn path(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or_default()
    }

    /// The method of a request in JSON-RPC.
    pub fn rpc_method(&self) -> String {
        let asked: Value = serde_json::from_str(&self.body).unwrap_or_default();
        asked["method"].as_str().unwrap_or_default().to_owned()
    }

    /// A header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.into_iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }
}

impl Reply {
    /// An answer in JSON.
    pub fn json(body: Value) -> Self {
        Self::text("application/json", body.to_string())
    }

    /// An answer of a media type.
    pub fn text(media_type: &str, body: String) -> Self {
        let headers = format!("Content-Type: {media_type}\r\n");
        Self { status: 200, headers, body, after: Duration::ZERO }
    }

    /// An answer that leads elsewhere.
    pub fn moved(to: &str) -> Self {
        let headers = format!("Location: {to}/\r\n");
        Self { status: 307, headers, body: String::new(), after: Duration::ZERO }
    }

    /// The same with one more header.
    pub fn with(self, header: &str) -> Self {
        Self { headers: format!("{}{header}\r\n", self.headers), ..self }
    }

    /// The same, after a while.
    pub fn after(self, after: Duration) -> Self {
        Self { after, ..self }
    }
}

/// Answers the requests of a connection.
async fn serve(
    mut stream: TcpStream,
    notes: &Mutex<Vec<Seen>>,
    answers: &(dyn Fn(&Seen) -> Reply + Send + Sync),
) -> Option<()> {
    loop {
        let mut octets = Vec::new();
        let end = loop {
            if let Some(end) = octets.windows(4).position(|it| it == b"\r\n\r\n") {
                break end + 4;
            }
            let mut piece = [0; 4_096];
            match stream.read(&mut piece).await.ok()? {
                0 => {
                    // A handshake of TLS that nobody expects is something, too.
                    if !octets.is_empty() {
                        let head = String::from_utf8_lossy(&octets).into_owned();
                        let seen = Seen { head, body: String::new() };
                        notes.lock().expect("unpoisoned").push(seen);
                    }
                    return None;
                }
                count => octets.extend_from_slice(&piece[..count]),
            }
        };
        let head = String::from_utf8_lossy(&octets[..end]).into_owned();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length = length.and_then(|length| length.parse().ok()).unwrap_or(0);
        let mut body = octets.split_off(end);
        while body.len() < length {
            let mut piece = [0; 4_096];
            match stream.read(&mut piece).await.ok()? {
                0 => return None,
                count => body.extend_from_slice(&piece[..count]),
            }
        }
        let seen = Seen { head, body: String::from_utf8_lossy(&body).into_owned() };
        notes.lock().expect("unpoisoned").push(seen.clone());
        let Reply { status, headers, body, after } = answers(&seen);
        tokio::time::sleep(after).await;
        let head =
            format!("HTTP/1.1 {status} X\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
        stream.write_all(head.as_bytes()).await.ok()?;
        stream.write_all(body.as_bytes()).await.ok()?;
    }
}
