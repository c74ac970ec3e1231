//! Providers, as they stand under `[providers.NAME]`: who hears, thinks and speaks.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::base::money::Money;
use crate::base::price::Tariff;
use crate::base::secret::{ExposeSecret, Secret};
use crate::base::units;

/// `[providers.NAME]`: who hears, thinks or speaks.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// What it is.
    pub kind: ProviderKind,
    /// Where its API begins: `http://127.0.0.1:11434/v1`.
    #[serde(default)]
    pub base_url: Option<String>,
    /// Where the vendor works, in its own words: `westeurope`.
    #[serde(default)]
    pub region: Option<String>,
    /// Which of its interfaces is wanted, of a kind that has several: `responses`.
    #[serde(default)]
    pub api: Option<String>,
    /// Its key.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub api_key: Option<Secret>,
    /// Its model, when an agent names none.
    #[serde(default)]
    pub model: Option<String>,
    /// Its voice, when an agent names none.
    #[serde(default)]
    pub voice: Option<String>,
    /// Of `kind = "local"`: who hears, a model of Whisper or `pocketsphinx`; without it, the best
    /// that is there.
    #[serde(default)]
    pub stt: Option<String>,
    /// Of `kind = "local"`: who speaks, a voice of Piper, `flite` or `espeak`; without it, what fits
    /// the language.
    #[serde(default)]
    pub tts: Option<String>,
    /// Further HTTP headers, by name.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub headers: BTreeMap<String, Secret>,
    /// What its work costs: `{ input = "0.15 USD per 1M tokens" }`, `0.0077 USD per minute`.
    #[serde(default)]
    pub price: Tariff,
    /// What that of some of its models costs, by their names.
    #[serde(default)]
    pub prices: BTreeMap<String, Tariff>,
    /// What its work may cost in a day, by the clock of the server: `"5 USD"`. Beyond it those are
    /// asked who take its place.
    #[serde(default)]
    pub daily_budget: Option<Money>,
    /// How long it may keep silent.
    #[serde(default = "default_provider_timeout", deserialize_with = "units::duration")]
    pub timeout: Duration,
}

/// What a provider is: one of those that stand in `kinds.toml`.
#[derive(Clone, Copy, JsonSchema)]
#[schemars(with = "String", extend("enum" = ProviderKind::all().map(Self::name).collect::<Vec<_>>()))]
pub struct ProviderKind(&'static Entry);

/// What is known of a kind.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    #[serde(skip)]
    name: String,
    jobs: Vec<Job>,
    #[serde(default)]
    needs: Vec<Need>,
    /// What it knows what to do with, and can do without.
    #[serde(default)]
    takes: Vec<Need>,
    /// Its interfaces, where it has several; the first is the usual one.
    #[serde(default)]
    apis: Vec<String>,
    #[serde(default)]
    built_in: bool,
    /// The languages that it knows; without any, many.
    #[serde(default)]
    languages: Vec<String>,
    /// Where the names of its voices tell their language, if they do.
    #[serde(default)]
    voice_language: Option<End>,
}

/// An end of a name.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum End {
    First,
    Last,
}

/// A job that a provider can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
pub enum Job {
    /// Speech to text: `stt`.
    #[serde(rename = "stt")]
    Hear,
    /// A language model: `llm`.
    #[serde(rename = "llm")]
    Think,
    /// Text to speech: `tts`.
    #[serde(rename = "tts")]
    Speak,
    /// All of that in one: `realtime`.
    #[serde(rename = "realtime")]
    Converse,
}

/// A key without which a provider cannot work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Need {
    /// `base_url`: nobody knows where its API begins.
    BaseUrl,
    /// `api_key`: nobody is let in without one.
    ApiKey,
    /// `voice`: of the provider, or of the agent.
    Voice,
    /// `region`, or a `base_url`: its addresses depend on where it works.
    Region,
}

