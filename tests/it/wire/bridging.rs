//! The running server calls somebody else: a second server, SIPp, or one of its own tests.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::task::JoinHandle;
use voxtrunk::audio::frame::Frame;
use voxtrunk::engine::phone::{Act, Line, Moment, When};
use voxtrunk::sip::event::Ending;

use super::caller::{Outcome, Speaker, call, recorded, say};
use super::ear::{recognise, utterances, voiced};
use super::recordings::{closed, file};
use super::server::{Folder, House, SOURCE, Server, finish, said};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn speech_is_understood_at_both_ends_of_a_bridge() {
    let back = Server::start(House::porter()).await;
    let route = format!("[[route]]\nto = {:?}\nrecord = true\n", back.uri("porter"));
    let front = Server::start(House::with(&route)).await;
    let folder = Folder::new();
    let voice = Speaker::Flite("rms");
    let lines = vec![say(voice, "what are your opening hours").await, say(voice, "goodbye").await];
    let outcome = recorded(&front.uri("porter"), lines, folder.path("heard.wav")).await;
    assert!(outcome.they_hung_up(), "{:?}", outcome.ending);

    let answered = back.record().await;
    assert_eq!(said(&answered, "caller"), ["what are your opening hours", "goodbye"]);
    let heard = outcome.heard.expect("it was recorded");
    let sentences = ["we are open from nine to six", "thank you and goodbye", "hello"];
    let mut texts = Vec::new();
    for clip in utterances(&heard) {
        texts.push(recognise(&clip, &sentences).await);
    }
    assert!(texts.join(" / ").contains("from nine to six"), "{texts:?}");

    let record = front.record().await;
    assert_eq!(record["end_reason"], "callee_hangup");
    assert_eq!(record["legs"].as_array().map(Vec::len), Some(2));
    assert_eq!(record["legs"][1]["to"], back.uri("porter"));
    assert_eq!(record["bridges"][0]["legs"], serde_json::json!([0, 1]));
    for leg in record["legs"].as_array().expect("legs") {
        assert_eq!(leg["rtp"]["lost"], 0, "{leg:#}");
        assert!(leg["rtp"]["received"].as_u64().expect("a count") > 300, "{leg:#}");
    }
    let id = record["id"].as_str().expect("an identity");
    let recording = file(&front, &format!("{id}.wav")).expect("a recording");
    let (left, right) = closed(&recording).await;
    assert!(voiced(&left) > Duration::from_millis(1_000), "{:?}", voiced(&left));
    assert!(voiced(&right) > Duration::from_millis(2_000), "{:?}", voiced(&right));
    let log = front.log();
    for line in ["call arrived", "dialling", "bridged", "leg ended"] {
        assert!(log.contains(line), "{line} is not in the log:\n{log}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sipp_answers_is_busy_and_is_cancelled() {
    let (answers, at) = sipp("answers");
    let outcome = through(&at, "").await;
    assert!(outcome.times(|moment| matches!(moment, Moment::Answered { .. })).len() == 1);
    match &outcome.ending {
        Ending::Bye { reason: Some(reason), .. } => assert!(reason.contains("cause=31")),
        other => panic!("{other:?}"),
    }
    answers.await.expect("no panic");

    let (busy, at) = sipp("busy");
    assert_eq!(status(&through(&at, "").await), 486);
    busy.await.expect("no panic");

    let (cancelled, at) = sipp("is_cancelled");
    assert_eq!(status(&through(&at, "ring = \"1s\"").await), 480);
    cancelled.await.expect("no panic");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_is_not_there_is_followed_by_the_next() {
    let (answers, at) = sipp("answers");
    let more = format!("ring = \"1s\"\nelse = {at:?}");
    let outcome = through("sip:nobody@127.0.0.1:9", &more).await;
    assert!(outcome.they_hung_up(), "{:?}", outcome.ending);
    answers.await.expect("no panic");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_test_destination_does_what_it_says() {
    let dialplan = std::fs::read_to_string(Path::new(SOURCE).join("dialplans/tests.toml"));
    let server = Server::start(House::with(&dialplan.expect("it is there"))).await;
    let folder = Folder::new();
    let words = "seven of clubs";
    let line = Line { when: When::Quiet, ..say(Speaker::Flite("rms"), words).await };
    let keys = "159#".chars().filter_map(voxtrunk::media::event::Digit::new).collect();
    let press = Line { when: When::Quiet, act: Act::Press(keys) };
    let patience = Duration::from_secs(1);
    let uri = |name: &str| server.uri(name);
    let (echo, tone, ring, early, busy, digits, refer) = tokio::join!(
        async { recorded(&uri("echo"), vec![line], folder.path("echo.wav")).await },
        async { recorded(&uri("tone"), Vec::new(), folder.path("tone.wav")).await },
        async { call(&uri("ring"), Vec::new(), patience).await },
        async { recorded(&uri("early"), Vec::new(), folder.path("early.wav")).await },
        async { call(&uri("busy"), Vec::new(), patience).await },
        async { call(&uri("digits"), vec![press], patience).await },
        async { call(&uri("refer"), Vec::new(), patience).await },
    );
    let echoed = recognise(&echo.heard.clone().expect("recorded"), &[words, "ten of clubs"]).await;
    assert_eq!(echoed, words);
    for outcome in [&tone, &early] {
        let heard = outcome.heard.as_ref().expect("recorded");
        let hertz = frequency(heard);
        assert!((1_000.0..1_008.0).contains(&hertz), "{hertz}");
    }
    assert!((5.0..6.5).contains(&answered_after(&ring)), "{:?}", ring.moments);
    assert!((2.9..4.5).contains(&answered_after(&early)), "{:?}", early.moments);
    assert_eq!(status(&busy), 486);
    let back = digits.moments.iter().filter_map(|(_, moment)| match moment {
        Moment::Hears(key) => Some(*key),
        _ => None,
    });
    assert_eq!(back.collect::<String>(), "159#");
    assert!(refer.they_hung_up(), "{:?}", refer.ending);
    let records = server.records_of("refer", 1).await;
    assert_eq!(records[0]["end_reason"], "rejected", "the phone stays where it called");
}

/// Calls through a server whose only route leads there.
async fn through(to: &str, more: &str) -> Outcome {
    let server = Server::start(House::with(&format!("[[route]]\nto = {to:?}\n{more}\n"))).await;
    call(&server.uri("anybody"), Vec::new(), Duration::from_secs(1)).await
}

/// Has SIPp be called; gives the task that waits for its end, and its address.
fn sipp(scenario: &str) -> (JoinHandle<()>, String) {
    let scenario = Path::new(SOURCE).join("sipp-scenarios/callee").join(scenario);
    let scenario = scenario.with_extension("xml");
    let free = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
    let port = free.local_addr().expect("an address").port();
    drop(free);
    let media = if port < 60_000 { port + 2_000 } else { port - 2_000 };
    let waiting = tokio::spawn(async move {
        let folder = Folder::new();
        let mut sipp = Command::new("sipp");
        sipp.arg("-sf").arg(&scenario).args(["-i", "127.0.0.1", "-mi", "127.0.0.1"]);
        sipp.args(["-p", &port.to_string(), "-mp", &media.to_string()]);
        sipp.args(["-m", "1", "-timeout", "40s", "-timeout_error", "-nostdin", "-trace_err"]);
        sipp.current_dir(folder.path("")).stdin(Stdio::null()).kill_on_drop(true);
        let (code, screen) = finish(sipp).await;
        assert_eq!(code, Some(0), "{}\n{screen}", scenario.display());
    });
    (waiting, format!("sip:callee@127.0.0.1:{port}"))
}

fn status(outcome: &Outcome) -> u16 {
    match outcome.ending {
        Ending::Refused { status, .. } => status,
        ref other => panic!("{other:?}"),
    }
}

fn answered_after(outcome: &Outcome) -> f64 {
    let answered = outcome.times(|moment| matches!(moment, Moment::Answered { .. }));
    answered.first().expect("it was answered").as_secs_f64()
}

/// The frequency of a tone, by how often it rises through zero where it is heard without a break.
fn frequency(clip: &Frame) -> f64 {
    let rises: Vec<usize> = clip
        .samples
        .windows(2)
        .enumerate()
        .filter(|(_, pair)| pair[0] < 0 && pair[1] >= 0)
        .map(|(at, _)| at)
        .collect();
    let rate = clip.rate.0 as usize;
    let runs = rises.chunk_by(|one, two| two - one < rate / 500);
    let run = runs.max_by_key(|run| run.len()).expect("a tone");
    assert!(run.len() > 200, "a fifth of a second of it, not {}", run.len());
    let samples = run[run.len() - 1] - run[0];
    (run.len() - 1) as f64 * rate as f64 / samples as f64
}
