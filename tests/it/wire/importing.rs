//! What was made on other platforms, imported by the real program and called: it says what it said
//! there, and goes where it went there, without any key.

use std::path::Path;
use std::process::Command as Program;
use std::time::Duration;

use serde_json::{Value, json};
use voxtrunk::engine::phone::{Act, Line, When};
use voxtrunk::media::event::Digit;

use super::caller::{call, recorded};
use super::ear::recognised;
use super::server::{Folder, House, Server, said};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_squad_of_vapi_talks_and_hands_over() {
    let server = imported("vapi", "vapi-squad").await;
    let path = server.folder.path("heard.wav");
    let outcome = recorded(&server.uri("901"), vec![press("1")], path).await;
    let heard = outcome.heard.as_ref().expect("it was recorded");
    let heard = recognised(
        heard,
        &[
            "harbour hotel this is the front desk do you want bookings or the spa",
            "i am connecting you with bookings",
            "bookings here for which night",
        ],
    )
    .await;
    assert!(heard.contains("front desk"), "{heard}");
    let record = server.record().await;
    assert_eq!(record["agents"], json!(["front-desk", "bookings-2"]), "{record:#}");
    let lines = said(&record, "agent").join(" ");
    let first = "Harbour Hotel, this is the front desk.";
    assert!(lines.starts_with(first), "{lines}");
    let handed = "I am connecting you with bookings. Bookings here, for which night?";
    assert!(lines.contains(handed), "{lines}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_conversation_flow_of_retell_talks_and_goes_its_way() {
    let server = imported("retell", "retell-flow").await;
    let outcome = call(&server.uri("901"), vec![press("2")], Duration::from_secs(20)).await;
    assert!(outcome.they_hung_up(), "{:?}", outcome.ending);
    let record = server.record().await;
    let nodes: Vec<&str> = record["nodes"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|it| it["node"].as_str())
        .collect();
    let way = ["variables", "welcome", "welcome--menu", "tier", "human", "bye"];
    assert_eq!(nodes, way, "{record:#}");
    let lines = said(&record, "agent").join(" ");
    assert!(lines.starts_with("Welcome to the parcel line."), "{lines}");
    // Nobody may be called from here: the flow goes on behind the transfer.
    assert!(lines.ends_with("I am connecting you. Thank you for calling. Goodbye."), "{lines}");
}

#[test]
fn the_program_tells_what_it_made_and_writes_nothing_that_does_not_pass() {
    let folder = Folder::new();
    let into = folder.path("imported");
    let run = |more: &[&str]| {
        let file = sample("vapi-assistant");
        let output = Program::new(env!("CARGO_BIN_EXE_voxtrunk"))
            .current_dir(SOURCE)
            .args(["import", "vapi", &file, "--json", "--into"])
            .arg(&into)
            .args(more)
            .output()
            .expect("the program runs");
        let told: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        (output.status.success(), told)
    };
    let (fine, told) = run(&["--dry-run"]);
    assert!(fine && told["written"] == false && !into.exists(), "{told:#}");
    let (fine, told) = run(&[]);
    assert!(fine && told["written"] == true && told["errors"] == 0, "{told:#}");
    let wanted: Vec<&Value> = told["wanted"].as_array().into_iter().flatten().collect();
    assert!(wanted.iter().any(|it| it["variable"] == "DEEPGRAM_API_KEY"), "{told:#}");
    let (fine, told) = run(&[]);
    assert!(!fine && told["error"].as_str().is_some_and(|it| it.contains("--force")), "{told:#}");
    let (fine, _) = run(&["--force", "--local"]);
    assert!(fine);
    let check = Program::new(env!("CARGO_BIN_EXE_voxtrunk"))
        .args(["check", "--config"])
        .arg(into.join("server.toml"))
        .output()
        .expect("the program runs");
    let told = String::from_utf8_lossy(&check.stdout);
    assert!(check.status.success(), "{told}");
}

/// A server with a sample, imported for the engines of this machine.
async fn imported(platform: &str, name: &str) -> Server {
    let (folder, house) = (Folder::new(), House::with(""));
    house.write(&folder);
    let output = Program::new(env!("CARGO_BIN_EXE_voxtrunk"))
        .args(["import", platform, &sample(name), "--local", "--into"])
        .arg(folder.path("conf"))
        .output()
        .expect("the program runs");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    Server::start_in(folder, house).await
}

fn sample(name: &str) -> String {
    let path = Path::new(SOURCE).join(format!("tests/data/imports/{name}.json"));
    path.display().to_string()
}

fn press(keys: &str) -> Line {
    let digits = keys.chars().filter_map(Digit::new).collect();
    Line { when: When::Quiet, act: Act::Press(digits) }
}

const SOURCE: &str = env!("CARGO_MANIFEST_DIR");
