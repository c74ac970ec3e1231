//! Phrases that are known beforehand, such as greetings: spoken once, kept, and heard at once.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, stream};

use crate::audio::frame::Frame;
use crate::providers::error::ProviderError;
use crate::providers::voice::Voice;

/// The phrases kept, of all voices. The one heard longest ago makes room for a new one.
pub struct Phrases {
    most: usize,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    octets: usize,
    /// The one heard last at the end.
    phrases: VecDeque<Phrase>,
}

struct Phrase {
    identity: String,
    text: String,
    frames: Arc<[Frame]>,
    octets: usize,
}

impl Phrases {
    /// Keeps at most `most` octets of samples.
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, kept: Mutex::default() })
    }

    /// How many octets of samples are kept.
    pub fn octets(&self) -> usize {
        self.lock().octets
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // Nothing under the lock can panic half-way.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, identity: &str, text: &str) -> Option<Arc<[Frame]>> {
        let mut kept = self.lock();
        let phrases = &mut kept.phrases;
        let at = phrases.iter().position(|one| one.text == text && one.identity == identity)?;
        let phrase = phrases.remove(at).expect("it was just found there");
        let frames = phrase.frames.clone();
        phrases.push_back(phrase);
        Some(frames)
    }

    fn keep(&self, phrase: Phrase) {
        if phrase.octets > self.most {
            return;
        }
        let mut kept = self.lock();
        if let Some(at) = kept
            .phrases
            .iter()
            .position(|one| one.text == phrase.text && one.identity == phrase.identity)
        {
            let old = kept.phrases.remove(at).expect("it was just found there");
            kept.octets -= old.octets;
        }
        while kept.octets + phrase.octets > self.most {
            let oldest = kept.phrases.pop_front().expect("what is kept has octets");
            kept.octets -= oldest.octets;
        }
        kept.octets += phrase.octets;
        kept.phrases.push_back(phrase);
    }
}

/// A voice that says known phrases from memory. Other texts go to the voice and are not kept:
/// they may be about the caller.
pub struct Cached {
    voice: Arc<dyn Voice>,
    identity: String,
    phrases: Arc<Phrases>,
}

impl Cached {
    /// Puts a voice behind the phrases.
    pub fn new(voice: Arc<dyn Voice>, phrases: Arc<Phrases>) -> Self {
        let identity = voice.identity();
        Self { voice, identity, phrases }
    }

    /// Has the voice say each text once and keeps it. Stops at the first that fails.
    pub async fn prepare<T: AsRef<str>>(&self, texts: &[T]) -> Result<(), ProviderError> {
        for text in texts.iter().map(AsRef::as_ref) {
            if self.phrases.find(&self.identity, text).is_some() {
                continue;
            }
            let mut speech = self.voice.speak(text);
            let mut frames = Vec::new();
            while let Some(frame) = speech.next().await {
                frames.push(frame?);
            }
            let octets = frames.iter().map(|frame| frame.samples.len() * 2).sum();
            let (identity, text) = (self.identity.clone(), text.to_owned());
            self.phrases.keep(Phrase { identity, text, frames: frames.into(), octets });
        }
        Ok(())
    }
}

impl Voice for Cached {
    fn warm_up(&self) -> BoxFuture<'_, Result<(), ProviderError>> {
        self.voice.warm_up()
    }

    fn call_begins(&self) -> BoxFuture<'_, Result<(), ProviderError>> {
        self.voice.call_begins()
    }

    fn name(&self) -> Option<&str> {
        self.voice.name()
    }

    fn speak(&self, text: &str) -> BoxStream<'static, Result<Frame, ProviderError>> {
        let Some(frames) = self.phrases.find(&self.identity, text) else {
            return self.voice.speak(text);
        };
        let count = frames.len();
        stream::iter((0..count).map(move |index| Ok(frames[index].clone()))).boxed()
    }

    fn remembers(&self, text: &str) -> bool {
        self.phrases.find(&self.identity, text).is_some()
    }

    fn identity(&self) -> String {
        self.identity.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::audio::frame::Rate;

    /// Counts how often it speaks; a text has as many samples as octets.
    #[derive(Default)]
    struct Counting {
        times: AtomicUsize,
    }

    impl Voice for Counting {
        fn warm_up(&self) -> BoxFuture<'_, Result<(), ProviderError>> {
            Box::pin(async { Ok(()) })
        }

        fn speak(&self, text: &str) -> BoxStream<'static, Result<Frame, ProviderError>> {
            self.times.fetch_add(1, Ordering::Relaxed);
            if text == "fail" {
                let why = ProviderError::passing("counting", "on purpose");
                return stream::iter([Err(why)]).boxed();
            }
            stream::iter([Ok(Frame::new(Rate::WIDE, vec![1; text.len()]))]).boxed()
        }

        fn identity(&self) -> String {
            "counting".to_owned()
        }
    }

    async fn heard(voice: &Cached, text: &str) -> usize {
        let frames: Vec<_> = voice.speak(text).collect().await;
        frames.into_iter().map(|frame| frame.expect("it speaks").samples.len()).sum()
    }

    #[tokio::test]
    async fn a_prepared_phrase_is_spoken_once_by_the_voice() {
        let counting = Arc::new(Counting::default());
        let voice = Cached::new(counting.clone(), Phrases::new(1_000));
        voice.prepare(&["Welcome.", "Goodbye."]).await.unwrap();
        voice.prepare(&["Welcome."]).await.unwrap();
        assert_eq!(heard(&voice, "Welcome.").await, 8);
        assert_eq!(heard(&voice, "Welcome.").await, 8);
        assert_eq!(counting.times.load(Ordering::Relaxed), 2);
        assert_eq!(heard(&voice, "About the caller.").await, 17);
        assert_eq!(heard(&voice, "About the caller.").await, 17);
        assert_eq!(counting.times.load(Ordering::Relaxed), 4);
    }

    #[tokio::test]
    async fn the_phrase_heard_longest_ago_makes_room() {
        let phrases = Phrases::new(50);
        let counting = Arc::new(Counting::default());
        let voice = Cached::new(counting.clone(), phrases.clone());
        voice.prepare(&["aaaaaaaaaa", "bbbbbbbbbb"]).await.unwrap();
        heard(&voice, "aaaaaaaaaa").await;
        voice.prepare(&["cccccccccc", &"too long for the room".repeat(3)]).await.unwrap();
        assert_eq!(phrases.octets(), 40);
        let before = counting.times.load(Ordering::Relaxed);
        heard(&voice, "aaaaaaaaaa").await;
        assert_eq!(counting.times.load(Ordering::Relaxed), before);
        heard(&voice, "bbbbbbbbbb").await;
        assert_eq!(counting.times.load(Ordering::Relaxed), before + 1);
    }

    #[tokio::test]
    async fn a_phrase_that_failed_is_not_kept() {
        let phrases = Phrases::new(50);
        let voice = Cached::new(Arc::new(Counting::default()), phrases.clone());
        assert!(voice.prepare(&["fail"]).await.is_err());
        assert_eq!(phrases.octets(), 0);
    }
}
