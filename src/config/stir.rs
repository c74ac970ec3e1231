//! Signatures of calls (STIR/SHAKEN), as they stand under `[trunks.NAME.stir]` and
//! `[security.stir]`.

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use uuid::Uuid;

use crate::base::attestation::Attestation;
use crate::base::units;

/// `[trunks.NAME.stir]`: whether callers must prove their number, and how we prove ours.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TrunkStir {
    /// What is done about the signatures of calls that come by the trunk.
    pub inbound: StirPolicy,
    /// How far we vouch for our own numbers in calls by the trunk: `A`, `B` or `C`; without it they
    /// are not signed.
    pub attest: Option<Attestation>,
    /// The key that signs them, as PEM.
    pub key: Option<PathBuf>,
    /// Where others find the certificate of that key.
    pub x5u: Option<String>,
    /// What stands for us as the place where our calls begin: a UUID; without it one that is made
    /// of the name of the trunk and `x5u`.
    #[serde(deserialize_with = "units::optional_parsed")]
    #[schemars(with = "Option<String>")]
    pub origid: Option<Uuid>,
}

/// What is done about the signatures of calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StirPolicy {
    /// Nothing.
    #[default]
    Off,
    /// They are checked, and calls are told what came of it.
    Verify,
    /// Calls without a good one are refused.
    Require,
}

/// `[security.stir]`: how signatures are checked.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StirSecurity {
    /// The certificates of the authorities whose word counts, as PEM.
    pub authorities: Option<PathBuf>,
    /// How old a signature may be, and how far ahead of our clock.
    #[serde(deserialize_with = "units::duration")]
    pub freshness: Duration,
    /// Names and addresses from which certificates are fetched though they are not on the public
    /// internet, or at another port than 443 and 8443.
    pub hosts: Vec<String>,
}

impl Default for StirSecurity {
    fn default() -> Self {
        Self { authorities: None, freshness: Duration::from_secs(60), hosts: Vec::new() }
    }
}
