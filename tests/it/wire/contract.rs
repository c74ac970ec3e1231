//! What a database promises, whichever it is: the same is asked of a file of SQLite and of a real
//! PostgreSQL server, and both say the same.

use std::time::Duration;

use serde_json::{Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection as _, raw_sql};
use tokio_util::sync::CancellationToken;
use voxtrunk::base::id::CallId;
use voxtrunk::base::random::Random;
use voxtrunk::base::secret::Secret;
use voxtrunk::store::call_archive::{CallArchive, Document};
use voxtrunk::store::call_files::CallFiles;
use voxtrunk::store::database::{Database, Statement};
use voxtrunk::store::expiry::{Deleted, Expiry, Keep};
use voxtrunk::store::index::{Entry, Filter, Index};
use voxtrunk::store::indexer::{Backlog, Indexer};
use voxtrunk::store::migration::{self, MIGRATIONS, MigrationError};
use voxtrunk::store::outbox::{Attempt, Fate, Outbox};
use voxtrunk::store::requests::{Request, Requests, Standing};
use voxtrunk::store::spool::Event;
use voxtrunk::store::words::Search;

use super::postgres::Postgres;
use super::server::{Folder, PATIENCE};

/// Both databases, empty.
pub struct Both {
    /// The file is below it.
    pub folder: Folder,
    /// The server.
    pub postgres: Postgres,
}

impl Both {
    /// Makes them.
    pub async fn open() -> Self {
        Self { folder: Folder::new(), postgres: Postgres::open("SELECT 1").await }
    }

