//! `voxtrunk demo`: a server with a ready agent, and a caller of our own who calls it once.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, mpsc};

use crate::agent::masking::kind::Masks;
use crate::audio::codec::Codec;
use crate::audio::frame::Frame;
use crate::audio::resample;
use crate::call::event::Fact;
use crate::call::record::Latency;
use crate::config::load::Loaded;
use crate::config::observing::Log;
use crate::engine::bus::Told;
use crate::engine::phone::{Act, Line, Phone, Script, When};
use crate::providers::tts::flite::{self, Flite};
use crate::providers::voice::Voice;
use crate::server::assembly::{self, Show};
use crate::server::running::Running;
use crate::server::{serve, telling};

/// What the demo's caller says, and to whom.
#[derive(Debug, Clone)]
pub struct Demo {
    /// The extension that is called: `demo`.
    pub extension: &'static str,
    /// What is said, one after the other.
    pub says: &'static [Says],
}

/// One line of the demo's caller.
#[derive(Debug, Clone, Copy)]
pub struct Says {
    /// The words.
    pub words: &'static str,
    /// Whether the caller waits for the agent to finish, or talks over it after so long.
    pub over: Option<Duration>,
}

/// The conversation that a newcomer sees.
pub const DEMO: Demo = Demo {
    extension: "demo",
    says: &[
        Says { words: "What are your opening hours?", over: None },
        Says {
            words: "I want to book an appointment on Monday at ten.",
            over: Some(Duration::from_millis(1_800)),
        },
        Says { words: "Yes.", over: None },
        Says { words: "Goodbye.", over: None },
    ],
};

/// What came of the call.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// How the call ended: the end reason of its record.
    pub end_reason: String,
    /// The latency of each turn.
    pub turns: Vec<(u64, Latency)>,
    /// The texts that the agent understood.
    pub understood: Vec<String>,
}

/// Calls the running server once and tells the conversation as it happens.
///
/// # Errors
/// When the caller's voice or phone cannot be had: one sentence.
pub async fn call_once(
    running: &Running,
    voice: Arc<dyn Voice>,
    recording: &Path,
) -> Result<Outcome, String> {
    let watch = running.watch();
    let script = script(voice, recording.to_owned()).await?;
    let local = running.local();
    let (media, recorder) = running.media();
    let address = local.ip();
    let peer = address.to_string().parse().map_err(|_| "no address to call".to_owned())?;
    let mut phone =
        Phone::new(address, vec![peer], media, recorder).map_err(|why| why.to_string())?;
    let target = format!("sip:{}@{local}", DEMO.extension);
    let (sender, moments) = mpsc::channel(64);
    // The facts of the server tell the same story with the words; the phone's own are not shown.
    drop(moments);
    let (ending, outcome) =
        tokio::join!(phone.call(&target, script, sender), tell_until_end(watch));
    ending.map_err(|why| why.to_string())?;
    outcome.ok_or_else(|| "the call never reached the agent".to_owned())
}

async fn script(voice: Arc<dyn Voice>, recording: PathBuf) -> Result<Script, String> {
    let mut lines = Vec::new();
    for says in DEMO.says {
        let frame = spoken(&*voice, says.words).await?;
        let when = says.over.map_or(When::Quiet, When::Over);
        lines.push(Line { when, act: Act::Say(says.words.to_owned(), frame) });
    }
    Ok(Script {
        lines,
        recording: Some(recording),
        patience: Duration::from_secs(4),
        ..Script::default()
    })
}

/// Speaks a text into one clip at the telephone's rate.
///
/// # Errors
/// When the voice fails: its sentence.
pub async fn spoken(voice: &dyn Voice, text: &str) -> Result<Frame, String> {
    Ok(resample::convert(&voiced(voice, text).await?, Codec::Pcmu.rate()))
}

/// Speaks a text into one clip at the rate of the voice.
///
/// # Errors
/// When the voice fails: its sentence.
pub async fn voiced(voice: &dyn Voice, text: &str) -> Result<Frame, String> {
    use futures_util::StreamExt;
    let mut clip: Option<Frame> = None;
    let mut stream = voice.speak(text);
    while let Some(frame) = stream.next().await {
        let frame = frame.map_err(|why| why.to_string())?;
        match &mut clip {
            Some(clip) => clip.samples.extend_from_slice(&frame.samples),
            None => clip = Some(frame),
        }
    }
    clip.ok_or_else(|| format!("the voice said nothing for `{text}`"))
}

