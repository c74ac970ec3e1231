//! What is to be told outlives ten kills of the server: each of ten thousand events is told, in the same
//! words, and of each call in order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::control::eventually;
use super::server::{Folder, House, PATIENCE, Server, within};
use super::service::Service;
use super::webhooks::{ALLOW_ALL, NEW, OLD, event, is_signed, status, webhook};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ten_thousand_events_outlive_ten_kills() {
    let (tried, taken) = (Arc::new(AtomicU64::new(0)), Arc::new(Mutex::new(Vec::new())));
    let (count, notes) = (tried.clone(), taken.clone());
    let crm = Service::open(move |seen| {
        if count.fetch_add(1, Ordering::Relaxed) % 10 == 9 {
            return status(503);
        }
        is_signed(seen, &[NEW, OLD]);
        notes.lock().expect("unpoisoned").push(event(seen));
        status(200)
    })
    .await;
    let mut folder = Folder::new();
    for part in 0..PARTS {
        let lines: String =
            (part * EVENTS / PARTS..(part + 1) * EVENTS / PARTS).map(line).collect();
        folder.put(&format!("data/events/{:020}.events", part + 1), lines);
    }
    let settings = webhook("crm", &crm, "[\"call.*\"]") + ALLOW_ALL;
    let keep = "[storage.retention]\nevents = \"36000d\"\n";
    let house = || House::porter().and(&(settings.clone() + keep));
    let began = Instant::now();
    for kill in 1..=KILLS {
        let mut server = Server::start_in(folder, house()).await;
        let enough = kill * EVENTS / (KILLS + 1);
        let told = || (taken.lock().expect("unpoisoned").len() as u64 >= enough).then_some(());
        within(PATIENCE, "some are told", told).await;
        let pid = i32::try_from(server.pid()).ok().and_then(Pid::from_raw).expect("a process");
        kill_process(pid, Signal::KILL).expect("it is our child");
        server.ended().await;
        folder = Folder::of(server);
    }
    let server = Server::start_in(folder, house()).await;
    let told_all = |list: &Value| list["data"][0]["pending"] == 0;
    within(PATIENCE * 3, "each is told", || {
        let taken = taken.lock().expect("unpoisoned");
        let names: BTreeSet<u64> = taken.iter().map(number).collect();
        (names.len() as u64 == EVENTS).then_some(())
    })
    .await;
    let list = eventually(&server, &["webhook", "list", "--json"], told_all).await;
    assert_eq!(list["data"][0]["dead"], 0, "{list}");

    let taken = taken.lock().expect("unpoisoned");
    let mut firsts = BTreeMap::new();
    let mut last_of_call = BTreeMap::new();
    for event in taken.iter() {
        if let Some(same) = firsts.insert(number(event), event) {
            assert_eq!(same, event, "an event is always told in the same words");
            continue;
        }
        let call = event["call_id"].as_str().expect("a call");
        let before = last_of_call.insert(call, number(event));
        assert!(before.is_none_or(|before| before < number(event)), "{event} after {before:?}");
    }
    println!(
        "{EVENTS} events, {KILLS} kills: {} tries, {} told twice, in {:.1} s",
        tried.load(Ordering::Relaxed),
        taken.len() as u64 - EVENTS,
        began.elapsed().as_secs_f64()
    );
}

/// A line of what waits, as a server leaves it that was killed.
fn line(n: u64) -> String {
    let (id, call) = (format!("evt_{n}"), format!("call_{}", n % CALLS));
    let body = json!({ "id": id, "type": "call.updated", "call_id": call, "n": n }).to_string();
    let line = json!({ "id": id, "kind": "call.updated", "call": call, "at": 1, "body": body });
    format!("{line}\n")
}

fn number(event: &Value) -> u64 {
    event["n"].as_u64().expect("a number")
}

const EVENTS: u64 = 10_000;

const KILLS: u64 = 10;

/// The files in which they wait.
const PARTS: u64 = 20;

const CALLS: u64 = 250;
