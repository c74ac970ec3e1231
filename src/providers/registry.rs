//! Finds the provider that an agent asks for, and shares what is costly between agents.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::agent::assistant::{Assistant, Choice};
use crate::agent::intents::compile::Compiled;
use crate::base::language::Language;
use crate::providers::error::ProviderError;
use crate::providers::kind::{Asked, Spec};
use crate::providers::kinds::table;
use crate::providers::llm::rules::Rules;
use crate::providers::model::Model;
use crate::providers::models::catalogue;
use crate::providers::realtime::Realtime;
use crate::providers::stt::pocketsphinx::{self, PocketSphinx};
use crate::providers::transcriber::Transcriber;
use crate::providers::tts::cache::{Cached, Phrases};
use crate::providers::tts::espeak::{self, Espeak};
use crate::providers::tts::flite::{self, Flite};
#[cfg(feature = "ort")]
use crate::providers::tts::piper::voice::Engine;
#[cfg(feature = "ort")]
use crate::providers::turn::smart;
use crate::providers::turn_model::TurnModel;
use crate::providers::voice::Voice;

/// The providers of a server.
pub struct Registry {
    specs: BTreeMap<String, Spec>,
    models: PathBuf,
    phrases: Arc<Phrases>,
    shared: Mutex<Shared>,
}

/// What was loaded once for all agents.
#[derive(Default)]
struct Shared {
    pocketsphinx: Option<Arc<PocketSphinx>>,
    #[cfg(feature = "whisper")]
    transcribers: BTreeMap<String, Arc<dyn Transcriber>>,
    voices: BTreeMap<String, Arc<Cached>>,
    #[cfg(feature = "ort")]
    turn_model: Option<Arc<dyn TurnModel>>,
    #[cfg(feature = "ort")]
    pipers: BTreeMap<PathBuf, Arc<Engine>>,
}

impl Registry {
    /// Makes a registry over the operator's providers and the folder of models; nothing is
    /// loaded.
    pub fn new(mut specs: BTreeMap<String, Spec>, models: PathBuf) -> Self {
        for name in BUILT_IN {
            specs.entry(name.to_owned()).or_insert_with(|| Spec::built_in(name));
        }
        let shared = Mutex::new(Shared::default());
        Self { specs, models, phrases: Phrases::new(PHRASES), shared }
    }

    /// Who thinks for an agent: the provider `name`, asked as the agent's `choice` wants it.
    ///
    /// # Errors
    /// When the provider is unknown or is no model.
    pub fn model(
        &self,
        (name, choice): (&str, &Choice),
        assistant: &Arc<Assistant>,
        compiled: &Arc<Compiled>,
    ) -> Result<Arc<dyn Model>, ProviderError> {
        let spec = self.spec(name)?;
        if spec.kind == "rules" {
            return Ok(Arc::new(Rules::new(assistant.clone(), compiled.clone())));
        }
        let language = assistant.spoken_language();
        let asked = Asked { name, spec, choice, language: &language };
        match table::find(spec.kind).and_then(|kind| kind.thinks) {
            Some(thinks) => thinks(&asked),
            None => Err(ProviderError::lasting(name, "is no language model")),
        }
    }

    /// Who hears, thinks and speaks for an agent in one, by its `choice`.
    ///
    /// # Errors
    /// When the provider is unknown or cannot do that.
    pub fn realtime(
        &self,
        choice: &Choice,
        language: &Language,
    ) -> Result<Arc<dyn Realtime>, ProviderError> {
        let name = choice.provider.as_deref().unwrap_or_default();
        let spec = self.spec(name)?;
        match table::find(spec.kind).and_then(|kind| kind.converses) {
            Some(converses) => converses(&Asked { name, spec, choice, language }),
            None => Err(ProviderError::lasting(name, "does not hear and speak in one")),
        }
    }

