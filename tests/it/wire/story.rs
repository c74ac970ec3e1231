//! The story of a telephone system: its people reach an agent through their proxy, hold it, hand it
//! over to each other, and the record of the call says so.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use voxtrunk::audio::frame::{Frame, Rate};

use super::caller::{Speaker, spoken};
use super::certificates::Authority;
use super::deskphone::Deskphone;
use super::ear::{self, recognise, utterances, voiced};
use super::peers::free_port;
use super::proxy::Kamailio;
use super::server::{Folder, House, PATIENCE, Server, said, within};
use super::softphone::{Softphone, questions, silence};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_user_of_a_pbx_holds_an_agent_and_hands_it_over_to_a_colleague() {
    let office = Office::open("udp").await;
    let mut anna = office.softphone("201", &questions().await).await;
    let mut ben = Deskphone::register(office.proxy(), ("202", "secret"), "pbx.test").await;

    anna.order("dial", "sip:901@pbx.test").await;
    anna.event("CALL_ESTABLISHED").await;
    hears(&anna, "we are open from nine to six").await;
    anna.order("hold", "").await;
    office.says("on hold").await;
    anna.order("resume", "").await;
    office.says("resumed").await;
    // Her recorder does not go on after a hold. She asks once more, and is answered, before three
    // reports of RTCP have gone by.
    anna.look_away();
    for _ in 0..3 {
        anna.event("CALL_RTCP").await;
    }

    // She asks her colleague first, and then connects both.
    anna.order("hold", "").await;
    anna.order("dial", "sip:202@pbx.test").await;
    let invite = ben.wait_for("INVITE ").await;
    let asked = ben.answer(&invite).await;
    ben.wait_for("ACK ").await;
    anna.event("CALL_ESTABLISHED").await;
    anna.order("line", "1").await;
    let replaces = asked.replaces().replace(';', "%3B").replace('=', "%3D").replace('@', "%40");
    anna.order("transfer", &format!("<sip:202@pbx.test?Replaces={replaces}>")).await;

    let invite = ben.wait_for("INVITE ").await;
    assert!(invite.contains(&format!("Replaces: {}", asked.replaces())), "{invite}");
    let agent = ben.answer(&invite).await;
    ben.wait_for("ACK ").await;
    ben.ask(&asked, "BYE", "").await;
    ben.audio.say(&spoken(Speaker::Flite("rms"), "what are your opening hours").await);
    // All of it: what he cut off would stand in the record cut off.
    let answer = "we are open from nine to six";
    ear::hears(&ben.audio, 0, answer, &[answer, "hello", "are you still there"]).await;
    ben.ask(&agent, "BYE", "").await;

    let record = office.server.record().await;
    assert_eq!(record["from"]["number"], "201", "{record:#}");
    assert_eq!(record["to"]["number"], "901");
    assert_eq!(record["trunk"], "pbx");
    assert_eq!(record["end_reason"], "callee_hangup", "{record:#}");
    assert_eq!(record["holds"].as_array().map(Vec::len), Some(2), "{record:#}");
    assert!(record["holds"][0]["duration_ms"].is_u64(), "{record:#}");
    let transfer = &record["transfers"][0];
    assert_eq!(transfer["kind"], "attended", "{record:#}");
    assert_eq!(transfer["by_leg"], 0);
    assert_eq!(transfer["to"], "trunk:pbx/202");
    assert_eq!(transfer["outcome"], "worked");
    assert_eq!(record["legs"][0]["end_reason"], "transferred");
    assert!(record["legs"][1]["ended_ms"].is_u64());
    // Before the hold, after it, and in the place of somebody else.
    assert!(answers(&record) >= 3, "{record:#}");
    anna.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_agent_that_is_handed_over_unasked_talks_on_with_a_phone_of_ours() {
    let office = Office::open("tcp").await;
    let account = format!(
        "<sip:101@{}>;auth_user=101;auth_pass=secret;regint=60;answermode=auto",
        office.server.address
    );
    let mut clara = Softphone::start(&account, &questions().await, "").await;
    office.says("phone registered").await;
    let mut anna = office.softphone("201", &silence()).await;
    anna.order("dial", "sip:901@pbx.test").await;
    anna.event("CALL_ESTABLISHED").await;
    hears(&anna, "hello").await;
    for key in ["1", "5", "#"] {
        anna.order("sndcode", key).await;
    }
    // A report of RTCP later they have arrived.
    anna.look_away();
    anna.event("CALL_RTCP").await;
    anna.order("transfer", "sip:101@pbx.test").await;
    clara.event("CALL_ESTABLISHED").await;
    anna.event("CALL_CLOSED").await;
    hears(&clara, "we are open from nine to six").await;
    clara.order("hangup", "").await;

    let record = office.server.record().await;
    assert_eq!(record["from"]["number"], "201", "{record:#}");
    let transfer = &record["transfers"][0];
    assert_eq!(transfer["kind"], "blind", "{record:#}");
    assert_eq!(transfer["manner"], "referral");
    assert_eq!(transfer["to"], "phone:101");
    assert_eq!(transfer["outcome"], "worked");
    assert_eq!(record["legs"][0]["end_reason"], "transferred");
    let lines = record["transcript"].as_array().expect("a transcript");
    let keys: String = lines.iter().filter_map(|line| line["keys"].as_str()).collect();
    assert_eq!(keys, "15", "{record:#}");
    let log = office.kamailio.log();
    assert!(log.contains(";transport=tcp"), "{log}");
    anna.stop().await;
    clara.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_phone_by_tls_hears_music_while_the_other_one_holds_it() {
    let certificates = Folder::new();
    let authority = Authority::write(&certificates);
    let porter = House::porter();
    let dialplan = format!("{ROUTES}{}", porter.dialplan.clone().expect("its own"));
    let dialplan = dialplan.replace("trunk:pbx/202", "busy");
    let house = House { dialplan: Some(dialplan), trunk: "192.0.2.1".to_owned(), ..porter };
    let dan = "[phones.102]\nname = \"Dan\"\npassword = \"other\"\ncontext = \"from-pbx\"\n";
    let server =
        Server::start(house.and(PHONES).and(dan).and(&authority.listening(&["tls"]))).await;
    let secure = server.listens("tls");
    let account = format!(
        "<sip:101@{secure};transport=tls>;auth_user=101;auth_pass=secret;regint=60;answermode=auto"
    );
    let believes = format!("sip_cafile {}\n", authority.file.display());
    let mut clara = Softphone::start(&account, &silence(), &believes).await;
    within(PATIENCE, "registered", || server.log().contains("phone registered").then_some(()))
        .await;
    let account = format!("<sip:102@{}>;auth_user=102;auth_pass=other;regint=60", server.address);
    let mut dan = Softphone::start(&account, &questions().await, "").await;
    dan.order("dial", &server.uri("101")).await;
    clara.event("CALL_ESTABLISHED").await;
    dan.event("CALL_ESTABLISHED").await;
    hears_of(&clara, "what are your opening hours").await;
    dan.order("sndcode", "7").await;
    let pressed = clara.event("CALL_DTMF_START").await;
    assert_eq!(pressed["param"], "7");

    dan.order("hold", "").await;
    within(PATIENCE, "Clara hears music", || is_loud(&lately(&clara)).then_some(())).await;
    dan.order("resume", "").await;
    within(PATIENCE, "the music ends", || (!is_loud(&lately(&clara))).then_some(())).await;
    hears_of(&clara, "what are your opening hours").await;
    dan.order("hangup", "").await;

    let record = server.record().await;
    assert_eq!(record["from"]["number"], "102", "{record:#}");
    assert_eq!(record["end_reason"], "caller_hangup");
    assert_eq!(record["holds"].as_array().map(Vec::len), Some(1), "{record:#}");
    assert_eq!(record["holds"][0]["leg"], 0);
    assert!(record["holds"][0]["duration_ms"].is_u64(), "{record:#}");
    dan.stop().await;
    clara.stop().await;
}

/// A Kamailio with people behind it, and a server of ours as its media server.
struct Office {
    kamailio: Kamailio,
    server: Server,
    _port: u16,
}

impl Office {
    /// Opens one whose proxy sends calls to us by that transport.
    async fn open(transport: &str) -> Self {
        let (port, ours) = (free_port(), free_port());
        let settings = format!(
            "[trunks.pbx]\nhost = \"127.0.0.1:{port}\"\ndomain = \"pbx.test\"\n\
             transport = {transport:?}\nusername = \"voxtrunk\"\npassword = \"secret\"\n\
             register = false\ncontext = \"from-pbx\"\noutbound = {{ allow = [\"_2XX\"] }}\n\
             [[sip.listen]]\ntransport = \"tcp\"\nbind = \"127.0.0.1:{ours}\"\n{PHONES}"
        );
        let porter = House::porter();
        let dialplan = format!("{ROUTES}{}", porter.dialplan.clone().expect("its own"));
        let house = House {
            dialplan: Some(dialplan),
            bind: format!("127.0.0.1:{ours}"),
            trunk: "192.0.2.1".to_owned(),
            ..porter
        };
        let server = Server::start(house.and(&settings)).await;
        let list = format!("1 sip:127.0.0.1:{ours};transport={transport} 0 0\n");
        let files = [("dispatcher.list", list)];
        let text = include_str!("kamailio/pbx.cfg");
        let kamailio = Kamailio::run(text, port, &files).await;
        Self { kamailio, server, _port: ours }
    }

    fn proxy(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.kamailio.port))
    }

    /// A baresip of somebody who is registered there.
    async fn softphone(&self, user: &str, says: &Frame) -> Softphone {
        let account = format!(
            "<sip:{user}@pbx.test>;auth_user={user};auth_pass=secret;regint=60;\
             outbound=\"sip:{}\"",
            self.proxy()
        );
        let phone = Softphone::start(&account, says, "").await;
        self.kamailio.says(&format!("kept sip:{user}@pbx.test")).await;
        phone
    }

    /// Waits until the server has logged these words.
    async fn says(&self, words: &str) {
        within(PATIENCE, words, || self.server.log().contains(words).then_some(())).await;
    }
}

