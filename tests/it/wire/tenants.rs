//! Companies that share a server, each with dialplans of its own.

use serde_json::json;

use super::caller::{Speaker, call_from, say};
use super::control::{ask, told};
use super::datagrams::Wire;
use super::server::{Folder, House, Server, program, said};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn calls_of_a_tenant_go_by_its_dialplans_and_change_with_them() {
    let folder = Folder::new();
    folder.put("dialplans/acme/main.toml", ACME);
    let settings = "[tenants.acme]\nnumbers = [\"+49711123450..59\"]\n\
                    dialplans = \"../dialplans/acme\"\n\
                    [providers.here]\nkind = \"local\"\nstt = \"pocketsphinx\"\ntts = \"flite\"\n";
    let server = Server::start_in(folder, House::with(EVERYBODY).and(settings)).await;

    // The first route of all would take every call.
    let lines = vec![say(Speaker::Flite("rms"), "i would like to speak to sales").await];
    let outcome = call_from("+4930555", &server.uri("+49711123451"), lines).await;
    assert!(outcome.they_hung_up(), "{outcome:?}\n{}", server.log());
    let record = server.records_of("+49711123451", 1).await.remove(0);
    assert_eq!((&record["tenant"], &record["agents"][0]), (&json!("acme"), &json!("acme")));
    let words = said(&record, "agent").join(" ");
    assert!(words.contains("Acme") && words.contains("Sales is closed"), "{words}");
    let mut wire = Wire::open("127.0.0.1:0", server.address).await;
    let body = wire.description();
    let answer = wire.call("+49711123460", &body).await;
    wire.hang_up(&answer).await;
    let other = server.records_of("+49711123460", 1).await.remove(0);
    assert_eq!(other["agents"][0], "everybody", "{other:#}");

    let mut test = program();
    test.args(["route", "test", "--to", "+49711123452", "--config"]);
    let output = test.arg(server.folder.path("conf/server.toml")).output().await.expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("agent:acme"), "{text}");

    // A mistake in its files changes nothing for anybody; what is right is there at once.
    let put = |text: String| server.folder.put("dialplans/acme/main.toml", text);
    put(format!("{ACME}\n[defaults.agent]\nprompt = \"Be brief.\"\n"));
    let (code, out, why) = ask(&server, &["reload"]).await;
    assert!(code == Some(1) && (out + &why).contains("tenant.everybodys"));
    put(ACME.replace("to   = \"agent:acme\"", "to   = \"reject:603\""));
    told(&server, &["reload"]).await;
    let mut wire = Wire::open("127.0.0.1:0", server.address).await;
    assert_eq!(wire.status_for("+49711123453", "+4930555").await, "603");
    let answer = wire.call("+49711123460", &body).await;
    wire.hang_up(&answer).await;
}

const EVERYBODY: &str = r#"
[[route]]
name = "everything"
to   = "agent:everybody"

[agents.everybody]
first_message = "Hello, everybody."
llm.provider  = "rules"
tts           = { provider = "flite" }
[[agents.everybody.intents]]
id      = "bye"
phrases = ["goodbye"]
say     = "Goodbye."
"#;

const ACME: &str = r#"
[[route]]
name = "ours"
to   = "agent:acme"

[agents.acme]
first_message = "This is Acme. What can I do for you?"
llm.provider  = "rules"
stt.provider  = "here"
tts.provider  = "here"
[[agents.acme.intents]]
id      = "sales"
phrases = ["i would like to speak to sales"]
say     = "Sales is closed today."
action  = "end_call"
"#;
