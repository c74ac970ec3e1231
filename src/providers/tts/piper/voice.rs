//! Piper: voices that sound like people, made on this machine.
//!
//! A sentence is spoken whole, by few threads at low priority; one that nobody wants to hear any more
//! is never begun.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::description::Description;
use super::network::{Manner, Network};
use super::phonemes::{Phonemizer, letters, sentences};
use crate::audio::frame::Frame;
use crate::providers::error::ProviderError;
use crate::providers::voice::Voice;
use crate::providers::workers::{Job, Size, Workers};

/// A voice as it was loaded, with all its speakers.
pub struct Engine {
    name: String,
    description: Description,
    phonemizer: Option<Phonemizer>,
    workers: Workers<Work>,
}

/// One of its speakers.
#[derive(Clone)]
pub struct Piper {
    engine: Arc<Engine>,
    manner: Manner,
    identity: String,
}

impl Engine {
    /// Loads the network in `file` with the description beside it, and starts the threads.
    ///
    /// # Errors
    /// When one of them, ONNX Runtime or espeak-ng is missing or does not fit.
    pub fn load(file: &Path) -> Result<Self, ProviderError> {
        let beside = file.with_added_extension("json");
        let description = Description::read(&beside)
            .map_err(|why| lasting(format!("{}: {why}", beside.display())))?;
        let phonemizer = description.espeak.as_deref().map(Phonemizer::find).transpose()?;
        let silence = description.numbers("");
        let manner = manner(&description, (0, 1.0));
        let load = move |file: &Path| Network::load(file, (&silence, &manner));
        let first = Mutex::new(Some(load(file).map_err(lasting)?));
        let path: PathBuf = file.to_owned();
        let workers = Workers::start("piper", Size::of_this_machine(NETWORKS), move || {
            // Whoever comes first takes the one that was tried; others load their own.
            let tried = first.lock().unwrap_or_else(PoisonError::into_inner).take();
            let mut network = tried.map_or_else(|| load(&path), Ok);
            move |work: Work| {
                work.done(&mut network);
                None
            }
        });
        let workers = workers.map_err(|why| lasting(format!("cannot start a thread: {why}")))?;
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self { name, description, phonemizer, workers })
    }

    /// A speaker at a speed; 1.0 is the voice's own.
    ///
    /// # Errors
    /// When there is no such speaker.
    pub fn voice(
        self: &Arc<Self>,
        (speaker, speed): (Option<&str>, f32),
    ) -> Result<Piper, ProviderError> {
        let number = self.description.speaker(speaker);
        let number = number.map_err(|why| lasting(format!("{}: {why}", self.name)))?;
        let identity = format!("piper/{}/{number}/{speed:.2}", self.name);
        let manner = manner(&self.description, (number, speed));
        Ok(Piper { engine: self.clone(), manner, identity })
    }

    /// The numbers of the phonemes of a sentence.
    async fn numbers(&self, sentence: &str) -> Result<Vec<i64>, ProviderError> {
        let phonemes = match &self.phonemizer {
            Some(phonemizer) => phonemizer.phonemes(sentence).await?,
            None => letters(&sentence.to_lowercase()),
        };
        Ok(self.description.numbers(&phonemes))
    }
}

impl Piper {
    /// Speaks one sentence.
    async fn sentence(&self, sentence: &str) -> Result<Vec<Frame>, ProviderError> {
        let numbers = self.engine.numbers(sentence).await?;
        let (answer, sound) = oneshot::channel();
        let work = Work { numbers, manner: self.manner, answer };
        let queued = self.engine.workers.push(work);
        queued.map_err(|_| passing("too much to say at once"))?;
        let sound = timeout(PATIENCE, sound).await.map_err(|_| passing("keeps silent"))?;
        let sound = sound.map_err(|_| passing("a worker failed"))?.map_err(passing)?;
        let rate = self.engine.description.rate;
        let samples = audible(&sound);
        Ok(samples.chunks(CHUNK).map(|samples| Frame::new(rate, samples.to_vec())).collect())
    }
}

impl Voice for Piper {
    fn warm_up(&self) -> BoxFuture<'_, Result<(), ProviderError>> {
        async move { self.sentence("1").await.map(|_| ()) }.boxed()
    }

    fn speak(&self, text: &str) -> BoxStream<'static, Result<Frame, ProviderError>> {
        let speech = Speech {
            voice: self.clone(),
            sentences: sentences(text).into(),
            frames: VecDeque::new(),
        };
        stream::unfold(speech, Speech::next).boxed()
    }

    fn identity(&self) -> String {
        self.identity.clone()
    }
}

