//! What the peer sends, made a line of samples without holes: packets put in order with the least
//! possible wait, decoded, concealed, and silence where nothing comes.
//!
//! Samples are given out in the order and at the time of arrival: no jitter buffer stands before
//! the speech detector. Only across a gap one packet is held, for 20 ms or until the next one
//! comes; then the gap is concealed. The line is an instant: up to it samples were given out. When
//! it falls behind the clock, what is missing is made up, so that the speech gate closes on time.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::audio::codec::Codec;
use crate::audio::conceal::Concealer;
use crate::audio::frame::Rate;
use crate::media::event::{Digit, Event, Output, Settings};
use crate::media::record::Recorder;
use crate::media::tap::Tap;
use crate::rtp::packet::Packet;
use crate::rtp::telephone_event;

/// The receiving side of a port.
#[derive(Debug)]
pub struct Receiver {
    codec: Codec,
    payload_type: u8,
    telephone_event: Option<u8>,
    /// What hears the line.
    pub tap: Tap,
    keys: telephone_event::Receiver,
    concealer: Concealer,
    order: Order,
    /// Up to here samples were given out.
    line: Option<Instant>,
    /// The samples of the last packet of voice.
    length: usize,
    /// The timestamp that follows on the last packet of voice.
    next_timestamp: u32,
    /// Samples made up since the last packet of voice.
    filled: usize,
    /// Whether the sender said that it pauses: its silence needs no concealment.
    paused: bool,
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
    kind: Kind,
    since: Instant,
}

/// A packet that is played: where it stands, what it is, when it came.
#[derive(Debug, Clone, Copy)]
struct Turn {
    index: u64,
    timestamp: u32,
    kind: Kind,
    arrived: Instant,
}

