//! A language model that fails in the middle of calls.

use std::time::Duration;

use serde_json::Value;
use tokio::task::JoinSet;
use voxtrunk::engine::phone::Moment;

use super::caller::{Outcome, Speaker, call, recorded, say};
use super::ear::{recognise, utterances};
use super::server::{House, Server, said};
use crate::fakes::chat_server::{Behaviour, ChatServer, KEY};

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_never_waits_in_silence_for_a_model_that_fails() {
    let refuses = |status, code| Behaviour::Refuses { status, retry_after: Some(1), code };
    let cases = [
        ("never", Behaviour::NeverAnswers),
        ("stalls", Behaviour::StallsAfter("")),
        ("overrun", refuses(429, "rate_limit_exceeded")),
        ("broken", refuses(500, "server_error")),
        ("garbage", Behaviour::Garbage),
        ("cut", Behaviour::BreaksOffAfter("")),
    ];
    let mut fakes = Vec::new();
    for (name, fault) in cases {
        fakes.push((name, ChatServer::start(vec![fault, Behaviour::Says(ANSWER)]).await));
    }
    let server = Server::start(house(&fakes)).await;
    let question = say(Speaker::Flite("rms"), "what are your opening hours").await;
    let mut calls = JoinSet::new();
    for (name, _) in &fakes {
        let (target, lines) = (server.uri(name), vec![question.clone(), question.clone()]);
        calls.spawn(async move { call(&target, lines, Duration::from_secs(6)).await });
    }
    let outcomes = calls.join_all().await;
    for outcome in &outcomes {
        assert!(outcome.we_hung_up(), "{outcome:#?}");
        println!("silence after each line: {:?}", silences(outcome));
        // How soon, tests tell that have a clock of their own (`calls::minds`).
        let is_answered = |silence: &Duration| *silence < Duration::MAX;
        assert!(silences(outcome).iter().all(is_answered), "{outcome:#?}");
    }
    let records = server.records(fakes.len()).await;
    for record in &records {
        let name = record["to"]["number"].as_str().expect("a number");
        let lines = said(record, "agent");
        let failure = lines.iter().position(|line| line.contains("I could not find an answer"));
        let failure = failure.unwrap_or_else(|| panic!("{name}: no fallback: {lines:?}"));
        let rest = &lines[failure..];
        assert!(rest.iter().any(|line| line.contains("nine to six")), "{name}: {lines:?}");
        let held = lines.iter().any(|line| line.contains("One moment"));
        assert_eq!(held, ["never", "stalls"].contains(&name), "{name}: {lines:?}");
    }
    assert_no_complaints(&fakes);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_comes_byte_by_byte_is_spoken_whole() {
    let fakes = [("slow", ChatServer::start(vec![Behaviour::SaysByteByByte(ANSWER)]).await)];
    let server = Server::start(house(&fakes)).await;
    let question = say(Speaker::Flite("awb"), "what are your opening hours").await;
    let outcome = call(&server.uri("slow"), vec![question], Duration::from_secs(2)).await;
    assert!(outcome.we_hung_up());
    let record = server.record().await;
    assert_eq!(said(&record, "agent").join(" "), format!("Hello? {ANSWER}"));
    assert_no_complaints(&fakes);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_ends_the_call_is_heard_to_its_last_word() {
    let ends = Behaviour::Calls { text: "", tool: "end_call", arguments: "{}" };
    let fakes = [("ends", ChatServer::start(vec![ends]).await)];
    let server = Server::start(house(&fakes)).await;
    let goodbye = say(Speaker::Flite("rms"), "goodbye").await;
    let path = server.folder.path("phone.wav");
    let outcome = recorded(&server.uri("ends"), vec![goodbye], path).await;
    assert!(outcome.they_hung_up(), "{outcome:#?}");
    let heard = outcome.heard.as_ref().expect("it was recorded");
    let last = utterances(heard).pop().expect("an utterance");
    let sentences = ["hello", "thank you and goodbye", "thank you", "thank you and"];
    assert_eq!(recognise(&last, &sentences).await, "thank you and goodbye");

    let over = outcome.times(|moment| matches!(moment, Moment::Over(_)))[0];
    let voiced = outcome.moments.iter().filter_map(|(_, moment)| match moment {
        Moment::TheyStop { last_voiced } => Some(*last_voiced),
        _ => None,
    });
    assert!(voiced.max().expect("it spoke") < over, "{:#?}", outcome.moments);
    let record = server.record().await;
    assert_eq!(record["end_reason"], "agent_ended");
    assert_eq!(record["tools"][0]["name"], "end_call");
    assert_no_complaints(&fakes);
}

/// How long the caller heard nothing after each line of his.
fn silences(outcome: &Outcome) -> Vec<Duration> {
    let said = outcome.times(|moment| *moment == Moment::Said);
    let spoke = outcome.times(|moment| *moment == Moment::TheySpeak);
    let after =
        |at: &Duration| spoke.iter().find(|it| *it > at).map_or(Duration::MAX, |it| *it - *at);
    said.iter().map(after).collect()
}

fn assert_no_complaints(fakes: &[(&str, ChatServer)]) {
    for (name, fake) in fakes {
        assert_eq!(fake.complaints(), Vec::<String>::new(), "{name}");
        let requests = fake.requests();
        let asked = |body: &Value| body["messages"].as_array().is_some_and(|it| it.len() >= 2);
        assert!(!requests.is_empty() && requests.iter().all(asked), "{name}: {requests:?}");
    }
}

/// A house with an agent and a provider for each fake, by the name of its extension.
fn house(fakes: &[(&str, ChatServer)]) -> House {
    let (mut dialplan, mut settings) = (String::new(), String::new());
    for (name, fake) in fakes {
        settings.push_str(&format!(
            "[providers.{name}]\nkind = \"openai-compatible\"\nbase_url = {:?}\n\
             model = \"tiny\"\napi_key = {KEY:?}\n",
            fake.base_url()
        ));
        dialplan.push_str(&format!(
            "[[route]]\ndid = \"{name}\"\nto = \"agent:{name}\"\n\
             [agents.{name}]\nextends = \"base\"\nllm.provider = \"{name}\"\n"
        ));
    }
    House::with(&(dialplan + BASE)).and(&settings)
}

const BASE: &str = r#"
[agents.base]
first_message = "Hello?"
disclosure    = "none"
disclosure_reason = "another test hears it"
goodbye       = "Thank you and goodbye."
prompt        = "You are a porter. Be brief."
llm.provider  = "rules"
stt.provider  = "pocketsphinx"
tts           = { provider = "flite", voice = "slt" }
# One request for a turn, so that the fake can count them.
turns.preemptive       = false
# The apology follows the holding phrase before the caller takes the pause for an end.
fallback.give_up_after = "2200ms"

[[agents.base.intents]]
id      = "hours"
phrases = ["what are your opening hours"]
say     = "This is what the rules would say."

[[agents.base.intents]]
id      = "goodbye"
phrases = ["goodbye"]
action  = "end_call"
"#;

const ANSWER: &str = "We are open from nine to six.";
