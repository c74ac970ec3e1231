//! A place on the loopback where a stand-in takes connections, and its notes on what we send.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode};

/// A stand-in at work. Dropping it ends all its connections.
#[derive(Debug)]
pub struct Stand {
    /// Where it listens.
    pub address: SocketAddr,
    notes: Notes,
    _tasks: JoinSet<()>,
}

/// What a stand-in saw.
#[derive(Debug, Clone, Default)]
pub struct Notes(Arc<Mutex<Pages>>);

#[derive(Debug, Default)]
struct Pages {
    complaints: Vec<String>,
    connections: usize,
    heard: Vec<String>,
}

/// Something that a stand-in does, for whoever measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// The text of a pause is sent.
    Transcribed,
    /// A model is asked.
    Asked,
    /// The first sentence of an answer is sent.
    Worded,
    /// Speech is ordered.
    Ordered,
    /// The first sound of it is sent.
    Sounded,
}

/// Who is told of each mark at once.
pub type Observer = Arc<dyn Fn(Mark) + Send + Sync>;

/// Nobody looks on.
pub fn nobody() -> Observer {
    Arc::new(|_| {})
}

/// A guest who serves each connection.
pub(super) trait Serve: Clone + Send + 'static {
    /// Serves one connection until it is over.
    fn serve(self, stream: TcpStream, notes: Notes) -> impl Future<Output = ()> + Send + 'static;
}

impl Stand {
    /// Opens a free port of 127.0.0.1.
    ///
    /// # Errors
    /// When there is none.
    pub(super) async fn open(guest: impl Serve) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let notes = Notes::default();
        let mut tasks = JoinSet::new();
        let pages = notes.clone();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).ok();
                while connections.try_join_next().is_some() {}
                connections.spawn(guest.clone().serve(stream, pages.clone()));
            }
        });
        Ok(Self { address, notes, _tasks: tasks })
    }

    /// Where its API begins: `http://127.0.0.1:…`.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What a real vendor would not have accepted.
    pub fn complaints(&self) -> Vec<String> {
        self.notes.pages().complaints.clone()
    }

    /// How many conversations were begun.
    pub fn connections(&self) -> usize {
        self.notes.pages().connections
    }

    /// What it was told, in order, in its own words.
    pub fn heard(&self) -> Vec<String> {
        self.notes.pages().heard.clone()
    }
}

impl Notes {
    /// Something is wrong with what was sent.
    pub(super) fn complain(&self, what: impl Into<String>) {
        self.pages().complaints.push(what.into());
    }

    /// Complains unless `holds`.
    pub(super) fn want(&self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.complain(what());
        }
    }

    /// A conversation begins; gives how many there were before.
    pub(super) fn begin(&self) -> usize {
        let mut pages = self.pages();
        pages.connections += 1;
        pages.connections - 1
    }

    /// Something was said.
    pub(super) fn hear(&self, what: impl Into<String>) {
        self.pages().heard.push(what.into());
    }

    fn pages(&self) -> std::sync::MutexGuard<'_, Pages> {
        // Nothing under the lock can panic half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request as it stands before a socket is opened: its path with the query, and its headers.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub path: String,
    pub query: Vec<(String, String)>,
    pub headers: Vec<(String, String)>,
}

impl Asked {
    fn of(request: &Request) -> Self {
        let header = |(name, value): (&_, &HeaderValue)| {
            let name: &tokio_tungstenite::tungstenite::http::HeaderName = name;
            (name.as_str().to_owned(), value.to_str().unwrap_or_default().to_owned())
        };
        let address = format!("http://fake{}", request.uri());
        let query = reqwest::Url::parse(&address).map(|url| {
            url.query_pairs().map(|(key, value)| (key.into_owned(), value.into_owned())).collect()
        });
        Self {
            path: request.uri().path().to_owned(),
            query: query.unwrap_or_default(),
            headers: request.headers().iter().map(header).collect(),
        }
    }

    /// The value of a key of the query.
    pub fn value(&self, key: &str) -> Option<&str> {
        self.query.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// All values of a key of the query.
    pub fn values(&self, key: &str) -> Vec<&str> {
        let of_key = self.query.iter().filter(|(name, _)| name == key);
        of_key.map(|(_, value)| value.as_str()).collect()
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// A refusal: a status, a body in JSON, and further headers.
pub(super) type Refusal = (u16, String, Vec<(&'static str, String)>);

/// Shakes hands with whoever `welcome` lets in.
#[expect(clippy::result_large_err, reason = "the callback of tungstenite has that shape")]
pub(super) async fn shake_hands(
    stream: TcpStream,
    welcome: impl Fn(&Asked) -> Result<(), Refusal> + Unpin,
) -> Option<(WebSocketStream<TcpStream>, Asked)> {
    let mut asked = None;
    let check = |request: &Request, mut response: Response| {
        let found = Asked::of(request);
        let welcomed = welcome(&found);
        asked = Some(found);
        let Err((status, body, headers)) = welcomed else {
            let id = HeaderValue::from_static("request-0001");
            response.headers_mut().insert("x-request-id", id);
            return Ok(response);
        };
        let mut refusal = ErrorResponse::new(Some(body));
        *refusal.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
        for (name, value) in headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                refusal.headers_mut().insert(name, value);
            }
        }
        Err(refusal)
    };
    let socket = tokio_tungstenite::accept_hdr_async(stream, check).await.ok()?;
    Some((socket, asked?))
}
