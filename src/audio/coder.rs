//! Encoders and decoders: a codec at work on one stream, with whatever it must remember.

use crate::audio::codec::Codec;
use crate::audio::conceal::Concealer;
use crate::audio::frame::Rate;
use crate::audio::g711;
use crate::audio::g722;
use crate::audio::library::{Decode, Encode, Libraries, Profile};

/// Encodes one stream. No frame costs an allocation once `payload` has room.
#[derive(Debug)]
pub struct Encoder {
    codec: Codec,
    engine: Encoding,
}

#[derive(Debug)]
enum Encoding {
    Stateless,
    G722(Box<g722::Encoder>),
    Foreign(Box<dyn Encode>),
    /// Nobody knows how. Negotiation never comes to such a codec.
    Missing,
}

impl Encoder {
    /// Begins a stream.
    pub fn new(codec: Codec, profile: &Profile, libraries: &Libraries) -> Self {
        let engine = match codec {
            Codec::Pcmu | Codec::Pcma | Codec::L16Wide | Codec::L16Narrow => Encoding::Stateless,
            Codec::G722 => Encoding::G722(Box::default()),
            Codec::Opus | Codec::G729 => {
                libraries.encoder(codec, profile).map_or(Encoding::Missing, Encoding::Foreign)
            }
        };
        Self { codec, engine }
    }

    /// Begins a stream of a codec that needs no library.
    pub fn plain(codec: Codec) -> Self {
        Self::new(codec, &Profile::default(), &Libraries::default())
    }

    /// The codec.
    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// Appends the payload for `samples`, which are at the codec's own rate, to `payload`. Nothing
    /// is appended for what the codec has no frame for.
    pub fn encode(&mut self, samples: &[i16], payload: &mut Vec<u8>) {
        match (&mut self.engine, self.codec) {
            (Encoding::Stateless, Codec::Pcmu) => {
                payload.extend(samples.iter().map(|it| g711::linear_to_ulaw(*it)));
            }
            (Encoding::Stateless, Codec::Pcma) => {
                payload.extend(samples.iter().map(|it| g711::linear_to_alaw(*it)));
            }
            // Network byte order: RFC 3551 4.5.11.
            (Encoding::Stateless, _) => {
                payload.extend(samples.iter().flat_map(|it| it.to_be_bytes()));
            }
            (Encoding::G722(encoder), _) => encoder.encode(samples, payload),
            (Encoding::Foreign(encoder), _) => {
                let before = payload.len();
                payload.resize(before + LARGEST, 0);
                let written = encoder.encode(samples, &mut payload[before..]).min(LARGEST);
                payload.truncate(before + written);
            }
            (Encoding::Missing, _) => {}
        }
    }
}

/// Decodes one stream and fills its gaps. No frame costs an allocation once `samples` has room.
#[derive(Debug)]
pub struct Decoder {
    codec: Codec,
    engine: Decoding,
    concealer: Concealer,
    /// Samples made up since the last good packet.
    made: usize,
    /// Whether the sender rests and has only its background described.
    rests: bool,
}

#[derive(Debug)]
enum Decoding {
    Stateless,
    G722(Box<g722::Decoder>),
    Foreign(Box<dyn Decode>),
    Missing,
}

impl Decoder {
    /// Begins a stream.
    pub fn new(codec: Codec, libraries: &Libraries) -> Self {
        let engine = match codec {
            Codec::Pcmu | Codec::Pcma | Codec::L16Wide | Codec::L16Narrow => Decoding::Stateless,
            Codec::G722 => Decoding::G722(Box::default()),
            Codec::Opus | Codec::G729 => {
                libraries.decoder(codec).map_or(Decoding::Missing, Decoding::Foreign)
            }
        };
        Self { codec, engine, concealer: Concealer::new(codec.rate()), made: 0, rests: false }
    }

    /// Begins a stream of a codec that needs no library.
    pub fn plain(codec: Codec) -> Self {
        Self::new(codec, &Libraries::default())
    }

