//! After the call: a model reads what was said, and its report goes into the record and to a tool
//! of the operator.

use std::time::Duration;

use serde_json::{Value, json};

use super::caller::{Outcome, Speaker, call, call_from, say};
use super::server::{House, Server, program};
use super::service::{Reply, Service};
use super::webhooks::{ALLOW_ALL, NEW, OLD, event, is_signed, status, webhook};
use crate::fakes::chat_server::{Behaviour, ChatServer, KEY};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_said_is_read_and_reported_once_the_caller_is_gone() {
    let report = r#"{"summary": "The caller's bicycle is broken.", "success": true,
        "extracted": {"topic": "repair"}}"#;
    let mind = ChatServer::start(vec![
        Behaviour::Says("We mend it on Monday. Goodbye."),
        Behaviour::Calls { text: "", tool: "report", arguments: report },
    ])
    .await;
    let service = Service::open(|_| Reply::json(json!({ "taken": true }))).await;
    let server = house(&mind, &service).await;
    assert!(speak(&server).await.they_hung_up());

    let mut record = server.record_with("analysis").await;
    let cost = record["analysis"].as_object_mut().and_then(|it| it.remove("cost"));
    let cost = cost.expect("what it took to read it");
    assert_eq!(cost["items"][0]["unit"], "input_tokens", "{cost:#}");
    assert_eq!(cost["totals"], json!([]), "nobody said what that costs: {cost:#}");
    let told = json!({ "summary": "The caller's bicycle is broken.", "success": true,
        "extracted": { "topic": "repair" } });
    assert_eq!(record["analysis"], told, "{record:#}");
    assert_eq!(record["end_reason"], "agent_ended", "nothing else is lost");
    let asked = mind.requests();
    let request = asked[1]["messages"].to_string();
    assert!(request.contains("agent: You are speaking with an AI. Hello?\\ncaller: "), "{request}");
    let tool = &asked[1]["tools"][0]["function"];
    assert_eq!(tool["name"], "report");
    let success = &tool["parameters"]["properties"]["success"]["description"];
    assert_eq!(success, "Was the caller helped?");
    assert_eq!(mind.complaints(), Vec::<String>::new());
    let seen = service.wait_for(1).await.remove(0);
    assert!(seen.head.starts_with("POST /crm?call=call_"), "{}", seen.head);
    assert_eq!(serde_json::from_str::<Value>(&seen.body).expect("JSON"), told);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_webhook_that_an_agent_names_is_told_what_was_found_out_and_no_other() {
    let report = r#"{"summary": "The caller's bicycle is broken.", "success": true}"#;
    let mind = ChatServer::start(vec![
        Behaviour::Says("We mend it on Monday. Goodbye."),
        Behaviour::Calls { text: "", tool: "report", arguments: report },
    ])
    .await;
    let tool = Service::open(|_| Reply::json(json!({ "taken": true }))).await;
    let (named, other) =
        (Service::open(|_| status(204)).await, Service::open(|_| status(204)).await);
    let dialplan = DIALPLAN.replace("tool    = \"crm\"", "tool    = \"crm\"\nwebhook = \"sales\"");
    let settings = settings(&mind, &tool)
        + &webhook("sales", &named, "[\"voicemail.received\"]")
        + &webhook("other", &other, "[\"call.ended\"]")
        + ALLOW_ALL;
    let dialplan = dialplan.replace("SERVICE", &tool.url());
    let server = Server::start(House::with(&dialplan).and(&settings)).await;
    assert!(speak(&server).await.they_hung_up());

    let told = named.wait_for(1).await.remove(0);
    is_signed(&told, &[NEW, OLD]);
    let told = event(&told);
    assert_eq!(told["type"], "call.analyzed");
    assert_eq!(told["data"]["summary"], "The caller's bicycle is broken.", "{told}");
    // The other one has heard of the end, which was told before.
    let seen = other.wait_for(1).await;
    let types: Vec<String> = seen.iter().map(|it| event(it)["type"].to_string()).collect();
    assert_eq!((types, named.seen().len()), (vec!["\"call.ended\"".to_owned()], 1));
    assert!(seen[0].body.contains(told["call_id"].as_str().expect("a call")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_report_that_does_not_fit_or_never_comes_leaves_the_record_as_it_was() {
    let mind = ChatServer::start(vec![
        Behaviour::Says("We mend it on Monday. Goodbye."),
        Behaviour::Calls { text: "", tool: "report", arguments: r#"{"summary": 7}"# },
    ])
    .await;
    let service = Service::open(|_| Reply::json(json!({}))).await;
    let mut server = house(&mind, &service).await;
    assert!(speak(&server).await.they_hung_up());
    let record = server.record().await;
    // A server that stops ends its errands first.
    server.terminate();
    server.ended().await;
    // It was asked once more.
    assert_eq!(mind.requests().len(), 3);
    assert_eq!((server.record().await, service.seen().len()), (record, 0));
    assert!(server.log().contains("could not be read"), "{}", server.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn feelings_wishes_and_a_score_are_found_out_at_the_second_try_and_both_are_paid() {
    let report = r#"{"sentiment": "negative", "lines": [{"line": 0, "sentiment": "positive"},
        {"line": 1, "sentiment": "negative"}], "intents": ["repair"],
        "score": {"greeting": true, "price": false}}"#;
    let mind = ChatServer::start(vec![
        Behaviour::Says("We mend it on Monday. Goodbye."),
        Behaviour::Calls { text: "", tool: "report", arguments: r#"{"sentiment": "glad"}"# },
        Behaviour::Calls { text: "", tool: "report", arguments: report },
    ])
    .await;
    let service = Service::open(|_| Reply::json(json!({}))).await;
    let (before, behind) = DIALPLAN.split_once("summary = true").expect("what is found out");
    let behind = behind.split_once("tool    =").expect("a tool").1;
    let wanted = "sentiment = true\nintents = [\"repair\", \"sale\"]\n\
         score = { greeting = \"Does it greet?\", price = \"Does it name a price?\" }\ntool    =";
    let (behind, _) = behind.split_once("[agents.desk.memory]").expect("a memory");
    let tail = DIALPLAN.split_once("[[agents.desk.intents]]").expect("intents").1;
    let dialplan = format!("{before}{wanted}{behind}[[agents.desk.intents]]{tail}");
    let dialplan = dialplan.replace("SERVICE", &service.url());
    let price = "price = { input = \"1 USD/1k tokens\", output = \"10 USD/1k tokens\" }\n";
    let settings = format!("{}{price}", settings(&mind, &service));
    let server = Server::start(House::with(&dialplan).and(&settings)).await;
    assert!(speak(&server).await.they_hung_up());

    let record = server.record_with("analysis").await;
    let analysis = &record["analysis"];
    // The first line is the agent's.
    let felt = json!({ "overall": "negative", "lines": [{ "line": 1, "sentiment": "negative" }] });
    assert_eq!(analysis["sentiment"], felt, "{record:#}");
    assert_eq!(record["transcript"][1]["role"], "caller", "{record:#}");
    assert_eq!(analysis["intents"], json!(["repair"]));
    assert_eq!(analysis["score"]["percent"], 50);
    // Nine tokens were read and three written, twice.
    assert_eq!(analysis["cost"]["total"], "0.078", "{analysis:#}");
    let request = mind.requests()[1]["messages"].to_string();
    assert!(request.contains("0 agent: ") && request.contains("\\n1 caller: "), "{request}");
    assert_eq!(mind.complaints(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_agent_knows_who_called_before_until_it_is_told_to_forget() {
    let report = r#"{"summary": "The wheel is broken.", "success": true}"#;
    let reads = Behaviour::Calls { text: "", tool: "report", arguments: report };
    let goodbye = Behaviour::Says("Goodbye.");
    let mind =
        ChatServer::start([&goodbye, &reads].into_iter().cycle().take(8).cloned().collect()).await;
    let service = Service::open(|_| Reply::json(json!({}))).await;
    let server = house(&mind, &service).await;
    let mut known = Vec::new();
    for (at, caller) in
        ["+4971112345", "+4971112345", "+4971112346", "anonymous"].iter().enumerate()
    {
        let lines = vec![say(Speaker::Flite("rms"), "my bicycle is broken").await];
        assert!(call_from(caller, &server.uri("901"), lines).await.they_hung_up());
        // The next call comes when this one is read.
        service.wait_for(at + 1).await;
        let asked = mind.requests();
        let told = asked[2 * at]["messages"][0]["content"].as_str().unwrap_or_default().to_owned();
        assert!(told.starts_with("You are the desk."), "{told}");
        known.push(told.contains("The wheel is broken."));
    }
    assert_eq!(known, [false, true, false, false]);

    let memory = async |command: &str| {
        let mut program = program();
        let config = server.folder.path("conf/server.toml");
        program.args(["memory", command, "0049 711 12345", "--config"]).arg(config);
        let output = program.output().await.expect("it runs");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let shown = memory("show").await;
    assert_eq!(shown.matches("desk: The wheel is broken.").count(), 2, "{shown}");
    assert_eq!(memory("forget").await, "forgotten\n");
    assert_eq!(memory("show").await, "nothing is known of +4971112345\n");
}

async fn house(mind: &ChatServer, service: &Service) -> Server {
    let dialplan = DIALPLAN.replace("SERVICE", &service.url());
    Server::start(House::with(&dialplan).and(&settings(mind, service))).await
}

fn settings(mind: &ChatServer, service: &Service) -> String {
    format!(
        "[security.tools]\nallow = [\"{}\"]\n[providers.mind]\nkind = \"openai-compatible\"\n\
         api_key = \"{KEY}\"\nmodel = \"tiny\"\nbase_url = \"{}\"\n",
        service.host(),
        mind.base_url()
    )
}

async fn speak(server: &Server) -> Outcome {
    let lines = vec![say(Speaker::Flite("rms"), "my bicycle is broken").await];
    call(&server.uri("901"), lines, Duration::from_secs(10)).await
}

const DIALPLAN: &str = r#"
[[route]]
to = "agent:desk"

[agents.desk]
first_message = "Hello?"
prompt        = "You are the desk."
stt.provider  = "pocketsphinx"
llm           = { provider = "mind" }
tts           = { provider = "flite", voice = "slt" }
turns         = { preemptive = false }
end_phrases   = ["goodbye"]

[agents.desk.after]
summary = true
success = "Was the caller helped?"
extract = { topic = { type = "string", enum = ["repair", "sale"] }, phone = "phone" }
tool    = "crm"

[agents.desk.memory]
calls = 2
keep  = "30d"

[[agents.desk.intents]]
id      = "broken"
phrases = ["my bicycle is broken"]
say     = "I see."

[tools.crm]
type        = "http"
description = "Takes reports."
method      = "POST"
url         = "SERVICE/crm?call={{ call.id }}"
parameters  = { summary = "string" }
"#;
