//! flite: a small English voice, spoken by a thread of our own; first audio after about 10 ms.
//!
//! The engine is a hundred times quicker than speech, so a piece of text is spoken as a whole into
//! the stream's queue and the thread never waits for a call. Long texts take turns with others
//! piece by piece, and rest while enough is ahead.

use std::collections::VecDeque;
use std::ffi::{CString, c_int};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt as _, Stream, StreamExt as _, stream};
use tokio::sync::mpsc;

use crate::audio::frame::{Frame, Rate};
use crate::providers::error::ProviderError;
use crate::providers::tts::flite_sys::{self as sys, Manner};
use crate::providers::tts::plain;
use crate::providers::voice::Voice;
use crate::providers::workers::{Job, Size, Workers};

/// The voices that Debian's `libflite1` has, the best first.
pub const VOICES: [&str; 5] = ["slt", "rms", "awb", "kal16", "kal"];

/// How flite speaks.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// One of `VOICES`.
    pub voice: String,
    /// How fast it speaks; 1.0 is its normal speed. Kept between 0.5 and 2.0.
    pub speed: f32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { voice: "slt".to_owned(), speed: 1.0 }
    }
}

/// The voice. Its one thread speaks ninety times as fast as people do.
pub struct Flite {
    settings: Settings,
    workers: Arc<Workers<Speech>>,
}

/// The samples that are handed over at once: 20 ms at 16 kHz.
const PIECE: c_int = 320;
/// The longest piece of text that is spoken as a whole, in octets: some ten seconds.
const LONGEST: usize = 200;
/// The most frames that a stream holds: a minute and more. No piece of text lasts so long but one
/// that is made to, such as a row of digits spoken slowly.
const ROOM: usize = 4_096;
/// A stream with this many frames ahead lets others speak.
const AHEAD: usize = 100;

impl Flite {
    /// Loads a voice and starts its thread.
    pub fn load(settings: Settings) -> Result<Self, ProviderError> {
        let name = settings.voice.as_str();
        if !VOICES.contains(&name) {
            let voices = VOICES.join(", ");
            return Err(lasting(format!("has no voice \"{name}\", but {voices}")));
        }
        let voice = sys::Voice::load(name).map_err(|why| {
            lasting(format!("cannot load the voice {name}: {why}; on Debian: apt install flite"))
        })?;
        let manner = Manner { piece: PIECE, stretch: 1.0 / settings.speed.clamp(0.5, 2.0) };
        // The thread that takes the voice is the only one; a worker that panicked finds it again.
        let voice = Arc::new(Mutex::new(voice));
        let size = Size { threads: 1, waiting: 1_024 };
        let workers = Workers::start("flite", size, move || {
            let voice = voice.clone();
            move |speech: Speech| {
                speech.go_on(&mut voice.lock().unwrap_or_else(PoisonError::into_inner), manner)
            }
        })
        .map_err(|why| lasting(format!("cannot start a thread: {why}")))?;
        Ok(Self { settings, workers: Arc::new(workers) })
    }
}

impl Voice for Flite {
    fn warm_up(&self) -> BoxFuture<'_, Result<(), ProviderError>> {
        async move {
            let mut speech = self.speak("Hello.");
            while let Some(frame) = speech.next().await {
                frame?;
            }
            Ok(())
        }
        .boxed()
    }

    fn speak(&self, text: &str) -> BoxStream<'static, Result<Frame, ProviderError>> {
        let pieces = plain::pieces(&plain::ascii(text), LONGEST)
            .into_iter()
            .filter_map(|piece| CString::new(piece).ok())
            .collect();
        let (frames, spoken) = mpsc::channel(ROOM);
        let resting = Arc::new(Mutex::new(None));
        let speech = Speech { pieces, frames, resting: Arc::downgrade(&resting) };
        if self.workers.push(speech).is_err() {
            return stream::iter([Err(busy())]).boxed();
        }
        Spoken { frames: spoken, resting, workers: self.workers.clone() }.boxed()
    }

    fn identity(&self) -> String {
        format!("flite/{}/{:.2}", self.settings.voice, self.settings.speed)
    }
}

/// A text on its way to speech.
struct Speech {
    pieces: VecDeque<CString>,
    frames: mpsc::Sender<Result<Frame, ProviderError>>,
    /// Where it rests while enough is ahead.
    resting: Weak<Mutex<Option<Speech>>>,
}

