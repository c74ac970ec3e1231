//! The door: takes connections, and lets nobody hold one without saying anything. The number of
//! connections is bounded, in all and from each address.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::net::tls;
use crate::server::http::gate::Peer;
use crate::server::http::upgrade::Afterwards;

/// A socket that is bound.
#[derive(Debug)]
pub struct Door {
    listener: TcpListener,
    tls: Option<Arc<tls::Server>>,
    patience: Patience,
}

/// How long who comes may take.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// For the handshake of TLS.
    pub handshake: Duration,
    /// From the beginning of the connection, or the end of the last answer, to the end of the next
    /// head.
    pub head: Duration,
    /// For what we send to be taken.
    pub taken: Duration,
    /// To end an answer when the server stops.
    pub end: Duration,
}

impl Door {
    /// Binds a socket.
    ///
    /// # Errors
    /// When the kernel does not give it.
    pub fn open(bind: SocketAddr, tls: Option<tls::Server>) -> io::Result<Self> {
        let listener = TcpListener::bind(bind)?;
        listener.set_nonblocking(true)?;
        Ok(Self { listener, tls: tls.map(Arc::new), patience: Patience::default() })
    }

    /// Where it is.
    ///
    /// # Errors
    /// When the kernel does not say so.
    pub fn local(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop`; then answers under way are ended.
    pub async fn serve(self, router: Router, stop: CancellationToken) {
        let listener = match tokio::net::TcpListener::from_std(self.listener) {
            Ok(listener) => listener,
            Err(why) => return tracing::error!(%why, "nobody can be served by HTTP"),
        };
        let (mut visits, mut present) = (JoinSet::new(), Present::default());
        let mut renewal = tokio::time::interval(CERTIFICATES_EVERY);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                Some(left) = visits.join_next_with_id(), if !visits.is_empty() => {
                    let id = match left { Ok((id, ())) => id, Err(why) => why.id() };
                    present.leave(id);
                }
                _ = renewal.tick() => renew(self.tls.as_deref()),
                accepted = listener.accept() => match accepted {
                    Ok((stream, peer)) if present.has_room(peer.ip()) => {
                        let visit = Visit {
                            tls: self.tls.clone(),
                            router: router.clone(),
                            patience: self.patience,
                            peer: peer.ip(),
                            stop: stop.clone(),
                        };
                        let id = visits.spawn(visit.serve(stream)).id();
                        present.enter(id, peer.ip());
                    }
                    // Too many are here: the connection is closed.
                    Ok(_) => {}
                    // Out of descriptors: what is open must close first.
                    Err(_) => tokio::time::sleep(PAUSE).await,
                },
            }
        }
        timeout(self.patience.end, async { while visits.join_next().await.is_some() {} })
            .await
            .ok();
    }
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(5),
            head: Duration::from_secs(10),
            taken: Duration::from_secs(30),
            end: Duration::from_secs(3),
        }
    }
}

/// Who is here.
#[derive(Debug, Default)]
struct Present {
    visits: HashMap<tokio::task::Id, IpAddr>,
    peers: HashMap<IpAddr, usize>,
}

impl Present {
    fn has_room(&self, peer: IpAddr) -> bool {
        let from_there = self.peers.get(&peer).copied().unwrap_or_default();
        self.visits.len() < MOST_CONNECTIONS && from_there < MOST_FROM_ONE
    }

    fn enter(&mut self, id: tokio::task::Id, peer: IpAddr) {
        self.visits.insert(id, peer);
        *self.peers.entry(peer).or_default() += 1;
    }

    fn leave(&mut self, id: tokio::task::Id) {
        let Some(peer) = self.visits.remove(&id) else { return };
        let Some(count) = self.peers.get_mut(&peer) else { return };
        *count -= 1;
        if *count == 0 {
            self.peers.remove(&peer);
        }
    }
}

/// One connection.
struct Visit {
    tls: Option<Arc<tls::Server>>,
    router: Router,
    patience: Patience,
    peer: IpAddr,
    stop: CancellationToken,
}

impl Visit {
    async fn serve(self, stream: TcpStream) {
        // Who does not take what is sent is gone, whatever his kernel says.
        let socket = SockRef::from(&stream);
        socket.set_tcp_user_timeout(Some(self.patience.taken)).ok();
        socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(self.patience.taken)).ok();
        stream.set_nodelay(true).ok();
        match self.tls.as_ref().map(|tls| tls.acceptor()) {
            None => self.speak(stream).await,
            Some(acceptor) => {
                let shaken = timeout(self.patience.handshake, acceptor.accept(stream)).await;
                if let Ok(Ok(stream)) = shaken {
                    self.speak(stream).await;
                }
            }
        }
    }

    async fn speak(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let (inner, peer) = (TowerToHyperService::new(self.router), Peer(self.peer));
        let afterwards = Afterwards::default();
        let later = afterwards.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer);
            request.extensions_mut().insert(later.clone());
            let answer = inner.call(request);
            async move { answer.await as Result<Response, Infallible> }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.patience.head)
            .max_buf_size(LARGEST_HEAD)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        let mut connection = std::pin::pin!(connection);
        // Peers break connections as they like: there is nothing to say about it.
        tokio::select! {
            _ = &mut connection => {}
            () = self.stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                timeout(self.patience.end, connection).await.ok();
                return;
            }
        }
        if let Some(mut work) = afterwards.take() {
            tokio::select! {
                () = &mut work => {}
                // Whoever watches is told that the server stops.
                () = self.stop.cancelled() => {
                    timeout(self.patience.end, work).await.ok();
                }
            }
        }
    }
}

fn renew(tls: Option<&tls::Server>) {
    if let Some(Err(why)) = tls.map(tls::Server::refresh) {
        tracing::error!(%why, "a certificate was changed and cannot be used: the former one stays");
    }
}

/// The most connections.
const MOST_CONNECTIONS: usize = 512;

/// The most connections from one address.
const MOST_FROM_ONE: usize = 64;

/// The longest head of a request, in octets.
const LARGEST_HEAD: usize = 16 * 1_024;

/// How often it is looked whether certificates have changed.
const CERTIFICATES_EVERY: Duration = Duration::from_secs(60);

/// How long nobody is let in when the machine has no descriptors.
const PAUSE: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    async fn served(patience: Patience) -> (SocketAddr, CancellationToken, Arc<AtomicUsize>) {
        let mut door =
            Door::open("127.0.0.1:0".parse().expect("an address"), None).expect("a door");
        door.patience = patience;
        let (address, stop) = (door.local().expect("an address"), CancellationToken::new());
        let asked = Arc::new(AtomicUsize::new(0));
        let count = asked.clone();
        let answer = move || async move {
            count.fetch_add(1, Ordering::Relaxed);
            "here"
        };
        tokio::task::spawn(door.serve(Router::new().route("/", get(answer)), stop.clone()));
        (address, stop, asked)
    }

    async fn said(address: SocketAddr, text: &[u8]) -> String {
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        stream.write_all(text).await.ok();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.ok();
        String::from_utf8_lossy(&answer).into_owned()
    }

    #[tokio::test]
    async fn who_says_nothing_or_half_a_head_is_shown_out() {
        let patience = Patience { head: Duration::from_millis(100), ..Patience::default() };
        let (address, stop, asked) = served(patience).await;
        // Each of these would wait for ever at a door that waits.
        assert_eq!(said(address, b"").await, "");
        said(address, b"GET / HTTP/1.1\r\nHost: x\r\n").await;
        assert_eq!(asked.load(Ordering::Relaxed), 0);
        let answer = said(address, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("here"), "{answer}");
        let long = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(100_000));
        assert!(!said(address, long.as_bytes()).await.contains("200 OK"));
        let double = b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab";
        assert!(said(address, double).await.starts_with("HTTP/1.1 400"));
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        stop.cancel();
    }

    #[tokio::test]
    async fn one_address_does_not_take_every_place() {
        let (address, stop, _) = served(Patience::default()).await;
        let mut crowd = Vec::new();
        for _ in 0..MOST_FROM_ONE {
            crowd.push(TcpStream::connect(address).await.expect("a connection"));
        }
        assert_eq!(said(address, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await, "");
        drop(crowd);
        let request = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        while !said(address, request).await.ends_with("here") {
            tokio::task::yield_now().await;
        }
        stop.cancel();
    }
}
