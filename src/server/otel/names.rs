//! The names by which OpenTelemetry knows those who hear, think and speak.

use std::collections::BTreeMap;

use crate::config::settings::{Provider, Server};

/// The providers of the settings, as OpenTelemetry knows them.
#[derive(Debug, Clone, Default)]
pub struct Names(BTreeMap<String, Known>);

/// A provider.
#[derive(Debug, Clone)]
struct Known {
    kind: &'static str,
    model: Option<String>,
}

impl Names {
    /// Those that stand in the settings.
    pub fn of(server: &Server) -> Self {
        let known = |(name, provider): (&String, &Provider)| {
            let (kind, model) = (provider.kind.name(), provider.model.clone());
            (name.clone(), Known { kind, model })
        };
        Self(server.providers.iter().map(known).collect())
    }

    /// `gen_ai.provider.name` of a provider; its own name where OpenTelemetry has none.
    pub fn provider<'a>(&self, name: &'a str) -> &'a str {
        match self.0.get(name).map(|known| known.kind) {
            Some("gemini") => "gcp.gemini",
            Some("mistral") => "mistral_ai",
            // Of the others the kinds are called as OpenTelemetry calls them, if it does.
            Some(kind) => kind,
            None => name,
        }
    }

    /// The model that a provider answers with, where neither the agent nor anybody else names one.
    pub fn model(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.model.as_deref()
    }
}
