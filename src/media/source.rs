//! Who may speak to a port: the rules against bleeding, injection and hijack of media.
//!
//! Every datagram is judged here before anything of it is used, in constant time. Media is taken
//! from the address in the session description. Behind a NAT the description names another
//! address than packets come from; then, once and only among the first packets, media latches to
//! another port of that address, or, when the described address is private, to the address that
//! signalling came from. Later the port may move only when a NAT forgot its binding: same address,
//! same source, the sequence goes on, and the old port is silent. What SRTP has proven may latch and
//! move from any address. Where a browser is, ICE finds out, and nothing here.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use crate::media::event::Settings;
use crate::rtp::packet::Header;
use crate::rtp::sequence::{Probation, Verdict};
use crate::rtp::stats::Reception;

/// What is to become of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// It is the peer's, at this place of the stream.
    Accepted(Verdict),
    /// It is the first of a stream that was not heard before, or not lately.
    Begun {
        /// Its extended sequence number.
        index: u64,
    },
    /// It is another's, or not yet proven to be the peer's.
    Foreign,
}

/// The peer's end of the media.
#[derive(Debug)]
pub struct Source {
    described: SocketAddr,
    signalling: IpAddr,
    symmetric: bool,
    /// Whether what is judged here was proven by a key: then it is the peer's, wherever it comes
    /// from (T8).
    keyed: bool,
    clock_rate: u32,
    latch: Latch,
    stream: Option<Stream>,
    /// Sources that are not (or no longer) the one heard, oldest first.
    candidates: Vec<(u32, Probation)>,
    /// Packets lost of streams that ended.
    lost_before: u64,
}

/// Where packets come from.
#[derive(Debug, Clone, Copy)]
enum Latch {
    /// Nothing was accepted yet.
    Open {
        /// How many packets of candidates may still be looked at.
        chances: u8,
        /// The candidate: address, source, proof.
        hope: Option<(SocketAddr, u32, Probation)>,
    },
    /// The peer is where ICE says, if it says so already. Its packets are proven by a key, and come
    /// from addresses that ICE has proven.
    Led(Option<SocketAddr>),
    /// This address is the peer.
    Closed {
        from: SocketAddr,
        /// Whether it was taken for want of the described one, which would still win.
        makeshift: bool,
    },
}

#[derive(Debug)]
struct Stream {
    reception: Reception,
    last: Instant,
}

impl Source {
    /// Waits for the peer that a session description names.
    pub fn new(settings: &Settings) -> Self {
        Self {
            described: settings.remote,
            signalling: settings.signalling,
            symmetric: settings.symmetric,
            keyed: settings.srtp.is_some() || settings.web.is_some(),
            clock_rate: settings.codec.clock_rate(),
            latch: if settings.web.is_some() { Latch::Led(None) } else { Latch::OPEN },
            stream: None,
            candidates: Vec::with_capacity(MAX_CANDIDATES),
            lost_before: 0,
        }
    }

    /// Takes a new session description. Another address opens the latch again.
    pub fn describe(&mut self, settings: &Settings) {
        self.symmetric = settings.symmetric;
        self.keyed = settings.srtp.is_some() || settings.web.is_some();
        self.clock_rate = settings.codec.clock_rate();
        if let Some(stream) = &mut self.stream {
            stream.reception.retime(self.clock_rate);
        }
        let is_same = self.described == settings.remote && self.signalling == settings.signalling;
        if is_same || matches!(self.latch, Latch::Led(_)) {
            return;
        }
        self.described = settings.remote;
        self.signalling = settings.signalling;
        self.latch = Latch::OPEN;
        self.end_stream();
        self.candidates.clear();
    }

    /// Where to send; `None` while nobody knows.
    pub fn destination(&self) -> Option<SocketAddr> {
        let to = match self.latch {
            Latch::Closed { from, .. } => from,
            Latch::Open { .. } => self.described,
            Latch::Led(to) => to?,
        };
        (!to.ip().is_unspecified() && to.port() != 0).then_some(to)
    }

    /// ICE says where a browser is. Of others it knows nothing.
    pub fn lead(&mut self, to: SocketAddr) {
        if let Latch::Led(place) = &mut self.latch {
            *place = Some(to);
        }
    }

    /// Whether packets come from another address than the description names.
    pub fn moved(&self) -> bool {
        matches!(self.latch, Latch::Closed { from, .. } if from != self.described)
    }

    /// Whether a control packet may be the peer's.
    pub fn may_report(&self, from: SocketAddr) -> bool {
        self.keyed || self.destination().is_some_and(|peer| peer.ip() == from.ip())
    }

