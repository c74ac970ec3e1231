//! Pieces as TOML, as the examples of the house are written: plain keys first, prompts over several
//! lines, tables behind.

use std::fmt::Write as _;

use serde_json::Value;

use crate::server::importing::pieces::{Piece, Table};

/// A table under its header, with a remark that says where it came from.
pub fn piece(text: &mut String, (kind, name): (&str, &str), piece: &Piece) {
    let _ = writeln!(text, "\n# {}", one_line(&piece.from));
    table(text, &format!("{kind}.{}", key(name)), &piece.says);
}

/// A table under its header.
pub fn table(text: &mut String, path: &str, says: &Table) {
    let _ = writeln!(text, "[{path}]");
    keys(text, path, says);
}

/// The keys of a table, and its tables behind them.
pub fn keys(text: &mut String, path: &str, says: &Table) {
    let mut order: Vec<&String> = says.keys().collect();
    order.sort_by_key(|key| (FIRST.iter().position(|it| it == key).unwrap_or(FIRST.len()), *key));
    let (tables, plain): (Vec<&String>, Vec<&String>) =
        order.into_iter().partition(|key| is_behind(key, &says[key.as_str()]));
    let width = plain.iter().map(|it| key(it).len()).max().unwrap_or_default();
    for name in plain {
        let _ = writeln!(text, "{:width$} = {}", key(name), value(&says[name]));
    }
    for name in tables {
        let path = format!("{path}.{}", key(name));
        match &says[name] {
            Value::Object(inner) if inner.values().all(Value::is_object) && !inner.is_empty() => {
                for (name, inner) in inner {
                    let Value::Object(inner) = inner else { continue };
                    text.push('\n');
                    table(text, &format!("{path}.{}", key(name)), inner);
                }
            }
            Value::Object(inner) => {
                text.push('\n');
                table(text, &path, inner);
            }
            Value::Array(all) => {
                for inner in all {
                    let Value::Object(inner) = inner else { continue };
                    let _ = writeln!(text, "\n[[{path}]]");
                    keys(text, &path, inner);
                }
            }
            _ => {}
        }
    }
}

/// A value on one line, or a text on several.
pub fn value(value: &Value) -> String {
    match value {
        // TOML knows no null; the makers of pieces put none.
        Value::Null => "\"\"".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => quoted(text),
        Value::Array(all) => {
            let inner: Vec<String> = all.iter().map(inline).collect();
            let line = format!("[{}]", inner.join(", "));
            if line.len() < 90 || inner.len() < 2 {
                return line;
            }
            format!("[\n  {},\n]", inner.join(",\n  "))
        }
        Value::Object(_) => inline(value),
    }
}

/// A value on one line.
fn inline(value: &Value) -> String {
    match value {
        Value::Object(table) => {
            let pair =
                |(name, inner): (&String, &Value)| format!("{} = {}", key(name), inline(inner));
            let pairs: Vec<String> = table.iter().map(pair).collect();
            format!("{{ {} }}", pairs.join(", "))
        }
        Value::Array(all) => {
            let inner: Vec<String> = all.iter().map(inline).collect();
            format!("[{}]", inner.join(", "))
        }
        Value::String(text) => line(text),
        Value::Null | Value::Bool(_) | Value::Number(_) => self::value(value),
    }
}

/// A text on one line, for a remark.
pub fn one_line(text: &str) -> String {
    let plain = text.chars().map(|it| if it.is_control() { ' ' } else { it });
    plain.take(200).collect()
}

/// A key, quoted where it must be.
pub fn key(name: &str) -> String {
    let plain = |it: char| it.is_ascii_alphanumeric() || it == '_' || it == '-';
    if !name.is_empty() && name.chars().all(plain) { name.to_owned() } else { line(name) }
}

fn quoted(text: &str) -> String {
    let lines = text.contains('\n') && !text.contains('\r');
    if !lines {
        return line(text);
    }
    let mut body = String::new();
    for letter in text.chars() {
        match letter {
            '\n' | '\t' => body.push(letter),
            _ => escaped(&mut body, letter),
        }
    }
    format!("\"\"\"\n{body}\"\"\"")
}

fn line(text: &str) -> String {
    let mut body = String::new();
    for letter in text.chars() {
        escaped(&mut body, letter);
    }
    format!("\"{body}\"")
}

fn escaped(body: &mut String, letter: char) {
    match letter {
        '"' => body.push_str("\\\""),
        '\\' => body.push_str("\\\\"),
        '\n' => body.push_str("\\n"),
        '\r' => body.push_str("\\r"),
        '\t' => body.push_str("\\t"),
        other if other.is_control() => {
            let _ = write!(body, "\\u{:04X}", u32::from(other));
        }
        other => body.push(other),
    }
}

/// Whether a value has a header of its own.
fn is_behind(key: &str, value: &Value) -> bool {
    match value {
        Value::Object(table) => !INLINE.contains(&key) && !table.is_empty(),
        Value::Array(all) => {
            matches!(key, "handoff" | "intents" | "destinations")
                && all.iter().all(Value::is_object)
        }
        _ => false,
    }
}

/// Tables that stand on one line.
const INLINE: &[&str] = &[
    "stt",
    "llm",
    "tts",
    "realtime",
    "collect",
    "ask",
    "args",
    "set",
    "digits",
    "ui",
    "limits",
    "silence",
    "dtmf",
    "headers",
    "turns",
    "interrupt",
    "fallback",
    "extract",
    "phrases",
];

/// Which keys come first, and in which order.
const FIRST: &[&str] = &[
    "type",
    "kind",
    "id",
    "name",
    "language",
    "agent",
    "start",
    "members",
    "from",
    "to",
    "when",
    "first_message",
    "goodbye",
    "text",
    "say",
    "prompt",
    "description",
    "stt",
    "llm",
    "tts",
    "realtime",
    "tools",
    "url",
    "method",
    "next",
    "exits",
];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_written_is_read_as_it_was() {
        let says = json!({
            "name": "A \"b\" \\ \u{7}", "prompt": "one\n\"\"\"two\"\"\"\n\tthree \\ four",
            "odd": "\r\n", "n": 1.5, "list": ["a", "b\"c"], "tts": { "voice": "x y", "speed": 1 },
            "transfers": { "a b": { "to": "tel:1" }, "c": { "to": "sip:x" } },
            "handoff": [{ "from": "a", "to": "b" }, { "from": "b", "to": "a" }],
            "parameters": { "x": { "type": "string" } }, "after": { "summary": true },
        });
        let mut text = String::new();
        let says = says.as_object().expect("a table").clone();
        piece(&mut text, ("agents", "Ä"), &Piece { says: says.clone(), from: "a\nb".to_owned() });
        let read: Value = toml::from_str(&text).unwrap_or_else(|why| panic!("{why}\n{text}"));
        assert_eq!(read["agents"]["Ä"], Value::Object(says), "{text}");
    }
}
