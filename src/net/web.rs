//! Asks web servers on behalf of tools: by HTTPS and on the public internet, unless the operator
//! allows a host (T13). Nobody sends us elsewhere, and answers are small and in time.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, Url, redirect};

use crate::base::network;
use crate::base::secret::{ExposeSecret, Secret};
use crate::base::url::Host;
use crate::net::careful::{self, Careful};
use crate::net::tls;

/// What asks.
#[derive(Debug, Clone)]
pub struct Web {
    /// Reaches the public internet only.
    public: Client,
    /// Reaches what the operator allows.
    inside: Client,
    allowed: Vec<Host>,
}

/// A request.
#[derive(Clone)]
pub struct Asking {
    /// How: `GET`.
    pub method: &'static str,
    /// Where.
    pub url: String,
    /// Its headers.
    pub headers: Vec<(String, Secret)>,
    /// Its body.
    pub body: Vec<u8>,
    /// How long all of it may take.
    pub timeout: Duration,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The status.
    pub status: u16,
    /// The type of the body.
    pub media_type: Option<String>,
    /// The headers that are texts.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// Why there is no answer. No word of it comes from the other side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WebError {
    /// We do not go there.
    #[error("{0}")]
    Refused(&'static str),
    /// Nobody answers, or not in time.
    #[error("{0}")]
    Failed(&'static str),
    /// The answer is larger than what is read.
    #[error("the answer has more than {LARGEST} octets")]
    TooLarge,
}

impl Web {
    /// Makes a client. `allowed` may be reached wherever they are, and without TLS; `tls` says whom
    /// it believes.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(allowed: Vec<Host>, tls: &tls::Client) -> Result<Self, reqwest::Error> {
        let client = || {
            Client::builder()
                .tls_backend_preconfigured(tls.config())
                .http1_only()
                .redirect(redirect::Policy::none())
                .no_proxy()
                .referer(false)
                .connect_timeout(CONNECT_WITHIN)
                .pool_max_idle_per_host(2)
                .pool_idle_timeout(IDLE)
                .user_agent(concat!("voxtrunk/", env!("CARGO_PKG_VERSION")))
        };
        let public = client().dns_resolver(Careful::default()).https_only(true).build()?;
        Ok(Self { public, inside: client().build()?, allowed })
    }

    /// Asks, once.
    ///
    /// # Errors
    /// When the URL leads where we do not go, or nothing good comes back in time.
    pub async fn ask(&self, asking: Asking) -> Result<Answered, WebError> {
        let (client, url) = self.way(&asking.url)?;
        let headers = headers(&asking.headers)?;
        let method = Method::from_bytes(asking.method.as_bytes());
        let method = method.map_err(|_| WebError::Refused("there is no such method"))?;
        let mut request = client.request(method, url).headers(headers).timeout(asking.timeout);
        if !asking.body.is_empty() {
            request = request.body(asking.body);
        }
        let mut response = request.send().await.map_err(|why| failed(&why))?;
        if response.content_length().is_some_and(|length| length > LARGEST as u64) {
            return Err(WebError::TooLarge);
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|why| failed(&why))? {
            if body.len().saturating_add(chunk.len()) > LARGEST {
                return Err(WebError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        let text = |value: &HeaderValue| value.to_str().ok().map(str::to_owned);
        let headers = response.headers();
        Ok(Answered {
            status: response.status().as_u16(),
            media_type: headers.get(CONTENT_TYPE).and_then(text),
            headers: headers
                .iter()
                .filter_map(|(name, value)| Some((name.as_str().to_owned(), text(value)?)))
                .collect(),
            body,
        })
    }

    /// Which way a URL may be reached.
    fn way(&self, url: &str) -> Result<(&Client, Url), WebError> {
        let refused = WebError::Refused;
        if url.len() > LONGEST {
            return Err(refused("its URL is too long"));
        }
        let parsed = Url::parse(url).map_err(|_| refused("its URL is none"))?;
        if !["http", "https"].contains(&parsed.scheme()) {
            return Err(refused("its URL is not https"));
        }
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err(refused("its URL names a user"));
        }
        let host = parsed.host_str().ok_or(refused("its URL has no host"))?;
        let port = parsed.port_or_known_default().unwrap_or_default();
        if self.allowed.iter().any(|allowed| allowed.is(host, port)) {
            return Ok((&self.inside, parsed));
        }
        if parsed.scheme() != "https" {
            return Err(refused("its URL is not https, and its host not allowed"));
        }
        match host.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(address) if !network::is_public(address) => Err(refused(NOT_PUBLIC)),
            Ok(_) | Err(_) => Ok((&self.public, parsed)),
        }
    }
}

impl fmt::Debug for Asking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asking").field("method", &self.method).finish_non_exhaustive()
    }
}

