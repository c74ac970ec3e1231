//! What happens, as events: the names and shapes of the API.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;

use crate::base::id::CallId;
use crate::call::campaign;
use crate::call::cause::Cause;
use crate::call::event::Fact;
use crate::call::record::{Manner, Stage};
use crate::call::trunk::Health;
use crate::engine::announcements::{Announcement, Announcer};
use crate::engine::bus::{Told, Watching};
use crate::engine::clock;
use crate::server::control::times::timestamp;
use crate::sip::registration::Enrolment;
use crate::store::call_files::{self, stir};

/// Sends what happens from now on; tells how much was missed.
pub async fn run(facts: &Watching, announcer: &Announcer, out: mpsc::Sender<Value>) -> u64 {
    let (mut facts, mut announcements) = (facts.watch(), announcer.watch());
    let mut missed = 0_u64;
    loop {
        let event = tokio::select! {
            told = facts.recv() => told.map(|told| of_call(&told)),
            told = announcements.recv() => told.map(|told| of_server(&told)),
        };
        let event = match event {
            Ok(event) => event,
            Err(RecvError::Lagged(count)) => {
                missed = missed.saturating_add(count);
                continue;
            }
            Err(RecvError::Closed) => return missed,
        };
        if out.send(event).await.is_err() {
            return missed;
        }
    }
}

/// What happened beside the calls.
pub fn of_server(announcement: &Announcement) -> Value {
    let data = match announcement {
        Announcement::Trunk { trunk, health } => {
            let reason = match health {
                Health::Up => None,
                Health::Down(why) => Some(why),
            };
            json!({ "trunk": &**trunk, "reason": reason })
        }
        Announcement::Registration { trunk, enrolment } => match enrolment {
            Enrolment::Registered { registrar, granted } => {
                json!({ "trunk": &**trunk, "registrar": registrar, "granted_s": granted.as_secs() })
            }
            Enrolment::Rejected { status } => json!({ "trunk": &**trunk, "status": status }),
            Enrolment::Failed { status, retry } => {
                json!({ "trunk": &**trunk, "status": status, "retry_in_s": retry.as_secs() })
            }
            Enrolment::Gone => json!({ "trunk": &**trunk }),
        },
        Announcement::PhoneRegistered { phone, places } => {
            json!({ "phone": &**phone, "places": places })
        }
        Announcement::PhoneGone { phone } => json!({ "phone": &**phone }),
        Announcement::ProviderDegraded { stage, provider, why } => {
            json!({ "provider": &**provider, "stage": stage.name(), "reason": why })
        }
        Announcement::CallLabelled { name, metadata, .. } => {
            json!({ "name": name, "metadata": metadata })
        }
        Announcement::ConfigReloaded { changed, restart } => {
            json!({ "changed": changed, "restart": restart })
        }
        Announcement::ConfigRefused { why } => json!({ "reason": why }),
        Announcement::Budget(news) => json!({
            "account": news.short.account.to_string(),
            "limit": news.short.limit.name(),
        }),
        Announcement::Campaign { campaign, event } => of_campaign(campaign, event),
        Announcement::ProviderRecovered { stage, provider } => {
            json!({ "provider": &**provider, "stage": stage.name() })
        }
    };
    let mut event = json!({
        "type": announcement.name(),
        "timestamp": timestamp(clock::since_epoch()),
        "data": data,
    });
    if let Some(call) = announcement.call() {
        event["call_id"] = json!(call.to_string());
    }
    event
}

/// Tells that events were missed, and how many, if that is known.
pub fn missed(count: Option<u64>) -> Value {
    json!({
        "type": "events.missed",
        "timestamp": timestamp(clock::since_epoch()),
        "data": { "missed": count },
    })
}

fn of_campaign(campaign: &str, event: &campaign::Event) -> Value {
    match event {
        campaign::Event::Started => json!({ "campaign": campaign }),
        campaign::Event::Finished(why) => json!({ "campaign": campaign, "reason": why }),
        campaign::Event::Row { line, number, outcome, again } => json!({
            "campaign": campaign,
            "line": line,
            "number": number.to_e164(),
            "result": outcome.fate.name(),
            "reason": outcome.reason,
            "again": again,
            "call_id": outcome.call,
        }),
    }
}

fn noted(key: &str, value: Value) -> (&'static str, Value) {
    ("call.updated", json!({ key: value }))
}

