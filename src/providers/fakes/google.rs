//! Google's speech over HTTP as it appears on the wire: all of it at once, in base64, as a file.

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::mouth::Tongue;
use super::stand::Stand;
use crate::audio::frame::{Frame, Rate};
use crate::audio::wav;

pub use super::throat::{Fault, Script};

/// Opens a stand-in.
///
/// # Errors
/// When there is no free port.
pub async fn open(script: Script) -> io::Result<Stand> {
    super::mouth::open::<Google>(script).await
}

#[derive(Clone)]
struct Google;

impl Tongue for Google {
    const CHECK: &'static str = "/v1/voices?languageCode=";
    const CONTENT: &'static str = "application/json; charset=UTF-8";

    fn key(key: &str) -> String {
        format!("x-goog-api-key: {key}")
    }

    fn text(head: &str, body: &[u8], wrong: &mut Vec<String>) -> String {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let sound = &body["audioConfig"];
        let voice = &body["voice"];
        let named = voice["name"].as_str().unwrap_or_default();
        let fits = head.starts_with("POST /v1/text:synthesize HTTP/1.1\r\n")
            && sound["audioEncoding"] == "LINEAR16"
            && sound["sampleRateHertz"] == 16_000
            && voice["languageCode"].as_str().is_some_and(|it| named.starts_with(it));
        if !fits {
            wrong.push(format!("{head} {body}"));
        }
        body["input"]["text"].as_str().unwrap_or_default().to_owned()
    }

    fn refusal(status: u16, code: &str) -> String {
        json!({ "error": { "code": status, "message": "No.", "status": code } }).to_string()
    }

    fn whole(sound: &[u8]) -> Option<Value> {
        let file = match sound.starts_with(b"RIFF") {
            true => sound.to_vec(),
            false => {
                let pairs = sound.chunks_exact(2);
                let samples = pairs.map(|it| i16::from_le_bytes([it[0], it[1]])).collect();
                wav::write(&Frame::new(Rate::WIDE, samples))
            }
        };
        Some(json!({ "audioContent": STANDARD.encode(file) }))
    }
}
