//! A collector of traces that speaks OTLP: what is encoded is brought there by gRPC or by HTTP, and whoever asks
//! learns whether it was taken, and whether it may be brought again.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use hyper::body::Body as _;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, TE};
use reqwest::{Body, Client, ClientBuilder, Response, redirect};

use crate::base::secret::{ExposeSecret, Secret};
use crate::net::tls;

/// Where a collector is, and how it is spoken to.
#[derive(Debug)]
pub struct Settings {
    /// Its URL; the path of what is brought is added.
    pub endpoint: String,
    /// How it is spoken to.
    pub way: Way,
    /// What it asks for.
    pub headers: Vec<(String, Secret)>,
    /// Whom we believe.
    pub tls: tls::Client,
}

/// How a collector is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// By gRPC, over HTTP/2.
    Grpc,
    /// By HTTP, with Protocol Buffers in the body.
    Http,
}

/// A collector.
#[derive(Debug, Clone)]
pub struct Collector {
    client: Client,
    url: String,
    way: Way,
    headers: HeaderMap,
}

/// Why a collector did not take something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct NotTaken {
    /// Why, for the log.
    pub why: String,
    /// Whether it may be brought again.
    pub passing: bool,
    /// How long it wants to be left alone, if it says so.
    pub after: Option<Duration>,
}

/// Why there is no way to a collector.
#[derive(Debug, thiserror::Error)]
pub enum NoCollector {
    /// The client cannot be had.
    #[error("no client for the collector of traces: {0}")]
    Client(#[from] reqwest::Error),
    /// A header cannot be sent.
    #[error("the header `{0}` cannot be sent to the collector of traces")]
    Header(String),
}

impl Collector {
    /// Makes a client. Nobody is reached yet.
    ///
    /// # Errors
    /// When there is no client, or a header cannot be sent.
    pub fn new(settings: Settings) -> Result<Self, NoCollector> {
        let Settings { endpoint, way, headers: written, tls } = settings;
        let client = client(&tls, way);
        let mut headers = HeaderMap::new();
        for (name, value) in &written {
            let (key, value) = (name.parse::<HeaderName>(), value.expose_secret().parse());
            let (Ok(key), Ok(mut value)) = (key, value) else {
                return Err(NoCollector::Header(name.clone()));
            };
            HeaderValue::set_sensitive(&mut value, true);
            headers.insert(key, value);
        }
        let (path, media_type) = match way {
            Way::Grpc => (EXPORT, "application/grpc"),
            Way::Http => ("/v1/traces", "application/x-protobuf"),
        };
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        if way == Way::Grpc {
            headers.insert(TE, HeaderValue::from_static("trailers"));
        }
        let base = endpoint.trim_end_matches('/');
        let url = if base.ends_with(path) { base.to_owned() } else { format!("{base}{path}") };
        Ok(Self { client: client.build()?, url, way, headers })
    }