/// What happened in a call.
pub fn of_call(told: &Told) -> Value {
    let (name, data) = match &*told.fact {
        Fact::Started { from, to, route, destination } => (
            "call.ringing",
            json!({ "from": from, "to": to, "route": route, "destination": destination }),
        ),
        Fact::Decided { destination, .. } => noted("destination", json!(destination)),
        Fact::Answered => ("call.started", json!({})),
        Fact::AnswererKnown { verdict, after } => (
            "amd.verdict",
            json!({ "verdict": verdict.name(), "after_ms": after.as_millis() as u64 }),
        ),
        Fact::AgentChanged { agent } => ("agent.handoff", json!({ "agent": agent })),
        Fact::CallerSaid { at, text, keys } => (
            "transcript.updated",
            json!({ "role": "caller", "text": text, "keys": keys, "start_ms": at.as_millis() as u64 }),
        ),
        Fact::AgentSaid { at, text, interrupted } => (
            "transcript.updated",
            json!({
                "role": "agent",
                "text": text,
                "interrupted": interrupted,
                "start_ms": at.as_millis() as u64,
            }),
        ),
        Fact::ToolCalled { name } => ("function.called", json!({ "name": name })),
        Fact::MessageTaken { message } => noted("message", call_files::message(message)),
        Fact::VoicemailReceived { mailbox, lasted } => received(mailbox, *lasted),
        Fact::CallbackWanted { callback } => noted("callback", call_files::callback(callback)),
        Fact::Verified(verification) => noted("stir", stir(verification)),
        Fact::Dialled { to } => noted("dialled", json!(to)),
        Fact::Bridged { with } => noted("bridged", json!(with)),
        Fact::Queued { .. } | Fact::LeftQueue { .. } => of_queue(&told.fact),
        Fact::Streams { .. } | Fact::Streamed { .. } => of_stream(&told.fact),
        Fact::Held { leg } => ("call.updated", json!({ "held": leg })),
        Fact::Resumed { leg, lasted } => resumed(*leg, *lasted),
        Fact::Disclosed => ("disclosure.played", json!({})),
        Fact::RecordingAgreed
        | Fact::RecordingRefused { .. }
        | Fact::RecordingPaused
        | Fact::RecordingResumed { .. } => of_recording(&told.fact),
        Fact::Transferred { to, manner, failed } => transferred(to, *manner, *failed),
        Fact::ProviderFailed { stage, provider, reason, next } => {
            ("provider.failed", failed((*stage, provider), reason, next.as_deref()))
        }
        Fact::TurnTimed { turn, latency } => (
            "turn.completed",
            json!({ "turn": turn, "latency_ms": latency.first_packet.map(|it| it.as_millis() as u64) }),
        ),
        Fact::Analyzed(report, uses) => {
            ("call.analyzed", Value::Object(call_files::analysis(report, uses)))
        }
        Fact::Ended { cause, record } => ("call.ended", ended(*cause, record)),
    };
    json!({
        "type": name,
        "timestamp": timestamp(clock::since_epoch()),
        "call_id": told.call.to_string(),
        "data": data,
    })
}

/// Whether the caller is recorded.
fn of_recording(fact: &Fact) -> (&'static str, Value) {
    match fact {
        Fact::RecordingRefused { said_no } => {
            let answer = if *said_no { "no" } else { "none" };
            ("call.updated", json!({ "recording": "refused", "answer": answer }))
        }
        Fact::RecordingResumed { lasted } => (
            "call.updated",
            json!({ "recording": "resumed", "paused_ms": lasted.as_millis() as u64 }),
        ),
        Fact::RecordingPaused => noted("recording", json!("paused")),
        _ => noted("recording", json!("agreed")),
    }
}

/// A call ended since the server was killed, or had ended just before.
pub fn late_end(call: CallId, at: Option<&Value>, data: Value) -> Value {
    let at = at.cloned().unwrap_or_else(|| timestamp(clock::since_epoch()).into());
    json!({ "type": "call.ended", "timestamp": at, "call_id": call.to_string(), "data": data })
}

fn transferred(to: &str, manner: Manner, failed: Option<Cause>) -> (&'static str, Value) {
    let (to, manner) = (json!(to), manner.name());
    match failed {
        None => ("call.transferred", json!({ "to": to, "manner": manner })),
        Some(cause) => {
            ("transfer.failed", json!({ "to": to, "manner": manner, "reason": cause.end_reason() }))
        }
    }
}

fn of_queue(fact: &Fact) -> (&'static str, Value) {
    match fact {
        Fact::LeftQueue { queue, waited, why } => (
            "queue.left",
            json!({ "queue": queue, "waited_ms": waited.as_millis() as u64, "reason": why.name() }),
        ),
        Fact::Queued { queue } => ("queue.joined", json!({ "queue": queue })),
        _ => noted("queue", Value::Null),
    }
}

fn resumed(leg: usize, lasted: Duration) -> (&'static str, Value) {
    ("call.updated", json!({ "resumed": leg, "held_ms": lasted.as_millis() as u64 }))
}

fn of_stream(fact: &Fact) -> (&'static str, Value) {
    match fact {
        Fact::Streams { stream } => ("stream.started", json!({ "stream": stream })),
        Fact::Streamed { stream, lasted, end } => {
            let lasted = lasted.as_millis() as u64;
            let data = json!({ "stream": stream, "duration_ms": lasted, "end": end.name(), "reason": end.reason() });
            ("stream.ended", data)
        }
        _ => noted("stream", Value::Null),
    }
}

/// A message was left at a voicemail.
fn received(mailbox: &str, lasted: Duration) -> (&'static str, Value) {
    let data = json!({ "box": mailbox, "duration_ms": lasted.as_millis() as u64 });
    ("voicemail.received", data)
}

fn failed((stage, provider): (Stage, &str), reason: &str, next: Option<&str>) -> Value {
    json!({ "stage": stage.name(), "provider": provider, "reason": reason, "next": next })
}

fn ended(cause: Cause, record: &crate::call::record::Record) -> Value {
    json!({
        "end_reason": cause.end_reason(),
        "q850": cause.q850(),
        "status": cause.final_state(record.answered.is_some()),
        "duration_ms": record.lasted.as_millis() as u64,
        "cost": call_files::cost(&record.uses),
    })
}

#[cfg(test)]
mod tests {
    use regex::Regex;

    use crate::config::webhook::EVENTS;

    #[test]
    fn settings_know_every_event_by_its_name() {
        let texts = [include_str!("events.rs"), include_str!("../../engine/announcements.rs")];
        let name = Regex::new("\"([a-z]+\\.[a-z]+)\"").expect("a pattern");
        let mut said: Vec<&str> = texts
            .iter()
            .flat_map(|text| name.captures_iter(text))
            .filter_map(|found| found.get(1).map(|name| name.as_str()))
            .filter(|name| !name.ends_with(".rs"))
            .collect();
        said.sort_unstable();
        said.dedup();
        assert_eq!(said, EVENTS);
    }
}
