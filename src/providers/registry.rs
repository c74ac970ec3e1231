//! Finds the provider that an agent asks for, and shares what is costly between agents.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::agent::assistant::{Assistant, Choice};
use crate::agent::intents::compile::Compiled;
use crate::base::language::Language;
use crate::base::secret::Secret;
use crate::providers::error::ProviderError;
use crate::providers::llm::openai_compatible::{self, OpenAiCompatible};
use crate::providers::llm::rules::Rules;
use crate::providers::model::Model;
use crate::providers::stt::pocketsphinx::{self, PocketSphinx};
use crate::providers::transcriber::Transcriber;
use crate::providers::tts::cache::{Cached, Phrases};
use crate::providers::tts::espeak::{self, Espeak};
use crate::providers::tts::flite::{self, Flite};
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
}

/// A provider as the operator describes it.
#[derive(Debug, Clone)]
pub struct Spec {
    /// What it is.
    pub kind: Kind,
    /// Where its API begins.
    pub base_url: Option<String>,
    /// Its key.
    pub api_key: Option<Secret>,
    /// Its model, when an agent names none.
    pub model: Option<String>,
    /// Its voice, when an agent names none.
    pub voice: Option<String>,
    /// Further HTTP headers.
    pub headers: BTreeMap<String, Secret>,
    /// How long it may keep silent.
    pub timeout: Duration,
}

/// What a provider is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Chat completions over HTTP.
    OpenAiCompatible,
    /// Hears by grammar.
    PocketSphinx,
    /// Hears anything.
    Whisper,
    /// Thinks by intents.
    Rules,
    /// Speaks English.
    Flite,
    /// Speaks a hundred languages.
    Espeak,
}

impl Spec {
    /// A built-in provider.
    pub fn built_in(kind: Kind) -> Self {
        Self {
            kind,
            base_url: None,
            api_key: None,
            model: None,
            voice: None,
            headers: BTreeMap::new(),
            timeout: Duration::from_secs(10),
        }
    }
}

impl Registry {
    /// Makes a registry over the operator's providers and the folder of models; nothing is
    /// loaded.
    pub fn new(mut specs: BTreeMap<String, Spec>, models: PathBuf) -> Self {
        let built_in = [
            ("pocketsphinx", Kind::PocketSphinx),
            ("whisper", Kind::Whisper),
            ("rules", Kind::Rules),
            ("flite", Kind::Flite),
            ("espeak", Kind::Espeak),
        ];
        for (name, kind) in built_in {
            specs.entry(name.to_owned()).or_insert_with(|| Spec::built_in(kind));
        }
        let shared = Mutex::new(Shared::default());
        Self { specs, models, phrases: Phrases::new(PHRASES), shared }
    }

    /// Who thinks for an agent: the provider `name`, asked as the agent wants it.
    ///
    /// # Errors
    /// When the provider is unknown or is no model.
    pub fn model(
        &self,
        name: &str,
        assistant: &Arc<Assistant>,
        compiled: &Arc<Compiled>,
    ) -> Result<Arc<dyn Model>, ProviderError> {
        let choice = &assistant.llm;
        let spec = self.spec(name)?;
        match spec.kind {
            Kind::Rules => Ok(Arc::new(Rules::new(assistant.clone(), compiled.clone()))),
            Kind::OpenAiCompatible => {
                let missing =
                    |what: &str| ProviderError::lasting(name, format!("{what} is missing"));
                let settings = openai_compatible::Settings {
                    name: name.to_owned(),
                    base_url: spec.base_url.clone().ok_or_else(|| missing("`base_url`"))?,
                    api_key: spec.api_key.clone(),
                    headers: spec.headers.clone(),
                    model: choice
                        .model
                        .clone()
                        .or_else(|| spec.model.clone())
                        .ok_or_else(|| missing("`model`"))?,
                    temperature: choice.temperature,
                    max_tokens: choice.max_tokens.unwrap_or(250),
                    timeout: spec.timeout,
                };
                Ok(Arc::new(OpenAiCompatible::new(settings)?))
            }
            Kind::PocketSphinx | Kind::Whisper | Kind::Flite | Kind::Espeak => {
                Err(ProviderError::lasting(name, "is no language model"))
            }
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
        let name = match &choice.provider {
            Some(name) => name.as_str(),
            None if self.whisper_model(choice).is_some() => "whisper",
            None if language.is_english() => "pocketsphinx",
            None => return Ok(None),
        };
        match self.spec(name)?.kind {
            Kind::PocketSphinx => {
                let pocketsphinx: Arc<dyn Transcriber> = self.pocketsphinx()?;
                Ok(Some(pocketsphinx))
            }
            // Asked for but not there yet: `check` warns, and keys work until then.
            Kind::Whisper => self.whisper(choice),
            Kind::OpenAiCompatible | Kind::Rules | Kind::Flite | Kind::Espeak => {
                Err(ProviderError::lasting(name, "does not hear"))
            }
        }
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
        let default = if language.is_english() { "flite" } else { "espeak" };
        let name = choice.provider.as_deref().unwrap_or(default);
        let spec = self.spec(name)?;
        let voice = choice.voice.clone().or_else(|| spec.voice.clone());
        let speed = choice.speed.unwrap_or(1.0);
        match spec.kind {
            Kind::Flite => {
                let voice = voice.unwrap_or_else(|| flite::Settings::default().voice);
                let key = format!("flite {voice} {speed}");
                let load = || Flite::load(flite::Settings { voice, speed });
                self.prepared(key, || Ok(Arc::new(load()?)), lines).await
            }
            Kind::Espeak => {
                let usual = espeak::Settings::of(language);
                let voice = voice.unwrap_or_else(|| usual.voice.clone());
                let key = format!("espeak {voice} {speed}");
                let load = || Espeak::find(espeak::Settings { voice, speed, ..usual });
                self.prepared(key, || Ok(Arc::new(load()?)), lines).await
            }
            Kind::OpenAiCompatible | Kind::PocketSphinx | Kind::Whisper | Kind::Rules => {
                Err(ProviderError::lasting(name, "does not speak"))
            }
        }
    }

    /// The ggml file that Whisper would load for this choice, if it is there.
    pub fn whisper_model(&self, choice: &Choice) -> Option<PathBuf> {
        if !cfg!(feature = "whisper") {
            return None;
        }
        match &choice.model {
            Some(model) => {
                let file =
                    self.models.join(format!("ggml-{}.bin", model.trim_start_matches("ggml-")));
                file.is_file().then_some(file)
            }
            None => first_ggml(&self.models),
        }
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
            None => {
                let voice = Arc::new(Cached::new(load()?, self.phrases.clone()));
                self.shared().voices.insert(key, voice.clone());
                voice
            }
        };
        voice.warm_up().await?;
        voice.prepare(lines).await?;
        Ok(voice)
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

/// How many octets of phrases are kept: some five minutes.
const PHRASES: usize = 8 << 20;
