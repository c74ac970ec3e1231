//! Language models behind OpenAI's chat completions: OpenAI, Groq, Ollama, llama.cpp, vLLM and
//! whoever else speaks that dialect at a `base_url`.

use std::collections::VecDeque;

use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use reqwest::RequestBuilder;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::agent::conversation::{Message, Request};
use crate::agent::event::Delta;
use crate::agent::tool::{Tool, ToolCall};
use crate::providers::error::ProviderError;
use crate::providers::http;
use crate::providers::llm::answer::{self, Fault, Fragments, Tokens, said};
use crate::providers::llm::settings::WARM_UP_WITHIN;
use crate::providers::model::Model;

pub use crate::providers::llm::settings::Settings;

/// A language model at a `base_url`.
#[derive(Debug, Clone)]
pub struct OpenAiCompatible {
    settings: Settings,
    client: reqwest::Client,
}

impl OpenAiCompatible {
    /// Makes the model; nothing is sent.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(settings: Settings) -> Result<Self, ProviderError> {
        let client = http::client(&settings.name)?;
        Ok(Self { settings, client })
    }

    fn request(&self, request: &Request) -> RequestBuilder {
        let url = self.settings.url("/chat/completions");
        self.settings.bearer(self.client.post(url)).json(&self.body(request))
    }

    fn body(&self, request: &Request) -> Value {
        let mut body = json!({
            "model": self.settings.model,
            "stream": true,
            "messages": messages(request),
        });
        // A vendor that refuses what it does not know tells what an answer took without being asked.
        if !self.settings.base_url.contains("mistral.ai") {
            body["stream_options"] = json!({ "include_usage": true });
        }
        // OpenAI's newer models refuse the old name, other servers do not know the new one.
        let openai = self.settings.base_url.contains("://api.openai.com/");
        let limit = if openai { "max_completion_tokens" } else { "max_tokens" };
        body[limit] = json!(self.settings.max_tokens);
        if let Some(temperature) = self.settings.temperature {
            body["temperature"] = json!(temperature);
        }
        if !request.tools.is_empty() {
            body["tools"] = request.tools.iter().map(tool).collect();
        }
        body
    }
}

impl Model for OpenAiCompatible {
    fn warm_up(&self) -> BoxFuture<'_, Result<(), ProviderError>> {
        // Every such server lists its models; the answer matters less than the open connection.
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
        answer::stream(self.settings.asked(self.request(&request)), Reader::default())
    }
}

/// The dialect of the answers.
#[derive(Default)]
struct Reader {
    tools: Fragments,
    /// Whether the server gave its reason to finish.
    finished: bool,
    /// What the answer took so far.
    taken: Tokens,
}

impl answer::Reader for Reader {
    fn take(&mut self, data: &str, deltas: &mut VecDeque<Delta>) -> Result<(), Fault> {
        if data == "[DONE]" {
            self.taken.tell(deltas);
            self.tools.finish(deltas);
            return Ok(());
        }
        let chunk: Chunk = serde_json::from_str(data).map_err(|_| Fault::Nonsense)?;
        if chunk.error.is_some() {
            return Err(Fault::Error(String::new()));
        }
        if let Some(usage) = chunk.usage.or_else(|| chunk.x_groq?.usage) {
            self.taken = usage.tokens();
        }
        let Some(choice) = chunk.choices.into_iter().next() else { return Ok(()) };
        self.finished |= choice.finish_reason.is_some();
        // A refusal is an answer, too.
        let texts = [choice.delta.content, choice.delta.refusal];
        for text in texts.into_iter().flatten().filter(|text| !text.is_empty()) {
            deltas.push_back(Delta::Text(text));
        }
        for fragment in choice.delta.tool_calls.unwrap_or_default() {
            let function = fragment.function.unwrap_or_default();
            self.tools.begin(fragment.index, fragment.id, function.name.as_deref());
            self.tools.more(fragment.index, function.arguments.as_deref().unwrap_or_default());
        }
        Ok(())
    }

    fn close(&mut self, deltas: &mut VecDeque<Delta>) -> Result<(), Fault> {
        // Some servers close without [DONE]; the reason to finish says that it is whole.
        if !self.finished {
            return Err(Fault::BrokeOff);
        }
        self.taken.tell(deltas);
        self.tools.finish(deltas);
        Ok(())
    }
}

fn messages(request: &Request) -> Vec<Value> {
    let mut messages = vec![json!({ "role": "system", "content": request.instructions })];
    for message in &request.messages {
        match message {
            Message::Caller { text, keys } => {
                messages.push(json!({ "role": "user", "content": said(text, keys) }));
            }
            Message::Agent { text, interrupted } => {
                // Three dots: it was cut there, and the model should not take it for complete.
                let cut = if *interrupted { "…" } else { "" };
                messages.push(json!({ "role": "assistant", "content": format!("{text}{cut}") }));
            }
            Message::ToolCall(call) => ask_for(&mut messages, call),
            Message::ToolResult(result) => messages.push(json!({
                "role": "tool",
                "tool_call_id": result.id,
                "content": result.content,
            })),
        }
    }
    messages
}

