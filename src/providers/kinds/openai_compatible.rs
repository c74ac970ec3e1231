//! `kind = "openai-compatible"`: whoever speaks OpenAI's chat completions at a `base_url`.

use std::sync::Arc;

use crate::providers::error::ProviderError;
use crate::providers::kind::{Asked, Kind};
use crate::providers::llm::openai_compatible::{OpenAiCompatible, Settings};
use crate::providers::model::Model;

/// The kind.
pub const KIND: Kind =
    Kind { name: "openai-compatible", hears: None, thinks: Some(thinks), speaks: None };

fn thinks(asked: &Asked<'_>) -> Result<Arc<dyn Model>, ProviderError> {
    let settings = Settings {
        name: asked.name.to_owned(),
        base_url: asked.spec.base_url.clone().ok_or_else(|| asked.lacks("base_url"))?,
        api_key: asked.spec.api_key.clone(),
        headers: asked.spec.headers.clone(),
        model: asked.model().ok_or_else(|| asked.lacks("model"))?,
        temperature: asked.choice.temperature,
        max_tokens: asked.choice.max_tokens.unwrap_or(250),
        timeout: asked.spec.timeout,
    };
    Ok(Arc::new(OpenAiCompatible::new(settings)?))
}
