//! Whether somebody takes connections at a host that tools go to, by the ways that they go: on the
//! public internet, unless the operator allows the host (T13).

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use crate::base::network;
use crate::base::url::Host;
use crate::net::careful::NOT_PUBLIC;

/// Opens a connection and closes it again.
///
/// # Errors
/// When nobody takes it in time: why, in a few words.
pub async fn reach(host: &str, port: u16, allowed: &[Host]) -> Result<(), &'static str> {
    let is_allowed = allowed.iter().any(|it| it.is(host, port));
    let name = host.trim_matches(['[', ']']);
    let trying = async {
        let found = lookup_host((name, port)).await.map_err(|_| "it has no address")?;
        let may = |found: &SocketAddr| is_allowed || network::is_public(found.ip());
        let addresses: Vec<SocketAddr> = found.filter(may).collect();
        if addresses.is_empty() {
            return Err(NOT_PUBLIC);
        }
        match TcpStream::connect(addresses.as_slice()).await {
            Ok(_) => Ok(()),
            Err(_) => Err("it takes no connection"),
        }
    };
    timeout(PATIENCE, trying).await.unwrap_or(Err("it does not answer in time"))
}

/// How long a host may take.
const PATIENCE: Duration = Duration::from_secs(5);
