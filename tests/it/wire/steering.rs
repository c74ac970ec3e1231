//! Operators and programs lead a call that is up: it is sent to a phone, to an agent, into a queue and
//! out of it; its agent says what it is told; keys are pressed.

use std::time::Duration;

use serde_json::{Value, json};
use voxtrunk::engine::phone::Moment;

use super::caller::{Speaker, call, spoken};
use super::control::{ask, eventually, told};
use super::ear::hears;
use super::http::started;
use super::oversight::{Ann, answers, phone, so_far};
use super::phones::PHONES;
use super::queues::{ended, hear_each_other};
use super::server::{House, PATIENCE, Server, said};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_caller_is_sent_from_an_agent_to_phones_and_back() {
    let server = Server::start(House::with(DIALPLAN).and(PHONES)).await;
    let ann = Ann::calls(&server, "901").await;
    hears(&ann.audio, 0, GREETING, &KNOWN).await;
    let call = ann.id(&server).await;

    let known = so_far(&ann.audio).await;
    let out = told(&server, &["call", "say", &call, "The office is closed on Sunday."]).await;
    assert!(out.contains("desk says it"), "{out}");
    hears(&ann.audio, known, CLOSED, &KNOWN).await;

    // Nobody is there: the agent has its caller again, and knows why.
    told(&server, &["call", "transfer", &call, "102"]).await;
    let known = ann.audio.heard().samples.len();
    eventually(&server, &["call", "show", &call, "--json"], |it| it["doing"] == "agent").await;
    ann.audio.say(&spoken(Speaker::Flite("rms"), QUESTION).await);
    hears(&ann.audio, known, ANSWER, &KNOWN).await;

    let mut ben = phone(&server, "102", "other").await;
    let out = told(&server, &["call", "transfer", &call, "102"]).await;
    assert!(out.contains("is being sent to phone:102"), "{out}");
    answers(&mut ben).await;
    hear_each_other(&ann.audio, &ben.audio).await;
    let (code, _, why) = ask(&server, &["call", "say", &call, "Hello"]).await;
    assert!(code == Some(2) && why.contains("no agent has the line"), "{why}");
    let warm = ["call", "transfer", &call, "101", "--mode", "warm"];
    let (code, _, why) = ask(&server, &warm).await;
    assert!(code == Some(2) && why.contains("two people talk"), "{why}");
    for (to, told) in [
        ("agnet:desk", "not a kind"),
        ("webhook:https://app.example.com/", "takes over"),
        ("tel:x", "x"),
    ] {
        let (code, _, why) = ask(&server, &["call", "transfer", &call, to]).await;
        assert!(code == Some(2) && why.contains(told), "{to}: {why}");
    }

    // Of two who talk, one is sent on, and the other is free when somebody has answered.
    let mut boss = phone(&server, "101", "secret").await;
    told(&server, &["call", "transfer", &call, "101"]).await;
    answers(&mut boss).await;
    ended(&mut ben).await;
    hear_each_other(&ann.audio, &boss.audio).await;

    let known = so_far(&ann.audio).await;
    told(&server, &["call", "transfer", &call, "agent:desk"]).await;
    ended(&mut boss).await;
    hears(&ann.audio, known, GREETING, &KNOWN).await;
    ann.hangs_up().await;
    let record = server.record().await;
    assert_eq!(record["end_reason"], "caller_hangup", "{record:#}");
    let transfers = record["transfers"].as_array().expect("transfers");
    let came: Vec<(&Value, bool)> =
        transfers.iter().map(|it| (&it["to"], it["outcome"] == "worked")).collect();
    let expected =
        [(&json!("phone:102"), false), (&json!("phone:102"), true), (&json!("phone:101"), true)];
    assert_eq!(came[..3], expected, "{record:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_caller_is_taken_out_of_a_queue_a_room_and_a_voicemail() {
    let server = Server::start(House::with(DIALPLAN).and(PHONES)).await;
    for (extension, doing) in [("902", "queued"), ("903", "conference"), ("904", "voicemail")] {
        let ann = Ann::calls(&server, extension).await;
        let call = ann.id(&server).await;
        let show = ["call", "show", &call, "--json"];
        eventually(&server, &show, |it| it["doing"] == doing).await;
        let known = ann.audio.heard().samples.len();
        // What is not there takes nobody from where it is.
        told(&server, &["call", "transfer", &call, "agent:nobody"]).await;
        eventually(&server, &show, |it| it["doing"] == doing).await;
        told(&server, &["call", "transfer", &call, "agent:desk"]).await;
        hears(&ann.audio, known, GREETING, &KNOWN).await;
        ann.hangs_up().await;
    }
    for extension in ["902", "903", "904"] {
        let record = server.records_of(extension, 1).await.remove(0);
        assert_eq!(record["transfers"][0]["reason"], "no_route", "{record:#}");
        // What is heard is told when it is heard to its end, or as far as it was heard.
        let last = said(&record, "agent").pop().unwrap_or_default();
        assert!(last.starts_with("Welcome"), "{record:#}");
        if extension == "902" {
            assert_eq!(record["queues"][0]["left"], "transferred", "{record:#}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn programs_press_keys_and_say_the_last_words() {
    let (server, api) = started(House::with(DIALPLAN).and(PHONES)).await;
    let api = api.with(&server, "operate").await;
    let leading = async {
        let up = eventually(&server, &["call", "list", "--json"], |it| {
            it["data"][0]["doing"] == "agent" && !it["data"][0]["answered_ms"].is_null()
        });
        let call = up.await["data"][0]["id"].as_str().expect("an identity").to_owned();
        let order = async |what: &str, body: Value| {
            let answer = api.post(&format!("/v1/calls/{call}/{what}"), body).await;
            (answer.status().as_u16(), answer.json::<Value>().await.expect("JSON"))
        };
        for (what, wrong) in [
            ("dtmf", json!({ "digits": "12x" })),
            ("dtmf", json!({ "digits": "" })),
            ("say", json!({ "text": " " })),
            ("transfer", json!({ "to": "agent:desk", "mode": "warm" })),
            ("transfer", json!({ "to": "phone:102", "brief": "It is Ann." })),
        ] {
            let (status, why) = order(what, wrong.clone()).await;
            assert_eq!(status, 409, "{what} {wrong} {why:#}");
        }
        assert_eq!(order("dtmf", json!({ "digits": "12#" })).await.0, 202);
        let (status, told) = order("say", json!({ "text": LAST_WORDS, "end": true })).await;
        assert_eq!((status, &told["agent"]), (202, &json!("desk")), "{told:#}");
    };
    let uri = server.uri("901");
    let (outcome, ()) = tokio::join!(call(&uri, Vec::new(), PATIENCE), leading);
    assert!(outcome.they_hung_up(), "{:?}", outcome.ending);
    let keys: String = outcome
        .moments
        .iter()
        .filter_map(|(_, it)| match it {
            Moment::Hears(key) => Some(*key),
            _ => None,
        })
        .collect();
    assert_eq!(keys, "12#");
    let record = server.record().await;
    assert_eq!(record["end_reason"], "agent_ended", "{record:#}");
    assert_eq!(said(&record, "agent").last().map(String::as_str), Some(LAST_WORDS), "{record:#}");
    assert!(record["duration_ms"].as_u64() > Some(Duration::from_secs(1).as_millis() as u64));
}

const DIALPLAN: &str = r#"
[[route]]
did = "902"
to  = "queue:sales"

[[route]]
did = "903"
to  = "conference:board"

[[route]]
did = "904"
to  = "voicemail:office"

[[route]]
to = "agent:desk"

[queues.sales]
members = ["phone:102"]

[voicemail.office]
max_length = "1m"

[agents.desk]
first_message = "Welcome to the shop."
silence       = { remind_after = "5m", hangup_after = "10m" }
llm           = { provider = "rules" }
stt           = { provider = "pocketsphinx" }
tts           = { provider = "flite", voice = "slt" }

[[agents.desk.intents]]
id      = "hours"
phrases = ["what are your opening hours"]
say     = "We are open from nine to six."
"#;

const GREETING: &str = "welcome to the shop";

const CLOSED: &str = "the office is closed on sunday";

const QUESTION: &str = "what are your opening hours";

const ANSWER: &str = "we are open from nine to six";

const LAST_WORDS: &str = "Goodbye, and thank you.";

const KNOWN: [&str; 4] = [GREETING, CLOSED, QUESTION, ANSWER];
