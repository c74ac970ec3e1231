//! A bucket of a store that speaks S3: files are put there, one after the other, and believed to
//! be there only when the store says so.

pub mod signature;

use std::path::Path;
use std::time::Duration;

use reqwest::{Body, Client, StatusCode, redirect};

use crate::base::secret::{ExposeSecret, Secret};
use crate::base::sum;
use crate::net::bucket::signature::{Request, Signer, escaped};

/// Where a bucket is, and who we are there.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `https://s3.eu-central-1.amazonaws.com`.
    pub endpoint: String,
    /// `eu-central-1`.
    pub region: String,
    /// Its name.
    pub bucket: String,
    /// What stands before the names; empty, or without slashes at its ends.
    pub prefix: String,
    /// The name of the key.
    pub access_key: Secret,
    /// The key.
    pub secret_key: Secret,
}

/// A bucket.
#[derive(Debug)]
pub struct Bucket {
    settings: Settings,
    client: Client,
}

/// Why a file is not there.
#[derive(Debug, thiserror::Error)]
pub enum PutError {
    /// The file cannot be read.
    #[error("the file cannot be read: {0}")]
    File(#[from] std::io::Error),
    /// The store cannot be reached, or did not answer in time.
    #[error("the store cannot be reached: {0}")]
    Unreached(String),
    /// The store says no.
    #[error("the store refuses: HTTP {status}{}", code_in(.code))]
    Refused {
        /// The status of HTTP.
        status: u16,
        /// The store's own word.
        code: String,
    },
}

impl Bucket {
    /// Makes a client.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(settings: Settings) -> Result<Self, reqwest::Error> {
        // Somebody else may have installed it before: then it is there, and that is all we want.
        rustls::crypto::ring::default_provider().install_default().ok();
        let client = Client::builder()
            .connect_timeout(Duration::from_secs(5))
            .read_timeout(Duration::from_secs(30))
            .http1_only()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .user_agent(concat!("voxtrunk/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { settings, client })
    }

    /// What a file is called there.
    pub fn name_of(&self, file: &str) -> String {
        match self.settings.prefix.as_str() {
            "" => file.to_owned(),
            prefix => format!("{prefix}/{file}"),
        }
    }

    /// Puts a file there under a name, which may have slashes; when this returns, the store has all
    /// of it. `at` is the time since the Unix epoch.
    ///
    /// # Errors
    /// When the file cannot be read, or the store does not take it.
    pub async fn put(&self, file: &Path, name: &str, at: Duration) -> Result<(), PutError> {
        let (sum, length) = digest_of(file).await?;
        let path = escaped(&format!("/{}/{}", self.settings.bucket, self.name_of(name)));
        let (scheme, host) = self.settings.endpoint.split_once("://").unwrap_or_default();
        let host = host.trim_end_matches('/');
        let signer = Signer {
            access_key: self.settings.access_key.expose_secret(),
            secret_key: self.settings.secret_key.expose_secret(),
            region: &self.settings.region,
        };
        let request = Request { method: "PUT", host, path: &path, query: "", body: &sum, at };
        let (authorization, date) = signer.sign(&request);
        let body = tokio::fs::File::open(file).await?;
        let put = self
            .client
            .put(format!("{scheme}://{host}{path}"))
            .header("authorization", authorization)
            .header("x-amz-date", date)
            .header("x-amz-content-sha256", sum)
            .header("content-length", length)
            .body(Body::wrap_stream(chunks(body)));
        let sent = put.send().await;
        let response = sent.map_err(|why| PutError::Unreached(why.without_url().to_string()))?;
        if response.status() == StatusCode::OK {
            return Ok(());
        }
        let status = response.status().as_u16();
        let text = tokio::time::timeout(PATIENCE, response.text()).await;
        let code = text.ok().and_then(Result::ok).and_then(|text| code_of(&text));
        Err(PutError::Refused { status, code: code.unwrap_or_default() })
    }
}

/// The parts of a file, as they are read.
fn chunks(
    file: tokio::fs::File,
) -> impl futures_util::Stream<Item = std::io::Result<bytes::Bytes>> + Send {
    futures_util::stream::try_unfold(file, |mut file| async move {
        let mut part = bytes::BytesMut::with_capacity(AT_ONCE);
        let count = tokio::io::AsyncReadExt::read_buf(&mut file, &mut part).await?;
        Ok((count > 0).then(|| (part.freeze(), file)))
    })
}

/// The SHA-256 of a file, in hexadecimal digits, and its length.
async fn digest_of(file: &Path) -> std::io::Result<(String, u64)> {
    let path = file.to_owned();
    let digested = tokio::task::spawn_blocking(move || sum::sha256(std::fs::File::open(path)?));
    digested.await.map_err(std::io::Error::other)?
}

/// The word for the error in the store's answer: the text beside it may repeat secrets.
fn code_of(answer: &str) -> Option<String> {
    let (_, rest) = answer.split_once("<Code>")?;
    let (code, _) = rest.split_once("</Code>")?;
    let is_word = code.len() <= 64 && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_word.then(|| code.to_owned())
}

fn code_in(code: &str) -> String {
    if code.is_empty() { String::new() } else { format!(" ({code})") }
}

/// How much is read at once.
const AT_ONCE: usize = 64 * 1_024;

/// How long the reason of a refusal may take to arrive.
const PATIENCE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_for_an_error_is_told_and_nothing_else() {
        let answer = "<Error><Code>AccessDenied</Code><Message>key AKIA</Message></Error>";
        assert_eq!(code_of(answer).as_deref(), Some("AccessDenied"));
        assert_eq!(code_of("<Code>a secret one</Code>"), None);
        assert_eq!(code_of("nothing"), None);
    }
}
