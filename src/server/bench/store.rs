//! The database of calls: how long a page of a million calls takes, filtered and searched.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value as Json, json};

use super::{Figure, millis, quantile};
use crate::base::id::CallId;
use crate::base::random::Random;
use crate::base::zone::Zone;
use crate::engine::clock;
use crate::store::analytics::{Analytics, By, Question};
use crate::store::database::{Database, DatabaseError, Statement, Value};
use crate::store::index::{Entry, Filter, Index};
use crate::store::migration;
use crate::store::words::Search;

/// Measures; `tell` says how far it is.
///
/// # Errors
/// When the disk does not take it: one sentence.
pub async fn measure(tell: fn(&str)) -> Result<Vec<Figure>, String> {
    let folder = std::env::temp_dir().join(format!("voxtrunk-bench-{}", std::process::id()));
    let measured = measure_in(&folder.join("calls.db"), tell).await;
    std::fs::remove_dir_all(&folder).ok();
    measured
}

async fn measure_in(file: &Path, tell: fn(&str)) -> Result<Vec<Figure>, String> {
    let wrong = |why: &dyn std::fmt::Display| why.to_string();
    let database = Database::sqlite(file).map_err(|why| wrong(&why))?;
    let now = clock::since_epoch();
    migration::migrate(&database, now).await.map_err(|why| wrong(&why))?;
    let (index, mut random) = (Index::new(database), Random::repeatable(1));
    let began = clock::now();
    for batch in 0..FIRST / BATCH {
        let entries: Vec<Entry> =
            (batch * BATCH..(batch + 1) * BATCH).map(|at| entry(at, now, &mut random)).collect();
        index.put(&entries).await.map_err(|why| wrong(&why))?;
    }
    let filled = clock::now().saturating_duration_since(began);
    tell(&format!("  {FIRST} calls were listed; the others are copies of them"));
    for copy in 1..CALLS / FIRST {
        copied(&index, copy).await.map_err(|why| wrong(&why))?;
    }
    let size = std::fs::metadata(file).map(|it| it.len()).unwrap_or_default();
    let listed = FIRST as f64 / filled.as_secs_f64();
    let mut figures = vec![
        Figure::new("store.listed", listed, "calls/s")
            .told(format!("{BATCH} at once, on the disk")),
        Figure::new("store.size", size as f64 / 1e6, "MB").told(format!("{CALLS} calls")),
    ];
    for (metric, filter, told) in questions(now) {
        let (mut took, mut count) = (Vec::new(), 0);
        for _ in 0..ROUNDS {
            let asked = clock::now();
            count = index.find(&filter, PAGE).await.map_err(|why| wrong(&why))?.len();
            took.push(millis(clock::now().saturating_duration_since(asked)));
        }
        let detail = format!("{told}: {count} calls, the slowest of {ROUNDS}");
        figures.push(Figure::new(metric, quantile(&took, 1.0), "ms").at_most(100.0).told(detail));
    }
    figures.extend(counted(&index, now).await?);
    Ok(figures)
}

/// How long calls are counted.
async fn counted(index: &Index, now: Duration) -> Result<Vec<Figure>, String> {
    let analytics = Analytics::new(index.database().clone());
    let questions: [(&str, Vec<By>); 4] = [
        ("store.count", vec![]),
        ("store.count_days", vec![By::Day]),
        ("store.count_agents", vec![By::Agent]),
        ("store.count_agent_days", vec![By::Agent, By::Day]),
    ];
    let mut figures = Vec::new();
    for (metric, by) in questions {
        let (first, before) = (now.saturating_sub(BETWEEN * FIRST as u32), now);
        let [first, before] = [first, before].map(|at| Some(CallId::first_at(at)));
        let filter = Filter { first, before, ..Filter::default() };
        let question = Question { filter, by, zone: Zone::utc() };
        let asked = clock::now();
        let told = match analytics.count(&question).await {
            Ok(groups) => format!("{} groups", groups.len()),
            Err(why) => why.to_string(),
        };
        let took = millis(clock::now().saturating_duration_since(asked));
        figures.push(Figure::new(metric, took, "ms").told(told));
    }
    Ok(figures)
}

