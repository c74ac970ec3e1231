//! `kind = "google"`: speaks.

use std::sync::Arc;

use crate::providers::error::ProviderError;
use crate::providers::kind::{Asked, Kind};
use crate::providers::tts::google::{GoogleVoice, Settings};
use crate::providers::voice::Voice;

/// The kind.
pub const KIND: Kind = Kind { speaks: Some(speaks), ..Kind::named("google") };

fn speaks(asked: &Asked<'_>) -> Result<Arc<dyn Voice>, ProviderError> {
    asked.key()?;
    // Its voices have their model in their names.
    let settings = Settings::of(asked, ("https://texttospeech.googleapis.com", ""))?;
    Ok(Arc::new(GoogleVoice::new(settings)?))
}
