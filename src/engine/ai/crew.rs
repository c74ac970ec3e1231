//! The crew of an agent: who hears, who thinks and who speaks for it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::base::language::Language;
use crate::providers::model::Model;
use crate::providers::transcriber::{Context, Transcriber};
use crate::providers::turn_model::TurnModel;
use crate::providers::voice::Voice;

/// Made once for each agent, shared by its calls.
#[derive(Clone)]
pub struct Crew {
    /// Who hears, and what it should know; without one, the agent takes keys.
    pub transcriber: Option<(Arc<dyn Transcriber>, Context)>,
    /// Who judges whether a turn sounds complete, if anybody.
    pub turn_model: Option<Arc<dyn TurnModel>>,
    /// Who thinks.
    pub model: Arc<dyn Model>,
    /// Who speaks.
    pub voice: Arc<dyn Voice>,
    /// Who hears and speaks other languages, by language.
    pub others: BTreeMap<Language, Tongue>,
    /// Whether noise is taken off what is heard.
    pub denoises: bool,
}

/// Who hears and who speaks a language.
#[derive(Clone)]
pub struct Tongue {
    /// Who hears it; without one, whoever heard before goes on.
    pub transcriber: Option<(Arc<dyn Transcriber>, Context)>,
    /// Who speaks it.
    pub voice: Arc<dyn Voice>,
}

impl Crew {
    /// A call begins: opens what will be needed, while the phone still rings.
    pub async fn call_begins(self: Arc<Self>) {
        let (model, voice) = tokio::join!(self.model.call_begins(), self.voice.call_begins());
        for why in [model.err(), voice.err()].into_iter().flatten() {
            // The turn that needs it tries again and says what follows.
            tracing::debug!(%why, "a provider is not ready for the call");
        }
    }

    /// The same crew in another language; in its own, as it is.
    #[must_use]
    pub fn speaking(&self, language: &Language) -> Self {
        let Some(tongue) = self.others.get(language) else { return self.clone() };
        let transcriber = tongue.transcriber.clone().or_else(|| self.transcriber.clone());
        Self { transcriber, voice: tongue.voice.clone(), ..self.clone() }
    }
}

impl std::fmt::Debug for Crew {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Crew").field("voice", &self.voice.identity()).finish_non_exhaustive()
    }
}
