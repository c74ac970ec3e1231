//! Language models of Google: Gemini.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::agent::conversation::{Message, Request};
use crate::agent::event::Delta;
use crate::agent::tool::{Tool, ToolCall, ToolResult};
use crate::providers::error::ProviderError;
use crate::providers::http;
use crate::providers::llm::answer::{self, Fault, Fragments, Tokens, said};
use crate::providers::llm::settings::WARM_UP_WITHIN;
use crate::providers::llm::sides::{Sides, told};
use crate::providers::model::Model;

pub use crate::providers::llm::settings::Settings;

/// A language model of Google.
#[derive(Debug, Clone)]
pub struct Gemini {
    settings: Settings,
    client: reqwest::Client,
    signatures: Arc<Signatures>,
}

impl Gemini {
    /// Makes the model; nothing is sent.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(settings: Settings) -> Result<Self, ProviderError> {
        let client = http::client(&settings.name)?;
        Ok(Self { settings, client, signatures: Arc::default() })
    }

    fn body(&self, request: &Request) -> Value {
        let mut generation = json!({ "maxOutputTokens": self.settings.max_tokens });
        if let Some(thinking) = thinking(&self.settings.model) {
            generation["thinkingConfig"] = thinking;
        }
        if let Some(temperature) = self.settings.temperature {
            generation["temperature"] = json!(temperature);
        }
        let mut body = json!({
            "systemInstruction": { "parts": [text_part(&request.instructions)] },
            "contents": self.contents(request),
            "generationConfig": generation,
        });
        if !request.tools.is_empty() {
            let tools: Vec<Value> = request.tools.iter().map(tool).collect();
            body["tools"] = json!([{ "functionDeclarations": tools }]);
        }
        body
    }

    /// The conversation as the vendor wants it: the caller begins, and the sides alternate.
    fn contents(&self, request: &Request) -> Vec<Value> {
        let mut sides = Sides::new("parts", text_part);
        let mut names: VecDeque<(&str, &str)> = VecDeque::new();
        for message in &request.messages {
            match message {
                Message::Caller { text, keys } => sides.add("user", text_part(&said(text, keys))),
                Message::Agent { text, interrupted } => {
                    if let Some(text) = told(text, *interrupted) {
                        sides.add("model", text_part(&text));
                    }
                }
                Message::ToolCall(call) => {
                    names.push_back((&call.id, &call.name));
                    sides.add("model", self.call_part(call));
                }
                Message::ToolResult(result) => {
                    let name = names.iter().rev().find(|(id, _)| *id == result.id);
                    let name = name.map_or("unknown", |(_, name)| name);
                    sides.add("user", result_part(name, result));
                }
            }
        }
        sides.messages()
    }

    /// A call of a tool, with the mark that the model put on it: newer models refuse a
    /// conversation without.
    fn call_part(&self, call: &ToolCall) -> Value {
        let args: Value = serde_json::from_str(&call.arguments).unwrap_or_else(|_| json!({}));
        let mut part =
            json!({ "functionCall": { "id": call.id, "name": call.name, "args": args } });
        if let Some(signature) = self.signatures.of(&call.id) {
            part["thoughtSignature"] = json!(signature);
        } else if wants_signatures(&self.settings.model) {
            part["thoughtSignature"] = json!(SOMEBODY_ELSES);
        }
        part
    }
}

impl Model for Gemini {
    fn warm_up(&self) -> BoxFuture<'_, Result<(), ProviderError>> {
        let url = self.settings.url("/v1beta/models?pageSize=1");
        let request = self.settings.in_header(self.client.get(url), KEY).timeout(WARM_UP_WITHIN);
        Box::pin(http::warmed(&self.settings.name, request))
    }

    fn call_begins(&self) -> BoxFuture<'_, Result<(), ProviderError>> {
        self.warm_up()
    }

    fn name(&self) -> Option<&str> {
        Some(&self.settings.model)
    }

    fn think(&self, request: Request) -> BoxStream<'static, Result<Delta, ProviderError>> {
        let model = http::in_path(&self.settings.model);
        let url = format!("/v1beta/models/{model}:streamGenerateContent?alt=sse");
        let builder = self.client.post(self.settings.url(&url));
        let asked = self.settings.in_header(builder, KEY).json(&self.body(&request));
        let reader = Reader {
            tools: Fragments::default(),
            called: 0,
            finished: false,
            taken: Tokens::default(),
            told: Tokens::default(),
            signatures: self.signatures.clone(),
        };
        answer::stream(self.settings.asked(asked), reader)
    }
}