/// A text on its way to speech.
struct Speech {
    voice: Piper,
    sentences: VecDeque<String>,
    frames: VecDeque<Frame>,
}

impl Speech {
    async fn next(mut self) -> Option<(Result<Frame, ProviderError>, Self)> {
        loop {
            if let Some(frame) = self.frames.pop_front() {
                return Some((Ok(frame), self));
            }
            let sentence = self.sentences.pop_front()?;
            match self.voice.sentence(&sentence).await {
                Ok(frames) => self.frames = frames.into(),
                Err(why) => {
                    self.sentences.clear();
                    return Some((Err(why), self));
                }
            }
        }
    }
}

/// A sentence to be spoken.
struct Work {
    numbers: Vec<i64>,
    manner: Manner,
    answer: oneshot::Sender<Result<Vec<f32>, String>>,
}

impl Job for Work {
    fn wanted(&self) -> bool {
        !self.answer.is_closed()
    }
}

impl Work {
    fn done(self, network: &mut Result<Network, String>) {
        let spoken = network.as_mut().map_err(|why| why.clone());
        let spoken = spoken.and_then(|network| network.speak(&self.numbers, &self.manner));
        if let Err(why) = &spoken {
            tracing::error!(%why, "a Piper voice failed");
        }
        // Who does not want to hear it any more need not.
        self.answer.send(spoken).ok();
    }
}

/// How a speaker speaks at a speed.
fn manner(description: &Description, (speaker, speed): (i64, f32)) -> Manner {
    let scales = description.scales;
    let length = scales.length_scale / speed.clamp(0.25, 4.0);
    Manner { scales: [scales.noise_scale, length, scales.noise_w], speaker }
}

/// A sound as loud as can be: voices differ in how loud they were taught to be.
fn audible(sound: &[f32]) -> Vec<i16> {
    let sound = &sound[..sound.len().min(MOST_SAMPLES)];
    let peak = sound.iter().fold(QUIETEST, |peak, sample| sample.abs().max(peak));
    let gain = f32::from(i16::MAX) / peak;
    sound.iter().map(|sample| (sample * gain) as i16).collect()
}

fn lasting(reason: impl Into<String>) -> ProviderError {
    ProviderError::lasting("piper", reason)
}

fn passing(reason: impl Into<String>) -> ProviderError {
    ProviderError::passing("piper", reason)
}

/// The most networks of a voice, and so threads: each has the weights in memory.
const NETWORKS: usize = 2;

/// How long a sentence may wait and be spoken.
const PATIENCE: Duration = Duration::from_secs(15);

/// How long the pieces are that are handed on, in samples: some 90 ms.
const CHUNK: usize = 2_048;

/// What counts as silence however quiet a voice is.
const QUIETEST: f32 = 0.01;

