//! One who is told what happens: where, of what, and how it knows that it is us.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ring::hmac;

use crate::base::secret::Secret;
use crate::config::webhook::secret_key;
use crate::config::webhook::{self, Webhook};
use crate::net::web::{Answered, Asking, Web, WebError};

/// One who is told what happens.
#[derive(Clone)]
pub struct Endpoint {
    /// Its name in the settings.
    pub name: Arc<str>,
    /// Where it is.
    pub url: String,
    /// Of what it is told.
    pub events: Vec<String>,
    /// How long is waited before each further attempt.
    pub pauses: Vec<Duration>,
    keys: Vec<hmac::Key>,
    timeout: Duration,
}

/// What is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    /// The identity of the event.
    pub id: &'a str,
    /// The event, in JSON.
    pub body: &'a str,
    /// When it is told, since the Unix epoch.
    pub at: Duration,
}

impl Endpoint {
    /// Takes what the settings say.
    pub fn new(name: &str, webhook: &Webhook) -> Self {
        let keys = webhook.secret.iter().filter_map(secret_key);
        Self {
            name: name.into(),
            url: webhook.url.clone(),
            events: webhook.events.clone(),
            pauses: webhook.retry.iter().map(|pause| pause.0).collect(),
            keys: keys.map(|key| hmac::Key::new(hmac::HMAC_SHA256, &key)).collect(),
            timeout: webhook.timeout,
        }
    }

    /// Whether it is told of this kind of event.
    pub fn wants(&self, kind: &str) -> bool {
        self.events.iter().any(|wanted| webhook::fits(wanted, kind))
    }

    /// Tells it, once.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn tell(&self, message: &Message<'_>, web: &Web) -> Result<Answered, WebError> {
        let headers = [
            ("content-type", "application/json".to_owned()),
            ("webhook-id", message.id.to_owned()),
            ("webhook-timestamp", message.at.as_secs().to_string()),
            ("webhook-signature", self.signature(message)),
        ];
        let headers = headers.map(|(name, value)| (name.to_owned(), Secret::from(value)));
        let asking = Asking {
            method: "POST",
            url: self.url.clone(),
            headers: headers.to_vec(),
            body: message.body.as_bytes().to_vec(),
            timeout: self.timeout,
        };
        web.ask(asking).await
    }

    /// A signature with each key, as Standard Webhooks has them.
    fn signature(&self, message: &Message<'_>) -> String {
        let text = format!("{}.{}.{}", message.id, message.at.as_secs(), message.body);
        let sign = |key: &hmac::Key| {
            format!("v1,{}", BASE64_STANDARD.encode(hmac::sign(key, text.as_bytes())))
        };
        self.keys.iter().map(sign).collect::<Vec<_>>().join(" ")
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("name", &self.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_signed_as_the_standard_shows() {
        // The example of the libraries of Standard Webhooks.
        let text = "url = \"https://a.test\"\nevents = [\"*\"]\n\
                    secret = \"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"";
        let webhook: Webhook = toml::from_str(text).expect("a webhook");
        let endpoint = Endpoint::new("crm", &webhook);
        let message = Message {
            id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
            body: r#"{"test": 2432232314}"#,
            at: Duration::from_secs(1_614_265_330),
        };
        let expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(endpoint.signature(&message), expected);
        assert_eq!(format!("{endpoint:?}"), "Endpoint { name: \"crm\", .. }");
    }
}
