//! What is wrong with a packet that should be authentic.

/// Why a packet is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is too short, or no packet of that kind.
    #[error("no protected packet")]
    Malformed,
    /// Its tag is not that of the key.
    #[error("not authentic")]
    Forged,
    /// It was here before, or is older than the window reaches.
    #[error("seen before, or too old")]
    Replayed,
    /// The key has protected as many packets as it may (RFC 3711 9.2).
    #[error("the key is used up")]
    Exhausted,
}
