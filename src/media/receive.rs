//! What the peer sends, made a line of samples without holes: packets put in order with the least
//! possible wait, decoded, concealed, and silence where nothing comes.
//!
//! Samples are given out in the order and at the time of arrival: no jitter buffer stands before
//! the speech detector. Only across a gap one packet is held, for 20 ms or until the next one
//! comes; then the gap is concealed. The line is an instant: up to it samples were given out. When
//! it falls behind the clock, what is missing is made up, so that the speech gate closes on time:
//! soon for a sender that leaves silence out, and for one that never did only after what may be a
//! stall of the network, whose packets then come all at once and are heard without a hole.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::audio::codec::Codec;
use crate::audio::dtmf;
use crate::audio::frame::Rate;
use crate::audio::noise::{Level, Noise};
use crate::audio::packing::{Content, Packing};
use crate::media::decoding::{Decoding, duration};
use crate::media::event::Ways;
use crate::media::event::{Attention, Digit, Event, Output, Settings};
use crate::media::keys::{Presses, Way};
use crate::media::lane::Stamp;
use crate::media::record::Recorder;
use crate::media::silence::{SLACK, Silence};
use crate::media::tap::Tap;
use crate::rtp::packet::Packet;
use crate::rtp::telephone_event;

/// The receiving side of a port.
#[derive(Debug)]
pub struct Receiver {
    codec: Codec,
    payload_type: u8,
    telephone_event: Option<u8>,
    packing: Packing,
    /// What hears the line.
    pub tap: Tap,
    attention: Attention,
    /// Whether what the peer says reaches nobody.
    muted: bool,
    keys: telephone_event::Receiver,
    ways: Ways,
    presses: Presses,
    /// Hears keys as tones, where that is wanted.
    tones: Option<Box<dtmf::Detector>>,
    decoding: Decoding,
    order: Order,
    /// Up to here samples were given out.
    line: Option<Instant>,
    /// The samples of the last packet of voice.
    length: usize,
    /// The timestamp that follows on the last packet of voice, and its clock.
    next_timestamp: u32,
    clock: u32,
    /// Samples made up since the last packet of voice.
    filled: usize,
    /// What it means when nothing comes.
    silence: Silence,
    /// The background that it described for this pause.
    background: Option<Level>,
    noise: Noise,
    /// Packets that came too late to be heard.
    late: u64,
    /// Room for the samples of one packet or one gap.
    samples: Vec<i16>,
}

/// The order of packets: which index is next and which packet waits for it.
#[derive(Debug, Default)]
struct Order {
    next: Option<u64>,
    held: Option<Held>,
    /// The payload of the packet that is held; kept for its room.
    payload: Vec<u8>,
}

/// A packet that waits for the one before it.
#[derive(Debug, Clone, Copy)]
struct Held {
    index: u64,
    timestamp: u32,
    content: Option<Content>,
    since: Instant,
}

/// A packet that is played: where it stands, what it is, when it came.
#[derive(Debug, Clone, Copy)]
struct Turn {
    index: u64,
    timestamp: u32,
    /// Nobody knows what other packets are.
    content: Option<Content>,
    arrived: Instant,
}

/// Where samples come from.
#[derive(Debug, Clone, Copy)]
enum Origin {
    /// The peer said them then.
    Said(Stamp),
    /// Nothing came in time.
    MadeUp,
}

/// Who hears the line: the owner of the port and, perhaps, a recording.
pub struct Listeners<'a> {
    /// The outputs of the port.
    pub out: &'a mut VecDeque<Output>,
    /// The recording.
    pub recorder: Option<&'a mut Recorder>,
}

impl Receiver {
    /// Makes a receiver that has heard nothing.
    pub fn new(settings: &Settings) -> Self {
        let rate = settings.codec.rate();
        Self {
            codec: settings.codec,
            payload_type: settings.payload_type,
            telephone_event: settings.telephone_event,
            packing: settings.packing.clone(),
            tap: Tap::new(rate, settings.speech.clone()),
            attention: Attention::default(),
            muted: false,
            keys: telephone_event::Receiver::default(),
            ways: settings.keys,
            presses: Presses::default(),
            tones: tones(settings.keys, rate),
            decoding: Decoding::new(rate, settings.libraries.clone()),
            order: Order::default(),
            line: None,
            length: rate.samples_in(FRAME),
            next_timestamp: 0,
            clock: settings.codec.clock_rate(),
            filled: 0,
            silence: Silence::default(),
            background: None,
            noise: Noise::default(),
            late: 0,
            samples: Vec::with_capacity(rate.samples_in(LONGEST_PACKET)),
        }
    }

