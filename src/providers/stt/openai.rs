//! Speech to text as OpenAI and its imitators give it: the whole turn at each pause, over HTTP.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::BoxFuture;
use reqwest::RequestBuilder;
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::agent::event::{PauseId, Transcript};
use crate::audio::frame::{Frame, Rate};
use crate::audio::wav;
use crate::base::secret::Secret;
use crate::providers::error::{ProviderError, Retry};
use crate::providers::http;
use crate::providers::stt::recording::Recording;
use crate::providers::stt::trouble::Trouble;
use crate::providers::transcriber::{Context, Heard, Listening, Transcriber};

/// A transcriber of OpenAI.
#[derive(Debug, Clone)]
pub struct OpenAiTranscriber {
    settings: Settings,
    client: reqwest::Client,
}

/// Where it is, and how it is asked.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The provider's name in the configuration.
    pub name: String,
    /// Up to and without the last slash: `https://api.openai.com/v1`.
    pub base_url: String,
    /// Sent as a bearer token.
    pub api_key: Option<Secret>,
    /// Further headers.
    pub headers: BTreeMap<String, Secret>,
    /// The model: `gpt-4o-mini-transcribe`.
    pub model: String,
    /// How long it may keep silent.
    pub timeout: Duration,
}

impl OpenAiTranscriber {
    /// Makes the transcriber; nothing is sent.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(settings: Settings) -> Result<Self, ProviderError> {
        let client = http::client(&settings.name)?;
        Ok(Self { settings, client })
    }

    fn authorised(&self, builder: RequestBuilder) -> RequestBuilder {
        http::authorised(builder, &self.settings.headers, self.settings.api_key.as_ref())
    }

    fn url(&self, path: &str) -> String {
        http::url(&self.settings.base_url, path)
    }

    async fn transcribe(
        &self,
        samples: Vec<i16>,
        context: &Context,
    ) -> Result<String, ProviderError> {
        let name = &self.settings.name;
        let boundary = format!("voxtrunk-{:016x}", samples.len());
        let body = form(&boundary, &self.fields(context), &Frame::new(Rate::WIDE, samples));
        let content_type = format!("multipart/form-data; boundary={boundary}");
        let request = self
            .authorised(self.client.post(self.url("/audio/transcriptions")))
            .header("Content-Type", content_type)
            .body(body);
        let silent = |_| ProviderError::passing(name, "no answer in time");
        let sent = timeout(self.settings.timeout, request.send()).await.map_err(silent)?;
        let response = sent.map_err(|why| http::broken(name, &why))?;
        if !response.status().is_success() {
            return Err(http::refused(name, response).await);
        }
        let read = timeout(self.settings.timeout, http::limited(response, LARGEST_ANSWER));
        let octets = read.await.map_err(silent)?;
        let answer: Answer = serde_json::from_slice(&octets)
            .map_err(|_| ProviderError::passing(name, "is not in the protocol"))?;
        Ok(answer.text.trim().to_owned())
    }

    fn fields(&self, context: &Context) -> Vec<(&'static str, String)> {
        let mut fields = vec![
            ("model", self.settings.model.clone()),
            ("language", context.language.primary().to_owned()),
            ("response_format", "json".to_owned()),
        ];
        if !context.key_terms.is_empty() {
            let terms: Vec<&str> =
                context.key_terms.iter().take(MOST_KEY_TERMS).map(String::as_str).collect();
            fields.push(("prompt", terms.join(", ")));
        }
        fields
    }
}

impl Transcriber for OpenAiTranscriber {
    fn warm_up(&self) -> BoxFuture<'_, Result<(), ProviderError>> {
        let sent = self.authorised(self.client.get(self.url("/models"))).timeout(WARM_UP_WITHIN);
        Box::pin(http::warmed(&self.settings.name, sent))
    }

    fn name(&self) -> Option<&str> {
        Some(&self.settings.model)
    }

    fn open(
        &self,
        context: Context,
        heard: mpsc::Sender<Heard>,
    ) -> BoxFuture<'_, Result<Box<dyn Listening>, ProviderError>> {
        let mut work = JoinSet::new();
        // The connection is opened while the phone still rings.
        let warm = self.clone();
        work.spawn(async move {
            if let Err(why) = warm.warm_up().await {
                tracing::debug!(%why, "the transcriber is not ready for the call");
            }
        });
        let recording = Recording::new(LONGEST_TURN, heard);
        let trouble = Trouble::default();
        let call = Call { transcriber: self.clone(), context, recording, work, trouble };
        Box::pin(async move { Ok(Box::new(call) as Box<dyn Listening>) })
    }
}

/// A call that is heard; dropping it ends the work.
struct Call {
    transcriber: OpenAiTranscriber,
    context: Context,
    recording: Recording,
    work: JoinSet<()>,
    trouble: Trouble,
}

impl Listening for Call {
    fn begin(&mut self) {
        self.recording.begin();
    }

    fn hear(&mut self, frame: &Frame) {
        self.recording.hear(frame);
    }

    fn finalize(&mut self, pause: PauseId) {
        // Whatever is under way covers less: its claim is void.
        self.work.abort_all();
        while self.work.try_join_next().is_some() {}
        let (samples, claim) = self.recording.claim(pause);
        let (transcriber, context) = (self.transcriber.clone(), self.context.clone());
        let trouble = self.trouble.clone();
        self.work.spawn(async move {
            let answered = answer(transcriber, context, &samples).await;
            match answered {
                Ok(text) => {
                    claim.answer(Transcript::Final { text, confidence: None, complete: false });
                }
                // The claim says so by itself.
                Err(why) => trouble.is(&why),
            }
        });
    }

    fn forget(&mut self) {
        self.recording.forget();
        self.work.abort_all();
    }

    fn trouble(&mut self) -> Option<ProviderError> {
        self.trouble.take()
    }
}

async fn answer(
    transcriber: OpenAiTranscriber,
    context: Context,
    samples: &[i16],
) -> Result<String, ProviderError> {
    if samples.len() < LEAST {
        return Ok(String::new());
    }
    match transcriber.transcribe(samples.to_vec(), &context).await {
        Err(why) if why.retry == Retry::Now => {
            transcriber.transcribe(samples.to_vec(), &context).await
        }
        heard => heard,
    }
}

/// A form with its fields and a file.
fn form(boundary: &str, fields: &[(&str, String)], clip: &Frame) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, value) in fields {
        // A value cannot end the part before its time: it has no line ends.
        let value: String = value.chars().filter(|letter| !letter.is_control()).collect();
        let part = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
        );
        body.extend_from_slice(part.as_bytes());
    }
    let head = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"turn.wav\"\r\n\
         Content-Type: audio/wav\r\n\r\n"
    );
    body.extend_from_slice(head.as_bytes());
    body.extend(wav::write(clip));
    body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    body
}

#[derive(Deserialize)]
struct Answer {
    text: String,
}

/// How much of a turn is kept.
const LONGEST_TURN: Duration = Duration::from_secs(60);

/// Less audio is refused by the vendor, in samples: 100 ms.
const LEAST: usize = 1_600;

/// The largest answer in octets.
const LARGEST_ANSWER: usize = 64 << 10;

/// The most words to expect.
const MOST_KEY_TERMS: usize = 50;

/// How long the warm-up may take.
const WARM_UP_WITHIN: Duration = Duration::from_secs(5);
