//! The HTTP door, as it stands under `[http]`.

use std::net::{Ipv4Addr, SocketAddr};

use schemars::JsonSchema;
use serde::Deserialize;

use crate::base::units::parsed;
use crate::config::inlets::{OpenAi, Twilio, Vapi, WebCalls};

/// `[http]`: where programs ask the running server by HTTP. Without this table nobody listens.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Http {
    /// Address and port.
    #[serde(deserialize_with = "parsed")]
    pub bind: SocketAddr,
    /// How this door is reached from outside, such as `https://voice.example.com`: what others are
    /// told of calls leads there, to recordings and orders.
    pub public_url: Option<String>,
    /// The name of the certificate, a table `[tls.NAME]`; without it, there is no TLS.
    pub tls: Option<String>,
    /// Whether `/openapi.json` tells everybody what can be asked.
    pub api_docs: bool,
    /// The sites whose pages may ask with a key or a ticket, as `https://app.example.com`.
    pub cors: Vec<String>,
    /// A second door for those who watch over the server.
    pub admin: Option<HttpAdmin>,
    /// Where Twilio brings calls, if it may.
    pub twilio: Option<Twilio>,
    /// Who may be called by pages, if anybody may.
    pub web_calls: Option<WebCalls>,
    /// Where OpenAI says that a call has come to its models, if they may be called.
    pub openai: Option<OpenAi>,
    /// Whether programs that were written for Vapi are answered.
    pub vapi: Option<Vapi>,
}

/// `[http.admin]`: metrics and health, without a key. Keep it off the internet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HttpAdmin {
    /// Address and port.
    #[serde(deserialize_with = "parsed")]
    pub bind: SocketAddr,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            bind: local(8080),
            public_url: None,
            tls: None,
            api_docs: true,
            cors: Vec::new(),
            admin: None,
            twilio: None,
            web_calls: None,
            openai: None,
            vapi: None,
        }
    }
}

impl Default for HttpAdmin {
    fn default() -> Self {
        Self { bind: local(9090) }
    }
}

/// Whether a text is an origin (RFC 6454 6.1): a scheme and a host, and nothing behind them.
pub fn is_origin(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let is_host = |it: u8| it.is_ascii_alphanumeric() || b".-:[]".contains(&it);
    host.is_some_and(|host| !host.is_empty() && host.bytes().all(is_host))
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_has_nothing_behind_its_host() {
        for origin in ["https://app.example.com", "http://127.0.0.1:3000", "http://[::1]:80"] {
            assert!(is_origin(origin), "{origin}");
        }
        for other in
            ["*", "https://", "app.example.com", "https://a/", "https://*.a", "null", "ws://a"]
        {
            assert!(!is_origin(other), "{other}");
        }
    }
}
