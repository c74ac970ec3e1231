//! A burst of datagrams, taken from a socket with one system call (`recvmmsg`).

use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::os::fd::AsRawFd;

use bytes::Bytes;
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrLike, SockaddrStorage, recvmmsg};

/// Room for a burst, used again and again.
#[derive(Debug)]
pub struct Burst {
    /// One behind the other: as many as one call takes, each as large as a datagram can be.
    room: Box<[u8]>,
}

impl Default for Burst {
    fn default() -> Self {
        Self { room: vec![0; AT_ONCE * LARGEST].into_boxed_slice() }
    }
}

impl Burst {
    /// Takes what a socket that does not block has, at most [`AT_ONCE`] datagrams in the order in
    /// which they came, each in memory of its own: a message may be kept for 32 seconds. Fewer
    /// mean that there were no more.
    ///
    /// # Errors
    /// `WouldBlock` when there is none, or what the kernel has to say of the socket.
    pub fn take(&mut self, socket: &impl AsRawFd) -> io::Result<Vec<(Bytes, SocketAddr)>> {
        let mut headers = MultiHeaders::<SockaddrStorage>::preallocate(AT_ONCE, None);
        let rooms = self.room.chunks_exact_mut(LARGEST);
        let mut slices: Vec<[IoSliceMut<'_>; 1]> =
            rooms.map(|room| [IoSliceMut::new(room)]).collect();
        let flags = MsgFlags::MSG_DONTWAIT;
        let taken = recvmmsg(socket.as_raw_fd(), &mut headers, slices.iter_mut(), flags, None)?;
        let taken: Vec<(usize, Option<SocketAddr>)> =
            taken.map(|it| (it.bytes, it.address.and_then(address))).collect();
        let rooms = self.room.chunks_exact(LARGEST);
        let datagrams = rooms.zip(taken).filter_map(|(room, (length, from))| {
            Some((Bytes::copy_from_slice(room.get(..length)?), from?))
        });
        Ok(datagrams.collect())
    }
}

fn address(storage: SockaddrStorage) -> Option<SocketAddr> {
    match storage.family()? {
        nix::sys::socket::AddressFamily::Inet => storage.as_sockaddr_in().map(|it| (*it).into()),
        nix::sys::socket::AddressFamily::Inet6 => storage.as_sockaddr_in6().map(|it| (*it).into()),
        _ => None,
    }
}

/// How many datagrams one call takes.
pub const AT_ONCE: usize = 32;

/// The largest datagram that UDP carries.
const LARGEST: usize = 65_535;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::udp;

    #[test]
    fn a_burst_is_taken_in_order_and_whole() {
        for host in ["127.0.0.1:0", "[::1]:0"] {
            let here = udp::bind(host.parse().unwrap(), udp::SIP_BUFFER).unwrap();
            let there = udp::bind(host.parse().unwrap(), udp::SIP_BUFFER).unwrap();
            let mut burst = Burst::default();
            let nothing = burst.take(&here).unwrap_err();
            assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);
            let sent: Vec<Vec<u8>> =
                (0..AT_ONCE + 5).map(|at| vec![at as u8; 1 + at * 40]).collect();
            for datagram in &sent {
                there.send_to(datagram, here.local_addr().unwrap()).unwrap();
            }
            // Nothing is lost on the loopback, and it is there at once.
            let first = burst.take(&here).unwrap();
            let rest = burst.take(&here).unwrap();
            assert_eq!((first.len(), rest.len()), (AT_ONCE, 5));
            let heard: Vec<Vec<u8>> =
                first.iter().chain(&rest).map(|(bytes, _)| bytes.to_vec()).collect();
            assert_eq!(heard, sent);
            let from = there.local_addr().unwrap();
            assert!(first.iter().chain(&rest).all(|(_, source)| *source == from));
        }
    }

    #[test]
    fn a_datagram_of_no_octets_and_one_as_large_as_can_be_are_taken() {
        let here = udp::bind("127.0.0.1:0".parse().unwrap(), udp::SIP_BUFFER).unwrap();
        let there = udp::bind("127.0.0.1:0".parse().unwrap(), udp::SIP_BUFFER).unwrap();
        let largest = vec![7; 65_507];
        there.send_to(&[], here.local_addr().unwrap()).unwrap();
        there.send_to(&largest, here.local_addr().unwrap()).unwrap();
        let taken = Burst::default().take(&here).unwrap();
        let lengths: Vec<usize> = taken.iter().map(|(bytes, _)| bytes.len()).collect();
        assert_eq!(lengths, [0, 65_507]);
    }
}
