//! Speech as OpenAI and its imitators give it: a clause over HTTP, raw samples at 24 kHz.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use reqwest::RequestBuilder;
use serde_json::json;

use crate::audio::frame::{Frame, Rate};
use crate::base::secret::Secret;
use crate::providers::error::ProviderError;
use crate::providers::http;
use crate::providers::tts::body::{self, Speaker};
use crate::providers::voice::Voice;

/// A voice of OpenAI.
#[derive(Debug, Clone)]
pub struct OpenAiVoice {
    settings: Settings,
    client: reqwest::Client,
}

/// Which voice it is, and how it is asked.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The provider's name in the configuration.
    pub name: String,
    /// Up to and without the last slash: `https://api.openai.com/v1`.
    pub base_url: String,
    /// Sent as a bearer token.
    pub api_key: Option<Secret>,
    /// Further headers.
    pub headers: BTreeMap<String, Secret>,
    /// The model: `gpt-4o-mini-tts`.
    pub model: String,
    /// The voice: `marin`.
    pub voice: String,
    /// How fast it speaks, 0.25 to 4.0.
    pub speed: f32,
    /// How long it may keep silent.
    pub timeout: Duration,
}

impl OpenAiVoice {
    /// Makes the voice; nothing is sent.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(settings: Settings) -> Result<Self, ProviderError> {
        let client = http::client(&settings.name)?;
        Ok(Self { settings, client })
    }

    fn authorised(&self, builder: RequestBuilder) -> RequestBuilder {
        http::authorised(builder, &self.settings.headers, self.settings.api_key.as_ref())
    }

    fn url(&self, path: &str) -> String {
        http::url(&self.settings.base_url, path)
    }
}

impl Voice for OpenAiVoice {
    fn warm_up(&self) -> BoxFuture<'_, Result<(), ProviderError>> {
        let sent = self.authorised(self.client.get(self.url("/models"))).timeout(WARM_UP_WITHIN);
        Box::pin(http::warmed(&self.settings.name, sent))
    }

    fn call_begins(&self) -> BoxFuture<'_, Result<(), ProviderError>> {
        self.warm_up()
    }

    fn speak(&self, text: &str) -> BoxStream<'static, Result<Frame, ProviderError>> {
        if !text.chars().any(char::is_alphanumeric) {
            return stream::empty().boxed();
        }
        let mut body = json!({
            "model": self.settings.model,
            "voice": self.settings.voice,
            "input": text,
            "response_format": "pcm",
        });
        // Some models refuse to be told what they do anyway.
        if (self.settings.speed - 1.0).abs() > f32::EPSILON {
            body["speed"] = json!(self.settings.speed);
        }
        let request = self.authorised(self.client.post(self.url("/audio/speech"))).json(&body);
        let speaker = Speaker {
            provider: self.settings.name.clone(),
            rate: Rate(24_000),
            timeout: self.settings.timeout,
        };
        body::frames(request, speaker)
    }

    fn identity(&self) -> String {
        let Settings { name, model, voice, speed, .. } = &self.settings;
        format!("{name} {model} {voice} {speed}")
    }
}

/// How long the warm-up may take.
const WARM_UP_WITHIN: Duration = Duration::from_secs(5);
