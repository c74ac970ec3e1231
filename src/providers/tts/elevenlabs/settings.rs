//! Which voice of ElevenLabs it is, and how it is asked.

use std::time::Duration;

use futures_util::stream::{self, BoxStream, StreamExt as _};
use serde_json::{Value, json};

use crate::audio::frame::{Frame, Rate};
use crate::base::language::Language;
use crate::base::secret::{ExposeSecret, Secret};
use crate::providers::error::ProviderError;
use crate::providers::tts::body::{self, Speaker};
use crate::providers::websocket::{self, Dial};

/// Which voice it is, and how it is asked.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The provider's name in the configuration.
    pub name: String,
    /// Up to and without the path: `https://api.elevenlabs.io`.
    pub base_url: String,
    /// The key.
    pub api_key: Secret,
    /// The model: `eleven_flash_v2_5`.
    pub model: String,
    /// The voice's identity.
    pub voice: String,
    /// The language, for models that want to know.
    pub language: Language,
    /// How fast it speaks; the vendor takes 0.7 to 1.2.
    pub speed: f32,
    /// How long it may keep silent.
    pub timeout: Duration,
}

impl Settings {
    /// Where its socket is opened.
    pub(super) fn dial(&self) -> Result<Dial, ProviderError> {
        let path = format!("/v1/text-to-speech/{}/multi-stream-input", self.voice_in_path());
        let mut query = self.query();
        query.push(("model_id", self.model.clone()));
        query.push(("inactivity_timeout", "180".to_owned()));
        query.push(("auto_mode", "true".to_owned()));
        query.extend(self.language_code().map(|code| ("language_code", code)));
        let url = websocket::address(&self.name, (&self.base_url, &path), &query)?;
        let headers = vec![("xi-api-key".to_owned(), self.api_key.clone())];
        Ok(Dial { provider: self.name.clone(), url, headers })
    }

    fn query(&self) -> Vec<(&'static str, String)> {
        vec![("output_format", "pcm_16000".to_owned())]
    }

    /// Identities of voices are plain; whatever else stands there must not change the path.
    fn voice_in_path(&self) -> String {
        self.voice.chars().filter(|it| it.is_ascii_alphanumeric() || "_-".contains(*it)).collect()
    }

    fn language_code(&self) -> Option<String> {
        self.model.contains("v2_5").then(|| self.language.primary().to_owned())
    }

    /// How it is to speak.
    pub(super) fn manner(&self) -> Value {
        json!({ "stability": 0.5, "similarity_boost": 0.75, "speed": self.speed.clamp(0.7, 1.2) })
    }

    fn over_http(
        &self,
        client: &reqwest::Client,
        text: &str,
    ) -> Result<reqwest::RequestBuilder, ProviderError> {
        let path = format!("/v1/text-to-speech/{}/stream", self.voice_in_path());
        let url = websocket::address(&self.name, (&self.base_url, &path), &self.query())?;
        let mut body = json!({
            "text": text, "model_id": self.model, "voice_settings": self.manner(),
        });
        if let Some(code) = self.language_code() {
            body["language_code"] = json!(code);
        }
        Ok(client.post(url).header("xi-api-key", self.api_key.expose_secret()).json(&body))
    }

    /// Speaks a clause over HTTP.
    pub(super) fn speak_over_http(
        &self,
        client: &reqwest::Client,
        text: &str,
    ) -> BoxStream<'static, Result<Frame, ProviderError>> {
        let speaker =
            Speaker { provider: self.name.clone(), rate: Rate::WIDE, timeout: self.timeout };
        match self.over_http(client, text) {
            Ok(request) => body::frames(request, speaker),
            Err(why) => stream::iter([Err(why)]).boxed(),
        }
    }
}
