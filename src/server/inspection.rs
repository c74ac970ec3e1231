//! What `check` knows beyond the files: this machine's addresses, engines, models and words.

use std::net::{IpAddr, SocketAddr, UdpSocket};

use crate::agent::assistant::{Assistant, Choice, Detector};
use crate::agent::intents::compile::{Compiled, Fault as IntentFault};
use crate::config::external::{External, Fault};
use crate::config::settings::{Server, Tls, Vad};
use crate::net::tls::{self, TlsError};
use crate::providers::models::catalogue;
use crate::providers::registry::Registry;
use crate::providers::tts::flite;
use crate::server::{casting, hosts, keys, listening, music, recordings, stir, vantage};

/// Looks at settings with knowledge of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct Inspection;

impl External for Inspection {
    fn owns(&self, address: IpAddr) -> Option<bool> {
        Some(UdpSocket::bind(SocketAddr::new(address, 0)).is_ok())
    }

    fn machine(&self, server: &Server) -> Vec<Fault> {
        let mut faults = certificates(server);
        faults.extend(stir::faults(server));
        faults.extend(hosts::expiring(server));
        faults.extend(hosts::unknown(server));
        faults.extend(recordings::faults(server));
        faults.extend(keys::faults(server));
        faults.extend(music::faults(server));
        faults.extend(vantage::faults(server));
        let model = server.vad_model();
        if model.is_file() {
            return faults;
        }
        // Where no other model is named, the folder is what is wrong.
        let is_usual = server.media.vad.model == Vad::default().model;
        let place = if is_usual { "server.models" } else { "media.vad.model" };
        let mut fault = Fault::error(
            "model.missing",
            place,
            format!("the speech detector's model is not at {}", model.display()),
        );
        fault.help = Some("`./dev setup` fetches it".to_owned());
        faults.push(fault);
        faults
    }

    fn agent(&self, agent: &Assistant, _name: &str, server: &Server) -> Vec<Fault> {
        let registry = casting::registry(&server.providers, server.machine.models.clone());
        let mut faults = Vec::new();
        match Compiled::for_assistant(agent) {
            Ok(compiled) => faults.extend(unknown_words(agent, &compiled, &registry)),
            Err(found) => faults.extend(found.iter().map(|fault| misphrased(agent, fault))),
        }
        faults.extend(no_such_voice(agent));
        faults.extend(no_piper_voice(agent, (&registry, server)));
        faults.extend(deaf(agent, &registry));
        faults.extend(no_turn_model(agent, &registry));
        faults.extend(music::ambience_faults(agent));
        faults
    }

    fn sound(&self, file: &str) -> Option<Fault> {
        music::greeting_faults(file)
    }
}

/// Certificates that cannot be used.
fn certificates(server: &Server) -> Vec<Fault> {
    let unusable = |name: &String, why: TlsError| {
        let (key, what) = match &why {
            TlsError::File { path, .. } if *path == server.tls[name].key => ("key", "this file"),
            TlsError::File { .. } | TlsError::Identity { .. } | TlsError::NoIdentity => {
                ("cert", "this certificate")
            }
        };
        let path = format!("tls.{name}.{key}");
        let mut fault = Fault::error("tls.unusable", path, why.to_string());
        fault.label = format!("{what} cannot be used");
        fault.help = Some("write the paths of PEM files that belong together".to_owned());
        fault
    };
    let tried = |(name, tls): (&String, &Tls)| {
        let why = tls::Server::load(listening::tls_files(tls)).err()?;
        Some(unusable(name, why))
    };
    server.tls.iter().filter_map(tried).collect()
}

/// Words that PocketSphinx has no pronunciation for: a grammar with them would not load.
fn unknown_words(agent: &Assistant, compiled: &Compiled, registry: &Registry) -> Option<Fault> {
    if agent.realtime.is_some() {
        return None;
    }
    let by_grammar = match agent.stt.provider.as_deref() {
        Some(provider) => provider == "pocketsphinx",
        None => {
            agent.spoken_language().is_english() && registry.whisper_model(&agent.stt).is_none()
        }
    };
    if !by_grammar || agent.intents.is_empty() {
        return None;
    }
    let pocketsphinx = match registry.pocketsphinx() {
        Ok(pocketsphinx) => pocketsphinx,
        Err(why) => {
            let mut fault = Fault::error("engine.missing", "stt", why.to_string());
            fault.help = Some("`./dev setup` installs it".to_owned());
            return Some(fault);
        }
    };
    let words = compiled.words();
    let missing = pocketsphinx.missing_words(words.iter().map(String::as_str)).ok()?;
    let first = missing.first()?;
    let place = agent.intents.iter().enumerate().find_map(|(at, intent)| {
        let phrase = intent.phrases.iter().position(|it| it.to_lowercase().contains(first))?;
        Some(format!("intents[{at}].phrases[{phrase}]"))
    });
    let mut fault = Fault::warning(
        "intent.unknown_word",
        place.unwrap_or_else(|| "intents".to_owned()),
        format!("the recogniser does not know how to pronounce: {}", missing.join(", ")),
    );
    fault.label = format!("callers will not be understood when they say `{first}`");
    fault.help = Some("write the phrase with other words, or use another transcriber".to_owned());
    Some(fault)
}

