//! `kind = "assemblyai"`: hears in streams.

use std::sync::Arc;

use crate::providers::error::ProviderError;
use crate::providers::kind::{Asked, Kind};
use crate::providers::stt::assemblyai::{AssemblyAi, Settings};
use crate::providers::transcriber::Transcriber;

/// The kind.
pub const KIND: Kind = Kind { hears: Some(hears), ..Kind::named("assemblyai") };

fn hears(asked: &Asked<'_>) -> Result<Arc<dyn Transcriber>, ProviderError> {
    let settings = Settings {
        name: asked.name.to_owned(),
        base_url: asked.base_url("https://streaming.assemblyai.com"),
        api_key: asked.key()?,
        model: asked.model(),
    };
    Ok(Arc::new(AssemblyAi::new(settings, asked.context())))
}
