//! HTTP towards providers: one way to make a client, and what its failures mean.

use std::time::Duration;

use reqwest::header::RETRY_AFTER;
use reqwest::{Client, Response, StatusCode, redirect};

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
    let after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let after = after.and_then(|text| text.parse().ok()).map(Duration::from_secs);
    let body = tokio::time::timeout(Duration::from_secs(2), limited(response)).await;
    let code = body.ok().and_then(|body| error_code(&body)).unwrap_or_default();
    let retry = match status {
        // An account without money is not mended by waiting.
        StatusCode::TOO_MANY_REQUESTS if code == "insufficient_quota" => Retry::Never,
        StatusCode::TOO_MANY_REQUESTS => after.map_or(Retry::Now, Retry::After),
        StatusCode::REQUEST_TIMEOUT => Retry::Now,
        status if status.is_server_error() => after.map_or(Retry::Now, Retry::After),
        _ => Retry::Never,
    };
    let reason =
        if code.is_empty() { format!("HTTP {status}") } else { format!("HTTP {status} ({code})") };
    ProviderError { provider: provider.to_owned(), reason, retry }
}

/// The first octets of a body.
async fn limited(mut response: Response) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        body.extend_from_slice(&chunk);
        if body.len() > LARGEST_ERROR {
            break;
        }
    }
    body
}

/// The `error.code` or `error.type` of a body in OpenAI's shape, if it looks like a code.
fn error_code(body: &[u8]) -> Option<String> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    let error = body.get("error")?;
    let code = error.get("code").and_then(|code| code.as_str());
    let code = code.or_else(|| error.get("type").and_then(|kind| kind.as_str()))?;
    let plain = code.len() <= 64 && code.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    plain.then(|| code.to_owned())
}

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
        assert_eq!(error_code(b"<html>"), None);
    }
}
