//! From agents of the dialplans to agents that can be put on the line: intents compiled, crews
//! warmed up.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::agent::assistant::{Assistant, Choice, Detector};
use crate::agent::intents::compile::Compiled;
use crate::agent::intents::instructions;
use crate::agent::phrases::Phrases;
use crate::agent::sentence::Splitter;
use crate::base::language::Language;
use crate::call::briefing::Casting;
use crate::config::settings::{Provider, Server};
use crate::engine::ai::crew::{Crew, Tongue};
use crate::providers::error::ProviderError;
use crate::providers::kind::Spec;
use crate::providers::registry::Registry;
use crate::providers::transcriber::Context;
use crate::providers::turn_model::TurnModel;

/// Agents ready for the line.
#[derive(Debug, Default)]
pub struct Cast {
    /// What the call knows of each.
    pub castings: BTreeMap<String, Arc<Casting>>,
    /// Who works for each.
    pub crews: BTreeMap<String, Arc<Crew>>,
}

/// Why an agent cannot be put on the line.
#[derive(Debug, thiserror::Error)]
#[error("agent `{agent}`: {why}")]
pub struct CastError {
    /// The agent.
    pub agent: String,
    /// The provider's word.
    pub why: ProviderError,
}

/// Makes the registry of the operator's providers.
pub fn registry(providers: &BTreeMap<String, Provider>, models: PathBuf) -> Registry {
    let specs = providers.iter().map(|(name, provider)| (name.clone(), spec(provider))).collect();
    Registry::new(specs, models)
}

/// Readies every agent.
///
/// # Errors
/// At the first whose providers cannot be had.
pub async fn cast(
    agents: &BTreeMap<String, Arc<Assistant>>,
    server: &Server,
) -> Result<Cast, CastError> {
    let registry = registry(&server.providers, server.machine.models.clone());
    let mut cast = Cast::default();
    for (name, assistant) in agents {
        let failed = |why| CastError { agent: name.clone(), why };
        // An agent without any model says its first message and understands nothing.
        let thinker = server.thinker(assistant).unwrap_or("rules");
        let readied = ready((name, thinker), assistant, &registry).await;
        let (casting, crew) = readied.map_err(failed)?;
        cast.castings.insert(name.clone(), Arc::new(casting));
        cast.crews.insert(name.clone(), Arc::new(crew));
    }
    Ok(cast)
}

async fn ready(
    (name, thinker): (&str, &str),
    assistant: &Arc<Assistant>,
    registry: &Registry,
) -> Result<(Casting, Crew), ProviderError> {
    let compiled = Compiled::for_assistant(assistant).map_err(|faults| {
        let first = faults.first().map(|fault| fault.what.clone()).unwrap_or_default();
        ProviderError::lasting("rules", format!("the intents do not compile: {first}"))
    })?;
    let compiled = Arc::new(compiled);
    let language = assistant.spoken_language();
    let model = registry.model(thinker, assistant, &compiled)?;
    if let Err(why) = model.warm_up().await {
        tracing::warn!(agent = name, %why, "the model is not there yet; calls are taken all the same");
    }
    let voice = registry.voice(&assistant.tts, &language, &fixed_lines(assistant)).await?;
    let transcriber = match registry.transcriber(&assistant.stt, &language)? {
        Some(transcriber) => {
            let context = context(assistant, &compiled, &language);
            tracing::debug!(agent = name, grammar = ?context.grammar, "what the agent listens for");
            let chosen = assistant.stt.provider.as_deref();
            match transcriber.warm_up().await {
                Err(why) if chosen.is_some_and(|name| registry.is_remote(name)) => {
                    tracing::warn!(agent = name, %why, "the transcriber is not there yet; calls are taken all the same");
                }
                warm => warm?,
            }
            Some((transcriber, context))
        }
        // `check` has said it; keys work.
        None => None,
    };
    let mut instructed = (**assistant).clone();
    if !assistant.intents.is_empty() {
        // A language model in the seat of the rules is told what the rules know.
        instructed.prompt = Some(instructions::instructions(assistant));
    }
    let turn_model = transcriber.as_ref().and_then(|_| turn_model((name, assistant), registry));
    instructed.turns.detector =
        Some(if turn_model.is_some() { Detector::Smart } else { Detector::Vad });
    let casting = Casting {
        name: name.to_owned(),
        assistant: Arc::new(instructed),
        tools: instructions::tools_for(assistant),
    };
    let others = other_tongues(assistant, &compiled, registry).await?;
    Ok((casting, Crew { transcriber, turn_model, model, voice, others }))
}