    /// The reception of the stream that is heard.
    pub fn reception(&self) -> Option<&Reception> {
        self.stream.as_ref().map(|stream| &stream.reception)
    }

    /// The same, to make a report or note one.
    pub fn reception_mut(&mut self) -> Option<&mut Reception> {
        self.stream.as_mut().map(|stream| &mut stream.reception)
    }

    /// Packets of the peer that never came.
    pub fn lost(&self) -> u64 {
        self.lost_before + self.reception().map_or(0, |reception| reception.tracker().lost())
    }

    /// Judges a packet by where it came from and what its header says.
    pub fn judge(&mut self, now: Instant, from: SocketAddr, header: &Header) -> Judgement {
        if !self.admits(now, from, header) {
            return Judgement::Foreign;
        }
        let Some(stream) = &mut self.stream else { return self.begin(now, header) };
        if stream.reception.ssrc != header.ssrc {
            return self.judge_candidate(now, header);
        }
        let verdict = stream.reception.handle(header.sequence);
        if verdict == Verdict::Strange {
            return Judgement::Foreign;
        }
        stream.last = now;
        Judgement::Accepted(verdict)
    }

    /// Whether the address is the peer's. May close or move the latch.
    fn admits(&mut self, now: Instant, from: SocketAddr, header: &Header) -> bool {
        match self.latch {
            Latch::Led(_) => true,
            Latch::Closed { from: latched, .. } if from == latched => true,
            Latch::Open { .. } if from == self.described => {
                self.latch = Latch::Closed { from, makeshift: false };
                true
            }
            Latch::Open { chances, hope } => self.try_candidate(from, header, (chances, hope)),
            Latch::Closed { makeshift: true, .. } if from == self.described => {
                self.latch = Latch::Closed { from, makeshift: false };
                self.end_stream();
                true
            }
            Latch::Closed { from: latched, makeshift } => {
                let moved = self.symmetric
                    && (self.keyed || from.ip() == latched.ip())
                    && self.stream.as_ref().is_some_and(|stream| stream.moves(now, header));
                if moved {
                    self.latch = Latch::Closed { from, makeshift };
                }
                moved
            }
        }
    }

    /// Looks at a packet from elsewhere while the latch is open. Two in sequence close it.
    fn try_candidate(
        &mut self,
        from: SocketAddr,
        header: &Header,
        (chances, hope): (u8, Option<(SocketAddr, u32, Probation)>),
    ) -> bool {
        if !self.symmetric || chances == 0 && !self.keyed || !self.may_latch(from.ip()) {
            return false;
        }
        if self.keyed {
            self.latch = Latch::Closed { from, makeshift: true };
            return true;
        }
        let mut proof = match hope {
            Some((address, ssrc, proof)) if address == from && ssrc == header.ssrc => proof,
            Some(_) | None => Probation::new(header.sequence),
        };
        if proof.handle(header.sequence) {
            self.latch = Latch::Closed { from, makeshift: true };
            return true;
        }
        let hope = Some((from, header.ssrc, proof));
        self.latch = Latch::Open { chances: chances - 1, hope };
        false
    }

    /// The described address at another port; or, where that address means nothing to us, the
    /// address that signalling came from. A program on this machine that signals over loopback may
    /// describe any address of the machine and still send over loopback.
    fn may_latch(&self, address: IpAddr) -> bool {
        let means_nothing = is_private(self.described.ip()) || self.signalling.is_loopback();
        self.keyed || address == self.described.ip() || means_nothing && address == self.signalling
    }

    fn begin(&mut self, now: Instant, header: &Header) -> Judgement {
        let reception = Reception::new(header.ssrc, header.sequence, self.clock_rate);
        let index = reception.tracker().highest();
        self.stream = Some(Stream { reception, last: now });
        Judgement::Begun { index }
    }

    /// Another source from the right address takes over when it is proven and the one heard fell
    /// silent: a sender that changes its source never sends both.
    fn judge_candidate(&mut self, now: Instant, header: &Header) -> Judgement {
        let silent = self
            .stream
            .as_ref()
            .is_none_or(|stream| now.saturating_duration_since(stream.last) >= CHANGE_AFTER);
        let known = self.candidates.iter_mut().find(|(ssrc, _)| *ssrc == header.ssrc);
        let proven = match known {
            Some((_, proof)) => proof.handle(header.sequence),
            None => {
                if self.candidates.len() == MAX_CANDIDATES {
                    self.candidates.remove(0);
                }
                let mut proof = Probation::new(header.sequence);
                proof.handle(header.sequence);
                self.candidates.push((header.ssrc, proof));
                false
            }
        };
        if !(proven && silent) {
            return Judgement::Foreign;
        }
        self.candidates.retain(|(ssrc, _)| *ssrc != header.ssrc);
        self.end_stream();
        self.begin(now, header)
    }

