//! `kind = "elevenlabs"`: speaks.

use std::sync::Arc;

use crate::providers::error::ProviderError;
use crate::providers::kind::{Asked, Kind};
use crate::providers::tts::elevenlabs::{ElevenLabs, Settings};
use crate::providers::voice::Voice;

/// The kind.
pub const KIND: Kind = Kind { speaks: Some(speaks), ..Kind::named("elevenlabs") };

fn speaks(asked: &Asked<'_>) -> Result<Arc<dyn Voice>, ProviderError> {
    asked.key()?;
    let mut settings = Settings::of(asked, ("https://api.elevenlabs.io", "eleven_flash_v2_5"))?;
    settings.model = asked.model().unwrap_or(settings.model);
    Ok(Arc::new(ElevenLabs::new(settings)?))
}
