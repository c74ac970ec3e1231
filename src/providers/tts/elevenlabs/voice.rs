//! ElevenLabs as a voice. Clauses are spoken over a socket that is open already; when it cannot be
//! had, the clause is spoken over HTTP.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, StreamExt as _};

use super::socket::Sockets;
use crate::audio::frame::Frame;
use crate::providers::error::{ProviderError, Retry};
use crate::providers::http;
use crate::providers::voice::Voice;

pub use super::settings::Settings;

/// A voice of ElevenLabs.
#[derive(Debug)]
pub struct ElevenLabs {
    settings: Arc<Settings>,
    client: reqwest::Client,
    sockets: Sockets,
}

impl ElevenLabs {
    /// Makes the voice; nothing is sent.
    ///
    /// # Errors
    /// When the address is none, or TLS cannot be set up.
    pub fn new(settings: Settings) -> Result<Self, ProviderError> {
        let client = http::client(&settings.name)?;
        let settings = Arc::new(settings);
        let sockets = Sockets::new(settings.dial()?, settings.clone());
        Ok(Self { settings, client, sockets })
    }

    /// The models of the third generation are not spoken over this socket.
    fn has_socket(&self) -> bool {
        !self.settings.model.starts_with("eleven_v3")
    }
}

impl Voice for ElevenLabs {
    fn warm_up(&self) -> BoxFuture<'_, Result<(), ProviderError>> {
        if self.has_socket() { self.sockets.open() } else { Box::pin(async { Ok(()) }) }
    }

    fn call_begins(&self) -> BoxFuture<'_, Result<(), ProviderError>> {
        self.warm_up()
    }

    fn speak(&self, text: &str) -> BoxStream<'static, Result<Frame, ProviderError>> {
        if !text.chars().any(char::is_alphanumeric) {
            return stream::empty().boxed();
        }
        let (settings, client) = (self.settings.clone(), self.client.clone());
        if !self.has_socket() {
            return settings.speak_over_http(&client, text);
        }
        let text = text.to_owned();
        let heard = self.sockets.speak(&text);
        // Before anything was heard, another way may be tried.
        let spoken = stream::unfold((heard, Way::Socket), move |(mut heard, way)| {
            let (settings, client, text) = (settings.clone(), client.clone(), text.clone());
            async move {
                let first = heard.next().await?;
                match first {
                    Err(why) if way == Way::Socket && why.retry != Retry::Never => {
                        tracing::warn!(%why, "the clause is spoken over HTTP");
                        let mut heard = settings.speak_over_http(&client, &text);
                        let first = heard.next().await?;
                        Some((first, (heard, Way::Begun)))
                    }
                    first => Some((first, (heard, Way::Begun))),
                }
            }
        });
        spoken.boxed()
    }

    fn identity(&self) -> String {
        let Settings { name, model, voice, speed, language, .. } = &*self.settings;
        format!("{name} {model} {voice} {language} {speed}")
    }
}

/// How far a clause is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// It was asked for over the socket, and nothing was heard yet.
    Socket,
    /// Something was heard.
    Begun,
}
