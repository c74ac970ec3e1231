//! Extended reports (RFC 3611): the round trip for those who only listen, and what a listener
//! makes of what it hears.

/// The blocks of one extended report, as far as we know them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Extended {
    /// When a receiver sent this, as NTP's 32.32 seconds (4.4).
    pub reference: Option<u64>,
    /// The answer to such a block (4.5).
    pub answer: Option<Answer>,
    /// How a stream is heard (4.7).
    pub metrics: Option<Metrics>,
}

/// The answer to the time of a receiver (RFC 3611 4.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// Whose time it was.
    pub ssrc: u32,
    /// The middle 32 bits of that time.
    pub last_reference: u32,
    /// How long ago it came, in 65 536ths of a second.
    pub delay: u32,
}

/// How a stream of voice is heard (RFC 3611 4.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Metrics {
    /// The stream.
    pub ssrc: u32,
    /// The share that never came, in 256ths.
    pub loss: u8,
    /// The share that came too late, in 256ths.
    pub discard: u8,
    /// The share lost within bursts, in 256ths.
    pub burst_density: u8,
    /// The share lost between them, in 256ths.
    pub gap_density: u8,
    /// The mean length of bursts in milliseconds.
    pub burst_millis: u16,
    /// The mean length of gaps in milliseconds.
    pub gap_millis: u16,
    /// The round trip in milliseconds; 0: unknown.
    pub round_trip_millis: u16,
    /// What the listener's end adds in milliseconds.
    pub end_millis: u16,
    /// The rating of the E-model, 0 to 94.
    pub rating: Option<u8>,
    /// Ten times the score of what is heard, delay apart: 10 to 50.
    pub listening: Option<u8>,
    /// Ten times the score of the conversation: 10 to 50.
    pub conversation: Option<u8>,
    /// How long packets are waited for: usually, at most now, and at most ever, in milliseconds.
    pub waits_millis: [u16; 3],
}

impl Extended {
    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Appends a packet of our source `ssrc`, if there is something to say.
    pub fn write(&self, ssrc: u32, out: &mut Vec<u8>) {
        if self.is_empty() {
            return;
        }
        let begin = out.len();
        out.extend_from_slice(&[0x80, XR, 0, 0]);
        out.extend_from_slice(&ssrc.to_be_bytes());
        if let Some(ntp) = self.reference {
            out.extend_from_slice(&[REFERENCE, 0, 0, 2]);
            out.extend_from_slice(&ntp.to_be_bytes());
        }
        if let Some(Answer { ssrc, last_reference, delay }) = self.answer {
            out.extend_from_slice(&[ANSWER, 0, 0, 3]);
            for word in [ssrc, last_reference, delay] {
                out.extend_from_slice(&word.to_be_bytes());
            }
        }
        if let Some(metrics) = self.metrics {
            out.extend_from_slice(&[METRICS, 0, 0, 8]);
            metrics.write(out);
        }
        let words = (out.len() - begin) / 4 - 1;
        if let Some([_, _, high, low]) = out.get_mut(begin..).and_then(<[u8]>::first_chunk_mut) {
            [*high, *low] = (words as u16).to_be_bytes();
        }
    }

    /// Reads a packet, its header included; what is about others than `ours`, or of no kind that
    /// we know, is skipped, and so is all that is cut off.
    pub fn read(packet: &[u8], ours: u32) -> Self {
        let mut read = Self::default();
        let mut rest = packet.get(8..).unwrap_or_default();
        while let Some((&[kind, _, high, low], behind)) = rest.split_first_chunk::<4>() {
            let length = usize::from(u16::from_be_bytes([high, low])) * 4;
            let Some((block, after)) = behind.split_at_checked(length) else { return read };
            match kind {
                REFERENCE => {
                    let ntp = block.first_chunk::<8>().map(|ntp| u64::from_be_bytes(*ntp));
                    read.reference = ntp.or(read.reference);
                }
                ANSWER => {
                    let (answers, _) = block.as_chunks::<12>();
                    let ours = answers.iter().map(Answer::read).find(|it| it.ssrc == ours);
                    read.answer = ours.or(read.answer);
                }
                METRICS => {
                    let metrics = block.first_chunk::<32>().map(Metrics::read);
                    read.metrics = metrics.filter(|it| it.ssrc == ours).or(read.metrics);
                }
                _ => {}
            }
            rest = after;
        }
        read
    }
}

impl Answer {
    fn read([s0, s1, s2, s3, l0, l1, l2, l3, d0, d1, d2, d3]: &[u8; 12]) -> Self {
        Self {
            ssrc: u32::from_be_bytes([*s0, *s1, *s2, *s3]),
            last_reference: u32::from_be_bytes([*l0, *l1, *l2, *l3]),
            delay: u32::from_be_bytes([*d0, *d1, *d2, *d3]),
        }
    }
}

