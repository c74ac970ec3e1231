//! WebSockets towards providers: one way to open one, and what its failures mean.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use reqwest::{StatusCode, Url};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::error::Error;
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue, Request, Response};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use crate::base::secret::{ExposeSecret, Secret};
use crate::providers::error::ProviderError;
use crate::providers::http;

/// Where a socket is opened, and what is shown there.
#[derive(Clone)]
pub struct Dial {
    /// The provider's name in the configuration.
    pub provider: String,
    /// The address; `http` and `https` stand for `ws` and `wss`. It holds no key of the operator's;
    /// a vendor may have put a word for this one socket into it.
    pub url: Url,
    /// Headers, the key among them.
    pub headers: Vec<(String, Secret)>,
}

/// What a peer said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Received {
    /// A text, mostly JSON.
    Text(Utf8Bytes),
    /// Octets.
    Binary(Bytes),
}

/// An open socket. Dropping it cuts the connection.
pub struct Socket {
    provider: String,
    stream: WebSocketStream<Box<dyn Pipe>>,
    request_id: Option<String>,
    /// How often the peer showed that it is there, by whatever message.
    signs: u64,
}

/// A connection, plain or by TLS.
trait Pipe: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Pipe for T {}

/// Makes the address of an API: `base` up to and without its last slash, a path, and a query whose
/// values may hold anything.
///
/// # Errors
/// When `base` is no address.
pub fn address(
    provider: &str,
    (base, path): (&str, &str),
    query: &[(&str, String)],
) -> Result<Url, ProviderError> {
    let text = format!("{}{path}", base.trim_end_matches('/'));
    let wrong = |_| ProviderError::lasting(provider, "`base_url` is no address");
    let mut url = Url::parse(&text).map_err(wrong)?;
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
    Ok(url)
}

/// Opens a socket: TLS by rustls, no proxy, no redirects, bounded messages.
///
/// # Errors
/// When nobody is there in time, or the peer refuses.
pub async fn open(dial: &Dial) -> Result<Socket, ProviderError> {
    open_within(dial, OPEN_WITHIN).await
}

/// The same within another time.
///
/// # Errors
/// When nobody is there in time, or the peer refuses.
pub async fn open_within(dial: &Dial, within: Duration) -> Result<Socket, ProviderError> {
    open_believing(dial, within, || tls(&dial.provider)).await
}

async fn open_believing(
    dial: &Dial,
    within: Duration,
    tls: impl FnOnce() -> Result<TlsConnector, ProviderError>,
) -> Result<Socket, ProviderError> {
    let late = |_| ProviderError::passing(&dial.provider, "no connection in time");
    timeout(within, shake_hands(dial, tls)).await.map_err(late)?
}

async fn shake_hands(
    dial: &Dial,
    tls: impl FnOnce() -> Result<TlsConnector, ProviderError>,
) -> Result<Socket, ProviderError> {
    let request = request(dial)?;
    let pipe = connect(dial, tls).await?;
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .max_message_size(Some(LARGEST_MESSAGE))
        .max_frame_size(Some(LARGEST_MESSAGE));
    let opened = tokio_tungstenite::client_async_with_config(request, pipe, Some(config)).await;
    let (stream, response) = opened.map_err(|why| refused(&dial.provider, why))?;
    let request_id = request_id(&response);
    tracing::debug!(provider = dial.provider, request_id, "a socket is open");
    Ok(Socket { provider: dial.provider.clone(), stream, request_id, signs: 0 })
}

