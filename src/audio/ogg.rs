//! Ogg pages (RFC 3533), and the two headers of Opus in Ogg (RFC 7845). A page is complete in
//! itself: a file that was cut off is whole up to its last page.

use std::collections::VecDeque;
use std::io::{self, Read};

/// Puts packets into pages.
#[derive(Debug)]
pub struct Pages {
    serial: u32,
    sequence: u32,
    /// The lengths of the packets of the page to come, as lacing values.
    lacing: Vec<u8>,
    payload: Vec<u8>,
    /// How many samples at 48 kHz end with the last packet of it.
    position: u64,
}

/// What a page is in its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The first.
    First,
    /// One among others.
    Middle,
    /// The last.
    Last,
}

impl Pages {
    /// Begins a stream, whose number tells it from others.
    pub fn new(serial: u32) -> Self {
        Self { serial, sequence: 0, lacing: Vec::new(), payload: Vec::new(), position: 0 }
    }

    /// Puts a packet into the page to come; `position` is how many samples at 48 kHz end with it.
    /// False: the page is full, and must be closed first. No packet is longer than 60 KB.
    pub fn put(&mut self, packet: &[u8], position: u64) -> bool {
        let segments = packet.len() / 255 + 1;
        if self.lacing.len() + segments > MOST_SEGMENTS {
            return false;
        }
        self.lacing.extend(std::iter::repeat_n(255, segments - 1));
        self.lacing.push((packet.len() % 255) as u8);
        self.payload.extend_from_slice(packet);
        self.position = position;
        true
    }

    /// Whether nothing waits for a page.
    pub fn is_empty(&self) -> bool {
        self.lacing.is_empty()
    }

    /// Says where the last packet of the page to come really ends: what lies behind is cut.
    pub fn end_at(&mut self, position: u64) {
        self.position = position;
    }

