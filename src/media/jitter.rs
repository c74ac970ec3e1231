//! The jitter buffer: packets of one speaker in, a line of samples out, as late as the network
//! makes it necessary and no later.
//!
//! Packets wait undecoded, in the order of their media clock, until they are due; so what is lost
//! is known when its turn comes and the codec itself can make up for it. When a packet is due, the
//! delays of the last two seconds tell: 95 of 100 packets are waited for, within bounds. The line
//! stands at a media time; how far that is behind the fastest packets is the delay that the
//! listener has. Where it is not what it should be, a pitch period is left out or said twice. A
//! clock that runs too fast or too slow is the same thing in small.

mod delay;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::audio::codec::Codec;
use crate::audio::frame::Rate;
use crate::audio::library::Libraries;
use crate::audio::{mix, stretch};
use crate::media::decoding::Decoding;
use crate::media::jitter::delay::Delay;
use crate::media::link::{Content, Passage};

/// How long packets wait, behind the fastest of them: what the network makes necessary, within
/// these bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// At least so long, for networks whose worst hours are known.
    pub least: Duration,
    /// At most so long: what comes later is lost.
    pub most: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { least: Duration::ZERO, most: Duration::from_millis(200) }
    }
}

/// Holds what one speaker says until it is due.
#[derive(Debug)]
pub struct Buffer {
    bounds: Bounds,
    decoding: Decoding,
    delay: Delay,
    /// The packets that wait, in the order of their media time.
    waiting: VecDeque<Held>,
    clock: Option<Clock>,
    state: State,
    /// Samples that were decoded: the last that were given out, and those that come next.
    ready: Vec<i16>,
    /// How many of them were given out.
    given: usize,
    /// Where the sample behind those stands.
    next: i64,
    /// The last packet that was decoded: its stream, and where it stands there.
    heard: Option<(u32, u64)>,
    /// Samples that were made up because nothing was there, since the last packet.
    starved: usize,
    /// Whether packets were thrown away before the next one: a seam is to be hidden.
    torn: bool,
    splicing: Splicing,
    tally: Tally,
}

/// The media clock of a stream, which wraps, made a line of samples that does not.
#[derive(Debug, Clone, Copy)]
struct Clock {
    stream: u32,
    rate: u32,
    /// When its first packet came.
    began: Instant,
    /// The latest time so far, as it stood in the packet and counted from the first packet.
    latest: (u32, i64),
    /// The highest extended sequence number so far.
    index: u64,
}

/// A packet that waits.
#[derive(Debug)]
struct Held {
    /// Its stream, and where it stands there.
    order: (u32, u64),
    /// Its first sample on the line.
    place: i64,
    /// How many samples it makes.
    length: usize,
    codec: Codec,
    payload: Bytes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The speaker is silent, or begins and is waited for.
    Waiting,
    /// Samples flow.
    Playing,
}

/// Where it stands with leaving out and saying twice.
#[derive(Debug, Default)]
struct Splicing {
    /// So many samples must pass before the next seam.
    rest: usize,
    /// How often a seam was wanted and the sound was not like itself: the longer, the less matters.
    refused: u16,
}

/// What a buffer did so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Packets that came when their time was over.
    pub late: u64,
    /// Packets that were thrown away because too much waited.
    pub overflowed: u64,
    /// Samples that were made up.
    pub made_up: u64,
    /// Samples that were left out to catch up.
    pub left_out: u64,
    /// Samples that were said twice to wait.
    pub repeated: u64,
}

impl Buffer {
    /// Makes an empty buffer that gives samples at `rate`.
    pub fn new(rate: Rate, libraries: Libraries, bounds: Bounds) -> Self {
        Self {
            bounds,
            decoding: Decoding::new(rate, libraries),
            delay: Delay::new(),
            waiting: VecDeque::with_capacity(MAX_PACKETS),
            clock: None,
            state: State::Waiting,
            ready: Vec::with_capacity(rate.samples_in(3 * LONGEST_PACKET)),
            given: 0,
            next: 0,
            heard: None,
            starved: 0,
            torn: false,
            splicing: Splicing::default(),
            tally: Tally::default(),
        }
    }

    /// What was done so far.
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// How many packets wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether no packet waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// How far behind the fastest packets the line is meant to be, when it is taken in pieces of
    /// `length`: a piece may need what came last in it.
    pub fn target(&self, length: Duration) -> Duration {
        (self.delay.spread() + length).max(self.bounds.least).min(self.bounds.most)
    }

