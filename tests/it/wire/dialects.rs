//! Webhooks in the words of Vapi and of Retell: real calls, told to real receivers, held against the
//! types and the client of those whose words they are.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::Command;
use voxtrunk::engine::phone::{Act, Line, When};
use voxtrunk::media::event::Digit;

use super::caller::{call, call_from};
use super::control::{Watch, eventually, told};
use super::deskphone::Deskphone;
use super::importing::typed;
use super::oversight::{Ann, answers, phone};
use super::peers::free_port;
use super::server::{Folder, House, PATIENCE, SOURCE, Server, said, within};
use super::service::{Reply, Seen, Service};
use super::webhooks::{ALLOW_ALL, NEW, OLD, event, is_signed, status, webhook};
use crate::fakes::chat_server::{Behaviour, ChatServer, KEY};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_call_is_told_in_the_words_of_each() {
    let tries = Arc::new(AtomicU32::new(0));
    let count = tries.clone();
    // The report is taken at the third attempt.
    let vapi = Service::open(move |seen| match kind_of_vapi(seen).as_str() {
        "end-of-call-report" if count.fetch_add(1, Ordering::Relaxed) < 2 => status(500),
        _ => status(200),
    })
    .await;
    let (retell, ours) =
        (Service::open(|_| status(204)).await, Service::open(|_| status(200)).await);
    let mind = ChatServer::start(vec![SAYS, REPORTS]).await;
    let door = free_port();
    let settings = [
        endpoint("vapi", &vapi, VAPI_SECRET),
        endpoint("retell", &retell, RETELL_KEY),
        webhook("ours", &ours, "[\"call.*\", \"transcript.updated\"]"),
        thinking(&mind),
        format!(
            "[http]\nbind = \"127.0.0.1:{door}\"\npublic_url = \"https://voice.example.com\"\n"
        ),
        "[http.vapi]\nlocal = true\n".to_owned(),
        ALLOW_ALL.to_owned(),
    ];
    let server = Server::start(House::with(DESK).and(&settings.concat())).await;
    let outcome = call_from("+4971112345", &server.uri("901"), vec![press('1')]).await;
    assert!(outcome.they_hung_up(), "{:?}", outcome.ending);
    let record = server.record_with("analysis").await;
    is_told_as_vapi(&until(&vapi, kind_of_vapi, "end-of-call-report", 3).await, &record);
    let seen = until(&retell, kind_of_retell, "call_analyzed", 1).await;
    is_told_as_retell(&seen, &record);
    is_taken(&seen).await;

    // Others are told as ever, and nothing in words that are not theirs.
    let seen = within(PATIENCE, "the analysis", || {
        let seen = ours.seen();
        seen.iter().any(|it| event(it)["type"] == "call.analyzed").then_some(seen)
    })
    .await;
    seen.iter().for_each(|it| is_signed(it, &[NEW, OLD]));
    eventually(&server, &["webhook", "list", "--json"], |list| {
        let all = list["data"].as_array().into_iter().flatten();
        all.into_iter().all(|it| it["pending"] == 0 && it["dead"] == 0)
    })
    .await;
    let held = std::fs::read_dir(server.folder.path("data/events")).expect("a folder").count();
    assert_eq!(held, 0, "nothing is held back for ever");
    for (name, expected) in [("vapi", "webhook.test"), ("retell", "webhook_test")] {
        let test = told(&server, &["webhook", "test", name]).await;
        assert!(test.contains("200") || test.contains("204") || test.contains("took it"), "{test}");
        let last = if name == "vapi" { vapi.seen() } else { retell.seen() };
        let last = last.last().cloned().expect("it came");
        assert!(last.body.contains(expected), "{}", last.body);
    }
    is_taken(&retell.seen()).await;
    for secret in [VAPI_SECRET, RETELL_KEY] {
        assert!(!server.log().contains(secret));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_caller_who_is_sent_on_is_told_in_the_words_of_each() {
    let (vapi, retell) =
        (Service::open(|_| status(200)).await, Service::open(|_| status(200)).await);
    let settings = [
        endpoint("vapi", &vapi, VAPI_SECRET),
        endpoint("retell", &retell, RETELL_KEY),
        ALLOW_ALL.to_owned(),
        PHONES.to_owned(),
    ];
    let server = Server::start(House::with(HANDS).and(&settings.concat())).await;
    let mut ben = phone(&server, "102", "other").await;
    let mut events = Watch::start(&server, &["events", "--json"]);
    let ann = Ann::calls(&server, "901").await;
    events.until("Good day").await;
    let call = ann.id(&server).await;
    told(&server, &["call", "transfer", &call, "agent:back"]).await;
    events.until("The back office").await;
    let attended = |to| ["call", "transfer", &call, to, "--mode", "attended"];
    told(&server, &attended("101")).await;
    events.until("transfer.failed").await;
    told(&server, &attended("102")).await;
    answers(&mut ben).await;
    events.until("call.transferred").await;
    ann.hangs_up().await;
    let bye = ben.wait_for("BYE ").await;
    ben.reply(&bye, "200 OK", "").await;
    let record = server.record().await;
    let id = record["id"].as_str().expect("an identity");

    let seen = until(&vapi, kind_of_vapi, "end-of-call-report", 1).await;
    let of = |kind: &str| -> Vec<Value> {
        let own = seen.iter().filter(|it| kind_of_vapi(it) == kind);
        own.map(|it| event(it)["message"].clone()).collect()
    };
    let went: Vec<Value> =
        of("transfer-update").iter().map(|it| it["destination"].clone()).collect();
    let back = json!({ "type": "assistant", "assistantName": "back" });
    assert_eq!(went.first(), Some(&back), "{record:#}");
    assert_eq!(went.last(), Some(&json!({ "type": "number", "number": "102" })), "{record:#}");
    let states: Vec<Value> = of("status-update").iter().map(|it| it["status"].clone()).collect();
    assert_eq!(states, ["ringing", "in-progress", "forwarding", "ended"]);
    let report = &of("end-of-call-report")[0];
    let transfers: Vec<&Value> =
        report["artifact"]["transfers"].as_array().into_iter().flatten().collect();
    assert_eq!(transfers.last().map(|it| &it["status"]), Some(&json!("completed")), "{report:#}");
    fits_vapi(&seen);

    let seen = until(&retell, kind_of_retell, "call_ended", 1).await;
    let kinds: Vec<String> = seen.iter().map(kind_of_retell).collect();
    let moves: Vec<&String> = kinds.iter().filter(|it| *it != "transcript_updated").collect();
    let way =
        ["call_started", "transfer_cancelled", "transfer_bridged", "transfer_ended", "call_ended"];
    assert_eq!(moves, way);
    let bridged = seen.iter().find(|it| kind_of_retell(it) == "transfer_bridged").expect("it came");
    let bridged = event(bridged);
    assert_eq!(bridged["transfer_destination"]["number"], "phone:102", "{bridged:#}");
    assert_eq!(
        (&bridged["call"]["call_id"], &bridged["call"]["call_status"]),
        (&json!(id), &json!("ongoing"))
    );
    is_taken(&seen).await;
    fits_retell(&seen);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_report_that_waits_is_told_after_the_server_was_killed() {
    let is_away = Arc::new(AtomicBool::new(true));
    let away = is_away.clone();
    let vapi = Service::open(
        move |_| {
            if away.load(Ordering::Relaxed) { status(503) } else { status(200) }
        },
    )
    .await;
    let mind = ChatServer::start(vec![SAYS, Behaviour::NeverAnswers]).await;
    let house = || {
        let settings =
            [endpoint("vapi", &vapi, VAPI_SECRET), thinking(&mind), ALLOW_ALL.to_owned()];
        House::with(DESK).and(&settings.concat())
    };
    let mut server = Server::start(house()).await;
    let outcome = call_from("+4971112345", &server.uri("901"), vec![press('1')]).await;
    assert!(outcome.they_hung_up(), "{:?}", outcome.ending);
    let record = server.record().await;
    let held = server
        .folder
        .path("data/events")
        .join(format!("{}.held", record["id"].as_str().unwrap_or("")));
    within(PATIENCE, "the report is held back", || held.exists().then_some(())).await;
    let pid = i32::try_from(server.pid()).ok().and_then(Pid::from_raw).expect("a process");
    kill_process(pid, Signal::KILL).expect("it is our child");
    server.ended().await;
    is_away.store(false, Ordering::Relaxed);
    let server = Server::start_in(Folder::of(server), house()).await;
    let seen = until(&vapi, kind_of_vapi, "end-of-call-report", 1).await;
    let report = event(seen.last().expect("it came"))["message"].clone();
    assert_eq!(report["call"]["id"], record["id"], "{report:#}");
    assert_eq!(
        (&report["endedReason"], &report["analysis"]),
        (&json!("assistant-ended-call"), &json!({}))
    );
    // All else was told before it, in its order and in the same words each time.
    let mut bodies = std::collections::BTreeMap::new();
    for it in &seen {
        let id = it.header("webhook-id").expect("an identity").to_owned();
        assert_eq!(*bodies.entry(id).or_insert_with(|| it.body.clone()), it.body);
    }
    let log = told(&server, &["webhook", "log", "vapi", "--json"]).await;
    let log: Value = serde_json::from_str(&log).expect("JSON");
    let reports = log["data"].as_array().into_iter().flatten();
    let reports =
        reports.filter(|it| it["event"].as_str().is_some_and(|it| it.ends_with("report")));
    assert_eq!(reports.count(), 1, "{log:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_of_vapi_says_which_assistant_takes_a_call() {
    let at = format!("127.0.0.1:{}", free_port());
    let app = chooses(format!("sip:102@{at}")).await;
    let retell = Service::open(|_| {
        let variables = json!({ "guest": "Ben" });
        Reply::json(json!({ "call_inbound": { "override_agent_id": "greeter",
            "dynamic_variables": variables } }))
    })
    .await;
    let ours = Service::open(|_| {
        Reply::json(json!({ "to": "agent:greeter", "set": { "guest": "Cleo" } }))
    })
    .await;
    let none = |text: String| text.replace("[\"*\"]", "[]");
    let settings = [
        none(endpoint("vapi", &app, VAPI_SECRET)),
        none(endpoint("retell", &retell, RETELL_KEY)),
        webhook("ours", &ours, "[]"),
        ALLOW_ALL.to_owned(),
        PHONES.to_owned(),
    ];
    let server = Server::start(House::with(DECIDED).and(&settings.concat())).await;
    let mut ben = Deskphone::register_at(&at, server.address, ("102", "other"), "127.0.0.1").await;
    let numbers = ["901", "901", "901", "901", "901", "902", "903"];
    // The third comes to his phone.
    let answer = async {
        answers(&mut ben).await;
        let bye = ben.wait_for("BYE ").await;
        ben.reply(&bye, "200 OK", "").await;
    };
    let (words, ()) = tokio::join!(answered(&server, &numbers), answer);
    let expected = [
        "Hello Anna.",
        "Sorry. We are closed.",
        "",
        "Sorry.",
        "Sorry.",
        "Hello Ben.",
        "Hello Cleo.",
    ];
    assert_eq!(words, expected, "{}", server.log());
    let log = server.log();
    assert!(log.contains("POST /vapi/assistant") && log.contains("the status 500"), "{log}");

    let seen = app.seen();
    assert_eq!(seen[0].header("x-vapi-secret"), Some(VAPI_SECRET));
    let question = event(&seen[0])["message"].clone();
    assert_eq!(question["type"], "assistant-request");
    assert_eq!(question["call"]["type"], "inboundPhoneCall", "{question:#}");
    assert_eq!(question["phoneNumber"]["number"], "901", "{question:#}");
    fits_vapi(&seen);
    let question = event(&retell.seen()[0]);
    assert_eq!(
        (&question["event"], &question["call_inbound"]["to_number"]),
        (&json!("call_inbound"), &json!("902"))
    );
    is_taken(&retell.seen()).await;
    let question = &ours.seen()[0];
    assert!(question.header("webhook-signature").is_some_and(|it| it.starts_with("v1,")));
    assert_eq!(event(question)["type"], "route.decide");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_never_told_in_their_words_is_said_by_the_check() {
    let folder = Folder::new();
    let settings = "[webhooks.vapi]\nurl = \"https://app.example.com/\"\nformat = \"vapi\"\n\
                    secret = \"two words\"\nevents = [\"call.*\", \"trunk.up\", \"call.analyzed\"]\n";
    let path = House::porter().and(settings).write(&folder);
    let mut check = super::server::program();
    check.arg("check").arg("--config").arg(path);
    let (code, text) = super::server::finish(check).await;
    assert_eq!(code, Some(1), "{text}");
    for words in [
        "`trunk.up` is not told in the format `vapi`",
        "write \"call.ended\"",
        "letters, digits and signs of ASCII",
        "X-Vapi-Secret",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
}

/// A server of Vapi's that says something else each time.
async fn chooses(sip: String) -> Service {
    let asked = AtomicU32::new(0);
    let over = json!({ "variableValues": { "guest": "Anna" } });
    let answer = move |_: &Seen| match asked.fetch_add(1, Ordering::Relaxed) {
        0 => Reply::json(json!({ "assistantId": "greeter", "assistantOverrides": over })),
        1 => Reply::json(json!({ "error": "We are closed." })),
        2 => Reply::json(json!({ "destination": { "type": "sip", "sipUri": sip } })),
        3 => Reply::json(json!({ "assistant": { "firstMessage": "Be rude." } })),
        _ => status(500),
    };
    Service::open(answer).await
}

/// What is said to those who call these, one after the other.
async fn answered(server: &Server, numbers: &[&str]) -> Vec<String> {
    let mut words = Vec::new();
    for (count, number) in numbers.iter().enumerate() {
        call(&server.uri(number), Vec::new(), Duration::from_secs(3)).await;
        let record = server.records(count + 1).await.remove(count);
        words.push(said(&record, "agent").join(" ").trim().to_owned());
    }
    words
}

/// What Vapi's own receivers expect of a call that an agent ended.
fn is_told_as_vapi(seen: &[Seen], record: &Value) {
    for it in seen {
        assert_eq!(it.header("x-vapi-secret"), Some(VAPI_SECRET));
        assert_eq!(it.header("webhook-signature"), None);
        let call = &event(it)["message"]["call"];
        assert_eq!((&call["id"], &call["type"]), (&record["id"], &json!("inboundPhoneCall")));
        assert_eq!(call["customer"]["number"], "+4971112345", "{call:#}");
        assert_eq!(event(it)["message"]["phoneNumber"]["number"], "901");
    }
    let (first, again) = (&seen[seen.len() - 3], &seen[seen.len() - 1]);
    assert_eq!(
        (first.header("webhook-id"), &first.body),
        (again.header("webhook-id"), &again.body)
    );
    let kinds: Vec<String> = seen[..seen.len() - 2].iter().map(kind_of_vapi).collect();
    let line = ["transcript", "conversation-update"];
    let state = ["status-update"];
    let way = [&state[..], &state, &line, &line, &line, &line, &state, &["end-of-call-report"]];
    let way = way.concat();
    assert_eq!(kinds, way);
    let message = |at: usize| event(&seen[at])["message"].clone();
    let state = |at: usize| message(at)["status"].clone();
    assert_eq!([state(0), state(1), state(10)], ["ringing", "in-progress", "ended"]);
    assert_eq!(message(10)["endedReason"], "assistant-ended-call");
    let line = |at: usize| {
        [&message(at)["role"], &message(at)["transcriptType"], &message(at)["transcript"]]
            .map(Clone::clone)
    };
    assert_eq!(line(2), ["assistant", "final", "Hello?"]);
    assert_eq!(line(4), ["user", "final", "1"]);
    let talk = message(9)["messagesOpenAIFormatted"].clone();
    assert_eq!(talk[0], json!({ "role": "assistant", "content": "Hello?" }));
    assert_eq!(talk.as_array().map(Vec::len), Some(4), "{talk:#}");
    let control = message(1)["call"]["monitor"]["controlUrl"].clone();
    assert!(
        control
            .as_str()
            .is_some_and(|it| it.starts_with("https://voice.example.com/vapi/call/call_")),
        "{control}"
    );

    let report = message(seen.len() - 1);
    assert_eq!(report["analysis"]["summary"], "The bicycle is broken.", "{report:#}");
    assert_eq!(report["analysis"]["structuredData"], json!({ "topic": "repair" }));
    assert_eq!(report["endedReason"], "assistant-ended-call");
    assert_eq!(report["endedAt"], record["ended_at"]);
    let words = report["artifact"]["transcript"].as_str().unwrap_or_default();
    assert!(words.starts_with("AI: Hello?\nUser: 1\nAI: We mend it"), "{words}");
    assert_eq!(report["artifact"]["messages"].as_array().map(Vec::len), Some(4), "{report:#}");
    let sound = format!(
        "https://voice.example.com/v1/calls/{}/recording",
        record["id"].as_str().unwrap_or("")
    );
    assert_eq!(report["artifact"]["recordingUrl"], sound, "{report:#}");
    assert!(report["durationSeconds"].as_f64().is_some_and(|it| it > 0.0), "{report:#}");
    fits_vapi(seen);
}

/// What Retell's own receivers expect of the same.
fn is_told_as_retell(seen: &[Seen], record: &Value) {
    let kinds: Vec<String> = seen.iter().map(kind_of_retell).collect();
    let update = "transcript_updated";
    let way =
        ["call_started", update, update, update, update, update, "call_ended", "call_analyzed"];
    assert_eq!(kinds, way);
    let call = |at: usize| event(&seen[at])["call"].clone();
    for at in 0..seen.len() {
        assert_eq!(
            (&call(at)["call_id"], &call(at)["call_type"]),
            (&record["id"], &json!("phone_call"))
        );
        assert_eq!(
            (&call(at)["from_number"], &call(at)["to_number"]),
            (&json!("+4971112345"), &json!("901"))
        );
    }
    assert_eq!(
        (&call(0)["call_status"], &call(0)["disconnection_reason"]),
        (&json!("ongoing"), &Value::Null)
    );
    let ended = call(6);
    assert_eq!(
        (&ended["call_status"], &ended["disconnection_reason"]),
        (&json!("ended"), &json!("agent_hangup"))
    );
    let words = ended["transcript"].as_str().unwrap_or_default();
    assert!(words.starts_with("Agent: Hello?\nUser: 1\nAgent: We mend it"), "{words}");
    assert_eq!(ended["transcript_object"][1]["role"], "user", "{ended:#}");
    let between =
        [&ended["start_timestamp"], &ended["end_timestamp"]].map(|it| it.as_u64().unwrap_or(0));
    assert_eq!(ended["duration_ms"], between[1] - between[0], "{ended:#}");
    assert_eq!(ended.get("call_analysis"), None);
    let analysis = json!({ "call_summary": "The bicycle is broken.", "call_successful": true,
        "custom_analysis_data": { "topic": "repair" }, "in_voicemail": false });
    assert_eq!(call(7)["call_analysis"], analysis);
    assert!(call(7)["recording_url"].as_str().is_some_and(|it| it.ends_with("/recording")));
    fits_retell(seen);
}

/// Vapi's types have these bodies.
fn fits_vapi(seen: &[Seen]) {
    let mut bodies: Vec<(String, Value)> = Vec::new();
    for it in seen {
        let mut message = event(it)["message"].clone();
        let kind = message["type"].as_str().unwrap_or_default().to_owned();
        // Their servers say this, and their types do not.
        let beside = [
            "messages",
            "transcript",
            "recordingUrl",
            "summary",
            "durationMs",
            "durationSeconds",
            "durationMinutes",
        ];
        if kind == "end-of-call-report"
            && let Some(message) = message.as_object_mut()
        {
            message.retain(|key, _| !beside.contains(&key.as_str()));
        }
        let name: String = kind.split('-').map(capital).collect();
        bodies.push((format!("Vapi.ServerMessage{name}"), message));
    }
    is_typed(&bodies);
}

/// Retell's types have these calls.
fn fits_retell(seen: &[Seen]) {
    let bodies: Vec<(String, Value)> = seen
        .iter()
        .map(|it| ("Retell.PhoneCallResponse".to_owned(), event(it)["call"].clone()))
        .collect();
    is_typed(&bodies);
}

fn is_typed(bodies: &[(String, Value)]) {
    let pieces: Vec<(&str, &Value)> = bodies.iter().map(|(kind, it)| (kind.as_str(), it)).collect();
    let (is_right, why) = typed(&pieces);
    assert!(is_right, "{why}");
}

/// Retell's client takes these for Retell's, and none that somebody has changed.
async fn is_taken(seen: &[Seen]) {
    let mut command = Command::new("node");
    command.arg(format!("{SOURCE}/tests/it/wire/dialects/retell.cjs"));
    command.args([&format!("{SOURCE}/target/types/node_modules/retell-sdk"), RETELL_KEY]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().expect("node is missing: run ./dev setup");
    let mut input = child.stdin.take().expect("it is piped");
    let mut output = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    for it in seen {
        let signature = it.header("x-retell-signature").expect("a signature");
        let changed = it.body.replace("call", "coll");
        for (body, expected) in [(&it.body, "true"), (&changed, "false")] {
            let line = json!({ "body": body, "signature": signature }).to_string() + "\n";
            input.write_all(line.as_bytes()).await.expect("node reads");
            let answer = tokio::time::timeout(PATIENCE, output.next_line()).await;
            let answer = answer
                .expect("in time")
                .expect("node writes")
                .expect("node lives: run ./dev setup");
            assert_eq!(answer, expected, "{}", it.body);
        }
    }
}

/// Waits until something was told so often.
async fn until(
    service: &Service,
    kind: fn(&Seen) -> String,
    wanted: &str,
    count: usize,
) -> Vec<Seen> {
    within(PATIENCE * 2, wanted, || {
        let seen = service.seen();
        (seen.iter().filter(|it| kind(it) == wanted).count() >= count).then_some(seen)
    })
    .await
}

fn kind_of_vapi(seen: &Seen) -> String {
    event(seen)["message"]["type"].as_str().unwrap_or_default().to_owned()
}

fn kind_of_retell(seen: &Seen) -> String {
    event(seen)["event"].as_str().unwrap_or_default().to_owned()
}

fn capital(word: &str) -> String {
    let (first, rest) = word.split_at(1);
    first.to_uppercase() + rest
}

fn press(key: char) -> Line {
    Line { when: When::Quiet, act: Act::Press(Digit::new(key).into_iter().collect()) }
}

/// One that wants everything, in the format of its name.
fn endpoint(format: &str, service: &Service, secret: &str) -> String {
    format!(
        "[webhooks.{format}]\nurl = \"{}/{format}\"\nformat = {format:?}\nsecret = {secret:?}\n\
         events = [\"*\"]\nretry = [\"100ms\", \"100ms\", \"200ms\", \"400ms\", \"1s\", \"2s\", \"4s\", \"8s\"]\n",
        service.url()
    )
}

fn thinking(mind: &ChatServer) -> String {
    format!(
        "[providers.mind]\nkind = \"openai-compatible\"\napi_key = \"{KEY}\"\nmodel = \"tiny\"\nbase_url = \"{}\"\n",
        mind.base_url()
    )
}

const SAYS: Behaviour = Behaviour::Says("We mend it on Monday. Goodbye.");

const REPORTS: Behaviour = Behaviour::Calls {
    text: "",
    tool: "report",
    arguments: r#"{"summary": "The bicycle is broken.", "success": true, "extracted": {"topic": "repair"}}"#,
};

const VAPI_SECRET: &str = "only-our-app-knows-this";

const RETELL_KEY: &str = "key_7d0b5f1a2c3e4d5f6a7b8c9d0e1f";

const PHONES: &str = "[sip.registrar]\ndigest = [\"md5\"]\n[phones.101]\npassword = \"secret\"\n\
                      [phones.102]\npassword = \"other\"\n";

const DESK: &str = r#"
[[route]]
to     = "agent:desk"
record = true

[agents.desk]
first_message = "Hello?"
disclosure    = "none"
disclosure_reason = "another test hears it"
prompt        = "You are the desk."
stt.provider  = "pocketsphinx"
llm           = { provider = "mind" }
tts           = { provider = "flite", voice = "slt" }
turns         = { preemptive = false }
end_phrases   = ["goodbye"]

[[agents.desk.intents]]
id      = "broken"
phrases = ["my bicycle is broken"]
say     = "I see."

[agents.desk.after]
summary = true
success = "Was the caller helped?"
extract = { topic = { type = "string", enum = ["repair", "sale"] } }
"#;

const DECIDED: &str = r#"
[[route]]
ext  = "901"
to   = "webhook:vapi"
set  = { error = "" }
else = "agent:sorry"

[[route]]
ext  = "902"
to   = "webhook:retell"
else = "agent:sorry"

[[route]]
ext  = "903"
to   = "webhook:ours"
else = "agent:sorry"

[agents.sorry]
first_message = "Sorry. {{ error }}"
prompt        = "You are a porter."
stt.provider  = "pocketsphinx"
llm.provider  = "rules"
tts           = { provider = "flite", voice = "slt" }

[[agents.sorry.intents]]
id      = "goodbye"
phrases = ["goodbye"]
action  = "end_call"

[agents.greeter]
extends       = "sorry"
first_message = "Hello {{ guest }}."
"#;

const HANDS: &str = r#"
[[route]]
to = "agent:front"

[agents.front]
first_message = "Good day."
prompt        = "You are a porter."
stt.provider  = "pocketsphinx"
llm.provider  = "rules"
tts           = { provider = "flite", voice = "slt" }

[[agents.front.intents]]
id      = "goodbye"
phrases = ["goodbye"]
action  = "end_call"

[agents.back]
extends       = "front"
first_message = "The back office."
"#;
