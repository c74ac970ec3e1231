//! `POST /v1/openai/calls`: OpenAI says that a call of ours has come to its models
//! (`realtime.call.incoming`), signed as Standard Webhooks have it. The call is known again by the
//! header that we wrote into its INVITE.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Extension};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ring::hmac;
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::base::id::CallId;
use crate::call::conductor::CALL_HEADER;
use crate::engine::clock;
use crate::engine::entrusted::{Entrusted, Trust};
use crate::server::http::problem::{Code, Problem};
use crate::server::outside;

/// By what OpenAI proves itself.
#[derive(Debug)]
pub struct Settings {
    /// The keys of its signatures: one, or two while it is changed.
    pub keys: Vec<hmac::Key>,
}

/// Takes what OpenAI says.
pub fn pages(entrusted: Entrusted, settings: Settings) -> (Router, Keeper) {
    let (keep, kept) = mpsc::channel(AHEAD);
    let door = Arc::new(Door { keys: settings.keys, entrusted, keep });
    let router = Router::new()
        .route("/v1/openai/calls", post(come))
        .layer(DefaultBodyLimit::max(LARGEST_WORD))
        .layer(Extension(door));
    (router, Keeper { kept })
}

/// Stays with the calls that models outside have.
#[derive(Debug)]
pub struct Keeper {
    kept: mpsc::Receiver<(Trust, String)>,
}

struct Door {
    keys: Vec<hmac::Key>,
    entrusted: Entrusted,
    keep: mpsc::Sender<(Trust, String)>,
}

#[derive(Deserialize)]
struct Word {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    data: Option<Data>,
}

#[derive(Deserialize)]
struct Data {
    call_id: String,
    #[serde(default)]
    sip_headers: Vec<Header>,
}

#[derive(Deserialize)]
struct Header {
    name: String,
    value: String,
}

impl Keeper {
    /// Stays until the stop.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut calls = JoinSet::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                Some((trust, there)) = self.kept.recv() => {
                    calls.spawn(outside::lead(trust, there));
                }
                Some(_) = calls.join_next(), if !calls.is_empty() => {}
            }
        }
    }
}

async fn come(
    Extension(door): Extension<Arc<Door>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    if !is_signed(&door.keys, &headers, &body, clock::since_epoch()) {
        let text = "the signature is not that of the webhook, or it is older than five minutes";
        return Err(Problem::new(Code::Unauthorized, text));
    }
    let word: Word = serde_json::from_slice(&body)
        .map_err(|why| Problem::new(Code::Malformed, format!("this is no event: {why}")))?;
    if word.kind != INCOMING {
        // Whatever else the operator has subscribed to.
        return Ok(StatusCode::NO_CONTENT);
    }
    let nobody = || Problem::new(Code::NotFound, "no call of ours waits for that word");
    let data = word.data.ok_or_else(nobody)?;
    let named = data.sip_headers.iter().find(|it| it.name.eq_ignore_ascii_case(CALL_HEADER));
    let (call, token) = named.and_then(|it| it.value.trim().split_once('.')).ok_or_else(nobody)?;
    let call: CallId = call.parse().map_err(|_| nobody())?;
    let trust = door.entrusted.take(call, token).ok_or_else(nobody)?;
    let full = |_| Problem::new(Code::Unavailable, "too many calls come at once").after(1);
    door.keep.try_send((trust, data.call_id)).map_err(full)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Whether a word is signed by one of the keys, and lately.
fn is_signed(keys: &[hmac::Key], headers: &HeaderMap, body: &[u8], now: Duration) -> bool {
    let header = |name| headers.get(name).and_then(|it| it.to_str().ok());
    let (Some(id), Some(at), Some(signatures)) =
        (header("webhook-id"), header("webhook-timestamp"), header("webhook-signature"))
    else {
        return false;
    };
    let is_fresh = at.parse().is_ok_and(|at| now.as_secs().abs_diff(at) <= OLDEST.as_secs());
    let signed = [id.as_bytes(), b".", at.as_bytes(), b".", body].concat();
    let is_good = |signature: &str| {
        let octets = signature.strip_prefix("v1,").and_then(|it| BASE64_STANDARD.decode(it).ok());
        let octets = octets.unwrap_or_default();
        keys.iter().any(|key| hmac::verify(key, &signed, &octets).is_ok())
    };
    is_fresh && signatures.split(' ').take(MOST_SIGNATURES).any(is_good)
}

/// What a word is called that says that a call has come.
const INCOMING: &str = "realtime.call.incoming";

/// How many calls may come at once.
const AHEAD: usize = 256;

/// The longest word, in octets.
const LARGEST_WORD: usize = 64 * 1_024;

/// How old a signature may be.
const OLDEST: Duration = Duration::from_secs(300);

/// How many signatures are looked at.
const MOST_SIGNATURES: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_signed_lately_counts() {
        // The example of the libraries of Standard Webhooks.
        let octets = BASE64_STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("base64");
        let key = hmac::Key::new(hmac::HMAC_SHA256, &octets);
        let other = hmac::Key::new(hmac::HMAC_SHA256, b"another");
        let (body, at) = (&br#"{"test": 2432232314}"#[..], Duration::from_secs(1_614_265_330));
        let good = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        let headers = |signature: &str| {
            let pairs = [
                ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
                ("webhook-timestamp", "1614265330"),
                ("webhook-signature", signature),
            ];
            let pairs = pairs.map(|(name, value)| {
                (name.parse().expect("a name"), value.parse().expect("a value"))
            });
            pairs.into_iter().collect::<HeaderMap>()
        };
        let keys = [other.clone(), key];
        assert!(is_signed(&keys, &headers(good), body, at));
        assert!(is_signed(&keys, &headers(&format!("v1a,x v1,AAAA {good}")), body, at));
        assert!(!is_signed(&[other], &headers(good), body, at));
        assert!(!is_signed(&keys, &headers(good), b"{}", at));
        assert!(!is_signed(&keys, &headers(good), body, at + OLDEST + Duration::from_secs(1)));
        assert!(!is_signed(&keys, &headers(good), body, at - OLDEST - Duration::from_secs(1)));
        for wrong in ["", "v1,", &good[3..], &good[..40], "v1,AAAA"] {
            assert!(!is_signed(&keys, &headers(wrong), body, at), "{wrong}");
        }
        assert!(!is_signed(&keys, &HeaderMap::new(), body, at));
    }
}
