//! Providers, as they stand under `[providers.NAME]`: who hears, thinks and speaks.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use crate::base::secret::Secret;
use crate::base::units;

/// `[providers.NAME]`: who hears, thinks or speaks.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// What it is.
    pub kind: ProviderKind,
    /// Where its API begins: `http://127.0.0.1:11434/v1`.
    #[serde(default)]
    pub base_url: Option<String>,
    /// Its key.
    #[serde(default)]
    pub api_key: Option<Secret>,
    /// Its model, when an agent names none.
    #[serde(default)]
    pub model: Option<String>,
    /// Its voice, when an agent names none.
    #[serde(default)]
    pub voice: Option<String>,
    /// Further HTTP headers, by name.
    #[serde(default)]
    pub headers: BTreeMap<String, Secret>,
    /// How long it may keep silent.
    #[serde(default = "default_provider_timeout", deserialize_with = "units::duration")]
    pub timeout: Duration,
}

/// What a provider is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProviderKind {
    /// A language model behind chat completions over HTTP.
    OpenaiCompatible,
    /// Built in: hears by grammar.
    Pocketsphinx,
    /// Built in (feature `whisper`): hears anything.
    Whisper,
    /// Built in: thinks by intents.
    Rules,
    /// Built in: speaks English.
    Flite,
    /// Built in: speaks a hundred languages.
    Espeak,
}

/// A job that a provider can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Job {
    /// Speech to text: `stt`.
    Hear,
    /// A language model: `llm`.
    Think,
    /// Text to speech: `tts`.
    Speak,
}

impl ProviderKind {
    /// The kinds that agents may name without a table under `[providers]`.
    pub const BUILT_IN: [(&'static str, Self); 5] = [
        ("pocketsphinx", Self::Pocketsphinx),
        ("whisper", Self::Whisper),
        ("rules", Self::Rules),
        ("flite", Self::Flite),
        ("espeak", Self::Espeak),
    ];

    /// What it can do.
    pub fn job(self) -> Job {
        match self {
            Self::Pocketsphinx | Self::Whisper => Job::Hear,
            Self::OpenaiCompatible | Self::Rules => Job::Think,
            Self::Flite | Self::Espeak => Job::Speak,
        }
    }
}

fn default_provider_timeout() -> Duration {
    Duration::from_secs(10)
}
