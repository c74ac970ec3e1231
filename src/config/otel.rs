//! `[otel]`: who collects calls as traces.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::base::secret::Secret;

/// `[otel]`: each call is told as a trace of OpenTelemetry to a collector that takes OTLP.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Otel {
    /// Where it is: `http://127.0.0.1:4317`. With `http/protobuf`, `/v1/traces` is added.
    pub endpoint: String,
    /// How it is spoken to.
    #[serde(default)]
    pub protocol: Protocol,
    /// What it asks for, such as `authorization`.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub headers: BTreeMap<String, Secret>,
    /// Whether it is told numbers, what was said, and what tools were given: personal data, in attributes
    /// that begin with `voxtrunk.pii.`.
    #[serde(default)]
    pub content: bool,
    /// How many of the calls it is told, from 0 to 1. Calls that others begin within a trace are told as that
    /// trace says, unless this is 0.
    #[serde(default = "all")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub sample: f64,
    /// The name by which it knows this server.
    #[serde(default = "usual_name")]
    pub service_name: String,
}

/// How a collector is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
pub enum Protocol {
    /// By gRPC, usually at port 4317.
    #[default]
    #[serde(rename = "grpc")]
    Grpc,
    /// By HTTP, usually at port 4318.
    #[serde(rename = "http/protobuf")]
    Http,
}

impl Protocol {
    /// The name in the settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::Http => "http/protobuf",
        }
    }

    /// The port at which collectors that speak it usually listen.
    pub fn usual_port(self) -> u16 {
        match self {
            Self::Grpc => 4_317,
            Self::Http => 4_318,
        }
    }
}

impl Otel {
    /// Whether it is spoken to by TLS, its host and its port: with a scheme and a host, and neither a user nor
    /// a query.
    pub fn place(&self) -> Option<(bool, &str, u16)> {
        let (scheme, rest) = self.endpoint.split_once("://")?;
        let is_secure = match scheme {
            "http" => false,
            "https" => true,
            _ => return None,
        };
        if rest.contains(['?', '#', '@'])
            || rest.chars().any(|it| it.is_whitespace() || it.is_control())
        {
            return None;
        }
        let authority = rest.split('/').next().unwrap_or_default();
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']')?;
                (host, port)
            }
            None => authority.find(':').map_or((authority, ""), |at| authority.split_at(at)),
        };
        let usual = if is_secure { 443 } else { 80 };
        let port = match port.strip_prefix(':') {
            Some(port) => port.parse().ok().filter(|port| *port > 0)?,
            None if port.is_empty() => usual,
            None => return None,
        };
        (!host.is_empty()).then_some((is_secure, host, port))
    }
}

fn all() -> f64 {
    1.0
}

fn usual_name() -> String {
    "voxtrunk".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collector_has_a_scheme_a_host_and_a_port() {
        let place = |text: &str| {
            let otel: Otel = toml::from_str(&format!("endpoint = {text:?}")).expect("settings");
            otel.place().map(|(is_secure, host, port)| format!("{is_secure} {host} {port}"))
        };
        for (text, found) in [
            ("http://127.0.0.1:4317", Some("false 127.0.0.1 4317")),
            ("https://otlp.example.com/otlp", Some("true otlp.example.com 443")),
            ("http://[::1]:4318/", Some("false ::1 4318")),
            ("http://localhost", Some("false localhost 80")),
            ("127.0.0.1:4317", None),
            ("grpc://127.0.0.1:4317", None),
            ("http://", None),
            ("http://:4317", None),
            ("http://a:0", None),
            ("http://a:99999", None),
            ("http://[::1]x", None),
            ("http://user@a:4317", None),
            ("http://a b", None),
            ("http://a/?key=1", None),
        ] {
            assert_eq!(place(text).as_deref(), found, "{text}");
        }
    }
}
