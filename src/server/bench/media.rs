//! What audio costs, and whether packets leave in time when many speak.

use std::path::Path;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::{Figure, millis, stage};
use crate::audio::codec::Codec;
use crate::audio::frame::Rate;
use crate::audio::resample::Resampler;
use crate::engine::clock;
use crate::engine::phone::{Act, Line, Script, When};
use crate::providers::vad::{benchmark, registry as vad};
use crate::server::demo;

/// Measures.
pub async fn measure() -> Result<Vec<Figure>, String> {
    let mut figures = detector()?;
    figures.extend(samples());
    figures.push(idle_memory().await?);
    figures.extend(many_calls().await?);
    Ok(figures)
}

fn detector() -> Result<Vec<Figure>, String> {
    let model = Path::new("models/silero_vad.onnx");
    let mut detector = vad::open(vad::Kind::Kernel, model).map_err(|why| why.to_string())?;
    let batches =
        [("media.vad_window_1", 1), ("media.vad_window_8", 8), ("media.vad_window_32", 32)];
    let figures = batches.map(|(metric, batch)| {
        let cost = benchmark::benchmark(&mut *detector, batch, clock::now);
        Figure::new(metric, cost.as_secs_f64() * 1e6, "µs")
            .told(format!("a window of 32 ms, {batch} in a batch"))
    });
    Ok(figures.into())
}

fn samples() -> Vec<Figure> {
    let frame: Vec<i16> = (0..160).map(|at| (at * 97 % 8_000) as i16).collect();
    let (mut payload, mut decoded, mut wide) = (Vec::new(), Vec::new(), Vec::new());
    let g711 = stage::cost(2_000, || {
        payload.clear();
        decoded.clear();
        Codec::Pcma.encode(&frame, &mut payload);
        Codec::Pcma.decode(&payload, &mut decoded);
    });
    let mut resampler = Resampler::new(Rate::NARROW, Rate::WIDE);
    let resample = stage::cost(500, || {
        wide.clear();
        resampler.push(&frame, &mut wide);
    });
    vec![
        Figure::new("media.g711", g711.as_nanos() as f64, "ns").told("20 ms there and back"),
        Figure::new("media.resample", resample.as_secs_f64() * 1e6, "µs")
            .told("20 ms, 8 to 16 kHz"),
    ]
}

/// The resident memory of a server of its own that waits for calls.
async fn idle_memory() -> Result<Figure, String> {
    let program = std::env::current_exe().map_err(|why| why.to_string())?;
    let mut child = tokio::process::Command::new(program)
        .args(["serve", "--config", "conf/bench.toml"])
        .env("RUST_LOG", "info")
        .stderr(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|why| why.to_string())?;
    let mut errors = child.stderr.take().map(tokio::io::BufReader::new).ok_or("no pipe")?;
    let mut line = String::new();
    while !line.contains("ready for calls") {
        use tokio::io::AsyncBufReadExt;
        line.clear();
        let read = tokio::time::timeout(Duration::from_secs(30), errors.read_line(&mut line));
        if matches!(read.await, Ok(Ok(0)) | Ok(Err(_)) | Err(_)) {
            return Err("the server for the memory figure does not start".to_owned());
        }
    }
    let status = format!("/proc/{}/status", child.id().unwrap_or_default());
    let status = std::fs::read_to_string(status).map_err(|why| why.to_string())?;
    let kilobytes = status.lines().find_map(|line| {
        line.strip_prefix("VmRSS:")?.trim().trim_end_matches(" kB").parse::<f64>().ok()
    });
    child.kill().await.ok();
    let megabytes = kilobytes.ok_or("no VmRSS")? / 1_024.0;
    Ok(Figure::new("media.idle_memory", megabytes, "MB")
        .at_most(60.0)
        .told("the demo's four agents loaded, without Whisper"))
}

/// Many calls at once, both ends in this process.
async fn many_calls() -> Result<Vec<Figure>, String> {
    let server = stage::server(22_000..=22_199).await?;
    let media = stage::phone_media()?;
    let voice = stage::voice()?;
    let question = demo::spoken(&voice, "what are your opening hours").await?;
    let target = format!("sip:demo@{}", server.local());
    let (began, before) = (clock::now(), stage::process_time());
    let mut calls = JoinSet::new();
    for _ in 0..CALLS {
        let mut phone = stage::phone(&server, &media)?;
        let act = Act::Say("question".to_owned(), question.clone());
        let script = Script {
            lines: vec![Line { when: When::Quiet, act }],
            patience: Duration::from_secs(2),
            ..Script::default()
        };
        let target = target.clone();
        calls.spawn(async move {
            let (sender, mut moments) = mpsc::channel(64);
            let ignore = async { while moments.recv().await.is_some() {} };
            tokio::join!(phone.call(&target, script, sender), ignore).0.is_ok()
        });
    }
    let mut whole = 0;
    while let Some(done) = calls.join_next().await {
        whole += usize::from(done.unwrap_or(false));
    }
    let took = clock::now().saturating_duration_since(began).as_secs_f64();
    let spent = stage::process_time().saturating_sub(before).as_secs_f64();
    let gauges = server.gauges();
    let (wakes, late, worst) = gauges.wakes();
    let (unheard, undelivered) = gauges.losses();
    server.drain(Duration::from_secs(2)).await;
    let share = 100.0 * spent / took / CALLS as f64;
    Ok(vec![
        Figure::new("media.calls_whole", whole as f64, "calls").told(format!("of {CALLS} at once")),
        Figure::new("media.late_over_40ms", late as f64, "wakes")
            .at_most(0.0)
            .told(format!("of {wakes}; each wake sends what is due for a call")),
        Figure::new("media.worst_lateness", millis(worst), "ms").at_most(40.0),
        Figure::new("media.cpu_per_call", share, "% of a core")
            .told("caller and server in one process, so about twice the server's"),
        Figure::new("media.lost_to_listeners", (unheard + undelivered) as f64, "frames")
            .at_most(0.0),
    ])
}

const CALLS: usize = 50;
