//! PocketSphinx: hears the phrases of a grammar, in English, without a model hub.
//!
//! An open vocabulary is out of its reach; with a grammar it is quick and good. The whole
//! utterance is decoded at each pause, because its features are normalised over the whole. Each
//! decoder holds only the words that grammars asked for, which takes a fifth of the memory and a
//! tenth of the time of a decoder with the whole dictionary.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};

use crate::agent::event::Transcript;
use crate::providers::error::ProviderError;
use crate::providers::stt::floor;
use crate::providers::stt::jsgf;
use crate::providers::stt::pocketsphinx_sys::{self as sys, Decoder};
use crate::providers::stt::recording::{Call, Claim, Recording};
use crate::providers::transcriber::{Context, Heard, Listening, Transcriber};
use crate::providers::workers::{Job, Size, Workers};

/// Where PocketSphinx stands on this machine.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The library, as the loader finds it.
    pub library: String,
    /// The folder with the acoustic model `en-us/` and the dictionary `cmudict-en-us.dict`.
    pub model: PathBuf,
    /// How much worse than any sounds of the language the words may fit what was heard, as an
    /// acoustic score for 10 ms; what fits worse counts as not understood. See `Fit`.
    pub worst_margin: f32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            library: "libpocketsphinx.so.3".to_owned(),
            model: PathBuf::from("/usr/share/pocketsphinx/model/en-us"),
            worst_margin: -17.0,
        }
    }
}

impl Settings {
    fn acoustic_model(&self) -> PathBuf {
        self.model.join("en-us")
    }

    fn dictionary(&self) -> PathBuf {
        self.model.join("cmudict-en-us.dict")
    }
}

/// The transcriber.
pub struct PocketSphinx {
    workers: Arc<Workers<Work>>,
    dictionary: PathBuf,
    /// What the decoder said of the grammars seen lately, so that each is checked once.
    verdicts: Mutex<Vec<(Arc<str>, Verdict)>>,
}

type Verdict = Result<(), String>;

/// The most verdicts that are remembered.
const VERDICTS: usize = 256;
/// The most decoders, and so threads: one hears some thirty callers at once.
const DECODERS: usize = 4;
/// The longest utterance that is decoded; phrases of a grammar are shorter.
const LONGEST: Duration = Duration::from_secs(30);

impl PocketSphinx {
    /// Loads the library and starts the workers. Decoders are made when they are first needed.
    pub fn load(settings: Settings) -> Result<Self, ProviderError> {
        let library = sys::PocketSphinx::load(&settings.library).map_err(|why| {
            lasting(format!(
                "cannot load {}: {why}; on Debian: apt install libpocketsphinx3",
                settings.library
            ))
        })?;
        for path in [settings.acoustic_model().join("mdef"), settings.dictionary()] {
            if !path.is_file() {
                return Err(lasting(format!(
                    "{} is missing; on Debian: apt install pocketsphinx-en-us",
                    path.display()
                )));
            }
        }
        let dictionary = settings.dictionary();
        let workers = Workers::start("pocketsphinx", Size::of_this_machine(DECODERS), move || {
            let mut ear = Ear::new(library.clone(), settings.clone());
            move |work| {
                ear.work(work);
                None
            }
        })
        .map_err(|why| lasting(format!("cannot start a thread: {why}")))?;
        Ok(Self { workers: Arc::new(workers), dictionary, verdicts: Mutex::default() })
    }

    /// Names those of `words` that the dictionary lacks: a grammar must not use them.
    pub fn missing_words<'a>(
        &self,
        words: impl IntoIterator<Item = &'a str>,
    ) -> io::Result<Vec<String>> {
        missing(words.into_iter().map(str::to_lowercase).collect(), &self.dictionary)
    }

    /// Has a grammar checked by a decoder, which also makes the decoder know it.
    pub async fn prepare(&self, grammar: &Arc<str>) -> Result<(), ProviderError> {
        if let Some(verdict) = self.verdict(grammar) {
            return verdict.map_err(lasting);
        }
        let (answer, verdict) = oneshot::channel();
        let work = Work::Check { grammar: grammar.clone(), answer };
        self.workers.push(work).map_err(|_| passing("too much to do"))?;
        let verdict = verdict.await.map_err(|_| passing("the decoder failed"))?;
        let mut verdicts = self.verdicts.lock().unwrap_or_else(PoisonError::into_inner);
        if verdicts.len() >= VERDICTS {
            drop(verdicts.remove(0));
        }
        verdicts.push((grammar.clone(), verdict.clone()));
        verdict.map_err(lasting)
    }

    fn verdict(&self, grammar: &str) -> Option<Verdict> {
        let verdicts = self.verdicts.lock().unwrap_or_else(PoisonError::into_inner);
        verdicts.iter().find(|(known, _)| **known == *grammar).map(|(_, verdict)| verdict.clone())
    }
}

