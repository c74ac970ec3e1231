//! The plan: routes in order. Keys of a route must all fit, values of a key are alternatives, and
//! the first route that fits takes the call.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{self, Deserializer};

use crate::base::attestation::Attested;
use crate::base::destination::Destination;
use crate::base::schema::{Either, OneOrMany};
use crate::base::template::{self, Variables};
use crate::base::units;
use crate::base::zone::Zone;
use crate::dialplan::hours::Hours;
use crate::dialplan::index::Index;
use crate::dialplan::list::{Many, one_or_many};
use crate::dialplan::outbound::Outbound;
use crate::dialplan::pattern::{Match, NumberList};
use crate::dialplan::when::When;

/// Every route, in the order in which they are tried.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// The routes.
    pub routes: Vec<Route>,
    /// Opening hours by name.
    pub hours: BTreeMap<String, Hours>,
    /// Where the clock of the server hangs.
    pub zone: Zone,
    /// Which routes a number may take, once all are there.
    pub(super) index: Option<Index>,
    /// The ways out, in the order in which they are tried.
    pub outbound: Vec<Outbound>,
}

/// One route, as it stands under `[[route]]`. A key without a value fits every call.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// What people call it.
    #[serde(default)]
    pub name: Option<String>,
    /// The number called.
    #[serde(default, deserialize_with = "one_or_many")]
    #[schemars(with = "OneOrMany<Match>")]
    pub did: Vec<Match>,
    /// The number calling.
    #[serde(default, deserialize_with = "one_or_many")]
    #[schemars(with = "OneOrMany<Match>")]
    pub caller: Vec<Match>,
    /// The extension called: the number exactly as it was dialled.
    #[serde(default, deserialize_with = "one_or_many")]
    #[schemars(with = "OneOrMany<Match>")]
    pub ext: Vec<Match>,
    /// When it holds; without it, always.
    #[serde(default, deserialize_with = "one_or_many")]
    #[schemars(with = "OneOrMany<When>")]
    pub when: Vec<When>,
    /// The trunk that the call came from, by name.
    #[serde(default, deserialize_with = "one_or_many")]
    #[schemars(with = "OneOrMany<String>")]
    pub trunk: Vec<String>,
    /// The context of that trunk.
    #[serde(default, deserialize_with = "one_or_many")]
    #[schemars(with = "OneOrMany<String>")]
    pub context: Vec<String>,
    /// How far somebody whom we believe vouches for the number calling: `A`, `B`, `C` or `none`.
    #[serde(default, deserialize_with = "one_or_many")]
    #[schemars(with = "OneOrMany<Attested>")]
    pub attestation: Vec<Attested>,
    /// The tenant whose call it is, by name.
    #[serde(default, deserialize_with = "one_or_many")]
    #[schemars(with = "OneOrMany<String>")]
    pub tenant: Vec<String>,
    /// Whether the caller withholds its number.
    #[serde(default)]
    pub anonymous: Option<bool>,
    /// Headers of the INVITE: `header.X-Customer = "gold*"`.
    #[serde(default, deserialize_with = "patterns")]
    #[schemars(with = "BTreeMap<String, OneOrMany<Match>>")]
    pub header: BTreeMap<String, Vec<Match>>,
    /// How it goes to `sip:` and `tel:` addresses.
    #[serde(default)]
    pub how: How,
    /// Where the call goes. Several are called at once, and the first to answer has the call.
    #[serde(deserialize_with = "one_or_many")]
    #[schemars(with = "OneOrMany<Destination>")]
    pub to: Vec<Destination>,
    /// How often each of `to` takes the call alone: `[80, 20]`. A caller always comes to the same.
    #[serde(default)]
    pub weights: Vec<u32>,
    /// How long it rings there; without it, half a minute.
    #[serde(default, deserialize_with = "units::optional_duration")]
    pub ring: Option<Duration>,
    /// How long a `webhook:` of `to` may take to say where the call goes, at most 10 s; without it,
    /// 3 s. The caller hears ringing meanwhile.
    #[serde(default, deserialize_with = "units::optional_duration")]
    pub timeout: Option<Duration>,
    /// Where the call goes when nobody answers, all are busy or none can be reached; several are
    /// tried one after the other.
    #[serde(default, rename = "else", deserialize_with = "one_or_many")]
    #[schemars(with = "OneOrMany<Destination>")]
    pub otherwise: Vec<Destination>,
    /// Whether the call is recorded; without it, as the agent says.
    #[serde(default)]
    pub record: Option<bool>,
    /// The stream that listens to the call, by name.
    #[serde(default)]
    pub fork: Option<String>,
    /// Variables for the templates of the agent.
    #[serde(default, deserialize_with = "variables")]
    #[schemars(with = "BTreeMap<String, Either<String, Either<f64, bool>>>")]
    pub set: Variables,
    /// Further headers of the INVITEs to whom the call goes, such as `X-Customer`: templates by
    /// name.
    #[serde(default, deserialize_with = "headers")]
    #[schemars(with = "BTreeMap<String, Either<String, Either<f64, bool>>>")]
    pub headers: Variables,
}

