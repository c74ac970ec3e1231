//! Where SIP is spoken, and how TLS is: `[[sip.listen]]`, `[sip.tls]` and `[tls.NAME]`.

use std::net::SocketAddr;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::base::units::parsed;

/// `[[sip.listen]]`: one socket.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Listen {
    /// How SIP is carried.
    #[serde(default)]
    pub transport: Transport,
    /// Address and port.
    #[serde(deserialize_with = "parsed")]
    pub bind: SocketAddr,
    /// The name of the certificate: a table `[tls.NAME]`.
    #[serde(default)]
    pub tls: Option<String>,
    /// The web pages whose scripts may open a WebSocket here, as `https://phone.example.com`;
    /// `*` for all. Programs that are no browsers need not be listed.
    #[serde(default)]
    pub origins: Vec<String>,
}

/// How SIP is carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// UDP.
    #[default]
    Udp,
    /// TCP.
    Tcp,
    /// TLS over TCP.
    Tls,
    /// WebSocket (RFC 7118).
    Ws,
    /// WebSocket over TLS.
    Wss,
}

/// `[tls.NAME]`: a certificate.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The certificate with those that lead to its authority, as PEM.
    pub cert: PathBuf,
    /// Its key, as PEM.
    pub key: PathBuf,
    /// The authorities of clients, as PEM: who has no certificate of one of them is not let in.
    #[serde(default)]
    pub client_ca: Option<PathBuf>,
}

/// `[sip.tls]`: TLS connections that we open.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OpenedTls {
    /// The name of the certificate that we show to servers that ask: a table `[tls.NAME]`.
    pub identity: Option<String>,
    /// Authorities that are believed beside those of the system, as PEM.
    pub ca: Option<PathBuf>,
}

impl Listen {
    /// A socket without certificate.
    pub fn plain(transport: Transport, bind: SocketAddr) -> Self {
        Self { transport, bind, tls: None, origins: Vec::new() }
    }
}

impl Transport {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Ws => "ws",
            Self::Wss => "wss",
        }
    }

    /// Whether it needs a certificate.
    pub fn is_secure(self) -> bool {
        matches!(self, Self::Tls | Self::Wss)
    }

    /// Whether browsers speak it.
    pub fn is_web(self) -> bool {
        matches!(self, Self::Ws | Self::Wss)
    }
}

impl Tls {
    /// Every file that it names.
    pub fn files(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        [&mut self.cert, &mut self.key].into_iter().chain(self.client_ca.as_mut())
    }
}
