//! A disk that is full: calls go on, and what could not be written is written when there is room.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

use serde_json::Value;
use tokio::process::Command;

use super::control::{eventually, told};
use super::datagrams::Wire;
use super::server::{Folder, House, PATIENCE, Server, finish, within};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn calls_go_on_while_the_disk_is_full_and_their_records_come_when_there_is_room() {
    if !has_namespaces().await {
        return eprintln!("not tested: this machine lets nobody mount a disk of its own");
    }
    let folder = Folder::new();
    let socket = format!("[control]\nsocket = {:?}\n", folder.path("control.sock"));
    let dialplan = House::porter().dialplan.expect("the porter's own");
    let dialplan = dialplan.replace("[agents.porter]", "[agents.porter]\nrecord = true\n");
    let house = House::with(&dialplan).and(&socket);
    let mut server = Server::start_on("24m", folder, house).await;
    let first = caller(&server).await;
    let ballast = server.own("data/ballast");
    fill(&ballast);
    // Whoever is there stays, and whoever comes is taken.
    let second = caller(&server).await;
    for (wire, answer) in [&first, &second] {
        fill(&ballast);
        wire.hang_up(answer).await;
    }
    let failed = || server.log().contains("could not be written").then_some(());
    within(PATIENCE, "a word about it", failed).await;
    let status: Value = json(&told(&server, &["status", "--json"]).await);
    assert_eq!(status["calls"]["active"], 0, "{status:#}");
    let third = caller(&server).await;
    fs::remove_file(&ballast).expect("room");
    let list = ["call", "list", "--json", "--cause", "caller_hangup"];
    let ended = |answer: &Value| answer["data"].as_array().is_some_and(|it| it.len() == 2);
    let answer = eventually(&server, &list, ended).await;
    for call in answer["data"].as_array().expect("calls") {
        assert_eq!(call["end_reason"], "caller_hangup", "{call:#}");
    }
    third.0.hang_up(&third.1).await;
    let ended = |answer: &Value| answer["data"].as_array().is_some_and(|it| it.len() == 3);
    eventually(&server, &list, ended).await;
    assert!(server.lives(), "{}", server.log());
}

/// Whether a small disk can be made for a test: containers may forbid it.
async fn has_namespaces() -> bool {
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"]);
    finish(command).await.0 == Some(0)
}

/// Writes until there is no room.
fn fill(ballast: &Path) {
    let mut file = File::options().create(true).append(true).open(ballast).expect("a file");
    for size in [1 << 16, 1 << 10, 1] {
        while file.write_all(&vec![0; size]).is_ok() {}
    }
}

async fn caller(server: &Server) -> (Wire, String) {
    let mut wire = Wire::open("127.0.0.1:0", server.address).await;
    let description = wire.description();
    let answer = wire.call("porter", &description).await;
    (wire, answer)
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}
