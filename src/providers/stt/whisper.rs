//! Whisper by whisper.cpp: an open vocabulary in many languages, for an operator who has a model.
//!
//! The whole utterance is decoded at each pause. The model is loaded once and shared; each worker
//! has a state of its own and computes with one thread, because ggml's threads hinder each other
//! where cores are shared. Encoding cannot be stopped once begun, so its window is only as long as
//! the utterance, and a result that nobody wants any more is dropped.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};
use whisper_rs::{
    FullParams, SamplingStrategy, WhisperContext, WhisperContextParameters, WhisperError,
    WhisperState,
};

use crate::agent::event::Transcript;
use crate::audio::frame::Rate;
use crate::base::language::Language;
use crate::providers::error::ProviderError;
use crate::providers::stt::ggml;
use crate::providers::stt::recording::{Call, Claim, Recording};
use crate::providers::transcriber::{Context, Heard, Listening, Transcriber};
use crate::providers::workers::{Job, Size, Workers};

/// The transcriber.
pub struct Whisper {
    model: Arc<WhisperContext>,
    path: PathBuf,
    workers: Arc<Workers<Work>>,
    /// The parameters of each language asked for; whisper-rs never frees a language's name, so it
    /// is given once.
    languages: Mutex<Vec<(&'static str, Parameters)>>,
}

type Parameters = FullParams<'static, 'static>;

/// The most states, and so threads: each takes 20 to 35 MB and more.
const STATES: usize = 4;
/// The longest utterance that is decoded; the model itself ends at 30 s.
const LONGEST: Duration = Duration::from_secs(28);
/// The shortest: in less the model finds words that nobody said. Silence is added.
const SHORTEST: Duration = Duration::from_secs(1);
/// The longest list of key terms, in octets: the model has room for some 220 tokens.
const LONGEST_PROMPT: usize = 400;

impl Whisper {
    /// Loads a model in the ggml format and starts the workers.
    pub fn load(path: &Path) -> Result<Self, ProviderError> {
        static LOGGING: Once = Once::new();
        LOGGING.call_once(whisper_rs::install_logging_hooks);
        let refuse = |why: String| lasting(format!("the model {} {why}", path.display()));
        ggml::check(path).map_err(|why| refuse(why.to_string()))?;
        let model = WhisperContext::new_with_params(path, WhisperContextParameters::default())
            .map_err(|why| refuse(format!("is refused: {why}")))?;
        let model = Arc::new(model);
        let shared = model.clone();
        let workers = Workers::start("whisper", Size::of_this_machine(STATES), move || {
            let mut ear = Ear { model: shared.clone(), state: None };
            move |work| {
                ear.work(work);
                None
            }
        })
        .map_err(|why| lasting(format!("cannot start a thread: {why}")))?;
        let (path, workers) = (path.to_owned(), Arc::new(workers));
        Ok(Self { model, path, workers, languages: Mutex::default() })
    }

    /// The parameters for a language.
    fn parameters(&self, language: &Language) -> Result<Parameters, ProviderError> {
        let code = whisper_rs::get_lang_id(language.primary()).and_then(whisper_rs::get_lang_str);
        let Some(code) = code else {
            return Err(lasting(format!("does not know the language {language}")));
        };
        if !self.model.is_multilingual() && !language.is_english() {
            let path = self.path.display();
            return Err(lasting(format!("the model {path} hears English, not {language}")));
        }
        let mut languages = self.languages.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, known)) = languages.iter().find(|(known, _)| *known == code) {
            return Ok(known.clone());
        }
        let parameters = parameters(code);
        languages.push((code, parameters.clone()));
        Ok(parameters)
    }

    /// Makes tokens of the words to expect.
    fn prompt(&self, key_terms: &[String]) -> Vec<i32> {
        let mut text = String::new();
        for term in key_terms.iter().filter(|term| !term.contains('\0')) {
            if text.len() + term.len() + 2 > LONGEST_PROMPT {
                break;
            }
            let comma = if text.is_empty() { " " } else { ", " };
            text.push_str(comma);
            text.push_str(term);
        }
        // A text that makes no tokens is no prompt.
        self.model.tokenize(&text, LONGEST_PROMPT).unwrap_or_default()
    }
}

