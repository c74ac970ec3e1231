//! Every scenario under `sipp-scenarios/`, played by SIPp.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::task::JoinSet;

use super::datagrams::{Wire, header};
use super::server::{Folder, House, SOURCE, Server, finish};

#[tokio::test(flavor = "multi_thread")]
async fn every_scenario_of_sipp_passes() {
    let server = Server::start(House::porter()).await;
    let mut playing = JoinSet::new();
    let scenarios = scenarios("sipp-scenarios");
    assert!(scenarios.len() >= 12, "{scenarios:?}");
    for scenario in scenarios {
        playing.spawn(play(scenario, "127.0.0.1", server.address.to_string()));
    }
    let failed: Vec<String> = playing.join_all().await.into_iter().flatten().collect();
    assert!(failed.is_empty(), "{}\n{}", failed.join("\n"), server.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_meet_silence_or_403() {
    let drops = Server::start(House::porter()).await;
    let rejects = "[security.sip]\nunknown_source = \"reject\"\n";
    let rejects = Server::start(House::porter().and(rejects)).await;
    let stranger = |name: &str| Path::new(SOURCE).join("sipp-scenarios/stranger").join(name);
    let (ignored, refused) = tokio::join!(
        play(stranger("ignored.xml"), "127.0.0.2", drops.address.to_string()),
        play(stranger("refused.xml"), "127.0.0.2", rejects.address.to_string()),
    );
    assert_eq!((ignored, refused), (None, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invite_that_comes_again_gets_the_same_answer_again() {
    let server = Server::start(House::porter()).await;
    let mut wire = Wire::open("127.0.0.1:0", server.address).await;
    let body = wire.description();
    let invite = wire.request("INVITE", "porter", &body);
    let mut answers = Vec::new();
    for _ in 0..3 {
        wire.send(invite.as_bytes()).await;
        // The first sending is answered with 100 and 180, too.
        let answer = loop {
            let answer = wire.receive(Duration::from_secs(5)).await.expect("an answer");
            if answer.starts_with("SIP/2.0 200") {
                break answer;
            }
        };
        answers.push(answer);
    }
    assert!(header(&answers[0], "To").contains(";tag="));
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[1], answers[2]);
}

/// Plays a scenario over UDP; gives what went wrong.
pub async fn play(scenario: PathBuf, from: &str, to: String) -> Option<String> {
    play_over("u1", scenario, from, to).await
}

/// Plays a scenario over a transport as SIPp names it; gives what went wrong.
pub async fn play_over(
    transport: &str,
    scenario: PathBuf,
    from: &str,
    to: String,
) -> Option<String> {
    let folder = Folder::new();
    let mut sipp = Command::new("sipp");
    sipp.args(["-t", transport, "-max_socket", "100"]);
    sipp.arg("-sf").arg(&scenario).args(["-s", "porter", "-i", from, "-mi", from, "-bind_local"]);
    sipp.args(["-m", "1", "-timeout", "20s", "-timeout_error", "-nostdin", "-trace_err"]).arg(to);
    sipp.current_dir(folder.path("")).stdin(Stdio::null()).kill_on_drop(true);
    let (code, screen) = finish(sipp).await;
    if code == Some(0) {
        return None;
    }
    let files = std::fs::read_dir(folder.path("")).expect("its folder").flatten();
    let errors = files.filter_map(|file| std::fs::read_to_string(file.path()).ok());
    let errors: Vec<String> = errors.collect();
    let name = scenario.display();
    Some(format!("{name} ends with {code:?}\n{screen}\n{}", errors.join("\n")))
}

fn scenarios(folder: &str) -> Vec<PathBuf> {
    let files = std::fs::read_dir(Path::new(SOURCE).join(folder)).expect("scenarios").flatten();
    let paths = files.map(|file| file.path());
    paths.filter(|path| path.extension() == Some("xml".as_ref())).collect()
}
