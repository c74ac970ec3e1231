//! Forms whose samples are binary: 16 bits, little-endian. What else they say is JSON, each in
//! words of its own; what any of them says is understood.

use serde::Deserialize;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::framing::{Framing, LONGEST_MARK, Nonsense, Said, Start};
use super::settings::Format;
use super::twilio::samples;
use crate::audio::frame::{Frame, Rate};
use crate::providers::websocket::Received;

/// A stream of binary samples.
#[derive(Debug)]
pub struct Linear {
    format: Format,
    rate: Rate,
    /// The first octet of a sample whose second one is still to come.
    half: Option<u8>,
}

/// A message of the other side.
#[derive(Deserialize)]
struct Heard {
    #[serde(rename = "type", alias = "event", alias = "command")]
    kind: String,
    #[serde(default)]
    data: Data,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Data {
    #[serde(alias = "audioContentType")]
    #[serde(rename = "audioDataType")]
    kind: Option<String>,
    #[serde(alias = "audioContent")]
    #[serde(rename = "audioData")]
    audio: Option<String>,
    #[serde(rename = "sampleRate")]
    rate: Option<Value>,
    name: Option<String>,
    #[serde(alias = "digits")]
    digit: Option<String>,
}

impl Linear {
    /// A stream that begins.
    pub fn new(format: Format, rate: Rate) -> Self {
        Self { format, rate, half: None }
    }

    /// Whole samples; half a one waits for the next message.
    fn whole(&mut self, octets: &[u8]) -> Vec<i16> {
        let octets: Vec<u8> = self.half.take().into_iter().chain(octets.iter().copied()).collect();
        let (whole, rest) = octets.as_chunks::<2>();
        self.half = rest.first().copied();
        whole.iter().map(|sample| i16::from_le_bytes(*sample)).collect()
    }

    fn command(&self, text: &str) -> Result<Option<Said>, Nonsense> {
        let heard: Heard = serde_json::from_str(text).map_err(|_| Nonsense)?;
        let data = heard.data;
        Ok(match heard.kind.as_str() {
            "streamAudio" | "playAudio" => Some(clip(&data, self.rate)?),
            "killAudio" | "clear" | "clearMarks" => Some(Said::Clear),
            "mark" => {
                let name = data.name.filter(|name| name.len() <= LONGEST_MARK);
                Some(Said::Mark(name.ok_or(Nonsense)?))
            }
            "dtmf" => Some(Said::Keys(data.digit.ok_or(Nonsense)?)),
            "disconnect" | "hangup" => Some(Said::HangUp),
            // A transcript, or what comes with a later version.
            _ => None,
        })
    }
}

impl Framing for Linear {
    fn rate(&self) -> Rate {
        self.rate
    }

    fn begin(&mut self, start: &Start, out: &mut Vec<Message>) {
        let told = match self.format {
            Format::Raw => return,
            Format::Jambonz => json!({
                "callSid": start.call,
                "accountSid": start.account,
                "direction": "inbound",
                "from": start.from,
                "to": start.to,
                "sampleRate": self.rate.0,
                "mixType": if start.both { "stereo" } else { "mono" },
                "metadata": start.parameters,
            }),
            Format::AudioStream | Format::AudioFork | Format::Twilio => json!({
                "call": start.call,
                "from": start.from,
                "to": start.to,
                "sampleRate": self.rate.0,
                "channels": if start.both { 2 } else { 1 },
                "metadata": start.parameters,
            }),
        };
        out.push(Message::text(told.to_string()));
    }

    fn sound(&mut self, caller: &[i16], ours: Option<&[i16]>, out: &mut Vec<Message>) {
        let octets: Vec<u8> = match ours {
            None => caller.iter().flat_map(|sample| sample.to_le_bytes()).collect(),
            Some(ours) => {
                let pairs = caller.iter().zip(ours);
                pairs
                    .flat_map(|(caller, ours)| [*caller, *ours])
                    .flat_map(i16::to_le_bytes)
                    .collect()
            }
        };
        out.push(Message::binary(octets));
    }

    fn key(&mut self, key: char) -> Option<Message> {
        let key = key.to_string();
        (self.format != Format::Raw).then(|| {
            let told = json!({ "event": "dtmf", "dtmf": key, "duration": DURATION });
            Message::text(told.to_string())
        })
    }

    fn marked(&mut self, name: &str) -> Option<Message> {
        (self.format != Format::Raw).then(|| {
            let told = json!({ "type": "mark", "data": { "name": name, "event": "playout" } });
            Message::text(told.to_string())
        })
    }

