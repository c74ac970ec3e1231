//! How often a key may be used: so many times a second in the long run, and more at once.

use std::collections::HashMap;
use std::time::Instant;

use crate::call::admission::{Bucket, Budget};

/// How often each key may still be used.
#[derive(Debug)]
pub struct Allowance {
    budget: Budget,
    buckets: HashMap<String, Bucket>,
}

impl Allowance {
    /// All keys are as good as unused.
    pub fn new(budget: Budget) -> Self {
        Self { budget, buckets: HashMap::new() }
    }

    /// Uses a key of this name.
    ///
    /// # Errors
    /// With how many seconds to wait, when it was used too often.
    pub fn spend(&mut self, key: &str, now: Instant) -> Result<(), u32> {
        let budget = self.budget;
        if self.buckets.len() >= MOST_KEYS && !self.buckets.contains_key(key) {
            // Keys that come back find a full bucket once: there are that many of them only when
            // they are made and taken back all the time.
            self.buckets.clear();
        }
        let full = || Bucket::full(now, budget);
        let bucket = self.buckets.entry(key.to_owned()).or_insert_with(full);
        if bucket.take(now, budget) {
            return Ok(());
        }
        let seconds = (1.0 / budget.per_second.max(0.001)).ceil();
        Err((seconds as u32).max(1))
    }
}

/// Of so many keys it is known.
const MOST_KEYS: usize = 2_000;

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn each_key_is_used_so_often_and_again_after_a_while() {
        let start = Instant::now();
        let mut allowance = Allowance::new(Budget { per_second: 0.5, burst: 3 });
        let mut spend = |key: &str, after| allowance.spend(key, start + Duration::from_secs(after));
        for _ in 0..3 {
            assert_eq!(spend("a", 0), Ok(()));
        }
        assert_eq!(spend("a", 0), Err(2));
        assert_eq!(spend("b", 0), Ok(()), "each has its own");
        assert_eq!(spend("a", 2), Ok(()));
        assert_eq!(spend("a", 2), Err(2));
        for key in 0..3 * MOST_KEYS {
            assert_eq!(spend(&key.to_string(), 2), Ok(()));
        }
        assert!(allowance.buckets.len() <= MOST_KEYS);
    }
}