/// What a payload type stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Voice(Codec),
    Key,
    Comfort,
    Unknown,
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
            tap: Tap::new(rate, settings.speech.clone()),
            keys: telephone_event::Receiver::default(),
            concealer: Concealer::new(rate),
            order: Order::default(),
            line: None,
            length: rate.samples_in(FRAME),
            next_timestamp: 0,
            filled: 0,
            paused: true,
            samples: Vec::with_capacity(MAX_SAMPLES),
        }
    }

    /// Takes a new session description; the line goes on.
    pub fn describe(&mut self, settings: &Settings) {
        if settings.codec.rate() != self.rate() {
            let line = self.line;
            *self = Self { line, ..Self::new(settings) };
        }
        self.codec = settings.codec;
        self.payload_type = settings.payload_type;
        self.telephone_event = settings.telephone_event;
        self.tap.configure(&settings.speech);
    }

    /// Begins another stream: its sequence and clock have nothing to do with the last one's.
    pub fn restart(&mut self) {
        self.order.next = None;
        self.order.held = None;
        self.keys.restart();
    }

    /// Takes a packet of the peer with its extended sequence number. False: it was of no use.
    pub fn handle(
        &mut self,
        now: Instant,
        (index, packet): (u64, &Packet<'_>),
        listeners: &mut Listeners<'_>,
    ) -> bool {
        let header = packet.header;
        let kind = self.kind(header.payload_type);
        if kind == Kind::Key
            && let Some(key) = self.keys.handle(header.timestamp, packet.payload)
            && let Some(digit) = Digit::new(key)
        {
            listeners.out.push_back(Output::Event(Event::Digit(digit)));
        }
        if packet.payload.len() > MAX_SAMPLES {
            return false;
        }
        let next = *self.order.next.get_or_insert(index);
        if index < next {
            // What it holds was concealed already; a key in it was told all the same.
            return kind == Kind::Key;
        }
        let turn = Turn { index, timestamp: header.timestamp, kind, arrived: now };
        if index == next {
            let used = self.play(now, (turn, packet.payload), listeners);
            self.play_held_in_order(now, listeners);
            return used;
        }
        self.wait_or_conceal(now, (turn, packet.payload), listeners)
    }

    /// Whether a payload type is voice, whose timestamps run with the clock.
    pub fn is_voice(&self, payload_type: u8) -> bool {
        matches!(self.kind(payload_type), Kind::Voice(_))
    }

    /// What is to be done at this time: conceal before a packet that waited long enough, fill the
    /// line where nothing comes.
    pub fn tick(&mut self, now: Instant, listeners: &mut Listeners<'_>) {
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
            let count = if self.filled == 0 { self.patience() } else { FRAME };
            self.fill(now, self.rate().samples_in(count), listeners);
        }
    }

    /// When `tick` has something to do.
    pub fn deadline(&self) -> Option<Instant> {
        let held = self.order.held.map(|held| held.since + HOLD);
        held.into_iter().chain(self.fill_due()).min()
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
        let Turn { index, timestamp, kind, arrived } = turn;
        self.order.held = Some(Held { index, timestamp, kind, since: arrived });
        self.order.payload.clear();
        self.order.payload.extend_from_slice(payload);
    }

    fn play_held_in_order(&mut self, now: Instant, listeners: &mut Listeners<'_>) {
        if self.order.held.is_some_and(|held| self.order.next == Some(held.index)) {
            self.play_held(now, listeners);
        }
    }

    fn play_held(&mut self, now: Instant, listeners: &mut Listeners<'_>) {
        let Some(Held { index, timestamp, kind, since }) = self.order.held.take() else { return };
        let payload = std::mem::take(&mut self.order.payload);
        let turn = Turn { index, timestamp, kind, arrived: since };
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
        let codec = match turn.kind {
            Kind::Voice(codec) if !payload.is_empty() => codec,
            Kind::Voice(_) | Kind::Unknown => return false,
            Kind::Comfort | Kind::Key => {
                self.paused = true;
                return true;
            }
        };
        let duration = self.rate().duration_of(payload.len());
        let Some(line) = self.line else {
            self.line = turn.arrived.checked_sub(duration).or(Some(turn.arrived));
            return self.decode(now, (codec, &turn, payload), listeners);
        };
        if line > now + LONGEST_LEAD {
            // Twice as fast as time goes: a broken clock, or a flood.
            self.next_timestamp = turn.timestamp.wrapping_add(payload.len() as u32);
            return false;
        }
        let missing = self.missing_before(gap, &turn, duration);
        if missing > 0 {
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
        codec.decode(payload, &mut self.samples);
        self.concealer.good(&mut self.samples);
        self.length = self.samples.len();
        self.next_timestamp = turn.timestamp.wrapping_add(payload.len() as u32);
        self.filled = 0;
        self.paused = false;
        self.give(now, listeners);
        true
    }

    /// How many samples are missing before a packet of `duration` that comes after a gap of so
    /// many packets. The media clock tells; time tells how much of that can be true.
    fn missing_before(&self, gap: u64, turn: &Turn, duration: Duration) -> usize {
        let Some(line) = self.line else { return 0 };
        let advance = turn.timestamp.wrapping_sub(self.next_timestamp) as i32;
        let second = self.codec.clock_rate() as i32;
        let (by_clock, slack) = match advance {
            advance if advance > second => (usize::MAX, Duration::ZERO),
            0.. => (advance as usize, SLACK),
            _ => (self.length.saturating_mul(gap.min(100) as usize), SLACK),
        };
        let room = (turn.arrived + slack).saturating_duration_since(line + duration);
        by_clock.saturating_sub(self.filled).min(self.rate().samples_in(room.min(LONGEST_FILL)))
    }

    /// Makes up samples: concealment at first, which fades to silence, then silence.
    fn fill(&mut self, now: Instant, count: usize, listeners: &mut Listeners<'_>) {
        self.samples.clear();
        if self.paused {
            self.samples.resize(count, 0);
        } else {
            self.concealer.lost(count, &mut self.samples);
        }
        self.filled = self.filled.saturating_add(count);
        self.give(now, listeners);
    }

    /// Gives `samples` to whoever listens. What is made up in time has its time; what comes late
    /// arrives now.
    fn give(&mut self, now: Instant, listeners: &mut Listeners<'_>) {
        let rate = self.rate();
        let begin = self.line.unwrap_or(now);
        let end = begin + rate.duration_of(self.samples.len());
        self.line = Some(end);
        let at = if self.filled > 0 { end.min(now) } else { now };
        if let Some(recorder) = &mut listeners.recorder {
            recorder.hear(&self.samples, begin);
        }
        self.tap.push(&self.samples, at, listeners.out);
    }

    fn kind(&self, payload_type: u8) -> Kind {
        match payload_type {
            agreed if Some(agreed) == self.telephone_event => Kind::Key,
            agreed if agreed == self.payload_type => Kind::Voice(self.codec),
            0 => Kind::Voice(Codec::Pcmu),
            8 => Kind::Voice(Codec::Pcma),
            COMFORT_NOISE => Kind::Comfort,
            _ => Kind::Unknown,
        }
    }

    fn fill_due(&self) -> Option<Instant> {
        let patience = if self.filled == 0 { self.patience() } else { FRAME };
        Some(self.line? + patience)
    }

    /// How long the line may lag before it is filled: 60 ms for packets of 20 ms.
    fn patience(&self) -> Duration {
        self.rate().duration_of(self.length) + SLACK
    }

    fn rate(&self) -> Rate {
        self.codec.rate()
    }
}

const FRAME: Duration = Duration::from_millis(20);

/// How long a packet beyond a gap is held for the missing one.
const HOLD: Duration = Duration::from_millis(20);

/// How much later or earlier than its clock a packet may come without anything being wrong.
const SLACK: Duration = Duration::from_millis(40);

/// The line may be so far ahead of time (a burst after a stall), and no further.
const LONGEST_LEAD: Duration = Duration::from_millis(200);

/// No more than this is made up at once.
const LONGEST_FILL: Duration = Duration::from_secs(1);

/// The payload of 200 ms of G.711: more than any sender puts into a packet (RFC 3551 4.2).
const MAX_SAMPLES: usize = 1_600;

/// The static payload type of comfort noise (RFC 3389).
const COMFORT_NOISE: u8 = 13;