/// How a call goes to `sip:` and `tel:` addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum How {
    /// We call there and connect both.
    #[default]
    Dial,
    /// The caller is told to call there itself: 302 (RFC 3261 21.3.3).
    Redirect,
}

/// A key of a route that a call is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Key {
    /// The number called.
    Did,
    /// The number calling.
    Caller,
    /// The extension called.
    Ext,
    /// The trunk.
    Trunk,
    /// The context.
    Context,
    /// How far somebody vouches for the number calling.
    Attestation,
    /// The tenant.
    Tenant,
    /// Whether the number calling is withheld.
    Anonymous,
    /// Headers.
    Header,
    /// The time.
    When,
}

impl Plan {
    /// A plan of these routes alone.
    pub fn of(routes: Vec<Route>) -> Self {
        let mut plan = Self { routes, ..Self::default() };
        plan.index();
        plan
    }

    /// Tells the patterns of all routes what their lists hold, and makes the index. Called once,
    /// when everything is there.
    pub fn complete(&mut self, lists: &BTreeMap<String, Arc<NumberList>>) {
        for route in &mut self.routes {
            for pattern in route.did.iter_mut().chain(&mut route.caller).chain(&mut route.ext) {
                let list = pattern.list().and_then(|name| lists.get(name)).cloned();
                list.into_iter().for_each(|list| pattern.hold(list));
            }
        }
        self.index();
    }

    fn index(&mut self) {
        self.index = Some(Index::of(self.routes.iter().map(|route| route.did.as_slice())));
    }
}

impl Route {
    /// The route that sends every call to `to`.
    pub fn to(to: Destination) -> Self {
        Self {
            name: None,
            did: Vec::new(),
            caller: Vec::new(),
            ext: Vec::new(),
            when: Vec::new(),
            trunk: Vec::new(),
            context: Vec::new(),
            attestation: Vec::new(),
            tenant: Vec::new(),
            anonymous: None,
            header: BTreeMap::new(),
            how: How::Dial,
            to: vec![to],
            weights: Vec::new(),
            ring: None,
            timeout: None,
            otherwise: Vec::new(),
            record: None,
            fork: None,
            set: Variables::new(),
            headers: Variables::new(),
        }
    }