    /// How far behind the fastest packets the line is at `now`; `None` while nothing flows.
    pub fn behind(&self, now: Instant) -> Option<Duration> {
        let place = self.next - self.ahead() as i64;
        let micros = self.micros_behind(now, place).filter(|_| self.state == State::Playing)?;
        Some(Duration::from_micros(u64::try_from(micros).unwrap_or(0)))
    }

    /// Takes a packet of voice that came at `now`; others are not heard here.
    pub fn put(&mut self, now: Instant, passage: &Passage) {
        let Content::Voice(codec) = passage.content else { return };
        let length = self.decoding.samples(codec, &passage.payload);
        if length == 0 || length > self.rate().samples_in(LONGEST_PACKET) {
            return;
        }
        let order = (passage.stream, passage.index);
        let Some(place) = self.place(now, passage).filter(|_| !self.is_missed(order)) else {
            self.tally.late += 1;
            return;
        };
        let payload = passage.payload.clone();
        self.keep(Held { order, place, length, codec, payload });
    }

    /// Adds what comes next to `out`; it is to be heard from `now` on.
    pub fn add_to(&mut self, now: Instant, out: &mut [i16]) {
        let count = out.len();
        if self.state == State::Waiting {
            self.begin(now, count);
        } else {
            self.steer(now, count);
        }
        while self.ahead() < count {
            self.advance(count);
        }
        mix::add(out, self.ready.get(self.given..).unwrap_or_default());
        self.given += count;
        let forgotten = self.given.saturating_sub(stretch::longest(self.rate()));
        self.ready.drain(..forgotten);
        self.given -= forgotten;
        self.splicing.rest = self.splicing.rest.saturating_sub(count);
    }

    fn rate(&self) -> Rate {
        self.decoding.rate()
    }

    /// How many samples are decoded and not given out.
    fn ahead(&self) -> usize {
        self.ready.len() - self.given
    }

    /// Whether a packet that was sent later, or this one, was heard already. While the speaker
    /// rests the line itself does not tell.
    fn is_missed(&self, (stream, index): (u32, u64)) -> bool {
        self.heard.is_some_and(|heard| heard.0 == stream && heard.1 >= index)
    }

    /// Where a packet stands on the line. Another stream, or a clock that jumped, begins anew; a
    /// packet that was sent before others jumps nowhere, it is too late.
    fn place(&mut self, now: Instant, passage: &Passage) -> Option<i64> {
        let same =
            |clock: &Clock| clock.stream == passage.stream && clock.rate == passage.clock.max(1);
        let known = self.clock.filter(same).map(|clock| (clock, clock.ticks(passage.timestamp)));
        let follows = known.filter(|(clock, ticks)| {
            let late = clock.transit(now, *ticks) - self.delay.fastest();
            // After a pause in which the sender's clock stood still the line begins anew too.
            let is_new = passage.index > clock.index;
            let rests = is_new && self.state == State::Waiting && self.waiting.is_empty();
            let most = if rests { REST } else { LARGEST_JUMP };
            late.unsigned_abs() < most.as_micros() as u64
        });
        let (mut clock, ticks) = match follows {
            Some(known) => known,
            None if known.is_some_and(|(clock, _)| passage.index <= clock.index) => return None,
            None => {
                self.restart();
                (Clock::new(now, passage), 0)
            }
        };
        self.delay.measure(now, clock.transit(now, ticks));
        if ticks >= clock.latest.1 {
            clock.latest = (passage.timestamp, ticks);
        }
        clock.index = clock.index.max(passage.index);
        self.clock = Some(clock);
        Some(ticks.saturating_mul(i64::from(self.rate().0)) / i64::from(clock.rate))
    }

    /// Forgets what waits; what was decoded is still heard, and fades.
    fn restart(&mut self) {
        self.tally.overflowed += self.waiting.len() as u64;
        self.waiting.clear();
        self.delay.clear();
        self.state = State::Waiting;
    }

