//! By which address the networks that this machine stands in see it.

use std::net::IpAddr;

use crate::base::network::Network;
use crate::base::vantage::Vantage;
use crate::config::external::Fault;
use crate::config::settings::Server;
use crate::net::udp;

/// By which address peers see us. A local network that no way leads to is left out: its peers are
/// told what everybody is told.
pub fn vantage(server: &Server) -> Vantage {
    let inside = server.sip.local_networks.iter();
    let inside = inside.filter_map(|network| Some((*network, own(server, network)?)));
    Vantage { outside: server.sip.external_address, inside: inside.collect() }
}

/// Local networks that no way leads to.
pub fn faults(server: &Server) -> Vec<Fault> {
    let networks = server.sip.local_networks.iter().enumerate();
    let lost = networks.filter(|(_, network)| own(server, network).is_none());
    let told = lost.map(|(at, network)| {
        let path = format!("sip.local_networks[{at}]");
        let message = format!("no way leads from this machine to {network}");
        let mut fault = Fault::warning("sip.local_networks", path, message);
        fault.label = "peers there are told the external address".to_owned();
        fault.help = Some("name the networks of this machine: `ip route` lists them".to_owned());
        fault
    });
    told.collect()
}

/// Our address for a network: the one that RTP is bound to, else the one that the way there
/// begins with.
fn own(server: &Server, network: &Network) -> Option<IpAddr> {
    let host = network.host();
    let bound = server.rtp_address();
    if !bound.is_unspecified() && bound.is_ipv4() == host.is_ipv4() {
        return Some(bound);
    }
    udp::own_address_towards(host)
}