    /// Whether every call fits.
    pub fn takes_everything(&self) -> bool {
        let everything = |patterns: &[Match]| {
            patterns.is_empty() || patterns.iter().any(|pattern| pattern.text() == "*")
        };
        [&self.did, &self.caller, &self.ext].into_iter().all(|patterns| everything(patterns))
            && self.trunk.is_empty()
            && self.context.is_empty()
            && self.when.is_empty()
            && self.attestation.is_empty()
            && self.tenant.is_empty()
            && self.anonymous.is_none()
            && self.header.is_empty()
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Did => "did",
            Self::Caller => "caller",
            Self::Ext => "ext",
            Self::Trunk => "trunk",
            Self::Context => "context",
            Self::Attestation => "attestation",
            Self::Tenant => "tenant",
            Self::Anonymous => "anonymous",
            Self::Header => "header",
            Self::When => "when",
        })
    }
}

/// Takes a table of patterns, one or several for each name.
fn patterns<'de, D: Deserializer<'de>>(
    source: D,
) -> Result<BTreeMap<String, Vec<Match>>, D::Error> {
    let patterns = BTreeMap::<String, Many<Match>>::deserialize(source)?;
    Ok(patterns.into_iter().map(|(name, values)| (name, values.0)).collect())
}

/// Takes a table of texts, numbers and truth values, and keeps them as texts.
pub(super) fn variables<'de, D: Deserializer<'de>>(source: D) -> Result<Variables, D::Error> {
    struct Plain(String);
    struct Visitor;

    impl de::Visitor<'_> for Visitor {
        type Value = Plain;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a text, a number, true or false")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Plain, E> {
            Ok(Plain(text.to_owned()))
        }

        fn visit_i64<E: de::Error>(self, number: i64) -> Result<Plain, E> {
            Ok(Plain(number.to_string()))
        }

        fn visit_f64<E: de::Error>(self, number: f64) -> Result<Plain, E> {
            Ok(Plain(number.to_string()))
        }

        fn visit_bool<E: de::Error>(self, truth: bool) -> Result<Plain, E> {
            Ok(Plain(truth.to_string()))
        }
    }

    impl<'de> Deserialize<'de> for Plain {
        fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
            source.deserialize_any(Visitor)
        }
    }

    let plain = std::collections::BTreeMap::<String, Plain>::deserialize(source)?;
    Ok(plain.into_iter().map(|(name, value)| (name, value.0)).collect())
}

/// Headers that a route may add: those of its own, and those that tell of a call and change
/// nothing.
fn headers<'de, D: Deserializer<'de>>(source: D) -> Result<Variables, D::Error> {
    let headers = variables(source)?;
    for (name, text) in &headers {
        let is_own = name.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("x-"));
        let is_known = HEADERS.iter().any(|known| known.eq_ignore_ascii_case(name));
        let is_token = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !(is_own || is_known) || !is_token {
            let known = HEADERS.join(", ");
            let why = format!("`{name}` is not for routes: X-headers are, and {known}");
            return Err(de::Error::custom(why));
        }
        template::render(text, &Variables::new()).map_err(de::Error::custom)?;
    }
    Ok(headers)
}

/// Headers that a route may add beside those that begin with X-.
const HEADERS: [&str; 5] = ["Subject", "Alert-Info", "Call-Info", "Priority", "User-to-User"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_adds_headers_that_change_nothing() {
        let read = |name: &str, text: &str| {
            let route = serde_json::json!({ "to": "busy", "headers": { name: text } });
            serde_json::from_value::<Route>(route).map(|route| route.headers)
        };
        assert_eq!(read("X-Customer", "{{ company }}").expect("its own").len(), 1);
        assert_eq!(read("subject", "tyres").expect("it tells only").len(), 1);
        assert!(read("Via", "evil").is_err());
        assert!(read("X-A: b", "evil").is_err());
        assert!(read("X-Customer", "{{ company").is_err());
    }

    #[test]
    fn a_route_without_keys_takes_everything() {
        let mut route = Route::to(Destination::Busy);
        assert!(route.takes_everything());
        route.did = vec!["*".parse().expect("a pattern")];
        assert!(route.takes_everything());
        route.trunk = vec!["carrier".to_owned()];
        assert!(!route.takes_everything());
    }
}