/// Prints facts until a call ends.
async fn tell_until_end(mut watch: broadcast::Receiver<Told>) -> Option<Outcome> {
    let mut outcome = Outcome::default();
    loop {
        let told = match watch.recv().await {
            Ok(told) => told,
            Err(broadcast::error::RecvError::Lagged(_)) => continue,
            Err(broadcast::error::RecvError::Closed) => return None,
        };
        if let Some(line) = telling::line(&told.fact) {
            println!("{line}");
        }
        match &*told.fact {
            Fact::TurnTimed { turn, latency } => outcome.turns.push((*turn, *latency)),
            Fact::CallerSaid { text, .. } => outcome.understood.push(text.clone()),
            Fact::Ended { cause, .. } => {
                outcome.end_reason = cause.end_reason().to_owned();
                return Some(outcome);
            }
            Fact::Started { .. }
            | Fact::Decided { .. }
            | Fact::Answered
            | Fact::AnswererKnown { .. }
            | Fact::AgentChanged { .. }
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
        }
    }
}

/// Runs the demo with the settings of a file.
pub fn run(config: &Path, once: bool) -> ExitCode {
    let mut loaded = match assembly::load(config, Show::Errors) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    let quiet = Log { level: "warn".to_owned(), ..loaded.server.log.clone() };
    serve::log(&quiet, Masks::all());
    if let Some(listen) = loaded.server.sip.listen.first_mut() {
        listen.bind = free(listen.bind);
    }
    serve::finish(serve::block_on(show(loaded, once)))
}

async fn show(loaded: Loaded, once: bool) -> Result<(), String> {
    let folder = loaded.server.recordings_folder();
    let calls = loaded.server.calls_folder();
    let blueprint = assembly::blueprint(&loaded).await.map_err(|why| why.to_string())?;
    let running = Running::start(blueprint).map_err(|why| why.to_string())?;
    introduce(&running);
    let settings = flite::Settings { voice: "rms".to_owned(), ..flite::Settings::default() };
    let voice = Arc::new(Flite::load(settings).map_err(|why| why.to_string())?);
    let recording = folder.join("demo-caller.wav");
    let outcome = call_once(&running, voice, &recording).await?;
    println!("\n{}", telling::waterfall(&outcome.turns));
    println!("  listen to it      {} (agent left, caller right)", recording.display());
    println!("  its record        {}\n", calls.display());
    if !once {
        println!("The server stays up for your call; Ctrl-C ends it.");
        let watch = running.watch();
        tokio::select! {
            () = serve::stopped() => {}
            () = tell_for_ever(watch) => {}
        }
    }
    running.drain(Duration::from_secs(5)).await;
    if outcome.went_well() { Ok(()) } else { Err(outcome.complaint()) }
}

fn introduce(running: &Running) {
    let local = running.local();
    let target = format!("sip:{}@{local}", DEMO.extension);
    println!(
        "voxtrunk {} demo: an agent answers on this machine only\n",
        env!("CARGO_PKG_VERSION")
    );
    println!("  from a softphone  call {target} (no account, no registration; UDP; G.711)");
    println!("  in German         call sip:de@{local}");
    println!("  from a terminal   ./dev call {target} --say \"When are you open?\"");
    println!("  what it says      dialplans/demo/front-desk.toml\n");
    println!("Our own phone calls it now:\n");
}

impl Outcome {
    /// Whether every line was understood and the agent ended the call.
    fn went_well(&self) -> bool {
        let understood = self.understood.iter().filter(|text| !text.is_empty()).count();
        understood >= DEMO.says.len() && self.end_reason == "agent_ended"
    }

    fn complaint(&self) -> String {
        format!(
            "the demo call did not go as it should: {} of {} lines were understood, it ended by {}",
            self.understood.iter().filter(|text| !text.is_empty()).count(),
            DEMO.says.len(),
            self.end_reason
        )
    }
}

async fn tell_for_ever(mut watch: broadcast::Receiver<Told>) {
    loop {
        match watch.recv().await {
            Ok(told) => {
                if let Some(line) = telling::line(&told.fact) {
                    println!("{line}");
                }
            }
            Err(broadcast::error::RecvError::Lagged(_)) => {}
            Err(broadcast::error::RecvError::Closed) => return,
        }
    }
}

/// The wanted address, or one with a free port when a softphone has 5060.
fn free(wanted: SocketAddr) -> SocketAddr {
    if std::net::UdpSocket::bind(wanted).is_ok() {
        return wanted;
    }
    (0..20)
        .map(|offset| SocketAddr::new(wanted.ip(), 5_062 + 2 * offset))
        .find(|address| std::net::UdpSocket::bind(address).is_ok())
        .unwrap_or(wanted)
}
