//! Tenants, as they stand under `[tenants.NAME]`: companies that share the machine. What is one's is
//! told by its numbers, or by the trunks that carry its calls only.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::agent::masking::kind::Kind;
use crate::dialplan::pattern::Match;

/// `[tenants.NAME]`: a company that shares the machine with others.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Tenant {
    /// What people call it.
    pub name: Option<String>,
    /// Its numbers: calls to them and calls from them are its own.
    pub numbers: Vec<Match>,
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
}
