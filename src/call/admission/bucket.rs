//! Token buckets: so many at once, and so many a second in the long run.

use std::time::{Duration, Instant};

/// So many a second, and so many at once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Budget {
    /// How many are let in each second in the long run.
    pub per_second: f64,
    /// How many are let in at once.
    pub burst: u32,
}

/// A bucket of tokens, full at first.
#[derive(Debug, Clone, Copy)]
pub struct Bucket {
    level: f64,
    at: Instant,
}

impl Budget {
    /// So many within a time, and all of them at once if need be.
    pub fn within(times: u32, time: Duration) -> Self {
        let per_second = f64::from(times) / time.as_secs_f64().max(0.001);
        Self { per_second, burst: times }
    }
}

impl Bucket {
    /// Makes a full bucket.
    pub fn full(now: Instant, budget: Budget) -> Self {
        Self { level: f64::from(budget.burst), at: now }
    }

    /// Takes a token, if there is one.
    pub fn take(&mut self, now: Instant, budget: Budget) -> bool {
        self.fill(now, budget);
        let enough = self.level >= 1.0;
        if enough {
            self.level -= 1.0;
        }
        enough
    }

    fn fill(&mut self, now: Instant, budget: Budget) {
        let elapsed = now.saturating_duration_since(self.at).as_secs_f64();
        self.level = (self.level + elapsed * budget.per_second).min(f64::from(budget.burst));
        self.at = self.at.max(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn nobody_takes_more_than_the_burst_and_the_rate(
            steps in prop::collection::vec(0_u64..400, 1..200),
            rate in 1_u32..20,
            burst in 1_u32..30,
        ) {
            let start = Instant::now();
            let budget = Budget { per_second: f64::from(rate), burst };
            let mut bucket = Bucket::full(start, budget);
            let (mut now, mut taken) = (start, 0_u32);
            for step in steps {
                now += Duration::from_millis(step);
                taken += u32::from(bucket.take(now, budget));
                let most = f64::from(burst) + (now - start).as_secs_f64() * f64::from(rate);
                prop_assert!(f64::from(taken) <= most + 0.001);
            }
        }
    }

    #[test]
    fn many_quick_asks_do_not_stop_it_from_filling() {
        let start = Instant::now();
        let budget = Budget { per_second: 1.0, burst: 1 };
        let mut bucket = Bucket::full(start, budget);
        let ask = |at: u64| start + Duration::from_micros(at);
        let taken = (0..3_000_u64).filter(|at| bucket.take(ask(at * 1_000), budget)).count();
        assert_eq!(taken, 3);
    }
}
