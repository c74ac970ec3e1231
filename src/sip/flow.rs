//! How SIP is carried, and between whom.

use std::fmt;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// How SIP is carried (RFC 3261 18, RFC 7118).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// A TCP connection.
    Tcp,
    /// TLS over TCP.
    Tls,
    /// A WebSocket.
    Ws,
    /// A WebSocket over TLS.
    Wss,
}

/// Where a message came from or goes to: how it is carried, our address and the peer's. Of a
/// stream, the transport and the peer's address name the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Flow {
    /// How it is carried.
    pub transport: Transport,
    /// Our socket's address; of a stream that of the listening one, since that is where others
    /// reach us.
    pub local: SocketAddr,
    /// The peer's address.
    pub remote: SocketAddr,
}

/// The name of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Connection {
    /// What it carries SIP by.
    pub transport: Transport,
    /// The peer's address.
    pub remote: SocketAddr,
}

impl Transport {
    /// Reads the word in a Via or in `;transport=`, without case.
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|transport| text.eq_ignore_ascii_case(transport.name()))
    }

    /// The word in Via: `UDP`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::Ws => "WS",
            Self::Wss => "WSS",
        }
    }

    /// What a SIP URI says of it: nothing of datagrams, which is what it means without a word; `ws`
    /// of both kinds of WebSocket (RFC 7118 5.5.1).
    pub fn uri_param(self) -> &'static str {
        match self {
            Self::Udp => "",
            Self::Tcp => ";transport=tcp",
            Self::Tls => ";transport=tls",
            Self::Ws | Self::Wss => ";transport=ws",
        }
    }

    /// Whether nothing is lost on the way unless the connection is: then no message is repeated.
    pub fn is_reliable(self) -> bool {
        self != Self::Udp
    }

    /// Whether nobody on the way can read or change what it carries.
    pub fn is_secure(self) -> bool {
        matches!(self, Self::Tls | Self::Wss)
    }

    /// The port when none is written (RFC 3261 19.1.2, RFC 7118 5.5.1).
    pub fn default_port(self) -> u16 {
        match self {
            Self::Udp | Self::Tcp => 5060,
            Self::Tls => 5061,
            Self::Ws => 80,
            Self::Wss => 443,
        }
    }

    /// All there are.
    pub const ALL: [Self; 5] = [Self::Udp, Self::Tcp, Self::Tls, Self::Ws, Self::Wss];
}

impl Flow {
    /// A flow of datagrams.
    pub fn udp(local: SocketAddr, remote: SocketAddr) -> Self {
        Self { transport: Transport::Udp, local, remote }
    }

    /// Whether two flows lead to one peer: the same address. The port may differ, as NAT and peers
    /// with more than one socket have it. Nobody who speaks in clear is a peer known by TLS.
    pub fn is_of_one_peer(&self, other: &Self) -> bool {
        let is_as_safe = !self.transport.is_secure() || other.transport.is_secure();
        is_as_safe && self.remote.ip() == other.remote.ip()
    }

    /// The connection that it goes through, when it is a stream's.
    pub fn connection(&self) -> Option<Connection> {
        let Self { transport, remote, .. } = *self;
        transport.is_reliable().then_some(Connection { transport, remote })
    }

    /// The same flow to another port of the peer.
    #[must_use]
    pub fn to_port(mut self, port: u16) -> Self {
        self.remote.set_port(port);
        self
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name().to_ascii_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transport_is_read_as_it_is_written() {
        for transport in Transport::ALL {
            assert_eq!(Transport::from_text(transport.name()), Some(transport));
            assert_eq!(Transport::from_text(&transport.to_string()), Some(transport));
        }
        assert_eq!(Transport::from_text("SCTP"), None);
    }

    #[test]
    fn whoever_speaks_in_clear_is_no_peer_known_by_tls() {
        let plain = Flow::udp("192.0.2.1:5060".parse().unwrap(), "192.0.2.9:5060".parse().unwrap());
        let safe = Flow { transport: Transport::Tls, ..plain.to_port(40_000) };
        assert!(plain.is_of_one_peer(&safe));
        assert!(!safe.is_of_one_peer(&plain));
    }
}
