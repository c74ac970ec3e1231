//! Warm transfers on the wire: whoever answers hears who is calling and says whether to connect; the
//! caller hears music until then, and comes back to whom it spoke with when nobody takes it.

use serde_json::{Value, json};
use voxtrunk::audio::frame::{Frame, Rate};
use voxtrunk::audio::tone::Tone;

use super::caller::{Speaker, spoken};
use super::control::Watch;
use super::deskphone::{Audio, Deskphone};
use super::ear::{hears, recognised};
use super::oversight::{Ann, answers, has_heard, phone};
use super::phones::PHONES;
use super::queues::{ended, hear_each_other};
use super::server::{House, PATIENCE, Server, said, within};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_takes_the_caller_by_a_key_is_connected() {
    let server = Server::start(house()).await;
    let mut anna = phone(&server, "101", "secret").await;
    let mut events = Watch::start(&server, &["events", "--json"]);
    let caller = Ann::calls(&server, "811").await;
    answers(&mut anna).await;
    hears(&anna.audio, 0, BRIEF, &KNOWN).await;
    hears(&anna.audio, 0, QUESTION, &KNOWN).await;
    press(&anna.audio, '1');
    events.until("bridged").await;
    hear_each_other(&caller.audio, &anna.audio).await;
    // The caller has heard music, and nothing of what was said of it.
    let texts = recognised(&caller.audio.heard(), &KNOWN).await;
    assert!(!texts.contains(BRIEF) && !texts.contains(QUESTION), "{texts}");
    caller.hangs_up().await;
    ended(&mut anna).await;
    let record = server.record().await;
    assert_eq!(outcome(&record), json!(["phone:101", "warm", null]), "{record:#}");
    assert_eq!(record["end_reason"], "caller_hangup", "{record:#}");
    assert_eq!(record["bridges"].as_array().map(Vec::len), Some(1), "{record:#}");
    let transcript = record["transcript"].to_string();
    assert!(!transcript.contains("bicycle"), "what is said to whom is asked: {transcript}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_way_in_which_nobody_takes_the_caller_is_told_and_the_flow_goes_on() {
    not_taken(&[("two", "rejected"), ("bye", "callee_hangup"), ("busy", "busy")]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_says_nothing_is_asked_again_and_then_counts_as_nobody() {
    not_taken(&[("silence", "no_answer")]).await;
}

/// Callers whom nobody takes in these ways, and why the record says that it was so.
async fn not_taken(ways: &[(&str, &str)]) {
    let server = Server::start(house()).await;
    let mut anna = phone(&server, "101", "secret").await;
    for (calls, (way, failed)) in (1..).zip(ways) {
        let mut events = Watch::start(&server, &["events", "--json"]);
        let caller = Ann::calls(&server, "811").await;
        match *way {
            "busy" => {
                let invite = anna.wait_for("INVITE ").await;
                anna.reply(&invite, "486 Busy Here", "").await;
            }
            _ => is_asked(&mut anna, way).await,
        }
        // It says so, and somebody else has the caller.
        events.until("Nobody can talk to you now.").await;
        events.until("Hello.").await;
        caller.hangs_up().await;
        let record = last_of(&server, calls).await;
        assert_eq!(outcome(&record), json!(["phone:101", "warm", failed]), "{way}: {record:#}");
        let told = said(&record, "agent");
        let words = ["One moment.", "Nobody can talk to you now.", "Hello."];
        assert_eq!(told, words, "{way}: {record:#}");
    }
}

/// Somebody is asked, and does not take the call.
async fn is_asked(anna: &mut Deskphone, way: &str) {
    let known = anna.audio.heard().samples.len();
    let dialog = answers(anna).await;
    hears(&anna.audio, known, BRIEF, &KNOWN).await;
    match way {
        "two" => press(&anna.audio, '2'),
        "bye" => {
            anna.ask(&dialog, "BYE", "").await;
            return;
        }
        // It is asked twice, and then no more.
        _ => {}
    }
    ended(anna).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_caller_who_does_not_wait_leaves_nobody_on_the_line() {
    let server = Server::start(house()).await;
    let mut anna = phone(&server, "101", "secret").await;
    let caller = Ann::calls(&server, "811").await;
    answers(&mut anna).await;
    hears(&anna.audio, 0, BRIEF, &KNOWN).await;
    caller.hangs_up().await;
    ended(&mut anna).await;
    let record = server.record().await;
    assert_eq!(outcome(&record), json!(["phone:101", "warm", "caller_hangup"]), "{record:#}");
    assert_eq!(record["end_reason"], "caller_hangup", "{record:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_agent_hears_that_nobody_came_and_goes_on_with_its_caller() {
    let server = Server::start(house()).await;
    let mut anna = phone(&server, "101", "secret").await;
    let mut events = Watch::start(&server, &["events", "--json"]);
    let caller = Ann::calls(&server, "810").await;
    hears(&caller.audio, 0, "hello", &KNOWN).await;
    caller.audio.say(&spoken(Speaker::Flite("rms"), "the sales please").await);
    answers(&mut anna).await;
    // The words of the operator, with what is known of the caller.
    hears(&anna.audio, 0, "somebody wants to buy", &KNOWN).await;
    press(&anna.audio, '2');
    ended(&mut anna).await;
    // The agent hears its caller again.
    events.until("nobody could be reached there").await;
    within(PATIENCE, "quiet", || has_heard(&caller.audio, 0)).await;
    let known = caller.audio.heard().samples.len();
    caller.audio.say(&spoken(Speaker::Flite("rms"), "what are your opening hours").await);
    hears(&caller.audio, known, HOURS, &KNOWN).await;
    within(PATIENCE, "quiet", || has_heard(&caller.audio, 0)).await;
    // And may try once more.
    let known = anna.audio.heard().samples.len();
    caller.audio.say(&spoken(Speaker::Flite("rms"), "the sales please").await);
    answers(&mut anna).await;
    hears(&anna.audio, known, QUESTION, &KNOWN).await;
    press(&anna.audio, '1');
    events.until("bridged").await;
    hear_each_other(&caller.audio, &anna.audio).await;
    caller.hangs_up().await;
    ended(&mut anna).await;
    let record = server.record().await;
    let transfers = record["transfers"].as_array().expect("transfers");
    let failed: Vec<&Value> = transfers.iter().map(|it| &it["reason"]).collect();
    assert_eq!(failed, [&json!("rejected"), &Value::Null], "{record:#}");
    assert_eq!(record["legs"][1]["end_reason"], "rejected", "{record:#}");
    assert_eq!(said(&record, "caller").len(), 3, "what Anna does is not the caller's: {record:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_member_of_a_queue_leaves_the_caller_to_the_next_one() {
    let server = Server::start(house()).await;
    let mut anna = phone(&server, "101", "secret").await;
    let mut ben = phone(&server, "102", "other").await;
    let mut events = Watch::start(&server, &["events", "--json"]);
    let caller = Ann::calls(&server, "812").await;
    answers(&mut anna).await;
    hears(&anna.audio, 0, BRIEF, &KNOWN).await;
    press(&anna.audio, '2');
    ended(&mut anna).await;
    answers(&mut ben).await;
    hears(&ben.audio, 0, BRIEF, &KNOWN).await;
    press(&ben.audio, '1');
    events.until("bridged").await;
    hear_each_other(&caller.audio, &ben.audio).await;
    caller.hangs_up().await;
    ended(&mut ben).await;
    let record = server.record().await;
    assert_eq!(record["queues"][0]["left"], "answered", "{record:#}");
    assert_eq!(record["bridges"].as_array().map(Vec::len), Some(1), "{record:#}");
}

/// Where the last transfer of a call went, how, and why it failed.
fn outcome(record: &Value) -> Value {
    let transfer = record["transfers"].as_array().and_then(|all| all.last());
    let transfer = transfer.cloned().unwrap_or_default();
    json!([transfer["to"], transfer["kind"], transfer["reason"]])
}

/// The record of the call that ended last.
async fn last_of(server: &Server, calls: usize) -> Value {
    let mut records = server.records(calls).await;
    records.sort_by_key(|record| record["started_at"].as_str().map(str::to_owned));
    records.pop().expect("a record")
}

/// Presses a key in the band, with a pause behind it.
pub fn press(audio: &Audio, key: char) {
    let mut tone = Tone::key(Rate::NARROW, key).expect("a key").at(0.3);
    let samples = tone.play(std::time::Duration::from_millis(120));
    audio.say(&Frame { rate: Rate::NARROW, samples });
    audio.say(&Frame { rate: Rate::NARROW, samples: vec![0; 1_200] });
}

const KNOWN: [&str; 7] =
    [BRIEF, QUESTION, "or two to leave it", HOURS, "hello", "one moment", "somebody wants to buy"];
const BRIEF: &str = "a customer wants to buy a bicycle";
const QUESTION: &str = "press one or say yes to take the call";
const HOURS: &str = "we are open from nine to six";

fn house() -> House {
    House::with(DIALPLAN).and(PHONES)
}

const DIALPLAN: &str = r#"
[[route]]
ext = "810"
to  = "agent:desk"

[[route]]
ext = "811"
to  = "flow:shop"

[[route]]
ext = "812"
to  = "queue:sales"

[defaults.agent]
stt.provider = "pocketsphinx"
tts          = { provider = "flite", voice = "slt" }

[agents.desk]
first_message = "Hello."
tools         = ["transfer_call", "end_call"]

[agents.desk.transfers.sales]
to    = "phone:101"
say   = "One moment."
mode  = "warm"
brief = "Somebody wants to buy"

[[agents.desk.intents]]
id      = "sales"
phrases = ["[the] sales [please]"]
action  = "transfer_call:sales"

[[agents.desk.intents]]
id      = "hours"
phrases = ["what are your opening hours"]
say     = ["We are open from nine to six."]

[flows.shop]
agent = "desk"
start = "sales"

[flows.shop.nodes.sales]
type  = "transfer"
say   = "One moment."
to    = "phone:101"
mode  = "warm"
brief = "A customer wants to buy a bicycle."
else  = "sorry"

[flows.shop.nodes.sorry]
type = "transfer"
say  = "Nobody can talk to you now."
to   = "agent:desk"

[queues.sales]
members  = ["phone:101", "phone:102"]
brief    = "A customer wants to buy a bicycle."
retry    = "60s"
"#;
