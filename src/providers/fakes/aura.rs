//! Deepgram's speech over HTTP as it appears on the wire.

use std::io;

use serde_json::{Value, json};

use super::mouth::Tongue;
use super::stand::Stand;

pub use super::throat::{Fault, Script};

/// Opens a stand-in.
///
/// # Errors
/// When there is no free port.
pub async fn open(script: Script) -> io::Result<Stand> {
    super::mouth::open::<Aura>(script).await
}

#[derive(Clone)]
struct Aura;

impl Tongue for Aura {
    const CHECK: &'static str = "/v1/projects ";
    const CONTENT: &'static str = "audio/l16;rate=16000;channels=1";

    fn key(key: &str) -> String {
        format!("authorization: Token {key}")
    }

    fn text(head: &str, body: &[u8], wrong: &mut Vec<String>) -> String {
        let line = head.lines().next().unwrap_or_default();
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let query = line.strip_prefix("POST /v1/speak?model=aura-2-").unwrap_or_default();
        let raw = ["encoding=linear16", "sample_rate=16000", "container=none"];
        if !raw.iter().all(|part| query.contains(part)) {
            wrong.push(line.to_owned());
        }
        let text = body["text"].as_str().unwrap_or_default();
        if text.is_empty() || text.chars().count() > 2_000 {
            wrong.push(format!("{body}"));
        }
        text.to_owned()
    }

    fn refusal(_status: u16, code: &str) -> String {
        json!({ "err_code": code, "err_msg": "No.", "request_id": "r-1" }).to_string()
    }
}
