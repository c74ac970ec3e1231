//! `kind = "cartesia"`: speaks.

use std::sync::Arc;

use crate::providers::error::ProviderError;
use crate::providers::kind::{Asked, Kind};
use crate::providers::tts::cartesia::{CartesiaVoice, Settings};
use crate::providers::voice::Voice;

/// The kind.
pub const KIND: Kind = Kind { speaks: Some(speaks), ..Kind::named("cartesia") };

fn speaks(asked: &Asked<'_>) -> Result<Arc<dyn Voice>, ProviderError> {
    asked.key()?;
    let mut settings = Settings::of(asked, ("https://api.cartesia.ai", "sonic-3.5"))?;
    settings.model = asked.model().unwrap_or(settings.model);
    Ok(Arc::new(CartesiaVoice::new(settings)?))
}
