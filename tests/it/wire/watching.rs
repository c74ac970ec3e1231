//! Pages of other sites watch the running server: by tickets instead of keys, by WebSockets and
//! server-sent events, and only from where they may.

use futures_util::{SinkExt as _, StreamExt as _};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::control::told;
use super::http::{Ann, Api, made, problem};
use super::page::Page;
use super::peers::free_port;
use super::server::{House, PATIENCE, Server};
use super::service::{Reply, Service};

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_comes_by_a_websocket_and_whoever_was_cut_off_goes_on() {
    let (server, api) = open("").await;
    let looks = api.with(&server, "read").await;
    let mut watch = Watcher::by_key(&looks, "/v1/events?types=call.*,transcript.updated").await;
    let mut ann = Ann::calls(&server).await;
    let mut seen = vec![watch.event().await];
    let call = seen[0]["call_id"].as_str().expect("a call").to_owned();
    assert_eq!(seen[0]["type"], "call.ringing");
    // What a watcher says means nothing, and ends nothing.
    watch.socket.send(Message::text("ping")).await.expect("sent");
    // A ticket for one call opens nothing else, and makes no other.
    let ticket = ticket(&looks, json!({ "call_id": call })).await;
    let by = api.with_key(&ticket);
    assert_eq!(by.json(&format!("/v1/calls/{call}")).await["id"], *call);
    for path in ["/v1/calls", "/v1/events", "/v1/status"] {
        problem(by.get(path).await, 403).await;
    }
    problem(by.post("/v1/tickets", json!({})).await, 403).await;
    problem(by.post(&format!("/v1/calls/{call}/end"), json!({})).await, 403).await;
    let path = format!("/v1/calls/{call}/events?ticket={ticket}");
    let mut own = Watcher::at(&api, &path, None).await.expect("a socket");
    assert_eq!(own.event().await["type"], "call.ringing");

    while seen.last().is_none_or(|event| event["type"] != "transcript.updated") {
        seen.push(watch.event().await);
    }
    let acts = api.with(&server, "operate").await;
    acts.post(&format!("/v1/calls/{call}/end"), json!({})).await;
    ann.is_hung_up().await;
    while seen.last().is_none_or(|event| event["type"] != "call.ended") {
        seen.push(watch.event().await);
    }
    // The socket of the call ends with it, and says why.
    let last = own.until("call.ended").await;
    assert_eq!(last["data"]["end_reason"], "admin_ended");
    assert_eq!(own.closed().await, (1_000, "the call is over".to_owned()));

    // Whoever was cut off after the first sees the others again.
    let first = seen[0]["id"].as_str().expect("an identity");
    let path = format!("/v1/events?types=call.*,transcript.updated&last_event_id={first}");
    let mut again = Watcher::by_key(&looks, &path).await;
    for event in &seen[1..] {
        assert_eq!(again.event().await, *event);
    }
    server.terminate();
    assert_eq!(again.closed().await.0, 1_001, "the server goes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_gives_no_more_than_its_key_and_ends_with_it() {
    let (server, api) = open("").await;
    let (looks, acts) = (api.with(&server, "read").await, api.with(&server, "operate").await);
    for (body, pointer) in [
        (json!({ "scope": "admin" }), "/scope"),
        (json!({ "expires_in": "2h" }), "/expires_in"),
        (json!({ "expires_in": "soon" }), "/expires_in"),
        (json!({ "call_id": "call_1" }), "/call_id"),
        (json!({ "scopes": "read" }), "/scopes"),
    ] {
        let wrong = problem(acts.post("/v1/tickets", body).await, 422).await;
        assert_eq!(wrong["errors"][0]["pointer"], pointer, "{wrong}");
    }
    problem(looks.post("/v1/tickets", json!({ "scope": "operate" })).await, 403).await;
    problem(api.post("/v1/tickets", json!({})).await, 401).await;

    let ticket = ticket(&acts, json!({ "expires_in": "10m" })).await;
    let by = api.with_key(&ticket);
    by.json("/v1/calls").await;
    problem(by.post("/v1/trunks/x/test", json!({})).await, 403).await;
    // In an address it counts where a page can write no header: to look, and not to act.
    assert!(api.get(&format!("/v1/calls?ticket={ticket}&limit=1")).await.status().is_success());
    problem(api.post(&format!("/v1/tickets?ticket={ticket}"), json!({})).await, 401).await;
    // A ticket with another signature, or of nobody, opens nothing; nor does a key in an address.
    let (said, _) = ticket.rsplit_once('.').expect("three parts");
    let none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
    let claims = said.split('.').nth(1).expect("claims");
    for wrong in [format!("{said}."), format!("{said}.AAAA"), format!("{none}.{claims}.")] {
        problem(api.with_key(&wrong).get("/v1/calls").await, 401).await;
    }
    let key = made(&server, &["--name", "page", "--scope", "read"]).await;
    problem(api.get(&format!("/v1/calls?ticket={key}")).await, 401).await;

    // The key is taken back: its tickets open nothing any more.
    let page = api.with_key(&key);
    let of_page = self::ticket(&page, json!({})).await;
    assert!(api.with_key(&of_page).get("/v1/calls").await.status().is_success());
    told(&server, &["key", "revoke", "page"]).await;
    problem(api.with_key(&of_page).get("/v1/calls").await, 401).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_a_named_site_asks_and_watches_and_others_do_not() {
    let site = Service::open(|_| Reply::text("text/html", "<title>app</title>".into())).await;
    let stranger = Service::open(|_| Reply::text("text/html", "<title>other</title>".into())).await;
    let (server, api) = open(&format!("cors = [{:?}]\n", site.url())).await;
    let looks = api.with(&server, "read").await;
    let ticket = ticket(&looks, json!({ "expires_in": "5m" })).await;

    let preflight = async |origin: &str| {
        let asked = api.request(Method::OPTIONS, "/v1/calls").header("Origin", origin);
        let asked = asked.header("Access-Control-Request-Method", "GET");
        let asked = asked.header("Access-Control-Request-Headers", "authorization");
        let answer = asked.send().await.expect("an answer");
        let header = answer.headers().get("access-control-allow-origin");
        header.map(|it| it.to_str().expect("text").to_owned())
    };
    assert_eq!(preflight(&site.url()).await, Some(site.url()));
    assert_eq!(preflight(&stranger.url()).await, None);

    let script = format!(
        r#"window.seen = []; window.calls = null;
        const base = {:?}, ticket = {ticket:?};
        fetch(base + "/v1/calls", {{ headers: {{ Authorization: "Bearer " + ticket }} }})
            .then(async (it) => {{ window.calls = it.status + " " + it.headers.get("x-request-id").slice(0, 4) + (await it.json()).data.length }})
            .catch((why) => {{ window.calls = "refused" }});
        const socket = new WebSocket(base.replace("http", "ws") + "/v1/events?types=call.*&ticket=" + ticket);
        socket.onopen = () => {{ window.open = true }};
        socket.onmessage = (it) => window.seen.push(JSON.parse(it.data).type);
        const stream = new EventSource(base + "/v1/events?types=call.*&ticket=" + ticket);
        stream.addEventListener("call.started", () => {{ window.streamed = true }});
        stream.onopen = () => {{ window.streams = true }};
        "begun""#,
        api.base(),
    );
    let mut page = Page::open(&site.url(), "hello").await;
    page.waits("document.title === 'app'").await;
    page.evaluate(&script).await;
    page.waits("window.calls === '200 req_0'").await;
    page.waits("window.open === true && window.streams === true").await;
    let mut ann = Ann::calls(&server).await;
    page.waits("window.seen.includes('call.started') && window.streamed === true").await;
    let acts = api.with(&server, "operate").await;
    let id = looks.json("/v1/calls").await["data"][0]["id"].as_str().expect("a call").to_owned();
    acts.post(&format!("/v1/calls/{id}/end"), json!({})).await;
    ann.is_hung_up().await;
    page.waits("window.seen.at(-1) === 'call.ended'").await;

    let mut other = Page::open(&stranger.url(), "hello").await;
    other.waits("document.title === 'other'").await;
    other.evaluate(&script).await;
    other.waits("window.calls === 'refused'").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_watch_a_call() {
    let (server, api) =
        open("\n[security.http]\napi_keys = { rate = \"1000/s\", burst = 1000 }\n").await;
    let looks = api.with(&server, "read").await;
    // One address has 64 connections at most: they come from two.
    let mut crowd = Vec::new();
    for number in 0..100_u8 {
        let from = if number % 2 == 0 { "127.0.0.1" } else { "127.0.0.3" };
        let watcher = Watcher::from(from, &looks, "/v1/events?types=call.*").await;
        crowd.push(watcher.expect("a socket"));
    }
    let mut ann = Ann::calls(&server).await;
    let mut expected = None;
    for watcher in &mut crowd {
        let events = [watcher.event().await, watcher.event().await];
        assert_eq!(events[1]["type"], "call.started");
        assert_eq!(*expected.get_or_insert_with(|| events.clone()), events);
    }
    let id = looks.json("/v1/calls").await["data"][0]["id"].as_str().expect("a call").to_owned();
    let acts = api.with(&server, "operate").await;
    acts.post(&format!("/v1/calls/{id}/end"), json!({})).await;
    ann.is_hung_up().await;
    for watcher in &mut crowd {
        watcher.until("call.ended").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_says_where_others_reach_it_and_counts_only_if_it_may() {
    let more = "public_url = \"https://voice.example.com\"\n\n[metrics]\nprometheus = false\n";
    let (server, api) = open(more).await;
    let described = api.json("/openapi.json").await;
    assert_eq!(described["servers"], json!([{ "url": "https://voice.example.com" }]));
    let looks = api.with(&server, "read").await;
    problem(looks.get("/metrics").await, 404).await;
}

/// A server with this in its `[http]`.
async fn open(http: &str) -> (Server, Api) {
    let bind = format!("127.0.0.1:{}", free_port());
    let house = House::porter().and(&format!("[http]\nbind = {bind:?}\n{http}"));
    let server = Server::start(house).await;
    (server, Api::at(&format!("http://{bind}"), None))
}

/// A ticket that a key makes.
async fn ticket(api: &Api, body: Value) -> String {
    let answer = api.post("/v1/tickets", body).await;
    assert_eq!(answer.status(), StatusCode::CREATED);
    let made: Value = answer.json().await.expect("JSON");
    assert_eq!(made["scope"], "read");
    made["ticket"].as_str().expect("a ticket").to_owned()
}

/// One who watches by a WebSocket.
struct Watcher {
    socket: tokio_tungstenite::WebSocketStream<TcpStream>,
}

impl Watcher {
    async fn by_key(api: &Api, path: &str) -> Self {
        Self::from("127.0.0.1", api, path).await.expect("a socket")
    }

    async fn from(address: &str, api: &Api, path: &str) -> Result<Self, Error> {
        let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
        socket.bind(format!("{address}:0").parse().expect("an address")).expect("bound");
        let to = api.base().strip_prefix("http://").expect("a base").parse().expect("an address");
        Self::over(socket.connect(to).await.expect("a connection"), api, path, api.key()).await
    }

    async fn at(api: &Api, path: &str, key: Option<&str>) -> Result<Self, Error> {
        let to = api.base().strip_prefix("http://").expect("a base");
        let stream = TcpStream::connect(to).await.expect("a connection");
        Self::over(stream, api, path, key).await
    }

    async fn over(
        stream: TcpStream,
        api: &Api,
        path: &str,
        key: Option<&str>,
    ) -> Result<Self, Error> {
        let url = format!("{}{path}", api.base().replace("http", "ws"));
        let mut request = url.into_client_request().expect("a request");
        if let Some(key) = key {
            let value = HeaderValue::from_str(&format!("Bearer {key}")).expect("a header");
            request.headers_mut().insert("Authorization", value);
        }
        let (socket, _) = tokio_tungstenite::client_async(request, stream).await?;
        Ok(Self { socket })
    }

    async fn message(&mut self) -> Message {
        let message = tokio::time::timeout(PATIENCE, self.socket.next()).await;
        message.expect("in time").expect("open").expect("whole")
    }

    /// The next event.
    async fn event(&mut self) -> Value {
        loop {
            if let Message::Text(text) = self.message().await {
                return serde_json::from_str(&text).expect("JSON");
            }
        }
    }

    async fn until(&mut self, kind: &str) -> Value {
        loop {
            let event = self.event().await;
            if event["type"] == kind {
                return event;
            }
        }
    }

    /// With which code it is closed, and why.
    async fn closed(&mut self) -> (u16, String) {
        loop {
            if let Message::Close(Some(frame)) = self.message().await {
                return (frame.code.into(), frame.reason.to_string());
            }
        }
    }
}