/// Copies the first calls: the end of each identity is another one, and they stand side by side.
async fn copied(index: &Index, copy: usize) -> Result<(), DatabaseError> {
    let end = format!("{copy:02}");
    let first = i64::try_from(FIRST).unwrap_or(i64::MAX);
    let of = || [Value::from(end.as_str()), Value::from(first)];
    let id = |column: &str| format!("substr({column}, 1, 29) || $1");
    let calls = format!(
        "INSERT INTO calls (id, stamp, direction, status, cause, caller, callee, trunk, route, \
         lasted, brief, record, tenant, began, waited) SELECT {}, stamp, direction, status, cause, caller, callee, trunk, \
         route, lasted, brief, record, tenant, began, waited FROM calls WHERE number <= $2 ON CONFLICT DO NOTHING",
        id("id")
    );
    let agents = format!(
        "INSERT INTO call_agents (agent, call) SELECT agent, {} FROM call_agents JOIN calls \
         ON calls.id = call_agents.call WHERE calls.number <= $2 ON CONFLICT DO NOTHING",
        id("call")
    );
    let turns = format!(
        "INSERT INTO turns (call, turn, first_packet_ms) SELECT {}, turn, first_packet_ms \
         FROM turns JOIN calls ON calls.id = turns.call WHERE calls.number <= $2 \
         ON CONFLICT DO NOTHING",
        id("call")
    );
    // What stands there without contents still knows its places.
    let words = "INSERT INTO call_words (rowid, words) \
                 SELECT number, json_extract(record, '$.transcript[0].text') FROM calls \
                 WHERE number > (SELECT max(id) FROM call_words_docsize)";
    let orders = [
        Statement::new(calls, of()),
        Statement::new(agents, of()),
        Statement::new(turns, of()),
        Statement::new(words, []),
    ];
    // One by one: each has a time of its own.
    for order in orders {
        index.database().execute(vec![order]).await?;
    }
    Ok(())
}

fn questions(now: Duration) -> Vec<(&'static str, Filter, &'static str)> {
    let some = |text: &str| Some(text.to_owned());
    let none = Filter::default;
    let half = CallId::first_at(now.saturating_sub(BETWEEN * (FIRST as u32 / 2)));
    let search = |text: &str| Search::read(text);
    vec![
        ("store.list", none(), "the newest"),
        ("store.page", Filter { before: Some(half), ..none() }, "a page in the middle"),
        ("store.status", Filter { status: some("busy"), ..none() }, "one of fifty"),
        ("store.caller", Filter { caller: some("+49711000777"), ..none() }, "one of thousands"),
        ("store.agent", Filter { agent: some("night"), ..none() }, "one of a thousand, by agent"),
        (
            "store.agent_failed",
            Filter { agent: some("reception"), status: some("failed"), ..none() },
            "none, by agent and status",
        ),
        (
            "store.trunk_failed",
            Filter { trunk: some("carrier"), status: some("failed"), ..none() },
            "none, by trunk and status",
        ),
        ("store.tenant", Filter { tenant: some("acme"), ..none() }, "one of a hundred, by tenant"),
        (
            "store.search_busy",
            Filter { search: search("parrot"), status: some("busy"), ..none() },
            "none, by a word and status",
        ),
        ("store.nobody", Filter { agent: some("x"), ..none() }, "none, by agent"),
        (
            "store.search",
            Filter { search: search("parrot"), ..none() },
            "one of a thousand, by a word",
        ),
        ("store.search_two", Filter { search: search("invoice bicycle"), ..none() }, "two words"),
        ("store.search_many", Filter { search: search("hello"), ..none() }, "a word of every call"),
    ]
}

/// The call of this number; the higher, the newer.
fn entry(at: usize, now: Duration, random: &mut Random) -> Entry {
    let call = CallId::new(now.saturating_sub(BETWEEN * (FIRST - at) as u32), random);
    let said: Vec<&str> =
        (0..12).map(|_| WORDS[random.below(WORDS.len() as u32) as usize]).collect();
    let rare = if at % 1_000 == 7 { "parrot" } else { "" };
    let agent = if at % 1_000 == 3 { "night" } else { "reception" };
    let record = json!({
        "id": call.to_string(),
        "direction": "inbound",
        "status": if at % 50 == 1 { "busy" } else { "completed" },
        "end_reason": "caller_hangup",
        "from": { "number": format!("+4971100{:04}", at % 5_000) },
        "to": { "number": "100" },
        "trunk": "carrier",
        "tenant": (at % 100 == 9).then_some("acme"),
        "agents": [agent],
        "started_at": "2026-11-22T10:00:00.000Z",
        "answered_at": "2026-11-22T10:00:02.000Z",
        "duration_ms": 60_000,
        "transcript": [{ "text": format!("hello {} {rare}", said.join(" ")) }],
        "legs": [{ "sip": { "call_id": "x", "peer": "192.0.2.1:5060" }, "start_ms": 0 }],
        "turns": [{ "turn": 1, "latency": { "first_packet_ms": 500 + at % 700 } }],
    });
    let record = match record {
        Json::Object(record) => record,
        _ => serde_json::Map::new(),
    };
    Entry { call, stamp: at as i64, record }
}

/// What callers speak of.
const WORDS: &[&str] = &[
    "invoice", "bicycle", "monday", "tuesday", "repair", "price", "order", "number", "please",
    "thanks", "opening", "hours", "delivery", "address", "broken", "wheel", "light", "brake",
    "saddle", "chain", "colour", "green", "blue", "large", "small", "today", "tomorrow", "early",
    "late", "phone", "mail", "card", "cash", "street", "city", "helmet", "lock", "key", "pump",
    "tyre",
];

const CALLS: usize = 1_000_000;

/// Those that are listed one by one.
const FIRST: usize = 10_000;

const BATCH: usize = 1_000;

const PAGE: usize = 51;

const ROUNDS: usize = 10;

/// The time between two of them.
const BETWEEN: Duration = Duration::from_secs(1_500);
