//! Where somebody is reached whom a phone is to call: the address behind a SIP URI.

use std::net::{IpAddr, SocketAddr};

use crate::engine::clock;
use crate::net::dns::Names;
use crate::sip::event::Transport;
use crate::sip::route::Sockets;
use crate::sip::uri::{Host, Uri};

/// Where a target is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    /// How it is spoken to.
    pub transport: Transport,
    /// Its address.
    pub remote: SocketAddr,
    /// The name that it was found by.
    pub domain: Option<String>,
}

/// The target is no SIP URI with a host that resolves.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not an address to call: write sip:NAME@HOST, with :PORT or ;transport=tcp or tls behind it if need be"
)]
pub struct NoAddress(pub String);

/// Finds the address behind `sip:NAME@HOST:PORT;transport=tcp` (RFC 3263).
///
/// # Errors
/// When it is no such URI or the host is unknown.
pub async fn resolve(target: &str) -> Result<Reached, NoAddress> {
    let wrong = || NoAddress(target.to_owned());
    let any = |ip: IpAddr| (Transport::Udp, SocketAddr::new(ip, 0));
    let any = Sockets::new([any([0, 0, 0, 0].into()), any([0_u16; 8].into())]);
    let domain = match Uri::parse(target).map_err(|_| wrong())?.host() {
        Some(Host::Name(name)) => Some(name.to_owned()),
        Some(Host::Address(_)) => None,
        None => return Err(wrong()),
    };
    let flow = match any.straight(target) {
        Some(flow) => flow,
        None if domain.is_none() => return Err(wrong()),
        None => {
            let names = Names::of_system().map_err(|_| wrong())?;
            let found = names.flows(target, &any, clock::random()).await;
            found.unwrap_or_default().into_iter().next().ok_or_else(wrong)?
        }
    };
    Ok(Reached { transport: flow.transport, remote: flow.remote, domain })
}
