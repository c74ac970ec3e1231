//! Answering-machine detection, as it stands in the files: how long people and machines speak, and
//! what follows when a machine answers.

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::{Deserialize, Deserializer, de};

use crate::base::schema::Either;
use crate::base::units;

/// How it is found out who answers: `amd = true`, or a table.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Amd {
    /// Whoever speaks for so long without a pause is a machine.
    #[serde(deserialize_with = "units::duration")]
    pub greeting: Duration,
    /// Whoever pauses for so long after fewer words is a person.
    #[serde(deserialize_with = "units::duration")]
    pub pause: Duration,
    /// After so long without a word it is unknown who answered.
    #[serde(deserialize_with = "units::duration")]
    pub patience: Duration,
    /// What is done with a machine, where no message is left.
    pub machine: OnMachine,
    /// What is left with a machine after its tone, as a text or a sound file; then the call ends.
    pub message: Option<String>,
    /// A machine that gives no tone has a message left after so much silence.
    #[serde(deserialize_with = "units::duration")]
    pub silence: Duration,
    /// Longest wait for a machine to take a message; then it is left as it is.
    #[serde(deserialize_with = "units::duration")]
    pub wait: Duration,
    /// What is said to whoever asks who calls, before a person is on the line; without it, what
    /// the agent says first.
    pub screening: Option<String>,
}

/// What is done with a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnMachine {
    /// The call ends.
    #[default]
    Hangup,
    /// The call goes on as with a person.
    Continue,
}

impl Default for Amd {
    fn default() -> Self {
        Self {
            greeting: Duration::from_millis(1_400),
            pause: Duration::from_millis(600),
            patience: Duration::from_secs(3),
            machine: OnMachine::default(),
            message: None,
            silence: Duration::from_secs(2),
            wait: Duration::from_secs(45),
            screening: None,
        }
    }
}

impl Amd {
    /// The message that is a text, as it is written.
    pub fn words(&self) -> Option<&str> {
        self.message.as_deref().filter(|message| !is_sound(message))
    }

    /// The message that is a sound file.
    pub fn sound(&self) -> Option<&str> {
        self.message.as_deref().filter(|message| is_sound(message))
    }

    /// Which key is wrong, and how.
    pub fn objection(&self) -> Option<(&'static str, &'static str)> {
        let second = Duration::from_secs(1);
        let tenth = Duration::from_millis(100);
        let ranges = [
            ("greeting", self.greeting, tenth * 5..=second * 10, "`greeting` must be 500ms to 10s"),
            ("pause", self.pause, tenth * 2..=second * 5, "`pause` must be 200ms to 5s"),
            ("patience", self.patience, second..=second * 30, "`patience` must be 1s to 30s"),
            ("silence", self.silence, second / 2..=second * 10, "`silence` must be 500ms to 10s"),
            ("wait", self.wait, second..=second * 180, "`wait` must be 1s to 180s"),
        ];
        let wrong = ranges.into_iter().find(|(_, value, range, _)| !range.contains(value));
        if let Some((key, _, _, why)) = wrong {
            return Some((key, why));
        }
        if self.machine == OnMachine::Continue && self.message.is_some() {
            return Some(("message", "nobody leaves a message where `machine = \"continue\"`"));
        }
        self.message.as_ref().is_some_and(|it| it.trim().is_empty()).then_some(("message", "empty"))
    }
}

/// Whether a message is a file: by how it ends, and that it has no spaces.
fn is_sound(message: &str) -> bool {
    let endings = [".wav", ".flac", ".ogg", ".oga", ".mp3"];
    !message.contains(' ') && endings.iter().any(|it| message.to_ascii_lowercase().ends_with(it))
}

/// How the setting looks to editors: `true`, `false`, `"off"`, or a table.
pub type Setting = Either<Either<bool, String>, Amd>;

/// For `#[serde(deserialize_with)]`: `true`, `false`, `"off"`, or a table.
///
/// # Errors
/// When the value is something else.
pub fn setting<'de, D: Deserializer<'de>>(source: D) -> Result<Option<Amd>, D::Error> {
    struct Visitor;
    impl<'de> de::Visitor<'de> for Visitor {
        type Value = Option<Amd>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("true, \"off\", or { machine = \"hangup\", message = \"...\" }")
        }

        fn visit_bool<E: de::Error>(self, is_on: bool) -> Result<Option<Amd>, E> {
            Ok(is_on.then(Amd::default))
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Option<Amd>, E> {
            match text {
                "on" => Ok(Some(Amd::default())),
                "off" => Ok(None),
                other => Err(E::invalid_value(de::Unexpected::Str(other), &self)),
            }
        }

        fn visit_unit<E: de::Error>(self) -> Result<Option<Amd>, E> {
            Ok(None)
        }

        fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Option<Amd>, A::Error> {
            Amd::deserialize(MapAccessDeserializer::new(map)).map(Some)
        }
    }
    source.deserialize_any(Visitor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Holder {
        #[serde(default, deserialize_with = "setting")]
        amd: Option<Amd>,
    }

    fn read(text: &str) -> Result<Option<Amd>, String> {
        toml::from_str::<Holder>(text).map(|it| it.amd).map_err(|why| why.message().to_owned())
    }

    #[test]
    fn it_is_on_or_off_or_a_table() {
        assert_eq!(read(""), Ok(None));
        assert_eq!(read("amd = \"off\""), Ok(None));
        assert_eq!(read("amd = true"), Ok(Some(Amd::default())));
        let told = read("amd = { pause = \"800ms\", message = \"Please call back.\" }");
        let told = told.expect("a table").expect("on");
        assert_eq!((told.pause.as_millis(), told.words()), (800, Some("Please call back.")));
        assert!(read("amd = \"maybe\"").is_err_and(|why| why.contains("off")));
        assert!(read("amd = { pauze = \"1s\" }").is_err_and(|why| why.contains("pauze")));
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        let wrong = |amd: Amd| amd.objection().map(|(key, _)| key);
        assert_eq!(wrong(Amd::default()), None);
        assert_eq!(wrong(Amd { pause: Duration::ZERO, ..Amd::default() }), Some("pause"));
        let message = Some("drop.wav".to_owned());
        let amd = Amd { message, machine: OnMachine::Continue, ..Amd::default() };
        assert_eq!((amd.sound(), amd.words()), (Some("drop.wav"), None));
        assert_eq!(wrong(amd), Some("message"));
    }
}
