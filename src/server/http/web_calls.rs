//! Pages call agents: `POST /v1/web-calls/{agent}` takes the offer of a browser and gives our answer, as
//! WHIP does (RFC 9725); what is said is read at `/v1/web-calls/{ticket}/events`, and `DELETE` hangs up.
//! `/call/{agent}` is a page that does so.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Extension, Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::base::id::CallId;
use crate::call::admission::Budget;
use crate::call::conductor::WEB;
use crate::engine::clock;
use crate::engine::sip_shard::visits::{News, Visit, Visitor};
use crate::server::control::clerk::Clerk;
use crate::server::http::allowance::Allowance;
use crate::server::http::events;
use crate::server::http::gate::{Peer, network};
use crate::server::http::problem::{Code, Problem};
use crate::server::http::service::Service;
use crate::server::http::watching::Streams;

/// Whom pages may call.
#[derive(Debug)]
pub struct WebCalls {
    /// The agents.
    pub agents: Vec<String>,
    /// The sites whose pages may, besides our own.
    pub origins: Vec<String>,
    /// How many calls may be up at once.
    pub max_calls: usize,
}

/// The door, and who keeps its calls.
pub fn pages(service: Service, settings: WebCalls) -> (Router, Keeper) {
    let (keep, kept) = mpsc::channel(AHEAD);
    let allowance = Mutex::new(Allowance::new(EACH));
    let door = Arc::new(Door { settings, up: Mutex::default(), allowance, keep });
    let router = Router::new()
        .route("/v1/web-calls/{name}", post(begin).options(may).delete(end))
        .route("/v1/web-calls/{name}/events", get(words))
        .route("/call/{agent}", get(page))
        .route("/call/page.css", get(style))
        .route("/call/page.js", get(script))
        .layer(DefaultBodyLimit::max(LARGEST_OFFER))
        .layer(Extension(door.clone()))
        .with_state(service);
    (router, Keeper { kept, door })
}

/// Holds the calls of pages until they end.
pub struct Keeper {
    kept: mpsc::Receiver<Kept>,
    door: Arc<Door>,
}

struct Kept {
    ticket: String,
    visitor: Visitor,
    hang_up: CancellationToken,
}

struct Door {
    settings: WebCalls,
    up: Mutex<HashMap<String, Up>>,
    /// How often each address may call.
    allowance: Mutex<Allowance>,
    keep: mpsc::Sender<Kept>,
}

/// A call that is up, or was until a moment ago.
#[derive(Clone)]
struct Up {
    call: CallId,
    from: IpAddr,
    hang_up: CancellationToken,
}

impl Keeper {
    /// Holds them until the stop.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut calls = JoinSet::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                Some(kept) = self.kept.recv() => {
                    calls.spawn(hold(kept));
                }
                Some(ended) = calls.join_next(), if !calls.is_empty() => {
                    if let Ok(ticket) = ended {
                        self.door.up().remove(&ticket);
                    }
                }
            }
        }
    }
}

/// Holds a call until one of both sides hangs up; its last words can be read for a moment.
async fn hold(kept: Kept) -> String {
    let Kept { ticket, mut visitor, hang_up } = kept;
    tokio::select! {
        () = hang_up.cancelled() => {}
        () = async { while visitor.news().await.is_some_and(|news| news != News::Ended) {} } => {}
    }
    drop(visitor);
    tokio::time::sleep(LAST_WORDS).await;
    ticket
}

async fn begin(
    State(clerk): State<Arc<Clerk>>,
    (Extension(door), Extension(Peer(peer))): (Extension<Arc<Door>>, Extension<Peer>),
    Path(agent): Path<String>,
    headers: HeaderMap,
    offer: Bytes,
) -> Result<Response, Problem> {
    let origin = door.origin(&headers)?;
    let told = |answer| with_origin(answer, origin.as_ref());
    match door.call(&clerk, (agent, peer), offer).await {
        Ok(answer) => Ok(told(answer)),
        Err(problem) => Ok(told(problem.into_response())),
    }
}

/// What a browser asks before it asks: whether pages of that site may.
async fn may(
    Extension(door): Extension<Arc<Door>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let origin = door.origin(&headers)?;
    let how = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "POST, DELETE"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "content-type"),
        (header::ACCESS_CONTROL_MAX_AGE, "600"),
    ];
    Ok(with_origin((StatusCode::NO_CONTENT, how).into_response(), origin.as_ref()))
}

