//! Calls of ours as programs of Vapi's read them.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use crate::server::control::history::moment;
use crate::server::vapi::drawer::{Drawer, Kind, ORGANIZATION};
use crate::server::vapi::orders::Note;

/// What is known of a call beside itself.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// What was made.
    pub drawer: &'a Drawer,
    /// What whoever began the call said of it, if it was begun here and not long ago.
    pub note: Option<&'a Note>,
    /// Where recordings and orders go: `https://voice.example.com`.
    pub base: &'a str,
    /// What orders to this call prove themselves with; empty where none are taken.
    pub token: &'a str,
    /// The time (RFC 3339).
    pub now: &'a str,
}

/// A call. `told`: as it stands while it is up, or its record.
pub fn call(told: &Value, known: &Known<'_>) -> Value {
    let id = text(told, "id");
    let began = text(told, "started_at");
    let has_ended = told["ended_at"].is_string();
    let mut view = Map::new();
    let mut put = |key: &str, value: Value| {
        if !value.is_null() {
            view.insert(key.to_owned(), value);
        }
    };
    put("id", json!(id));
    put("orgId", json!(ORGANIZATION));
    put("type", json!(kind(told)));
    put("status", json!(status(told)));
    put("createdAt", json!(began));
    put("updatedAt", json!(told["ended_at"].as_str().unwrap_or(known.now)));
    put("startedAt", answered(told));
    put("phoneCallProvider", json!("vapi"));
    put("phoneCallTransport", json!("sip"));
    put("customer", customer(told));
    put("monitor", monitor(id, known).filter(|_| !has_ended).unwrap_or_default());
    for (key, value) in who(told, known) {
        put(&key, value);
    }
    if has_ended {
        put("endedAt", told["ended_at"].clone());
        put("endedReason", json!(ended_reason(told)));
        put("cost", json!(cost(told)));
        let messages = messages(told);
        let words = transcript(told);
        let sound = recording(told, known);
        put("artifact", artifact(told, (&messages, &words, &sound)));
        put("messages", messages);
        put("transcript", json!(words));
        put("recordingUrl", sound);
        put("analysis", analysis(&told["analysis"]));
        put("summary", told["analysis"]["summary"].clone());
    }
    Value::Object(view)
}

/// The states in which a call is, in their words.
fn status(told: &Value) -> &'static str {
    match (told["ended_at"].is_string(), text(told, "status"), text(told, "doing")) {
        (true, ..) => "ended",
        (_, "in-progress" | "ending", "transferring") => "forwarding",
        (_, "in-progress" | "ending", _) => "in-progress",
        _ => "ringing",
    }
}

/// Which way it came or went, in their words.
pub fn kind(told: &Value) -> &'static str {
    match (text(told, "trunk"), text(told, "direction")) {
        (WEB, _) => "webCall",
        (_, "outbound") => "outboundPhoneCall",
        _ => "inboundPhoneCall",
    }
}

/// What a call cost, where all prices are in dollars: theirs are.
pub fn cost(told: &Value) -> Option<f64> {
    let total = told["cost"]["total"].as_str().filter(|_| told["cost"]["currency"] == "USD");
    total?.parse().ok()
}

/// Why a call ended, by the names of the list that Vapi has.
pub fn ended_reason(told: &Value) -> &'static str {
    let is_inbound = text(told, "direction") != "outbound";
    let was_answered = told["answered_at"].is_string();
    match text(told, "end_reason") {
        "caller_hangup" | "canceled" if is_inbound && !was_answered => {
            "call.ringing.sip-inbound-caller-hungup-before-call-connect"
        }
        "caller_hangup" | "callee_hangup" => "customer-ended-call",
        "agent_ended" => "assistant-ended-call",
        "transferred" => "assistant-forwarded-call",
        "voicemail" => "voicemail",
        "silence_timeout" => "silence-timed-out",
        "max_duration" => "exceeded-max-duration",
        "busy" => "customer-busy",
        "no_answer" => "customer-did-not-answer",
        "canceled" | "admin_ended" => "manually-canceled",
        "server_shutdown" | "server_crash" => "worker-shutdown",
        "media_timeout" | "signalling_timeout" => "call.in-progress.sip-completed-call",
        "provider_error" => provider_failed(told),
        "unreachable" | "rejected" if !is_inbound => {
            "call.in-progress.error-sip-outbound-call-failed-to-connect"
        }
        _ => "call.start.error-get-transport",
    }
}

/// Who failed last, as their list has those whom it does not know.
fn provider_failed(told: &Value) -> &'static str {
    let last = told["provider_failures"].as_array().and_then(|all| all.last());
    match last.map(|it| text(it, "stage")) {
        Some("stt") => "pipeline-error-custom-transcriber-failed",
        Some("tts") => "pipeline-error-custom-voice-failed",
        _ => "pipeline-error-custom-llm-llm-failed",
    }
}

