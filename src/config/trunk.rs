//! Trunks, as they stand under `[trunks.NAME]`: carriers, telephone systems, and how to speak with
//! them. A preset fills in what every customer of a carrier writes the same.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de};

use crate::base::country::Country;
use crate::base::money::{Money, Rate};
use crate::base::network::Network;
use crate::base::schema::OneOrMany;
use crate::base::secret::Secret;
use crate::base::units;
use crate::base::units::Frequency;
use crate::config::codec::Codec;
use crate::config::inbound::Inbound;
use crate::config::keys::KeyWay;
use crate::config::srtp::Srtp;
use crate::config::stir::TrunkStir;
use crate::dialplan::pattern::Match;

/// `[trunks.NAME]`: a carrier or a telephone system.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Trunk {
    /// Whose settings are filled in where this table is silent: `voxtrunk preset list`.
    pub preset: Option<String>,
    /// Its address or name, with a port if it has a special one.
    pub host: Option<String>,
    /// The domain in addresses, if it is not the host.
    pub domain: Option<String>,
    /// Our user there.
    pub username: Option<String>,
    /// The user for authentication, if it is another one.
    pub auth_username: Option<String>,
    /// The password.
    #[schemars(with = "Option<String>")]
    pub password: Option<Secret>,
    /// The realms that may ask for the password; without any, those that ask first.
    #[serde(deserialize_with = "units::texts")]
    #[schemars(with = "OneOrMany<String>")]
    pub realm: Vec<String>,
    /// Whether to register; without a word, if there are a user and a password.
    pub register: Option<bool>,
    /// The registrars, if they are not the host, the best first.
    #[serde(deserialize_with = "units::texts")]
    #[schemars(with = "OneOrMany<String>")]
    pub registrars: Vec<String>,
    /// The proxies through which everything goes, the best first.
    #[serde(deserialize_with = "units::texts")]
    #[schemars(with = "OneOrMany<String>")]
    pub outbound_proxy: Vec<String>,
    /// How SIP is carried.
    pub transport: Carrier,
    /// For how long to register.
    #[serde(deserialize_with = "units::optional_duration")]
    pub expires: Option<Duration>,
    /// How often to ask whether it is there: `"30s"`, or `"off"`.
    pub options_ping: Ping,
    /// Whose calls count as calls from it.
    pub inbound: Inbound,
    /// What is different for calls to it.
    pub outbound: Outbound,
    /// The numbers that it may deliver; none means any.
    pub numbers: Vec<Match>,
    /// Where the called number stands, the best place first.
    pub did_from: Vec<DidPlace>,
    /// Where it wants the caller's number.
    pub identity: Identity,
    /// How it writes numbers.
    pub number_format: NumberFormat,
    /// The country of its national numbers, if it is not that of the server.
    pub country: Option<Country>,
    /// Whether its word on the caller is believed (P-Asserted-Identity and the like).
    pub trusted_identity: bool,
    /// The number to call from when nobody says which.
    pub caller_id: Option<String>,
    /// By which ways keys of its callers are heard, if otherwise than `[rtp]` says.
    pub dtmf: Option<Vec<KeyWay>>,
    /// Whether packets are hidden (SRTP), if otherwise than `[rtp]` says.
    pub srtp: Option<Srtp>,
    /// Whose calls it carries, where their numbers do not say it: a table under `[tenants]`.
    pub tenant: Option<String>,
    /// The most calls at once with it, in and out together.
    pub max_calls: Option<u32>,
    /// How many calls it may begin: `"20/s"`.
    #[serde(deserialize_with = "units::optional_parsed")]
    pub max_cps: Option<Frequency>,
    /// The codecs that are spoken with it, the best first; without any, those of `[rtp]`.
    pub codecs: Vec<Codec>,
    /// The trunk that takes its calls when it is down.
    pub failover: Option<String>,
    /// The context that routes see.
    pub context: Option<String>,
    /// Whether its callers are sent elsewhere by REFER, as they are without a word; otherwise, and
    /// when it is refused, we call and connect both.
    pub refer: Option<bool>,
    /// Whether callers must prove their number, and how we prove ours.
    pub stir: TrunkStir,
}

/// What is different for calls to a trunk that does not know us by registration.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Outbound {
    /// Our user there.
    pub username: Option<String>,
    /// The password.
    #[schemars(with = "Option<String>")]
    pub password: Option<Secret>,
    /// The number to call from when nobody says which.
    pub caller_id: Option<String>,
    /// The only numbers that may be called by it, as they are dialled there or in E.164; without
    /// any, those of `[security.outbound]`.
    pub allow: Vec<Match>,
    /// What calls by it may cost in a day: `"10 EUR"`.
    pub daily_budget: Option<Money>,
    /// How many minutes calls by it may last in a day, together.
    pub daily_minutes: Option<u32>,
    /// What a minute by it costs, where that is not what `[security.outbound]` says.
    pub rates: BTreeMap<String, Rate>,
}

/// How SIP is carried to a trunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Carrier {
    /// UDP.
    #[default]
    Udp,
    /// TCP.
    Tcp,
    /// TLS.
    Tls,
}

/// Where the called number stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DidPlace {
    /// The Request-URI.
    RequestUri,
    /// To.
    To,
    /// P-Called-Party-ID.
    PCalledPartyId,
}

/// Where the caller's number is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Identity {
    /// In From.
    #[default]
    From,
    /// In P-Preferred-Identity.
    Ppi,
    /// In P-Asserted-Identity.
    Pai,
    /// In the display name of From.
    FromDisplay,
    /// In Remote-Party-ID.
    Rpid,
}

/// How numbers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
pub enum NumberFormat {
    /// `+4971112345`
    #[default]
    #[serde(rename = "+e164")]
    PlusE164,
    /// `4971112345`
    #[serde(rename = "e164")]
    E164,
    /// `071112345`
    #[serde(rename = "national")]
    National,
    /// `004971112345`
    #[serde(rename = "00")]
    International,
}

/// How often a trunk is asked whether it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema)]
#[schemars(with = "String", extend("pattern" = r"off|[0-9.]+ *(ms|s|m|h|d)"))]
pub enum Ping {
    /// Never.
    Off,
    /// So often.
    Every(Duration),
}

impl Default for Ping {
    fn default() -> Self {
        Self::Every(Duration::from_secs(30))
    }
}

impl Trunk {
    /// Whether we register there.
    pub fn registers(&self) -> bool {
        self.register.unwrap_or(self.username.is_some() && self.password.is_some())
    }

    /// Everybody whose calls count as calls from it by address: those allowed, and the host if it
    /// is written as an address.
    pub fn sources(&self) -> impl Iterator<Item = Network> + '_ {
        let host = self.host.as_deref().and_then(|host| {
            let ip = host.parse::<SocketAddr>().map(|socket| socket.ip());
            ip.or_else(|_| host.trim_matches(['[', ']']).parse()).ok()
        });
        self.inbound.networks().chain(host.map(Network::only))
    }
}

impl<'de> Deserialize<'de> for Ping {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        let text = String::deserialize(source)?;
        if text == "off" {
            return Ok(Self::Off);
        }
        units::parse_duration(&text).map(Self::Every).map_err(de::Error::custom)
    }
}