    /// Puts a packet where it belongs, if its time is not over.
    fn keep(&mut self, packet: Held) {
        let end = packet.place + packet.length as i64;
        if self.state == State::Playing && end <= self.next {
            self.tally.late += 1;
            return;
        }
        let at = self.waiting.partition_point(|held| held.place < packet.place);
        if self.waiting.get(at).is_some_and(|held| held.place == packet.place) {
            return;
        }
        if self.waiting.len() == MAX_PACKETS {
            self.drop_oldest();
        }
        let at = self.waiting.partition_point(|held| held.place < packet.place);
        self.waiting.insert(at, packet);
        // Whoever sends faster than time goes is caught up with.
        let longest = self.rate().samples_in(LONGEST) as i64;
        while let (Some(first), Some(last)) = (self.waiting.front(), self.waiting.back())
            && last.place + last.length as i64 - first.place > longest
        {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        let Some(oldest) = self.waiting.pop_front() else { return };
        self.tally.overflowed += 1;
        if self.state == State::Playing {
            self.next = self.next.max(oldest.place + oldest.length as i64);
            self.torn = true;
        }
    }

    /// Begins to play when the first packet has waited long enough.
    fn begin(&mut self, now: Instant, count: usize) {
        let Some(place) = self.waiting.front().map(|first| first.place) else { return };
        let Some(behind) = self.micros_behind(now, place) else { return };
        let early = self.target(self.rate().duration_of(count)).as_micros() as i64 - behind;
        let early = self.rate().samples_in(Duration::from_micros(early.max(0).unsigned_abs()));
        if early >= count {
            return;
        }
        let early = early.saturating_sub(self.ahead());
        self.decoding.conceal(early, &mut self.ready);
        (self.next, self.state) = (place, State::Playing);
        (self.starved, self.torn) = (0, false);
    }

    /// Leaves a period out, or says one twice, when the line is not where it should be.
    fn steer(&mut self, now: Instant, count: usize) {
        let place = self.next - self.ahead() as i64;
        let Some(behind) = self.micros_behind(now, place) else { return };
        let error = behind - self.target(self.rate().duration_of(count)).as_micros() as i64;
        let is_near = error < TOO_LATE.as_micros() as i64 && -error < TOO_EARLY.as_micros() as i64;
        if is_near {
            self.splicing.refused = 0;
        }
        if is_near || self.splicing.rest > 0 {
            return;
        }
        let rate = self.rate();
        let (longest, seam) = (stretch::longest(rate), stretch::seam(rate));
        let room = if error > 0 { longest + seam.max(count) } else { seam };
        while self.ahead() < room && self.follows() {
            self.decode_next();
        }
        if self.ahead() < room {
            return;
        }
        // Noise has no period: in the end it is cut anywhere.
        let wanted = CHOOSY - f32::from(self.splicing.refused) * LESS_CHOOSY;
        let period = if error > 0 {
            let period = stretch::shorten(&mut self.ready, self.given, rate, wanted);
            self.tally.left_out += period as u64;
            period
        } else {
            let period = stretch::lengthen(&mut self.ready, self.given, rate, wanted);
            self.tally.repeated += period as u64;
            period
        };
        match period {
            0 => self.splicing.refused = self.splicing.refused.saturating_add(1),
            _ => self.splicing = Splicing { rest: 3 * period, refused: 0 },
        }
    }

    /// Makes at least one sample ready, towards `count`.
    fn advance(&mut self, count: usize) {
        let missing = count.saturating_sub(self.ahead());
        if self.state == State::Waiting {
            return self.decoding.conceal(missing, &mut self.ready);
        }
        let Some(first) = self.waiting.front() else { return self.starve(missing) };
        let gap = usize::try_from(first.place - self.next).unwrap_or(0);
        if gap == 0 {
            return self.decode_next();
        }
        // What was made up while nothing came stands for what never came.
        let bridged = gap.min(self.starved);
        if bridged > 0 {
            self.next += bridged as i64;
            self.starved -= bridged;
            return;
        }
        if gap > self.rate().samples_in(LONGEST) {
            // A pause: what comes now waits for its own time.
            self.state = State::Waiting;
            return;
        }
        self.conceal(gap, missing);
    }

    /// Makes up for packets that are missing before the first one.
    fn conceal(&mut self, gap: usize, missing: usize) {
        let Some(first) = self.waiting.front() else { return };
        // The last one that is missing may have its copy in the one that follows.
        let copied = if first.codec == Codec::Opus { first.length } else { 0 };
        if gap > copied {
            let count = missing.min(gap - copied);
            self.next += count as i64;
            return self.make_up(count);
        }
        self.tally.made_up += gap as u64;
        self.decoding.recover((first.codec, &first.payload), gap, &mut self.ready);
        self.next += gap as i64;
    }

    /// Nothing is there that could be played. For a while the line stands still; then the speaker
    /// is silent.
    fn starve(&mut self, missing: usize) {
        self.make_up(missing);
        self.starved = self.starved.saturating_add(missing);
        if self.starved >= self.rate().samples_in(PATIENCE) {
            self.state = State::Waiting;
        }
    }

    /// Makes up samples: they go on with the sound and fall to silence.
    fn make_up(&mut self, count: usize) {
        self.tally.made_up += count as u64;
        self.decoding.conceal(count, &mut self.ready);
    }

    /// Whether the first packet goes on where the decoded samples end.
    fn follows(&self) -> bool {
        self.waiting.front().is_some_and(|first| first.place <= self.next)
    }

    fn decode_next(&mut self) {
        let Some(packet) = self.waiting.pop_front() else { return };
        if std::mem::take(&mut self.torn) {
            let seam = self.rate().samples_in(SEAM);
            self.make_up(seam);
        }
        self.heard = Some(packet.order);
        let begin = self.ready.len();
        self.decoding.decode(packet.codec, &packet.payload, &mut self.ready);
        if self.ready.len() == begin {
            self.make_up(packet.length);
        }
        // What is known already of a packet that overlaps is not said again.
        let known = usize::try_from(self.next - packet.place).unwrap_or(0);
        let known = known.min(self.ready.len() - begin);
        self.ready.drain(begin..begin + known);
        self.next = self.next.max(packet.place + packet.length as i64);
        self.starved = 0;
    }

    /// How far a place of the line is behind the fastest packets, in microseconds.
    fn micros_behind(&self, now: Instant, place: i64) -> Option<i64> {
        let media = place.saturating_mul(1_000_000) / i64::from(self.rate().0.max(1));
        Some(micros(now, self.clock?.began) - media - self.delay.fastest())
    }
}

impl Clock {
    fn new(now: Instant, passage: &Passage) -> Self {
        let (stream, rate) = (passage.stream, passage.clock.max(1));
        let (latest, index) = ((passage.timestamp, 0), passage.index);
        Self { stream, rate, began: now, latest, index }
    }

