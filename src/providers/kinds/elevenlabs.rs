//! `kind = "elevenlabs"`: speaks.

use std::sync::Arc;

use crate::providers::error::ProviderError;
use crate::providers::kind::{Asked, Kind};
use crate::providers::tts::elevenlabs::voice::{ElevenLabs, Settings};
use crate::providers::voice::Voice;

/// The kind.
pub const KIND: Kind = Kind { name: "elevenlabs", hears: None, thinks: None, speaks: Some(speaks) };

fn speaks(asked: &Asked<'_>) -> Result<Arc<dyn Voice>, ProviderError> {
    let settings = Settings {
        name: asked.name.to_owned(),
        base_url: asked.base_url("https://api.elevenlabs.io"),
        api_key: asked.key()?,
        model: asked.model().unwrap_or_else(|| "eleven_flash_v2_5".to_owned()),
        voice: asked.voice().ok_or_else(|| asked.lacks("voice"))?,
        language: asked.language.clone(),
        speed: asked.choice.speed.unwrap_or(1.0),
        timeout: asked.spec.timeout,
    };
    Ok(Arc::new(ElevenLabs::new(settings)?))
}
