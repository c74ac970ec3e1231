//! Tools: what a model may ask for, and what came of it. A tool call is always typed; text that is
//! spoken is never searched for commands.

use std::collections::BTreeMap;
use std::time::Duration;

/// A tool as a model sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tool {
    /// Its name: `end_call`.
    pub name: String,
    /// What it does and when to call it, for the model.
    pub description: String,
    /// JSON Schema of its arguments, as a JSON text.
    pub parameters: String,
}

/// How the house handles a tool, whatever a model says about it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Handling {
    /// The question to which the caller must say yes before it runs; a template, empty for the
    /// language's own question.
    pub confirm: Option<String>,
    /// What is said while it runs, and after how long.
    pub say: Option<(Duration, String)>,
    /// The name below `vars` under which its result is kept.
    pub save: Option<String>,
    /// How long it may take.
    pub patience: Duration,
}

/// How tools are handled, by name.
pub type Handlings = BTreeMap<String, Handling>;

/// A model asks for a tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolCall {
    /// The model's own identity for the call; made up when it gave none.
    pub id: String,
    /// The tool's name.
    pub name: String,
    /// The arguments, as a JSON text.
    pub arguments: String,
}

impl ToolCall {
    /// Tells that it failed, and why.
    pub fn failed(&self, why: impl Into<String>) -> ToolResult {
        ToolResult { id: self.id.clone(), content: why.into(), failed: true }
    }

    /// Tells what came of it.
    pub fn done(&self, content: impl Into<String>) -> ToolResult {
        ToolResult { id: self.id.clone(), content: content.into(), failed: false }
    }

    /// A call of `transfer_call` to the destination of this name.
    pub fn transfer(id: &str, to: &str) -> Self {
        let to = to.replace('\\', "\\\\").replace('"', "\\\"");
        let to: String = to.chars().filter(|letter| !letter.is_control()).collect();
        let (id, name) = (id.to_owned(), names::TRANSFER_CALL.to_owned());
        Self { id, name, arguments: format!(r#"{{"to": "{to}"}}"#) }
    }

    /// The first text under `key` in the arguments, at any depth; `None` when there is none. The
    /// arguments come from a model and may be anything.
    pub fn argument(&self, key: &str) -> Option<String> {
        let mut rest = self.arguments.as_str();
        while let Some((_, quoted)) = rest.split_once('"') {
            let (text, after) = quoted_text(quoted)?;
            rest = after.trim_start();
            // What no colon follows is a value.
            let Some(value) = rest.strip_prefix(':') else { continue };
            if text == key {
                return value.trim_start().strip_prefix('"').and_then(quoted_text).map(|it| it.0);
            }
        }
        None
    }
}

/// Reads a JSON string (RFC 8259 section 7) after its opening quote; gives what follows it too.
fn quoted_text(text: &str) -> Option<(String, &str)> {
    let mut read = String::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => return Some((read, letters.as_str())),
            '\\' => read.push(match letters.next()? {
                'n' => '\n',
                't' => '\t',
                'r' | 'b' | 'f' => ' ',
                'u' => {
                    let code = letters.by_ref().take(4).collect::<String>();
                    let code = u32::from_str_radix(&code, 16).ok()?;
                    char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
                }
                plain => plain,
            }),
            plain => read.push(plain),
        }
    }
    None
}

/// Whether a tool of this name leads on in a flow.
pub fn leads_on(name: &str) -> bool {
    [names::COLLECT, names::GO_ON].contains(&name)
}

/// What came of a tool call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolResult {
    /// The identity of the call.
    pub id: String,
    /// The result for the model, as text or JSON.
    pub content: String,
    /// Whether it failed.
    pub failed: bool,
}

/// The tools that every agent knows, by name.
pub mod names {
    /// Ends the call after what is being said.
    pub const END_CALL: &str = "end_call";
    /// Sends the caller to one of the agent's destinations: `{"to": "sales"}`.
    pub const TRANSFER_CALL: &str = "transfer_call";
    /// Hands the caller over to another agent of the squad: `{"to": "support"}`.
    pub const HAND_OVER: &str = "hand_over";
    /// Gives the values that a node of a flow asks for, by name.
    pub const COLLECT: &str = "collect";
    /// Goes on to another node of a flow: `{"to": "booked"}`.
    pub const GO_ON: &str = "go_on";
    /// Tells a flow which of its conditions holds: `{"to": "2"}`.
    pub const JUDGED: &str = "judged";
    /// What was to be said before a node of a flow was heard.
    pub const SAID: &str = "said";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_argument_is_found_in_whatever_a_model_writes() {
        let argument = |arguments: &str, key: &str| {
            let call = ToolCall {
                id: "1".to_owned(),
                name: names::TRANSFER_CALL.to_owned(),
                arguments: arguments.to_owned(),
            };
            call.argument(key)
        };
        assert_eq!(argument(r#"{"to": "sales"}"#, "to").as_deref(), Some("sales"));
        assert_eq!(
            argument(r#"{"why":"to","to":"B\u00fcro \"1\""}"#, "to").as_deref(),
            Some("Büro \"1\"")
        );
        let transfer = ToolCall::transfer("1", "Büro \\ \"1\"");
        assert_eq!(transfer.argument("to").as_deref(), Some("Büro \\ \"1\""));
        for nothing in ["", "{}", r#"{"to": 5}"#, r#"{"to": "#, r#"{"to": "a"#, r#"{"a\u00"#, "\""]
        {
            assert_eq!(argument(nothing, "to"), None, "{nothing}");
        }
    }
}
