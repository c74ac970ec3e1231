//! A voice whose clauses are spoken over a socket that is open already; when it cannot be had, they
//! are spoken over HTTP.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, StreamExt as _};

use super::contexts::{Dialect, Sockets, or_else};
use super::over_http::OverHttp;
use super::plain::has_words;
use super::settings::Settings;
use crate::audio::frame::Frame;
use crate::providers::error::ProviderError;
use crate::providers::voice::Voice;

/// A voice that is spoken over sockets, or else over HTTP.
#[derive(Debug)]
pub struct OverSocket<D> {
    over_http: OverHttp<D>,
    sockets: Option<Sockets<D>>,
}

impl<D: Dialect + From<Settings>> OverSocket<D> {
    /// Makes the voice; nothing is sent.
    ///
    /// # Errors
    /// When the address is none, or TLS cannot be set up.
    pub fn new(settings: Settings) -> Result<Self, ProviderError> {
        let over_http: OverHttp<D> = OverHttp::new(settings)?;
        let dialect = over_http.counter();
        let dial = dialect.dial()?;
        let sockets = dial.map(|dial| Sockets::new(dial, Arc::new(dialect.clone())));
        Ok(Self { over_http, sockets })
    }
}

impl<D: Dialect> Voice for OverSocket<D> {
    fn warm_up(&self) -> BoxFuture<'_, Result<(), ProviderError>> {
        match &self.sockets {
            Some(sockets) => sockets.open(),
            None => self.over_http.warm_up(),
        }
    }

    fn call_begins(&self) -> BoxFuture<'_, Result<(), ProviderError>> {
        self.warm_up()
    }

    fn name(&self) -> Option<&str> {
        self.over_http.name()
    }

    fn speak(&self, text: &str) -> BoxStream<'static, Result<Frame, ProviderError>> {
        let Some(sockets) = &self.sockets else { return self.over_http.speak(text) };
        if !has_words(text) {
            return stream::empty().boxed();
        }
        let (over_http, again) = (self.over_http.clone(), text.to_owned());
        or_else(sockets.speak(text), move || over_http.speak(&again))
    }

    fn identity(&self) -> String {
        self.over_http.identity()
    }
}
