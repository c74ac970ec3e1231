//! Campaigns, as they stand in the files: who is called, how fast, when, and what follows each outcome.

pub mod rows;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::base::destination::Destination;
use crate::base::units::{self, Frequency};
use crate::base::zone::{Local, Zone};
use crate::dialplan::amd::{self, Amd};
use crate::dialplan::hours::Hours;
use crate::dialplan::list::one_or_many;
use crate::dialplan::pattern::{Match, NumberList};

/// A campaign, as it stands under `[campaigns.NAME]`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Campaign {
    /// The file of those who are called: a row each, the names of the columns in the first one.
    pub csv: String,
    /// The column with the number. Every other column is a variable.
    #[serde(default = "number")]
    pub number: String,
    /// Where whoever answers comes to: `agent:NAME`, `flow:NAME`, `queue:NAME` …
    pub to: Destination,
    /// The number that is shown; without it, the trunk's.
    #[serde(default)]
    pub from: String,
    /// The trunk by which all are called; without it, the one that `[[outbound]]` says.
    #[serde(default)]
    pub trunk: Option<String>,
    /// The most calls at once.
    #[serde(default = "one")]
    pub concurrency: usize,
    /// The most calls that begin in a time, evenly spread: `"2/s"`, `"30/m"`.
    #[serde(default = "pace", deserialize_with = "units::parsed")]
    pub pace: Frequency,
    /// How long it rings.
    #[serde(default, deserialize_with = "units::optional_duration")]
    pub ring: Option<Duration>,
    /// Who is called again, how often, and after how long. Nobody, without a word.
    #[serde(default)]
    pub retry: Retries,
    /// When people may be called, by the clock where they are.
    #[serde(default)]
    pub hours: Option<Hours>,
    /// Where people are whose row has no `timezone`; without it, where the server is.
    #[serde(default)]
    pub timezone: Option<Zone>,
    /// Whom nobody calls: numbers as in routes, and lists of them (`list:NAME`).
    #[serde(default, deserialize_with = "one_or_many")]
    #[schemars(with = "crate::base::schema::OneOrMany<Match>")]
    pub dnc: Vec<Match>,
    /// The most calls in all, tries among them.
    #[serde(default)]
    pub max_calls: Option<u32>,
    /// The most time that all calls together last; those that are up then go on.
    #[serde(default, deserialize_with = "units::optional_duration")]
    pub max_time: Option<Duration>,
    /// Nobody is called before: `"2026-12-01 09:00"`. The campaign begins by itself then.
    #[serde(default, deserialize_with = "units::optional_parsed")]
    #[schemars(with = "Option<String>")]
    pub start: Option<Local>,
    /// Nobody is called afterwards.
    #[serde(default, deserialize_with = "units::optional_parsed")]
    #[schemars(with = "Option<String>")]
    pub stop: Option<Local>,
    /// Whether it is found out who answers, and what follows.
    #[serde(default, deserialize_with = "amd::setting")]
    #[schemars(with = "Option<amd::Setting>")]
    pub amd: Option<Amd>,
    /// Where the file of those who are called lies, when that was found out.
    #[serde(skip)]
    #[schemars(skip)]
    pub csv_path: String,
    /// Where the sound lies that is left with machines.
    #[serde(skip)]
    #[schemars(skip)]
    pub sound: Option<String>,
}

/// Who is called again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Retries {
    /// Where it was busy.
    pub busy: Option<Retry>,
    /// Where nobody answered in time.
    pub no_answer: Option<Retry>,
    /// Where a machine answered, and no message was left.
    pub machine: Option<Retry>,
    /// Where the call failed: refused, not reached, a fault.
    pub failed: Option<Retry>,
    /// Where the server was stopped in the middle of a call. Without a word nobody is called again
    /// who may have answered.
    pub interrupted: Option<Retry>,
}

/// How often somebody is called again, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// How often.
    #[serde(default = "once")]
    pub count: u32,
    /// After how long.
    #[serde(default = "after", deserialize_with = "units::duration")]
    pub after: Duration,
}

impl Campaign {
    /// Tells the patterns of those whom nobody calls what their lists hold.
    pub fn complete(&mut self, lists: &BTreeMap<String, Arc<NumberList>>) {
        for pattern in &mut self.dnc {
            let list = pattern.list().and_then(|name| lists.get(name)).cloned();
            list.into_iter().for_each(|list| pattern.hold(list));
        }
    }

    /// From when until when people may be called, since the Unix epoch.
    pub fn span(&self, here: &Zone) -> (Option<Duration>, Option<Duration>) {
        let zone = self.timezone.as_ref().unwrap_or(here);
        let at = |local: Option<Local>| local.and_then(|local| zone.since_epoch(local));
        (at(self.start), at(self.stop))
    }
}

fn number() -> String {
    "number".to_owned()
}

fn one() -> usize {
    1
}

/// As many as may go out in an hour where nobody says otherwise.
fn pace() -> Frequency {
    Frequency { per_second: 5.0 / 60.0 }
}

fn once() -> u32 {
    1
}

fn after() -> Duration {
    Duration::from_secs(3_600)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_campaign_needs_a_file_and_somebody_who_speaks() {
        let campaign: Campaign = toml::from_str(
            r#"
            csv         = "people.csv"
            to          = "agent:caller"
            concurrency = 5
            pace        = "30/m"
            timezone    = "Europe/Berlin"
            start       = "2026-12-01 09:00"
            dnc         = ["+49900*", "list:robinson"]
            retry.busy  = { count = 2, after = "10m" }
            hours       = { mon-fri = "09:00-20:00" }
            amd         = { message = "drop.wav" }
            "#,
        )
        .expect("a campaign");
        assert_eq!(campaign.pace.per_second, 0.5);
        assert_eq!(campaign.retry.busy.map(|it| (it.count, it.after.as_secs())), Some((2, 600)));
        assert_eq!(campaign.retry.interrupted, None);
        let (start, stop) = campaign.span(&Zone::default());
        // Nine in Berlin is eight at Greenwich in winter.
        assert_eq!(start.map(|it| it.as_secs() % 86_400), Some(8 * 3_600));
        assert_eq!(stop, None);
        for wrong in ["csv = \"a.csv\"", "csv = \"a\"\nto = \"agent:b\"\npase = \"1/s\""] {
            assert!(toml::from_str::<Campaign>(wrong).is_err(), "{wrong}");
        }
    }
}