impl Job for Speech {
    fn wanted(&self) -> bool {
        !self.frames.is_closed()
    }
}

impl Speech {
    /// Speaks the next piece. Gives itself back when there is more to be done now.
    fn go_on(mut self, voice: &mut sys::Voice, manner: Manner) -> Option<Self> {
        let piece = self.pieces.pop_front()?;
        voice.speak(&piece, manner, &mut |rate, samples| self.take(rate, samples));
        if self.pieces.is_empty() || self.frames.is_closed() {
            return None;
        }
        let resting = self.resting.upgrade()?;
        let mut resting = resting.lock().unwrap_or_else(PoisonError::into_inner);
        // Under the lock: either the stream sees it rest, or it sees that the stream ran low.
        if self.ahead() < AHEAD {
            return Some(self);
        }
        *resting = Some(self);
        None
    }

    /// Takes samples of the voice; says whether it wants more.
    fn take(&mut self, rate: u32, samples: &[i16]) -> bool {
        if samples.is_empty() {
            return !self.frames.is_closed();
        }
        match self.frames.try_send(Ok(Frame::new(Rate(rate), samples.to_vec()))) {
            Ok(()) => true,
            Err(_) => {
                // Nobody listens, or it lasts too long: what fits is all.
                self.pieces.clear();
                false
            }
        }
    }

    fn ahead(&self) -> usize {
        ROOM - self.frames.capacity()
    }
}

/// The stream of a speech.
struct Spoken {
    frames: mpsc::Receiver<Result<Frame, ProviderError>>,
    resting: Arc<Mutex<Option<Speech>>>,
    workers: Arc<Workers<Speech>>,
}

impl Stream for Spoken {
    type Item = Result<Frame, ProviderError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let frame = self.frames.poll_recv(context);
        if self.frames.len() < AHEAD {
            let rest = self.resting.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(rest) = rest
                && self.workers.push(rest).is_err()
            {
                return Poll::Ready(Some(Err(busy())));
            }
        }
        frame
    }
}

fn lasting(reason: impl Into<String>) -> ProviderError {
    ProviderError::lasting("flite", reason)
}

