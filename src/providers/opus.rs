//! Opus by libopus, through audiopus: one channel at 16 kHz.

use audiopus::coder;
use audiopus::packet::Packet;
use audiopus::{Application, Bandwidth, Bitrate, Channels, MutSignals, SampleRate, Signal};

use crate::audio::codec::Codec;
use crate::audio::frame::Rate;
use crate::audio::library::{Decode, Encode, Library, Profile};

/// The library.
#[derive(Debug, Clone, Copy, Default)]
pub struct Opus;

impl Library for Opus {
    fn encoder(&self, codec: Codec, profile: &Profile) -> Option<Box<dyn Encode>> {
        (codec == Codec::Opus).then(|| Encoder::new(profile).ok()).flatten().map(boxed)
    }

    fn decoder(&self, codec: Codec) -> Option<Box<dyn Decode>> {
        let wanted = codec == Codec::Opus;
        let decoder = wanted.then(|| coder::Decoder::new(SampleRate::Hz16000, Channels::Mono).ok());
        decoder.flatten().map(|decoder| Box::new(Decoder(decoder)) as Box<dyn Decode>)
    }
}

fn boxed(encoder: Encoder) -> Box<dyn Encode> {
    Box::new(encoder)
}

#[derive(Debug)]
struct Encoder(coder::Encoder);

impl Encoder {
    fn new(profile: &Profile) -> Result<Self, audiopus::Error> {
        let mut encoder =
            coder::Encoder::new(SampleRate::Hz16000, Channels::Mono, Application::Voip)?;
        encoder.set_signal(Signal::Voice)?;
        encoder.set_complexity(COMPLEXITY)?;
        // More than 12 kHz of bandwidth nobody can get from 16 kHz; less is what the peer wants.
        encoder.set_max_bandwidth(match profile.playback {
            Rate(..12_000) => Bandwidth::Narrowband,
            Rate(12_000..16_000) => Bandwidth::Mediumband,
            Rate(_) => Bandwidth::Wideband,
        })?;
        let bits = profile.bits.unwrap_or(BITS).clamp(6_000, BITS);
        encoder.set_bitrate(Bitrate::BitsPerSecond(bits as i32))?;
        encoder.set_inband_fec(profile.fec)?;
        // Without an expectation of loss the encoder adds no copy of anything.
        encoder.set_packet_loss_perc(if profile.fec { EXPECTED_LOSS } else { 0 })?;
        encoder.set_dtx(profile.dtx)?;
        Ok(Self(encoder))
    }
}

impl Encode for Encoder {
    fn encode(&mut self, samples: &[i16], room: &mut [u8]) -> usize {
        self.0.encode(samples, room).unwrap_or(0)
    }
}

#[derive(Debug)]
struct Decoder(coder::Decoder);

impl Decoder {
    fn run(&mut self, payload: Option<&[u8]>, room: &mut [i16], recover: bool) -> usize {
        let packet = match payload.map(Packet::try_from) {
            None => None,
            Some(Ok(packet)) => Some(packet),
            Some(Err(_)) => return 0,
        };
        let Ok(signals) = MutSignals::try_from(room) else { return 0 };
        self.0.decode(packet, signals, recover).unwrap_or(0)
    }
}

impl Decode for Decoder {
    fn decode(&mut self, payload: &[u8], room: &mut [i16]) -> usize {
        self.run(Some(payload), room, false)
    }

    fn recover(&mut self, payload: &[u8], room: &mut [i16]) -> usize {
        self.run(Some(payload), room, true)
    }

    fn conceal(&mut self, room: &mut [i16]) -> usize {
        self.run(None, room, false)
    }
}

/// Of 10: what is heard of more in speech at this rate is little, and 4 costs twice as much.
const COMPLEXITY: u8 = 1;

/// Wideband speech is transparent at this rate (RFC 7587 3.1.1: 16 to 20 kbit/s suffice).
const BITS: u32 = 28_000;

