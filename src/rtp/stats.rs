//! What a receiver knows of a stream: jitter, loss, and the report block made of them
//! (RFC 3550 6.4.1, A.3, A.8).

use std::time::{Duration, Instant};

use super::bursts::Bursts;
use super::sequence::{MAX_DROPOUT, Tracker, Verdict};

/// A report block about one source (RFC 3550 6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Block {
    /// The source that it is about.
    pub ssrc: u32,
    /// The share lost since the last report, in 256ths.
    pub fraction_lost: u8,
    /// The packets lost in all; doubles make it negative.
    pub lost: i32,
    /// The extended highest sequence number.
    pub highest: u32,
    /// The interarrival jitter in units of the RTP clock.
    pub jitter: u32,
    /// The middle 32 bits of the last sender report's NTP time; 0: none came.
    pub last_report: u32,
    /// How long ago that report came, in 65 536ths of a second.
    pub delay: u32,
}

/// The reception of one source.
#[derive(Debug, Clone)]
pub struct Reception {
    /// The source.
    pub ssrc: u32,
    tracker: Tracker,
    jitter: Jitter,
    bursts: Bursts,
    /// Up to here packets were judged as lost or not.
    judged: u64,
    /// Expected and received when the last report was made.
    reported: (u64, u64),
    last_report: Option<(u32, Instant)>,
}

impl Reception {
    /// Begins with the first packet of a source with an RTP clock of `clock_rate`.
    pub fn new(ssrc: u32, sequence: u16, clock_rate: u32) -> Self {
        let tracker = Tracker::new(sequence);
        Self {
            ssrc,
            bursts: Bursts::default(),
            judged: tracker.highest(),
            tracker,
            jitter: Jitter { clock_rate, ..Jitter::default() },
            reported: (0, 0),
            last_report: None,
        }
    }

    /// Counts a packet by its sequence number.
    pub fn handle(&mut self, sequence: u16) -> Verdict {
        let before = self.tracker.highest();
        let ahead = u64::from(sequence.wrapping_sub(before as u16));
        let leaps = (SETTLED + 1..u64::from(MAX_DROPOUT)).contains(&ahead);
        // Who is far enough behind comes no more: that is judged before the window moves on.
        self.judge(if leaps { before + 1 } else { before.saturating_sub(SETTLED) });
        let verdict = self.tracker.handle(sequence);
        match verdict {
            Verdict::Ahead { index } if leaps => {
                let settled = index.saturating_sub(SETTLED);
                self.bursts.lost(settled.saturating_sub(self.judged));
                self.judged = settled;
            }
            Verdict::Restarted { index } => self.judged = index,
            Verdict::Ahead { .. } | Verdict::Behind { .. } | Verdict::Twice | Verdict::Strange => {}
        }
        verdict
    }

    /// Counts the packets before `end` as lost or not.
    fn judge(&mut self, end: u64) {
        while self.judged < end {
            if self.tracker.came(self.judged) {
                self.bursts.came()
            } else {
                self.bursts.lost(1)
            }
            self.judged += 1;
        }
    }

    /// How losses lie in the stream.
    pub fn bursts(&self) -> &Bursts {
        &self.bursts
    }

    /// Measures the jitter by a packet whose timestamp runs with the clock (telephone events do
    /// not: theirs stands still).
    pub fn measure(&mut self, timestamp: u32, arrived: Instant) {
        self.jitter.measure(timestamp, arrived);
    }

    /// Measures jitter by another clock from now on: another codec was agreed.
    pub fn retime(&mut self, clock_rate: u32) {
        self.jitter.retime(clock_rate);
    }

    /// The sequence.
    pub fn tracker(&self) -> &Tracker {
        &self.tracker
    }

    /// The interarrival jitter.
    pub fn jitter(&self) -> Duration {
        self.jitter.duration()
    }

    /// The most by which a packet came later than its distance to the one before says
    /// (`max_jitter` of RFC 3611 4.6).
    pub fn max_jitter(&self) -> Duration {
        self.jitter.most()
    }

    /// Remembers a sender report of this source by the middle 32 bits of its NTP time.
    pub fn reported(&mut self, ntp_middle: u32, arrived: Instant) {
        self.last_report = Some((ntp_middle, arrived));
    }

    /// Makes the report block and begins the next interval of the fraction (RFC 3550 A.3).
    pub fn block(&mut self, now: Instant) -> Block {
        let (expected, received) = (self.tracker.expected(), self.tracker.received());
        let expected_lately = expected.saturating_sub(self.reported.0);
        let received_lately = received.saturating_sub(self.reported.1);
        self.reported = (expected, received);
        let lost_lately = expected_lately.saturating_sub(received_lately);
        let fraction = (lost_lately * 256).checked_div(expected_lately).unwrap_or(0).min(255);
        let lost = (expected as i64).saturating_sub(received as i64);
        let (last_report, delay) = match self.last_report {
            Some((middle, arrived)) => (middle, short(now.saturating_duration_since(arrived))),
            None => (0, 0),
        };
        Block {
            ssrc: self.ssrc,
            fraction_lost: fraction as u8,
            lost: lost.clamp(-0x80_0000, 0x7f_ffff) as i32,
            highest: self.tracker.highest() as u32,
            jitter: self.jitter.ticks(),
            last_report,
            delay,
        }
    }
}

/// A duration as NTP's short form: 65 536ths of a second, wrapping after 18 hours.
pub fn short(duration: Duration) -> u32 {
    ((duration.as_micros() << 16) / 1_000_000) as u32
}

/// What NTP's short form stands for.
pub fn from_short(short: u32) -> Duration {
    Duration::from_micros((u64::from(short) * 1_000_000) >> 16)
}

