//! Flows in which a model talks: it collects values, judges which way to go, talks until an exit
//! holds, and knows at each node what was said before.

use std::time::Duration;

use serde_json::{Value, json};
use voxtrunk::engine::phone::{Act, Line, When};
use voxtrunk::media::event::Digit;
use voxtrunk::providers::fakes::deepgram::{self, Script};
use voxtrunk::providers::fakes::ear::scripted;
use voxtrunk::providers::fakes::stand::nobody;

use super::caller::{Speaker, call, say};
use super::server::{House, Server, said};
use super::service::{Reply, Service};
use crate::fakes::chat_server::{Behaviour, ChatServer, KEY};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_model_collects_judges_talks_and_hands_the_conversation_on() {
    let mind = ChatServer::start(vec![
        Behaviour::Says("What do you need, and when?"),
        calls("collect", r#"{"service": "repair"}"#),
        calls("collect", r#"{"service": "repair", "day": "Monday"}"#),
        // Which of the conditions is so.
        Behaviour::Says("1"),
        Behaviour::Says("Is Monday at ten good?"),
        calls("go_on", r#"{"to": "elsewhere"}"#),
        Behaviour::Calls { text: "Fine.", tool: "go_on", arguments: r#"{"to": "told"}"# },
        Behaviour::Says("Your ticket is seven. Goodbye."),
    ])
    .await;
    let service = Service::open(|_| Reply::json(json!({ "number": 7 }))).await;
    let ear = scripted(&["my wheel is broken, monday please", "yes please"]);
    let delay = Duration::from_millis(20);
    let ears = Script { key: KEY, ear, delay, faults: Vec::new(), observer: nobody() };
    let ears = deepgram::open(ears).await.expect("a port");
    let settings = format!(
        "[security.tools]\nallow = [\"{}\"]\n\
         [providers.ears]\nkind = \"deepgram\"\napi_key = \"{KEY}\"\nbase_url = \"{}\"\n\
         model = \"nova-3\"\n[providers.mind]\nkind = \"openai-compatible\"\napi_key = \"{KEY}\"\n\
         model = \"tiny\"\nbase_url = \"{}\"\n",
        service.host(),
        ears.base_url(),
        mind.base_url()
    );
    let house = House::with(&FLOW.replace("SERVICE", &service.url())).and(&settings);
    let server = Server::start(house).await;
    let lines = vec![
        say(Speaker::Flite("rms"), "my wheel is broken monday please").await,
        press("1"),
        say(Speaker::Flite("rms"), "yes please").await,
    ];
    let outcome = call(&server.uri("901"), lines, Duration::from_secs(12)).await;
    assert!(outcome.they_hung_up(), "{:?}\n{}", outcome.ending, server.log());
    let record = server.record().await;

    let way = ["greet", "wish", "hurry", "where", "quiet", "offer", "told", "loud", "over"];
    assert_eq!(nodes(&record), way, "{record:#}");
    let words = said(&record, "agent").join(" ");
    let order = [
        "Welcome.",
        "What do you need, and when?",
        "For the workshop press one.",
        "Is Monday at ten good?",
        "Fine.",
        "One moment.",
        "Anna goes on.",
        "Your ticket is seven.",
    ];
    let places: Vec<_> = order.iter().map(|line| words.find(line)).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?} {words}");
    assert_eq!(record["agents"].as_array().and_then(|all| all.last()), Some(&json!("desk")));
    assert_eq!(record["recording_pauses"].as_array().map(Vec::len), Some(1), "{record:#}");
    assert_eq!(record["end_reason"], "agent_ended", "{record:#}");

    let told: Value = serde_json::from_str(&service.seen()[0].body).expect("JSON");
    assert_eq!(told, json!({ "day": "Monday", "service": "repair", "urgent": true }));
    judge_requests(&mind);
}

/// What the model was asked and told at each node.
fn judge_requests(mind: &ChatServer) {
    let asked = mind.requests();
    assert_eq!((asked.len(), mind.complaints()), (8, Vec::new()), "{asked:#?}");
    let system = |at: usize| asked[at]["messages"][0]["content"].as_str().expect("instructions");
    let last = |at: usize| {
        let messages = asked[at]["messages"].as_array().expect("messages");
        messages.last().expect("a message").clone()
    };
    let tools = |at: usize| {
        let tools = asked[at]["tools"].as_array().cloned().unwrap_or_default();
        tools.iter().map(|tool| tool["function"].clone()).collect::<Vec<_>>()
    };
    assert!(system(0).starts_with("You are the desk.\n\nFind out what and when."), "{}", system(0));
    assert_eq!(tools(0)[0]["name"], "collect");
    let service = &tools(0)[0]["parameters"]["properties"]["service"];
    assert_eq!(service["enum"], json!(["repair", "sale"]));
    // What is missing is told, and nothing is taken.
    assert!(last(2)["content"].as_str().is_some_and(|it| it.contains("`day` is missing")));
    assert!(system(3).contains("1: the caller's own wheel is broken"), "{}", system(3));
    assert_eq!(tools(3), Vec::<Value>::new());
    assert!(system(4).contains("Offer ten o'clock on Monday."), "{}", system(4));
    let before = asked[4]["messages"].to_string();
    for part in ["What do you need, and when?", "my wheel is broken, monday please"] {
        assert!(before.contains(part), "{part}: {before}");
    }
    let ways = &tools(4)[0];
    assert_eq!(ways["parameters"]["properties"]["to"]["enum"], json!(["told", "sorry"]));
    let ways = ways["description"].as_str().expect("a text");
    assert!(ways.contains("told: the caller agrees"), "{ways}");
    assert!(last(6)["content"].as_str().is_some_and(|it| it.contains("must be one of")));
    let end = asked[7]["messages"].to_string();
    assert!(end.contains("yes please") && end.contains("You are the desk."), "{end}");
}

fn calls(tool: &'static str, arguments: &'static str) -> Behaviour {
    Behaviour::Calls { text: "", tool, arguments }
}

fn nodes(record: &Value) -> Vec<&str> {
    let nodes = record["nodes"].as_array().expect("nodes");
    nodes.iter().filter_map(|node| node["node"].as_str()).collect()
}

fn press(keys: &str) -> Line {
    let digits = keys.chars().filter_map(Digit::new).collect();
    Line { when: When::Quiet, act: Act::Press(digits) }
}

const FLOW: &str = r#"
[[route]]
to     = "flow:workshop"
record = true

[agents.desk]
prompt      = "You are the desk."
disclosure    = "none"
disclosure_reason = "another test hears it"
stt         = { provider = "ears" }
llm         = { provider = "mind" }
tts         = { provider = "flite", voice = "slt" }
turns       = { preemptive = false }
end_phrases = ["goodbye"]

[flows.workshop]
agent = "desk"
start = "greet"

[flows.workshop.nodes.greet]
type = "say"
text = "Welcome."
next = "wish"

[flows.workshop.nodes.wish]
type    = "ask"
prompt  = "Find out what and when."
collect = { service = ["repair", "sale"], day = "weekday" }
next    = "hurry"
failed  = "sorry"

[flows.workshop.nodes.hurry]
type = "branch"
next = [
  { when = "vars.service == 'sale'", to = "sorry" },
  { when = "ai: the caller's own wheel is broken", to = "where" },
  { to = "sorry" },
]

[flows.workshop.nodes.where]
type   = "menu"
text   = "For the workshop press one."
digits = { 1 = "quiet", 2 = "sorry" }
failed = "sorry"

[flows.workshop.nodes.quiet]
type      = "record"
recording = "pause"
next      = "offer"

[flows.workshop.nodes.offer]
type   = "agent"
prompt = "Offer ten o'clock on {{ vars.day }}."
exits  = [
  { when = "ai: the caller agrees", to = "told" },
  { when = "ai: the caller wants something else", to = "sorry" },
]

[flows.workshop.nodes.told]
type  = "webhook"
say   = "One moment."
url   = "SERVICE/told"
args  = { day = "{{ vars.day }}", service = "{{ vars.service }}", urgent = true }
save  = "ticket"
next  = "loud"
error = "sorry"

[flows.workshop.nodes.loud]
type      = "record"
recording = "resume"
next      = "over"

[flows.workshop.nodes.over]
type = "handoff"
say  = "Anna goes on."
to   = "agent:desk"

[flows.workshop.nodes.sorry]
type = "end"
say  = "Sorry. Goodbye."
"#;
