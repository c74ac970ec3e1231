//! What the operator wants of an audio WebSocket.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use reqwest::Url;
use ring::hmac;

use crate::audio::frame::Rate;
use crate::base::secret::{ExposeSecret, Secret};
use crate::providers::error::ProviderError;
use crate::providers::websocket::Dial;

/// In which form audio goes over a WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Twilio Media Streams: JSON with µ-law at 8 kHz.
    Twilio,
    /// FreeSWITCH's mod_audio_stream: binary samples up, JSON down.
    AudioStream,
    /// FreeSWITCH's mod_audio_fork: binary samples up, JSON down.
    AudioFork,
    /// The `listen` of jambonz: JSON first, then binary samples both ways.
    Jambonz,
    /// Binary samples both ways, and nothing else.
    Raw,
}

/// An audio WebSocket, as the operator describes it.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Its name in the configuration.
    pub name: String,
    /// Where it is: `ws://` or `wss://`.
    pub url: String,
    /// In which form.
    pub format: Format,
    /// The rate of the samples, where the form leaves a choice.
    pub rate: Rate,
    /// Headers of the handshake.
    pub headers: BTreeMap<String, Secret>,
    /// The account in whose name we speak.
    pub account: String,
    /// What the handshake is signed with, if it is.
    pub token: Option<Secret>,
    /// Whether a listener hears both sides of a call, or the caller alone.
    pub both: bool,
    /// How long opening may take.
    pub connect_timeout: Duration,
    /// How long it may not answer when it is asked whether it is there.
    pub timeout: Duration,
    /// How much may wait to be heard.
    pub buffer: Duration,
    /// How long it may have the line.
    pub max_duration: Duration,
}

impl Settings {
    /// How it is opened.
    ///
    /// # Errors
    /// When the address is none.
    pub fn dial(&self) -> Result<Dial, ProviderError> {
        let wrong = |_| ProviderError::lasting(&self.name, "`url` is no address");
        let url = Url::parse(&self.url).map_err(wrong)?;
        let shown = |secret: &Secret| Secret::from(secret.expose_secret().to_owned());
        let named = self.headers.iter().map(|(name, value)| (name.clone(), shown(value)));
        let mut headers: Vec<(String, Secret)> = named.collect();
        if let Some(token) = &self.token {
            headers.push((SIGNATURE.to_owned(), signature(&self.url, token).into()));
        }
        Ok(Dial { provider: self.name.clone(), url, headers })
    }
}

/// The signature of a handshake: HMAC-SHA1 of the address as it is written, in base64.
pub fn signature(url: &str, token: &Secret) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, token.expose_secret().as_bytes());
    BASE64_STANDARD.encode(hmac::sign(&key, url.as_bytes()))
}

/// Where the signature stands.
pub const SIGNATURE: &str = "X-Twilio-Signature";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handshake_is_signed_by_its_address() {
        // RFC 2202 3, the second case, as a key and a text.
        let signed = signature("what do ya want for nothing?", &Secret::from("Jefe".to_owned()));
        assert_eq!(signed, "7/zfauXrL6LSdBbV8YTfnCWafHk=");
    }
}
