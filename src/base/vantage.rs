//! By which address this machine is seen: one for everybody, others for its own networks.

use std::net::{IpAddr, SocketAddr};

use super::network::Network;

/// By which address peers reach us, where it is not that of the socket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Vantage {
    /// The address that everybody uses, such as the public one of a router before us.
    pub outside: Option<IpAddr>,
    /// Networks that we stand in ourselves, each with our address there: whoever is inside of one
    /// needs no other, and behind some routers reaches no other.
    pub inside: Vec<(Network, IpAddr)>,
}

impl Vantage {
    /// Everybody uses this address.
    pub fn only(outside: Option<IpAddr>) -> Self {
        Self { outside, inside: Vec::new() }
    }

    /// Where `peer` reaches our socket that is bound to `local`.
    pub fn of(&self, local: SocketAddr, peer: IpAddr) -> SocketAddr {
        let bound = Some(local.ip()).filter(|ip| !ip.is_unspecified());
        let seen = match self.inside(peer) {
            Some(own) => Some(bound.unwrap_or(own)),
            None => self.outside,
        };
        let seen = seen.filter(|ip| ip.is_ipv4() == local.is_ipv4());
        SocketAddr::new(seen.unwrap_or(local.ip()), local.port())
    }

    /// Our address in the narrowest of our networks that `peer` is in.
    pub fn inside(&self, peer: IpAddr) -> Option<IpAddr> {
        let fitting = self.inside.iter().filter(|(network, _)| network.contains(peer));
        fitting.max_by_key(|(network, _)| network.prefix()).map(|(_, own)| *own)
    }

    /// A session description (RFC 8866) for `peer`: it was written for everybody, and names our
    /// address there where it is another one. `None` when it is right as it stands.
    pub fn retold(&self, description: &[u8], peer: IpAddr) -> Option<Vec<u8>> {
        let (outside, own) = (self.outside?, self.inside(peer)?);
        if outside == own || outside.is_ipv4() != own.is_ipv4() {
            return None;
        }
        let (outside, own) = (outside.to_string(), own.to_string());
        let text = std::str::from_utf8(description).ok()?;
        let mut retold = String::with_capacity(text.len());
        for line in text.split_inclusive('\n') {
            let is_address = LINES.iter().any(|begin| line.starts_with(begin));
            for word in line.split_inclusive([' ', '\r', '\n']) {
                let bare = word.trim_end();
                let space = word.get(bare.len()..).unwrap_or_default();
                retold.push_str(if is_address && bare == outside { &own } else { bare });
                retold.push_str(space);
            }
        }
        Some(retold.into_bytes())
    }
}

/// The lines that name addresses: origin, connection, RTCP (RFC 3605), candidates (RFC 8839).
const LINES: [&str; 4] = ["o=", "c=", "a=rtcp:", "a=candidate:"];

#[cfg(test)]
mod tests {
    use super::*;

    fn vantage() -> Vantage {
        let inside = [("10.0.0.0/8", "10.1.2.3"), ("10.9.0.0/16", "10.9.0.1")];
        let inside = inside.map(|(network, own)| {
            (network.parse().expect("a network"), own.parse().expect("an address"))
        });
        Vantage { outside: "203.0.113.7".parse().ok(), inside: inside.to_vec() }
    }

    #[test]
    fn peers_in_our_networks_see_another_address_than_others() {
        let table = [
            ("0.0.0.0:5060", "198.51.100.1", "203.0.113.7:5060"),
            ("0.0.0.0:5060", "10.0.0.9", "10.1.2.3:5060"),
            ("0.0.0.0:5060", "10.9.8.7", "10.9.0.1:5060"),
            // The socket knows better than the network.
            ("10.1.2.4:5060", "10.0.0.9", "10.1.2.4:5060"),
            ("10.1.2.4:5060", "198.51.100.1", "203.0.113.7:5060"),
            // An address of the other family is no address of this socket.
            ("[2001:db8::1]:5060", "2001:db8::2", "[2001:db8::1]:5060"),
        ];
        for (local, peer, seen) in table {
            let found = vantage()
                .of(local.parse().expect("a socket"), peer.parse().expect("an address"))
                .to_string();
            assert_eq!(found, seen, "{local} {peer}");
        }
    }

    #[test]
    fn a_description_names_the_address_that_its_reader_reaches() {
        let told = "v=0\r\no=- 1 1 IN IP4 203.0.113.7\r\ns=203.0.113.7 x\r\n\
                    c=IN IP4 203.0.113.7\r\nt=0 0\r\nm=audio 20000 RTP/AVP 8\r\n\
                    a=rtcp:20001 IN IP4 203.0.113.7\r\na=note:203.0.113.7\r\n";
        let retold = vantage().retold(told.as_bytes(), "10.0.0.9".parse().expect("an address"));
        let expected = "v=0\r\no=- 1 1 IN IP4 10.1.2.3\r\ns=203.0.113.7 x\r\n\
                        c=IN IP4 10.1.2.3\r\nt=0 0\r\nm=audio 20000 RTP/AVP 8\r\n\
                        a=rtcp:20001 IN IP4 10.1.2.3\r\na=note:203.0.113.7\r\n";
        assert_eq!(String::from_utf8(retold.expect("another text")).expect("text"), expected);
        let stranger = "198.51.100.1".parse().expect("an address");
        assert_eq!(vantage().retold(told.as_bytes(), stranger), None);
    }
}