    /// Closes the page and appends it to `out`.
    pub fn close(&mut self, kind: Kind, out: &mut Vec<u8>) {
        let begin = out.len();
        let flags = match kind {
            Kind::First => 2,
            Kind::Middle => 0,
            Kind::Last => 4,
        };
        out.extend_from_slice(b"OggS");
        out.extend_from_slice(&[0, flags]);
        out.extend_from_slice(&self.position.to_le_bytes());
        out.extend_from_slice(&self.serial.to_le_bytes());
        out.extend_from_slice(&self.sequence.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        out.push(self.lacing.len() as u8);
        out.append(&mut self.lacing);
        out.append(&mut self.payload);
        let sum = checksum(&out[begin..]);
        out[begin + CHECKSUM..begin + CHECKSUM + 4].copy_from_slice(&sum.to_le_bytes());
        self.sequence = self.sequence.wrapping_add(1);
    }
}

/// The identification header of Opus in Ogg (RFC 7845 5.1): two voices, each a stream of its own,
/// the first left and the second right, so that neither is heard in the other.
pub fn opus_head(pre_skip: u16, rate: u32) -> Vec<u8> {
    let mut head = b"OpusHead".to_vec();
    head.extend_from_slice(&[1, 2]);
    head.extend_from_slice(&pre_skip.to_le_bytes());
    head.extend_from_slice(&rate.to_le_bytes());
    head.extend_from_slice(&[0, 0]);
    // Mapping family 1: two streams, none of them stereo (RFC 7845 5.1.1).
    head.extend_from_slice(&[1, 2, 0, 0, 1]);
    head
}

/// The comment header (RFC 7845 5.2).
pub fn opus_tags(vendor: &str, comments: &[String]) -> Vec<u8> {
    let mut tags = b"OpusTags".to_vec();
    let mut text = |text: &str| {
        tags.extend_from_slice(&(text.len() as u32).to_le_bytes());
        tags.extend_from_slice(text.as_bytes());
    };
    text(vendor);
    let mut list = (comments.len() as u32).to_le_bytes().to_vec();
    for comment in comments {
        list.extend_from_slice(&(comment.len() as u32).to_le_bytes());
        list.extend_from_slice(comment.as_bytes());
    }
    tags.extend_from_slice(&list);
    tags
}

/// Joins one Opus packet of each of two streams (RFC 7845 3, RFC 6716 appendix B): the first says
/// its own length. Both hold one frame, as our encoders make them; nothing else is joined.
pub fn join(left: &[u8], right: &[u8]) -> Option<Vec<u8>> {
    let (toc, frame) = left.split_first()?;
    // Code 0: one frame (RFC 6716 3.2.2).
    if toc & 3 != 0 || right.first()? & 3 != 0 {
        return None;
    }
    let mut joined = Vec::with_capacity(left.len() + right.len() + 2);
    joined.push(*toc);
    match frame.len() {
        // RFC 6716 3.2.1.
        length @ 0..252 => joined.push(length as u8),
        length @ 252..1_276 => {
            let first = 252 + (length % 4);
            joined.extend_from_slice(&[first as u8, ((length - first) / 4) as u8]);
        }
        _ => return None,
    }
    joined.extend_from_slice(frame);
    joined.extend_from_slice(right);
    Some(joined)
}

/// Splits what [`join`] joined.
pub fn split(joined: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let (toc, rest) = joined.split_first()?;
    if toc & 3 != 0 {
        return None;
    }
    let (length, rest) = match (*rest.first()?, rest.get(1)) {
        (length @ 0..252, _) => (usize::from(length), rest.get(1..)?),
        (first, more) => (usize::from(first) + 4 * usize::from(*more?), rest.get(2..)?),
    };
    let (frame, right) = rest.split_at_checked(length)?;
    Some(([&[*toc], frame].concat(), right))
}

/// The packets of a file that holds one stream, read page by page.
#[derive(Debug)]
pub struct Packets<R> {
    source: R,
    waiting: VecDeque<Vec<u8>>,
    /// What a page had of a packet that goes on in the next one.
    begun: Vec<u8>,
}

impl<R: Read> Packets<R> {
    /// Reads from the beginning.
    pub fn new(source: R) -> Self {
        Self { source, waiting: VecDeque::new(), begun: Vec::new() }
    }

    /// The next packet; nothing at the end, and where a page is cut off or is none.
    ///
    /// # Errors
    /// When the source cannot be read.
    pub fn packet(&mut self) -> io::Result<Option<Vec<u8>>> {
        while self.waiting.is_empty() {
            let mut head = [0; HEADER];
            if !filled(&mut self.source, &mut head)? || !head.starts_with(b"OggS") {
                return Ok(None);
            }
            let mut lacing = vec![0; usize::from(head[HEADER - 1])];
            if !filled(&mut self.source, &mut lacing)? {
                return Ok(None);
            }
            for length in lacing {
                let begins = self.begun.len();
                self.begun.resize(begins + usize::from(length), 0);
                let room = self.begun.get_mut(begins..).unwrap_or_default();
                if !filled(&mut self.source, room)? {
                    return Ok(None);
                }
                if length < u8::MAX {
                    self.waiting.push_back(std::mem::take(&mut self.begun));
                } else if self.begun.len() > LONGEST_PACKET {
                    return Ok(None);
                }
            }
        }
        Ok(self.waiting.pop_front())
    }
}

/// Fills all of it; false when the source ends before.
fn filled(source: &mut impl Read, room: &mut [u8]) -> io::Result<bool> {
    match source.read_exact(room) {
        Ok(()) => Ok(true),
        Err(why) if why.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(why) => Err(why),
    }
}

/// The position of the last whole page in what stands at the end of a file, at 48 kHz.
pub fn last_position(end: &[u8]) -> Option<u64> {
    let places = memchr::memmem::rfind_iter(end, b"OggS");
    places.filter_map(|at| page(end.get(at..)?)).map(|page| page.position).next()
}

/// The samples at 48 kHz to be skipped at the beginning, as an OpusHead says (RFC 7845 5.1), and how
/// many channels there are.
pub fn read_opus_head(packet: &[u8]) -> Option<(u16, u8)> {
    let rest = packet.strip_prefix(b"OpusHead")?;
    let skip = rest.get(2..).and_then(<[u8]>::first_chunk::<2>)?;
    Some((u16::from_le_bytes(*skip), *rest.get(1)?))
}

/// What is whole of a file that was cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Whole {
    /// So many octets are whole pages.
    pub octets: usize,
    /// The number of the stream.
    pub serial: u32,
    /// How many pages there are.
    pub pages: u32,
    /// How many samples at 48 kHz they hold.
    pub position: u64,
    /// Whether the last of them says that it is the last.
    pub ended: bool,
}

