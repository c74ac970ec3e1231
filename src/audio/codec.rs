//! Codecs by name: what a session description and a packet say of them. What encodes and decodes
//! is in `coder`.

use std::time::Duration;

use crate::audio::frame::Rate;

/// A codec of voice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// G.711 µ-law, static payload type 0 (RFC 3551).
    Pcmu,
    /// G.711 A-law, static payload type 8 (RFC 3551).
    Pcma,
    /// G.722 at 64 kbit/s, static payload type 9: samples at 16 kHz under a clock of 8 kHz
    /// (RFC 3551 4.5.2).
    G722,
    /// Opus, one channel, under a clock of 48 kHz (RFC 7587). Our samples are at 16 kHz, whatever
    /// the peer encodes.
    Opus,
    /// Linear samples of 16 bits at 16 kHz (RFC 3551 4.5.11).
    L16Wide,
    /// Linear samples of 16 bits at 8 kHz.
    L16Narrow,
    /// G.729, static payload type 18. Whoever has a library of it may plug it in; we have none.
    G729,
}

impl Codec {
    /// Every codec that has a name here.
    pub const ALL: [Self; 7] = [
        Self::Pcmu,
        Self::Pcma,
        Self::G722,
        Self::Opus,
        Self::L16Wide,
        Self::L16Narrow,
        Self::G729,
    ];

    /// The name in `a=rtpmap` (RFC 3551, RFC 7587).
    pub fn name(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
            Self::G722 => "G722",
            Self::Opus => "opus",
            Self::L16Wide | Self::L16Narrow => "L16",
            Self::G729 => "G729",
        }
    }

    /// The payload type under which we offer it: what RFC 3551 gave to it for ever, or a dynamic
    /// number.
    pub fn payload_type(self) -> u8 {
        match self {
            Self::Pcmu => 0,
            Self::Pcma => 8,
            Self::G722 => 9,
            Self::G729 => 18,
            Self::Opus => 111,
            Self::L16Wide => 112,
            Self::L16Narrow => 113,
        }
    }

    /// The codec that RFC 3551 gave this payload type to for ever.
    pub fn of_static(payload_type: u8) -> Option<Self> {
        let fixed = [Self::Pcmu, Self::Pcma, Self::G722, Self::G729];
        fixed.into_iter().find(|codec| codec.payload_type() == payload_type)
    }

    /// The RTP clock rate.
    pub fn clock_rate(self) -> u32 {
        match self {
            Self::Pcmu | Self::Pcma | Self::G722 | Self::L16Narrow | Self::G729 => 8_000,
            Self::L16Wide => 16_000,
            Self::Opus => 48_000,
        }
    }

    /// The rate of the samples that it carries.
    pub fn rate(self) -> Rate {
        match self {
            Self::Pcmu | Self::Pcma | Self::L16Narrow | Self::G729 => Rate::NARROW,
            Self::G722 | Self::Opus | Self::L16Wide => Rate::WIDE,
        }
    }

    /// How many ticks of the RTP clock a payload lasts; 0 when it holds no audio.
    pub fn ticks(self, payload: &[u8]) -> u32 {
        let octets = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        match self {
            Self::Pcmu | Self::Pcma | Self::G722 => octets,
            Self::L16Wide | Self::L16Narrow => octets / 2,
            // Ten octets for 10 ms; the two of a silence description last as long (RFC 3551 4.5.6).
            Self::G729 => octets.saturating_add(8) / 10 * 80,
            Self::Opus => opus_ticks(payload),
        }
    }

    /// How many samples a payload holds, at the codec's rate.
    pub fn samples(self, payload: &[u8]) -> usize {
        let samples = u64::from(self.ticks(payload)) * u64::from(self.rate().0);
        usize::try_from(samples / u64::from(self.clock_rate())).unwrap_or(usize::MAX)
    }

    /// How many ticks of the RTP clock pass in `duration`.
    pub fn ticks_in(self, duration: Duration) -> u32 {
        let ticks = duration.as_micros() * u128::from(self.clock_rate()) / 1_000_000;
        u32::try_from(ticks).unwrap_or(u32::MAX)
    }

    /// Whether each sample is encoded by itself: a packet means the same whatever came before it.
    pub fn is_plain(self) -> bool {
        match self {
            Self::Pcmu | Self::Pcma | Self::L16Wide | Self::L16Narrow => true,
            Self::G722 | Self::Opus | Self::G729 => false,
        }
    }

    /// Whether one packet may last so long: what Opus has frames for (RFC 6716 2.1.4), whole
    /// frames of G.729, and no more of linear samples than fits a datagram.
    pub fn fits(self, duration: Duration) -> bool {
        let millis = duration.as_millis();
        let whole = Duration::from_millis(u64::try_from(millis).unwrap_or(0)) == duration;
        match self {
            Self::Pcmu | Self::Pcma | Self::G722 | Self::L16Narrow => true,
            Self::Opus => whole && matches!(millis, 10 | 20 | 40 | 60),
            Self::G729 => whole && millis.is_multiple_of(10),
            Self::L16Wide => millis <= 40,
        }
    }

    /// The longest packet of at most `wish` that we send: whole steps of 10 ms, 10 to 60.
    pub fn packet_of(self, wish: Duration) -> Duration {
        let steps = (wish.as_millis() / 10).clamp(1, 6) as u64;
        let lengths = (1..=steps).rev().map(|step| Duration::from_millis(step * 10));
        lengths.into_iter().find(|length| self.fits(*length)).unwrap_or(TEN)
    }
}

