//! OpenAI's transcriptions over a socket: audio goes there as it is said, and each pause commits
//! what was not yet committed.

use std::collections::VecDeque;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::BoxFuture;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;

use super::openai::Settings;
use super::socket::{Calls, Dialect, Out};
use super::words::join;
use crate::agent::event::{PauseId, Transcript};
use crate::audio::frame::Rate;
use crate::audio::resample::Resampler;
use crate::base::secret::ExposeSecret;
use crate::providers::error::ProviderError;
use crate::providers::http;
use crate::providers::transcriber::{Context, Heard, Listening, Transcriber};
use crate::providers::websocket::{self, Dial};

/// A transcriber of OpenAI that hears in streams.
#[derive(Debug)]
pub struct RealtimeTranscriber {
    settings: Settings,
    client: reqwest::Client,
    calls: Calls,
}

impl RealtimeTranscriber {
    /// Makes the transcriber; nothing is sent.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(settings: Settings) -> Result<Self, ProviderError> {
        let client = http::client(&settings.name)?;
        Ok(Self { settings, client, calls: Calls::default() })
    }

    fn dial(&self) -> Result<Dial, ProviderError> {
        let Settings { name, base_url, api_key, headers, .. } = &self.settings;
        let query = [("intent", "transcription".to_owned())];
        let url = websocket::address(name, (base_url, "/realtime"), &query)?;
        let mut shown: Vec<_> =
            headers.iter().map(|(it, value)| (it.clone(), value.clone())).collect();
        if let Some(key) = api_key {
            let token = format!("Bearer {}", key.expose_secret());
            shown.push(("Authorization".to_owned(), token.into()));
        }
        Ok(Dial { provider: name.clone(), url, headers: shown })
    }

    /// What is to be heard, and how.
    fn session(&self, context: &Context) -> String {
        let mut transcription = json!({
            "model": self.settings.model,
            "language": context.language.primary(),
        });
        if !context.key_terms.is_empty() {
            let terms: Vec<&str> =
                context.key_terms.iter().take(MOST_KEY_TERMS).map(String::as_str).collect();
            transcription["prompt"] = json!(terms.join(", "));
        }
        let input = json!({
            "format": { "type": "audio/pcm", "rate": THEIRS.0 },
            "transcription": transcription,
            // We say ourselves when the caller pauses.
            "turn_detection": null,
        });
        let session = json!({ "type": "transcription", "audio": { "input": input } });
        json!({ "type": "session.update", "session": session }).to_string()
    }
}

impl Transcriber for RealtimeTranscriber {
    fn warm_up(&self) -> BoxFuture<'_, Result<(), ProviderError>> {
        let Settings { name, base_url, api_key, headers, .. } = &self.settings;
        let request = self.client.get(http::url(base_url, "/models")).timeout(WARM_UP_WITHIN);
        Box::pin(http::warmed(name, http::authorised(request, headers, api_key.as_ref())))
    }

    fn name(&self) -> Option<&str> {
        Some(&self.settings.model)
    }

    fn open(
        &self,
        context: Context,
        heard: mpsc::Sender<Heard>,
    ) -> BoxFuture<'_, Result<Box<dyn Listening>, ProviderError>> {
        match self.dial() {
            Ok(dial) => self.calls.open(Stream::new(dial, self.session(&context)), heard),
            Err(why) => Box::pin(async { Err(why) }),
        }
    }
}

/// The interface towards one call.
struct Stream {
    dial: Dial,
    session: String,
    resampler: Resampler,
    /// How many samples were sent since the last commit.
    open: usize,
    /// What was committed and is not yet certain, in order.
    commits: VecDeque<Commit>,
    /// How many commits the vendor has still to name that belong to no turn of ours.
    strays: usize,
    /// The certain words of the turn.
    text: String,
    pause: PauseId,
    asked: bool,
}

/// A stretch of audio that the vendor makes a text of.
#[derive(Default)]
struct Commit {
    /// What the vendor calls it.
    item: Option<String>,
    samples: usize,
    text: String,
    is_certain: bool,
}

impl Stream {
    fn new(dial: Dial, session: String) -> Self {
        Self {
            dial,
            session,
            resampler: Resampler::new(Rate::WIDE, THEIRS),
            open: 0,
            commits: VecDeque::new(),
            strays: 0,
            text: String::new(),
            pause: PauseId::default(),
            asked: false,
        }
    }

    fn commit(&mut self, item: &str) -> Option<&mut Commit> {
        self.commits.iter_mut().find(|commit| commit.item.as_deref() == Some(item))
    }

    /// What is certain from the front on joins the words of the turn.
    fn settle(&mut self, out: &mut Out) {
        while let Some(commit) = self.commits.pop_front_if(|commit| commit.is_certain) {
            out.settled += commit.samples;
            join(&mut self.text, &commit.text);
        }
        if self.asked && self.commits.is_empty() {
            self.answer(out);
        }
    }

    fn answer(&mut self, out: &mut Out) {
        self.asked = false;
        let text = self.words();
        let transcript = Transcript::Final { text, confidence: None, complete: false };
        out.tell.push(Heard { pause: self.pause, transcript });
    }

    fn words(&self) -> String {
        let mut text = self.text.clone();
        self.commits.iter().for_each(|commit| join(&mut text, &commit.text));
        text
    }

