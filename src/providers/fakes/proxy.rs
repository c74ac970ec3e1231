//! A proxy that stands in front of a stand-in and spoils what goes through it: any protocol that
//! begins with HTTP, so that every adapter can be tried with every fault.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;
use socket2::SockRef;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::web::read_request;

/// What is done to those who come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    Well,
    /// Nobody listens.
    Refused,
    /// Requests are refused with a status, and perhaps with a time to wait in seconds.
    Answers(u16, Option<u32>),
    /// Requests are taken and never answered.
    Silent,
    /// Requests are answered with a page of a web server.
    Page,
    /// Answers come an octet a second.
    Drips,
    /// Answers stop after so many octets behind their head, and nothing more comes.
    StallsAfter(usize),
    /// The connection is reset there.
    CutsAfter(usize),
    /// The connection is closed there, as if that were all.
    EndsAfter(usize),
    /// Answers are not in the protocol: their quotation marks are others.
    Garbled,
    /// Letters of answers are halves of UTF-8 characters.
    HalfLetters,
}

/// A proxy at work. Dropping it ends all its connections.
#[derive(Debug)]
pub struct Proxy {
    /// Where it listens.
    pub address: SocketAddr,
    fault: watch::Sender<Fault>,
    _tasks: JoinSet<()>,
}

impl Proxy {
    /// Opens a free port of 127.0.0.1 in front of a stand-in.
    ///
    /// # Errors
    /// When there is none.
    pub async fn open(target: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (fault, faults) = watch::channel(Fault::Well);
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(listener, target, faults));
        Ok(Self { address, fault, _tasks: tasks })
    }

    /// Where its API begins: `http://127.0.0.1:…`.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on, this is done. Connections that are open are closed.
    pub fn arm(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }
}

async fn serve(listener: TcpListener, target: SocketAddr, mut faults: watch::Receiver<Fault>) {
    let mut connections = JoinSet::new();
    loop {
        let fault = *faults.borrow_and_update();
        if fault == Fault::Refused {
            // For good: the port may be somebody else's.
            return;
        }
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((client, _)) = accepted else { return };
                while connections.try_join_next().is_some() {}
                client.set_nodelay(true).ok();
                connections.spawn(carry(client, target, fault));
            }
            changed = faults.changed() => {
                connections.abort_all();
                if changed.is_err() {
                    return;
                }
            }
        }
    }
}

/// Carries the requests of a connection to the stand-in, and their answers back.
async fn carry(mut client: TcpStream, target: SocketAddr, fault: Fault) {
    while let Some((head, body)) = read_request(&mut client).await {
        let answered = match fault {
            Fault::Silent => return std::future::pending().await,
            Fault::Answers(status, after) => refuse(&mut client, status, after).await,
            Fault::Page => page(&mut client).await,
            _ => Ok(()),
        };
        match fault {
            Fault::Answers(..) | Fault::Page if answered.is_ok() => continue,
            _ if answered.is_err() => return,
            _ => {}
        }
        let Ok(mut server) = TcpStream::connect(target).await else { return };
        server.set_nodelay(true).ok();
        let asked = [head.as_bytes(), &body].concat();
        if server.write_all(&asked).await.is_err() {
            return;
        }
        // What only warms a connection is let through.
        let fault = if head.starts_with("GET ") && !is_socket(&head) { Fault::Well } else { fault };
        let spoiler = Spoiler { fault, passed: 0, end: Vec::new() };
        let lasts = if is_socket(&head) {
            duplex(&mut client, &mut server, spoiler).await
        } else {
            answer(&mut client, &mut server, spoiler).await
        };
        if lasts.is_none() {
            return;
        }
    }
}

fn is_socket(head: &str) -> bool {
    head.to_ascii_lowercase().contains("upgrade: websocket")
}

async fn refuse(client: &mut TcpStream, status: u16, after: Option<u32>) -> io::Result<()> {
    let code = match status {
        401 => "invalid_api_key",
        404 => "model_not_found",
        _ => "no",
    };
    let body = json!({ "error": { "message": "No.", "code": code } }).to_string();
    let wait = after.map(|after| format!("Retry-After: {after}\r\n")).unwrap_or_default();
    let length = body.len();
    let text = format!("HTTP/1.1 {status} No\r\n{wait}Content-Length: {length}\r\n\r\n{body}");
    client.write_all(text.as_bytes()).await
}

