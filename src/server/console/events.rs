//! An event as a line for people.

use serde_json::Value;

use crate::server::console::paint::{Ink, Paint, harmless};
use crate::server::console::time::time_of_day;

/// One line: when, what, of which call, and the rest.
pub fn line(event: &Value, paint: Paint) -> String {
    let text = |key: &str| event[key].as_str().unwrap_or_default();
    let name = text("type");
    let ink = match name {
        "trunk.up" | "trunk.registered" | "phone.registered" | "call.started" => Ink::Green,
        "trunk.down" | "trunk.rejected" | "trunk.unreachable" | "transfer.failed"
        | "config.refused" => Ink::Red,
        _ => Ink::Cyan,
    };
    let data = event["data"].as_object();
    let pairs = data.into_iter().flatten().filter(|(_, value)| !value.is_null());
    let pairs: Vec<String> = pairs.map(|(key, value)| format!("{key}={}", plain(value))).collect();
    let padding = " ".repeat(20_usize.saturating_sub(name.len()));
    let call = match text("call_id") {
        "" => String::new(),
        call => format!("{call}  "),
    };
    format!(
        "{}  {}{padding}{}{}\n",
        time_of_day(text("timestamp")),
        paint.ink(&harmless(name), ink),
        harmless(&call),
        harmless(&pairs.join(" "))
    )
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) if !text.contains(' ') && !text.is_empty() => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line_whatever_stands_in_it() {
        let event = serde_json::json!({
            "type": "trunk.down",
            "timestamp": "2026-11-21T10:15:30.123Z",
            "data": { "trunk": "carrier", "reason": "no answer\nto OPTIONS" },
        });
        let line = line(&event, Paint::Plain);
        let expected =
            "10:15:30.123  trunk.down          reason=\"no answer\\nto OPTIONS\" trunk=carrier\n";
        assert_eq!(line, expected);
    }
}
