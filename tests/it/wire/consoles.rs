//! Operators on other machines: the command line asks a running server by its address and a key.

use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use super::control::told;
use super::http::{Ann, Api, made, started};
use super::server::{House, PATIENCE, Server, finish, program, within};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_is_asked_from_another_machine_by_whoever_may() {
    let (server, api) = started(House::porter()).await;
    let key = admin(&server).await;
    let asked = async |args: &[&str], key: &str| finish(remote(&api, args, key)).await;
    let mut watch = remote(&api, &["events", "--json"], &key);
    let mut watch = watch.stdout(Stdio::piped()).spawn().expect("it runs");
    let mut events = BufReader::new(watch.stdout.take().expect("it is piped")).lines();
    // Whoever watches is there before anything happens.
    within(PATIENCE, "a watcher", || server.log().contains("a console was opened").then_some(()))
        .await;
    let mut ann = Ann::calls(&server).await;
    let (code, said) = asked(&["call", "list", "--json"], &key).await;
    assert_eq!(code, Some(0), "{said}");
    let list: Value = serde_json::from_str(said.trim()).expect("JSON");
    let call = list["data"][0]["id"].as_str().expect("a call").to_owned();
    let (code, said) = asked(&["call", "hangup", &call], &key).await;
    assert_eq!(code, Some(0), "{said}");
    ann.is_hung_up().await;
    loop {
        let line = tokio::time::timeout(PATIENCE, events.next_line()).await;
        let line = line.expect("in time").expect("it reads").expect("more");
        if line.contains("\"call.ended\"") && line.contains(&call) {
            break;
        }
    }
    let deeds = told(&server, &["audit", "list", "--json"]).await;
    let deed = deeds.lines().find(|it| it.contains("call.hangup")).expect("a deed");
    assert!(deed.contains("\"key_") && deed.contains("127.0.0.1"), "{deed}");

    // Not without a key, nor by one that is wrong, nor by one that only looks.
    let looks = made(&server, &["--name", "looks", "--scope", "operate"]).await;
    for (key, why) in [("sk_wrong", "401"), (&*looks, "403")] {
        let (code, said) = asked(&["status"], key).await;
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("cannot be asked") && said.contains(why), "{said}");
    }
    let (code, said) = finish(program_at(&["status"], &["--url", "http://192.0.2.1"])).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("write https://"), "{said}");
    // A key that is taken back ends what it has begun.
    told(&server, &["key", "revoke", "desk"]).await;
    let over = tokio::time::timeout(Duration::from_secs(30), watch.wait()).await;
    assert!(!over.expect("it ends").expect("it ran").success());
}

async fn admin(server: &Server) -> String {
    made(server, &["--name", "desk", "--scope", "admin"]).await
}

fn remote(api: &Api, args: &[&str], key: &str) -> Command {
    let mut command = program_at(args, &["--url", api.base()]);
    command.env("VOXTRUNK_TOKEN", key);
    command
}

fn program_at(args: &[&str], place: &[&str]) -> Command {
    let mut command = program();
    command.args(args).args(place).env("VOXTRUNK_TOKEN", "sk_none");
    command
}
