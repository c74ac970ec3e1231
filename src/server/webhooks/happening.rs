//! Something that happened in a call, for those who tell it in the words of others.

use std::time::Duration;

use serde_json::Value;

use crate::server::vapi::views::Known;

/// Something that happened.
#[derive(Debug, Clone, Copy)]
pub struct Happening<'a> {
    /// The record of the call: as it stands while it is up, without an end, or as it ended.
    pub told: &'a Value,
    /// What is known of the call beside itself.
    pub known: &'a Known<'a>,
    /// When, since the Unix epoch.
    pub at: Duration,
}

/// What is told of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Our event: whoever wants that is told.
    pub ours: &'static str,
    /// What it is called there.
    pub theirs: &'static str,
    /// The body.
    pub body: Value,
}

impl Message {
    /// The body as it is sent; shorter where it would be too long: first without the lists, then
    /// without the words. Whoever is told can ask for the call.
    pub fn text(mut self, longest: usize) -> String {
        let text = self.body.to_string();
        if text.len() <= longest {
            return text;
        }
        for (pointers, instead) in [(LISTS, Value::Array(Vec::new())), (WORDS, Value::from(""))] {
            for pointer in pointers {
                if let Some(value) = self.body.pointer_mut(pointer) {
                    *value = instead.clone();
                }
            }
            let text = self.body.to_string();
            if text.len() <= longest {
                return text;
            }
        }
        self.body.to_string()
    }
}

/// What may grow with a call, in both forms.
const LISTS: &[&str] = &[
    "/message/messages",
    "/message/messagesOpenAIFormatted",
    "/message/artifact/messages",
    "/message/artifact/messagesOpenAIFormatted",
    "/call/transcript_object",
    "/call/transcript_with_tool_calls",
    "/transcript_with_tool_calls",
];

const WORDS: &[&str] = &["/message/transcript", "/message/artifact/transcript", "/call/transcript"];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_too_long_loses_its_lists_first() {
        let words = "x".repeat(500);
        let body = json!({ "call": { "call_id": "c", "transcript": words,
            "transcript_object": [{ "content": words }] } });
        let message = Message { ours: "call.ended", theirs: "call_ended", body };
        let read = |longest| {
            let text = message.clone().text(longest);
            serde_json::from_str::<Value>(&text).expect("JSON")["call"].clone()
        };
        assert_eq!(read(5_000), message.body["call"]);
        let shorter = read(700);
        assert_eq!(
            (&shorter["transcript_object"], &shorter["transcript"]),
            (&json!([]), &json!(words))
        );
        let shortest = json!({ "call_id": "c", "transcript": "", "transcript_object": [] });
        assert_eq!(read(100), shortest);
    }
}
