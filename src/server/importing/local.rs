//! Agents as they are put among the pieces; where it is wanted, for the engines of this machine: what
//! a caller may want is then told by keys and plain phrases, and the rules answer.

use serde_json::{Value, json};

use crate::server::importing::draft::Draft;
use crate::server::importing::pieces::{Options, Piece, Pieces, Table, put_table};

/// Puts an agent among the pieces.
pub fn settle(pieces: &mut Pieces, (name, from): (&str, &str), draft: Draft, options: &Options) {
    let Draft { mut says, mut tools, transfers, ways, lends, .. } = draft;
    if !transfers.is_empty() {
        tools.push("transfer_call".to_owned());
    }
    // Where nothing else can be chosen, the end can.
    if options.local && !lends && transfers.is_empty() && ways.is_empty() {
        tools.push("end_call".to_owned());
    }
    tools.sort();
    tools.dedup();
    if options.local && lends {
        engines(&mut says);
        says.remove("prompt");
    } else if options.local {
        offline(&mut says, (&transfers, &ways), tools.iter().any(|it| it == "end_call"));
    } else if !lends && !says.contains_key("prompt") && !says.contains_key("first_message") {
        says.insert("first_message".to_owned(), json!("Hello."));
    }
    if !tools.is_empty() {
        says.insert("tools".to_owned(), json!(tools));
    }
    put_table(&mut says, "transfers", transfers);
    pieces.agents.insert(name.to_owned(), Piece { says, from: from.to_owned() });
}

/// Lets an agent work without anything outside of this machine.
fn offline(says: &mut Table, (transfers, ways): (&Table, &[(String, String)]), ends: bool) {
    engines(says);
    let mut intents = Vec::new();
    let sent =
        transfers.iter().map(|(name, it)| (name, it["description"].as_str(), "transfer_call"));
    let handed = ways.iter().map(|(name, when)| (name, Some(when.as_str()), "hand_over"));
    for (at, (name, wanted, action)) in sent.chain(handed).enumerate().take(8) {
        let spoken = spoken(name);
        let label =
            wanted.filter(|it| !it.is_empty()).map_or_else(|| spoken.clone(), str::to_owned);
        intents.push(json!({
            "id": format!("{action}-{name}"),
            "label": label,
            "key": (at + 1).to_string(),
            "phrases": [spoken, format!("connect me with {spoken}")],
            "action": format!("{action}:{name}"),
        }));
    }
    if ends || intents.is_empty() {
        intents.push(json!({
            "id": "end-of-call",
            "label": "the end of the call",
            "key": "9",
            "phrases": ["goodbye", "that is all"],
            "say": "Thank you for your call.",
            "action": "end_call",
        }));
    }
    says.insert("intents".to_owned(), Value::Array(intents));
    if !says.contains_key("first_message") {
        says.insert("first_message".to_owned(), json!("Hello. How can I help you?"));
    }
}

/// The engines of this machine.
fn engines(says: &mut Table) {
    for key in ["stt", "llm", "tts", "realtime", "fallback", "after"] {
        says.remove(key);
    }
    let english =
        says.get("language").and_then(Value::as_str).is_none_or(|it| it.starts_with("en"));
    let voice = if english { "flite" } else { "espeak" };
    says.insert("llm".to_owned(), json!({ "provider": "rules" }));
    says.insert("tts".to_owned(), json!({ "provider": voice }));
    if english {
        says.insert("stt".to_owned(), json!({ "provider": "pocketsphinx" }));
    }
}

/// A name as it is said.
pub fn spoken(name: &str) -> String {
    let mut words = String::new();
    for letter in name.chars() {
        match letter {
            'a'..='z' => words.push(letter),
            '0'..='9' => {
                let digit = letter.to_digit(10).unwrap_or_default() as usize;
                words.push(' ');
                words.push_str(DIGITS[digit]);
                words.push(' ');
            }
            _ => words.push(' '),
        }
    }
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    if words.is_empty() { "somebody else".to_owned() } else { words }
}

const DIGITS: [&str; 10] =
    ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
