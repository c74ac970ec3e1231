//! The clock on the wall jumps while calls are up: an hour ahead, and two hours back. libfaketime
//! tells the server so.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use jiff::{Span, Timestamp};
use serde_json::Value;

use super::control::told;
use super::datagrams::Wire;
use super::oversight::phone;
use super::phones::PHONES;
use super::server::{Folder, House, Server};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_clock_that_jumps_ends_no_call_and_makes_none_longer() {
    let folder = Folder::new();
    let skew = folder.put("skew", "+0");
    let (library, file) = (library(), skew.display().to_string());
    let variables = [
        ("LD_PRELOAD", library.to_str().expect("a path")),
        ("FAKETIME_TIMESTAMP_FILE", &file),
        ("FAKETIME_NO_CACHE", "1"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ("DONT_FAKE_MONOTONIC", "1"),
    ];
    let house = House::with(DIALPLAN).and(PHONES);
    let server = Server::start_again(folder, house, &variables).await;
    let _anna = phone(&server, "101", "secret").await;
    let mut calls = Vec::new();
    for jump in ["+0", "+3600", "-3600"] {
        std::fs::write(&skew, jump).expect("a file");
        calls.push(Call::begin(&server).await);
    }
    // Whoever registered an hour ago by that clock is still there, and nobody was hung up.
    let phones: Value = json(&told(&server, &["phone", "list", "--json"]).await);
    let places = &phones["data"][0]["bindings"];
    assert_eq!(places.as_array().map(Vec::len), Some(1), "{phones:#}");
    let status = json(&told(&server, &["status", "--json"]).await);
    assert_eq!(status["calls"]["active"], 3, "{status:#}");
    for call in &calls {
        assert_eq!(call.wire.receive(Duration::from_millis(100)).await, None);
    }
    let mut lasted = Vec::new();
    for call in calls {
        lasted.push(call.end().await);
    }
    let mut records = server.records(3).await;
    records.sort_by_key(|record| at(record, "started_at"));
    // By that clock the last one began first, and the second one last.
    lasted.rotate_right(1);
    let now = Timestamp::now();
    for ((record, hours), (least, most)) in records.iter().zip([-1, 0, 1]).zip(lasted) {
        let took = Duration::from_millis(record["duration_ms"].as_u64().expect("a duration"));
        assert!(took + SLACK >= least && took <= most + SLACK, "{least:?} {most:?} {record:#}");
        let (began, answered, ended) =
            (at(record, "started_at"), at(record, "answered_at"), at(record, "ended_at"));
        assert!(began <= answered && answered <= ended, "{record:#}");
        let off = began - (now + Span::new().hours(hours));
        let minutes = off.total(jiff::Unit::Minute).expect("minutes").abs();
        assert!(minutes < 5.0, "{minutes} minutes off {hours} h: {record:#}");
        assert_eq!(record["end_reason"], "caller_hangup", "{record:#}");
    }
}

/// A call, and when it began at the earliest and at the latest.
struct Call {
    wire: Wire,
    answer: String,
    asked: Instant,
    answered: Instant,
}

impl Call {
    async fn begin(server: &Server) -> Self {
        let mut wire = Wire::open("127.0.0.1:0", server.address).await;
        let (description, asked) = (wire.description(), Instant::now());
        let answer = wire.call("echo", &description).await;
        Self { wire, answer, asked, answered: Instant::now() }
    }

    /// Hangs up: how long it lasted at least, and at most.
    async fn end(self) -> (Duration, Duration) {
        let least = self.answered.elapsed();
        self.wire.hang_up(&self.answer).await;
        (least, self.asked.elapsed())
    }
}

fn library() -> PathBuf {
    let places = std::fs::read_dir("/usr/lib").expect("libraries").flatten();
    let named = |place: PathBuf| place.join("faketime/libfaketimeMT.so.1");
    let found = places.map(|place| named(place.path())).find(|path| path.exists());
    found.expect("libfaketime: run ./dev setup")
}

fn at(record: &Value, key: &str) -> Timestamp {
    let text = record[key].as_str().unwrap_or_else(|| panic!("no {key}: {record:#}"));
    text.parse().expect("a time")
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

/// Records are exact to a millisecond.
const SLACK: Duration = Duration::from_millis(2);

const DIALPLAN: &str = "[[route]]\nto = \"echo\"\n";
