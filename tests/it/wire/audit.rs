//! The chronicle of the running server: whoever acts stands in it, by whichever way, nothing secret
//! does, and whoever changes it is found out.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::control::{ask, told};
use super::http::{Ann, Api, problem, started};
use super::peers::free_port;
use super::server::{Folder, House, PATIENCE, Server, within};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_acts_stands_in_the_chronicle() {
    let (server, api) = started(House::porter()).await;
    let (looks, rules) = (api.with(&server, "read").await, api.with(&server, "admin").await);
    let mut ann = Ann::calls(&server).await;
    let calls = rules.json("/v1/calls").await;
    let call = calls["data"][0]["id"].as_str().expect("an identity").to_owned();
    rules.json("/v1/status").await;
    problem(looks.post("/v1/config/reload", json!({})).await, 403).await;
    looks.json(&format!("/v1/calls/{call}/sip")).await;
    let agent = json!({ "prompt": "x", "llm": { "provider": "rules", "api_key": "hunter2" } });
    let request = rules.request(reqwest::Method::PUT, "/v1/agents/nora").json(&agent);
    let made = request.send().await.expect("an answer").status();
    rules.post("/v1/campaigns/dnc", json!({ "number": "+4971112345" })).await;
    told(&server, &["reload"]).await;
    told(&server, &["call", "hangup", &call]).await;
    ann.is_hung_up().await;

    problem(looks.get("/v1/audit").await, 403).await;
    let list = rules.json("/v1/audit?limit=200").await;
    let deeds: Vec<(&str, &str, &str)> = list["data"]
        .as_array()
        .expect("a list")
        .iter()
        .rev()
        .map(|it| {
            let text = |key: &str| it[key].as_str().unwrap_or_default();
            (text("what"), text("on"), text("outcome"))
        })
        .collect();
    let made = made.as_u16().to_string();
    let find = |what: &str, on: &str, outcome: &str| {
        let at = deeds.iter().position(|it| *it == (what, on, outcome));
        at.unwrap_or_else(|| panic!("{what} {on} {outcome} is not in {deeds:#?}"))
    };
    let sequence = [
        find("POST /v1/config/reload", "", "403"),
        find("GET /v1/calls/{id}/sip", &call, "200"),
        find("PUT /v1/agents/{name}", "nora", &made),
        find("config.reload", "", "ok"),
        find("call.hangup", &call, "ok"),
        find("GET /v1/audit", "", "403"),
    ];
    assert!(sequence.is_sorted(), "{deeds:#?}");
    assert_eq!(deeds.iter().filter(|it| it.0 == "key.create").count(), 2, "{deeds:#?}");
    assert!(!deeds.iter().any(|it| it.0.contains("status")), "who only looks is not in it");
    let text = list.to_string();
    for secret in ["hunter2", "71112345", "sk_"] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
    let user = format!("uid:{}", rustix::process::getuid().as_raw());
    let own = rules.json(&format!("/v1/audit?who={user}&what=call.&limit=1")).await;
    assert_eq!((&own["data"][0]["from"], &own["data"][0]["on"]), (&json!("socket"), &json!(call)));
    let first = rules.json("/v1/audit?limit=2").await;
    let cursor = first["next_cursor"].as_str().expect("there is more");
    let rest = rules.json(&format!("/v1/audit?limit=2&cursor={cursor}")).await;
    assert!(rest["data"][0]["number"].as_u64() < first["data"][1]["number"].as_u64());
    problem(rules.get("/v1/audit?cursor=x").await, 400).await;
    is_found_out(&server, &rules).await;
}

