//! Who speaks in the sets, and what else sounds.

use voxtrunk::agent::assistant::Assistant;
use voxtrunk::audio::frame::{Frame, Rate};
use voxtrunk::base::language::Language;
use voxtrunk::base::random::Random;
use voxtrunk::providers::tts::espeak::{self, Espeak};
use voxtrunk::providers::tts::flite::{self, Flite};
use voxtrunk::server::demo;

/// A voice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Voice {
    /// One of flite.
    Flite(&'static str),
    /// One of espeak-ng.
    Espeak(&'static str),
}

impl Voice {
    pub const ENGLISH: Self = Self::Espeak("en-us");
    pub const GERMAN: Self = Self::Espeak("de");

    /// What it speaks, as an agent is told.
    pub fn language(self) -> Option<Language> {
        let german = self == Self::GERMAN;
        german.then(|| "de".parse().expect("a language")).or(Assistant::default().language)
    }
}

/// Says something at the rate of the telephone.
pub async fn spoken(voice: Voice, words: &str) -> Frame {
    let clip = match voice {
        Voice::Flite(name) => {
            let settings = flite::Settings { voice: name.to_owned(), ..Default::default() };
            demo::spoken(&Flite::load(settings).expect("flite: run ./dev setup"), words).await
        }
        Voice::Espeak(name) => {
            let settings = espeak::Settings::of(&Language::english());
            let settings = espeak::Settings { voice: name.to_owned(), ..settings };
            demo::spoken(&Espeak::find(settings).expect("espeak-ng: run ./dev setup"), words).await
        }
    };
    clip.expect("the voice speaks")
}

/// A clip from its first sound to its last.
pub fn trimmed(clip: &Frame) -> Frame {
    let sounds = |sample: &i16| sample.unsigned_abs() > 300;
    let first = clip.samples.iter().position(sounds).unwrap_or_default();
    let last = clip.samples.iter().rposition(sounds).map_or(0, |last| last + 1);
    Frame::new(clip.rate, clip.samples[first..last.max(first)].to_vec())
}

/// A cough: one to three bursts of breath, each loud at once and gone within 150 to 300 ms.
pub fn cough(seed: u64) -> Frame {
    let mut random = Random::repeatable(seed);
    let mut samples = Vec::new();
    for _ in 0..1 + random.u32() % 3 {
        let length = 1_200 + (random.unit() * 1_200.0) as usize;
        let (mut last, mut slow) = (0.0, 0.0);
        for at in 0..length {
            let fades = (1.0 - at as f64 / length as f64).powi(2);
            let rises = (at as f64 / 80.0).min(1.0);
            let noise = random.unit() * 2.0 - 1.0;
            // A throat: noise with most of its power between 300 and 1,500 Hz.
            slow = 0.9 * slow + 0.1 * noise;
            last = 0.5 * last + 0.5 * (noise - slow);
            samples.push((last * fades * rises * 14_000.0) as i16);
        }
        samples.extend(vec![0; 400 + (random.unit() * 800.0) as usize]);
    }
    Frame::new(Rate::NARROW, samples)
}

/// What comes back of a voice: so many milliseconds later, so many decibels down, dulled.
pub fn echo_of(said: &Frame, late: usize, down: f64) -> Frame {
    let gain = 10_f64.powf(-down / 20.0);
    let mut samples = vec![0; late * 8];
    let mut last = 0.0;
    samples.extend(said.samples.iter().map(|sample| {
        last = 0.3 * last + 0.7 * f64::from(*sample);
        (last * gain).round() as i16
    }));
    Frame::new(said.rate, samples)
}
