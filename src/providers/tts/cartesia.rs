//! Cartesia's voices: over a socket that is open already, each clause in a context of its own; over
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

/// A voice of Cartesia.
pub type CartesiaVoice = OverSocket<Cartesia>;

/// How it is asked.
#[derive(Debug, Clone)]
pub struct Cartesia(Settings);

impl From<Settings> for Cartesia {
    fn from(settings: Settings) -> Self {
        Self(settings)
    }
}

impl Cartesia {
    fn order(&self, text: &str) -> Value {
        let Settings { model, voice, language, .. } = &self.0;
        let mut order = json!({
            "model_id": model,
            "transcript": text,
            "voice": { "mode": "id", "id": voice },
            "language": language.primary(),
            "output_format": { "container": "raw", "encoding": "pcm_s16le", "sample_rate": 16_000 },
        });
        // The vendor takes 0.6 to 1.5 times its own pace.
        if self.0.has_pace() {
            order["generation_config"] = json!({ "speed": self.0.speed.clamp(0.6, 1.5) });
        }
        order
    }
}

impl Counter for Cartesia {
    const RATE: Rate = Rate::WIDE;
    const LONGEST: usize = 4_000;

    fn settings(&self) -> &Settings {
        &self.0
    }

    fn check(&self, client: &Client) -> RequestBuilder {
        let request = self.0.in_header(client.get(self.0.url("/voices?limit=1")), KEY);
        request.header("Cartesia-Version", VERSION)
    }

    fn say(&self, client: &Client, text: &str) -> RequestBuilder {
        let request = self.0.in_header(client.post(self.0.url("/tts/bytes")), KEY);
        request.header("Cartesia-Version", VERSION).json(&self.order(text))
    }
}

impl Dialect for Cartesia {
    // One call seldom wants more than two at once; plans of the vendor are as small.
    const MOST: usize = 5;

    fn dial(&self) -> Result<Option<Dial>, ProviderError> {
        let settings = &self.0;
        let query = [("cartesia_version", VERSION.to_owned())];
        let address = (settings.base_url.as_str(), "/tts/websocket");
        let url = websocket::address(&settings.name, address, &query)?;
        Ok(Some(Dial { provider: settings.name.clone(), url, headers: settings.shown(KEY) }))
    }

    fn speak(&self, context: &str, text: &str) -> Vec<Message> {
        let mut order = self.order(text.trim());
        order["context_id"] = json!(context);
        // All of the clause is here: nothing is to be waited for.
        order["continue"] = json!(false);
        order["max_buffer_delay_ms"] = json!(0);
        vec![Message::text(order.to_string())]
    }

    fn stop(&self, context: &str) -> Message {
        Message::text(json!({ "context_id": context, "cancel": true }).to_string())
    }

    fn read(&self, text: &str) -> Result<Said, ProviderError> {
        let name = &self.0.name;
        let nonsense = || ProviderError::passing(name, "is not in the protocol");
        let message: Incoming = serde_json::from_str(text).map_err(|_| nonsense())?;
        let context = message.context_id.unwrap_or_default();
        if message.kind == "error" {
            let why = complaint(name, message.status_code, message.error_code.as_deref());
            return match context.is_empty() {
                true => Err(why),
                false => Ok(Said { context, end: Some(Err(why)), ..Said::default() }),
            };
        }
        let audio = message.data.filter(|_| message.kind == "chunk").unwrap_or_default();
        Ok(Said {
            context,
            audio: STANDARD.decode(audio).map_err(|_| nonsense())?,
            end: message.done.unwrap_or(false).then_some(Ok(())),
        })
    }
}

/// What an error means: by its status, as over HTTP.
fn complaint(name: &str, status: Option<u16>, code: Option<&str>) -> ProviderError {
    let status = status.and_then(|status| reqwest::StatusCode::from_u16(status).ok());
    let code = code.filter(|code| http::is_plain(code)).unwrap_or_default();
    let status = status.unwrap_or(reqwest::StatusCode::INTERNAL_SERVER_ERROR);
    http::refusal(name, status, (code, None))
}

/// What the vendor says. Kinds and keys that are not named are left alone.
#[derive(Debug, Deserialize)]
struct Incoming {
    #[serde(rename = "type", default)]
    kind: String,
    context_id: Option<String>,
    data: Option<String>,
    done: Option<bool>,
    status_code: Option<u16>,
    error_code: Option<String>,
}

/// The header of the key.
const KEY: &str = "X-API-Key";

/// The version of the interface.
const VERSION: &str = "2025-04-16";