fn misphrased(agent: &Assistant, fault: &IntentFault) -> Fault {
    let at = agent.intents.iter().position(|intent| intent.id == fault.intent);
    let at = at.or_else(|| fault.intent.strip_prefix('#')?.parse::<usize>().ok()?.checked_sub(1));
    let intent = at.and_then(|at| agent.intents.get(at));
    let phrase = fault
        .phrase
        .as_ref()
        .and_then(|phrase| intent?.phrases.iter().position(|candidate| candidate == phrase));
    let path = match (at, phrase) {
        (Some(at), Some(phrase)) => format!("intents[{at}].phrases[{phrase}]"),
        (Some(at), None) => format!("intents[{at}]"),
        (None, _) => "intents".to_owned(),
    };
    let mut found = Fault::error("intent.phrase", path, fault.what.clone());
    found.within = fault.at.map(|at| at..at + 1);
    found.help = Some(fault.hint.clone());
    found
}

fn no_such_voice(agent: &Assistant) -> Option<Fault> {
    let voice = agent.tts.voice.as_deref()?;
    let by_flite = match agent.tts.provider.as_deref() {
        Some(provider) => provider == "flite",
        None => agent.spoken_language().is_english(),
    };
    if !by_flite || flite::VOICES.contains(&voice) {
        return None;
    }
    let mut fault =
        Fault::error("voice.unknown", "tts.voice", format!("flite has no voice `{voice}`"));
    fault.help = Some(format!("it has: {}", flite::VOICES.join(", ")));
    Some(fault)
}

/// Voices of Piper that are not there: the server would not start.
fn no_piper_voice(agent: &Assistant, (registry, server): (&Registry, &Server)) -> Vec<Fault> {
    let next = agent.fallback.tts.iter().enumerate();
    let next = next.map(|(at, choice)| (format!("fallback.tts[{at}]"), choice));
    let all = [("tts".to_owned(), &agent.tts)].into_iter().chain(next);
    let missing = |(path, choice): (String, &Choice)| {
        let name = choice.provider.as_deref()?;
        let spec = server.providers.get(name);
        let by_piper = spec.map_or(name == "piper", |spec| spec.kind.name() == "piper");
        let voice = choice.voice.as_ref().or_else(|| spec?.voice.as_ref()).filter(|_| by_piper)?;
        let why = registry.piper_voice(voice).err()?;
        let message = format!("the voice `{voice}` cannot be had");
        let mut fault = Fault::error("voice.unknown", format!("{path}.voice"), message);
        fault.help = Some(why);
        Some(fault)
    };
    all.filter_map(missing).collect()
}

/// The turn model was asked for and cannot be had.
fn no_turn_model(agent: &Assistant, registry: &Registry) -> Option<Fault> {
    if agent.turns.detector != Some(Detector::Smart) || registry.turn_model_file().is_some() {
        return None;
    }
    let mut fault = Fault::warning(
        "model.missing",
        "turns.detector",
        "turns end by their words and by silence until the turn model is there",
    );
    fault.help = Some(if cfg!(feature = "ort") {
        format!("{} gets it", catalogue::command("smart-turn-v3.2"))
    } else {
        "this build has no ONNX Runtime: build it with the feature `ort`".to_owned()
    });
    Some(fault)
}

/// An agent that nobody hears for takes keys: that may be wanted, so it is only said.
fn deaf(agent: &Assistant, registry: &Registry) -> Option<Fault> {
    if agent.realtime.is_some() {
        return None;
    }
    let wants_whisper = match agent.stt.provider.as_deref() {
        Some(provider) => provider == "whisper",
        None => !agent.spoken_language().is_english(),
    };
    if !wants_whisper || registry.whisper_model(&agent.stt).is_some() {
        return None;
    }
    let mut fault = Fault::warning(
        "model.missing",
        "stt",
        "this agent hears nothing until a Whisper model is there; it takes keys",
    );
    fault.help = Some(whisper_help(agent, registry));
    Some(fault)
}

