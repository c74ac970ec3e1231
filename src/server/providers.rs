//! `voxtrunk providers test`: asks every provider that agents name for a little, and says what
//! works, how soon, and what to do about the rest.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::agent::assistant::{Assistant, Choice};
use crate::agent::conversation::{Message, Request};
use crate::call::record::Stage;
use crate::config::diagnostic::Diagnostic;
use crate::config::load::Loaded;
use crate::config::source::Places;
use crate::engine::clock;
use crate::providers::error::{ProviderError, Retry};
use crate::providers::registry::Registry;
use crate::server::assembly::{self, Show};
use crate::server::{casting, serve};

/// One thing that one provider is to do for agents.
#[derive(Debug, Clone)]
pub struct Probe {
    stage: Stage,
    /// Whether it hears and speaks, too.
    in_one: bool,
    provider: String,
    choice: Choice,
    assistant: Arc<Assistant>,
    /// The agents that want it.
    agents: Vec<String>,
}

/// What came of asking: how long the first sign took.
pub type Finding = (Probe, Result<Duration, ProviderError>);

/// Tests them all, and prints a table; fails when one of them does not work.
pub fn run(config: &Path) -> ExitCode {
    let loaded = match assembly::load(config, Show::Errors) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    let found = findings(&loaded);
    if found.is_empty() {
        println!("No agent names a provider: there is nothing to test.");
        return ExitCode::SUCCESS;
    }
    print!("{}", table(&found));
    let works = found.iter().all(|(_, finding)| finding.is_ok());
    if works { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Asks every provider that agents name.
pub fn findings(loaded: &Loaded) -> Vec<Finding> {
    let registry =
        casting::registry(&loaded.server.providers, loaded.server.machine.models.clone());
    serve::block_on(ask(probes(loaded, &registry), Arc::new(registry)))
}

/// What does not work, as mistakes of the settings: pointed to where it may be mended.
pub fn diagnostics(found: &[Finding], places: &Places) -> Vec<Diagnostic> {
    let failed = found.iter().filter_map(|(probe, finding)| Some((probe, finding.as_ref().err()?)));
    let told = |(probe, why): (&Probe, &ProviderError)| {
        let (trouble, name, agents) = (Trouble::of(why), &probe.provider, probe.agents.join(", "));
        let verb = match probe.stage {
            Stage::Hear => "hear",
            Stage::Think => "think",
            Stage::Speak => "speak",
        };
        let message = format!("provider `{name}` does not {verb} for {agents}: {}", why.reason);
        let of_agents = |keys: &[&str]| -> Vec<String> {
            let choices = probe.agents.iter().map(|it| format!("agents.{it}.{}", probe.key()));
            choices.flat_map(|it| keys.iter().map(move |key| format!("{it}{key}"))).collect()
        };
        // A model is the agent's choice first.
        let chosen: &[&str] = if trouble == Trouble::Model { &[".model", ".voice"] } else { &[] };
        let table =
            vec![format!("providers.{name}.{}", trouble.key()), format!("providers.{name}")];
        let paths = [of_agents(chosen), table, of_agents(&[".provider", ""])].concat();
        let place = paths.iter().find_map(|path| places.find(path)).map(|it| it.value.clone());
        Diagnostic::error(trouble.code(), message).at(place, "it was asked").help(trouble.remedy())
    };
    failed.map(told).collect()
}

/// Who is to do what, each once.
fn probes(loaded: &Loaded, registry: &Registry) -> Vec<Probe> {
    let mut probes: BTreeMap<(Stage, String), Probe> = BTreeMap::new();
    for (agent, assistant) in &loaded.agents {
        let (language, fallback) = (assistant.spoken_language(), &assistant.fallback);
        let hears =
            |choice| Some((Stage::Hear, registry.transcriber_name(choice, &language)?, choice));
        let speaks = |choice| (Stage::Speak, registry.voice_name(choice, &language), choice);
        let in_one = assistant.realtime.as_ref();
        let unless_in_one = |choice: &&Choice| in_one.is_none() || **choice != Choice::default();
        let first = loaded.server.thinker(assistant);
        let first = first.map(|name| (Stage::Think, name, in_one.unwrap_or(&assistant.llm)));
        let next = fallback.llm.iter();
        let next = next.filter_map(|it| Some((Stage::Think, it.provider.as_deref()?, it)));
        let heard = [&assistant.stt].into_iter().filter(unless_in_one);
        let all = heard.chain(&fallback.stt).filter_map(hears);
        let all = all.chain(first).chain(next);
        let spoken = [&assistant.tts].into_iter().filter(unless_in_one);
        let all = all.chain(spoken.chain(&fallback.tts).map(speaks));
        for (stage, provider, choice) in all {
            let in_one = in_one.is_some_and(|it| std::ptr::eq(it, choice));
            let what = format!("{provider} {in_one} {:?} {:?}", choice.model, choice.voice);
            let probe = probes.entry((stage, what)).or_insert_with(|| Probe {
                stage,
                in_one,
                provider: provider.to_owned(),
                choice: choice.clone(),
                assistant: assistant.clone(),
                agents: Vec::new(),
            });
            probe.agents.push(agent.clone());
        }
    }
    probes.into_values().collect()
}

/// Asks all of them at once.
async fn ask(probes: Vec<Probe>, registry: Arc<Registry>) -> Vec<Finding> {
    let mut asked = JoinSet::new();
    for (at, probe) in probes.into_iter().enumerate() {
        let registry = registry.clone();
        asked.spawn(async move {
            let began = clock::now();
            let answered = timeout(LONGEST, probe.answered(&registry)).await;
            let late = |_| ProviderError::passing(&probe.provider, "no answer in time");
            let finding = answered.map_err(late).flatten();
            (at, probe, finding.map(|()| clock::now() - began))
        });
    }
    let mut found = asked.join_all().await;
    found.sort_by_key(|(at, _, _)| *at);
    found.into_iter().map(|(_, probe, finding)| (probe, finding)).collect()
}

impl Probe {
    /// Waits for the first sign that it does what it is to do.
    async fn answered(&self, registry: &Registry) -> Result<(), ProviderError> {
        let (name, language) = (self.provider.as_str(), self.assistant.spoken_language());
        match self.stage {
            Stage::Hear => match registry.transcriber(&self.choice, &language)? {
                Some(transcriber) => transcriber.warm_up().await,
                None => Err(ProviderError::lasting(name, "its model is not there")),
            },
            Stage::Think if self.in_one => {
                registry.realtime(&self.choice, &language)?.warm_up().await
            }
            Stage::Think => {
                let compiled = casting::compiled(&self.assistant)?;
                let choice = Choice { max_tokens: Some(MOST_TOKENS), ..self.choice.clone() };
                let model = registry.model((name, &choice), &self.assistant, &compiled)?;
                let said = Message::Caller { text: "Say yes.".to_owned(), keys: String::new() };
                let request = Request { messages: vec![said], ..Request::default() };
                match model.think(request).next().await {
                    Some(first) => first.map(|_| ()),
                    None => Err(ProviderError::passing(name, "it answers nothing")),
                }
            }
            Stage::Speak => {
                let voice = registry.voice(&self.choice, &language, &[]).await?;
                match voice.speak("Yes.").next().await {
                    Some(first) => first.map(|_| ()),
                    None => Err(ProviderError::passing(name, "it gives no sound")),
                }
            }
        }
    }

    /// Where an agent asks for it.
    fn key(&self) -> &'static str {
        if self.in_one { "realtime" } else { self.stage.name() }
    }

    /// What was waited for.
    fn sign(&self) -> &'static str {
        match self.stage {
            Stage::Hear => "ready",
            Stage::Think if self.in_one => "ready",
            Stage::Think => "first word",
            Stage::Speak => "first sound",
        }
    }

    /// Which model or voice.
    fn what(&self) -> String {
        let both = [&self.choice.model, &self.choice.voice];
        let named: Vec<&str> = both.into_iter().flatten().map(String::as_str).collect();
        if named.is_empty() { "-".to_owned() } else { named.join(" ") }
    }
}