    /// Takes a new session description; the line goes on.
    pub fn describe(&mut self, settings: &Settings) {
        let (before, rate) = (self.rate(), settings.codec.rate());
        if rate != before {
            let scaled =
                |samples: usize| samples.saturating_mul(rate.0 as usize) / before.0 as usize;
            (self.length, self.filled) = (scaled(self.length), scaled(self.filled));
            self.decoding = Decoding::new(rate, settings.libraries.clone());
            self.tap.retune(rate);
        }
        self.ways = settings.keys;
        self.tones = tones(settings.keys, rate).map(|fresh| match self.tones.take() {
            Some(known) if known.rate() == rate => known,
            _ => fresh,
        });
        self.codec = settings.codec;
        self.packing.clone_from(&settings.packing);
        self.payload_type = settings.payload_type;
        self.telephone_event = settings.telephone_event;
        self.tap.configure(&settings.speech);
    }

    /// Begins or ends to be heard; what was said before is not made up for.
    pub fn attend(&mut self, attention: Attention) {
        self.attention = attention;
        self.tap.attend(attention == Attention::Speech, attention != Attention::Ear);
    }

    /// Lets what the peer says reach nobody, or everybody again.
    pub fn mute(&mut self, muted: bool) {
        self.muted = muted;
    }

    /// Whether what the peer says reaches nobody.
    pub fn is_muted(&self) -> bool {
        self.muted
    }

    /// The codec that was agreed.
    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// How long the last packet of voice was.
    pub fn packet(&self) -> Duration {
        self.rate().duration_of(self.length)
    }

    /// How many packets came too late to be heard.
    pub fn late(&self) -> u64 {
        self.late
    }

    /// What a payload type stands for, if anybody knows.
    pub fn content(&self, payload_type: u8) -> Option<Content> {
        self.packing.content(payload_type).or_else(|| match payload_type {
            agreed if Some(agreed) == self.telephone_event => {
                Some(Content::Key { clock: self.packing.key_clock })
            }
            agreed if agreed == self.payload_type => Some(Content::Voice(self.codec)),
            COMFORT_NOISE => Some(Content::Comfort),
            fixed => Codec::of_static(fixed).filter(|it| *it != Codec::G729).map(Content::Voice),
        })
    }

    /// Begins another stream: its sequence and clock have nothing to do with the last one's.
    pub fn restart(&mut self) {
        self.order.next = None;
        self.order.held = None;
        self.keys.restart();
        if let Some(tones) = &mut self.tones {
            tones.restart();
        }
    }

