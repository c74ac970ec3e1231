//! `kind = "gemini"`: thinks.

use std::sync::Arc;

use crate::providers::error::ProviderError;
use crate::providers::kind::{Asked, Kind};
use crate::providers::llm::gemini::{Gemini, Settings};
use crate::providers::model::Model;

/// The kind.
pub const KIND: Kind = Kind { thinks: Some(thinks), ..Kind::named("gemini") };

fn thinks(asked: &Asked<'_>) -> Result<Arc<dyn Model>, ProviderError> {
    asked.key()?;
    let base_url = "https://generativelanguage.googleapis.com";
    Ok(Arc::new(Gemini::new(Settings::of(asked, (base_url, None))?)?))
}
