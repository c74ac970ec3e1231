//! What a Piper voice says of itself, in the file `NAME.onnx.json` beside its network.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use serde::Deserialize;

use crate::audio::frame::Rate;

/// A voice.
#[derive(Debug, Clone)]
pub(super) struct Description {
    /// The rate of its samples.
    pub rate: Rate,
    /// Which voice of espeak-ng makes its phonemes; `None` when letters are its phonemes.
    pub espeak: Option<String>,
    /// How it speaks, unless something else is wanted.
    pub scales: Scales,
    /// How many speakers it has; one has no number.
    pub speakers: i64,
    names: BTreeMap<String, i64>,
    numbers: HashMap<char, Vec<i64>>,
    marks: Marks,
}

/// How a network speaks.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct Scales {
    /// How much the sound varies.
    pub noise_scale: f32,
    /// How long phonemes are: 2.0 is half as fast.
    pub length_scale: f32,
    /// How much their lengths vary.
    pub noise_w: f32,
}

/// What stands at the beginning, between phonemes, and at the end.
#[derive(Debug, Clone)]
struct Marks {
    begin: Vec<i64>,
    pad: Vec<i64>,
    end: Vec<i64>,
}

/// The file as it is written.
#[derive(Deserialize)]
struct Written {
    audio: Audio,
    espeak: Option<Espeak>,
    #[serde(default)]
    inference: Scales,
    phoneme_type: Option<String>,
    phoneme_id_map: BTreeMap<String, Vec<i64>>,
    num_speakers: Option<i64>,
    #[serde(default)]
    speaker_id_map: BTreeMap<String, i64>,
}

#[derive(Deserialize)]
struct Audio {
    sample_rate: u32,
}

#[derive(Deserialize)]
struct Espeak {
    voice: String,
}

impl Default for Scales {
    fn default() -> Self {
        Self { noise_scale: 0.667, length_scale: 1.0, noise_w: 0.8 }
    }
}

impl Description {
    /// Reads the file.
    ///
    /// # Errors
    /// When it cannot be read, or something is missing in it; the text does not name the file.
    pub fn read(path: &Path) -> Result<Self, String> {
        let file = File::open(path).map_err(|why| why.to_string())?;
        let mut text = Vec::new();
        file.take(LARGEST).read_to_end(&mut text).map_err(|why| why.to_string())?;
        Self::of(&text)
    }

    fn of(text: &[u8]) -> Result<Self, String> {
        let written: Written = serde_json::from_slice(text).map_err(|why| why.to_string())?;
        let rate = written.audio.sample_rate;
        if !(8_000..=48_000).contains(&rate) {
            return Err(format!("nothing is spoken at {rate} Hz"));
        }
        let espeak = match written.phoneme_type.as_deref() {
            None | Some("espeak") => {
                let espeak = written.espeak.ok_or("it names no voice of espeak-ng")?;
                Some(espeak.voice)
            }
            Some("text") => None,
            Some(other) => return Err(format!("its phonemes are of a kind `{other}`")),
        };
        let scales = written.inference;
        let of_use = |scale: f32, least: f32| (least..=10.0).contains(&scale);
        let is_sound = of_use(scales.noise_scale, 0.0)
            && of_use(scales.length_scale, 0.1)
            && of_use(scales.noise_w, 0.0);
        if !is_sound {
            return Err("its `inference` is out of all measure".to_owned());
        }
        let mut numbers = HashMap::new();
        for (phoneme, number) in written.phoneme_id_map {
            let mut letters = phoneme.chars();
            if let (Some(letter), None) = (letters.next(), letters.next())
                && !number.is_empty()
            {
                numbers.insert(letter, number);
            }
        }
        let mark = |mark: char| {
            let number = numbers.get(&mark).cloned();
            number.ok_or_else(|| format!("its `phoneme_id_map` has no `{mark}`"))
        };
        let marks = Marks { begin: mark('^')?, pad: mark('_')?, end: mark('$')? };
        let (speakers, names) = (written.num_speakers.unwrap_or(1), written.speaker_id_map);
        Ok(Self { rate: Rate(rate), espeak, scales, speakers, names, numbers, marks })
    }

