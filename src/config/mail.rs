//! The server that takes the mails of tools, as it stands under `[mail]`.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::base::secret::Secret;
use crate::base::units;

/// `[mail]`: the server that takes the mails of tools.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mail {
    /// Its host.
    pub host: String,
    /// Its port; without it that of `tls`: 587, 465 or 25.
    #[serde(default)]
    pub port: Option<u16>,
    /// How the connection is hidden.
    #[serde(default)]
    pub tls: Hiding,
    /// Who we are there.
    #[serde(default)]
    pub username: Option<String>,
    /// The password of `username`.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub password: Option<Secret>,
    /// Who the mails are from: `Reception <reception@example.com>`, or the address alone.
    pub from: String,
    /// How long each step of the server may take.
    #[serde(default = "usual_timeout", deserialize_with = "units::duration")]
    pub timeout: Duration,
}

/// How the connection to a mail server is hidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Hiding {
    /// By TLS that begins in the connection; without it nothing is sent (RFC 3207).
    #[default]
    Starttls,
    /// By TLS from the first octet on (RFC 8314).
    Tls,
    /// Not at all.
    None,
}

impl Mail {
    /// Its port.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(match self.tls {
            Hiding::Starttls => 587,
            Hiding::Tls => 465,
            Hiding::None => 25,
        })
    }
}

fn usual_timeout() -> Duration {
    Duration::from_secs(10)
}