    /// Who hears for an agent: what it chose; else Whisper when its model is there, else
    /// PocketSphinx for English, else nobody (the agent takes keys).
    ///
    /// # Errors
    /// When the provider is unknown, is no transcriber, or cannot be loaded.
    pub fn transcriber(
        &self,
        choice: &Choice,
        language: &Language,
    ) -> Result<Option<Arc<dyn Transcriber>>, ProviderError> {
        let Some(name) = self.transcriber_name(choice, language) else { return Ok(None) };
        let spec = self.spec(name)?;
        match spec.kind {
            "pocketsphinx" => {
                let pocketsphinx: Arc<dyn Transcriber> = self.pocketsphinx()?;
                Ok(Some(pocketsphinx))
            }
            // Asked for but not there yet: `check` warns, and keys work until then.
            "whisper" => self.whisper(choice),
            kind => match table::find(kind).and_then(|kind| kind.hears) {
                Some(hears) => hears(&Asked { name, spec, choice, language }).map(Some),
                None => Err(ProviderError::lasting(name, "does not hear")),
            },
        }
    }

    /// The name of who hears for an agent, if anybody can be meant.
    pub fn transcriber_name<'a>(&self, choice: &'a Choice, language: &Language) -> Option<&'a str> {
        match &choice.provider {
            Some(name) => Some(name.as_str()),
            None if self.whisper_model(choice).is_some() => Some("whisper"),
            None if language.is_english() => Some("pocketsphinx"),
            None => None,
        }
    }

    /// The name of who speaks for an agent.
    pub fn voice_name<'a>(&self, choice: &'a Choice, language: &Language) -> &'a str {
        let usual = if language.is_english() { "flite" } else { "espeak" };
        choice.provider.as_deref().unwrap_or(usual)
    }

    /// Whether a provider is reached over a network, so that it may be away for a while.
    pub fn is_remote(&self, name: &str) -> bool {
        self.specs.get(name).is_some_and(|spec| table::find(spec.kind).is_some())
    }

    /// PocketSphinx, loaded once.
    ///
    /// # Errors
    /// When the library or its model is missing; it says which package has it.
    pub fn pocketsphinx(&self) -> Result<Arc<PocketSphinx>, ProviderError> {
        let mut shared = self.shared();
        if let Some(loaded) = &shared.pocketsphinx {
            return Ok(loaded.clone());
        }
        let loaded = Arc::new(PocketSphinx::load(pocketsphinx::Settings::default())?);
        shared.pocketsphinx = Some(loaded.clone());
        Ok(loaded)
    }

    /// Who speaks for an agent: what it chose, else flite for English and espeak-ng for the rest.
    /// The `lines` are spoken once now and kept.
    ///
    /// # Errors
    /// When the provider is unknown, does not speak, or cannot be loaded.
    pub async fn voice(
        &self,
        choice: &Choice,
        language: &Language,
        lines: &[String],
    ) -> Result<Arc<dyn Voice>, ProviderError> {
        let name = self.voice_name(choice, language);
        let spec = self.spec(name)?;
        let voice = choice.voice.clone().or_else(|| spec.voice.clone());
        let speed = choice.speed.unwrap_or(1.0);
        match spec.kind {
            "flite" => {
                let voice = voice.unwrap_or_else(|| flite::Settings::default().voice);
                let key = format!("flite {voice} {speed}");
                let load = || Flite::load(flite::Settings { voice, speed });
                self.prepared(key, || Ok(Arc::new(load()?)), lines).await
            }
            "espeak" => {
                let usual = espeak::Settings::of(language);
                let voice = voice.unwrap_or_else(|| usual.voice.clone());
                let key = format!("espeak {voice} {speed}");
                let load = || Espeak::find(espeak::Settings { voice, speed, ..usual });
                self.prepared(key, || Ok(Arc::new(load()?)), lines).await
            }
            "piper" => {
                let lacks = || ProviderError::lasting(name, "`voice` is missing");
                let voice = voice.ok_or_else(lacks)?;
                let key = format!("piper {voice} {speed}");
                self.prepared(key, || self.piper(&voice, speed), lines).await
            }
            kind => {
                let speaks = table::find(kind).and_then(|kind| kind.speaks);
                let mute = || ProviderError::lasting(name, "does not speak");
                let voice = speaks.ok_or_else(mute)?(&Asked { name, spec, choice, language })?;
                Ok(self.prepared_from_afar((name, voice), lines).await)
            }
        }
    }

    /// The ggml file that Whisper would load for this choice, if it is there.
    pub fn whisper_model(&self, choice: &Choice) -> Option<PathBuf> {
        if !cfg!(feature = "whisper") {
            return None;
        }
        match self.whisper_name(choice) {
            Some(name) => {
                let file = match catalogue::named(name) {
                    Some(model) => model.network(&self.models),
                    None => {
                        self.models.join(format!("ggml-{}.bin", name.trim_start_matches("ggml-")))
                    }
                };
                file.is_file().then_some(file)
            }
            None => first_ggml(&self.models),
        }
    }

    /// The model that Whisper is asked for, if one is named.
    pub fn whisper_name<'a>(&'a self, choice: &'a Choice) -> Option<&'a str> {
        let spec = self.specs.get(choice.provider.as_deref().unwrap_or("whisper"));
        choice.model.as_deref().or_else(|| spec?.model.as_deref())
    }

    /// The folder of the models.
    pub fn models(&self) -> &Path {
        &self.models
    }

    /// The file of the network of a Piper voice, which may be followed by `#` and a speaker.
    ///
    /// # Errors
    /// When it is not there, or this build cannot load it; it says what to do.
    pub fn piper_voice(&self, voice: &str) -> Result<PathBuf, String> {
        let name = voice.split_once('#').map_or(voice, |(name, _)| name);
        let fits = |c: char| c.is_alphanumeric() || "-_.".contains(c);
        if name.is_empty() || name.starts_with('.') || !name.chars().all(fits) {
            return Err(format!("`{name}` is no name of a voice"));
        }
        if !cfg!(feature = "ort") {
            return Err(
                "this build has no ONNX Runtime: build it with the feature `ort`".to_owned()
            );
        }
        let model =
            catalogue::named(name).or_else(|| catalogue::with_file(&format!("{name}.onnx")));
        let file = match model {
            Some(model) => model.network(&self.models),
            None => self.models.join(format!("{name}.onnx")),
        };
        let help = match model {
            _ if file.is_file() => return Ok(file),
            Some(model) => format!("{} gets it", catalogue::command(&model.name)),
            None => format!("put it there, with {name}.onnx.json beside it"),
        };
        Err(format!("there is no {}; {help}", file.display()))
    }

    /// The file of the turn model, if it is there and this build can load it.
    pub fn turn_model_file(&self) -> Option<PathBuf> {
        #[cfg(feature = "ort")]
        return Some(self.models.join(smart::FILE)).filter(|file| file.is_file());
        #[cfg(not(feature = "ort"))]
        None
    }

    /// The turn model, loaded once; `None` when its file is not there.
    ///
    /// # Errors
    /// When it cannot be loaded.
    #[cfg(feature = "ort")]
    pub fn turn_model(&self) -> Result<Option<Arc<dyn TurnModel>>, ProviderError> {
        let Some(file) = self.turn_model_file() else { return Ok(None) };
        let mut shared = self.shared();
        if let Some(loaded) = &shared.turn_model {
            return Ok(Some(loaded.clone()));
        }
        let loaded: Arc<dyn TurnModel> = Arc::new(smart::load(&file)?);
        tracing::info!(file = %file.display(), "a turn model hears how turns end");
        shared.turn_model = Some(loaded.clone());
        Ok(Some(loaded))
    }

    /// The turn model: this build has none.
    ///
    /// # Errors
    /// Never.
    #[cfg(not(feature = "ort"))]
    pub fn turn_model(&self) -> Result<Option<Arc<dyn TurnModel>>, ProviderError> {
        Ok(None)
    }

    async fn prepared(
        &self,
        key: String,
        load: impl FnOnce() -> Result<Arc<dyn Voice>, ProviderError>,
        lines: &[String],
    ) -> Result<Arc<dyn Voice>, ProviderError> {
        let known = self.shared().voices.get(&key).cloned();
        let voice = match known {
            Some(voice) => voice,
            None => self.keep(key, load()?),
        };
        voice.warm_up().await?;
        voice.prepare(lines).await?;
        Ok(voice)
    }

    /// The same for a voice that is reached over a network. It may come up later: then its lines
    /// are spoken when they are needed.
    async fn prepared_from_afar(
        &self,
        (name, voice): (&str, Arc<dyn Voice>),
        lines: &[String],
    ) -> Arc<dyn Voice> {
        let key = format!("{name} {}", voice.identity());
        let known = self.shared().voices.get(&key).cloned();
        let voice = known.unwrap_or_else(|| self.keep(key, voice));
        let mut ready = voice.warm_up().await;
        if ready.is_ok() {
            ready = voice.prepare(lines).await;
        }
        if let Err(why) = ready {
            tracing::warn!(%why, "the voice is not there yet; calls are taken all the same");
        }
        voice
    }

    fn keep(&self, key: String, voice: Arc<dyn Voice>) -> Arc<Cached> {
        let voice = Arc::new(Cached::new(voice, self.phrases.clone()));
        self.shared().voices.insert(key, voice.clone());
        voice
    }

    /// A Piper voice, whose network is loaded once for all its speakers and speeds.
    #[cfg(feature = "ort")]
    fn piper(&self, voice: &str, speed: f32) -> Result<Arc<dyn Voice>, ProviderError> {
        let file = self.piper_voice(voice).map_err(|why| ProviderError::lasting("piper", why))?;
        let known = self.shared().pipers.get(&file).cloned();
        let engine = match known {
            Some(engine) => engine,
            None => {
                let engine = Arc::new(Engine::load(&file)?);
                self.shared().pipers.insert(file, engine.clone());
                engine
            }
        };
        let speaker = voice.split_once('#').map(|(_, speaker)| speaker);
        Ok(Arc::new(engine.voice((speaker, speed))?))
    }

    #[cfg(not(feature = "ort"))]
    fn piper(&self, voice: &str, _speed: f32) -> Result<Arc<dyn Voice>, ProviderError> {
        let why = self.piper_voice(voice).err().unwrap_or_default();
        Err(ProviderError::lasting("piper", why))
    }

    #[cfg(feature = "whisper")]
    fn whisper(&self, choice: &Choice) -> Result<Option<Arc<dyn Transcriber>>, ProviderError> {
        use crate::providers::stt::whisper::Whisper;
        let Some(file) = self.whisper_model(choice) else { return Ok(None) };
        let key = file.display().to_string();
        let mut shared = self.shared();
        if let Some(loaded) = shared.transcribers.get(&key) {
            return Ok(Some(loaded.clone()));
        }
        let loaded: Arc<dyn Transcriber> = Arc::new(Whisper::load(&file)?);
        shared.transcribers.insert(key, loaded.clone());
        Ok(Some(loaded))
    }

    #[cfg(not(feature = "whisper"))]
    fn whisper(&self, _choice: &Choice) -> Result<Option<Arc<dyn Transcriber>>, ProviderError> {
        Ok(None)
    }

    fn spec(&self, name: &str) -> Result<&Spec, ProviderError> {
        self.specs.get(name).ok_or_else(|| {
            ProviderError::lasting(name, "there is no such provider under [providers]")
        })
    }

    fn shared(&self) -> std::sync::MutexGuard<'_, Shared> {
        // What is under the lock is only ever added to.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The first file `ggml-*.bin` by name.
fn first_ggml(models: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(models).ok()?;
    let mut files: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            name.starts_with("ggml-") && name.ends_with(".bin")
        })
        .collect();
    files.sort();
    files.into_iter().next()
}

/// The names and kinds of what works without any table of the operator's.
const BUILT_IN: [&str; 6] = ["pocketsphinx", "whisper", "rules", "flite", "espeak", "piper"];

/// How many octets of phrases are kept: some quarter of an hour. Every voice of every agent keeps the
/// lines that must be there when its vendor is not.
const PHRASES: usize = 32 << 20;
