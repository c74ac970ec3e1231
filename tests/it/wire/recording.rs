//! What is kept of a call: its record and its recording.

use std::time::Duration;

use super::caller::{Speaker, call, say};
use super::ear::voiced;
use super::recordings::closed;
use super::server::{House, Server, said};

#[tokio::test(flavor = "multi_thread")]
async fn a_recorded_call_leaves_a_record_and_a_stereo_file() {
    let dialplan = House::porter().dialplan.expect("the porter's own");
    let dialplan = dialplan.replace("[agents.porter]", "[agents.porter]\nrecord = true");
    let server = Server::start(House::with(&dialplan)).await;
    let voice = Speaker::Flite("rms");
    let lines = vec![say(voice, "what are your opening hours").await, say(voice, "goodbye").await];
    let outcome = call(&server.uri("porter"), lines, Duration::from_secs(2)).await;
    assert!(outcome.they_hung_up());

    let record = server.record().await;
    let id = record["id"].as_str().expect("an identity");
    assert!(id.starts_with("call_"), "{id}");
    for (name, value) in [
        ("direction", "inbound"),
        ("status", "completed"),
        ("end_reason", "agent_ended"),
        ("trunk", "local"),
        ("route", "agent:porter"),
    ] {
        assert_eq!(record[name], value, "{name}");
    }
    assert_eq!(record["recorded"], true);
    assert_eq!(record["from"]["number"], "phone");
    assert_eq!(record["from"]["name"], "voxtrunk");
    assert_eq!(record["to"]["number"], "porter");
    assert_eq!(record["agents"], serde_json::json!(["porter"]));
    assert_eq!(record["tools"][0]["name"], "end_call");
    assert_eq!(said(&record, "caller"), ["what are your opening hours", "goodbye"]);
    let agent = ["Hello?", "We are open from nine to six.", "Thank you and goodbye."];
    assert_eq!(said(&record, "agent"), agent);
    let times: Vec<u64> = record["transcript"]
        .as_array()
        .expect("lines")
        .iter()
        .map(|line| line["start_ms"].as_u64().expect("a time"))
        .collect();
    assert!(times.is_sorted(), "{times:?}");
    assert_eq!(record["turns"].as_array().map(Vec::len), Some(2));
    for turn in record["turns"].as_array().expect("turns") {
        let stage = |name: &str| turn["latency"][name].as_u64();
        let told =
            stage("speech_ended_ms").zip(stage("committed_ms")).zip(stage("first_packet_ms"));
        let ((ended, committed), packet) = told.unwrap_or_else(|| panic!("{turn:#}"));
        assert!(ended <= committed && committed <= packet && packet < 3_000, "{turn:#}");
    }
    let started: jiff::Timestamp =
        record["started_at"].as_str().expect("one").parse().expect("a time");
    let ended: jiff::Timestamp = record["ended_at"].as_str().expect("one").parse().expect("a time");
    let lasted = record["duration_ms"].as_i64().expect("a duration");
    // Each is cut to milliseconds by itself.
    assert!((ended.as_millisecond() - started.as_millisecond() - lasted).abs() <= 1);

    let day = started.strftime("%Y/%m/%d");
    let path = server.folder.path(&format!("data/recordings/{day}/{id}.wav"));
    let (caller, agent) = closed(&path).await;
    let length = caller.duration().as_secs_f64();
    assert!((length - lasted as f64 / 1_000.0).abs() < 0.2, "{length} s of {lasted} ms");
    assert!(voiced(&caller) > Duration::from_millis(1_000), "{:?}", voiced(&caller));
    assert!(voiced(&agent) > Duration::from_millis(2_000), "{:?}", voiced(&agent));
}