impl ProviderKind {
    /// The kind of this name.
    pub fn named(name: &str) -> Option<Self> {
        kinds().iter().find(|entry| entry.name == name).map(Self)
    }

    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        kinds().iter().map(Self)
    }

    /// The kinds that agents may name without a table under `[providers]`.
    pub fn built_in() -> impl Iterator<Item = Self> {
        Self::all().filter(|kind| kind.is_built_in())
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        &self.0.name
    }

    /// What it can do.
    pub fn jobs(self) -> &'static [Job] {
        &self.0.jobs
    }

    /// Whether it can do a job.
    pub fn does(self, job: Job) -> bool {
        self.0.jobs.contains(&job)
    }

    /// Whether it cannot work without a key of its table.
    pub fn needs(self, need: Need) -> bool {
        self.0.needs.contains(&need)
    }

    /// Whether it knows what to do with a key of its table that not every kind has.
    pub fn takes(self, need: Need) -> bool {
        self.needs(need) || self.0.takes.contains(&need)
    }

    /// Its interfaces, where it has several; the first is the usual one.
    pub fn apis(self) -> impl Iterator<Item = &'static str> {
        self.0.apis.iter().map(String::as_str)
    }

    /// The language that the name of a voice tells: `de` of `de-DE-KatjaNeural`.
    pub fn language_of_voice(self, voice: &str) -> Option<&str> {
        Some(match self.0.voice_language? {
            End::First => voice.split_once(['-', '_'])?.0,
            End::Last => voice.rsplit_once('-')?.1,
        })
    }

    /// Whether it works on this machine, without any table of the operator's.
    pub fn is_built_in(self) -> bool {
        self.0.built_in
    }

    /// Whether it is a name for those that are built in.
    pub fn is_local(self) -> bool {
        self.0.name == "local"
    }

    /// Whether it is a language model, and no set of rules.
    pub fn is_language_model(self) -> bool {
        self.does(Job::Think) && !self.0.built_in
    }

    /// Whether it knows English only.
    pub fn is_english_only(self) -> bool {
        self.0.languages == ["en"]
    }
}

impl PartialEq for Provider {
    fn eq(&self, other: &Self) -> bool {
        let shown = |secret: &Secret| secret.expose_secret().to_owned();
        let secrets = |it: &Self| {
            let headers = it.headers.iter().map(|(name, value)| (name.clone(), shown(value)));
            (it.api_key.as_ref().map(shown), headers.collect::<Vec<_>>())
        };
        let open = |it: &Self| {
            let texts = [&it.base_url, &it.region, &it.api, &it.model, &it.voice, &it.stt, &it.tts];
            (it.kind, texts.map(Clone::clone), it.timeout)
        };
        open(self) == open(other) && secrets(self) == secrets(other)
    }
}

impl PartialEq for ProviderKind {
    fn eq(&self, other: &Self) -> bool {
        self.0.name == other.0.name
    }
}

impl Eq for ProviderKind {}

impl fmt::Debug for ProviderKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.name)
    }
}

impl<'de> Deserialize<'de> for ProviderKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        static NAMES: OnceLock<Vec<&'static str>> = OnceLock::new();
        let name = String::deserialize(deserializer)?;
        let names = NAMES.get_or_init(|| Self::all().map(Self::name).collect());
        Self::named(&name).ok_or_else(|| D::Error::unknown_variant(&name, names))
    }
}

/// The table of kinds, which came with the program.
fn kinds() -> &'static [Entry] {
    static KINDS: OnceLock<Vec<Entry>> = OnceLock::new();
    KINDS.get_or_init(|| {
        let table: BTreeMap<String, Entry> =
            toml::from_str(include_str!("kinds.toml")).expect("the table of kinds is sound");
        table.into_iter().map(|(name, entry)| Entry { name, ..entry }).collect()
    })
}

fn default_provider_timeout() -> Duration {
    Duration::from_secs(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_known_by_its_name() {
        let rules = ProviderKind::named("rules").expect("it is built in");
        assert!(rules.does(Job::Think) && rules.is_built_in() && !rules.is_language_model());
        let remote = ProviderKind::named("openai-compatible").expect("it is there");
        assert!(remote.needs(Need::BaseUrl) && remote.is_language_model());
        assert_eq!(ProviderKind::named("nobody"), None);
    }
}
