//! RTP packets (RFC 3550 5.1): a borrowed view of what arrives and a writer for what is sent.

/// The largest datagram that can be a packet of voice; a longer one is refused unread.
pub const MAX_PACKET: usize = 2_048;

/// So many octets SRTP appends at most: index and tag.
pub const MAX_TRAILER: usize = 20;

/// Why a datagram is no RTP packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// It ends before its header does.
    #[error("too short")]
    Short,
    /// It is longer than any packet of voice.
    #[error("too long")]
    Long,
    /// Its version is not 2.
    #[error("not version 2")]
    Version,
    /// It is RTCP: the second octet is 192 to 223 (RFC 5761 4).
    #[error("an RTCP packet")]
    Rtcp,
    /// Its padding is longer than what is there, or says zero.
    #[error("bad padding")]
    Padding,
}

/// What the fixed header says (RFC 3550 5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// For audio: the first packet of a talkspurt (RFC 3551 4.1).
    pub marker: bool,
    /// The payload type, 0 to 127.
    pub payload_type: u8,
    /// The sequence number, which wraps.
    pub sequence: u16,
    /// The media clock at the first sample, which wraps.
    pub timestamp: u32,
    /// The synchronization source.
    pub ssrc: u32,
}

impl Header {
    /// Writes a packet of this header and a payload.
    pub fn write(&self, payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(FIXED + payload.len() + MAX_TRAILER);
        bytes.push(VERSION << 6);
        bytes.push(u8::from(self.marker) << 7 | (self.payload_type & 0x7f));
        bytes.extend_from_slice(&self.sequence.to_be_bytes());
        bytes.extend_from_slice(&self.timestamp.to_be_bytes());
        bytes.extend_from_slice(&self.ssrc.to_be_bytes());
        bytes.extend_from_slice(payload);
        bytes
    }
}

/// A packet as it lies in the datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    /// The fixed header.
    pub header: Header,
    /// What is carried, without contributing sources, extension and padding.
    pub payload: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Reads a datagram. Every length is checked by splitting, never by arithmetic.
    ///
    /// # Errors
    /// When the datagram is no RTP packet of version 2, or one of its parts is cut off.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        if bytes.len() > MAX_PACKET {
            return Err(Malformed::Long);
        }
        let (&[first, second, s0, s1, t0, t1, t2, t3, c0, c1, c2, c3], rest) =
            bytes.split_first_chunk::<FIXED>().ok_or(Malformed::Short)?;
        if first >> 6 != VERSION {
            return Err(Malformed::Version);
        }
        if (192..=223).contains(&second) {
            return Err(Malformed::Rtcp);
        }
        let sources = usize::from(first & 0x0f) * 4;
        let (_, rest) = rest.split_at_checked(sources).ok_or(Malformed::Short)?;
        let rest = if first & 0x10 == 0 { rest } else { after_extension(rest)? };
        let payload = if first & 0x20 == 0 { rest } else { before_padding(rest)? };
        let header = Header {
            marker: second & 0x80 != 0,
            payload_type: second & 0x7f,
            sequence: u16::from_be_bytes([s0, s1]),
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
            ssrc: u32::from_be_bytes([c0, c1, c2, c3]),
        };
        Ok(Self { header, payload })
    }
}

/// Where the payload of a packet begins, behind its sources and its extension: what SRTP leaves in
/// the clear (RFC 3711 3.1). `None` when it is no RTP packet, or cut off before.
pub fn payload_begin(bytes: &[u8]) -> Option<usize> {
    let (&[first, second, ..], rest) = bytes.split_first_chunk::<FIXED>()?;
    if bytes.len() > MAX_PACKET || first >> 6 != VERSION || (192..=223).contains(&second) {
        return None;
    }
    let (_, rest) = rest.split_at_checked(usize::from(first & 0x0f) * 4)?;
    let rest = if first & 0x10 == 0 { rest } else { after_extension(rest).ok()? };
    Some(bytes.len() - rest.len())
}

/// Skips a header extension: a profile word, a length in words, the words (RFC 3550 5.3.1).
fn after_extension(bytes: &[u8]) -> Result<&[u8], Malformed> {
    let (&[_, _, high, low], rest) = bytes.split_first_chunk::<4>().ok_or(Malformed::Short)?;
    let length = usize::from(u16::from_be_bytes([high, low])) * 4;
    let (_, rest) = rest.split_at_checked(length).ok_or(Malformed::Short)?;
    Ok(rest)
}

/// Cuts the padding off, whose last octet counts it and itself (RFC 3550 5.1).
fn before_padding(bytes: &[u8]) -> Result<&[u8], Malformed> {
    let (&count, _) = bytes.split_last().ok_or(Malformed::Padding)?;
    let kept = bytes.len().checked_sub(usize::from(count)).ok_or(Malformed::Padding)?;
    if count == 0 {
        return Err(Malformed::Padding);
    }
    bytes.get(..kept).ok_or(Malformed::Padding)
}

const VERSION: u8 = 2;

/// The length of the fixed header.
pub const FIXED: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header() -> Header {
        Header { marker: true, payload_type: 8, sequence: 65_535, timestamp: 7, ssrc: 0xdead_beef }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let bytes = header().write(&[1, 2, 3]);
        let packet = Packet::parse(&bytes).expect("a packet");
        assert_eq!(packet.header, header());
        assert_eq!(packet.payload, [1, 2, 3]);
    }

    #[test]
    fn sources_extension_and_padding_are_no_payload() {
        let mut bytes = header().write(&[]);
        bytes[0] |= 0x20 | 0x10 | 0x02;
        bytes.extend_from_slice(&[0; 8]);
        bytes.extend_from_slice(&[0xbe, 0xde, 0, 1, 9, 9, 9, 9]);
        bytes.extend_from_slice(&[5, 6, 0, 0, 3]);
        let packet = Packet::parse(&bytes).expect("a packet");
        assert_eq!(packet.payload, [5, 6]);
    }

    #[test]
    fn a_cut_packet_is_refused() {
        let bytes = header().write(&[]);
        assert_eq!(Packet::parse(&bytes[..11]), Err(Malformed::Short));
        let mut sources = bytes.clone();
        sources[0] |= 0x0f;
        assert_eq!(Packet::parse(&sources), Err(Malformed::Short));
        let mut extension = bytes.clone();
        extension[0] |= 0x10;
        extension.extend_from_slice(&[0, 0, 0xff, 0xff]);
        assert_eq!(Packet::parse(&extension), Err(Malformed::Short));
        let mut padding = bytes.clone();
        padding[0] |= 0x20;
        assert_eq!(Packet::parse(&padding), Err(Malformed::Padding));
        padding.push(2);
        assert_eq!(Packet::parse(&padding), Err(Malformed::Padding));
        padding.push(0);
        assert_eq!(Packet::parse(&padding), Err(Malformed::Padding));
        assert_eq!(Packet::parse(&[0x80; MAX_PACKET + 1]), Err(Malformed::Long));
    }

    #[test]
    fn rtcp_and_other_versions_are_told_apart() {
        let mut bytes = header().write(&[]);
        bytes[1] = 200;
        assert_eq!(Packet::parse(&bytes), Err(Malformed::Rtcp));
        bytes[0] = 0;
        assert_eq!(Packet::parse(&bytes), Err(Malformed::Version));
    }

    proptest! {
        #[test]
        fn any_datagram_is_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(packet) = Packet::parse(&bytes) {
                prop_assert!(packet.payload.len() + FIXED <= bytes.len());
            }
        }
    }
}
