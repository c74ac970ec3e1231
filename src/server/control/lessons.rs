//! What was said in a call, for whoever trains a model: one conversation, in the shape that OpenAI
//! reads for fine-tuning, without what nobody may keep and only where the caller has consented.

use serde_json::{Value, json};

use crate::agent::masking::kind::Masks;
use crate::agent::masking::redactor::{Redactor, Said, Side};
use crate::agent::masking::terms::Terms;
use crate::store::call_archive::Document;

/// A line of JSON for a call; nothing when its caller has not consented, or nobody spoke with it.
pub fn line(record: &Document) -> Option<String> {
    let messages = is_allowed(record).then(|| messages(record))?;
    let speaks = |role: &str| messages.iter().any(|message| message["role"] == role);
    let is_talk = speaks("user") && speaks("assistant");
    is_talk.then(|| json!({ "messages": messages }).to_string() + "\n")
}

/// Whether the caller was told that what is said is kept, was asked where that is the rule, and did
/// not refuse.
fn is_allowed(record: &Document) -> bool {
    let Some(consent) = record.get("recording_consent").filter(|it| it.is_object()) else {
        return false;
    };
    let is_there = |key: &str| consent.get(key).is_some_and(|it| !it.is_null());
    let was_told = consent.get("mode").and_then(Value::as_str) == Some("announce");
    !is_there("refused_ms") && (was_told || is_there("agreed_ms"))
}

fn messages(record: &Document) -> Vec<Value> {
    let redactor = Redactor::new(Masks::all(), Terms::default());
    let mut events: Vec<(u64, Vec<Value>)> = Vec::new();
    let lines: Vec<&Value> = list(record, "transcript").collect();
    let said = |line: &&Value| {
        let side = if role(line) == "user" { Side::Caller } else { Side::Agent };
        let of = |key: &str| line.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        [of("text"), of("keys")].map(|text| Said { side, text })
    };
    // All lines at once: a number may go over several.
    let covered = redactor.lines(&lines.iter().flat_map(said).collect::<Vec<_>>());
    for (line, covered) in lines.iter().zip(covered.chunks(2)) {
        let content = match covered {
            [text, keys] if keys.is_empty() => text.clone(),
            [text, keys] => format!("{text} (keys {keys})").trim_start().to_owned(),
            _ => continue,
        };
        if !content.is_empty() {
            let at = line.get("start_ms").and_then(Value::as_u64).unwrap_or_default();
            events.push((at, vec![json!({ "role": role(line), "content": content })]));
        }
    }
    for (number, tool) in list(record, "tools").enumerate() {
        // Without its arguments nobody learns from it.
        let Some(arguments) = tool.get("arguments").and_then(Value::as_str) else { continue };
        let at = tool.get("at_ms").and_then(Value::as_u64).unwrap_or_default();
        let id = format!("call_{number}");
        let function = json!({ "name": tool.get("name"), "arguments": redactor.text(arguments) });
        let outcome = tool.get("outcome").and_then(Value::as_str).unwrap_or("unknown");
        events.push((
            at,
            vec![
                json!({ "role": "assistant", "tool_calls":
                [{ "id": id, "type": "function", "function": function }] }),
                json!({ "role": "tool", "tool_call_id": id, "content": outcome }),
            ],
        ));
    }
    // What began at once stays as it was kept.
    events.sort_by_key(|(at, _)| *at);
    events.into_iter().flat_map(|(_, messages)| messages).collect()
}

fn role(line: &Value) -> &'static str {
    match line.get("role").and_then(Value::as_str) {
        Some("agent") => "assistant",
        _ => "user",
    }
}

fn list<'a>(record: &'a Document, key: &str) -> impl Iterator<Item = &'a Value> {
    record.get(key).and_then(Value::as_array).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lesson(consent: Value) -> Option<Value> {
        let record = json!({
            "recording_consent": consent,
            "transcript": [
                { "role": "agent", "start_ms": 0, "text": "Hello?" },
                { "role": "caller", "start_ms": 900, "text": "My card is 4111 1111", "keys": "" },
                { "role": "agent", "start_ms": 1_500, "text": "Yes?" },
                { "role": "caller", "start_ms": 2_000, "text": "1111 1111.", "keys": "1" },
                { "role": "caller", "start_ms": 4_000, "text": "", "keys": "" },
            ],
            "tools": [
                { "at_ms": 3_000, "name": "pay", "outcome": "done",
                    "arguments": "{\"card\":\"4111111111111111\"}" },
                { "at_ms": 3_100, "name": "gone", "outcome": "done", "arguments": null },
            ],
        });
        let Value::Object(record) = record else { panic!("an object") };
        line(&record).map(|line| serde_json::from_str(&line).expect("JSON"))
    }

    #[test]
    fn a_conversation_is_taught_without_its_card() {
        let told = json!({ "mode": "announce", "agreed_ms": null, "refused_ms": null });
        let lesson = lesson(told).expect("a lesson");
        let messages = lesson["messages"].as_array().expect("messages");
        let roles: Vec<_> = messages.iter().map(|it| it["role"].as_str().unwrap_or("")).collect();
        assert_eq!(roles, ["assistant", "user", "assistant", "user", "assistant", "tool"]);
        let text = lesson.to_string();
        assert!(text.contains("[card]") && !text.contains("1111"), "{text}");
        assert_eq!(messages[4]["tool_calls"][0]["id"], messages[5]["tool_call_id"]);
        assert_eq!(messages[4]["tool_calls"][0]["function"]["name"], "pay");
    }

    #[test]
    fn without_consent_there_is_no_lesson() {
        let consent = |mode: &str, agreed: Option<u64>, refused: Option<u64>| {
            lesson(json!({ "mode": mode, "agreed_ms": agreed, "refused_ms": refused })).is_some()
        };
        assert!(lesson(Value::Null).is_none());
        assert!(!consent("dtmf", None, None), "who is asked must agree");
        assert!(!consent("voice", None, Some(1)) && !consent("announce", None, Some(1)));
        assert!(!consent("voice", Some(1), Some(2)), "it may be taken back");
        assert!(consent("voice", Some(1), None) && consent("dtmf", Some(1), None));
    }
}