impl Transcriber for PocketSphinx {
    fn warm_up(&self) -> BoxFuture<'_, Result<(), ProviderError>> {
        async move { self.prepare(&Arc::from(WARM_UP)).await }.boxed()
    }

    fn open(
        &self,
        context: Context,
        heard: mpsc::Sender<Heard>,
    ) -> BoxFuture<'_, Result<Box<dyn Listening>, ProviderError>> {
        async move {
            if !context.language.is_english() {
                return Err(lasting(format!("hears English, not {}", context.language)));
            }
            let grammar = context
                .grammar
                .ok_or_else(|| lasting("hears only the phrases of intents, and there are none"))?;
            self.prepare(&grammar).await?;
            let recording = Recording::new(LONGEST, heard);
            let call = Call::new(recording, self.workers.clone(), move |samples, claim| {
                Work::Decode { grammar: grammar.clone(), samples, claim }
            });
            Ok(Box::new(call) as Box<dyn Listening>)
        }
        .boxed()
    }
}

/// A grammar that costs nothing, to have a decoder made.
const WARM_UP: &str = "#JSGF V1.0; grammar warm; public <top> = yes | no;";

/// What a worker is asked.
enum Work {
    /// Does a decoder take this grammar?
    Check { grammar: Arc<str>, answer: oneshot::Sender<Verdict> },
    /// What was said?
    Decode { grammar: Arc<str>, samples: Vec<i16>, claim: Claim },
}

impl Job for Work {
    fn wanted(&self) -> bool {
        match self {
            Self::Check { answer, .. } => !answer.is_closed(),
            Self::Decode { claim, .. } => claim.holds(),
        }
    }
}

/// A worker: a decoder and what it knows.
struct Ear {
    library: Arc<sys::PocketSphinx>,
    settings: Settings,
    mind: Option<Mind>,
}

struct Mind {
    decoder: Decoder,
    words: BTreeSet<String>,
    /// The grammars that the decoder holds, the one used last at the end; each has a slot, by
    /// which the decoder calls it.
    grammars: Vec<(Arc<str>, usize)>,
}

/// The most grammars that a decoder holds.
const GRAMMARS: usize = 16;
/// With more words a decoder is made anew, so that changed dialplans do not make it grow.
const WORDS: usize = 20_000;

impl Ear {
    fn new(library: Arc<sys::PocketSphinx>, settings: Settings) -> Self {
        Self { library, settings, mind: None }
    }

    fn work(&mut self, work: Work) {
        match work {
            Work::Check { grammar, answer } => {
                let verdict = self.understand(&grammar).map(|_| ());
                // Nobody waits any more when the call ended meanwhile.
                let _ = answer.send(verdict);
            }
            Work::Decode { grammar, mut samples, claim } => {
                floor::add(&mut samples);
                let worst = self.settings.worst_margin;
                let transcript = match self.understand(&grammar) {
                    Ok(mind) => mind.hear(&samples, worst),
                    Err(reason) => {
                        tracing::error!(reason, "a grammar that was checked does not load");
                        Transcript::Failed
                    }
                };
                claim.answer(transcript);
            }
        }
    }

    /// Makes the decoder follow `grammar`.
    fn understand(&mut self, grammar: &Arc<str>) -> Result<&mut Mind, String> {
        if self.mind.as_ref().is_some_and(|mind| mind.words.len() > WORDS) {
            self.mind = None;
        }
        let mind = match self.mind.take() {
            Some(mind) => mind,
            None => Mind::new(&self.library, &self.settings.acoustic_model())?,
        };
        let mind = self.mind.insert(mind);
        mind.follow(grammar, &self.settings.dictionary())?;
        Ok(mind)
    }
}

