//! What calls came to, and their records for others to read: counted alike in both databases, by
//! clocks that are set back, and told by the running server over HTTP and on the command line.

use std::collections::BTreeMap;
use std::time::Duration;

use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::{Field, Row};
use reqwest::StatusCode;
use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, query_as, raw_sql};
use voxtrunk::base::id::CallId;
use voxtrunk::base::random::Random;
use voxtrunk::base::zone::Zone;
use voxtrunk::store::analytics::{Analytics, By, Group, Part, Question, Tally, Uncounted};
use voxtrunk::store::call_archive::Document;
use voxtrunk::store::database::Dialect;
use voxtrunk::store::index::{Entry, Filter, Index};

use super::contract::Both;
use super::control::{ask, told};
use super::datagrams::Wire;
use super::http::{Api, problem};
use super::peers::free_port;
use super::server::{Folder, House, Server};

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_counted_alike_in_both() {
    let both = Both::open().await;
    let mut answers = Vec::new();
    for database in both.databases().await {
        let index = Index::new(database.clone());
        index.put(&entries()).await.expect("it takes them");
        index.put(&entries()).await.expect("it takes them again");
        let analytics = Analytics::new(database);
        let count = async |by: &[By], filter: Filter| {
            let zone = "Europe/Berlin".parse().expect("a zone");
            let filter = Filter {
                first: Some(at(AUTUMN - 86_400)),
                before: Some(at(AUTUMN + 86_400)),
                ..filter
            };
            let question = Question { filter, by: by.to_vec(), zone };
            analytics.count(&question).await.expect("an answer")
        };
        let all = count(&[], Filter::default()).await;
        in_sum(&all[&vec![]]);
        // The clock is set back at three: the hour from two to three is there twice.
        let hours = count(&[By::Hour], Filter::default()).await;
        assert_eq!(
            calls(&hours),
            [
                ("2026-10-24T23:00:00+02:00", 1),
                ("2026-10-25T00:00:00+02:00", 1),
                ("2026-10-25T02:00:00+02:00", 1),
                ("2026-10-25T02:00:00+01:00", 2),
            ]
            .map(|(hour, count)| (hour.to_owned(), count))
        );
        let days = count(&[By::Day, By::Agent], Filter::default()).await;
        assert_eq!(
            calls(&days),
            [
                ("2026-10-24 desk", 1),
                ("2026-10-25 -", 1),
                ("2026-10-25 billing", 1),
                ("2026-10-25 desk", 3),
            ]
            .map(|(day, count)| (day.to_owned(), count))
        );
        let desk = Filter { agent: Some("desk".to_owned()), ..Filter::default() };
        assert_eq!(calls(&count(&[By::Agent], desk.clone()).await), [("desk".to_owned(), 4)]);
        let others = count(&[By::Tenant, By::Trunk, By::Route, By::Direction], desk).await;
        let names = [("- carrier all inbound", 3), ("acme carrier all inbound", 1)];
        assert_eq!(calls(&others), names.map(|(name, count)| (name.to_owned(), count)));
        let acme = Filter { tenant: Some("acme".to_owned()), ..Filter::default() };
        assert_eq!(count(&[], acme.clone()).await[&vec![]].calls, 1);
        assert_eq!(index.find(&acme, 10).await.map(|found| found.len()), Ok(1));
        let caller = Filter { caller: Some("+4971".to_owned()), ..Filter::default() };
        assert_eq!(count(&[], caller).await[&vec![]].calls, 5);
        let nobody = Filter { trunk: Some("x".to_owned()), ..Filter::default() };
        assert_eq!(count(&[], nobody).await, BTreeMap::new());
        answers.push((all, hours, days, others));
        too_many_groups(&index, &analytics).await;
    }
    assert_eq!(answers[0], answers[1]);
}

