//! Moments by both clocks: the server counts by one, operators read the other.

use std::time::{Duration, Instant};

use crate::engine::clock;

/// The present moment by both clocks.
#[derive(Debug, Clone, Copy)]
pub struct When {
    now: Instant,
    since_epoch: Duration,
}

impl When {
    /// The present moment.
    pub fn now() -> Self {
        Self { now: clock::now(), since_epoch: clock::since_epoch() }
    }

    /// A moment, since the Unix epoch.
    pub fn since_epoch(self, at: Instant) -> Duration {
        match at.checked_duration_since(self.now) {
            Some(ahead) => self.since_epoch.saturating_add(ahead),
            None => self.since_epoch.saturating_sub(self.now.saturating_duration_since(at)),
        }
    }

    /// A moment as RFC 3339 has it.
    pub fn stamp(self, at: Instant) -> String {
        timestamp(self.since_epoch(at))
    }

    /// How many seconds ago a moment was.
    pub fn ago(self, at: Instant) -> u64 {
        self.now.saturating_duration_since(at).as_secs()
    }

    /// In how many seconds a moment is.
    pub fn until(self, at: Instant) -> u64 {
        at.saturating_duration_since(self.now).as_secs()
    }
}

/// A time since the Unix epoch as RFC 3339 has it, in UTC, with milliseconds.
pub fn timestamp(since_epoch: Duration) -> String {
    let millis = i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX);
    jiff::Timestamp::from_millisecond(millis).map(|at| format!("{at:.3}")).unwrap_or_default()
}

/// Milliseconds with three places behind the point.
pub fn millis(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1_000.0
}