impl Mind {
    /// Makes a transcript of what the decoder thinks. A grammar finds a phrase in any sound, and
    /// how well it fits depends on the line as much as on the words. So it is held against any
    /// sounds of the language, which suffer from the line alike: what fits much worse was another
    /// phrase or no speech at all.
    fn hear(&mut self, samples: &[i16], worst_margin: f32) -> Transcript {
        let Some(sys::Hypothesis { text, fit }) = self.decoder.decode(samples) else {
            return not_understood();
        };
        let enough = if is_short(&text) { ENOUGH_FOR_SHORT } else { BEYOND_DOUBT };
        if fit.words >= enough {
            return understood(text, (fit.words - HOPELESS) / (BEYOND_DOUBT - HOPELESS));
        }
        if fit.words < HOPELESS {
            return not_understood();
        }
        let Some(any) = self.decoder.fit_of_any_sounds(samples) else { return not_understood() };
        let margin = fit.whole - any;
        tracing::debug!(pii.text = text, fit = fit.words, margin, "a text was weighed");
        if margin < worst_margin {
            return not_understood();
        }
        understood(text, (margin - worst_margin) / (BEST_MARGIN - worst_margin).max(1.0))
    }

    fn new(library: &Arc<sys::PocketSphinx>, acoustic_model: &Path) -> Result<Self, String> {
        let decoder = Decoder::new(library, acoustic_model)
            .ok_or_else(|| format!("the model in {} is damaged", acoustic_model.display()))?;
        Ok(Self { decoder, words: BTreeSet::new(), grammars: Vec::new() })
    }

    fn follow(&mut self, grammar: &Arc<str>, dictionary: &Path) -> Result<(), String> {
        if let Some(at) = self.grammars.iter().position(|(known, _)| known == grammar) {
            let known = self.grammars.remove(at);
            let chosen = self.decoder.choose_grammar(&known.1.to_string());
            self.grammars.push(known);
            return if chosen { Ok(()) } else { Err("a known grammar is gone".to_owned()) };
        }
        self.learn(jsgf::words(grammar), dictionary)?;
        let slot = match self.grammars.len() {
            GRAMMARS.. => self.grammars.remove(0).1,
            free => free,
        };
        if !self.decoder.add_grammar(&slot.to_string(), grammar) {
            // The slot may hold the old grammar or none; a decoder made anew is sure.
            self.grammars.clear();
            return Err("the grammar is not understood".to_owned());
        }
        self.grammars.push((grammar.clone(), slot));
        Ok(())
    }

    /// Adds the words that the decoder does not have yet.
    fn learn(&mut self, words: BTreeSet<String>, dictionary: &Path) -> Result<(), String> {
        let new: BTreeSet<_> = words.difference(&self.words).cloned().collect();
        let found = jsgf::pronunciations(&new, dictionary)
            .map_err(|why| format!("cannot read {}: {why}", dictionary.display()))?;
        let lacking: Vec<_> =
            new.iter().filter(|word| !found.contains_key(*word)).map(String::as_str).collect();
        if !lacking.is_empty() {
            return Err(format!("words that the dictionary lacks: {}", lacking.join(", ")));
        }
        for (word, ways) in found {
            for (index, phones) in ways.iter().enumerate() {
                let name = if index == 0 { word.clone() } else { format!("{word}({})", index + 1) };
                if !self.decoder.add_word(&name, phones) {
                    return Err(format!("the dictionary's entry for \"{name}\" is damaged"));
                }
            }
            self.words.insert(word);
        }
        Ok(())
    }
}

/// Words that fit so well need no comparison: hardly any other phrase ever did (measured over 96
/// phrases that no grammar held).
const BEYOND_DOUBT: f32 = -31.0;
/// One or two words need none when they fit so well: a single sound that the telephone spoils, such
/// as the "s" of "yes", is too large a part of them for the comparison.
const ENOUGH_FOR_SHORT: f32 = -50.0;
/// Words that fit so badly need none either.
const HOPELESS: f32 = -60.0;
/// A margin that leaves no doubt.
const BEST_MARGIN: f32 = -5.0;

fn is_short(text: &str) -> bool {
    text.split(' ').count() < 3
}

/// A text that was understood.
fn understood(text: String, confidence: f32) -> Transcript {
    let confidence = Some(confidence.clamp(0.0, 1.0));
    Transcript::Final { text, confidence, complete: true }
}

fn not_understood() -> Transcript {
    Transcript::Final { text: String::new(), confidence: None, complete: false }
}

fn missing(words: BTreeSet<String>, dictionary: &Path) -> io::Result<Vec<String>> {
    let found = jsgf::pronunciations(&words, dictionary)?;
    Ok(words.into_iter().filter(|word| !found.contains_key(word)).collect())
}

fn lasting(reason: impl Into<String>) -> ProviderError {
    ProviderError::lasting("pocketsphinx", reason)
}

