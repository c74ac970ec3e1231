//! `kind = "local"`: one name for whoever hears and speaks on this machine. Agents that name it have
//! the engines behind it.

use std::collections::BTreeMap;

use crate::agent::assistant::{Assistant, Choice};
use crate::config::provider::{Job, Provider};

/// Puts the engines of this machine into the places of those who mean them.
pub fn resolve(agent: &mut Assistant, providers: &BTreeMap<String, Provider>) {
    let Assistant { stt, tts, fallback, .. } = agent;
    for choice in std::iter::once(stt).chain(&mut fallback.stt) {
        put(choice, Job::Hear, providers);
    }
    for choice in std::iter::once(tts).chain(&mut fallback.tts) {
        put(choice, Job::Speak, providers);
    }
}

fn put(choice: &mut Choice, job: Job, providers: &BTreeMap<String, Provider>) {
    let named = choice.provider.as_ref().and_then(|name| providers.get(name));
    let Some(provider) = named.filter(|provider| provider.kind.is_local()) else { return };
    let meant = if job == Job::Hear { &provider.stt } else { &provider.tts };
    let engine = meant.as_deref().map(|meant| (engine(meant, job), meant));
    choice.provider = engine.map(|(engine, _)| engine.to_owned());
    // What the agent names itself comes first, and an engine's own name is no model of it.
    let Some((engine, meant)) = engine.filter(|(engine, meant)| engine != meant) else { return };
    let place = if job == Job::Hear { &mut choice.model } else { &mut choice.voice };
    let spoken = if engine == "espeak" { meant.trim_start_matches("espeak-") } else { meant };
    place.get_or_insert_with(|| spoken.to_owned());
}

/// The engine behind the name of a model, a voice or itself.
fn engine(meant: &str, job: Job) -> &'static str {
    match (job, meant) {
        (Job::Hear, "pocketsphinx") => "pocketsphinx",
        (Job::Hear, _) => "whisper",
        (_, "flite") => "flite",
        (_, "espeak") => "espeak",
        (_, voice) if voice.starts_with("espeak-") => "espeak",
        _ => "piper",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(provider: &str, agent: &str) -> Assistant {
        let provider =
            toml::from_str(&format!("kind = \"local\"\n{provider}")).expect("a provider");
        let providers = BTreeMap::from([("local".to_owned(), provider)]);
        let mut agent = toml::from_str(agent).expect("an agent");
        resolve(&mut agent, &providers);
        agent
    }

    #[test]
    fn the_engines_of_the_machine_stand_behind_one_name() {
        let both = "stt = { provider = \"local\" }\ntts = { provider = \"local\" }\n\
                    [fallback]\ntts = [{ provider = \"local\", voice = \"de_DE-eva_k-x_low\" }]\n";
        let models = "stt = \"whisper-base\"\ntts = \"piper-de_DE-thorsten-medium\"";
        let agent = resolved(models, both);
        let said =
            |choice: &Choice| [&choice.provider, &choice.model, &choice.voice].map(Clone::clone);
        let words = |words: [&str; 3]| words.map(|it| (!it.is_empty()).then(|| it.to_owned()));
        assert_eq!(said(&agent.stt), words(["whisper", "whisper-base", ""]));
        assert_eq!(said(&agent.tts), words(["piper", "", "piper-de_DE-thorsten-medium"]));
        assert_eq!(said(&agent.fallback.tts[0]), words(["piper", "", "de_DE-eva_k-x_low"]));
        let agent = resolved("stt = \"pocketsphinx\"\ntts = \"espeak\"", both);
        assert_eq!(said(&agent.stt), words(["pocketsphinx", "", ""]));
        assert_eq!(said(&agent.tts), words(["espeak", "", ""]));
        // Without any, whatever is there.
        let agent = resolved("", both);
        assert_eq!((said(&agent.stt), said(&agent.tts)), (words([""; 3]), words([""; 3])));
    }
}
