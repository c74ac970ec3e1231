//! The journal: one line of the log for what happens to a call, as people know it from their
//! telephone systems. The call's identity is in the span; numbers are personal data.

use std::time::Duration;

use crate::call::cause::Cause;
use crate::call::event::Fact;
use crate::call::record::Record;
use crate::call::stream::End;

/// Writes a fact into the log, if it is one of the signalling.
pub fn write(fact: &Fact) {
    match fact {
        Fact::Verified(verification) => {
            let verstat = verification.verstat();
            let attestation = verification.attested().to_string();
            let flaw = verification.flaw.as_ref().map(ToString::to_string);
            let signer = verification.said.as_ref().map(|said| said.signer.as_str());
            tracing::info!(verstat, attestation, signer, flaw, "caller checked");
        }
        Fact::Started { from, to, route, destination } => {
            tracing::info!(pii.from = from, pii.to = to, route, destination, "call arrived");
        }
        Fact::Decided { destination, is_there: true } => {
            tracing::info!(pii.to = destination, "it was said where the call goes");
        }
        Fact::Decided { destination, is_there: false } => {
            tracing::warn!(pii.to = destination, "the call is to go where nobody is: it goes on with `else`");
        }
        Fact::Answered => tracing::info!("call answered"),
        Fact::AnswererKnown { verdict, after } => {
            let (verdict, after_ms) = (verdict.name(), after.as_millis() as u64);
            tracing::info!(verdict, after_ms, "known who answered");
        }
        Fact::AgentChanged { agent } => tracing::info!(agent, "agent has the line"),
        Fact::Dialled { to } => tracing::info!(pii.to = to, "dialling"),
        Fact::Bridged { with } => tracing::info!(pii.with = with, "bridged"),
        Fact::Queued { queue } => tracing::info!(queue, "waits in a queue"),
        Fact::LeftQueue { queue, waited, why } => {
            let (waited_ms, why) = (waited.as_millis() as u64, why.name());
            tracing::info!(queue, waited_ms, why, "left the queue");
        }
        Fact::Streams { stream } => tracing::info!(stream, "a stream is called"),
        Fact::Streamed { stream, lasted, end } => streamed(stream, *lasted, end),
        Fact::Held { .. } | Fact::Resumed { .. } => hold(fact),
        Fact::Transferred { to, manner, failed } => {
            let outcome = failed.map_or("worked", Cause::end_reason);
            let manner = manner.name();
            tracing::info!(pii.to = to, manner, outcome, "transfer");
        }
        Fact::MessageTaken { .. } => tracing::info!("the caller left a message"),
        Fact::VoicemailReceived { mailbox, lasted } => {
            let lasted_ms = lasted.as_millis() as u64;
            tracing::info!(mailbox, lasted_ms, "the caller left a message at a voicemail");
        }
        Fact::CallbackWanted { .. } => tracing::info!("the caller wants to be called back"),
        Fact::Analyzed(report, _) => tracing::info!(success = report.success, "the call was read"),
        Fact::Disclosed => tracing::info!("the caller knows that an AI speaks"),
        Fact::RecordingAgreed
        | Fact::RecordingRefused { .. }
        | Fact::RecordingPaused
        | Fact::RecordingResumed { .. } => taping(fact),
        Fact::Ended { record, .. } => legs_of(record),
        Fact::CallerSaid { .. }
        | Fact::AgentSaid { .. }
        | Fact::ToolCalled { .. }
        // It was told where it happened.
        | Fact::ProviderFailed { .. }
        | Fact::TurnTimed { .. } => {}
    }
}

fn streamed(stream: &str, lasted: Duration, end: &End) {
    let (lasted_ms, why, reason) = (lasted.as_millis() as u64, end.name(), end.reason());
    tracing::info!(stream, lasted_ms, why, reason, "stream ended");
}

/// Whether a peer wants to hear us.
fn hold(fact: &Fact) {
    match fact {
        Fact::Held { leg } => tracing::info!(leg, "on hold"),
        Fact::Resumed { leg, lasted } => {
            tracing::info!(leg, held_ms = lasted.as_millis() as u64, "resumed");
        }
        _ => {}
    }
}

/// Whether the caller is recorded.
fn taping(fact: &Fact) {
    match fact {
        Fact::RecordingAgreed => tracing::info!("the caller agrees to be recorded"),
        Fact::RecordingRefused { said_no } => {
            tracing::info!(said_no, "the caller does not agree to be recorded");
        }
        Fact::RecordingPaused => tracing::info!("recording paused"),
        Fact::RecordingResumed { lasted } => {
            tracing::info!(paused_ms = lasted.as_millis() as u64, "recording resumed");
        }
        _ => {}
    }
}

/// How each leg fared; the end of the call itself is told with its record.
fn legs_of(record: &Record) {
    for (number, leg) in record.legs.iter().enumerate() {
        let outcome = match (leg.cause, leg.answered) {
            (Some(cause), _) => cause.end_reason(),
            (None, Some(_)) => "answered",
            (None, None) => "not answered",
        };
        let quality = &leg.quality;
        tracing::info!(
            leg = number,
            pii.to = leg.to,
            outcome,
            codec = leg.codec,
            srtp = leg.srtp,
            received = quality.received,
            refused = quality.refused,
            sent = quality.sent,
            lost = quality.lost,
            jitter_ms = quality.jitter.as_secs_f64() * 1_000.0,
            max_jitter_ms = quality.max_jitter.as_secs_f64() * 1_000.0,
            mos = quality.score,
            "leg ended"
        );
    }
}