    fn end(&mut self) -> Option<Message> {
        None
    }

    fn read(&mut self, message: &Received) -> Result<Option<Said>, Nonsense> {
        match message {
            Received::Binary(octets) => {
                let samples = self.whole(octets);
                Ok((!samples.is_empty()).then(|| Said::Sound(Frame::new(self.rate, samples))))
            }
            Received::Text(_) if self.format == Format::Raw => Err(Nonsense),
            Received::Text(text) => self.command(text),
        }
    }
}

/// Samples in base64, at a rate that stands beside them as a number or a text.
fn clip(data: &Data, usual: Rate) -> Result<Said, Nonsense> {
    if data.kind.as_deref().is_some_and(|kind| !matches!(kind, "raw" | "l16" | "pcm")) {
        return Err(Nonsense);
    }
    let rate = match &data.rate {
        None => usual.0,
        Some(Value::String(text)) => text.parse().map_err(|_| Nonsense)?,
        Some(other) => other.as_u64().and_then(|it| u32::try_from(it).ok()).ok_or(Nonsense)?,
    };
    if !(8_000..=48_000).contains(&rate) {
        return Err(Nonsense);
    }
    let octets = samples(data.audio.as_deref().ok_or(Nonsense)?)?;
    let (whole, _) = octets.as_chunks::<2>();
    let samples = whole.iter().map(|sample| i16::from_le_bytes(*sample)).collect();
    Ok(Said::Sound(Frame::new(Rate(rate), samples)))
}

/// How long a key was pressed, in steps of 1/8000 s: we are told of presses, not of releases.
const DURATION: &str = "1600";

#[cfg(test)]
mod tests {
    use super::*;

    fn hear(linear: &mut Linear, text: &str) -> Result<Option<Said>, Nonsense> {
        linear.read(&Received::Text(text.into()))
    }

    #[test]
    fn each_form_is_understood_in_its_own_words() {
        let mut linear = Linear::new(Format::AudioStream, Rate::WIDE);
        let said = hear(
            &mut linear,
            r#"{"type":"streamAudio","data":{"audioDataType":"raw","sampleRate":8000,"audioData":"AQACAA=="}}"#,
        );
        assert_eq!(said, Ok(Some(Said::Sound(Frame::new(Rate::NARROW, vec![1, 2])))));
        let mut linear = Linear::new(Format::AudioFork, Rate::NARROW);
        let said = hear(
            &mut linear,
            r#"{"type":"playAudio","data":{"audioContent":"AQA=","audioContentType":"raw","sampleRate":"16000"}}"#,
        );
        assert_eq!(said, Ok(Some(Said::Sound(Frame::new(Rate::WIDE, vec![1])))));
        assert_eq!(hear(&mut linear, r#"{"type":"killAudio"}"#), Ok(Some(Said::Clear)));
        assert_eq!(hear(&mut linear, r#"{"type":"disconnect"}"#), Ok(Some(Said::HangUp)));
        assert_eq!(hear(&mut linear, r#"{"type":"transcription","data":{}}"#), Ok(None));
        for wrong in [
            r#"{"type":"playAudio"}"#,
            r#"{"type":"playAudio","data":{"audioContent":"AQA=","audioContentType":"mp3"}}"#,
            r#"{"type":"playAudio","data":{"audioContent":"AQA=","sampleRate":1}}"#,
            "hello",
        ] {
            assert_eq!(hear(&mut linear, wrong), Err(Nonsense), "{wrong}");
        }
        let mut raw = Linear::new(Format::Raw, Rate::WIDE);
        assert!(hear(&mut raw, r#"{"type":"killAudio"}"#).is_err());
    }

    #[test]
    fn both_sides_stand_beside_each_other() {
        let (mut linear, mut out) = (Linear::new(Format::Jambonz, Rate::NARROW), Vec::new());
        linear.begin(&Start { both: true, ..Start::default() }, &mut out);
        let told: Value = serde_json::from_str(out[0].to_text().expect("a text")).expect("JSON");
        assert_eq!((&told["mixType"], &told["sampleRate"]), (&json!("stereo"), &json!(8_000)));
        linear.sound(&[1, 2], Some(&[3, 4]), &mut out);
        assert_eq!(out[1], Message::binary(vec![1, 0, 3, 0, 2, 0, 4, 0]));
        assert!(linear.key('5').is_some() && linear.marked("x").is_some());
    }
}
