//! Programs at the HTTP door of the running server: a real call is followed, read and ended by it, and
//! whatever else is sent there gets an answer that says what is wrong.

use std::path::Path;
use std::time::Duration;

use eventsource_stream::{Event, Eventsource};
use futures_util::{Stream, StreamExt};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use voxtrunk::net::tls;

use super::certificates::Authority;
use super::control::{ask, told};
use super::datagrams::{Wire, header};
use super::deskphone::Audio;
use super::oversight::{answers, phone};
use super::peers::free_port;
use super::phones::PHONES;
use super::recordings::{closed, file};
use super::server::{House, PATIENCE, Server, finish, program, within};

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_followed_read_and_ended_by_http() {
    let (server, api) = started(recorded()).await;
    assert_eq!(problem(api.get("/v1/calls").await, 401).await["code"], "unauthorized");
    let (looks, acts) = (api.with(&server, "read").await, api.with(&server, "operate").await);
    let mut house = looks.events("/v1/events?types=call.*,transcript.updated", None).await;
    let mut ann = Ann::calls(&server).await;

    let call = looks.up().await;
    let id = call["id"].as_str().expect("an identity").to_owned();
    assert_eq!((&call["from"]["name"], &call["to"]["number"]), (&json!(NAME), &json!("porter")));
    let show = looks.json(&format!("/v1/calls/{id}")).await;
    assert_eq!((&show["doing"], &show["trunk"]), (&json!("agent"), &json!("local")));
    assert_eq!(show["legs"][0]["sip_call_id"], header(&ann.answer, "Call-ID"));
    let mut own = looks.events(&format!("/v1/calls/{id}/events"), None).await;
    assert_eq!(next(&mut own).await["type"], "call.ringing");
    let said = looks.get(&format!("/v1/calls/{id}/transcript")).await;
    assert_eq!(problem(said, 409).await["code"], "conflict");
    // What the agent says is told as soon as it has been heard.
    assert_eq!(until(&mut own, "transcript.updated").await["data"]["text"], "Hello?");

    let end = format!("/v1/calls/{id}/end");
    let refused = problem(looks.post(&end, json!({})).await, 403).await;
    assert!(refused["detail"].as_str().is_some_and(|it| it.contains("operate")), "{refused}");
    let wrong = problem(acts.post(&end, json!({ "q850": 17, "qq": 1 })).await, 422).await;
    assert_eq!(wrong["errors"][0]["pointer"], "/qq", "{wrong}");
    let wrong = problem(acts.post(&end, json!({ "q850": 0 })).await, 422).await;
    assert_eq!(wrong["errors"][0]["pointer"], "/q850", "{wrong}");
    let muted = acts.post(&format!("/v1/calls/{id}/mute"), json!({})).await;
    assert_eq!(
        (muted.status(), muted.json::<Value>().await.expect("JSON")["muted"] == true),
        (StatusCode::OK, true)
    );
    let trace = looks.json(&format!("/v1/calls/{id}/sip")).await;
    let first = trace["data"][0]["raw"].as_str().expect("a message");
    assert!(first.starts_with("INVITE sip:porter@"), "{first}");
    let ended = acts.post(&end, json!({ "q850": 17 })).await;
    assert_eq!(ended.status(), StatusCode::ACCEPTED);
    assert!(ann.is_hung_up().await.contains("Q.850;cause=17"));

    let last = until(&mut own, "call.ended").await;
    assert_eq!(
        (&last["call_id"], &last["data"]["end_reason"]),
        (&json!(id), &json!("admin_ended"))
    );
    assert!(own.next().await.is_none(), "the stream ends with the call");
    let mut types = Vec::new();
    let mut names = Vec::new();
    while types.last().is_none_or(|it| it != "call.ended") {
        let event = next(&mut house).await;
        types.push(event["type"].as_str().expect("a type").to_owned());
        names.push(event["id"].as_str().expect("an identity").to_owned());
    }
    assert_eq!(types[..3], ["call.ringing", "call.started", "transcript.updated"], "{types:?}");
    // Whoever was cut off after the first sees the others again, and then what comes.
    let mut again =
        looks.events("/v1/events?types=call.*,transcript.updated", Some(&names[0])).await;
    for name in &names[1..] {
        assert_eq!(next(&mut again).await["id"], **name);
    }
    looks.keeps(&server, &id).await;
    looks.counts().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_begins_by_http_and_members_of_queues_rest() {
    let queue = "\n[queues.sales]\nmembers = [\"phone:101\"]\n";
    let porter = House::porter();
    let dialplan = format!("{}{queue}", porter.dialplan.clone().expect("its own"));
    let house = House { dialplan: Some(dialplan), ..porter }.and(PHONES);
    let (server, api) = started(house).await;
    let (looks, acts) = (api.with(&server, "read").await, api.with(&server, "operate").await);
    let mut anna = phone(&server, "101", "secret").await;
    for (body, pointer) in [
        (json!({ "to": "phone:101" }), "/agent"),
        (json!({ "to": "phone:101", "agent": "porter", "then": "queue:sales" }), "/then"),
        (json!({ "to": "phone:101", "agnet": "porter" }), "/agnet"),
    ] {
        let wrong = problem(acts.post("/v1/calls", body).await, 422).await;
        assert_eq!(wrong["errors"][0]["pointer"], pointer, "{wrong}");
    }
    let order = json!({ "to": "phone:101", "agent": "porter", "from": "+4971112340" });
    problem(looks.post("/v1/calls", order.clone()).await, 403).await;
    // Asked twice by the same key it begins once.
    let once = async |order: &Value, key: &str| {
        let request = acts.request(Method::POST, "/v1/calls").header("Idempotency-Key", key);
        request.json(order).send().await.expect("an answer")
    };
    let begun = once(&order, "8e03978e").await;
    assert_eq!(begun.status(), StatusCode::CREATED);
    assert_eq!(begun.headers().get("idempotent-replayed"), None);
    let again = once(&order, "8e03978e").await;
    assert_eq!(again.status(), StatusCode::CREATED);
    assert_eq!(again.headers()["idempotent-replayed"], "true");
    assert_eq!(again.headers()["location"], begun.headers()["location"]);
    let other = json!({ "to": "phone:101", "agent": "porter" });
    problem(once(&other, "8e03978e").await, 422).await;
    problem(once(&order, "a b").await, 422).await;
    let nobody = json!({ "to": "agent:porter", "agent": "porter" });
    let first = once(&nobody, "x").await.status();
    assert!(first.is_client_error(), "{first}");
    assert_eq!(once(&nobody, "x").await.status(), first, "what failed is tried again");
    let place = begun.headers()["location"].to_str().expect("a path").to_owned();
    let dialog = answers(&mut anna).await;
    // The ACK may be here before the agent is.
    let mut show = looks.json(&place).await;
    for _ in 0..100 {
        if show["doing"] == "agent" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        show = looks.json(&place).await;
    }
    assert_eq!((&show["direction"], &show["doing"]), (&json!("outbound"), &json!("agent")));
    anna.ask(&dialog, "BYE", "").await;
    let record = server.record().await;
    assert_eq!(place, format!("/v1/calls/{}", record["id"].as_str().expect("an identity")));

    let pause = "/v1/queues/members/phone:101/pause";
    problem(looks.post(pause, json!({})).await, 403).await;
    assert_eq!(acts.post(pause, json!({})).await.status(), StatusCode::OK);
    let queues = looks.json("/v1/queues").await;
    let member = &queues["data"][0]["members"][0];
    assert_eq!((&member["to"], &member["state"]), (&json!("phone:101"), &json!("paused")));
    acts.post("/v1/queues/members/101/resume", json!({})).await;
    let queues = looks.json("/v1/queues").await;
    assert_eq!(queues["data"][0]["members"][0]["state"], "free", "{queues}");
    problem(acts.post("/v1/queues/members/909/pause", json!({})).await, 404).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_used_too_often_waits_and_others_do_not() {
    let rate = "[security.http]\napi_keys = { rate = \"1/h\", burst = 3 }\n";
    let (server, api) = started(House::porter().and(rate)).await;
    let (busy, calm) = (api.with(&server, "read").await, api.with(&server, "operate").await);
    for _ in 0..3 {
        busy.json("/v1/status").await;
    }
    let refused = busy.get("/v1/status").await;
    let wait = refused.headers()["retry-after"].to_str().expect("a number").parse::<u32>();
    assert!(wait.is_ok_and(|seconds| seconds > 60));
    assert_eq!(problem(refused, 429).await["code"], "too_many");
    calm.json("/v1/status").await;
    let list = calm.json("/v1/webhooks").await;
    assert_eq!(list, json!({ "data": [] }));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_sense_is_refused_in_words() {
    let (mut server, api) = started(House::porter()).await;
    let rules = api.with(&server, "admin").await;
    let nobody = "call_00000000000000000000000000";
    for (path, status) in [
        ("/", 404),
        ("/v2/calls", 404),
        ("/v1/calls/%2e%2e%2f%2e%2e%2fetc%2fpasswd", 404),
        ("/v1/calls/%ff%fe", 404),
        ("/v1/calls/call_x%00", 404),
        (&format!("/v1/calls/{nobody}"), 404),
        (&format!("/v1/calls/{nobody}/recording"), 404),
        (&format!("/v1/calls/{nobody}/transcript"), 404),
        (&format!("/v1/calls/{nobody}/transcript?format=exe"), 422),
        (&format!("/v1/calls/{nobody}/events"), 404),
        ("/v1/calls?limit=201", 422),
        ("/v1/calls?limit=x", 422),
        ("/v1/calls?limt=3", 422),
        ("/v1/calls?status=gone", 422),
        ("/v1/calls?created_after=yesterday", 422),
        ("/v1/calls?cursor=Li4vLi4vZXRjL3Bhc3N3ZA", 400),
        ("/v1/calls?cursor=%00", 400),
        ("/v1/events?types=%0a", 422),
        ("/v1/trunks/carrier", 404),
        ("/v1/trunks/%ff", 404),
        ("/v1/calls/x/end", 405),
    ] {
        let problem = problem(rules.get(path).await, status).await;
        assert!(problem["detail"].as_str().is_some_and(|it| !it.is_empty()), "{path}: {problem}");
        assert_eq!(problem["request_id"].as_str().map(|it| it.starts_with("req_")), Some(true));
    }
    bodies(&rules, nobody).await;
    let mut status = rules.get("/v1/status").await;
    assert_eq!(status.status(), StatusCode::OK);
    assert_eq!(status.headers()["x-content-type-options"], "nosniff");
    assert!(status.chunk().await.expect("a body").is_some());
    strange(&rules.address).await;
    assert!(server.lives());
    assert!(!server.log().contains("panicked"), "{}", server.log());
}

/// Bodies that nobody should send, about a call that never was.
async fn bodies(rules: &Api, nobody: &str) {
    let end = format!("/v1/calls/{nobody}/end");
    let huge = vec![b' '; 100_000];
    for (path, body, status) in [
        (end.as_str(), &b"{"[..], 400),
        (&end, b"\xff\xfe", 400),
        (&end, b" [17]", 422),
        (&end, b"\"17\"", 422),
        (&end, b"{\"q850\":1e99}", 422),
        (&end, &huge, 413),
        (&end, b"", 404),
        ("/v1/routes/test", b"{}", 422),
        ("/v1/routes/test", br#"{"to":"1","at":"noon"}"#, 422),
        ("/v1/routes/test", br#"{"to":"1","trunk":"x"}"#, 409),
        (&format!("/v1/calls/{nobody}/oversee"), br#"{"role":"spy","phone":"1"}"#, 422),
    ] {
        let request = rules.request(Method::POST, path).body(body.to_vec());
        problem(request.send().await.expect("an answer"), status).await;
    }
    // Deeper than anybody nests.
    let deep = [b"{\"q850\":".to_vec(), vec![b'['; 60_000]].concat();
    let deep = rules.request(Method::POST, &end).body(deep).send().await;
    problem(deep.expect("an answer"), 422).await;
}

/// What is no request of HTTP, or not quite one.
async fn strange(address: &str) {
    for octets in [
        &b"GET /v1/calls HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"[..],
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"INVITE sip:x@y SIP/2.0\r\n\r\n",
    ] {
        let mut stream = TcpStream::connect(address).await.expect("it listens");
        stream.write_all(octets).await.expect("it is taken");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.ok();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_count_from_the_moment_they_are_made_to_that_of_their_end() {
    let (server, api) = started(House::porter()).await;
    let key = made(&server, &["--name", "crm <x>", "--scope", "admin"]).await;
    let rules = api.with_key(&key);
    assert_eq!(rules.json("/v1/trunks").await["data"][0]["name"], "local");
    assert_eq!(rules.json("/v1/phones").await["data"], json!([]));
    let list = told(&server, &["key", "list"]).await;
    assert!(list.contains("admin") && list.contains("crm <x>") && !list.contains("sk_"), "{list}");
    let kept = std::fs::read_to_string(server.folder.path("data/api_keys.json")).expect("keys");
    assert!(!kept.contains(&key[3..]));
    let brief = made(&server, &["--name", "brief", "--expires", "1ms"]).await;
    problem(api.with_key(&brief).get("/v1/status").await, 401).await;
    let mut events = rules.events("/v1/events", None).await;

    let checked = rules.post("/v1/config/check", json!({})).await.json::<Value>().await;
    assert_eq!(checked.expect("JSON")["valid"], true);
    let routed = rules.post("/v1/routes/test", json!({ "to": "nobody", "trunk": "local" })).await;
    let routed: Value = routed.json().await.expect("JSON");
    assert_eq!(routed["taken"]["to"], "reject:603", "{routed:#}");
    server.folder.put("dialplans/more.toml", "[[rout]]\nto = 1\n");
    let checked = rules.post("/v1/config/check", json!({})).await.json::<Value>().await;
    let report = checked.expect("JSON")["report"].to_string();
    assert!(report.contains("more.toml"), "{report}");
    let refused = problem(rules.post("/v1/config/reload", json!({})).await, 422).await;
    assert_eq!(refused["code"], "invalid_config");
    assert_eq!(until(&mut events, "config.refused").await["type"], "config.refused");
    std::fs::remove_file(server.folder.path("dialplans/more.toml")).expect("it is ours");
    let reloaded = rules.post("/v1/config/reload", json!({})).await;
    assert_eq!(reloaded.status(), StatusCode::OK);

    told(&server, &["key", "revoke", "crm <x>"]).await;
    problem(rules.get("/v1/status").await, 401).await;
    let mut refusals = Vec::new();
    for _ in 0..12 {
        refusals.push(rules.get("/v1/status").await);
    }
    let last = refusals.pop().expect("many");
    assert!(last.headers().contains_key("retry-after"));
    assert_eq!(problem(last, 429).await["code"], "too_many");
    // Whoever has a key comes in all the same.
    let looks = api.with(&server, "read").await;
    assert_eq!(looks.get("/v1/status").await.status(), StatusCode::OK);
    assert!(!server.log().contains("sk_"), "no key is logged");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_door_to_the_network_needs_a_key_and_those_who_watch_need_none() {
    let port = free_port();
    let house = House::porter().and(&format!("[http]\nbind = \"0.0.0.0:{port}\"\n"));
    let folder = super::server::Folder::new();
    let config = house.write(&folder);
    for word in ["check", "serve"] {
        let mut command = program();
        command.arg(word).arg("--config").arg(&config);
        let (code, said) = finish(command).await;
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("there is no key") && said.contains("voxtrunk key create"), "{said}");
    }
    let (public, admin) = (free_port(), free_port());
    let authority = Authority::write(&folder);
    let settings = authority.listening(&[])
        + &format!(
            "[http]\nbind = \"127.0.0.1:{public}\"\ntls = \"test\"\n\
             [http.admin]\nbind = \"127.0.0.1:{admin}\"\n"
        );
    let mut server = Server::start(House::porter().and(&settings)).await;
    let watch = Api::at(&format!("http://127.0.0.1:{admin}"), None);
    assert_eq!(watch.json("/healthz").await["status"], "ok");
    assert_eq!(watch.json("/readyz").await["status"], "ok");
    assert_eq!(watch.get("/metrics").await.status(), StatusCode::OK);
    problem(watch.get("/v1/status").await, 404).await;
    let secure = Api::at(&format!("https://127.0.0.1:{public}"), Some(&authority.file));
    problem(secure.get("/metrics").await, 401).await;
    let described = secure.json("/openapi.json").await;
    assert!(described["paths"]["/v1/calls/{id}"]["get"].is_object(), "{described:#}");
    let looks = secure.with(&server, "read").await;
    assert_eq!(looks.json("/v1/status").await["calls"]["active"], 0);

    // A call is up when the server is told to stop: it is said goodbye to, and nobody else is let in.
    let mut ann = Ann::calls(&server).await;
    server.terminate();
    let refused = drained(&watch).await;
    assert_eq!(refused["code"], "unavailable", "{refused}");
    ann.is_hung_up().await;
    assert_eq!(server.ended().await, Some(0));
}

/// Asks until the server says that it takes no calls any more.
async fn drained(watch: &Api) -> Value {
    for _ in 0..500 {
        let response = watch.get("/readyz").await;
        if response.status() == StatusCode::SERVICE_UNAVAILABLE {
            return problem(response, 503).await;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never says so");
}

/// The porter, whose calls are recorded, with a door of HTTP.
fn recorded() -> House {
    let dialplan = House::porter().dialplan.expect("the porter's own");
    let table = "[agents.porter]\nrecord = true\n";
    House::with(&dialplan.replace("[agents.porter]", table))
}

/// A server with a door of HTTP, and whoever comes there without a key.
pub async fn started(house: House) -> (Server, Api) {
    let bind = format!("127.0.0.1:{}", free_port());
    let server = Server::start(house.and(&format!("[http]\nbind = {bind:?}\n"))).await;
    (server, Api::at(&format!("http://{bind}"), None))
}

/// Has a key made.
pub async fn made(server: &Server, args: &[&str]) -> String {
    let (code, key, why) = ask(server, &[&["key", "create"], args].concat()).await;
    assert_eq!(code, Some(0), "{why}");
    assert!(key.starts_with("sk_") && key.trim().len() == 67, "{key}");
    key.trim().to_owned()
}

/// A program that asks by HTTP.
#[derive(Debug, Clone)]
pub struct Api {
    client: Client,
    base: String,
    address: String,
    key: Option<String>,
}

impl Api {
    /// At this door.
    pub fn at(base: &str, authority: Option<&Path>) -> Self {
        let files = tls::Files { identity: None, authorities: authority.map(Path::to_owned) };
        let tls = tls::Client::load(files).expect("authorities");
        let client = Client::builder().tls_backend_preconfigured(tls.config()).no_proxy().build();
        let address = base.rsplit('/').next().unwrap_or_default().to_owned();
        Self { client: client.expect("a client"), base: base.to_owned(), address, key: None }
    }

    /// The key that it shows.
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// Where it asks.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// With a new key.
    pub async fn with(&self, server: &Server, scope: &str) -> Self {
        self.with_key(&made(server, &["--name", scope, "--scope", scope, "--expires", "1d"]).await)
    }

    /// With this key.
    pub fn with_key(&self, key: &str) -> Self {
        Self { key: Some(key.to_owned()), ..self.clone() }
    }

    /// A request.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.base));
        match &self.key {
            Some(key) => request.bearer_auth(key),
            None => request,
        }
    }

    /// Asks.
    pub async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.expect("an answer")
    }

    /// Sends an object.
    pub async fn post(&self, path: &str, body: Value) -> Response {
        self.request(Method::POST, path).json(&body).send().await.expect("an answer")
    }

    /// What is there.
    pub async fn json(&self, path: &str) -> Value {
        let response = self.get(path).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        response.json().await.expect("JSON")
    }

    /// What happens; from behind `last` on, if it is named.
    pub async fn events(&self, path: &str, last: Option<&str>) -> Events {
        let mut request = self.request(Method::GET, path);
        if let Some(last) = last {
            request = request.header("Last-Event-ID", last);
        }
        let response = request.send().await.expect("an answer");
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let events = response.bytes_stream().eventsource();
        Box::pin(events.map(|event| event.expect("an event")))
    }

    /// The only call that is up, once it is answered.
    async fn up(&self) -> Value {
        for _ in 0..500 {
            let calls = self.json("/v1/calls?status=in-progress&agent=porter&limit=1").await;
            if !calls["data"][0].is_null() {
                assert_eq!(calls["next_cursor"], Value::Null);
                return calls["data"][0].clone();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("no call is up");
    }

    /// What is kept of a call that ended: its record, its words, and its recording in parts.
    async fn keeps(&self, server: &Server, id: &str) {
        server.record().await;
        let record = self.json(&format!("/v1/calls/{id}")).await;
        assert_eq!((&record["end_reason"], &record["q850"]), (&json!("admin_ended"), &json!(17)));
        assert_eq!(record["from"]["name"], NAME);
        let calls = self.json("/v1/calls?status=completed&from=wire&to=porter").await;
        assert_eq!((&calls["data"][0]["id"], &calls["data"][1]), (&json!(id), &Value::Null));
        // Words are found by the database, which has it a little later.
        let path = "/v1/calls?q=HELLO&trunk=local&direction=inbound&cause=admin_ended";
        let mut found = self.get(path).await;
        for _ in 0..600 {
            if found.status() == StatusCode::OK {
                let calls: Value = found.json().await.expect("JSON");
                if calls["data"][0]["id"] == *id {
                    break;
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            found = self.get(path).await;
        }
        assert_eq!(self.json(path).await["data"][0]["id"], *id);
        let none = self.json("/v1/calls?q=hello+goodbye&since=2026-01-01T00:00:00Z").await;
        assert_eq!(none["data"], json!([]));
        assert_eq!(problem(self.get("/v1/calls?q=%2A").await, 422).await["code"], "validation");
        let said = self.json(&format!("/v1/calls/{id}/transcript")).await;
        assert_eq!(said["data"][0]["text"], "Hello?");
        let said = self.get(&format!("/v1/calls/{id}/transcript?format=text")).await;
        let said = said.text().await.expect("a text");
        assert!(said.starts_with("[00:0") && said.ends_with("] agent: Hello?\n"), "{said}");
        let again = self.get(&format!("/v1/calls/{id}/events")).await;
        let again = again.text().await.expect("it ends");
        assert!(again.contains("event: call.ended"), "{again}");

        let path = within(PATIENCE, "a recording", || file(server, ".wav")).await;
        closed(&path).await;
        let whole = std::fs::read(&path).expect("a recording");
        let recording = format!("/v1/calls/{id}/recording");
        let response = self.get(&recording).await;
        assert_eq!(response.headers()["content-type"], "audio/wav");
        assert_eq!(response.bytes().await.expect("octets"), whole);
        let part = |range: &'static str| {
            let request = self.request(Method::GET, &recording).header("Range", range);
            async { request.send().await.expect("an answer") }
        };
        let response = part("bytes=0-3").await;
        assert_eq!(response.status(), StatusCode::PARTIAL_CONTENT);
        let range = format!("bytes 0-3/{}", whole.len());
        assert_eq!(response.headers()["content-range"], range.as_str());
        assert_eq!(response.bytes().await.expect("octets"), &b"RIFF"[..]);
        let end = part("bytes=-100").await.bytes().await.expect("octets");
        assert_eq!(end, whole[whole.len() - 100..]);
        problem(part("bytes=99999999-").await, 416).await;
        self.outlines(&recording, &whole).await;
    }

    /// The outline of a recording, which is WAV of two sides.
    async fn outlines(&self, recording: &str, whole: &[u8]) {
        let peaks = format!("{recording}/peaks?points=20");
        let response = self.get(&peaks).await;
        assert_eq!(response.headers()["content-type"], "application/json");
        let tag = response.headers()["etag"].to_str().expect("a tag").to_owned();
        let outline: Value = response.json().await.expect("JSON");
        assert_eq!(
            (&outline["version"], &outline["bits"], &outline["channels"]),
            (&json!(2), &json!(8), &json!(2))
        );
        let number = |key: &str| outline[key].as_u64().expect("a number");
        let frames = (whole.len() as u64 - 44) / 4;
        assert_eq!(number("samples_per_pixel"), frames.div_ceil(20));
        assert_eq!(number("length"), frames.div_ceil(frames.div_ceil(20)));
        let data: Vec<i64> = serde_json::from_value(outline["data"].clone()).expect("numbers");
        assert_eq!(data.len() as u64, number("length") * 4);
        assert!(data.iter().all(|it| (-128..=127).contains(it)));
        // The agent spoke, and lowest values stand before highest ones.
        assert!(data.chunks_exact(4).any(|it| it[3] > 5 && it[2] < -5), "{data:?}");
        assert!(data.chunks_exact(2).all(|it| it[0] <= it[1]), "{data:?}");
        assert_eq!(self.json(&peaks).await, outline, "it is remembered");
        let known = self.request(Method::GET, &peaks).header("If-None-Match", tag);
        let known = known.send().await.expect("an answer");
        assert_eq!(known.status(), StatusCode::NOT_MODIFIED);
        for points in ["0", "10001", "x", "-1"] {
            let wrong = self.get(&format!("{recording}/peaks?points={points}")).await;
            assert_eq!(problem(wrong, 422).await["errors"][0]["parameter"], "points");
        }
        let nobody = "/v1/calls/call_00000000000000000000000000/recording/peaks";
        problem(self.get(nobody).await, 404).await;
    }

    /// What is counted: every line is one of the format, and the call is among them.
    async fn counts(&self) {
        let response = self.get("/metrics").await;
        let kind = response.headers()["content-type"].to_str().expect("a text").to_owned();
        assert!(kind.starts_with("text/plain; version=0.0.4"), "{kind}");
        let text = response.text().await.expect("a text");
        let mut family = "";
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# ") {
                let mut words = rest.split(' ');
                assert!(matches!(words.next(), Some("HELP" | "TYPE")), "{line}");
                family = words.next().expect("a name");
                continue;
            }
            let (name, value) = line.rsplit_once(' ').expect("a value");
            assert!(name.starts_with(family), "{line} stands under {family}");
            assert!(value.parse::<f64>().is_ok(), "{line}");
        }
        for line in [
            "voxtrunk_calls_total{direction=\"inbound\",trunk=\"local\",result=\"completed\"} 1",
            "voxtrunk_call_ends_total{reason=\"admin_ended\"} 1",
            "voxtrunk_call_duration_seconds_count 1",
            "voxtrunk_calls_active{direction=\"inbound\",trunk=\"local\"} 0",
            "voxtrunk_calls_up 0",
            "voxtrunk_draining 0",
        ] {
            assert!(text.lines().any(|it| it == line), "{line} is not in\n{text}");
        }
        assert!(!text.contains("wire"), "no number is a label");
    }
}

pub type Events = std::pin::Pin<Box<dyn Stream<Item = Event> + Send>>;

/// The next event; its name stands in it, too.
pub async fn next(events: &mut Events) -> Value {
    let event = tokio::time::timeout(PATIENCE, events.next()).await.expect("in time");
    let event = event.expect("an event");
    let value: Value = serde_json::from_str(&event.data).expect("JSON");
    assert_eq!((&value["type"], &value["id"]), (&json!(event.event), &json!(event.id)));
    value
}

/// The next event of a type.
pub async fn until(events: &mut Events, kind: &str) -> Value {
    loop {
        let event = next(events).await;
        if event["type"] == kind {
            return event;
        }
    }
}

/// A problem, as the standard has it.
pub async fn problem(response: Response, status: u16) -> Value {
    let (told, url) = (response.status().as_u16(), response.url().to_string());
    let kind = response.headers().get("content-type").cloned();
    let text = response.text().await.expect("a text");
    assert_eq!(told, status, "{url}: {text}");
    assert_eq!(kind.as_ref().map(|it| it.as_bytes()), Some(&b"application/problem+json"[..]));
    let problem: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(problem["status"], status, "{problem:#}");
    problem
}

/// A caller with a name that no page should print.
pub struct Ann {
    wire: Wire,
    answer: String,
    _audio: Audio,
}

impl Ann {
    /// Calls the porter.
    pub async fn calls(server: &Server) -> Self {
        let audio = Audio::open().await;
        let mut wire = Wire::open("127.0.0.1:0", server.address).await;
        let description = wire.description_at(audio.port());
        let invite = wire.request("INVITE", "porter", &description);
        let from = header(&invite, "From").to_owned();
        let invite = invite.replace(&from, &format!("\"{}\" {from}", NAME.replace('"', "\\\"")));
        wire.send(invite.as_bytes()).await;
        let answer = loop {
            let answer = wire.receive(PATIENCE).await.expect("an answer");
            if answer.starts_with("SIP/2.0 200") {
                break answer;
            }
        };
        wire.send(wire.inside(&answer, "1 ACK").as_bytes()).await;
        audio.towards(&answer);
        Self { wire, answer, _audio: audio }
    }

    /// Waits for the BYE and answers it; gives its Reason.
    pub async fn is_hung_up(&mut self) -> String {
        loop {
            let message = self.wire.receive(PATIENCE).await.expect("a BYE");
            if !message.starts_with("BYE ") {
                continue;
            }
            let copied = ["Via", "From", "To", "Call-ID", "CSeq"];
            let copied = copied.map(|name| format!("{name}: {}\r\n", header(&message, name)));
            let answer = format!("SIP/2.0 200 OK\r\n{}Content-Length: 0\r\n\r\n", copied.concat());
            self.wire.send(answer.as_bytes()).await;
            return header(&message, "Reason").to_owned();
        }
    }
}

const NAME: &str = "<img src=x onerror=alert(1)>\"{}/../";