async fn page(client: &mut TcpStream) -> io::Result<()> {
    let body = "<html><body><h1>It works!</h1></body></html>".repeat(20);
    let length = body.len();
    let text = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    client.write_all(text.as_bytes()).await
}

/// Gives one answer back; `None` when the connection is over.
async fn answer(
    client: &mut TcpStream,
    server: &mut TcpStream,
    mut spoiler: Spoiler,
) -> Option<()> {
    let (mut head, mut left) = (Vec::new(), None);
    loop {
        let mut piece = Vec::new();
        if server.read_buf(&mut piece).await.ok()? == 0 {
            return None;
        }
        if left.is_none() {
            head.extend_from_slice(&piece);
            let Some(end) = head.windows(4).position(|it| it == b"\r\n\r\n") else { continue };
            piece = head.split_off(end + 4);
            left = Some(length(&head));
            client.write_all(&head).await.ok()?;
        }
        spoiler.pass(client, &piece).await?;
        match &mut left {
            Some(Some(length)) => {
                *length = length.saturating_sub(piece.len());
                if *length == 0 {
                    return Some(());
                }
            }
            Some(None) if spoiler.end.ends_with(b"0\r\n\r\n") => return Some(()),
            Some(None) | None => {}
        }
    }
}

/// The length of a body, if its head names it.
fn length(head: &[u8]) -> Option<usize> {
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok())
}

/// Carries both ways until one of them ends.
async fn duplex(
    client: &mut TcpStream,
    server: &mut TcpStream,
    mut spoiler: Spoiler,
) -> Option<()> {
    let (mut up, mut down) = (Vec::new(), Vec::new());
    let mut opened = false;
    loop {
        tokio::select! {
            read = client.read_buf(&mut up) => {
                if read.ok()? == 0 || server.write_all(&up).await.is_err() {
                    return None;
                }
                up.clear();
            }
            read = server.read_buf(&mut down) => {
                if read.ok()? == 0 {
                    return None;
                }
                if !opened {
                    let Some(end) = down.windows(4).position(|it| it == b"\r\n\r\n") else { continue };
                    let rest = down.split_off(end + 4);
                    client.write_all(&down).await.ok()?;
                    (down, opened) = (rest, true);
                }
                spoiler.pass(client, &down).await?;
                down.clear();
            }
        }
    }
}

/// What spoils an answer.
struct Spoiler {
    fault: Fault,
    passed: usize,
    /// The last octets as they came.
    end: Vec<u8>,
}

impl Spoiler {
    /// Passes a piece on, as far as it goes; `None` when the connection is over.
    async fn pass(&mut self, client: &mut TcpStream, piece: &[u8]) -> Option<()> {
        self.end.extend_from_slice(piece);
        self.end.drain(..self.end.len().saturating_sub(8));
        let before = self.passed;
        self.passed += piece.len();
        match self.fault {
            Fault::StallsAfter(most) | Fault::CutsAfter(most) | Fault::EndsAfter(most)
                if self.passed > most =>
            {
                let last = piece.get(..most.saturating_sub(before)).unwrap_or_default();
                client.write_all(last).await.ok()?;
                match self.fault {
                    Fault::StallsAfter(_) => return std::future::pending().await,
                    Fault::CutsAfter(_) => {
                        // Without lingering, closing is a reset.
                        SockRef::from(&*client).set_linger(Some(Duration::ZERO)).ok();
                    }
                    _ => {}
                }
                None
            }
            Fault::Drips => {
                for octet in piece {
                    sleep(Duration::from_secs(1)).await;
                    client.write_all(&[*octet]).await.ok()?;
                }
                Some(())
            }
            Fault::Garbled => self.spoilt(client, piece, (b'"', b'\'')).await,
            Fault::HalfLetters => self.spoilt(client, piece, (b't', 0xC3)).await,
            _ => client.write_all(piece).await.ok(),
        }
    }

    async fn spoilt(
        &self,
        client: &mut TcpStream,
        piece: &[u8],
        (from, to): (u8, u8),
    ) -> Option<()> {
        let spoilt: Vec<u8> =
            piece.iter().map(|octet| if *octet == from { to } else { *octet }).collect();
        client.write_all(&spoilt).await.ok()
    }
}
