//! Programs that change the operator's files by HTTP: what they write is there and counts at once,
//! what stands beside it stays, and what is wrong changes nothing.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use reqwest::{Method, Response, StatusCode};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::control::{ask, told};
use super::datagrams::Wire;
use super::http::{Api, next, problem, started};
use super::peers::free_port;
use super::phones::PHONES;
use super::server::{Folder, House, PATIENCE, Server, within};
use super::service::Service;
use super::webhooks::{ALLOW_ALL, NEW, OLD, event, is_signed, status, webhook};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_new_user_makes_an_agent_calls_it_watches_it_and_ends_it() {
    let crm = Service::open(|_| status(204)).await;
    let hook = webhook("crm", &crm, "[\"call.*\"]") + ALLOW_ALL;
    let (server, api) = started(House::with(PLAIN).and(&hook)).await;
    let rules = api.with(&server, "admin").await;
    let agent = agent("Good day, this is Nora.");
    let made = put(&rules, "/v1/agents/nora", &agent, &[]).await;
    assert_eq!(made.status(), StatusCode::CREATED);
    let route = json!({ "did": "nora", "to": "agent:nora" });
    let made = put(&rules, "/v1/routes/nora?before=1", &route, &[]).await;
    let made: Value = made.json().await.expect("JSON");
    assert_eq!((&made["created"], &made["thing"]["place"]), (&json!(true), &json!(1)), "{made:#}");

    let mut events = rules.events("/v1/events?types=call.*,transcript.updated", None).await;
    let mut wire = Wire::open("127.0.0.1:0", server.address).await;
    let body = wire.description();
    wire.call("nora", &body).await;
    let mut told_of = Vec::new();
    let call = loop {
        let event = next(&mut events).await;
        told_of.push(event["type"].as_str().unwrap_or_default().to_owned());
        if event["type"] == "transcript.updated" {
            assert_eq!(event["data"]["text"], "Good day, this is Nora.");
            break event["call_id"].as_str().expect("an identity").to_owned();
        }
    };
    assert_eq!(told_of[..2], ["call.ringing", "call.started"]);
    told(&server, &["call", "hangup", &call]).await;
    let seen = within(PATIENCE, "the end is told", || {
        let seen = crm.seen();
        seen.iter().any(|it| event(it)["type"] == "call.ended").then_some(seen)
    })
    .await;
    let last = seen.last().expect("it was there");
    is_signed(last, &[NEW, OLD]);
    assert_eq!(
        (&event(last)["call_id"], &event(last)["data"]["end_reason"]),
        (&json!(call), &json!("admin_ended"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_stays_as_it_was_around_an_edit() {
    let (server, api) = started(House::with(PLAIN).and(PHONES)).await;
    let (looks, rules) = (api.with(&server, "read").await, api.with(&server, "admin").await);
    let (agent, tag) = read(&looks, "/v1/agents/porter").await;
    assert_eq!(agent["prompt"], "You are a porter.");
    problem(
        looks.request(Method::DELETE, "/v1/agents/porter").send().await.expect("an answer"),
        403,
    )
    .await;
    let same = looks.request(Method::GET, "/v1/agents/porter").header("If-None-Match", &tag);
    assert_eq!(same.send().await.expect("an answer").status(), StatusCode::NOT_MODIFIED);

    let louder = json!({ "prompt": "You are a loud porter.", "goodbye": null });
    problem(patch(&rules, "/v1/agents/porter", &louder, &[]).await, 428).await;
    problem(patch(&rules, "/v1/agents/porter", &louder, &[("If-Match", "\"x\"")]).await, 412).await;
    let dry = patch(&rules, "/v1/agents/porter?dry_run=true", &louder, &[("If-Match", &tag)]).await;
    let dry: Value = dry.json().await.expect("JSON");
    assert_eq!((&dry["dry"], &dry["changed"][0]["what"]), (&json!(true), &json!("agents.porter")));
    assert_eq!(dialplan(&server), PLAIN, "a rehearsal writes nothing");
    let done = patch(&rules, "/v1/agents/porter", &louder, &[("If-Match", &tag)]).await;
    assert_eq!(done.status(), StatusCode::OK);
    let expected = PLAIN
        .replace("\"You are a porter.\"", "\"You are a loud porter.\"")
        .replace("goodbye       = \"Bye.\" # short\n", "");
    assert_eq!(dialplan(&server), expected);
    problem(patch(&rules, "/v1/agents/porter", &louder, &[("If-Match", &tag)]).await, 412).await;

    // Secrets stay where they are, and never come out.
    let (phone, tag) = read(&looks, "/v1/config/phones/101").await;
    assert_eq!(phone["password"], "***", "{phone}");
    let mut renamed = phone.clone();
    renamed["name"] = json!("Anna <b>");
    let done = put(&rules, "/v1/config/phones/101", &renamed, &[("If-Match", &tag)]).await;
    let text = done.text().await.expect("a text");
    assert!(!text.contains("secret"), "{text}");
    let done: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(done["restart"], json!(["phones.101"]), "{done:#}");
    let settings = std::fs::read_to_string(server.folder.path("conf/server.toml")).expect("a file");
    assert!(settings.contains("secret") && settings.contains("Anna <b>"), "{settings}");
    let all = looks.json("/v1/config/phones").await.to_string();
    assert!(!all.contains("secret"), "{all}");

    // What is there no more counts no more.
    let (_, tag) = read(&looks, "/v1/routes/others").await;
    let gone = rules.request(Method::DELETE, "/v1/routes/others").header("If-Match", &tag);
    assert_eq!(gone.send().await.expect("an answer").status(), StatusCode::OK);
    assert!(!dialplan(&server).contains("Whoever else"), "{}", dialplan(&server));
    let mut wire = Wire::open("127.0.0.1:0", server.address).await;
    assert_eq!(wire.status_for("x", "wire").await, "404");
    comes_back(&server, &rules).await;
}

/// The state before the edits comes back as a whole.
async fn comes_back(server: &Server, rules: &Api) {
    let mut history = rules.json("/v1/config/history").await;
    for _ in 0..400 {
        if history["data"].as_array().is_some_and(|it| it.len() >= 4) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        history = rules.json("/v1/config/history").await;
    }
    let first = history["data"].as_array().and_then(|it| it.last()).expect("states")["at"].clone();
    let diff = rules.post("/v1/config/diff", json!({ "from": first })).await;
    let diff = diff.text().await.expect("a text");
    assert!(!diff.contains("secret"), "{diff}");
    let diff: Value = serde_json::from_str(&diff).expect("JSON");
    let what: BTreeSet<&str> = diff["data"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|it| it["what"].as_str())
        .collect();
    assert_eq!(what, BTreeSet::from(["agents.porter", "phones.101", "routes"]), "{diff:#}");
    problem(rules.post("/v1/config/rollback", json!({ "to": "yesterday" })).await, 404).await;
    let back = json!({ "to": first, "dry_run": true });
    let dry: Value = rules.post("/v1/config/rollback", back).await.json().await.expect("JSON");
    assert_eq!(dry["dry"], true, "{dry:#}");
    assert_ne!(dialplan(server), PLAIN);
    let back = rules.post("/v1/config/rollback", json!({ "to": first })).await;
    let back: Value = back.json().await.expect("JSON");
    assert_eq!(back["written"].as_array().map(Vec::len), Some(2), "{back:#}");
    assert_eq!(dialplan(server), PLAIN);
    let mut wire = Wire::open("127.0.0.1:0", server.address).await;
    assert_eq!(wire.status_for("x", "wire").await, "603");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_or_hostile_changes_nothing() {
    let (mut server, api) = started(House::with(PLAIN)).await;
    let rules = api.with(&server, "admin").await;
    let fine = agent("x");
    let found =
        problem(put(&rules, "/v1/agents/b", &json!({ "promt": "x" }), &[]).await, 422).await;
    let flaw = &found["errors"][0];
    assert_eq!((&found["code"], &flaw["code"]), (&json!("invalid_config"), &json!("key.unknown")));
    assert!(flaw["file"].as_str().is_some_and(|it| it.ends_with("test.toml")), "{found:#}");
    assert!(flaw["line"].as_u64().is_some_and(|it| it > 10), "{found:#}");
    assert!(found.to_string().contains("did you mean") || flaw["help"].is_string(), "{found:#}");
    for (path, body, expected) in hostile(&fine) {
        let answer = put(&rules, path, &body, &[]).await;
        assert_eq!(problem(answer, expected).await["status"], expected, "{path} {body}");
    }
    let deep = format!("{{\"prompt\":{}1{}}}", "[".repeat(500), "]".repeat(500));
    let less = format!("{{\"x\":{}1{}}}", "[".repeat(100), "]".repeat(100));
    for (body, expected) in
        [("{\"prompt\":", 400), ("[]", 422), (&*deep, 400), (&*less, 422), ("\u{0}", 400)]
    {
        let request = rules.request(Method::PUT, "/v1/agents/b").body(body.to_owned());
        problem(request.send().await.expect("an answer"), expected).await;
    }
    let large = json!({ "prompt": "x".repeat(70_000) });
    problem(put(&rules, "/v1/agents/b", &large, &[]).await, 413).await;
    for tags in ["W/\"x\"", "\"\"", "x, y", "\u{7f}"] {
        let answer = rules.request(Method::DELETE, "/v1/agents/porter");
        let answer = match reqwest::header::HeaderValue::from_bytes(tags.as_bytes()) {
            Ok(value) => answer.header("If-Match", value),
            Err(_) => continue,
        };
        problem(answer.send().await.expect("an answer"), 412).await;
    }
    // An agent that somebody still needs does not go.
    let gone = rules.request(Method::DELETE, "/v1/agents/porter").header("If-Match", "*");
    assert_eq!(problem(gone.send().await.expect("an answer"), 422).await["code"], "invalid_config");
    assert_eq!(dialplan(&server), PLAIN);
    links_lead_nowhere(&server, &rules, &agent("y")).await;
    assert!(server.lives());
}

/// What nobody takes, and with which status.
fn hostile(fine: &Value) -> Vec<(&'static str, Value, u16)> {
    vec![
        ("/v1/agents/..%2f..%2fetc", fine.clone(), 422),
        ("/v1/agents/a.b", fine.clone(), 422),
        ("/v1/agents/a%22b", fine.clone(), 422),
        ("/v1/agents/a%0ab", fine.clone(), 422),
        ("/v1/agents/%f0%9f%98%80", fine.clone(), 422),
        ("/v1/agents/%ff", fine.clone(), 404),
        ("/v1/routes/7", json!({ "to": "busy" }), 422),
        ("/v1/routes/a%0ab", json!({ "to": "busy" }), 422),
        ("/v1/routes/x", json!({ "to": "busy", "name": "y" }), 422),
        ("/v1/routes/x?before=nobody", json!({ "to": "busy" }), 422),
        ("/v1/agents/b?before=1", fine.clone(), 422),
        ("/v1/agents/b?dry_run=perhaps", fine.clone(), 422),
        ("/v1/agents/b?dryrun=true", fine.clone(), 422),
        ("/v1/agents/b", json!({ "prompt": ["x"] }), 422),
        ("/v1/agents/b", json!({ "prompt": null }), 422),
        ("/v1/agents/b", json!({ "prompt": "x", "max_duration": 1e300 }), 422),
        ("/v1/agents/b", json!({ "prompt": "x", "y": u64::MAX }), 422),
        ("/v1/agents/b", json!({ "prompt_file": "/etc/passwd" }), 422),
        ("/v1/agents/b", json!({ "prompt_file": "../conf/server.toml" }), 422),
        ("/v1/agents/b", json!({ "prompt": "${file:../x}" }), 422),
        ("/v1/agents/b", json!({ "prompt": "${env:PATH}" }), 422),
        ("/v1/config/phones/9", json!({ "password": "***" }), 422),
        ("/v1/config/trunks/t", json!({ "host": 5 }), 422),
        ("/v1/tools/t", json!({ "type": "spell" }), 422),
        ("/v1/queues/q", json!({}), 404),
    ]
}

/// A file that lies elsewhere is not written to, whatever leads there.
async fn links_lead_nowhere(server: &Server, rules: &Api, fine: &Value) {
    let outside = server.folder.put("elsewhere.toml", FAR);
    std::os::unix::fs::symlink(&outside, server.folder.path("dialplans/z.toml")).expect("a link");
    let (_, tag) = read(rules, "/v1/agents/far").await;
    problem(put(rules, "/v1/agents/far", fine, &[("If-Match", &tag)]).await, 403).await;
    assert!(std::fs::read_to_string(&outside).expect("a file").contains("far"));
    std::fs::remove_file(server.folder.path("dialplans/z.toml")).expect("it is ours");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_who_write_at_once_one_is_told_to_read_again() {
    let (server, api) = started(House::with(PLAIN)).await;
    let rules = api.with(&server, "admin").await;
    for round in 0..5 {
        let (agent, tag) = read(&rules, "/v1/agents/porter").await;
        let write = async |who: &str| {
            let mut own = agent.clone();
            own["prompt"] = json!(format!("{who} {round}"));
            put(&rules, "/v1/agents/porter", &own, &[("If-Match", &tag)]).await.status().as_u16()
        };
        let (one, other) = tokio::join!(write("one"), write("other"));
        let said = BTreeSet::from([one, other]);
        assert_eq!(said, BTreeSet::from([200, 412]), "{one} {other}");
        let winner = if one == 200 { "one" } else { "other" };
        assert!(dialplan(&server).contains(&format!("prompt        = \"{winner} {round}\"")));
    }
    // Whoever makes things at once makes all of them.
    let fine = agent("x");
    let make =
        async |name: &str| put(&rules, &format!("/v1/agents/{name}"), &fine, &[]).await.status();
    let made = tokio::join!(make("a"), make("b"), make("c"), make("a"));
    assert_eq!((made.1, made.2), (StatusCode::CREATED, StatusCode::CREATED));
    let twice = BTreeSet::from([made.0.as_u16(), made.3.as_u16()]);
    assert_eq!(twice, BTreeSet::from([201, 428]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_file_is_old_or_new_when_the_server_is_killed() {
    let bind = format!("127.0.0.1:{}", free_port());
    let settings = format!("[http]\nbind = {bind:?}\n");
    let house = || House::with(PLAIN).and(&settings);
    let mut folder = Folder::new();
    for round in 0..4_u64 {
        let server = Server::start_again(folder, house(), &[]).await;
        let api = Api::at(&format!("http://{bind}"), None);
        let rules = api.with(&server, "admin").await;
        let said = Arc::new(AtomicU32::new(0));
        let count = said.clone();
        let writing = tokio::spawn(async move {
            loop {
                let request = rules.request(Method::PATCH, "/v1/agents/porter");
                let number = count.load(Ordering::Relaxed);
                let body = json!({ "prompt": format!("{number} ").repeat(5_000) });
                let sent = request.header("If-Match", "*").json(&body).send().await;
                if !sent.is_ok_and(|it| it.status().is_success()) {
                    return;
                }
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
        let enough = || (said.load(Ordering::Relaxed) > 0).then_some(());
        within(PATIENCE, "something is written", enough).await;
        tokio::time::sleep(Duration::from_millis(170 * round)).await;
        let pid = Pid::from_raw(server.pid().cast_signed()).expect("a process");
        kill_process(pid, Signal::KILL).expect("it is ours");
        writing.await.expect("it ends");
        let text = dialplan(&server);
        let (code, _, why) = ask(&server, &["check"]).await;
        assert_eq!(code, Some(0), "{why}");
        assert!(text.starts_with("# The house.") && text.ends_with("# The end.\n"), "{text}");
        folder = Folder::of(server);
    }
}

/// An agent that says this.
fn agent(says: &str) -> Value {
    let bye = json!({ "id": "bye", "key": "1", "say": "Bye." });
    json!({ "first_message": says, "intents": [bye] })
}

/// What is there, and its tag.
async fn read(api: &Api, path: &str) -> (Value, String) {
    let answer = api.get(path).await;
    assert_eq!(answer.status(), StatusCode::OK, "{path}");
    let tag = answer.headers()["etag"].to_str().expect("a text").to_owned();
    (answer.json().await.expect("JSON"), tag)
}

async fn put(api: &Api, path: &str, body: &Value, headers: &[(&str, &str)]) -> Response {
    send(api, Method::PUT, path, (body, headers)).await
}

async fn patch(api: &Api, path: &str, body: &Value, headers: &[(&str, &str)]) -> Response {
    send(api, Method::PATCH, path, (body, headers)).await
}

async fn send(
    api: &Api,
    method: Method,
    path: &str,
    (body, headers): (&Value, &[(&str, &str)]),
) -> Response {
    let request = api.request(method, path).json(body);
    let request =
        headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    request.send().await.expect("an answer")
}

fn dialplan(server: &Server) -> String {
    std::fs::read_to_string(server.folder.path("dialplans/test.toml")).expect("a file")
}

const FAR: &str = "[agents.far]\nfirst_message = \"x\"\n[[agents.far.intents]]\nid = \"bye\"\nkey = \"1\"\nsay = \"Bye.\"\n";

const PLAIN: &str = r#"# The house.

# The porter is asked for by his name.
[[route]]
name = "porter"
did = "porter" # as dialled
to = "agent:porter"

# Whoever else comes.
[[route]]
name = "others"
to = "reject:603"

[agents.porter] # patient
first_message = "Hello?"
goodbye       = "Bye." # short
prompt        = "You are a porter."

[[agents.porter.intents]]
id = "bye"
key = "1"
say = "Bye."
# The end.
"#;
