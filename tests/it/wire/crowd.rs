//! Twenty callers at once.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::task::JoinSet;

use super::caller::{Outcome, Speaker, call, say};
use super::server::{House, Server, said};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn twenty_callers_at_once_are_each_understood() {
    let server = Server::start(House::brief_demo()).await;
    let mut lines = Vec::new();
    for (at, sentence) in SENTENCES.iter().enumerate() {
        let voice = Speaker::Flite(["rms", "awb", "kal16"][at % 3]);
        lines.push((format!("desk-{at}"), say(voice, sentence).await));
    }
    let mut calls = JoinSet::new();
    for (extension, line) in lines {
        let target = server.uri(&extension);
        calls.spawn(async move { call(&target, vec![line], Duration::from_secs(2)).await });
    }
    let outcomes: Vec<Outcome> = calls.join_all().await;
    let lost = outcomes.iter().filter(|outcome| !outcome.we_hung_up()).count();
    assert_eq!(lost, 0, "{outcomes:#?}");

    let records = server.records(SENTENCES.len()).await;
    assert_eq!(records.len(), SENTENCES.len());
    let mut texts = BTreeMap::new();
    for record in &records {
        assert_eq!(record["end_reason"], "caller_hangup");
        let rtp = &record["legs"][0]["rtp"];
        let count = |name: &str| rtp[name].as_u64().expect("a count");
        assert_eq!((count("lost"), count("discarded")), (0, 0), "{rtp}");
        // Both sides send fifty packets a second from the answer on.
        let seconds = record["duration_ms"].as_f64().expect("a duration") / 1_000.0;
        for name in ["received", "sent"] {
            let rate = count(name) as f64 / seconds;
            assert!((45.0..55.0).contains(&rate), "{name}: {rate} a second");
        }
        assert!(rtp["jitter_ms"].as_f64().expect("a time") < 100.0, "{rtp}");
        let extension = record["to"]["number"].as_str().expect("a number").to_owned();
        texts.insert(extension, said(record, "caller").join(" "));
    }
    let understood = |at: &usize| texts[&format!("desk-{at}")] == SENTENCES[*at];
    let right = (0..SENTENCES.len()).filter(understood).count();
    assert!(right >= 19, "{right} of {} were understood: {texts:#?}", SENTENCES.len());
}

const SENTENCES: [&str; 20] = [
    "what are your opening hours",
    "tell me the opening hours",
    "when are you open",
    "what time do you close",
    "how late are you open",
    "are you open on saturday",
    "what are your business hours",
    "i would like to book an appointment",
    "i need an appointment on monday",
    "my bike is broken",
    "i have a flat tire",
    "can you fix my bicycle",
    "how much is a repair",
    "how much do you charge",
    "what are your prices",
    "what is your address",
    "where is your shop",
    "give me directions to your shop",
    "thank you very much",
    "do you sell electric bikes",
];
