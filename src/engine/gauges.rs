//! Gauges: counts that shards keep without a lock, for metrics and benchmarks.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What a media shard counts.
#[derive(Debug, Default)]
pub struct Gauges {
    ports: AtomicU64,
    wakes: AtomicU64,
    late_wakes: AtomicU64,
    worst_wake_micros: AtomicU64,
    unheard: AtomicU64,
    undelivered: AtomicU64,
    /// What became of spans of traces.
    pub spans: Spans,
}

/// What became of the spans that a collector was to be told.
#[derive(Debug, Default)]
pub struct Spans {
    /// It took them.
    pub exported: AtomicU64,
    /// It did not want them, or could not be reached for too long.
    pub failed: AtomicU64,
    /// There was no room for them, or no time when the server stopped.
    pub dropped: AtomicU64,
}

impl Spans {
    /// How many there were, by what became of them.
    pub fn counts(&self) -> [(&'static str, u64); 3] {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        [
            ("exported", of(&self.exported)),
            ("failed", of(&self.failed)),
            ("dropped", of(&self.dropped)),
        ]
    }
}

impl Gauges {
    /// A port was opened.
    pub fn ports_opened(&self) {
        self.ports.fetch_add(1, Ordering::Relaxed);
    }

    /// A port was closed.
    pub fn ports_closed(&self) {
        self.ports.fetch_sub(1, Ordering::Relaxed);
    }

    /// How many ports are open.
    pub fn ports(&self) -> u64 {
        self.ports.load(Ordering::Relaxed)
    }

    /// A port was served so much after it wanted to be.
    pub fn woke(&self, late: Duration) {
        self.wakes.fetch_add(1, Ordering::Relaxed);
        if late > LATE {
            self.late_wakes.fetch_add(1, Ordering::Relaxed);
        }
        let micros = u64::try_from(late.as_micros()).unwrap_or(u64::MAX);
        self.worst_wake_micros.fetch_max(micros, Ordering::Relaxed);
    }

    /// How often ports were served, how often later than 40 ms, and the worst lateness.
    pub fn wakes(&self) -> (u64, u64, Duration) {
        (
            self.wakes.load(Ordering::Relaxed),
            self.late_wakes.load(Ordering::Relaxed),
            Duration::from_micros(self.worst_wake_micros.load(Ordering::Relaxed)),
        )
    }

    /// A listener did not take a frame in time.
    pub fn frame_unheard(&self) {
        self.unheard.fetch_add(1, Ordering::Relaxed);
    }

    /// A call did not take a fact.
    pub fn fact_undelivered(&self) {
        self.undelivered.fetch_add(1, Ordering::Relaxed);
    }

    /// Frames that no listener took, and facts that no call took.
    pub fn losses(&self) -> (u64, u64) {
        (self.unheard.load(Ordering::Relaxed), self.undelivered.load(Ordering::Relaxed))
    }
}

/// From when on a packet is late.
const LATE: Duration = Duration::from_millis(40);
