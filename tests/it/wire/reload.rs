//! Files that change while the server runs: what counts for the next call, what a call that is up
//! keeps, and what happens to mistakes.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::control::{ask, told};
use super::datagrams::Wire;
use super::server::{House, PATIENCE, Server, said, within};
use super::tones::Line;

/// One agent whose answer to a key has a colour, and a number that is refused.
fn dialplan(colour: &str, status: u16) -> String {
    format!(
        "[agents.painter]\nfirst_message = \"Yes?\"\n\
         [[agents.painter.intents]]\nid = \"colour\"\nkey = \"1\"\nsay = \"{colour}.\"\n\
         [[route]]\nname = \"painter\"\ndid = \"painter\"\nto = \"agent:painter\"\n\
         [[route]]\nname = \"others\"\nto = \"reject:{status}\"\n"
    )
}

/// A server whose files are read again only when somebody says so, unless it watches them.
async fn server(watch: bool) -> Server {
    let mut house = House::with(&dialplan("Red", 480));
    house.watch = watch;
    Server::start(house).await
}

fn change(server: &Server, dialplan: &str) {
    server.folder.put("dialplans/test.toml", dialplan);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_begin_go_by_the_new_files_and_calls_that_are_up_by_the_old_ones() {
    let server = server(false).await;
    let mut line = Line::open(&server).await;
    line.call("painter", EVENTS).await;
    line.pause(1_500).await;
    change(&server, &dialplan("Green", 603));
    let dry = told(&server, &["reload", "--dry-run"]).await;
    assert!(dry.contains("changed  agents.painter\n") && dry.contains("nothing was changed yet"));
    let mut wire = Wire::open("127.0.0.1:0", server.address).await;
    assert_eq!(wire.status_for("x", "wire").await, "480");
    let view: Value = serde_json::from_str(&told(&server, &["reload", "--json"]).await).unwrap();
    let changed = [("agents.painter", "changed"), ("routes", "changed")];
    let changed = changed.map(|(what, how)| json!({ "what": what, "how": how }));
    assert_eq!(view, json!({ "changed": changed, "restart": [], "dry": false }));
    assert_eq!(wire.status_for("x", "wire").await, "603");
    for mut line in [line, another(&server).await] {
        line.goes_on();
        line.press('1').await;
        line.pause(2_500).await;
        line.hang_up().await;
    }
    let mut answers: Vec<Vec<String>> =
        server.records_of("painter", 2).await.iter().map(|record| said(record, "agent")).collect();
    answers.sort();
    assert_eq!(answers, [["Yes?", "Green."], ["Yes?", "Red."]]);
    let again = told(&server, &["reload"]).await;
    assert_eq!(again, "the files were read; nothing has changed for calls\n");
}

async fn another(server: &Server) -> Line {
    let mut line = Line::open(server).await;
    line.call("painter", EVENTS).await;
    line.pause(1_500).await;
    line
}

#[tokio::test(flavor = "multi_thread")]
async fn files_with_mistakes_change_nothing_and_say_where() {
    let server = server(false).await;
    let mut wire = Wire::open("127.0.0.1:0", server.address).await;
    for (wrong, says) in [
        (dialplan("Green", 603).replace("agent:painter", "agent:paintre"), "did you mean"),
        (dialplan("Green", 603).replace("first_message", "first_mesage"), "test.toml:2:1"),
        ("[[route]\n".to_owned(), "test.toml:1"),
    ] {
        change(&server, &wrong);
        let (code, _, why) = ask(&server, &["reload"]).await;
        assert!(code == Some(1) && why.contains(says), "{why}");
        assert_eq!(wire.status_for("x", "wire").await, "480");
    }
    change(&server, &dialplan("Green", 603));
    told(&server, &["reload"]).await;
    assert_eq!(wire.status_for("x", "wire").await, "603");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_files_said_before_comes_back() {
    let server = server(false).await;
    change(&server, &dialplan("Red", 603));
    told(&server, &["reload"]).await;
    let states = || async {
        let listed = told(&server, &["config", "history", "--json"]).await;
        let states: Vec<Value> =
            listed.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        states
    };
    // Keeping them goes on beside the answer.
    for _ in 0..400 {
        if states().await.len() == 2 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(states().await[0]["changed"], json!(["test.toml"]));
    let said = told(&server, &["config", "rollback"]).await;
    assert!(said.contains("written") && said.contains("test.toml"), "{said}");
    let path = server.folder.path("dialplans/test.toml");
    assert_eq!(std::fs::read_to_string(path).expect("a file"), dialplan("Red", 480));
    told(&server, &["reload"]).await;
    let mut wire = Wire::open("127.0.0.1:0", server.address).await;
    assert_eq!(wire.status_for("x", "wire").await, "480");
    let (code, _, why) = ask(&server, &["config", "rollback", "9"]).await;
    assert!(code == Some(2) && why.contains("there is no state 9"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_needs_a_restart_is_told_and_not_done() {
    let server = server(false).await;
    let path = server.folder.path("conf/server.toml");
    let settings = std::fs::read_to_string(&path).expect("the settings");
    let changed = settings.replace("[trunks.local]", "[trunks.local]\nnumbers = [\"+49711*\"]");
    server.folder.put("conf/server.toml", changed);
    change(&server, &dialplan("Red", 603));
    let view: Value = serde_json::from_str(&told(&server, &["reload", "--json"]).await).unwrap();
    assert_eq!(view["restart"], json!(["trunks.local"]), "{view}");
    let mut wire = Wire::open("127.0.0.1:0", server.address).await;
    // The route is the new one, and the trunk may bring what it could bring before.
    assert_eq!(wire.status_for("x", "wire").await, "603");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hangup_signal_and_a_saved_file_are_enough() {
    let watching = server(true).await;
    change(&watching, &dialplan("Red", 603));
    let read = || watching.log().contains("config.reloaded").then_some(());
    within(PATIENCE, "the saved file is read", read).await;
    let mut wire = Wire::open("127.0.0.1:0", watching.address).await;
    assert_eq!(wire.status_for("x", "wire").await, "603");
    change(&watching, "[[route]]\nto = \"nowhere\"\n");
    let refused = || watching.log().contains("config.refused").then_some(());
    within(PATIENCE, "the mistake is told", refused).await;
    assert_eq!(wire.status_for("x", "wire").await, "603");

    let told = server(false).await;
    change(&told, &dialplan("Red", 486));
    let pid = Pid::from_raw(told.pid() as i32).expect("a process");
    kill_process(pid, Signal::HUP).expect("it runs");
    let read = || told.log().contains("config.reloaded").then_some(());
    within(PATIENCE, "the files are read", read).await;
    let mut wire = Wire::open("127.0.0.1:0", told.address).await;
    assert_eq!(wire.status_for("x", "wire").await, "486");
}

const EVENTS: &str = "m=audio PORT RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n";
