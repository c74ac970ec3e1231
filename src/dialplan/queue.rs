//! Queues, as they stand in the files: who serves them, in which order, and what those hear who
//! wait.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::{Deserialize, Deserializer, de};

use crate::base::destination::Destination;
use crate::base::schema::Either;
use crate::base::units;

/// A queue, as it stands under `[queues.NAME]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Queue {
    /// Who serves it.
    pub members: Vec<Member>,
    /// Which of the free members is rung for the next caller.
    #[serde(default)]
    pub strategy: Strategy,
    /// Among queues with the same members: that with the higher number is served first.
    #[serde(default)]
    pub priority: i32,
    /// How long a member is rung before another one is.
    #[serde(default = "ring", deserialize_with = "units::duration")]
    pub ring: Duration,
    /// How long a member is left alone that did not answer.
    #[serde(default = "retry", deserialize_with = "units::duration")]
    pub retry: Duration,
    /// How long a member is left alone after a call.
    #[serde(default, deserialize_with = "units::duration")]
    pub wrap_up: Duration,
    /// How long a caller waits; without it, for ever.
    #[serde(default, deserialize_with = "units::optional_duration")]
    pub max_wait: Option<Duration>,
    /// How many may wait.
    #[serde(default = "max_callers")]
    pub max_callers: usize,
    /// Where callers go who waited too long, or for whom there is no room. Without it, back to the
    /// agent or the flow that they came from; from a route, the call ends.
    #[serde(default, rename = "else")]
    pub otherwise: Option<Destination>,
    /// What a caller hears first.
    #[serde(default)]
    pub say: Option<String>,
    /// What a caller is told while it waits.
    #[serde(default)]
    pub announce: Announce,
    /// By which key a caller is called back instead of waiting; without it, by none.
    #[serde(default)]
    pub callback: Option<Callback>,
    /// A sound file that is played to those who wait; without it, the hold music.
    #[serde(default)]
    pub music: Option<String>,
    /// What a member that answers is told of the caller, who is connected when the member wants it;
    /// a template. Without it, the caller is connected at once.
    #[serde(default)]
    pub brief: Option<String>,
    /// The agent in whose language and voice those who wait are spoken to; without it, those of
    /// `[defaults.agent]`.
    #[serde(default)]
    pub agent: Option<String>,
}

/// Who serves a queue.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
#[schemars(with = "Either<Destination, Written>")]
pub struct Member {
    /// Where it is called.
    pub to: Destination,
    /// What it can do. A caller who needs a skill waits for somebody who has it.
    pub skills: BTreeSet<String>,
    /// Members with a higher number are rung when none with a lower one is free.
    pub penalty: u32,
}

/// A member, as a table.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Written {
    /// Where it is called.
    to: Destination,
    /// What it can do. A caller who needs a skill waits for somebody who has it.
    #[serde(default)]
    skills: BTreeSet<String>,
    /// Members with a higher number are rung when none with a lower one is free.
    #[serde(default)]
    penalty: u32,
}

/// Which of the free members is rung.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// All of them; the first that answers has the caller.
    RingAll,
    /// The one after that which was rung last.
    #[default]
    RoundRobin,
    /// The one whose last call is over for the longest time.
    LeastRecent,
    /// The one with the fewest calls.
    FewestCalls,
    /// Any.
    Random,
}

/// What a caller is told while it waits.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Announce {
    /// Whether it is told how many are before it.
    pub position: bool,
    /// How often it is told.
    #[serde(deserialize_with = "units::duration")]
    pub every: Duration,
    /// The words: `{{ position }}` and `{{ waiting }}` are numbers.
    pub say: Option<String>,
}

/// How callers are called back instead of waiting.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Callback {
    /// The key by which a caller wants it.
    #[serde(default = "callback_key")]
    pub key: String,
    /// What it hears before it is hung up.
    #[serde(default)]
    pub say: Option<String>,
    /// How long it keeps its place.
    #[serde(default = "callback_within", deserialize_with = "units::duration")]
    pub within: Duration,
}

impl Callback {
    /// What whoever waits is told of it.
    pub fn offer(&self, is_german: bool) -> String {
        match is_german {
            true => format!("Für einen Rückruf drücken Sie die {}.", self.key),
            false => format!("To be called back, press {}.", self.key),
        }
    }

    /// What is said when it is wanted.
    pub fn promise(&self, is_german: bool) -> &str {
        match (&self.say, is_german) {
            (Some(say), _) => say,
            (None, true) => "Wir rufen Sie zurück. Auf Wiederhören.",
            (None, false) => "We will call you back. Goodbye.",
        }
    }
}

impl Default for Announce {
    fn default() -> Self {
        Self { position: false, every: Duration::from_secs(45), say: None }
    }
}

impl Announce {
    /// Whether there is something to be told.
    pub fn is_wanted(&self) -> bool {
        self.position || self.say.is_some()
    }

    /// What a caller is told, as a template.
    pub fn words(&self, is_german: bool) -> &str {
        match (&self.say, is_german) {
            (Some(say), _) => say,
            (None, true) => "Sie sind an Position {{ position }} in der Warteschlange.",
            (None, false) => "You are number {{ position }} in the queue.",
        }
    }
}

impl<'de> Deserialize<'de> for Member {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Member;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a destination, or { to = \"phone:101\", skills = [], penalty = 0 }")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Member, E> {
                let to = text.parse().map_err(E::custom)?;
                Ok(Member { to, skills: BTreeSet::new(), penalty: 0 })
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Member, A::Error> {
                let Written { to, skills, penalty } =
                    Written::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Member { to, skills, penalty })
            }
        }
        source.deserialize_any(Visitor)
    }
}

/// The name of who speaks to those who wait in a queue.
pub fn speaker(queue: &str) -> String {
    Destination::Queue(queue.to_owned()).to_string()
}

fn callback_key() -> String {
    "1".to_owned()
}

fn callback_within() -> Duration {
    Duration::from_secs(4 * 3_600)
}

fn ring() -> Duration {
    Duration::from_secs(15)
}

fn retry() -> Duration {
    Duration::from_secs(5)
}

fn max_callers() -> usize {
    100
}
