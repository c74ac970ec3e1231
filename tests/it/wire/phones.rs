//! Phones that register with the running server, those who only pretend to, and floods.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::process::{Child, Command};
use voxtrunk::audio::frame::Frame;
use voxtrunk::audio::wav;
use voxtrunk::sip::digest::{Challenge, Credentials, Signed, Turn};

use super::caller::{Speaker, call, clip, say, spoken};
use super::datagrams::{Wire, header};
use super::ear::recognise;
use super::server::{Folder, House, PATIENCE, SOURCE, Server, finish, within};
use super::sipp::play;

/// Two phones and what they may dial.
pub const PHONES: &str = r#"
[sip.registrar]
digest = ["md5"]

[phones.101]
name     = "Anna"
password = "secret"
context  = "internal"

[phones.102]
name     = "Ben"
password = "other"
context  = "internal"

[groups.both]
members = ["phone:101", "phone:102"]
"#;

const ROUTES: &str = r#"
[[route]]
context = "internal"
ext     = "101"
to      = "phone:101"

[[route]]
ext     = "600"
to      = "group:both"

[[route]]
ext     = "_10X"
to      = "phone:{ext}"
"#;

/// A porter and two phones, which this machine may call as a trunk.
pub fn house() -> House {
    let porter = House::porter();
    let dialplan = format!("{ROUTES}{}", porter.dialplan.clone().expect("its own"));
    House { dialplan: Some(dialplan), ..porter }.and(PHONES)
}

/// A house where this machine is no trunk: baresip sends its audio from one address only.
pub fn only_phones() -> House {
    House { trunk: "192.0.2.1".to_owned(), ..house() }
}

/// A phone that is written by hand.
pub struct Handset {
    /// Its socket.
    pub wire: Wire,
    user: String,
    password: String,
    sequence: u32,
}

impl Handset {
    /// One that is not registered.
    pub async fn new(address: &str, server: SocketAddr, (user, password): (&str, &str)) -> Self {
        let wire = Wire::open(address, server).await;
        Self { wire, user: user.to_owned(), password: password.to_owned(), sequence: 0 }
    }

    fn request(&mut self, more: &str) -> String {
        self.sequence += 1;
        let (user, local, to) = (&self.user, self.wire.local, self.wire.to);
        let sequence = self.sequence;
        format!(
            "REGISTER sip:{to} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bK{sequence}h;rport\
             \r\nFrom: <sip:{user}@{to}>;tag=h\r\nTo: <sip:{user}@{to}>\r\nCall-ID: h@{local}\r\n\
             CSeq: {sequence} REGISTER\r\nContact: <sip:{user}@{local}>\r\nExpires: 120\r\n\
             Max-Forwards: 70\r\n{more}Content-Length: 0\r\n\r\n"
        )
    }

    async fn ask(&mut self, more: &str) -> Option<String> {
        let request = self.request(more);
        self.wire.send(request.as_bytes()).await;
        self.wire.receive(Duration::from_millis(700)).await
    }

    fn answer(&self, challenge: &str, number: u32) -> String {
        let challenge = header(challenge, "WWW-Authenticate");
        let uri = format!("sip:{}", self.wire.to);
        let value = self.proof(challenge, ("REGISTER", &uri), number);
        format!("Authorization: {value}\r\n")
    }

    /// Its answer to a challenge, for a request of that method to that URI.
    pub fn proof(&self, challenge: &str, (method, uri): (&str, &str), number: u32) -> String {
        let challenge = Challenge::read(challenge.as_bytes()).remove(0);
        let by =
            Credentials { username: self.user.clone(), password: self.password.as_str().into() };
        let signed = Signed { method, uri, body: b"" };
        challenge.answer(&by, &signed, Turn { number, cnonce: "cn" })
    }

    /// How long a wrong password takes to be refused.
    async fn time_of_wrong_answer(&mut self) -> Duration {
        let challenge = self.ask("").await.expect("a challenge");
        let answer = self.answer(&challenge, 1);
        let began = Instant::now();
        assert!(self.ask(&answer).await.expect("an answer").starts_with("SIP/2.0 401"));
        began.elapsed()
    }

