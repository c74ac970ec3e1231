//! Callers for tests: speech of the engines on this machine, as a telephone would bring it.

use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::sync::mpsc;

use crate::agent::event::{PauseId, Transcript};
use crate::audio::frame::{Frame, Rate};
use crate::audio::g711;
use crate::audio::resample::convert;
use crate::base::random::Random;
use crate::providers::transcriber::{Heard, Listening};
use crate::providers::tts::flite::{Flite, Settings};
use crate::providers::voice::Voice;

/// A number that is no sound: how long a test waits before it says that something hangs.
pub const HANGS: Duration = Duration::from_secs(60);

/// Has a voice of flite say a text; 16 kHz.
pub async fn flite(voice: &str, text: &str) -> Frame {
    let settings = Settings { voice: voice.to_owned(), ..Settings::default() };
    let voice = Flite::load(settings).expect("flite is missing: run ./dev setup");
    said(&voice, text).await
}

/// Has a voice say a text; 16 kHz.
pub async fn said(voice: &dyn Voice, text: &str) -> Frame {
    let mut speech = voice.speak(text);
    let mut whole: Option<Frame> = None;
    while let Some(frame) = speech.next().await {
        let frame = frame.expect("the voice speaks");
        match &mut whole {
            None => whole = Some(frame),
            Some(whole) => whole.samples.extend(frame.samples),
        }
    }
    convert(&whole.expect("the voice said something"), Rate::WIDE)
}

/// What a telephone makes of a clip: 8 kHz, µ-law, and back to 16 kHz.
pub fn telephone(clip: &Frame) -> Frame {
    let mut narrow = convert(clip, Rate::NARROW);
    for sample in &mut narrow.samples {
        *sample = g711::ulaw_to_linear(g711::linear_to_ulaw(*sample));
    }
    convert(&narrow, Rate::WIDE)
}

/// Puts noise under a clip, `decibels` below it.
pub fn in_noise(clip: &Frame, decibels: f64) -> Frame {
    let mut random = Random::repeatable(5);
    let square: f64 = clip.samples.iter().map(|sample| f64::from(*sample).powi(2)).sum();
    let level = (square / clip.samples.len().max(1) as f64).sqrt() / 10_f64.powf(decibels / 20.0);
    // Three draws are near enough to a bell; their deviation is one half.
    let mut noise = || 2.0 * ((0..3).map(|_| random.unit()).sum::<f64>() - 1.5);
    let samples = clip.samples.iter().map(|s| (f64::from(*s) + level * noise()) as i16).collect();
    Frame::new(clip.rate, samples)
}

/// Has a call hear a clip in frames of 20 ms and pause.
pub fn hear(call: &mut dyn Listening, clip: &Frame, pause: PauseId) {
    call.begin();
    for samples in clip.samples.chunks(320) {
        call.hear(&Frame::new(Rate::WIDE, samples.to_vec()));
    }
    call.finalize(pause);
}

/// Waits for the next text.
pub async fn next(heard: &mut mpsc::Receiver<Heard>) -> Heard {
    tokio::time::timeout(HANGS, heard.recv())
        .await
        .expect("a text comes in time")
        .expect("the call is still heard")
}

/// The words of a final text.
pub fn words(heard: Heard) -> String {
    match heard.transcript {
        Transcript::Final { text, .. } => text,
        Transcript::Partial { .. } | Transcript::Judged { .. } | Transcript::Failed => {
            panic!("no final text: {heard:?}")
        }
    }
}