/// One line for each, and what to do below those that fail.
pub fn table(found: &[Finding]) -> String {
    let widest =
        |cell: fn(&Probe) -> usize| found.iter().map(|(it, _)| cell(it)).max().unwrap_or(0);
    let (name, what) = (widest(|it| it.provider.len()).max(8), widest(|it| it.what().len()).max(5));
    let mut text = format!("{:5}  {:name$}  {:what$}  result\n", "stage", "provider", "model");
    for (probe, finding) in found {
        let stage = probe.stage.name();
        let line = match finding {
            Ok(took) => format!("ok, {} after {} ms", probe.sign(), took.as_millis()),
            Err(why) => format!("FAILED: {}", why.reason),
        };
        text.push_str(&format!(
            "{stage:5}  {:name$}  {:what$}  {line}\n",
            probe.provider,
            probe.what()
        ));
        if let Err(why) = finding {
            let (hint, agents) = (Trouble::of(why).remedy(), probe.agents.join(", "));
            text.push_str(&format!("{:5}  → {hint} (wanted by {agents})\n", ""));
        }
    }
    text
}

/// What a failure means for whoever looks after the settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    Key,
    Model,
    Credit,
    Connection,
    Busy,
    Passing,
    Lasting,
}

impl Trouble {
    fn of(why: &ProviderError) -> Self {
        match (why.retry, why.reason.as_str()) {
            (_, it) if it.contains("key") => Self::Key,
            (_, it) if it.contains("no such model") => Self::Model,
            (_, it) if it.contains("credit") => Self::Credit,
            (_, it) if it.contains("connection") => Self::Connection,
            (Retry::After(_), _) => Self::Busy,
            (Retry::Now, _) => Self::Passing,
            (Retry::Never, _) => Self::Lasting,
        }
    }

