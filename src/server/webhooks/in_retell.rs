//! What happens, as Retell tells it to the servers of its customers.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use crate::call::event::Fact;
use crate::server::control::history::moment;
use crate::server::vapi::views::{kind, text, words};
use crate::server::webhooks::happening::{Happening, Message};

/// What is told of something that happened in a call that is up, in its order.
pub fn told(fact: &Fact, it: &Happening<'_>) -> Vec<Message> {
    match fact {
        Fact::Answered => vec![message("call.started", "call_started", it)],
        Fact::CallerSaid { .. } | Fact::AgentSaid { .. } => vec![transcript_updated(it)],
        Fact::Transferred { to, failed, .. } => {
            let mut told = match failed {
                None => message("call.transferred", "transfer_bridged", it),
                Some(_) => message("transfer.failed", "transfer_cancelled", it),
            };
            told.body["transfer_destination"] = destination(to);
            vec![told]
        }
        _ => Vec::new(),
    }
}

/// What is told of the end of a call.
pub fn ended(it: &Happening<'_>) -> Vec<Message> {
    let has_words = it.told["transcript"].as_array().is_some_and(|lines| !lines.is_empty());
    let was_bridged = transfers(it).any(|transfer| text(transfer, "manner") == "bridge");
    let last = has_words.then(|| transcript_updated(it));
    let transfer = was_bridged.then(|| message("call.transferred", "transfer_ended", it));
    let ended = message("call.ended", "call_ended", it);
    last.into_iter().chain(transfer).chain([ended]).collect()
}

/// What was found out about a call that is over.
pub fn analyzed(it: &Happening<'_>) -> Message {
    let mut told = message("call.analyzed", "call_analyzed", it);
    told.body["call"]["call_analysis"] = analysis(it.told);
    told
}

/// What an endpoint is told that is only tried.
pub fn test() -> Value {
    json!({ "event": "webhook_test", "call": {} })
}

fn message(ours: &'static str, theirs: &'static str, it: &Happening<'_>) -> Message {
    Message { ours, theirs, body: json!({ "event": theirs, "call": call(it) }) }
}

fn transcript_updated(it: &Happening<'_>) -> Message {
    let mut told = message("transcript.updated", "transcript_updated", it);
    told.body["transcript_with_tool_calls"] =
        told.body["call"]["transcript_with_tool_calls"].clone();
    told
}

/// What a call cost, in cents: theirs are of dollars.
fn cost(told: &Value) -> Option<Value> {
    let cents = |amount: &Value| Some(amount.as_str()?.parse::<f64>().ok()? * 100.0);
    let cost = &told["cost"];
    let total = cents(&cost["total"]).filter(|_| cost["currency"] == "USD")?;
    let seconds = told["duration_ms"].as_f64().unwrap_or_default() / 1_000.0;
    let products = cost["items"].as_array().into_iter().flatten().filter_map(|item| {
        let product = format!("{} {}", text(item, "provider"), text(item, "unit"));
        Some(json!({ "product": product, "cost": cents(&item["amount"])? }))
    });
    let each = if seconds > 0.0 { total / seconds } else { 0.0 };
    Some(json!({
        "combined_cost": total,
        "product_costs": products.collect::<Vec<_>>(),
        "total_duration_seconds": seconds,
        "total_duration_unit_price": each,
    }))
}

/// A call.
fn call(it: &Happening<'_>) -> Value {
    let Happening { told, known, .. } = it;
    let mut view = Map::new();
    let mut put = |key: &str, value: Value| {
        if !value.is_null() {
            view.insert(key.to_owned(), value);
        }
    };
    let agent = told["agents"].as_array().and_then(|all| all.first()).and_then(Value::as_str);
    let is_web = kind(told) == "webCall";
    put("call_id", told["id"].clone());
    put("call_type", json!(if is_web { "web_call" } else { "phone_call" }));
    put("agent_id", json!(agent.unwrap_or_default()));
    put("agent_name", json!(agent));
    put("agent_version", json!(0));
    put("call_status", json!(status(told)));
    if !is_web {
        put("direction", told["direction"].clone());
        put("from_number", told["from"]["number"].clone());
        put("to_number", told["to"]["number"].clone());
    }
    let (started, ended) = (at(told, "answered_at"), at(told, "ended_at"));
    put("start_timestamp", json!(started));
    put("transcript", json!(transcript(told)));
    put("transcript_object", utterances(told));
    put("transcript_with_tool_calls", with_tools(told));
    let says = known.note.map(|note| &note.says);
    put("metadata", says.and_then(|it| it.get("metadata")).cloned().unwrap_or_default());
    let variables = says.and_then(|it| it.get("assistantOverrides")?.get("variableValues"));
    put("retell_llm_dynamic_variables", variables.cloned().unwrap_or_default());
    if let Some(transfer) = transfers(it).last() {
        put("transfer_destination", transfer["to"].clone());
    }
    if let Some(ended) = ended {
        put("end_timestamp", json!(ended));
        put("call_cost", json!(cost(told)));
        put("duration_ms", json!(started.map(|started| ended.saturating_sub(started))));
        put("disconnection_reason", json!(disconnection_reason(told)));
        put("latency", latency(told));
        if told["recorded"] == true && !known.base.is_empty() {
            let url = format!("{}/v1/calls/{}/recording", known.base, text(told, "id"));
            put("recording_url", json!(url));
        }
    }
    Value::Object(view)
}

