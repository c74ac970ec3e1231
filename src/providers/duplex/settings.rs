//! What an operator says of a model that hears and speaks.

use std::collections::BTreeMap;

use crate::base::secret::Secret;
use crate::providers::error::ProviderError;
use crate::providers::kind::Asked;

/// Settings of one.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The provider's name in the configuration.
    pub name: String,
    /// Where its API begins.
    pub base_url: String,
    /// Its key.
    pub api_key: Option<Secret>,
    /// Further HTTP headers.
    pub headers: BTreeMap<String, Secret>,
    /// Its model.
    pub model: String,
    /// Its voice.
    pub voice: String,
    /// How fast it speaks.
    pub speed: Option<f32>,
    /// How long an answer may be, in tokens.
    pub max_tokens: Option<u32>,
}

impl Settings {
    /// The settings of a model as an agent asks for it, with what is usual.
    ///
    /// # Errors
    /// When it has no key and begins where the vendor wants one.
    pub fn of(
        asked: &Asked<'_>,
        (base_url, model, voice): (&str, &str, &str),
    ) -> Result<Self, ProviderError> {
        if asked.spec.base_url.is_none() {
            asked.key()?;
        }
        // The provider's own model and voice are those of its other jobs.
        let (wanted, choice) = (asked.spec, asked.choice);
        Ok(Self {
            name: asked.name.to_owned(),
            base_url: asked.base_url(base_url),
            api_key: wanted.api_key.clone(),
            headers: wanted.headers.clone(),
            model: choice.model.clone().unwrap_or_else(|| model.to_owned()),
            voice: choice.voice.clone().unwrap_or_else(|| voice.to_owned()),
            speed: choice.speed,
            max_tokens: choice.max_tokens,
        })
    }
}