impl Transcriber for Whisper {
    fn warm_up(&self) -> BoxFuture<'_, Result<(), ProviderError>> {
        async move {
            let (answer, done) = oneshot::channel();
            let parameters = self.parameters(&Language::english())?;
            let manner = Manner { parameters, prompt: Vec::new() };
            self.workers
                .push(Work::WarmUp { manner, answer })
                .map_err(|_| passing("too much to do"))?;
            let done = done.await.map_err(|_| passing("a worker failed"))?;
            done.map_err(|why| lasting(why.to_string()))
        }
        .boxed()
    }

    fn open(
        &self,
        context: Context,
        heard: mpsc::Sender<Heard>,
    ) -> BoxFuture<'_, Result<Box<dyn Listening>, ProviderError>> {
        async move {
            let manner = Arc::new(Manner {
                parameters: self.parameters(&context.language)?,
                prompt: self.prompt(&context.key_terms),
            });
            let recording = Recording::new(LONGEST, heard);
            let call = Call::new(recording, self.workers.clone(), move |samples, claim| {
                Work::Decode { manner: manner.clone(), samples, claim }
            });
            Ok(Box::new(call) as Box<dyn Listening>)
        }
        .boxed()
    }
}

/// How a call is decoded.
struct Manner {
    parameters: Parameters,
    prompt: Vec<i32>,
}

/// What a worker is asked.
enum Work {
    /// Decode a little silence.
    WarmUp { manner: Manner, answer: oneshot::Sender<Result<(), WhisperError>> },
    /// What was said?
    Decode { manner: Arc<Manner>, samples: Vec<i16>, claim: Claim },
}

impl Job for Work {
    fn wanted(&self) -> bool {
        match self {
            Self::WarmUp { answer, .. } => !answer.is_closed(),
            Self::Decode { claim, .. } => claim.holds(),
        }
    }
}

/// A worker.
struct Ear {
    model: Arc<WhisperContext>,
    state: Option<WhisperState>,
}

impl Ear {
    fn work(&mut self, work: Work) {
        match work {
            Work::WarmUp { manner, answer } => {
                // Nobody waits any more when the server stopped meanwhile.
                let _ = answer.send(self.decode(&[], &manner).map(|_| ()));
            }
            Work::Decode { manner, samples, claim } => {
                let transcript = self.decode(&samples, &manner).unwrap_or_else(|why| {
                    tracing::error!(%why, "whisper failed");
                    // The state may be in disorder; the next utterance gets a new one.
                    self.state = None;
                    Transcript::Failed
                });
                claim.answer(transcript);
            }
        }
    }

    fn decode(&mut self, samples: &[i16], manner: &Manner) -> Result<Transcript, WhisperError> {
        let state = match self.state.take() {
            Some(state) => state,
            None => self.model.create_state()?,
        };
        let state = self.state.insert(state);
        let mut sound: Vec<f32> = samples.iter().map(|s| f32::from(*s) / 32_768.0).collect();
        sound.resize(sound.len().max(Rate::WIDE.samples_in(SHORTEST)), 0.0);
        let seconds = Rate::WIDE.duration_of(sound.len()).as_secs_f32();
        let mut parameters: FullParams<'_, '_> = manner.parameters.clone();
        parameters.set_tokens(&manner.prompt);
        parameters.set_audio_ctx(window(seconds).min(self.model.n_audio_ctx()));
        parameters.set_max_tokens((6.0 * seconds) as i32 + 8);
        state.full(parameters, &sound)?;
        Ok(transcript(state, self.model.token_eot()))
    }
}

/// The parameters for any utterance in a language.
fn parameters(language: &'static str) -> Parameters {
    let mut parameters = FullParams::new(SamplingStrategy::Greedy { best_of: 1 });
    parameters.set_language(Some(language));
    parameters.set_n_threads(1);
    parameters.set_no_context(true);
    parameters.set_single_segment(true);
    parameters.set_no_timestamps(true);
    parameters.set_suppress_blank(true);
    parameters.set_suppress_nst(true);
    // A second try at another temperature takes as long again, and the caller waits.
    parameters.set_temperature_inc(0.0);
    parameters.set_print_special(false);
    parameters.set_print_progress(false);
    parameters.set_print_realtime(false);
    parameters.set_print_timestamps(false);
    parameters
}

