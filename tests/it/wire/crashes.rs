//! A server that is killed in the middle of calls: each has its record afterwards, with the reason,
//! with what was said, and its end is told once (R3).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::Value;

use super::control::{Watch, eventually};
use super::datagrams::Wire;
use super::peers::free_port;
use super::server::{Folder, House, PATIENCE, Server, within};
use super::service::{Reply, Service};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn calls_that_are_up_when_the_server_is_killed_have_their_records_and_their_end() {
    let crm = Service::open(|_| Reply::text("text/plain", String::new())).await;
    let settings = format!(
        "[webhooks.crm]\nurl = \"{}/hook\"\nevents = [\"call.ended\"]\n\
         secret = \"whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=\"\n\
         [security.webhooks]\nallow = [\"127.0.0.1\"]\n",
        crm.url()
    );
    let bind = format!("127.0.0.1:{}", free_port());
    let house = || House { bind: bind.clone(), ..House::with(DIALPLAN).and(&settings) };
    let rounds = std::env::var("VOXTRUNK_KILLS").ok().and_then(|it| it.parse().ok()).unwrap_or(3);
    let (mut folder, mut known) = (Folder::new(), BTreeSet::new());
    for round in 0..rounds {
        let server = Server::start_in(folder, house()).await;
        let events = Watch::start(&server, &["events", "--json"]);
        eventually(&server, &["status", "--json"], |_| true).await;
        let calls = join_all((0..CALLS).map(|_| caller(&server))).await;
        // Some moment: while they are greeted, while they listen, while nobody says anything; what
        // happened in the last second may be lost.
        tokio::time::sleep(Duration::from_millis(1_000 + (round * 787) % 4_000)).await;
        let before_kill = events.so_far();
        // Dropping a server kills it: it has no time to say or write anything.
        folder = Folder::of(server);
        let said = said(&before_kill);

        let server = Server::start_in(folder, house()).await;
        // Nobody is left in a dead call.
        for (caller, _) in &calls {
            bye(caller).await;
        }
        let records = server.records(known.len() + CALLS).await;
        assert_eq!(records.len(), known.len() + CALLS, "round {round}");
        for record in &records {
            let id = record["id"].as_str().expect("an identity").to_owned();
            if !known.insert(id.clone()) {
                continue;
            }
            assert_eq!(record["end_reason"], "server_crash", "{record:#}");
            assert_eq!(record["status"], "failed", "{record:#}");
            assert!(record["answered_at"].is_string(), "{record:#}");
            assert_eq!(record["legs"][0]["end_reason"], "server_crash", "{record:#}");
            let transcript = record["transcript"].to_string();
            for words in said.get(&id).into_iter().flatten() {
                assert!(transcript.contains(words), "round {round}: `{words}` in {transcript}");
            }
        }
        // They are listed, too, and none is said to be up.
        let wanted = known.len().to_string();
        eventually(&server, &["call", "list", "--all", "--limit", "200", "--json"], |list| {
            list["data"].as_array().is_some_and(|it| it.len().to_string() == wanted)
        })
        .await;
        within(PATIENCE, "the end of each call", || {
            let ends: BTreeSet<String> = crm.seen().iter().map(|it| call_of(&it.body)).collect();
            (ends == known).then_some(())
        })
        .await;
        folder = Folder::of(server);
    }
    // Each was told once: whatever came again has the same identity.
    let mut names: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for seen in crm.seen() {
        let name = seen.header("webhook-id").unwrap_or_default().to_owned();
        names.entry(call_of(&seen.body)).or_default().insert(name);
        let event: Value = serde_json::from_str(&seen.body).expect("JSON");
        assert_eq!(event["data"]["end_reason"], "server_crash", "{event:#}");
    }
    assert!(names.values().all(|names| names.len() == 1), "{names:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_record_that_the_disk_does_not_take_is_written_when_it_does() {
    let server = Server::start(House::with(DIALPLAN)).await;
    let first = caller(&server).await;
    // The folder is gone, and nothing can be written where it was.
    let (calls, away) = (server.folder.path("data/calls"), server.folder.path("data/away"));
    std::fs::rename(&calls, &away).expect("moved");
    std::fs::write(&calls, "").expect("a file");
    first.0.hang_up(&first.1).await;
    let failed = || server.log().contains("the record of a call could not be written");
    within(PATIENCE, "a failure", || failed().then_some(())).await;
    let second = caller(&server).await;
    std::fs::remove_file(&calls).expect("removed");
    std::fs::rename(&away, &calls).expect("moved back");
    let record = server.record().await;
    assert_eq!(record["end_reason"], "caller_hangup", "{record:#}");
    second.0.hang_up(&second.1).await;
    assert_eq!(server.records(2).await.len(), 2);
}

/// Somebody on the line, and how that was answered.
async fn caller(server: &Server) -> (Wire, String) {
    let mut wire = Wire::open("127.0.0.1:0", server.address).await;
    let description = wire.description();
    let answer = wire.call("anybody", &description).await;
    (wire, answer)
}

/// Waits until the other side hangs up, and agrees.
async fn bye(caller: &Wire) {
    loop {
        let message = caller.receive(PATIENCE).await.expect("a goodbye");
        if message.starts_with("BYE ") {
            assert!(message.contains("server_crash"), "{message}");
            return caller.agree(&message).await;
        }
    }
}

fn call_of(body: &str) -> String {
    let event: Value = serde_json::from_str(body).unwrap_or_default();
    event["call_id"].as_str().unwrap_or_default().to_owned()
}

/// What was said in each call, a second or more before the last that was told.
fn said(events: &str) -> BTreeMap<String, Vec<String>> {
    let events: Vec<Value> =
        events.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let time = |event: &Value| {
        let text = event["timestamp"].as_str().unwrap_or_default();
        text.parse::<jiff::Timestamp>().map(|at| at.as_millisecond()).unwrap_or_default()
    };
    let last = events.iter().map(time).max().unwrap_or_default();
    let mut said: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for event in events.iter().filter(|event| time(event) + 1_000 <= last) {
        let call = event["call_id"].as_str().unwrap_or_default().to_owned();
        let words = event["data"]["text"].as_str().filter(|_| event["data"]["role"] == "agent");
        said.entry(call).or_default().extend(words.map(str::to_owned));
    }
    said
}

/// How many calls are up at a kill.
const CALLS: usize = 20;

const DIALPLAN: &str = r#"
[[route]]
to = "agent:talker"

[agents.talker]
first_message = "Hello. This is one sentence. And this is another one."
tts           = { provider = "flite", voice = "slt" }
stt.provider  = "pocketsphinx"
llm.provider  = "rules"

[[agents.talker.intents]]
id      = "goodbye"
phrases = ["goodbye"]
action  = "end_call"
"#;