/// How the Whisper model that an agent wants comes to be there.
fn whisper_help(agent: &Assistant, registry: &Registry) -> String {
    if !cfg!(feature = "whisper") {
        return "this build has no Whisper: build it with the feature `whisper`".to_owned();
    }
    let name = registry.whisper_name(&agent.stt);
    let brought = name.map(|name| {
        catalogue::named(name).or_else(|| {
            catalogue::with_file(&format!("ggml-{}.bin", name.trim_start_matches("ggml-")))
        })
    });
    match brought {
        None => format!("{} gets one", catalogue::command("whisper-base")),
        Some(Some(model)) => format!("{} gets it", catalogue::command(&model.name)),
        Some(None) => format!(
            "put its file into {}, or take one that `voxtrunk models list` shows",
            registry.models().display()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::assistant::Turns;

    #[test]
    fn a_turn_model_that_was_asked_for_and_is_missing_is_told() {
        let nowhere = Registry::new(Default::default(), "/nonexistent".into());
        let told = |detector| {
            let turns = Turns { detector, ..Turns::default() };
            no_turn_model(&Assistant { turns, ..Assistant::default() }, &nowhere)
        };
        let fault = told(Some(Detector::Smart)).expect("a warning");
        assert_eq!((fault.code, fault.path.as_str()), ("model.missing", "turns.detector"));
        assert_eq!(fault.severity, crate::config::diagnostic::Severity::Warning);
        assert_eq!((told(Some(Detector::Vad)), told(None)), (None, None));
    }

    #[cfg(feature = "whisper")]
    #[test]
    fn a_whisper_model_that_is_missing_is_told_with_the_command_that_gets_it() {
        let nowhere = Registry::new(Default::default(), "/nonexistent".into());
        let help = |model: Option<&str>| {
            let provider = Some("whisper".to_owned());
            let stt = Choice { provider, model: model.map(str::to_owned), ..Choice::default() };
            let fault = deaf(&Assistant { stt, ..Assistant::default() }, &nowhere);
            fault.and_then(|fault| fault.help).expect("help")
        };
        assert_eq!(help(Some("whisper-base.en")), "`voxtrunk models pull whisper-base.en` gets it");
        assert_eq!(help(Some("base.en")), "`voxtrunk models pull whisper-base.en` gets it");
        assert_eq!(help(None), "`voxtrunk models pull whisper-base` gets one");
        assert!(help(Some("medium-q8_0")).contains("/nonexistent"));
    }

    #[cfg(feature = "ort")]
    #[test]
    fn a_piper_voice_that_is_missing_is_told_with_the_command_that_gets_it() {
        let nowhere = Registry::new(Default::default(), "/nonexistent".into());
        let told = |voice: &str| {
            let (provider, voice) = (Some("piper".to_owned()), Some(voice.to_owned()));
            let tts = Choice { provider, voice, ..Choice::default() };
            let agent = Assistant { tts, ..Assistant::default() };
            let mut faults = no_piper_voice(&agent, (&nowhere, &Server::default()));
            assert_eq!(faults.len(), 1);
            faults.remove(0).help.expect("help")
        };
        let command = "`voxtrunk models pull piper-en_US-lessac-medium` gets it";
        for name in ["en_US-lessac-medium", "piper-en_US-lessac-medium", "en_US-lessac-medium#3"] {
            assert!(told(name).ends_with(command), "{}", told(name));
        }
        assert!(told("de_DE-anna-low").contains("/nonexistent/de_DE-anna-low.onnx; put"));
        assert!(told("../x").contains("is no name of a voice"));
    }

    #[cfg(feature = "whisper")]
    #[test]
    fn a_whisper_model_is_found_by_its_name() {
        let folder = std::env::temp_dir().join(format!("voxtrunk-whispers-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("ggml-base.en.bin");
        std::fs::write(&file, "").unwrap();
        let registry = Registry::new(Default::default(), folder.clone());
        for (name, found) in [
            (Some("whisper-base.en"), Some(&file)),
            (Some("base.en"), Some(&file)),
            (Some("ggml-base.en"), Some(&file)),
            (Some("whisper-base"), None),
            (None, Some(&file)),
        ] {
            let choice = Choice { model: name.map(str::to_owned), ..Choice::default() };
            assert_eq!(registry.whisper_model(&choice).as_ref(), found, "{name:?}");
        }
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[cfg(feature = "ort")]
    #[test]
    fn a_turn_model_that_is_there_is_not_missed() {
        let models = concat!(env!("CARGO_MANIFEST_DIR"), "/models");
        let registry = Registry::new(Default::default(), models.into());
        let turns = Turns { detector: Some(Detector::Smart), ..Turns::default() };
        assert_eq!(no_turn_model(&Assistant { turns, ..Assistant::default() }, &registry), None);
    }
}
