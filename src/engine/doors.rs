//! The doors of a SIP shard: every socket on which it listens, bound before anything else begins.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::Interest;
use tokio::net::{TcpListener, TcpStream, UdpSocket};

use crate::net::burst::{self, Burst};
use crate::net::line::Line;
use crate::net::stream::{self, Stream};
use crate::net::tls::{self, TlsError};
use crate::net::udp;
use crate::net::websocket::{self, Origins};
use crate::sip::event::Transport;
use crate::sip::route::Sockets;

/// What a shard listens on, and how it reaches others.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Where to listen, the most important first.
    pub listen: Vec<Listen>,
    /// Who we are in TLS connections that we open, and whom we believe beside the authorities of
    /// the system.
    pub client: tls::Files,
    /// The name servers; without any those of the system.
    pub name_servers: Vec<SocketAddr>,
}

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// What is spoken there.
    pub transport: Transport,
    /// Address and port.
    pub bind: SocketAddr,
    /// The certificate of TLS, and the authorities whose certificates clients need.
    pub tls: tls::Files,
    /// The web pages that may open a WebSocket.
    pub origins: Vec<String>,
}

/// Why a door does not open.
#[derive(Debug, thiserror::Error)]
pub enum DoorError {
    /// The socket cannot be had.
    #[error("{transport} on {address}: {why}")]
    Bind {
        /// What was to be spoken there.
        transport: Transport,
        /// The address.
        address: SocketAddr,
        /// What the kernel says.
        why: io::Error,
    },
    /// The certificate cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// The open doors.
#[derive(Debug)]
pub struct Doors {
    /// The sockets for datagrams.
    pub udp: Vec<Datagrams>,
    /// The sockets that connections come through.
    pub streams: Vec<Entrance>,
    /// All of them, as others reach them.
    pub sockets: Sockets,
    /// For connections that we open.
    pub client: tls::Files,
    /// The name servers, if not those of the system.
    pub name_servers: Vec<SocketAddr>,
}

/// A socket for datagrams.
#[derive(Debug)]
pub struct Datagrams {
    /// The socket.
    pub socket: UdpSocket,
    /// Its address.
    pub local: SocketAddr,
}

/// A socket that connections come through.
#[derive(Debug)]
pub struct Entrance {
    /// The socket.
    pub listener: TcpListener,
    /// What is spoken behind it.
    pub door: Arc<Door>,
}

/// What happens to somebody who comes through an entrance.
#[derive(Debug)]
pub struct Door {
    /// What is spoken.
    pub transport: Transport,
    /// Its address.
    pub local: SocketAddr,
    tls: Option<tls::Server>,
    asks_for_certificates: bool,
    origins: Origins,
}

impl Listen {
    /// A socket without certificates.
    pub fn plain(transport: Transport, bind: SocketAddr) -> Self {
        Self { transport, bind, tls: tls::Files::default(), origins: Vec::new() }
    }
}

impl Doors {
    /// Opens every door. To be called within the runtime.
    ///
    /// # Errors
    /// When one does not open.
    pub fn open(mut settings: Settings) -> Result<Self, DoorError> {
        if settings.client != tls::Files::default() {
            // Better no server than one whose calls fail later.
            tls::Client::load(settings.client.clone())?;
        }
        let (mut udp, mut streams, mut sockets) = (Vec::new(), Vec::new(), Vec::new());
        for listen in std::mem::take(&mut settings.listen) {
            let (transport, address) = (listen.transport, listen.bind);
            let failed = |why| DoorError::Bind { transport, address, why };
            let local = if transport == Transport::Udp {
                let datagrams = Datagrams::bind(address).map_err(failed)?;
                let local = datagrams.local;
                udp.push(datagrams);
                local
            } else {
                let entrance = Entrance::bind(listen, &failed)?;
                let local = entrance.door.local;
                streams.push(entrance);
                local
            };
            sockets.push((transport, local));
        }
        let sockets = Sockets::new(sockets);
        let Settings { client, name_servers, .. } = settings;
        Ok(Self { udp, streams, sockets, client, name_servers })
    }

