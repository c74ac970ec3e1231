//! Why a text did not come: told by the work of a call to whoever asks the call.

use std::sync::{Arc, Mutex, PoisonError};

use crate::providers::error::ProviderError;

/// The last failure of a call that is heard.
#[derive(Debug, Clone, Default)]
pub(super) struct Trouble(Arc<Mutex<Option<ProviderError>>>);

impl Trouble {
    /// It is this.
    pub fn is(&self, why: &ProviderError) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(why.clone());
    }

    /// Takes it.
    pub fn take(&self) -> Option<ProviderError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
