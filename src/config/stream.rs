//! Audio WebSockets, as they stand under `[streams.NAME]`: who hears and speaks there.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::base::destination::Destination;
use crate::base::secret::Secret;
use crate::base::units;

/// `[streams.NAME]`: somebody behind a WebSocket who hears the caller and speaks with it. Routes
/// go there by `stream:NAME`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stream {
    /// Where it is: `wss://bot.example.com/ws`.
    pub url: String,
    /// In which form audio and the rest are written.
    #[serde(default)]
    pub format: Format,
    /// Samples in a second, where the form leaves a choice: 8000, 16000, 24000 or 48000.
    #[serde(default = "usual_rate")]
    pub sample_rate: u32,
    /// What it is told of the call when it begins, by name: templates.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
    /// Headers of the handshake, by name.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub headers: BTreeMap<String, Secret>,
    /// The account in whose name we speak: `accountSid`.
    #[serde(default)]
    pub account_sid: Option<String>,
    /// What the handshake is signed with: `X-Twilio-Signature`.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub auth_token: Option<Secret>,
    /// What is heard there of calls that only fork to it.
    #[serde(default)]
    pub tracks: Tracks,
    /// How long opening may take; meanwhile it rings.
    #[serde(default = "usual_connect_timeout", deserialize_with = "units::duration")]
    pub connect_timeout: Duration,
    /// How long it may not answer when it is asked whether it is there.
    #[serde(default = "usual_timeout", deserialize_with = "units::duration")]
    pub timeout: Duration,
    /// How much of what it says may wait to be heard; who sends more has failed.
    #[serde(default = "usual_buffer", deserialize_with = "units::duration")]
    pub buffer: Duration,
    /// How long it may have the line.
    #[serde(default = "usual_max_duration", deserialize_with = "units::duration")]
    pub max_duration: Duration,
    /// Where the call goes when it fails and the route does not say.
    #[serde(default, rename = "else")]
    pub otherwise: Option<Destination>,
}

/// In which form audio and the rest are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// Twilio Media Streams: JSON with µ-law at 8 kHz.
    #[default]
    Twilio,
    /// FreeSWITCH's mod_audio_stream: binary samples to it, JSON from it.
    AudioStream,
    /// FreeSWITCH's mod_audio_fork: binary samples to it, JSON from it.
    AudioFork,
    /// The `listen` of jambonz: JSON first, then binary samples both ways.
    Jambonz,
    /// Binary samples both ways, and nothing else.
    Raw,
}

/// What is heard of a call by whoever only listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Tracks {
    /// The caller and what it hears: two tracks, or two channels.
    #[default]
    Both,
    /// The caller alone.
    Caller,
}

fn usual_rate() -> u32 {
    16_000
}

fn usual_connect_timeout() -> Duration {
    Duration::from_secs(5)
}

fn usual_timeout() -> Duration {
    Duration::from_secs(15)
}

fn usual_buffer() -> Duration {
    Duration::from_secs(120)
}

fn usual_max_duration() -> Duration {
    Duration::from_secs(3_600)
}
