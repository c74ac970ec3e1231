//! An ear of our own: says which of the expected sentences stand in what was heard.

use std::time::Duration;

use tokio::sync::mpsc;
use voxtrunk::agent::event::{PauseId, Transcript};
use voxtrunk::audio::frame::{Frame, Rate};
use voxtrunk::audio::resample;
use voxtrunk::base::language::Language;
use voxtrunk::providers::stt::pocketsphinx::{PocketSphinx, Settings};
use voxtrunk::providers::transcriber::{Context, Transcriber};

use super::deskphone::Audio;
use super::server::PATIENCE;

/// Recognises a clip of `sentences` in any order; empty when it is something else.
pub async fn recognise(clip: &Frame, sentences: &[&str]) -> String {
    let sphinx = PocketSphinx::load(Settings::default()).expect("PocketSphinx: run ./dev setup");
    let grammar =
        format!("#JSGF V1.0;\ngrammar ear;\npublic <ear> = ({})+;\n", sentences.join(" | "));
    let context = Context {
        language: Language::english(),
        grammar: Some(grammar.into()),
        key_terms: Vec::new(),
    };
    let (sender, mut texts) = mpsc::channel(8);
    let mut ear = sphinx.open(context, sender).await.expect("the grammar is one");
    let mut clip = resample::convert(&without_holes(clip), Rate::WIDE);
    // The last word ends where silence begins, and not where a file does.
    clip.samples.extend(Frame::silence(Rate::WIDE, Duration::from_millis(300)).samples);
    ear.begin();
    for samples in clip.samples.chunks(320) {
        ear.hear(&Frame::new(Rate::WIDE, samples.to_vec()));
    }
    ear.finalize(PauseId::default());
    loop {
        let heard = tokio::time::timeout(PATIENCE, texts.recv()).await.expect("a text in time");
        match heard.expect("the ear lives").transcript {
            Transcript::Final { text, .. } => return text,
            Transcript::Partial { .. } => {}
            Transcript::Judged { .. } | Transcript::Failed => return String::new(),
        }
    }
}

/// What of `sentences` stands in the utterances of a clip.
pub async fn recognised(clip: &Frame, sentences: &[&str]) -> String {
    let mut texts = Vec::new();
    for utterance in utterances(clip) {
        texts.push(recognise(&utterance, sentences).await);
    }
    texts.join(" / ")
}

/// Waits until somebody has heard a sentence behind what it had heard before.
pub async fn hears(audio: &Audio, known: usize, sentence: &str, sentences: &[&str]) {
    let mut texts = String::new();
    for _ in 0..120 {
        let heard = audio.heard();
        let fresh = Frame::new(heard.rate, heard.samples[known..].to_vec());
        texts = recognised(&fresh, sentences).await;
        if texts.contains(sentence) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    panic!("`{sentence}` is not heard, but: {texts}");
}

/// The utterances in a clip, parted by pauses of 500 ms.
pub fn utterances(clip: &Frame) -> Vec<Frame> {
    let window = clip.rate.samples_in(Duration::from_millis(20)).max(1);
    let voiced: Vec<bool> = clip.samples.chunks(window).map(is_voiced).collect();
    let mut found: Vec<(usize, usize)> = Vec::new();
    for at in (0..voiced.len()).filter(|at| voiced[*at]) {
        match found.last_mut() {
            Some((_, end)) if at - *end <= PAUSE => *end = at + 1,
            Some(_) | None => found.push((at, at + 1)),
        }
    }
    let cut = |(begin, end): (usize, usize)| {
        let begin = begin.saturating_sub(MARGIN) * window;
        let end = ((end + MARGIN) * window).min(clip.samples.len());
        Frame::new(clip.rate, clip.samples[begin..end].to_vec())
    };
    found.into_iter().filter(|(begin, end)| end - begin > 5).map(cut).collect()
}

/// A clip in which nothing is long silent: slots that a sleeping machine left out are no pauses.
fn without_holes(clip: &Frame) -> Frame {
    let most = clip.rate.samples_in(HOLE);
    let runs = clip.samples.chunk_by(|one, two| (*one == 0) == (*two == 0));
    let kept = runs.flat_map(|run| match run {
        [0, ..] => &run[..run.len().min(most)],
        _ => run,
    });
    Frame::new(clip.rate, kept.copied().collect())
}

/// How much of a clip is voice.
pub fn voiced(clip: &Frame) -> Duration {
    let window = clip.rate.samples_in(Duration::from_millis(20)).max(1);
    let count = clip.samples.chunks(window).filter(|it| is_voiced(it)).count();
    Duration::from_millis(20) * u32::try_from(count).expect("a short clip")
}

fn is_voiced(samples: &[i16]) -> bool {
    let power: f64 = samples.iter().map(|it| f64::from(*it).powi(2)).sum();
    (power / samples.len().max(1) as f64).sqrt() > 150.0
}

/// So long digital silence stays as it is.
const HOLE: Duration = Duration::from_millis(20);

/// In windows of 20 ms.
const PAUSE: usize = 25;

/// How much silence stays around an utterance, in windows.
const MARGIN: usize = 10;

/// How much of what is in some samples is a tone: the best of each tenth of a second, since a
/// tape that begins anew and a slot that is left out turn its phase.
pub fn share(samples: &[i16], rate: f64, hertz: f64) -> f64 {
    let (mut of_tone, mut all) = (0.0, 0.0);
    for part in samples.chunks(rate as usize / 10) {
        let (mut sin, mut cos) = (0.0, 0.0);
        for (at, sample) in part.iter().enumerate() {
            let angle = at as f64 * hertz / rate * std::f64::consts::TAU;
            let value = f64::from(*sample);
            sin += value * angle.sin();
            cos += value * angle.cos();
            all += value * value;
        }
        of_tone += (sin * sin + cos * cos) * 2.0 / part.len() as f64;
    }
    of_tone / f64::max(all, 1.0)
}
