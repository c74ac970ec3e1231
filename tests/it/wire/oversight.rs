//! A supervisor listens, whispers and barges in: who hears whom is judged by what is recognised in
//! what each of them heard.

use std::time::Duration;

use serde_json::Value;
use voxtrunk::audio::frame::{Frame, Rate};

use super::caller::{Speaker, spoken};
use super::control::{ask, told};
use super::datagrams::Wire;
use super::deskphone::{Audio, Deskphone, Dialog};
use super::ear::{hears, recognised, voiced};
use super::server::{House, PATIENCE, Server, within};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_listens_to_an_agent_hears_both_and_is_heard_by_nobody() {
    let dialplan = House::porter().dialplan.expect("the porter's own");
    let patient = "[agents.porter]\nsilence = { remind_after = \"5m\", hangup_after = \"10m\" }";
    let house = House::with(&dialplan.replace("[agents.porter]", patient));
    let server = Server::start(house.and(PHONES)).await;
    let mut boss = phone(&server, "101", "secret").await;
    let ann = Ann::calls(&server, "porter").await;
    within(PATIENCE, "the greeting", || has_heard(&ann.audio, 300)).await;
    let call = ann.id(&server).await;

    let said = told(&server, &["call", "listen", &call, "101"]).await;
    assert!(said.contains("phone:101 is being called, and is heard by nobody"), "{said}");
    let line = answers(&mut boss).await;
    on_the_line(&server, &call, "listen").await;
    ann.audio.say(&spoken(Speaker::Flite("rms"), QUESTION).await);
    let known = ann.audio.heard().samples.len();
    hears(&ann.audio, known, ANSWER, &KNOWN).await;
    hears(&boss.audio, 0, QUESTION, &KNOWN).await;
    hears(&boss.audio, 0, ANSWER, &KNOWN).await;
    // Nobody hears the supervisor, and the agent takes no word of it.
    let silence = while_it_says(&boss.audio, &[&ann.audio]).await;
    assert_eq!(voiced(&silence[0]), Duration::ZERO, "the caller hears who listens");

    let (code, _, why) = ask(&server, &["call", "whisper", &call, "101"]).await;
    assert!(code == Some(2) && why.contains("cannot be whispered to"), "{why}");
    let (code, _, why) = ask(&server, &["call", "barge", &call, "102"]).await;
    assert!(code == Some(2) && why.contains("phone:101 oversees it already"), "{why}");
    let said = told(&server, &["call", "barge", &call, "101"]).await;
    assert!(said.contains("phone:101 is on the line, and is heard by everybody"), "{said}");
    on_the_line(&server, &call, "barge").await;
    let heard = while_it_says(&boss.audio, &[&ann.audio]).await;
    assert!(recognised(&heard[0], &KNOWN).await.contains(WORDS), "the caller hears who barges in");

    told(&server, &["call", "listen", &call, "101"]).await;
    on_the_line(&server, &call, "listen").await;
    let silence = while_it_says(&boss.audio, &[&ann.audio]).await;
    assert_eq!(voiced(&silence[0]), Duration::ZERO, "the caller hears who listens again");

    // Whoever goes leaves the call as it was.
    boss.ask(&line, "BYE", "").await;
    let known = so_far(&ann.audio).await;
    ann.audio.say(&spoken(Speaker::Flite("rms"), QUESTION).await);
    hears(&ann.audio, known, ANSWER, &KNOWN).await;
    ann.hangs_up().await;
    let record = server.record().await;
    assert_eq!(record["end_reason"], "caller_hangup", "{record:#}");
    assert_eq!(record["legs"].as_array().map(Vec::len), Some(2), "{record:#}");
    assert!(record["legs"][0]["role"].is_null(), "{record:#}");
    assert_eq!(record["legs"][1]["role"], "listen", "{record:#}");
    assert_eq!(record["legs"][1]["to"], "phone:101");
    assert!(record["legs"][1]["answered_ms"].is_u64() && record["legs"][1]["ended_ms"].is_u64());
    let lines = record["transcript"].to_string();
    assert!(!lines.contains("clubs"), "the agent takes the supervisor for the caller: {lines}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_whisper_is_heard_by_our_side_of_a_bridge_and_a_barge_by_both() {
    let server = Server::start(House::with("[[route]]\nto = \"phone:102\"\n").and(PHONES)).await;
    let mut boss = phone(&server, "101", "secret").await;
    let mut ben = phone(&server, "102", "other").await;
    let (ann, _) = tokio::join!(Ann::calls(&server, "102"), answers(&mut ben));
    let call = ann.id(&server).await;
    told(&server, &["call", "listen", &call, "phone:101"]).await;
    answers(&mut boss).await;
    on_the_line(&server, &call, "listen").await;

    // Both sides are heard by who listens, who is heard by neither.
    ann.audio.say(&spoken(Speaker::Flite("rms"), QUESTION).await);
    hears(&ben.audio, 0, QUESTION, &KNOWN).await;
    hears(&boss.audio, 0, QUESTION, &KNOWN).await;
    let known = so_far(&boss.audio).await;
    ben.audio.say(&spoken(Speaker::Flite("slt"), ANSWER).await);
    hears(&ann.audio, 0, ANSWER, &KNOWN).await;
    hears(&boss.audio, known, ANSWER, &KNOWN).await;
    let both = [&ann.audio, &ben.audio];
    for silence in while_it_says(&boss.audio, &both).await {
        assert_eq!(voiced(&silence), Duration::ZERO);
    }

    let said = told(&server, &["call", "whisper", &call, "101"]).await;
    assert!(said.contains("is heard by our side"), "{said}");
    on_the_line(&server, &call, "whisper").await;
    let heard = while_it_says(&boss.audio, &both).await;
    assert_eq!(voiced(&heard[0]), Duration::ZERO, "the caller hears a whisper");
    assert!(recognised(&heard[1], &KNOWN).await.contains(WORDS), "the other side hears it");

    told(&server, &["call", "barge", &call, "101"]).await;
    on_the_line(&server, &call, "barge").await;
    for heard in while_it_says(&boss.audio, &both).await {
        assert!(recognised(&heard, &KNOWN).await.contains(WORDS), "everybody hears who barges in");
    }
    // And both still hear each other.
    let known = [so_far(&ann.audio).await, so_far(&boss.audio).await];
    ben.audio.say(&spoken(Speaker::Flite("slt"), ANSWER).await);
    hears(&ann.audio, known[0], ANSWER, &KNOWN).await;
    hears(&boss.audio, known[1], ANSWER, &KNOWN).await;

    let show = told(&server, &["call", "show", &call]).await;
    assert!(show.contains("phone:101 (barge)"), "{show}");
    ann.hangs_up().await;
    // Who oversees is hung up with the call.
    boss.wait_for("BYE ").await;
    let record = server.record().await;
    assert_eq!(record["legs"][2]["role"], "barge", "{record:#}");
    assert_eq!(record["bridges"].as_array().map(Vec::len), Some(1), "{record:#}");
}

/// A caller by bare sockets.
pub struct Ann {
    wire: Wire,
    answer: String,
    /// What it says and hears.
    pub audio: Audio,
}

impl Ann {
    pub async fn calls(server: &Server, extension: &str) -> Self {
        Self::calls_with(Audio::open().await, server, extension).await
    }

    /// The same, with this sound.
    pub async fn calls_with(audio: Audio, server: &Server, extension: &str) -> Self {
        let mut wire = Wire::open("127.0.0.1:0", server.address).await;
        let description = wire.description_at(audio.port());
        let answer = wire.call(extension, &description).await;
        audio.towards(&answer);
        Self { wire, answer, audio }
    }

    /// What the server calls her call.
    /// The identity of its call.
    pub async fn id(&self, server: &Server) -> String {
        let calls: Value = parsed(&told(server, &["call", "list", "--json"]).await);
        let found = calls["data"].as_array().unwrap_or(&Vec::new()).first().cloned();
        let call = found.unwrap_or_else(|| calls.clone());
        call["id"].as_str().unwrap_or_else(|| panic!("{calls:#}")).to_owned()
    }

    pub async fn hangs_up(self) {
        self.wire.hang_up(&self.answer).await;
    }
}

pub async fn phone(server: &Server, user: &str, password: &str) -> Deskphone {
    let domain = server.address.to_string();
    Deskphone::register(server.address, (user, password), &domain).await
}

pub async fn answers(phone: &mut Deskphone) -> Dialog {
    let invite = phone.wait_for("INVITE ").await;
    let dialog = phone.answer(&invite).await;
    phone.wait_for("ACK ").await;
    dialog
}

/// Waits until somebody oversees a call in this way.
async fn on_the_line(server: &Server, call: &str, role: &str) {
    for _ in 0..200 {
        let show = parsed(&told(server, &["call", "show", call, "--json"]).await);
        let legs = show["legs"].as_array().cloned().unwrap_or_default();
        if legs.iter().any(|leg| leg["role"] == role && leg["state"] == "up") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("nobody is on the line to {role}");
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|why| panic!("{why}: {text}"))
}

/// Whether somebody has heard so many milliseconds of voice, and then nothing for a second.
pub fn has_heard(audio: &Audio, millis: u64) -> Option<()> {
    let heard = audio.heard();
    let last = heard.samples.len().saturating_sub(heard.rate.0 as usize);
    let lately = Frame::new(heard.rate, heard.samples[last..].to_vec());
    let enough = voiced(&heard) >= Duration::from_millis(millis);
    (enough && voiced(&lately) == Duration::ZERO).then_some(())
}

/// How much somebody has heard when it has been quiet: a sentence is known before its last sound is
/// heard, and that sound would be taken for the beginning of the next.
pub async fn so_far(audio: &Audio) -> usize {
    within(PATIENCE, "quiet", || has_heard(audio, 0)).await;
    audio.heard().samples.len()
}

/// Lets somebody speak while nobody else does; what the others hear of it.
pub async fn while_it_says(speaker: &Audio, others: &[&Audio]) -> Vec<Frame> {
    // What was said before has been heard to its end.
    for other in others {
        within(PATIENCE, "quiet", || has_heard(other, 0)).await;
    }
    let words = spoken(Speaker::Flite("awb"), WORDS).await;
    let known: Vec<usize> = others.iter().map(|other| other.heard().samples.len()).collect();
    let lasts = words.duration() + Duration::from_millis(1_500);
    speaker.say(&words);
    // By their own clock: as many samples as the words have, and more.
    let enough = Rate(8_000).samples_in(lasts);
    within(PATIENCE, "its words", || {
        let have = |(other, known): (&&Audio, &usize)| other.heard().samples.len() > known + enough;
        others.iter().zip(&known).all(have).then_some(())
    })
    .await;
    let fresh = |(other, known): (&&Audio, &usize)| {
        let heard = other.heard();
        Frame::new(heard.rate, heard.samples[*known..].to_vec())
    };
    others.iter().zip(&known).map(fresh).collect()
}

const KNOWN: [&str; 4] = [QUESTION, ANSWER, WORDS, "hello"];
const QUESTION: &str = "what are your opening hours";
const ANSWER: &str = "we are open from nine to six";
const WORDS: &str = "seven of clubs";

const PHONES: &str = r#"
[sip.registrar]
digest = ["md5"]

[phones.101]
password = "secret"
context  = "internal"

[phones.102]
password = "other"
context  = "internal"
"#;
