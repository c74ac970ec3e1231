//! Twilio Media Streams from the other side: Twilio has the call and dials us, as it dials a bot.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures_util::{Sink, SinkExt as _, Stream, StreamExt as _};
use serde::Deserialize;
use serde_json::json;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::audio::frame::{Frame, Rate};
use crate::audio::g711;
use crate::engine::inlets::peer::{Gone, Peer, Said};

/// A stream whose call is known.
#[derive(Debug)]
pub struct Twilio<S> {
    socket: S,
    start: Start,
    nonsense: u32,
}

/// What Twilio says of a call first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Start {
    /// The stream.
    pub stream_sid: String,
    /// The call.
    pub call_sid: String,
    /// Whose account it is.
    pub account_sid: String,
    /// What the TwiML says by `<Parameter>`.
    pub custom_parameters: BTreeMap<String, String>,
    media_format: Option<Format>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Format {
    encoding: String,
    sample_rate: u32,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Heard {
    event: String,
    stream_sid: Option<String>,
    start: Option<Start>,
    media: Option<Media>,
    dtmf: Option<Dtmf>,
}

#[derive(Debug, Deserialize)]
struct Media {
    #[serde(default)]
    track: String,
    payload: String,
}

#[derive(Debug, Deserialize)]
struct Dtmf {
    digit: String,
}

/// What of a message concerns us.
#[derive(Debug)]
enum Piece {
    Start(Box<Start>),
    Said(Said),
    Stop,
    Nothing,
}

impl<S> Twilio<S>
where
    S: Stream<Item = Result<Message, Error>> + Sink<Message, Error = Error> + Unpin + Send,
{
    /// Waits until a stream has said what it is about.
    ///
    /// # Errors
    /// When it does not in time, or wants something else than µ-law.
    pub async fn open(socket: S) -> Result<Self, Gone> {
        let mut twilio = Self { socket, start: Start::default(), nonsense: 0 };
        let started = timeout(KNOWN_WITHIN, twilio.started()).await;
        twilio.start = started.map_err(|_| Gone::Broken("it does not say what it is about"))??;
        let is_ulaw = |format: &Format| {
            format.encoding == "audio/x-mulaw" && format.sample_rate == Rate::NARROW.0
        };
        match &twilio.start.media_format {
            Some(format) if !is_ulaw(format) => Err(Gone::Broken("it speaks no µ-law at 8 kHz")),
            _ => Ok(twilio),
        }
    }

    /// What it said of the call.
    pub fn start(&self) -> &Start {
        &self.start
    }

    async fn started(&mut self) -> Result<Start, Gone> {
        loop {
            match self.piece().await? {
                Piece::Start(start) if !start.stream_sid.is_empty() => return Ok(*start),
                Piece::Stop => return Err(Gone::HungUp),
                Piece::Start(_) | Piece::Said(_) | Piece::Nothing => {}
            }
        }
    }

    async fn piece(&mut self) -> Result<Piece, Gone> {
        let message = match self.socket.next().await {
            None | Some(Ok(Message::Close(_))) => return Err(Gone::HungUp),
            Some(Err(_)) => return Err(Gone::Broken("the connection broke")),
            Some(Ok(Message::Text(text))) => read(&text, &self.start.stream_sid),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => Some(Piece::Nothing),
            Some(Ok(Message::Binary(_) | Message::Frame(_))) => None,
        };
        match message {
            Some(piece) => Ok(piece),
            None => {
                self.nonsense += 1;
                match self.nonsense > MOST_NONSENSE {
                    true => Err(Gone::Broken("what it says makes no sense")),
                    false => Ok(Piece::Nothing),
                }
            }
        }
    }

    async fn send(&mut self, message: serde_json::Value) -> Result<(), Gone> {
        match timeout(TAKEN_WITHIN, self.socket.send(Message::text(message.to_string()))).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Gone::HungUp),
            Err(_) => Err(Gone::Broken("it takes nothing any more")),
        }
    }
}

