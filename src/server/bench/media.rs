//! What audio costs, and whether packets leave in time when many speak.

use std::path::Path;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::apart::{Apart, Cores};
use super::{Figure, crowd, legs, median, millis, quantile, stage};
use crate::audio::codec::Codec;
use crate::audio::coder::{Decoder, Encoder};
use crate::audio::echo::EchoGate;
use crate::audio::frame::Rate;
use crate::audio::library::Profile;
use crate::audio::resample::Resampler;
use crate::audio::tone::Tone;
use crate::engine::clock;
use crate::engine::phone::{Act, Line, Moment, Script, Timed, When};
use crate::media::event::Quality;
use crate::providers::vad::{benchmark, registry as vad};
use crate::server::{codecs, demo};

/// Measures.
pub async fn measure() -> Result<Vec<Figure>, String> {
    let mut figures = detector()?;
    figures.extend(samples());
    figures.extend(legs::measure());
    figures.push(idle_memory().await?);
    figures.extend(many_calls().await?);
    figures.extend(crowd::measure().await?);
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
    let mut wide = Vec::new();
    let mut resampler = Resampler::new(Rate::NARROW, Rate::WIDE);
    let resample = stage::cost(500, || {
        wide.clear();
        resampler.push(&frame, &mut wide);
    });
    let mut gate = EchoGate::new();
    for at in 0..100_u32 {
        // Noise that does not repeat: the gate has to look everywhere.
        let noise = |salt: u32| -> Vec<i16> {
            (0..160).map(|it| ((at * 160 + it) * salt % 6_151) as i16 - 3_075).collect()
        };
        gate.play(&noise(7_919), Rate::NARROW);
        gate.hear(&noise(104_729), Rate::NARROW);
    }
    let echo = stage::cost(20, || {
        std::hint::black_box(gate.is_echo());
    });
    vec![
        Figure::new("media.echo_search", echo.as_secs_f64() * 1e6, "µs")
            .told("at most once in 32 ms, and only while the line sounds like speech"),
        coding("media.g711", Codec::Pcma),
        coding("media.g722", Codec::G722),
        coding("media.opus", Codec::Opus),
        coding("media.l16", Codec::L16Wide),
        Figure::new("media.resample", resample.as_secs_f64() * 1e6, "µs")
            .told("20 ms, 8 to 16 kHz"),
    ]
}

/// What 20 ms of a voiced sound cost in a codec, there and back.
fn coding(metric: &'static str, codec: Codec) -> Figure {
    let libraries = codecs::libraries();
    let profile = Profile { playback: Rate::WIDE, fec: true, ..Profile::default() };
    let mut encoder = Encoder::new(codec, &profile, &libraries);
    let mut decoder = Decoder::new(codec, &libraries);
    let length = codec.rate().samples_in(Duration::from_millis(20));
    let voice = Tone::dual(codec.rate(), [140.0, 610.0]).at(0.5).play(Duration::from_secs(1));
    let mut frames = voice.chunks_exact(length).cycle();
    let (mut payload, mut decoded) = (Vec::new(), Vec::new());
    let both = stage::cost(200, || {
        payload.clear();
        decoded.clear();
        encoder.encode(frames.next().unwrap_or_default(), &mut payload);
        decoder.decode(&payload, &mut decoded);
    });
    let encoded = payload.clone();
    let back = stage::cost(200, || {
        decoded.clear();
        decoder.decode(&encoded, &mut decoded);
    });
    let micros = |cost: Duration| cost.as_secs_f64() * 1e6;
    Figure::new(metric, micros(both), "µs")
        .told(format!("20 ms there and back, {:.1} µs of it back", micros(back)))
}

/// The resident memory of a server of its own that waits for calls.
async fn idle_memory() -> Result<Figure, String> {
    let server = Apart::start(Cores::All).await?;
    Ok(Figure::new("media.idle_memory", server.memory()?, "MB")
        .at_most(60.0)
        .told("the demo's four agents loaded, without Whisper"))
}

/// Many calls at once to a server of its own on one core; the callers share the other cores.
async fn many_calls() -> Result<Vec<Figure>, String> {
    let server = Apart::start(Cores::First).await?;
    let media = stage::phone_media()?;
    let voice = stage::voice()?;
    let question = demo::spoken(&voice, "what are your opening hours").await?;
    let target = format!("sip:demo@{}", server.address);
    let (began, before) = (clock::now(), server.processor_time()?);
    let mut calls = JoinSet::new();
    for _ in 0..CALLS {
        let mut phone = stage::phone(server.address.ip(), &media)?;
        let act = Act::Say("question".to_owned(), question.clone());
        let script = Script {
            lines: vec![Line { when: When::Quiet, act }],
            patience: Duration::from_secs(2),
            ..Script::default()
        };
        let target = target.clone();
        calls.spawn(async move {
            let (sender, moments) = mpsc::channel(64);
            let (ending, heard) =
                tokio::join!(phone.call(&target, script, sender), reception(moments));
            ending.ok().and(heard)
        });
    }
    let heard: Vec<Quality> = calls.join_all().await.into_iter().flatten().collect();
    let took = clock::now().saturating_duration_since(began).as_secs_f64();
    let spent = server.processor_time()?.saturating_sub(before).as_secs_f64();
    let late: Vec<f64> = heard.iter().map(|call| millis(call.max_jitter)).collect();
    let packets: u64 = heard.iter().map(|call| call.received).sum();
    let lost: u64 = heard.iter().map(|call| call.lost).sum();
    Ok(vec![
        Figure::new("media.calls_whole", heard.len() as f64, "calls")
            .told(format!("of {CALLS} at once, the server with all its engines on one core")),
        Figure::new("media.late_at_most", quantile(&late, 1.0), "ms").at_most(40.0).told(format!(
            "the latest of {packets} packets, at the caller's; median call {:.1} ms",
            median(&late)
        )),
        Figure::new("media.lost", lost as f64, "packets").at_most(0.0),
        Figure::new("media.cpu_per_call", 100.0 * spent / took / CALLS as f64, "% of a core")
            .told("the server alone: signalling, audio, listening, thinking, speaking"),
    ])
}

/// How well a call was received.
async fn reception(mut moments: mpsc::Receiver<Timed>) -> Option<Quality> {
    let mut heard = None;
    while let Some((_, moment)) = moments.recv().await {
        if let Moment::Received(quality) = moment {
            heard = Some(quality);
        }
    }
    heard
}

const CALLS: usize = 50;