/// How much the encoder hears, in steps of 20 ms: the utterance and a margin without which the
/// model repeats itself (whisper.cpp #1855), rounded so that few sizes are ever computed.
fn window(seconds: f32) -> i32 {
    let steps = (seconds * 50.0).ceil() as i32 + 128;
    steps.saturating_add(63) / 64 * 64
}

/// More than this, and the model itself thinks that nobody spoke.
const NO_SPEECH: f32 = 0.6;
/// Less than this, and the words are a guess.
const UNSURE: f32 = 0.4;

fn transcript(state: &WhisperState, first_special: i32) -> Transcript {
    let (mut text, mut silent) = (String::new(), 0.0_f32);
    let (mut sure, mut count) = (0.0_f32, 0.0_f32);
    for segment in state.as_iter() {
        silent = silent.max(segment.no_speech_probability());
        text.push_str(&segment.to_str_lossy().unwrap_or_default());
        for token in (0..segment.n_tokens()).filter_map(|index| segment.get_token(index)) {
            if token.token_id() < first_special {
                sure += token.token_probability();
                count += 1.0;
            }
        }
    }
    let confidence = if count > 0.0 { sure / count } else { 0.0 };
    let text = spoken_words(&text);
    if text.is_empty() || (silent > NO_SPEECH && confidence < UNSURE) {
        return Transcript::Final { text: String::new(), confidence: None, complete: false };
    }
    // It ends everything with a full stop: whoever judges the words sees that, and is not told more.
    let confidence = Some(confidence.clamp(0.0, 1.0));
    Transcript::Final { text, confidence, complete: false }
}

/// Takes out what nobody said: `[BLANK_AUDIO]`, `(coughs)`, `*music*`, `♪`.
fn spoken_words(text: &str) -> String {
    let mut words = String::new();
    let mut until = None;
    for letter in text.chars() {
        match (until, letter) {
            (Some(end), _) if letter == end => until = None,
            (Some(_), _) => {}
            (None, '[') => until = Some(']'),
            (None, '(') => until = Some(')'),
            (None, '*') => until = Some('*'),
            (None, '♪' | '♫') => {}
            (None, _) => words.push(letter),
        }
    }
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    if words.chars().any(char::is_alphanumeric) { words } else { String::new() }
}

fn lasting(reason: impl Into<String>) -> ProviderError {
    ProviderError::lasting("whisper", reason)
}

