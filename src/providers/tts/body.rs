//! Speech as vendors send it over HTTP: samples in chunks that are cut anywhere, raw or as a WAV
//! file.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use reqwest::header::CONTENT_TYPE;
use reqwest::{RequestBuilder, Response};
use serde::Deserialize;
use tokio::time::timeout;

use super::sound::{Sound, Unplayable};
use crate::audio::frame::{Frame, Rate};
use crate::providers::error::ProviderError;
use crate::providers::http;

/// Who is asked, at which rate it speaks, how long it may keep silent, and how much it may say.
#[derive(Debug, Clone)]
pub(super) struct Speaker {
    pub provider: String,
    pub rate: Rate,
    pub timeout: Duration,
    /// In samples.
    pub most: usize,
}

impl Speaker {
    fn silent(&self) -> ProviderError {
        ProviderError::passing(&self.provider, "no answer in time")
    }

    fn unplayable(&self, why: Unplayable) -> ProviderError {
        ProviderError::passing(&self.provider, why.to_string())
    }

    async fn ask(&self, request: RequestBuilder) -> Result<Response, ProviderError> {
        let sent = timeout(self.timeout, request.send()).await.map_err(|_| self.silent())?;
        let response = sent.map_err(|why| http::broken(&self.provider, &why))?;
        match response.status().is_success() {
            true => Ok(response),
            false => Err(http::refused(&self.provider, response).await),
        }
    }
}

/// The most samples that a text can be: a slow speaker says seven letters in a second.
pub(super) fn most_samples(text: &str, rate: Rate) -> usize {
    let seconds = 10 + text.chars().count() / 2;
    seconds.saturating_mul(rate.0 as usize)
}

/// Sends a request and gives its answer as frames.
pub(super) fn frames(
    request: RequestBuilder,
    speaker: Speaker,
) -> BoxStream<'static, Result<Frame, ProviderError>> {
    let asking = async move {
        let response = speaker.ask(request).await?;
        let sound = Sound::of(content_type(&response), speaker.rate);
        let sound = sound.map_err(|why| speaker.unplayable(why))?;
        let body = response.bytes_stream().boxed();
        Ok(Reading { speaker, body, sound, samples: 0 })
    };
    stream::once(asking)
        .flat_map(|asked| match asked {
            Err(why) => stream::iter([Err(why)]).boxed(),
            Ok(reading) => stream::unfold(Some(reading), |reading| async {
                let mut reading = reading?;
                match reading.next().await? {
                    Ok(frame) => Some((Ok(frame), Some(reading))),
                    Err(why) => Some((Err(why), None)),
                }
            })
            .boxed(),
        })
        .boxed()
}

/// An answer being read.
struct Reading {
    speaker: Speaker,
    body: BoxStream<'static, Result<bytes::Bytes, reqwest::Error>>,
    sound: Sound,
    samples: usize,
}

impl Reading {
    async fn next(&mut self) -> Option<Result<Frame, ProviderError>> {
        let speaker = &self.speaker;
        loop {
            let chunk = match timeout(speaker.timeout, self.body.next()).await {
                Ok(Some(Ok(chunk))) => chunk,
                Ok(None) => return None,
                Ok(Some(Err(why))) => return Some(Err(http::broken(&speaker.provider, &why))),
                Err(_) => return Some(Err(speaker.silent())),
            };
            let frame = match self.sound.push(&chunk) {
                // Before the first sample, the rate is not known for certain.
                Ok(frame) if frame.samples.is_empty() => continue,
                Ok(frame) => frame,
                Err(why) => return Some(Err(speaker.unplayable(why))),
            };
            self.samples += frame.samples.len();
            if self.samples > speaker.most {
                return Some(Err(speaker.unplayable(Unplayable::Endless)));
            }
            return Some(Ok(frame));
        }
    }
}

/// Sends a request whose answer holds all the speech in base64, under `audioContent` in JSON.
pub(super) fn whole(
    request: RequestBuilder,
    speaker: Speaker,
) -> BoxStream<'static, Result<Frame, ProviderError>> {
    let asking = async move {
        let response = speaker.ask(request).await?;
        let nonsense = || ProviderError::passing(&speaker.provider, "is not in the protocol");
        // Base64 has four letters for three octets; a few more are the JSON and the header.
        let most = speaker.most.saturating_mul(8) / 3 + (1 << 10);
        let read = timeout(speaker.timeout, http::limited(response, most));
        let body = read.await.map_err(|_| speaker.silent())?;
        if body.len() > most {
            return Err(speaker.unplayable(Unplayable::Endless));
        }
        let answer: Whole = serde_json::from_slice(&body).map_err(|_| nonsense())?;
        let octets = STANDARD.decode(answer.audio_content).map_err(|_| nonsense())?;
        let mut sound = Sound::raw(speaker.rate);
        sound.push(&octets).map_err(|why| speaker.unplayable(why))
    };
    stream::once(asking).boxed()
}

#[derive(Deserialize)]
struct Whole {
    #[serde(rename = "audioContent")]
    audio_content: String,
}

fn content_type(response: &Response) -> &str {
    let found = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    found.unwrap_or_default()
}
