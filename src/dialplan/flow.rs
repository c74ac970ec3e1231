//! Flows: a call as a graph of nodes. Each node says, asks, decides or ends, and names the next.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{self, Deserializer, IntoDeserializer as _, SeqAccess, Visitor};
use serde_json::Value;

use crate::base::condition::Condition;
use crate::base::destination::{Destination, Mode};
use crate::base::ordered::Ordered;
use crate::base::schema::{Either, OneOrMany};
use crate::base::secret::Secret;
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[schemars(rename = "NodeKind")]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Says `text`.
    #[default]
    Say,
    /// Asks for what `collect` names; with a `prompt`, in a model's own words.
    Ask,
    /// Lets a model talk with the caller until one of its `exits` holds.
    Agent,
    /// Lets the caller choose by key or by word.
    Menu,
    /// Sets variables.
    Set,
    /// Goes on where the first condition holds.
    Branch,
    /// Pauses the recording, or goes on with it.
    Record,
    /// Waits.
    Wait,
    /// Has a tool used.
    Tool,
    /// Tells a web service something.
    Webhook,
    /// Sends the caller to somebody.
    Transfer,
    /// Lets the caller wait in a queue.
    Queue,
    /// Gives the caller to another agent, which goes on with the conversation.
    Handoff,
    /// Lets the caller leave a message.
    Voicemail,
    /// Says goodbye and ends the call.
    End,
}

/// A node, as it stands under `[flows.NAME.nodes.ID]`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
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
    pub collect: Ordered<String>,
    /// The questions, by the names of the values, which are asked for in the order of `collect`.
    #[serde(default)]
    pub ask: BTreeMap<String, String>,
    /// What a model is told to do here, besides the prompt of the flow's agent; a template.
    #[serde(default)]
    pub prompt: Option<String>,
    /// The tools that the model may call here.
    #[serde(default)]
    pub tools: Vec<String>,
    /// The ways on from a conversation with a model, each with what must be so.
    #[serde(default)]
    pub exits: Vec<Way>,
    /// The nodes that keys lead to.
    #[serde(default)]
    pub digits: BTreeMap<String, String>,
    /// What callers say for a key, besides the name of its node.
    #[serde(default)]
    pub phrases: BTreeMap<String, Vec<String>>,
    /// How long a menu waits for a choice.
    #[serde(default, deserialize_with = "units::optional_duration")]
    pub after: Option<Duration>,
    /// What becomes of the recording.
    #[serde(default)]
    pub recording: Option<Recording>,
    /// Whether what is asked here is nobody's business, as the digits of a card: the recording
    /// pauses meanwhile, and what the caller says and presses is neither kept nor told.
    #[serde(default)]
    pub sensitive: bool,
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
    /// Where a web service is; behind the host a template.
    #[serde(default)]
    pub url: Option<String>,
    /// Headers for it; templates.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub headers: BTreeMap<String, Secret>,
    /// The variable that keeps its result.
    #[serde(default)]
    pub save: Option<String>,
    /// The node after a tool that failed.
    #[serde(default)]
    pub error: Option<String>,
    /// Where the caller is sent.
    #[serde(default)]
    pub to: Option<Destination>,
    /// How the caller is brought there: `blind`, `attended` or `warm`.
    #[serde(default)]
    pub mode: Mode,
    /// What whoever answers a warm transfer is told of the caller; a template.
    #[serde(default)]
    pub brief: Option<String>,
    /// The queue in which the caller waits, by its name.
    #[serde(default)]
    pub queue: Option<String>,
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
    /// The node after a transfer, or a queue, in which nobody took the caller.
    #[serde(default, rename = "else")]
    pub otherwise: Option<String>,
    /// Where an editor draws it.
    #[serde(default)]
    pub ui: Option<Value>,
}

/// What becomes of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Recording {
    /// Nothing of what is said is kept.
    Pause,
    /// Everything is kept again.
    Resume,
}

