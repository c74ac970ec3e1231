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
use crate::agent::tool::{Handlings, Tool};
use crate::base::language::Language;
use crate::base::price::Prices;
use crate::call::briefing::Casting;
use crate::call::record::Stage;
use crate::call::till;
use crate::config::load::Loaded;
use crate::config::settings::Provider;
use crate::config::settings::Server;
use crate::engine::ai::crew::{Crew, Duplex, Tongue};
use crate::engine::ai::health::Board;
use crate::engine::ai::shift::{Lineup, Member};
use crate::engine::playbill::Playbill;
use crate::providers::error::ProviderError;
use crate::providers::kind::Spec;
use crate::providers::model::Model;
use crate::providers::registry::Registry;
use crate::providers::transcriber::{Context, Transcriber};
use crate::providers::turn_model::TurnModel;
use crate::providers::voice::Voice;
use crate::server::music;
use crate::server::tools::Shop;

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

/// What the work of the operator's providers costs.
pub fn prices(server: &Server) -> Prices {
    let mut prices = Prices::default();
    for (name, provider) in &server.providers {
        prices.know(name, provider.price, &provider.prices);
    }
    prices
}

/// What their work may cost.
pub fn till(server: &Server) -> till::Settings {
    let budgets = server.providers.iter();
    let budgets = budgets.filter_map(|(name, it)| Some((name.clone(), it.daily_budget?)));
    till::Settings {
        zone: server.machine.timezone.clone(),
        prices: prices(server),
        budgets: budgets.collect(),
    }
}

/// Readies every agent.
///
/// # Errors
/// At the first whose providers cannot be had.
pub async fn cast(
    loaded: &Loaded,
    shop: &Shop,
    board: &Board,
    before: Option<(&Loaded, &Playbill)>,
) -> Result<Cast, CastError> {
    let server = &loaded.server;
    let registry = registry(&server.providers, server.machine.models.clone());
    let mut cast = Cast::default();
    for (name, assistant) in loaded.agents.iter().chain(&loaded.posts) {
        if let Some((casting, crew)) = before.and_then(|before| kept(name, loaded, before)) {
            let (tools, handlings) = tools(assistant, shop);
            let (assistant, ambience) = (casting.assistant.clone(), casting.ambience.clone());
            let casting = Casting { name: name.clone(), assistant, tools, handlings, ambience };
            cast.castings.insert(name.clone(), Arc::new(casting));
            cast.crews.insert(name.clone(), crew);
            continue;
        }
        let failed = |why| CastError { agent: name.clone(), why };
        // An agent without any model says its first message and understands nothing.
        let thinker = server.thinker(assistant).unwrap_or("rules");
        let compiled = compiled(assistant).map_err(failed)?;
        let seats = Seats { name, assistant, compiled, registry: &registry, board, shop };
        let (casting, crew) = seats.ready(thinker).await.map_err(failed)?;
        cast.castings.insert(name.clone(), Arc::new(casting));
        cast.crews.insert(name.clone(), Arc::new(crew));
    }
    Ok(cast)
}

/// An agent as it was cast before, if it would be cast the same.
fn kept(
    name: &str,
    now: &Loaded,
    (before, playbill): (&Loaded, &Playbill),
) -> Option<(Arc<Casting>, Arc<Crew>)> {
    let (assistant, server) = (now.assistant(name)?, &now.server);
    let is_same = before.assistant(name) == Some(assistant)
        // What a file beside the dialplans holds may be another sound now.
        && assistant.ambience.is_none()
        && before.server.providers == server.providers
        && before.server.machine.models == server.machine.models;
    let casting = playbill.briefing.agents.get(name).filter(|_| is_same)?;
    Some((casting.clone(), playbill.crews.get(name)?.clone()))
}

/// What a model is told of the tools of an agent, and how they are handled.
pub fn tools(assistant: &Assistant, shop: &Shop) -> (Vec<Tool>, Handlings) {
    let mut tools = instructions::tools_for(assistant);
    let handlings = shop.sell(&assistant.tools, &mut tools);
    (tools, handlings)
}

/// The intents of an agent, ready to be understood.
///
/// # Errors
/// When they do not compile.
pub fn compiled(assistant: &Assistant) -> Result<Arc<Compiled>, ProviderError> {
    let compiled = Compiled::for_assistant(assistant).map_err(|faults| {
        let first = faults.first().map(|fault| fault.what.clone()).unwrap_or_default();
        ProviderError::lasting("rules", format!("the intents do not compile: {first}"))
    })?;
    Ok(Arc::new(compiled))
}

