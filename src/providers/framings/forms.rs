//! All ways of framing, by their names.

use crate::audio::frame::Rate;
use crate::providers::framings::framing::Framing;
use crate::providers::framings::linear::Linear;
use crate::providers::framings::settings::Format;
use crate::providers::framings::twilio::Twilio;

/// A way of framing for a stream that begins.
pub fn framing(format: Format, rate: Rate) -> Box<dyn Framing> {
    match format {
        Format::Twilio => Box::<Twilio>::default(),
        other => Box::new(Linear::new(other, rate)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::providers::framings::framing::{Said, Start};
    use crate::providers::websocket::Received;

    const ALL: [Format; 5] =
        [Format::Twilio, Format::AudioStream, Format::AudioFork, Format::Jambonz, Format::Raw];

    proptest! {
        #[test]
        fn no_message_is_too_strange(
            text in "\\PC{0,200}",
            octets in prop::collection::vec(any::<u8>(), 0..2_000),
        ) {
            for format in ALL {
                let mut framing = framing(format, Rate::WIDE);
                let mut out = Vec::new();
                framing.begin(&Start::default(), &mut out);
                framing.read(&Received::Text(text.as_str().into())).ok();
                let said = framing.read(&Received::Binary(octets.clone().into()));
                // Half a sample is kept for the next message.
                if let Ok(Some(Said::Sound(frame))) = said {
                    prop_assert!(frame.samples.len() <= octets.len() / 2);
                }
            }
        }

        #[test]
        fn what_looks_like_a_message_is_read_or_refused(
            event in "(media|mark|clear|dtmf|playAudio|streamAudio|killAudio|disconnect|x)",
            key in "(media|mark|data|dtmf|payload|x)",
            value in "\\PC{0,40}",
            number in any::<i64>(),
        ) {
            let texts = [
                serde_json::json!({ "event": event, "type": event, key.clone(): { "payload": value, "name": value, "audioContent": value, "audioData": value, "sampleRate": number } }),
                serde_json::json!({ "event": event, "type": event, key: number }),
            ];
            for format in ALL {
                let mut framing = framing(format, Rate::NARROW);
                for text in &texts {
                    framing.read(&Received::Text(text.to_string().as_str().into())).ok();
                }
            }
        }

        #[test]
        fn samples_come_back_as_they_were_however_their_octets_are_cut(
            samples in prop::collection::vec(any::<i16>(), 0..400),
            cuts in prop::collection::vec(1_usize..40, 0..60),
        ) {
            let octets: Vec<u8> = samples.iter().flat_map(|it| it.to_le_bytes()).collect();
            let mut framing = framing(Format::Raw, Rate::WIDE);
            let (mut heard, mut rest, mut cuts) = (Vec::new(), octets.as_slice(), cuts.into_iter());
            while !rest.is_empty() {
                let (piece, after) = rest.split_at(cuts.next().unwrap_or(17).min(rest.len()));
                let said = framing.read(&Received::Binary(piece.to_vec().into()));
                if let Ok(Some(Said::Sound(frame))) = said {
                    heard.extend(frame.samples);
                }
                rest = after;
            }
            prop_assert_eq!(heard, samples);
        }
    }
}