    /// The address of the first door.
    pub fn first(&self) -> Option<SocketAddr> {
        self.sockets.iter().next().map(|(_, local)| local)
    }
}

impl Datagrams {
    fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = UdpSocket::from_std(udp::bind(address, udp::SIP_BUFFER)?)?;
        let local = socket.local_addr()?;
        Ok(Self { socket, local })
    }

    /// Takes a burst of datagrams, which may be none.
    ///
    /// # Errors
    /// When the socket must be waited for.
    pub fn take(&self, burst: &mut Burst) -> io::Result<Vec<(Bytes, SocketAddr)>> {
        let mut taken = Vec::new();
        let read = self.socket.try_io(Interest::READABLE, || {
            taken = burst.take(&self.socket)?;
            // A burst that is not full has emptied the socket: it need not be asked whether there
            // is more. Whatever comes from now on wakes us.
            if taken.len() < burst::AT_ONCE {
                Err(io::ErrorKind::WouldBlock.into())
            } else {
                Ok(())
            }
        });
        match read {
            Err(why) if why.kind() == io::ErrorKind::WouldBlock && taken.is_empty() => Err(why),
            // Another error is an ICMP for something that we sent: it ends nothing.
            Err(_) | Ok(()) => Ok(taken),
        }
    }
}

/// Waits until one of several sockets has something; gives its place.
pub async fn readable(sockets: &[Datagrams]) -> usize {
    std::future::poll_fn(|context| {
        let ready = |it: &Datagrams| it.socket.poll_recv_ready(context).is_ready();
        sockets.iter().position(ready).map_or(Poll::Pending, Poll::Ready)
    })
    .await
}

impl Entrance {
    fn bind(listen: Listen, failed: &dyn Fn(io::Error) -> DoorError) -> Result<Self, DoorError> {
        let listener = stream::listen(listen.bind).map_err(failed)?;
        let listener = TcpListener::from_std(listener).map_err(failed)?;
        let local = listener.local_addr().map_err(failed)?;
        let asks_for_certificates = listen.tls.authorities.is_some();
        let is_secure = listen.transport.is_secure();
        let tls = is_secure.then(|| tls::Server::load(listen.tls)).transpose()?;
        let door = Door {
            transport: listen.transport,
            local,
            tls,
            asks_for_certificates,
            origins: Origins::new(listen.origins),
        };
        Ok(Self { listener, door: Arc::new(door) })
    }
}

impl Door {
    /// Does all that comes before the first message; `None` when it fails or takes too long.
    pub async fn welcome(&self, socket: TcpStream) -> Option<Line> {
        tokio::time::timeout(HANDSHAKE_LIMIT, self.shake_hands(socket)).await.ok().flatten()
    }

    async fn shake_hands(&self, socket: TcpStream) -> Option<Line> {
        socket.set_nodelay(true).ok()?;
        let stream: Stream = match &self.tls {
            Some(server) => Box::new(server.acceptor().accept(socket).await.ok()?),
            None => Box::new(socket),
        };
        match self.transport {
            Transport::Ws | Transport::Wss => {
                let socket = websocket::accept(stream, &self.origins).await.ok()?;
                Some(Line::Web(Box::new(socket)))
            }
            Transport::Udp | Transport::Tcp | Transport::Tls => Some(Line::Octets(stream)),
        }
    }

    /// Whether whoever is welcome has shown a certificate.
    pub fn asks_for_certificates(&self) -> bool {
        self.tls.is_some() && self.asks_for_certificates
    }

    /// Looks whether the certificate has changed on the disk.
    pub fn refresh(&self) {
        let Some(server) = &self.tls else { return };
        match server.refresh() {
            Ok(true) => tracing::info!(address = %self.local, "the certificate was read again"),
            Ok(false) => {}
            Err(why) => {
                tracing::error!(address = %self.local, %why, "the former certificate stays in use");
            }
        }
    }
}

/// How long TLS and WebSocket may take to shake hands (T25).
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(5);
