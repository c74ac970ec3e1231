//! OpenAI's transcriptions and speech as they appear on the wire.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::sleep;

use super::deepgram::Ear;
use super::elevenlabs::Throat;
use super::stand::{Notes, Serve, Stand};
use super::web::{begin_chunks, chunk, read_request, respond};
use crate::audio::wav;

/// How the stand-in behaves.
#[derive(Clone)]
pub struct Script {
    /// The key that it wants.
    pub key: &'static str,
    /// What it hears, at the rate of the file.
    pub ear: Ear,
    /// How it sounds, at 24 kHz.
    pub throat: Throat,
    /// How long it takes.
    pub delay: Duration,
    /// How it misbehaves, request by request; later ones are served well.
    pub faults: Vec<Fault>,
}

/// A misbehaviour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// None.
    Well,
    /// The request is refused with a status and a code.
    Refuses(u16, &'static str),
    /// The connection is cut in the middle of the answer.
    BreaksOff,
    /// It answers in no protocol.
    Garbage,
}

/// Opens a stand-in. Its API begins at `/v1`.
///
/// # Errors
/// When there is no free port.
pub async fn open(script: Script) -> io::Result<Stand> {
    Stand::open(Guest { script, heard: Arc::default() }).await
}

#[derive(Clone)]
struct Guest {
    script: Script,
    heard: Arc<AtomicUsize>,
}

impl Serve for Guest {
    async fn serve(self, mut stream: TcpStream, notes: Notes) {
        while let Some((head, body)) = read_request(&mut stream).await {
            let key = format!("authorization: bearer {}\r\n", self.script.key);
            let served = if !head.to_ascii_lowercase().contains(&key) {
                refuse(&mut stream, (401, "invalid_api_key")).await
            } else if head.starts_with("GET /v1/models ") {
                respond(&mut stream, ("200 OK", b"{\"data\":[]}")).await
            } else {
                let number = notes.begin();
                let fault = self.script.faults.get(number).copied().unwrap_or(Fault::Well);
                sleep(self.script.delay).await;
                match (fault, head.starts_with("POST /v1/audio/speech ")) {
                    (Fault::Refuses(status, code), _) => refuse(&mut stream, (status, code)).await,
                    (fault, true) => self.speak(&mut stream, &body, (fault, &notes)).await,
                    (fault, false) => self.hear(&mut stream, (&head, &body), (fault, &notes)).await,
                }
            };
            if !served {
                return;
            }
        }
    }
}

impl Guest {
    async fn speak(
        &self,
        stream: &mut TcpStream,
        body: &[u8],
        (fault, notes): (Fault, &Notes),
    ) -> bool {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let fits = body["response_format"] == "pcm"
            && body["voice"].is_string()
            && body["model"].is_string();
        notes.want(fits, || format!("{body}"));
        let text = body["input"].as_str().unwrap_or_default();
        notes.hear(text);
        if !begin_chunks(stream, "audio/pcm").await {
            return false;
        }
        let sound = (self.script.throat)(text);
        let octets: Vec<u8> = sound.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        for (at, piece) in octets.chunks(1_001).enumerate() {
            if (fault == Fault::BreaksOff && at > 0) || !chunk(stream, piece).await {
                return false;
            }
        }
        chunk(stream, &[]).await
    }

    async fn hear(
        &self,
        stream: &mut TcpStream,
        (head, body): (&str, &[u8]),
        (fault, notes): (Fault, &Notes),
    ) -> bool {
        notes.want(head.starts_with("POST /v1/audio/transcriptions "), || head.to_owned());
        let parts = parts(head, body);
        let field = |name: &str| {
            let wanted = format!("name=\"{name}\"");
            parts.iter().find(|(head, _)| head.contains(&wanted)).map(|(_, value)| *value)
        };
        notes.want(field("model").is_some_and(|it| !it.is_empty()), || "a model".to_owned());
        notes.want(field("response_format") == Some(b"json"), || "the format".to_owned());
        let clip = field("file").and_then(|file| wav::read(file).ok());
        let Some(clip) = clip else {
            notes.complain("no WAV file");
            return refuse(stream, (400, "invalid_file")).await;
        };
        let prompt = field("prompt").map(String::from_utf8_lossy).unwrap_or_default();
        let text = (self.script.ear)(&clip.samples, self.heard.fetch_add(1, Ordering::AcqRel));
        notes.hear(format!("{text} ({prompt})"));
        let body = match fault {
            Fault::Garbage => "{\"tex".to_owned(),
            _ => json!({ "text": text, "usage": { "type": "tokens" } }).to_string(),
        };
        if fault == Fault::BreaksOff {
            return false;
        }
        respond(stream, ("200 OK", body.as_bytes())).await
    }
}

/// The parts of a form: the head and the value of each.
fn parts<'a>(head: &str, body: &'a [u8]) -> Vec<(String, &'a [u8])> {
    let boundary = head.split("boundary=").nth(1).and_then(|rest| rest.split("\r\n").next());
    let mark = format!("--{}", boundary.unwrap_or_default()).into_bytes();
    let mut places = Vec::new();
    let mut at = 0;
    while let Some(found) = body[at..].windows(mark.len()).position(|it| it == mark) {
        places.push(at + found);
        at += found + mark.len();
    }
    let between = places.windows(2).filter_map(|pair| {
        // The line end before the next mark belongs to the mark.
        let part = body.get(pair[0] + mark.len() + 2..pair[1].checked_sub(2)?)?;
        let end = part.windows(4).position(|it| it == b"\r\n\r\n")?;
        Some((String::from_utf8_lossy(&part[..end]).into_owned(), &part[end + 4..]))
    });
    between.collect()
}

async fn refuse(stream: &mut TcpStream, (status, code): (u16, &str)) -> bool {
    let body = json!({ "error": { "message": "No.", "code": code } }).to_string();
    respond(stream, (&format!("{status} No"), body.as_bytes())).await
}
