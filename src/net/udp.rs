//! UDP sockets, with buffers that outlive a burst.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use socket2::{Domain, Protocol, Socket, Type};

/// Binds a non-blocking UDP socket whose buffers hold about `buffer` octets each way. A socket for
/// IPv6 carries nothing else: for IPv4 another one is bound.
///
/// # Errors
/// What the kernel says: the address is in use or not ours.
pub fn bind(address: SocketAddr, buffer: usize) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    // The kernel may grant less; a smaller buffer is no reason to refuse.
    socket.set_recv_buffer_size(buffer).ok();
    socket.set_send_buffer_size(buffer).ok();
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// The address of this machine that packets to `peer` bear; `None` when no way leads there. Nothing
/// is sent.
pub fn own_address_towards(peer: IpAddr) -> Option<IpAddr> {
    let any: IpAddr = match peer {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect((peer, DISCARD)).ok()?;
    socket.local_addr().ok().map(|own| own.ip()).filter(|ip| !ip.is_unspecified())
}

/// The port of RFC 863: any would do.
const DISCARD: u16 = 9;

/// The buffer of a SIP socket: some hundreds of messages.
pub const SIP_BUFFER: usize = 4 << 20;

/// The buffer of an RTP socket: what a flood of 10,000 packets a second sends in 50 ms, so that
/// those of the caller between them are not lost.
pub const RTP_BUFFER: usize = 256 << 10;
