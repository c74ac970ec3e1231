//! HTTP towards providers: one way to make a client, and what its failures mean.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::header::{HeaderValue, RETRY_AFTER};
use reqwest::{Client, RequestBuilder, Response, StatusCode, redirect};

use crate::base::secret::{ExposeSecret, Secret};
use crate::providers::error::{ProviderError, Retry};

/// Makes a client: TLS by rustls, connections kept warm, no redirects, no proxy out of the
/// environment.
///
/// # Errors
/// When TLS cannot be set up.
pub fn client(provider: &str) -> Result<Client, ProviderError> {
    // Somebody else may have installed it before: then it is there, and that is all we want.
    rustls::crypto::ring::default_provider().install_default().ok();
    Client::builder()
        .connect_timeout(Duration::from_secs(3))
        .pool_idle_timeout(Duration::from_secs(90))
        .tcp_keepalive(Duration::from_secs(30))
        .tcp_nodelay(true)
        .redirect(redirect::Policy::none())
        .no_proxy()
        .user_agent(concat!("voxtrunk/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|why| ProviderError::lasting(provider, format!("no HTTP client: {why}")))
}

/// Where a path of a provider is, whether its `base_url` ends with a slash or not.
pub fn url(base_url: &str, path: &str) -> String {
    format!("{}{path}", base_url.trim_end_matches('/'))
}

/// Adds what every request to a provider carries: the operator's headers, and its key as a bearer
/// token.
pub fn authorised(
    mut builder: RequestBuilder,
    headers: &BTreeMap<String, Secret>,
    api_key: Option<&Secret>,
) -> RequestBuilder {
    for (name, value) in headers {
        builder = builder.header(name, value.expose_secret());
    }
    match api_key {
        Some(key) => builder.bearer_auth(key.expose_secret()),
        None => builder,
    }
}

/// The same with the key in a header of the vendor's own.
pub fn keyed(
    builder: RequestBuilder,
    headers: &BTreeMap<String, Secret>,
    (name, api_key): (&str, Option<&Secret>),
) -> RequestBuilder {
    let builder = authorised(builder, headers, None);
    match api_key.and_then(|key| HeaderValue::from_str(key.expose_secret()).ok()) {
        Some(mut key) => {
            key.set_sensitive(true);
            builder.header(name, key)
        }
        None => builder,
    }
}

/// A text as one step of a path: whatever stands in it, it leads nowhere else.
pub fn in_path(text: &str) -> String {
    let plain = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_' | b'.');
    let mut step = String::with_capacity(text.len());
    for octet in text.bytes() {
        match plain(octet) {
            true => step.push(char::from(octet)),
            false => step.push_str(&format!("%{octet:02X}")),
        }
    }
    step
}

/// What a failure to send or to read means: the network may be better the next time.
pub fn broken(provider: &str, why: &reqwest::Error) -> ProviderError {
    let reason = if why.is_timeout() {
        "no answer in time"
    } else if why.is_connect() {
        "no connection"
    } else {
        "the connection broke"
    };
    ProviderError::passing(provider, reason)
}

/// What an answer other than success means. Of its body only the error's code is used: the rest
/// may repeat what the caller said.
pub async fn refused(provider: &str, response: Response) -> ProviderError {
    let status = response.status();
    let after = seconds(response.headers().get(RETRY_AFTER).and_then(|it| it.to_str().ok()));
    let body = tokio::time::timeout(Duration::from_secs(2), limited(response, LARGEST_ERROR)).await;
    let body = body.unwrap_or_default();
    let code = error_code(&body).unwrap_or_default();
    refusal(provider, status, (&code, after.or_else(|| asked_delay(&body))))
}

/// What a status with an error's code, and the time that the provider asks to wait, means.
pub fn refusal(
    provider: &str,
    status: StatusCode,
    (code, after): (&str, Option<Duration>),
) -> ProviderError {
    let retry = match status {
        // An account without money is not mended by waiting.
        StatusCode::TOO_MANY_REQUESTS if SPENT.contains(&code) => Retry::Never,
        StatusCode::TOO_MANY_REQUESTS => after.map_or(Retry::Now, Retry::After),
        StatusCode::REQUEST_TIMEOUT => Retry::Now,
        status if status.is_server_error() => after.map_or(Retry::Now, Retry::After),
        _ => Retry::Never,
    };
    let advice = advice(status, code);
    let reason = match code {
        "" => format!("{advice}: HTTP {status}"),
        code => format!("{advice}: HTTP {status} ({code})"),
    };
    ProviderError { provider: provider.to_owned(), reason, retry }
}

/// What a refusal means for whoever looks after the server.
fn advice(status: StatusCode, code: &str) -> &'static str {
    if SPENT.contains(&code) {
        return "its account has no credit left";
    }
    match status.as_u16() {
        401 => "the key is refused",
        402 => "its account has no credit left",
        403 => "the key may not do this",
        404 => "there is no such model, voice or address",
        429 => "it takes no more requests for now",
        500.. => "it is in trouble",
        _ => "it does not take the request",
    }
}

/// The value of a header `Retry-After`, if it is in seconds.
pub fn seconds(after: Option<&str>) -> Option<Duration> {
    after.and_then(|text| text.parse().ok()).map(Duration::from_secs)
}

/// Sends a request whose answer matters less than the open connection. Its body is read, else the
/// connection would be of no use to the next request.
///
/// # Errors
/// When nobody is there, or the key is refused.
pub async fn warmed(provider: &str, request: reqwest::RequestBuilder) -> Result<(), ProviderError> {
    let response = request.send().await.map_err(|why| broken(provider, &why))?;
    match response.status().as_u16() {
        401..=403 => Err(refused(provider, response).await),
        _ => {
            limited(response, LARGEST_LIST).await;
            Ok(())
        }
    }
}

/// The first octets of a body, about as many as `most`.
pub async fn limited(mut response: Response, most: usize) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        body.extend_from_slice(&chunk);
        if body.len() > most {
            break;
        }
    }
    body
}

