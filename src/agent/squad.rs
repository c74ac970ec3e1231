//! Squads: several agents who share one conversation. Each may hand the caller over to some of the
//! others, and says how much of the conversation goes along.

use std::collections::BTreeMap;
use std::time::Instant;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, json};

use crate::agent::conversation::Conversation;
use crate::agent::tool::{Tool, names};
use crate::base::id::ThoughtId;

/// A squad, as it stands under `[squads.NAME]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Squad {
    /// The agent that takes the call.
    pub start: String,
    /// The agents in it.
    pub members: Vec<String>,
    /// Who may hand over to whom.
    #[serde(default)]
    pub handoff: Vec<Handoff>,
}

/// One way of a caller from an agent to another.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Handoff {
    /// The agent that hands over.
    pub from: String,
    /// The agent that takes over.
    pub to: String,
    /// When; for the model.
    #[serde(default)]
    pub when: String,
    /// What is said before; without it, nothing: the caller need not notice.
    #[serde(default)]
    pub say: Option<String>,
    /// What the agent that takes over knows of the conversation.
    #[serde(default)]
    pub context: Carry,
    /// What the model tells of the caller, by name: variables of templates from then on, and
    /// what each means.
    #[serde(default)]
    pub extract: BTreeMap<String, String>,
}

/// How much of a conversation goes along when another agent takes over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, JsonSchema)]
#[schemars(with = "String", extend("pattern" = r"all|summary|none|last:[0-9]+"))]
pub enum Carry {
    /// All of it.
    #[default]
    All,
    /// So many of the last things that were said.
    Last(usize),
    /// The last words of the caller, and what was said before in short.
    Summary,
    /// Nothing: it begins anew with its own first message.
    Nothing,
}

/// A conversation that somebody else began, for the agent that goes on with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inheritance {
    /// Who had it before.
    pub from: String,
    /// What was said, down to the caller's last words.
    pub conversation: Conversation,
    /// What the caller heard since then.
    pub told: String,
    /// What was said before, in short.
    pub summary: Option<String>,
    /// Who else has had these words of the caller and handed them on.
    pub seen: Vec<String>,
}

/// A conversation in short, while a model words it.
#[derive(Debug)]
pub struct Summing {
    /// Who words it.
    pub thought: ThoughtId,
    /// The words so far.
    pub text: String,
    /// Until when it is waited for; `None`: it is there.
    pub until: Option<Instant>,
}

impl Squad {
    /// The ways out of the hands of a member.
    pub fn ways_of<'a>(&'a self, member: &'a str) -> impl Iterator<Item = &'a Handoff> {
        self.handoff.iter().filter(move |handoff| handoff.from == member)
    }
}

impl Carry {
    /// Nothing of the conversation goes along.
    pub fn nothing() -> Self {
        Self::Nothing
    }

    /// How many of the last things that were said go along.
    pub fn most(self) -> usize {
        match self {
            Self::All => usize::MAX,
            Self::Last(count) => count,
            Self::Summary => 1,
            Self::Nothing => 0,
        }
    }
}

impl Inheritance {
    /// What a model is told besides its own instructions.
    pub fn note(&self) -> String {
        let mut note = format!(
            "You have taken over this conversation from `{}`, who cannot be heard any more. Do \
             not greet the caller and do not ask what was said already: answer the caller's last \
             words.",
            self.from
        );
        if let Some(summary) = &self.summary {
            note.push_str("\nWhat was said before: ");
            note.push_str(summary);
        }
        if !self.told.is_empty() {
            note.push_str("\nSince then the caller was told: ");
            note.push_str(&self.told);
        }
        note
    }
}

/// The tool by which a model hands the caller over, if there is anybody.
pub fn tool(handoffs: &[Handoff]) -> Option<Tool> {
    if handoffs.is_empty() {
        return None;
    }
    let mut description = "Hands the caller over to a colleague, who knows the conversation and \
                           answers the caller's last words. Colleagues:"
        .to_owned();
    let mut properties = Map::new();
    let names: Vec<&str> = handoffs.iter().map(|handoff| handoff.to.as_str()).collect();
    let to = json!({ "type": "string", "enum": names, "description": "Who takes over." });
    properties.insert("to".to_owned(), to);
    for handoff in handoffs {
        description.push('\n');
        description.push_str(&handoff.to);
        if !handoff.when.is_empty() {
            description.push_str(": when ");
            description.push_str(&handoff.when);
        }
        for (name, meaning) in &handoff.extract {
            let value = json!({ "type": "string", "description": meaning });
            properties.insert(name.clone(), value);
        }
    }
    let parameters = json!({
        "type": "object", "properties": properties, "required": ["to"],
        "additionalProperties": false,
    });
    let (name, parameters) = (names::HAND_OVER.to_owned(), parameters.to_string());
    Some(Tool { name, description, parameters })
}

impl<'de> Deserialize<'de> for Carry {
    fn deserialize<D: serde::Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        let text = String::deserialize(source)?;
        let number = |text: &str| text.parse().ok().filter(|count| (1..=400).contains(count));
        match (text.as_str(), text.strip_prefix("last:").and_then(number)) {
            (_, Some(count)) => Ok(Self::Last(count)),
            ("all", _) => Ok(Self::All),
            ("summary", _) => Ok(Self::Summary),
            ("none", _) => Ok(Self::Nothing),
            _ => Err(serde::de::Error::custom(format!(
                "`{text}` is no context: write all, last:N, summary or none"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn squad(text: &str) -> Result<Squad, toml::de::Error> {
        toml::from_str(text)
    }

    #[test]
    fn a_squad_reads_and_offers_each_member_its_ways() {
        let squad = squad(
            "start = \"desk\"\nmembers = [\"desk\", \"help\"]\n\
             [[handoff]]\nfrom = \"desk\"\nto = \"help\"\nwhen = \"it is broken\"\n\
             context = \"last:4\"\nextract = { device = \"what is broken\" }\n",
        )
        .expect("it reads");
        let ways: Vec<Handoff> = squad.ways_of("desk").cloned().collect();
        assert_eq!(ways[0].context, Carry::Last(4));
        let tool = tool(&ways).expect("a way");
        let schema: serde_json::Value = serde_json::from_str(&tool.parameters).expect("JSON");
        assert_eq!(schema["properties"]["to"]["enum"], json!(["help"]));
        assert_eq!(schema["properties"]["device"]["description"], "what is broken");
        assert!(tool.description.contains("help: when it is broken"));
        assert_eq!(squad.ways_of("help").count(), 0);
        assert_eq!(super::tool(&[]), None);
    }

    #[test]
    fn a_context_is_one_of_four() {
        for wrong in ["last:0", "last:", "some", "last:401"] {
            let text = format!(
                "start = \"a\"\nmembers = []\n[[handoff]]\nfrom = \"a\"\nto = \"b\"\ncontext = \"{wrong}\"\n"
            );
            assert!(squad(&text).is_err(), "{wrong}");
        }
    }
}
