//! A lane: one voice on the time line of a recording, placed by the clock of its RTP stream.
//!
//! The least delay of the last seconds tells where the clock of the stream stands against ours:
//! jitter does not move a voice, and a clock that runs fast or slow is followed as it drifts.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::audio::frame::Rate;
use crate::audio::resample::Resampler;

/// When a packet was said, by the clock of its stream, and when it came.
#[derive(Debug, Clone, Copy)]
pub struct Stamp {
    /// The RTP timestamp of the first sample.
    pub timestamp: u32,
    /// How many ticks a second has.
    pub clock: u32,
    /// When the packet arrived.
    pub arrived: Instant,
}

/// One voice on the time line.
#[derive(Debug)]
pub struct Lane {
    rate: Rate,
    /// The samples from the front of the time line on.
    waiting: VecDeque<i16>,
    /// How many at the end were made up: they give way to what really came.
    made_up: usize,
    pace: Option<Pace>,
    /// How many packets in a row came too late for their place.
    late: u32,
    /// Counts the packets that were not quite in their place.
    corrected: u32,
    /// From the rate of the voice, if it is another.
    resampler: Option<(Rate, Resampler)>,
    /// Room for what comes out of it.
    converted: Vec<i16>,
}

/// Where the clock of a stream stands against ours.
#[derive(Debug)]
struct Pace {
    clock: u32,
    /// When the first packet came: both clocks are counted from there.
    origin: Instant,
    last: u32,
    ticks: i64,
    /// The least delay, in microseconds, since then, and in the time before.
    window: (Instant, i64),
    before: i64,
}

impl Lane {
    /// Makes an empty lane of samples at `rate`.
    pub fn new(rate: Rate) -> Self {
        Self {
            rate,
            waiting: VecDeque::with_capacity(rate.samples_in(LONGEST)),
            made_up: 0,
            pace: None,
            late: 0,
            corrected: 0,
            resampler: None,
            converted: Vec::new(),
        }
    }

    /// Takes what was said, at `rate`; `front` is the time of the next sample to be taken.
    pub fn put(&mut self, (samples, rate): (&[i16], Rate), stamp: Stamp, front: Instant) {
        let lasts = rate.duration_of(samples.len());
        let said = self.moment(stamp).checked_sub(lasts).unwrap_or(stamp.arrived);
        let place = self.samples_between(front, said);
        self.convert(samples, rate);
        let overlap = usize::try_from(self.length() - place).unwrap_or(0).min(self.made_up);
        self.waiting.truncate(self.waiting.len() - overlap);
        self.made_up = 0;
        self.follow(place);
        let ahead = place - self.length();
        if self.pace.as_ref().is_some_and(|pace| pace.ticks == 0) && ahead < 0 {
            // The stream begins: what was said before its place is nobody's.
            let before = usize::try_from(-ahead).unwrap_or(0).min(self.converted.len());
            return self.extend_with(before..self.converted.len());
        }
        if !self.fits_a_hole(place) {
            self.append(ahead);
        }
    }

    /// Takes samples that were made up, at `rate`: they follow on what was there.
    pub fn make_up(&mut self, samples: &[i16], rate: Rate) {
        self.convert(samples, rate);
        let before = self.waiting.len();
        self.extend_with(0..self.converted.len());
        self.made_up += self.waiting.len() - before;
    }

    /// Adds the next samples to `frame`; where nothing is, it is silent.
    pub fn add_to(&mut self, frame: &mut [i16]) {
        let count = frame.len().min(self.waiting.len());
        for (sample, own) in frame.iter_mut().zip(self.waiting.drain(..count)) {
            *sample = sample.saturating_add(own);
        }
        self.made_up = self.made_up.min(self.waiting.len());
    }

    /// When the last tick of `stamp` would have come with the least delay.
    fn moment(&mut self, stamp: Stamp) -> Instant {
        if let Some(pace) = &mut self.pace
            && pace.takes(stamp)
        {
            return pace.moment();
        }
        self.pace = Some(Pace::new(stamp));
        stamp.arrived
    }

    /// When packet after packet comes too late for its place, the way has become longer.
    fn follow(&mut self, place: i64) {
        self.late = if place < 0 { self.late + 1 } else { 0 };
        if self.late >= LATE
            && let Some(pace) = &mut self.pace
        {
            pace.forget();
            self.late = 0;
        }
    }

