//! Tenants, as they stand under `[tenants.NAME]`: companies that share the machine. What is one's is
//! told by its numbers, or by the trunks that carry its calls only.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::agent::masking::kind::Kind;
use crate::base::money::Money;
use crate::base::units;
use crate::base::zone::Zone;
use crate::dialplan::pattern::Match;

/// `[tenants.NAME]`: a company that shares the machine with others.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Tenant {
    /// What people call it.
    pub name: Option<String>,
    /// Its numbers: calls to them and calls from them are its own.
    pub numbers: Vec<Match>,
    /// Where its day and its month begin, if not where the server's do.
    #[serde(deserialize_with = "units::optional_parsed")]
    #[schemars(with = "Option<String>")]
    pub timezone: Option<Zone>,
    /// The folder of its own dialplans, below that of all: `"../dialplans/acme"`. Their routes take
    /// its calls only, and before all others; whatever else stands there has a name like all.
    pub dialplans: Option<PathBuf>,
    /// What it may have.
    pub limits: Limits,
    /// What is covered in all that is kept and told of its calls, besides what the server wants.
    pub mask: Vec<Kind>,
}

/// `[tenants.NAME.limits]`: what a tenant may have.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// The most calls at once by trunks, in and out together, whichever trunks they are.
    pub concurrent_calls: Option<u32>,
    /// How many minutes its calls by trunks may last in a month, in and out together. When they are
    /// used up, calls are refused; those that came in before go on.
    pub minutes_per_month: Option<u32>,
    /// What its calls out may cost in a day: `"20 EUR"`.
    pub daily_budget: Option<Money>,
}
