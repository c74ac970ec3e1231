//! Where Deepgram is and how it is asked.

use tokio_tungstenite::tungstenite::Message;

use crate::base::secret::{ExposeSecret, Secret};

/// Where Deepgram is and how it is asked.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The provider's name in the configuration.
    pub name: String,
    /// Up to and without the path: `https://api.deepgram.com`.
    pub base_url: String,
    /// The key.
    pub api_key: Secret,
    /// The model: `nova-3`, `flux-general-en` and so on.
    pub model: String,
}

impl Settings {
    /// The headers of every request.
    pub(super) fn headers(&self) -> Vec<(String, Secret)> {
        let token = format!("Token {}", self.api_key.expose_secret());
        vec![("Authorization".to_owned(), token.into())]
    }
}

/// What ends a stream.
pub(super) fn close_stream() -> Message {
    Message::text("{\"type\":\"CloseStream\"}")
}
