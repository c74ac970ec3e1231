//! `kind = "anthropic"`: thinks.

use std::sync::Arc;

use crate::providers::error::ProviderError;
use crate::providers::kind::{Asked, Kind};
use crate::providers::llm::anthropic::{Anthropic, Settings};
use crate::providers::model::Model;

/// The kind.
pub const KIND: Kind = Kind { thinks: Some(thinks), ..Kind::named("anthropic") };

fn thinks(asked: &Asked<'_>) -> Result<Arc<dyn Model>, ProviderError> {
    asked.key()?;
    let settings = Settings::of(asked, ("https://api.anthropic.com", Some("claude-haiku-4-5")))?;
    Ok(Arc::new(Anthropic::new(settings)?))
}
