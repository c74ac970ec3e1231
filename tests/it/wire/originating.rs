//! Calls that we begin, on the wire: somebody is called, and an agent speaks when it answers.

use std::time::Duration;

use serde_json::json;
use voxtrunk::audio::frame::Rate;
use voxtrunk::audio::resample;
use voxtrunk::audio::tone::Tone;

use super::caller::{Speaker, spoken};
use super::control::{Watch, ask, told};
use super::oversight::{answers, phone};
use super::phones::PHONES;
use super::server::{House, PATIENCE, Server, said, within};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_is_called_speaks_with_the_agent_that_is_wanted() {
    let server = Server::start(House::with(DIALPLAN).and(PHONES)).await;
    let mut anna = phone(&server, "101", "secret").await;
    let mut events = Watch::start(&server, &["events", "--json"]);
    let order = ["call", "originate", "--to", "phone:101", "--agent", "caller"];
    let order = [&order[..], &["--from", "+4971112340", "--set", "who=Anna", "--json"]].concat();
    let (code, told, why) = ask(&server, &order).await;
    assert_eq!(code, Some(0), "{why}");
    let invite = anna.wait_for("INVITE ").await;
    assert!(invite.contains("<sip:+4971112340@"), "{invite}");
    let dialog = anna.answer(&invite).await;
    anna.wait_for("ACK ").await;
    let spoken = || anna.audio.heard().samples.iter().any(|it| it.unsigned_abs() > 2_000);
    within(PATIENCE, "the agent", || spoken().then_some(())).await;
    events.until("Good morning, Anna.").await;
    anna.ask(&dialog, "BYE", "").await;
    let record = server.record().await;
    assert!(told.contains(record["id"].as_str().expect("an identity")), "{told}");
    assert_eq!(record["direction"], "outbound", "{record:#}");
    assert_eq!(
        (&record["status"], &record["end_reason"]),
        (&json!("completed"), &json!("callee_hangup"))
    );
    assert_eq!(record["from"]["number"], "+4971112340", "{record:#}");
    assert_eq!(record["legs"].as_array().map(Vec::len), Some(1), "{record:#}");
    assert_eq!(said(&record, "agent"), ["Good morning, Anna."], "{record:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_call_that_nobody_takes_ends_with_the_reason() {
    let server = Server::start(House::with(DIALPLAN).and(PHONES)).await;
    let mut anna = phone(&server, "101", "secret").await;
    let answers = [
        ("486 Busy Here", "busy", "busy"),
        ("603 Decline", "failed", "rejected"),
        ("404 Not Found", "failed", "rejected"),
    ];
    for (count, (answer, status, reason)) in answers.into_iter().enumerate() {
        told(&server, &["call", "originate", "--to", "phone:101", "--agent", "caller"]).await;
        let invite = anna.wait_for("INVITE ").await;
        anna.reply(&invite, answer, "").await;
        let record = server.records(count + 1).await.remove(count);
        assert_eq!((&record["status"], &record["end_reason"]), (&json!(status), &json!(reason)));
        assert_eq!(record["answered_at"], json!(null), "{record:#}");
    }
    // Nobody may be called there, or nobody is there to speak.
    for (to, then, words) in [
        ("phone:101", "agent:nobody", "`agent:nobody` is not there"),
        ("busy", "agent:caller", "nobody can be called at `busy`"),
        ("tel:12", "agent:caller", "to: "),
    ] {
        let (code, _, why) = ask(&server, &["call", "originate", "--to", to, "--then", then]).await;
        assert_eq!(code, Some(2), "{why}");
        assert!(why.contains(words), "{why}");
    }
    // A number that no rule allows is blocked before anybody is called.
    told(&server, &["call", "originate", "--to", "+8821234567", "--agent", "caller"]).await;
    let record = server.records(4).await.remove(3);
    assert_eq!(record["end_reason"], "blocked", "{record:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_call_of_ours_brings_two_people_together_or_comes_into_a_queue() {
    let server = Server::start(House::with(DIALPLAN).and(PHONES)).await;
    let mut anna = phone(&server, "101", "secret").await;
    let mut ben = phone(&server, "102", "other").await;
    for (count, then) in ["phone:102", "queue:back", "flow:ask"].into_iter().enumerate() {
        told(&server, &["call", "originate", "--to", "phone:101", "--then", then]).await;
        let dialog = answers(&mut anna).await;
        if then != "flow:ask" {
            answers(&mut ben).await;
            super::queues::hear_each_other(&anna.audio, &ben.audio).await;
        }
        anna.ask(&dialog, "BYE", "").await;
        if then != "flow:ask" {
            super::queues::ended(&mut ben).await;
        }
        let record = server.records(count + 1).await.remove(count);
        assert_eq!(record["end_reason"], "callee_hangup", "{then}: {record:#}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_machine_has_a_message_left_after_its_tone_and_a_person_has_the_agent() {
    let server = Server::start(House::with(DIALPLAN).and(PHONES)).await;
    let mut anna = phone(&server, "101", "secret").await;
    let mut events = Watch::start(&server, &["events", "--json"]);
    let order =
        ["call", "originate", "--to", "phone:101", "--agent", "caller", "--set", "who=Anna"];
    let drop = ["--drop", "Please call us back, {{ who }}."];

    told(&server, &[&order[..], &drop].concat()).await;
    let invite = anna.wait_for("INVITE ").await;
    anna.answer(&invite).await;
    anna.wait_for("ACK ").await;
    let words = "This is nobody, and nobody is at home today, so nobody will come to the phone.";
    let mut greeting = resample::convert(&spoken(Speaker::Flite("rms"), words).await, Rate(8_000));
    greeting.samples.extend(vec![0; 4_000]);
    let tone = greeting.samples.len();
    greeting.samples.extend(Tone::sine(Rate(8_000), 1_000.0).play(Duration::from_millis(500)));
    anna.audio.say(&greeting);
    events.until("\"verdict\":\"machine\"").await;
    // The message is over, and so is the call: nobody waits for the machine.
    let bye = anna.wait_for("BYE ").await;
    anna.reply(&bye, "200 OK", "").await;
    let record = server.record().await;
    assert_eq!(record["amd"]["verdict"], "machine", "{record:#}");
    assert_eq!(record["amd"]["message_left"], true, "{record:#}");
    assert_eq!(record["end_reason"], "voicemail", "{record:#}");
    assert_eq!(said(&record, "agent"), ["Please call us back, Anna."], "{record:#}");
    // What was said while the greeting was read would not have been kept.
    let heard = anna.audio.heard();
    let first = heard.samples.iter().position(|it| it.unsigned_abs() > 1_500).expect("a message");
    assert!(first > tone, "{first} before the tone at {tone}");

    told(&server, &[&order[..], &drop].concat()).await;
    let invite = anna.wait_for("INVITE ").await;
    let dialog = anna.answer(&invite).await;
    anna.wait_for("ACK ").await;
    anna.audio.say(&spoken(Speaker::Flite("slt"), "Hello?").await);
    events.until("\"verdict\":\"human\"").await;
    events.until("Good morning, Anna.").await;
    anna.ask(&dialog, "BYE", "").await;
    let record = server.records(2).await.remove(1);
    assert_eq!(record["amd"]["verdict"], "human", "{record:#}");
    assert_eq!(record["amd"]["message_left"], false, "{record:#}");

    // Files are named by the operator's files only.
    let (code, _, why) = ask(&server, &[&order[..], &["--drop", "secret.wav"]].concat()).await;
    assert!(code == Some(2) && why.contains("`message` is a text here"), "{why}");
    let queue = ["call", "originate", "--to", "phone:101", "--then", "queue:back", "--drop", "Hi."];
    let (code, _, why) = ask(&server, &queue).await;
    assert!(code == Some(2) && why.contains("no voice"), "{why}");
}

const DIALPLAN: &str = r#"
[[route]]
to = "hangup:404"

[defaults.agent]
stt.provider = "pocketsphinx"
tts          = { provider = "flite", voice = "slt" }

[agents.caller]
first_message = "Good morning, {{ who }}."

[queues.back]
members = ["phone:102"]

[flows.ask]
agent = "caller"
start = "end"

[flows.ask.nodes.end]
type = "end"
say  = "This is a long sentence that nobody hears to its end, since she hangs up before that."
"#;