async fn end(
    Extension(door): Extension<Arc<Door>>,
    Path(ticket): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let origin = door.origin(&headers)?;
    let up = door.up().get(&ticket).cloned().ok_or_else(nowhere)?;
    up.hang_up.cancel();
    Ok(with_origin(StatusCode::OK.into_response(), origin.as_ref()))
}

async fn words(
    State(streams): State<Streams>,
    Extension(door): Extension<Arc<Door>>,
    Path(ticket): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    // A page of our own says no origin when it only reads; the ticket is what counts.
    let origin = headers.contains_key(header::ORIGIN).then(|| door.origin(&headers)).transpose()?;
    let up = door.up().get(&ticket).cloned().ok_or_else(nowhere)?;
    let answer = events::words_of(&streams, up.call).await?;
    Ok(with_origin(answer, origin.flatten().as_ref()))
}

impl Door {
    /// Calls an agent.
    async fn call(
        &self,
        clerk: &Clerk,
        (agent, peer): (String, IpAddr),
        offer: Bytes,
    ) -> Result<Response, Problem> {
        if !self.settings.agents.contains(&agent) {
            let text = "no such agent may be called by pages: [http.web_calls] agents names them";
            return Err(Problem::new(Code::NotFound, text));
        }
        if !offer.starts_with(b"v=0") {
            let text = "the body is the offer of a browser: application/sdp";
            return Err(Problem::new(Code::Malformed, text));
        }
        self.has_room(peer)?;
        let ticket = clock::random().token(TICKET);
        let visit = Visit {
            door: WEB.into(),
            number: agent,
            from: WEB.to_owned(),
            peer: Some(peer),
            call_id: format!("web-{}", clock::random().token(20)),
            offer,
            ..Visit::default()
        };
        let refused = |status: u16, why: String| {
            let why =
                if why.is_empty() { format!("the call is not taken ({status})") } else { why };
            let code = if status == 488 { Code::Validation } else { Code::Unavailable };
            Problem::new(code, why)
        };
        let visitor = clerk.sip.visit(visit).await;
        let mut visitor = visitor.map_err(|refusal| {
            let why = refusal.warning.map(|warning| warning.text).unwrap_or_default();
            refused(refusal.status, why)
        })?;
        let (answer, call) = loop {
            match timeout(ANSWERED_WITHIN, visitor.news()).await {
                Ok(Some(News::Rings)) => {}
                Ok(Some(News::Answered(answer, call))) => break (answer, call),
                Ok(Some(News::Refused(status, why))) => return Err(refused(status, why)),
                Ok(None | Some(News::Ended)) => return Err(refused(487, String::new())),
                Err(_) => return Err(refused(408, "nobody answered in time".to_owned())),
            }
        };
        let call: CallId = call.parse().map_err(|_| refused(500, String::new()))?;
        let hang_up = CancellationToken::new();
        self.up().insert(ticket.clone(), Up { call, from: peer, hang_up: hang_up.clone() });
        let kept = Kept { ticket: ticket.clone(), visitor, hang_up };
        self.keep.send(kept).await.map_err(|_| refused(503, String::new()))?;
        let place = format!("/v1/web-calls/{ticket}");
        let place = HeaderValue::from_str(&place).map_err(|_| refused(500, String::new()))?;
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::from_static("application/sdp")),
            (header::LOCATION, place),
            (header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("location")),
        ];
        Ok((StatusCode::CREATED, headers, answer).into_response())
    }

    /// Whether one more call may be up, and from there.
    fn has_room(&self, peer: IpAddr) -> Result<(), Problem> {
        let peer = network(peer);
        let (all, own) = {
            let up = self.up();
            (up.len(), up.values().filter(|up| network(up.from) == peer).count())
        };
        if all >= self.settings.max_calls || own >= MOST_FROM_ONE {
            let text = "too many calls are up: try again later";
            return Err(Problem::new(Code::TooMany, text).after(10));
        }
        let mut allowance = self.allowance.lock().unwrap_or_else(PoisonError::into_inner);
        allowance.spend(&peer.to_string(), clock::now()).map_err(|seconds| {
            Problem::new(Code::TooMany, "too many calls from this address").after(seconds)
        })
    }

    /// The other site whose page asks, or nothing when it is our own.
    fn origin(&self, headers: &HeaderMap) -> Result<Option<HeaderValue>, Problem> {
        let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        let foreign = || Problem::new(Code::Forbidden, "pages of this site may not call here");
        let Some(origin) = text(header::ORIGIN) else {
            // A program that is no browser says none, and may not call without a key.
            return Err(foreign());
        };
        let host = origin.split_once("://").map(|(_, host)| host);
        if host.is_some() && host == text(header::HOST) {
            return Ok(None);
        }
        let known = self.settings.origins.iter().any(|known| known.eq_ignore_ascii_case(origin));
        let value = known.then(|| headers.get(header::ORIGIN).cloned()).flatten();
        value.map(Some).ok_or_else(foreign)
    }

    fn up(&self) -> std::sync::MutexGuard<'_, HashMap<String, Up>> {
        self.up.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets the page of another site read an answer.
