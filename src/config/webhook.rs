//! Who is told what happens, as it stands under `[webhooks.NAME]`.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use crate::base::schema::OneOrMany;
use crate::base::secret::{ExposeSecret, Secret};
use crate::base::units;

/// `[webhooks.NAME]`: somebody who is told what happens, by HTTP.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// Where it is told: `https://crm.example.com/hooks/voice`.
    pub url: String,
    /// What it proves us by: `whsec_` and base64; while it is changed, a list of two, and both sign.
    /// With `format = "vapi"` any text, which is sent as `X-Vapi-Secret`; with `format = "retell"`
    /// the API key by which `X-Retell-Signature` is made.
    #[serde(default, deserialize_with = "secrets")]
    #[schemars(with = "OneOrMany<String>")]
    pub secret: Vec<Secret>,
    /// What it is told: `call.ended`, `call.*`. The names are ours in every format; what they are
    /// called there stands in the table of `format`.
    pub events: Vec<String>,
    /// In which form: `standard`, `vapi` or `retell`.
    #[serde(default)]
    pub format: Format,
    /// How long an answer is waited for.
    #[serde(default = "usual_timeout", deserialize_with = "units::duration")]
    pub timeout: Duration,
    /// How long is waited before each further attempt; after the last one an event is given up.
    #[serde(default = "usual_pauses")]
    pub retry: Vec<Pause>,
}

/// The form in which somebody is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Standard Webhooks: our events as they are.
    #[default]
    Standard,
    /// As Vapi tells its servers: `{"message":{"type":"status-update",…}}`. `call.ringing`,
    /// `call.started` and `call.ended` are `status-update`, `call.ended` is `end-of-call-report` too,
    /// `transcript.updated` is `transcript`, `user-interrupted` and `conversation-update`,
    /// `call.transferred` and `agent.handoff` are `transfer-update`, and `provider.failed` is `hang`.
    Vapi,
    /// As Retell tells: `{"event":"call_started","call":{…}}`. `call.started`, `call.ended` and
    /// `call.analyzed` have an underscore there, `transcript.updated` is `transcript_updated`,
    /// `call.transferred` is `transfer_bridged` and `transfer_ended`, `transfer.failed` is
    /// `transfer_cancelled`.
    Retell,
}

impl Format {
    /// As it stands in the settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Vapi => "vapi",
            Self::Retell => "retell",
        }
    }

    /// By its name in the settings.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Standard, Self::Vapi, Self::Retell].into_iter().find(|it| it.name() == name)
    }
}

/// How long is waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(with = "String")]
pub struct Pause(#[serde(deserialize_with = "units::duration")] pub Duration);

impl Webhook {
    /// Whether it is told of this kind of event.
    pub fn wants(&self, kind: &str) -> bool {
        self.events.iter().any(|wanted| fits(wanted, kind))
    }
}

/// Whether a name, or the beginning of one with `*`, means this kind of event.
pub fn fits(wanted: &str, kind: &str) -> bool {
    match wanted.strip_suffix('*') {
        Some(beginning) => kind.starts_with(beginning),
        None => wanted == kind,
    }
}

/// Reads one secret, or a list of them.
///
/// # Errors
/// When it is neither.
pub fn secrets<'de, D: Deserializer<'de>>(source: D) -> Result<Vec<Secret>, D::Error> {
    let texts = units::texts(source)?;
    Ok(texts.into_iter().map(Secret::from).collect())
}

/// The key in the secret of a webhook; `None` when it is none.
pub fn secret_key(secret: &Secret) -> Option<Vec<u8>> {
    let written = secret.expose_secret().strip_prefix(SECRET)?;
    let key = BASE64_STANDARD.decode(written).ok()?;
    (24..=64).contains(&key.len()).then_some(key)
}

/// How the secret of a webhook begins, so that those who look for lost secrets find it.
pub const SECRET: &str = "whsec_";

fn usual_timeout() -> Duration {
    Duration::from_secs(15)
}

/// Those that Standard Webhooks gives as an example: about three days.
fn usual_pauses() -> Vec<Pause> {
    let seconds = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];
    seconds.map(|it| Pause(Duration::from_secs(it))).to_vec()
}

/// All that can happen.
pub const EVENTS: &[&str] = &[
    "agent.handoff",
    "amd.verdict",
    "budget.exceeded",
    "budget.warning",
    "call.analyzed",
    "call.ended",
    "call.ringing",
    "call.started",
    "call.transferred",
    "call.updated",
    "campaign.finished",
    "campaign.row",
    "campaign.started",
    "config.refused",
    "config.reloaded",
    "disclosure.played",
    "events.missed",
    "function.called",
    "phone.gone",
    "phone.registered",
    "provider.degraded",
    "provider.failed",
    "provider.recovered",
    "queue.joined",
    "queue.left",
    "stream.ended",
    "stream.started",
    "transcript.updated",
    "transfer.failed",
    "trunk.down",
    "trunk.registered",
    "trunk.rejected",
    "trunk.unreachable",
    "trunk.unregistered",
    "trunk.up",
    "turn.completed",
    "voicemail.received",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_wants_events_by_name_or_by_their_beginning() {
        let text =
            "url = \"https://a.test\"\nsecret = \"whsec_x\"\nevents = [\"call.*\", \"trunk.up\"]";
        let webhook: Webhook = toml::from_str(text).expect("a webhook");
        assert!(webhook.wants("call.ended") && webhook.wants("trunk.up"));
        assert!(!webhook.wants("trunk.down") && !webhook.wants("calls"));
        assert_eq!((webhook.secret.len(), webhook.retry.len()), (1, 9));
        let days: Duration = webhook.retry.iter().map(|pause| pause.0).sum();
        assert!(days > Duration::from_secs(3 * 86_400));
        let two = text.replace("\"whsec_x\"", "[\"whsec_x\", \"whsec_y\"]");
        assert_eq!(toml::from_str::<Webhook>(&two).expect("a webhook").secret.len(), 2);
        assert!(toml::from_str::<Webhook>(&format!("{text}\nretry = [5]")).is_err());
    }
}