/// The longest that a sentence is believed to be: two minutes at 48 kHz.
const MOST_SAMPLES: usize = 120 * 48_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::frame::Rate;
    use crate::providers::fakes::piper::{self, Script};

    /// A folder of its own for a test, with a voice in it.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let name = format!("voxtrunk-piper-{}-{name}", std::process::id());
            let path = std::env::temp_dir().join(name);
            std::fs::create_dir_all(&path).unwrap();
            let library = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/libonnxruntime.so");
            std::os::unix::fs::symlink(library, path.join("libonnxruntime.so")).ok();
            Self(path)
        }

        fn voice(&self, script: &Script<'_>) -> PathBuf {
            piper::write(&self.0, "test", script).unwrap()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            std::fs::remove_dir_all(&self.0).ok();
        }
    }

    /// Hello: həlˈoʊ. You: jˈuː.
    const PHONEMES: [(char, f64); 9] = [
        ('h', 400.0),
        ('ə', 600.0),
        ('l', 800.0),
        ('o', 1_000.0),
        ('ʊ', 1_200.0),
        ('j', 1_400.0),
        ('u', 1_600.0),
        (',', 1_800.0),
        ('.', 2_000.0),
    ];

    fn script<'a>() -> Script<'a> {
        Script { phonemes: &PHONEMES, ..Script::default() }
    }

    async fn spoken(voice: &Piper, text: &str) -> Vec<i16> {
        let frames: Vec<_> = voice.speak(text).collect().await;
        let frames = frames.into_iter().map(|frame| frame.expect("it speaks"));
        frames.flat_map(|frame| frame.samples).collect()
    }

    fn pitches(samples: &[i16]) -> Vec<f64> {
        piper::heard(samples, Rate(22_050), &PHONEMES.map(|(_, pitch)| pitch))
    }

    fn engine(file: &Path) -> Arc<Engine> {
        Arc::new(Engine::load(file).expect("./dev setup fetches ONNX Runtime and espeak-ng"))
    }

    #[tokio::test]
    async fn each_phoneme_is_heard_in_its_turn() {
        let folder = Folder::new("turn");
        let voice = engine(&folder.voice(&script())).voice((None, 1.0)).unwrap();
        voice.warm_up().await.unwrap();
        let sound = spoken(&voice, "Hello, you. Hello!").await;
        let hello = [400.0, 600.0, 800.0, 1_000.0, 1_200.0];
        let you = [1_800.0, 1_400.0, 1_600.0, 2_000.0];
        assert_eq!(pitches(&sound), [&hello[..], &you[..], &hello[..]].concat());
        // Two marks, each phoneme with its pad, and a mark, twice: `!` is none of its phonemes.
        assert_eq!(sound.len(), (2 + 2 * 9 + 1 + 2 + 2 * 5 + 1) * 1_102);
        assert!(sound.iter().any(|it| it.unsigned_abs() >= 32_766));
        assert!(spoken(&voice, "... ?!").await.is_empty());
    }

    #[tokio::test]
    async fn speed_and_speaker_change_the_sound() {
        let folder = Folder::new("speaker");
        let speakers = &[("low", 1.0), ("high", 2.0)];
        let engine = engine(&folder.voice(&Script { speakers, ..script() }));
        let low = engine.voice((None, 1.0)).unwrap();
        let fast = engine.voice((Some("low"), 2.0)).unwrap();
        let high = engine.voice((Some("high"), 1.0)).unwrap();
        let (slow, fast) = (spoken(&low, "you").await, spoken(&fast, "you").await);
        assert_eq!((pitches(&slow), slow.len()), (vec![1_400.0, 1_600.0], 7 * 1_102));
        assert_eq!((pitches(&fast), fast.len()), (vec![1_400.0, 1_600.0], 7 * 551));
        let sound = spoken(&high, "you").await;
        assert_eq!(piper::heard(&sound, Rate(22_050), &[2_800.0, 3_200.0]), [2_800.0, 3_200.0]);
        let why = engine.voice((Some("middle"), 1.0)).err().expect("nobody").to_string();
        assert!(why.contains("no speaker `middle`; there are: high, low"), "{why}");
    }

    #[tokio::test]
    async fn a_sentence_that_nobody_wants_is_never_begun() {
        let folder = Folder::new("wanted");
        let engine = engine(&folder.voice(&script()));
        let manner = engine.voice((None, 1.0)).unwrap().manner;
        let work = |numbers: Vec<i64>| {
            let (answer, sound) = oneshot::channel();
            (Work { numbers, manner, answer }, sound)
        };
        let (unwanted, sound) = work(engine.description.numbers("h"));
        drop(sound);
        assert!(!unwanted.wanted());
        // The network has no such phoneme: had it been begun, it would have told so.
        let (wrong, sound) = work(vec![99]);
        assert!(engine.workers.push(unwanted).is_ok() && engine.workers.push(wrong).is_ok());
        assert!(sound.await.expect("a worker").is_err());
        let voice = engine.voice((None, 1.0)).unwrap();
        let mut speech = voice.speak("Hello, you. Hello!");
        assert!(speech.next().await.is_some_and(|frame| frame.is_ok()));
        drop(speech);
        assert_eq!(pitches(&spoken(&voice, "you").await), [1_400.0, 1_600.0]);
    }

    #[tokio::test]
    async fn what_is_no_voice_is_refused_by_its_name() {
        let folder = Folder::new("refused");
        let refused =
            |file: &Path| Engine::load(file).map(|_| ()).expect_err("no voice").to_string();
        let file = folder.0.join("test.onnx");
        assert!(refused(&file).contains("test.onnx.json: No such file"), "{}", refused(&file));
        folder.voice(&script());
        std::fs::write(&file, b"no network").unwrap();
        assert!(refused(&file).starts_with("piper: "), "{}", refused(&file));
        assert!(refused(&file).contains("test.onnx"), "{}", refused(&file));
        let silero = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/silero_vad.onnx");
        std::fs::copy(silero, &file).unwrap();
        assert!(refused(&file).contains("takes no `input_lengths`"), "{}", refused(&file));
        folder.voice(&script());
        let beside = folder.0.join("test.onnx.json");
        let text = std::fs::read_to_string(&beside).unwrap();
        std::fs::write(&beside, text.replace("\"^\"", "\"<\"")).unwrap();
        assert!(refused(&file).contains("has no `^`"), "{}", refused(&file));
        std::fs::write(&beside, text.replace("en-us", "../x")).unwrap();
        assert!(refused(&file).contains("is no name of a voice"), "{}", refused(&file));
    }
}