    /// The ticks since the first packet.
    fn ticks(&self, timestamp: u32) -> i64 {
        self.latest.1 + i64::from(timestamp.wrapping_sub(self.latest.0) as i32)
    }

    /// How much later than its ticks say a packet came, in microseconds.
    fn transit(&self, now: Instant, ticks: i64) -> i64 {
        micros(now, self.began) - ticks.saturating_mul(1_000_000) / i64::from(self.rate)
    }
}

/// The time between two instants in microseconds, negative when `now` is the earlier one.
fn micros(now: Instant, then: Instant) -> i64 {
    let ahead = now.saturating_duration_since(then).as_micros();
    let behind = then.saturating_duration_since(now).as_micros();
    i64::try_from(ahead).unwrap_or(i64::MAX) - i64::try_from(behind).unwrap_or(i64::MAX)
}

/// After a rest, a packet that is later than this begins the line anew.
const REST: Duration = Duration::from_millis(200);

/// No more than this waits: what the network may hold back and give all at once.
const LONGEST: Duration = Duration::from_millis(400);

/// As many packets of 10 ms, and some that overlap.
const MAX_PACKETS: usize = 48;

/// More than any sender puts into a packet (RFC 3551 4.2).
const LONGEST_PACKET: Duration = Duration::from_millis(200);

/// A clock that jumps further has been restarted.
const LARGEST_JUMP: Duration = Duration::from_secs(2);

/// So long the line stands still when nothing comes.
const PATIENCE: Duration = Duration::from_millis(200);

/// From so much on a period is left out: the longest one must fit.
const TOO_LATE: Duration = Duration::from_millis(15);

/// From so much on a period is said twice.
const TOO_EARLY: Duration = Duration::from_millis(10);

/// How like itself a sound must be at first to be spliced, and how much less each time after.
const CHOOSY: f32 = 0.85;
const LESS_CHOOSY: f32 = 0.03;

/// How much is made up where the line is torn, so that the ends can be blended.
const SEAM: Duration = Duration::from_millis(5);
