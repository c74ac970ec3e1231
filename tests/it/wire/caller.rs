//! A caller with a phone of our own.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use voxtrunk::audio::codec::Codec;
use voxtrunk::audio::frame::{Frame, Rate};
use voxtrunk::audio::{resample, wav};
use voxtrunk::base::random::Random;
use voxtrunk::engine::gauges::Gauges;
use voxtrunk::engine::media_shard::MediaShard;
use voxtrunk::engine::phone::{Act, Line, Moment, Offer, Phone, Script, Timed, When};
use voxtrunk::engine::recorder::Recorder;
use voxtrunk::providers::tts::espeak::{self, Espeak};
use voxtrunk::providers::tts::flite::{self, Flite};
use voxtrunk::providers::vad::registry as vad;
use voxtrunk::providers::voice::Voice;
use voxtrunk::server::demo;
use voxtrunk::sip::event::{Ending, Party};

use super::server::{PATIENCE, SOURCE};

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaker {
    /// A voice of flite.
    Flite(&'static str),
    /// A voice of espeak-ng.
    Espeak(&'static str),
}

/// What came of a call.
#[derive(Debug)]
pub struct Outcome {
    /// How it ended.
    pub ending: Ending,
    /// What happened, in order.
    pub moments: Vec<Timed>,
    /// What the caller heard, when it was recorded.
    pub heard: Option<Frame>,
}

/// Calls, plays the lines, and hangs up when the other side has been quiet for `patience`.
pub async fn call(target: &str, lines: Vec<Line>, patience: Duration) -> Outcome {
    place(target, Script { lines, patience, ..Script::default() }).await
}

/// The same, from this number.
pub async fn call_from(caller: &str, target: &str, lines: Vec<Line>) -> Outcome {
    let patience = Duration::from_secs(10);
    let caller = caller.to_owned();
    place(target, Script { caller, lines, patience, ..Script::default() }).await
}

/// The same, and records what is heard into `path`.
pub async fn recorded(target: &str, lines: Vec<Line>, path: PathBuf) -> Outcome {
    let patience = Duration::from_secs(4);
    let script = Script { lines, recording: Some(path.clone()), patience, ..Script::default() };
    let mut outcome = place(target, script).await;
    let (left, _) = sides(&path);
    outcome.heard = Some(left);
    outcome
}

/// The same, from a phone that offers something else than G.711.
pub async fn offering(offer: Offer, target: &str, lines: Vec<Line>, path: PathBuf) -> Outcome {
    let recording = Some(path.clone());
    let patience = Duration::from_secs(10);
    let script = Script { lines, recording, patience, offer, ..Script::default() };
    let mut outcome = place(target, script).await;
    let (left, _) = sides(&path);
    outcome.heard = Some(left);
    outcome
}

/// The same, and nothing is recorded: perhaps nobody answers.
pub async fn unrecorded(offer: Offer, target: &str, lines: Vec<Line>) -> Outcome {
    let patience = Duration::from_secs(15);
    place(target, Script { lines, patience, offer, ..Script::default() }).await
}

async fn place(target: &str, script: Script) -> Outcome {
    // The identities of media ports count from the same number in every phone: a shard for each.
    let model = Path::new(SOURCE).join("models/silero_vad.onnx");
    let detector = vad::open(vad::Kind::Kernel, &model).expect("a model: run ./dev setup");
    let media = MediaShard::start(detector, Arc::new(Gauges::default())).expect("a thread");
    let recorder = Recorder::start().expect("a thread");
    let local = [127, 0, 0, 1].into();
    let peers = vec!["127.0.0.1".parse().expect("an address")];
    let mut phone = Phone::new(local, peers, media, recorder).expect("a phone");
    let (sender, mut receiver) = mpsc::channel(1_024);
    let ending = tokio::time::timeout(PATIENCE, phone.call(target, script, sender)).await;
    let ending = ending.expect("the call ends").expect("the phone rings");
    let mut moments = Vec::new();
    while let Ok(moment) = receiver.try_recv() {
        moments.push(moment);
    }
    Outcome { ending, moments, heard: None }
}

/// A line that is said when the other side is quiet.
pub async fn say(speaker: Speaker, words: &str) -> Line {
    let act = Act::Say(words.to_owned(), spoken(speaker, words).await);
    Line { when: When::Quiet, act }
}

/// A clip that is played when the other side is quiet.
pub fn play(clip: &Frame) -> Line {
    let clip = resample::convert(clip, Codec::Pcmu.rate());
    Line { when: When::Quiet, act: Act::Say(String::new(), clip) }
}

/// Has a voice say something; at the rate of the telephone.
pub async fn spoken(speaker: Speaker, words: &str) -> Frame {
    let voice: Arc<dyn Voice> = match speaker {
        Speaker::Flite(name) => {
            let settings = flite::Settings { voice: name.to_owned(), ..Default::default() };
            Arc::new(Flite::load(settings).expect("flite: run ./dev setup"))
        }
        Speaker::Espeak(name) => {
            let english = voxtrunk::base::language::Language::english();
            let settings =
                espeak::Settings { voice: name.to_owned(), ..espeak::Settings::of(&english) };
            Arc::new(Espeak::find(settings).expect("espeak-ng: run ./dev setup"))
        }
    };
    demo::spoken(&*voice, words).await.expect("the voice speaks")
}

/// Puts noise under a clip, `decibels` below its speech.
pub fn in_noise(clip: &Frame, decibels: f64) -> Frame {
    let mut random = Random::repeatable(7);
    let power: f64 = clip.samples.iter().map(|it| f64::from(*it).powi(2)).sum();
    let level = (power / clip.samples.len().max(1) as f64).sqrt() / 10_f64.powf(decibels / 20.0);
    // Three draws are near enough to a bell; their deviation is one half.
    let mut noise = || level * 2.0 * ((0..3).map(|_| random.unit()).sum::<f64>() - 1.5);
    let noisy = clip.samples.iter().map(|it| (f64::from(*it) + noise()) as i16);
    Frame::new(clip.rate, noisy.collect())
}

/// Reads both sides of a stereo recording, as much of it as is there.
pub fn sides(path: &Path) -> (Frame, Frame) {
    let bytes = std::fs::read(path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    let length = u32::from_le_bytes([bytes[40], bytes[41], bytes[42], bytes[43]]) as usize;
    assert_eq!(length + 44, bytes.len(), "the header says how long it is");
    assert_eq!(bytes.get(22..24), Some(&[2, 0][..]), "two channels");
    let rate = u32::from_le_bytes([bytes[24], bytes[25], bytes[26], bytes[27]]);
    let sample = |at: &[u8]| i16::from_le_bytes([at[0], at[1]]);
    let side = |first: usize| {
        let samples = bytes[44..].chunks_exact(4).map(|pair| sample(&pair[first..]));
        Frame::new(Rate(rate), samples.collect())
    };
    (side(0), side(2))
}

/// Reads a WAV file.
pub fn clip(path: &Path) -> Frame {
    let bytes = std::fs::read(path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    wav::read(&bytes).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}

impl Outcome {
    /// Whether it ended by a BYE of the other side.
    pub fn they_hung_up(&self) -> bool {
        matches!(self.ending, Ending::Bye { by: Party::Peer, .. })
    }

    /// Whether it ended by a BYE of ours.
    pub fn we_hung_up(&self) -> bool {
        matches!(self.ending, Ending::Bye { by: Party::Us, .. })
    }

    /// When the moments came that `which` names.
    pub fn times(&self, which: impl Fn(&Moment) -> bool) -> Vec<Duration> {
        self.moments.iter().filter(|(_, moment)| which(moment)).map(|(at, _)| *at).collect()
    }
}