    /// Takes a packet of the peer with its extended sequence number. False: it was of no use.
    pub fn handle(
        &mut self,
        now: Instant,
        (index, packet): (u64, &Packet<'_>),
        listeners: &mut Listeners<'_>,
    ) -> bool {
        let header = packet.header;
        let content = self.content(header.payload_type);
        let is_key = matches!(content, Some(Content::Key { .. }));
        if is_key
            && let Some(key) = self.keys.handle(header.timestamp, packet.payload)
            && let Some(digit) = Digit::new(key)
            && self.ways.events
            && self.presses.press(now, digit, Way::Event)
        {
            listeners.out.push_back(Output::Event(Event::Digit(digit)));
        }
        if is_too_long(content, packet.payload) {
            return false;
        }
        if self.is_idle(listeners) {
            self.rest();
            return content.is_some();
        }
        let next = *self.order.next.get_or_insert(index);
        if index < next {
            // What it holds was concealed already; a key in it was told all the same.
            self.late += u64::from(!is_key);
            return is_key;
        }
        let turn = Turn { index, timestamp: header.timestamp, content, arrived: now };
        if index == next {
            let used = self.play(now, (turn, packet.payload), listeners);
            self.play_held_in_order(now, listeners);
            return used;
        }
        self.wait_or_conceal(now, (turn, packet.payload), listeners)
    }

    /// Whether a payload type is voice whose timestamps run with the clock that was agreed.
    pub fn is_voice(&self, payload_type: u8) -> bool {
        let clock = self.codec.clock_rate();
        let content = self.content(payload_type);
        matches!(content, Some(Content::Voice(codec)) if codec.clock_rate() == clock)
    }

    /// The clock of the stream, whatever is in it.
    pub fn clock_of(&self, content: Content) -> u32 {
        match content {
            Content::Voice(codec) => codec.clock_rate(),
            Content::Key { .. } | Content::Comfort => self.clock,
        }
    }

    /// What is to be done at this time: conceal before a packet that waited long enough, fill the
    /// line where nothing comes.
    pub fn tick(&mut self, now: Instant, listeners: &mut Listeners<'_>) {
        if self.is_idle(listeners) {
            return self.rest();
        }
        if self.order.held.is_some_and(|held| held.since + HOLD <= now) {
            self.play_held(now, listeners);
        }
        let Some(line) = self.line else { return };
        if now.saturating_duration_since(line) > LONGEST_FILL {
            // The thread slept: time that nobody heard is not made up.
            self.line = now.checked_sub(LONGEST_FILL);
        }
        while let Some(due) = self.fill_due()
            && due <= now
        {
            self.silence.make_up(FRAME, self.filled == 0);
            self.fill(now, self.rate().samples_in(FRAME), listeners);
        }
    }

    /// When `tick` has something to do.
    pub fn deadline(&self) -> Option<Instant> {
        let held = self.order.held.map(|held| held.since + HOLD);
        held.into_iter().chain(self.fill_due()).min()
    }

    /// Whether nobody hears the line, also not for tones.
    fn is_idle(&self, listeners: &Listeners<'_>) -> bool {
        let is_heard = self.attention != Attention::Keys || self.tones.is_some();
        !is_heard && listeners.recorder.is_none()
    }

    /// Keeps no line while nobody hears it; whoever listens next hears what comes then.
    fn rest(&mut self) {
        self.order.next = None;
        self.order.held = None;
        self.line = None;
    }

    /// The signalling told of a key; tells whether nobody heard that press on the line.
    pub fn signalled(&mut self, now: Instant, digit: Digit) -> bool {
        self.ways.info && self.presses.press(now, digit, Way::Info)
    }

    /// Listens for tones.
    fn hear_tones(&mut self, now: Instant, out: &mut VecDeque<Output>) {
        let Some(detector) = &mut self.tones else { return };
        let mut rest = self.samples.as_slice();
        while !rest.is_empty() {
            let (key, behind) = detector.push(rest);
            rest = behind;
            if let Some(digit) = key.and_then(Digit::new)
                && self.presses.press(now, digit, Way::Tone)
            {
                out.push_back(Output::Event(Event::Digit(digit)));
            }
        }
    }

    /// A packet beyond a gap: the first is held; with the second the wait is over.
    fn wait_or_conceal(
        &mut self,
        now: Instant,
        (turn, payload): (Turn, &[u8]),
        listeners: &mut Listeners<'_>,
    ) -> bool {
        let mut used = true;
        match self.order.held {
            Some(held) if held.index == turn.index => return false,
            Some(held) if held.index < turn.index => {
                self.play_held(now, listeners);
                if self.order.next == Some(turn.index) {
                    return self.play(now, (turn, payload), listeners);
                }
                self.hold(turn, payload);
            }
            Some(_) => {
                used = self.play(now, (turn, payload), listeners);
                self.play_held_in_order(now, listeners);
            }
            None => self.hold(turn, payload),
        }
        used
    }

    fn hold(&mut self, turn: Turn, payload: &[u8]) {
        let Turn { index, timestamp, content, arrived } = turn;
        self.order.held = Some(Held { index, timestamp, content, since: arrived });
        self.order.payload.clear();
        self.order.payload.extend_from_slice(payload);
    }

    fn play_held_in_order(&mut self, now: Instant, listeners: &mut Listeners<'_>) {
        if self.order.held.is_some_and(|held| self.order.next == Some(held.index)) {
            self.play_held(now, listeners);
        }
    }

    fn play_held(&mut self, now: Instant, listeners: &mut Listeners<'_>) {
        let Some(Held { index, timestamp, content, since }) = self.order.held.take() else {
            return;
        };
        let payload = std::mem::take(&mut self.order.payload);
        let turn = Turn { index, timestamp, content, arrived: since };
        self.play(now, (turn, &payload), listeners);
        self.order.payload = payload;
    }

    /// Gives a packet out. False: it was of no use.
    fn play(
        &mut self,
        now: Instant,
        (turn, payload): (Turn, &[u8]),
        listeners: &mut Listeners<'_>,
    ) -> bool {
        let gap = turn.index - self.order.next.unwrap_or(turn.index);
        self.order.next = Some(turn.index + 1);
        let codec = match turn.content {
            Some(Content::Voice(codec)) if codec.ticks(payload) > 0 => codec,
            Some(Content::Voice(_)) | None => return false,
            Some(Content::Comfort) => {
                self.background = Level::read(payload);
                self.pause(&turn);
                return true;
            }
            Some(Content::Key { .. }) => {
                self.pause(&turn);
                return true;
            }
        };
        let duration = duration(codec, payload);
        let Some(line) = self.line else {
            self.line = turn.arrived.checked_sub(duration).or(Some(turn.arrived));
            return self.decode(now, (codec, &turn, payload), listeners);
        };
        // What was made up while this packet was under way is said now.
        let ahead = (line + duration).saturating_duration_since(now).min(duration);
        let line = line.checked_sub(self.silence.give_back(ahead)).unwrap_or(line);
        self.line = Some(line);
        if line > now + LONGEST_LEAD {
            // Twice as fast as time goes: a broken clock, or a flood.
            self.next_timestamp = turn.timestamp.wrapping_add(codec.ticks(payload));
            return false;
        }
        if gap == 0 {
            self.silence.found(self.rest_before(codec, &turn));
        }
        let missing = self.missing_before(gap, (codec, &turn), duration);
        // The last packet that is missing may have its copy in this one.
        let copied = self.decoding.samples(codec, payload);
        if gap > 0 && codec == Codec::Opus && missing >= copied {
            self.fill(now, missing - copied, listeners);
            self.samples.clear();
            self.decoding.recover((codec, payload), copied, &mut self.samples);
            self.filled = self.filled.saturating_add(copied);
            self.give(now, Origin::MadeUp, listeners);
        } else {
            self.fill(now, missing, listeners);
        }
        self.decode(now, (codec, &turn, payload), listeners)
    }

    fn decode(
        &mut self,
        now: Instant,
        (codec, turn, payload): (Codec, &Turn, &[u8]),
        listeners: &mut Listeners<'_>,
    ) -> bool {
        self.samples.clear();
        self.decoding.decode(codec, payload, &mut self.samples);
        if self.samples.is_empty() {
            return false;
        }
        self.length = self.samples.len();
        self.next_timestamp = turn.timestamp.wrapping_add(codec.ticks(payload));
        self.clock = codec.clock_rate();
        self.filled = 0;
        self.silence.end();
        self.background = None;
        let (timestamp, arrived) = (turn.timestamp, turn.arrived);
        let stamp = Stamp { timestamp, clock: self.clock, arrived };
        self.give(now, Origin::Said(stamp), listeners);
        true
    }

    /// The sender says that it does not speak now.
    fn pause(&mut self, turn: &Turn) {
        self.silence.tell();
        self.line.get_or_insert(turn.arrived);
    }

    /// How many samples are missing before a packet of `duration` that comes after a gap of so
    /// many packets. The media clock tells; time tells how much of that can be true.
    fn missing_before(&self, gap: u64, (codec, turn): (Codec, &Turn), duration: Duration) -> usize {
        let Some(line) = self.line else { return 0 };
        let (clock, rate) = (codec.clock_rate(), self.rate().0);
        // Another clock than that of the packet before tells nothing (RFC 7160).
        let advance = turn.timestamp.wrapping_sub(self.next_timestamp) as i32;
        let advance = if clock == self.clock { advance } else { -1 };
        let (by_clock, slack) = match u32::try_from(advance) {
            Ok(advance) if advance > clock => (usize::MAX, Duration::ZERO),
            Ok(advance) => {
                (usize::try_from(scaled(advance, clock, rate)).unwrap_or(usize::MAX), SLACK)
            }
            Err(_) => (self.length.saturating_mul(gap.min(100) as usize), SLACK),
        };
        let room = (turn.arrived + slack).saturating_duration_since(line + duration);
        by_clock.saturating_sub(self.filled).min(self.rate().samples_in(room.min(LONGEST_FILL)))
    }

    /// How much silence the sender left out before a packet without a word, by its own clock.
    fn rest_before(&self, codec: Codec, turn: &Turn) -> Duration {
        let clock = codec.clock_rate();
        let advance = turn.timestamp.wrapping_sub(self.next_timestamp) as i32;
        let advance = if clock == self.clock { advance.max(0) } else { 0 };
        Duration::from_micros(scaled(advance as u32, clock, 1_000_000))
    }

    /// Makes up samples: concealment at first, which fades to silence, then silence.
    fn fill(&mut self, now: Instant, count: usize, listeners: &mut Listeners<'_>) {
        if count == 0 {
            return;
        }
        self.samples.clear();
        if self.silence.is_told() {
            self.samples.resize(count, 0);
            if let Some(level) = self.background {
                self.noise.add_to(&mut self.samples, level);
            }
        } else {
            self.decoding.conceal(count, &mut self.samples);
        }
        self.filled = self.filled.saturating_add(count);
        self.give(now, Origin::MadeUp, listeners);
    }

    /// Gives `samples` to whoever listens. What is made up in time has its time; what comes late
    /// arrives now.
    fn give(&mut self, now: Instant, origin: Origin, listeners: &mut Listeners<'_>) {
        let rate = self.rate();
        let begin = self.line.unwrap_or(now);
        let end = begin + rate.duration_of(self.samples.len());
        self.line = Some(end);
        let at = if self.filled > 0 { end.min(now) } else { now };
        if let Some(recorder) = &mut listeners.recorder {
            match origin {
                Origin::Said(stamp) => recorder.hear(&self.samples, rate, stamp),
                Origin::MadeUp => recorder.make_up(&self.samples, rate),
            }
        }
        self.hear_tones(now, listeners.out);
        if self.muted {
            self.samples.fill(0);
        }
        if self.attention != Attention::Keys {
            self.tap.push(&self.samples, at, listeners.out);
        }
    }

    fn fill_due(&self) -> Option<Instant> {
        let patience = if self.filled == 0 { self.patience() } else { FRAME };
        Some(self.line? + patience)
    }

    /// How long the line may lag before it is filled.
    fn patience(&self) -> Duration {
        self.rate().duration_of(self.length) + self.silence.patience()
    }

    fn rate(&self) -> Rate {
        self.decoding.rate()
    }
}

/// What hears tones, where they are wanted.
fn tones(ways: Ways, rate: Rate) -> Option<Box<dtmf::Detector>> {
    ways.tones.then(|| Box::new(dtmf::Detector::new(rate)))
}

/// Whether a packet holds more than any sender puts into one (RFC 3551 4.2).
fn is_too_long(content: Option<Content>, payload: &[u8]) -> bool {
    match content {
        Some(Content::Voice(codec)) => duration(codec, payload) > LONGEST_PACKET,
        Some(Content::Key { .. } | Content::Comfort) | None => payload.len() > MAX_OCTETS,
    }
}

fn scaled(ticks: u32, clock: u32, rate: u32) -> u64 {
    (u64::from(ticks) * u64::from(rate)).checked_div(u64::from(clock)).unwrap_or(0)
}

const FRAME: Duration = Duration::from_millis(20);

/// How long a packet beyond a gap is held for the missing one.
const HOLD: Duration = Duration::from_millis(20);

/// The line may be so far ahead of time (a burst after a stall), and no further.
const LONGEST_LEAD: Duration = Duration::from_millis(200);

/// No more than this is made up at once.
const LONGEST_FILL: Duration = Duration::from_secs(1);

/// No packet lasts longer.
const LONGEST_PACKET: Duration = Duration::from_millis(200);

/// What is no voice is short.
const MAX_OCTETS: usize = 1_600;

/// The static payload type of comfort noise (RFC 3389).
const COMFORT_NOISE: u8 = 13;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::coder::Encoder;
    use crate::base::random::Random;
    use crate::media::bench::{Bench, PEER, Peer, settings};

