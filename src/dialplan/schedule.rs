//! What begins by itself at its time, as it stands in the files: calls, and campaigns.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use crate::base::cron::Cron;
use crate::base::destination::Destination;
use crate::base::schema::OneOrMany;
use crate::base::template::Variables;
use crate::base::units;
use crate::base::zone::Zone;
use crate::dialplan::list::one_or_many;
use crate::dialplan::plan::variables;

/// `[schedules.NAME]`: calls that begin by themselves, or a campaign that does.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// When, as `crontab` has it: `"0 9 * * mon-fri"`.
    #[serde(deserialize_with = "units::parsed")]
    pub cron: Cron,
    /// By which clock, if not the server's.
    #[serde(default, deserialize_with = "units::optional_parsed")]
    #[schemars(with = "Option<String>")]
    pub timezone: Option<Zone>,
    /// Who is called: `"+491701234567"`, `"phone:101"`. Of several each gets a call of its own.
    #[serde(default, deserialize_with = "callees")]
    #[schemars(with = "OneOrMany<String>")]
    pub call: Vec<Destination>,
    /// Where whoever answers comes to: `agent:NAME`, `flow:NAME` …
    #[serde(default)]
    pub to: Option<Destination>,
    /// The number that is shown; without it, the trunk's.
    #[serde(default)]
    pub from: String,
    /// How long it rings.
    #[serde(default, deserialize_with = "units::optional_duration")]
    pub ring: Option<Duration>,
    /// What templates may name.
    #[serde(default, deserialize_with = "variables")]
    #[schemars(with = "std::collections::BTreeMap<String, String>")]
    pub set: Variables,
    /// The campaign that begins, in place of calls: a finished one begins anew.
    #[serde(default)]
    pub campaign: Option<String>,
}

impl Schedule {
    /// When it is due next after a time, both since the Unix epoch.
    pub fn next(&self, after: Duration, here: &Zone) -> Option<Duration> {
        self.cron.next(after, self.timezone.as_ref().unwrap_or(here))
    }
}

/// Takes who is called: a number is written as people write it.
fn callees<'de, D: Deserializer<'de>>(source: D) -> Result<Vec<Destination>, D::Error> {
    let read = |text: String| {
        let text = if text.starts_with('+') { format!("tel:{text}") } else { text };
        text.parse().map_err(serde::de::Error::custom)
    };
    one_or_many::<String, D>(source)?.into_iter().map(read).collect()
}
