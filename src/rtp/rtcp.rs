//! RTCP packets (RFC 3550 6): reports and descriptions written, and reports read.
//!
//! The crate `rtc-rtcp` knows the wire format. It is handed single packets of the kinds that we
//! use and whose bounds were checked here; of everything else only the length is read.

use bytes::Bytes;
use rtc_rtcp::Packet;
use rtc_rtcp::goodbye::Goodbye;
use rtc_rtcp::packet::marshal;
use rtc_rtcp::receiver_report::ReceiverReport;
use rtc_rtcp::reception_report::ReceptionReport;
use rtc_rtcp::sender_report::SenderReport;
use rtc_rtcp::source_description::{
    SdesType, SourceDescription, SourceDescriptionChunk, SourceDescriptionItem,
};
use rtc_shared::marshal::Unmarshal;

use super::packet::{MAX_PACKET, MAX_TRAILER};
use super::stats::Block;
use super::xr::{Extended, XR};

/// What a sender says of itself (RFC 3550 6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderInfo {
    /// The time of the report as NTP's 32.32 seconds.
    pub ntp: u64,
    /// The same time on the RTP clock.
    pub timestamp: u32,
    /// Packets sent, wrapping.
    pub packets: u32,
    /// Octets of payload sent, wrapping.
    pub octets: u32,
}

/// A compound packet to be sent: SR or RR, SDES with the CNAME, perhaps BYE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compound<'a> {
    /// Our source.
    pub ssrc: u32,
    /// What we sent; without it the packet begins with a receiver report.
    pub sender: Option<SenderInfo>,
    /// What we received.
    pub block: Option<Block>,
    /// The canonical name.
    pub cname: &'a str,
    /// Whether our source leaves.
    pub leaving: bool,
}

impl Compound<'_> {
    /// Writes the packet.
    pub fn write(&self) -> Vec<u8> {
        self.write_with(&Extended::default())
    }

    /// Writes the packet with an extended report; the goodbye stays last.
    pub fn write_with(&self, extended: &Extended) -> Vec<u8> {
        let cname: Bytes = Bytes::copy_from_slice(first_octets(self.cname));
        let description = SourceDescription {
            chunks: vec![SourceDescriptionChunk {
                source: self.ssrc,
                items: vec![SourceDescriptionItem { sdes_type: SdesType::SdesCname, text: cname }],
            }],
        };
        let packets: Vec<Box<dyn Packet>> = vec![self.report(), Box::new(description)];
        let fits = "one block and a short name fit every field";
        let compound = marshal(&packets).expect(fits);
        let mut bytes = Vec::with_capacity(compound.len() + MAX_EXTENDED + MAX_TRAILER);
        bytes.extend_from_slice(&compound);
        extended.write(self.ssrc, &mut bytes);
        if self.leaving {
            let goodbye = Goodbye { sources: vec![self.ssrc], reason: Bytes::new() };
            let packets: Vec<Box<dyn Packet>> = vec![Box::new(goodbye)];
            bytes.extend_from_slice(&marshal(&packets).expect(fits));
        }
        bytes
    }

    fn report(&self) -> Box<dyn Packet> {
        let reports = self.block.iter().map(to_wire).collect();
        match self.sender {
            Some(sender) => Box::new(SenderReport {
                ssrc: self.ssrc,
                ntp_time: sender.ntp,
                rtp_time: sender.timestamp,
                packet_count: sender.packets,
                octet_count: sender.octets,
                reports,
                profile_extensions: Bytes::new(),
            }),
            None => Box::new(ReceiverReport {
                ssrc: self.ssrc,
                reports,
                profile_extensions: Bytes::new(),
            }),
        }
    }
}

/// What a compound packet told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Received {
    /// The source that sent it.
    pub ssrc: u32,
    /// The middle 32 bits of its NTP time, when it held a sender report.
    pub report: Option<u32>,
    /// What it says of how we are received.
    pub block: Option<Block>,
    /// What its extended report holds about us, and what it asks.
    pub extended: Extended,
    /// Whether a source said goodbye. It is counted and ends nothing: anybody can write it.
    pub goodbye: bool,
}

/// Why a datagram is no RTCP packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a compound RTCP packet")]
pub struct Malformed;

/// Reads a compound packet; blocks about other sources than `ours` are skipped.
///
/// # Errors
/// When it does not begin with SR or RR, or its lengths do not add up (RFC 3550 A.2).
pub fn parse(bytes: &[u8], ours: u32) -> Result<Received, Malformed> {
    if bytes.len() > MAX_PACKET || !matches!(bytes.get(1), Some(&(SR | RR))) {
        return Err(Malformed);
    }
    let mut received = Received::default();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (packet, kind, after) = split(rest)?;
        match kind {
            SR => {
                let report = SenderReport::unmarshal(&mut &packet[..]).map_err(|_| Malformed)?;
                received.ssrc = report.ssrc;
                received.report = Some((report.ntp_time >> 16) as u32);
                received.block = block_about(ours, &report.reports).or(received.block);
            }
            RR => {
                let report = ReceiverReport::unmarshal(&mut &packet[..]).map_err(|_| Malformed)?;
                received.ssrc = report.ssrc;
                received.block = block_about(ours, &report.reports).or(received.block);
            }
            BYE => received.goodbye = true,
            XR => received.extended = Extended::read(packet, ours),
            _ => {}
        }
        rest = after;
    }
    Ok(received)
}