    fn keys(bench: &Bench) -> String {
        let key = |event: &Event| match event {
            Event::Digit(digit) => Some(digit.key()),
            _ => None,
        };
        bench.events.iter().filter_map(key).collect()
    }

    #[test]
    fn a_packet_is_heard_when_it_arrives() {
        let (mut bench, mut peer) = (Bench::started(settings()), Peer::new());
        for packet in 0..500 {
            bench.until(packet * 20);
            bench.receive(PEER, &peer.loud());
            assert_eq!(bench.heard_millis(), (packet + 1) * 20);
        }
        assert_eq!(bench.windows, 312);
        assert!(bench.loud_share(20) > 0.8);
        let quality = bench.port.quality();
        assert_eq!((quality.received, quality.lost, quality.discarded), (500, 0, 0));
        assert_eq!(quality.jitter, Duration::ZERO);
    }

    #[test]
    fn packets_of_10_30_and_60_ms_become_frames_of_20() {
        for millis in [10_u64, 30, 60] {
            let (mut bench, mut peer) = (Bench::started(settings()), Peer::new());
            peer.length = millis as u32 * 8;
            let packets = 3_000 / millis;
            for packet in 0..packets {
                bench.until(packet * millis);
                if packet % 10 == 9 {
                    peer.skip();
                } else {
                    bench.receive(PEER, &peer.loud());
                }
            }
            bench.until(packets * millis + 600);
            let heard = bench.heard_millis();
            assert!((3_540..=3_680).contains(&heard), "{heard} ms of packets of {millis} ms");
            assert!(bench.loud_share(0) > 0.7, "packets of {millis} ms");
        }
    }

