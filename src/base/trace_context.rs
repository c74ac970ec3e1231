//! Traces that go through several programs: their identities, and how one program tells another (W3C Trace
//! Context, `traceparent`).

use std::fmt;
use std::str::FromStr;

/// The identity of a trace: 16 octets, not all of them zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId([u8; 16]);

/// The identity of a span: 8 octets, not all of them zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SpanId([u8; 8]);

/// What one program tells another: the trace, and the span that goes on there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceParent {
    /// The trace.
    pub trace: TraceId,
    /// The span below which others stand.
    pub span: SpanId,
    /// Whether somebody collects it.
    pub is_sampled: bool,
}

/// Why a text is no `traceparent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a traceparent: such as `00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01`")]
pub struct NoTraceParent;

impl TraceId {
    /// The identity of these octets, unless all are zero.
    pub fn new(octets: [u8; 16]) -> Option<Self> {
        octets.iter().any(|it| *it != 0).then_some(Self(octets))
    }

    /// Its octets.
    pub fn octets(&self) -> &[u8; 16] {
        &self.0
    }

    /// Where it falls by chance, from 0 to 1: its last seven octets are random (Trace Context 2).
    pub fn chance(self) -> f64 {
        let low = u128::from_be_bytes(self.0) & ((1 << 56) - 1);
        low as f64 / (1_u64 << 56) as f64
    }
}

impl SpanId {
    /// For whoever has no other.
    pub const ONE: Self = Self([0, 0, 0, 0, 0, 0, 0, 1]);

    /// The identity of these octets, unless all are zero.
    pub fn new(octets: [u8; 8]) -> Option<Self> {
        octets.iter().any(|it| *it != 0).then_some(Self(octets))
    }

    /// Its octets.
    pub fn octets(&self) -> &[u8; 8] {
        &self.0
    }
}

impl FromStr for TraceParent {
    type Err = NoTraceParent;

    fn from_str(text: &str) -> Result<Self, NoTraceParent> {
        Self::read(text.trim().as_bytes()).ok_or(NoTraceParent)
    }
}

impl TraceParent {
    fn read(text: &[u8]) -> Option<Self> {
        let mut parts = text.splitn(5, |it| *it == b'-');
        let [version] = octets::<1>(parts.next()?)?;
        let trace = TraceId::new(octets(parts.next()?)?)?;
        let span = SpanId::new(octets(parts.next()?)?)?;
        let [flags] = octets::<1>(parts.next()?)?;
        // Later versions may say more behind it.
        let is_known = version == 0 && parts.next().is_none() || (1..255).contains(&version);
        is_known.then_some(Self { trace, span, is_sampled: flags & SAMPLED != 0 })
    }
}

/// So many octets, written with small letters.
fn octets<const COUNT: usize>(text: &[u8]) -> Option<[u8; COUNT]> {
    let digit = |it: u8| match it {
        b'0'..=b'9' => Some(it - b'0'),
        b'a'..=b'f' => Some(it - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_chunks::<2>();
    let read: Option<Vec<u8>> =
        pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect();
    read.filter(|_| rest.is_empty())?.try_into().ok()
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flags = if self.is_sampled { SAMPLED } else { 0 };
        write!(f, "00-{}-{}-{flags:02x}", self.trace, self.span)
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|it| write!(f, "{it:02x}"))
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|it| write!(f, "{it:02x}"))
    }
}

/// The flag that says that a trace is collected.
const SAMPLED: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_parent_is_read_and_written_as_the_standard_has_it() {
        let parent: TraceParent = EXAMPLE.parse().expect("the example of the standard");
        assert!(parent.is_sampled);
        assert_eq!(parent.span.to_string(), "00f067aa0ba902b7");
        assert_eq!(parent.to_string(), EXAMPLE);
        let quiet: TraceParent = EXAMPLE.replace("-01", "-00").parse().expect("not sampled");
        assert!(!quiet.is_sampled);
        let later = EXAMPLE.replacen("00-", "cc-", 1) + "-what-the-future-knows";
        assert_eq!(later.parse(), Ok(parent));
    }

    #[test]
    fn what_is_no_parent_is_none() {
        for text in [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e47361-00f067aa0ba902b7-1",
            "00-\u{fc}bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
        ] {
            assert_eq!(text.parse::<TraceParent>(), Err(NoTraceParent), "{text}");
        }
    }
}
