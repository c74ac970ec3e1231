//! Checks of models and voices that have a language in their names, and it is not the agent's.

use crate::agent::assistant::Choice;
use crate::config::diagnostic::Diagnostic;
use crate::config::provider::{Job, ProviderKind};

/// What a model or a voice is for, by its own name.
pub struct Named<'a> {
    /// Under which of the keys of an agent it stands: `model` or `voice`.
    pub key: &'static str,
    /// Its name.
    pub name: &'a str,
    /// Its language, in two or three letters.
    language: &'a str,
    job: Job,
}

impl<'a> Named<'a> {
    /// Whoever is to hear or to speak, if the name tells a language.
    pub fn of(choice: &'a Choice, kind: ProviderKind, job: Job) -> Option<Self> {
        let (key, name) = match job {
            Job::Hear => ("model", choice.model.as_deref()?),
            Job::Speak => ("voice", choice.voice.as_deref()?),
            Job::Think | Job::Converse => return None,
        };
        let language = match (job, kind.name()) {
            (Job::Hear, "whisper") if name.ends_with(".en") => "en",
            // These speak what they are given.
            (Job::Speak, _) if name.contains("Multilingual") => return None,
            (Job::Speak, _) => kind.language_of_voice(name.trim_start_matches("piper-"))?,
            _ => return None,
        };
        let is_language = matches!(language.len(), 2 | 3)
            && language.bytes().all(|octet| octet.is_ascii_lowercase());
        is_language.then_some(Self { key, name, language, job })
    }

    /// What is said when it is another language than the agent's.
    pub fn mismatch(&self, agent: &str, spoken: &str) -> Option<Diagnostic> {
        let Self { name, language, .. } = self;
        if *language == spoken {
            return None;
        }
        let (code, message) = match self.job {
            Job::Hear => (
                "agent.language_hearing_mismatch",
                format!("agent `{agent}` hears `{spoken}`, and `{name}` understands `{language}`"),
            ),
            Job::Speak | Job::Think | Job::Converse => (
                "agent.language_voice_mismatch",
                format!("agent `{agent}` speaks `{spoken}`, and the voice `{name}` `{language}`"),
            ),
        };
        Some(Diagnostic::warning(code, message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn language(kind: &str, job: Job, name: &str) -> Option<String> {
        let name = Some(name.to_owned());
        let choice = Choice { model: name.clone(), voice: name, ..Choice::default() };
        let kind = ProviderKind::named(kind).expect(kind);
        Named::of(&choice, kind, job).map(|named| named.language.to_owned())
    }

    #[test]
    fn names_tell_a_language_only_where_their_vendor_means_one() {
        for (kind, name, expected) in [
            ("piper", "de_DE-thorsten-medium", Some("de")),
            ("piper", "piper-en_US-lessac-medium", Some("en")),
            ("piper", "tones", None),
            ("azure", "de-DE-KatjaNeural", Some("de")),
            ("azure", "en-US-AvaMultilingualNeural", None),
            ("google", "de-DE-Chirp3-HD-Kore", Some("de")),
            ("google", "Kore", None),
            ("deepgram", "aura-2-thalia-en", Some("en")),
            ("elevenlabs", "JBFqnCBsd6RMkjVDRZzb", None),
            ("openai", "marin", None),
        ] {
            assert_eq!(language(kind, Job::Speak, name).as_deref(), expected, "{kind} {name}");
        }
        assert_eq!(language("whisper", Job::Hear, "whisper-base.en").as_deref(), Some("en"));
        assert_eq!(language("whisper", Job::Hear, "whisper-base"), None);
    }
}