fn passing(reason: &str) -> ProviderError {
    ProviderError::passing("pocketsphinx", reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::event::PauseId;
    use crate::audio::frame::{Frame, Rate};
    use crate::base::language::Language;
    use crate::providers::error::Retry;
    use crate::providers::stt::rehearsal::{self, flite, hear, in_noise, next, telephone, words};
    use crate::providers::tts::espeak::{self, Espeak};

    const DESK: &str = "#JSGF V1.0;\n\
        grammar desk;\n\
        <hours> = [what are] [your] opening hours | when (are you | do you) open [today];\n\
        <book> = [i (want | would like) to] (book | reserve) a table [for <count> people];\n\
        <count> = two | three | four | five | six;\n\
        <sales> = [connect me to | can i speak to] [the] sales [department] [please];\n\
        <bye> = goodbye | bye | that is all;\n\
        public <top> = <hours> | <book> | <sales> | <bye> | yes [please] | no [thanks];\n";

    fn engine() -> PocketSphinx {
        PocketSphinx::load(Settings::default()).expect("PocketSphinx is missing: run ./dev setup")
    }

    async fn call(engine: &PocketSphinx) -> (Box<dyn Listening>, mpsc::Receiver<Heard>) {
        let (sender, heard) = mpsc::channel(8);
        let context = Context {
            language: Language::english(),
            grammar: Some(DESK.into()),
            key_terms: Vec::new(),
        };
        (engine.open(context, sender).await.expect("the grammar is sound"), heard)
    }

    #[tokio::test]
    async fn phrases_are_understood_over_the_telephone() {
        let engine = engine();
        let (mut call, mut heard) = call(&engine).await;
        let phrases = [
            "what are your opening hours",
            "i would like to book a table for four people",
            "can i speak to the sales department please",
            "goodbye",
        ];
        let mut understood = 0;
        for voice in ["slt", "rms", "awb", "kal16"] {
            for (index, phrase) in phrases.iter().enumerate() {
                let clip = telephone(&flite(voice, phrase).await);
                hear(&mut *call, &clip, PauseId(index as u64));
                let text = next(&mut heard).await;
                assert_eq!(text.pause, PauseId(index as u64));
                understood += usize::from(words(text) == *phrase);
            }
        }
        assert!(understood >= 14, "{understood} of 16");
    }

    #[tokio::test]
    async fn espeak_and_noise_are_understood() {
        let engine = engine();
        let (mut call, mut heard) = call(&engine).await;
        let voice = Espeak::find(espeak::Settings::of(&Language::english()))
            .expect("espeak-ng is missing: run ./dev setup");
        let phrase = "what are your opening hours";
        let clip = rehearsal::said(&voice, phrase).await;
        hear(&mut *call, &telephone(&in_noise(&clip, 20.0)), PauseId(1));
        assert_eq!(words(next(&mut heard).await), phrase);
    }

    #[tokio::test]
    async fn a_confident_text_is_complete() {
        let engine = engine();
        let (mut call, mut heard) = call(&engine).await;
        hear(&mut *call, &flite("rms", "what are your opening hours").await, PauseId(1));
        let Transcript::Final { confidence, complete, .. } = next(&mut heard).await.transcript
        else {
            panic!("no final text")
        };
        assert!(complete && confidence.is_some_and(|sure| sure > 0.5), "{confidence:?}");
    }

    #[tokio::test]
    async fn other_phrases_noise_and_silence_are_not_understood() {
        let engine = engine();
        let (mut call, mut heard) = call(&engine).await;
        let mut clips = vec![
            Frame::silence(Rate::WIDE, Duration::from_secs(2)),
            Frame::new(Rate::WIDE, Vec::new()),
            in_noise(&Frame::new(Rate::WIDE, vec![1_000; 32_000]), 6.0),
        ];
        // No two readings of slt and rms are alike, so these phrases are far from any of the desk's.
        for phrase in ["my cat has eaten the remote control", "how much does it cost"] {
            for voice in ["slt", "rms", "kal16"] {
                clips.push(telephone(&flite(voice, phrase).await));
            }
        }
        for (index, clip) in clips.iter().enumerate() {
            hear(&mut *call, clip, PauseId(index as u64));
            assert_eq!(words(next(&mut heard).await), "", "clip {index}");
        }
    }

    #[tokio::test]
    async fn eight_calls_at_once_hear_their_own_words() {
        let engine = engine();
        let phrases = ["goodbye", "what are your opening hours", "sales department please"];
        let mut calls = Vec::new();
        for index in 0..8 {
            let phrase = phrases[index % phrases.len()];
            let clip = flite("rms", phrase).await;
            calls.push((call(&engine).await, clip, phrase));
        }
        for ((call, _), clip, _) in &mut calls {
            hear(&mut **call, clip, PauseId(1));
        }
        for ((_, heard), _, phrase) in &mut calls {
            assert_eq!(words(next(heard).await), *phrase);
        }
    }

    #[tokio::test]
    async fn one_call_leaves_no_trace_in_the_next() {
        let engine = engine();
        let (mut call, mut heard) = call(&engine).await;
        let clip = telephone(&flite("slt", "connect me to sales please").await);
        let noise = in_noise(&Frame::new(Rate::WIDE, vec![9_000; 64_000]), 0.0);
        hear(&mut *call, &clip, PauseId(1));
        let first = next(&mut heard).await;
        hear(&mut *call, &noise, PauseId(2));
        next(&mut heard).await;
        hear(&mut *call, &clip, PauseId(1));
        assert_eq!(next(&mut heard).await, first);
    }

    #[tokio::test]
    async fn a_forgotten_turn_is_not_answered_and_the_worker_is_free() {
        let engine = engine();
        let (mut call, mut heard) = call(&engine).await;
        let clip = flite("rms", "goodbye").await;
        let long = Frame::silence(Rate::WIDE, Duration::from_secs(20));
        hear(&mut *call, &long, PauseId(1));
        call.forget();
        hear(&mut *call, &clip, PauseId(2));
        let text = next(&mut heard).await;
        assert_eq!((text.pause, words(text)), (PauseId(2), "goodbye".to_owned()));
        assert!(heard.try_recv().is_err());
    }

    #[tokio::test]
    async fn what_it_cannot_do_is_said_when_a_call_opens() {
        let engine = engine();
        let open = async |language: &str, grammar: Option<&str>| {
            let context = Context {
                language: language.parse().unwrap(),
                grammar: grammar.map(Arc::from),
                key_terms: Vec::new(),
            };
            let why = engine.open(context, mpsc::channel(1).0).await.err().expect("it is refused");
            assert_eq!(why.retry, Retry::Never);
            why.reason
        };
        assert!(open("de", Some(DESK)).await.contains("English"));
        assert!(open("en", None).await.contains("intents"));
        let unknown = "#JSGF V1.0; grammar g; public <g> = hello voxtrunkish | qwertzu;";
        let reason = open("en", Some(unknown)).await;
        assert!(reason.ends_with("lacks: qwertzu, voxtrunkish"), "{reason}");
        assert!(open("en", Some("public <g> = ((((")).await.contains("grammar"));
        // And a sound grammar still opens after that.
        call(&engine).await;
    }

    #[tokio::test]
    async fn more_grammars_than_a_decoder_holds_are_all_understood() {
        let engine = engine();
        let clip = flite("rms", "goodbye").await;
        let (sender, mut heard) = mpsc::channel(8);
        let grammars: Vec<Arc<str>> = (0..GRAMMARS + 4)
            .map(|count| {
                let yes = "yes ".repeat(count + 1);
                format!("#JSGF V1.0; grammar g; public <g> = goodbye | {yes};").into()
            })
            .collect();
        for grammar in grammars.iter().chain(&grammars[..2]) {
            let context = Context {
                language: Language::english(),
                grammar: Some(grammar.clone()),
                key_terms: Vec::new(),
            };
            let mut call = engine.open(context, sender.clone()).await.expect("it is sound");
            hear(&mut *call, &clip, PauseId(1));
            assert_eq!(words(next(&mut heard).await), "goodbye");
        }
    }

    #[test]
    fn a_missing_library_or_model_names_the_package() {
        let reason = |settings| match PocketSphinx::load(settings) {
            Ok(_) => panic!("it is missing"),
            Err(why) => why.reason,
        };
        let library = "libnothing.so.3".to_owned();
        let why = reason(Settings { library, ..Settings::default() });
        assert!(why.contains("apt install libpocketsphinx3"), "{why}");
        let why = reason(Settings { model: "/nowhere".into(), ..Settings::default() });
        assert!(why.contains("apt install pocketsphinx-en-us"), "{why}");
    }

    #[test]
    fn words_that_the_dictionary_lacks_are_named() {
        let missing = engine().missing_words(["Hello", "voxtrunk", "don't"]).unwrap();
        assert_eq!(missing, ["voxtrunk"]);
    }
}