    /// Waits for a request of that method.
    pub async fn wait_for(&mut self, method: &str) -> String {
        loop {
            let request = self.wire.receive(PATIENCE).await;
            let request = request.unwrap_or_else(|| panic!("{method} does not come"));
            if request.starts_with(method) {
                return request;
            }
        }
    }

    /// Answers a request.
    pub async fn reply(&self, request: &str, status: &str, body: &str) {
        let copied = ["Via", "From", "Call-ID", "CSeq"];
        let copied = copied.map(|name| format!("{name}: {}\r\n", header(request, name))).concat();
        let (to, local) = (header(request, "To"), self.wire.local);
        let content = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        let answer = format!(
            "SIP/2.0 {status}\r\n{copied}To: {to};tag=handset\r\nContact: <sip:{}@{local}>\r\n\
             {content}Content-Length: {}\r\n\r\n{body}",
            self.user,
            body.len()
        );
        self.wire.send(answer.as_bytes()).await;
    }

    /// Wants to be told what waits for it for some seconds, and proves who it is.
    pub async fn subscribe(&mut self, expires: u32) {
        let challenge = self.wait_after(&self.subscription(expires, ""), "SIP/2.0 407").await;
        self.sequence += 1;
        let uri = format!("sip:voicemail@{}", self.wire.to);
        let challenge = header(&challenge, "Proxy-Authenticate");
        let value = self.proof(challenge, ("SUBSCRIBE", &uri), 1);
        let proof = format!("Proxy-Authorization: {value}\r\n");
        let answer = self.wait_after(&self.subscription(expires, &proof), "SIP/2.0 200").await;
        assert_eq!(header(&answer, "Expires"), expires.to_string(), "{answer}");
    }

    async fn wait_after(&mut self, request: &str, beginning: &str) -> String {
        self.wire.send(request.as_bytes()).await;
        self.wait_for(beginning).await
    }

    fn subscription(&self, expires: u32, more: &str) -> String {
        let Self { user, sequence, .. } = self;
        let (local, to) = (self.wire.local, self.wire.to);
        format!(
            "SUBSCRIBE sip:voicemail@{to} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bK\
             {sequence}s;rport\r\nFrom: <sip:{user}@{to}>;tag=s\r\nTo: <sip:{user}@{to}>\r\n\
             Call-ID: s@{local}\r\nCSeq: {sequence} SUBSCRIBE\r\nContact: <sip:{user}@{local}>\r\n\
             Event: message-summary\r\nAccept: application/simple-message-summary\r\n\
             Expires: {expires}\r\nMax-Forwards: 70\r\n{more}Content-Length: 0\r\n\r\n"
        )
    }