    /// The codec.
    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// The rate of the samples.
    pub fn rate(&self) -> Rate {
        self.codec.rate()
    }

    /// Appends the samples of `payload` to `samples`: as many as `Codec::samples` says, or none
    /// when it is broken. After a gap they flow out of what was made up.
    pub fn decode(&mut self, payload: &[u8], samples: &mut Vec<i16>) {
        let before = samples.len();
        self.decode_raw(payload, samples);
        let fresh = samples.get_mut(before..).unwrap_or_default();
        if fresh.is_empty() {
            return;
        }
        if !matches!(self.engine, Decoding::Foreign(_)) {
            self.concealer.good(fresh);
        }
        self.made = 0;
        // Opus says with two octets or fewer that it rests (RFC 7587 3.1.3).
        self.rests = self.codec == Codec::Opus && payload.len() <= 2;
    }

    /// Appends `count` samples for what did not come. They fall to silence within 60 ms, unless
    /// the sender rests in its own comfort noise.
    pub fn conceal(&mut self, count: usize, samples: &mut Vec<i16>) {
        let rate = self.codec.rate();
        let most = if self.rests { LONGEST_REST } else { LONGEST_GUESS };
        let made = self.made;
        self.made = made.saturating_add(count);
        match &mut self.engine {
            Decoding::Foreign(decoder) if made < rate.samples_in(most) => {
                let before = samples.len();
                samples.resize(before + count, 0);
                // Libraries make up in steps of 10 ms; a rest of less stays silent.
                for piece in samples[before..].chunks_mut(rate.samples_in(STEP)) {
                    decoder.conceal(piece);
                }
            }
            Decoding::Foreign(_) | Decoding::Missing => samples.resize(samples.len() + count, 0),
            Decoding::Stateless | Decoding::G722(_) => self.concealer.lost(count, samples),
        }
    }

    /// Appends what `payload` carries of the packet before it, which was lost and lasted `count`
    /// samples. Appends nothing when it carries nothing.
    pub fn recover(&mut self, count: usize, payload: &[u8], samples: &mut Vec<i16>) {
        let Decoding::Foreign(decoder) = &mut self.engine else { return };
        let before = samples.len();
        samples.resize(before + count, 0);
        let recovered = decoder.recover(payload, &mut samples[before..]).min(count);
        samples.truncate(before + recovered);
    }

    fn decode_raw(&mut self, payload: &[u8], samples: &mut Vec<i16>) {
        match (&mut self.engine, self.codec) {
            (Decoding::Stateless, Codec::Pcmu) => {
                samples.extend(payload.iter().map(|code| g711::ulaw_to_linear(*code)));
            }
            (Decoding::Stateless, Codec::Pcma) => {
                samples.extend(payload.iter().map(|code| g711::alaw_to_linear(*code)));
            }
            (Decoding::Stateless, _) => {
                let (pairs, _) = payload.as_chunks::<2>();
                samples.extend(pairs.iter().map(|pair| i16::from_be_bytes(*pair)));
            }
            (Decoding::G722(decoder), _) => decoder.decode(payload, samples),
            (Decoding::Foreign(decoder), codec) => {
                let (before, count) = (samples.len(), codec.samples(payload));
                samples.resize(before + count, 0);
                let decoded = decoder.decode(payload, &mut samples[before..]).min(count);
                samples.truncate(before + decoded);
            }
            (Decoding::Missing, _) => {}
        }
    }
}

/// More than one frame of any library takes (RFC 6716 3.2.1: 1275 octets), and it fits a datagram.
const LARGEST: usize = 1_275;

/// In which steps a library makes up what was lost.
const STEP: std::time::Duration = std::time::Duration::from_millis(10);

/// So long a gap is guessed; after it there is silence.
const LONGEST_GUESS: std::time::Duration = std::time::Duration::from_millis(120);

