//! The crew of an agent: who hears, who thinks and who speaks for it, and who takes their places.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::shift::Lineup;
use crate::agent::assistant::Patience;
use crate::base::language::Language;
use crate::providers::model::Model;
use crate::providers::transcriber::{Context, Transcriber};
use crate::providers::turn_model::TurnModel;
use crate::providers::voice::Voice;

/// Made once for each agent, shared by its calls.
#[derive(Clone)]
pub struct Crew {
    /// Who hears, and what they should know; without anybody, the agent takes keys.
    pub transcribers: Option<(Lineup<dyn Transcriber>, Context)>,
    /// Who judges whether a turn sounds complete, if anybody.
    pub turn_model: Option<Arc<dyn TurnModel>>,
    /// Who thinks.
    pub models: Lineup<dyn Model>,
    /// Who speaks.
    pub voices: Lineup<dyn Voice>,
    /// Who hears and speaks other languages, by language.
    pub others: BTreeMap<Language, Tongue>,
    /// Whether noise is taken off what is heard.
    pub denoises: bool,
    /// How long each may take before the next takes its place.
    pub patience: Patience,
}

/// Who hears and who speaks a language.
#[derive(Clone)]
pub struct Tongue {
    /// Who hears it; without anybody, whoever heard before goes on.
    pub transcribers: Option<(Lineup<dyn Transcriber>, Context)>,
    /// Who speaks it.
    pub voices: Lineup<dyn Voice>,
}

impl Crew {
    /// A call begins: opens what will be needed, while the phone still rings. Those who only take
    /// places are not woken.
    pub async fn call_begins(self: Arc<Self>) {
        let model = async {
            match self.models.first() {
                Some(model) => model.call_begins().await,
                None => Ok(()),
            }
        };
        let voice = async {
            match self.voices.first() {
                Some(voice) => voice.call_begins().await,
                None => Ok(()),
            }
        };
        let (model, voice) = tokio::join!(model, voice);
        for why in [model.err(), voice.err()].into_iter().flatten() {
            // The turn that needs it tries again and says what follows.
            tracing::debug!(%why, "a provider is not ready for the call");
        }
    }

    /// The same crew in another language; in its own, as it is.
    #[must_use]
    pub fn speaking(&self, language: &Language) -> Self {
        let Some(tongue) = self.others.get(language) else { return self.clone() };
        let transcribers = tongue.transcribers.clone().or_else(|| self.transcribers.clone());
        Self { transcribers, voices: tongue.voices.clone(), ..self.clone() }
    }
}

impl std::fmt::Debug for Crew {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let voice = self.voices.first().map(|voice| voice.identity());
        f.debug_struct("Crew").field("voice", &voice).finish_non_exhaustive()
    }
}
