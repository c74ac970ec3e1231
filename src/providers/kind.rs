//! What a kind of provider is: who hears, who thinks and who speaks when an operator names it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::agent::assistant::Choice;
use crate::base::language::Language;
use crate::base::secret::Secret;
use crate::providers::error::ProviderError;
use crate::providers::model::Model;
use crate::providers::realtime::Realtime;
use crate::providers::transcriber::{Context, Transcriber};
use crate::providers::voice::Voice;

/// A kind of provider that is reached over a network: what it can do, and how each is made.
/// Nothing is sent when it is made.
#[derive(Debug)]
pub struct Kind {
    /// Its name, as it stands behind `kind` in the settings.
    pub name: &'static str,
    /// Who hears.
    pub hears: Option<fn(&Asked<'_>) -> Result<Arc<dyn Transcriber>, ProviderError>>,
    /// Who thinks.
    pub thinks: Option<fn(&Asked<'_>) -> Result<Arc<dyn Model>, ProviderError>>,
    /// Who speaks.
    pub speaks: Option<fn(&Asked<'_>) -> Result<Arc<dyn Voice>, ProviderError>>,
    /// Who does all of that in one.
    pub converses: Option<fn(&Asked<'_>) -> Result<Arc<dyn Realtime>, ProviderError>>,
}

impl Kind {
    /// A kind of this name that can do nothing yet.
    pub const fn named(name: &'static str) -> Self {
        Self { name, hears: None, thinks: None, speaks: None, converses: None }
    }
}

/// A provider as the operator describes it.
#[derive(Debug, Clone)]
pub struct Spec {
    /// The name of its kind.
    pub kind: &'static str,
    /// Where its API begins.
    pub base_url: Option<String>,
    /// Where the vendor works, in its own words, when its addresses depend on that.
    pub region: Option<String>,
    /// Which of its interfaces is wanted, where it has several.
    pub api: Option<String>,
    /// Its key.
    pub api_key: Option<Secret>,
    /// Its model, when an agent names none.
    pub model: Option<String>,
    /// Its voice, when an agent names none.
    pub voice: Option<String>,
    /// Further HTTP headers.
    pub headers: BTreeMap<String, Secret>,
    /// How long it may keep silent.
    pub timeout: Duration,
}

/// A provider as an agent asks for it.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Its name in the configuration.
    pub name: &'a str,
    /// What the operator says of it.
    pub spec: &'a Spec,
    /// What the agent wants of it.
    pub choice: &'a Choice,
    /// The language of the conversation.
    pub language: &'a Language,
}

impl Spec {
    /// A built-in provider.
    pub fn built_in(kind: &'static str) -> Self {
        Self {
            kind,
            base_url: None,
            region: None,
            api: None,
            api_key: None,
            model: None,
            voice: None,
            headers: BTreeMap::new(),
            timeout: Duration::from_secs(10),
        }
    }
}

impl Asked<'_> {
    /// Where the API begins: where the operator says, else at `usual`.
    pub fn base_url(&self, usual: &str) -> String {
        self.spec.base_url.clone().unwrap_or_else(|| usual.to_owned())
    }

    /// The key.
    ///
    /// # Errors
    /// When there is none.
    pub fn key(&self) -> Result<Secret, ProviderError> {
        self.spec.api_key.clone().ok_or_else(|| self.lacks("api_key"))
    }

    /// What a transcriber is tried out with.
    pub fn context(&self) -> Context {
        Context {
            language: self.language.clone(),
            grammar: None,
            key_terms: self.choice.keyterms.clone(),
        }
    }

    /// The model: the agent's, else the provider's.
    pub fn model(&self) -> Option<String> {
        self.choice.model.clone().or_else(|| self.spec.model.clone())
    }

    /// The voice: the agent's, else the provider's.
    pub fn voice(&self) -> Option<String> {
        self.choice.voice.clone().or_else(|| self.spec.voice.clone())
    }

    /// What to say when something is missing.
    pub fn lacks(&self, what: &str) -> ProviderError {
        ProviderError::lasting(self.name, format!("`{what}` is missing"))
    }
}