fn busy() -> ProviderError {
    ProviderError::passing("flite", "too much to say at once")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn flite(voice: &str) -> Flite {
        let settings = Settings { voice: voice.to_owned(), ..Settings::default() };
        Flite::load(settings).expect("flite is missing: run ./dev setup")
    }

    async fn samples(voice: &Flite, text: &str) -> Vec<i16> {
        let mut speech = voice.speak(text);
        let mut samples = Vec::new();
        let all = async {
            while let Some(frame) = speech.next().await {
                samples.extend(frame.expect("flite speaks").samples);
            }
        };
        tokio::time::timeout(Duration::from_secs(60), all).await.expect("speech ends");
        samples
    }

    /// The breath of slt, rms and awb is noise from the generator of the C library, so even alone
    /// no two readings are the same sample for sample; but they are as long and, piece by piece,
    /// about as loud (alone, pieces differ by up to a quarter). kal and kal16 are exact.
    fn assert_same(one: &[i16], other: &[i16]) {
        assert_eq!(one.len(), other.len());
        let loudness = |samples: &[i16]| {
            samples.iter().map(|sample| f64::from(*sample).abs()).sum::<f64>()
                / samples.len() as f64
        };
        for (one, other) in one.chunks(1_600).zip(other.chunks(1_600)) {
            let (one, other) = (loudness(one), loudness(other));
            assert!((one - other).abs() < 30.0 + 0.5 * one, "{one} and {other}");
        }
    }

    #[tokio::test]
    async fn every_voice_speaks_at_its_own_rate() {
        for (name, rate) in VOICES.iter().zip([16_000, 16_000, 16_000, 16_000, 8_000]) {
            let voice = flite(name);
            let first = voice.speak("Good morning.").next().await.expect("it says something");
            assert_eq!(first.expect("it speaks").rate, Rate(rate), "{name}");
            let loud = samples(&voice, "Good morning.").await.iter().any(|s| s.abs() > 2_000);
            assert!(loud, "{name}");
        }
    }

    #[tokio::test]
    async fn speed_makes_speech_shorter() {
        let fast = Settings { speed: 2.0, ..Settings::default() };
        let fast = Flite::load(fast).expect("flite is missing: run ./dev setup");
        let text = "The quick brown fox jumps over the lazy dog.";
        let (slow, fast) = (samples(&flite("slt"), text).await, samples(&fast, text).await);
        assert!(fast.len() * 3 < slow.len() * 2, "{} and {}", fast.len(), slow.len());
    }

    #[tokio::test]
    async fn odd_texts_do_no_harm() {
        let voice = flite("slt");
        for silent in ["", " ", "...", "?!", "\0", "\u{1F600}", "北京"] {
            assert!(samples(&voice, silent).await.is_empty(), "{silent:?}");
        }
        let odd = ["a\0b", "<b>&amp;</b> {x}", "1e999 -0.0 $5.00 3/4", "A.B.C", "ÀÉÎ ñ", "%s%n"];
        for text in odd {
            assert!(!samples(&voice, text).await.is_empty(), "{text:?}");
        }
        for long in ["word ".repeat(1_000), "x".repeat(5_000), "9".repeat(300)] {
            assert!(samples(&flite("kal16"), &long).await.len() > 16_000);
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(100))]
        // The library ends the process over what it cannot handle, so this must hold.
        #[test]
        fn any_text_is_survived(text in "[ -~]{0,60}|[0-9.,:/$%A-Z' -]{0,30}|.{0,40}") {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
            runtime.expect("a runtime can be made").block_on(samples(&flite("kal16"), &text));
        }
    }

    #[tokio::test]
    async fn a_long_speech_rests_while_others_speak() {
        let voice = flite("kal16");
        let text = "This is one of many sentences, and it goes on for a while. ".repeat(80);
        let mut long = voice.speak(&text);
        let first = long.next().await;
        assert!(first.is_some());
        assert!(!samples(&voice, "Hello.").await.is_empty(), "others have their turn");
        let mut count = 0;
        while long.next().await.is_some() {
            count += 1;
        }
        assert!(count > ROOM, "the whole text is spoken: {count}");
    }

    #[tokio::test]
    async fn a_dropped_stream_stops_the_work() {
        let voice = flite("slt");
        for _ in 0..200 {
            drop(voice.speak(&"Nobody will ever hear this long sentence. ".repeat(20)));
        }
        let mut begun = voice.speak(&"This one was begun. ".repeat(50));
        assert!(begun.next().await.is_some());
        drop(begun);
        assert!(!samples(&voice, "Hello.").await.is_empty());
    }

    #[tokio::test]
    async fn calls_at_once_hear_their_own_words() {
        let voice = flite("slt");
        let texts = ["One.", "Two and a half.", "Three times three is nine.", "Goodbye."];
        let mut alone = Vec::new();
        for text in texts {
            alone.push(samples(&voice, text).await);
        }
        let all = futures_util::future::join_all(texts.map(|text| samples(&voice, text))).await;
        for (together, alone) in all.iter().zip(&alone) {
            assert_same(together, alone);
        }
    }

    #[tokio::test]
    async fn voices_at_once_do_not_disturb_each_other() {
        let text = "Each voice has a thread of its own.";
        // One of them twice: two threads with the same data.
        let names = ["slt", "slt", "rms", "awb", "kal16", "kal16", "kal"];
        let voices = names.map(flite);
        let mut alone = Vec::new();
        for voice in &voices {
            alone.push(samples(voice, text).await);
        }
        let speak = |index: usize| {
            let voice = Flite {
                settings: voices[index].settings.clone(),
                workers: voices[index].workers.clone(),
            };
            tokio::spawn(async move { samples(&voice, text).await })
        };
        for _ in 0..3 {
            let at_once: Vec<_> = (0..voices.len()).map(speak).collect();
            for ((speech, alone), name) in at_once.into_iter().zip(&alone).zip(names) {
                let together = speech.await.expect("it speaks");
                assert_same(&together, alone);
                assert!(!name.starts_with("kal") || together == *alone, "{name}");
            }
        }
    }

    #[test]
    fn an_unknown_voice_is_refused_with_those_there_are() {
        let settings = Settings { voice: "hal".to_owned(), ..Settings::default() };
        let why = Flite::load(settings).err().expect("there is no such voice").reason;
        assert!(why.contains("slt, rms, awb"), "{why}");
    }
}