    /// Both, in shape.
    pub async fn databases(&self) -> [Database; 2] {
        let file = Database::sqlite(&self.folder.path("voxtrunk.db")).expect("a file");
        let url = Secret::from(self.postgres.url());
        let server = Database::postgres(&url).expect("a URL");
        for database in [&file, &server] {
            let done = migration::migrate(database, NOW).await.expect("steps");
            assert!(done.is_empty() || done.len() == MIGRATIONS.len());
            assert_eq!(migration::migrate(database, NOW).await.expect("nothing to do"), []);
        }
        [file, server]
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_found_alike_in_both() {
    let both = Both::open().await;
    let mut answers = Vec::new();
    for database in both.databases().await {
        let index = Index::new(database);
        index.put(&entries()).await.expect("it takes them");
        // A second time nothing is there twice.
        index.put(&entries()).await.expect("it takes them again");
        assert_eq!(index.count().await.expect("a number"), 5);
        let mut found: Vec<Vec<Value>> = Vec::new();
        for filter in filters() {
            let calls = index.find(&filter, 10).await.expect("an answer");
            found.push(calls.into_iter().map(|(_, brief)| brief["from"]["name"].clone()).collect());
        }
        assert_eq!(found, expected());
        let all = Filter::default();
        let page = index.find(&all, 2).await.expect("an answer");
        let rest = Filter { before: Some(page[1].0), ..all.clone() };
        let rest = index.find(&rest, 10).await.expect("an answer");
        let ids = |calls: &[(CallId, Document)]| calls.iter().map(|it| it.0).collect::<Vec<_>>();
        assert_eq!([ids(&page), ids(&rest)].concat(), {
            let mut all: Vec<CallId> = entries().iter().map(|entry| entry.call).collect();
            all.reverse();
            all
        });
        // What is said of a call is replaced, also the words.
        let mut changed = entries().remove(0);
        changed.record.insert("transcript".to_owned(), json!([]));
        changed.stamp = 7;
        index.put(std::slice::from_ref(&changed)).await.expect("it takes it");
        let gone = Filter { search: Search::read("Rechnung"), ..Filter::default() };
        assert_eq!(index.find(&gone, 10).await.expect("an answer").len(), 1);
        assert_eq!(index.record(changed.call).await.expect("an answer"), Some(changed.record));
        let listed = index.listed(None, 2).await.expect("an answer");
        assert_eq!(listed[0], (changed.call, 7));
        answers.push((found, index.listed(Some(listed[1].0), 10).await.expect("an answer")));
        let removed = entries().iter().map(|entry| entry.call).take(2).collect::<Vec<_>>();
        assert_eq!(index.remove(&removed).await.expect("it does"), 2);
        assert_eq!(index.count().await.expect("a number"), 3);
        let parts = "SELECT (SELECT count(*) FROM turns), (SELECT count(*) FROM legs), \
                     (SELECT count(*) FROM tool_calls), (SELECT count(*) FROM call_agents)";
        let rows = index.database().rows(Statement::new(parts, [])).await.expect("numbers");
        let counts: Vec<_> = (0..4).map(|at| rows[0].number(at)).collect();
        assert_eq!(counts, [Some(3), Some(3), Some(3), Some(3)]);
    }
    assert_eq!(answers[0], answers[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_leave_both_outboxes_in_order_and_none_is_lost() {
    let both = Both::open().await;
    for database in both.databases().await {
        let outbox = Outbox::new(database);
        let wanted = |event: &Event| {
            let both = ["crm", "dead"].map(str::to_owned).to_vec();
            if event.kind == "call.ended" { both } else { vec!["crm".to_owned()] }
        };
        let events =
            [event(1, Some("a")), event(2, Some("b")), event(3, Some("a")), event(4, None)];
        outbox.append(&events, wanted).await.expect("it takes them");
        outbox.append(&events[1..], wanted).await.expect("and not twice");
        let due = async |webhook: &str, at| {
            let due = outbox.due(webhook, at, 10).await.expect("an answer");
            due.iter().map(|it| it.id.clone()).collect::<Vec<_>>()
        };
        // Of each call the first; what is no call's waits for nobody.
        assert_eq!(due("crm", NOW).await, ["evt_1", "evt_2", "evt_4"]);
        assert_eq!(due("nobody", NOW).await, Vec::<String>::new());
        let first = outbox.due("crm", NOW, 1).await.expect("an answer").remove(0);
        assert_eq!((first.body.as_str(), first.attempts), ("{\"n\":1}", 0));
        let later = NOW + Duration::from_secs(5);
        let attempt = |fate, status| Attempt { fate, at: NOW, status, failure: None };
        let again = attempt(Fate::Again(later), Some(500));
        outbox.settle("crm", first.number, &again).await.expect("noted");
        assert_eq!(due("crm", NOW).await, ["evt_2", "evt_4"], "the second of `a` waits");
        assert_eq!(outbox.next_due("crm", NOW).await, Ok(Some(later)));
        let tried = outbox.due("crm", later, 10).await.expect("an answer");
        assert_eq!(tried.iter().find(|it| it.id == "evt_1").map(|it| it.attempts), Some(1));
        outbox.settle("crm", first.number, &attempt(Fate::Delivered, Some(204))).await.expect("ok");
        assert!(due("crm", later).await.contains(&"evt_3".to_owned()));
        // One that is given up lets the next one go, and can be told again.
        let third = outbox.due("crm", NOW, 10).await.expect("an answer");
        let third = third.iter().find(|it| it.id == "evt_3").expect("it is due").number;
        outbox.settle("crm", third, &attempt(Fate::Dead, None)).await.expect("noted");
        let tally = outbox.tally("crm").await.expect("an answer");
        assert_eq!((tally.pending, tally.dead, tally.disabled), (2, 1, None));
        assert_eq!(outbox.replay("crm", None, NOW).await, Ok(1));
        assert_eq!(outbox.replay("crm", Some("evt_1"), NOW).await, Ok(1));
        assert_eq!(outbox.replay("crm", Some("evt_9"), NOW).await, Ok(0));
        assert_eq!(due("crm", NOW).await, ["evt_1", "evt_2", "evt_4"]);
        let log = outbox.log("crm", Some("pending"), 2).await.expect("an answer");
        let told: Vec<_> = log.iter().map(|it| (it.id.as_str(), it.attempts)).collect();
        assert_eq!(told, [("evt_4", 0), ("evt_3", 0)]);
        // One that is gone is told nothing more, until it is there again.
        outbox.disable("dead", NOW).await.expect("noted");
        outbox.append(&[event(5, Some("c"))], wanted).await.expect("it takes it");
        let tally = outbox.tally("dead").await.expect("an answer");
        assert_eq!((tally.pending, tally.dead, tally.disabled), (0, 3, Some(NOW_MS)));
        assert_eq!(outbox.enable("dead").await, Ok(true));
        assert_eq!(outbox.enable("dead").await, Ok(false));
        outbox.append(&[event(6, Some("c"))], wanted).await.expect("it takes it");
        assert_eq!(due("dead", NOW).await, ["evt_6"]);
        assert_eq!(outbox.forget(NOW).await, Ok(0));
        assert_eq!(outbox.forget(later).await, Ok(6));
        assert_eq!(outbox.tally("crm").await.expect("an answer").pending, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_taken_once_in_both() {
    let both = Both::open().await;
    for database in both.databases().await {
        let requests = Requests::new(database);
        let request = |owner: &str, sum: &str| Request {
            owner: owner.to_owned(),
            name: "8e03978e".to_owned(),
            sum: sum.to_owned(),
        };
        let take = async |owner: &str, sum: &str, at| {
            requests.take(&request(owner, sum), at).await.expect("an answer")
        };
        assert_eq!(take("a", "1", NOW).await, Standing::New);
        assert_eq!(take("a", "1", NOW).await, Standing::UnderWay);
        assert_eq!(take("a", "2", NOW).await, Standing::Other);
        assert_eq!(take("b", "2", NOW).await, Standing::New, "each has names of its own");
        requests.undone(&request("b", "2")).await.expect("noted");
        assert_eq!(take("b", "2", NOW).await, Standing::New);
        let answer = "{\"id\":7}".to_owned();
        requests.done(&request("a", "1"), answer.clone()).await.expect("noted");
        requests.undone(&request("a", "1")).await.expect("and not taken back");
        let day = Duration::from_secs(86_400);
        assert_eq!(take("a", "1", NOW + day).await, Standing::Done(answer));
        let later = NOW + day + Duration::from_millis(1);
        assert_eq!(take("a", "2", later).await, Standing::New, "it is kept for a day");
    }
    let many = Requests::new(both.databases().await.into_iter().next().expect("a file"));
    let request = Request { owner: "c".to_owned(), name: "x".to_owned(), sum: "1".to_owned() };
    let taken = futures_util::future::join_all((0..20).map(|_| many.take(&request, NOW))).await;
    let new = taken.iter().filter(|standing| **standing == Ok(Standing::New)).count();
    assert_eq!((new, taken.len()), (1, 20), "of many at once one does it: {taken:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_kept_long_enough_goes_from_the_files_and_from_both() {
    let both = Both::open().await;
    for (at, database) in both.databases().await.into_iter().enumerate() {
        let files = CallFiles::new(both.folder.path(&format!("calls-{at}"))).expect("a folder");
        for entry in entries() {
            let text = Value::Object(entry.record).to_string();
            std::fs::write(files.folder().join(format!("{}.json", entry.call)), text).expect("ok");
        }
        let archive = CallArchive::new(files.folder().to_owned());
        let (index, backlog) = (Index::new(database), Backlog::default());
        let listing = Listing::begin(&index, &archive, &backlog);
        listing.until(|| backlog.behind() == Some(Vec::new())).await;
        let hour = Duration::from_secs(3_600);
        // Calls began at 0, 10, 20, 30 and 40 hours before now.
        let keep =
            Keep { calls: Some(hour * 35), transcripts: Some(hour * 15), events: Some(hour) };
        let mut expiry = Expiry::new(keep, files, index.clone(), backlog.clone());
        let deleted = expiry.sweep(NOW).await.expect("it does its part");
        assert_eq!(deleted, Deleted { calls: 1, transcripts: 2, events: 0 });
        listing.until(|| backlog.behind() == Some(Vec::new())).await;
        assert_eq!(index.count().await, Ok(4));
        assert_eq!(archive.calls().len(), 4);
        let search = Filter { search: Search::read("gehört"), ..Filter::default() };
        let found = index.find(&search, 10).await.expect("an answer");
        assert_eq!(found.len(), 2, "what is too old is not found by its words");
        let old = entries()[1].call;
        let record = archive.read(old).expect("a file").expect("a record");
        assert_eq!(index.record(old).await.expect("an answer"), Some(record.clone()));
        assert_eq!(
            (&record["transcript"], &record["transcript_deleted"]),
            (&json!([]), &json!(true))
        );
        assert_eq!(record["tools"][0]["arguments"], Value::Null);
        assert_eq!(record["status"], "busy");
        assert_eq!(expiry.sweep(NOW).await, Ok(Deleted::default()));
        listing.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_programs_keep_with_a_call_is_listed_and_changed_in_both() {
    let both = Both::open().await;
    for (at, database) in both.databases().await.into_iter().enumerate() {
        let files = CallFiles::new(both.folder.path(&format!("kept-{at}"))).expect("a folder");
        let entry = entries().remove(0);
        let text = Value::Object(entry.record).to_string();
        std::fs::write(files.folder().join(format!("{}.json", entry.call)), text).expect("ok");
        let archive = CallArchive::new(files.folder().to_owned());
        let (index, backlog) = (Index::new(database), Backlog::default());
        let listing = Listing::begin(&index, &archive, &backlog);
        for order in [7, 8] {
            let metadata = json!({ "order": order, "ä": ["'", "\u{1F600}"] });
            backlog.coming([entry.call]);
            files.add(entry.call, "metadata", metadata.clone()).expect("it is written");
            backlog.written([entry.call]);
            listing.until(|| backlog.behind() == Some(Vec::new())).await;
            let found = index.find(&Filter::default(), 10).await.expect("an answer");
            assert_eq!((found.len(), &found[0].1["metadata"]), (1, &metadata));
            let record = index.record(entry.call).await.expect("an answer").expect("a record");
            assert_eq!(record["metadata"], metadata);
        }
        listing.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_locked_or_gone_catches_up() {
    let mut both = Both::open().await;
    let [file, server] = both.databases().await;
    let calls = |name: &str| CallFiles::new(both.folder.path(name)).expect("a folder");
    let put = |files: &CallFiles, backlog: &Backlog, entry: &Entry| {
        backlog.coming([entry.call]);
        let text = Value::Object(entry.record.clone()).to_string();
        std::fs::write(files.folder().join(format!("{}.json", entry.call)), text).expect("a file");
        backlog.written([entry.call]);
    };
    let (files, backlog, all) = (calls("a"), Backlog::default(), entries());
    let (index, archive) = (Index::new(file), CallArchive::new(files.folder().to_owned()));
    put(&files, &backlog, &all[0]);
    let listing = Listing::begin(&index, &archive, &backlog);
    listing.until(|| backlog.behind() == Some(Vec::new())).await;
    // Somebody else holds the file.
    let options = SqliteConnectOptions::new().filename(both.folder.path("voxtrunk.db"));
    let mut other = SqliteConnection::connect_with(&options).await.expect("the file");
    raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.expect("a lock");
    put(&files, &backlog, &all[1]);
    put(&files, &backlog, &all[2]);
    let refused = index.put(std::slice::from_ref(&all[3])).await.expect_err("it is locked");
    assert!(!refused.of_data, "{refused}");
    assert_eq!(backlog.behind().map(|calls| calls.len()), Some(2));
    assert_eq!(index.count().await, Ok(1), "others read all the same");
    raw_sql("ROLLBACK").execute(&mut other).await.expect("it lets go");
    listing.until(|| backlog.behind() == Some(Vec::new())).await;
    assert_eq!(index.count().await, Ok(3));
    listing.end().await;

    let (files, backlog) = (calls("b"), Backlog::default());
    let (index, archive) = (Index::new(server), CallArchive::new(files.folder().to_owned()));
    let listing = Listing::begin(&index, &archive, &backlog);
    put(&files, &backlog, &all[0]);
    listing.until(|| backlog.behind() == Some(Vec::new())).await;
    both.postgres.stop().await;
    put(&files, &backlog, &all[1]);
    assert!(index.count().await.is_err());
    assert_eq!(backlog.behind(), Some(vec![all[1].call]));
    both.postgres.start().await;
    listing.until(|| backlog.behind() == Some(Vec::new())).await;
    assert_eq!(index.count().await, Ok(2));
    listing.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_a_newer_program_is_left_alone_and_a_copy_is_whole() {
    let both = Both::open().await;
    for database in both.databases().await {
        let index = Index::new(database.clone());
        index.put(&entries()).await.expect("it takes them");
        let copy = both.folder.path("copy.db");
        if database.file().is_some() {
            database.backup(&copy).await.expect("a copy");
            assert!(database.backup(&copy).await.is_err(), "nothing is written over");
            let copied = Index::new(Database::sqlite(&copy).expect("a file"));
            assert_eq!(copied.count().await, Ok(5));
            let search = Filter { search: Search::read("rech*"), ..Filter::default() };
            assert_eq!(copied.find(&search, 10).await.map(|found| found.len()), Ok(2));
        } else {
            assert!(database.backup(&copy).await.is_err());
        }
        let newer = "INSERT INTO migrations (version, sum, done) VALUES (99, 'x', 0)";
        database.execute(vec![Statement::new(newer, [])]).await.expect("it takes it");
        let refused = migration::migrate(&database, NOW).await;
        assert_eq!(refused, Err(MigrationError::Newer(99)));
        let other = "UPDATE migrations SET sum = 'x', version = 1 WHERE version = 99";
        let gone = "DELETE FROM migrations WHERE version = 1";
        let orders = [gone, other].map(|text| Statement::new(text, [])).to_vec();
        database.execute(orders).await.expect("it takes it");
        assert_eq!(migration::pending(&database).await, Err(MigrationError::Other(1)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_a_caller_says_is_more_than_a_value() {
    let both = Both::open().await;
    for database in both.databases().await {
        let index = Index::new(database);
        let hostile = "'; DROP TABLE calls; -- \0 \u{1b}[31m \" OR 1=1 * NEAR(a b) & | ! <-> :*";
        let mut entry = entries().remove(0);
        for key in ["status", "direction", "end_reason", "trunk", "route"] {
            entry.record.insert(key.to_owned(), json!(hostile));
        }
        entry.record.insert("agents".to_owned(), json!([hostile, hostile]));
        entry.record.insert("from".to_owned(), json!({ "number": hostile, "name": hostile }));
        entry
            .record
            .insert("transcript".to_owned(), json!([{ "text": hostile }, { "text": 7 }, 7]));
        index.put(std::slice::from_ref(&entry)).await.expect("it takes it");
        let clean = hostile.replace('\0', "");
        for filter in [
            Filter { status: Some(clean.clone()), ..Filter::default() },
            Filter { agent: Some(clean.clone()), ..Filter::default() },
            Filter { caller: Some(clean.clone()), ..Filter::default() },
            Filter { search: Search::read(hostile), ..Filter::default() },
        ] {
            assert_eq!(index.find(&filter, 10).await.map(|found| found.len()), Ok(1), "{filter:?}");
        }
        assert_eq!(index.count().await, Ok(1));
    }
}

/// An indexer at work.
struct Listing {
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Listing {
    fn begin(index: &Index, archive: &CallArchive, backlog: &Backlog) -> Self {
        let indexer = Indexer::new(index.clone(), archive.clone(), backlog.clone());
        let stop = CancellationToken::new();
        let task = tokio::spawn(indexer.run(stop.clone()));
        Self { stop, task }
    }

    async fn until(&self, mut is_so: impl FnMut() -> bool) {
        super::server::within(PATIENCE, "it is listed", || is_so().then_some(())).await;
    }

    async fn end(self) {
        self.stop.cancel();
        self.task.await.expect("it ends");
    }
}

/// Five calls, ten hours between them, the oldest first.
fn entries() -> Vec<Entry> {
    let calls = [
        ("Anna", "+4971", "completed", "carrier", "reception", "Die Rechnung ist noch offen."),
        ("Bert", "+4972", "busy", "carrier", "reception", "Ich habe nichts gehört."),
        ("Cleo", "+4971", "completed", "pbx", "sales", "I want to PAY the rechnung now"),
        ("Dora", "+4973", "completed", "pbx", "sales", "Grüße! Nichts gehört?"),
        ("Emil", "+4971", "failed", "carrier", "reception", "gehört, gehört"),
    ];
    let made = calls.into_iter().enumerate().map(|(at, call)| {
        let (name, number, status, trunk, agent, text) = call;
        let began = NOW - Duration::from_secs(36_000 * (4 - at as u64));
        let id = CallId::new(began, &mut Random::repeatable(at as u64));
        let record = json!({
            "id": id.to_string(),
            "direction": if trunk == "pbx" { "outbound" } else { "inbound" },
            "status": status,
            "end_reason": if status == "failed" { "media_timeout" } else { "caller_hangup" },
            "from": { "number": number, "name": name },
            "to": { "number": "100" },
            "trunk": trunk,
            "route": null,
            "agents": [agent],
            "started_at": "2026-11-22T10:00:00.000Z",
            "duration_ms": 1_000,
            "recorded": false,
            "legs": [{ "sip": { "call_id": "x@y", "peer": "192.0.2.1:5060" }, "start_ms": 0 }],
            "transcript": [{ "role": "caller", "start_ms": 5, "text": text, "keys": "" }],
            "turns": [{ "turn": 1, "latency": { "first_packet_ms": 700 }, "providers": {} }],
            "tools": [{ "at_ms": 1, "name": "find", "arguments": "{}", "took_ms": 3 }],
        });
        let Value::Object(record) = record else { panic!("an object") };
        Entry { call: id, stamp: at as i64, record }
    });
    made.collect()
}

fn filters() -> Vec<Filter> {
    let some = |text: &str| Some(text.to_owned());
    let none = Filter::default;
    let (second, last) = (entries()[1].call, entries()[4].call);
    vec![
        none(),
        Filter { status: some("completed"), ..none() },
        Filter { agent: some("sales"), ..none() },
        Filter { agent: some("reception"), caller: some("+4971"), ..none() },
        Filter { trunk: some("pbx"), direction: some("outbound"), ..none() },
        Filter { cause: some("media_timeout"), callee: some("100"), ..none() },
        Filter { first: Some(second), before: Some(last), ..none() },
        Filter { search: Search::read("rechnung"), ..none() },
        Filter { search: Search::read("GEHÖRT nichts"), ..none() },
        Filter { search: Search::read("gr*"), agent: some("sales"), ..none() },
        Filter { search: Search::read("gehor"), ..none() },
        Filter { search: Search::read("anna"), ..none() },
    ]
}

/// Which calls those are, by the names of the callers.
fn expected() -> Vec<Vec<Value>> {
    let rows: [&[&str]; 12] = [
        &["Emil", "Dora", "Cleo", "Bert", "Anna"],
        &["Dora", "Cleo", "Anna"],
        &["Dora", "Cleo"],
        &["Emil", "Anna"],
        &["Dora", "Cleo"],
        &["Emil"],
        &["Dora", "Cleo", "Bert"],
        &["Cleo", "Anna"],
        &["Dora", "Bert"],
        &["Dora"],
        &[],
        &["Anna"],
    ];
    rows.iter().map(|row| row.iter().map(|name| json!(name)).collect()).collect()
}

fn event(number: u64, call: Option<&str>) -> Event {
    Event {
        id: format!("evt_{number}"),
        kind: if call.is_some() { "call.ended" } else { "trunk.up" }.to_owned(),
        dialect: String::new(),
        to: None,
        call: call.map(str::to_owned),
        at: NOW_MS,
        body: format!("{{\"n\":{number}}}"),
        traceparent: None,
    }
}

/// 2026-11-22, 12:00.
const NOW_MS: i64 = 1_795_348_800_000;

const NOW: Duration = Duration::from_millis(NOW_MS as u64);
