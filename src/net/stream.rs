//! TCP: listening, and dialling out.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket as Raw, Type};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream};

/// A stream of octets each way: TCP, or TLS over it.
pub trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Socket for S {}

/// A stream of whatever kind.
pub type Stream = Box<dyn Socket>;

/// Binds a non-blocking TCP socket that listens. One for IPv6 carries nothing else.
///
/// # Errors
/// What the kernel says: the address is in use or not ours.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Raw::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // A server that starts again must not wait until the connections before it are forgotten.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Connects from one of our addresses.
///
/// # Errors
/// When nobody answers in time, or says no.
pub async fn dial(from: IpAddr, to: SocketAddr) -> io::Result<TcpStream> {
    let socket = if to.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    if !from.is_unspecified() {
        socket.bind(SocketAddr::new(from, 0))?;
    }
    let connected = tokio::time::timeout(DIAL_LIMIT, socket.connect(to)).await;
    let stream = connected.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 1_024;

/// How long a peer may take to answer.
const DIAL_LIMIT: Duration = Duration::from_secs(4);
