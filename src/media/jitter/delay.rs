//! How late packets come: what the network adds to the fastest of the last two seconds, and how
//! much of that a buffer must wait for.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The delays of a stream. All are differences: between when a packet came and when its media clock
/// says that it was made, on one time line whose origin nobody knows.
#[derive(Debug)]
pub struct Delay {
    /// When packets came, and how late in microseconds; oldest first.
    recent: VecDeque<(Instant, i64)>,
    /// Room for a sort.
    sorted: Vec<i64>,
    fastest: i64,
    spread: Duration,
}

impl Delay {
    /// Knows nothing yet.
    pub fn new() -> Self {
        Self {
            recent: VecDeque::with_capacity(MAX_RECENT),
            sorted: Vec::with_capacity(MAX_RECENT),
            fastest: 0,
            spread: UNKNOWN,
        }
    }

    /// Takes a packet that came `transit` microseconds after its media time.
    pub fn measure(&mut self, now: Instant, transit: i64) {
        let is_old = |(at, _): &(Instant, i64)| now.saturating_duration_since(*at) > WINDOW;
        while self.recent.len() >= MAX_RECENT
            || self.recent.len() > FEW && self.recent.front().is_some_and(is_old)
        {
            self.recent.pop_front();
        }
        self.recent.push_back((now, transit));
        self.sorted.clear();
        self.sorted.extend(self.recent.iter().map(|(_, transit)| *transit));
        let rank = (self.sorted.len() * 95).div_ceil(100).saturating_sub(1);
        let (below, percentile, _) = self.sorted.select_nth_unstable(rank);
        self.fastest = below.iter().copied().min().unwrap_or(*percentile).min(*percentile);
        let spread = percentile.saturating_sub(self.fastest);
        self.spread = Duration::from_micros(spread.unsigned_abs());
        if self.sorted.len() < FEW {
            self.spread = self.spread.max(UNKNOWN);
        }
    }

    /// The transit of the fastest of the recent packets, in microseconds.
    pub fn fastest(&self) -> i64 {
        self.fastest
    }

    /// By how much 95 of 100 recent packets were slower than the fastest, at most.
    pub fn spread(&self) -> Duration {
        self.spread
    }

    /// Forgets everything: another clock.
    pub fn clear(&mut self) {
        self.recent.clear();
        (self.fastest, self.spread) = (0, UNKNOWN);
    }
}

/// What is older says nothing of the network now.
const WINDOW: Duration = Duration::from_secs(2);

/// Two seconds of packets of 10 ms.
const MAX_RECENT: usize = 200;

/// So many packets are kept through a pause; fewer say little.
const FEW: usize = 10;

/// What is taken for the spread before it is known.
const UNKNOWN: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use super::*;

    /// Packets of 20 ms, each so many milliseconds late.
    fn measured(late: impl Iterator<Item = i64>) -> Delay {
        let (start, mut delay) = (Instant::now(), Delay::new());
        for (packet, late) in (0..).zip(late) {
            delay.measure(start + Duration::from_millis(packet * 20), late * 1_000);
        }
        delay
    }

    fn millis(delay: &Delay) -> (i64, u128) {
        (delay.fastest() / 1_000, delay.spread().as_millis())
    }

    #[test]
    fn the_spread_is_what_95_of_100_packets_keep() {
        assert_eq!(millis(&measured((0..200).map(|at| at % 100))), (0, 95));
        assert_eq!(millis(&measured([-500; 100].into_iter())), (-500, 0));
        let rare = measured((0..200).map(|at| if at % 25 == 0 { 180 } else { 7 }));
        assert_eq!(millis(&rare), (7, 0));
    }

    #[test]
    fn little_is_known_at_the_beginning_and_after_a_change() {
        let mut delay = measured([5].into_iter());
        assert_eq!(millis(&delay), (5, 20));
        delay.clear();
        assert_eq!(millis(&delay), (0, 20));
    }

    #[test]
    fn a_storm_is_forgotten_after_two_seconds() {
        let storm = (0..100).map(|at| at * 2).chain([0; 102]);
        assert_eq!(millis(&measured(storm)), (0, 0));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let delay = measured((0..5_000).map(|at| at % 7));
        assert!(delay.recent.len() <= MAX_RECENT);
    }
}