/// Where a caller went, in their words; nothing where they have no word for it.
pub fn destination(to: &str) -> Option<Value> {
    let (kind, place) = to.split_once(':')?;
    match kind {
        "sip" | "sips" => Some(json!({ "type": "sip", "sipUri": to })),
        "tel" | "phone" => Some(json!({ "type": "number", "number": place })),
        "trunk" => place.split_once('/').map(|(_, it)| json!({ "type": "number", "number": it })),
        "agent" | "squad" => Some(json!({ "type": "assistant", "assistantName": place })),
        _ => None,
    }
}

/// The same, if it is somebody who is called.
pub fn far_destination(to: &str) -> Option<Value> {
    destination(to).filter(|it| it["type"] != "assistant")
}

/// Who spoke, and what whoever began the call said of it.
fn who(told: &Value, known: &Known<'_>) -> Map<String, Value> {
    let mut who = Map::new();
    let agents = told["agents"].as_array().into_iter().flatten();
    let mut agents = agents.chain([&told["agent"]]).filter_map(Value::as_str);
    who.extend(known.note.map(|note| note.says.clone()).unwrap_or_default());
    let is_known = ["assistantId", "squadId", "customer"].iter().any(|key| who.contains_key(*key));
    if let Some(name) = agents.next().filter(|_| !is_known) {
        let made = known.drawer.called(Kind::Assistants, name);
        who.insert("assistantId".to_owned(), json!(made.map_or(name, |it| it.id())));
    }
    who
}

fn customer(told: &Value) -> Value {
    let side = if text(told, "direction") == "outbound" { "to" } else { "from" };
    let mut customer = Map::new();
    for key in ["number", "name"] {
        if let Some(text) = told[side][key].as_str().filter(|it| !it.is_empty()) {
            customer.insert(key.to_owned(), json!(text));
        }
    }
    Value::Object(customer)
}

/// Where a call that is up takes orders from whoever has this address.
fn monitor(id: &str, known: &Known<'_>) -> Option<Value> {
    let Known { base, token, .. } = known;
    (!base.is_empty() && !token.is_empty())
        .then(|| json!({ "controlUrl": format!("{base}/vapi/call/{id}/control/{token}") }))
}

/// When it was answered.
fn answered(told: &Value) -> Value {
    match (told["answered_at"].as_str(), told["answered_ms"].as_u64()) {
        (Some(at), _) => json!(at),
        // One that is up tells how long after its beginning.
        (None, Some(_)) => told["started_at"].clone(),
        (None, None) => Value::Null,
    }
}

/// What was said and done, with times since the epoch in milliseconds.
pub fn messages(told: &Value) -> Value {
    let began = moment(text(told, "started_at")).unwrap_or_default().as_millis() as u64;
    let answered = moment(text(told, "answered_at")).map_or(began, |it| it.as_millis() as u64);
    let stamped = |at_ms: u64, mut message: Value| {
        let time = began.saturating_add(at_ms);
        message["time"] = json!(time);
        message["secondsFromStart"] = json!(time.saturating_sub(answered) as f64 / 1_000.0);
        (at_ms, message)
    };
    let lines = told["transcript"].as_array().into_iter().flatten().map(|line| {
        let at = line["start_ms"].as_u64().unwrap_or_default();
        let role = if line["role"] == "agent" { "bot" } else { "user" };
        let message = json!({ "role": role, "message": words(line),
            "endTime": began.saturating_add(at) });
        stamped(at, message)
    });
    let tools = told["tools"].as_array().into_iter().flatten().enumerate().map(|(number, tool)| {
        let function = json!({ "name": tool["name"], "arguments": tool["arguments"] });
        let call =
            json!({ "id": format!("tool_{number}"), "type": "function", "function": function });
        let message = json!({ "role": "tool_calls", "message": "", "toolCalls": [call] });
        stamped(tool["at_ms"].as_u64().unwrap_or_default(), message)
    });
    let mut all: Vec<(u64, Value)> = lines.chain(tools).collect();
    all.sort_by_key(|(at, _)| *at);
    all.into_iter().map(|(_, message)| message).collect()
}

/// The same as models read it.
pub fn conversation(told: &Value) -> Value {
    let lines = told["transcript"].as_array().into_iter().flatten().map(|line| {
        let role = if line["role"] == "agent" { "assistant" } else { "user" };
        json!({ "role": role, "content": words(line) })
    });
    lines.collect()
}

/// A line for each turn.
fn transcript(told: &Value) -> String {
    let mut text = String::new();
    for line in told["transcript"].as_array().into_iter().flatten() {
        let who = if line["role"] == "agent" { "AI" } else { "User" };
        let _ = writeln!(text, "{who}: {}", words(line));
    }
    text
}

/// What was said, or the keys that were pressed.
pub fn words(line: &Value) -> &str {
    let of = |key: &str| line[key].as_str().filter(|it| !it.is_empty());
    of("text").or_else(|| of("keys")).unwrap_or_default()
}

