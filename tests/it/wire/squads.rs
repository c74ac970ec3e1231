//! Several agents share one conversation: who takes over knows what was said, answers the caller's
//! last words, and does not hand them back.

use std::time::Duration;

use serde_json::Value;

use super::caller::{Speaker, call, say};
use super::server::{House, Server, said};
use crate::fakes::chat_server::{Behaviour, ChatServer, KEY};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_takes_over_knows_the_conversation_and_answers_the_last_words() {
    let desk = ChatServer::start(vec![Behaviour::Calls {
        text: "",
        tool: "hand_over",
        arguments: r#"{"to": "support", "device": "the front wheel"}"#,
    }])
    .await;
    let help = ChatServer::start(vec![
        // It tries to pass the caller back at once, and is told why not.
        Behaviour::Calls { text: "", tool: "hand_over", arguments: r#"{"to": "desk"}"# },
        Behaviour::Says("We mend wheels on Monday. Goodbye."),
    ])
    .await;
    let record = hand_over(&desk, &help, "").await;

    assert_eq!(record["agents"], serde_json::json!(["desk", "support"]), "{record:#}");
    let lines = ["Hello?", "My colleague takes over.", "We mend wheels on Monday.", "Goodbye."];
    assert_eq!(said(&record, "agent"), lines, "{record:#}");
    let asked = desk.requests();
    let tool = &asked[0]["tools"].as_array().expect("tools")[1]["function"];
    assert_eq!(tool["name"], "hand_over", "{tool:#}");
    assert_eq!(tool["parameters"]["properties"]["to"]["enum"], serde_json::json!(["support"]));
    assert!(tool["description"].as_str().is_some_and(|it| it.contains("when it is broken")));

    let asked = help.requests();
    let messages = asked[0]["messages"].as_array().expect("messages");
    let system = messages[0]["content"].as_str().expect("instructions");
    for part in ["You mend the front wheel.", "from `desk`", "told: My colleague takes over."] {
        assert!(system.contains(part), "{part}: {system}");
    }
    assert_eq!(spoken(&messages[1]), ("assistant", "Hello?"));
    let (role, words) = spoken(messages.last().expect("a message"));
    assert_eq!((role, words.contains("broken")), ("user", true), "{words}");
    let told = asked[1]["messages"].as_array().expect("messages").last().expect("a result");
    assert_eq!(told["role"], "tool", "{told:#}");
    assert!(told["content"].as_str().is_some_and(|it| it.contains("handed them on")), "{told:#}");
    assert_eq!((desk.complaints(), help.complaints()), (Vec::new(), Vec::new()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_takes_over_is_told_the_conversation_in_short_or_else_all_of_it() {
    let goes = Behaviour::Calls { text: "", tool: "hand_over", arguments: r#"{"to": "support"}"# };
    let summary = Behaviour::Says("The caller's wheel is broken.");
    let refused = Behaviour::Refuses { status: 500, retry_after: None, code: "oops" };
    for (second, inherits) in [(summary, "in short"), (refused, "all")] {
        let desk = ChatServer::start(vec![goes.clone(), second]).await;
        let help = ChatServer::start(vec![Behaviour::Says("On Monday. Goodbye.")]).await;
        let record = hand_over(&desk, &help, "context = \"summary\"").await;
        assert_eq!(said(&record, "agent").last().map(String::as_str), Some("Goodbye."));
        let asked = desk.requests();
        let question = asked[1]["messages"][0]["content"].as_str().expect("instructions");
        assert!(question.contains("Another agent takes over"), "{question}");
        let asked = help.requests();
        let messages = asked[0]["messages"].as_array().expect("messages");
        let system = messages[0]["content"].as_str().expect("instructions");
        let is_short = system.contains("said before: The caller's wheel is broken.");
        assert_eq!(is_short, inherits == "in short", "{system}");
        let before: Vec<_> = messages.iter().filter(|it| spoken(it).1 == "Hello?").collect();
        assert_eq!(before.is_empty(), inherits == "in short", "{messages:#?}");
        assert_eq!(spoken(messages.last().expect("a message")).0, "user");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rules_hand_over_to_rules_without_a_word() {
    let server = Server::start(House::with(RULES)).await;
    let lines = vec![
        say(Speaker::Flite("rms"), "my bicycle is broken").await,
        say(Speaker::Flite("rms"), "what are your opening hours").await,
        say(Speaker::Flite("rms"), "goodbye").await,
    ];
    call(&server.uri("901"), lines, Duration::from_secs(6)).await;
    let record = server.record().await;
    let agents = serde_json::json!(["desk", "support", "desk"]);
    assert_eq!(record["agents"], agents, "{record:#}");
    let lines = ["Hello?", "We mend it on Monday.", "We are open from nine to six.", "Bye now."];
    assert_eq!(said(&record, "agent"), lines, "{record:#}");
    assert_eq!(record["end_reason"], "agent_ended", "{record:#}");
}

/// A caller whose bicycle is broken, at the desk first; gives the record.
async fn hand_over(desk: &ChatServer, help: &ChatServer, more: &str) -> Value {
    let provider = |name: &str, server: &ChatServer| {
        format!(
            "[providers.{name}]\nkind = \"openai-compatible\"\napi_key = \"{KEY}\"\n\
             base_url = \"{}\"\nmodel = \"tests\"\n",
            server.base_url()
        )
    };
    let settings = provider("one", desk) + &provider("two", help);
    let house = House::with(&MINDS.replace("# more", more)).and(&settings);
    let server = Server::start(house).await;
    let lines = vec![say(Speaker::Flite("rms"), "my bicycle is broken").await];
    let outcome = call(&server.uri("901"), lines, Duration::from_secs(10)).await;
    assert!(outcome.they_hung_up(), "{:?}\n{}", outcome.ending, server.log());
    server.record().await
}

/// Who says what in a message of a request.
fn spoken(message: &Value) -> (&str, &str) {
    let text = |key: &str| message[key].as_str().unwrap_or_default();
    (text("role"), text("content"))
}

const MINDS: &str = r#"
[[route]]
to = "squad:shop"

[defaults.agent]
stt.provider = "pocketsphinx"
tts          = { provider = "flite", voice = "slt" }
turns        = { preemptive = false }
end_phrases  = ["goodbye"]
disclosure    = "none"
disclosure_reason = "another test hears it"

[agents.desk]
first_message = "Hello?"
prompt        = "You are the desk."
llm           = { provider = "one" }

[[agents.desk.intents]]
id      = "broken"
phrases = ["my bicycle is broken"]
say     = "I see."

[agents.support]
first_message = "This is never said."
prompt        = "You mend {{ device }}."
llm           = { provider = "two" }

[squads.shop]
start   = "desk"
members = ["desk", "support"]

[[squads.shop.handoff]]
from    = "desk"
to      = "support"
when    = "it is broken"
say     = "My colleague takes over."
extract = { device = "what is broken" }
# more

[[squads.shop.handoff]]
from = "support"
to   = "desk"
"#;

const RULES: &str = r#"
[[route]]
to = "squad:shop"

[defaults.agent]
llm.provider = "rules"
stt.provider = "pocketsphinx"
tts          = { provider = "flite", voice = "slt" }

[agents.desk]
first_message = "Hello?"
goodbye       = "Bye now."

[[agents.desk.intents]]
id      = "broken"
phrases = ["my bicycle is broken"]
action  = "hand_over:support"

[[agents.desk.intents]]
id      = "hours"
phrases = ["what are your opening hours"]
say     = "We are open from nine to six."

[[agents.desk.intents]]
id      = "goodbye"
phrases = ["goodbye"]
action  = "end_call"

[agents.support]

[[agents.support.intents]]
id      = "broken"
phrases = ["my bicycle is broken"]
say     = "We mend it on Monday."

[[agents.support.intents]]
id      = "hours"
phrases = ["what are your opening hours"]
action  = "hand_over:desk"

[squads.shop]
start   = "desk"
members = ["desk", "support"]

[[squads.shop.handoff]]
from = "desk"
to   = "support"

[[squads.shop.handoff]]
from = "support"
to   = "desk"
"#;
