//! Codecs as the media path knows them.

use crate::audio::frame::Rate;
use crate::audio::g711;

/// A codec of voice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// G.711 µ-law, static payload type 0 (RFC 3551).
    Pcmu,
    /// G.711 A-law, static payload type 8 (RFC 3551).
    Pcma,
}

impl Codec {
    /// The name in `a=rtpmap` (RFC 3551).
    pub fn name(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
        }
    }

    /// The payload type that RFC 3551 gave to it for ever.
    pub fn payload_type(self) -> u8 {
        match self {
            Self::Pcmu => 0,
            Self::Pcma => 8,
        }
    }

    /// The RTP clock rate.
    pub fn clock_rate(self) -> u32 {
        match self {
            Self::Pcmu | Self::Pcma => 8_000,
        }
    }

    /// The rate of the samples that it carries.
    pub fn rate(self) -> Rate {
        match self {
            Self::Pcmu | Self::Pcma => Rate::NARROW,
        }
    }

    /// Appends the samples of `payload` to `samples`.
    pub fn decode(self, payload: &[u8], samples: &mut Vec<i16>) {
        match self {
            Self::Pcmu => samples.extend(payload.iter().map(|code| g711::ulaw_to_linear(*code))),
            Self::Pcma => samples.extend(payload.iter().map(|code| g711::alaw_to_linear(*code))),
        }
    }

    /// Appends the payload for `samples`, which are at the codec's own rate, to `payload`.
    pub fn encode(self, samples: &[i16], payload: &mut Vec<u8>) {
        match self {
            Self::Pcmu => payload.extend(samples.iter().map(|it| g711::linear_to_ulaw(*it))),
            Self::Pcma => payload.extend(samples.iter().map(|it| g711::linear_to_alaw(*it))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decoding_appends_and_encoding_gives_the_payload_back() {
        for codec in [Codec::Pcmu, Codec::Pcma] {
            let payload: Vec<u8> = (128..=255).collect();
            let mut samples = vec![7];
            codec.decode(&payload, &mut samples);
            let mut again = Vec::new();
            codec.encode(&samples[1..], &mut again);
            assert_eq!((samples[0], again), (7, payload), "{codec:?}");
        }
    }
}