/// Splits the first packet off: the packet, its type, what follows.
fn split(bytes: &[u8]) -> Result<(&[u8], u8, &[u8]), Malformed> {
    let &[first, kind, high, low] = bytes.first_chunk::<4>().ok_or(Malformed)?;
    if first >> 6 != 2 {
        return Err(Malformed);
    }
    let length = (usize::from(u16::from_be_bytes([high, low])) + 1) * 4;
    let (packet, after) = bytes.split_at_checked(length).ok_or(Malformed)?;
    Ok((packet, kind, after))
}

fn to_wire(block: &Block) -> ReceptionReport {
    ReceptionReport {
        ssrc: block.ssrc,
        fraction_lost: block.fraction_lost,
        // 24 bits, signed (RFC 3550 6.4.1).
        total_lost: block.lost as u32 & 0xff_ffff,
        last_sequence_number: block.highest,
        jitter: block.jitter,
        last_sender_report: block.last_report,
        delay: block.delay,
    }
}

fn block_about(ours: u32, reports: &[ReceptionReport]) -> Option<Block> {
    let report = reports.iter().find(|report| report.ssrc == ours)?;
    Some(Block {
        ssrc: report.ssrc,
        fraction_lost: report.fraction_lost,
        lost: ((report.total_lost << 8) as i32) >> 8,
        highest: report.last_sequence_number,
        jitter: report.jitter,
        last_report: report.last_sender_report,
        delay: report.delay,
    })
}

/// The name as far as one item holds it (RFC 3550 6.5).
fn first_octets(name: &str) -> &[u8] {
    let bytes = name.as_bytes();
    bytes.get(..255).unwrap_or(bytes)
}

/// An extended report with every block, and a goodbye.
const MAX_EXTENDED: usize = 80;

const SR: u8 = 200;
const RR: u8 = 201;
const BYE: u8 = 203;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn block() -> Block {
        Block {
            ssrc: 9,
            fraction_lost: 64,
            lost: -3,
            highest: 70_000,
            jitter: 12,
            last_report: 0x1234_5678,
            delay: 65_536,
        }
    }

    fn compound(sender: Option<SenderInfo>, leaving: bool) -> Vec<u8> {
        Compound { ssrc: 7, sender, block: Some(block()), cname: "a@b", leaving }.write()
    }

    #[test]
    fn a_sender_report_is_read_as_it_was_written() {
        let sender =
            SenderInfo { ntp: 0x0000_0001_8000_0000, timestamp: 160, packets: 5, octets: 800 };
        let bytes = compound(Some(sender), true);
        let received = parse(&bytes, 9).expect("a compound packet");
        assert_eq!(received.ssrc, 7);
        assert_eq!(received.report, Some(0x0001_8000));
        assert_eq!(received.block, Some(block()));
        assert!(received.goodbye);
        assert_eq!(parse(&bytes, 8).expect("a compound packet").block, None);
    }

    #[test]
    fn a_receiver_report_carries_the_name() {
        let bytes = compound(None, false);
        assert_eq!(bytes.get(1), Some(&RR));
        assert!(bytes.windows(3).any(|window| window == b"a@b"));
        let received = parse(&bytes, 9).expect("a compound packet");
        assert_eq!((received.report, received.goodbye), (None, false));
    }

    #[test]
    fn a_lone_goodbye_and_a_cut_packet_are_refused() {
        assert_eq!(parse(&[0x81, BYE, 0, 1, 0, 0, 0, 7], 9), Err(Malformed));
        let bytes = compound(None, true);
        for cut in 0..bytes.len() {
            if cut % 4 != 0 {
                assert_eq!(parse(&bytes[..cut], 9), Err(Malformed), "{cut}");
            }
        }
        assert_eq!(parse(&[0x80, SR, 0, 0], 9), Err(Malformed));
    }

    proptest! {
        #[test]
        fn any_datagram_is_read_or_refused(mut bytes in prop::collection::vec(any::<u8>(), 0..120), kind in 198_u8..209) {
            let words = (bytes.len() / 4).saturating_sub(1) as u8;
            if let [first, second, high, low, ..] = bytes.as_mut_slice() {
                *first = 0x80 | (*first & 0x3f);
                *second = kind;
                (*high, *low) = (0, words.saturating_sub(*low % 2));
            }
            bytes.truncate(bytes.len() / 4 * 4);
            let _ = parse(&bytes, 9);
        }
    }
}