    fn end_stream(&mut self) {
        let lost = self.lost();
        self.stream = None;
        self.lost_before = lost;
    }
}

impl Latch {
    const OPEN: Self = Self::Open { chances: CHANCES, hope: None };
}

impl Stream {
    /// Whether a packet from another port shows that a NAT gave the peer a new one.
    fn moves(&self, now: Instant, header: &Header) -> bool {
        self.reception.ssrc == header.ssrc
            && self.reception.tracker().continues_with(header.sequence)
            && now.saturating_duration_since(self.last) >= REBIND_AFTER
    }
}

/// Whether an address means nothing outside its own network (RFC 1918, 6598, 4193).
fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [first, second, ..] = address.octets();
            address.is_private()
                || address.is_loopback()
                || address.is_link_local()
                || address.is_unspecified()
                || first == 100 && second & 0xc0 == 64
        }
        IpAddr::V6(address) => {
            address.is_loopback()
                || address.is_unspecified()
                || address.is_unique_local()
                || address.is_unicast_link_local()
        }
    }
}

/// How many packets from elsewhere are looked at while the latch is open.
const CHANCES: u8 = 5;

/// How many sources are remembered beside the one that is heard.
const MAX_CANDIDATES: usize = 8;

/// How long the old source must be silent before another is heard: three packets.
const CHANGE_AFTER: Duration = Duration::from_millis(60);