/// All calls.
fn in_sum(tally: &Tally) {
    assert_eq!((tally.calls, tally.answered), (5, 4));
    assert_eq!((tally.lasted, tally.talked), (150_000, 110_000));
    assert_eq!(tally.statuses, counts(&[("busy", 1), ("completed", 4)]));
    assert_eq!(tally.causes, counts(&[("busy", 1), ("caller_hangup", 3), ("transferred", 1)]));
    assert_eq!(tally.delays.count(), 5);
    let costs: Vec<String> =
        tally.costs.iter().map(|it| format!("{} {}", it.amount(), it.currency)).collect();
    assert_eq!(costs, ["0.000002625 EUR", "45000000004.50 USD"]);
    let told = [50, 95, 99].map(|percent| tally.delays.percentile(percent));
    assert_eq!(told, [Some(700), Some(60_000), Some(60_000)]);
}

/// More agents than groups are given.
async fn too_many_groups(index: &Index, analytics: &Analytics) {
    let mut crowd = entries().remove(0);
    let agents: Vec<String> = (0..1_001).map(|agent| format!("agent-{agent}")).collect();
    crowd.record.insert("agents".to_owned(), json!(agents));
    index.put(std::slice::from_ref(&crowd)).await.expect("it takes it");
    let question = |by| Question { filter: Filter::default(), by, zone: Zone::utc() };
    assert_eq!(analytics.count(&question(vec![By::Agent])).await, Err(Uncounted::Groups));
    let all = analytics.count(&question(vec![])).await.expect("an answer");
    assert_eq!(all[&vec![]].calls, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_were_listed_before_are_counted_too() {
    let both = Both::open().await;
    let insert = "INSERT INTO calls (id, stamp, direction, status, cause, caller, callee, trunk, \
                  route, lasted, brief, record) VALUES ";
    let values = "(X, 1, '', '', '', '', '', '', '', 1, BRIEF, '{}')";
    let row = |id: &str, brief: &str| values.replace('X', id).replace("BRIEF", brief);
    let rows = [
        row(
            "'a'",
            "'{\"started_at\":\"2026-10-25T00:30:00.123Z\",\"answered_at\":\"2026-10-25T00:30:02.000Z\"}'",
        ),
        row("'b'", "'{\"started_at\":\"2026-10-25T00:30:00.123Z\",\"answered_at\":null}'"),
        row("'c'", "'{\"started_at\":\"yesterday\"}'"),
    ];
    let old = format!("{insert}{};", rows.join(", "));
    let asked = "SELECT began, waited, tenant FROM calls ORDER BY id";
    let expected = [
        (Some(AUTUMN_MS + 123), Some(1_877), String::new()),
        (Some(AUTUMN_MS + 123), None, String::new()),
        (None, None, String::new()),
    ];
    let options = SqliteConnectOptions::new().filename(both.folder.path("old.db"));
    let mut file = options.create_if_missing(true).connect().await.expect("a file");
    let mut server = both.postgres.options().connect().await.expect("it answers");
    for (first, fourth, dialect) in [
        (
            include_str!("../../../src/store/migrations/0001_calls.sqlite.sql"),
            include_str!("../../../src/store/migrations/0004_counts.sqlite.sql"),
            Dialect::Sqlite,
        ),
        (
            include_str!("../../../src/store/migrations/0001_calls.postgres.sql"),
            include_str!("../../../src/store/migrations/0004_counts.postgres.sql"),
            Dialect::Postgres,
        ),
    ] {
        let script = sqlx::AssertSqlSafe(format!("{first};{old}{fourth}"));
        let rows: Vec<(Option<i64>, Option<i64>, String)> = match dialect {
            Dialect::Sqlite => {
                raw_sql(script).execute(&mut file).await.expect("it is done");
                query_as(asked).fetch_all(&mut file).await.expect("rows")
            }
            Dialect::Postgres => {
                raw_sql(script).execute(&mut server).await.expect("it is done");
                query_as(asked).fetch_all(&mut server).await.expect("rows")
            }
        };
        assert_eq!(rows, expected, "{dialect:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn calls_are_counted_and_exported_by_the_running_server() {
    let (server, api) = furnished().await;
    let mut wire = Wire::open("127.0.0.1:0", server.address).await;
    assert_eq!(wire.status_for("+49711123451", "+4971199").await, "486");
    server.records(PREPARED + 1).await;
    let range = "created_after=2026-10-24T00:00:00Z&created_before=2026-10-27T00:00:00Z";
    let path = format!("/v1/analytics?{range}&by=agent,day&timezone=Europe/Berlin");
    let insight = listed(&api, &path, PREPARED as u64).await;
    assert_eq!(
        (&insight["timezone"], &insight["by"]),
        (&json!("Europe/Berlin"), &json!(["agent", "day"]))
    );
    let desk = &insight["data"].as_array().expect("groups").last().expect("a group")["group"];
    assert_eq!(desk, &json!({ "agent": "desk", "day": "2026-10-25" }));
    let desk = insight["data"].as_array().expect("groups").last().expect("a group");
    assert_eq!((&desk["calls"], &desk["answer_rate"]), (&json!(3), &json!(1.0)), "{desk:#}");
    assert_eq!(desk["latency_ms"]["p50"], json!(650), "{desk:#}");
    // The call of this test: it was refused, and was that of a tenant.
    let now = listed(&api, "/v1/analytics?by=tenant,direction&cause=rejected", 1).await;
    let call = &now["data"][0];
    assert_eq!(call["group"], json!({ "tenant": "acme", "direction": "inbound" }), "{now:#}");
    assert_eq!(
        (&call["answered"], &call["talk_ms"]),
        (&json!(0), &json!({ "sum": 0, "average": null }))
    );
    let list = api.json("/v1/calls?tenant=acme").await;
    assert_eq!(list["data"][0]["tenant"], "acme", "{list:#}");
    for (query, parameter) in [
        ("by=month", "by"),
        ("by=day,day", "by"),
        ("timezone=Mars", "timezone"),
        ("created_after=2020-01-01T00:00:00Z", "created_after"),
        ("created_before=soon", "created_before"),
        ("limit=3", "limit"),
    ] {
        let wrong = problem(api.get(&format!("/v1/analytics?{query}")).await, 422).await;
        assert_eq!(wrong["errors"][0]["parameter"], parameter, "{wrong}");
    }
    let wrong = problem(api.get("/v1/calls/export?format=xml").await, 422).await;
    assert_eq!(wrong["errors"][0]["parameter"], "format", "{wrong}");
    exported(&api, range).await;
    in_columns(&server, &api, range).await;
    on_the_command_line(&server).await;
    let audit = told(&server, &["audit", "list"]).await;
    assert!(audit.contains("GET /v1/calls/export") && audit.contains("cdr.export"), "{audit}");
}

/// What programs get.
async fn exported(api: &Api, range: &str) {
    let text = async |format: &str| {
        let response = api.get(&format!("/v1/calls/export?{range}&format={format}")).await;
        assert_eq!(response.status(), StatusCode::OK);
        let named = response.headers()["content-disposition"].to_str().expect("a name").to_owned();
        assert!(named.starts_with("attachment; filename="), "{named}");
        response.text().await.expect("it ends well")
    };
    let csv = text("csv").await;
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines.len(), PREPARED + 1, "{csv}");
    assert!(lines[0].starts_with("id,direction,status"), "{csv}");
    assert!(lines[1].contains(",+4971,'=1+1,"), "{csv}");
    let records: Vec<Document> =
        text("jsonl").await.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let mut expected: Vec<Value> =
        entries().iter().map(|entry| entry.record["id"].clone()).collect();
    expected.sort_by(|one, other| other.as_str().cmp(&one.as_str()));
    let found: Vec<Value> = records.iter().map(|it| it["id"].clone()).collect();
    assert_eq!(found[PREPARED - 5..], expected, "the newest first");
    assert_eq!(records[PREPARED - 5]["transcript"][1]["text"], "My card is 4111 1111 1111 1111.");
    let asterisk = text("asterisk&timezone=Europe/Berlin").await;
    assert_eq!(asterisk.lines().count(), PREPARED);
    assert!(asterisk.contains("\"2026-10-25 02:30:00\",\"2026-10-25 02:30:10\""), "{asterisk}");
    assert!(
        asterisk.contains("30,20,\"ANSWERED\"") && asterisk.contains(",30,0,\"BUSY\""),
        "{asterisk}"
    );
    let training = text("training").await;
    // One caller refused, one was not asked, and one said nothing to anybody.
    let lessons: Vec<Value> =
        training.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lessons.len(), 2, "{training}");
    let lesson = json!([{ "role": "assistant", "content": "Hello?" },
        { "role": "user", "content": "My card is [card]." }]);
    assert_eq!(lessons[0]["messages"], lesson);
}

/// The columns of a table hold what the records say, with their types.
async fn in_columns(server: &Server, api: &Api, range: &str) {
    let response = api.get(&format!("/v1/calls/export?{range}&format=parquet")).await;
    assert_eq!(response.headers()["content-type"], "application/vnd.apache.parquet");
    let rows = rows(response.bytes().await.expect("it ends well"));
    let records = api.get(&format!("/v1/calls/export?{range}&format=jsonl")).await;
    let records = records.text().await.expect("it ends well");
    assert_eq!(rows.len(), PREPARED);
    for (row, line) in rows.iter().zip(records.lines()) {
        let record: Value = serde_json::from_str(line).expect("JSON");
        for key in ["id", "direction", "status", "end_reason", "tenant", "route", "agents"] {
            let told = record.get(key).cloned().unwrap_or_default();
            assert_eq!(row[key], told, "{key}: {row:#}");
        }
        assert_eq!((&row["from"], &row["from_name"]), (&json!("+4971"), &json!("=1+1")));
        assert_eq!((&row["duration_ms"], &row["recorded"]), (&json!(30_000), &json!(false)));
        for key in ["started_at", "answered_at", "ended_at"] {
            let millis = record[key].as_str().map(|text| {
                let time: jiff::Timestamp = text.parse().expect("a time");
                time.as_millisecond()
            });
            assert_eq!(row[key], json!(millis), "{key}: {row:#}");
        }
        let is_costly = record["cost"]["total"] == "0.000000525";
        assert_eq!(row["cost"], json!(is_costly.then_some("0.000000525")), "{row:#}");
    }
    let path = server.folder.path("cdr.parquet");
    let name = path.to_string_lossy().into_owned();
    let (from, to) = ("2026-10-24T00:00:00Z", "2026-10-27T00:00:00Z");
    let export = ["cdr", "export", "--format", "parquet", "--from", from, "--to", to, "-o", &name];
    assert_eq!(told(server, &export).await, "");
    assert_eq!(self::rows(std::fs::read(&path).expect("a file").into()), rows);
    let nobody = server.folder.path("nobody").to_string_lossy().into_owned();
    let nowhere = [&export[..], &["--socket", &nobody]].concat();
    let (code, _, why) = ask(server, &nowhere).await;
    assert!(code != Some(0), "{why}");
    assert_eq!(self::rows(std::fs::read(&path).expect("a file").into()), rows, "it stays");
    let files = std::fs::read_dir(path.parent().expect("a folder")).expect("a folder");
    let parts = files.flatten().filter(|it| it.file_name().to_string_lossy().contains(".part"));
    assert_eq!(parts.count(), 0);
}

/// The rows of a table of Parquet, as JSON.
fn rows(file: bytes::Bytes) -> Vec<Value> {
    let file = SerializedFileReader::new(file).expect("a table");
    let value = |field: Field| match field {
        Field::Null => Value::Null,
        Field::Str(text) => json!(text),
        Field::TimestampMillis(millis) => json!(millis),
        Field::Long(number) => json!(number),
        Field::Int(number) => json!(number),
        Field::Bool(is_so) => json!(is_so),
        Field::ListInternal(list) => {
            list.elements().iter().map(|it| json!(it.to_string().trim_matches('"'))).collect()
        }
        decimal @ Field::Decimal(_) => json!(decimal.to_string()),
        other => panic!("{other:?}"),
    };
    let row = |row: Row| row.into_columns().into_iter().map(|(name, it)| (name, value(it)));
    let rows = file.get_row_iter(None).expect("rows");
    rows.map(|it| Value::Object(row(it.expect("a row")).collect())).collect()
}

/// What operators get.
async fn on_the_command_line(server: &Server) {
    let (from, to) = ("2026-10-24T00:00:00Z", "2026-10-27T00:00:00Z");
    let time = ["--from", from, "--to", to];
    let table = told(server, &[&["analytics", "--by", "agent"], &time[..]].concat()).await;
    let mut lines = table.lines().skip(1);
    assert!(lines.next().is_some_and(|it| it.starts_with("AGENT")), "{table}");
    assert!(table.contains("billing"), "{table}");
    let json =
        told(server, &[&["analytics", "--json", "--tenant", "acme"], &time[..]].concat()).await;
    let json: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["data"][0]["calls"], 1, "{json:#}");
    let none = told(server, &["analytics", "--trunk", "x"]).await;
    assert!(none.starts_with("No call ended"), "{none}");
    let (code, _, why) = ask(server, &["analytics", "--by", "month"]).await;
    assert!(code == Some(2) && why.contains("`by`: one or more of agent, trunk"), "{why}");
    let file = server.folder.path("cdr.csv");
    let name = file.to_string_lossy().into_owned();
    let out = told(server, &[&["cdr", "export", "-o", &name], &time[..]].concat()).await;
    assert_eq!(out, "");
    let written = std::fs::read_to_string(&file).expect("a file");
    assert_eq!(written.lines().count(), PREPARED + 1);
    let busy = ["cdr", "export", "--format", "jsonl", "--status", "busy"];
    let busy = told(server, &[&busy[..], &time[..]].concat()).await;
    assert_eq!(busy.lines().count(), 1, "{busy}");
}

/// A server with calls of the past, and whoever may look at them.
async fn furnished() -> (Server, Api) {
    let folder = Folder::new();
    let many = (0..PREPARED - 5).map(|number| {
        let mut entry =
            entry(number + 100, (AUTUMN + 20_000 + number as u64, "completed", None), &[]);
        entry.record.insert("recording_consent".to_owned(), Value::Null);
        entry
    });
    for entry in entries().into_iter().chain(many) {
        folder.put(
            &format!("data/calls/{}.json", entry.call),
            Value::Object(entry.record).to_string(),
        );
    }
    let bind = format!("127.0.0.1:{}", free_port());
    let settings =
        format!("[tenants.acme]\nnumbers = [\"+49711123450..59\"]\n[http]\nbind = {bind:?}\n");
    let house = House::with("[[route]]\nto = \"reject:486\"\n").and(&settings);
    let server = Server::start_in(folder, house).await;
    let api = Api::at(&format!("http://{bind}"), None).with(&server, "read").await;
    (server, api)
}

/// Waits until so many calls are counted, all of those that ended.
async fn listed(api: &Api, path: &str, count: u64) -> Value {
    for _ in 0..600 {
        let response = api.get(path).await;
        if response.status() == StatusCode::OK {
            let insight: Value = response.json().await.expect("JSON");
            let groups = insight["data"].as_array().expect("groups");
            let calls: u64 = groups.iter().filter_map(|group| group["calls"].as_u64()).sum();
            // One call had two agents.
            if calls >= count && insight["uncounted"] == 0 {
                return insight;
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("calls are not counted: {}", api.json(path).await);
}

/// The groups by the names of their parts, and how many calls are in each.
fn calls(found: &BTreeMap<Group, Tally>) -> Vec<(String, u64)> {
    let part = |part: &Part| match part {
        Part::Name(name) => name.clone().unwrap_or_else(|| "-".to_owned()),
        Part::Time(_, time) => time.clone(),
    };
    let name = |group: &Group| group.iter().map(part).collect::<Vec<_>>().join(" ");
    found.iter().map(|(group, tally)| (name(group), tally.calls)).collect()
}

fn counts(pairs: &[(&str, u64)]) -> BTreeMap<String, u64> {
    pairs.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

/// What each of them cost: more than a few of which no number of 64 bits holds.
fn cost() -> Value {
    json!([
        { "amount": "0.000000525", "currency": "EUR" },
        { "amount": "9000000000.90", "currency": "USD" },
        { "amount": "much", "currency": "GBP" },
    ])
}

/// Five calls around the hour at which the clocks of Berlin are set back.
fn entries() -> Vec<Entry> {
    let mut entries = vec![
        entry(0, (AUTUMN - 10_800, "completed", Some(0)), &["desk"]),
        entry(1, (AUTUMN - 7_200, "busy", None), &[]),
        entry(2, (AUTUMN, "completed", Some(10)), &["desk"]),
        entry(3, (AUTUMN + 3_600, "completed", Some(0)), &["desk"]),
        entry(4, (AUTUMN + 4_500, "completed", Some(0)), &["desk", "billing"]),
    ];
    let delays: [&[u64]; 5] = [&[700, 705], &[], &[650], &[655], &[99_999]];
    for (entry, delays) in entries.iter_mut().zip(delays) {
        let turn = |delay: &u64| json!({ "latency": { "first_packet_ms": delay } });
        let turns: Vec<Value> = delays.iter().map(turn).collect();
        let turns = turns.into_iter().enumerate().map(|(at, mut turn)| {
            turn["turn"] = json!(at);
            turn
        });
        entry.record.insert("turns".to_owned(), turns.collect());
        entry.record.insert("cost".to_owned(), json!({ "totals": cost() }));
    }
    let cost = json!({ "total": "0.000000525", "currency": "EUR", "totals": cost() });
    entries[0].record.insert("cost".to_owned(), cost);
    entries[3].record.insert("tenant".to_owned(), json!("acme"));
    entries[4].record.insert("end_reason".to_owned(), json!("transferred"));
    let refused = json!({ "mode": "voice", "agreed_ms": null, "refused_ms": 3 });
    entries[2].record.insert("recording_consent".to_owned(), refused);
    entries[3].record.insert("recording_consent".to_owned(), Value::Null);
    entries
}

/// A call: when it began, how it ended, and after how many seconds it was answered.
fn entry(
    number: usize,
    (began, status, answered): (u64, &str, Option<u64>),
    agents: &[&str],
) -> Entry {
    let began = Duration::from_secs(began);
    let call = CallId::new(began, &mut Random::repeatable(number as u64));
    let time = |after: u64| {
        let at = began + Duration::from_secs(after);
        format!("{}.000Z", Zone::utc().written(at).replace(' ', "T"))
    };
    let record = json!({
        "id": call.to_string(), "direction": "inbound", "status": status,
        "end_reason": if status == "busy" { "busy" } else { "caller_hangup" },
        "from": { "number": "+4971", "name": "=1+1" }, "to": { "number": "100" },
        "trunk": "carrier", "route": "all", "agents": agents, "started_at": time(0),
        "answered_at": answered.map(time), "ended_at": time(30), "duration_ms": 30_000,
        "recording_consent": { "mode": "announce", "agreed_ms": null, "refused_ms": null },
        "transcript": if answered.is_some() { json!([
            { "role": "agent", "start_ms": 1, "text": "Hello?" },
            { "role": "caller", "start_ms": 2, "text": "My card is 4111 1111 1111 1111." },
        ]) } else { json!([]) },
    });
    let Value::Object(record) = record else { panic!("an object") };
    Entry { call, stamp: number as i64, record }
}

fn at(seconds: u64) -> CallId {
    CallId::first_at(Duration::from_secs(seconds))
}

/// 2026-10-25, 02:30 in Berlin, for the first time that night.
const AUTUMN: u64 = 1_792_888_200;

const AUTUMN_MS: i64 = AUTUMN as i64 * 1_000;

/// How many calls of the past the server has: more than are read for one part of an export.
const PREPARED: usize = 230;
