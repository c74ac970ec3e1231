//! How long a detector takes, for the bench of the media path.

use std::time::{Duration, Instant};

use crate::media::event::WINDOW;
use crate::providers::detector::{Detector, Slot};

/// Measures the time for one window in batches of `batch`; `now` is the clock. Takes about as
/// long as 2000 windows.
pub fn benchmark(detector: &mut dyn Detector, batch: usize, now: impl Fn() -> Instant) -> Duration {
    let batch = batch.max(1);
    let window: [f32; WINDOW] = std::array::from_fn(|index| (index as f32 * 0.1).sin() * 0.3);
    let slots: Vec<Slot> = (0..batch).map(|_| detector.open()).collect();
    let windows: Vec<_> = slots.iter().map(|slot| (*slot, &window)).collect();
    let mut probabilities = Vec::with_capacity(batch);
    let rounds = (2_000 / batch).max(8);
    for _ in 0..rounds / 8 {
        detector.detect(&windows, &mut probabilities);
    }
    let start = now();
    for _ in 0..rounds {
        detector.detect(&windows, &mut probabilities);
    }
    let spent = now().saturating_duration_since(start);
    slots.into_iter().for_each(|slot| detector.close(slot));
    spent / u32::try_from(rounds * batch).unwrap_or(u32::MAX)
}
