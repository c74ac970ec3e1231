//! How fast the agent answers, and how fast it stops.

use std::time::Duration;

use tokio::sync::{broadcast, mpsc};

use super::{Figure, median, millis, quantile, stage};
use crate::audio::frame::Frame;
use crate::call::event::Fact;
use crate::call::record::Latency;
use crate::engine::phone::{Act, Line, Moment, Script, When};
use crate::server::demo;

/// Measures.
pub async fn measure() -> Result<Vec<Figure>, String> {
    let server = stage::server(23_000..=23_199).await?;
    let media = stage::phone_media()?;
    let mut phone = stage::phone(server.local().ip(), &media)?;
    let voice = stage::voice()?;
    let target = format!("sip:demo@{}", server.local());
    let (mut turns, mut stops) = (Vec::new(), Vec::new());
    for _ in 0..CALLS {
        let mut lines = Vec::new();
        for (words, when) in LINES {
            let clip = trimmed(demo::spoken(&voice, words).await?);
            lines.push(Line { when, act: Act::Say(words.to_owned(), clip) });
        }
        let script = Script { lines, patience: Duration::from_secs(4), ..Script::default() };
        let (sender, moments) = mpsc::channel(64);
        let facts = server.watch();
        let (ending, stopped, timed) =
            tokio::join!(phone.call(&target, script, sender), interruptions(moments), timed(facts));
        ending.map_err(|why| why.to_string())?;
        stops.extend(stopped);
        turns.extend(timed);
    }
    server.drain(Duration::from_secs(2)).await;
    Ok(figures(&turns, &stops))
}

fn figures(turns: &[Latency], stops: &[f64]) -> Vec<Figure> {
    let of = |stage: fn(&Latency) -> Option<Duration>| -> Vec<f64> {
        turns.iter().filter_map(stage).map(millis).collect()
    };
    let answers = of(|turn| turn.first_packet);
    vec![
        Figure::new("turn.speech_end", median(&of(|turn| turn.speech_ended)), "ms"),
        Figure::new("turn.text", median(&of(|turn| turn.transcript)), "ms"),
        Figure::new("turn.taken", median(&of(|turn| turn.committed)), "ms"),
        Figure::new("turn.first_words", median(&of(|turn| turn.first_delta)), "ms"),
        Figure::new("turn.voice", median(&of(|turn| turn.first_audio)), "ms"),
        Figure::new("turn.answer", median(&answers), "ms").at_most(400.0).told(format!(
            "{} turns; last voiced sample to first packet; endpointing waits 300 ms",
            answers.len()
        )),
        Figure::new("turn.answer_p95", quantile(&answers, 0.95), "ms"),
        Figure::new("turn.barge_in_stop", median(stops), "ms")
            .at_most(250.0)
            .told(format!("{} times; the caller's onset to the agent's last sound", stops.len())),
    ]
}

/// From each onset of a barge-in to the last voiced sample of the agent, at the caller's side.
async fn interruptions(mut moments: mpsc::Receiver<crate::engine::phone::Timed>) -> Vec<f64> {
    let (mut speaking, mut onset) = (false, None);
    let mut stops = Vec::new();
    while let Some((at, moment)) = moments.recv().await {
        match moment {
            Moment::TheySpeak => speaking = true,
            Moment::Says(_) if speaking => onset = Some(at),
            Moment::TheyStop { last_voiced } => {
                speaking = false;
                if let Some(onset) = onset.take() {
                    stops.push(millis(last_voiced.saturating_sub(onset)));
                }
            }
            Moment::Ringing
            | Moment::Answered { .. }
            | Moment::Says(_)
            | Moment::Presses(_)
            | Moment::Hears(_)
            | Moment::Said
            | Moment::Received(_)
            | Moment::Over(_) => {}
        }
    }
    stops
}

/// The latency of each turn until the call ends.
async fn timed(mut facts: broadcast::Receiver<crate::engine::bus::Told>) -> Vec<Latency> {
    let mut turns = Vec::new();
    loop {
        match facts.recv().await.map(|told| told.fact) {
            Ok(fact) => match &*fact {
                Fact::TurnTimed { latency, .. } => turns.push(*latency),
                Fact::Ended { .. } => return turns,
                Fact::Started { .. }
                | Fact::Decided { .. }
                | Fact::Answered
                | Fact::AnswererKnown { .. }
                | Fact::AgentChanged { .. }
                | Fact::CallerSaid { .. }
                | Fact::Verified(_)
                | Fact::AgentSaid { .. }
                | Fact::Dialled { .. }
                | Fact::Bridged { .. }
                | Fact::Queued { .. }
                | Fact::LeftQueue { .. }
                | Fact::Streams { .. }
                | Fact::Streamed { .. }
                | Fact::Held { .. }
                | Fact::Resumed { .. }
                | Fact::Disclosed
                | Fact::RecordingAgreed
                | Fact::RecordingRefused { .. }
                | Fact::RecordingPaused
                | Fact::RecordingResumed { .. }
                | Fact::Transferred { .. }
                | Fact::ToolCalled { .. }
                | Fact::MessageTaken { .. }
                | Fact::VoicemailReceived { .. }
                | Fact::CallbackWanted { .. }
                | Fact::Analyzed(..)
                | Fact::ProviderFailed { .. } => {}
            },
            Err(broadcast::error::RecvError::Lagged(_)) => {}
            Err(broadcast::error::RecvError::Closed) => return turns,
        }
    }
}

/// A clip that begins with its first sound, so that its onset is exact.
fn trimmed(mut clip: Frame) -> Frame {
    let first = clip.samples.iter().position(|sample| sample.unsigned_abs() > 800).unwrap_or(0);
    clip.samples.drain(..first);
    clip
}

/// Questions in turn, each second one over the agent's answer.
const LINES: [(&str, When); 4] = [
    ("What are your opening hours?", When::Quiet),
    ("Where are you located?", When::Over(Duration::from_millis(1_500))),
    ("What are your opening hours?", When::Quiet),
    ("How much is a repair?", When::Over(Duration::from_millis(1_500))),
];

const CALLS: usize = 4;