/// A way to another node.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Way {
    /// When it is gone; without it, always.
    #[serde(default)]
    pub when: Option<When>,
    /// The node.
    pub to: String,
}

/// When a way is gone.
#[derive(Debug, Clone, JsonSchema)]
#[schemars(with = "String")]
pub enum When {
    /// When this holds.
    Holds(Condition),
    /// When the model finds that this is so: `ai: the caller is in a hurry`.
    Judged(String),
}

impl<'de> Deserialize<'de> for When {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        let text = String::deserialize(source)?;
        match text.strip_prefix("ai:") {
            Some(judged) if judged.trim().is_empty() => {
                Err(de::Error::custom("behind `ai:` stands what must be so"))
            }
            Some(judged) => Ok(Self::Judged(judged.trim().to_owned())),
            None => Condition::deserialize(text.into_deserializer()).map(Self::Holds),
        }
    }
}

impl Flow {
    /// Makes a node of each destination that stands where a node is named: `else = "voicemail:office"`.
    pub fn complete(&mut self) {
        let named: Vec<String> = self
            .nodes
            .values()
            .flat_map(Node::leads)
            .filter(|(_, to)| to.contains(':') && !self.nodes.contains_key(*to))
            .map(|(_, to)| to.to_owned())
            .collect();
        for name in named {
            let Ok(to) = name.parse() else { continue };
            let node = Node { kind: Kind::Transfer, to: Some(to), ..Node::default() };
            self.nodes.insert(name, node);
        }
    }
}

impl Node {
    /// The nodes that it leads to, with the keys under which they stand.
    pub fn leads(&self) -> Vec<(String, &str)> {
        let plain = matches!(self.next.as_slice(), [Way { when: None, .. }]);
        let next = self.next.iter().enumerate().map(|(at, way)| {
            let key = if plain { "next".to_owned() } else { format!("next[{at}].to") };
            (key, way.to.as_str())
        });
        let exits = self.exits.iter().enumerate();
        let exits = exits.map(|(at, way)| (format!("exits[{at}].to"), way.to.as_str()));
        let digits = self.digits.iter().map(|(key, to)| (format!("digits.{key}"), to.as_str()));
        let others = [("failed", &self.failed), ("else", &self.otherwise), ("error", &self.error)];
        let others =
            others.into_iter().filter_map(|(key, to)| Some((key.to_owned(), to.as_deref()?)));
        next.chain(exits).chain(digits).chain(others).collect()
    }

    /// Whether it leads to this node.
    pub fn leads_to(&self, node: &str) -> bool {
        self.leads().iter().any(|(_, to)| *to == node)
    }

    /// Whether a model talks with the caller here.
    pub fn is_free(&self) -> bool {
        match self.kind {
            Kind::Agent => true,
            Kind::Ask => self.prompt.is_some(),
            Kind::Say
            | Kind::Menu
            | Kind::Set
            | Kind::Branch
            | Kind::Record
            | Kind::Wait
            | Kind::Tool
            | Kind::Webhook
            | Kind::Transfer
            | Kind::Queue
            | Kind::Handoff
            | Kind::Voicemail
            | Kind::End => false,
        }
    }

    /// Where the caller is sent, or waits.
    pub fn target(&self) -> Option<Destination> {
        self.to.clone().or_else(|| self.queue.clone().map(Destination::Queue))
    }

    /// What a model must find to be so, with the place of each way in `next`.
    pub fn judged(&self) -> impl Iterator<Item = (usize, &str)> {
        self.next.iter().enumerate().filter_map(|(at, way)| match &way.when {
            Some(When::Judged(what)) => Some((at, what.as_str())),
            Some(When::Holds(_)) | None => None,
        })
    }

    /// Whether the flow may be over behind it.
    pub fn is_last(&self) -> bool {
        matches!(
            self.kind,
            Kind::End | Kind::Transfer | Kind::Queue | Kind::Voicemail | Kind::Handoff
        )
    }