    #[test]
    fn heard_time_is_time_over_a_bad_network() {
        let mut random = Random::repeatable(11);
        let (mut bench, mut peer) = (Bench::started(settings()), Peer::new());
        // (when, packet), with a fifth lost, some doubled, some a packet late, all with jitter.
        let mut feed: Vec<(u64, Vec<u8>)> = Vec::new();
        for packet in 0..1_000_u64 {
            let bytes = peer.loud();
            let jitter = u64::from(random.below(15));
            match random.below(20) {
                0..4 => {}
                4 => feed.push((packet * 20 + 25 + jitter, bytes)),
                5 => feed.extend([
                    (packet * 20 + jitter, bytes.clone()),
                    (packet * 20 + jitter + 7, bytes),
                ]),
                _ => feed.push((packet * 20 + jitter, bytes)),
            }
        }
        feed.sort_by_key(|(at, _)| *at);
        for (at, bytes) in feed {
            bench.until(at);
            bench.receive(PEER, &bytes);
        }
        let heard = bench.heard_millis();
        assert!((19_900..=20_100).contains(&heard), "{heard} ms heard of 20 s");
        assert!(bench.loud_share(0) > 0.7, "{}", bench.loud_share(0));
        let quality = bench.port.quality();
        assert!((150..250).contains(&quality.lost), "{quality:?}");
        assert!((30..150).contains(&quality.discarded), "{quality:?}");
        assert!(quality.jitter > Duration::from_millis(2));
    }

