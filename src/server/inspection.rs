//! What `check` knows beyond the files: this machine's addresses, engines, models and words.

use std::net::{IpAddr, SocketAddr, UdpSocket};

use crate::agent::assistant::{Assistant, Detector};
use crate::agent::intents::compile::{Compiled, Fault as IntentFault};
use crate::config::external::{External, Fault};
use crate::config::settings::{Server, Tls};
use crate::net::tls::{self, TlsError};
use crate::providers::registry::Registry;
use crate::providers::tts::flite;
use crate::server::{casting, hosts, listening, music, recordings, stir};

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
        faults.extend(music::faults(server));
        let model = server.vad_model();
        if model.is_file() {
            return faults;
        }
        let mut fault = Fault::error(
            "model.missing",
            "media.vad.model",
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
        faults.extend(deaf(agent, &registry));
        faults.extend(no_turn_model(agent, &registry));
        faults.extend(music::ambience_faults(agent));
        faults
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
        "`./dev setup` fetches it, and models/README.md says where it belongs".to_owned()
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
    fault.help = Some("models/README.md says which file to put where".to_owned());
    Some(fault)
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

    #[cfg(feature = "ort")]
    #[test]
    fn a_turn_model_that_is_there_is_not_missed() {
        let models = concat!(env!("CARGO_MANIFEST_DIR"), "/models");
        let registry = Registry::new(Default::default(), models.into());
        let turns = Turns { detector: Some(Detector::Smart), ..Turns::default() };
        assert_eq!(no_turn_model(&Assistant { turns, ..Assistant::default() }, &registry), None);
    }
}