async fn connect(
    dial: &Dial,
    tls: impl FnOnce() -> Result<TlsConnector, ProviderError>,
) -> Result<Box<dyn Pipe>, ProviderError> {
    let provider = dial.provider.as_str();
    let no_host = || ProviderError::lasting(provider, "`base_url` names no host");
    let host = dial.url.host_str().ok_or_else(no_host)?;
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let port = dial.url.port_or_known_default().ok_or_else(no_host)?;
    let broken = |why: std::io::Error| {
        ProviderError::passing(provider, format!("no connection: {}", why.kind()))
    };
    let stream = TcpStream::connect((host.as_str(), port)).await.map_err(broken)?;
    stream.set_nodelay(true).map_err(broken)?;
    let keep_alive = TcpKeepalive::new().with_time(KEEP_ALIVE).with_interval(KEEP_ALIVE);
    SockRef::from(&stream).set_tcp_keepalive(&keep_alive).map_err(broken)?;
    if !matches!(dial.url.scheme(), "https" | "wss") {
        return Ok(Box::new(stream));
    }
    let name = ServerName::try_from(host).map_err(|_| no_host())?;
    let shaken = tls()?.connect(name, stream).await;
    let pipe = shaken.map_err(|why| {
        ProviderError::passing(provider, format!("no TLS connection: {}", why.kind()))
    })?;
    Ok(Box::new(pipe))
}

fn request(dial: &Dial) -> Result<Request<()>, ProviderError> {
    let wrong = |what: &str| ProviderError::lasting(&dial.provider, format!("{what} is malformed"));
    let mut url = dial.url.clone();
    let scheme = if matches!(url.scheme(), "https" | "wss") { "wss" } else { "ws" };
    url.set_scheme(scheme).map_err(|()| wrong("`base_url`"))?;
    let mut request = url.as_str().into_client_request().map_err(|_| wrong("the address"))?;
    for (name, value) in &dial.headers {
        let name = HeaderName::try_from(name.as_str()).map_err(|_| wrong("a header"))?;
        // The error would print the value: only its name is told.
        let mut value = HeaderValue::from_str(value.expose_secret())
            .map_err(|_| wrong(&format!("the value for `{name}`")))?;
        value.set_sensitive(true);
        request.headers_mut().insert(name, value);
    }
    let agent = HeaderValue::from_static(concat!("voxtrunk/", env!("CARGO_PKG_VERSION")));
    request.headers_mut().insert("User-Agent", agent);
    Ok(request)
}

/// What believes the authorities of this system; made once.
fn tls(provider: &str) -> Result<TlsConnector, ProviderError> {
    static CONFIG: OnceLock<Result<Arc<ClientConfig>, String>> = OnceLock::new();
    let config = CONFIG.get_or_init(|| {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        believing(roots)
    });
    match config {
        Ok(config) => Ok(TlsConnector::from(config.clone())),
        Err(why) => Err(ProviderError::lasting(provider, format!("no TLS: {why}"))),
    }
}

fn believing(roots: RootCertStore) -> Result<Arc<ClientConfig>, String> {
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(ring).with_safe_default_protocol_versions();
    let builder = builder.map_err(|why| why.to_string())?;
    Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}

/// What the provider calls the connection: its support asks for it.
fn request_id<T>(response: &Response<T>) -> Option<String> {
    let names = ["dg-request-id", "x-request-id", "request-id"];
    let found = names.iter().find_map(|name| response.headers().get(*name)?.to_str().ok());
    found.filter(|id| http::is_plain(id)).map(str::to_owned)
}

/// What a failed handshake means.
fn refused(provider: &str, why: Error) -> ProviderError {
    match why {
        Error::Http(response) => {
            let after = response.headers().get("Retry-After").and_then(|it| it.to_str().ok());
            let code = response.body().as_deref().and_then(http::error_code);
            let in_header = || {
                let value = response.headers().get("dg-error")?.to_str().ok()?;
                http::is_plain(value).then(|| value.to_owned())
            };
            let code = code.or_else(in_header).unwrap_or_default();
            http::refusal(provider, response.status(), (&code, http::seconds(after)))
        }
        Error::Io(why) => ProviderError::passing(provider, format!("no socket: {}", why.kind())),
        _ => ProviderError::passing(provider, "whoever answers there opens no WebSocket"),
    }
}

impl Socket {
    /// What the provider calls the connection.
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    /// How often the peer showed that it is there: by a message, or by the answer to a ping.
    pub fn signs(&self) -> u64 {
        self.signs
    }

