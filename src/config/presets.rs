//! Presets of trunks: what every customer of a carrier or owner of a telephone system would write
//! the same. They are data, compiled in, and every key can be overridden.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::config::diagnostic::{Diagnostic, did_you_mean};
use crate::config::extends::merged;
use crate::config::source::Span;
use crate::config::tree::Node;

/// A preset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preset {
    /// Its name.
    pub name: &'static str,
    /// Its text: TOML with remarks for people.
    pub text: &'static str,
}

impl Preset {
    /// Finds a preset by name.
    pub fn named(name: &str) -> Option<Self> {
        PRESETS.iter().find(|preset| preset.name == name).copied()
    }

    /// The first sentence of its remarks.
    pub fn summary(&self) -> String {
        let remarks = self.text.lines().map_while(|line| line.strip_prefix('#'));
        let text = remarks.map(str::trim).collect::<Vec<_>>().join(" ");
        text.split(". ").next().unwrap_or_default().trim_end_matches('.').to_owned()
    }
}

/// Every preset, in the order of names.
pub const PRESETS: &[Preset] = &[
    Preset { name: "asterisk", text: include_str!("presets/asterisk.toml") },
    Preset { name: "easybell", text: include_str!("presets/easybell.toml") },
    Preset { name: "freeswitch", text: include_str!("presets/freeswitch.toml") },
    Preset { name: "fritzbox", text: include_str!("presets/fritzbox.toml") },
    Preset { name: "generic", text: include_str!("presets/generic.toml") },
    Preset { name: "sipgate", text: include_str!("presets/sipgate.toml") },
    // As the carrier calls it.
    Preset { name: "sipgate-trunking", text: include_str!("presets/sipgate.toml") },
    Preset { name: "telekom-companyflex", text: include_str!("presets/telekom-companyflex.toml") },
    Preset { name: "telnyx", text: include_str!("presets/telnyx.toml") },
    Preset { name: "twilio-elastic", text: include_str!("presets/twilio-elastic.toml") },
];

/// Lays the preset of each trunk under its table. What is wrong with a preset's name is reported.
pub fn laid_under<'t>(mut root: Node<'t>) -> (Node<'t>, Vec<Diagnostic>) {
    let mut wrong = Vec::new();
    let DeValue::Table(settings) = root.get_mut() else { return (root, wrong) };
    let Some(trunks) = settings.get_mut("trunks") else { return (root, wrong) };
    let DeValue::Table(trunks) = trunks.get_mut() else { return (root, wrong) };
    let names: Vec<String> = trunks.iter().map(|(key, _)| key.get_ref().to_string()).collect();
    for name in names {
        let Some(trunk) = trunks.get_mut(name.as_str()) else { continue };
        let Some(chosen) = trunk.get_ref().get("preset") else { continue };
        // Another type than a text is told by whoever reads the table.
        let Some(preset_name) = chosen.get_ref().as_str() else { continue };
        let span = chosen.span();
        match Preset::named(preset_name) {
            Some(preset) => {
                let below = node(preset, &span);
                let above = trunk.clone();
                *trunk = merged(below, above);
            }
            None => wrong.push(unknown(preset_name, span)),
        }
    }
    (root, wrong)
}

fn unknown(name: &str, span: Span) -> Diagnostic {
    let names: Vec<&str> = PRESETS.iter().map(|preset| preset.name).collect();
    let why = Diagnostic::error("preset.unknown", format!("there is no preset `{name}`"));
    let why = match did_you_mean(name, names.iter().copied()) {
        Some(near) => why.at(Some(span), format!("did you mean \"{near}\"?")),
        None => why.at(Some(span), "not known"),
    };
    why.help(format!("presets: {}", names.join(", ")))
}

/// The table of a preset; every key and value stands where the preset is named.
fn node(preset: Preset, span: &Span) -> Node<'static> {
    let table = DeTable::parse(preset.text).expect("a test reads every preset");
    placed(Spanned::new(span.clone(), DeValue::Table(table.into_inner())), span)
}

fn placed(node: Node<'static>, span: &Span) -> Node<'static> {
    let value = match node.into_inner() {
        DeValue::Array(list) => {
            DeValue::Array(list.into_iter().map(|node| placed(node, span)).collect())
        }
        DeValue::Table(table) => {
            let moved: BTreeMap<_, _> = table
                .into_iter()
                .map(|(key, node)| (key.into_inner(), placed(node, span)))
                .collect();
            let keyed = |(key, node)| (Spanned::new(span.clone(), key), node);
            DeValue::Table(moved.into_iter().map(keyed).collect())
        }
        plain => plain,
    };
    Spanned::new(span.clone(), value)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::config::trunk::Trunk;

    #[test]
    fn every_preset_is_a_trunk_and_says_what_it_is() {
        assert!(PRESETS.windows(2).all(|pair| pair[0].name < pair[1].name));
        for preset in PRESETS {
            let table = toml::de::Deserializer::parse(preset.text).expect(preset.name);
            let trunk = Trunk::deserialize(table).expect(preset.name);
            assert!(trunk.preset.is_none() && trunk.password.is_none(), "{}", preset.name);
            assert!(!trunk.did_from.is_empty(), "{}", preset.name);
            assert!(preset.summary().len() > 10, "{}", preset.name);
        }
    }
}
