//! Codecs by the names that operators write, and the libraries behind them.

use std::sync::Arc;
use std::time::Duration;

use crate::audio::codec::Codec;
use crate::audio::library::Libraries;
use crate::audio::packing::Wishes;
use crate::config::settings;
use crate::providers::opus::Opus;

/// The codecs of a setting, in its order.
pub fn of_settings(codecs: &[settings::Codec]) -> Vec<Codec> {
    let codec = |wanted: &settings::Codec| {
        NAMES.iter().find(|(_, setting, _)| setting == wanted).map(|(_, _, codec)| *codec)
    };
    codecs.iter().filter_map(codec).collect()
}

/// The codec of a name on the command line.
pub fn named(name: &str) -> Option<Codec> {
    let same = |known: &&(&str, settings::Codec, Codec)| known.0.eq_ignore_ascii_case(name);
    NAMES.iter().find(same).map(|(_, _, codec)| *codec)
}

/// The libraries that this program has.
pub fn libraries() -> Libraries {
    Libraries::new(vec![Arc::new(Opus)])
}

/// How we would like audio to be packed: packets of whole steps of 10 ms.
pub fn wishes(rtp: &settings::Rtp) -> Wishes {
    let steps = (rtp.ptime.as_millis() / 10).clamp(1, 6) as u64;
    Wishes { ptime: Duration::from_millis(steps * 10), comfort: rtp.comfort_noise }
}

const NAMES: [(&str, settings::Codec, Codec); 6] = [
    ("pcma", settings::Codec::Pcma, Codec::Pcma),
    ("pcmu", settings::Codec::Pcmu, Codec::Pcmu),
    ("g722", settings::Codec::G722, Codec::G722),
    ("opus", settings::Codec::Opus, Codec::Opus),
    ("l16", settings::Codec::L16, Codec::L16Wide),
    ("l16/8000", settings::Codec::L16Narrow, Codec::L16Narrow),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_codec_of_the_settings_can_be_spoken() {
        let settings: Vec<_> = NAMES.iter().map(|(_, setting, _)| *setting).collect();
        let codecs = of_settings(&settings);
        assert_eq!(codecs.len(), NAMES.len());
        assert!(codecs.into_iter().all(|codec| libraries().speak(codec)));
        assert_eq!((named("OPUS"), named("g729")), (Some(Codec::Opus), None));
    }

    #[test]
    fn packets_are_ten_to_sixty_milliseconds_long() {
        for (written, meant) in [(0, 10), (20, 20), (35, 30), (500, 60)] {
            let rtp = settings::Rtp { ptime: Duration::from_millis(written), ..Default::default() };
            assert_eq!(wishes(&rtp).ptime, Duration::from_millis(meant));
        }
    }
}
