//! Speech as OpenAI and its imitators give it: a clause over HTTP, raw samples at 24 kHz.

use reqwest::{Client, RequestBuilder};
use serde_json::json;

use super::over_http::{Counter, OverHttp};
use crate::audio::frame::Rate;

pub use super::settings::Settings;

/// A voice of OpenAI.
pub type OpenAiVoice = OverHttp<OpenAi>;

/// How it is asked.
#[derive(Debug, Clone)]
pub struct OpenAi(Settings);

impl From<Settings> for OpenAi {
    fn from(settings: Settings) -> Self {
        Self(settings)
    }
}

impl Counter for OpenAi {
    const RATE: Rate = Rate(24_000);
    const LONGEST: usize = 4_096;

    fn settings(&self) -> &Settings {
        &self.0
    }

    fn check(&self, client: &Client) -> RequestBuilder {
        self.0.bearer(client.get(self.0.url("/models")))
    }

    fn say(&self, client: &Client, text: &str) -> RequestBuilder {
        let mut body = json!({
            "model": self.0.model,
            "voice": self.0.voice,
            "input": text,
            "response_format": "pcm",
        });
        // Some models refuse to be told what they do anyway.
        if self.0.has_pace() {
            body["speed"] = json!(self.0.speed);
        }
        self.0.bearer(client.post(self.0.url("/audio/speech"))).json(&body)
    }
}
