//! Language models behind Anthropic's messages.

use std::collections::VecDeque;

use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use reqwest::RequestBuilder;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::agent::conversation::{Message, Request};
use crate::agent::event::Delta;
use crate::agent::tool::Tool;
use crate::providers::error::ProviderError;
use crate::providers::http;
use crate::providers::llm::answer::{self, Fault, Fragments, Tokens, said};
use crate::providers::llm::settings::WARM_UP_WITHIN;
use crate::providers::llm::sides::{Sides, told};
use crate::providers::model::Model;

pub use crate::providers::llm::settings::Settings;

/// A language model of Anthropic.
#[derive(Debug, Clone)]
pub struct Anthropic {
    settings: Settings,
    client: reqwest::Client,
}

impl Anthropic {
    /// Makes the model; nothing is sent.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(settings: Settings) -> Result<Self, ProviderError> {
        let client = http::client(&settings.name)?;
        Ok(Self { settings, client })
    }

    fn authorised(&self, builder: RequestBuilder) -> RequestBuilder {
        self.settings.in_header(builder, "x-api-key").header("anthropic-version", VERSION)
    }

    fn body(&self, request: &Request) -> Value {
        // The instructions are the same in every turn: the vendor need not read them again.
        let system = json!([{
            "type": "text",
            "text": request.instructions,
            "cache_control": { "type": "ephemeral" },
        }]);
        let mut body = json!({
            "model": self.settings.model,
            "max_tokens": self.settings.max_tokens,
            "stream": true,
            "system": system,
            "messages": messages(request),
        });
        if let Some(temperature) = self.settings.temperature {
            body["temperature"] = json!(temperature.min(1.0));
        }
        if !request.tools.is_empty() {
            body["tools"] = request.tools.iter().map(tool).collect();
        }
        body
    }
}

impl Model for Anthropic {
    fn warm_up(&self) -> BoxFuture<'_, Result<(), ProviderError>> {
        let request = self.client.get(self.settings.url("/v1/models"));
        let request = self.authorised(request).timeout(WARM_UP_WITHIN);
        Box::pin(http::warmed(&self.settings.name, request))
    }

    fn call_begins(&self) -> BoxFuture<'_, Result<(), ProviderError>> {
        self.warm_up()
    }

    fn name(&self) -> Option<&str> {
        Some(&self.settings.model)
    }

    fn think(&self, request: Request) -> BoxStream<'static, Result<Delta, ProviderError>> {
        let builder = self.client.post(self.settings.url("/v1/messages"));
        let asked = self.authorised(builder).json(&self.body(&request));
        answer::stream(self.settings.asked(asked), Reader::default())
    }
}

/// The dialect of the answers.
#[derive(Default)]
struct Reader {
    tools: Fragments,
    /// What the answer took so far.
    taken: Tokens,
    /// What of that was told.
    told: Tokens,
}

impl answer::Reader for Reader {
    fn take(&mut self, data: &str, deltas: &mut VecDeque<Delta>) -> Result<(), Fault> {
        match serde_json::from_str(data).map_err(|_| Fault::Nonsense)? {
            Event::ContentBlockStart { index, content_block } => {
                if let Block::ToolUse { id, name } = content_block {
                    self.tools.begin(index, Some(id), Some(&name));
                }
            }
            Event::ContentBlockDelta { index, delta } => match delta {
                Piece::TextDelta { text } if !text.is_empty() => {
                    deltas.push_back(Delta::Text(text));
                }
                Piece::InputJsonDelta { partial_json } => self.tools.more(index, &partial_json),
                Piece::TextDelta { .. } | Piece::Other => {}
            },
            Event::MessageStart { message } => {
                self.count(message.usage);
                // An answer that is withdrawn has been paid for so far.
                self.taken.tell_more(&mut self.told, deltas);
            }
            Event::MessageDelta { usage } => self.count(usage),
            Event::MessageStop => {
                self.taken.tell_more(&mut self.told, deltas);
                self.tools.finish(deltas);
            }
            Event::Error { error } => return Err(Fault::Error(error.kind)),
            Event::Other => {}
        }
        Ok(())
    }

