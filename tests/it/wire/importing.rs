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
use super::server::{Folder, House, SOURCE, Server, said};

#[test]
fn the_samples_are_what_the_types_of_their_makers_allow() {
    let sample = |name: &str| -> Value {
        let path = Path::new(SOURCE).join(format!("tests/data/imports/{name}.json"));
        serde_json::from_str(&std::fs::read_to_string(path).expect("a sample")).expect("JSON")
    };
    let agent = sample("retell-agent");
    let flow = sample("retell-flow");
    let squad = sample("vapi-squad");
    let mut pieces = vec![
        ("Retell.AgentResponse", &agent["agent"]),
        ("Retell.LlmResponse", &agent["llm"]),
        ("Retell.AgentResponse", &flow["agent"]),
        ("Retell.ConversationFlowResponse", &flow["conversation_flow"]),
    ];
    let (states, assistant) = (sample("retell-states"), sample("vapi-assistant"));
    pieces.extend([("Retell.LlmResponse", &states), ("Vapi.Assistant", &assistant)]);
    for (kind, key) in [
        ("Vapi.Squad", "squads"),
        ("Vapi.Assistant", "assistants"),
        ("Vapi.ListToolsResponseItem", "tools"),
    ] {
        pieces.extend(squad[key].as_array().into_iter().flatten().map(|it| (kind, it)));
    }
    let (is_right, told) = compiled(&pieces);
    assert!(is_right, "{told}");
    // What only the platform adds may lack; what it does not know may not be there.
    let (is_right, told) =
        compiled(&[("Retell.LlmResponse", &json!({ "begin_mesage": "Hello." }))]);
    assert!(!is_right && told.contains("'\"begin_mesage\"' does not exist"), "{told}");
}

/// Whether TypeScript takes these for parts of things of these types, and what it says.
fn compiled(pieces: &[(&str, &Value)]) -> (bool, String) {
    let parts: Vec<(String, &Value)> =
        pieces.iter().map(|(kind, value)| (format!("Partial<{kind}>"), *value)).collect();
    let parts: Vec<(&str, &Value)> = parts.iter().map(|(kind, it)| (kind.as_str(), *it)).collect();
    typed(&parts)
}

/// Whether TypeScript takes these for things of these types, and what it says.
pub fn typed(pieces: &[(&str, &Value)]) -> (bool, String) {
    let folder = Folder::new();
    let packages = Path::new(SOURCE).join("target/types/node_modules");
    std::os::unix::fs::symlink(&packages, folder.path("node_modules")).expect("a link");
    let mut code = "import type Retell from 'retell-sdk';\n\
                    import type { Vapi } from '@vapi-ai/server-sdk';\n"
        .to_owned();
    for (at, (kind, value)) in pieces.iter().enumerate() {
        code.push_str(&format!("export const it{at}: {kind} = {value};\n"));
    }
    let file = folder.put("samples.ts", code);
    let compiler = packages.join("typescript/bin/tsc");
    let mut program = Program::new("node");
    program.arg(compiler).args(["--noEmit", "--strict", "--skipLibCheck", "--target", "es2022"]);
    program.args(["--module", "nodenext"]).arg(file);
    let output = program.output().expect("node is missing: run ./dev setup");
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
}

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

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_other_samples_talk_too() {
    for (platform, name, first) in [
        ("vapi", "vapi-assistant", "Lakeside Dental, good morning."),
        ("retell", "retell-agent", "Green Energy support, how can I help you?"),
        ("retell", "retell-states", "City Clinic. Are you a patient already, or new?"),
    ] {
        let server = imported(platform, name).await;
        call(&server.uri("901"), Vec::new(), Duration::from_secs(3)).await;
        let record = server.record().await;
        let lines = said(&record, "agent");
        assert!(lines.first().is_some_and(|line| line.starts_with(first)), "{name}: {record:#}");
    }
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
