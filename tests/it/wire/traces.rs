//! Calls are told as traces to a collector that another hand wrote (opentelemetry-proto, tonic), by gRPC and by
//! HTTP: the whole tree and nothing that was said, within the trace of whoever began the call, and no call waits.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

use super::datagrams::Wire;
use super::http::started;
use super::oversight::{answers, phone};
use super::peers::free_port;
use super::phones::PHONES;
use super::server::{House, PATIENCE, Server, within};
use super::service::{Reply, Service};
use super::tools::{Stage, request, uses};
use crate::fakes::chat_server::{Behaviour, ChatServer};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_call_with_a_model_and_a_tool_is_a_tree_and_nothing_that_was_said_is_in_it() {
    for (way, content) in [("grpc", false), ("http/protobuf", false), ("http/protobuf", true)] {
        let collector = Collector::open(way, 0).await;
        let service = Service::open(|_| Reply::json(json!({ "free": true }))).await;
        let mind = ChatServer::start(vec![
            uses("look", r#"{"word": "zebra"}"#),
            Behaviour::Says("The giraffe is free."),
        ])
        .await;
        let settings = format!(
            "[security.tools]\nallow = [\"{}\"]\n{}content = {content}\n",
            service.host(),
            collector.settings()
        );
        let tools = format!(
            "[tools.look]\ntype = \"http\"\ndescription = \"Looks.\"\nurl = \"{}/look\"\n\
             parameters = {{ word = \"string\" }}\n",
            service.url()
        );
        let stage = Stage::furnished(&mind, &settings, &tools).await;
        stage.call(vec![request().await]).await;
        let record = stage.server.record().await;
        let spans = collector.spans("call", 1).await;
        let tree = Tree(&spans);
        let call = tree.only("call");
        assert_eq!(call.parent_span_id, Vec::<u8>::new());
        tree.is_whole();
        tree.fits();
        let id = record["id"].as_str().expect("an identity");
        assert!(spans.iter().all(|span| text(span, "gen_ai.conversation.id") == Some(id)));
        let chat = tree.first("chat tiny");
        assert_eq!(text(chat, "gen_ai.operation.name"), Some("chat"));
        assert_eq!(text(chat, "gen_ai.request.model"), Some("tiny"));
        // What an answer took, where its model came to say so.
        let chats = spans.iter().filter(|span| span.name == "chat tiny");
        let took =
            |span| ["input", "output"].map(|it| number(span, &format!("gen_ai.usage.{it}_tokens")));
        let took: Vec<[Option<i64>; 2]> = chats.map(took).collect();
        assert!(took.contains(&[Some(9), Some(3)]), "{took:?}");
        assert!(took.iter().all(|it| matches!(it, [Some(9), Some(3)] | [None, None])), "{took:?}");
        assert_eq!(text(tree.first("agent clerk"), "gen_ai.agent.name"), Some("clerk"));
        let tool = tree.only("execute_tool look");
        assert_eq!(text(tool, "gen_ai.tool.name"), Some("look"));
        // The tool was told of its own span before that was over.
        let told = service.seen()[0].header("traceparent").map(str::to_owned);
        let own = format!("00-{}-{}-01", hex(&tool.trace_id), hex(&tool.span_id));
        assert_eq!(told, Some(own));
        let octets = collector.octets();
        for word in ["ten in the morning", "zebra", "giraffe"] {
            let is_there = octets.windows(word.len()).any(|it| it == word.as_bytes());
            assert_eq!(is_there, content, "{word}");
        }
        let from = record["from"]["number"].as_str().expect("a number");
        assert_eq!(octets.windows(from.len()).any(|it| it == from.as_bytes()), content, "{from}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_call_goes_on_in_the_trace_of_whoever_began_it_and_so_do_those_who_are_told() {
    let collector = Collector::open("http/protobuf", 0).await;
    let crm = Service::open(|seen| match seen.path() {
        "/where" => Reply::json(json!({ "to": "agent:porter" })),
        _ => Reply::json(json!({})),
    })
    .await;
    let settings = format!(
        "{PHONES}{}[security.webhooks]\nallow = [\"127.0.0.1\"]\n\
         [webhooks.crm]\nurl = \"{1}/told\"\nevents = [\"call.ended\"]\n\
         secret = \"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"\n",
        collector.settings(),
        crm.url()
    );
    let porter = House::porter();
    let route = format!("[[route]]\ndid = \"where\"\nto = \"webhook:{}/where\"\n", crm.url());
    let dialplan = format!("{route}{}", porter.dialplan.clone().expect("its own"));
    let house = House { dialplan: Some(dialplan), ..porter }.and(&settings);
    let (server, api) = started(house).await;
    let acts = api.with(&server, "operate").await;
    let mut anna = phone(&server, "101", "secret").await;
    let begin = async |parent: &str| {
        let order = json!({ "to": "phone:101", "agent": "porter", "from": "+4971112340" });
        let request = acts.request(Method::POST, "/v1/calls").header("traceparent", parent);
        request.json(&order).send().await.expect("an answer").status()
    };
    assert_eq!(begin(&format!("00-{TRACE}-{SPAN}-01")).await, StatusCode::CREATED);
    let dialog = answers(&mut anna).await;
    anna.ask(&dialog, "BYE", "").await;
    let spans = collector.spans("call", 1).await;
    let call = Tree(&spans).only("call");
    assert_eq!(
        (hex(&call.trace_id), hex(&call.parent_span_id)),
        (TRACE.to_owned(), SPAN.to_owned())
    );
    let own = format!("00-{TRACE}-{}-01", hex(&call.span_id));
    let told = crm.wait_for(1).await;
    assert_eq!(told[0].header("traceparent"), Some(&*own), "{}", told[0].head);

    // One that nobody collects is told to nobody, and one that cannot be read begins anew.
    assert_eq!(begin(&format!("00-{TRACE}-{SPAN}-00")).await, StatusCode::CREATED);
    let dialog = answers(&mut anna).await;
    anna.ask(&dialog, "BYE", "").await;
    let told = crm.wait_for(2).await;
    let quiet = told[1].header("traceparent").expect("it goes on").to_owned();
    assert!(quiet.starts_with(&format!("00-{TRACE}-")) && quiet.ends_with("-00"), "{quiet}");
    assert_eq!(begin("00-what").await, StatusCode::CREATED);
    let dialog = answers(&mut anna).await;
    anna.ask(&dialog, "BYE", "").await;
    let spans = collector.spans("call", 2).await;
    let calls: Vec<&Span> = spans.iter().filter(|span| span.name == "call").collect();
    assert_eq!(calls.len(), 2);
    assert!(hex(&calls[1].trace_id) != TRACE && calls[1].parent_span_id.is_empty());

    // Whoever is asked where a call goes is told, too.
    let mut wire = Wire::open("127.0.0.1:0", server.address).await;
    let description = wire.description();
    let answer = wire.call("where", &description).await;
    wire.hang_up(&answer).await;
    let spans = collector.spans("call", 3).await;
    let call = spans.iter().rfind(|span| span.name == "call").expect("the last");
    let own = format!("00-{}-{}-01", hex(&call.trace_id), hex(&call.span_id));
    let asked = crm.seen().into_iter().find(|seen| seen.path() == "/where").expect("a question");
    assert_eq!(asked.header("traceparent"), Some(&*own), "{}", asked.head);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_fails_says_so() {
    let collector = Collector::open("grpc", 0).await;
    let broken = |_: &_| Reply { status: 503, ..Reply::json(json!({})) };
    let service = Service::open(broken).await;
    let no = Behaviour::Refuses { status: 400, retry_after: None, code: "no" };
    let mind = ChatServer::start(vec![uses("look", "{}"), no.clone(), no.clone(), no]).await;
    let settings =
        format!("[security.tools]\nallow = [\"{}\"]\n{}", service.host(), collector.settings());
    let tools = format!(
        "[tools.look]\ntype = \"http\"\ndescription = \"Looks.\"\nurl = \"{}/look\"\n",
        service.url()
    );
    let stage = Stage::furnished(&mind, &settings, &tools).await;
    stage.call(vec![request().await]).await;
    let spans = collector.spans("call", 1).await;
    let tree = Tree(&spans);
    let is_error = |span: &Span| span.status.as_ref().is_some_and(|status| status.code == 2);
    let tool = tree.only("execute_tool look");
    assert!(is_error(tool) && text(tool, "error.type") == Some("tool_error"), "{tool:#?}");
    let mut chats = spans.iter().filter(|span| span.name == "chat tiny");
    let failed = chats.any(|it| is_error(it) && text(it, "error.type") == Some("provider_error"));
    assert!(failed, "{spans:#?}");
    assert!(!is_error(tree.only("sip.invite")), "{spans:#?}");

    let collector = Collector::open("grpc", 0).await;
    let server = Server::start(House::porter().and(&collector.settings())).await;
    let mut wire = Wire::open("127.0.0.1:0", server.address).await;
    assert_eq!(wire.status_for("nobody", "+491701234567").await, "603");
    let spans = collector.spans("call", 1).await;
    for name in ["call", "sip.invite"] {
        let span = Tree(&spans).only(name);
        assert!(is_error(span) && text(span, "error.type") == Some("rejected"), "{span:#?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_no_call_nothing_is_told() {
    let collector = Collector::open("http/protobuf", 0).await;
    let settings = format!("{}sample = 0\n", collector.settings());
    let mut server = Server::start(House::porter().and(&settings)).await;
    calls(&server).await;
    server.terminate();
    server.ended().await;
    assert_eq!(collector.asked(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_collector_that_refuses_is_told_when_it_comes_back_and_at_the_end_of_the_server() {
    for way in ["grpc", "http/protobuf"] {
        let collector = Collector::open(way, 2).await;
        let (mut server, api) = started(House::porter().and(&collector.settings())).await;
        let looks = api.with(&server, "read").await;
        calls(&server).await;
        collector.spans("call", 1).await;
        assert!(collector.asked() >= 3, "{way}");
        let log = server.log();
        assert!(log.contains("the collector of traces takes none"), "{log}");
        let exported = collector.all().len();
        let line = format!("voxtrunk_otel_spans_total{{result=\"exported\"}} {exported}");
        let mut counted = false;
        for _ in 0..200 {
            let text = looks.get("/metrics").await.text().await.expect("a text");
            counted = text.lines().any(|it| it == line);
            if counted {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(counted, "{line}");
        calls(&server).await;
        server.terminate();
        assert_eq!(server.ended().await, Some(0));
        let told = collector.all();
        assert_eq!(told.iter().filter(|span| span.name == "call").count(), 2, "{way}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_waits_for_a_collector_that_is_not_there() {
    let settings = format!("[otel]\nendpoint = \"http://127.0.0.1:{}\"\n", free_port());
    let mut server = Server::start(House::porter().and(&settings)).await;
    calls(&server).await;
    assert_eq!(server.record().await["end_reason"], "caller_hangup");
    server.terminate();
    assert_eq!(server.ended().await, Some(0));
    assert!(server.log().contains("before all traces are told"), "{}", server.log());
}

/// A call that is answered and hung up, and its record.
async fn calls(server: &Server) {
    let before = count(server);
    let mut wire = Wire::open("127.0.0.1:0", server.address).await;
    let description = wire.description();
    let answer = wire.call("porter", &description).await;
    wire.hang_up(&answer).await;
    within(PATIENCE, "a record", || (count(server) > before).then_some(())).await;
}

/// How many records there are.
fn count(server: &Server) -> usize {
    let files = std::fs::read_dir(server.folder.path("data/calls")).into_iter().flatten();
    files.flatten().filter(|it| it.path().extension().is_some_and(|it| it == "json")).count()
}

/// A collector.
struct Collector {
    way: &'static str,
    address: SocketAddr,
    notes: Notes,
    _tasks: JoinSet<()>,
}

/// What it was told.
#[derive(Clone, Default)]
struct Notes {
    told: Arc<Mutex<Vec<ExportTraceServiceRequest>>>,
    asked: Arc<AtomicU32>,
    /// How often it says no before it takes anything.
    refusals: u32,
}

impl Collector {
    async fn open(way: &'static str, refusals: u32) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (notes, mut tasks) = (Notes { refusals, ..Notes::default() }, JoinSet::new());
        let own = notes.clone();
        match way {
            "grpc" => tasks.spawn(async move {
                let service = TraceServiceServer::new(own);
                let server = tonic::transport::Server::builder().add_service(service);
                server.serve_with_incoming(TcpIncoming::from(listener)).await.expect("it serves");
            }),
            _ => tasks.spawn(async move {
                let mut connections = JoinSet::new();
                while let Ok((stream, _)) = listener.accept().await {
                    let own = own.clone();
                    connections.spawn(async move {
                        own.serve(stream).await;
                    });
                }
            }),
        };
        Self { way, address, notes, _tasks: tasks }
    }

    fn settings(&self) -> String {
        format!(
            "[otel]\nendpoint = \"http://{}\"\nprotocol = \"{}\"\nservice_name = \"test\"\n\
             headers = {{ X-Team = \"voice\" }}\n",
            self.address, self.way
        )
    }

    fn asked(&self) -> u32 {
        self.notes.asked.load(Ordering::SeqCst)
    }

    fn all(&self) -> Vec<Span> {
        let told = self.notes.told.lock().expect("unpoisoned").clone();
        let resources = told.into_iter().flat_map(|it| it.resource_spans);
        resources.flat_map(|it| it.scope_spans).flat_map(|it| it.spans).collect()
    }

    fn octets(&self) -> Vec<u8> {
        let told = self.notes.told.lock().expect("unpoisoned");
        told.iter().flat_map(|it| it.encode_to_vec()).collect()
    }

    /// Waits for so many spans of a name.
    async fn spans(&self, name: &str, count: usize) -> Vec<Span> {
        within(PATIENCE, &format!("{count} spans `{name}`"), || {
            let all = self.all();
            (all.iter().filter(|span| span.name == name).count() >= count).then_some(all)
        })
        .await
    }
}

impl Notes {
    /// Notes a request, unless it is too early.
    fn take(&self, told: ExportTraceServiceRequest) -> bool {
        let takes = self.asked.fetch_add(1, Ordering::SeqCst) >= self.refusals;
        if takes {
            self.told.lock().expect("unpoisoned").push(told);
        }
        takes
    }

    async fn serve(&self, mut stream: TcpStream) -> Option<()> {
        loop {
            let mut octets = Vec::new();
            let end = loop {
                if let Some(end) = octets.windows(4).position(|it| it == b"\r\n\r\n") {
                    break end + 4;
                }
                octets.push(stream.read_u8().await.ok()?);
            };
            let head = String::from_utf8_lossy(&octets[..end]).to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let mut body = vec![0; length?.parse().ok()?];
            stream.read_exact(&mut body).await.ok()?;
            assert!(head.starts_with("post /v1/traces http/1.1\r\n"), "{head}");
            assert!(head.contains("content-type: application/x-protobuf\r\n"), "{head}");
            assert!(head.contains("x-team: voice\r\n"), "{head}");
            let told = ExportTraceServiceRequest::decode(&*body).expect("it is one");
            let status = if self.take(told) { "200 OK" } else { "503 Not Yet" };
            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.ok()?;
        }
    }
}

#[tonic::async_trait]
impl TraceService for Notes {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        assert_eq!(request.metadata().get("x-team").map(|it| it.as_bytes()), Some(&b"voice"[..]));
        match self.take(request.into_inner()) {
            true => Ok(Response::new(ExportTraceServiceResponse::default())),
            false => Err(Status::unavailable("not yet")),
        }
    }
}

/// The spans of one call.
struct Tree<'a>(&'a [Span]);

impl<'a> Tree<'a> {
    fn first(&self, name: &str) -> &'a Span {
        let found = self.0.iter().find(|span| span.name == name);
        found.unwrap_or_else(|| panic!("no `{name}`: {:#?}", self.0))
    }

    fn only(&self, name: &str) -> &'a Span {
        assert_eq!(self.0.iter().filter(|span| span.name == name).count(), 1, "{name}");
        self.first(name)
    }

    /// The name of the span above.
    fn above(&self, span: &Span) -> String {
        let above = self.0.iter().find(|it| it.span_id == span.parent_span_id);
        above.map(|it| it.name.clone()).unwrap_or_default()
    }

    /// Each kind of span is there, below the one where it belongs.
    fn is_whole(&self) {
        let of = |name: &str| (name.to_owned(), self.above(self.first(name)));
        let parents: BTreeMap<String, String> = [
            "sip.invite",
            "route",
            "agent clerk",
            "turn",
            "stt",
            "chat tiny",
            "execute_tool look",
            "tts",
        ]
        .map(of)
        .into();
        let expected = [
            ("sip.invite", "call"),
            ("route", "call"),
            ("agent clerk", "call"),
            ("turn", "agent clerk"),
            ("stt", "turn"),
            ("chat tiny", "turn"),
            ("execute_tool look", "turn"),
            ("tts", "turn"),
        ];
        let expected = expected.map(|(one, other)| (one.to_owned(), other.to_owned()));
        assert_eq!(parents, expected.into(), "{:#?}", self.0);
        assert_eq!(self.0.iter().filter(|span| span.name == "chat tiny").count(), 2);
    }

    /// Everything ends after it began, has an identity of its own, and is in one trace.
    fn fits(&self) {
        let mut names: Vec<&[u8]> = self.0.iter().map(|span| &*span.span_id).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), self.0.len());
        for span in self.0 {
            assert!(span.start_time_unix_nano <= span.end_time_unix_nano, "{span:#?}");
            assert_eq!(span.trace_id, self.0[0].trace_id);
            let above = self.0.iter().find(|it| it.span_id == span.parent_span_id);
            let since = above.map_or(0, |it| it.start_time_unix_nano);
            assert!(since <= span.start_time_unix_nano, "{span:#?} in {above:#?}");
        }
    }
}

fn text<'a>(span: &'a Span, key: &str) -> Option<&'a str> {
    let found = span.attributes.iter().find(|it| it.key == key)?;
    match found.value.as_ref()?.value.as_ref()? {
        Any::StringValue(text) => Some(text),
        _ => None,
    }
}

fn number(span: &Span, key: &str) -> Option<i64> {
    let found = span.attributes.iter().find(|it| it.key == key)?;
    match found.value.as_ref()?.value.as_ref()? {
        Any::IntValue(number) => Some(*number),
        _ => None,
    }
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|it| format!("{it:02x}")).collect()
}

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

const SPAN: &str = "00f067aa0ba902b7";