/// Who judges for an agent whether a turn sounds complete, unless it wants nobody.
fn turn_model(
    (name, assistant): (&str, &Assistant),
    registry: &Registry,
) -> Option<Arc<dyn TurnModel>> {
    if assistant.turns.detector == Some(Detector::Vad) {
        return None;
    }
    registry.turn_model().unwrap_or_else(|why| {
        tracing::warn!(agent = name, %why, "no turn model; turns end by their words and silence");
        None
    })
}

/// Who hears and speaks the languages that the agent may change to.
async fn other_tongues(
    assistant: &Assistant,
    compiled: &Compiled,
    registry: &Registry,
) -> Result<BTreeMap<Language, Tongue>, ProviderError> {
    let mut others = BTreeMap::new();
    let own = assistant.spoken_language();
    for language in assistant.languages.iter().filter(|language| **language != own) {
        // Voices belong to a language, and so does one engine: only those that speak many stay.
        let provider = assistant.tts.provider.clone().filter(|name| name != "flite");
        let choice = Choice { provider, voice: None, ..assistant.tts.clone() };
        let voice = registry.voice(&choice, language, &[]).await?;
        let hears = match registry.transcriber(&assistant.stt, language) {
            Ok(hears) => hears,
            Err(why) => {
                tracing::warn!(%language, %why, "the agent hears this language no better");
                None
            }
        };
        let transcriber = hears.map(|transcriber| {
            let context = Context { grammar: None, ..context(assistant, compiled, language) };
            (transcriber, context)
        });
        others.insert(language.clone(), Tongue { transcriber, voice });
    }
    Ok(others)
}

fn context(assistant: &Assistant, compiled: &Compiled, language: &Language) -> Context {
    let mut key_terms = assistant.stt.keyterms.clone();
    key_terms.extend(compiled.key_terms());
    let grammar = (!assistant.intents.is_empty()).then(|| compiled.grammar());
    Context { language: language.clone(), grammar, key_terms }
}

/// What the agent says the same to everybody, clause by clause as it will be spoken.
fn fixed_lines(assistant: &Assistant) -> Vec<String> {
    let phrases = Phrases::of(assistant);
    let mut texts: Vec<&str> = phrases.all().collect();
    texts.extend(assistant.first_message.as_deref());
    texts.extend(assistant.goodbye.as_deref());
    for intent in &assistant.intents {
        texts.extend(intent.say.iter().map(String::as_str));
        texts.extend(intent.ask.values().map(String::as_str));
        texts.extend(intent.declined.as_deref());
    }
    let language = assistant.spoken_language();
    let fixed = texts.into_iter().filter(|text| !text.contains("{{") && !text.contains("{%"));
    let speaker = assistant.speaker(&language);
    fixed
        .flat_map(|text| {
            let mut splitter = Splitter::new(&language);
            let mut clauses = splitter.push(text);
            clauses.extend(splitter.finish());
            clauses
        })
        .map(|clause| speaker.say(&clause).said().to_owned())
        .collect()
}

fn spec(provider: &Provider) -> Spec {
    Spec {
        kind: provider.kind.name(),
        base_url: provider.base_url.clone(),
        region: provider.region.clone(),
        api: provider.api.clone(),
        api_key: provider.api_key.clone(),
        model: provider.model.clone(),
        voice: provider.voice.clone(),
        headers: provider.headers.clone(),
        timeout: provider.timeout,
    }
}

#[cfg(test)]
mod tests {
    use crate::config::provider::{Job, ProviderKind};
    use crate::providers::kinds::table;

    #[test]
    fn the_settings_know_the_kinds_that_there_are_and_what_they_do() {
        for kind in table::KINDS {
            let known = ProviderKind::named(kind.name).expect("it stands in the table");
            let jobs = [Job::Hear, Job::Think, Job::Speak].map(|job| known.does(job));
            let does = [kind.hears.is_some(), kind.thinks.is_some(), kind.speaks.is_some()];
            assert_eq!(jobs, does, "{}", kind.name);
            assert!(!known.is_built_in(), "{}", kind.name);
        }
        let remote = ProviderKind::all().filter(|kind| !kind.is_built_in());
        assert_eq!(remote.count(), table::KINDS.len());
    }
}