fn with_origin(mut answer: Response, origin: Option<&HeaderValue>) -> Response {
    if let Some(origin) = origin {
        let headers = answer.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.append(header::VARY, HeaderValue::from_static("origin"));
    }
    answer
}

fn nowhere() -> Problem {
    Problem::new(Code::NotFound, "there is no such call, or not any more")
}

// The page.

async fn page(Extension(door): Extension<Arc<Door>>, Path(agent): Path<String>) -> Response {
    match door.settings.agents.contains(&agent) {
        true => file("text/html; charset=utf-8", PAGE).into_response(),
        false => nowhere().into_response(),
    }
}

async fn style() -> Response {
    file("text/css; charset=utf-8", STYLE).into_response()
}

async fn script() -> Response {
    file("text/javascript; charset=utf-8", SCRIPT).into_response()
}

fn file(kind: &'static str, text: &'static str) -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("permissions-policy"), "microphone=(self)"),
    ];
    (headers, text)
}

/// Nothing from elsewhere, nothing that stands in the page itself, nobody's frame (CSP level 3).
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
     media-src blob: mediastream:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const PAGE: &str = include_str!("web_calls/page.html");

const STYLE: &str = include_str!("web_calls/page.css");

const SCRIPT: &str = include_str!("web_calls/page.js");

/// How often an address may call.
const EACH: Budget = Budget { per_second: 0.2, burst: 10 };

/// The most calls of an address at once.
const MOST_FROM_ONE: usize = 4;

/// How many calls wait to be kept.
const AHEAD: usize = 64;

/// How long what was said last can be read.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// How long an agent may take to answer.
const ANSWERED_WITHIN: Duration = Duration::from_secs(20);

/// How many letters a ticket has.
const TICKET: usize = 32;

/// The largest offer, in octets.
const LARGEST_OFFER: usize = 32 * 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_needs_nobody_else_and_makes_no_markup_of_what_it_reads() {
        for text in [PAGE, STYLE, SCRIPT] {
            for word in ["http:", "//cdn", "@import", "innerHTML", "eval(", "onclick"] {
                assert!(!text.contains(word), "{word}");
            }
        }
        for word in ["<script>", "<style", " style="] {
            assert!(!PAGE.contains(word), "{word}");
        }
    }

    #[test]
    fn pages_of_other_sites_call_only_when_they_are_named() {
        let settings = WebCalls {
            agents: vec!["desk".to_owned()],
            origins: vec!["https://www.example.com".to_owned()],
            max_calls: 1,
        };
        let allowance = Mutex::new(Allowance::new(EACH));
        let (keep, _kept) = mpsc::channel(1);
        let door = Door { settings, up: Mutex::default(), allowance, keep };
        let asks = |origin: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static("voice.example.com:8443"));
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, HeaderValue::from_static(origin));
            }
            door.origin(&headers).map_err(|problem| problem.status)
        };
        assert_eq!(asks(Some("https://voice.example.com:8443")), Ok(None));
        let known = "https://www.example.com";
        assert_eq!(asks(Some(known)), Ok(Some(HeaderValue::from_static(known))));
        for foreign in [None, Some("null"), Some("https://www.example.com.evil.example")] {
            assert_eq!(asks(foreign), Err(403), "{foreign:?}");
        }
    }
}
