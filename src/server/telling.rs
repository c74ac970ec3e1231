//! How a conversation is told to a person at a terminal.

use std::time::Duration;

use crate::call::amd::Verdict;
use crate::call::cause::Cause;
use crate::call::event::Fact;
use crate::call::record::Latency;

/// One line for a fact, if a person wants to see it.
pub fn line(fact: &Fact) -> Option<String> {
    match fact {
        Fact::Verified(verification) => {
            let attested = verification.attested();
            Some(format!("           · caller: {}, attested {attested}", verification.verstat()))
        }
        Fact::Started { route, destination, .. } => {
            Some(format!("           · route `{route}` → {destination}"))
        }
        Fact::Decided { destination, .. } => Some(format!("           · goes to {destination}")),
        Fact::Answered => Some("           · answered".to_owned()),
        Fact::AgentChanged { agent } => Some(format!("           · agent `{agent}` has the line")),
        Fact::CallerSaid { at, text, keys } => {
            let said = match (text.is_empty(), keys.is_empty()) {
                (_, false) => format!("[keys {keys}] {text}"),
                (true, true) => "[not understood]".to_owned(),
                (false, true) => text.clone(),
            };
            Some(format!("{:>8.1} s  caller  {said}", at.as_secs_f64()))
        }
        Fact::AgentSaid { at, text, interrupted } => {
            let cut = if *interrupted { " — [interrupted]" } else { "" };
            Some(format!("{:>8.1} s  agent   {text}{cut}", at.as_secs_f64()))
        }
        Fact::AnswererKnown { verdict, after } => Some(answered_by(*verdict, *after)),
        Fact::ToolCalled { name } => Some(format!("           · tool `{name}`")),
        Fact::MessageTaken { .. } => Some("           · left a message".to_owned()),
        Fact::Analyzed(report, _) => report.summary.as_ref().map(|it| format!("           · {it}")),
        Fact::VoicemailReceived { mailbox, .. } => Some(left_at(mailbox)),
        Fact::CallbackWanted { .. } => Some("           · wants to be called back".to_owned()),
        Fact::Dialled { to } => Some(format!("           · dialling {to}")),
        Fact::Bridged { with } => Some(format!("           · talks with {with}")),
        Fact::Queued { .. } | Fact::LeftQueue { .. } => in_queue(fact),
        Fact::Streams { .. } | Fact::Streamed { .. } => of_stream(fact),
        Fact::Held { .. } => Some("           · on hold".to_owned()),
        Fact::Resumed { lasted, .. } => Some(resumed(*lasted)),
        Fact::Disclosed => Some("           · knows that an AI speaks".to_owned()),
        Fact::RecordingAgreed
        | Fact::RecordingRefused { .. }
        | Fact::RecordingPaused
        | Fact::RecordingResumed { .. } => Some(taping(fact)),
        Fact::Transferred { to, manner, failed } => {
            let outcome = failed.map_or("worked", Cause::end_reason);
            Some(format!("           · transfer to {to} by {}: {outcome}", manner.name()))
        }
        Fact::ProviderFailed { stage, provider, reason, next } => {
            let next =
                next.as_ref().map_or_else(String::new, |next| format!("; {next} takes over"));
            Some(format!("           · {} `{provider}` failed: {reason}{next}", stage.name()))
        }
        Fact::TurnTimed { turn, latency } => Some(format!(
            "           · turn {turn}: {} after the caller's last sound",
            latency.first_packet.map_or_else(|| "-".to_owned(), millis)
        )),
        Fact::Ended { cause, record } => Some(format!(
            "           · ended: {} after {:.1} s",
            cause.end_reason(),
            record.lasted.as_secs_f64()
        )),
    }
}

fn taping(fact: &Fact) -> String {
    let what = match fact {
        Fact::RecordingAgreed => "may be recorded".to_owned(),
        Fact::RecordingPaused => "recording paused".to_owned(),
        Fact::RecordingResumed { lasted } => {
            format!("recording goes on after {:.1} s", lasted.as_secs_f64())
        }
        _ => "is not recorded".to_owned(),
    };
    format!("           · {what}")
}

fn answered_by(verdict: Verdict, after: Duration) -> String {
    let (name, after) = (verdict.name(), after.as_secs_f64());
    format!("           · answered by: {name}, known after {after:.1} s")
}

fn in_queue(fact: &Fact) -> Option<String> {
    match fact {
        Fact::Queued { queue } => Some(format!("           · waits in queue `{queue}`")),
        Fact::LeftQueue { waited, why, .. } => {
            Some(format!("           · waited {:.1} s: {}", waited.as_secs_f64(), why.name()))
        }
        _ => None,
    }
}

fn resumed(lasted: Duration) -> String {
    format!("           · back after {:.1} s on hold", lasted.as_secs_f64())
}

fn of_stream(fact: &Fact) -> Option<String> {
    match fact {
        Fact::Streams { stream } => Some(format!("           · stream `{stream}` is called")),
        Fact::Streamed { stream, end, .. } => {
            let why = end.reason().map(|why| format!(": {why}")).unwrap_or_default();
            Some(format!("           · stream `{stream}` ended ({}){why}", end.name()))
        }
        _ => None,
    }
}

fn left_at(mailbox: &str) -> String {
    format!("           · left a message at `{mailbox}`")
}

/// A table of the stages of each turn, in milliseconds after the caller's last voiced sample.
pub fn waterfall(turns: &[(u64, Latency)]) -> String {
    let mut table = String::from(
        "  turn   speech end   text   turn taken   first words   clause   voice   first packet\n",
    );
    for (turn, latency) in turns {
        let cell = |stage: Option<Duration>, width: usize| {
            let text = stage.map_or_else(|| "-".to_owned(), |at| at.as_millis().to_string());
            format!("{text:>width$}")
        };
        table.push_str(&format!(
            "  {turn:>4}{}{}{}{}{}{}{}\n",
            cell(latency.speech_ended, 13),
            cell(latency.transcript, 7),
            cell(latency.committed, 13),
            cell(latency.first_delta, 14),
            cell(latency.first_clause, 9),
            cell(latency.first_audio, 8),
            cell(latency.first_packet, 15),
        ));
    }
    table.push_str(
        "  milliseconds after the caller's last voiced sample; what is ready before the\n",
    );
    table.push_str(
        "  turn is taken was prepared unheard and would have been dropped had the caller gone on\n",
    );
    table
}

fn millis(duration: Duration) -> String {
    format!("{} ms", duration.as_millis())
}
