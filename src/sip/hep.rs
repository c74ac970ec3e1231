//! HEP version 3, the Homer Encapsulation Protocol: a message of SIP as HOMER, heplify and sipcapture take
//! it, with who sent it to whom and when. All numbers are big-endian; a chunk is its vendor (0), type and
//! length, with these six octets, and its value.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::flow::{Flow, Transport};
use super::trace::Heading;

/// Who tells the collector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Agent<'a> {
    /// Its number.
    pub id: u32,
    /// What proves that it is the one, if the collector asks for it.
    pub password: Option<&'a str>,
}

/// A message that was seen on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen<'a> {
    /// When, since the Unix epoch.
    pub at: Duration,
    /// Which way it went.
    pub heading: Heading,
    /// Between whom.
    pub flow: Flow,
    /// Its octets.
    pub message: &'a [u8],
    /// What it belongs to, if that can be read: its Call-ID.
    pub call_id: Option<&'a str>,
}

/// The datagram that tells of it; none for what is too long for one.
pub fn datagram(agent: &Agent<'_>, seen: &Seen<'_>) -> Option<Vec<u8>> {
    let Flow { transport, local, remote } = seen.flow;
    let (from, to) = match seen.heading {
        Heading::In => (remote, local),
        Heading::Out => (local, remote),
    };
    let mut chunks = Chunks(b"HEP3\0\0".to_vec());
    let (family, [source, target]) = match (plain(from), plain(to)) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            (AF_INET, [(3, from.octets().to_vec()), (4, to.octets().to_vec())])
        }
        (from, to) => (AF_INET6, [(5, wide(from).to_vec()), (6, wide(to).to_vec())]),
    };
    let protocol = if transport == Transport::Udp { UDP } else { TCP };
    chunks.add(1, &[family])?;
    chunks.add(2, &[protocol])?;
    chunks.add(source.0, &source.1)?;
    chunks.add(target.0, &target.1)?;
    chunks.add(7, &from.port().to_be_bytes())?;
    chunks.add(8, &to.port().to_be_bytes())?;
    chunks.add(9, &u32::try_from(seen.at.as_secs()).unwrap_or(u32::MAX).to_be_bytes())?;
    chunks.add(10, &seen.at.subsec_micros().to_be_bytes())?;
    chunks.add(11, &[SIP])?;
    chunks.add(12, &agent.id.to_be_bytes())?;
    if let Some(password) = agent.password {
        chunks.add(14, password.as_bytes())?;
    }
    if let Some(call_id) = seen.call_id {
        chunks.add(17, call_id.as_bytes())?;
    }
    chunks.add(15, seen.message)?;
    chunks.whole()
}

/// The chunks so far, behind the place for the length of all.
struct Chunks(Vec<u8>);

impl Chunks {
    fn add(&mut self, kind: u16, value: &[u8]) -> Option<()> {
        let length = u16::try_from(value.len().checked_add(HEAD)?).ok()?;
        self.0.extend_from_slice(&[0, 0]);
        self.0.extend_from_slice(&kind.to_be_bytes());
        self.0.extend_from_slice(&length.to_be_bytes());
        self.0.extend_from_slice(value);
        Some(())
    }

    fn whole(mut self) -> Option<Vec<u8>> {
        if self.0.len() > LARGEST {
            return None;
        }
        let length = u16::try_from(self.0.len()).ok()?.to_be_bytes();
        self.0.get_mut(4..6)?.copy_from_slice(&length);
        Some(self.0)
    }
}

fn plain(address: SocketAddr) -> IpAddr {
    address.ip().to_canonical()
}

fn wide(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

/// The octets of a chunk before its value.
const HEAD: usize = 6;

/// The most octets that a datagram of IPv4 holds.
const LARGEST: usize = 65_507;

const AF_INET: u8 = 2;

const AF_INET6: u8 = 10;

const UDP: u8 = 17;

const TCP: u8 = 6;

/// What is told of: SIP.
const SIP: u8 = 1;

#[cfg(test)]
#[expect(clippy::indexing_slicing, reason = "what is not there fails the test")]
mod tests {
    use super::*;

    fn seen<'a>(local: &str, remote: &str, message: &'a [u8]) -> Seen<'a> {
        let address = |text: &str| text.parse().expect("an address");
        let (local, remote) = (address(local), address(remote));
        Seen {
            at: Duration::from_micros(1_500_000_000_000_007),
            heading: Heading::In,
            flow: Flow { transport: Transport::Udp, local, remote },
            message,
            call_id: Some("a@b"),
        }
    }

    #[test]
    fn a_datagram_is_as_the_protocol_has_it() {
        let agent = Agent { id: 2_001, password: Some("pw") };
        let told = datagram(&agent, &seen("192.0.2.1:5060", "198.51.100.2:5080", b"OPTIONS x"));
        let mut expected = b"HEP3".to_vec();
        expected.extend([0, 125]);
        for (kind, value) in [
            (1_u8, &[2_u8][..]),
            (2, &[17]),
            (3, &[198, 51, 100, 2]),
            (4, &[192, 0, 2, 1]),
            (7, &[0x13, 0xd8]),
            (8, &[0x13, 0xc4]),
            (9, &[0x59, 0x68, 0x2f, 0x00]),
            (10, &[0, 0, 0, 7]),
            (11, &[1]),
            (12, &[0, 0, 0x07, 0xd1]),
            (14, b"pw"),
            (17, b"a@b"),
            (15, b"OPTIONS x"),
        ] {
            let length = u8::try_from(value.len() + 6).expect("short");
            expected.extend([0, 0, 0, kind, 0, length]);
            expected.extend(value);
        }
        expected[5] = u8::try_from(expected.len()).expect("short");
        assert_eq!(told, Some(expected));
    }

    #[test]
    fn addresses_of_ipv6_and_streams_are_told_as_such() {
        let agent = Agent { id: 1, password: None };
        let mut seen = seen("[2001:db8::1]:5061", "[2001:db8::2]:40000", b"x");
        seen.flow.transport = Transport::Tls;
        seen.heading = Heading::Out;
        let told = datagram(&agent, &seen).expect("a datagram");
        assert_eq!(told[6..13], [0, 0, 0, 1, 0, 7, AF_INET6]);
        assert_eq!(told[13..20], [0, 0, 0, 2, 0, 7, TCP]);
        // Ours first: it went out.
        assert_eq!(told[20..26], [0, 0, 0, 5, 0, 22]);
        assert_eq!(told[26..30], [0x20, 0x01, 0x0d, 0xb8]);
        assert_eq!(told[41], 1);
    }

    #[test]
    fn what_is_too_long_for_a_datagram_is_not_told() {
        let agent = Agent { id: 1, password: None };
        let long = vec![b'x'; 65_530];
        assert_eq!(datagram(&agent, &seen("192.0.2.1:1", "192.0.2.2:2", &long)), None);
        let most = vec![b'x'; 65_300];
        let told = datagram(&agent, &seen("192.0.2.1:1", "192.0.2.2:2", &most)).expect("told");
        assert_eq!(usize::from(u16::from_be_bytes([told[4], told[5]])), told.len());
    }
}