fn recording(told: &Value, known: &Known<'_>) -> Value {
    let is_there = told["recorded"] == true && !known.base.is_empty();
    let url = || json!(format!("{}/v1/calls/{}/recording", known.base, text(told, "id")));
    if is_there { url() } else { Value::Null }
}

fn artifact(told: &Value, (messages, words, sound): (&Value, &str, &Value)) -> Value {
    let mut artifact = json!({
        "messages": messages,
        "messagesOpenAIFormatted": conversation(told),
        "transcript": words,
    });
    if sound.is_string() {
        artifact["recordingUrl"] = sound.clone();
    }
    let transfers = told["transfers"].as_array().into_iter().flatten();
    let transfer = |it: &Value| {
        let status = match (text(it, "outcome"), text(it, "reason")) {
            ("worked", _) => "completed",
            (_, "busy") => "busy",
            (_, "no_answer") => "no-answer",
            (_, "canceled") => "cancelled",
            _ => "failed",
        };
        Some(json!({ "destination": far_destination(text(it, "to"))?, "status": status }))
    };
    let transfers: Vec<Value> = transfers.filter_map(transfer).collect();
    if !transfers.is_empty() {
        artifact["transfers"] = json!(transfers);
    }
    artifact
}

fn analysis(report: &Value) -> Value {
    let mut analysis = Map::new();
    let mut put = |key: &str, value: Option<Value>| {
        analysis.extend(value.map(|it| (key.to_owned(), it)));
    };
    put("summary", report["summary"].as_str().map(Value::from));
    put("successEvaluation", report["success"].as_bool().map(|it| json!(it.to_string())));
    put("structuredData", report["extracted"].is_object().then(|| report["extracted"].clone()));
    Value::Object(analysis)
}

/// The text under a key; empty where there is none.
pub fn text<'a>(told: &'a Value, key: &str) -> &'a str {
    told[key].as_str().unwrap_or_default()
}

/// The trunk by which calls of pages come.
const WEB: &str = "web";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_told_in_their_words() {
        let record = json!({
            "id": "call_1", "direction": "outbound", "status": "completed", "trunk": "carrier",
            "end_reason": "callee_hangup", "from": { "number": "+4930" },
            "to": { "number": "+49711" }, "agents": ["mary"], "recorded": true,
            "started_at": "2026-01-01T00:00:00.000Z", "answered_at": "2026-01-01T00:00:02.000Z",
            "ended_at": "2026-01-01T00:00:09.000Z", "analysis": { "success": true },
            "transcript": [
                { "role": "agent", "start_ms": 2_500, "text": "Hello." },
                { "role": "caller", "start_ms": 4_000, "text": "", "keys": "1" },
            ],
            "tools": [{ "at_ms": 3_000, "name": "look", "arguments": "{}" }],
        });
        let drawer = Drawer::default();
        let known = Known { drawer: &drawer, note: None, base: "http://x", token: "t", now: "now" };
        let view = call(&record, &known);
        assert_eq!(
            (&view["type"], &view["status"]),
            (&json!("outboundPhoneCall"), &json!("ended"))
        );
        assert_eq!(view["endedReason"], "customer-ended-call");
        assert_eq!(view["customer"], json!({ "number": "+49711" }));
        assert_eq!(view["transcript"], "AI: Hello.\nUser: 1\n");
        let roles: Vec<&Value> =
            view["messages"].as_array().into_iter().flatten().map(|it| &it["role"]).collect();
        assert_eq!(roles, ["bot", "tool_calls", "user"]);
        let first = &view["messages"][0];
        assert_eq!(
            (&first["secondsFromStart"], &first["time"]),
            (&json!(0.5), &json!(1_767_225_602_500_u64))
        );
        assert_eq!(view["analysis"], json!({ "successEvaluation": "true" }));
        assert_eq!(view["recordingUrl"], "http://x/v1/calls/call_1/recording");
        assert_eq!((&view["assistantId"], view.get("monitor")), (&json!("mary"), None));
    }

    #[test]
    fn a_call_that_is_up_takes_orders() {
        let up = json!({ "id": "call_1", "direction": "inbound", "status": "in-progress",
            "doing": "agent", "from": { "number": "101", "name": "Ann" }, "to": { "number": "700" },
            "agent": "mary", "answered_ms": 5, "started_at": "2026-01-01T00:00:00.000Z" });
        let drawer = Drawer::default();
        let known = Known { drawer: &drawer, note: None, base: "http://x", token: "t", now: "now" };
        let view = call(&up, &known);
        assert_eq!(
            (&view["type"], &view["status"]),
            (&json!("inboundPhoneCall"), &json!("in-progress"))
        );
        assert_eq!(view["monitor"]["controlUrl"], "http://x/vapi/call/call_1/control/t");
        assert_eq!((&view["updatedAt"], view.get("endedReason")), (&json!("now"), None));
    }
}
