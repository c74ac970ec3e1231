//! Language models behind OpenAI's Responses.

use std::collections::VecDeque;

use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::agent::conversation::{Message, Request};
use crate::agent::event::Delta;
use crate::agent::tool::Tool;
use crate::providers::error::ProviderError;
use crate::providers::http;
use crate::providers::llm::answer::{self, Fault, Fragments, Tokens, said};
use crate::providers::llm::settings::WARM_UP_WITHIN;
use crate::providers::llm::sides::told;
use crate::providers::model::Model;

pub use crate::providers::llm::settings::Settings;

/// A language model of OpenAI, asked by its newer interface. Nothing is kept there: each request
/// tells the whole conversation.
#[derive(Debug, Clone)]
pub struct Responses {
    settings: Settings,
    client: reqwest::Client,
}

impl Responses {
    /// Makes the model; nothing is sent.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(settings: Settings) -> Result<Self, ProviderError> {
        let client = http::client(&settings.name)?;
        Ok(Self { settings, client })
    }

    fn body(&self, request: &Request) -> Value {
        let mut body = json!({
            "model": self.settings.model,
            "instructions": request.instructions,
            "input": items(request),
            "max_output_tokens": self.settings.max_tokens,
            "stream": true,
            "store": false,
        });
        let effort = effort(&self.settings.model);
        if let Some(effort) = effort {
            body["reasoning"] = json!({ "effort": effort });
        }
        // A model that thinks first refuses to be told how daring it is.
        if let Some(temperature) = self.settings.temperature
            && matches!(effort, None | Some("none"))
        {
            body["temperature"] = json!(temperature);
        }
        if !request.tools.is_empty() {
            body["tools"] = request.tools.iter().map(tool).collect();
        }
        body
    }
}

impl Model for Responses {
    fn warm_up(&self) -> BoxFuture<'_, Result<(), ProviderError>> {
        let request = self.settings.bearer(self.client.get(self.settings.url("/models")));
        let request = request.timeout(WARM_UP_WITHIN);
        Box::pin(http::warmed(&self.settings.name, request))
    }

    fn call_begins(&self) -> BoxFuture<'_, Result<(), ProviderError>> {
        self.warm_up()
    }

    fn name(&self) -> Option<&str> {
        Some(&self.settings.model)
    }

    fn think(&self, request: Request) -> BoxStream<'static, Result<Delta, ProviderError>> {
        let builder = self.settings.bearer(self.client.post(self.settings.url("/responses")));
        let asked = builder.json(&self.body(&request));
        answer::stream(self.settings.asked(asked), Reader::default())
    }
}

/// How much a model is to think before it answers: nobody waits for that on a telephone. Models
/// that cannot think do not want to hear of it.
fn effort(model: &str) -> Option<&'static str> {
    if model.starts_with("gpt-5.") {
        return Some("none");
    }
    if model.starts_with("gpt-5") {
        return Some("minimal");
    }
    let is_o_model = |model: &str| ["o1", "o3", "o4"].iter().any(|it| model.starts_with(it));
    is_o_model(model).then_some("low")
}

/// The dialect of the answers.
#[derive(Default)]
struct Reader {
    tools: Fragments,
}

impl answer::Reader for Reader {
    fn take(&mut self, data: &str, deltas: &mut VecDeque<Delta>) -> Result<(), Fault> {
        match serde_json::from_str(data).map_err(|_| Fault::Nonsense)? {
            // A refusal is an answer, too.
            Event::Text { delta } | Event::Refusal { delta } => {
                if !delta.is_empty() {
                    deltas.push_back(Delta::Text(delta));
                }
            }
            Event::ItemDone { output_index, item } => {
                if let Item::FunctionCall { call_id, name, arguments } = item {
                    self.tools.begin(output_index, Some(call_id), Some(&name));
                    self.tools.more(output_index, &arguments);
                }
            }
            // An answer that reached its longest length is spoken as far as it goes.
            Event::Completed { response } | Event::Incomplete { response } => {
                if let Some(usage) = response.and_then(|it| it.usage) {
                    usage.tokens().tell(deltas);
                }
                self.tools.finish(deltas);
            }
            Event::Failed { response } => {
                let code = response.error.and_then(|error| error.code);
                return Err(Fault::Error(code.unwrap_or_default()));
            }
            Event::Error { code, error } => {
                let code = code.or_else(|| error.and_then(|error| error.code));
                return Err(Fault::Error(code.unwrap_or_default()));
            }
            Event::Other => {}
        }
        Ok(())
    }

    fn close(&mut self, _deltas: &mut VecDeque<Delta>) -> Result<(), Fault> {
        Err(Fault::BrokeOff)
    }
}

/// The conversation as the vendor wants it.
fn items(request: &Request) -> Vec<Value> {
    let mut items = Vec::new();
    for message in &request.messages {
        match message {
            Message::Caller { text, keys } => {
                items.push(json!({ "role": "user", "content": said(text, keys) }));
            }
            Message::Agent { text, interrupted } => {
                let told = told(text, *interrupted);
                items.extend(told.map(|text| json!({ "role": "assistant", "content": text })));
            }
            Message::ToolCall(call) => items.push(json!({
                "type": "function_call",
                "call_id": call.id,
                "name": call.name,
                "arguments": call.arguments,
            })),
            Message::ToolResult(result) => items.push(json!({
                "type": "function_call_output",
                "call_id": result.id,
                "output": result.content,
            })),
        }
    }
    items
}

fn tool(tool: &Tool) -> Value {
    // The schema is ours and parses; an empty object is what a tool without arguments has.
    let parameters: Value = serde_json::from_str(&tool.parameters).unwrap_or_else(|_| json!({}));
    json!({
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": parameters,
    })
}

/// What the vendor says. Kinds of events and items that are not named are left alone: thoughts
/// are not spoken.
#[derive(Deserialize)]
#[serde(tag = "type")]
enum Event {
    #[serde(rename = "response.output_text.delta")]
    Text { delta: String },
    #[serde(rename = "response.refusal.delta")]
    Refusal { delta: String },
    #[serde(rename = "response.output_item.done")]
    ItemDone { output_index: u64, item: Item },
    #[serde(rename = "response.completed")]
    Completed { response: Option<Whole> },
    #[serde(rename = "response.incomplete")]
    Incomplete { response: Option<Whole> },
    #[serde(rename = "response.failed")]
    Failed { response: Outcome },
    #[serde(rename = "error")]
    Error { code: Option<String>, error: Option<Problem> },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Item {
    FunctionCall {
        call_id: String,
        name: String,
        #[serde(default)]
        arguments: String,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Whole {
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Usage {
    #[serde(default)]
    input_tokens: u64,
    #[serde(default)]
    output_tokens: u64,
    input_tokens_details: Option<Details>,
}

#[derive(Deserialize)]
struct Details {
    cached_tokens: Option<u64>,
}

impl Usage {
    fn tokens(&self) -> Tokens {
        let details = self.input_tokens_details.as_ref();
        Tokens {
            read: self.input_tokens,
            cached: details.and_then(|it| it.cached_tokens).unwrap_or_default(),
            written: self.output_tokens,
        }
    }
}

#[derive(Deserialize)]
struct Outcome {
    error: Option<Problem>,
}

#[derive(Deserialize)]
struct Problem {
    code: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_that_think_are_told_not_to_and_others_nothing() {
        let told = ["gpt-5.4-mini", "gpt-5-mini", "o4-mini", "gpt-4.1-mini"].map(effort);
        assert_eq!(told, [Some("none"), Some("minimal"), Some("low"), None]);
    }
}
