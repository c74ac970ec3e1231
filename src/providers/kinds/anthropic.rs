//! `kind = "anthropic"`: thinks.

use std::sync::Arc;

use crate::providers::error::ProviderError;
use crate::providers::kind::{Asked, Kind};
use crate::providers::llm::anthropic::{Anthropic, Settings};
use crate::providers::model::Model;

/// The kind.
pub const KIND: Kind = Kind { name: "anthropic", hears: None, thinks: Some(thinks), speaks: None };

fn thinks(asked: &Asked<'_>) -> Result<Arc<dyn Model>, ProviderError> {
    let settings = Settings {
        name: asked.name.to_owned(),
        base_url: asked.base_url("https://api.anthropic.com"),
        api_key: asked.key()?,
        model: asked.model().unwrap_or_else(|| "claude-haiku-4-5".to_owned()),
        temperature: asked.choice.temperature,
        max_tokens: asked.choice.max_tokens.unwrap_or(250),
        timeout: asked.spec.timeout,
    };
    Ok(Arc::new(Anthropic::new(settings)?))
}