/// The code of an error in the body of a refusal, in the shapes of several vendors, if it looks
/// like a code.
pub fn error_code(body: &[u8]) -> Option<String> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    let code = CODES.iter().find_map(|at| body.pointer(at)?.as_str())?;
    is_plain(code).then(|| code.to_owned())
}

/// The time to wait that Google asks for in the body of a refusal: `"retryDelay": "3.5s"`.
fn asked_delay(body: &[u8]) -> Option<Duration> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    let details = body.pointer("/error/details")?.as_array()?;
    let delay = details.iter().find_map(|it| it["retryDelay"].as_str())?;
    let seconds: f64 = delay.strip_suffix('s')?.parse().ok()?;
    Duration::try_from_secs_f64(seconds.clamp(0.0, LONGEST_DELAY)).ok()
}

/// Whether a text is a code or an identity, and no sentence in which anything may stand.
pub fn is_plain(text: &str) -> bool {
    let plain = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'_' | b'-' | b'+');
    !text.is_empty() && text.len() <= 64 && text.bytes().all(plain)
}

/// Where vendors put the code of an error.
const CODES: [&str; 5] =
    ["/error/code", "/error/type", "/error/status", "/err_code", "/detail/status"];

/// Codes of accounts without credit.
const SPENT: [&str; 3] = ["insufficient_quota", "quota_exceeded", "ASR_PAYMENT_REQUIRED"];

/// The longest time to wait that is believed, in seconds: an hour.
const LONGEST_DELAY: f64 = 3_600.0;

/// How much of a list of models is read.
const LARGEST_LIST: usize = 1 << 20;

/// How much of an error's body is read.
const LARGEST_ERROR: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_code_is_taken_from_an_error() {
        let body =
            br#"{"error":{"message":"You said: my card is 4111","code":"rate_limit_exceeded"}}"#;
        assert_eq!(error_code(body).as_deref(), Some("rate_limit_exceeded"));
        assert_eq!(error_code(br#"{"error":{"code":"a sentence with secrets"}}"#), None);
        let body = br#"{"detail":{"status":"voice_not_found","message":"no"}}"#;
        assert_eq!(error_code(body).as_deref(), Some("voice_not_found"));
        let body = br#"{"error":{"code":429,"status":"RESOURCE_EXHAUSTED"}}"#;
        assert_eq!(error_code(body).as_deref(), Some("RESOURCE_EXHAUSTED"));
        assert_eq!(error_code(b"<html>"), None);
    }

    #[test]
    fn a_delay_is_read_where_google_puts_it() {
        let body = br#"{"error":{"details":[{"reason":"x"},{"retryDelay":"3.5s"}]}}"#;
        assert_eq!(asked_delay(body), Some(Duration::from_millis(3_500)));
        let body = br#"{"error":{"details":[{"retryDelay":"NaNs"}]}}"#;
        assert_eq!(asked_delay(body), None);
        assert_eq!(asked_delay(b"{}"), None);
    }

    #[test]
    fn a_text_is_one_step_of_a_path() {
        assert_eq!(in_path("sonic-3.5_a"), "sonic-3.5_a");
        assert_eq!(in_path("../ä?x=1#"), "..%2F%C3%A4%3Fx%3D1%23");
    }
}
