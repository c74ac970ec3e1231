//! What stand-ins for voices share: how they sound, and how they misbehave.

use std::sync::Arc;
use std::time::Duration;

use super::stand::Observer;

/// How a text sounds, at the rate that the vendor is asked for.
pub type Throat = Arc<dyn Fn(&str) -> Vec<i16> + Send + Sync>;

/// How the stand-in behaves.
#[derive(Clone)]
pub struct Script {
    /// The key that it wants.
    pub key: &'static str,
    /// How it sounds.
    pub throat: Throat,
    /// How long it thinks before the first sound of a clause.
    pub delay: Duration,
    /// How long it rests between two pieces of a clause.
    pub pace: Duration,
    /// How it misbehaves, socket by socket or request by request; later ones are served well.
    pub faults: Vec<Fault>,
    /// Who looks on.
    pub observer: Observer,
}

/// A misbehaviour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// None.
    Well,
    /// The handshake or the request is refused with a status and a code; when the status is 429,
    /// for seven seconds.
    Refuses(u16, &'static str),
    /// Clauses are refused with a code, over a socket.
    Complains(&'static str),
    /// The connection is cut after so many pieces.
    CutsAfter(usize),
    /// It answers in no protocol.
    Garbage,
    /// It answers half a letter of UTF-8 where a text is wanted.
    HalfALetter,
    /// It speaks and speaks.
    Endless,
    /// It sends a file of another rate than it was asked for, over HTTP.
    OtherRate(u32),
}

/// The octets of samples, cut where no sample ends.
pub(super) fn pieces(samples: &[i16]) -> Vec<Vec<u8>> {
    let octets: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    octets.chunks(3_333).map(<[u8]>::to_vec).collect()
}

/// The same sound again and again: more than any short text can be.
pub(super) fn endless(sound: &[i16]) -> Vec<i16> {
    sound.repeat(1 + 60 * 16_000 / sound.len().max(1))
}
