//! The turn model at work in the running server, on speech as it comes by telephone.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::caller::{Speaker, call, clip, play, spoken};
use super::server::{House, SOURCE, Server, said};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_turn_model_is_asked_at_each_pause_and_the_record_keeps_what_it_said() {
    let recorded = Path::new(SOURCE).join("../shared/audio/sentences/go-forward.wav");
    let first = match recorded.is_file() {
        true => clip(&recorded),
        false => spoken(Speaker::Flite("rms"), "go forward ten meters").await,
    };
    let second = spoken(Speaker::Flite("rms"), "turn left").await;
    let server = Server::start(House::with(&listener("smart"))).await;
    let lines = vec![play(&first), play(&second)];
    call(&server.uri("way"), lines, Duration::from_secs(6)).await;
    let record = server.record().await;
    let turns = record["turns"].as_array().expect("turns");
    assert_eq!(turns.len(), 2, "{record:#}");
    for turn in turns {
        let judged = &turn["turn_model"];
        assert!(judged["asked"].as_u64().is_some_and(|it| it >= 1), "{turn:#}");
        let complete = judged["complete"].as_f64().unwrap_or_else(|| panic!("{turn:#}"));
        assert!((0.0..=1.0).contains(&complete), "{turn:#}");
        assert!(judged["took_ms"].as_u64().is_some_and(|it| it < 3_000), "{turn:#}");
    }
    assert_eq!(said(&record, "agent").last().map(String::as_str), Some("Good."), "{record:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_agent_that_wants_no_turn_model_asks_none() {
    let words = spoken(Speaker::Flite("rms"), "turn left").await;
    let server = Server::start(House::with(&listener("vad"))).await;
    call(&server.uri("way"), vec![play(&words)], Duration::from_secs(6)).await;
    let record = server.record().await;
    assert_eq!(record["turns"].as_array().map(Vec::len), Some(1), "{record:#}");
    assert_eq!(record["turns"][0]["turn_model"], Value::Null);
    assert_eq!(said(&record, "agent").last().map(String::as_str), Some("Good."), "{record:#}");
}

/// An agent that waits so long for the caller to go on that even a machine with too much to do has
/// judged by then.
fn listener(detector: &str) -> String {
    format!(
        r#"
[[route]]
to = "agent:listener"

[agents.listener]
first_message = "Yes?"
prompt        = "You repeat."
llm.provider  = "rules"
stt.provider  = "pocketsphinx"
tts           = {{ provider = "flite", voice = "slt" }}
turns         = {{ detector = "{detector}", wait = "3s", wait_unclear = "3s", max_wait = "3s" }}

[[agents.listener.intents]]
id      = "way"
phrases = ["go (forward|backward) (five|ten|twenty) meters", "turn (left|right)", "stop"]
say     = "Good."
"#
    )
}