    /// The templates in it, with the keys under which they stand.
    pub fn texts(&self) -> Vec<(String, &str)> {
        let plain = [("text", &self.text), ("say", &self.say), ("confirm", &self.confirm)];
        let plain = plain.into_iter().chain([
            ("prompt", &self.prompt),
            ("url", &self.url),
            ("brief", &self.brief),
        ]);
        let plain = plain.filter_map(|(key, text)| Some((key.to_owned(), text.as_deref()?)));
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
            Self::Ask => &[
                "text",
                "prompt",
                "tools",
                "collect",
                "ask",
                "sensitive",
                "confirm",
                "tries",
                "next",
                "failed",
            ],
            Self::Agent => &["text", "prompt", "tools", "sensitive", "exits", "failed"],
            Self::Menu => &["text", "digits", "phrases", "after", "tries", "failed"],
            Self::Record => &["recording", "next"],
            Self::Set => &["set", "next"],
            Self::Branch => &["next"],
            Self::Wait => &["for", "next"],
            Self::Tool => &["tool", "args", "save", "say", "next", "error"],
            Self::Webhook => &["url", "headers", "args", "save", "say", "next", "error"],
            Self::Transfer => &["say", "to", "mode", "brief", "else"],
            Self::Queue => &["say", "queue", "mode", "brief", "else"],
            Self::Handoff | Self::Voicemail => &["say", "to"],
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

/// The agent that finds out what is so.
pub fn judge(flow: &str) -> String {
    format!("flow:{flow}?")
}

/// What a model is asked that finds out which of these is so, the first first.
pub fn question(what: &[String]) -> String {
    let mut text = "You follow a telephone call and decide how it goes on. Say nothing to the \
                    caller. Answer with nothing but the number of the first of these that is so, \
                    by what was said; with 0 if none is:"
        .to_owned();
    for (at, what) in what.iter().enumerate() {
        let _ = write!(text, "\n{}: {what}", at + 1);
    }
    text
}

/// The number that a model answered; without one, 0.
pub fn number_in(answer: &str) -> usize {
    let digits = answer.split(|c: char| !c.is_ascii_digit()).find(|digits| !digits.is_empty());
    digits.and_then(|digits| digits.parse().ok()).unwrap_or_default()
}

/// Where a node is reached from an agent of the flow.
pub fn way_to(node: &str) -> Destination {
    Destination::Flow(node.to_owned())
}

/// The node that such a destination means.
pub fn way_in(destination: &str) -> Option<&str> {
    destination.strip_prefix("flow:")
}

/// Stands for the caller's words where there were none so far: a model answers nobody else.
pub const NOBODY_YET: &str = "(The caller waits for you to speak.)";

/// Stands for the node of a caller who does not answer.
pub const FAILED: &str = "";

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
fn types<'de, D: Deserializer<'de>>(source: D) -> Result<Ordered<String>, D::Error> {
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
    let types = Ordered::<Type>::deserialize(source)?;
    Ok(types.into_iter().map(|(name, kind)| (name, kind.0)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_stands_where_a_node_is_named() {
        let text = r#"
            agent = "desk"
            start = "human"
            [nodes.human]
            type = "transfer"
            to   = "queue:sales"
            else = "voicemail:office"
            [nodes.ask]
            type = "ask"
            collect = { day = "date" }
            ask  = { day = "Which?" }
            failed = "humam"
            next = "hangup:486"
            [nodes.odd]
            type = "say"
            text = "x"
            next = "nobody:here"
        "#;
        let mut flow: Flow = toml::from_str(text).expect("a flow");
        flow.complete();
        let to = |node: &str| flow.nodes.get(node).map(|node| (node.kind, node.to.clone()));
        let office = Destination::Voicemail("office".to_owned());
        assert_eq!(to("voicemail:office"), Some((Kind::Transfer, Some(office))));
        assert_eq!(to("hangup:486"), Some((Kind::Transfer, Some(Destination::HangUp(486)))));
        // What is neither is a mistake, as before.
        assert_eq!((to("humam"), to("nobody:here")), (None, None));
        assert_eq!(flow.nodes.len(), 5);
    }
}