    fn close(&mut self, _deltas: &mut VecDeque<Delta>) -> Result<(), Fault> {
        Err(Fault::BrokeOff)
    }
}

impl Reader {
    /// Takes what the vendor says of tokens: each number is that of the whole answer so far.
    fn count(&mut self, usage: Option<Usage>) {
        let Some(usage) = usage else { return };
        if let Some(fresh) = usage.input_tokens {
            // What is written to the cache is read as well, and costs a little more.
            let cached = usage.cache_read_input_tokens.unwrap_or_default();
            let kept = usage.cache_creation_input_tokens.unwrap_or_default();
            self.taken.read = fresh.saturating_add(cached).saturating_add(kept);
            self.taken.cached = cached;
        }
        self.taken.written = usage.output_tokens.unwrap_or(self.taken.written);
    }
}

/// The conversation as the vendor wants it: the caller begins, the sides alternate, and each use
/// of a tool is answered in the message behind it.
fn messages(request: &Request) -> Vec<Value> {
    let mut sides = Sides::new("content", text_block);
    for message in &request.messages {
        match message {
            Message::Caller { text, keys } => sides.add("user", text_block(&said(text, keys))),
            Message::Agent { text, interrupted } => {
                if let Some(text) = told(text, *interrupted) {
                    sides.add("assistant", text_block(&text));
                }
            }
            Message::ToolCall(call) => {
                let input: Value =
                    serde_json::from_str(&call.arguments).unwrap_or_else(|_| json!({}));
                let used = json!({
                    "type": "tool_use", "id": call.id, "name": call.name, "input": input,
                });
                sides.add("assistant", used);
            }
            Message::ToolResult(result) => sides.add(
                "user",
                json!({
                    "type": "tool_result",
                    "tool_use_id": result.id,
                    "content": result.content,
                    "is_error": result.failed,
                }),
            ),
        }
    }
    answered(sides.messages())
}

/// Sees to it that each use of a tool has its answer in the message behind it, and in front of the
/// caller's words: one that the caller interrupted has none of its own.
fn answered(messages: Vec<Value>) -> Vec<Value> {
    let mut all: Vec<Value> = Vec::new();
    let mut open: Vec<Value> = Vec::new();
    for mut message in messages {
        let blocks = message["content"].as_array().cloned().unwrap_or_default();
        if message["role"] == "user" {
            let (mut content, words): (Vec<Value>, Vec<Value>) =
                blocks.into_iter().partition(|block| block["type"] == "tool_result");
            for id in open.drain(..) {
                if !content.iter().any(|block| block["tool_use_id"] == id) {
                    content.push(interrupted(&id));
                }
            }
            content.extend(words);
            message["content"] = json!(content);
        } else {
            let uses = blocks.iter().filter(|block| block["type"] == "tool_use");
            open = uses.map(|block| block["id"].clone()).collect();
        }
        all.push(message);
    }
    if !open.is_empty() {
        let content: Vec<Value> = open.iter().map(interrupted).collect();
        all.push(json!({ "role": "user", "content": content }));
    }
    all
}

fn interrupted(id: &Value) -> Value {
    json!({
        "type": "tool_result", "tool_use_id": id,
        "content": "The caller interrupted it.", "is_error": true,
    })
}

fn text_block(text: &str) -> Value {
    json!({ "type": "text", "text": text })
}

fn tool(tool: &Tool) -> Value {
    // The schema is ours and parses; an empty object is what a tool without arguments has.
    let schema: Value =
        serde_json::from_str(&tool.parameters).unwrap_or_else(|_| json!({ "type": "object" }));
    json!({ "name": tool.name, "description": tool.description, "input_schema": schema })
}