    #[test]
    fn a_swapped_pair_is_put_in_order_and_a_lost_packet_waits_for_one() {
        let (mut bench, mut peer) = (Bench::started(settings()), Peer::new());
        bench.receive(PEER, &peer.loud());
        bench.until(20);
        let (second, third) = (peer.loud(), peer.quiet());
        bench.receive(PEER, &third);
        assert_eq!(bench.heard_millis(), 20, "held");
        bench.until(25);
        bench.receive(PEER, &second);
        assert_eq!(bench.heard_millis(), 60);
        assert!(bench.heard[40 * 16 + 160..].iter().all(|sample| sample.abs() < 1_000));
        peer.skip();
        bench.until(60);
        bench.receive(PEER, &peer.loud());
        assert_eq!(bench.heard_millis(), 60, "held");
        bench.until(79);
        assert_eq!(bench.heard_millis(), 60);
        bench.until(80);
        assert_eq!(bench.heard_millis(), 100, "concealed after 20 ms");
        assert_eq!(bench.port.quality().discarded, 0);
    }

    #[test]
    fn a_packet_that_comes_after_its_concealment_is_of_no_use() {
        let (mut bench, mut peer) = (Bench::started(settings()), Peer::new());
        bench.receive(PEER, &peer.loud());
        let late = peer.loud();
        bench.until(40);
        bench.receive(PEER, &peer.loud());
        bench.until(60);
        bench.receive(PEER, &peer.loud());
        assert_eq!(bench.heard_millis(), 80);
        bench.until(70);
        bench.receive(PEER, &late);
        bench.receive(PEER, &late);
        assert_eq!(bench.heard_millis(), 80);
        assert_eq!(bench.port.quality().discarded, 2);
        assert_eq!(bench.port.quality().lost, 0, "it came");
    }