    /// The vendor has a name for what was committed, in the order of the commits.
    fn named(&mut self, item: String) {
        if self.strays > 0 {
            self.strays -= 1;
        } else if let Some(commit) = self.commits.iter_mut().find(|it| it.item.is_none()) {
            commit.item = Some(item);
        }
    }
}

impl Dialect for Stream {
    fn dial(&self) -> Dial {
        self.dial.clone()
    }

    fn greeting(&self) -> Option<Message> {
        Some(Message::text(self.session.clone()))
    }

    fn opened(&mut self) {
        self.resampler = Resampler::new(Rate::WIDE, THEIRS);
        (self.open, self.strays) = (0, 0);
        self.commits.clear();
    }

    fn begin(&mut self) {
        self.text.clear();
        self.asked = false;
    }

    fn hear(&mut self, samples: &[i16], out: &mut Out) {
        self.open += samples.len();
        let mut theirs = Vec::with_capacity(samples.len() * 3);
        self.resampler.push(samples, &mut theirs);
        let octets: Vec<u8> = theirs.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        let append =
            json!({ "type": "input_audio_buffer.append", "audio": STANDARD.encode(octets) });
        out.send.push(Message::text(append.to_string()));
    }

    fn finalize(&mut self, pause: PauseId, out: &mut Out) {
        self.pause = pause;
        if self.open >= LEAST {
            let samples = std::mem::take(&mut self.open);
            self.commits.push_back(Commit { samples, ..Commit::default() });
            out.send.push(Message::text("{\"type\":\"input_audio_buffer.commit\"}"));
        }
        if self.commits.is_empty() {
            return self.answer(out);
        }
        self.asked = true;
        out.wake = Some(TEXT_WITHIN);
    }

    fn forget(&mut self, out: &mut Out) {
        self.asked = false;
        self.text.clear();
        let unnamed = self.commits.iter().filter(|commit| commit.item.is_none()).count();
        self.strays += unnamed;
        self.commits.clear();
        if std::mem::take(&mut self.open) > 0 {
            out.send.push(Message::text("{\"type\":\"input_audio_buffer.clear\"}"));
        }
    }

    fn received(&mut self, text: &str, out: &mut Out) -> Result<(), ProviderError> {
        let name = self.dial.provider.clone();
        let broken = |_| ProviderError::passing(&name, "is not in the protocol");
        match serde_json::from_str(text).map_err(broken)? {
            Incoming::Committed { item_id } => self.named(item_id),
            Incoming::Delta { item_id, delta } => {
                let Some(commit) = self.commit(&item_id) else { return Ok(()) };
                if commit.text.len() + delta.len() <= LONGEST_TEXT {
                    commit.text.push_str(&delta);
                }
                let transcript = Transcript::Partial { text: self.words() };
                out.tell.push(Heard { pause: self.pause, transcript });
            }
            Incoming::Completed { item_id, transcript } => {
                let Some(commit) = self.commit(&item_id) else { return Ok(()) };
                (commit.text, commit.is_certain) = (transcript, true);
                self.settle(out);
            }
            Incoming::Failed { item_id } => {
                if self.commit(&item_id).is_some() {
                    // Another socket hears it again.
                    return Err(ProviderError::passing(&name, "could not transcribe"));
                }
            }
            Incoming::Error { error } => {
                let code = error.code.filter(|code| http::is_plain(code)).unwrap_or_default();
                return Err(match LASTING.contains(&code.as_str()) {
                    true => ProviderError::lasting(&name, format!("does not hear: {code}")),
                    false => ProviderError::passing(&name, format!("says {code}")),
                });
            }
            Incoming::Other => {}
        }
        Ok(())
    }

    fn wake(&mut self, out: &mut Out) {
        if !self.asked {
            return;
        }
        if self.words().is_empty() {
            self.asked = false;
            return out.tell.push(Heard { pause: self.pause, transcript: Transcript::Failed });
        }
        self.answer(out);
    }

    fn idle(&mut self) -> Message {
        Message::Ping(bytes::Bytes::new())
    }

    fn goodbye(&self) -> Message {
        Message::Close(None)
    }
}

/// What the vendor says. Kinds of messages and keys that are not named are left alone.
#[derive(Deserialize)]
#[serde(tag = "type")]
enum Incoming {
    #[serde(rename = "input_audio_buffer.committed")]
    Committed { item_id: String },
    #[serde(rename = "conversation.item.input_audio_transcription.delta")]
    Delta { item_id: String, delta: String },
    #[serde(rename = "conversation.item.input_audio_transcription.completed")]
    Completed { item_id: String, transcript: String },
    #[serde(rename = "conversation.item.input_audio_transcription.failed")]
    Failed { item_id: String },
    #[serde(rename = "error")]
    Error { error: Problem },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Problem {
    code: Option<String>,
}

/// The rate that the vendor wants.
const THEIRS: Rate = Rate(24_000);

/// Less audio is refused by the vendor, in samples: 100 ms.
const LEAST: usize = 1_600;

/// How long the text of a pause may take.
const TEXT_WITHIN: Duration = Duration::from_secs(3);

/// The longest text of one stretch in octets.
const LONGEST_TEXT: usize = 64 << 10;

/// The most words to expect.
const MOST_KEY_TERMS: usize = 50;

/// Codes of errors that another socket does not mend.
const LASTING: [&str; 3] = ["invalid_api_key", "model_not_found", "insufficient_quota"];

/// How long the warm-up may take.
const WARM_UP_WITHIN: Duration = Duration::from_secs(5);