/// What the vendor says. Kinds of events and blocks that are not named are left alone: thoughts are
/// not spoken.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Event {
    ContentBlockStart {
        index: u64,
        content_block: Block,
    },
    ContentBlockDelta {
        index: u64,
        delta: Piece,
    },
    MessageStart {
        message: Begun,
    },
    MessageDelta {
        usage: Option<Usage>,
    },
    MessageStop,
    Error {
        error: Problem,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Begun {
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Usage {
    input_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    output_tokens: Option<u64>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block {
    ToolUse {
        id: String,
        name: String,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Piece {
    TextDelta {
        text: String,
    },
    InputJsonDelta {
        partial_json: String,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Problem {
    #[serde(rename = "type", default)]
    kind: String,
}

/// The version of the interface.
const VERSION: &str = "2023-06-01";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::tool::{ToolCall, ToolResult};

    fn caller(text: &str) -> Message {
        Message::Caller { text: text.to_owned(), keys: String::new() }
    }

    fn agent(text: &str) -> Message {
        Message::Agent { text: text.to_owned(), interrupted: false }
    }

    fn call(id: &str) -> Message {
        let (name, arguments) = ("look_up".to_owned(), "{\"day\":1}".to_owned());
        Message::ToolCall(ToolCall { id: id.to_owned(), name, arguments })
    }

    #[test]
    fn what_was_read_is_told_before_the_answer_is_whole() {
        let events = [
            json!({ "type": "message_start", "message": { "usage": { "input_tokens": 20,
                "cache_creation_input_tokens": 12, "cache_read_input_tokens": 8,
                "output_tokens": 1 } } }),
            json!({ "type": "message_delta", "usage": { "output_tokens": 9 } }),
            json!({ "type": "message_stop" }),
        ];
        let mut reader = Reader::default();
        let told = events.map(|event| {
            let mut deltas = VecDeque::new();
            answer::Reader::take(&mut reader, &event.to_string(), &mut deltas).expect("sound");
            let used = deltas.into_iter().filter_map(|delta| match delta {
                Delta::Used(amounts) => Some(amounts),
                _ => None,
            });
            used.flatten().map(|it| (it.unit.name(), it.count)).collect::<Vec<_>>()
        });
        let begun = vec![("input_tokens", 32), ("cached_tokens", 8), ("output_tokens", 1)];
        assert_eq!(told, [begun, vec![], vec![("output_tokens", 8)]]);
    }

    #[test]
    fn the_sides_alternate_and_the_caller_begins() {
        let said = vec![agent("Hello?"), agent("How can I help?"), caller("Hi."), caller("Hours?")];
        let messages = messages(&Request { messages: said, ..Request::default() });
        let roles: Vec<_> = messages.iter().map(|it| it["role"].as_str().unwrap()).collect();
        assert_eq!(roles, ["user", "assistant", "user"]);
        assert_eq!(messages[1]["content"].as_array().map(Vec::len), Some(2));
        assert_eq!(messages[2]["content"][1]["text"], "Hours?");
    }

    #[test]
    fn each_use_of_a_tool_is_answered_in_the_message_behind_it() {
        let result = ToolResult { id: "a".to_owned(), content: "none".to_owned(), failed: false };
        let said = vec![
            caller("Is there a slot?"),
            call("a"),
            call("b"),
            Message::ToolResult(result),
            caller("Hello?"),
            call("c"),
        ];
        let messages = messages(&Request { messages: said, ..Request::default() });
        assert_eq!(messages[1]["content"][0]["input"]["day"], 1);
        let answers = &messages[2]["content"];
        assert_eq!(answers[0]["tool_use_id"], "a");
        assert_eq!(
            (&answers[1]["tool_use_id"], &answers[1]["is_error"]),
            (&json!("b"), &json!(true))
        );
        assert_eq!(answers[2]["text"], "Hello?");
        assert_eq!(messages[4]["content"][0]["tool_use_id"], "c");
    }
}