fn passing(reason: &str) -> ProviderError {
    ProviderError::passing("whisper", reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::event::PauseId;
    use crate::audio::frame::Frame;
    use crate::base::random::Random;
    use crate::providers::error::Retry;
    use crate::providers::stt::rehearsal::{hear, next};

    /// Writes a tiny model with random weights, removed when dropped.
    struct Model(PathBuf);

    impl Drop for Model {
        fn drop(&mut self) {
            std::fs::remove_file(&self.0).ok();
        }
    }

    const STATE: u32 = 32;
    const VOCABULARY: u32 = 51_864;

    fn model(name: &str) -> Model {
        let mut file = Vec::new();
        let number = |file: &mut Vec<u8>, value: u32| file.extend(value.to_le_bytes());
        number(&mut file, ggml::MAGIC);
        for value in [VOCABULARY, 1_500, STATE, 2, 1, 448, STATE, 2, 1, 80, 1] {
            number(&mut file, value);
        }
        let (mels, width) = (80_u32, 201_u32);
        number(&mut file, mels);
        number(&mut file, width);
        for index in 0..mels * width {
            let inside = (index % width) / 3 == index / width;
            file.extend((if inside { 0.02_f32 } else { 0.0 }).to_le_bytes());
        }
        number(&mut file, 50_257);
        for token in 0..50_257 {
            let word = match token {
                0 => " ".to_owned(),
                1 => " -".to_owned(),
                2 => " '".to_owned(),
                _ => format!(" w{token}"),
            };
            number(&mut file, word.len() as u32);
            file.extend(word.as_bytes());
        }
        let mut random = Random::repeatable(3);
        for (name, sizes, half) in tensors() {
            number(&mut file, sizes.len() as u32);
            number(&mut file, name.len() as u32);
            number(&mut file, u32::from(half));
            sizes.iter().for_each(|size| number(&mut file, *size));
            file.extend(name.as_bytes());
            for _ in 0..sizes.iter().product::<u32>() {
                if half {
                    // Sign, an exponent that makes 1/16 to 1/8, and a random fraction.
                    let bits = random.u16();
                    file.extend(((bits & 0x83ff) | (11 << 10)).to_le_bytes());
                } else {
                    file.extend(((random.unit() - 0.5) as f32 * 0.2).to_le_bytes());
                }
            }
        }
        let path = std::env::temp_dir().join(format!("voxtrunk-{}-{name}", std::process::id()));
        std::fs::write(&path, file).unwrap();
        Model(path)
    }

    /// Name, sizes and whether it is stored in 16 bits.
    fn tensors() -> Vec<(String, Vec<u32>, bool)> {
        let mut all = Vec::new();
        let mut add = |name: String, sizes: &[u32], half| all.push((name, sizes.to_vec(), half));
        for (part, places) in [("encoder", 1_500), ("decoder", 448)] {
            add(format!("{part}.positional_embedding"), &[STATE, places], false);
            let last = if part == "encoder" { "ln_post" } else { "ln" };
            let mut norms = vec![format!("{part}.{last}")];
            let mut attentions = vec!["attn"];
            if part == "decoder" {
                attentions.push("cross_attn");
            }
            let block = format!("{part}.blocks.0");
            norms.push(format!("{block}.mlp_ln"));
            add(format!("{block}.mlp.0.weight"), &[STATE, 4 * STATE], true);
            add(format!("{block}.mlp.0.bias"), &[4 * STATE], false);
            add(format!("{block}.mlp.2.weight"), &[4 * STATE, STATE], true);
            add(format!("{block}.mlp.2.bias"), &[STATE], false);
            for attention in attentions {
                norms.push(format!("{block}.{attention}_ln"));
                for side in ["query", "key", "value", "out"] {
                    let name = format!("{block}.{attention}.{side}");
                    add(format!("{name}.weight"), &[STATE, STATE], true);
                    if side != "key" {
                        add(format!("{name}.bias"), &[STATE], false);
                    }
                }
            }
            for norm in norms {
                add(format!("{norm}.weight"), &[STATE], false);
                add(format!("{norm}.bias"), &[STATE], false);
            }
        }
        for (index, channels) in [(1, 80), (2, STATE)] {
            add(format!("encoder.conv{index}.weight"), &[3, channels, STATE], true);
            add(format!("encoder.conv{index}.bias"), &[1, STATE], false);
        }
        add("decoder.token_embedding.weight".to_owned(), &[STATE, VOCABULARY], true);
        all
    }

    fn context(language: &str) -> Context {
        Context {
            language: language.parse().unwrap(),
            grammar: None,
            key_terms: vec!["Voxtrunk".to_owned(), "opening hours".to_owned()],
        }
    }

    fn tone(seconds: u64) -> Frame {
        let samples = Rate::WIDE.samples_in(Duration::from_secs(seconds));
        let samples = (0..samples).map(|at| ((at * at / 77) % 4_000) as i16 - 2_000).collect();
        Frame::new(Rate::WIDE, samples)
    }

    #[tokio::test]
    async fn a_model_is_loaded_and_each_pause_is_answered() {
        let file = model("answers.bin");
        let whisper = Whisper::load(&file.0).expect("the model is sound");
        whisper.warm_up().await.expect("it decodes");
        let (sender, mut heard) = mpsc::channel(4);
        let mut call = whisper.open(context("en"), sender).await.expect("it hears English");
        for pause in 1..3 {
            hear(&mut *call, &tone(pause), PauseId(pause));
            let text = next(&mut heard).await;
            assert_eq!(text.pause, PauseId(pause));
            assert!(matches!(text.transcript, Transcript::Final { .. }), "{text:?}");
        }
        // Nothing at all is decoded as a second of silence.
        hear(&mut *call, &Frame::new(Rate::WIDE, Vec::new()), PauseId(9));
        assert_eq!(next(&mut heard).await.pause, PauseId(9));
    }

    #[tokio::test]
    async fn only_the_newest_pause_is_answered_and_a_forgotten_turn_never() {
        let file = model("stale.bin");
        let whisper = Whisper::load(&file.0).expect("the model is sound");
        let (sender, mut heard) = mpsc::channel(8);
        let mut call = whisper.open(context("en"), sender).await.expect("it hears English");
        hear(&mut *call, &tone(20), PauseId(1));
        call.forget();
        hear(&mut *call, &tone(1), PauseId(2));
        call.finalize(PauseId(3));
        call.finalize(PauseId(4));
        assert_eq!(next(&mut heard).await.pause, PauseId(4));
        assert!(heard.try_recv().is_err());
    }

    #[tokio::test]
    async fn eight_calls_at_once_are_all_answered() {
        let file = model("eight.bin");
        let whisper = Whisper::load(&file.0).expect("the model is sound");
        let mut calls = Vec::new();
        for index in 0..8 {
            let (sender, heard) = mpsc::channel(2);
            let mut call = whisper.open(context("en"), sender).await.expect("it hears English");
            hear(&mut *call, &tone(1), PauseId(index));
            calls.push((call, heard, PauseId(index)));
        }
        for (_call, heard, pause) in &mut calls {
            assert_eq!(next(heard).await.pause, *pause);
        }
    }

    #[tokio::test]
    async fn a_model_that_hears_english_refuses_german() {
        let file = model("german.bin");
        let whisper = Whisper::load(&file.0).expect("the model is sound");
        let why = whisper.open(context("de"), mpsc::channel(1).0).await.err().expect("refused");
        assert!(why.retry == Retry::Never && why.reason.contains("hears English"), "{why}");
    }

    #[test]
    fn a_broken_file_is_refused_and_named() {
        let reason = |path: &Path| Whisper::load(path).err().expect("it is refused").reason;
        assert!(reason(Path::new("/nowhere/model.bin")).contains("/nowhere/model.bin cannot be"));
        let file = model("broken.bin");
        let whole = std::fs::read(&file.0).unwrap();
        let with = |octets: &[u8]| {
            std::fs::write(&file.0, octets).unwrap();
            reason(&file.0)
        };
        assert!(with(b"<html>not found</html>").contains("is not a whisper model"));
        assert!(with(&whole[..whole.len() / 2]).contains("cannot be read to its end"));
        assert!(with(&whole[..whole.len() - 1]).contains("cannot be read to its end"));
        let mut damaged = whole.clone();
        damaged[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(with(&damaged).contains("is damaged: the header"));
        let hyphen = whole.windows(2).position(|part| part == b" -").unwrap();
        let mut speechless = whole.clone();
        speechless[hyphen + 1] = b'x';
        assert!(with(&speechless).contains("is damaged: the vocabulary"));
        let tensor = whole.windows(8).rposition(|part| part == b"decoder.").unwrap();
        let mut renamed = whole.clone();
        renamed[tensor] = b'x';
        assert!(with(&renamed).contains("is refused"));
    }

    #[test]
    fn what_nobody_said_is_taken_out() {
        assert_eq!(spoken_words(" [BLANK_AUDIO]"), "");
        assert_eq!(spoken_words(" (coughs) Yes, please. *music* ♪"), "Yes, please.");
        assert_eq!(spoken_words(" ... "), "");
        assert_eq!(spoken_words("an [open bracket"), "an");
    }

    #[test]
    fn the_encoder_hears_little_more_than_the_utterance() {
        assert_eq!([window(1.0), window(2.5), window(28.0)], [192, 256, 1_536]);
    }
}
