//! What decodes the stream of a peer: a decoder for each codec that comes, all to one rate.

use std::time::Duration;

use crate::audio::codec::Codec;
use crate::audio::coder::Decoder;
use crate::audio::frame::Rate;
use crate::audio::library::Libraries;
use crate::audio::resample::Resampler;

/// The decoders of one stream. A peer that changes between codecs from packet to packet costs no
/// new ones: each is made once.
#[derive(Debug)]
pub struct Decoding {
    rate: Rate,
    libraries: Libraries,
    decoders: Vec<(Decoder, Resampler)>,
    /// Which of them decoded last.
    last: usize,
    /// Room for samples at the rate of a codec.
    raw: Vec<i16>,
}

impl Decoding {
    /// Decodes to samples at `rate`.
    pub fn new(rate: Rate, libraries: Libraries) -> Self {
        Self { rate, libraries, decoders: Vec::new(), last: 0, raw: Vec::new() }
    }

    /// The rate of the samples.
    pub fn rate(&self) -> Rate {
        self.rate
    }

    /// How many samples a packet of `codec` makes.
    pub fn samples(&self, codec: Codec, payload: &[u8]) -> usize {
        codec.samples(payload) * self.rate.0 as usize / codec.rate().0 as usize
    }

    /// Appends the samples of a packet; none if it is broken.
    pub fn decode(&mut self, codec: Codec, payload: &[u8], samples: &mut Vec<i16>) {
        let at = self.decoder(codec);
        self.last = at;
        let Some((decoder, resampler)) = self.decoders.get_mut(at) else { return };
        if codec.rate() == self.rate {
            return decoder.decode(payload, samples);
        }
        self.raw.clear();
        decoder.decode(payload, &mut self.raw);
        resampler.push(&self.raw, samples);
    }

    /// Appends `count` samples for what did not come.
    pub fn conceal(&mut self, count: usize, samples: &mut Vec<i16>) {
        let wanted = samples.len() + count;
        if let Some((decoder, resampler)) = self.decoders.get_mut(self.last) {
            self.raw.clear();
            decoder.conceal(scaled(count, self.rate, decoder.rate()), &mut self.raw);
            resampler.push(&self.raw, samples);
        }
        samples.resize(wanted, 0);
    }

    /// Appends `count` samples of the packet before this one, which was lost, as far as this one
    /// carries a copy; made up, if it does not.
    pub fn recover(
        &mut self,
        (codec, payload): (Codec, &[u8]),
        count: usize,
        samples: &mut Vec<i16>,
    ) {
        let (at, wanted) = (self.decoder(codec), samples.len() + count);
        if let Some((decoder, resampler)) = self.decoders.get_mut(at) {
            self.raw.clear();
            decoder.recover(scaled(count, self.rate, decoder.rate()), payload, &mut self.raw);
            resampler.push(&self.raw, samples);
        }
        let rest = wanted.saturating_sub(samples.len());
        if rest > 0 {
            self.conceal(rest, samples);
        }
    }

    /// The place of the decoder of a codec.
    fn decoder(&mut self, codec: Codec) -> usize {
        let known = self.decoders.iter().position(|(decoder, _)| decoder.codec() == codec);
        known.unwrap_or_else(|| {
            let decoder = Decoder::new(codec, &self.libraries);
            self.decoders.push((decoder, Resampler::new(codec.rate(), self.rate)));
            self.decoders.len() - 1
        })
    }
}

/// How long a packet of a codec lasts.
pub fn duration(codec: Codec, payload: &[u8]) -> Duration {
    let clock = u64::from(codec.clock_rate());
    Duration::from_micros(u64::from(codec.ticks(payload)) * 1_000_000 / clock)
}

fn scaled(count: usize, from: Rate, to: Rate) -> usize {
    count * to.0 as usize / from.0 as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::coder::Encoder;
    use crate::audio::tone::Tone;

    #[test]
    fn every_codec_comes_out_at_one_rate() {
        let mut decoding = Decoding::new(Rate::NARROW, Libraries::default());
        let codecs = [Codec::Pcmu, Codec::G722, Codec::L16Wide, Codec::Pcma, Codec::L16Narrow];
        for codec in codecs.into_iter().cycle().take(20) {
            let tone = Tone::sine(codec.rate(), 400.0).play(Duration::from_millis(20));
            let (mut payload, mut samples) = (Vec::new(), Vec::new());
            Encoder::plain(codec).encode(&tone, &mut payload);
            assert_eq!(decoding.samples(codec, &payload), 160);
            assert_eq!(duration(codec, &payload), Duration::from_millis(20));
            decoding.decode(codec, &payload, &mut samples);
            decoding.conceal(80, &mut samples);
            assert_eq!(samples.len(), 240, "{codec:?}");
        }
        assert_eq!(decoding.decoders.len(), 5);
    }

    #[test]
    fn what_cannot_be_recovered_is_made_up() {
        let mut decoding = Decoding::new(Rate::NARROW, Libraries::default());
        let mut samples = Vec::new();
        decoding.conceal(160, &mut samples);
        assert_eq!(samples, [0; 160], "nobody was heard");
        decoding.decode(Codec::Pcmu, &[0x90; 160], &mut samples);
        decoding.recover((Codec::Pcmu, &[0x90; 160]), 160, &mut samples);
        assert_eq!(samples.len(), 480);
        assert!(samples[330].unsigned_abs() > 1_000);
    }
}
