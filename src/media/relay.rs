//! The relay: gives the packets of another port the sequence and the clock of ours, so that the
//! peer sees one stream whoever speaks in it. What was lost stays lost and what was swapped stays
//! swapped: the peer's own jitter buffer knows best.

use std::time::{Duration, Instant};

use crate::audio::codec::Codec;
use crate::audio::coder::{Decoder, Encoder};
use crate::audio::tone::Tone;
use crate::base::id::PortId;
use crate::media::decoding::duration;
use crate::media::link::{Content, Passage};

/// Maps one stream at a time.
#[derive(Debug, Default)]
pub struct Relay {
    anchor: Option<Anchor>,
    /// When the last packet of voice was passed, and its time in the speaker's stream.
    last: Option<(Instant, u32)>,
    /// Out of another codec, which must be a plain one.
    decoder: Option<Decoder>,
    key: Option<Key>,
    samples: Vec<i16>,
}

/// Where the speaker's stream meets ours.
#[derive(Debug, Clone, Copy)]
struct Anchor {
    from: PortId,
    stream: u32,
    index: u64,
    timestamp: u32,
    /// Ours at that point.
    next: Next,
}

/// What comes next in our stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Next {
    /// The sequence number.
    pub sequence: u16,
    /// The RTP time.
    pub timestamp: u32,
}

/// A key that becomes a tone, because the peer takes no telephone events.
#[derive(Debug)]
struct Key {
    timestamp: u32,
    /// How much of it was played, in ticks of its clock.
    played: u32,
    tone: Tone,
}

/// Where a packet stands in our stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Sequence and time.
    pub at: Next,
    /// Whether it is the first after another speaker, or after a pause.
    pub first: bool,
}

impl Relay {
    /// Whether packets are being relayed.
    pub fn runs(&self) -> bool {
        self.anchor.is_some()
    }

    /// Ends the relay; the next packet begins anew.
    pub fn stop(&mut self) {
        self.anchor = None;
        self.last = None;
        self.key = None;
    }

    /// Finds the place of a packet in our stream, whose clock ticks `clock` times a second; `next`
    /// is where our stream goes on. `None`: it belongs before the beginning and is dropped.
    pub fn place(
        &mut self,
        now: Instant,
        (from, passage): (PortId, &Passage),
        next: Next,
        clock: u32,
    ) -> Option<Place> {
        let first = !self.follows(now, from, passage);
        if first {
            let (stream, index) = (passage.stream, passage.index);
            let timestamp = passage.timestamp;
            self.anchor = Some(Anchor { from, stream, index, timestamp, next });
            self.key = None;
        }
        let anchor = self.anchor?;
        let ahead = passage.index.checked_sub(anchor.index)?;
        if let Content::Voice(_) = passage.content {
            self.last = Some((now, passage.timestamp));
        }
        let ticks = i64::from(passage.timestamp.wrapping_sub(anchor.timestamp) as i32);
        let ticks = ticks * i64::from(clock) / i64::from(passage.clock.max(1));
        let at = Next {
            sequence: anchor.next.sequence.wrapping_add(ahead as u16),
            timestamp: anchor.next.timestamp.wrapping_add(ticks as u32),
        };
        Some(Place { at, first })
    }

    /// A packet that was placed is not sent after all: those behind it close the gap.
    pub fn leave_out(&mut self) {
        if let Some(anchor) = &mut self.anchor {
            anchor.index = anchor.index.saturating_add(1);
        }
    }

    /// Whether a packet can be passed on by itself: it is in our codec, or becomes one packet of it
    /// whatever came before. A codec that remembers must not see loss and disorder.
    pub fn suits(passage: &Passage, codec: Codec) -> bool {
        let Content::Voice(theirs) = passage.content else { return true };
        let rewritten = theirs.is_plain() && codec.is_plain() && theirs.rate() == codec.rate();
        theirs == codec || rewritten && codec.fits(duration(theirs, &passage.payload))
    }

