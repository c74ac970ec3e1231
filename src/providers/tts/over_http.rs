//! A voice that is asked over HTTP, clause by clause: what vendors have in common that speak so.

use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use reqwest::{Client, RequestBuilder};

use super::body::{self, Speaker};
use super::plain::pieces;
use super::settings::Settings;
use crate::audio::frame::{Frame, Rate};
use crate::providers::error::ProviderError;
use crate::providers::http;
use crate::providers::voice::Voice;

/// How a vendor is asked.
pub trait Counter: std::fmt::Debug + Clone + Send + Sync + 'static {
    /// The rate at which it is asked to speak.
    const RATE: Rate;

    /// The longest text that it takes at once, in octets.
    const LONGEST: usize;

    /// How it is to be asked for, by default over HTTP in a stream.
    const ANSWER: Answer = Answer::Stream;

    /// Which voice it is.
    fn settings(&self) -> &Settings;

    /// What shows whether the key is right, and is free of charge.
    fn check(&self, client: &Client) -> RequestBuilder;

    /// Asks for a clause.
    fn say(&self, client: &Client, text: &str) -> RequestBuilder;
}

/// How speech comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// As it is made.
    Stream,
    /// All of it at once, in JSON.
    Whole,
}

/// A voice that is asked over HTTP.
#[derive(Debug, Clone)]
pub struct OverHttp<C> {
    counter: C,
    client: Client,
}

impl<C: Counter + From<Settings>> OverHttp<C> {
    /// Makes the voice; nothing is sent.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(settings: Settings) -> Result<Self, ProviderError> {
        let client = http::client(&settings.name)?;
        Ok(Self { counter: C::from(settings), client })
    }
}

impl<C> OverHttp<C> {
    /// How it is asked.
    pub(super) fn counter(&self) -> &C {
        &self.counter
    }
}

impl<C: Counter> Voice for OverHttp<C> {
    fn warm_up(&self) -> BoxFuture<'_, Result<(), ProviderError>> {
        let request = self.counter.check(&self.client).timeout(WARM_UP_WITHIN);
        Box::pin(http::warmed(&self.counter.settings().name, request))
    }

    fn call_begins(&self) -> BoxFuture<'_, Result<(), ProviderError>> {
        self.warm_up()
    }

    fn name(&self) -> Option<&str> {
        Some(self.counter.settings().model.as_str()).filter(|model| !model.is_empty())
    }

    fn speak(&self, text: &str) -> BoxStream<'static, Result<Frame, ProviderError>> {
        let voice = self.clone();
        let said = stream::iter(pieces(text, C::LONGEST)).flat_map(move |text| {
            let settings = voice.counter.settings();
            let speaker = Speaker {
                provider: settings.name.clone(),
                rate: C::RATE,
                timeout: settings.timeout,
                most: body::most_samples(&text, C::RATE),
            };
            let request = voice.counter.say(&voice.client, &text);
            match C::ANSWER {
                Answer::Stream => body::frames(request, speaker),
                Answer::Whole => body::whole(request, speaker),
            }
        });
        said.boxed()
    }

    fn identity(&self) -> String {
        self.counter.settings().identity()
    }
}

/// How long the warm-up may take.
const WARM_UP_WITHIN: Duration = Duration::from_secs(5);