fn status(told: &Value) -> &'static str {
    let has_ended = told["ended_at"].is_string();
    match (has_ended, told["answered_at"].is_string(), text(told, "end_reason")) {
        (false, true, _) => "ongoing",
        (false, false, _) => "registered",
        (true, _, "provider_error" | "server_crash" | "internal_error" | "media_timeout") => {
            "error"
        }
        (true, true, _) => "ended",
        (true, false, _) => "not_connected",
    }
}

/// Why a call ended, by the names of the list that Retell has.
fn disconnection_reason(told: &Value) -> &'static str {
    let is_outbound = text(told, "direction") == "outbound";
    match text(told, "end_reason") {
        "caller_hangup" | "callee_hangup" => "user_hangup",
        "canceled" if is_outbound => "manual_stopped",
        "canceled" => "user_hangup",
        "agent_ended" => "agent_hangup",
        "transferred" => "call_transfer",
        "voicemail" => "voicemail_reached",
        "silence_timeout" => "inactivity",
        "max_duration" => "max_duration_reached",
        "busy" => "dial_busy",
        "no_answer" => "dial_no_answer",
        "unreachable" => "dial_failed",
        "rejected" if is_outbound => "user_declined",
        "rejected" | "no_route" | "incompatible_media" => "sip_routing_error",
        "blocked" => "marked_as_spam",
        "full" => "concurrency_limit_reached",
        "admin_ended" => "manual_stopped",
        "media_timeout" | "media_unproven" => "error_no_audio_received",
        "signalling_timeout" => "telephony_provider_unavailable",
        "server_shutdown" | "server_crash" | "internal_error" => "error_retell",
        "provider_error" => provider_failed(told),
        _ => "error_unknown",
    }
}

/// Who failed last.
fn provider_failed(told: &Value) -> &'static str {
    let last = told["provider_failures"].as_array().and_then(|all| all.last());
    match last.map(|it| text(it, "stage")) {
        Some("stt") => "error_asr",
        Some("llm") => "error_llm_websocket_runtime",
        _ => "error_unknown",
    }
}

/// The transfers that worked.
fn transfers<'a>(it: &Happening<'a>) -> impl Iterator<Item = &'a Value> {
    let all = it.told["transfers"].as_array().into_iter().flatten();
    all.filter(|transfer| text(transfer, "outcome") == "worked")
}

fn destination(to: &str) -> Value {
    let number = to.strip_prefix("tel:").unwrap_or(to);
    json!({ "type": "predefined", "number": number })
}

/// Milliseconds since the Unix epoch.
fn at(told: &Value, key: &str) -> Option<u64> {
    moment(text(told, key)).map(|it| it.as_millis() as u64)
}

fn lines(told: &Value) -> impl Iterator<Item = &Value> {
    told["transcript"].as_array().into_iter().flatten()
}

fn role(line: &Value) -> &'static str {
    if line["role"] == "agent" { "agent" } else { "user" }
}

/// A line for each turn.
fn transcript(told: &Value) -> String {
    let mut text = String::new();
    for line in lines(told) {
        let who = if role(line) == "agent" { "Agent" } else { "User" };
        let _ = writeln!(text, "{who}: {}", words(line));
    }
    text
}

fn utterances(told: &Value) -> Value {
    lines(told).map(utterance).collect()
}

/// When single words were said is not known.
fn utterance(line: &Value) -> Value {
    json!({ "role": role(line), "content": words(line), "words": [] })
}

/// What was said, and which tools were used, in their order.
fn with_tools(told: &Value) -> Value {
    let when = |it: &Value, key: &str| it[key].as_u64().unwrap_or_default();
    let mut all: Vec<(u64, Value)> =
        lines(told).map(|line| (when(line, "start_ms"), utterance(line))).collect();
    let tools = told["tools"].as_array().into_iter().flatten().enumerate();
    all.extend(tools.map(|(number, tool)| {
        let arguments = tool["arguments"].as_str().unwrap_or("{}");
        let used = json!({
            "role": "tool_call_invocation",
            "tool_call_id": format!("tool_{number}"),
            "name": tool["name"],
            "arguments": arguments,
        });
        (when(tool, "at_ms"), used)
    }));
    all.sort_by_key(|(at, _)| *at);
    all.into_iter().map(|(_, it)| it).collect()
}

/// How long callers waited for answers, in milliseconds.
fn latency(told: &Value) -> Value {
    let turns = told["turns"].as_array().into_iter().flatten();
    let mut all: Vec<u64> =
        turns.filter_map(|turn| turn["latency"]["first_packet_ms"].as_u64()).collect();
    let values = all.clone();
    all.sort_unstable();
    let (Some(least), Some(most)) = (all.first(), all.last()) else { return Value::Null };
    let part = |percent: usize| all.get((all.len() - 1) * percent / 100);
    json!({ "e2e": {
        "min": least, "max": most, "num": all.len(), "values": values,
        "p50": part(50), "p90": part(90), "p95": part(95), "p99": part(99),
    } })
}

fn analysis(told: &Value) -> Value {
    let found = &told["analysis"];
    let mut analysis = Map::new();
    analysis.insert("in_voicemail".to_owned(), json!(text(told, "end_reason") == "voicemail"));
    for (theirs, ours) in [
        ("call_summary", "summary"),
        ("call_successful", "success"),
        ("custom_analysis_data", "extracted"),
    ] {
        if !found[ours].is_null() {
            analysis.insert(theirs.to_owned(), found[ours].clone());
        }
    }
    let felt = match found["sentiment"]["overall"].as_str() {
        Some("positive") => "Positive",
        Some("neutral") => "Neutral",
        Some("negative") => "Negative",
        _ => return Value::Object(analysis),
    };
    analysis.insert("user_sentiment".to_owned(), json!(felt));
    Value::Object(analysis)
}
