//! Webhooks of the running server: real calls, told to real receivers that check every signature by
//! their own arithmetic.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::control::{ask, eventually, told};
use super::datagrams::Wire;
use super::peers::free_port;
use super::server::{Folder, House, PATIENCE, SOURCE, Server, finish, within};
use super::service::{Reply, Seen, Service};
use super::store::hmac;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_call_is_told_signed_in_order_and_again_until_it_is_taken() {
    let moody = Arc::new(AtomicU32::new(0));
    let count = moody.clone();
    let crm = Service::open(move |_| match count.fetch_add(1, Ordering::Relaxed) {
        0 => status(500),
        1 => Reply::moved("http://127.0.0.1:9"),
        2 => status(429).with("Retry-After: 1"),
        3 => Reply::text("text/plain", "x".repeat(100_000)),
        _ => status(204),
    })
    .await;
    let settings = webhook("crm", &crm, "[\"call.*\", \"transcript.updated\"]") + ALLOW_ALL;
    let server = Server::start(House::porter().and(&settings)).await;
    let mut wire = Wire::open("127.0.0.1:0", server.address).await;
    let body = wire.description();
    let answer = wire.call("porter", &body).await;
    wire.hang_up(&answer).await;
    let record = server.record().await;
    let id = record["id"].as_str().expect("an identity").to_owned();
    let seen = within(PATIENCE, "its end is told", || {
        let seen = crm.seen();
        seen.iter().any(|it| event(it)["type"] == "call.ended").then_some(seen)
    })
    .await;
    for request in &seen {
        assert!(request.head.starts_with("POST /hook HTTP/1.1"), "{}", request.head);
        is_signed(request, &[NEW, OLD]);
        assert_eq!(event(request)["call_id"], *id);
    }
    // The first was told four times, with the same identity and the same words, before another was.
    for again in &seen[..4] {
        assert_eq!((name(again), &again.body), (name(&seen[0]), &seen[0].body));
    }
    let mut types: Vec<String> = seen[3..].iter().map(kind).collect();
    types.retain(|kind| kind != "transcript.updated");
    assert_eq!(types, ["call.ringing", "call.started", "call.ended"]);
    let names: BTreeSet<&str> = seen.iter().map(name).collect();
    assert_eq!(names.len(), seen.len() - 3);
    let end = event(seen.last().expect("it was there"));
    assert_eq!(end["data"]["end_reason"], "caller_hangup");

    let log = eventually(&server, &["webhook", "log", "crm", "--json"], |log| {
        log["data"].as_array().is_some_and(|it| it.iter().all(|it| it["state"] == "delivered"))
    })
    .await;
    let first = log["data"].as_array().and_then(|it| it.last()).expect("the first").clone();
    assert_eq!((&first["type"], &first["attempts"]), (&json!("call.ringing"), &json!(4)), "{log}");
    let list = told(&server, &["webhook", "list"]).await;
    assert!(list.contains("crm") && list.contains("/hook"), "{list}");
    // It is told again when an operator wishes so, as what it was.
    let event = first["event"].as_str().expect("a name");
    told(&server, &["webhook", "replay", "crm", event]).await;
    let seen = crm.wait_for(seen.len() + 1).await;
    assert_eq!(name(seen.last().expect("it came")), event);
    let (code, _, why) = ask(&server, &["webhook", "replay", "crm", "evt_x"]).await;
    assert!(code == Some(2) && why.contains("was never told of `evt_x`"), "{why}");
    let (code, _, why) = ask(&server, &["webhook", "test", "crn"]).await;
    assert!(code == Some(2) && why.contains("there are: crm"), "{why}");
    let secret = BASE64_STANDARD.encode(NEW);
    assert!(!server.log().contains(&secret));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_inside_is_told_anything() {
    // The server says no as well, when a name leads there.
    let inside = webhook_at("inside", "https://169.254.169.254/latest", "[\"call.ended\"]");
    let folder = Folder::new();
    let wrong = House::porter().and(&format!("{inside}{ALLOW_ALL}")).write(&folder);
    let mut check = super::server::program();
    check.arg("check").arg("--config").arg(wrong);
    let (code, text) = super::server::finish(check).await;
    assert!(code == Some(1) && text.contains("webhook.url"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_that_is_dead_delays_no_other_and_one_that_is_gone_is_left_alone() {
    let is_gone = Arc::new(AtomicU32::new(1));
    let (good, gone) = (Service::open(|_| status(200)).await, is_gone.clone());
    let gone = Service::open(move |_| match gone.load(Ordering::Relaxed) {
        0 => status(200),
        _ => status(410),
    })
    .await;
    // Accepts, and never says a word.
    let mute = Service::open(|_| status(200).after(Duration::from_secs(3_600))).await;
    let nobody = free_port();
    let settings = [
        webhook("good", &good, "[\"call.ended\"]"),
        webhook("gone", &gone, "[\"call.ended\"]"),
        webhook("mute", &mute, "[\"call.ended\"]"),
        webhook_at("dead", &format!("http://127.0.0.1:{nobody}/x"), "[\"call.ended\"]")
            .replace(RETRY, "retry = [\"100ms\"]"),
        ALLOW_ALL.to_owned(),
    ];
    let house = House::porter().and(&settings.concat());
    let server = Server::start(house).await;
    let mut wire = Wire::open("127.0.0.1:0", server.address).await;
    for _ in 0..5 {
        assert_eq!(wire.status_for("nobody", "4971112345").await, "603");
    }
    good.wait_for(5).await;
    let names: BTreeSet<String> = good.seen().iter().map(|it| name(it).to_owned()).collect();
    assert_eq!(names.len(), 5);
    let gone_of = |list: &Value, name: &str| {
        let all = list["data"].as_array().into_iter().flatten();
        all.into_iter().find(|it| it["name"] == name).cloned().unwrap_or_default()
    };
    let list = eventually(&server, &["webhook", "list", "--json"], |list| {
        let gone = gone_of(list, "gone");
        let is_disabled = !gone["disabled_since"].is_null() && gone["pending"] == 0;
        gone_of(list, "dead")["dead"] == 5 && is_disabled
    })
    .await;
    // What happened after it had said so was never meant for it.
    let untold = gone_of(&list, "gone")["dead"].as_u64().expect("a count");
    let untold = usize::try_from(untold).expect("a few");
    assert!((1..=5).contains(&untold), "{list:#}");
    assert_eq!(gone_of(&list, "mute")["pending"], 5);
    let log = told(&server, &["webhook", "log", "dead", "--state", "dead"]).await;
    assert!(log.contains("no connection") && log.contains("call.ended"), "{log}");

    let before = gone.seen().len();
    assert_eq!(wire.status_for("nobody", "4971112345").await, "603");
    good.wait_for(6).await;
    let (code, out, _) = ask(&server, &["webhook", "test", "gone"]).await;
    assert!(code == Some(1) && out.contains("did not take it: HTTP 410"), "{out}");
    assert_eq!(gone.seen().len(), before + 1, "only the test came");
    is_gone.store(0, Ordering::Relaxed);
    let test = told(&server, &["webhook", "test", "gone"]).await;
    assert!(test.contains("it is told what happens again"), "{test}");
    is_signed(gone.seen().last().expect("it came"), &[NEW, OLD]);
    told(&server, &["webhook", "replay", "gone", "--dead"]).await;
    let all = gone.wait_for(before + 2 + untold).await;
    let again: BTreeSet<&str> = all[before + 2..].iter().map(name).collect();
    assert_eq!(again.len(), untold);
    assert!(again.is_subset(&names.iter().map(String::as_str).collect()), "{again:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_event_is_lost_when_the_server_is_killed_again_and_again() {
    let (taken, count) = (Arc::new(Mutex::new(Vec::new())), AtomicU32::new(0));
    let notes = taken.clone();
    let crm = Service::open(move |seen| {
        // Every third is taken; some after a while, so that a server is killed meanwhile.
        match count.fetch_add(1, Ordering::Relaxed) % 3 {
            0 => {
                notes.lock().expect("unpoisoned").push(seen.clone());
                status(200).after(Duration::from_millis(30))
            }
            1 => status(503),
            _ => Reply::text("text/plain", "garbage".to_owned()).with("X: y").after(TOO_LONG),
        }
    })
    .await;
    let settings = webhook("crm", &crm, "[\"call.*\"]").replace(TIMEOUT, "timeout = \"1s\"");
    let house = || House::porter().and(&(settings.clone() + ALLOW_ALL));
    let mut folder = Folder::new();
    for round in 0..6 {
        let mut server = Server::start_in(folder, house()).await;
        let mut wire = Wire::open("127.0.0.1:0", server.address).await;
        for _ in 0..4 {
            assert_eq!(wire.status_for("nobody", "4971112345").await, "603");
        }
        // Killed at once, or when some were told.
        if round % 2 == 1 {
            let before = crm.seen().len();
            crm.wait_for(before + 3).await;
        }
        let pid = i32::try_from(server.pid()).ok().and_then(Pid::from_raw).expect("a process");
        kill_process(pid, Signal::KILL).expect("it is our child");
        server.ended().await;
        folder = Folder::of(server);
    }
    let server = Server::start_in(folder, house()).await;
    let waiting = server.folder.path("data/events");
    let none_waits = || std::fs::read_dir(&waiting).is_ok_and(|it| it.count() == 0);
    let told_all = |list: &Value| list["data"][0]["pending"] == 0 && none_waits();
    let list = eventually(&server, &["webhook", "list", "--json"], told_all).await;
    assert_eq!(list["data"][0]["dead"], 0, "{list}");
    let records = server.records(1).await;
    let taken = taken.lock().expect("unpoisoned").clone();
    let mut bodies = BTreeMap::new();
    for seen in crm.seen().iter().filter(|seen| !seen.body.is_empty()) {
        is_signed(seen, &[NEW, OLD]);
        let body = bodies.entry(name(seen).to_owned()).or_insert_with(|| seen.body.clone());
        assert_eq!(*body, seen.body, "an event is always told in the same words");
    }
    // Whatever was tried was taken in the end, and of each call first what happened first.
    let names: BTreeSet<&str> = taken.iter().map(name).collect();
    assert_eq!(names, bodies.keys().map(String::as_str).collect());
    let mut firsts: Vec<&Seen> = Vec::new();
    for seen in &taken {
        if !firsts.iter().any(|first| name(first) == name(seen)) {
            firsts.push(seen);
        }
    }
    for record in &records {
        let own = firsts.iter().filter(|seen| event(seen)["call_id"] == record["id"]);
        let own: Vec<String> = own.map(|seen| kind(seen)).collect();
        assert_eq!(own, ["call.ringing", "call.ended"], "{}", record["id"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn thousands_that_wait_are_told_and_of_each_call_in_order() {
    let count = AtomicU32::new(0);
    let taken = Arc::new(Mutex::new(Vec::new()));
    let notes = taken.clone();
    let crm = Service::open(move |seen| {
        if count.fetch_add(1, Ordering::Relaxed) % 10 == 9 {
            return status(503);
        }
        notes.lock().expect("unpoisoned").push(event(seen)["n"].as_u64().expect("a number"));
        status(200)
    })
    .await;
    // As a server leaves them that was killed.
    let folder = Folder::new();
    let lines = (0..WAITING).map(|n| {
        let (id, call) = (format!("evt_{n}"), format!("call_{}", n % 100));
        let body = json!({ "id": id, "type": "call.updated", "n": n }).to_string();
        let line = json!({ "id": id, "kind": "call.updated", "call": call, "at": 1, "body": body });
        format!("{line}\n")
    });
    folder.put("data/events/00000000000000000007.events", lines.collect::<String>());
    folder.put("data/events/00000000000000000008.events", "garbage\n");
    // It has waited long already.
    let settings = webhook("crm", &crm, "[\"call.*\"]") + ALLOW_ALL;
    let keep = "[storage.retention]\nevents = \"36000d\"\n";
    let server = Server::start_in(folder, House::porter().and(&(settings + keep))).await;
    let all = within(PATIENCE * 3, "all are told", || {
        let taken = taken.lock().expect("unpoisoned").clone();
        (taken.len() as u64 >= WAITING).then_some(taken)
    })
    .await;
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len() as u64, WAITING, "each is told");
    let mut last = BTreeMap::new();
    for n in all {
        let before = last.insert(n % 100, n);
        assert!(before.is_none_or(|before| before < n), "{n} after {before:?}");
    }
    eventually(&server, &["webhook", "list", "--json"], |list| list["data"][0]["pending"] == 0)
        .await;
    assert!(server.log().contains("a file holds no events"));
}

/// The settings of a webhook of a service.
/// The settings of a webhook.
pub fn webhook(name: &str, service: &Service, events: &str) -> String {
    webhook_at(name, &format!("{}/hook", service.url()), events)
}

fn webhook_at(name: &str, url: &str, events: &str) -> String {
    let secrets = [NEW, OLD].map(|key| format!("whsec_{}", BASE64_STANDARD.encode(key)));
    format!(
        "[webhooks.{name}]\nurl = {url:?}\nevents = {events}\nsecret = {secrets:?}\n\
         {TIMEOUT}\n{RETRY}\n"
    )
}

/// Whether a request is signed with these keys, as Standard Webhooks has it.
pub fn is_signed(request: &Seen, keys: &[&[u8]]) {
    let of = |name: &str| request.header(name).expect("a header").to_owned();
    let (id, at) = (of("webhook-id"), of("webhook-timestamp"));
    let text = format!("{id}.{at}.{}", request.body);
    let sign = |key: &&[u8]| format!("v1,{}", BASE64_STANDARD.encode(hmac(key, text.as_bytes())));
    let expected: Vec<String> = keys.iter().map(sign).collect();
    assert_eq!(of("webhook-signature"), expected.join(" "));
    let at = jiff::Timestamp::from_second(at.parse().expect("seconds")).expect("a time");
    let age = jiff::Timestamp::now().duration_since(at).as_secs();
    assert!((-5..300).contains(&age), "{age}");
    assert_eq!(event(request)["id"], *id);
    assert_eq!(of("content-type"), "application/json");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_recipe_for_checking_signatures_takes_ours_and_nobody_elses() {
    let flow = Service::open(|_| status(204)).await;
    let settings = webhook("flow", &flow, "[\"call.ended\"]") + ALLOW_ALL;
    let server = Server::start(House::porter().and(&settings)).await;
    told(&server, &["webhook", "test", "flow"]).await;
    let seen = flow.wait_for(1).await.remove(0);
    let page = std::fs::read_to_string(format!("{SOURCE}/packaging/recipes.md")).expect("recipes");
    let code = page.split("```js").nth(1).and_then(|it| it.split("```").next()).expect("code");
    let names = ["webhook-id", "webhook-timestamp", "webhook-signature"];
    let headers = names.map(|name| (name, seen.header(name).expect("a header")));
    let headers = json!(BTreeMap::from(headers));
    let [new, old] = [NEW, OLD].map(|key| format!("whsec_{}", BASE64_STANDARD.encode(key)));
    let (body, other) = (json!(seen.body), json!(seen.body.replace("test", "best")));
    let mut late = headers.clone();
    late["webhook-timestamp"] = json!("1700000000");
    let script = format!(
        "{code}\nconst of = (...it) => isOurs(...it);\nconsole.log(JSON.stringify([\
         of({headers}, {body}, {new:?}), of({headers}, {body}, {old:?}), of({headers}, {other}, {new:?}), \
         of({late}, {body}, {new:?}), of({headers}, {body}, \"whsec_AAAA\"), of({{}}, {body}, {new:?})]))"
    );
    let mut node = tokio::process::Command::new("node");
    node.args(["-e", &script]);
    let (code, said) = finish(node).await;
    assert_eq!((code, said.trim()), (Some(0), "[true,true,false,false,false,false]"), "{script}");
}

/// An answer that says only that.
pub fn status(status: u16) -> Reply {
    Reply { status, ..Reply::text("text/plain", String::new()) }
}

/// What a request tells.
pub fn event(seen: &Seen) -> Value {
    serde_json::from_str(&seen.body).unwrap_or_default()
}

fn kind(seen: &Seen) -> String {
    event(seen)["type"].as_str().unwrap_or_default().to_owned()
}

fn name(seen: &Seen) -> &str {
    seen.header("webhook-id").unwrap_or_default()
}

/// The newer key of webhooks.
pub const NEW: &[u8] = b"a new key of four and twenty octets";

/// The older one.
pub const OLD: &[u8] = b"the old key, which others still know";

/// Webhooks may go to this machine.
pub const ALLOW_ALL: &str = "[security.webhooks]\nallow = [\"127.0.0.1\"]\n";

const TIMEOUT: &str = "timeout = \"10s\"";

const RETRY: &str = "retry = [\"100ms\", \"100ms\", \"100ms\", \"100ms\", \"100ms\", \"100ms\", \"100ms\", \"100ms\", \
     \"100ms\", \"100ms\", \"100ms\", \"100ms\", \"100ms\", \"100ms\", \"100ms\", \"100ms\", \"100ms\", \"100ms\", \
     \"100ms\", \"100ms\", \"100ms\", \"100ms\", \"100ms\", \"100ms\", \"100ms\"]";

/// How many events wait.
const WAITING: u64 = 2_000;

/// Longer than an answer is waited for.
const TOO_LONG: Duration = Duration::from_secs(2);
