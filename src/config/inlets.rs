//! Doors for calls that come without SIP: `[audiosocket]`, `[http.twilio]` and `[http.web_calls]`; and
//! for programs that were written for others: `[http.vapi]`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use schemars::JsonSchema;
use serde::Deserialize;

use crate::base::network::Network;
use crate::base::schema::OneOrMany;
use crate::base::secret::Secret;
use crate::base::units::parsed;
use crate::config::webhook::secrets;

/// `[audiosocket]`: an Asterisk brings calls by `AudioSocket(…)`, each in a TCP connection. Routes see
/// them as calls by a trunk `audiosocket`, to the UUID that the dialplan of the Asterisk gives.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AudioSocket {
    /// Address and port.
    #[serde(deserialize_with = "parsed")]
    pub bind: SocketAddr,
    /// Who may connect: there is no password, and nothing is hidden. Without it, this machine.
    pub allow: Vec<Network>,
}

/// `[http.twilio]`: Twilio brings calls by `<Connect><Stream>`, to `/v1/streams/twilio`. Routes see
/// them as calls by a trunk `twilio`, to the `<Parameter>` named `to`, or else `agent`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Twilio {
    /// The address as it stands in the TwiML: `wss://voice.example.com/v1/streams/twilio`. It is
    /// what Twilio signs.
    pub url: String,
    /// What it is signed with: the auth token of the account.
    #[schemars(with = "String")]
    pub auth_token: Secret,
}

/// `[http.web_calls]`: pages call agents by WebRTC, without a key: our own at `/call/AGENT`, and those
/// of other sites that are named.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WebCalls {
    /// The agents that may be called.
    pub agents: Vec<String>,
    /// The other sites whose pages may call them, as `https://www.example.com`.
    #[serde(default)]
    pub origins: Vec<String>,
    /// How many calls may be up at once.
    #[serde(default = "twenty")]
    pub max_calls: usize,
}

/// `[http.openai]`: OpenAI's realtime models take calls by SIP, as agents of ours: `to = "openai:AGENT"`.
/// OpenAI says at `/v1/openai/calls` that a call has come; whoever wants to be led by us is led.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenAi {
    /// The project at OpenAI: `proj_` and letters.
    pub project: String,
    /// What its webhooks are signed with: `whsec_` and base64. While it is changed, a list of two.
    #[serde(deserialize_with = "secrets")]
    #[schemars(with = "OneOrMany<String>")]
    pub secret: Vec<Secret>,
    /// Where it is called, when that is not OpenAI's own place: a SIP URI without a user.
    pub sip: Option<String>,
}

impl OpenAi {
    /// Where it is called.
    pub fn uri(&self) -> String {
        let place = self.sip.as_deref().unwrap_or(OPENAI);
        let place = place.strip_prefix("sip:").unwrap_or(place);
        format!("sip:{}@{place}", self.project)
    }
}

/// Where OpenAI's realtime models are called.
const OPENAI: &str = "sip:sip.api.openai.com;transport=tls";

/// `[http.vapi]`: programs that were written for Vapi work with `/vapi` here as their address:
/// assistants, squads, tools, phone numbers and calls. What they make is `vapi.toml` among the
/// dialplans.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Vapi {
    /// Whether assistants work by the engines of this machine, whichever vendors they name.
    pub local: bool,
}

fn twenty() -> usize {
    20
}

impl Default for AudioSocket {
    fn default() -> Self {
        let own: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        Self {
            bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 9092)),
            allow: own.map(Network::only).to_vec(),
        }
    }
}
