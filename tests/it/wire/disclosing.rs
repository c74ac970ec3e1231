//! Callers hear that they talk with an AI, before anything else and once; the record says so, or why not.

use std::time::Duration;

use serde_json::{Value, json};

use super::caller::{Outcome, Speaker, call, recorded, say};
use super::control::Watch;
use super::ear::recognised;
use super::server::{Folder, House, Server, said};
use crate::fakes::chat_server::{Behaviour, ChatServer, KEY};

#[tokio::test(flavor = "multi_thread")]
async fn whoever_talks_with_a_model_hears_so_first() {
    let mind = ChatServer::start(vec![Behaviour::Says("Goodbye.")]).await;
    let server = house(&mind, "first_message = \"Hello there.\"\n", "").await;
    let mut watch = Watch::start(&server, &["events", "--json"]);
    let folder = Folder::new();
    let lines = vec![say(Speaker::Flite("rms"), "my bicycle is broken").await];
    let outcome = recorded(&server.uri("901"), lines, folder.path("heard.wav")).await;
    assert!(outcome.they_hung_up());
    watch.until("disclosure.played").await;
    let record = server.record().await;
    assert_eq!(said(&record, "agent")[0], "You are speaking with an AI. Hello there.");
    let disclosed = &record["ai_disclosure"];
    assert_eq!(disclosed["words"], "You are speaking with an AI.", "{record:#}");
    assert!(disclosed["heard_ms"].as_u64().is_some_and(|at| at > 500), "{disclosed}");
    assert_eq!(disclosed["none_because"], Value::Null);
    // The caller's own ear.
    let heard = outcome.heard.expect("it was recorded");
    let sentences =
        ["you are speaking with an a i", "hello there", "goodbye", "how can i help you"];
    let heard = recognised(&heard, &sentences).await;
    assert!(heard.starts_with("you are speaking with an a i hello there"), "{heard}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_greeting_that_says_so_itself_is_left_as_it_is() {
    let mind = ChatServer::start(vec![Behaviour::Says("Goodbye.")]).await;
    let greeting = "first_message = \"I am the AI of the shop.\"\n";
    let server = house(&mind, greeting, "").await;
    assert!(speak(&server).await.they_hung_up());
    let record = server.record().await;
    assert_eq!(said(&record, "agent")[0], "I am the AI of the shop.");
    assert_eq!(record["ai_disclosure"]["words"], Value::Null);
    assert!(record["ai_disclosure"]["heard_ms"].is_u64(), "{record:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_has_its_own_words_or_a_reason_for_none() {
    let mind = ChatServer::start(vec![Behaviour::Says("Goodbye.")]).await;
    let server = house(&mind, "disclosure = \"This is a robot.\"\n", "").await;
    assert!(speak(&server).await.they_hung_up());
    let record = server.record().await;
    assert_eq!(said(&record, "agent")[0], "This is a robot.", "though it has no first message");

    let why = "only our own people call";
    let none =
        format!("disclosure = \"none\"\ndisclosure_reason = {why:?}\nfirst_message = \"Yes?\"\n");
    for (agent, machine, disclosure) in [
        (none.as_str(), "", json!({ "words": null, "heard_ms": null, "none_because": why })),
        ("first_message = \"Yes?\"\n", "[security.privacy]\nai_disclosure = false\n", json!(null)),
    ] {
        let mind = ChatServer::start(vec![Behaviour::Says("Goodbye.")]).await;
        let server = house(&mind, agent, machine).await;
        assert!(speak(&server).await.they_hung_up());
        let record = server.record().await;
        assert_eq!(said(&record, "agent")[0], "Yes?");
        assert_eq!(record["ai_disclosure"], disclosure, "{record:#}");
    }
}

async fn house(mind: &ChatServer, agent: &str, machine: &str) -> Server {
    let settings = format!(
        "[providers.mind]\nkind = \"openai-compatible\"\napi_key = \"{KEY}\"\nmodel = \"tiny\"\n\
         base_url = \"{}\"\n{machine}",
        mind.base_url()
    );
    Server::start(House::with(&DIALPLAN.replace("AGENT", agent)).and(&settings)).await
}

async fn speak(server: &Server) -> Outcome {
    let lines = vec![say(Speaker::Flite("rms"), "my bicycle is broken").await];
    call(&server.uri("901"), lines, Duration::from_secs(10)).await
}

const DIALPLAN: &str = r#"
[[route]]
to = "agent:desk"

[agents.desk]
prompt        = "You are the desk."
stt.provider  = "pocketsphinx"
llm           = { provider = "mind" }
tts           = { provider = "flite", voice = "slt" }
turns         = { preemptive = false }
end_phrases   = ["goodbye"]
AGENT

[[agents.desk.intents]]
id      = "broken"
phrases = ["my bicycle is broken"]
say     = "I see."
"#;
