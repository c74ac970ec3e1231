//! Where a language model is, and how it is asked: what all vendors have in common.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::RequestBuilder;

use crate::base::secret::Secret;
use crate::providers::error::ProviderError;
use crate::providers::http;
use crate::providers::kind;
use crate::providers::llm::answer::Asked;

/// Where a language model is, and how it is asked.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The provider's name in the configuration.
    pub name: String,
    /// Where its API begins, up to and without the last slash: `http://127.0.0.1:11434/v1`.
    pub base_url: String,
    /// Its key, if it wants one.
    pub api_key: Option<Secret>,
    /// Further headers.
    pub headers: BTreeMap<String, Secret>,
    /// The model, in the server's words.
    pub model: String,
    /// 0.0 to 2.0; without it the server's own.
    pub temperature: Option<f32>,
    /// The longest answer in tokens.
    pub max_tokens: u32,
    /// How long the server may keep silent, before its first octet and between any two.
    pub timeout: Duration,
}

impl Settings {
    /// What an agent asks for, of an API that usually begins at `base_url` and may have a usual
    /// model.
    ///
    /// # Errors
    /// When nobody names a model.
    pub fn of(
        asked: &kind::Asked<'_>,
        (base_url, model): (&str, Option<&str>),
    ) -> Result<Self, ProviderError> {
        let model = asked.model().or_else(|| model.map(str::to_owned));
        Ok(Self {
            name: asked.name.to_owned(),
            base_url: asked.base_url(base_url),
            api_key: asked.spec.api_key.clone(),
            headers: asked.spec.headers.clone(),
            model: model.ok_or_else(|| asked.lacks("model"))?,
            temperature: asked.choice.temperature,
            max_tokens: asked.choice.max_tokens.unwrap_or(250),
            timeout: asked.spec.timeout,
        })
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

    /// A request whose answer is read as it comes.
    pub(super) fn asked(&self, request: RequestBuilder) -> Asked {
        Asked { provider: self.name.clone(), request, timeout: self.timeout }
    }
}

/// How long the warm-up may take.
pub(super) const WARM_UP_WITHIN: Duration = Duration::from_secs(5);