impl Metrics {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.ssrc.to_be_bytes());
        out.extend_from_slice(&[self.loss, self.discard, self.burst_density, self.gap_density]);
        let times = [self.burst_millis, self.gap_millis, self.round_trip_millis, self.end_millis];
        for time in times {
            out.extend_from_slice(&time.to_be_bytes());
        }
        // Signal, noise and echo are not measured; bursts end after 16 packets.
        out.extend_from_slice(&[UNKNOWN, UNKNOWN, UNKNOWN, super::bursts::GMIN as u8]);
        let rating = self.rating.unwrap_or(UNKNOWN);
        let [listening, conversation] =
            [self.listening, self.conversation].map(|it| it.unwrap_or(UNKNOWN));
        out.extend_from_slice(&[rating, UNKNOWN, listening, conversation]);
        out.extend_from_slice(&[CONCEALED_AND_ADAPTIVE, 0]);
        for wait in self.waits_millis {
            out.extend_from_slice(&wait.to_be_bytes());
        }
    }

    fn read(block: &[u8; 32]) -> Self {
        let octet = |at: usize| block.get(at).copied().unwrap_or(0);
        let short = |at: usize| u16::from_be_bytes([octet(at), octet(at + 1)]);
        let known = |at: usize| Some(octet(at)).filter(|it| *it != UNKNOWN);
        Self {
            ssrc: u32::from_be_bytes([octet(0), octet(1), octet(2), octet(3)]),
            loss: octet(4),
            discard: octet(5),
            burst_density: octet(6),
            gap_density: octet(7),
            burst_millis: short(8),
            gap_millis: short(10),
            round_trip_millis: short(12),
            end_millis: short(14),
            rating: known(20).filter(|rating| *rating <= 100),
            listening: known(22).filter(|score| (10..=50).contains(score)),
            conversation: known(23).filter(|score| (10..=50).contains(score)),
            waits_millis: [short(26), short(28), short(30)],
        }
    }
}

/// A share as 256ths (RFC 3611 4.7.1).
pub fn in_256ths(share: f64) -> u8 {
    (share * 256.0) as u8
}

/// The payload type of extended reports.
pub const XR: u8 = 207;
const REFERENCE: u8 = 4;
const ANSWER: u8 = 5;
const METRICS: u8 = 7;
const UNKNOWN: u8 = 127;
/// Standard concealment, an adaptive buffer, no rate of adjustment (4.7.6).
const CONCEALED_AND_ADAPTIVE: u8 = 0b1111_0000;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn extended() -> Extended {
        Extended {
            reference: Some(0x0102_0304_0506_0708),
            answer: Some(Answer { ssrc: 9, last_reference: 77, delay: 65_536 }),
            metrics: Some(Metrics {
                ssrc: 9,
                loss: 13,
                discard: 2,
                burst_density: 100,
                gap_density: 1,
                burst_millis: 120,
                gap_millis: 9_000,
                round_trip_millis: 80,
                end_millis: 40,
                rating: Some(81),
                listening: Some(41),
                conversation: Some(39),
                waits_millis: [20, 60, 200],
            }),
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let mut bytes = Vec::new();
        extended().write(7, &mut bytes);
        assert_eq!(bytes.len(), 8 + 12 + 16 + 36);
        assert_eq!(&bytes[..8], [0x80, 207, 0, 17, 0, 0, 0, 7]);
        assert_eq!(Extended::read(&bytes, 9), extended());
        let foreign = Extended::read(&bytes, 10);
        assert_eq!(foreign, Extended { reference: extended().reference, ..Extended::default() });
    }

    #[test]
    fn nothing_to_say_is_no_packet_and_what_is_unknown_is_told_as_unknown() {
        let mut bytes = Vec::new();
        Extended::default().write(7, &mut bytes);
        assert!(bytes.is_empty());
        let metrics = Some(Metrics { ssrc: 3, ..Metrics::default() });
        let silent = Extended { metrics, ..Extended::default() };
        silent.write(7, &mut bytes);
        assert_eq!(bytes[28..36], [127, 127, 127, 16, 127, 127, 127, 127]);
        assert_eq!(Extended::read(&bytes, 3), silent);
    }

    proptest! {
        #[test]
        fn any_octets_are_read(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
            let read = Extended::read(&bytes, 9);
            prop_assert!(read.metrics.is_none_or(|it| it.ssrc == 9));
        }

        #[test]
        fn a_packet_may_be_cut_anywhere(length in 0_usize..72) {
            let mut bytes = Vec::new();
            extended().write(7, &mut bytes);
            bytes.truncate(length);
            let read = Extended::read(&bytes, 9);
            prop_assert!(read.metrics.is_none());
        }
    }
}