/// Looks how many whole pages stand at the beginning; nothing, when there is none.
pub fn whole(bytes: &[u8]) -> Option<Whole> {
    let mut found: Option<Whole> = None;
    let mut octets = 0;
    while let Some(page) = page(bytes.get(octets..).unwrap_or_default()) {
        octets += page.octets;
        let pages = found.map_or(0, |it| it.pages) + 1;
        found = Some(Whole { octets, pages, ..page });
    }
    found
}

/// The page at the beginning, if it is whole.
fn page(bytes: &[u8]) -> Option<Whole> {
    let head: &[u8; HEADER] = bytes.first_chunk()?;
    if !head.starts_with(b"OggS") {
        return None;
    }
    let lacing = bytes.get(HEADER..HEADER + usize::from(head[HEADER - 1]))?;
    let payload: usize = lacing.iter().map(|it| usize::from(*it)).sum();
    let octets = HEADER + lacing.len() + payload;
    let mut page = bytes.get(..octets)?.to_vec();
    let sum = std::mem::take(page.get_mut(CHECKSUM..)?.first_chunk_mut::<4>()?);
    if checksum(&page) != u32::from_le_bytes(sum) {
        return None;
    }
    let number = |at: usize| {
        let octets = head.get(at..).and_then(<[u8]>::first_chunk::<4>);
        u32::from_le_bytes(octets.copied().unwrap_or_default())
    };
    let position = u64::from(number(6)) | u64::from(number(10)) << 32;
    Some(Whole { octets, serial: number(14), pages: 1, position, ended: head[5] & 4 != 0 })
}

/// The checksum of RFC 3533 6: polynomial 0x04c11db7, from 0, nothing turned round.
fn checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |sum, octet| (sum << 8) ^ TABLE[usize::from((sum >> 24) as u8 ^ octet)])
}

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 256 {
        let mut value = (at as u32) << 24;
        let mut bit = 0;
        while bit < 8 {
            value = if value >> 31 == 1 { (value << 1) ^ 0x04c1_1db7 } else { value << 1 };
            bit += 1;
        }
        table[at] = value;
        at += 1;
    }
    table
}

static TABLE: [u32; 256] = table();

/// The octets before the lacing values.
const HEADER: usize = 27;

/// Where the checksum stands.
const CHECKSUM: usize = 22;

const MOST_SEGMENTS: usize = 255;

