//! Signature version 4 of AWS: proves to a store that speaks S3 who asks, and for what.

use std::fmt::Write;
use std::time::Duration;

use ring::digest;
use ring::hmac;

use crate::base::sum::hexadecimal;

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub struct Signer<'a> {
    /// The name of the key.
    pub access_key: &'a str,
    /// The key.
    pub secret_key: &'a str,
    /// Where the store is.
    pub region: &'a str,
}

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// `PUT`.
    pub method: &'a str,
    /// The host, with its port if that is not the usual one.
    pub host: &'a str,
    /// The path, as it is sent.
    pub path: &'a str,
    /// The query, as it is sent, without the question mark.
    pub query: &'a str,
    /// The SHA-256 of the body, in hexadecimal digits.
    pub body: &'a str,
    /// The moment, since the Unix epoch.
    pub at: Duration,
}

impl Signer<'_> {
    /// The header `Authorization`, and `x-amz-date`, for a request that carries `host`,
    /// `x-amz-content-sha256` and `x-amz-date`.
    pub fn sign(&self, request: &Request<'_>) -> (String, String) {
        let (day, moment) = stamps(request.at);
        let Request { method, host, path, query, body, .. } = request;
        let canonical = format!(
            "{method}\n{path}\n{query}\nhost:{host}\nx-amz-content-sha256:{body}\nx-amz-date:{moment}\n\n\
             {HEADERS}\n{body}"
        );
        let scope = format!("{day}/{}/s3/aws4_request", self.region);
        let text = format!("AWS4-HMAC-SHA256\n{moment}\n{scope}\n{}", sha256(canonical.as_bytes()));
        let secret = format!("AWS4{}", self.secret_key);
        let parts = [day.as_str(), self.region, "s3", "aws4_request", &text];
        let signature = parts.iter().fold(secret.into_bytes(), |key, part| {
            let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
            hmac::sign(&key, part.as_bytes()).as_ref().to_vec()
        });
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope},SignedHeaders={HEADERS},Signature={}",
            self.access_key,
            hexadecimal(&signature)
        );
        (authorization, moment)
    }
}

/// The SHA-256 of octets, in hexadecimal digits.
pub fn sha256(octets: &[u8]) -> String {
    hexadecimal(digest::digest(&digest::SHA256, octets).as_ref())
}

/// A path as it is sent: what is not plain is escaped (RFC 3986 2.3).
pub fn escaped(path: &str) -> String {
    path.bytes().fold(String::with_capacity(path.len()), |mut text, octet| {
        if octet.is_ascii_alphanumeric() || b"-._~/".contains(&octet) {
            text.push(char::from(octet));
        } else {
            write!(text, "%{octet:02X}").expect("a text takes everything");
        }
        text
    })
}

/// The day and the moment, as signatures have them.
fn stamps(at: Duration) -> (String, String) {
    let seconds = i64::try_from(at.as_secs()).unwrap_or(0);
    let at = jiff::Timestamp::from_second(seconds).unwrap_or_default();
    (at.strftime("%Y%m%d").to_string(), at.strftime("%Y%m%dT%H%M%SZ").to_string())
}

const HEADERS: &str = "host;x-amz-content-sha256;x-amz-date";

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNER: Signer<'_> = Signer {
        access_key: "AKIAIOSFODNN7EXAMPLE",
        secret_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        region: "us-east-1",
    };

    /// 2013-05-24, as in the examples of AWS.
    const AT: Duration = Duration::from_secs(1_369_353_600);

    #[test]
    fn the_signature_is_that_of_the_example_of_aws() {
        // "GET Bucket Lifecycle" of the documentation of S3.
        let (body, host) = (sha256(b""), "examplebucket.s3.amazonaws.com");
        let query = "lifecycle=";
        let request = Request { method: "GET", host, path: "/", query, body: &body, at: AT };
        let (authorization, moment) = SIGNER.sign(&request);
        assert_eq!(moment, "20130524T000000Z");
        let (said, signature) = authorization.split_once(",Signature=").expect("a signature");
        let scope = "AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request";
        let headers = "host;x-amz-content-sha256;x-amz-date";
        let expected = format!("AWS4-HMAC-SHA256 Credential={scope},SignedHeaders={headers}");
        assert_eq!(said, expected);
        assert_eq!(signature, "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
    }

    #[test]
    fn everything_that_is_signed_changes_the_signature() {
        let body = sha256(b"one");
        let host = "127.0.0.1:9000";
        let (method, path, query) = ("PUT", "/calls/x", "");
        let request = Request { method, host, path, query, body: &body, at: AT };
        let other = sha256(b"two");
        let all = [
            SIGNER.sign(&request).0,
            SIGNER.sign(&Request { path: "/calls/y", ..request }).0,
            SIGNER.sign(&Request { body: &other, ..request }).0,
            SIGNER.sign(&Request { host: "127.0.0.1:9001", ..request }).0,
            SIGNER.sign(&Request { at: AT + Duration::from_secs(1), ..request }).0,
            Signer { secret_key: "other", ..SIGNER }.sign(&request).0,
            Signer { region: "eu-central-1", ..SIGNER }.sign(&request).0,
        ];
        let distinct: std::collections::BTreeSet<&String> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
    }

    #[test]
    fn paths_are_escaped() {
        assert_eq!(escaped("/calls/a b+ä.wav"), "/calls/a%20b%2B%C3%A4.wav");
    }
}