    /// Gives the payload of a packet of voice in our codec, as far as `suits` says that it can be.
    pub fn voice(&mut self, passage: &Passage, encoder: &mut Encoder, out: &mut Vec<u8>) {
        let Content::Voice(theirs) = passage.content else { return };
        if theirs == encoder.codec() {
            return out.extend_from_slice(&passage.payload);
        }
        if codec_is_too_long(theirs, &passage.payload) || !Self::suits(passage, encoder.codec()) {
            return;
        }
        let decoder = match self.decoder.as_mut().filter(|decoder| decoder.codec() == theirs) {
            Some(decoder) => decoder,
            None => self.decoder.insert(Decoder::plain(theirs)),
        };
        self.samples.clear();
        decoder.decode(&passage.payload, &mut self.samples);
        encoder.encode(&self.samples, out);
    }

    /// Gives what is new of a key as a tone in our codec, and how many ticks of our clock after
    /// the beginning of the key it starts. `None`: the packet holds nothing new.
    pub fn tone(
        &mut self,
        passage: &Passage,
        encoder: &mut Encoder,
        out: &mut Vec<u8>,
    ) -> Option<u32> {
        let Content::Key { clock } = passage.content else { return None };
        let (&[event, _, high, low], _) = passage.payload.split_first_chunk::<4>()?;
        let (duration, codec) = (u32::from(u16::from_be_bytes([high, low])), encoder.codec());
        if self.key.as_ref().is_none_or(|key| key.timestamp != passage.timestamp) {
            let name = KEYS.chars().nth(usize::from(event))?;
            let tone = Tone::key(codec.rate(), name)?.at(0.4);
            self.key = Some(Key { timestamp: passage.timestamp, played: 0, tone });
        }
        let key = self.key.as_mut()?;
        let fresh = duration.checked_sub(key.played).filter(|fresh| *fresh > 0)?;
        let begin = scaled(key.played, clock, codec.clock_rate());
        key.played = duration;
        let clock = u64::from(clock.max(1));
        let length = Duration::from_micros(u64::from(fresh) * 1_000_000 / clock);
        encoder.encode(&key.tone.play(length), out);
        Some(begin)
    }

    /// Whether a packet goes on where the relay stands: the same stream, and its clock has gone on
    /// about as much as ours.
    fn follows(&self, now: Instant, from: PortId, passage: &Passage) -> bool {
        let same = self
            .anchor
            .is_some_and(|anchor| anchor.from == from && anchor.stream == passage.stream);
        let Some((at, timestamp)) = self.last else { return same };
        let ticks = i64::from(passage.timestamp.wrapping_sub(timestamp) as i32);
        let clock = i64::from(passage.clock.max(1));
        let elapsed = now.saturating_duration_since(at).as_millis() as i64;
        same && (ticks * 1_000 / clock - elapsed).abs() < LARGEST_JUMP
    }
}

/// So many ticks of one clock in those of another.
pub fn scaled(ticks: u32, clock: u32, to: u32) -> u32 {
    (u64::from(ticks) * u64::from(to)).checked_div(u64::from(clock)).unwrap_or(0) as u32
}

fn codec_is_too_long(codec: Codec, payload: &[u8]) -> bool {
    duration(codec, payload) > LONGEST_PACKET
}

/// More than any sender puts into a packet (RFC 3551 4.2).
const LONGEST_PACKET: Duration = Duration::from_millis(200);

/// In milliseconds: a clock that jumps further has been restarted.
const LARGEST_JUMP: i64 = 2_000;