    /// The numbers of phonemes as the network was taught to read them: a mark at the beginning, one
    /// behind each phoneme, and one at the end. Phonemes that it does not know are left out.
    pub fn numbers(&self, phonemes: &str) -> Vec<i64> {
        let Marks { begin, pad, end } = &self.marks;
        let mut numbers: Vec<i64> = begin.iter().chain(pad).copied().collect();
        for number in phonemes.chars().filter_map(|phoneme| self.numbers.get(&phoneme)) {
            numbers.extend(number.iter().chain(pad));
        }
        numbers.extend(end);
        numbers
    }

    /// The number of a speaker, by name or number; the first when none is named.
    ///
    /// # Errors
    /// When there is no such speaker.
    pub fn speaker(&self, name: Option<&str>) -> Result<i64, String> {
        let Some(name) = name else { return Ok(0) };
        let known = self.names.get(name).copied().or_else(|| name.parse().ok());
        known.filter(|number| (0..self.speakers.max(1)).contains(number)).ok_or_else(|| {
            let first: Vec<&str> = self.names.keys().take(8).map(String::as_str).collect();
            match first.as_slice() {
                [] => format!("it has {} speakers, and none `{name}`", self.speakers),
                names => format!("it has no speaker `{name}`; there are: {}", names.join(", ")),
            }
        })
    }
}

/// How large the file may be, in octets: one with a thousand speakers has some 50 kB.
const LARGEST: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn written() -> Value {
        json!({
            "audio": { "sample_rate": 22_050, "quality": "medium" },
            "espeak": { "voice": "en-us" },
            "inference": { "noise_scale": 0.5, "length_scale": 1.1, "noise_w": 0.8 },
            "phoneme_type": "espeak",
            "phoneme_map": {},
            "phoneme_id_map": { "_": [0], "^": [1], "$": [2], " ": [3], "a": [14], "b": [15, 16] },
            "num_speakers": 2,
            "speaker_id_map": { "anna": 0, "ben": 1 },
        })
    }

    fn description(change: impl FnOnce(&mut Value)) -> Result<Description, String> {
        let mut written = written();
        change(&mut written);
        Description::of(written.to_string().as_bytes())
    }

    #[test]
    fn phonemes_stand_between_marks_and_unknown_ones_are_left_out() {
        let description = description(|_| {}).unwrap();
        assert_eq!(description.numbers("a ˈb"), [1, 0, 14, 0, 3, 0, 15, 16, 0, 2]);
        assert_eq!(description.numbers(""), [1, 0, 2]);
        assert_eq!(
            (description.rate, description.espeak.as_deref()),
            (Rate(22_050), Some("en-us"))
        );
        assert_eq!(description.scales.length_scale, 1.1);
    }

    #[test]
    fn speakers_are_known_by_name_and_number() {
        let description = description(|_| {}).unwrap();
        let speaker = |name| description.speaker(name);
        assert_eq!(
            (speaker(None), speaker(Some("ben")), speaker(Some("1"))),
            (Ok(0), Ok(1), Ok(1))
        );
        for nobody in ["2", "-1", "carl"] {
            assert!(speaker(Some(nobody)).is_err_and(|why| why.contains("anna, ben")), "{nobody}");
        }
    }

    #[test]
    fn a_description_without_what_is_needed_says_what() {
        for (key, said) in [
            ("/audio/sample_rate", "missing field `sample_rate`"),
            ("/phoneme_id_map", "missing field `phoneme_id_map`"),
            ("/phoneme_id_map/^", "its `phoneme_id_map` has no `^`"),
            ("/phoneme_id_map/$", "its `phoneme_id_map` has no `$`"),
            ("/espeak", "it names no voice of espeak-ng"),
        ] {
            let (parent, name) = key.rsplit_once('/').unwrap();
            let found = description(|it| {
                it.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name);
            });
            let why = found.expect_err(key);
            assert!(why.contains(said), "{key}: {why}");
        }
        assert!(description(|it| it["audio"]["sample_rate"] = 1.into()).is_err());
        assert!(description(|it| it["phoneme_type"] = "pinyin".into()).is_err());
        assert!(description(|it| it["inference"]["length_scale"] = 0.into()).is_err());
        assert!(Description::of(b"{").is_err());
    }
}
