//! A file for Wireshark and sngrep: every message as a UDP datagram between its two addresses,
//! whatever it was carried by (libpcap's format 2.4, LINKTYPE_RAW).

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use crate::server::control::view::MessageView;

/// A file that is being written.
#[derive(Debug)]
pub struct Pcap<W: Write> {
    out: W,
}

impl Pcap<BufWriter<File>> {
    /// Makes the file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn create(path: &Path) -> io::Result<Self> {
        Self::begin(BufWriter::new(File::create(path)?))
    }
}

impl<W: Write> Pcap<W> {
    /// Writes the head of the file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn begin(mut out: W) -> io::Result<Self> {
        out.write_all(&MAGIC.to_ne_bytes())?;
        for half in [2_u16, 4] {
            out.write_all(&half.to_ne_bytes())?;
        }
        for word in [0_u32, 0, u32::from(u16::MAX), LINKTYPE_RAW] {
            out.write_all(&word.to_ne_bytes())?;
        }
        Ok(Self { out })
    }

    /// Adds a message, which must have its text; without its addresses it is left out.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn add(&mut self, message: &MessageView) -> io::Result<()> {
        let is_in = message.direction == "in";
        let addresses = [&message.remote, &message.local].map(|it| it.parse::<SocketAddr>());
        let [Ok(remote), Ok(local)] = addresses else { return Ok(()) };
        let (from, to) = if is_in { (remote, local) } else { (local, remote) };
        let payload = message.raw.as_deref().unwrap_or_default().as_bytes();
        let payload = payload.get(..LONGEST.min(payload.len())).unwrap_or_default();
        let Some(packet) = packet(from, to, payload) else { return Ok(()) };
        let (seconds, micros) = (message.at_us / 1_000_000, message.at_us % 1_000_000);
        let length = packet.len() as u32;
        for word in [seconds as u32, micros as u32, length, length] {
            self.out.write_all(&word.to_ne_bytes())?;
        }
        self.out.write_all(&packet)?;
        // Whoever looks on ends us with Ctrl-C.
        self.out.flush()
    }

    /// Writes what is left.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// An IP packet with a UDP datagram; nothing when the addresses are of two families.
fn packet(from: SocketAddr, to: SocketAddr, payload: &[u8]) -> Option<Vec<u8>> {
    let udp_length = u16::try_from(payload.len() + 8).ok()?;
    let mut packet = match (from.ip().to_canonical(), to.ip().to_canonical()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let length = (udp_length.checked_add(20)?).to_be_bytes();
            let mut head = vec![0x45, 0, length[0], length[1], 0, 0, 0x40, 0, 64, UDP, 0, 0];
            head.extend(from.octets());
            head.extend(to.octets());
            let sum = checksum(&head).to_be_bytes();
            head[10..12].copy_from_slice(&sum);
            head
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            let length = udp_length.to_be_bytes();
            let mut head = vec![0x60, 0, 0, 0, length[0], length[1], UDP, 64];
            head.extend(from.octets());
            head.extend(to.octets());
            head
        }
        _ => return None,
    };
    for half in [from.port(), to.port(), udp_length, 0] {
        packet.extend(half.to_be_bytes());
    }
    packet.extend(payload);
    Some(packet)
}

/// The checksum of an IPv4 head (RFC 791 3.1).
fn checksum(head: &[u8]) -> u16 {
    let halves = head.chunks_exact(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])));
    let sum: u32 = halves.sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    !((folded & 0xffff) + (folded >> 16)) as u16
}

const MAGIC: u32 = 0xa1b2_c3d4;

/// The packets begin with their IP head.
const LINKTYPE_RAW: u32 = 101;

const UDP: u8 = 17;

/// The longest text of a datagram.
const LONGEST: usize = 65_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::console::ladder::tests::message;

    #[test]
    fn a_message_becomes_a_datagram_between_its_addresses() {
        let raw = Some("BYE sip:a SIP/2.0\r\n\r\n".to_owned());
        let message = MessageView { raw, ..message(2, "192.0.2.9:5070", "BYE", false) };
        let mut pcap = Pcap::begin(Vec::new()).unwrap();
        pcap.add(&message).unwrap();
        let written = pcap.out;
        assert_eq!(written.len(), 24 + 16 + 28 + 21);
        let packet = &written[40..];
        assert_eq!(&packet[12..20], &[192, 0, 2, 1, 192, 0, 2, 9]);
        assert_eq!(&packet[20..24], &[0x13, 0xc4, 0x13, 0xce]);
        assert_eq!(checksum(&packet[..20]), 0, "a head with its checksum sums up to nothing");
        assert!(packet.ends_with(b"SIP/2.0\r\n\r\n"));
    }

    #[test]
    fn ipv6_has_a_head_of_its_own_and_two_families_none() {
        let of = |text: &str| text.parse::<SocketAddr>().unwrap();
        let six = packet(of("[::1]:5060"), of("[::2]:5060"), b"x").unwrap();
        assert_eq!((six.len(), six[0]), (49, 0x60));
        assert_eq!(packet(of("[::1]:5060"), of("192.0.2.1:5060"), b"x"), None);
    }
}