    /// Is challenged and answers; gives the last answer.
    pub async fn register(&mut self) -> Option<String> {
        let challenge = self.ask("").await?;
        let answer = self.answer(&challenge, 1);
        self.ask(&answer).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sipp_registers_and_is_challenged_again_with_a_wrong_password() {
    let server = Server::start(house()).await;
    for name in ["register.xml", "register_wrong.xml"] {
        let scenario = scenario(name);
        assert_eq!(play(scenario, "127.0.0.3", server.address.to_string()).await, None);
    }
    assert!(server.log().contains("phone registered"), "{}", server.log());
    assert!(server.log().contains("phone gone"), "{}", server.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_good_once_and_an_unknown_user_looks_like_a_known_one() {
    let server = Server::start(house()).await;
    let mut anna = Handset::new("127.0.0.3:0", server.address, ("101", "secret")).await;
    let challenge = anna.ask("").await.expect("a challenge");
    let answer = anna.answer(&challenge, 1);
    assert!(anna.ask(&answer).await.expect("an answer").starts_with("SIP/2.0 200"));
    let replayed = anna.ask(&answer).await.expect("an answer");
    assert!(replayed.starts_with("SIP/2.0 401"), "{replayed}");
    assert!(header(&replayed, "WWW-Authenticate").contains("stale=true"));

    let mut looks = Vec::new();
    for user in ["102", "999"] {
        let mut guest = Handset::new("127.0.0.5:0", server.address, (user, "guess")).await;
        let wrong = guest.register().await.expect("an answer");
        let nonce = header(&wrong, "WWW-Authenticate").split("nonce=\"").nth(1).expect("one");
        let nonce = nonce.split('"').next().expect("a nonce").to_owned();
        let tag = header(&wrong, "To").split("tag=").nth(1).expect("a tag").to_owned();
        let local = guest.wire.local.to_string();
        let port = format!("rport={}", guest.wire.local.port());
        let look = wrong.replace(&nonce, "N").replace(&tag, "T").replace(&local, "L");
        looks.push(look.replace(&port, "P").replace(user, "U"));
    }
    assert_eq!(looks[0], looks[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_eleventh_wrong_password_is_met_with_silence_for_a_while() {
    let ban = "[security.sip]\nban = { after = 10, within = \"60s\", for = \"3s\" }\n\
               max_invites = { per_ip = \"100/s\", burst = 200 }\n";
    let server = Server::start(house().and(ban)).await;
    let mut thief = Handset::new("127.0.0.3:0", server.address, ("101", "guess")).await;
    for number in 1..=11 {
        let answer = thief.register().await.unwrap_or_else(|| panic!("silence after {number}"));
        assert!(answer.starts_with("SIP/2.0 401"), "{answer}");
    }
    assert_eq!(thief.ask("").await, None);
    let mut anna = Handset::new("127.0.0.4:0", server.address, ("101", "secret")).await;
    assert!(anna.register().await.expect("an answer").starts_with("SIP/2.0 200"));
    let began = Instant::now();
    while thief.ask("").await.is_none() {
        assert!(began.elapsed() < Duration::from_secs(20), "it is never forgiven");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_scanners_gets_no_answer_and_a_good_call_beside_it_works() {
    let server = Server::start(house()).await;
    let mut sipp = Command::new("sipp");
    sipp.arg("-sf").arg(scenario("uac_scanner_flood.xml"));
    sipp.args(["-i", "127.0.0.6", "-mi", "127.0.0.6", "-bind_local", "-m", "2000", "-r", "500"]);
    sipp.args(["-l", "4000", "-timeout", "40s", "-nostdin"]).arg(server.address.to_string());
    let folder = Folder::new();
    sipp.current_dir(folder.path("")).stdin(Stdio::null()).kill_on_drop(true);
    let flood = tokio::spawn(finish(sipp));
    let lines = vec![
        say(Speaker::Flite("rms"), "what are your opening hours").await,
        say(Speaker::Flite("rms"), "goodbye").await,
    ];
    let outcome = call(&server.uri("porter"), lines, Duration::from_secs(2)).await;
    assert!(outcome.they_hung_up(), "{outcome:#?}");
    let (code, screen) = flood.await.expect("it does not panic");
    assert_eq!(code, Some(0), "somebody answered the scanner:\n{screen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_invites_without_a_password_leaves_the_memory_as_it_was() {
    let generous = "[security.sip]\nmax_invites = { per_ip = \"10000/s\", burst = 10000 }\n";
    let mut server = Server::start(house().and(generous)).await;
    let mut good = Handset::new("127.0.0.4:0", server.address, ("101", "secret")).await;
    assert!(good.register().await.expect("an answer").starts_with("SIP/2.0 200"));
    // The database is opened beside the first calls: that is no growth.
    within(PATIENCE, "the database", || {
        server.log().contains("the database has a new shape").then_some(())
    })
    .await;
    let before = server.memory();
    let mut challenged = 0;
    for number in 1..=100 {
        let address = format!("127.0.1.{number}:0");
        let mut wire = Wire::open(&address, server.address).await;
        for _ in 0..20 {
            let body = wire.description();
            let invite = wire.request("INVITE", "101", &body);
            wire.send(invite.as_bytes()).await;
            let answer = wire.receive(Duration::from_millis(200)).await;
            challenged += usize::from(answer.is_some_and(|it| it.starts_with("SIP/2.0 407")));
        }
    }
    assert!(challenged >= 1_000, "{challenged} of 2000 were answered");
    let after = server.memory();
    assert!(after < before + 4 * 1_024 * 1_024, "{before} grew to {after}");
    assert!(server.lives());
    assert!(good.register().await.expect("an answer").starts_with("SIP/2.0 200"));
}

#[tokio::test(flavor = "multi_thread")]
async fn baresip_registers_and_calls_an_agent_with_its_password() {
    let server = Server::start(only_phones()).await;
    let speech = spoken(Speaker::Flite("rms"), "goodbye").await;
    let mut says = Frame::silence(speech.rate, SILENCE);
    says.samples.extend(&speech.samples);
    says.samples.extend(Frame::silence(speech.rate, Duration::from_secs(30)).samples);
    let mut phone = Baresip::start(&server, ("101", "secret"), wav::write(&says));
    within(PATIENCE, "baresip is registered", || {
        server.log().contains("phone registered").then_some(())
    })
    .await;
    let mut dialler = Baresip::dial(&server, ("101", "secret"), "porter", &phone);
    let record = server.record().await;
    assert_eq!(record["from"]["number"], "101", "{record:#}");
    assert_eq!(record["end_reason"], "agent_ended", "{record:#}");
    dialler.stop().await;
    phone.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_phones_call_each_other_through_the_server() {
    let server = Server::start(only_phones()).await;
    let speech = spoken(Speaker::Flite("rms"), "what are your opening hours").await;
    let mut says = Frame::silence(speech.rate, SILENCE);
    for _ in 0..6 {
        says.samples.extend(&speech.samples);
        says.samples.extend(Frame::silence(speech.rate, SILENCE).samples);
    }
    let says = wav::write(&says);
    let mut anna = Baresip::start(&server, ("101", "secret"), says);
    within(PATIENCE, "baresip is registered", || {
        server.log().contains("phone registered").then_some(())
    })
    .await;
    let mut ben = Baresip::dial(&server, ("102", "other"), "101", &anna);
    let heard = within(PATIENCE, "what Anna hears", || {
        let path = anna.heard()?;
        let length = std::fs::metadata(&path).ok()?.len();
        (length > 16_000 * 9).then_some(path)
    })
    .await;
    ben.stop().await;
    let record = server.record().await;
    assert_eq!(record["from"]["number"], "102", "{record:#}");
    assert_eq!(record["status"], "completed", "{record:#}");
    // A phone that has ended has written all that it heard.
    anna.stop().await;
    let text = recognise(&clip(&heard), &["what are your opening hours", "goodbye"]).await;
    assert!(text.contains("opening hours"), "{text}\n{record:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_rings_everywhere_and_stops_where_nobody_was_the_first() {
    let server = Server::start(house()).await;
    let mut anna = Handset::new("127.0.0.3:0", server.address, ("101", "secret")).await;
    let mut ben = Handset::new("127.0.0.4:0", server.address, ("102", "other")).await;
    for phone in [&mut anna, &mut ben] {
        assert!(phone.register().await.expect("an answer").starts_with("SIP/2.0 200"));
    }
    let mut caller = Wire::open("127.0.0.1:0", server.address).await;
    let body = caller.description();
    let invite = caller.request("INVITE", "600", &body);
    caller.send(invite.as_bytes()).await;
    let for_anna = anna.wait_for("INVITE").await;
    let for_ben = ben.wait_for("INVITE").await;
    assert!(for_anna.starts_with(&format!("INVITE sip:101@{}", anna.wire.local)), "{for_anna}");
    ben.reply(&for_ben, "180 Ringing", "").await;
    anna.reply(&for_anna, "200 OK", &anna.wire.description()).await;
    anna.wait_for("ACK").await;
    let cancel = ben.wait_for("CANCEL").await;
    assert!(header(&cancel, "Reason").contains("Call completed elsewhere"), "{cancel}");
    ben.reply(&cancel, "200 OK", "").await;
    ben.reply(&for_ben, "487 Request Terminated", "").await;
    loop {
        let answer = caller.receive(PATIENCE).await.expect("an answer");
        if answer.starts_with("SIP/2.0 200") {
            break;
        }
        assert!(answer.starts_with("SIP/2.0 1"), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_takes_as_long_for_an_unknown_user_as_for_a_known_one() {
    let patient = "[security.sip]\nban = { after = 100000, within = \"1s\", for = \"1s\" }\n\
                   max_invites = { per_ip = \"10000/s\", burst = 10000 }\n";
    let server = Server::start(house().and(patient)).await;
    let mut known = Handset::new("127.0.0.3:0", server.address, ("101", "guess")).await;
    let mut unknown = Handset::new("127.0.0.3:0", server.address, ("999", "guess")).await;
    let (mut of_known, mut of_unknown) = (Vec::new(), Vec::new());
    for _ in 0..200 {
        of_known.push(known.time_of_wrong_answer().await);
        of_unknown.push(unknown.time_of_wrong_answer().await);
    }
    let (known, unknown) = (median(of_known), median(of_unknown));
    let difference = known.abs_diff(unknown);
    println!("known {known:?}, unknown {unknown:?}, difference {difference:?}");
    assert!(difference < Duration::from_millis(1), "{known:?} and {unknown:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_is_not_registered_is_unavailable() {
    let server = Server::start(house()).await;
    let outcome = call(&server.uri("102"), Vec::new(), Duration::from_secs(2)).await;
    let text = format!("{:?}", outcome.ending);
    assert!(text.contains("480"), "{text}");
}

/// A baresip without hardware.
pub struct Baresip {
    child: Child,
    folder: Folder,
}

impl Baresip {
    /// One that registers and answers by itself.
    pub fn start(server: &Server, (user, password): (&str, &str), says: Vec<u8>) -> Self {
        let folder = Folder::new();
        folder.put("says.wav", says);
        let account = format!(
            "<sip:{user}@{}>;auth_user={user};auth_pass={password};regint=60;answermode=auto\n",
            server.address
        );
        Self::run(folder, &account, &[])
    }

    /// One that does not register, and calls at once.
    fn dial(server: &Server, (user, password): (&str, &str), extension: &str, like: &Self) -> Self {
        let folder = Folder::new();
        let says = std::fs::read(like.folder.path("says.wav")).expect("it was written");
        folder.put("says.wav", says);
        let account = format!(
            "<sip:{user}@{}>;auth_user={user};auth_pass={password};regint=0\n",
            server.address
        );
        let order = format!("/dial sip:{extension}@{}", server.address);
        Self::run(folder, &account, &["-e", &order])
    }

    fn run(folder: Folder, account: &str, orders: &[&str]) -> Self {
        folder.put("contacts", "");
        folder.put("accounts", account);
        folder.put("heard/.keep", "");
        let modules = "/usr/lib/baresip/modules";
        let (says, heard) = (folder.path("says.wav"), folder.path("heard"));
        folder.put(
            "config",
            format!(
                "sip_listen 127.0.0.1:0\nmodule_path {modules}\naudio_source aufile,{}\n\
                 ausrc_srate 8000\nauplay_srate 8000\nausrc_channels 1\nauplay_channels 1\n\
                 snd_path {}\nmodule account.so\nmodule g711.so\nmodule aufile.so\n\
                 module sndfile.so\nmodule_app menu.so\nrtp_ports 49000-49998\n",
                says.display(),
                heard.display()
            ),
        );
        let mut baresip = Command::new("baresip");
        baresip.arg("-4").arg("-f").arg(folder.path("")).args(["-t", "60"]).args(orders);
        baresip.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = baresip.kill_on_drop(true).spawn();
        Self { child: child.expect("baresip is missing: run ./dev setup"), folder }
    }

    /// What it recorded of what it heard.
    fn heard(&self) -> Option<PathBuf> {
        let files = std::fs::read_dir(self.folder.path("heard")).ok()?.flatten();
        files.map(|file| file.path()).find(|path| {
            let name = path.file_name().and_then(|name| name.to_str());
            name.is_some_and(|name| name.ends_with("-dec.wav"))
        })
    }

    /// Ends it.
    pub async fn stop(&mut self) {
        if let Some(pid) = self.child.id() {
            super::server::terminate(pid);
        }
        self.child.wait().await.expect("it is our child");
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn scenario(name: &str) -> PathBuf {
    Path::new(SOURCE).join("sipp-scenarios/phones").join(name)
}

/// Between the sentences of a phone.
const SILENCE: Duration = Duration::from_secs(2);
