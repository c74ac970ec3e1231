//! Queues on the wire: callers wait with music and hear where they stand, phones are rung one after
//! the other, and who waits too long goes elsewhere.

use std::time::Duration;

use serde_json::{Value, json};
use voxtrunk::audio::dtmf::Detector;
use voxtrunk::audio::frame::{Frame, Rate};
use voxtrunk::audio::tone::Tone;
use voxtrunk::engine::phone::{Act, Line, When};
use voxtrunk::media::event::Digit;

use super::caller::{call, call_from};
use super::control::{Watch, ask, told};
use super::deskphone::{Audio, Deskphone};
use super::oversight::{Ann, answers, phone};
use super::server::{House, PATIENCE, Server, said, within};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn three_callers_are_served_by_two_phones_in_their_order() {
    let server = Server::start(house()).await;
    let mut anna = phone(&server, "101", "secret").await;
    let mut ben = phone(&server, "102", "other").await;
    let mut events = Watch::start(&server, &["events", "--json"]);
    let first = Ann::calls(&server, "800").await;
    let with_first = answers(&mut anna).await;
    hear_each_other(&first.audio, &anna.audio).await;
    // The second one rings at the other phone, which is busy.
    let second = Ann::calls(&server, "800").await;
    let invite = ben.wait_for("INVITE ").await;
    ask(&server, &["queue", "pause", "102"]).await;
    ben.reply(&invite, "486 Busy Here", "").await;
    let third = Ann::calls(&server, "801").await;
    let queues = standing(&server, |queue| queue["waiting"] == 2).await;
    let state = |phone: &str| {
        let members = queues["members"].as_array().expect("members");
        let member = members.iter().find(|it| it["to"] == phone).expect("it serves");
        member["state"].clone()
    };
    assert_eq!(state("phone:101"), "talking", "{queues:#}");
    // Who came later matters more: the route says so.
    ask(&server, &["queue", "resume", "102"]).await;
    let with_third = answers(&mut ben).await;
    hear_each_other(&third.audio, &ben.audio).await;
    events.until("You are number 1 in the queue.").await;
    loud(&second.audio).await;
    // Anna hangs up, and has the next one.
    anna.ask(&with_first, "BYE", "").await;
    let with_second = answers(&mut anna).await;
    hear_each_other(&second.audio, &anna.audio).await;
    second.hangs_up().await;
    ended(&mut anna).await;
    third.hangs_up().await;
    ended(&mut ben).await;
    drop((with_second, with_third));

    let records = server.records(3).await;
    let queued: Vec<&Value> = records.iter().map(|record| &record["queues"][0]).collect();
    assert!(
        queued.iter().all(|it| it["queue"] == "sales" && it["left"] == "answered"),
        "{queued:#?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_member_that_is_paused_is_not_rung_until_it_works_again() {
    let server = Server::start(house()).await;
    let mut anna = phone(&server, "101", "secret").await;
    let mut ben = phone(&server, "102", "other").await;
    let (code, text, _) = ask(&server, &["queue", "pause", "101"]).await;
    assert_eq!((code, text.as_str()), (Some(0), "phone:101 takes no callers.\n"));
    let list = told(&server, &["queue", "list"]).await;
    assert!(list.contains("phone:101") && list.contains("paused"), "{list}");
    let (code, _, why) = ask(&server, &["queue", "pause", "105"]).await;
    assert_eq!(code, Some(2));
    assert!(why.contains("`phone:105` serves no queue"), "{why}");
    let first = Ann::calls(&server, "800").await;
    let with_first = answers(&mut ben).await;
    let second = Ann::calls(&server, "800").await;
    standing(&server, |queue| queue["waiting"] == 1).await;
    ask(&server, &["queue", "resume", "101"]).await;
    let with_second = answers(&mut anna).await;
    // The member leaves: so does its caller.
    ben.ask(&with_first, "BYE", "").await;
    anna.ask(&with_second, "BYE", "").await;
    drop((first, second));
    for record in server.records(2).await {
        assert_eq!(record["end_reason"], "callee_hangup", "{record:#}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_waits_too_long_goes_elsewhere_or_back_to_where_it_came_from() {
    let server = Server::start(house()).await;
    // Nobody is there: the queue ends at an agent.
    call(&server.uri("802"), Vec::new(), Duration::from_secs(8)).await;
    let record = &server.records_of("802", 1).await[0];
    assert_eq!(record["queues"][0]["left"], "timeout", "{record:#}");
    assert_eq!(said(record, "agent"), ["Nobody is there."], "{record:#}");
    // From a menu it comes back to the menu, which is said again.
    call(&server.uri("803"), vec![press("1")], Duration::from_secs(15)).await;
    let record = &server.records_of("803", 1).await[0];
    let agents = json!(["menu:main", "menu:main", "lonely"]);
    assert_eq!(record["agents"], agents, "{record:#}");
    let menu = "For sales press one.";
    assert_eq!(said(record, "agent"), [menu, menu, "Nobody is there."], "{record:#}");
    // From a flow the flow goes on.
    call(&server.uri("804"), Vec::new(), Duration::from_secs(8)).await;
    let record = &server.records_of("804", 1).await[0];
    assert_eq!(record["nodes"].as_array().map(Vec::len), Some(2), "{record:#}");
    assert_eq!(said(record, "agent"), ["One moment.", "Please call later."], "{record:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_full_queue_takes_nobody_and_who_hangs_up_makes_room() {
    let server = Server::start(house()).await;
    let first = Ann::calls(&server, "805").await;
    loud(&first.audio).await;
    let outcome = call(&server.uri("805"), Vec::new(), Duration::from_secs(6)).await;
    assert!(outcome.they_hung_up(), "{:?}", outcome.ending);
    let record = server.records_of("805", 1).await.remove(0);
    assert_eq!(record["queues"][0]["left"], "full", "{record:#}");
    first.hangs_up().await;
    let record = server.records_of("805", 2).await.into_iter().find(|it| *it != record);
    let record = record.expect("another one");
    assert_eq!(record["queues"][0]["left"], "abandoned", "{record:#}");
    assert_eq!(record["end_reason"], "caller_hangup", "{record:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_phone_sends_its_caller_into_a_queue() {
    let server = Server::start(house()).await;
    let mut anna = phone(&server, "101", "secret").await;
    let mut ben = phone(&server, "102", "other").await;
    ask(&server, &["queue", "pause", "101"]).await;
    let (caller, dialog) = tokio::join!(Ann::calls(&server, "101"), answers(&mut anna));
    let refer = format!("Refer-To: <sip:800@{}>\r\n", server.address);
    anna.ask(&dialog, "REFER", &refer).await;
    answers(&mut ben).await;
    hear_each_other(&caller.audio, &ben.audio).await;
    caller.hangs_up().await;
    let record = server.record().await;
    assert_eq!(record["transfers"][0]["to"], "queue:sales", "{record:#}");
    assert_eq!(record["queues"][0]["left"], "answered", "{record:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_does_not_want_to_wait_is_called_back_when_it_is_its_turn() {
    let carrier = Server::start(House::with("[[route]]\nto = \"echo\"\n")).await;
    let trunk = format!(
        "[trunks.carrier]\nhost = \"{}\"\noptions_ping = \"off\"\ncountry = \"DE\"\n\
         [security.outbound]\nallow = [\"+4971*\"]\n",
        carrier.address
    );
    let server = Server::start(house().and(&trunk)).await;
    let mut anna = phone(&server, "101", "secret").await;
    ask(&server, &["queue", "pause", "101"]).await;
    let speaks = Line { when: When::Over(Duration::from_millis(500)), ..press("1") };
    let outcome = call_from("+4971112345", &server.uri("806"), vec![speaks]).await;
    assert!(outcome.they_hung_up(), "{:?}", outcome.ending);
    let record = server.record().await;
    assert_eq!(record["queues"][0]["left"], "callback", "{record:#}");
    assert_eq!(said(&record, "agent").last().expect("words"), "We will call you back. Goodbye.");
    let waits = async |count: usize| {
        queue_like(&server, "patient", |queue| queue["waiting"] == count).await;
    };
    waits(1).await;
    // Her phone shows who is called back; when she answers, that one is called.
    ask(&server, &["queue", "resume", "101"]).await;
    let invite = anna.wait_for("INVITE ").await;
    assert!(invite.contains("<sip:+4971112345@"), "{invite}");
    let dialog = anna.answer(&invite).await;
    anna.wait_for("ACK ").await;
    hear_each_other(&anna.audio, &anna.audio).await;
    waits(0).await;
    anna.ask(&dialog, "BYE", "").await;
    let there = carrier.record().await;
    assert!(there["to"]["number"].as_str().is_some_and(|it| it.ends_with("71112345")), "{there:#}");
    let record = server.records(2).await.remove(1);
    assert_eq!(record["direction"], "outbound", "{record:#}");
    assert_eq!(record["bridges"].as_array().map(Vec::len), Some(1), "{record:#}");
}

/// Two who talk with each other hear each other's keys.
pub async fn hear_each_other(one: &Audio, other: &Audio) {
    for (speaker, listener, key) in [(one, other, '3'), (other, one, '7')] {
        let known = listener.heard().samples.len();
        let mut tone = Tone::key(Rate::NARROW, key).expect("a key").at(0.3);
        let said = Frame { rate: Rate::NARROW, samples: tone.play(Duration::from_millis(120)) };
        speaker.say(&said);
        within(PATIENCE, "the key", || {
            keys(&listener.heard().samples[known..]).contains(key).then_some(())
        })
        .await;
    }
}

fn keys(samples: &[i16]) -> String {
    let (mut detector, mut rest, mut heard) = (Detector::new(Rate::NARROW), samples, String::new());
    while !rest.is_empty() {
        let (key, left) = detector.push(rest);
        heard.extend(key);
        rest = left;
    }
    heard
}

/// Waits until music is heard.
pub async fn loud(audio: &Audio) {
    let known = audio.heard().samples.len();
    let loud = || audio.heard().samples[known..].iter().any(|it| it.unsigned_abs() > 500);
    within(PATIENCE, "music", || loud().then_some(())).await;
}

/// Waits until a phone is hung up.
pub async fn ended(phone: &mut Deskphone) {
    let bye = phone.wait_for("BYE ").await;
    phone.reply(&bye, "200 OK", "").await;
}

/// Waits until the queue of the sales stands so.
async fn standing(server: &Server, is_so: impl Fn(&Value) -> bool) -> Value {
    queue_like(server, "sales", is_so).await
}

async fn queue_like(server: &Server, name: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..100 {
        let list: Value =
            serde_json::from_str(&told(server, &["queue", "list", "--json"]).await).expect("JSON");
        let queues = list["data"].as_array().expect("queues");
        let queue = queues.iter().find(|it| it["name"] == name).expect("it is there").clone();
        if is_so(&queue) {
            return queue;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the queue does not come to stand so");
}

fn press(keys: &str) -> Line {
    let digits = keys.chars().filter_map(Digit::new).collect();
    Line { when: When::Quiet, act: Act::Press(digits) }
}

fn house() -> House {
    House::with(QUEUES).and(PHONES)
}

const PHONES: &str = r#"
[sip.registrar]
digest = ["md5"]

[phones.101]
password = "secret"
context  = "internal"

[phones.102]
password = "other"
context  = "internal"

[phones.103]
password = "third"
context  = "internal"
"#;

const QUEUES: &str = r#"
[[route]]
ext = "800"
to  = "queue:sales"

[[route]]
ext = "801"
to  = "queue:sales"
set = { queue_priority = "10" }

[[route]]
ext = "802"
to  = "queue:short"

[[route]]
ext = "803"
to  = "menu:main"

[[route]]
ext = "804"
to  = "flow:desk"

[[route]]
ext = "805"
to  = "queue:small"

[[route]]
ext = "806"
to  = "queue:patient"

[[route]]
ext = "101"
to  = "phone:101"

[defaults.agent]
stt.provider = "pocketsphinx"
tts          = { provider = "flite", voice = "slt" }

[queues.sales]
members  = ["phone:101", "phone:102"]
retry    = "1s"
announce = { position = true, every = "30s" }

[queues.short]
members  = ["phone:103"]
max_wait = "2s"
else     = "agent:lonely"

[queues.back]
members  = ["phone:103"]
max_wait = "2s"

[queues.patient]
members  = ["phone:101"]
callback = { key = "1" }

[queues.small]
members     = ["phone:103"]
max_callers = 1

[agents.lonely]
first_message = "Nobody is there."

[menus.main]
say    = "For sales press one."
digits = { 1 = "queue:back", 2 = "agent:lonely" }
speech = false
timeout = { after = "3s", to = "agent:lonely", tries = 1 }

[flows.desk]
agent = "lonely"
start = "wait"

[flows.desk.nodes.wait]
type  = "queue"
say   = "One moment."
queue = "back"
else  = "later"

[flows.desk.nodes.later]
type = "end"
say  = "Please call later."
"#;