/// The share of packets, in per cent, that the copies for error correction are made for.
const EXPECTED_LOSS: u8 = 10;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::coder::{Decoder, Encoder};
    use crate::audio::library::Libraries;
    use crate::audio::tone::Tone;
    use proptest::prelude::*;
    use std::sync::Arc;
    use std::time::Duration;

    fn libraries() -> Libraries {
        Libraries::new(vec![Arc::new(Opus)])
    }

    fn encoder(profile: Profile) -> Encoder {
        Encoder::new(Codec::Opus, &profile, &libraries())
    }

    fn decoder() -> Decoder {
        Decoder::new(Codec::Opus, &libraries())
    }

    /// A voiced sound with a melody and pauses, for `seconds`.
    fn voice(seconds: usize) -> Vec<i16> {
        let syllable = |at: usize| {
            let hertz = 110.0 + (at % 5) as f32 * 13.0;
            let mut samples = Tone::dual(Rate::WIDE, [hertz, hertz * 4.0]).at(0.5);
            let mut samples = samples.play(Duration::from_millis(160));
            samples.resize(3_200, 0);
            samples
        };
        (0..seconds * 5).flat_map(syllable).collect()
    }

    fn power(samples: &[i16]) -> f64 {
        samples.iter().map(|it| f64::from(*it).powi(2)).sum::<f64>() / samples.len().max(1) as f64
    }

    #[test]
    fn frames_of_every_length_keep_the_voice() {
        let said = voice(2);
        for millis in [10_usize, 20, 40, 60] {
            let (mut encoder, mut decoder) = (encoder(Profile::default()), decoder());
            let mut heard = Vec::new();
            for frame in said.chunks_exact(16 * millis) {
                let mut payload = Vec::new();
                encoder.encode(frame, &mut payload);
                assert_eq!(Codec::Opus.samples(&payload), frame.len());
                decoder.decode(&payload, &mut heard);
            }
            assert_eq!(heard.len(), said.len() / (16 * millis) * 16 * millis);
            let ratio = power(&heard) / power(&said);
            assert!((0.7..1.4).contains(&ratio), "{millis} ms: {ratio}");
        }
    }

    #[test]
    fn a_lost_packet_is_had_again_from_the_next_one() {
        let said = voice(4);
        let mut encoder = encoder(Profile { fec: true, ..Profile::default() });
        let packets: Vec<Vec<u8>> = said
            .chunks_exact(320)
            .map(|frame| {
                let mut payload = Vec::new();
                encoder.encode(frame, &mut payload);
                payload
            })
            .collect();
        // How far what is heard of every fifth packet is from what would have been heard.
        let error = |recovers: bool| {
            let (mut whole, mut holed) = (decoder(), decoder());
            let mut sum = 0.0;
            for (at, payload) in packets.iter().enumerate() {
                let (mut clean, mut heard) = (Vec::new(), Vec::new());
                whole.decode(payload, &mut clean);
                match at % 5 {
                    4 if recovers => {
                        let Some(next) = packets.get(at + 1) else { break };
                        holed.recover(320, next, &mut heard);
                    }
                    4 => holed.conceal(320, &mut heard),
                    _ => holed.decode(payload, &mut heard),
                }
                assert_eq!(heard.len(), 320);
                let error: Vec<i16> =
                    clean.iter().zip(&heard).map(|(one, two)| one.saturating_sub(*two)).collect();
                sum += if at % 5 == 4 { power(&error) } else { 0.0 };
            }
            sum
        };
        let (guessed, recovered) = (error(false), error(true));
        assert!(recovered < guessed / 2.0, "{recovered} against {guessed}");
    }

    #[test]
    fn a_silent_sender_rests_and_its_silence_goes_on() {
        let mut encoder = encoder(Profile { dtx: true, ..Profile::default() });
        let mut sizes = Vec::new();
        let mut decoder = decoder();
        for at in 0..100 {
            let mut payload = Vec::new();
            let level = if at < 20 { 6_000 } else { 0 };
            let frame: Vec<i16> =
                (0..320).map(|at| if at / 40 % 2 == 0 { level } else { -level }).collect();
            encoder.encode(&frame, &mut payload);
            sizes.push(payload.len());
            let mut heard = Vec::new();
            if at < 20 || payload.len() > 2 {
                decoder.decode(&payload, &mut heard);
            } else {
                decoder.conceal(320, &mut heard);
            }
            assert_eq!(heard.len(), 320);
            assert!(at < 60 || power(&heard) < 10_000.0, "{at}: {}", power(&heard));
        }
        assert!(sizes[60..].iter().filter(|size| **size <= 2).count() > 30, "{sizes:?}");
    }

    #[test]
    fn a_peer_that_plays_narrow_is_sent_narrow() {
        let mut encoder = encoder(Profile { playback: Rate::NARROW, ..Profile::default() });
        let mut payload = Vec::new();
        for frame in voice(1).chunks_exact(320) {
            payload.clear();
            encoder.encode(frame, &mut payload);
        }
        assert!(payload[0] >> 3 < 4, "SILK, narrow band: {:#x}", payload[0]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn any_octets_are_decoded_or_refused(
            payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..8),
        ) {
            let mut decoder = decoder();
            for payload in payloads {
                let mut samples = Vec::new();
                decoder.decode(&payload, &mut samples);
                prop_assert!(samples.is_empty() || samples.len() == Codec::Opus.samples(&payload));
                samples.clear();
                decoder.recover(320, &payload, &mut samples);
                decoder.conceal(500, &mut samples);
                prop_assert!(samples.len() <= 820);
            }
        }
    }
}
