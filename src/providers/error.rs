//! What goes wrong with a provider, and what follows from it.

use std::time::Duration;

/// A provider failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{provider}: {reason}")]
pub struct ProviderError {
    /// Whose failure it is: the name in the configuration.
    pub provider: String,
    /// What happened, for a log. Never a key, a prompt or a caller's words.
    pub reason: String,
    /// What can be done.
    pub retry: Retry,
}

/// What can be done about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Nothing: a wrong key, a missing model, a bad request.
    Never,
    /// The same again may work at once.
    Now,
    /// The same again may work after a while (429 with Retry-After).
    After(Duration),
}

impl ProviderError {
    /// A failure that repeating does not mend.
    pub fn lasting(provider: &str, reason: impl Into<String>) -> Self {
        Self { provider: provider.to_owned(), reason: reason.into(), retry: Retry::Never }
    }

    /// A failure that may pass.
    pub fn passing(provider: &str, reason: impl Into<String>) -> Self {
        Self { provider: provider.to_owned(), reason: reason.into(), retry: Retry::Now }
    }
}