    /// Puts a message into the buffer of the connection.
    ///
    /// # Errors
    /// When the connection is over, or takes nothing any more.
    pub async fn feed(&mut self, message: Message) -> Result<(), ProviderError> {
        match timeout(SEND_WITHIN, self.stream.feed(message)).await {
            Ok(fed) => fed.map_err(|why| broken(&self.provider, &why)),
            Err(_) => Err(ProviderError::passing(&self.provider, "takes nothing any more")),
        }
    }

    /// Sends what is in the buffer.
    ///
    /// # Errors
    /// When the connection is over, or takes nothing any more.
    pub async fn flush(&mut self) -> Result<(), ProviderError> {
        match timeout(SEND_WITHIN, self.stream.flush()).await {
            Ok(sent) => sent.map_err(|why| broken(&self.provider, &why)),
            Err(_) => Err(ProviderError::passing(&self.provider, "takes nothing any more")),
        }
    }

    /// Sends a message at once.
    ///
    /// # Errors
    /// When the connection is over, or takes nothing any more.
    pub async fn send(&mut self, message: Message) -> Result<(), ProviderError> {
        self.feed(message).await?;
        self.flush().await
    }

    /// The next message; `None` when the peer closed and nothing was wrong. Nothing is lost when
    /// the future is dropped.
    pub async fn receive(&mut self) -> Option<Result<Received, ProviderError>> {
        loop {
            let message = self.stream.next().await?;
            self.signs += u64::from(message.is_ok());
            return match message {
                Ok(Message::Text(text)) => Some(Ok(Received::Text(text))),
                Ok(Message::Binary(octets)) => Some(Ok(Received::Binary(octets))),
                Ok(Message::Close(Some(frame))) => closed(&self.provider, &frame).map(Err),
                Ok(Message::Close(None)) => None,
                // Pings are answered by the library.
                Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => continue,
                Err(Error::ConnectionClosed) => None,
                Err(why) => Some(Err(broken(&self.provider, &why))),
            };
        }
    }
}

/// What a close says; `None` when nothing was wrong.
fn closed(provider: &str, frame: &CloseFrame) -> Option<ProviderError> {
    let code = u16::from(frame.code);
    if matches!(code, 1000 | 1001) {
        return None;
    }
    if code == 1008
        && let Some(why) = turned_away(provider, &frame.reason)
    {
        return Some(why);
    }
    // The reason is the vendor's sentence, in which anything may stand: only a code is told.
    let why = if http::is_plain(&frame.reason) { frame.reason.as_str() } else { "" };
    let reason = format!("closed the socket: {code} {why}");
    Some(ProviderError::passing(provider, reason.trim_end()))
}

/// Some vendors open to everybody, and say afterwards that the key is wrong or the account empty.
fn turned_away(provider: &str, reason: &str) -> Option<ProviderError> {
    let reason = reason.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| reason.contains(word));
    let status = match reason.as_str() {
        _ if says(&["balance", "funds", "credit", "quota"]) => StatusCode::PAYMENT_REQUIRED,
        _ if says(&["auth", "api key", "api_key", "token"]) => StatusCode::UNAUTHORIZED,
        _ => return None,
    };
    Some(http::refusal(provider, status, ("", None)))
}

fn broken(provider: &str, why: &Error) -> ProviderError {
    let reason = match why {
        Error::Capacity(_) => "a message is too large",
        Error::Utf8(_) | Error::Protocol(_) => "does not keep to the protocol",
        _ => "the connection broke",
    };
    ProviderError::passing(provider, reason)
}

impl std::fmt::Debug for Dial {
    /// Without the query, in which a vendor may have put what lets us in.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { provider, url, headers } = self;
        let address = format!("{}{}", url.origin().ascii_serialization(), url.path());
        f.debug_struct("Dial")
            .field("provider", provider)
            .field("url", &address)
            .field("headers", headers)
            .finish()
    }
}

impl std::fmt::Debug for Socket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Socket").field("provider", &self.provider).finish_non_exhaustive()
    }
}

