//! Transfers, as agents know them: where a caller may be sent, and how.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::agent::squad::Carry;
use crate::base::destination::{Destination, Mode};

/// A destination that `transfer_call` may name.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Transfer {
    /// Where to.
    pub to: Destination,
    /// When the model should choose it.
    #[serde(default)]
    pub description: String,
    /// What is said before; an empty text: nothing.
    #[serde(default)]
    pub say: Option<String>,
    /// How the caller is brought there: `blind`, `attended` or `warm`.
    #[serde(default)]
    pub mode: Mode,
    /// What whoever answers a warm transfer is told of the caller; a template. A language model
    /// says it in its own words.
    #[serde(default)]
    pub brief: Option<String>,
    /// What another agent knows of the conversation when it takes over: `all`, `last:N`, `summary`
    /// or `none`. Without it, none: it begins with its first message.
    #[serde(default = "Carry::nothing")]
    pub context: Carry,
}

impl Transfer {
    /// One without a word: the caller is sent there.
    pub fn silent(to: Destination) -> Self {
        Self {
            to,
            description: String::new(),
            say: Some(String::new()),
            mode: Mode::default(),
            brief: None,
            context: Carry::Nothing,
        }
    }
}