/// The ticks of an Opus packet at 48 kHz, by its first octets (RFC 6716 3.1).
fn opus_ticks(payload: &[u8]) -> u32 {
    let Some(first) = payload.first() else { return 0 };
    let (configuration, code) = (first >> 3, first & 3);
    let frame = match configuration {
        0..12 => [480, 960, 1_920, 2_880][usize::from(configuration & 3)],
        12..16 => [480, 960][usize::from(configuration & 1)],
        _ => [120, 240, 480, 960][usize::from(configuration & 3)],
    };
    let frames = match code {
        0 => 1,
        1 | 2 => 2,
        _ => payload.get(1).map_or(0, |second| u32::from(second & 0x3f)),
    };
    // A packet lasts 120 ms at most; what says more is broken.
    let ticks = frame * frames;
    if ticks <= 5_760 { ticks } else { 0 }
}

const TEN: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TWENTY: Duration = Duration::from_millis(20);

    #[test]
    fn the_clock_of_g722_is_half_its_rate() {
        assert_eq!((Codec::G722.clock_rate(), Codec::G722.rate()), (8_000, Rate::WIDE));
        assert_eq!(Codec::G722.ticks(&[0; 160]), 160);
        assert_eq!(Codec::G722.samples(&[0; 160]), 320);
    }

    #[test]
    fn an_opus_packet_tells_how_long_it_lasts() {
        // SILK, 20 ms; CELT, 2.5 ms; hybrid, 10 ms, two frames; SILK, 60 ms, three of them.
        for (payload, ticks) in
            [(&[0x48_u8][..], 960), (&[0x80], 120), (&[0x61], 960), (&[0x5b, 3], 0), (&[], 0)]
        {
            assert_eq!(Codec::Opus.ticks(payload), ticks, "{payload:?}");
        }
        assert_eq!(Codec::Opus.samples(&[0x48]), 320);
    }

    #[test]
    fn a_packet_is_as_long_as_the_wish_and_the_codec_allow() {
        let millis = |codec: Codec, wish| codec.packet_of(Duration::from_millis(wish)).as_millis();
        for wish in [10, 20, 40, 60] {
            assert_eq!(millis(Codec::Opus, wish), u128::from(wish));
        }
        assert_eq!((millis(Codec::Opus, 30), millis(Codec::Opus, 50)), (20, 40));
        assert_eq!((millis(Codec::Pcma, 30), millis(Codec::Pcma, 150)), (30, 60));
        assert_eq!((millis(Codec::Pcma, 1), millis(Codec::L16Wide, 60)), (10, 40));
        assert_eq!(millis(Codec::G729, 25), 20);
    }

    #[test]
    fn names_and_numbers_are_one_to_one() {
        for codec in Codec::ALL {
            let same = |other: &&Codec| {
                other.payload_type() == codec.payload_type()
                    || other.name() == codec.name() && other.clock_rate() == codec.clock_rate()
            };
            assert_eq!(Codec::ALL.iter().filter(same).count(), 1, "{codec:?}");
            assert_eq!(codec.ticks_in(TWENTY) * 50, codec.clock_rate());
        }
        assert_eq!(Codec::of_static(9), Some(Codec::G722));
        assert_eq!(Codec::of_static(111), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_payload_lasts_some_time(payload in prop::collection::vec(any::<u8>(), 0..400)) {
            for codec in Codec::ALL {
                prop_assert!(codec.samples(&payload) <= 400 * 8);
            }
        }
    }
}
