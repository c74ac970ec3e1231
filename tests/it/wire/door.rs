//! The program's own doors: how it starts, refuses to start, calls, shows itself and stops.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use tokio::process::Command;

use super::caller::{Speaker, call, say};
use super::datagrams::ports_of;
use super::server::{Folder, House, PATIENCE, Server, finish, program, said, within};

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_work_is_refused_at_start_with_what_to_do() {
    let taken = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let (pair, range) = a_pair_that_is_taken();
    let missing_agent = "[[route]]\nto = \"agent:prter\"\n";
    let missing_agent = missing_agent.to_owned() + &House::porter().dialplan.expect("its own");
    let cases = [
        (
            House { bind: address, ..House::porter() },
            vec!["another program has it", "[[sip.listen]]"],
        ),
        (
            House { ports: range, ..House::porter().and("[sip]\nmax_calls = 1\n") },
            vec!["the whole range is taken", "[rtp]"],
        ),
        (
            House::porter().and("[media.vad]\nmodel = \"nowhere.onnx\"\n"),
            vec!["nowhere.onnx", "./dev setup"],
        ),
        (House::with(&missing_agent), vec!["no agent `prter`", "did you mean `agent:porter`"]),
        (
            House::with(&House::porter().dialplan.expect("its own").replace("\"slt\"", "\"stl\"")),
            vec!["flite has no voice `stl`", "slt"],
        ),
        (
            House::porter().and("[sip]\nmax_cals = 3\n"),
            vec!["max_cals", "max_calls", "server.toml"],
        ),
        (House::porter().and("[sip\n"), vec!["server.toml"]),
        (House { bind: "192.0.2.250:5060".to_owned(), ..House::porter() }, vec!["192.0.2.250"]),
    ];
    for (house, words) in cases {
        let folder = Folder::new();
        let mut serve = program();
        serve.arg("serve").arg("--config").arg(house.write(&folder));
        let (code, text) = finish(serve).await;
        assert_eq!(code, Some(1), "{words:?}:\n{text}");
        let plain = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for word in words {
            assert!(plain.contains(word), "`{word}` is not in:\n{text}");
        }
    }
    drop((taken, pair));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_told_to_stop_says_goodbye_first() {
    let mut server = Server::start(House::porter()).await;
    let line = say(Speaker::Flite("rms"), "what are your opening hours").await;
    let target = server.uri("porter");
    let patience = Duration::from_secs(20);
    let running = tokio::spawn(async move { call(&target, vec![line], patience).await });
    within(PATIENCE, "a call that is up", || (ports_of(server.pid()).len() > 1).then_some(()))
        .await;
    server.terminate();
    let told = Instant::now();
    let outcome = running.await.expect("the call ends");
    assert!(outcome.they_hung_up(), "{outcome:#?}");
    assert_eq!(server.ended().await, Some(0), "{}", server.log());
    assert!(told.elapsed() < Duration::from_secs(20), "it stops when the last call is over");
    let record = server.record().await;
    assert_eq!(record["end_reason"], "server_shutdown");
    let lines = said(&record, "agent");
    assert_eq!(lines.last().map(String::as_str), Some("Thank you and goodbye."), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_calls() {
    let server = Server::start(House::porter()).await;
    let recording = server.folder.path("call.wav");
    let order = |extension: &str| {
        let mut call = program();
        call.args(["call", &server.uri(extension), "--record"]).arg(&recording);
        call.args(["--say", "what are your opening hours", "--say", "goodbye"]);
        call
    };
    let (code, text) = finish(order("porter")).await;
    assert_eq!(code, Some(0), "{text}");
    for words in ["answered", "you:  what are your opening hours", "over, by peer", "recorded in"] {
        assert!(text.contains(words), "`{words}` is not in:\n{text}");
    }
    assert!(recording.is_file());
    let record = server.record().await;
    assert_eq!(said(&record, "caller"), ["what are your opening hours", "goodbye"]);

    let (code, text) = finish(order("nobody")).await;
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("the call was refused: 603"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_shows_one_conversation_and_ends() {
    let folder = Folder::new();
    let mut demo = program();
    demo.args(["demo", "--once", "--config"]).arg(House::demo().write(&folder));
    let (code, text) = finish(demo).await;
    assert_eq!(code, Some(0), "{text}");
    for words in ["from a softphone", "caller  ", "agent   Hello", "first packet", "ended: agent"] {
        assert!(text.contains(words), "`{words}` is not in:\n{text}");
    }
    assert!(folder.path("data/recordings/demo-caller.wav").is_file());
}

/// Two ports, an even one and the one above, and the range that they are.
fn a_pair_that_is_taken() -> ((UdpSocket, UdpSocket), String) {
    for port in (31_000..32_000).step_by(2) {
        let bind = |port: u16| UdpSocket::bind(("127.0.0.1", port));
        if let (Ok(even), Ok(odd)) = (bind(port), bind(port + 1)) {
            return ((even, odd), format!("{port}-{}", port + 1));
        }
    }
    panic!("no pair of ports is free");
}

#[tokio::test(flavor = "multi_thread")]
async fn music_that_cannot_be_played_is_named_with_its_reason() {
    let folder = Folder::new();
    let check = async |path: &str| {
        let settings = format!("[media]\nhold_music = {path:?}\n");
        let config = House::demo().and(&settings).write(&folder);
        let mut check = program();
        check.args(["check", "--format", "json", "--config"]).arg(config);
        finish(check).await
    };
    let text = folder.put("text.mp3", "no music\n".repeat(1_000));
    let long = folder.path("long.flac");
    let mut sox = Command::new("sox");
    sox.args(["-n", "-r", "8000"]).arg(&long).args(["trim", "0", "1860"]);
    assert_eq!(finish(sox).await.0, Some(0));
    for (path, why) in [
        (text, "no WAV, FLAC, Ogg Vorbis or MP3"),
        (long, "longer than 30 minutes"),
        (folder.path("nowhere.ogg"), "No such file"),
    ] {
        let (code, said) = check(&path.to_string_lossy()).await;
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(why) && said.contains("\"music.unplayable\""), "{said}");
    }
    let tune = folder.path("tune.ogg");
    let mut sox = Command::new("sox");
    sox.args(["-n", "-r", "44100"]).arg(&tune).args(["synth", "2", "sine", "440"]);
    assert_eq!(finish(sox).await.0, Some(0));
    let (code, said) = check(&tune.to_string_lossy()).await;
    assert_eq!(code, Some(0), "{said}");
}
