//! Which voice of a vendor it is, and how it is asked: what all vendors have in common.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::RequestBuilder;

use crate::base::language::Language;
use crate::base::secret::Secret;
use crate::providers::error::ProviderError;
use crate::providers::http;
use crate::providers::kind::Asked;

/// Which voice it is, and how it is asked.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The provider's name in the configuration.
    pub name: String,
    /// Where its API begins, up to and without the last slash: `https://api.openai.com/v1`.
    pub base_url: String,
    /// Its key, if it wants one.
    pub api_key: Option<Secret>,
    /// Further headers.
    pub headers: BTreeMap<String, Secret>,
    /// The model, for vendors whose voices have several.
    pub model: String,
    /// The voice.
    pub voice: String,
    /// The language that it is to speak.
    pub language: Language,
    /// How fast it speaks: 1.0 as it is.
    pub speed: f32,
    /// How long it may keep silent.
    pub timeout: Duration,
}

impl Settings {
    /// What an agent asks for, of an API that usually begins at `base_url` and speaks by `model`.
    /// The model of the provider's table is not meant when the kind does other things, too.
    ///
    /// # Errors
    /// When nobody names a voice.
    pub fn of(asked: &Asked<'_>, usual: (&str, &str)) -> Result<Self, ProviderError> {
        let voice = asked.voice().ok_or_else(|| asked.lacks("voice"))?;
        Ok(Self::with_voice(asked, usual, &voice))
    }

    /// The same, and who speaks when nobody names a voice.
    pub fn with_voice(asked: &Asked<'_>, (base_url, model): (&str, &str), voice: &str) -> Self {
        Self {
            name: asked.name.to_owned(),
            base_url: asked.base_url(base_url),
            api_key: asked.spec.api_key.clone(),
            headers: asked.spec.headers.clone(),
            model: asked.choice.model.clone().unwrap_or_else(|| model.to_owned()),
            voice: asked.voice().unwrap_or_else(|| voice.to_owned()),
            language: asked.language.clone(),
            speed: asked.choice.speed.unwrap_or(1.0),
            timeout: asked.spec.timeout,
        }
    }

    /// Where a path of the API is.
    pub(super) fn url(&self, path: &str) -> String {
        http::url(&self.base_url, path)
    }

    /// Shows the key as a bearer token.
    pub(super) fn bearer(&self, builder: RequestBuilder) -> RequestBuilder {
        http::authorised(builder, &self.headers, self.api_key.as_ref())
    }

    /// Shows the key in a header of the vendor's own.
    pub(super) fn in_header(&self, builder: RequestBuilder, name: &str) -> RequestBuilder {
        http::keyed(builder, &self.headers, (name, self.api_key.as_ref()))
    }

    /// The headers of a socket: the operator's, and the key in one of the vendor's own.
    pub(super) fn shown(&self, name: &str) -> Vec<(String, Secret)> {
        let headers = self.headers.iter().map(|(name, value)| (name.clone(), value.clone()));
        headers.chain(self.api_key.clone().map(|key| (name.to_owned(), key))).collect()
    }

    /// The language with its region, as it stands before the names of some vendors' voices:
    /// `de-DE` of `de-DE-KatjaNeural`; else the language of the conversation.
    pub(super) fn locale(&self) -> String {
        let mut parts = self.voice.split('-');
        let is_language = |part: &str| {
            matches!(part.len(), 2 | 3) && part.bytes().all(|it| it.is_ascii_lowercase())
        };
        let is_region = |part: &str| {
            matches!(part.len(), 2 | 3) && part.bytes().all(|it| it.is_ascii_alphanumeric())
        };
        match (parts.next(), parts.next()) {
            (Some(language), Some(region)) if is_language(language) && is_region(region) => {
                format!("{language}-{region}")
            }
            _ => self.language.tag().to_owned(),
        }
    }

    /// Whether it is to speak faster or slower than it does.
    pub(super) fn has_pace(&self) -> bool {
        (self.speed - 1.0).abs() > f32::EPSILON
    }

    /// What tells the voice from others.
    pub(super) fn identity(&self) -> String {
        let Self { name, model, voice, language, speed, .. } = self;
        format!("{name} {model} {voice} {language} {speed}")
    }
}
