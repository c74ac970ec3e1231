//! Twilio Media Streams: every message is JSON, samples are µ-law at 8 kHz in base64, and all
//! numbers are texts.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::framing::{Framing, LONGEST_MARK, Nonsense, Said, Start};
use crate::audio::frame::{Frame, Rate};
use crate::audio::g711;
use crate::providers::websocket::Received;

/// A Twilio Media Stream, as the side that has the call sends and reads it.
#[derive(Debug, Default)]
pub struct Twilio {
    stream: String,
    account: String,
    call: String,
    sequence: u64,
    /// Chunks of each track that were sent, and the samples in them.
    chunks: u64,
    samples: u64,
}

/// A message of the other side.
#[derive(Deserialize)]
struct Heard {
    event: String,
    #[serde(rename = "streamSid")]
    stream: Option<String>,
    media: Option<Media>,
    mark: Option<Mark>,
    dtmf: Option<Dtmf>,
}

#[derive(Deserialize)]
struct Media {
    payload: String,
}

#[derive(Deserialize)]
struct Mark {
    name: String,
}

#[derive(Deserialize)]
struct Dtmf {
    #[serde(alias = "digits")]
    digit: String,
}

impl Twilio {
    /// A message with what all but the first have.
    fn numbered(&mut self, event: &str, body: Value) -> Message {
        self.sequence += 1;
        let mut message = json!({
            "event": event,
            "sequenceNumber": self.sequence.to_string(),
            "streamSid": self.stream,
        });
        message[event] = body;
        Message::text(message.to_string())
    }

    fn media(&mut self, track: &str, samples: &[i16]) -> Message {
        let codes: Vec<u8> = samples.iter().map(|it| g711::linear_to_ulaw(*it)).collect();
        let body = json!({
            "track": track,
            "chunk": (self.chunks + 1).to_string(),
            "timestamp": (self.samples * 1_000 / u64::from(Rate::NARROW.0)).to_string(),
            "payload": BASE64_STANDARD.encode(codes),
        });
        self.numbered("media", body)
    }
}

impl Framing for Twilio {
    fn rate(&self) -> Rate {
        Rate::NARROW
    }

    fn begin(&mut self, start: &Start, out: &mut Vec<Message>) {
        self.stream = format!("MZ{}", start.stream);
        self.call = format!("CA{}", start.call_digits);
        self.account.clone_from(&start.account);
        let connected = json!({ "event": "connected", "protocol": "Call", "version": "1.0.0" });
        out.push(Message::text(connected.to_string()));
        let tracks: &[&str] = if start.both { &["inbound", "outbound"] } else { &["inbound"] };
        let body = json!({
            "streamSid": self.stream,
            "accountSid": self.account,
            "callSid": self.call,
            "tracks": tracks,
            "mediaFormat": { "encoding": "audio/x-mulaw", "sampleRate": 8_000, "channels": 1 },
            "customParameters": start.parameters,
        });
        let message = self.numbered("start", body);
        out.push(message);
    }

    fn sound(&mut self, caller: &[i16], ours: Option<&[i16]>, out: &mut Vec<Message>) {
        out.push(self.media("inbound", caller));
        if let Some(ours) = ours {
            out.push(self.media("outbound", ours));
        }
        self.chunks += 1;
        self.samples += caller.len() as u64;
    }

    fn key(&mut self, key: char) -> Option<Message> {
        let body = json!({ "track": "inbound_track", "digit": key.to_string() });
        Some(self.numbered("dtmf", body))
    }

    fn marked(&mut self, name: &str) -> Option<Message> {
        Some(self.numbered("mark", json!({ "name": name })))
    }

    fn end(&mut self) -> Option<Message> {
        let body = json!({ "accountSid": self.account, "callSid": self.call });
        Some(self.numbered("stop", body))
    }

    fn read(&mut self, message: &Received) -> Result<Option<Said>, Nonsense> {
        let Received::Text(text) = message else { return Err(Nonsense) };
        let heard: Heard = serde_json::from_str(text).map_err(|_| Nonsense)?;
        if heard.stream.is_some_and(|stream| stream != self.stream) {
            // It means another call.
            return Err(Nonsense);
        }
        match heard.event.as_str() {
            "media" => {
                let codes = samples(&heard.media.ok_or(Nonsense)?.payload)?;
                let samples = codes.into_iter().map(g711::ulaw_to_linear).collect();
                Ok(Some(Said::Sound(Frame::new(Rate::NARROW, samples))))
            }
            "mark" => {
                let name = heard.mark.ok_or(Nonsense)?.name;
                (name.len() <= LONGEST_MARK).then_some(Some(Said::Mark(name))).ok_or(Nonsense)
            }
            "clear" => Ok(Some(Said::Clear)),
            "dtmf" => Ok(Some(Said::Keys(heard.dtmf.ok_or(Nonsense)?.digit))),
            // What comes with a later version is none of our business.
            _ => Ok(None),
        }
    }
}