    #[test]
    fn when_the_peer_falls_silent_the_speech_gate_closes_in_time() {
        for comfort in [false, true] {
            let (mut bench, mut peer) = (Bench::started(settings()), Peer::new());
            for packet in 0..100 {
                bench.until(packet * 20);
                bench.receive(PEER, &peer.loud());
            }
            bench.until(2_000);
            if comfort {
                bench.receive(PEER, &peer.packet(COMFORT_NOISE, &[60]));
            }
            bench.until(4_000);
            let heard = bench.heard_millis();
            assert!((3_960..=4_040).contains(&heard), "{heard}");
            let ended = bench.events.iter().find_map(|event| match event {
                Event::SpeechEnded { last_voiced } => Some(bench.millis(*last_voiced)),
                _ => None,
            });
            // The last packet came at 1980 ms; concealment may add its three frames.
            let ended = ended.expect("speech ended");
            assert!((1_980..=2_060).contains(&ended), "{ended}");
            // The background that it described is 60 dB below the overload.
            let rest = &bench.heard[2_100 * 16..];
            let loudest = rest.iter().map(|sample| sample.unsigned_abs()).max().unwrap_or(0);
            assert!(if comfort { (10..200).contains(&loudest) } else { loudest == 0 }, "{loudest}");
            // Speech goes on after the pause, with a clock that ran and a sequence that did not.
            peer.pause(100);
            for packet in 0..50 {
                bench.until(4_000 + packet * 20);
                bench.receive(PEER, &peer.loud());
            }
            let heard = bench.heard_millis();
            assert!((4_960..=5_040).contains(&heard), "{heard}");
            assert!(bench.loud_share(4_040) > 0.8);
        }
    }

    #[test]
    fn a_stall_of_the_network_is_caught_up_and_not_added() {
        let (mut bench, mut peer) = (Bench::started(settings()), Peer::new());
        for packet in 0..400_u64 {
            // Every two seconds the network stands still for 150 ms.
            let stalled = packet % 100 > 92;
            bench.until(if stalled { packet / 100 * 2_000 + 2_000 } else { packet * 20 });
            bench.receive(PEER, &peer.loud());
        }
        bench.until(8_000);
        let heard = bench.heard_millis();
        assert!((7_960..=8_220).contains(&heard), "{heard}");
    }

    #[test]
    fn a_stall_in_the_middle_of_a_word_leaves_no_hole() {
        for stall in [300_u64, 700] {
            let (mut bench, mut peer) = (Bench::started(settings()), Peer::new());
            for packet in 0..200_u64 {
                let stalled = (1_000..1_000 + stall).contains(&(packet * 20));
                bench.until(if stalled { 1_000 + stall } else { packet * 20 });
                bench.receive(PEER, &peer.loud());
            }
            bench.until(4_000);
            // What is longer than any stall that is waited for is made up and said after all.
            let expected = if stall > 400 { 4_000 + stall } else { 4_000 };
            let heard = bench.heard_millis();
            assert!(heard.abs_diff(expected) <= 60, "{heard} after {stall}");
            let loud = bench.heard.chunks(320).filter(|it| it.iter().any(|it| *it > 999)).count();
            assert!(loud >= 198, "{loud} of 200 after {stall}");
            assert_eq!(bench.port.quality().discarded, 0);
        }
    }

    #[test]
    fn a_sender_that_rests_unsaid_is_known_by_it() {
        let (mut bench, mut peer) = (Bench::started(settings()), Peer::new());
        for (spurt, patience) in [(0, 420), (1, 60), (2, 60)] {
            for packet in 0..50 {
                bench.until(spurt * 2_000 + packet * 20);
                bench.receive(PEER, &peer.loud());
            }
            let end = spurt * 2_000 + 1_000;
            bench.until(end + patience - 21);
            let heard = bench.heard_millis();
            bench.until(end + patience);
            assert!(bench.heard_millis() >= heard + patience - 20, "{spurt}");
            bench.until(end + 1_000);
            peer.pause(50);
        }
    }

    #[test]
    fn a_peer_that_sends_twice_as_fast_as_time_is_cut() {
        let (mut bench, mut peer) = (Bench::started(settings()), Peer::new());
        for packet in 0..1_000 {
            bench.until(packet * 10);
            bench.receive(PEER, &peer.loud());
        }
        assert!(bench.heard_millis() <= 10_240, "{}", bench.heard_millis());
    }

    #[test]
    fn a_clock_that_jumps_makes_no_sound() {
        let (mut bench, mut peer) = (Bench::started(settings()), Peer::new());
        for packet in 0..500 {
            bench.until(packet * 20);
            if packet % 7 == 0 {
                peer.timestamp = peer.timestamp.wrapping_mul(2_654_435_761).wrapping_add(5);
            }
            bench.receive(PEER, &peer.loud());
        }
        let heard = bench.heard_millis();
        assert!((9_960..=10_220).contains(&heard), "{heard}");
    }

