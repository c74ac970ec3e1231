//! How a call stands in a trace that goes through several programs. Its identities follow from that of the
//! call: whoever is told of a span before it is over is told what the collector is told afterwards.

use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::agent::event::ThoughtId;
use crate::base::id::CallId;
use crate::base::trace_context::{SpanId, TraceId, TraceParent};
use crate::call::uses::Uses;

/// Which calls are told to a collector: so many of them, from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample(pub f64);

/// How a call stands in a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trace {
    call: CallId,
    /// The trace; without a parent, its identity is that of the call.
    pub id: TraceId,
    /// The span of another program in which the call began.
    pub parent: Option<SpanId>,
    /// Whether a collector is told of it.
    pub is_sampled: bool,
    /// Whether we tell collectors at all; otherwise the parent goes on as it came.
    is_ours: bool,
}

/// When a turn was, since the call arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct When {
    /// The caller began to speak, or pressed the first key.
    pub began: Option<Duration>,
    /// From here its latencies count.
    pub origin: Option<Duration>,
    /// The last of its answer was heard, or cut.
    pub ended: Option<Duration>,
}

/// A model that was asked for an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thought {
    /// Which it was.
    pub id: ThoughtId,
    /// When it was asked, since the call arrived.
    pub at: Duration,
    /// When the first of the answer was there.
    pub first: Option<Duration>,
    /// When the answer was complete, or failed; `None` when nobody waited for it any more.
    pub ended: Option<Duration>,
    /// Who answered, by its name in the configuration.
    pub provider: Option<Arc<str>>,
    /// The model that the agent wants of it, where it says so.
    pub model: Option<String>,
    /// Whether there was no whole answer.
    pub failed: bool,
    /// What it took, as far as that is told.
    pub uses: Uses,
}

impl Trace {
    /// The trace of a call. Whoever began it says whether it is collected, as long as anything is at all.
    /// `None`: there is neither a parent nor a collector.
    pub fn new(call: CallId, parent: Option<TraceParent>, sample: Option<Sample>) -> Option<Self> {
        let id = match parent {
            Some(parent) => parent.trace,
            None => TraceId::new(call.octets())?,
        };
        let is_sampled = match (parent, sample) {
            (None, None) => return None,
            (Some(parent), None) => parent.is_sampled,
            (Some(parent), Some(Sample(part))) => parent.is_sampled && part > 0.0,
            (None, Some(Sample(part))) => id.chance() < part,
        };
        let (parent, is_ours) = (parent.map(|it| it.span), sample.is_some());
        Some(Self { call, id, parent, is_sampled, is_ours })
    }

    /// Whether a collector of ours is told of the call.
    pub fn is_told(&self) -> bool {
        self.is_ours && self.is_sampled
    }

    /// The span of the call as a whole.
    pub fn root(&self) -> SpanId {
        self.span("call", 0)
    }

    /// The span of a tool, by its place among those that the call used.
    pub fn tool(&self, place: usize) -> SpanId {
        self.span("tool", place)
    }

    /// A span of this kind, by its place among those.
    pub fn span(&self, kind: &str, place: usize) -> SpanId {
        let mut sum = Sha256::new();
        sum.update(self.id.octets());
        sum.update(self.call.octets());
        sum.update(kind);
        sum.update(place.to_be_bytes());
        let sum: [u8; 32] = sum.finalize().into();
        let first = sum.first_chunk().copied().unwrap_or_default();
        SpanId::new(first).unwrap_or(SpanId::ONE)
    }

    /// What another program is told for whom this span goes on there.
    pub fn told(&self, span: SpanId) -> TraceParent {
        let span = match self.parent {
            Some(parent) if !self.is_ours => parent,
            Some(_) | None => span,
        };
        TraceParent { trace: self.id, span, is_sampled: self.is_sampled }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::Random;

    fn call(seed: u8) -> CallId {
        CallId::new(Duration::from_secs(1_700_000_000), &mut Random::from_seed([seed; 32]))
    }

    #[test]
    fn so_many_calls_are_told_and_those_of_others_as_they_say() {
        let told = |part| {
            let trace = |seed| Trace::new(call(seed), None, Some(Sample(part))).expect("a trace");
            (0..=255).filter(|seed| trace(*seed).is_told()).count()
        };
        assert_eq!((told(0.0), told(1.0)), (0, 256));
        assert!((70..190).contains(&told(0.5)), "{}", told(0.5));
        let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let parent: TraceParent = text.parse().expect("a parent");
        let trace = |parent, sample| Trace::new(call(1), Some(parent), sample).expect("a trace");
        assert!(trace(parent, Some(Sample(0.001))).is_told());
        assert!(!trace(parent, Some(Sample(0.0))).is_told());
        let quiet = TraceParent { is_sampled: false, ..parent };
        assert!(!trace(quiet, Some(Sample(1.0))).is_told());
        // Without a collector what came goes on.
        let passing = trace(parent, None);
        assert!(!passing.is_told());
        assert_eq!(passing.told(passing.root()).to_string(), text);
        assert_eq!(Trace::new(call(1), None, None), None);
    }

    #[test]
    fn spans_have_identities_of_their_own_that_stay_the_same() {
        let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let parent = text.parse().ok();
        let of = |seed| Trace::new(call(seed), parent, Some(Sample(1.0))).expect("a trace");
        assert_eq!(of(1).tool(3), of(1).tool(3));
        assert_ne!(of(1).tool(3), of(1).tool(4));
        // Two calls of one trace.
        assert_ne!(of(1).root(), of(2).root());
        let told = of(1).told(of(1).tool(3)).to_string();
        assert!(told.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-"), "{told}");
        assert!(!told.contains("00f067aa0ba902b7"), "{told}");
    }
}