/// Octets in base64; some leave out the padding.
pub(super) fn samples(text: &str) -> Result<Vec<u8>, Nonsense> {
    let config =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    GeneralPurpose::new(&alphabet::STANDARD, config).decode(text).map_err(|_| Nonsense)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begun() -> (Twilio, Vec<Value>) {
        let start = Start {
            stream: "a".repeat(32),
            call_digits: "b".repeat(32),
            account: "AC1".to_owned(),
            parameters: [("agent".to_owned(), "reception".to_owned())].into(),
            ..Start::default()
        };
        let (mut twilio, mut out) = (Twilio::default(), Vec::new());
        twilio.begin(&start, &mut out);
        (twilio, out.iter().map(read).collect())
    }

    fn read(message: &Message) -> Value {
        serde_json::from_str(message.to_text().expect("a text")).expect("JSON")
    }

    fn hear(twilio: &mut Twilio, text: &str) -> Result<Option<Said>, Nonsense> {
        twilio.read(&Received::Text(text.into()))
    }

    #[test]
    fn a_stream_begins_as_bots_expect_it() {
        let (mut twilio, said) = begun();
        assert_eq!(said[0]["event"], "connected");
        assert_eq!(said[1]["event"], "start");
        assert_eq!(said[1]["sequenceNumber"], "1");
        let start = &said[1]["start"];
        assert_eq!(start["streamSid"], said[1]["streamSid"]);
        assert_eq!(start["customParameters"]["agent"], "reception");
        assert_eq!(start["tracks"], json!(["inbound"]));
        assert_eq!(start["mediaFormat"]["encoding"], "audio/x-mulaw");
        let mut out = Vec::new();
        twilio.sound(&[0; 160], None, &mut out);
        twilio.sound(&[0; 160], None, &mut out);
        let media = read(&out[1]);
        assert_eq!(media["sequenceNumber"], "3");
        assert_eq!(media["media"]["chunk"], "2");
        assert_eq!(media["media"]["timestamp"], "20");
        assert_eq!(media["media"]["track"], "inbound");
        let payload = media["media"]["payload"].as_str().expect("a text");
        assert_eq!(samples(payload).expect("base64"), [0xff; 160]);
        let key = read(&twilio.key('#').expect("it is told"));
        assert_eq!(key["dtmf"], json!({ "track": "inbound_track", "digit": "#" }));
        let stop = read(&twilio.end().expect("it is told"));
        assert_eq!((&stop["event"], &stop["stop"]["accountSid"]), (&json!("stop"), &json!("AC1")));
    }

    #[test]
    fn a_bot_speaks_marks_and_clears() {
        let (mut twilio, _) = begun();
        let sid = format!("MZ{}", "a".repeat(32));
        let said = hear(
            &mut twilio,
            &format!(r#"{{"event":"media","streamSid":"{sid}","media":{{"payload":"/w"}}}}"#),
        );
        assert_eq!(said, Ok(Some(Said::Sound(Frame::new(Rate::NARROW, vec![0])))));
        let mark = r#"{"event":"mark","mark":{"name":"turn-3"}}"#;
        assert_eq!(hear(&mut twilio, mark), Ok(Some(Said::Mark("turn-3".to_owned()))));
        assert_eq!(hear(&mut twilio, r#"{"event":"clear"}"#), Ok(Some(Said::Clear)));
        assert_eq!(hear(&mut twilio, r#"{"event":"novelty","x":1}"#), Ok(None));
        for wrong in [
            "",
            "[]",
            "{}",
            r#"{"event":"media"}"#,
            r#"{"event":"media","media":{"payload":"***"}}"#,
            r#"{"event":"clear","streamSid":"MZother"}"#,
        ] {
            assert_eq!(hear(&mut twilio, wrong), Err(Nonsense), "{wrong}");
        }
        assert!(twilio.read(&Received::Binary(vec![0; 320].into())).is_err());
    }
}
