//! Speech whose content a program can read: keys of a telephone, played as tones. So an answer is
//! known to be the right one.

use std::time::Duration;

use crate::audio::dtmf::Detector;
use crate::audio::frame::Rate;
use crate::audio::tone::Tone;

/// The sound of keys.
pub fn sound(keys: &str, rate: Rate) -> Vec<i16> {
    let mut samples = Vec::new();
    for key in keys.chars() {
        let Some(tone) = Tone::key(rate, key) else { continue };
        samples.extend(tone.at(0.3).play(SOUNDS));
        samples.resize(samples.len() + rate.samples_in(RESTS), 0);
    }
    samples
}

/// The keys in a sound.
pub fn keys(samples: &[i16], rate: Rate) -> String {
    let mut detector = Detector::new(rate);
    let mut keys = String::new();
    let mut rest = samples;
    while !rest.is_empty() {
        let (key, after) = detector.push(rest);
        keys.extend(key);
        rest = after;
    }
    keys
}

/// How long a key sounds, and how long it rests.
const SOUNDS: Duration = Duration::from_millis(80);
const RESTS: Duration = Duration::from_millis(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_are_played_are_read() {
        for rate in [Rate::NARROW, Rate::WIDE] {
            assert_eq!(keys(&sound("4711", rate), rate), "4711");
        }
    }
}