/// Adds a tool call to the assistant's last message, where the protocol wants it.
fn ask_for(messages: &mut Vec<Value>, call: &ToolCall) {
    if messages.last().is_none_or(|last| last["role"] != "assistant") {
        messages.push(json!({ "role": "assistant", "content": null }));
    }
    let asked = json!({
        "id": call.id,
        "type": "function",
        "function": { "name": call.name, "arguments": call.arguments },
    });
    if let Some(last) = messages.last_mut() {
        match last["tool_calls"].as_array_mut() {
            Some(calls) => calls.push(asked),
            None => last["tool_calls"] = json!([asked]),
        }
    }
}

fn tool(tool: &Tool) -> Value {
    // The schema is ours and parses; an empty object is what a tool without arguments has.
    let parameters: Value = serde_json::from_str(&tool.parameters).unwrap_or_else(|_| json!({}));
    json!({
        "type": "function",
        "function": {
            "name": tool.name,
            "description": tool.description,
            "parameters": parameters,
        },
    })
}

#[derive(Deserialize)]
struct Chunk {
    #[serde(default)]
    choices: Vec<Choice>,
    usage: Option<Usage>,
    x_groq: Option<Extra>,
    error: Option<Value>,
}

/// Where one of the vendors says what an answer took.
#[derive(Deserialize)]
struct Extra {
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Usage {
    #[serde(default)]
    prompt_tokens: u64,
    #[serde(default)]
    completion_tokens: u64,
    prompt_tokens_details: Option<Details>,
}

#[derive(Deserialize)]
struct Details {
    cached_tokens: Option<u64>,
}

impl Usage {
    fn tokens(&self) -> Tokens {
        let details = self.prompt_tokens_details.as_ref();
        Tokens {
            read: self.prompt_tokens,
            cached: details.and_then(|it| it.cached_tokens).unwrap_or_default(),
            written: self.completion_tokens,
        }
    }
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    delta: Piece,
    finish_reason: Option<String>,
}

#[derive(Deserialize, Default)]
struct Piece {
    content: Option<String>,
    refusal: Option<String>,
    tool_calls: Option<Vec<ToolFragment>>,
}

#[derive(Deserialize)]
struct ToolFragment {
    #[serde(default)]
    index: u64,
    id: Option<String>,
    function: Option<FunctionFragment>,
}

#[derive(Deserialize, Default)]
struct FunctionFragment {
    name: Option<String>,
    arguments: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::tool::ToolResult;

    #[test]
    fn a_tool_call_stands_in_the_assistants_message_before_its_result() {
        let call = ToolCall {
            id: "call_1".to_owned(),
            name: "transfer_call".to_owned(),
            arguments: "{\"to\":\"sales\"}".to_owned(),
        };
        let result =
            ToolResult { id: "call_1".to_owned(), content: "busy".to_owned(), failed: true };
        let request = Request {
            instructions: "Be brief.".to_owned(),
            messages: vec![
                Message::Caller { text: "Sales, please.".to_owned(), keys: String::new() },
                Message::Agent { text: "One moment.".to_owned(), interrupted: false },
                Message::ToolCall(call),
                Message::ToolResult(result),
            ],
            ..Request::default()
        };
        let messages = messages(&request);
        assert_eq!(messages.len(), 4);
        assert_eq!(messages[2]["content"], "One moment.");
        assert_eq!(messages[2]["tool_calls"][0]["function"]["name"], "transfer_call");
        assert_eq!(messages[3]["tool_call_id"], "call_1");
    }

    #[test]
    fn what_an_answer_took_is_read_wherever_vendors_say_it() {
        let usage = json!({ "prompt_tokens": 40, "completion_tokens": 9,
            "prompt_tokens_details": { "cached_tokens": 8 } });
        let small = json!({ "prompt_tokens": 40, "completion_tokens": 9 });
        let (apart, within) = (json!({ "usage": usage }), json!({ "x_groq": { "usage": small } }));
        let null = json!({ "usage": null, "x_groq": { "id": "req_1" } });
        for (chunk, expected) in [(apart, vec![32, 8, 9]), (within, vec![40, 9]), (null, vec![])] {
            let (mut reader, mut deltas) = (Reader::default(), VecDeque::new());
            for data in [chunk.to_string(), "[DONE]".to_owned()] {
                answer::Reader::take(&mut reader, &data, &mut deltas).expect("sound");
            }
            let counts = deltas.into_iter().filter_map(|delta| match delta {
                Delta::Used(amounts) => Some(amounts),
                _ => None,
            });
            let counts: Vec<u64> = counts.flatten().map(|it| it.count).collect();
            assert_eq!(counts, expected, "{chunk}");
        }
    }

    #[test]
    fn keys_and_silence_are_told_in_words() {
        assert_eq!(said("", "12"), "[The caller pressed 12.]");
        assert!(said("", "").contains("could not be understood"));
    }
}