/// The keys by their event codes (RFC 4733 3.2).
const KEYS: &str = "0123456789*#ABCD";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::link::Voice;
    use bytes::Bytes;

    const NEXT: Next = Next { sequence: 65_534, timestamp: u32::MAX - 100 };

    fn passage(index: u64, timestamp: u32) -> Passage {
        let payload = Bytes::from_static(&[0x55; 160]);
        let content = Content::Voice(Codec::Pcmu);
        let (voice, marker) = (Voice::Peer, false);
        Passage { voice, stream: 1, index, timestamp, clock: 8_000, marker, content, payload }
    }

    fn place(relay: &mut Relay, at: Instant, passage: &Passage) -> Option<(u16, u32, bool)> {
        let placed = relay.place(at, (PortId(1), passage), NEXT, 8_000)?;
        Some((placed.at.sequence, placed.at.timestamp, placed.first))
    }

    #[test]
    fn loss_stays_loss_and_order_stays_order() {
        let (mut relay, start) = (Relay::default(), Instant::now());
        let at = |packet: u64| start + Duration::from_millis(packet * 20);
        let first = place(&mut relay, at(0), &passage(100, 5_000));
        assert_eq!(first, Some((65_534, u32::MAX - 100, true)));
        assert_eq!(place(&mut relay, at(3), &passage(103, 5_480)), Some((1, 379, false)));
        assert_eq!(place(&mut relay, at(3), &passage(102, 5_320)), Some((0, 219, false)));
        assert_eq!(place(&mut relay, at(4), &passage(99, 4_840)), None, "before the beginning");
    }

    #[test]
    fn another_stream_and_a_jump_of_the_clock_begin_anew() {
        let (mut relay, start) = (Relay::default(), Instant::now());
        assert!(place(&mut relay, start, &passage(1, 0)).is_some_and(|it| it.2));
        let soon = start + Duration::from_millis(20);
        assert!(place(&mut relay, soon, &passage(2, 160)).is_some_and(|it| !it.2));
        assert!(place(&mut relay, soon, &passage(3, 900_000)).is_some_and(|it| it.2));
        let other = Passage { stream: 2, ..passage(4, 900_160) };
        assert!(place(&mut relay, soon, &other).is_some_and(|it| it.2));
    }

    #[test]
    fn one_codec_becomes_the_other() {
        let (mut relay, mut out) = (Relay::default(), Vec::new());
        let mut voice = |codec, out: &mut Vec<u8>| {
            relay.voice(&passage(1, 0), &mut Encoder::plain(codec), out);
        };
        voice(Codec::Pcmu, &mut out);
        assert_eq!(out, [0x55; 160]);
        out.clear();
        voice(Codec::Pcma, &mut out);
        let (mut one, mut two) = (Vec::new(), Vec::new());
        Decoder::plain(Codec::Pcma).decode(&out, &mut one);
        Decoder::plain(Codec::Pcmu).decode(&[0x55; 160], &mut two);
        assert!(one.iter().zip(&two).all(|(one, two)| (one - two).abs() < 16));
    }

    #[test]
    fn a_key_becomes_a_tone_without_a_seam() {
        let (mut relay, mut out) = (Relay::default(), Vec::new());
        let key = |duration: u16| Passage {
            content: Content::Key { clock: 8_000 },
            payload: Bytes::from([&[5, 10][..], &duration.to_be_bytes()].concat()),
            ..passage(1, 0)
        };
        let mut encoder = Encoder::plain(Codec::Pcmu);
        let begins: Vec<_> = [160, 320, 480, 480, 480]
            .iter()
            .map(|duration| relay.tone(&key(*duration), &mut encoder, &mut out))
            .collect();
        assert_eq!(begins, [Some(0), Some(160), Some(320), None, None]);
        assert_eq!(out.len(), 480);
        let mut whole = Vec::new();
        let tone = Tone::key(Codec::Pcmu.rate(), '5').map(|tone| tone.at(0.4));
        let tone = tone.expect("a key").play(Duration::from_millis(60));
        encoder.encode(&tone, &mut whole);
        assert_eq!(out, whole);
        let junk = Passage { payload: Bytes::from_static(&[77, 0, 0]), ..key(0) };
        assert_eq!(relay.tone(&junk, &mut encoder, &mut out), None);
    }
}
