//! Deepgram's voices, Aura: a clause over HTTP.

use reqwest::{Client, RequestBuilder};
use serde_json::json;

use super::over_http::{Counter, OverHttp};
use crate::audio::frame::Rate;
use crate::base::secret::{ExposeSecret as _, Secret};
use crate::providers::http;

pub use super::settings::Settings;

/// A voice of Deepgram.
pub type AuraVoice = OverHttp<Aura>;

/// How it is asked. Its voice is its model: `aura-2-thalia-en`.
#[derive(Debug, Clone)]
pub struct Aura(Settings);

impl From<Settings> for Aura {
    /// The key is shown behind a word of the vendor's.
    fn from(mut settings: Settings) -> Self {
        let token = |key: &Secret| Secret::from(format!("Token {}", key.expose_secret()));
        settings.api_key = settings.api_key.as_ref().map(token);
        Self(settings)
    }
}

impl Counter for Aura {
    const RATE: Rate = Rate::WIDE;
    const LONGEST: usize = 2_000;

    fn settings(&self) -> &Settings {
        &self.0
    }

    fn check(&self, client: &Client) -> RequestBuilder {
        self.0.in_header(client.get(self.0.url("/v1/projects")), "Authorization")
    }

    fn say(&self, client: &Client, text: &str) -> RequestBuilder {
        let voice = http::in_path(&self.0.voice);
        let mut path =
            format!("/v1/speak?model={voice}&encoding=linear16&sample_rate=16000&container=none");
        if self.0.has_pace() {
            path.push_str(&format!("&speed={:.2}", self.0.speed.clamp(0.7, 1.5)));
        }
        let request = self.0.in_header(client.post(self.0.url(&path)), "Authorization");
        request.json(&json!({ "text": text }))
    }
}
