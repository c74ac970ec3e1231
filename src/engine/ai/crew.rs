//! The crew of an agent: who hears, who thinks and who speaks for it, and who takes their places.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::health::Health;
use super::shift::{Lineup, Member};
use crate::agent::assistant::Patience;
use crate::base::language::Language;
use crate::providers::model::Model;
use crate::providers::realtime::{Realtime, Talk};
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
    /// Who hears, thinks and speaks in one, if anybody; the others take its places.
    pub duplex: Option<Duplex>,
    /// Whether noise is taken off what is heard.
    pub denoises: bool,
    /// How long each may take before the next takes its place.
    pub patience: Patience,
}

/// Somebody who hears, thinks and speaks, and how it fares at each.
#[derive(Clone)]
pub struct Duplex {
    /// Who it is.
    pub who: Arc<dyn Realtime>,
    /// How it hears, thinks and speaks.
    pub health: [Arc<Health>; 3],
    /// What it should know before it hears.
    pub context: Context,
    /// Its place among those who speak lines that nobody thought: behind a voice of the agent's own.
    pub speaks_at: usize,
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

    /// The crew for one call: whoever hears, thinks and speaks in one begins it, and takes the first
    /// seats.
    pub fn in_call(self: &Arc<Self>) -> (Arc<Self>, Option<Arc<dyn Talk>>) {
        let Some(duplex) = &self.duplex else { return (self.clone(), None) };
        let talk = duplex.who.begin(duplex.context.clone());
        let [hears, thinks, speaks] = duplex.health.clone();
        let (lineup, context) = match &self.transcribers {
            Some((lineup, context)) => (lineup.clone(), context.clone()),
            None => (Lineup::of(Vec::new()), duplex.context.clone()),
        };
        let transcriber = Member { health: hears, who: talk.clone() as Arc<dyn Transcriber> };
        let model = Member { health: thinks, who: talk.clone() as Arc<dyn Model> };
        let voice = Member { health: speaks, who: talk.clone() as Arc<dyn Voice> };
        let crew = Self {
            transcribers: Some((lineup.with(0, transcriber), context)),
            models: self.models.with(0, model),
            voices: self.voices.with(duplex.speaks_at, voice),
            ..(**self).clone()
        };
        (Arc::new(crew), Some(talk))
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