/// Whoever changes a line is named by the command and by HTTP.
async fn is_found_out(server: &Server, rules: &Api) {
    let said = told(server, &["audit", "verify"]).await;
    assert!(said.contains("all are as they were written"), "{said}");
    let list = told(server, &["audit", "list", "--json", "--limit", "3"]).await;
    assert_eq!(list.lines().count(), 3, "{list}");
    let path = server.folder.path("data/audit/audit.jsonl");
    let text = std::fs::read_to_string(&path).expect("a chronicle");
    std::fs::write(&path, text.replacen("\"403\"", "\"200\"", 1)).expect("it is ours");
    let line = text.lines().position(|it| it.contains("\"403\"")).expect("a refusal") + 1;
    let (code, _, why) = ask(server, &["audit", "verify"]).await;
    assert!(
        code == Some(1) && why.contains(&format!("audit.jsonl:{line}: the line was changed")),
        "{why}"
    );
    let verdict = rules.json("/v1/audit/verify").await;
    assert_eq!((&verdict["intact"], &verdict["broken"]["line"]), (&json!(false), &json!(line)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_chain_holds_when_the_server_is_killed() {
    let bind = format!("127.0.0.1:{}", free_port());
    let house = || House::porter().and(&format!("[http]\nbind = {bind:?}\n"));
    let mut folder = Folder::new();
    for round in 0..3 {
        let server = Server::start_again(folder, house(), &[]).await;
        let rules = Api::at(&format!("http://{bind}"), None).with(&server, "admin").await;
        let done = Arc::new(AtomicU64::new(0));
        let count = done.clone();
        let acting = tokio::spawn(async move {
            let request = || rules.request(reqwest::Method::POST, "/v1/config/reload").send();
            while request().await.is_ok_and(|it| it.status().is_success()) {
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
        let enough = || (done.load(Ordering::Relaxed) > round).then_some(());
        within(PATIENCE, "something is done", enough).await;
        let pid = Pid::from_raw(server.pid().cast_signed()).expect("a process");
        kill_process(pid, Signal::KILL).expect("it is ours");
        acting.await.expect("it ends");
        let done = done.load(Ordering::Relaxed);
        // What was answered is written down.
        let list = told(&server, &["audit", "list", "--json", "--limit", "100000"]).await;
        let said = list.lines().filter(|it| it.contains("/v1/config/reload")).count() as u64;
        assert!(done > 0 && said >= done, "{said} of {done}");
        folder = Folder::of(server);
    }
    // A line that was cut off in the middle is cut away, and that is said.
    let path = folder.path("data/audit/audit.jsonl");
    let text = std::fs::read_to_string(&path).expect("a chronicle");
    std::fs::write(&path, format!("{text}{{\"number\":9")).expect("it is ours");
    let server = Server::start_again(folder, house(), &[]).await;
    told(&server, &["reload"]).await;
    let said = told(&server, &["audit", "verify"]).await;
    assert!(said.contains("all are as they were written"), "{said}");
    let list = told(&server, &["audit", "list", "--json", "--limit", "2"]).await;
    let mended: Value = serde_json::from_str(list.lines().nth(1).expect("two")).expect("JSON");
    assert_eq!(mended["what"], "audit.mended");
    assert!(server.log().contains("was torn"), "{}", server.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_used_as_often_on_a_day_as_it_may_be_and_a_restart_forgets_nothing() {
    let bind = format!("127.0.0.1:{}", free_port());
    let house = || House::porter().and(&format!("[http]\nbind = {bind:?}\n"));
    let mut server = Server::start(house()).await;
    let api = Api::at(&format!("http://{bind}"), None);
    let rules = api.with(&server, "admin").await;
    let wanted = json!({ "name": "crm", "scope": "admin", "requests_per_day": 0 });
    let wrong = problem(rules.post("/v1/keys", wanted).await, 422).await;
    assert_eq!(wrong["errors"][0]["pointer"], "/requests_per_day", "{wrong}");
    let wanted = json!({ "name": "crm", "scope": "admin", "requests_per_day": 3 });
    let made: Value = rules.post("/v1/keys", wanted).await.json().await.expect("JSON");
    assert_eq!((&made["requests_per_day"], &made["requests_today"]), (&json!(3), &json!(0)));
    let own = api.with_key(made["key"].as_str().expect("a key"));
    own.json("/v1/status").await;
    own.json("/v1/calls").await;
    // Or it would make itself more of the day.
    problem(own.post("/v1/keys", json!({ "name": "y" })).await, 403).await;
    let spent = own.get("/v1/status").await;
    assert!(spent.headers().contains_key("retry-after"), "{spent:?}");
    problem(spent, 429).await;
    let keys = rules.json("/v1/keys").await;
    let of_crm = keys["data"].as_array().expect("keys").iter().find(|it| it["name"] == "crm");
    let of_crm = of_crm.expect("one");
    assert_eq!((&of_crm["requests_today"], &of_crm["requests_total"]), (&json!(3), &json!(3)));
    assert!(of_crm["last_used_at"].is_string(), "{of_crm}");

    server.terminate();
    server.ended().await;
    let server = Server::start_in(Folder::of(server), house()).await;
    problem(own.get("/v1/status").await, 429).await;
    let list = told(&server, &["key", "list"]).await;
    assert!(list.contains("3 of 3 today, 3 in all, last 20"), "{list}");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_made_and_taken_back_by_http_and_the_page_needs_nobody_else() {
    let (server, api) = started(House::porter()).await;
    let (looks, rules) = (api.with(&server, "read").await, api.with(&server, "admin").await);
    problem(looks.get("/v1/keys").await, 403).await;
    problem(looks.post("/v1/keys", json!({ "name": "x" })).await, 403).await;
    for (body, pointer) in [
        (json!({ "name": "" }), "/name"),
        (json!({ "name": "a\nb" }), "/name"),
        (json!({ "name": "x", "scope": "god" }), "/scope"),
        (json!({ "name": "x", "expires_in": "soon" }), "/expires_in"),
        // Its maker lasts for a day.
        (json!({ "name": "x", "expires_in": "2d" }), "/expires_in"),
        (json!({ "name": "x", "scopes": [] }), "/scopes"),
    ] {
        let wrong = problem(rules.post("/v1/keys", body).await, 422).await;
        assert_eq!(wrong["errors"][0]["pointer"], pointer, "{wrong}");
    }
    let made = rules.post("/v1/keys", json!({ "name": "page", "scope": "operate" })).await;
    let made: Value = made.json().await.expect("JSON");
    let (id, key) = (made["id"].as_str().expect("a name"), made["key"].as_str().expect("a key"));
    assert!(made["expires_at"].is_string(), "it ends with its maker: {made}");
    let own = api.with_key(key);
    own.json("/v1/status").await;
    problem(own.post("/v1/keys", json!({ "name": "y" })).await, 403).await;
    let list = rules.json("/v1/keys").await.to_string();
    assert!(list.contains(id) && !list.contains("sk_") && !list.contains("hash"), "{list}");
    let gone = rules.request(reqwest::Method::DELETE, &format!("/v1/keys/{id}"));
    assert_eq!(gone.send().await.expect("an answer").status().as_u16(), 200);
    problem(own.get("/v1/status").await, 401).await;
    let again = rules.request(reqwest::Method::DELETE, &format!("/v1/keys/{id}"));
    problem(again.send().await.expect("an answer"), 404).await;
    let named = rules.request(reqwest::Method::DELETE, "/v1/keys/page");
    problem(named.send().await.expect("an answer"), 404).await;
    let deeds = rules.json("/v1/audit?what=POST%20/v1/keys").await;
    assert!(deeds["data"].as_array().expect("a list").iter().any(|it| it["on"] == id), "{deeds:#}");

    let page = api.get("/docs").await;
    let policy = page.headers()["content-security-policy"].to_str().expect("a text").to_owned();
    assert!(policy.starts_with("default-src 'none'; script-src 'self'"), "{policy}");
    let page = page.text().await.expect("a page");
    for path in ["/docs/page.js", "/docs/page.css", "/openapi.json"] {
        assert!(path == "/openapi.json" || page.contains(path), "{page}");
        assert_eq!(api.get(path).await.status().as_u16(), 200, "{path}");
    }
}
