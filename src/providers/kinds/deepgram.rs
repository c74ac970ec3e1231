//! `kind = "deepgram"`: hears in streams.

use std::sync::Arc;

use crate::providers::error::ProviderError;
use crate::providers::kind::{Asked, Kind};
use crate::providers::stt::deepgram::transcriber::{Deepgram, Settings};
use crate::providers::transcriber::{Context, Transcriber};

/// The kind.
pub const KIND: Kind = Kind { name: "deepgram", hears: Some(hears), thinks: None, speaks: None };

fn hears(asked: &Asked<'_>) -> Result<Arc<dyn Transcriber>, ProviderError> {
    let settings = Settings {
        name: asked.name.to_owned(),
        base_url: asked.base_url("https://api.deepgram.com"),
        api_key: asked.key()?,
        model: asked.model().unwrap_or_else(|| "nova-3".to_owned()),
    };
    let usual = Context {
        language: asked.language.clone(),
        grammar: None,
        key_terms: asked.choice.keyterms.clone(),
    };
    Ok(Arc::new(Deepgram::new(settings, usual)))
}
