//! Google's voices: a clause over HTTP, which comes whole.

use reqwest::{Client, RequestBuilder};
use serde_json::json;

use super::over_http::{Answer, Counter, OverHttp};
use crate::audio::frame::Rate;
use crate::providers::http;

pub use super::settings::Settings;

/// A voice of Google.
pub type GoogleVoice = OverHttp<Google>;

/// How it is asked.
#[derive(Debug, Clone)]
pub struct Google(Settings);

impl From<Settings> for Google {
    fn from(settings: Settings) -> Self {
        Self(settings)
    }
}

impl Counter for Google {
    const RATE: Rate = Rate::WIDE;
    const LONGEST: usize = 5_000;
    const ANSWER: Answer = Answer::Whole;

    fn settings(&self) -> &Settings {
        &self.0
    }

    fn check(&self, client: &Client) -> RequestBuilder {
        let locale = http::in_path(&self.0.locale());
        let url = self.0.url(&format!("/v1/voices?languageCode={locale}"));
        self.0.in_header(client.get(url), KEY)
    }

    fn say(&self, client: &Client, text: &str) -> RequestBuilder {
        let mut sound = json!({ "audioEncoding": "LINEAR16", "sampleRateHertz": Self::RATE.0 });
        if self.0.has_pace() {
            sound["speakingRate"] = json!(self.0.speed);
        }
        let body = json!({
            "input": { "text": text },
            "voice": { "languageCode": self.0.locale(), "name": self.0.voice },
            "audioConfig": sound,
        });
        self.0.in_header(client.post(self.0.url("/v1/text:synthesize")), KEY).json(&body)
    }
}

/// The header of the key.
const KEY: &str = "x-goog-api-key";