    /// Brings a message there, once; gives the message that it answers.
    ///
    /// # Errors
    /// When it was not taken.
    pub async fn bring(&self, message: &[u8]) -> Result<Vec<u8>, NotTaken> {
        let body = match self.way {
            Way::Grpc => framed(message),
            Way::Http => message.to_vec(),
        };
        let request = self.client.post(&self.url).headers(self.headers.clone()).body(body);
        let response = request.send().await.map_err(|why| unreached(&why))?;
        match self.way {
            Way::Grpc => grpc(response).await,
            Way::Http => http(response).await,
        }
    }
}

fn client(tls: &tls::Client, way: Way) -> ClientBuilder {
    let mut config = tls.config();
    let client = match way {
        Way::Grpc => {
            // It is nothing but HTTP/2: with TLS that is said, and without it is known.
            config.alpn_protocols = vec![b"h2".to_vec()];
            Client::builder().http2_prior_knowledge()
        }
        Way::Http => Client::builder().http1_only(),
    };
    client
        .tls_backend_preconfigured(config)
        .redirect(redirect::Policy::none())
        .no_proxy()
        .referer(false)
        .connect_timeout(CONNECT_WITHIN)
        .timeout(ANSWER_WITHIN)
        .pool_max_idle_per_host(1)
        .user_agent(concat!("voxtrunk/", env!("CARGO_PKG_VERSION")))
}

/// An answer of HTTP (OTLP 1, "OTLP/HTTP Response").
async fn http(response: Response) -> Result<Vec<u8>, NotTaken> {
    let (status, after) = (response.status().as_u16(), retry_after(response.headers()));
    let (answer, _) = read(response).await?;
    match status {
        200..300 => Ok(answer),
        status => {
            let passing = matches!(status, 429 | 502..=504);
            Err(NotTaken { why: format!("HTTP {status}"), passing, after })
        }
    }
}

/// An answer of gRPC: what came of it stands behind the message, or, without one, in the headers.
async fn grpc(response: Response) -> Result<Vec<u8>, NotTaken> {
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    if status != 200 {
        // Somebody in between, who does not speak gRPC.
        let passing = matches!(status, 429 | 502..=504);
        let why = format!("HTTP {status}");
        return Err(NotTaken { why, passing, after: retry_after(&headers) });
    }
    let (answer, trailers) = read(response).await?;
    let word = |name: &str| {
        let found = trailers.get(name).or_else(|| headers.get(name))?;
        found.to_str().ok().map(str::to_owned)
    };
    let code: u8 = match word("grpc-status") {
        Some(code) => code.parse().unwrap_or(UNKNOWN),
        None => {
            let why = "its answer is none of gRPC".to_owned();
            return Err(NotTaken { why, passing: false, after: None });
        }
    };
    if code == 0 {
        return Ok(unframed(&answer).to_vec());
    }
    let said: String =
        word("grpc-message").unwrap_or_default().chars().take(LONGEST_WORD).collect();
    let why = format!("gRPC {code} {said}").trim_end().to_owned();
    let after = word("retry-after").and_then(|it| it.parse().ok()).map(Duration::from_secs);
    Err(NotTaken { why, passing: PASSING.contains(&code), after })
}

/// The body, as long as it is not too long, and what stands behind it.
async fn read(response: Response) -> Result<(Vec<u8>, HeaderMap), NotTaken> {
    let mut body = Body::from(response);
    let (mut all, mut trailers) = (Vec::new(), HeaderMap::new());
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let frame = frame.map_err(|why| unreached(&why))?;
        match frame.into_data() {
            Ok(octets) if all.len() + octets.len() <= LARGEST => all.extend_from_slice(&octets),
            Ok(_) => {
                let why = "its answer is too long".to_owned();
                return Err(NotTaken { why, passing: false, after: None });
            }
            Err(frame) => trailers.extend(frame.into_trailers().unwrap_or_default()),
        }
    }
    Ok((all, trailers))
}

/// A message of gRPC, not compressed.
fn framed(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    let mut framed = vec![0];
    framed.extend_from_slice(&length.to_be_bytes());
    framed.extend_from_slice(message);
    framed
}

/// What is in a message of gRPC; of a compressed one, nothing.
fn unframed(framed: &[u8]) -> &[u8] {
    match framed.split_at_checked(5) {
        Some(([0, ..], message)) => message,
        _ => &[],
    }
}

fn unreached(why: &reqwest::Error) -> NotTaken {
    let why = match () {
        () if why.is_timeout() => "no answer in time",
        () if why.is_connect() => "no connection",
        () => "the connection broke",
    };
    NotTaken { why: why.to_owned(), passing: true, after: None }
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// The path of the one procedure.
const EXPORT: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// The codes that OTLP wants tried again: cancelled, deadline, exhausted, aborted, out of range, unavailable,
/// data lost.
const PASSING: [u8; 7] = [1, 4, 8, 10, 11, 14, 15];

/// The code of what has none.
const UNKNOWN: u8 = 2;

/// How long a connection may take to be opened.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// How long an answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// The longest answer, in octets.
const LARGEST: usize = 64 * 1_024;

/// How much of what a collector says is logged, in characters.
const LONGEST_WORD: usize = 200;
