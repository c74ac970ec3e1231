//! Pairs of media ports out of the operator's range: RTP on the even one, RTCP above it.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU32, Ordering};

use super::udp;

/// The range from which each call takes a pair.
#[derive(Debug)]
pub struct Ports {
    address: IpAddr,
    first: u16,
    pairs: u32,
    next: AtomicU32,
}

/// A bound pair.
#[derive(Debug)]
pub struct Pair {
    /// For RTP, on an even port.
    pub rtp: UdpSocket,
    /// For RTCP, on the port above.
    pub rtcp: UdpSocket,
    /// The address of `rtp`.
    pub local: SocketAddr,
}

impl Ports {
    /// Takes ports from `range` at `address`; `start` says with which pair to begin, so that a
    /// stranger cannot guess the next one (T8).
    pub fn new(address: IpAddr, range: RangeInclusive<u16>, start: u32) -> Self {
        let first = range.start().next_multiple_of(2);
        let pairs = (u32::from(*range.end()) + 1).saturating_sub(u32::from(first)) / 2;
        Self { address, first, pairs, next: AtomicU32::new(start) }
    }

    /// How many calls fit.
    pub fn pairs(&self) -> u32 {
        self.pairs
    }

    /// Binds a free pair, the next in turn.
    ///
    /// # Errors
    /// `AddrInUse` when no pair is free, or what the kernel says about the address.
    pub fn bind(&self) -> io::Result<Pair> {
        for _ in 0..self.pairs {
            let turn = self.next.fetch_add(1, Ordering::Relaxed) % self.pairs.max(1);
            let port = u32::from(self.first) + turn * 2;
            let port = u16::try_from(port).expect("the range ends at 65535");
            match self.bind_at(port) {
                Ok(pair) => return Ok(pair),
                Err(why) if why.kind() == io::ErrorKind::AddrInUse => {}
                Err(why) => return Err(why),
            }
        }
        Err(io::ErrorKind::AddrInUse.into())
    }

    /// Binds one for many calls at once, for good.
    ///
    /// # Errors
    /// As `bind`.
    pub fn bind_for_many(&self) -> io::Result<UdpSocket> {
        let local = self.bind()?.local;
        udp::bind(local, udp::SIP_BUFFER)
    }

    /// The address.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    fn bind_at(&self, port: u16) -> io::Result<Pair> {
        let local = SocketAddr::new(self.address, port);
        let rtp = udp::bind(local, udp::RTP_BUFFER)?;
        let rtcp = udp::bind(SocketAddr::new(self.address, port + 1), udp::RTP_BUFFER)?;
        Ok(Pair { rtp, rtcp, local })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_even_and_run_out() {
        let ports = Ports::new(IpAddr::from([127, 0, 0, 1]), 47_001..=47_005, 7);
        assert_eq!(ports.pairs(), 2);
        let one = ports.bind().expect("a pair");
        let two = ports.bind().expect("another");
        assert_eq!(one.local.port() % 2, 0);
        assert_ne!(one.local, two.local);
        assert!(ports.bind().is_err());
        drop(one);
        assert!(ports.bind().is_ok());
    }
}
