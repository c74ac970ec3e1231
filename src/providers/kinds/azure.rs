//! `kind = "azure"`: speaks. Its addresses depend on the region.

use std::sync::Arc;

use crate::providers::error::ProviderError;
use crate::providers::kind::{Asked, Kind};
use crate::providers::tts::azure::{AzureVoice, Settings};
use crate::providers::voice::Voice;

/// The kind.
pub const KIND: Kind = Kind { speaks: Some(speaks), ..Kind::named("azure") };

fn speaks(asked: &Asked<'_>) -> Result<Arc<dyn Voice>, ProviderError> {
    asked.key()?;
    let settings = Settings::of(asked, (&base_url(asked, "tts")?, ""))?;
    Ok(Arc::new(AzureVoice::new(settings)?))
}

/// Where the service for a job is.
fn base_url(asked: &Asked<'_>, job: &str) -> Result<String, ProviderError> {
    match (&asked.spec.base_url, &asked.spec.region) {
        (Some(base_url), _) => Ok(base_url.clone()),
        (None, Some(region)) => Ok(format!("https://{region}.{job}.speech.microsoft.com")),
        (None, None) => Err(asked.lacks("region")),
    }
}