/// What keeps a model from thinking before it answers, as far as it can be kept: nobody waits for
/// that on a telephone.
fn thinking(model: &str) -> Option<Value> {
    if !wants_signatures(model) {
        let budget = match model {
            model if model.starts_with("gemini-2.5-pro") => 128,
            model if model.starts_with("gemini-2.5") => 0,
            _ => return None,
        };
        return Some(json!({ "thinkingBudget": budget }));
    }
    let level = if model.contains("flash") { "MINIMAL" } else { "LOW" };
    Some(json!({ "thinkingLevel": level }))
}

/// Whether a model is of the third generation or newer.
fn wants_signatures(model: &str) -> bool {
    !["gemini-1", "gemini-2", "gemma"].iter().any(|older| model.starts_with(older))
}

/// The marks on calls of tools, by the identity of the call; the oldest are forgotten.
#[derive(Debug, Default)]
struct Signatures(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    signatures: VecDeque<(String, String)>,
    /// How many calls were given an identity of ours.
    calls: u64,
}

impl Signatures {
    /// Keeps the mark on a call; gives the call's identity, which the vendor may leave out.
    fn keep(&self, id: Option<String>, signature: Option<String>) -> String {
        let mut kept = self.lock();
        let id = id.filter(|id| !id.is_empty()).unwrap_or_else(|| {
            kept.calls += 1;
            format!("gemini_{}", kept.calls)
        });
        if let Some(signature) = signature.filter(|it| it.len() <= LONGEST_SIGNATURE) {
            if kept.signatures.len() >= MOST_SIGNATURES {
                kept.signatures.pop_front();
            }
            kept.signatures.push_back((id.clone(), signature));
        }
        id
    }

