//! The way out: by which trunks a number is called, in which order, and as whom.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::base::destination::Destination;
use crate::base::schema::OneOrMany;
use crate::dialplan::list::one_or_many;
use crate::dialplan::pattern::Match;

/// One rule, as it stands under `[[outbound]]`. The first that fits a number decides.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Outbound {
    /// What people call it.
    #[serde(default)]
    pub name: Option<String>,
    /// The numbers, in E.164; without any, every number.
    #[serde(default, deserialize_with = "one_or_many")]
    #[schemars(with = "OneOrMany<Match>")]
    pub number: Vec<Match>,
    /// The extensions, exactly as they are dialled; they lead to `to`, and nobody outside is called.
    #[serde(default, deserialize_with = "one_or_many")]
    #[schemars(with = "OneOrMany<Match>")]
    pub ext: Vec<Match>,
    /// Where such a call goes; `{ext}` stands for what was dialled: `phone:{ext}`.
    #[serde(default)]
    pub to: Option<Destination>,
    /// Whose calls: the contexts of their phones and trunks. Whoever has one of them may dial these
    /// numbers, where no route takes them but one that takes every call; without any, only routes and
    /// agents call by this rule.
    #[serde(default, deserialize_with = "one_or_many")]
    #[schemars(with = "OneOrMany<String>")]
    pub context: Vec<String>,
    /// The trunks, in the order in which they are tried.
    #[serde(default, deserialize_with = "one_or_many")]
    #[schemars(with = "OneOrMany<String>")]
    pub trunks: Vec<String>,
    /// The number to call from.
    #[serde(default)]
    pub caller_id: Option<String>,
}

impl Outbound {
    /// Whether it leads out; otherwise it leads to somebody here.
    pub fn leads_out(&self) -> bool {
        self.to.is_none()
    }

    /// Where somebody with this context goes who dials this, when it leads to somebody here.
    pub fn inside(&self, dialled: &str, context: &str) -> Option<Destination> {
        let to = self.to.as_ref()?;
        let fits = self.ext.iter().any(|it| it.matches(dialled));
        (fits && self.context.iter().any(|it| it == context)).then(|| to.for_extension(dialled))
    }

    /// Whether a call to that number, for somebody with that context, goes by this rule.
    pub fn fits(&self, number: &str, context: &str) -> bool {
        let is_number = self.number.is_empty() || self.number.iter().any(|it| it.matches(number));
        is_number && (self.context.is_empty() || self.context.iter().any(|it| it == context))
    }
}