/// How long the old port must be silent; the peer is to be heard again within half a second.
const REBIND_AFTER: Duration = Duration::from_millis(400);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::bench::{MAPPED, PEER as DESCRIBED, STRANGER, settings};
    use crate::media::event;

    struct Bench {
        source: Source,
        now: Instant,
    }

    impl Bench {
        fn new(settings: &event::Settings) -> Self {
            Self { source: Source::new(settings), now: Instant::now() }
        }

        /// Twenty milliseconds later a packet comes; tells whether it was taken.
        fn takes(&mut self, from: &str, sequence: u16, ssrc: u32) -> bool {
            self.now += Duration::from_millis(20);
            self.takes_now(from, sequence, ssrc)
        }

        fn takes_now(&mut self, from: &str, sequence: u16, ssrc: u32) -> bool {
            let header = Header { marker: false, payload_type: 0, sequence, timestamp: 0, ssrc };
            let from = from.parse().expect("an address");
            self.source.judge(self.now, from, &header) != Judgement::Foreign
        }

        fn destination(&self) -> String {
            self.source.destination().map_or(String::new(), |to| to.to_string())
        }
    }

    #[test]
    fn the_described_address_is_heard_at_once_and_strangers_never() {
        let mut bench = Bench::new(&settings());
        for sequence in 0..20 {
            assert!(!bench.takes(STRANGER, sequence, 5));
        }
        assert!(bench.takes(DESCRIBED, 7, 1));
        assert!(!bench.takes(STRANGER, 8, 1), "not even with the right source and sequence");
        assert!(!bench.takes(MAPPED, 8, 1), "nor from another port while the right one is alive");
        assert_eq!(bench.destination(), DESCRIBED);
    }

    #[test]
    fn another_port_of_the_described_address_is_latched_to_once() {
        let mut bench = Bench::new(&settings());
        assert!(!bench.takes(MAPPED, 100, 1));
        assert!(bench.takes(MAPPED, 101, 1));
        assert_eq!(bench.destination(), MAPPED);
        assert!(!bench.takes("198.51.100.7:62000", 500, 2));
        assert!(!bench.takes("198.51.100.7:62000", 501, 2));
        assert!(bench.takes(DESCRIBED, 9, 3), "the described address still wins");
        assert!(!bench.takes(MAPPED, 102, 1));
        assert_eq!(bench.destination(), DESCRIBED);
    }

    #[test]
    fn after_five_packets_without_proof_only_the_described_address_is_heard() {
        let mut bench = Bench::new(&settings());
        for (port, sequence) in [(1, 10), (2, 20), (3, 30), (4, 40), (5, 50)] {
            assert!(!bench.takes(&format!("198.51.100.7:{port}"), sequence, 5));
        }
        for sequence in 0..20 {
            assert!(!bench.takes(MAPPED, sequence, 1));
        }
        assert!(bench.takes(DESCRIBED, 0, 1));
    }

    #[test]
    fn without_symmetric_media_no_other_port_is_heard() {
        let mut bench = Bench::new(&event::Settings { symmetric: false, ..settings() });
        assert!((0..20).all(|sequence| !bench.takes(MAPPED, sequence, 1)));
    }

    #[test]
    fn a_private_description_latches_to_the_signalling_address_only() {
        for private in ["10.0.0.9:4000", "192.168.1.2:4000", "100.64.0.1:9", "0.0.0.0:4000"] {
            let remote = private.parse().expect("an address");
            let mut bench = Bench::new(&event::Settings { remote, ..settings() });
            assert!((0..20).all(|sequence| !bench.takes(STRANGER, sequence, 1)), "{private}");
            assert!(!bench.takes("203.0.113.5:33000", 1, 1));
            assert!(bench.takes("203.0.113.5:33000", 2, 1));
            assert_eq!(bench.destination(), "203.0.113.5:33000");
        }
        let mut public = Bench::new(&settings());
        assert!((0..20).all(|sequence| !public.takes("203.0.113.5:33000", sequence, 1)));
    }

    #[test]
    fn a_program_on_this_machine_may_describe_another_address_of_it() {
        let signalling = "127.0.0.1".parse().expect("an address");
        let mut bench = Bench::new(&event::Settings { signalling, ..settings() });
        assert!((0..20).all(|sequence| !bench.takes(STRANGER, sequence, 1)));
        let mut bench = Bench::new(&event::Settings { signalling, ..settings() });
        assert!(!bench.takes("127.0.0.1:42004", 1, 1));
        assert!(bench.takes("127.0.0.1:42004", 2, 1));
        assert_eq!(bench.destination(), "127.0.0.1:42004");
    }

    #[test]
    fn an_unspecified_description_is_sent_nothing() {
        let remote = "0.0.0.0:4000".parse().expect("an address");
        let bench = Bench::new(&event::Settings { remote, ..settings() });
        assert_eq!(bench.destination(), "");
    }

    #[test]
    fn a_nat_that_forgot_is_followed_when_the_old_port_is_silent() {
        let mut bench = Bench::new(&settings());
        assert!(bench.takes(DESCRIBED, 65_530, 1));
        for sequence in 0..18_u16 {
            let sequence = 65_531_u16.wrapping_add(sequence);
            assert!(!bench.takes(MAPPED, sequence, 1), "too early");
        }
        bench.now += Duration::from_millis(40);
        assert!(!bench.takes_now(MAPPED, 20, 2), "another source");
        assert!(!bench.takes_now(MAPPED, 65_000, 1), "a sequence of before");
        assert!(!bench.takes_now("198.51.100.8:4000", 20, 1), "another address");
        assert!(bench.takes_now(MAPPED, 20, 1));
        assert_eq!(bench.destination(), MAPPED);
        assert!(!bench.takes(DESCRIBED, 21, 1));
    }

    #[test]
    fn a_new_source_is_heard_when_the_old_one_fell_silent() {
        let mut bench = Bench::new(&settings());
        assert!(bench.takes(DESCRIBED, 1, 1));
        let heard: Vec<bool> =
            (0..5).map(|sequence| bench.takes(DESCRIBED, 900 + sequence, 2)).collect();
        assert_eq!(heard, [false, false, true, true, true]);
        assert!(bench.source.lost() <= 3);
    }

    #[test]
    fn flipping_sources_do_not_silence_the_caller() {
        let mut bench = Bench::new(&settings());
        for sequence in 0..200_u16 {
            assert!(bench.takes(DESCRIBED, sequence, 1), "{sequence}");
            for flip in 0..10_u16 {
                assert!(!bench.takes_now(DESCRIBED, flip, 100 + u32::from(flip + sequence * 10)));
                assert!(!bench.takes_now(DESCRIBED, sequence, 7));
            }
        }
        assert!(bench.source.candidates.len() <= MAX_CANDIDATES);
    }

    #[test]
    fn a_new_description_opens_the_latch_again() {
        let mut bench = Bench::new(&settings());
        assert!(bench.takes(DESCRIBED, 1, 1));
        let remote = "198.51.100.20:6000".parse().expect("an address");
        let moved = event::Settings { remote, ..settings() };
        bench.source.describe(&moved);
        assert_eq!(bench.destination(), "198.51.100.20:6000");
        assert!(!bench.takes(DESCRIBED, 2, 1));
        assert!(bench.takes("198.51.100.20:6000", 77, 9));
        bench.source.describe(&moved);
        assert!(bench.takes("198.51.100.20:6000", 78, 9), "the same description changes nothing");
    }
}