fn headers(written: &[(String, Secret)]) -> Result<HeaderMap, WebError> {
    let mut headers = HeaderMap::new();
    for (name, value) in written {
        let name = HeaderName::from_bytes(name.as_bytes());
        let value = HeaderValue::from_str(value.expose_secret());
        let (Ok(name), Ok(mut value)) = (name, value) else {
            return Err(WebError::Refused("a header of it cannot be sent"));
        };
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(headers)
}

fn failed(why: &reqwest::Error) -> WebError {
    match () {
        () if why.is_timeout() => WebError::Failed("no answer in time"),
        () if why.is_connect() && leads_inside(why) => WebError::Refused(NOT_PUBLIC),
        () if why.is_connect() => WebError::Failed("no connection"),
        () => WebError::Failed("the connection broke"),
    }
}

/// Whether the resolver found nothing that may be reached.
fn leads_inside(why: &reqwest::Error) -> bool {
    let mut source = std::error::Error::source(why);
    while let Some(why) = source {
        if why.to_string() == careful::NOT_PUBLIC {
            return true;
        }
        source = why.source();
    }
    false
}

const NOT_PUBLIC: &str = "its host is not on the public internet, and not allowed";

/// The most of an answer that is read (T13).
pub const LARGEST: usize = 1 << 20;

/// How long a connection may take to be opened.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// How long a connection is kept for another request.
const IDLE: Duration = Duration::from_secs(30);

/// The longest URL, in octets.
const LONGEST: usize = 8 * 1_024;

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    fn web(allowed: &[&str]) -> Web {
        let tls = tls::Client::load(tls::Files::default()).expect("no files");
        let allowed = allowed.iter().map(|host| host.parse().expect("a host")).collect();
        Web::new(allowed, &tls).expect("a client")
    }

    fn asking(url: &str) -> Asking {
        let timeout = Duration::from_secs(5);
        let (headers, body) = (Vec::new(), Vec::new());
        Asking { method: "GET", url: url.to_owned(), headers, body, timeout }
    }

    #[tokio::test]
    async fn nobody_is_led_into_our_own_networks() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let web = web(&["127.0.0.2", &format!("127.0.0.1:{}", port ^ 1)]);
        for url in [
            format!("http://127.0.0.1:{port}/"),
            format!("https://127.0.0.1:{port}/"),
            format!("https://localhost:{port}/"),
            format!("https://[::ffff:127.0.0.1]:{port}/"),
            format!("https://[::1]:{port}/"),
            format!("https://2130706433:{port}/"),
            format!("https://0x7f.1:{port}/"),
            "https://169.254.169.254/latest/meta-data/".to_owned(),
            "https://10.0.0.1/".to_owned(),
            "http://example.com/".to_owned(),
            "file:///etc/passwd".to_owned(),
            "https://user:word@example.com/".to_owned(),
        ] {
            let answered = web.ask(asking(&url)).await;
            assert!(matches!(answered, Err(WebError::Refused(_))), "{url}: {answered:?}");
        }
        let touched = tokio::time::timeout(Duration::from_millis(200), listener.accept()).await;
        assert!(touched.is_err(), "somebody came");
    }

    #[tokio::test]
    async fn a_host_that_is_allowed_is_asked_and_sends_nobody_elsewhere() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let web = web(&[&address.to_string()]);
        let serving = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a client");
            let mut asked = [0; 1_024];
            let read = stream.read(&mut asked).await.expect("a request");
            let answer = format!(
                "HTTP/1.1 302 Found\r\nLocation: http://{address}/x\r\nContent-Length: 0\r\n\r\n"
            );
            stream.write_all(answer.as_bytes()).await.expect("it is sent");
            String::from_utf8_lossy(&asked[..read]).into_owned()
        });
        let mut asking = asking(&format!("http://{address}/a?b=c"));
        asking.headers.push(("X-Key".to_owned(), Secret::from("sesame".to_owned())));
        assert!(!format!("{asking:?}").contains("sesame"));
        let answered = web.ask(asking).await.expect("an answer");
        assert_eq!(answered.status, 302);
        let asked = serving.await.expect("it served").to_lowercase();
        assert!(asked.starts_with("get /a?b=c http/1.1\r\n"), "{asked}");
        assert!(asked.contains("x-key: sesame\r\n"), "{asked}");
    }

    #[tokio::test]
    async fn a_header_cannot_be_broken_out_of() {
        let web = web(&["127.0.0.1"]);
        let mut asking = asking("http://127.0.0.1:9/");
        asking.headers.push(("X-Name".to_owned(), Secret::from("a\r\nX-Admin: 1".to_owned())));
        let answered = web.ask(asking).await;
        assert_eq!(answered, Err(WebError::Refused("a header of it cannot be sent")));
    }
}