    fn of(&self, id: &str) -> Option<String> {
        let kept = self.lock();
        let found = kept.signatures.iter().rev().find(|(known, _)| known == id);
        found.map(|(_, signature)| signature.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // Nothing under the lock can panic half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The dialect of the answers.
struct Reader {
    tools: Fragments,
    called: u64,
    /// Whether the vendor gave its reason to finish.
    finished: bool,
    /// What the answer took so far.
    taken: Tokens,
    /// What of that was told.
    told: Tokens,
    signatures: Arc<Signatures>,
}

impl answer::Reader for Reader {
    fn take(&mut self, data: &str, deltas: &mut VecDeque<Delta>) -> Result<(), Fault> {
        let answer: Answer = serde_json::from_str(data).map_err(|_| Fault::Nonsense)?;
        if let Some(error) = answer.error {
            return Err(Fault::Error(error.status));
        }
        if let Some(reason) = answer.prompt_feedback.and_then(|it| it.block_reason) {
            return Err(Fault::Error(reason));
        }
        if let Some(usage) = answer.usage_metadata {
            self.taken = usage.tokens();
            // An answer that is withdrawn has been paid for so far.
            self.taken.tell_more(&mut self.told, deltas);
        }
        let Some(candidate) = answer.candidates.into_iter().next() else { return Ok(()) };
        for part in candidate.content.unwrap_or_default().parts {
            if part.thought {
                continue;
            }
            if let Some(text) = part.text.filter(|text| !text.is_empty()) {
                deltas.push_back(Delta::Text(text));
            }
            if let Some(call) = part.function_call {
                let id = self.signatures.keep(call.id, part.thought_signature);
                self.tools.begin(self.called, Some(id), Some(&call.name));
                if !call.args.is_null() {
                    self.tools.more(self.called, &call.args.to_string());
                }
                self.called += 1;
            }
        }
        match candidate.finish_reason.as_deref() {
            None => Ok(()),
            Some("STOP" | "MAX_TOKENS") => {
                self.finished = true;
                Ok(())
            }
            Some(reason) => Err(Fault::Error(reason.to_owned())),
        }
    }

    fn close(&mut self, deltas: &mut VecDeque<Delta>) -> Result<(), Fault> {
        // The end of the stream is the only mark of the end.
        if !self.finished {
            return Err(Fault::BrokeOff);
        }
        self.tools.finish(deltas);
        Ok(())
    }
}

fn text_part(text: &str) -> Value {
    json!({ "text": text })
}

fn result_part(name: &str, result: &ToolResult) -> Value {
    let content = serde_json::from_str(&result.content).unwrap_or_else(|_| json!(result.content));
    let key = if result.failed { "error" } else { "result" };
    let response = json!({ key: content });
    json!({ "functionResponse": { "id": result.id, "name": name, "response": response } })
}

fn tool(tool: &Tool) -> Value {
    // The schema is ours and parses; an empty object is what a tool without arguments has.
    let schema: Value =
        serde_json::from_str(&tool.parameters).unwrap_or_else(|_| json!({ "type": "object" }));
    json!({ "name": tool.name, "description": tool.description, "parametersJsonSchema": schema })
}

/// What the vendor says. Keys that are not named are left alone.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    #[serde(default)]
    candidates: Vec<Candidate>,
    prompt_feedback: Option<Feedback>,
    usage_metadata: Option<Usage>,
    error: Option<Problem>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Usage {
    prompt_token_count: u64,
    cached_content_token_count: u64,
    candidates_token_count: u64,
    thoughts_token_count: u64,
}

impl Usage {
    fn tokens(&self) -> Tokens {
        Tokens {
            read: self.prompt_token_count,
            cached: self.cached_content_token_count,
            written: self.candidates_token_count.saturating_add(self.thoughts_token_count),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Candidate {
    content: Option<Content>,
    finish_reason: Option<String>,
}

#[derive(Deserialize, Default)]
struct Content {
    #[serde(default)]
    parts: Vec<Part>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    text: Option<String>,
    /// It is not meant for the caller.
    #[serde(default)]
    thought: bool,
    thought_signature: Option<String>,
    function_call: Option<Call>,
}

#[derive(Deserialize)]
struct Call {
    id: Option<String>,
    name: String,
    #[serde(default)]
    args: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Feedback {
    block_reason: Option<String>,
}

#[derive(Deserialize)]
struct Problem {
    #[serde(default)]
    status: String,
}

/// The header of the key.
const KEY: &str = "x-goog-api-key";

/// The mark on calls that another model made, as the vendor wants it.
const SOMEBODY_ELSES: &str = "skip_thought_signature_validator";

/// How many marks are kept, for all calls, and how long one may be.
const MOST_SIGNATURES: usize = 256;
const LONGEST_SIGNATURE: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_generation_is_kept_from_thinking_in_its_own_words() {
        let budget = |budget| Some(json!({ "thinkingBudget": budget }));
        let level = |level| Some(json!({ "thinkingLevel": level }));
        assert_eq!(thinking("gemini-2.0-flash"), None);
        assert_eq!(thinking("gemini-2.5-flash-lite"), budget(0));
        assert_eq!(thinking("gemini-2.5-pro"), budget(128));
        assert_eq!(thinking("gemini-3.5-flash"), level("MINIMAL"));
        assert_eq!(thinking("gemini-3.1-pro-preview"), level("LOW"));
    }

    #[test]
    fn marks_are_kept_for_the_newest_calls_and_long_ones_are_not() {
        let signatures = Signatures::default();
        let mark = |text: &str| Some(text.to_owned());
        assert_eq!(signatures.keep(None, mark("a")), "gemini_1");
        assert_eq!(signatures.keep(mark(""), None), "gemini_2");
        assert_eq!(signatures.of("gemini_1").as_deref(), Some("a"));
        assert_eq!(signatures.of("gemini_2"), None);
        signatures.keep(mark("long"), Some("x".repeat(LONGEST_SIGNATURE + 1)));
        assert_eq!(signatures.of("long"), None);
        for count in 0..MOST_SIGNATURES {
            signatures.keep(Some(format!("call {count}")), mark("b"));
        }
        assert_eq!(signatures.of("gemini_1"), None, "the oldest is forgotten");
        assert!(signatures.lock().signatures.len() <= MOST_SIGNATURES);
    }
}