    /// What kind of mistake it is, for scripts.
    fn code(self) -> &'static str {
        match self {
            Self::Key => "provider.key_refused",
            Self::Model => "provider.no_such_model",
            Self::Credit => "provider.no_credit",
            Self::Connection => "provider.unreachable",
            Self::Busy => "provider.busy",
            Self::Passing | Self::Lasting => "provider.failed",
        }
    }

    /// The key of the provider's table that it is about.
    fn key(self) -> &'static str {
        match self {
            Self::Key | Self::Credit | Self::Busy => "api_key",
            Self::Model => "model",
            Self::Connection => "base_url",
            Self::Passing | Self::Lasting => "kind",
        }
    }

    /// What to do.
    fn remedy(self) -> &'static str {
        match self {
            Self::Key => "check `api_key` of this provider in the settings",
            Self::Model => "check `model`, `voice` and `base_url` against the provider's list",
            Self::Credit => "pay, or raise the limit at the provider",
            Self::Connection => "check `base_url`, and whether this machine reaches it",
            Self::Busy => "wait, or ask the provider for a higher limit",
            Self::Passing => "try again; calls ask the fallbacks meanwhile",
            Self::Lasting => "check what agents want of it; `--help` and the log say more",
        }
    }
}

/// How long each may take.
const LONGEST: Duration = Duration::from_secs(15);

/// How much of an answer is paid for.
const MOST_TOKENS: u32 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_says_what_works_and_what_to_do_about_the_rest() {
        let probe = |stage, provider: &str, model: &str| Probe {
            stage,
            in_one: false,
            provider: provider.to_owned(),
            choice: Choice { model: Some(model.to_owned()), ..Choice::default() },
            assistant: Arc::default(),
            agents: vec!["desk".to_owned()],
        };
        let refused = ProviderError::lasting("mind", "the key is refused: HTTP 401 Unauthorized");
        let found = [
            (probe(Stage::Hear, "ears", "nova-3"), Ok(Duration::from_millis(120))),
            (probe(Stage::Think, "mind", "tiny"), Err(refused)),
        ];
        let expected = "stage  provider  model   result\n\
                        stt    ears      nova-3  ok, ready after 120 ms\n\
                        llm    mind      tiny    FAILED: the key is refused: HTTP 401 Unauthorized\n     \
                        \u{20} → check `api_key` of this provider in the settings (wanted by desk)\n";
        assert_eq!(table(&found), expected);
    }
}
