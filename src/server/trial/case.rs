//! A case: what the caller says, what the tools answer, and what must come of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::base::template::Variables;
use crate::server::trial::played::{Played, Who, plain};

/// A file of cases.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// The cases.
    pub case: Vec<Case>,
}

/// One conversation.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What people call it.
    pub name: String,
    /// Who is called: an agent, `squad:NAME` or `menu:NAME`.
    pub agent: String,
    /// What the caller says, one turn each; `#12` presses keys, and an empty text is silence.
    pub say: Vec<String>,
    /// What tools answer, by name: a value, or `{ error = "…" }`.
    #[serde(default)]
    pub mock: BTreeMap<String, Value>,
    /// Variables of the templates.
    #[serde(default)]
    pub set: Variables,
    /// What must come of it.
    #[serde(default)]
    pub expect: Expect,
    /// What a model that reads the conversation must find to be so.
    #[serde(default)]
    pub judge: Option<String>,
}

/// What must come of a conversation.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Expect {
    /// Tools that must be called.
    #[serde(deserialize_with = "one_or_many")]
    pub tool: Vec<String>,
    /// What the last of them must be given, by name.
    pub args: BTreeMap<String, Value>,
    /// Tools that must not be called.
    #[serde(deserialize_with = "one_or_many")]
    pub never_calls: Vec<String>,
    /// What the agent must say; letters may be large or small.
    #[serde(deserialize_with = "one_or_many")]
    pub says: Vec<String>,
    /// What it must not say.
    #[serde(deserialize_with = "one_or_many")]
    pub never_says: Vec<String>,
    /// Who must have the caller at the end: an agent's name, or a destination.
    pub ends_with: Option<String>,
    /// Whether the agent must hang up, or must not.
    pub hangs_up: Option<bool>,
    /// How long the model may take for its first words, in milliseconds.
    pub max_turn_ms: Option<u64>,
}

impl Expect {
    /// What did not come of it, one sentence each.
    pub fn misses(&self, played: &Played) -> Vec<String> {
        let mut wrong: Vec<String> = played.failure.iter().cloned().collect();
        let spoken = played.words_of(Who::Agent).to_lowercase();
        let says = |text: &String| spoken.contains(&text.to_lowercase());
        let mut miss = |misses: bool, why: String| {
            if misses {
                wrong.push(why);
            }
        };
        for text in &self.says {
            miss(!says(text), format!("the agent never says {text:?}"));
        }
        for text in &self.never_says {
            miss(says(text), format!("the agent says {text:?}"));
        }
        for name in &self.never_calls {
            miss(played.calls_of(name).next().is_some(), format!("it calls {name}"));
        }
        for name in &self.tool {
            miss(played.calls_of(name).next().is_none(), format!("it never calls {name}"));
        }
        if let Some(name) = self.tool.last() {
            for (key, wanted) in &self.args {
                let given: Vec<&Value> =
                    played.calls_of(name).filter_map(|given| given.get(key)).collect();
                let shown = given.last().map_or("nothing".to_owned(), |it| it.to_string());
                let misses = !given.contains(&wanted);
                miss(misses, format!("{name} is given {shown} as {key}, not {wanted}"));
            }
        }
        if let Some(wanted) = &self.ends_with {
            let misses = played.with != plain(wanted);
            miss(misses, format!("the caller ends with {}, not {wanted}", played.with));
        }
        if let Some(wanted) = self.hangs_up {
            let how = if wanted { "never hangs up" } else { "hangs up" };
            miss(wanted != played.hung_up, format!("the agent {how}"));
        }
        if let Some(most) = self.max_turn_ms {
            let slowest = played.slowest.as_millis();
            let told = format!("the slowest turn takes {slowest} ms, more than {most}");
            miss(slowest > u128::from(most), told);
        }
        wrong
    }
}

/// Takes one text or several.
fn one_or_many<'de, D: Deserializer<'de>>(source: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Many {
        One(String),
        Several(Vec<String>),
    }
    Ok(match Many::deserialize(source)? {
        Many::One(text) => vec![text],
        Many::Several(texts) => texts,
    })
}
