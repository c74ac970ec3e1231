//! Operators at the control socket of the running server: the command line as it is, and those who
//! send what they should not.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::task::JoinHandle;
use voxtrunk::audio::frame::{Frame, Rate};
use voxtrunk::audio::wav;
use voxtrunk::sip::event::{Ending, Party};

use super::caller::{Outcome, call};
use super::datagrams::Wire;
use super::kamailio::{self, Plan, account};
use super::peers::free_port;
use super::phones::{Baresip, Handset, only_phones};
use super::server::{House, PATIENCE, Server, program, within};

#[tokio::test(flavor = "multi_thread")]
async fn a_trunk_is_registered_and_is_down_when_its_registrar_dies() {
    let kamailio = kamailio::start(Plan::default()).await;
    let settings = account(&[&kamailio], "60s") + "max_calls = 30\n";
    let server = Server::start(House::porter().and(&settings)).await;
    let mut events = Watch::start(&server, &["events", "--json"]);
    let trunk = standing(&server, |trunk| trunk["registration"]["state"] == "registered").await;
    assert_eq!((&trunk["state"], &trunk["limits"]["max_calls"]), (&json!("up"), &json!(30)));
    let left = trunk["registration"]["expires_in_s"].as_u64().expect("until when");
    assert!((1..=60).contains(&left), "{trunk:#}");
    let list = told(&server, &["trunk", "list"]).await;
    let line = list.lines().find(|line| line.starts_with("carrier")).expect("its line");
    assert!(line.contains(" up ") && line.contains("s left") && line.contains("0/30"), "{list}");
    assert!(list.lines().any(|it| it.starts_with("local") && it.contains("inbound")), "{list}");

    let tested = told(&server, &["trunk", "test", "carrier"]).await;
    assert!(tested.contains("REGISTER") && tested.contains("kamailio"), "{tested}");
    assert!(tested.contains("✓ carrier works: it answers, and knows us"), "{tested}");

    kamailio.die().await;
    let down = standing(&server, |trunk| trunk["state"] == "down").await;
    assert!(down["reason"].as_str().is_some_and(|why| why.contains("no answer")), "{down:#}");
    events.until("\"type\":\"trunk.down\"").await;
    assert!(server.log().contains("\"event\":\"trunk.down\""), "{}", server.log());
    let (code, out, _) = ask(&server, &["trunk", "test", "carrier"]).await;
    assert_eq!(code, Some(1), "{out}");
    assert!(out.contains("✗ carrier") && out.contains("firewall"), "{out}");
    let card = told(&server, &["trunk", "show", "carrier"]).await;
    assert!(card.contains("last refusal") && card.contains("nobody answered"), "{card}");
    let (code, _, why) = ask(&server, &["trunk", "show", "carier"]).await;
    assert_eq!(code, Some(2));
    assert!(why.contains("there are: carrier, local"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_is_listed_with_where_it_is_and_what_it_is() {
    let server = Server::start(only_phones()).await;
    let silence = Frame::silence(Rate(8_000), Duration::from_secs(1));
    let mut baresip = Baresip::start(&server, ("101", "secret"), wav::write(&silence));
    let is_there = |phones: &Value| !phones["data"][0]["bindings"][0].is_null();
    let phones = eventually(&server, &["phone", "list", "--json"], is_there).await;
    let binding = &phones["data"][0]["bindings"][0];
    assert_eq!((&phones["data"][0]["name"], &binding["transport"]), (&json!("101"), &json!("udp")));
    assert!(binding["user_agent"].as_str().is_some_and(|it| it.contains("baresip")), "{binding}");
    let table = told(&server, &["phone", "list"]).await;
    let anna = table.lines().find(|line| line.starts_with("101")).expect("her line");
    assert!(anna.contains("Anna") && anna.contains("baresip") && anna.contains("in "), "{table}");
    let ben = table.lines().find(|line| line.starts_with("102")).expect("his line");
    assert!(ben.contains("not registered"), "{table}");

    let mut thief = Handset::new("127.0.0.3:0", server.address, ("101", "guess")).await;
    thief.register().await.expect("an answer");
    let status = eventually(&server, &["status", "--json"], |_| true).await;
    assert_eq!(status["door"]["turned_away"]["wrong_password"], 1, "{status:#}");
    assert_eq!(status["phones"]["reachable"], 1);
    assert!(status["phones"]["challenged"].as_u64() >= Some(2), "{status:#}");
    assert!(status["memory"].as_u64() > Some(1_000_000), "{status:#}");
    let text = told(&server, &["status"]).await;
    assert!(text.contains("wrong password") && text.contains("1 reachable"), "{text}");
    baresip.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_sees_a_call_and_ends_it_with_a_cause() {
    let back = Server::start(House::with("[[route]]\nto = \"echo\"\n")).await;
    let route = format!("[[route]]\nto = {:?}\n", back.uri("echo"));
    let front = Server::start(House::with(&route)).await;
    let caller = caller(front.uri("4711"));
    let is_up = |calls: &Value| calls["data"][0]["doing"] == "bridged";
    let calls = eventually(&front, &["call", "list", "--json"], is_up).await;
    let id = calls["data"][0]["id"].as_str().expect("an identity").to_owned();
    let list = told(&front, &["call", "list"]).await;
    let line = list.lines().nth(1).expect("a call");
    assert!(line.starts_with(&id) && line.contains("bridged") && line.contains("4711"), "{list}");
    assert!(line.contains("PCM"), "{list}");
    let tail = &id[id.len() - 8..];
    let card = told(&front, &["call", "show", tail]).await;
    assert!(card.contains("in-progress, bridged") && card.contains("the caller"), "{card}");
    assert_eq!(card.lines().filter(|line| line.contains(" up ")).count(), 2, "{card}");

    let (code, _, why) = ask(&front, &["call", "hangup", tail, "--cause", "tired"]).await;
    assert_eq!(code, Some(2), "{why}");
    let (code, _, why) = ask(&front, &["call", "hangup", "call_nobody"]).await;
    assert!(code == Some(2) && why.contains("voxtrunk call list"), "{why}");
    told(&front, &["call", "hangup", tail, "--cause", "user-busy"]).await;
    match caller.await.expect("it does not panic").ending {
        Ending::Bye { by: Party::Peer, reason: Some(reason) } => {
            assert!(reason.contains("Q.850;cause=17"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
    let record = front.record().await;
    assert_eq!((&record["end_reason"], &record["q850"]), (&json!("admin_ended"), &json!(17)));
    assert_eq!(back.record().await["end_reason"], "caller_hangup");
    assert_eq!(told(&front, &["call", "list"]).await, "No call is up.\n");

    let ladder = told(&front, &["sip", "trace", "--call-id", &id]).await;
    println!("{ladder}");
    let arrows: Vec<&str> = ladder.lines().filter(|line| line.contains(" ms ")).collect();
    assert!(ladder.starts_with(&id) && ladder.contains("voxtrunk"), "{ladder}");
    let has = |left: &str, label: &str| {
        arrows.iter().any(|line| line.contains(left) && line.contains(label))
    };
    assert!(has("▶│", "INVITE sdp") && has("│◀", "200 OK sdp"), "{ladder}");
    assert_eq!(arrows.iter().filter(|line| line.contains(" BYE ")).count(), 2, "{ladder}");
    let pcap = front.folder.path("trace.pcap");
    let path = pcap.to_str().expect("a path");
    told(&front, &["sip", "trace", "--to", "4711", "--pcap", path]).await;
    assert!(std::fs::read(&pcap).expect("a file").windows(7).any(|it| it == b"BYE sip"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_proves_who_somebody_is_never_leaves_the_server() {
    let kamailio = kamailio::start(Plan::default()).await;
    let server = Server::start(House::porter().and(&account(&[&kamailio], "60s"))).await;
    let mut live = Watch::start(&server, &["sip", "trace", "--follow", "--raw"]);
    standing(&server, |trunk| trunk["state"] == "up").await;
    let all = ["sip", "trace", "--all", "--last", "100", "--trunk", "carrier"];
    let raw = told(&server, &[&all[..], &["--raw"]].concat()).await;
    assert!(raw.contains("Authorization: Digest username=\"voxtrunk\""), "{raw}");
    assert!(raw.contains("response=\"***\""), "{raw}");
    let proofs = raw.matches("response=").count();
    assert_eq!(proofs, raw.matches("response=\"***\"").count(), "{raw}");
    let drawn = told(&server, &all).await;
    assert!(drawn.contains(" REGISTER ") && drawn.contains("401 Unauthorized"), "{drawn}");
    assert!(drawn.contains("carrier"), "{drawn}");

    let mut wire = Wire::open("127.0.0.1:0", server.address).await;
    let crypto = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:c2VjcmV0c2VjcmV0\r\n";
    let invite = wire.request("INVITE", "nobody", &(wire.description() + crypto));
    for _ in 0..2 {
        wire.send(invite.as_bytes()).await;
    }
    wire.settle().await;
    live.until("INVITE sip:nobody").await;
    let seen = live.until("a=crypto").await;
    assert!(seen.contains("inline:***") && !seen.contains("c2Vj"), "{seen}");
    let drawn = told(&server, &["sip", "trace", "--to", "nobody"]).await;
    assert!(drawn.contains("INVITE sdp (again)") && drawn.contains("603 Decline"), "{drawn}");
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_at_the_control_socket_harms_nobody() {
    let mut server = Server::start(House::porter()).await;
    let path = socket_of(&server);
    let say = |octets: &[u8]| {
        let mut stream = UnixStream::connect(&path).expect("it is there");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time");
        // The server may close before all is written.
        stream.write_all(octets).ok();
        stream.shutdown(std::net::Shutdown::Write).ok();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok();
        String::from_utf8_lossy(&answer).into_owned()
    };
    for (octets, code) in [
        (&b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..], "malformed"),
        (b"\xff\xfe\x00\n", "malformed"),
        (b"{\"v\":9,\"ask\":\"status\"}\n", "version"),
        (b"{\"v\":1,\"ask\":\"shell\",\"with\":{\"rm\":\"-rf\"}}\n", "malformed"),
        (b"{\"v\":1,\"ask\":\"call.hangup\",\"with\":{\"id\":\"x\",\"q850\":0}}\n", "impossible"),
        (&[b'['; 15_000], ""),
    ] {
        let answer = say(octets);
        assert!(answer.contains(code), "{answer}");
    }
    assert!(say(&vec![b'{'; 1 << 20]).contains("too_long") || server.lives());
    let deep = [vec![b'['; 10_000], vec![b'\n']].concat();
    assert!(say(&deep).contains("malformed"));
    let two = b"{\"v\":1,\"id\":1,\"ask\":\"call.list\"}\n{\"v\":1,\"id\":2,\"ask\":\"status\"}\n";
    let answers = say(two);
    assert!(answers.contains("\"id\":1,\"result\"") && answers.contains("\"id\":2,\"result\""));

    // Who takes every place and says nothing keeps others out only as long as he stays.
    let mut crowd = Vec::new();
    let refused = loop {
        // One who was just there may have left his place only now.
        crowd.extend((0..20).map(|_| UnixStream::connect(&path).expect("it listens")));
        let (code, _, why) = ask(&server, &["status"]).await;
        if code != Some(0) || crowd.len() > 200 {
            break (code, why);
        }
    };
    assert!(refused.1.contains("operators are connected"), "{refused:?}");
    assert_eq!(refused.0, Some(1));
    drop(crowd);
    eventually(&server, &["status", "--json"], |status| status["calls"]["active"] == 0).await;
    assert!(server.lives());
    let rights = std::fs::metadata(&path).expect("it is there").permissions().mode();
    assert_eq!(rights & 0o777, 0o600);
    forbidden_to_others(&server, &path).await;
    server.terminate();
    assert_eq!(server.ended().await, Some(0));
    assert!(!path.exists(), "its file goes with it");
}

/// Another user is turned away, even when the rights of the file would let him in.
async fn forbidden_to_others(server: &Server, path: &std::path::Path) {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let open = std::fs::Permissions::from_mode(0o666);
    std::fs::set_permissions(path, open).expect("it is ours");
    let mut command = program();
    command.args(["status", "--socket"]).arg(path).uid(65_534).gid(65_534);
    // Where nobody may run our program, nobody can try.
    let Ok(output) = command.output().await else { return };
    let why = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{why}");
    assert!(why.contains("only the user that the server runs as"), "{why}");
    assert!(told(server, &["status"]).await.contains("voxtrunk"));
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_one_server_for_a_socket_and_none_is_said_plainly() {
    let mut server = Server::start(House::porter()).await;
    let config = server.folder.path("conf/server.toml");
    let mut second = program();
    second.arg("serve").arg("--config").arg(&config);
    let output = second.output().await.expect("it runs");
    let why = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{why}");
    assert!(why.contains("a voxtrunk is running with these settings"), "{why}");
    assert!(told(&server, &["status"]).await.contains("process"));
    server.terminate();
    server.ended().await;
    let (code, _, why) = ask(&server, &["trunk", "list"]).await;
    assert_eq!(code, Some(1));
    assert!(why.contains("no voxtrunk runs here") && why.contains("--config"), "{why}");
    // It died without a word once: the next one takes its place.
    drop(UnixListener::bind(socket_of(&server)).expect("a stale socket"));
    let mut next = program();
    next.arg("serve").arg("--config").arg(&config).stderr(Stdio::null());
    let mut next = next.spawn().expect("it runs");
    eventually(&server, &["status", "--json"], |status| status["pid"] == next.id().unwrap_or(0))
        .await;
    super::server::terminate(next.id().expect("it runs"));
    next.wait().await.expect("it is our child");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trunk_that_is_nowhere_is_explained() {
    let settings = format!(
        "[trunks.nowhere]\nhost = \"127.0.0.1:{}\"\noptions_ping = \"off\"\n\
         [trunks.inbound]\ninbound = {{ allow = [\"192.0.2.7\"] }}\n",
        free_port()
    );
    let server = Server::start(House::porter().and(&settings)).await;
    let (code, out, _) = ask(&server, &["trunk", "test", "nowhere", "--json"]).await;
    let trial: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!((code, &trial["works"]), (Some(1), &json!(false)), "{trial:#}");
    assert_eq!(trial["steps"][0]["status"], 408);
    assert_eq!(trial["summary"], "nowhere does not answer");
    let (code, _, why) = ask(&server, &["trunk", "test", "inbound"]).await;
    assert!(code == Some(2) && why.contains("calls only come from it"), "{why}");
}

/// What a command says that must work.
pub async fn told(server: &Server, args: &[&str]) -> String {
    let (code, out, why) = ask(server, args).await;
    assert_eq!(code, Some(0), "{args:?}\n{out}\n{why}");
    out
}

/// Runs a command against a server: its exit status, what it says, and what it complains of.
pub async fn ask(server: &Server, args: &[&str]) -> (Option<i32>, String, String) {
    let mut command = program();
    command.args(args).arg("--config").arg(server.folder.path("conf/server.toml"));
    let output = tokio::time::timeout(PATIENCE, command.output()).await;
    let output = output.expect("it ends in time").expect("it runs");
    let text = [output.stdout, output.stderr].map(|it| String::from_utf8_lossy(&it).into_owned());
    let [out, why] = text;
    (output.status.code(), out, why)
}

/// Asks again and again until the answer is as it shall be.
pub async fn eventually(server: &Server, args: &[&str], is_so: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..400 {
        let (_, out, _) = ask(server, args).await;
        let answer: Value = serde_json::from_str(&out).unwrap_or_default();
        if is_so(&answer) && !answer.is_null() {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{args:?} never says so:\n{}", server.log());
}

/// The trunk `carrier` when it stands as it shall.
async fn standing(server: &Server, is_so: impl Fn(&Value) -> bool) -> Value {
    eventually(server, &["trunk", "show", "carrier", "--json"], is_so).await
}

/// A caller who says nothing and stays until the other side has enough.
fn caller(target: String) -> JoinHandle<Outcome> {
    tokio::spawn(async move { call(&target, Vec::new(), PATIENCE).await })
}

fn socket_of(server: &Server) -> PathBuf {
    server.folder.path("data/control.sock")
}

/// A command that goes on, and what it has said.
/// What a command goes on saying.
pub struct Watch {
    lines: std::sync::Arc<std::sync::Mutex<Vec<String>>>,
    _child: tokio::process::Child,
}

impl Watch {
    /// Starts the command.
    pub fn start(server: &Server, args: &[&str]) -> Self {
        let mut command = program();
        command.args(args).arg("--config").arg(server.folder.path("conf/server.toml"));
        let mut child = command.stdout(Stdio::piped()).spawn().expect("it runs");
        let mut out = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let lines = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let kept = lines.clone();
        tokio::spawn(async move {
            while let Ok(Some(line)) = out.next_line().await {
                kept.lock().expect("unpoisoned").push(line);
            }
        });
        Self { lines, _child: child }
    }

    /// Everything that was said until now.
    pub fn so_far(&self) -> String {
        self.lines.lock().expect("unpoisoned").join("\n")
    }

    /// Waits for these words; gives everything that was said.
    pub async fn until(&mut self, words: &str) -> String {
        within(PATIENCE, words, || {
            let said = self.lines.lock().expect("unpoisoned").join("\n");
            said.contains(words).then_some(said)
        })
        .await
    }
}
