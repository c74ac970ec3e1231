//! A short soak: good calls go on amid hostile traffic, and nothing is left behind.

use std::time::Duration;

use serde_json::Value;

use super::server::program;

#[tokio::test(flavor = "multi_thread")]
async fn good_calls_go_on_amid_hostile_traffic() {
    let mut command = program();
    command.args(["bench", "soak", "--lasts", "20s", "--json"]);
    let output = tokio::time::timeout(LONGEST, command.output()).await.expect("it ends in time");
    let output = output.expect("the program starts");
    let text = String::from_utf8_lossy(&output.stdout);
    let figures: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let figure = |name: &str| {
        let found = figures.iter().find(|figure| figure["metric"] == name);
        found.and_then(|figure| figure["value"].as_f64()).unwrap_or_else(|| panic!("{output:?}"))
    };
    assert!(figure("soak.calls_whole") >= 10.0, "{text}");
    assert!(figure("soak.hostile") >= 500.0, "{text}");
    assert!(figures.iter().all(|figure| figure["ok"] != false), "{text}");
}

/// The soak itself, and the timers of the calls that were left alone.
const LONGEST: Duration = Duration::from_secs(240);
