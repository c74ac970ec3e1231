//! Who is let in and what is let out, as it stands under `[security]`.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::agent::masking::kind::Kind;
use crate::base::country::Country;
use crate::base::money::{Money, Rate};
use crate::base::units::Frequency;
use crate::base::units::{self, parsed};
use crate::base::url::Host;
use crate::config::stir::StirSecurity;
use crate::dialplan::pattern::Match;

/// `[security]`: who is let in and what is let out.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Security {
    /// Whether a secret in plain text is an error and not only a warning.
    pub require_secret_refs: bool,
    /// SIP.
    pub sip: SipSecurity,
    /// Which numbers may be called.
    pub outbound: OutboundSecurity,
    /// How signatures of calls are checked.
    pub stir: StirSecurity,
    /// Where tools may go.
    pub tools: ToolSecurity,
    /// Where webhooks may be.
    pub webhooks: WebhookSecurity,
    /// Programs that ask by HTTP.
    pub http: HttpSecurity,
    /// What nobody may keep.
    pub privacy: PrivacySecurity,
}

/// `[security.privacy]`: what nobody may keep of what is said.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PrivacySecurity {
    /// What is covered in transcripts and in all else that is kept and told of a call: its record,
    /// events, webhooks, messages. Agents and tools are given what was said. Without any, nothing.
    pub mask: Vec<Kind>,
    /// What is covered in the log.
    pub mask_in_logs: Vec<Kind>,
    /// Whether agents whose words a model finds say first that they are an AI: Art. 50(1) of the AI
    /// Act wants callers in the European Union to know. An agent may have its own words (`disclosure`).
    pub ai_disclosure: bool,
}

/// `[security.tools]`: where tools of agents may go. Everywhere else they reach the public internet
/// by HTTPS, and no network of ours.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ToolSecurity {
    /// Hosts that may be anywhere, and be asked without TLS: `10.0.0.5`, `calendar.internal:8080`.
    pub allow: Vec<Host>,
}

/// `[security.webhooks]`: where webhooks may be. All others are on the public internet, by HTTPS.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WebhookSecurity {
    /// Hosts that may be anywhere, and be told without TLS: `10.0.0.5`, `crm.internal:8080`.
    pub allow: Vec<Host>,
}

/// `[security.http]`: programs that ask by HTTP.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HttpSecurity {
    /// How often each key may be used.
    pub api_keys: KeyRate,
    /// Whom the server tells what happens.
    pub webhooks: Reach,
}

/// Where webhooks may lead.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Reach {
    /// Never all of them: hosts in networks of yours are named in `[security.webhooks] allow`.
    pub allow_private_networks: bool,
}

/// How often a key may be used: beyond it, 429 with Retry-After.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct KeyRate {
    /// In the long run.
    #[serde(deserialize_with = "parsed")]
    pub rate: Frequency,
    /// At once.
    pub burst: u32,
}

/// `[security.sip]`: what happens to requests from nobody we know.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SipSecurity {
    /// What a request from an unknown address gets.
    pub unknown_source: UnknownSource,
    /// How many requests an address may send.
    pub max_invites: MaxInvites,
    /// When an address is not heard any more.
    pub ban: Ban,
    /// What scanners call themselves; these are added to those that are known.
    pub block_agents: Vec<String>,
    /// The most calls to one number at once.
    pub max_calls_per_number: Option<u32>,
}

/// What a request from an unknown address gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum UnknownSource {
    /// Nothing.
    #[default]
    Drop,
    /// 403, without keeping any state.
    Reject,
    /// The demand for a password, without keeping any state.
    Challenge,
}

/// How many requests an address may send.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MaxInvites {
    /// In the long run, for each address.
    #[serde(deserialize_with = "parsed")]
    pub per_ip: Frequency,
    /// At once.
    pub burst: u32,
}

/// When an address is not heard any more, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Ban {
    /// So many wrong passwords and the like are forgiven.
    pub after: u32,
    /// Those within this time count together.
    #[serde(deserialize_with = "units::duration")]
    pub within: Duration,
    /// How long the first ban lasts; each further one lasts twice as long.
    #[serde(rename = "for", deserialize_with = "units::duration")]
    pub lasts: Duration,
}

/// `[security.outbound]`: which numbers may be called, and how often.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OutboundSecurity {
    /// The countries that may be called; without any and without `allow`, that of the server.
    pub allow_countries: Vec<Country>,
    /// Further numbers that may be called.
    pub allow: Vec<Match>,
    /// Classes of numbers that are refused.
    pub deny: Vec<CostClass>,
    /// Whether those who save lives may be called.
    pub emergency: Permission,
    /// The most calls out at once.
    pub max_calls: u32,
    /// The most calls out that begin in a minute.
    pub max_per_minute: u32,
    /// The most calls out that begin in an hour.
    pub max_per_hour: u32,
    /// The most calls to one number that begin in an hour.
    pub max_per_number: u32,
    /// What all calls out may cost in a day, by the clock of the server: `"20 EUR"`. Beyond it they
    /// are refused, and those that are up end with the minute that is paid.
    pub daily_budget: Option<Money>,
    /// How many minutes all calls out may last in a day, together.
    pub daily_minutes: Option<u32>,
    /// What a minute costs by number: `{ "+49*" = "0.01 EUR/min" }`. The most exact pattern counts;
    /// a number that none fits is taken to cost 1 a minute.
    pub rates: BTreeMap<String, Rate>,
}

/// A class of numbers that cost more than others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CostClass {
    /// The called party earns: 0900, 0137 and the like.
    Premium,
    /// Dearer than it looks: 0180 and the like.
    Shared,
    /// Satellites and networks without a country.
    Satellite,
    /// Countries that stolen lines are made to call.
    Fraud,
}

/// Whether something may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Permission {
    /// It may not.
    #[default]
    Deny,
    /// It may.
    Allow,
}

impl Default for PrivacySecurity {
    fn default() -> Self {
        let mask_in_logs = vec![Kind::PhoneNumber, Kind::Iban, Kind::Card, Kind::Email];
        Self { mask: Vec::new(), mask_in_logs, ai_disclosure: true }
    }
}

impl Default for MaxInvites {
    fn default() -> Self {
        Self { per_ip: Frequency { per_second: 10.0 }, burst: 20 }
    }
}

impl Default for KeyRate {
    fn default() -> Self {
        Self { rate: Frequency { per_second: 50.0 }, burst: 200 }
    }
}

impl Default for Ban {
    fn default() -> Self {
        let (within, lasts) = (Duration::from_secs(60), Duration::from_secs(3_600));
        Self { after: 10, within, lasts }
    }
}

impl Default for OutboundSecurity {
    fn default() -> Self {
        use CostClass::{Fraud, Premium, Satellite, Shared};
        Self {
            allow_countries: Vec::new(),
            allow: Vec::new(),
            deny: vec![Premium, Shared, Satellite, Fraud],
            emergency: Permission::Deny,
            max_calls: 20,
            max_per_minute: 30,
            max_per_hour: 300,
            max_per_number: 20,
            daily_budget: None,
            daily_minutes: None,
            rates: BTreeMap::new(),
        }
    }
}
