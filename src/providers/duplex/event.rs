//! What OpenAI's realtime model says, as far as it matters here, and what is sent to it. The names
//! are those of its general release.

use serde::Deserialize;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::base::price::{Amount, Unit};
use crate::providers::error::ProviderError;
use crate::providers::http;

/// What the vendor says. Kinds of messages and keys that are not named are left alone.
#[derive(Deserialize)]
#[serde(tag = "type")]
pub(super) enum Incoming {
    #[serde(rename = "input_audio_buffer.committed")]
    Committed { item_id: String, previous_item_id: Option<String> },
    #[serde(rename = "conversation.item.input_audio_transcription.delta")]
    Heard { item_id: String, delta: String },
    #[serde(rename = "conversation.item.input_audio_transcription.completed")]
    Transcribed { item_id: String, transcript: String },
    #[serde(rename = "conversation.item.input_audio_transcription.failed")]
    Unheard { item_id: String },
    #[serde(rename = "response.created")]
    Created { response: Response },
    #[serde(rename = "response.output_item.added")]
    Added { response_id: String, item: Item },
    #[serde(rename = "response.output_item.done")]
    ItemDone { response_id: String, item: Item },
    #[serde(rename = "response.output_audio.delta")]
    Sound { response_id: String, item_id: String, delta: String },
    #[serde(rename = "response.output_audio_transcript.delta")]
    Words { response_id: String, delta: String },
    #[serde(rename = "response.done")]
    Done { response: Response },
    #[serde(rename = "error")]
    Error { error: Problem },
    #[serde(other)]
    Other,
}

/// An answer, as the vendor knows it.
#[derive(Deserialize)]
pub(super) struct Response {
    pub id: String,
    #[serde(default)]
    pub status: Option<String>,
    #[serde(default)]
    pub status_details: Option<Details>,
    #[serde(default)]
    pub metadata: Option<Metadata>,
    #[serde(default)]
    pub usage: Option<Usage>,
}

/// What an answer took, in tokens.
#[derive(Deserialize)]
pub(super) struct Usage {
    #[serde(default)]
    input_token_details: Kinds,
    #[serde(default)]
    output_token_details: Kinds,
}

/// Tokens of words and of sounds, and those of both that were read before.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Kinds {
    text_tokens: u64,
    audio_tokens: u64,
    cached_tokens: u64,
    cached_tokens_details: Option<Box<Kinds>>,
}

impl Usage {
    /// How much of what.
    pub fn amounts(&self) -> Vec<Amount> {
        let (read, written) = (&self.input_token_details, &self.output_token_details);
        let cached = read.cached_tokens_details.as_deref();
        let (words, sounds) = cached.map_or((0, 0), |it| (it.text_tokens, it.audio_tokens));
        let all = [
            (Unit::InputTokens, read.text_tokens.saturating_sub(words)),
            (Unit::AudioInputTokens, read.audio_tokens.saturating_sub(sounds)),
            (Unit::CachedTokens, words.saturating_add(sounds).min(read.cached_tokens)),
            (Unit::OutputTokens, written.text_tokens),
            (Unit::AudioOutputTokens, written.audio_tokens),
        ];
        let all = all.into_iter().filter(|(_, count)| *count > 0);
        all.map(|(unit, count)| Amount { unit, count }).collect()
    }
}

/// Why an answer ended.
#[derive(Deserialize)]
pub(super) struct Details {
    #[serde(default)]
    pub error: Option<Problem>,
}

/// What we wrote on an answer when we asked for it.
#[derive(Deserialize)]
pub(super) struct Metadata {
    #[serde(default)]
    pub asked: Option<String>,
}

/// Something in the vendor's conversation.
#[derive(Deserialize)]
pub(super) struct Item {
    pub id: String,
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(default)]
    pub call_id: Option<String>,
    #[serde(default)]
    pub name: Option<String>,
    #[serde(default)]
    pub arguments: Option<String>,
}

/// What is wrong.
#[derive(Deserialize)]
pub(super) struct Problem {
    #[serde(default)]
    pub code: Option<String>,
    #[serde(default)]
    pub event_id: Option<String>,
}

impl Problem {
    /// What follows from it. The vendor's sentence, in which anything may stand, is not told.
    pub fn meaning(&self, provider: &str) -> ProviderError {
        let code = self.code.as_deref().filter(|code| http::is_plain(code)).unwrap_or("an error");
        if LASTING.contains(&code) {
            return ProviderError::lasting(provider, format!("does not answer: {code}"));
        }
        ProviderError::passing(provider, format!("says {code}"))
    }

    /// Whether the socket is of no use any more.
    pub fn is_fatal(&self) -> bool {
        let code = self.code.as_deref().unwrap_or_default();
        LASTING.contains(&code) || code == "session_expired"
    }
}

/// A message to the vendor.
pub(super) fn message(value: &Value) -> Message {
    Message::text(value.to_string())
}

/// A thing that the vendor should put into its conversation behind `after`, where `"root"` is its
/// beginning and nothing its end.
pub(super) fn put(item: &Value, after: Option<&str>) -> Message {
    let mut value = json!({ "type": "conversation.item.create", "item": item });
    if let Some(after) = after {
        value["previous_item_id"] = json!(after);
    }
    message(&value)
}

/// A thing that the vendor should take out of its conversation.
pub(super) fn take_out(item: &str) -> Message {
    message(&json!({ "type": "conversation.item.delete", "item_id": item }))
}

/// So much of the sound of a thing was heard.
pub(super) fn truncate(item: &str, millis: u64) -> Message {
    message(&json!({ "type": "conversation.item.truncate", "item_id": item, "content_index": 0,
        "audio_end_ms": millis }))
}

/// An answer is not wanted any more.
pub(super) fn cancel(response: Option<&str>) -> Message {
    let mut value = json!({ "type": "response.cancel" });
    if let Some(response) = response {
        value["response_id"] = json!(response);
    }
    message(&value)
}

/// Codes of errors that another socket does not mend.
const LASTING: [&str; 3] = ["invalid_api_key", "model_not_found", "insufficient_quota"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_before_is_counted_apart() {
        let usage = json!({
            "total_tokens": 300,
            "input_token_details": { "text_tokens": 100, "audio_tokens": 60, "cached_tokens": 50,
                "cached_tokens_details": { "text_tokens": 40, "audio_tokens": 10 } },
            "output_token_details": { "text_tokens": 30, "audio_tokens": 110 },
        });
        let usage: Usage = serde_json::from_value(usage).expect("JSON");
        let counts: Vec<(Unit, u64)> =
            usage.amounts().iter().map(|it| (it.unit, it.count)).collect();
        let expected = [
            (Unit::InputTokens, 60),
            (Unit::AudioInputTokens, 50),
            (Unit::CachedTokens, 50),
            (Unit::OutputTokens, 30),
            (Unit::AudioOutputTokens, 110),
        ];
        assert_eq!(counts, expected);
        let nothing: Usage = serde_json::from_value(json!({ "total_tokens": 9 })).expect("JSON");
        assert_eq!(nothing.amounts(), []);
    }
}
