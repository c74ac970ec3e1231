//! Deepgram as a transcriber: the first version of its interface for most models, the second for
//! those called Flux.

use futures_util::future::BoxFuture;
use tokio::sync::mpsc;

use super::flux::Flux;
use super::listen::Listen;
use super::settings::close_stream;
use crate::providers::error::ProviderError;
use crate::providers::stt::socket::{Calls, try_out};
use crate::providers::transcriber::{Context, Heard, Listening, Transcriber};
use crate::providers::websocket::Dial;

pub use super::settings::Settings;

/// Deepgram behind an address.
#[derive(Debug)]
pub struct Deepgram {
    settings: Settings,
    /// Where the sockets of calls in the language of the agent are opened.
    usual: Context,
    calls: Calls,
}

impl Deepgram {
    /// Makes the transcriber; nothing is sent. `usual` is what it is tried out with.
    pub fn new(settings: Settings, usual: Context) -> Self {
        Self { settings, usual, calls: Calls::default() }
    }

    fn is_flux(&self) -> bool {
        self.settings.model.starts_with("flux")
    }
}

impl Transcriber for Deepgram {
    fn warm_up(&self) -> BoxFuture<'_, Result<(), ProviderError>> {
        let settings = &self.settings;
        Box::pin(async move {
            let dial: Dial = match self.is_flux() {
                true => Flux::dial_of(settings, &self.usual)?,
                false => Listen::dial_of(settings, &self.usual)?,
            };
            try_out(dial, close_stream()).await
        })
    }

    fn name(&self) -> Option<&str> {
        Some(&self.settings.model)
    }

    // Flux says itself when a turn is over. The other one only cuts its results there.
    fn may_be_asked_early(&self) -> bool {
        !self.is_flux()
    }

    fn open(
        &self,
        context: Context,
        heard: mpsc::Sender<Heard>,
    ) -> BoxFuture<'_, Result<Box<dyn Listening>, ProviderError>> {
        let settings = &self.settings;
        if self.is_flux() {
            match Flux::dial_of(settings, &context) {
                Ok(dial) => self.calls.open(Flux::new(dial), heard),
                Err(why) => Box::pin(async { Err(why) }),
            }
        } else {
            match Listen::dial_of(settings, &context) {
                Ok(dial) => self.calls.open(Listen::new(dial), heard),
                Err(why) => Box::pin(async { Err(why) }),
            }
        }
    }
}