/// How long opening may take, from the first packet to the end of the handshake.
const OPEN_WITHIN: Duration = Duration::from_secs(5);

/// How long a peer may leave us standing with what we send.
const SEND_WITHIN: Duration = Duration::from_secs(5);

/// How long a silent connection is left alone before the kernel looks whether the peer lives.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// The largest message: a minute of speech in base64 is 2.6 MB.
const LARGEST_MESSAGE: usize = 4 << 20;

/// The buffer of a connection: most messages fit, and there is one for each call.
const READ_BUFFER: usize = 8 << 10;

#[cfg(test)]
mod tests {
    use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
    use tokio::net::TcpListener;

    use super::*;
    use crate::providers::error::Retry;

    fn dial(url: &str) -> Dial {
        let url = Url::parse(url).unwrap();
        let headers = vec![("authorization".to_owned(), "Token sesame-4711".into())];
        Dial { provider: "test".to_owned(), url, headers }
    }

    #[test]
    fn values_of_a_query_may_hold_anything() {
        let query = [("keyterm", "Müller & Söhne".to_owned()), ("language", "de".to_owned())];
        let url = address("test", ("https://api.example.com/", "/v1/listen"), &query).unwrap();
        let expected =
            "https://api.example.com/v1/listen?keyterm=M%C3%BCller+%26+S%C3%B6hne&language=de";
        assert_eq!(url.as_str(), expected);
        assert!(address("test", ("nonsense", "/v1"), &[]).is_err());
    }

    #[tokio::test]
    async fn a_refused_handshake_says_what_to_do_and_names_no_key() {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1/listen", listener.local_addr().unwrap());
        let serve = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = vec![0; 4_096];
            let read = stream.read(&mut head).await.unwrap();
            let head = String::from_utf8_lossy(&head[..read]).to_ascii_lowercase();
            assert!(head.contains("authorization: token sesame-4711"), "{head}");
            let body = "{\"err_code\":\"INVALID_AUTH\",\"err_msg\":\"Token sesame-4711\"}";
            let length = body.len();
            let text = format!("HTTP/1.1 401 No\r\nContent-Length: {length}\r\n\r\n{body}");
            stream.write_all(text.as_bytes()).await.unwrap();
        };
        let dial = dial(&url);
        let (opened, ()) = tokio::join!(open(&dial), serve);
        let why = opened.expect_err("it is refused");
        assert_eq!(why.retry, Retry::Never);
        assert!(why.reason.contains("the key is refused"), "{why}");
        assert!(!format!("{why} {why:?} {dial:?}").contains("4711"));
    }

    #[tokio::test]
    async fn a_socket_by_tls_believes_whom_it_is_told_to() {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let ring = Arc::new(rustls::crypto::ring::default_provider());
        let server = rustls::ServerConfig::builder_with_provider(ring)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(server));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let serve = async {
            let (stream, _) = listener.accept().await.unwrap();
            assert!(acceptor.accept(stream).await.is_err(), "a stranger is not believed");
            let (stream, _) = listener.accept().await.unwrap();
            let stream = acceptor.accept(stream).await.unwrap();
            let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
            let heard = socket.next().await.unwrap().unwrap();
            socket.send(heard).await.unwrap();
        };
        let ask = async {
            let dial = dial(&format!("https://localhost:{port}/"));
            assert_eq!(open(&dial).await.expect_err("unknown").retry, Retry::Now);
            let mut roots = RootCertStore::empty();
            roots.add(made.cert.der().clone()).unwrap();
            let config = believing(roots).unwrap();
            let believed =
                open_believing(&dial, OPEN_WITHIN, || Ok(TlsConnector::from(config))).await;
            let mut socket = believed.expect("it is believed");
            socket.send(Message::text("Grüß Gott")).await.unwrap();
            let heard = socket.receive().await.expect("an answer").expect("a message");
            assert_eq!(heard, Received::Text("Grüß Gott".into()));
        };
        tokio::join!(serve, ask);
    }
}
