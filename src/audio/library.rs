//! The plug for codecs that are libraries of others. This room links nothing: the shell hands in
//! what it has loaded, as it does with speech detectors.

use std::fmt::Debug;
use std::sync::Arc;

use crate::audio::codec::Codec;
use crate::audio::frame::Rate;

/// Makes encoders and decoders of the codecs that it knows.
pub trait Library: Debug + Send + Sync {
    /// An encoder for samples at the codec's rate. `None`: the library does not know the codec.
    fn encoder(&self, codec: Codec, profile: &Profile) -> Option<Box<dyn Encode>>;

    /// A decoder that gives samples at the codec's rate. `None`: the library does not know it.
    fn decoder(&self, codec: Codec) -> Option<Box<dyn Decode>>;
}

/// Encodes one stream. Allocates nothing once it is made.
pub trait Encode: Debug + Send {
    /// Writes the payload of `samples`, which last as long as `Codec::fits` allows, to the
    /// beginning of `room`, and tells how many octets it has; 0 when it cannot.
    fn encode(&mut self, samples: &[i16], room: &mut [u8]) -> usize;
}

/// Decodes one stream. Allocates nothing once it is made, and takes any octets.
pub trait Decode: Debug + Send {
    /// Writes the samples of `payload` to the beginning of `room`, and tells how many; 0 when the
    /// payload is broken.
    fn decode(&mut self, payload: &[u8], room: &mut [i16]) -> usize;

    /// Fills `room` with what was lost right before `payload`, as far as it carries it (forward
    /// error correction), and tells how many samples that is; 0 when it carries nothing.
    fn recover(&mut self, payload: &[u8], room: &mut [i16]) -> usize;

    /// Makes up samples for `room`, and tells how many; 0 when the library cannot.
    fn conceal(&mut self, room: &mut [i16]) -> usize;
}

/// What the peer wants of what we send in Opus, or what we want of it (RFC 7587 6.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Profile {
    /// The highest rate that is played: more is wasted.
    pub playback: Rate,
    /// Whether packets carry a copy of what came before them.
    pub fec: bool,
    /// Whether nothing is sent in silence.
    pub dtx: bool,
    /// The most bits in a second, if there is a limit.
    pub bits: Option<u32>,
}

impl Default for Profile {
    /// What holds when nothing is said (RFC 7587 6.1).
    fn default() -> Self {
        Self { playback: Rate(48_000), fec: false, dtx: false, bits: None }
    }
}

/// The libraries that were handed in; the first that knows a codec makes it.
#[derive(Debug, Clone, Default)]
pub struct Libraries(Arc<[Arc<dyn Library>]>);

impl Libraries {
    /// Takes what the shell has loaded.
    pub fn new(libraries: Vec<Arc<dyn Library>>) -> Self {
        Self(libraries.into())
    }

    /// Whether there is what it takes to speak a codec.
    pub fn speak(&self, codec: Codec) -> bool {
        match codec {
            Codec::Pcmu | Codec::Pcma | Codec::G722 | Codec::L16Wide | Codec::L16Narrow => true,
            Codec::Opus | Codec::G729 => self.decoder(codec).is_some(),
        }
    }

    pub(super) fn encoder(&self, codec: Codec, profile: &Profile) -> Option<Box<dyn Encode>> {
        self.0.iter().find_map(|library| library.encoder(codec, profile))
    }

    pub(super) fn decoder(&self, codec: Codec) -> Option<Box<dyn Decode>> {
        self.0.iter().find_map(|library| library.decoder(codec))
    }
}
