//! Flows: a call as a graph of nodes. Each node says, asks, decides or ends, and names the next.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{self, Deserializer, SeqAccess, Visitor};
use serde_json::Value;

use crate::base::condition::Condition;
use crate::base::destination::Destination;
use crate::base::schema::{Either, OneOrMany};
use crate::base::units;

/// A flow, as it stands under `[flows.NAME]`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Flow {
    /// What people call it.
    #[serde(default)]
    pub name: Option<String>,
    /// The agent whose language, ears, voice and models it has.
    pub agent: String,
    /// The first node.
    pub start: String,
    /// The nodes.
    pub nodes: BTreeMap<String, Node>,
}

/// What a node does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(rename = "NodeKind")]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Says `text`.
    Say,
    /// Asks for what `collect` names.
    Ask,
    /// Sets variables.
    Set,
    /// Goes on where the first condition holds.
    Branch,
    /// Waits.
    Wait,
    /// Has a tool used.
    Tool,
    /// Sends the caller to somebody.
    Transfer,
    /// Says goodbye and ends the call.
    End,
}

/// A node, as it stands under `[flows.NAME.nodes.ID]`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// What it does.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// What is said; a template.
    #[serde(default)]
    pub text: Option<String>,
    /// The types of the values that are asked for, by name; a list: one of these.
    #[serde(default, deserialize_with = "types")]
    #[schemars(with = "BTreeMap<String, OneOrMany<String>>")]
    pub collect: BTreeMap<String, String>,
    /// The questions, by the names of the values; they are asked in the order of these names.
    #[serde(default)]
    pub ask: BTreeMap<String, String>,
    /// What is asked before the values are taken; without it, digits and addresses are read back.
    #[serde(default)]
    pub confirm: Option<String>,
    /// How often in a row nothing may be understood.
    #[serde(default)]
    pub tries: Option<u32>,
    /// Variables and their values; texts are templates.
    #[serde(default)]
    pub set: BTreeMap<String, Value>,
    /// How long it waits.
    #[serde(default, rename = "for", deserialize_with = "units::optional_duration")]
    pub time: Option<Duration>,
    /// The tool that is used, by its name.
    #[serde(default)]
    pub tool: Option<String>,
    /// What it is given; texts are templates.
    #[serde(default)]
    pub args: BTreeMap<String, Value>,
    /// The variable that keeps its result.
    #[serde(default)]
    pub save: Option<String>,
    /// The node after a tool that failed.
    #[serde(default)]
    pub error: Option<String>,
    /// Where the caller is sent.
    #[serde(default)]
    pub to: Option<Destination>,
    /// What is said before a tool, a transfer or the end; a template.
    #[serde(default)]
    pub say: Option<String>,
    /// The next node, or ways with conditions.
    #[serde(default, deserialize_with = "ways")]
    #[schemars(with = "Either<String, Vec<Way>>")]
    pub next: Vec<Way>,
    /// The node after an `ask` that got no answer.
    #[serde(default)]
    pub failed: Option<String>,
    /// The node after a transfer that nobody took.
    #[serde(default, rename = "else")]
    pub otherwise: Option<String>,
    /// Where an editor draws it.
    #[serde(default)]
    pub ui: Option<Value>,
}

/// A way to another node.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Way {
    /// When it is gone; without it, always.
    #[serde(default)]
    pub when: Option<Condition>,
    /// The node.
    pub to: String,
}

impl Node {
    /// The nodes that it leads to, with the keys under which they stand.
    pub fn leads(&self) -> Vec<(String, &str)> {
        let plain = matches!(self.next.as_slice(), [Way { when: None, .. }]);
        let next = self.next.iter().enumerate().map(|(at, way)| {
            let key = if plain { "next".to_owned() } else { format!("next[{at}].to") };
            (key, way.to.as_str())
        });
        let others = [("failed", &self.failed), ("else", &self.otherwise), ("error", &self.error)];
        let others =
            others.into_iter().filter_map(|(key, to)| Some((key.to_owned(), to.as_deref()?)));
        next.chain(others).collect()
    }

