//! One who is told what happens: where, of what, and how it knows that it is us.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ring::hmac;

use crate::base::secret::{ExposeSecret, Secret};
use crate::config::webhook::{self, Format, Webhook, secret_key};
use crate::net::web::{Answered, Asking, Web, WebError};
use crate::store::spool::Event;

/// One who is told what happens.
#[derive(Clone)]
pub struct Endpoint {
    /// Its name in the settings.
    pub name: Arc<str>,
    /// Where it is.
    pub url: String,
    /// Of what it is told.
    pub events: Vec<String>,
    /// In which form.
    pub format: Format,
    /// How long is waited before each further attempt.
    pub pauses: Vec<Duration>,
    proof: Proof,
    timeout: Duration,
}

/// What it knows us by.
#[derive(Clone)]
enum Proof {
    /// Signatures of Standard Webhooks, with each of these keys.
    Standard(Vec<hmac::Key>),
    /// This word goes along.
    Word(Secret),
    /// Signatures of Retell, with the API key.
    Retell(hmac::Key),
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
    /// The trace that goes on there (W3C Trace Context), if there is one.
    pub traceparent: Option<&'a str>,
}

impl Endpoint {
    /// Takes what the settings say.
    pub fn new(name: &str, webhook: &Webhook) -> Self {
        let first = || webhook.secret.first().cloned().unwrap_or_default();
        let key = |octets: &[u8]| hmac::Key::new(hmac::HMAC_SHA256, octets);
        let keys = || webhook.secret.iter().filter_map(secret_key).map(|it| key(&it));
        let proof = match webhook.format {
            Format::Standard => Proof::Standard(keys().collect()),
            Format::Vapi => Proof::Word(first()),
            Format::Retell => Proof::Retell(key(first().expose_secret().as_bytes())),
        };
        Self {
            name: name.into(),
            url: webhook.url.clone(),
            events: webhook.events.clone(),
            pauses: webhook.retry.iter().map(|pause| pause.0).collect(),
            format: webhook.format,
            proof,
            timeout: webhook.timeout,
        }
    }

    /// Whether it is told of this kind of event, which goes to one of this name in any case.
    pub fn wants(&self, kind: &str, to: Option<&str>) -> bool {
        to == Some(&*self.name) || self.events.iter().any(|wanted| webhook::fits(wanted, kind))
    }

    /// Whether it is told this event, in these words.
    pub fn is_told(&self, event: &Event) -> bool {
        let format = match event.dialect.as_str() {
            "" => Some(Format::Standard),
            name => Format::named(name),
        };
        format == Some(self.format) && self.wants(&event.kind, event.to.as_deref())
    }

    /// Tells it, once.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn tell(&self, message: &Message<'_>, web: &Web) -> Result<Answered, WebError> {
        web.ask(self.asking(message, self.timeout)).await
    }

    /// What is sent to it, proof and all.
    pub fn asking(&self, message: &Message<'_>, timeout: Duration) -> Asking {
        let headers = [
            ("content-type", "application/json".to_owned()),
            ("webhook-id", message.id.to_owned()),
            ("webhook-timestamp", message.at.as_secs().to_string()),
            self.proof(message),
        ];
        let trace = message.traceparent.map(|it| ("traceparent", it.to_owned()));
        let headers = headers.into_iter().chain(trace);
        let headers = headers.map(|(name, value)| (name.to_owned(), Secret::from(value)));
        Asking {
            method: "POST",
            url: self.url.clone(),
            headers: headers.collect(),
            body: message.body.as_bytes().to_vec(),
            timeout,
        }
    }

    /// The header by which it knows us.
    fn proof(&self, message: &Message<'_>) -> (&'static str, String) {
        match &self.proof {
            Proof::Standard(keys) => ("webhook-signature", standard(keys, message)),
            Proof::Word(word) => ("x-vapi-secret", word.expose_secret().to_owned()),
            Proof::Retell(key) => ("x-retell-signature", retell(key, message)),
        }
    }
}

/// A signature with each key, as Standard Webhooks has them.
fn standard(keys: &[hmac::Key], message: &Message<'_>) -> String {
    let text = format!("{}.{}.{}", message.id, message.at.as_secs(), message.body);
    let sign = |key: &hmac::Key| {
        format!("v1,{}", BASE64_STANDARD.encode(hmac::sign(key, text.as_bytes())))
    };
    keys.iter().map(sign).collect::<Vec<_>>().join(" ")
}

/// A signature of the body and the time, as Retell's client checks it.
fn retell(key: &hmac::Key, message: &Message<'_>) -> String {
    let at = message.at.as_millis();
    let tag = hmac::sign(key, format!("{}{at}", message.body).as_bytes());
    let digest: String = tag.as_ref().iter().map(|it| format!("{it:02x}")).collect();
    format!("v={at},d={digest}")
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
            traceparent: None,
        };
        let expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(endpoint.proof(&message), ("webhook-signature", expected.to_owned()));
        assert_eq!(format!("{endpoint:?}"), "Endpoint { name: \"crm\", .. }");
    }
}