/// How often the agent has answered the question that phones ask here.
fn answers(record: &Value) -> usize {
    said(record, "agent").iter().filter(|it| it.contains("open from nine")).count()
}

/// The last two seconds that a phone has heard.
fn lately(phone: &Softphone) -> Frame {
    let clip = phone.heard().pop().unwrap_or_else(|| Frame::new(Rate(8_000), Vec::new()));
    let begin = clip.samples.len().saturating_sub(clip.rate.samples_in(Duration::from_secs(2)));
    Frame::new(clip.rate, clip.samples[begin..].to_vec())
}

/// Whether it sounds all the time.
fn is_loud(clip: &Frame) -> bool {
    voiced(clip) > Duration::from_millis(1_900)
}

/// Waits until a phone has heard a sentence of the agent.
async fn hears(phone: &Softphone, sentence: &str) {
    hears_one_of(phone, 0, &[sentence, "hello", "are you still there"]).await;
}

/// Waits until a phone hears a sentence of another one, from now on.
async fn hears_of(phone: &Softphone, sentence: &str) {
    let known = phone.heard().iter().flat_map(utterances).count();
    hears_one_of(phone, known, &[sentence, "goodbye"]).await;
}

/// Waits until a phone hears the first of these sentences after so many utterances.
async fn hears_one_of(phone: &Softphone, mut known: usize, sentences: &[&str]) {
    let sentence = sentences[0];
    for _ in 0..200 {
        let heard: Vec<Frame> = phone.heard().iter().flat_map(utterances).collect();
        for utterance in heard.iter().skip(known.max(1) - 1) {
            if recognise(utterance, sentences).await.contains(sentence) {
                return;
            }
        }
        // The last one may go on.
        known = heard.len();
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    panic!("`{sentence}` is not heard:\n{}", phone.told());
}

const PHONES: &str = r#"
[sip.registrar]
# baresip 1.0 gives up when the first challenge is not of MD5.
digest = ["md5"]

[phones.101]
name     = "Clara"
password = "secret"
context  = "from-pbx"
"#;

const ROUTES: &str = r#"
[[route]]
context = "from-pbx"
ext     = "202"
to      = "trunk:pbx/202"

[[route]]
context = "from-pbx"
ext     = "101"
to      = "phone:101"
"#;
