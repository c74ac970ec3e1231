//! Questions of the exchange to the resolver, asked beside the shard: the receive path never waits.

use std::net::SocketAddr;

use tokio::task::JoinSet;

use crate::call::exchange::LookupId;
use crate::sip::event::Flow;
use crate::sip::uri::{Host, Uri};

/// The questions that have no answer yet.
#[derive(Debug)]
pub struct Lookups {
    sockets: Vec<SocketAddr>,
    running: JoinSet<(LookupId, Vec<Flow>)>,
}

impl Lookups {
    /// Makes a table without questions; answers lead through these sockets.
    pub fn new(sockets: Vec<SocketAddr>) -> Self {
        Self { sockets, running: JoinSet::new() }
    }

    /// Asks where a SIP URI leads.
    pub fn ask(&mut self, lookup: LookupId, uri: String) {
        let sockets = self.sockets.clone();
        self.running.spawn(async move { (lookup, resolve(&uri, &sockets).await) });
    }

    /// Waits for the next answer; `None` when nothing was asked.
    pub async fn next(&mut self) -> Option<(LookupId, Vec<Flow>)> {
        self.running.join_next().await?.ok()
    }
}

/// The addresses of a host, in the order of the system's resolver.
async fn resolve(uri: &str, sockets: &[SocketAddr]) -> Vec<Flow> {
    let Ok(uri) = Uri::parse(uri) else { return Vec::new() };
    let host = match uri.host() {
        Some(Host::Name(name)) => name.to_owned(),
        Some(Host::Address(address)) => address.to_string(),
        None => return Vec::new(),
    };
    let port = uri.port().unwrap_or(DEFAULT_PORT);
    let Ok(found) = tokio::net::lookup_host((host, port)).await else { return Vec::new() };
    let flow = |remote: SocketAddr| {
        let local = sockets.iter().find(|socket| socket.is_ipv4() == remote.is_ipv4())?;
        Some(Flow::udp(*local, remote))
    };
    found.filter_map(flow).collect()
}

/// The port of SIP when none is written and no SRV record names one.
const DEFAULT_PORT: u16 = 5060;
