//! ElevenLabs' voices: over a socket that is open already, each clause in a context of its own; over
//! HTTP when that cannot be had.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Client, RequestBuilder};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::contexts::{Dialect, Said};
use super::over_http::Counter;
use super::over_socket::OverSocket;
use crate::audio::frame::Rate;
use crate::providers::error::ProviderError;
use crate::providers::http;
use crate::providers::websocket::{self, Dial};

pub use super::settings::Settings;

/// A voice of ElevenLabs.
pub type ElevenLabs = OverSocket<Wire>;

/// How it is asked.
#[derive(Debug, Clone)]
pub struct Wire(Settings);

impl From<Settings> for Wire {
    fn from(settings: Settings) -> Self {
        Self(settings)
    }
}

impl Wire {
    /// Identities of voices are plain; whatever else stands there must not change the path.
    fn voice_in_path(&self) -> String {
        let fits = |letter: &char| letter.is_ascii_alphanumeric() || "_-".contains(*letter);
        self.0.voice.chars().filter(fits).collect()
    }

    fn language_code(&self) -> Option<String> {
        self.0.model.contains("v2_5").then(|| self.0.language.primary().to_owned())
    }

    /// How it is to speak: the vendor takes 0.7 to 1.2 times its own pace.
    fn manner(&self) -> Value {
        json!({ "stability": 0.5, "similarity_boost": 0.75, "speed": self.0.speed.clamp(0.7, 1.2) })
    }
}

impl Counter for Wire {
    const RATE: Rate = Rate::WIDE;
    const LONGEST: usize = 4_000;

    fn settings(&self) -> &Settings {
        &self.0
    }

    fn check(&self, client: &Client) -> RequestBuilder {
        self.0.in_header(client.get(self.0.url("/v1/models")), KEY)
    }

    fn say(&self, client: &Client, text: &str) -> RequestBuilder {
        let voice = self.voice_in_path();
        let path = format!("/v1/text-to-speech/{voice}/stream?output_format={FORMAT}");
        let mut body = json!({
            "text": text, "model_id": self.0.model, "voice_settings": self.manner(),
        });
        if let Some(code) = self.language_code() {
            body["language_code"] = json!(code);
        }
        self.0.in_header(client.post(self.0.url(&path)), KEY).json(&body)
    }
}

impl Dialect for Wire {
    // The vendor's limit.
    const MOST: usize = 5;

    fn dial(&self) -> Result<Option<Dial>, ProviderError> {
        let settings = &self.0;
        // The models of the third generation are not spoken over this socket.
        if settings.model.starts_with("eleven_v3") {
            return Ok(None);
        }
        let path = format!("/v1/text-to-speech/{}/multi-stream-input", self.voice_in_path());
        let mut query = vec![
            ("output_format", FORMAT.to_owned()),
            ("model_id", settings.model.clone()),
            ("inactivity_timeout", "180".to_owned()),
            ("auto_mode", "true".to_owned()),
        ];
        query.extend(self.language_code().map(|code| ("language_code", code)));
        let url = websocket::address(&settings.name, (&settings.base_url, &path), &query)?;
        Ok(Some(Dial { provider: settings.name.clone(), url, headers: settings.shown(KEY) }))
    }

    fn speak(&self, context: &str, text: &str) -> Vec<Message> {
        let manner = self.manner();
        let open = json!({ "text": " ", "context_id": context, "voice_settings": manner });
        // It wants a space behind every text; the line ends are ours, not the caller's.
        let text = format!("{} ", text.trim());
        let say = json!({ "text": text, "context_id": context, "flush": true });
        // Without this, the end of the clause is not told.
        let end = json!({ "context_id": context, "close_context": true });
        [open, say, end].map(|message| Message::text(message.to_string())).into()
    }

    fn stop(&self, context: &str) -> Message {
        Message::text(json!({ "context_id": context, "close_context": true }).to_string())
    }

    fn keep_alive(&self, context: &str) -> Option<Message> {
        Some(Message::text(json!({ "text": "", "context_id": context }).to_string()))
    }

    fn goodbye(&self) -> Option<Message> {
        Some(Message::text("{\"close_socket\":true}"))
    }

    fn read(&self, text: &str) -> Result<Said, ProviderError> {
        let name = &self.0.name;
        let nonsense = || ProviderError::passing(name, "is not in the protocol");
        let message: Incoming = serde_json::from_str(text).map_err(|_| nonsense())?;
        if let Some(error) = &message.error {
            let why = complaint(name, error);
            return match message.context_id {
                Some(context) => Ok(Said { context, end: Some(Err(why)), ..Said::default() }),
                None => Err(why),
            };
        }
        let audio = message.audio.unwrap_or_default();
        Ok(Said {
            context: message.context_id.unwrap_or_default(),
            audio: STANDARD.decode(audio).map_err(|_| nonsense())?,
            end: message.is_final.unwrap_or(false).then_some(Ok(())),
        })
    }
}

/// What an error means: a sentence of the vendor is not repeated, a code is.
fn complaint(name: &str, error: &str) -> ProviderError {
    let code = if http::is_plain(error) { error } else { "it complains" };
    let lasting = ["quota_exceeded", "invalid_api_key", "voice_not_found", "unauthorized"];
    match lasting.contains(&code) {
        true => ProviderError::lasting(name, format!("does not speak: {code}")),
        false => ProviderError::passing(name, format!("does not speak: {code}")),
    }
}

/// What the vendor says, in both of its spellings.
#[derive(Debug, Deserialize)]
struct Incoming {
    audio: Option<String>,
    #[serde(alias = "isFinal")]
    is_final: Option<bool>,
    #[serde(alias = "contextId")]
    context_id: Option<String>,
    error: Option<String>,
}

/// The header of the key.
const KEY: &str = "xi-api-key";

/// What it is asked to send.
const FORMAT: &str = "pcm_16000";