impl<S> Peer for Twilio<S>
where
    S: Stream<Item = Result<Message, Error>> + Sink<Message, Error = Error> + Unpin + Send,
{
    fn rate(&self) -> Rate {
        Rate::NARROW
    }

    async fn receive(&mut self) -> Result<Said, Gone> {
        loop {
            match self.piece().await? {
                Piece::Said(said) => return Ok(said),
                Piece::Stop => return Err(Gone::HungUp),
                Piece::Start(_) | Piece::Nothing => {}
            }
        }
    }

    async fn sound(&mut self, samples: &[i16]) -> Result<(), Gone> {
        let codes: Vec<u8> = samples.iter().map(|it| g711::linear_to_ulaw(*it)).collect();
        let payload = BASE64_STANDARD.encode(codes);
        let sid = &self.start.stream_sid;
        let media = json!({ "event": "media", "streamSid": sid, "media": { "payload": payload } });
        self.send(media).await
    }

    async fn key(&mut self, _key: char) -> Result<(), Gone> {
        // A bot has no word for keys: who is called by Twilio hears them nowhere.
        Ok(())
    }

    async fn end(&mut self) {
        // Who is gone needs no word; a closed stream lets the TwiML go on.
        timeout(TAKEN_WITHIN, self.socket.close()).await.ok();
    }
}

/// Reads a message; nothing when it makes no sense, or means another stream.
fn read(text: &str, stream: &str) -> Option<Piece> {
    let heard: Heard = serde_json::from_str(text).ok()?;
    let named = heard.stream_sid.as_deref().unwrap_or(stream);
    if !stream.is_empty() && named != stream {
        return None;
    }
    match heard.event.as_str() {
        "start" => heard.start.map(Box::new).map(Piece::Start),
        "stop" => Some(Piece::Stop),
        "media" => {
            let media = heard.media?;
            if media.track == "outbound" {
                return Some(Piece::Nothing);
            }
            let codes = BASE64_STANDARD.decode(media.payload).ok()?;
            let samples = codes.into_iter().map(g711::ulaw_to_linear).collect();
            Some(Piece::Said(Said::Sound(Frame::new(Rate::NARROW, samples))))
        }
        "dtmf" => {
            let digit = heard.dtmf?.digit;
            let mut letters = digit.chars();
            let (key, rest) = (letters.next()?, letters.next());
            (rest.is_none()).then_some(Piece::Said(Said::Key(key)))
        }
        _ => Some(Piece::Nothing),
    }
}

/// How long a stream may take to say what it is about.
const KNOWN_WITHIN: Duration = Duration::from_secs(5);

/// How long a message may take to be taken.
const TAKEN_WITHIN: Duration = Duration::from_secs(5);

/// How many messages may make no sense.
const MOST_NONSENSE: u32 = 50;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_twilio_says_is_understood() {
        let start = r#"{"event":"start","sequenceNumber":"1","streamSid":"MZ1","start":{
            "streamSid":"MZ1","accountSid":"AC1","callSid":"CA1","tracks":["inbound"],
            "mediaFormat":{"encoding":"audio/x-mulaw","sampleRate":8000,"channels":1},
            "customParameters":{"agent":"reception"}}}"#;
        let Some(Piece::Start(start)) = read(start, "") else { panic!("a start") };
        assert_eq!((start.call_sid.as_str(), start.account_sid.as_str()), ("CA1", "AC1"));
        assert_eq!(start.custom_parameters["agent"], "reception");
        let media = r#"{"event":"media","streamSid":"MZ1","media":{"track":"inbound",
            "chunk":"2","timestamp":"20","payload":"/38="}}"#;
        let Some(Piece::Said(Said::Sound(frame))) = read(media, "MZ1") else { panic!("a sound") };
        assert_eq!(frame.samples, [0, 0]);
        assert!(read(media, "MZ2").is_none(), "another stream");
        let key = r#"{"event":"dtmf","streamSid":"MZ1","dtmf":{"digit":"1"}}"#;
        assert!(matches!(read(key, "MZ1"), Some(Piece::Said(Said::Key('1')))));
        assert!(matches!(read(r#"{"event":"stop"}"#, "MZ1"), Some(Piece::Stop)));
        assert!(matches!(read(r#"{"event":"connected"}"#, ""), Some(Piece::Nothing)));
        for wrong in ["", "[]", "{}", r#"{"event":"media"}"#, r#"{"event":"start"}"#] {
            assert!(read(wrong, "MZ1").is_none(), "{wrong}");
        }
    }
}
