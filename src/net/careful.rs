//! A resolver that leads nobody into a network of ours (T13). A client connects to the addresses
//! that it gives: what was checked is what is reached, and no name server can change it meanwhile.

use std::net::SocketAddr;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::base::network;

/// Finds the addresses of a host, and leaves out those that are not on the public internet.
#[derive(Debug, Default)]
pub(super) struct Careful {
    hosts: Arc<[String]>,
}

impl Careful {
    /// The hosts of these names, in lower case, may be anywhere.
    pub fn but(hosts: Arc<[String]>) -> Self {
        Self { hosts }
    }
}

impl Resolve for Careful {
    fn resolve(&self, name: Name) -> Resolving {
        let host = name.as_str().to_ascii_lowercase();
        let is_allowed = self.hosts.contains(&host);
        Box::pin(async move {
            let found = tokio::net::lookup_host((host, 0)).await?;
            let may = |found: &SocketAddr| is_allowed || network::is_public(found.ip());
            let may: Vec<SocketAddr> = found.filter(may).collect();
            if may.is_empty() {
                return Err(NOT_PUBLIC.into());
            }
            let addresses: Addrs = Box::new(may.into_iter());
            Ok(addresses)
        })
    }
}

/// Why a host has no address.
pub(super) const NOT_PUBLIC: &str = "it is not on the public internet";
