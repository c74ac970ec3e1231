//! Azure's speech over HTTP as it appears on the wire.

use std::io;

use super::mouth::Tongue;
use super::stand::Stand;

pub use super::throat::{Fault, Script};

/// Opens a stand-in.
///
/// # Errors
/// When there is no free port.
pub async fn open(script: Script) -> io::Result<Stand> {
    super::mouth::open::<Azure>(script).await
}

#[derive(Clone)]
struct Azure;

impl Tongue for Azure {
    const CHECK: &'static str = "/cognitiveservices/voices/list ";
    const CONTENT: &'static str = "audio/basic";

    fn key(key: &str) -> String {
        format!("ocp-apim-subscription-key: {key}")
    }

    fn text(head: &str, body: &[u8], wrong: &mut Vec<String>) -> String {
        let lower = head.to_ascii_lowercase();
        let fits = head.starts_with("POST /cognitiveservices/v1 HTTP/1.1\r\n")
            && lower.contains("\r\ncontent-type: application/ssml+xml\r\n")
            && lower.contains("\r\nx-microsoft-outputformat: raw-16khz-16bit-mono-pcm\r\n")
            && lower.contains("\r\nuser-agent: ");
        if !fits {
            wrong.push(head.to_owned());
        }
        let body = String::from_utf8_lossy(body);
        let spoken = spoken(&body);
        if spoken.is_none() {
            wrong.push(format!("no SSML: {body}"));
        }
        spoken.unwrap_or_default()
    }

    /// The vendor says nothing but the status.
    fn refusal(_status: u16, _code: &str) -> String {
        String::new()
    }
}

/// The text in a document of one voice, or nothing when it is not well formed: no mark-up of the
/// text's own, and nothing that stands open.
fn spoken(document: &str) -> Option<String> {
    let rest = document.strip_prefix("<speak version=\"1.0\" xmlns=\"")?;
    let rest = rest.strip_prefix("http://www.w3.org/2001/10/synthesis\" xml:lang=\"")?;
    let (language, rest) = rest.split_once("\"><voice name=\"")?;
    let (voice, text) = rest.split_once("\">")?;
    let text = text.strip_suffix("</voice></speak>")?;
    if !voice.starts_with(language) || text.contains(['<', '>', '"']) {
        return None;
    }
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        plain.push_str(before);
        let (name, after) = after.split_once(';')?;
        plain.push(match name {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "apos" => '\'',
            _ => return None,
        });
        rest = after;
    }
    plain.push_str(rest);
    Some(plain)
}