/// The seats of an agent, and where those come from who take them.
struct Seats<'a> {
    name: &'a str,
    assistant: &'a Arc<Assistant>,
    compiled: Arc<Compiled>,
    registry: &'a Registry,
    board: &'a Board,
    shop: &'a Shop,
}

impl Seats<'_> {
    async fn ready(&self, thinker: &str) -> Result<(Casting, Crew), ProviderError> {
        let assistant = self.assistant;
        let language = assistant.spoken_language();
        let models = self.models(thinker).await?;
        let fixed = fixed_lines(assistant);
        let voices = self.voices(&language, &fixed).await?;
        let transcribers = self.transcribers(&language).await?;
        let mut instructed = (**assistant).clone();
        if !assistant.intents.is_empty() {
            // A language model in the seat of the rules is told what the rules know.
            instructed.prompt = Some(instructions::instructions(assistant));
        }
        let who = (self.name, &**assistant);
        let duplex = self.duplex().await?;
        let is_heard = transcribers.is_some() || duplex.is_some();
        let turn_model = is_heard.then(|| turn_model(who, self.registry)).flatten();
        instructed.turns.detector =
            Some(if turn_model.is_some() { Detector::Smart } else { Detector::Vad });
        instructed.turns.asks_early = transcribers
            .as_ref()
            .is_some_and(|lineup| lineup.iter().all(|member| member.who.may_be_asked_early()));
        let (tools, handlings) = tools(assistant, self.shop);
        let casting = Casting {
            name: self.name.to_owned(),
            assistant: Arc::new(instructed),
            tools,
            handlings,
            ambience: music::ambience(assistant).map_err(|why| {
                ProviderError::lasting("ambience", format!("it cannot be played: {why}"))
            })?,
        };
        let transcribers = transcribers.map(|lineup| {
            let context = context(assistant, &self.compiled, &language);
            tracing::debug!(agent = self.name, grammar = ?context.grammar, "what the agent listens for");
            (lineup, context)
        });
        let (others, patience) = (self.other_tongues().await?, assistant.fallback.after);
        let denoises = assistant.denoise;
        let crew =
            Crew { transcribers, turn_model, models, voices, others, duplex, denoises, patience };
        Ok((casting, crew))
    }

    /// Who does all of it in one, if anybody; the others take its places.
    async fn duplex(&self) -> Result<Option<Duplex>, ProviderError> {
        let assistant = self.assistant;
        let Some(choice) = &assistant.realtime else { return Ok(None) };
        let language = assistant.spoken_language();
        let who = self.registry.realtime(choice, &language)?;
        self.told(who.warm_up().await, "the realtime model");
        let name = choice.provider.as_deref().unwrap_or_default();
        let variant = who.identity();
        let health = [Stage::Hear, Stage::Think, Stage::Speak]
            .map(|stage| self.board.of(stage, name, &variant));
        let context = Context { grammar: None, ..context(assistant, &self.compiled, &language) };
        let speaks_at = usize::from(assistant.tts != Choice::default());
        Ok(Some(Duplex { who, health, context, speaks_at }))
    }

    /// What an agent chose, unless one does everything.
    fn unless_in_one<'a>(&self, choice: &'a Choice) -> Option<&'a Choice> {
        let is_wanted = self.assistant.realtime.is_none() || *choice != Choice::default();
        is_wanted.then_some(choice)
    }

    /// Who thinks, and who takes its place.
    async fn models(&self, thinker: &str) -> Result<Lineup<dyn Model>, ProviderError> {
        let (assistant, mut members) = (self.assistant, Vec::new());
        let next = assistant.fallback.llm.iter();
        let next = next.filter_map(|choice| Some((choice.provider.as_deref()?, choice)));
        let first = self.unless_in_one(&assistant.llm).map(|choice| (thinker, choice));
        for asked in first.into_iter().chain(next) {
            let who = self.registry.model(asked, assistant, &self.compiled)?;
            self.told(who.warm_up().await, "the model");
            members.push(self.member(Stage::Think, asked, who));
        }
        Ok(Lineup::of(members))
    }

    /// Who speaks a language, and who takes its place. The `lines` are spoken once now and kept by
    /// each.
    async fn voices(
        &self,
        language: &Language,
        lines: &[String],
    ) -> Result<Lineup<dyn Voice>, ProviderError> {
        let (assistant, mut members) = (self.assistant, Vec::new());
        let first = self.unless_in_one(&assistant.tts);
        for choice in first.into_iter().chain(&assistant.fallback.tts) {
            let choice = in_language(choice, assistant, language);
            let who = self.registry.voice(&choice, language, lines).await?;
            let name = self.registry.voice_name(&choice, language);
            members.push(self.member(Stage::Speak, (name, &choice), who));
        }
        Ok(Lineup::of(members))
    }

    /// Who hears a language, and who takes its place; `None` when nobody does: `check` has said it,
    /// and keys work.
    async fn transcribers(
        &self,
        language: &Language,
    ) -> Result<Option<Lineup<dyn Transcriber>>, ProviderError> {
        let (assistant, mut members) = (self.assistant, Vec::new());
        if !assistant.speech {
            return Ok(None);
        }
        let first = self.unless_in_one(&assistant.stt);
        for choice in first.into_iter().chain(&assistant.fallback.stt) {
            let Some(name) = self.registry.transcriber_name(choice, language) else { continue };
            let Some(who) = self.registry.transcriber(choice, language)? else { continue };
            match who.warm_up().await {
                Err(why) if self.registry.is_remote(name) => {
                    self.told(Err(why), "the transcriber");
                }
                warm => warm?,
            }
            members.push(self.member(Stage::Hear, (name, choice), who));
        }
        Ok((!members.is_empty()).then(|| Lineup::of(members)))
    }

    /// Who hears and speaks the languages that the agent may change to.
    async fn other_tongues(&self) -> Result<BTreeMap<Language, Tongue>, ProviderError> {
        let (assistant, mut others) = (self.assistant, BTreeMap::new());
        let own = assistant.spoken_language();
        if assistant.realtime.is_some() {
            return Ok(others);
        }
        for language in assistant.languages.iter().filter(|language| **language != own) {
            let voices = self.voices(language, &[]).await?;
            let hears = self.transcribers(language).await.unwrap_or_else(|why| {
                tracing::warn!(%language, %why, "the agent hears this language no better");
                None
            });
            let transcribers = hears.map(|lineup| {
                let context =
                    Context { grammar: None, ..context(assistant, &self.compiled, language) };
                (lineup, context)
            });
            others.insert(language.clone(), Tongue { transcribers, voices });
        }
        Ok(others)
    }

    fn member<T: ?Sized>(
        &self,
        stage: Stage,
        (name, choice): (&str, &Choice),
        who: Arc<T>,
    ) -> Member<T> {
        let variant = [&choice.model, &choice.voice].map(|it| it.as_deref().unwrap_or_default());
        Member { health: self.board.of(stage, name, &variant.join(" ")), who }
    }

    /// Tells that somebody is not ready yet.
    fn told(&self, warm: Result<(), ProviderError>, what: &str) {
        if let Err(why) = warm {
            let agent = self.name;
            tracing::warn!(agent, %why, "{what} is not there yet; calls are taken all the same");
        }
    }
}

/// The choice of a voice in another language than the agent's own: voices belong to a language, and
/// so do the engines of which one language is all that there is, or each voice is another.
fn in_language(choice: &Choice, assistant: &Assistant, language: &Language) -> Choice {
    if *language == assistant.spoken_language() {
        return choice.clone();
    }
    let provider = choice.provider.clone().filter(|name| name != "flite" && name != "piper");
    Choice { provider, voice: None, ..choice.clone() }
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
            let jobs = [Job::Hear, Job::Think, Job::Speak, Job::Converse];
            let jobs = jobs.map(|job| known.does(job));
            let does = [
                kind.hears.is_some(),
                kind.thinks.is_some(),
                kind.speaks.is_some(),
                kind.converses.is_some(),
            ];
            assert_eq!(jobs, does, "{}", kind.name);
            assert!(!known.is_built_in(), "{}", kind.name);
        }
        // A name for those that are built in is none of its own.
        let remote = ProviderKind::all().filter(|kind| !kind.is_built_in() && !kind.is_local());
        assert_eq!(remote.count(), table::KINDS.len());
    }
}
