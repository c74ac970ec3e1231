//! Tools in calls: a model asks for them, a service on the loopback is asked by us, and what must
//! not be done is not done. The model and the ears are stand-ins; the caller speaks or presses keys.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use voxtrunk::engine::phone::{Act, Line, Moment, When};
use voxtrunk::media::event::Digit;
use voxtrunk::providers::fakes::deepgram::{self, Script};
use voxtrunk::providers::fakes::stand::{Stand, nobody};

use super::caller::{Outcome, Speaker, call, say};
use super::server::{Folder, House, Server, finish, program, said};
use super::service::{Reply, Seen, Service};
use super::{post, postgres};
use crate::fakes::chat_server::{Behaviour, ChatServer, KEY};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_slot_is_booked_when_the_caller_has_heard_the_question_and_said_yes() {
    let service = Service::open(|_| Reply::json(json!({ "booking": { "number": 4711 } }))).await;
    let mind = ChatServer::start(vec![
        uses("book_slot", r#"{"slot_id": "ten", "name": "Ann"}"#),
        Behaviour::Says("It is booked."),
    ])
    .await;
    let stage = Stage::open(&mind, &service, &booking(&service)).await;
    let outcome = stage.call(vec![request().await, say(Speaker::Flite("rms"), YES).await]).await;
    assert!(outcome.we_hung_up(), "{:?}", outcome.ending);
    let record = stage.server.record().await;
    assert_eq!(said(&record, "caller"), [REQUEST, YES], "{record:#}");
    let spoken = said(&record, "agent");
    assert_eq!(spoken, ["Hello?", QUESTION, "It is booked."], "{record:#}");
    let [asked] = service.seen().try_into().expect("one request");
    let Seen { head, body } = asked;
    assert!(head.starts_with("POST /bookings HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("authorization: Bearer sesame-4711\r\n"), "{head}");
    assert!(head.contains("content-type: application/json\r\n"), "{head}");
    let key = format!("idempotency-key: {}-call_abc\r\n", record["id"].as_str().expect("an id"));
    assert!(head.contains(&key), "{head}");
    let body: Value = serde_json::from_str(&body).expect("JSON");
    let from = &record["from"]["number"];
    assert_eq!(body, json!({ "slot": "ten", "name": "Ann", "phone": from }));
    assert_eq!(record["tools"][0]["outcome"], "done", "{record:#}");
    assert_eq!(results(&mind), [r#"{"booking":{"number":4711}}"#]);
    assert_eq!(mind.complaints(), Vec::<String>::new());
    assert!(!stage.server.log().contains("sesame-4711"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_booked_for_a_caller_who_says_no() {
    let service = Service::open(|_| Reply::json(json!({}))).await;
    let mind = ChatServer::start(vec![
        uses("book_slot", r#"{"slot_id": "ten", "name": "Ann"}"#),
        Behaviour::Says("All right, nothing is booked."),
    ])
    .await;
    let stage = Stage::open(&mind, &service, &booking(&service)).await;
    stage.call(vec![request().await, press("2")]).await;
    let record = stage.server.record().await;
    let last = said(&record, "agent").pop();
    assert_eq!(last.as_deref(), Some("All right, nothing is booked."), "{record:#}");
    assert!(service.seen().is_empty());
    let results = results(&mind);
    assert!(results.len() == 1 && results[0].contains("said no: nothing was done"), "{results:?}");
    assert_eq!(record["tools"][0]["outcome"], "failed", "{record:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_word_of_a_model_stands_for_a_yes_of_the_caller() {
    let service = Service::open(|_| Reply::json(json!({}))).await;
    let book = || uses("book_slot", r#"{"slot_id": "ten", "name": "Ann"}"#);
    let mind = ChatServer::start(vec![
        // It claims that the caller has agreed, and asks for it again and again.
        uses("book_slot", r#"{"slot_id": "ten", "name": "Ann", "confirmed": true}"#),
        book(),
        book(),
        book(),
        Behaviour::Says("I give up."),
    ])
    .await;
    let stage = Stage::open(&mind, &service, &booking(&service)).await;
    // Nothing of what the caller says is an answer to the question.
    let lines = vec![request().await, request().await, request().await, press("2")];
    stage.call(lines).await;
    let record = stage.server.record().await;
    assert!(service.seen().is_empty(), "{record:#}");
    let questions = said(&record, "agent").iter().filter(|line| *line == QUESTION).count();
    assert_eq!(questions, 3, "{record:#}");
    let results = results(&mind);
    assert!(results[0].contains("there is no `confirmed`"), "{results:?}");
    assert!(results[1].contains("neither yes nor no"), "{results:?}");
    assert!(results[3].contains("said no"), "{results:?}");
    assert_eq!(mind.complaints(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_caller_hears_that_a_slow_tool_takes_a_moment() {
    let service = Service::open(|seen| {
        if seen.path() == "/note" {
            return Reply::json(json!({}));
        }
        let slots = json!({ "data": { "slots": ["10:00", "11:30"], "secret": "x".repeat(9_000) } });
        Reply::json(slots).after(Duration::from_secs(3))
    })
    .await;
    let mind = ChatServer::start(vec![
        uses("check_slots", r#"{"date": "2026-12-24", "service": "repair"}"#),
        uses("note", "{}"),
        Behaviour::Says("There are two slots."),
    ])
    .await;
    let tools = format!(
        "[tools.check_slots]\ntype = \"http\"\ndescription = \"Lists slots.\"\n\
         url = \"{0}/slots\"\nsay = \"I am looking into the calendar.\"\nsay_after = \"300ms\"\n\
         result = \"/data/slots\"\nsave = \"slots\"\n\
         parameters = {{ date = \"date\", service = {{ type = \"string\", enum = [\"repair\"] }} }}\n\
         [tools.note]\ntype = \"http\"\ndescription = \"Notes.\"\nurl = \"{0}/note\"\n\
         body = {{ slots = \"{{{{ vars.slots }}}}\", first = \"{{{{ vars.slots[0] }}}} today\" }}\n",
        service.url()
    );
    let stage = Stage::open(&mind, &service, &tools).await;
    stage.call(vec![request().await]).await;
    let record = stage.server.record().await;
    let moment = "I am looking into the calendar.";
    assert_eq!(said(&record, "agent"), ["Hello?", moment, "There are two slots."], "{record:#}");
    assert_eq!(results(&mind)[0], r#"["10:00","11:30"]"#);
    let seen = service.seen();
    assert!(seen[0].head.starts_with("GET /slots?date=2026-12-24&service=repair HTTP/1.1\r\n"));
    let noted: Value = serde_json::from_str(&seen[1].body).expect("JSON");
    assert_eq!(noted, json!({ "slots": ["10:00", "11:30"], "first": "10:00 today" }));
    let offered = &mind.requests()[0]["tools"];
    let slots = offered.as_array().expect("tools").iter();
    let mut slots = slots.filter(|tool| tool["function"]["name"] == "check_slots");
    let schema = &slots.next().expect("it is offered")["function"]["parameters"];
    assert_eq!(schema["required"], json!(["date", "service"]));
    assert_eq!(schema["additionalProperties"], json!(false));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_answer_of_a_service_harms_the_call_and_nothing_forbidden_is_touched() {
    let canary = Service::open(|_| Reply::json(json!({ "password": "4711" }))).await;
    let elsewhere = canary.url();
    let service = Service::open(move |seen| match seen.path() {
        "/huge" => Reply::text("text/plain", "x".repeat(10 << 20)),
        "/image" => Reply::text("image/png", "x".to_owned()),
        "/late" => Reply::json(json!({})).after(Duration::from_secs(20)),
        "/moved" => Reply::moved(&elsewhere),
        "/broken" => Reply { status: 503, ..Reply::text("text/html", "<h1>no</h1>".to_owned()) },
        _ => Reply::json(json!({})),
    })
    .await;
    let inside = canary.url().replace("http://127.0.0.1", "https://localhost");
    let (mut tools, mut behaviours) = (String::new(), Vec::new());
    let base = service.url();
    for (name, url) in [
        ("huge", format!("{base}/huge")),
        ("image", format!("{base}/image")),
        ("late", format!("{base}/late")),
        ("moved", format!("{base}/moved")),
        ("broken", format!("{base}/broken")),
        ("inside", inside),
        ("climbs", format!("{base}/a/{{{{ args.id }}}}")),
    ] {
        let climbs = name == "climbs";
        let parameters = if climbs { "parameters = { id = \"string\" }\n" } else { "" };
        tools.push_str(&format!(
            "[tools.{name}]\ntype = \"http\"\ndescription = \"x\"\nurl = \"{url}\"\nretry = 1\n\
             timeout = \"1s\"\n{parameters}"
        ));
        behaviours.push(uses(name, if climbs { r#"{"id": ".."}"# } else { "{}" }));
    }
    behaviours.push(Behaviour::Says("Nothing works today."));
    let mind = ChatServer::start(behaviours).await;
    let stage = Stage::open(&mind, &service, &tools).await;
    let outcome = stage.call(vec![request().await]).await;
    assert!(outcome.we_hung_up(), "{:?}", outcome.ending);
    let record = stage.server.record().await;
    let last = said(&record, "agent").pop();
    assert_eq!(last.as_deref(), Some("Nothing works today."), "{record:#}");
    assert!(canary.seen().is_empty(), "{:?}", canary.seen());
    let results = results(&mind);
    for (at, why) in [
        "more than 1048576 octets",
        "image/png, which is no text",
        "no answer in time",
        "sends us elsewhere",
        "HTTP 503",
        "not on the public internet",
        "nothing but dots",
    ]
    .into_iter()
    .enumerate()
    {
        assert!(results[at].contains(why), "{why}: {}", results[at]);
    }
    let paths: Vec<String> = service.seen().iter().map(|seen| seen.path().to_owned()).collect();
    let count = |path: &str| paths.iter().filter(|it| *it == path).count();
    assert_eq!((count("/broken"), count("/image"), count("/huge")), (2, 1, 1), "{paths:?}");
    assert!(!paths.iter().any(|path| path == "/" || path == "/a/.."), "{paths:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_webhook_speaks_the_words_of_vapi_and_is_signed() {
    let service = Service::open(|seen| {
        let asked: Value = serde_json::from_str(&seen.body).unwrap_or_default();
        let id = &asked["message"]["toolCallList"][0]["id"];
        Reply::json(json!({ "results": [{ "toolCallId": id, "result": "It is on its way." }] }))
    })
    .await;
    let mind = ChatServer::start(vec![
        uses("track", r#"{"order": "A7"}"#),
        Behaviour::Says("It comes today."),
    ])
    .await;
    let key = [7; 32];
    let tools = format!(
        "[tools.track]\ntype = \"webhook\"\ndescription = \"Finds an order.\"\nurl = \"{}/hook\"\n\
         secret = \"whsec_{}\"\nparameters = {{ order = \"string\" }}\n",
        service.url(),
        STANDARD.encode(key)
    );
    let stage = Stage::open(&mind, &service, &tools).await;
    stage.call(vec![request().await]).await;
    let record = stage.server.record().await;
    let [seen] = service.seen().try_into().expect("one request");
    let body: Value = serde_json::from_str(&seen.body).expect("JSON");
    let message = &body["message"];
    assert_eq!(message["type"], "tool-calls");
    let function = json!({ "name": "track", "arguments": { "order": "A7" } });
    assert_eq!(message["toolCallList"][0]["function"], function);
    assert_eq!(message["call"]["id"], record["id"]);
    assert_eq!(message["call"]["customer"]["number"], record["from"]["number"]);
    let header = |name: &str| seen.header(name).unwrap_or_else(|| panic!("{name}: {}", seen.head));
    let signed = format!("{}.{}.{}", header("webhook-id"), header("webhook-timestamp"), seen.body);
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &key);
    let signature = STANDARD.encode(ring::hmac::sign(&key, signed.as_bytes()));
    assert_eq!(header("webhook-signature"), format!("v1,{signature}"));
    assert_eq!(results(&mind), ["It is on its way."]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_of_the_model_context_protocol_lends_its_tools() {
    let calls = AtomicU32::new(0);
    let service = Service::open(move |seen| {
        let asked: Value = serde_json::from_str(&seen.body).unwrap_or_default();
        let answer =
            |result: Value| json!({ "jsonrpc": "2.0", "id": asked["id"], "result": result });
        match asked["method"].as_str().unwrap_or_default() {
            "initialize" => Reply::json(answer(json!({
                "protocolVersion": "2025-06-18", "capabilities": { "tools": {} },
                "serverInfo": { "name": "tickets", "version": "1" },
            })))
            .with(&format!("Mcp-Session-Id: s{}", calls.load(Ordering::SeqCst))),
            "tools/list" => Reply::json(answer(json!({ "tools": [
                { "name": "search", "description": "Finds tickets.", "inputSchema": {
                    "type": "object", "properties": { "text": { "type": "string" } },
                    "required": ["text"],
                } },
                { "name": "delete_all", "description": "x", "inputSchema": { "type": "object" } },
            ] }))),
            // It has forgotten the session, once.
            "tools/call" if calls.fetch_add(1, Ordering::SeqCst) == 0 => {
                Reply { status: 404, ..Reply::json(json!({})) }
            }
            "tools/call" => {
                let text = json!([{ "type": "text", "text": "Ticket 7: the bell is silent." }]);
                let answer = answer(json!({ "content": text }));
                Reply::text("text/event-stream", format!("event: message\ndata: {answer}\n\n"))
            }
            _ => Reply { status: 202, ..Reply::text("text/plain", String::new()) },
        }
    })
    .await;
    let mind = ChatServer::start(vec![
        uses("tickets_search", r#"{"text": 7}"#),
        uses("tickets_search", r#"{"text": "bell"}"#),
        Behaviour::Says("There is one ticket."),
    ])
    .await;
    let tools = format!(
        "[tools.tickets]\ntype = \"mcp\"\nurl = \"{}/mcp\"\nallow = [\"search\"]\n\
         headers = {{ Authorization = \"Bearer ${{env:CALENDAR_KEY}}\" }}\n\
         [tools.away]\ntype = \"mcp\"\nurl = \"https://nowhere.invalid/mcp\"\n",
        service.url()
    );
    let stage = Stage::open(&mind, &service, &tools).await;
    stage.call(vec![request().await]).await;
    let record = stage.server.record().await;
    let last = said(&record, "agent").pop();
    assert_eq!(last.as_deref(), Some("There is one ticket."), "{record:#}");
    assert_eq!(
        results(&mind),
        ["`text` must be a text: nothing was done", "Ticket 7: the bell is silent.",]
    );
    let offered = mind.requests()[0]["tools"].to_string();
    assert!(offered.contains("tickets_search") && !offered.contains("delete_all"), "{offered}");
    let methods: Vec<String> = service.seen().iter().map(Seen::rpc_method).collect();
    let session = ["initialize", "notifications/initialized"];
    let first = [&session[..], &["tools/list", "tools/call"]].concat();
    assert_eq!(methods, [first, session.to_vec(), vec!["tools/call"]].concat(), "{methods:?}");
    let last = service.seen().pop().expect("a request");
    assert_eq!(last.header("mcp-session-id"), Some("s1"), "{}", last.head);
    assert_eq!(last.header("authorization"), Some("Bearer sesame-4711"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_tools_of_the_house_note_reckon_and_press_keys() {
    let service = Service::open(|_| Reply::json(json!({}))).await;
    let message = r#"{"text": "Please call me.", "name": "Ann", "for": "sales"}"#;
    let mind = ChatServer::start(vec![
        uses("take_message", message),
        uses("schedule_callback", r#"{"date": "2020-01-01", "time": "10:00"}"#),
        uses("calculator", r#"{"expression": "3 * (19.90 - 2.5)"}"#),
        uses("now", "{}"),
        uses("send_dtmf", r#"{"keys": "12w#"}"#),
        Behaviour::Says("All of it is done."),
    ])
    .await;
    let stage = Stage::open(&mind, &service, "").await;
    let outcome = stage.call(vec![request().await]).await;
    let record = stage.server.record().await;
    let noted = &record["messages"][0];
    assert_eq!((&noted["text"], &noted["for"]), (&json!("Please call me."), &json!("sales")));
    assert_eq!(noted["number"], record["from"]["number"], "{record:#}");
    assert_eq!(record["callbacks"], json!([]));
    let results = results(&mind);
    assert_eq!(results[0], "the message is noted");
    assert!(results[1].starts_with("that time is over"), "{results:?}");
    assert_eq!(results[2], "52.2");
    let now: Value = serde_json::from_str(&results[3]).expect("JSON");
    assert!(record["started_at"].as_str().is_some_and(|at| at.starts_with(&results_day(&now))));
    let keys: String = outcome
        .moments
        .iter()
        .filter_map(|(_, moment)| match moment {
            Moment::Hears(key) => Some(*key),
            _ => None,
        })
        .collect();
    assert_eq!(keys, "12#");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn keys_that_a_model_asks_for_are_gathered_and_told() {
    let mind = ChatServer::start(vec![
        uses("collect_digits", r#"{"prompt": "Please key in your number and then the hash key."}"#),
        Behaviour::Says("Thank you."),
    ])
    .await;
    let stage = Stage::furnished(&mind, "", "").await;
    stage.call(vec![request().await, press("04711#")]).await;
    let record = stage.server.record().await;
    let spoken = said(&record, "agent");
    let prompt = "Please key in your number and then the hash key.";
    assert_eq!(spoken, ["Hello?", prompt, "Thank you."], "{record:#}");
    assert_eq!(results(&mind), ["04711"]);
    assert_eq!(record["tools"][0]["outcome"], "done", "{record:#}");
    assert_eq!(mind.complaints(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_tool_is_tried_on_the_command_line_and_shows_no_secret() {
    let service = Service::open(|_| Reply::json(json!({ "booking": 1 }))).await;
    let folder = Folder::new();
    let dialplan = format!("{}\n{}", agent(&booking(&service)), booking(&service));
    let settings = format!("[security.tools]\nallow = [\"{}\"]\n", service.host());
    let config = House::with(&dialplan)
        .and(&settings)
        .and(&providers("http://127.0.0.1:9/v1", "http://127.0.0.1:9"));
    let config = config.write(&folder);
    let mut command = program();
    command.args(["tool", "run", "book_slot", "--args", r#"{"slot_id": "ten", "name": "Ann"}"#]);
    command.arg("--config").arg(&config).env("CALENDAR_KEY", "sesame-4711");
    let (code, text) = finish(command).await;
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("POST ") && text.contains("/bookings"), "{text}");
    assert!(text.contains("Authorization: ***") && !text.contains("sesame-4711"), "{text}");
    assert!(text.contains(r#"{"booking":1}"#), "{text}");
    assert_eq!(service.seen().len(), 1);
    let mut command = program();
    command.args(["tool", "run", "book_slot", "--args", r#"{"slot_id": 7}"#]);
    command.arg("--config").arg(&config).env("CALENDAR_KEY", "sesame-4711");
    let (code, text) = finish(command).await;
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("`name` is missing"), "{text}");
    assert_eq!(service.seen().len(), 1);
}

/// The day of an answer of `now`, unless midnight has passed meanwhile.
fn results_day(now: &Value) -> String {
    now["date"].as_str().expect("a day").to_owned()
}

/// A server whose agent has tools.
#[derive(Debug)]
pub struct Stage {
    /// The server.
    pub server: Server,
    _ears: Stand,
}

impl Stage {
    async fn open(mind: &ChatServer, service: &Service, tools: &str) -> Self {
        let settings = format!("[security.tools]\nallow = [\"{}\"]\n", service.host());
        Self::furnished(mind, &settings, tools).await
    }

    /// The same, with settings of its own.
    pub async fn furnished(mind: &ChatServer, settings: &str, tools: &str) -> Self {
        let ears = deepgram::open(ears()).await.expect("a port");
        let providers = providers(&mind.base_url(), &ears.base_url());
        let dialplan = format!("{}\n{tools}", agent(tools));
        let house = House::with(&dialplan).and(&providers).and(settings);
        let server = Server::start_with(house, SECRETS).await;
        Self { server, _ears: ears }
    }

    /// A caller who says these lines.
    pub async fn call(&self, lines: Vec<Line>) -> Outcome {
        call(&self.server.uri("901"), lines, Duration::from_secs(12)).await
    }
}

/// What the model was told of its calls, in order.
pub fn results(mind: &ChatServer) -> Vec<String> {
    let last = mind.requests().pop().expect("it was asked");
    let messages = last["messages"].as_array().cloned().unwrap_or_default();
    let results = messages.iter().filter(|message| message["role"] == "tool");
    results.map(|message| message["content"].as_str().unwrap_or_default().to_owned()).collect()
}

/// The model asks for a tool.
pub fn uses(tool: &'static str, arguments: &'static str) -> Behaviour {
    Behaviour::Calls { text: "", tool, arguments }
}

/// The caller says what is wanted.
pub async fn request() -> Line {
    say(Speaker::Flite("rms"), REQUEST).await
}

fn press(keys: &str) -> Line {
    let keys = keys.chars().filter_map(Digit::new).collect();
    Line { when: When::Quiet, act: Act::Press(keys) }
}

/// Tells the two sentences of the caller apart by how long they sound.
fn ears() -> Script {
    let ear: deepgram::Ear = Arc::new(|samples, _| {
        let loud = samples.iter().filter(|sample| sample.unsigned_abs() > 600).count();
        if loud > 8_000 { REQUEST.to_owned() } else { YES.to_owned() }
    });
    let delay = Duration::from_millis(20);
    Script { key: KEY, ear, delay, faults: Vec::new(), observer: nobody() }
}

/// A model and ears.
pub fn providers(mind: &str, ears: &str) -> String {
    format!(
        "[providers.ears]\nkind = \"deepgram\"\napi_key = \"{KEY}\"\nbase_url = \"{ears}\"\n\
         model = \"nova-3\"\n\
         [providers.mind]\nkind = \"openai-compatible\"\napi_key = \"{KEY}\"\nmodel = \"tiny\"\n\
         base_url = \"{mind}\"\n"
    )
}

/// An agent with all tools of a text, and with those of the house.
pub fn agent(tools: &str) -> String {
    let own = tools.lines().filter_map(|line| line.strip_prefix("[tools.")?.strip_suffix(']'));
    let own = own.filter(|name| !name.contains('.')).map(|name| format!("{name:?}, "));
    let own: String = own.collect();
    format!(
        "[[route]]\nto = \"agent:clerk\"\n\n[agents.clerk]\nfirst_message = \"Hello?\"\n\
         disclosure = \"none\"\ndisclosure_reason = \"another test hears it\"\n\
         prompt = \"You are a clerk.\"\nstt.provider = \"ears\"\nllm.provider = \"mind\"\n\
         tts = {{ provider = \"flite\", voice = \"slt\" }}\nturns.preemptive = false\n\
         silence.remind_after = \"30s\"\nsilence.hangup_after = \"60s\"\n\
         limits.max_tool_calls_per_turn = 9\n\
         tools = [{own}\"end_call\", \"now\", \"calculator\", \"send_dtmf\", \"take_message\", \
         \"schedule_callback\", \"collect_digits\"]\n"
    )
}

fn booking(service: &Service) -> String {
    format!(
        "[tools.book_slot]\ntype = \"http\"\ndescription = \"Books a slot.\"\nmethod = \"POST\"\n\
         url = \"{}/bookings\"\nconfirm = \"Shall I book {{{{ args.slot_id }}}} o'clock?\"\n\
         headers = {{ Authorization = \"Bearer ${{env:CALENDAR_KEY}}\", \
         Idempotency-Key = \"{{{{ call.id }}}}-{{{{ tool.call_id }}}}\" }}\n\
         body = {{ slot = \"{{{{ args.slot_id }}}}\", name = \"{{{{ args.name }}}}\", \
         phone = \"{{{{ call.from }}}}\" }}\n\
         [tools.book_slot.parameters]\nslot_id = \"string\"\nname = \"string\"\n",
        service.url()
    )
}

const REQUEST: &str = "I would like to book the slot at ten in the morning";

const YES: &str = "yes";

const QUESTION: &str = "Shall I book ten o'clock?";

/// What stands in the environment of the server.
const SECRETS: &[(&str, &str)] = &[
    ("CALENDAR_KEY", "sesame-4711"),
    ("MAIL_PASSWORD", post::PASSWORD),
    ("SHOP_PASSWORD", postgres::PASSWORD),
];