    #[test]
    fn keys_are_told_once_whatever_is_lost() {
        let (mut bench, mut peer) = (Bench::started(settings()), Peer::new());
        let mut now = 0;
        for (press, key) in [1_u8, 1, 0, 11].into_iter().enumerate() {
            let began = peer.timestamp;
            for part in 0..10_u16 {
                now += 20;
                bench.until(now);
                let duration = (160 * part.min(7)).to_be_bytes();
                let flags = if part >= 7 { 0x80 } else { 0 };
                let payload = [key, flags | 10, duration[0], duration[1]];
                let mut header = peer.header(101);
                header.timestamp = began;
                peer.skip();
                // Of the second press the start is lost, of the third all but one end.
                let lost = press == 1 && part < 5 || press == 2 && part != 8;
                if !lost {
                    bench.receive(PEER, &header.write(&payload));
                }
            }
            for _ in 0..5 {
                now += 20;
                bench.until(now);
                bench.receive(PEER, &peer.quiet());
            }
        }
        assert_eq!(keys(&bench), "110#");
        let heard = bench.heard_millis();
        assert!(heard.abs_diff(now) <= 80, "{heard} of {now}");
    }

    #[test]
    fn a_key_in_a_late_packet_is_told_all_the_same() {
        let (mut bench, mut peer) = (Bench::started(settings()), Peer::new());
        bench.receive(PEER, &peer.quiet());
        let key = peer.packet(101, &[7, 0x8a, 1, 0]);
        for packet in 0..3 {
            bench.until(40 + packet * 20);
            bench.receive(PEER, &peer.quiet());
        }
        bench.receive(PEER, &key);
        assert_eq!(keys(&bench), "7");
        assert_eq!(bench.port.quality().discarded, 0);
    }

    #[test]
    fn a_flood_of_keys_is_cut_to_what_fingers_can_do() {
        let (mut bench, mut peer) = (Bench::started(settings()), Peer::new());
        for packet in 0..10_000 {
            bench.until(packet / 10);
            bench.receive(PEER, &peer.packet(101, &[(packet % 10) as u8, 10, 0, 160]));
        }
        let told = keys(&bench).len();
        assert!((25..=29).contains(&told), "{told} keys in a second");
    }

    #[test]
    fn the_agreed_payload_type_and_the_static_ones_are_decoded() {
        let agreed = Settings { payload_type: 97, codec: Codec::Pcma, ..settings() };
        let (mut bench, mut peer) = (Bench::started(agreed), Peer::new());
        let mut law = Vec::new();
        Encoder::plain(Codec::Pcma).encode(&[8_000; 160], &mut law);
        for (packet, (payload_type, payload)) in
            [(97, law.as_slice()), (8, &law), (0, &[0x80; 160]), (18, &[1; 20]), (96, &[])]
                .into_iter()
                .enumerate()
        {
            bench.until(packet as u64 * 20);
            bench.receive(PEER, &peer.packet(payload_type, payload));
        }
        assert_eq!(bench.heard_millis(), 60);
        assert!(bench.loud_share(10) > 0.9);
        assert_eq!(bench.port.quality().discarded, 2);
    }

    #[test]
    fn the_numbers_may_wrap_and_restart() {
        let (mut bench, mut peer) = (Bench::started(settings()), Peer::new());
        for packet in 0..600_u64 {
            if packet == 300 {
                peer.sequence = peer.sequence.wrapping_add(20_000);
                peer.timestamp = 5;
            }
            bench.until(packet * 20);
            bench.receive(PEER, &peer.loud());
        }
        let heard = bench.heard_millis();
        assert!((11_960..=12_040).contains(&heard), "{heard}");
        assert_eq!(bench.port.quality().discarded, 1);
        assert_eq!(bench.port.quality().lost, 0);
    }

    #[test]
    fn a_second_of_speech_makes_so_many_outputs_and_no_more() {
        let (mut bench, mut peer) = (Bench::new(settings()), Peer::new());
        for packet in 0..100 {
            bench.until(packet * 10);
            if packet % 2 == 0 {
                bench.receive(PEER, &peer.loud());
            }
        }
        // 50 frames, 31 windows; that the peer was heard, and that it speaks.
        assert_eq!(bench.outputs, 50 + 31 + 2);
    }
}