/// No packet of ours comes near it, in octets.
const LONGEST_PACKET: usize = 64 * 1_024;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn file(packets: &[Vec<u8>]) -> Vec<u8> {
        let (mut pages, mut out) = (Pages::new(7), Vec::new());
        assert!(pages.put(&opus_head(312, 8_000), 0));
        pages.close(Kind::First, &mut out);
        for (at, packet) in packets.iter().enumerate() {
            assert!(pages.put(packet, (at as u64 + 1) * 960));
            pages.close(Kind::Middle, &mut out);
        }
        out
    }

    #[test]
    fn the_checksum_is_that_of_other_programs() {
        // The check value of CRC-32 with this polynomial, from 0 and unturned.
        assert_eq!(checksum(b"123456789"), 0x89a1_897f);
    }

    #[test]
    fn a_frame_says_its_own_length() {
        let joined = |length: usize| {
            let left = [&[0x48][..], &vec![5; length]].concat();
            join(&left, &[0x48, 9]).expect("one frame each")
        };
        assert_eq!(joined(2), [0x48, 2, 5, 5, 0x48, 9]);
        assert_eq!(joined(251)[..3], [0x48, 251, 5]);
        assert_eq!(joined(252)[..4], [0x48, 252, 0, 5]);
        assert_eq!(joined(255)[..4], [0x48, 255, 0, 5]);
        assert_eq!(joined(256)[..4], [0x48, 252, 1, 5]);
        assert_eq!(joined(1_275)[..4], [0x48, 255, 255, 5]);
        assert_eq!(join(&[0x49, 1, 1], &[0x48]), None);
        assert_eq!(join(&[], &[0x48]), None);
    }

    #[test]
    fn packets_are_read_as_they_were_put_and_up_to_where_the_file_was_cut() {
        let packets: Vec<Vec<u8>> = (0..20_usize).map(|at| vec![at as u8; at * 60]).collect();
        let bytes = file(&packets);
        let read = |bytes: &[u8]| {
            let mut packets = Packets::new(bytes);
            std::iter::from_fn(|| packets.packet().expect("it is memory")).collect::<Vec<_>>()
        };
        let all = read(&bytes);
        assert_eq!(read_opus_head(&all[0]), Some((312, 2)));
        assert_eq!(all[1..], packets[..]);
        assert_eq!(read(&bytes[..bytes.len() - 1])[1..], packets[..19]);
        assert_eq!(last_position(&bytes), Some(20 * 960));
        assert_eq!(last_position(&bytes[..bytes.len() - 1]), Some(19 * 960));
        assert_eq!((last_position(b"OggS"), read(b"RIFF").len()), (None, 0));
    }

    #[test]
    fn what_was_joined_is_split_again() {
        for length in [0, 2, 251, 252, 255, 1_275] {
            let left = [&[0x48][..], &vec![5; length]].concat();
            let joined = join(&left, &[0x48, 9]).expect("one frame each");
            assert_eq!(split(&joined), Some((left, &[0x48, 9][..])));
            assert_eq!(split(&joined[..length + 1]), None);
        }
        assert_eq!((split(&[]), split(&[0x49, 1, 1]), split(&[0x48, 253])), (None, None, None));
    }

    #[test]
    fn a_full_page_takes_no_more() {
        let mut pages = Pages::new(1);
        for at in 0..255 {
            assert!(pages.put(&[1, 2], at));
        }
        assert!(!pages.put(&[1], 256));
        pages.close(Kind::Middle, &mut Vec::new());
        assert!(pages.put(&[1], 256));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_file_that_is_cut_anywhere_is_whole_up_to_its_last_page(
            packets in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..600), 1..6),
            cut in 0.0_f64..1.0,
        ) {
            let bytes = file(&packets);
            let all = whole(&bytes).expect("pages");
            prop_assert_eq!((all.octets, all.pages), (bytes.len(), packets.len() as u32 + 1));
            let cut = (cut * bytes.len() as f64) as usize;
            let rest = whole(&bytes[..cut]);
            prop_assert!(rest.is_none_or(|it| it.octets <= cut && it.serial == 7));
            let most = (0..=packets.len()).filter(|many| file(&packets[..*many]).len() <= cut);
            prop_assert_eq!(rest.map(|it| it.pages), most.max().map(|it| it as u32 + 1));
        }

        #[test]
        fn a_flipped_bit_is_seen(bit in 0_usize..8, at in 0_usize..46) {
            let mut bytes = file(&[]);
            bytes[at] ^= 1 << bit;
            prop_assert_eq!(whole(&bytes), None);
        }

        #[test]
        fn any_octets_are_looked_at_in_peace(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            whole(&bytes);
        }
    }
}
