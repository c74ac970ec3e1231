//! `kind = "gladia"`: hears in streams.

use std::sync::Arc;

use crate::providers::error::ProviderError;
use crate::providers::kind::{Asked, Kind};
use crate::providers::stt::gladia::{Gladia, Settings};
use crate::providers::transcriber::Transcriber;

/// The kind.
pub const KIND: Kind = Kind { hears: Some(hears), ..Kind::named("gladia") };

fn hears(asked: &Asked<'_>) -> Result<Arc<dyn Transcriber>, ProviderError> {
    let settings = Settings {
        name: asked.name.to_owned(),
        base_url: asked.base_url("https://api.gladia.io"),
        region: Some(asked.spec.region.clone().unwrap_or_else(|| "eu-west".to_owned())),
        api_key: asked.key()?,
        model: asked.model().unwrap_or_else(|| "solaria-1".to_owned()),
        timeout: asked.spec.timeout,
    };
    Ok(Arc::new(Gladia::new(settings)?))
}