    /// Whether the flow may be over behind it.
    pub fn is_last(&self) -> bool {
        matches!(self.kind, Kind::End | Kind::Transfer)
    }

    /// The templates in it, with the keys under which they stand.
    pub fn texts(&self) -> Vec<(String, &str)> {
        let plain = [("text", &self.text), ("say", &self.say), ("confirm", &self.confirm)];
        let plain =
            plain.into_iter().filter_map(|(key, text)| Some((key.to_owned(), text.as_deref()?)));
        let asked = self.ask.iter().map(|(name, text)| (format!("ask.{name}"), text.as_str()));
        let set = self.set.iter();
        let set = set.filter_map(|(name, value)| Some((format!("set.{name}"), value.as_str()?)));
        let args = self.args.iter();
        let args = args.filter_map(|(name, value)| Some((format!("args.{name}"), value.as_str()?)));
        plain.chain(asked).chain(set).chain(args).collect()
    }

    /// The variables that are set behind it.
    pub fn gives(&self) -> impl Iterator<Item = &str> {
        self.collect.keys().chain(self.set.keys()).chain(&self.save).map(String::as_str)
    }
}

impl Kind {
    /// The keys that a node of this kind may have besides `type` and `ui`.
    pub fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Say => &["text", "next"],
            Self::Ask => &["text", "collect", "ask", "confirm", "tries", "next", "failed"],
            Self::Set => &["set", "next"],
            Self::Branch => &["next"],
            Self::Wait => &["for", "next"],
            Self::Tool => &["tool", "args", "save", "say", "next", "error"],
            Self::Transfer => &["say", "to", "else"],
            Self::End => &["say"],
        }
    }
}

/// The agent that says in a flow what nobody answers.
pub fn speaker(flow: &str) -> String {
    format!("flow:{flow}")
}

/// The agent that asks at a node.
pub fn asker(flow: &str, node: &str) -> String {
    format!("flow:{flow}/{node}")
}

/// The name of a type as the intents of agents know it.
pub fn type_name(kind: &str) -> &str {
    match kind {
        "boolean" => "yesno",
        "integer" => "number",
        other => other,
    }
}

/// Where a caller goes who does not answer.
pub const FAILED: &str = "failed";

/// Takes one node, or a list of ways with conditions.
fn ways<'de, D: Deserializer<'de>>(source: D) -> Result<Vec<Way>, D::Error> {
    struct Ways;
    impl<'de> Visitor<'de> for Ways {
        type Value = Vec<Way>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("the name of a node, or a list of { when, to }")
        }

        fn visit_str<E: de::Error>(self, to: &str) -> Result<Vec<Way>, E> {
            Ok(vec![Way { when: None, to: to.to_owned() }])
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<Way>, A::Error> {
            let mut ways = Vec::new();
            while let Some(way) = list.next_element()? {
                ways.push(way);
            }
            Ok(ways)
        }
    }
    source.deserialize_any(Ways)
}

/// Takes types by name: a text, or a list of values.
fn types<'de, D: Deserializer<'de>>(source: D) -> Result<BTreeMap<String, String>, D::Error> {
    struct Type(String);
    struct Types;
    impl<'de> Visitor<'de> for Types {
        type Value = Type;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("the name of a type, or a list of values")
        }

        fn visit_str<E: de::Error>(self, name: &str) -> Result<Type, E> {
            Ok(Type(name.to_owned()))
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Type, A::Error> {
            let mut values: Vec<String> = Vec::new();
            while let Some(value) = list.next_element()? {
                values.push(value);
            }
            Ok(Type(values.join("|")))
        }
    }
    impl<'de> Deserialize<'de> for Type {
        fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
            source.deserialize_any(Types)
        }
    }
    let types = BTreeMap::<String, Type>::deserialize(source)?;
    Ok(types.into_iter().map(|(name, kind)| (name, kind.0)).collect())
}