/// So long a sender may rest between two descriptions of its background: Opus sends one each
/// 400 ms.
const LONGEST_REST: std::time::Duration = std::time::Duration::from_millis(1_000);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::tone::Tone;
    use proptest::prelude::*;
    use std::time::Duration;

    const PLAIN: [Codec; 5] =
        [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::L16Wide, Codec::L16Narrow];

    /// The ratio of signal to noise after a round trip, in decibels; the delay is found by trying.
    fn ratio(codec: Codec, sent: &[i16]) -> f64 {
        let (mut encoder, mut decoder) = (Encoder::plain(codec), Decoder::plain(codec));
        let mut heard = Vec::new();
        for frame in sent.chunks(codec.rate().samples_in(Duration::from_millis(20))) {
            let mut payload = Vec::new();
            encoder.encode(frame, &mut payload);
            decoder.decode(&payload, &mut heard);
        }
        assert_eq!(heard.len(), sent.len());
        let ratio = |delay: usize| {
            let pairs = sent.iter().zip(&heard[delay..]).skip(400);
            let (mut signal, mut noise) = (0.0, 1e-9);
            for (sent, heard) in pairs {
                let (sent, heard) = (f64::from(*sent), f64::from(*heard));
                signal += sent * sent;
                noise += (sent - heard) * (sent - heard);
            }
            10.0 * f64::log10(signal / noise)
        };
        (0..40).map(ratio).fold(f64::MIN, f64::max)
    }

    #[test]
    fn a_round_trip_keeps_the_sound() {
        for (codec, least) in [
            (Codec::Pcmu, 35.0),
            (Codec::Pcma, 35.0),
            (Codec::G722, 30.0),
            (Codec::L16Wide, 100.0),
            (Codec::L16Narrow, 100.0),
        ] {
            let tone = Tone::dual(codec.rate(), [440.0, 1_330.0]).at(0.4);
            let ratio = ratio(codec, &tone.clone().play(Duration::from_millis(500)));
            assert!(ratio > least, "{codec:?}: {ratio} dB");
        }
    }

    #[test]
    fn decoding_appends_and_g711_gives_the_payload_back() {
        for codec in [Codec::Pcmu, Codec::Pcma] {
            let payload: Vec<u8> = (128..=255).collect();
            let mut samples = vec![7];
            Decoder::plain(codec).decode(&payload, &mut samples);
            let mut again = Vec::new();
            Encoder::plain(codec).encode(&samples[1..], &mut again);
            assert_eq!((samples[0], again), (7, payload), "{codec:?}");
        }
    }

    #[test]
    fn what_nobody_knows_is_silence_and_no_sound() {
        let (mut samples, mut payload) = (Vec::new(), Vec::new());
        let mut decoder = Decoder::plain(Codec::Opus);
        decoder.decode(&[0x48, 1, 2], &mut samples);
        assert!(samples.is_empty());
        decoder.conceal(320, &mut samples);
        assert_eq!(samples, [0; 320]);
        Encoder::plain(Codec::G729).encode(&[1; 80], &mut payload);
        assert!(payload.is_empty());
        assert!(!Libraries::default().speak(Codec::Opus));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_octets_give_as_many_samples_as_they_say(
            payload in prop::collection::vec(any::<u8>(), 0..600),
            gap in 0_usize..2_000,
        ) {
            for codec in PLAIN {
                let (mut decoder, mut samples) = (Decoder::plain(codec), Vec::new());
                decoder.decode(&payload, &mut samples);
                prop_assert_eq!(samples.len(), codec.samples(&payload));
                decoder.conceal(gap, &mut samples);
                prop_assert_eq!(samples.len(), codec.samples(&payload) + gap);
            }
        }

        #[test]
        fn a_payload_lasts_as_long_as_its_samples(
            level in any::<i16>(),
            millis in 1_usize..=6,
        ) {
            for codec in PLAIN {
                let count = codec.rate().samples_in(Duration::from_millis(10)) * millis;
                let mut payload = Vec::new();
                Encoder::plain(codec).encode(&vec![level; count], &mut payload);
                prop_assert_eq!(codec.samples(&payload), count);
            }
        }
    }
}
