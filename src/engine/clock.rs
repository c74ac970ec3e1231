//! The one clock and the one source of entropy. Everybody else is told the time.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::base::random::Random;

/// The monotonic time.
pub fn now() -> Instant {
    Instant::now()
}

/// The time since the Unix epoch, by the system's clock.
pub fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// A generator seeded by the operating system.
///
/// # Panics
/// When the operating system has no entropy to give: nothing secure can be done without.
pub fn random() -> Random {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).expect("the operating system gives entropy");
    Random::from_seed(seed)
}
