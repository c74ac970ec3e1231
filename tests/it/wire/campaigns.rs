//! Campaigns over one trunk: fifty callees of all kinds, each with the right result; and a server that
//! is killed in the middle, and calls nobody twice.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;
use voxtrunk::audio::frame::{Frame, Rate};
use voxtrunk::audio::resample;
use voxtrunk::audio::tone::Tone;

use super::caller::{Speaker, spoken};
use super::control::{Watch, ask, told};
use super::datagrams::header;
use super::deskphone::Audio;
use super::server::{Folder, House, Server, within};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_callees_of_all_kinds_have_the_right_result() {
    let carrier = Carrier::open(Clips::spoken().await, kind_of).await;
    let mut rows = String::from("name,number\n");
    for at in 0..50 {
        rows.push_str(&format!("N{at},{}\n", number(at)));
    }
    // Nobody calls these, and a row that makes no sense stops none of the others.
    rows.push_str("Blocked,+88216123456\nUnwanted,+4971000900\nBroken,12\nShort\n");
    let folder = Folder::new();
    folder.put("dialplans/people.csv", rows);
    let server = Server::start_in(folder, house(carrier.address, CAMPAIGN)).await;
    told(&server, &["campaign", "dnc", "add", "+4971000900"]).await;
    let mut events = Watch::start(&server, &["events", "--json"]);
    told(&server, &["campaign", "start", "spring"]).await;
    finished(&server).await;
    events.until("campaign.finished").await;

    let rows = results(&server).await;
    assert_eq!(rows.len(), 54, "{rows:#?}");
    let mut wrong = Vec::new();
    for (at, row) in rows.iter().enumerate().take(50) {
        let (wanted, tries) = match kind_of(at) {
            Kind::Person => ("answered", 1),
            Kind::Machine => ("message_left", 1),
            Kind::Screening => ("screening", 1),
            Kind::Busy => ("busy", 2),
            Kind::Silent => ("no_answer", 1),
            Kind::Refuses(_) => ("failed", 1),
        };
        if row["result"] != wanted || row["tries"] != tries {
            wrong.push((at, wanted, row.clone()));
        }
        assert_eq!(carrier.calls(at), tries, "{row:#}");
    }
    assert!(wrong.is_empty(), "{wrong:#?}\n{}", server.log());
    let told_of = |at: usize| (rows[at]["result"].clone(), rows[at]["reason"].clone());
    assert_eq!(told_of(47), (json!("failed"), json!("rejected")));
    assert_eq!(rows[47]["sip_status"], 404);
    assert_eq!(rows[50]["result"], "blocked", "{:#}", rows[50]);
    assert_eq!(rows[51]["result"], "do_not_call");
    for (at, words) in [(52, "the number cannot be called"), (53, "1 fields, and 2 columns")] {
        let why = rows[at]["reason"].as_str().expect("a reason");
        assert!(rows[at]["result"] == "bad_row" && why.contains(words), "{:#}", rows[at]);
    }
    // Whoever takes messages has heard all of ours, and nobody else has.
    for at in 0..50 {
        let heard = carrier.heard(at);
        match kind_of(at) {
            Kind::Machine => assert!(heard > Duration::from_millis(900), "{at}: {heard:?}"),
            Kind::Person | Kind::Screening => assert!(heard > Duration::ZERO, "{at}"),
            Kind::Busy | Kind::Silent | Kind::Refuses(_) => assert_eq!(heard, Duration::ZERO),
        }
    }
    let show = told(&server, &["campaign", "show", "spring"]).await;
    assert!(show.contains("finished") && show.contains("message_left"), "{show}");
    let csv = told(&server, &["campaign", "results", "spring", "--csv"]).await;
    assert_eq!(csv.lines().count(), 55, "{csv}");
    assert!(csv.starts_with("line,number,result,reason,"), "{csv}");
    let (code, _, why) = ask(&server, &["campaign", "start", "autumn"]).await;
    assert!(code == Some(2) && why.contains("no campaign `autumn`, only: spring"), "{why}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_is_killed_in_the_middle_calls_nobody_twice() {
    let carrier = Carrier::open(Clips::spoken().await, |_| Kind::Person).await;
    let mut rows = String::from("number\n");
    for at in 0..18 {
        rows.push_str(&format!("{}\n", number(at)));
    }
    let folder = Folder::new();
    folder.put("dialplans/people.csv", rows);
    let server = Server::start_in(folder, house(carrier.address, QUICK)).await;
    told(&server, &["campaign", "start", "spring"]).await;
    within(LONG, "some calls", || (carrier.answered() >= 7).then_some(())).await;
    // Dropping a server kills it: it has no time to say or write anything.
    let folder = Folder::of(server);
    let before = carrier.total();
    assert!(before < 18, "it was killed in the middle: {before}");

    let server = Server::start_in(folder, house(carrier.address, QUICK)).await;
    let show = finished(&server).await;
    let rows = results(&server).await;
    for (at, row) in rows.iter().enumerate() {
        assert!(carrier.calls(at) <= 1, "{at} was called {} times", carrier.calls(at));
        match row["result"].as_str() {
            Some("answered") => assert_eq!(carrier.calls(at), 1, "{row:#}"),
            // Its INVITE may have been on the way, or just not.
            Some("interrupted") => {}
            _ => panic!("{row:#}"),
        }
    }
    let interrupted = show["results"]["interrupted"].as_u64().unwrap_or_default();
    assert!((1..=3).contains(&interrupted), "{show:#}");
    assert!(carrier.total() >= 18 - interrupted as usize, "somebody is forgotten: {show:#}");
}

/// Waits until the campaign is over; tells how it stands then.
async fn finished(server: &Server) -> Value {
    let over = async {
        loop {
            let show = told(server, &["campaign", "show", "spring", "--json"]).await;
            let show: Value = serde_json::from_str(&show).expect("JSON");
            if show["state"] == "finished" {
                return show;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    tokio::time::timeout(LONG, over).await.expect("the campaign comes to its end")
}

async fn results(server: &Server) -> Vec<Value> {
    let lines = told(server, &["campaign", "results", "spring", "--json"]).await;
    lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn number(at: usize) -> String {
    format!("+4971000{at:03}")
}

fn house(carrier: SocketAddr, campaign: &str) -> House {
    House::with(&format!("{DIALPLAN}{campaign}")).and(&format!(
        "[trunks.carrier]\nhost = \"{carrier}\"\noptions_ping = \"off\"\n\
         inbound = {{ allow = [\"127.0.0.4\"] }}\n\
         [security.outbound]\nallow = [\"+4971*\"]\nmax_per_minute = 1000\n\
         max_per_hour = 1000\n"
    ))
}

/// What a callee does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Person,
    Machine,
    Screening,
    Busy,
    /// It rings and rings.
    Silent,
    Refuses(u16),
}

fn kind_of(at: usize) -> Kind {
    match at {
        0..20 => Kind::Person,
        20..32 => Kind::Machine,
        32..38 => Kind::Screening,
        38..43 => Kind::Busy,
        43..47 => Kind::Silent,
        47 | 48 => Kind::Refuses(404),
        _ => Kind::Refuses(503),
    }
}

/// What callees say.
#[derive(Debug, Clone)]
struct Clips {
    hello: Frame,
    greeting: Frame,
    screening: Frame,
}

impl Clips {
    async fn spoken() -> Self {
        let after = |millis: u64, clip: Frame| {
            let mut samples = Frame::silence(clip.rate, Duration::from_millis(millis)).samples;
            samples.extend(clip.samples);
            Frame::new(clip.rate, samples)
        };
        let hello = spoken(Speaker::Flite("rms"), "Hello?").await;
        let words = "Hi, I can't come to the phone now. Please leave a message after the beep.";
        let mut greeting =
            resample::convert(&spoken(Speaker::Flite("slt"), words).await, Rate(8_000));
        greeting.samples.extend(Frame::silence(Rate(8_000), Duration::from_millis(500)).samples);
        let mut beep = Tone::sine(Rate(8_000), 1_000.0).at(0.3);
        greeting.samples.extend(beep.play(Duration::from_millis(400)));
        let screening = spoken(Speaker::Flite("rms"), "Please state your name.").await;
        Self {
            hello: after(400, hello),
            greeting: after(300, greeting),
            screening: after(400, screening),
        }
    }
}

/// A carrier with many callees behind it.
struct Carrier {
    address: SocketAddr,
    calls: Arc<Mutex<HashMap<String, Call>>>,
    task: JoinHandle<()>,
}

/// A call that came.
struct Call {
    number: String,
    invite: String,
    /// The last answer to the INVITE.
    answer: String,
    audio: Option<Audio>,
    said: bool,
    over: bool,
}

impl Carrier {
    async fn open(clips: Clips, kind: impl Fn(usize) -> Kind + Send + 'static) -> Self {
        let socket = UdpSocket::bind("127.0.0.4:0").await.expect("a socket");
        let address = socket.local_addr().expect("an address");
        let calls = Arc::new(Mutex::new(HashMap::new()));
        let known = calls.clone();
        let task = tokio::spawn(async move { serve(socket, known, (clips, kind)).await });
        Self { address, calls, task }
    }

    fn with<T>(&self, look: impl FnOnce(&HashMap<String, Call>) -> T) -> T {
        look(&self.calls.lock().expect("unpoisoned"))
    }

    /// How often a callee was called.
    fn calls(&self, at: usize) -> usize {
        let number = number(at);
        self.with(|calls| calls.values().filter(|call| call.number == number).count())
    }

    fn total(&self) -> usize {
        self.with(|calls| {
            calls.values().map(|call| &call.number).collect::<std::collections::BTreeSet<_>>().len()
        })
    }

    fn answered(&self) -> usize {
        self.with(|calls| calls.values().filter(|call| call.audio.is_some()).count())
    }

    /// How much a callee heard that is no silence.
    fn heard(&self, at: usize) -> Duration {
        let number = number(at);
        self.with(|calls| {
            let own = calls.values().filter(|call| call.number == number);
            own.filter_map(|call| call.audio.as_ref()).map(|audio| loud(&audio.heard())).sum()
        })
    }
}

impl Drop for Carrier {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// How long somebody speaks in a clip.
fn loud(clip: &Frame) -> Duration {
    let frames = clip.samples.chunks(160);
    let voiced = frames.filter(|it| it.iter().any(|sample| sample.unsigned_abs() > 1_500)).count();
    Duration::from_millis(20) * voiced as u32
}

async fn serve(
    socket: UdpSocket,
    calls: Arc<Mutex<HashMap<String, Call>>>,
    (clips, kind): (Clips, impl Fn(usize) -> Kind),
) {
    let mut buffer = vec![0; 65_536];
    let mut look = tokio::time::interval(Duration::from_millis(100));
    let mut from: BTreeMap<String, SocketAddr> = BTreeMap::new();
    let own = socket.local_addr().expect("bound");
    loop {
        let (message, peer) = tokio::select! {
            received = socket.recv_from(&mut buffer) => {
                let Ok((length, peer)) = received else { continue };
                (String::from_utf8_lossy(&buffer[..length]).into_owned(), peer)
            }
            // A person hangs up after what it has heard of the agent.
            _ = look.tick() => {
                for (id, bye) in goodbyes(&calls, own) {
                    let Some(to) = from.get(&id) else { continue };
                    socket.send_to(bye.as_bytes(), to).await.ok();
                }
                continue;
            }
        };
        let id = header(&message, "Call-ID").to_owned();
        from.insert(id.clone(), peer);
        let method = message.split(' ').next().unwrap_or_default().to_owned();
        let mut answers = Vec::new();
        match method.as_str() {
            "INVITE" => {
                let known = calls.lock().expect("unpoisoned").get(&id).map(|it| it.answer.clone());
                if let Some(answer) = known {
                    answers.push(answer);
                } else {
                    let (number, kind) = called(&message, &kind);
                    let (answer, audio) = taken(&message, own, (kind, &clips)).await;
                    answers.push(answer.clone());
                    let said = kind == Kind::Machine;
                    let call = Call { number, invite: message, answer, audio, said, over: false };
                    calls.lock().expect("unpoisoned").insert(id, call);
                }
            }
            "CANCEL" => {
                answers.push(reply(&message, own, "200 OK", ""));
                let mut calls = calls.lock().expect("unpoisoned");
                if let Some(call) = calls.get_mut(&id) {
                    call.answer = reply(&call.invite, own, "487 Request Terminated", "");
                    answers.push(call.answer.clone());
                }
            }
            "BYE" | "OPTIONS" => {
                answers.push(reply(&message, own, "200 OK", ""));
                let mut calls = calls.lock().expect("unpoisoned");
                calls.entry(id).and_modify(|call| call.over = true);
            }
            _ => {}
        }
        send(&socket, peer, &answers).await;
    }
}

async fn send(socket: &UdpSocket, peer: SocketAddr, answers: &[String]) {
    for answer in answers {
        socket.send_to(answer.as_bytes(), peer).await.ok();
    }
}

/// Who is called.
fn called(invite: &str, kind: impl Fn(usize) -> Kind) -> (String, Kind) {
    let user = invite.split(['@', ';']).next().unwrap_or_default();
    let number = user.rsplit(':').next().unwrap_or_default().to_owned();
    let at = number.rsplit("71000").next().and_then(|it| it.parse().ok());
    (number, kind(at.expect("a number of ours")))
}

/// What a callee answers, and what it says if it does.
async fn taken(
    invite: &str,
    own: SocketAddr,
    (kind, clips): (Kind, &Clips),
) -> (String, Option<Audio>) {
    let clip = match kind {
        Kind::Busy => return (reply(invite, own, "486 Busy Here", ""), None),
        Kind::Silent => return (reply(invite, own, "180 Ringing", ""), None),
        Kind::Refuses(404) => return (reply(invite, own, "404 Not Found", ""), None),
        Kind::Refuses(_) => return (reply(invite, own, "503 Service Unavailable", ""), None),
        Kind::Person => &clips.hello,
        Kind::Machine => &clips.greeting,
        Kind::Screening => &clips.screening,
    };
    let audio = Audio::open().await;
    audio.towards(invite);
    audio.say(clip);
    let body = format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
         m=audio {} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n",
        audio.port()
    );
    (reply(invite, own, "200 OK", &body), Some(audio))
}

/// The BYEs of those who have heard enough.
fn goodbyes(calls: &Mutex<HashMap<String, Call>>, own: SocketAddr) -> Vec<(String, String)> {
    let mut calls = calls.lock().expect("unpoisoned");
    let mut byes = Vec::new();
    for (id, call) in calls.iter_mut().filter(|(_, call)| !call.said && !call.over) {
        let Some(audio) = &call.audio else { continue };
        if loud(&audio.heard()) < Duration::from_millis(400) {
            continue;
        }
        call.said = true;
        let target = header(&call.invite, "Contact").trim_matches(['<', '>']).to_owned();
        let target = target.split('>').next().unwrap_or_default().to_owned();
        byes.push((
            id.clone(),
            format!(
                "BYE {target} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bKbye{}\r\n\
                 From: {}\r\nTo: {}\r\nCall-ID: {id}\r\nCSeq: 1 BYE\r\nMax-Forwards: 70\r\n\
                 Content-Length: 0\r\n\r\n",
                call.number.trim_start_matches('+'),
                header(&call.answer, "To"),
                header(&call.invite, "From"),
            ),
        ));
    }
    byes
}

fn reply(request: &str, own: SocketAddr, status: &str, body: &str) -> String {
    let copied = ["Via", "Record-Route", "From", "Call-ID", "CSeq"];
    let copied: String = request
        .lines()
        .take_while(|line| !line.is_empty())
        .filter(|line| copied.iter().any(|name| line.starts_with(&format!("{name}:"))))
        .map(|line| format!("{line}\r\n"))
        .collect();
    let to = header(request, "To");
    let to = if to.contains(";tag=") { to.to_owned() } else { format!("{to};tag=callee") };
    let content = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    format!(
        "SIP/2.0 {status}\r\n{copied}To: {to}\r\nContact: <sip:{own}>\r\n{content}\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// How long all of it may take on a machine that has other things to do.
const LONG: Duration = Duration::from_secs(240);

const DIALPLAN: &str = r#"
[[route]]
to = "hangup:404"

[agents.caller]
first_message = "Good morning, this is the bicycle shop calling about your repair."
llm.provider  = "rules"
stt.provider  = "pocketsphinx"
tts           = { provider = "flite", voice = "slt" }

[[agents.caller.intents]]
id      = "who"
phrases = ["please state your name"]
say     = "This is the bicycle shop."

[[agents.caller.intents]]
id      = "machine"
phrases = ["i can't come to the phone now", "please leave a message after the beep"]
say     = "Goodbye."

[[agents.caller.intents]]
id      = "hello"
phrases = ["hello"]
say     = "Good morning."
"#;

const CAMPAIGN: &str = r#"
[campaigns.spring]
csv         = "people.csv"
to          = "agent:caller"
trunk       = "carrier"
from        = "+4971112340"
concurrency = 6
pace        = "5/s"
ring        = "5s"
retry.busy  = { count = 1, after = "1s" }
amd         = { message = "This is the bicycle shop, your repair is done, {{ name }}." }
"#;

const QUICK: &str = r#"
[campaigns.spring]
csv         = "people.csv"
to          = "agent:caller"
trunk       = "carrier"
concurrency = 3
pace        = "10/s"
"#;
