//! The one port to which all browsers of a shard come. Whose a datagram is, is told by the name in
//! a check of ICE (RFC 8445 7), else by the address that such a check has proven. What is nobody's
//! costs a look into a table.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use crate::rtp::ice::Proof;
use crate::rtp::stun;

/// The port, and who comes there.
#[derive(Debug)]
pub struct Entrance {
    socket: UdpSocket,
    local: SocketAddr,
    /// By what name of ours each is asked for.
    names: HashMap<String, usize>,
    /// Who has proven to be where, and when it did so last.
    addresses: HashMap<SocketAddr, (usize, Instant)>,
}

impl Entrance {
    /// Opens at a bound socket.
    ///
    /// # Errors
    /// When the socket has no address.
    pub fn open(socket: UdpSocket) -> io::Result<Self> {
        let local = socket.local_addr()?;
        let (names, addresses) = (HashMap::new(), HashMap::new());
        Ok(Self { socket, local, names, addresses })
    }

    /// The socket.
    pub fn socket(&self) -> &UdpSocket {
        &self.socket
    }

    /// Where it is.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// Who sits there is asked for by this name, and by no other.
    pub fn name(&mut self, place: usize, name: &str) {
        self.names.retain(|_, known| *known != place);
        self.names.insert(name.to_owned(), place);
    }

    /// Whose a datagram is. An address that one has proven lately is not another's, whoever writes
    /// it on an envelope.
    pub fn whose(&self, now: Instant, from: SocketAddr, bytes: &[u8]) -> Option<usize> {
        let holder = self.addresses.get(&from);
        if !stun::is_stun(bytes) {
            return holder.map(|(place, _)| *place);
        }
        let place = *self.names.get(stun::asked_for(bytes)?)?;
        let is_taken = holder.is_some_and(|(other, at)| {
            *other != place && now.saturating_duration_since(*at) < CONSENT
        });
        (!is_taken).then_some(place)
    }

    /// Who sits there has proven to be at this address.
    pub fn proven(&mut self, now: Instant, (from, place): (SocketAddr, usize), proof: Proof) {
        if let Some(forgotten) = proof.forgotten
            && self.addresses.get(&forgotten).is_some_and(|(holder, _)| *holder == place)
        {
            self.addresses.remove(&forgotten);
        }
        self.addresses.insert(from, (place, now));
    }

    /// Nobody sits there any more.
    pub fn left(&mut self, place: usize) {
        self.names.retain(|_, known| *known != place);
        self.addresses.retain(|_, (known, _)| *known != place);
    }
}

/// A peer shows that it is still there within this (RFC 7675 5.1).
const CONSENT: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Proof = Proof { forgotten: None };

    fn entrance() -> Entrance {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let mut entrance = Entrance::open(socket).expect("it opens");
        entrance.name(3, "anna");
        entrance.name(4, "bert");
        entrance
    }

    fn check(name: &str) -> Vec<u8> {
        stun::stranger(&format!("{name}:theirs"))
    }

    fn at(port: u16) -> SocketAddr {
        ([127, 0, 0, 1], port).into()
    }

    #[test]
    fn checks_go_by_names_and_all_else_by_what_was_proven() {
        let (mut entrance, now) = (entrance(), Instant::now());
        assert_eq!(entrance.whose(now, at(1), &check("anna")), Some(3));
        assert_eq!(entrance.whose(now, at(1), &check("bert")), Some(4));
        for stranger in [check("carl"), check(""), vec![0x80; 40], vec![22; 40], vec![0], vec![]] {
            assert_eq!(entrance.whose(now, at(1), &stranger), None, "{stranger:?}");
        }
        entrance.proven(now, (at(1), 3), NONE);
        assert_eq!(entrance.whose(now, at(1), &[0x80; 40]), Some(3));
        assert_eq!(entrance.whose(now, at(2), &[0x80; 40]), None);
        // It begins ICE anew, and then goes.
        entrance.name(3, "anew");
        assert_eq!(entrance.whose(now, at(1), &check("anna")), None);
        assert_eq!(entrance.whose(now, at(1), &check("anew")), Some(3));
        entrance.left(3);
        assert_eq!(entrance.whose(now, at(1), &[0x80; 40]), None);
        assert_eq!(entrance.whose(now, at(1), &check("anew")), None);
        assert!(entrance.addresses.is_empty() && entrance.names.len() == 1);
    }

    #[test]
    fn nobody_takes_the_address_of_another() {
        let (mut entrance, now) = (entrance(), Instant::now());
        entrance.proven(now, (at(1), 3), NONE);
        assert_eq!(entrance.whose(now, at(1), &check("bert")), None);
        let later = now + CONSENT;
        entrance.proven(later, (at(1), 3), NONE);
        assert_eq!(entrance.whose(later, at(1), &check("bert")), None);
        // Who does not show that it is there has lost it.
        assert_eq!(entrance.whose(later + CONSENT, at(1), &check("bert")), Some(4));
        // What is forgotten of one is not taken from another.
        entrance.proven(later, (at(2), 4), Proof { forgotten: Some(at(1)) });
        assert_eq!(entrance.whose(later, at(1), &[0x80; 40]), Some(3));
        entrance.proven(later, (at(3), 3), Proof { forgotten: Some(at(1)) });
        assert_eq!(entrance.whose(later, at(1), &[0x80; 40]), None);
    }
}
