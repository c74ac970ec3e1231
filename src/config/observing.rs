//! What operators see of the server: `[log]`, `[metrics]` and `[hep]`.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::base::secret::Secret;

/// `[log]`: what is logged.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// `error`, `warn`, `info`, `debug`, `trace`, or by room: `info,voxtrunk::sip=debug`.
    pub level: String,
    /// How lines look.
    pub format: LogFormat,
}

/// `[metrics]`: what is counted, for those who watch over the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Metrics {
    /// Whether `/metrics` tells it as Prometheus reads it: at `[http.admin]`, and with a key at `[http]`.
    pub prometheus: bool,
}

impl Default for Metrics {
    fn default() -> Self {
        Self { prometheus: true }
    }
}

/// How lines of the log look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Pretty on a terminal, JSON otherwise.
    #[default]
    Auto,
    /// For people.
    Pretty,
    /// For machines.
    Json,
}

/// `[hep]`: every message of SIP is told to a collector that reads HEP 3, as HOMER, heplify or Kamailio's
/// sipcapture do: without passwords, keys of media and pressed keys. It goes unencrypted.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hep {
    /// Where it is: `udp://homer.internal:9060`.
    pub collector: String,
    /// The number by which it knows this server.
    #[serde(default = "usual_id")]
    pub capture_id: u32,
    /// What it asks for, if it does.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub password: Option<Secret>,
}

impl Hep {
    /// The host and port of the collector.
    pub fn place(&self) -> Option<(&str, u16)> {
        let rest = self.collector.strip_prefix("udp://")?;
        let (host, port) = match rest.parse::<IpAddr>() {
            Ok(_) => (rest, USUAL_PORT),
            Err(_) => match rest.rsplit_once(':') {
                Some((host, port)) => (host, port.parse().ok().filter(|port| *port > 0)?),
                None => (rest, USUAL_PORT),
            },
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let is_name = |it: u8| it.is_ascii_alphanumeric() || b".-_:".contains(&it);
        (!host.is_empty() && host.bytes().all(is_name)).then_some((host, port))
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: LogFormat::Auto }
    }
}

fn usual_id() -> u32 {
    2_001
}

/// Where collectors listen.
const USUAL_PORT: u16 = 9_060;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collector_is_a_host_and_a_port() {
        let place = |text: &str| {
            let hep: Hep = toml::from_str(&format!("collector = {text:?}")).expect("settings");
            hep.place().map(|(host, port)| format!("{host} {port}"))
        };
        for (text, found) in [
            ("udp://homer.internal:9060", Some("homer.internal 9060")),
            ("udp://10.0.0.9", Some("10.0.0.9 9060")),
            ("udp://[2001:db8::1]:9061", Some("2001:db8::1 9061")),
            ("udp://2001:db8::1", Some("2001:db8::1 9060")),
            ("tcp://homer.internal:9060", None),
            ("homer.internal:9060", None),
            ("udp://", None),
            ("udp://:9060", None),
            ("udp://homer:0", None),
            ("udp://homer:99999", None),
            ("udp://homer/x", None),
        ] {
            assert_eq!(place(text).as_deref(), found, "{text}");
        }
    }
}
