//! What `a=fmtp` says of Opus (RFC 7587 6.1 and 7).

use sdp_types::Media;

use crate::audio::frame::Rate;
use crate::audio::library::Profile;
use crate::sdp::session::values;

/// Reads what the owner of a line wants to be sent under a payload type.
pub fn read(media: &Media, payload_type: u8) -> Profile {
    let of_format = values(&media.attributes, "fmtp").find_map(|value| {
        let (number, parameters) = value.split_once(|it: char| it.is_ascii_whitespace())?;
        (number.parse() == Ok(payload_type)).then_some(parameters)
    });
    let mut profile = Profile::default();
    for parameter in of_format.unwrap_or_default().split(';').take(MAX_PARAMETERS) {
        let Some((name, value)) = parameter.split_once('=') else { continue };
        let Ok(value) = value.trim().parse::<u32>() else { continue };
        match name.trim().to_ascii_lowercase().as_str() {
            "maxplaybackrate" => profile.playback = Rate(value.clamp(8_000, 48_000)),
            "useinbandfec" => profile.fec = value == 1,
            "usedtx" => profile.dtx = value == 1,
            "maxaveragebitrate" => profile.bits = Some(value.clamp(6_000, 510_000)),
            _ => {}
        }
    }
    profile
}

/// What we want to be sent: one channel at 16 kHz with copies against loss, and also in silence,
/// so that a silent line is told from a dead one.
pub const OURS: &str = "useinbandfec=1;usedtx=0;maxplaybackrate=16000;\
    sprop-maxcapturerate=16000;stereo=0;sprop-stereo=0;minptime=10";

const MAX_PARAMETERS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use sdp_types::{MediaType, TransportProto};

    fn profile(fmtp: &str) -> Profile {
        let mut media = Media::new(MediaType::Audio, 4000, TransportProto::RtpAvp, "96".to_owned());
        media.add_attribute_with_value("fmtp", fmtp);
        read(&media, 96)
    }

    #[test]
    fn what_is_not_said_is_as_the_rfc_has_it() {
        let silent = Profile { playback: Rate(48_000), fec: false, dtx: false, bits: None };
        assert_eq!(profile("96 minptime=10"), silent);
        assert_eq!(profile("97 useinbandfec=1"), silent, "another number's");
        assert_eq!(profile("96 useinbandfec=yes;=;;usedtx"), silent);
    }

    #[test]
    fn what_is_said_counts_in_any_spelling() {
        let said =
            profile("96 MaxPlaybackRate=8000; useinbandfec=1;usedtx = 1;maxaveragebitrate=9");
        let expected = Profile { playback: Rate(8_000), fec: true, dtx: true, bits: Some(6_000) };
        assert_eq!(said, expected);
        let ours = profile(&format!("96 {OURS}"));
        assert_eq!(ours, Profile { playback: Rate(16_000), fec: true, dtx: false, bits: None });
    }
}