/// A packet that is so far behind comes no more.
const SETTLED: u64 = 32;

/// The interarrival jitter (RFC 3550 A.8).
#[derive(Debug, Clone, Default)]
struct Jitter {
    clock_rate: u32,
    last: Option<(u32, Instant)>,
    /// Sixteen times the jitter, in units of the RTP clock.
    scaled: u64,
    /// The most that a packet was late, in units of the RTP clock.
    most: u64,
}

impl Jitter {
    fn measure(&mut self, timestamp: u32, arrived: Instant) {
        let Some((last_timestamp, last_arrived)) = self.last.replace((timestamp, arrived)) else {
            return;
        };
        let elapsed = arrived.saturating_duration_since(last_arrived);
        let ticks = elapsed.as_micros() * u128::from(self.clock_rate) / 1_000_000;
        let advance = timestamp.wrapping_sub(last_timestamp) as i32;
        let late = (ticks as i64).saturating_sub(i64::from(advance));
        let difference = late.unsigned_abs();
        // A clock that jumped is another clock, not jitter.
        if difference > u64::from(self.clock_rate) * 2 {
            return;
        }
        self.most = self.most.max(u64::try_from(late).unwrap_or(0));
        self.scaled = self.scaled + difference - ((self.scaled + 8) >> 4).min(self.scaled);
    }

    fn retime(&mut self, clock_rate: u32) {
        if self.clock_rate == clock_rate {
            return;
        }
        let scale = |ticks: u64| {
            let ticks = ticks.saturating_mul(u64::from(clock_rate));
            ticks.checked_div(u64::from(self.clock_rate)).unwrap_or(0)
        };
        (self.scaled, self.most, self.last) = (scale(self.scaled), scale(self.most), None);
        self.clock_rate = clock_rate;
    }

    fn ticks(&self) -> u32 {
        (self.scaled >> 4) as u32
    }

    fn duration(&self) -> Duration {
        self.lasting(u64::from(self.ticks()))
    }

    fn most(&self) -> Duration {
        self.lasting(self.most)
    }

    fn lasting(&self, ticks: u64) -> Duration {
        let micros = ticks.saturating_mul(1_000_000).checked_div(u64::from(self.clock_rate));
        Duration::from_micros(micros.unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(start: Instant, millis: u64) -> Instant {
        start + Duration::from_millis(millis)
    }

    #[test]
    fn an_even_stream_has_no_jitter() {
        let start = Instant::now();
        let mut reception = Reception::new(1, 0, 8_000);
        for packet in 0..100_u32 {
            reception.measure(packet * 160, at(start, u64::from(packet) * 20));
        }
        assert_eq!((reception.jitter(), reception.max_jitter()), (Duration::ZERO, Duration::ZERO));
    }

    #[test]
    fn another_clock_changes_no_time() {
        let start = Instant::now();
        let mut reception = Reception::new(1, 0, 8_000);
        for packet in 0..200_u32 {
            let late = if packet % 2 == 0 { 0 } else { 10 };
            reception.measure(packet * 160, at(start, u64::from(packet) * 20 + late));
        }
        let before = reception.jitter();
        reception.retime(48_000);
        assert!(reception.jitter().abs_diff(before) < Duration::from_millis(1));
        assert_eq!(reception.max_jitter(), Duration::from_millis(10));
        reception.measure(9_000_000, at(start, 4_000));
        assert_eq!(reception.max_jitter(), Duration::from_millis(10), "it begins anew");
    }

    #[test]
    fn jitter_settles_at_the_mean_difference() {
        let start = Instant::now();
        let mut reception = Reception::new(1, 0, 8_000);
        for packet in 0..400_u32 {
            let late = if packet % 2 == 0 { 0 } else { 10 };
            let timestamp = (u32::MAX - 3_200).wrapping_add(packet * 160);
            reception.measure(timestamp, at(start, u64::from(packet) * 20 + late));
        }
        let jitter = reception.jitter().as_millis();
        assert!((9..=10).contains(&jitter), "{jitter} ms");
        assert_eq!(reception.max_jitter(), Duration::from_millis(10));
    }

    #[test]
    fn a_block_tells_the_loss_of_its_own_interval() {
        let start = Instant::now();
        let mut reception = Reception::new(7, 0, 8_000);
        for sequence in (1..100).filter(|sequence| sequence % 4 != 0) {
            reception.handle(sequence);
        }
        let block = reception.block(start);
        assert_eq!(block.lost, 24);
        assert_eq!(block.fraction_lost, 61);
        for sequence in 100..200 {
            reception.handle(sequence);
        }
        reception.reported(0xaabb_ccdd, start);
        let block = reception.block(at(start, 500));
        assert_eq!((block.fraction_lost, block.lost), (0, 24));
        assert_eq!((block.last_report, block.delay), (0xaabb_ccdd, 1 << 15));
    }

    #[test]
    fn losses_are_told_apart_by_how_they_lie_and_swapped_packets_are_none() {
        let mut reception = Reception::new(7, 65_000, 8_000);
        for packet in 0_u16..2_000 {
            let sequence = 65_000_u16.wrapping_add(packet ^ 1);
            match packet {
                // Forty in a row never come.
                900..940 => {}
                _ => drop(reception.handle(sequence)),
            }
        }
        let shape = reception.bursts().shape();
        assert_eq!((shape.burst_length, shape.gap_density), (40, 0.0));
        assert!((shape.burst_density - 1.0).abs() < f64::EPSILON);
        assert!(reception.bursts().ratio() > 30.0);
    }

    #[test]
    fn the_short_form_is_a_65536th() {
        assert_eq!(short(Duration::from_millis(1_500)), 3 << 15);
        assert_eq!(from_short(3 << 15), Duration::from_millis(1_500));
    }
}