    /// Puts what was converted into the silence that was left for it, when packets were swapped;
    /// false where there is none.
    fn fits_a_hole(&mut self, place: i64) -> bool {
        let Ok(begin) = usize::try_from(place) else { return false };
        let end = begin.saturating_add(self.converted.len());
        if end > self.waiting.len() {
            return false;
        }
        let taken = self.waiting.range(begin..end).filter(|sample| **sample != 0).count();
        if taken > self.rate.samples_in(FINE) * 2 {
            return false;
        }
        for (sample, own) in self.waiting.range_mut(begin..end).zip(&self.converted) {
            *sample = *own;
        }
        true
    }

    /// Appends what was converted, which belongs `ahead` samples further on (or back): a hole is
    /// silent; a little is made up for, by a sample more or less now and then.
    fn append(&mut self, ahead: i64) {
        let count = self.converted.len();
        let (hole, fine) = (self.signed(HOLE), self.signed(FINE));
        if ahead >= hole {
            let silence = usize::try_from(ahead).unwrap_or(0).min(self.room());
            self.waiting.extend(std::iter::repeat_n(0, silence));
            return self.extend_with(0..count);
        }
        if ahead.abs() <= fine {
            return self.extend_with(0..count);
        }
        let surplus = usize::try_from(-ahead).unwrap_or(0).min(count);
        if surplus > 0 && self.converted.iter().all(|it| it.unsigned_abs() < QUIET) {
            return self.extend_with(surplus..count);
        }
        let surplus = surplus - self.silence_taken(surplus);
        self.corrected = (self.corrected + 1) % EACH;
        if surplus == 0 && ahead < 0 || self.corrected != 0 {
            return self.extend_with(0..count);
        }
        self.stretch(if ahead < 0 { count.saturating_sub(1) } else { count + 1 });
    }

    /// Takes out up to so many samples of the longest silence that is not written yet, as there is
    /// before a stream whose first packets were late; tells how many.
    fn silence_taken(&mut self, most: usize) -> usize {
        let (mut run, mut longest, mut end) = (0, 0_usize, 0);
        for (at, sample) in self.waiting.iter().enumerate() {
            run = if *sample == 0 { run + 1 } else { 0 };
            if run > longest {
                (longest, end) = (run, at + 1);
            }
        }
        let count = longest.saturating_sub(self.rate.samples_in(FINE)).min(most);
        self.waiting.drain(end - count..end);
        count
    }

    /// Appends what was converted as so many samples, by straight lines between them.
    fn stretch(&mut self, wanted: usize) {
        let last = self.converted.len().saturating_sub(1);
        for at in 0..wanted.min(self.room()) {
            let place = at * last * 256 / wanted.saturating_sub(1).max(1);
            let (index, part) = (place / 256, (place % 256) as i32);
            let sample = |index: usize| i32::from(self.converted.get(index).copied().unwrap_or(0));
            let (one, two) = (sample(index), sample((index + 1).min(last)));
            self.waiting.push_back((one + (two - one) * part / 256) as i16);
        }
    }

    fn extend_with(&mut self, range: std::ops::Range<usize>) {
        let room = self.room();
        let samples = self.converted.get(range).unwrap_or_default();
        self.waiting.extend(samples.iter().take(room));
    }

    /// Brings samples to the rate of the lane, into `converted`.
    fn convert(&mut self, samples: &[i16], rate: Rate) {
        self.converted.clear();
        if rate == self.rate {
            self.resampler = None;
            return self.converted.extend_from_slice(samples);
        }
        if self.resampler.as_ref().is_none_or(|(known, _)| *known != rate) {
            self.resampler = Some((rate, Resampler::new(rate, self.rate)));
        }
        if let Some((_, resampler)) = &mut self.resampler {
            resampler.push(samples, &mut self.converted);
        }
    }

    fn samples_between(&self, from: Instant, to: Instant) -> i64 {
        let forth = self.rate.samples_in(to.saturating_duration_since(from).min(LONGEST));
        let back = self.rate.samples_in(from.saturating_duration_since(to).min(LONGEST));
        forth as i64 - back as i64
    }

    fn length(&self) -> i64 {
        self.waiting.len() as i64
    }

    fn room(&self) -> usize {
        self.rate.samples_in(LONGEST).saturating_sub(self.waiting.len())
    }

    fn signed(&self, duration: Duration) -> i64 {
        self.rate.samples_in(duration) as i64
    }
}

