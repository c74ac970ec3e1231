//! What is heard and said on the socket beside a call that OpenAI took by SIP: a machine without the
//! socket. Whose turn it is there, and what is heard, is the vendor's; we run the tools.

use serde::Deserialize;
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use super::event::{Problem, message, put};
use super::items::of_result;
use crate::agent::tool::{ToolCall, ToolResult, names};
use crate::providers::realtime::Told;

/// The machine.
#[derive(Default)]
pub(super) struct Beside {
    /// To be sent, in order.
    pub out: Vec<Message>,
    /// To be told, in order.
    pub tell: Vec<Told>,
    /// Tools that were called and have not come back.
    called: Vec<String>,
    /// Whether an answer is in the making.
    is_thinking: bool,
    /// Whether what tools gave is still to be answered.
    owes_answer: bool,
    /// Whether the caller hears something.
    is_speaking: bool,
    /// Whether the call is to end when that is over.
    leaves: bool,
    was_greeted: bool,
}

/// What the vendor says. Kinds of messages and keys that are not named are left alone.
#[derive(Deserialize)]
#[serde(tag = "type")]
enum Incoming {
    #[serde(rename = "conversation.item.input_audio_transcription.completed")]
    Transcribed { transcript: String },
    #[serde(rename = "response.created")]
    Created,
    #[serde(rename = "response.done")]
    Done { response: Response },
    #[serde(rename = "output_audio_buffer.started")]
    Begins,
    #[serde(rename = "output_audio_buffer.stopped", alias = "output_audio_buffer.cleared")]
    Stops,
    #[serde(rename = "error")]
    Error { error: Problem },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Response {
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    output: Vec<Item>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Item {
    Message {
        #[serde(default)]
        content: Vec<Content>,
    },
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
struct Content {
    #[serde(default, alias = "text")]
    transcript: Option<String>,
}

impl Beside {
    /// The socket is open; the first time, the agent greets.
    pub fn opened(&mut self, greeting: Option<&str>) {
        self.out.clear();
        if let Some(greeting) = greeting.filter(|_| !self.was_greeted) {
            let instructions = format!("Say exactly this, and nothing else: {greeting}");
            let response = json!({ "instructions": instructions, "tool_choice": "none" });
            self.out.push(message(&json!({ "type": "response.create", "response": response })));
        }
        self.was_greeted = true;
    }

    /// Takes a message; what cannot be read is nothing.
    pub fn hear(&mut self, text: &str) {
        match serde_json::from_str(text) {
            Ok(Incoming::Transcribed { transcript }) => {
                let text = transcript.trim();
                if !text.is_empty() {
                    self.tell.push(Told::Heard(text.to_owned()));
                }
            }
            Ok(Incoming::Created) => self.is_thinking = true,
            Ok(Incoming::Done { response }) => self.answered(response),
            Ok(Incoming::Begins) => self.is_speaking = true,
            Ok(Incoming::Stops) => {
                self.is_speaking = false;
                self.leave();
            }
            Ok(Incoming::Error { error }) => {
                tracing::warn!(why = %error.meaning("openai"), "the model outside complains");
            }
            Ok(Incoming::Other) | Err(_) => {}
        }
    }

    /// A tool has come back. One that nobody called is nothing.
    pub fn given(&mut self, result: &ToolResult) {
        let Some(at) = self.called.iter().position(|id| *id == result.id) else { return };
        self.called.remove(at);
        self.out.push(put(&of_result(result), None));
        self.owes_answer = true;
        self.go_on();
    }

    /// Whether the call is to end, as soon as all was heard.
    pub fn leaves(&self) -> bool {
        self.leaves
    }

    fn answered(&mut self, response: Response) {
        self.is_thinking = false;
        let interrupted = response.status.as_deref() == Some("cancelled");
        for item in response.output.into_iter().take(MOST_ITEMS) {
            match item {
                Item::Message { content } => {
                    let words: Vec<String> =
                        content.into_iter().filter_map(|it| it.transcript).collect();
                    let text = words.join(" ").trim().to_owned();
                    if !text.is_empty() {
                        self.tell.push(Told::Spoke { text, interrupted });
                    }
                }
                Item::FunctionCall { name, .. } if name == names::END_CALL => self.leaves = true,
                Item::FunctionCall { call_id, name, arguments } => {
                    if self.called.len() < MOST_ITEMS {
                        self.called.push(call_id.clone());
                        self.tell.push(Told::Wants(ToolCall { id: call_id, name, arguments }));
                    }
                }
                Item::Other => {}
            }
        }
        self.leave();
        self.go_on();
    }

    /// Ends the call, when that was wanted and all was heard.
    fn leave(&mut self) {
        if self.leaves && !self.is_speaking {
            self.tell.push(Told::Over);
        }
    }

    /// Asks for an answer to what the tools gave, when all of them are back and nothing else is
    /// being said (the vendor makes one answer at a time).
    fn go_on(&mut self) {
        if self.owes_answer && self.called.is_empty() && !self.is_thinking && !self.leaves {
            self.owes_answer = false;
            self.out.push(message(&json!({ "type": "response.create" })));
        }
    }
}

/// How many things of one answer count, and how many tools may run at once.
const MOST_ITEMS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn done(status: &str, output: &Value) -> String {
        json!({ "type": "response.done", "response": { "id": "r", "status": status,
            "output": output } })
        .to_string()
    }

    fn says(text: &str) -> Value {
        json!({ "type": "message", "id": "i", "role": "assistant",
            "content": [{ "type": "output_audio", "transcript": text }] })
    }

    fn calls(id: &str, name: &str) -> Value {
        json!({ "type": "function_call", "id": "i", "call_id": id, "name": name,
            "arguments": "{}" })
    }

    fn sent(beside: &mut Beside) -> Vec<String> {
        let out = std::mem::take(&mut beside.out);
        let kind = |message: Message| {
            let value: Value = serde_json::from_str(message.to_text().expect("text")).unwrap();
            value["type"].as_str().expect("a type").to_owned()
        };
        out.into_iter().map(kind).collect()
    }

    fn created(beside: &mut Beside) {
        beside.hear(r#"{"type":"response.created","response":{"id":"r"}}"#);
    }

    #[test]
    fn what_is_said_on_both_sides_is_told() {
        let mut beside = Beside::default();
        beside.opened(Some("Hello?"));
        assert_eq!(sent(&mut beside), ["response.create"]);
        beside.opened(Some("Hello?"));
        assert!(sent(&mut beside).is_empty(), "once");
        let heard = json!({ "type": "conversation.item.input_audio_transcription.completed",
            "item_id": "i", "transcript": " When do you open? " });
        beside.hear(&heard.to_string());
        created(&mut beside);
        beside.hear(&done("cancelled", &json!([says("At nine, and"), { "type": "reasoning" }])));
        for noise in ["", "{}", "[]", "{\"type\":7}", "{\"type\":\"response.done\"}", "nonsense"] {
            beside.hear(noise);
        }
        let spoke = Told::Spoke { text: "At nine, and".to_owned(), interrupted: true };
        assert_eq!(beside.tell, [Told::Heard("When do you open?".to_owned()), spoke]);
        assert!(sent(&mut beside).is_empty());
    }

    #[test]
    fn tools_are_answered_together_and_not_into_another_answer() {
        let mut beside = Beside::default();
        created(&mut beside);
        beside.hear(&done("completed", &json!([calls("a", "slots"), calls("b", "book")])));
        let wanted = |id: &str, name: &str| {
            let (id, name) = (id.to_owned(), name.to_owned());
            Told::Wants(ToolCall { id, name, arguments: "{}".to_owned() })
        };
        assert_eq!(beside.tell, [wanted("a", "slots"), wanted("b", "book")]);
        let result =
            |id: &str| ToolResult { id: id.to_owned(), content: "ok".into(), failed: false };
        beside.given(&result("b"));
        beside.given(&result("b"));
        beside.given(&result("strange"));
        assert_eq!(sent(&mut beside), ["conversation.item.create"]);
        // The caller spoke meanwhile, and is being answered.
        created(&mut beside);
        beside.given(&result("a"));
        assert_eq!(sent(&mut beside), ["conversation.item.create"]);
        beside.hear(&done("completed", &json!([says("One moment.")])));
        assert_eq!(sent(&mut beside), ["response.create"]);
    }

    #[test]
    fn the_call_ends_when_the_goodbye_was_heard() {
        let mut beside = Beside::default();
        beside.hear(r#"{"type":"output_audio_buffer.started","response_id":"r"}"#);
        beside.hear(&done("completed", &json!([says("Goodbye."), calls("c", "end_call")])));
        assert!(beside.leaves() && !beside.tell.contains(&Told::Over));
        beside.hear(r#"{"type":"output_audio_buffer.stopped","response_id":"r"}"#);
        assert_eq!(beside.tell.last(), Some(&Told::Over));
        let mut silent = Beside::default();
        silent.hear(&done("completed", &json!([calls("c", "end_call")])));
        assert_eq!(silent.tell, [Told::Over]);
    }
}
