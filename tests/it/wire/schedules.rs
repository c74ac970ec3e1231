//! What begins by itself at its time.

use std::time::Duration;

use serde_json::{Value, json};

use super::control::{ask, eventually, told};
use super::oversight;
use super::phones::PHONES;
use super::server::{House, PATIENCE, Server, said, within};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn somebody_is_called_each_minute_and_what_fails_is_told() {
    let server = Server::start(House::with(DIALPLAN).and(PHONES)).await;
    let mut anna = oversight::phone(&server, "101", "secret").await;
    within(Duration::from_secs(90), "the next minute", || {
        server.log().contains("a schedule is due").then_some(())
    })
    .await;
    let dialog = oversight::answers(&mut anna).await;
    within(PATIENCE, "it speaks", || oversight::has_heard(&anna.audio, 500)).await;
    anna.ask(&dialog, "BYE", "").await;
    let record = &server.records_of("phone:101", 1).await[0];
    assert_eq!(record["direction"], "outbound", "{record:#}");
    assert_eq!(record["from"]["number"], "2000", "{record:#}");
    assert_eq!(said(record, "agent"), ["Good morning. It is seven."]);

    let list = eventually(&server, &["schedule", "list", "--json"], |list| {
        list["data"].as_array().is_some_and(|all| all.iter().all(|it| !it["last_at"].is_null()))
    })
    .await;
    let of = |name: &str| -> Value {
        let all = list["data"].as_array().cloned().unwrap_or_default();
        all.into_iter().find(|it| it["name"] == name).unwrap_or_default()
    };
    let wake = of("wake");
    assert_eq!((&wake["problem"], &wake["call"]), (&Value::Null, &json!(["phone:101"])), "{list}");
    assert_eq!(wake["when"], "Every minute", "{list}");
    assert!(wake["next_at"].as_str() > wake["last_at"].as_str(), "{list}");
    // A number that nobody may call.
    let dear = of("dear");
    assert!(dear["problem"].is_string() || server.log().contains("blocked"), "{list}");
    let table = told(&server, &["schedule", "list"]).await;
    assert!(table.contains("wake") && table.contains("phone:101"), "{table}");

    // What is not there any more does not begin.
    let plan = server.folder.path("dialplans/test.toml");
    std::fs::write(&plan, DIALPLAN.split("[schedules").next().unwrap_or_default()).expect("a file");
    told(&server, &["reload"]).await;
    let (code, out, _) = ask(&server, &["schedule", "list"]).await;
    assert!(code == Some(0) && out.contains("no schedule"), "{out}");
}

const DIALPLAN: &str = r#"
[[route]]
to = "agent:waker"

[agents.waker]
first_message = "Good morning. It is {{ hour }}."
llm.provider  = "rules"
tts.provider  = "flite"
[[agents.waker.intents]]
id      = "bye"
phrases = ["goodbye"]
say     = "Goodbye."

[schedules.wake]
cron = "* * * * *"
call = "phone:101"
to   = "agent:waker"
from = "2000"
set  = { hour = "seven" }

[schedules.dear]
cron     = "* * * * *"
timezone = "Europe/Berlin"
call     = "+4990012345"
to       = "agent:waker"
"#;
