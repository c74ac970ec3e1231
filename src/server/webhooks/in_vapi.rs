//! What happens, as Vapi tells it to the servers of its customers.

use serde_json::{Map, Value, json};

use crate::call::event::Fact;
use crate::call::record::Stage;
use crate::server::control::history::moment;
use crate::server::vapi::drawer::{Kept, Kind};
use crate::server::vapi::making;
use crate::server::vapi::views::{self, text};
use crate::server::webhooks::happening::{Happening, Message};

/// What is told of something that happened in a call that is up, in its order.
pub fn told(fact: &Fact, it: &Happening<'_>) -> Vec<Message> {
    match fact {
        Fact::Started { .. } => vec![status("call.ringing", "ringing", it)],
        Fact::Answered => vec![status("call.started", "in-progress", it)],
        Fact::AgentChanged { agent } => handed_over(agent, it).into_iter().collect(),
        Fact::CallerSaid { text, keys, .. } => {
            let words = if text.is_empty() { keys } else { text };
            said("user", words, it)
        }
        Fact::AgentSaid { text, interrupted, .. } => {
            let cut = interrupted.then(|| message("transcript.updated", "user-interrupted", it));
            cut.into_iter().chain(said("assistant", text, it)).collect()
        }
        // Whoever hears does not make anybody wait.
        Fact::ProviderFailed { stage: Stage::Hear, .. } => Vec::new(),
        Fact::ProviderFailed { .. } => vec![message("provider.failed", "hang", it)],
        Fact::Transferred { to, failed: None, .. } => transferred(to, it),
        _ => Vec::new(),
    }
}

/// What is told of the end of a call: its state, and the report.
pub fn ended(it: &Happening<'_>) -> [Message; 2] {
    let mut status = status("call.ended", "ended", it);
    put(&mut status, "endedReason", json!(views::ended_reason(it.told)));
    [status, report(it)]
}

/// All that is known of a call that is over.
pub fn report(it: &Happening<'_>) -> Message {
    let mut report = message("call.ended", "end-of-call-report", it);
    if let Value::Object(whole) = views::call(it.told, it.known) {
        for key in REPORTED {
            put(&mut report, key, whole.get(*key).cloned().unwrap_or_default());
        }
    }
    let (began, ended) = (moment(text(it.told, "answered_at")), moment(text(it.told, "ended_at")));
    if let (Some(began), Some(ended)) = (began, ended) {
        let lasted = ended.saturating_sub(began).as_millis() as u64;
        put(&mut report, "durationMs", json!(lasted));
        put(&mut report, "durationSeconds", json!(lasted as f64 / 1_000.0));
        put(&mut report, "durationMinutes", json!(lasted as f64 / 60_000.0));
    }
    report
}

/// A question about a call.
pub fn request(theirs: &'static str, it: &Happening<'_>) -> Value {
    message("route.decide", theirs, it).body
}

/// What an endpoint is told that is only tried.
pub fn test(at_ms: u64) -> Value {
    json!({ "message": { "type": "webhook.test", "timestamp": at_ms } })
}

/// The number of ours that was called, or that calls.
pub fn phone_number(it: &Happening<'_>) -> Option<Value> {
    let side = if text(it.told, "direction") == "outbound" { "from" } else { "to" };
    let number = text(&it.told[side], "number");
    if views::kind(it.told) == "webCall" || number.is_empty() {
        return None;
    }
    let mut made = it.known.drawer.all(Kind::PhoneNumbers).iter();
    let made = made.find(|kept| making::number(kept) == Some(number));
    Some(made.map_or_else(
        || json!({ "provider": PROVIDER, "number": number, "credentialId": OURS }),
        |kept: &Kept| {
            let those = kept.says.iter().filter(|(key, _)| NUMBER.contains(&key.as_str()));
            those.map(|(key, value)| (key.clone(), value.clone())).collect::<Map<_, _>>().into()
        },
    ))
}

/// The call of a message: without what stands beside it.
pub fn call(it: &Happening<'_>) -> Value {
    let mut call = views::call(it.told, it.known);
    if let Value::Object(call) = &mut call {
        REPORTED.iter().filter(|key| !KEPT.contains(key)).for_each(|key| {
            call.remove(*key);
        });
    }
    call
}

fn message(ours: &'static str, theirs: &'static str, it: &Happening<'_>) -> Message {
    let call = call(it);
    let mut body = json!({
        "type": theirs,
        "timestamp": it.at.as_millis() as u64,
        "customer": call["customer"],
        "call": call,
    });
    if let Some(number) = phone_number(it) {
        body["phoneNumber"] = number;
    }
    Message { ours, theirs, body: json!({ "message": body }) }
}

/// Says one thing more, if there is something to say.
fn put(message: &mut Message, key: &str, value: Value) {
    if !value.is_null() {
        message.body["message"][key] = value;
    }
}

fn status(ours: &'static str, status: &'static str, it: &Happening<'_>) -> Message {
    let mut told = message(ours, "status-update", it);
    put(&mut told, "status", json!(status));
    told.body["message"]["call"]["status"] = json!(status);
    told
}

/// An agent has the line that another one had.
fn handed_over(agent: &str, it: &Happening<'_>) -> Option<Message> {
    let is_first = it.told["agents"].as_array().is_none_or(|all| all.len() < 2);
    let mut told = message("agent.handoff", "transfer-update", it);
    put(&mut told, "destination", json!({ "type": "assistant", "assistantName": agent }));
    (!is_first).then_some(told)
}

fn transferred(to: &str, it: &Happening<'_>) -> Vec<Message> {
    let mut state = status("call.transferred", "forwarding", it);
    put(&mut state, "destination", views::far_destination(to).unwrap_or_default());
    let mut update = message("call.transferred", "transfer-update", it);
    put(&mut update, "destination", views::destination(to).unwrap_or_default());
    vec![state, update]
}

/// Somebody has said something.
fn said(role: &str, words: &str, it: &Happening<'_>) -> Vec<Message> {
    if words.is_empty() {
        return Vec::new();
    }
    let mut line = message("transcript.updated", "transcript", it);
    put(&mut line, "role", json!(role));
    put(&mut line, "transcriptType", json!("final"));
    put(&mut line, "transcript", json!(words));
    let mut all = message("transcript.updated", "conversation-update", it);
    put(&mut all, "messages", views::messages(it.told));
    put(&mut all, "messagesOpenAIFormatted", views::conversation(it.told));
    vec![line, all]
}

/// What stands in a report beside the call.
const REPORTED: &[&str] = &[
    "startedAt",
    "endedAt",
    "endedReason",
    "cost",
    "artifact",
    "messages",
    "transcript",
    "recordingUrl",
    "analysis",
    "summary",
];

/// What of it stands in the call, too.
const KEPT: &[&str] = &["startedAt", "endedAt", "endedReason"];

/// What is told of a number that was made here.
const NUMBER: &[&str] = &[
    "id",
    "orgId",
    "provider",
    "number",
    "sipUri",
    "name",
    "credentialId",
    "assistantId",
    "squadId",
    "createdAt",
    "updatedAt",
];

/// Whose numbers ours are.
const PROVIDER: &str = "byo-phone-number";

/// What brings them.
const OURS: &str = "voxtrunk";
