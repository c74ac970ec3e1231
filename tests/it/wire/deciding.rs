//! A server of the operator's says where calls go: a real HTTP server beside the running one.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::datagrams::Wire;
use super::server::{House, Server, said};
use super::service::{Reply, Service};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_webhook_chooses_who_answers_and_what_it_knows() {
    let asked = AtomicUsize::new(0);
    let app = Service::open(move |_| match asked.fetch_add(1, Ordering::Relaxed) {
        0 => Reply::json(json!({ "to": "agent:greeter", "set": { "name": "Anna" } })),
        1 => Reply::json(json!({ "to": "reject:480" })),
        // Nobody is there: what the answer says is tried next.
        2 => Reply::json(json!({ "to": "phone:101", "else": "agent:greeter" })),
        // Of no use: what the route says is tried next.
        3 => Reply::json(json!({ "to": "agent:nobody" })),
        4 => Reply::json(json!({ "to": "agent:greeter", "prompt": "Be rude." })),
        5 => Reply::text("text/plain", "x".repeat(3_000_000)),
        6 => Reply::moved("http://127.0.0.1:9"),
        7 => Reply::json(json!({ "to": "webhook:https://a.test/" })),
        _ => Reply::json(json!({ "to": "agent:greeter" })).after(Duration::from_secs(3_600)),
    })
    .await;
    let dialplan = DIALPLAN.replace("URL", &format!("{}/incoming", app.url()));
    let settings = "[security.webhooks]\nallow = [\"127.0.0.1\"]\n[phones.101]\npassword = \"x\"\n";
    let server = Server::start(House::with(&dialplan).and(settings)).await;
    let (mut ends, mut words) = (Vec::new(), Vec::new());
    for count in 1..=9 {
        let mut wire = Wire::open("127.0.0.1:0", server.address).await;
        let description = wire.description();
        if count == 2 {
            ends.push(wire.status_for("+4971112348", "+491701234567").await);
        } else {
            let answer = wire.call("+4971112348", &description).await;
            wire.hang_up(&answer).await;
        }
        let record = server.records(count).await.remove(count - 1);
        words.push((record["agents"][0].clone(), record["end_reason"].clone()));
    }
    assert_eq!(ends, ["480"]);
    let agents: Vec<&str> = words.iter().filter_map(|(agent, _)| agent.as_str()).collect();
    // The second call reached none; from the fourth on nobody said anything of use.
    let porters = ["porter"; 6];
    assert_eq!(agents, [&["greeter", "greeter"][..], &porters].concat(), "{}", server.log());
    let seen = app.seen();
    let question: Value = serde_json::from_str(&seen[0].body).expect("JSON");
    assert_eq!(question["type"], "route.decide");
    assert_eq!(question["data"]["to"]["number"], "+4971112348", "{question:#}");
    assert!(question["call_id"].as_str().is_some_and(|it| it.starts_with("call_")));
    assert_eq!(question["data"]["variables"]["tier"], "gold", "{question:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_caller_hears_ringing_until_it_is_said_and_what_is_said_is_known_to_the_agent() {
    let app = Service::open(|_| {
        Reply::json(json!({ "to": "agent:greeter", "set": { "name": "Anna" } }))
            .after(Duration::from_millis(800))
    })
    .await;
    let dialplan = DIALPLAN.replace("URL", &format!("{}/incoming", app.url()));
    let settings = "[security.webhooks]\nallow = [\"127.0.0.1\"]\n";
    let server = Server::start(House::with(&dialplan).and(settings)).await;
    let target = server.uri("+4971112348");
    super::caller::call(&target, Vec::new(), Duration::from_secs(4)).await;
    let record = server.record().await;
    assert_eq!(said(&record, "agent"), ["Hello Anna, of gold."], "{record:#}");
    assert!(!server.log().contains("nobody says"), "{}", server.log());
}

const DIALPLAN: &str = r#"
[[route]]
did     = "+4971112348"
to      = "webhook:URL"
timeout = "1s"
set     = { tier = "gold" }
else    = "agent:porter"

[defaults.agent]
stt.provider = "pocketsphinx"
llm.provider = "rules"
tts          = { provider = "flite", voice = "slt" }

[agents.porter]
first_message = "Hello?"

[[agents.porter.intents]]
id      = "goodbye"
phrases = ["goodbye"]
action  = "end_call"

[agents.greeter]
extends       = "porter"
first_message = "Hello {{ name }}, of {{ tier }}."
"#;
