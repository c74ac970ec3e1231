//! `voxtrunk test`: conversations written down as TOML, played with the agents and their models.

use std::path::Path;

use serde_json::{Value, json};

use super::server::{Folder, House, program};
use crate::fakes::chat_server::{Behaviour, ChatServer, KEY};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn conversations_are_played_by_rules_and_what_they_miss_is_told() {
    let folder = Folder::new();
    let config = House::with(RULES).write(&folder);
    folder.put("tests/agents/desk.toml", CASES);
    let (code, lines) = play(&config, &[]).await;
    assert_eq!(code, Some(1), "{lines:#?}");
    let passed = |name: &str| {
        let line = lines.iter().find(|line| line["name"] == name).expect("it was played");
        (line["passed"] == json!(true), line["failures"].clone())
    };
    for name in ["hours", "is handed over", "waits", "presses"] {
        assert_eq!(passed(name), (true, json!([])), "{lines:#?}");
    }
    let (good, failures) = passed("wrong");
    let told = [
        "the agent never says \"on sundays\"",
        "the agent says \"nine\"",
        "it never calls book",
        "the caller ends with desk, not support",
        "the agent never hangs up",
    ];
    assert_eq!((good, failures), (false, json!(told)), "{lines:#?}");
    assert_eq!(play(&config, &["--filter", "hours"]).await.0, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn conversations_are_played_by_a_real_model_and_judged() {
    let mind = ChatServer::start(vec![
        Behaviour::Calls { text: "", tool: "book", arguments: r#"{"day": "2026-12-01"}"# },
        Behaviour::Says("Booked. Goodbye."),
        Behaviour::Says("No, the agent did not read the day back."),
    ])
    .await;
    let folder = Folder::new();
    let settings = format!(
        "[providers.mind]\nkind = \"openai-compatible\"\napi_key = \"{KEY}\"\nmodel = \"tiny\"\n\
         base_url = \"{}\"\n",
        mind.base_url()
    );
    let config = House::with(MIND).and(&settings).write(&folder);
    folder.put("tests/agents/desk.toml", JUDGED);
    let (code, lines) = play(&config, &[]).await;
    let told = json!(["the judge says: No, the agent did not read the day back."]);
    assert_eq!((code, &lines[0]["failures"]), (Some(1), &told), "{lines:#?}");
    let transcript = json!([
        "agent: Hello.",
        "caller: on the first of december",
        "tool: book {\"day\": \"2026-12-01\"}",
        "agent: Booked.",
        "agent: Goodbye.",
    ]);
    assert_eq!(lines[0]["transcript"], transcript);
    let asked = mind.requests();
    assert!(asked[1]["messages"].to_string().contains("ticket"), "{asked:#?}");
    assert!(asked[2]["messages"].to_string().contains("read the day back"), "{asked:#?}");
    assert_eq!(mind.complaints(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_agents_of_the_demo_have_their_conversations() {
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf/demo.toml");
    let (code, lines) = play(&config, &[]).await;
    assert_eq!((code, lines.len()), (Some(0), 5), "{lines:#?}");
}

/// Plays the tests; gives the exit code, and what is told of each.
async fn play(config: &Path, more: &[&str]) -> (Option<i32>, Vec<Value>) {
    let mut command = program();
    command.args(["test", "--json", "--config"]).arg(config).args(more);
    let output = command.output().await.expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line =
        |line: &str| serde_json::from_str(line).unwrap_or_else(|why| panic!("{why}: {line}"));
    (output.status.code(), text.lines().map(line).collect())
}

const RULES: &str = r#"
[[route]]
to = "squad:shop"

[squads.shop]
start   = "desk"
members = ["desk", "support"]

[[squads.shop.handoff]]
from = "desk"
to   = "support"

[menus.main]
say    = "For the desk press one."
digits = { 1 = "agent:desk", 2 = "agent:support" }

[agents.desk]
first_message = "Hello."
stt.provider  = "pocketsphinx"
tts           = { provider = "flite", voice = "slt" }

[[agents.desk.intents]]
id      = "hours"
phrases = ["what are your hours"]
say     = "We are open from nine to six."

[[agents.desk.intents]]
id      = "broken"
phrases = ["it is broken"]
action  = "hand_over:support"

[[agents.desk.intents]]
id      = "bye"
phrases = ["goodbye"]
say     = "Goodbye."
action  = "end_call"

[agents.support]
first_message = "Support here."
stt.provider  = "pocketsphinx"
tts           = { provider = "flite", voice = "slt" }

[[agents.support.intents]]
id      = "broken"
phrases = ["it is broken"]
say     = "We mend it."
"#;

const CASES: &str = r##"
[[case]]
name   = "hours"
agent  = "desk"
say    = ["what are your hours", "goodbye"]
expect = { says = "nine to six", hangs_up = true, never_calls = ["book"] }

[[case]]
name   = "is handed over"
agent  = "squad:shop"
say    = ["it is broken"]
expect = { says = "We mend it.", never_says = "Support here.", ends_with = "support" }

[[case]]
name   = "waits"
agent  = "desk"
say    = [""]
expect = { says = "still there" }

[[case]]
name   = "presses"
agent  = "menu:main"
say    = ["#2"]
expect = { says = "Support here.", ends_with = "agent:support" }

[[case]]
name   = "wrong"
agent  = "desk"
say    = ["what are your hours"]
expect = { says = "on sundays", never_says = "nine", tool = "book", ends_with = "support", hangs_up = true }
"##;

const MIND: &str = r#"
[[route]]
to = "agent:desk"

[agents.desk]
first_message = "Hello."
disclosure    = "none"
disclosure_reason = "another test hears it"
prompt        = "You are the desk."
stt.provider  = "pocketsphinx"
llm           = { provider = "mind" }
tts           = { provider = "flite", voice = "slt" }
tools         = ["book"]
end_phrases   = ["goodbye"]

[tools.book]
type        = "http"
description = "Books a day."
method      = "POST"
url         = "https://calendar.invalid/"
parameters  = { day = "date" }
"#;

const JUDGED: &str = r#"
[[case]]
name   = "reads back"
agent  = "desk"
say    = ["on the first of december"]
mock   = { book = { ticket = 7 } }
expect = { tool = "book", args = { day = "2026-12-01" }, says = "Booked" }
judge  = "The agent read the day back before it booked."
"#;
