//! The door of AudioSocket: an Asterisk connects, and each connection is a call.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::base::network::Network;
use crate::engine::inlets::audio_socket::AudioSocket;
use crate::engine::inlets::peer::{Gone, Peer};
use crate::engine::inlets::talk::{self, End, House};
use crate::engine::sip_shard::visits::Visit;

/// Where it is, and who may come.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Address and port.
    pub bind: SocketAddr,
    /// Who may connect.
    pub allow: Vec<Network>,
}

/// A door that is bound.
#[derive(Debug)]
pub struct Door {
    listener: TcpListener,
    allow: Arc<[Network]>,
}

impl Door {
    /// Binds the socket.
    ///
    /// # Errors
    /// When the kernel does not give it.
    pub fn open(settings: Settings) -> io::Result<Self> {
        let listener = TcpListener::bind(settings.bind)?;
        listener.set_nonblocking(true)?;
        Ok(Self { listener, allow: settings.allow.into() })
    }

    /// Takes calls until the stop.
    pub async fn serve(self, house: House, stop: CancellationToken) {
        let listener = match tokio::net::TcpListener::from_std(self.listener) {
            Ok(listener) => listener,
            Err(why) => return tracing::error!(%why, "nobody can be served by AudioSocket"),
        };
        if let Ok(address) = listener.local_addr() {
            tracing::info!(%address, "answering by AudioSocket");
        }
        let mut calls = JoinSet::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                Some(_) = calls.join_next(), if !calls.is_empty() => {}
                accepted = listener.accept() => match accepted {
                    Ok((stream, peer)) => {
                        if calls.len() < MOST_CALLS && may_come(&self.allow, peer.ip()) {
                            calls.spawn(take(stream, peer, house.clone()));
                        } else {
                            tracing::warn!(source = %peer.ip(), "not let in by AudioSocket");
                        }
                    }
                    // Out of descriptors: what is open must close first.
                    Err(_) => tokio::time::sleep(PAUSE).await,
                },
            }
        }
    }
}

fn may_come(allow: &[Network], peer: IpAddr) -> bool {
    allow.iter().any(|network| network.contains(peer.to_canonical()))
}

async fn take(stream: TcpStream, peer: SocketAddr, house: House) {
    let mut socket = match AudioSocket::open(stream).await {
        Ok(socket) => socket,
        Err(Gone::HungUp) => return,
        Err(Gone::Broken(why)) => {
            return tracing::warn!(source = %peer.ip(), why, "no call by AudioSocket");
        }
    };
    let id = socket.call().to_string();
    let visit = Visit {
        door: NAME.into(),
        number: id.clone(),
        headers: vec![("X-AudioSocket-ID".to_owned(), id.clone())],
        call_id: id.clone(),
        ..Visit::default()
    };
    let rate = socket.rate().0;
    let end = talk::carry(&house, visit, &mut socket).await;
    match end {
        End::Refused(status, why) => {
            tracing::warn!(id, status, why, "a call by AudioSocket was not taken");
        }
        End::Broken(why) => tracing::warn!(id, why, "a call by AudioSocket broke off"),
        End::ByUs | End::ByPeer => tracing::debug!(id, rate, ?end, "a call by AudioSocket ended"),
    }
}

/// What routes know it by.
pub const NAME: &str = "audiosocket";

/// The most calls at once.
const MOST_CALLS: usize = 1_024;

/// How long nobody is let in when the machine has no descriptors.
const PAUSE: Duration = Duration::from_millis(200);
