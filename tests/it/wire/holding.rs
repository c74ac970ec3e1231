//! An operator lets a caller wait, with music, and takes it back: from an agent, and from somebody with
//! whom it talks.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};
use voxtrunk::audio::frame::Rate;

use super::caller::{Speaker, spoken};
use super::control::{ask, eventually, told};
use super::ear::{hears, voiced};
use super::http::{problem, started};
use super::oversight::{Ann, phone, so_far, while_it_says};
use super::phones::PHONES;
use super::queues::{hear_each_other, loud};
use super::server::{House, PATIENCE, Server, said, within};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_agent_waits_while_its_caller_does() {
    let (server, api) = started(House::with(DIALPLAN).and(PHONES)).await;
    let api = api.with(&server, "operate").await;
    let ann = Ann::calls(&server, "901").await;
    hears(&ann.audio, 0, GREETING, &KNOWN).await;
    let call = ann.id(&server).await;
    so_far(&ann.audio).await;

    let hold = format!("/v1/calls/{call}/hold");
    for _ in 0..2 {
        let held = api.post(&hold, json!({})).await;
        assert_eq!(held.status(), StatusCode::OK);
        assert_eq!(
            held.json::<Value>().await.expect("JSON"),
            json!({ "id": call, "on_hold": true })
        );
    }
    loud(&ann.audio).await;
    assert_eq!(api.json(&format!("/v1/calls/{call}")).await["on_hold"], true);
    let show = told(&server, &["call", "show", &call]).await;
    assert!(show.contains("on hold"), "{show}");
    // Nobody hears what it says meanwhile.
    let unheard = spoken(Speaker::Flite("rms"), QUESTION).await;
    let lasts = unheard.duration() + Duration::from_millis(500);
    let known = ann.audio.heard().samples.len();
    ann.audio.say(&unheard);
    let enough = known + Rate::NARROW.samples_in(lasts);
    within(PATIENCE, "its words", || (ann.audio.heard().samples.len() > enough).then_some(()))
        .await;
    let back = told(&server, &["call", "unhold", &call]).await;
    assert!(back.contains("is taken back"), "{back}");
    let known = so_far(&ann.audio).await;
    ann.audio.say(&unheard);
    hears(&ann.audio, known, ANSWER, &KNOWN).await;
    ann.hangs_up().await;

    let record = server.record().await;
    let holds = record["holds"].as_array().expect("holds");
    assert_eq!(holds.len(), 1, "{record:#}");
    assert_eq!((&holds[0]["leg"], &holds[0]["by"]), (&json!(0), &json!("operator")), "{record:#}");
    assert!(holds[0]["duration_ms"].is_u64(), "{record:#}");
    assert_eq!(said(&record, "caller").len(), 1, "{record:#}");
    let gone = problem(api.post(&hold, json!({})).await, 404).await;
    assert_eq!(gone["code"], "not_found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn somebody_who_waits_hears_music_and_the_other_nothing() {
    let server = Server::start(House::with(DIALPLAN).and(PHONES)).await;
    let mut ben = phone(&server, "102", "other").await;
    let ann = Ann::calls(&server, "902");
    let dialled = async {
        let invite = ben.wait_for("INVITE ").await;
        // As long as it rings nobody talks who could wait.
        let list = told(&server, &["call", "list", "--json"]).await;
        let list: Value = serde_json::from_str(&list).expect("JSON");
        let call = list["data"][0]["id"].as_str().expect("an identity").to_owned();
        let (code, _, why) = ask(&server, &["call", "hold", &call]).await;
        assert!(code == Some(2) && why.contains("nobody talks in it"), "{why}");
        let dialog = ben.answer(&invite).await;
        ben.wait_for("ACK ").await;
        (call, dialog)
    };
    let (ann, (call, _)) = tokio::join!(ann, dialled);
    let show = ["call", "show", &call, "--json"];
    eventually(&server, &show, |it| it["doing"] == "bridged").await;
    hear_each_other(&ann.audio, &ben.audio).await;

    told(&server, &["call", "hold", &call]).await;
    loud(&ann.audio).await;
    for heard in while_it_says(&ann.audio, &[&ben.audio]).await {
        assert_eq!(voiced(&heard), Duration::ZERO, "who waits is heard");
    }
    told(&server, &["call", "unhold", &call]).await;
    so_far(&ann.audio).await;
    hear_each_other(&ann.audio, &ben.audio).await;

    // Sent elsewhere it does not wait any more.
    told(&server, &["call", "hold", &call]).await;
    loud(&ann.audio).await;
    told(&server, &["call", "transfer", &call, "agent:desk"]).await;
    ben.wait_for("BYE ").await;
    let known = ann.audio.heard().samples.len();
    hears(&ann.audio, known, GREETING, &KNOWN).await;
    assert_eq!(eventually(&server, &show, |it| it["doing"] == "agent").await["on_hold"], false);
    ann.hangs_up().await;
    let record = server.record().await;
    let holds = record["holds"].as_array().expect("holds");
    assert!(holds.len() == 2 && holds.iter().all(|it| it["duration_ms"].is_u64()), "{record:#}");
}

const DIALPLAN: &str = r#"
[[route]]
did = "902"
to  = "phone:102"

[[route]]
to = "agent:desk"

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

const QUESTION: &str = "what are your opening hours";

const ANSWER: &str = "we are open from nine to six";

const KNOWN: [&str; 3] = [GREETING, QUESTION, ANSWER];