impl Pace {
    fn new(stamp: Stamp) -> Self {
        Self {
            clock: stamp.clock,
            origin: stamp.arrived,
            last: stamp.timestamp,
            ticks: 0,
            window: (stamp.arrived, 0),
            before: 0,
        }
    }

    /// Counts a packet; false when it cannot be of the same clock.
    fn takes(&mut self, stamp: Stamp) -> bool {
        if stamp.clock != self.clock {
            return false;
        }
        self.ticks += i64::from(stamp.timestamp.wrapping_sub(self.last) as i32);
        self.last = stamp.timestamp;
        let passed = stamp.arrived.saturating_duration_since(self.origin).as_micros();
        let delay = i64::try_from(passed).unwrap_or(i64::MAX).saturating_sub(self.micros());
        if (delay - self.least()).abs() > JUMP {
            return false;
        }
        if stamp.arrived.saturating_duration_since(self.window.0) >= WINDOW {
            (self.before, self.window) = (self.window.1, (stamp.arrived, delay));
        }
        self.window.1 = self.window.1.min(delay);
        true
    }

    /// Where the stream stands, by our clock.
    fn moment(&self) -> Instant {
        let micros = u64::try_from(self.micros().saturating_add(self.least())).unwrap_or(0);
        self.origin.checked_add(Duration::from_micros(micros)).unwrap_or(self.origin)
    }

    /// The delays of the past count no more.
    fn forget(&mut self) {
        self.before = i64::MAX;
        self.window.1 = i64::MAX;
    }

    fn least(&self) -> i64 {
        let least = self.before.min(self.window.1);
        if least == i64::MAX { 0 } else { least }
    }

    /// The age of the stream, by its own clock, in microseconds.
    fn micros(&self) -> i64 {
        self.ticks.saturating_mul(1_000_000).checked_div(i64::from(self.clock)).unwrap_or(0)
    }
}

/// A voice may be so far ahead of the time line; what is further is cut.
const LONGEST: Duration = Duration::from_millis(600);

/// From here on a hole is silent.
const HOLE: Duration = Duration::from_millis(10);

/// So little is right.
const FINE: Duration = Duration::from_millis(1);

/// Of so many packets one is made longer or shorter by a sample: nobody hears that.
const EACH: u32 = 3;

/// What is softer may be left out.
const QUIET: u16 = 200;

/// How long a delay is remembered; twice as long at most.
const WINDOW: Duration = Duration::from_secs(5);

/// In microseconds: a clock that jumps further was begun anew.
const JUMP: i64 = 1_000_000;

/// After so many late packets in a row it is the way, and not the packets.
const LATE: u32 = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn swapped_packets_stand_where_they_were_said() {
        let start = Instant::now();
        let mut lane = Lane::new(Rate::NARROW);
        let packets = [(0, 20), (1, 40), (3, 80), (2, 81), (4, 100), (6, 140), (5, 141), (7, 160)];
        for (packet, millis) in packets {
            let arrived = start + Duration::from_millis(millis);
            let stamp = Stamp { timestamp: packet * 160, clock: 8_000, arrived };
            lane.put((&[100 + packet as i16; 160], Rate::NARROW), stamp, start);
        }
        let mut heard = [0; 8 * 160];
        lane.add_to(&mut heard);
        for (packet, samples) in heard.chunks_exact(160).enumerate() {
            assert!(samples.iter().all(|it| *it == 100 + packet as i16), "{packet}");
        }
    }

    #[test]
    fn what_came_late_takes_the_place_of_what_was_made_up() {
        let start = Instant::now();
        let mut lane = Lane::new(Rate::NARROW);
        let at = |millis| start + Duration::from_millis(millis);
        let stamp = |packet: u32, arrived| Stamp { timestamp: packet * 160, clock: 8_000, arrived };
        lane.put((&[1; 160], Rate::NARROW), stamp(0, at(20)), start);
        lane.make_up(&[5; 320], Rate::NARROW);
        lane.put((&[2; 160], Rate::NARROW), stamp(1, at(100)), start);
        lane.put((&[3; 160], Rate::NARROW), stamp(2, at(101)), start);
        let mut heard = [0; 4 * 160];
        lane.add_to(&mut heard);
        let levels: Vec<i16> = heard.chunks_exact(160).map(|it| it[80]).collect();
        assert_eq!(levels, [1, 2, 3, 0]);
    }
}
