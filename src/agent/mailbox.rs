//! Voicemails: where a caller hears a greeting and leaves a message. What is said there an agent
//! says that thinks by rules and listens to nobody.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, Visitor};

use crate::agent::assistant::{Assistant, Choice};
use crate::agent::tool::names;
use crate::base::language::Language;
use crate::base::schema::Either;
use crate::base::units;

/// A voicemail, as it stands under `[voicemail.NAME]`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Mailbox {
    /// What is said before the tone, or a sound file beside this one that is played.
    pub greeting: Option<String>,
    /// Where that file lies.
    #[serde(skip)]
    pub sound: Option<String>,
    /// The agent whose language and voice it has; without it, those of `[defaults.agent]`.
    pub agent: Option<String>,
    /// The language that it speaks and in which messages are read.
    pub language: Option<Language>,
    /// Who speaks.
    pub tts: Option<Choice>,
    /// Who writes down what was said, once the caller is gone: a provider, or a choice as an agent's
    /// `stt`; without it, nobody does.
    #[serde(deserialize_with = "named_or_chosen")]
    #[schemars(with = "Option<Either<String, Choice>>")]
    pub transcribe: Option<Choice>,
    /// Who gets each message by e-mail, with commas between them.
    pub email: Option<String>,
    /// The longest message.
    #[serde(deserialize_with = "units::duration")]
    pub max_length: Duration,
    /// What is shorter is not kept.
    #[serde(deserialize_with = "units::duration")]
    pub min_length: Duration,
    /// A silence that ends the message.
    #[serde(deserialize_with = "units::duration")]
    pub silence: Duration,
    /// How many messages there may be.
    pub max_messages: u32,
    /// How long messages are kept; without it, until somebody deletes them.
    #[serde(deserialize_with = "units::optional_duration")]
    pub retention: Option<Duration>,
}

impl Default for Mailbox {
    fn default() -> Self {
        Self {
            greeting: None,
            sound: None,
            agent: None,
            language: None,
            tts: None,
            transcribe: None,
            email: None,
            max_length: Duration::from_secs(180),
            min_length: Duration::from_secs(2),
            silence: Duration::from_secs(6),
            max_messages: 100,
            retention: None,
        }
    }
}

/// What a voicemail says besides its greeting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// The message is kept.
    Kept,
    /// The message was too short.
    TooShort,
    /// There is no room for another message.
    Full,
}

impl Mailbox {
    /// The sound file that is the greeting, as it is written.
    pub fn file(&self) -> Option<&str> {
        let greeting = self.greeting.as_deref()?;
        let end = Path::new(greeting).extension()?.to_str()?.to_ascii_lowercase();
        (SOUNDS.contains(&&*end) && !greeting.contains(char::is_whitespace)).then_some(greeting)
    }

    /// The agent that speaks there, with the language and the voice of another one.
    pub fn assistant(&self, base: &Assistant) -> Assistant {
        let language = self.language.clone().or_else(|| base.language.clone());
        let is_german = language.as_ref().is_some_and(Language::is_german);
        let first_message = match (self.file(), &self.greeting) {
            (Some(_), _) => None,
            (None, Some(text)) => Some(text.clone()),
            (None, None) if is_german => Some(GREETING.1.to_owned()),
            (None, None) => Some(GREETING.0.to_owned()),
        };
        let mut interrupt = base.interrupt.clone();
        interrupt.enabled = false;
        Assistant {
            language,
            languages: Vec::new(),
            first_message,
            prompt: None,
            prompt_file: None,
            stt: self.transcribe.clone().unwrap_or_else(|| base.stt.clone()),
            tts: self.tts.clone().unwrap_or_else(|| base.tts.clone()),
            llm: Choice { provider: Some("rules".to_owned()), ..Choice::default() },
            realtime: None,
            tools: vec![names::END_CALL.to_owned()],
            transfers: BTreeMap::new(),
            intents: Vec::new(),
            end_phrases: Vec::new(),
            ambience: None,
            record: false,
            interrupt,
            // Whoever is to write messages down is there for it.
            speech: self.transcribe.is_some(),
            ..base.clone()
        }
    }
}

impl Line {
    /// Its words.
    pub fn text(self, language: &Language) -> &'static str {
        let (english, german) = match self {
            Self::Kept => ("Thank you. Goodbye.", "Vielen Dank. Auf Wiederhören."),
            Self::TooShort => (
                "Your message was too short and was not kept. Goodbye.",
                "Ihre Nachricht war zu kurz und wurde nicht gespeichert. Auf Wiederhören.",
            ),
            Self::Full => (
                "No more messages can be left here. Goodbye.",
                "Hier können keine Nachrichten mehr hinterlassen werden. Auf Wiederhören.",
            ),
        };
        if language.is_german() { german } else { english }
    }
}

/// Takes the name of a provider, or a choice.
fn named_or_chosen<'de, D: Deserializer<'de>>(source: D) -> Result<Option<Choice>, D::Error> {
    struct Choices;
    impl<'de> Visitor<'de> for Choices {
        type Value = Choice;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("the name of a provider, or a table with `provider`")
        }

        fn visit_str<E: de::Error>(self, name: &str) -> Result<Choice, E> {
            Ok(Choice { provider: Some(name.to_owned()), ..Choice::default() })
        }

        fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<Choice, A::Error> {
            Choice::deserialize(MapAccessDeserializer::new(table))
        }
    }
    source.deserialize_any(Choices).map(Some)
}

/// What is said where nothing else is written, in English and in German.
const GREETING: (&str, &str) = (
    "Nobody can take your call now. Please leave a message after the tone.",
    "Im Moment kann niemand Ihren Anruf annehmen. Bitte sprechen Sie nach dem Ton.",
);

/// How the names of sound files end.
const SOUNDS: [&str; 5] = ["wav", "flac", "ogg", "mp3", "oga"];

#[cfg(test)]
mod tests {
    use super::*;

    fn mailbox(text: &str) -> Mailbox {
        toml::from_str(text).expect("it reads")
    }

    #[test]
    fn a_greeting_is_a_text_or_a_sound_file() {
        for (written, file, says) in [
            ("greeting = \"sounds/hello.wav\"", Some("sounds/hello.wav"), None),
            ("greeting = \"Hello.\"", None, Some("Hello.")),
            ("greeting = \"Please ask for hello.wav\"", None, Some("Please ask for hello.wav")),
            ("", None, Some(GREETING.0)),
            ("language = \"de\"", None, Some(GREETING.1)),
        ] {
            let mailbox = mailbox(written);
            assert_eq!(mailbox.file(), file, "{written}");
            let assistant = mailbox.assistant(&Assistant::default());
            assert_eq!(assistant.first_message.as_deref(), says, "{written}");
        }
    }

    #[test]
    fn somebody_hears_only_where_messages_are_written_down() {
        assert!(!mailbox("").assistant(&Assistant::default()).speech);
        let assistant = mailbox("transcribe = \"whisper\"").assistant(&Assistant::default());
        assert!(assistant.speech);
        assert_eq!(assistant.stt.provider.as_deref(), Some("whisper"));
        let chosen = mailbox("transcribe = { provider = \"ears\", model = \"best\" }");
        let chosen = chosen.assistant(&Assistant::default()).stt;
        assert_eq!(
            (chosen.provider.as_deref(), chosen.model.as_deref()),
            (Some("ears"), Some("best"))
        );
    }
}
