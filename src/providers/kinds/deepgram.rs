//! `kind = "deepgram"`: hears in streams, and speaks.

use std::sync::Arc;

use crate::providers::error::ProviderError;
use crate::providers::kind::{Asked, Kind};
use crate::providers::stt::deepgram::transcriber::{Deepgram, Settings};
use crate::providers::transcriber::Transcriber;
use crate::providers::tts::aura::{self, AuraVoice};
use crate::providers::voice::Voice;

/// The kind.
pub const KIND: Kind = Kind { hears: Some(hears), speaks: Some(speaks), ..Kind::named("deepgram") };

fn hears(asked: &Asked<'_>) -> Result<Arc<dyn Transcriber>, ProviderError> {
    let settings = Settings {
        name: asked.name.to_owned(),
        base_url: asked.base_url(BASE_URL),
        api_key: asked.key()?,
        model: asked.model().unwrap_or_else(|| "nova-3".to_owned()),
    };
    Ok(Arc::new(Deepgram::new(settings, asked.context())))
}

fn speaks(asked: &Asked<'_>) -> Result<Arc<dyn Voice>, ProviderError> {
    asked.key()?;
    // The voice is the model that speaks; the model of the table is the one that hears.
    Ok(Arc::new(AuraVoice::new(aura::Settings::of(asked, (BASE_URL, ""))?)?))
}

const BASE_URL: &str = "https://api.deepgram.com";
