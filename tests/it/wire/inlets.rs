//! Calls that come without SIP: an Asterisk by AudioSocket, Twilio by a Media Stream. Each speaks real
//! speech, hears the agent, presses keys and hangs up; strangers and nonsense are shown out.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};
use voxtrunk::audio::frame::{Frame, Rate};
use voxtrunk::audio::g711;
use voxtrunk::audio::resample;
use voxtrunk::base::secret::Secret;
use voxtrunk::providers::framings::settings::signature;

use super::caller::{Speaker, spoken};
use super::control::{Watch, eventually, told};
use super::ear::{recognised, voiced};
use super::oversight::{answers, phone};
use super::peers::free_port;
use super::phones::PHONES;
use super::server::{House, PATIENCE, Server, said, within};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_asterisk_brings_a_call_by_audiosocket() {
    for rate in [Rate(8_000), Rate(16_000)] {
        let (server, door) = audiosocket().await;
        let pbx = Pbx::connects(door, RECEPTION, rate).await;
        within(PATIENCE, "the greeting", || pbx.has_heard(600)).await;
        quiet(&|| pbx.heard()).await;
        pbx.says(&spoken(Speaker::Flite("rms"), QUESTION).await);
        both(&|| pbx.heard()).await;
        let show = eventually(&server, &["call", "list", "--json"], |it| {
            it["data"][0]["doing"] == "agent"
        });
        let call = show.await["data"][0].clone();
        assert_eq!(
            (&call["trunk"], &call["to"]["number"]),
            (&json!("audiosocket"), &json!(RECEPTION))
        );
        // Keys go both ways.
        pbx.sends(KEY, b"5");
        let id = call["id"].as_str().expect("an identity");
        told(&server, &["call", "dtmf", id, "7"]).await;
        within(PATIENCE, "a key", || pbx.keys().contains('7').then_some(())).await;
        within(PATIENCE, "the other key", || {
            let records = std::fs::read_to_string(server.folder.path("data/running.jsonl"));
            records.unwrap_or_default().contains("five").then_some(())
        })
        .await;
        pbx.sends(HANG_UP, &[]);
        let record = server.record().await;
        assert_eq!(record["end_reason"], "caller_hangup", "{record:#}");
        assert_eq!(said(&record, "agent")[0], "Welcome to the shop.", "{record:#}");
        assert_eq!(record["trunk"], "audiosocket", "{record:#}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_call_by_audiosocket_is_sent_to_a_phone_and_hung_up_by_us() {
    let (server, door) = audiosocket().await;
    let mut ben = phone(&server, "102", "other").await;
    let pbx = Pbx::connects(door, RECEPTION, Rate(8_000)).await;
    within(PATIENCE, "the greeting", || pbx.has_heard(600)).await;
    let call =
        eventually(&server, &["call", "list", "--json"], |it| it["data"][0]["doing"] == "agent");
    let call = call.await["data"][0]["id"].as_str().expect("an identity").to_owned();
    told(&server, &["call", "transfer", &call, "102"]).await;
    let line = answers(&mut ben).await;
    quiet(&|| pbx.heard()).await;
    let known = pbx.heard().samples.len();
    ben.audio.say(&spoken(Speaker::Flite("slt"), ANSWER).await);
    within(PATIENCE, "the other side", || {
        let heard = pbx.heard();
        let fresh = Frame::new(heard.rate, heard.samples[known..].to_vec());
        (voiced(&fresh) > Duration::from_millis(1_200)).then_some(())
    })
    .await;
    ben.ask(&line, "BYE", "").await;
    within(PATIENCE, "the end", || pbx.is_hung_up()).await;
    let record = server.record().await;
    assert_eq!(record["end_reason"], "callee_hangup", "{record:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn strangers_and_nonsense_at_audiosocket_cost_nothing() {
    let (server, door) = audiosocket().await;
    // A call that no route takes is hung up at once.
    let nobody = Pbx::connects(door, "11111111-2222-4333-8444-555555555555", Rate(8_000)).await;
    within(PATIENCE, "the end", || nobody.is_hung_up()).await;
    for nonsense in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[1, 0, 4, 0, 0, 0, 0], &[0x10, 0, 2, 0, 0]] {
        let mut stream = TcpStream::connect(door).await.expect("a connection");
        stream.write_all(nonsense).await.expect("sent");
        assert_eq!(left(&mut stream).await, 0, "{nonsense:?}");
    }
    // Who says nothing is shown out as well.
    let mut silent = TcpStream::connect(door).await.expect("a connection");
    assert_eq!(left(&mut silent).await, 0);
    // In a call, half a sample ends it, and only it.
    let good = Pbx::connects(door, RECEPTION, Rate(8_000)).await;
    let bad = Pbx::connects(door, RECEPTION, Rate(8_000)).await;
    within(PATIENCE, "both greetings", || good.has_heard(600).and(bad.has_heard(600))).await;
    bad.sends(0x10, &[1, 2, 3]);
    within(PATIENCE, "the end", || bad.is_hung_up()).await;
    assert!(good.is_hung_up().is_none());
    good.sends(HANG_UP, &[]);
    server.records_of(RECEPTION, 2).await;
    let refused = server.log().contains("a call by AudioSocket was not taken");
    assert!(refused, "{}", server.log());

    let foreign =
        format!("[audiosocket]\nbind = \"127.0.0.1:{}\"\nallow = [\"192.0.2.1\"]\n", free_port());
    let house = House::with(DIALPLAN).and(PHONES).and(&foreign);
    let bind = foreign.split('"').nth(1).expect("an address").to_owned();
    let _server = Server::start(house.and(TWILIO_DOOR)).await;
    let mut stranger = TcpStream::connect(bind).await.expect("a connection");
    assert_eq!(left(&mut stranger).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn twilio_brings_a_call_by_a_signed_stream() {
    let (server, door) = twilio().await;
    let mut events = Watch::start(&server, &["events", "--json"]);
    let stream = Twilio::dials(door, "reception").await.expect("a stream");
    within(PATIENCE, "the greeting", || stream.has_heard(600)).await;
    quiet(&|| stream.heard()).await;
    stream.says(&spoken(Speaker::Flite("rms"), QUESTION).await);
    both(&|| stream.heard()).await;
    let ended = events.until("call.started");
    assert!(ended.await.contains("call.started"));
    stream.presses("5");
    within(PATIENCE, "the key", || {
        let records = std::fs::read_to_string(server.folder.path("data/running.jsonl"));
        records.unwrap_or_default().contains("five").then_some(())
    })
    .await;
    stream.stops();
    let record = server.record().await;
    assert_eq!(record["end_reason"], "caller_hangup", "{record:#}");
    assert_eq!(
        (&record["trunk"], &record["to"]["number"]),
        (&json!("twilio"), &json!("reception"))
    );
    assert_eq!(record["from"]["number"], "+4971112340", "{record:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_stream_that_is_not_signed_or_speaks_otherwise_is_refused() {
    let (server, door) = twilio().await;
    let refused = async |header: Option<String>| {
        let mut request =
            format!("ws://{door}/v1/streams/twilio").into_client_request().expect("a request");
        if let Some(header) = header {
            request.headers_mut().insert("X-Twilio-Signature", header.parse().expect("a value"));
        }
        let stream = TcpStream::connect(door).await.expect("a connection");
        match tokio_tungstenite::client_async(request, stream).await {
            Err(Error::Http(answer)) => answer.status().as_u16(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(refused(None).await, 403);
    assert_eq!(refused(Some(signature(URL, &Secret::from("wrong".to_owned())))).await, 403);
    let elsewhere = signature("wss://evil.example/", &Secret::from(TOKEN.to_owned()));
    assert_eq!(refused(Some(elsewhere)).await, 403);
    let client = plain_get(door, "/v1/streams/twilio").await;
    assert!(client.starts_with("HTTP/1.1 426"), "{client}");
    // A stream of other samples, one that never begins, and one whose call no route takes.
    for (start, why) in [
        (
            json!({ "mediaFormat": { "encoding": "audio/L16", "sampleRate": 16_000 } }),
            "another form",
        ),
        (json!({ "customParameters": { "agent": "nobody" } }), "nobody"),
    ] {
        let mut stream = Twilio::socket(door).await.expect("a socket");
        let mut body = json!({ "streamSid": "MZ1", "callSid": "CA1", "accountSid": "AC1" });
        for (key, value) in start.as_object().expect("an object") {
            body[key] = value.clone();
        }
        let start = json!({ "event": "start", "streamSid": "MZ1", "start": body });
        stream.send(Message::text(start.to_string())).await.expect("sent");
        let last = tokio::time::timeout(PATIENCE, async {
            while let Some(Ok(message)) = stream.next().await {
                if message.is_close() {
                    break;
                }
            }
        });
        last.await.expect(why);
    }
    let good = Twilio::dials(door, "reception").await.expect("a stream");
    within(PATIENCE, "the greeting", || good.has_heard(600)).await;
    good.stops();
    server.records_of("reception", 1).await;
}

/// Waits until nothing new was said for a second.
async fn quiet(heard: &(dyn Fn() -> Frame + Sync)) {
    let mut last = voiced(&heard());
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let now = voiced(&heard());
        if now == last {
            return;
        }
        last = now;
    }
}

/// Waits until the greeting and the answer were heard.
async fn both(heard: &(dyn Fn() -> Frame + Sync)) {
    let mut words = String::new();
    for _ in 0..60 {
        words = recognised(&heard(), &KNOWN).await;
        if words.contains(GREETING) && words.contains(ANSWER) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    panic!("the answer is not heard, but: {words}");
}

/// Reads until the other side closes; gives how many octets came.
async fn left(stream: &mut TcpStream) -> usize {
    let mut rest = Vec::new();
    let reading = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await;
    // A connection that is reset is over as well.
    reading.expect("it closes").ok();
    rest.len()
}

/// What a door of HTTP answers to a signed request without an upgrade.
async fn plain_get(door: std::net::SocketAddr, path: &str) -> String {
    let signed = signature(URL, &Secret::from(TOKEN.to_owned()));
    let mut stream = TcpStream::connect(door).await.expect("a connection");
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {door}\r\nX-Twilio-Signature: {signed}\r\n\
         Connection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    answer
}

async fn audiosocket() -> (Server, std::net::SocketAddr) {
    let door = format!("127.0.0.1:{}", free_port());
    let settings = format!("[audiosocket]\nbind = \"{door}\"\n{TWILIO_DOOR}");
    let server = Server::start(House::with(DIALPLAN).and(PHONES).and(&settings)).await;
    (server, door.parse().expect("an address"))
}

async fn twilio() -> (Server, std::net::SocketAddr) {
    let door = format!("127.0.0.1:{}", free_port());
    let settings = format!(
        "[audiosocket]\nbind = \"127.0.0.1:{}\"\n\n[http]\nbind = \"{door}\"\n\n\
         [http.twilio]\nurl = \"{URL}\"\nauth_token = \"{TOKEN}\"\n",
        free_port()
    );
    let server = Server::start(House::with(DIALPLAN).and(PHONES).and(&settings)).await;
    (server, door.parse().expect("an address"))
}

/// What was heard, and how it went.
#[derive(Debug, Default)]
struct Heard {
    samples: Vec<i16>,
    keys: String,
    is_over: bool,
}

/// An Asterisk with a call, as its AudioSocket behaves: a frame each 20 ms.
struct Pbx {
    rate: Rate,
    says: Arc<Mutex<VecDeque<Vec<u8>>>>,
    heard: Arc<Mutex<Heard>>,
    _tasks: JoinSet<()>,
}

impl Pbx {
    async fn connects(door: std::net::SocketAddr, call: &str, rate: Rate) -> Self {
        let stream = TcpStream::connect(door).await.expect("a connection");
        let (mut input, mut out) = stream.into_split();
        let heard = Arc::new(Mutex::new(Heard::default()));
        let mut tasks = JoinSet::new();
        let kept = heard.clone();
        tasks.spawn(async move {
            let mut head = [0; 3];
            while input.read_exact(&mut head).await.is_ok() {
                let [kind, high, low] = head;
                let mut payload = vec![0; usize::from(u16::from_be_bytes([high, low]))];
                if input.read_exact(&mut payload).await.is_err() {
                    break;
                }
                let mut heard = kept.lock().expect("unpoisoned");
                match kind {
                    HANG_UP => break,
                    KEY => heard.keys.push(char::from(payload[0])),
                    kind => {
                        assert_eq!(kind, kind_of(rate));
                        let (pairs, _) = payload.as_chunks::<2>();
                        heard.samples.extend(pairs.iter().map(|it| i16::from_le_bytes(*it)));
                    }
                }
            }
            kept.lock().expect("unpoisoned").is_over = true;
        });
        let says = Arc::new(Mutex::new(VecDeque::new()));
        let mut pbx = Self { rate, says: says.clone(), heard, _tasks: tasks };
        let id = call.replace('-', "");
        let id: Vec<u8> = (0..16)
            .map(|at| u8::from_str_radix(&id[at * 2..at * 2 + 2], 16).expect("digits"))
            .collect();
        pbx.sends(IDENTITY, &id);
        let silence = frame(kind_of(rate), &vec![0; rate.0 as usize / 25]);
        pbx._tasks.spawn(async move {
            let mut frames = tokio::time::interval(Duration::from_millis(20));
            loop {
                frames.tick().await;
                let next = says.lock().expect("unpoisoned").pop_front();
                let next = next.unwrap_or_else(|| silence.clone());
                let is_last = next[0] == HANG_UP;
                // Who was hung up says nothing more.
                if out.write_all(&next).await.is_err() || is_last {
                    return;
                }
            }
        });
        pbx
    }

    fn sends(&self, kind: u8, payload: &[u8]) {
        self.says.lock().expect("unpoisoned").push_back(frame(kind, payload));
    }

    fn says(&self, clip: &Frame) {
        for piece in resample::convert(clip, self.rate).samples.chunks(self.rate.0 as usize / 50) {
            let octets: Vec<u8> = piece.iter().flat_map(|it| it.to_le_bytes()).collect();
            self.sends(kind_of(self.rate), &octets);
        }
    }

    fn heard(&self) -> Frame {
        Frame::new(self.rate, self.heard.lock().expect("unpoisoned").samples.clone())
    }

    fn keys(&self) -> String {
        self.heard.lock().expect("unpoisoned").keys.clone()
    }

    fn has_heard(&self, millis: u64) -> Option<()> {
        (voiced(&self.heard()) > Duration::from_millis(millis)).then_some(())
    }

    fn is_hung_up(&self) -> Option<()> {
        self.heard.lock().expect("unpoisoned").is_over.then_some(())
    }
}

fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).expect("it is short").to_be_bytes();
    [&[kind][..], &length, payload].concat()
}

fn kind_of(rate: Rate) -> u8 {
    if rate.0 == 8_000 { 0x10 } else { 0x12 }
}

type Socket = tokio_tungstenite::WebSocketStream<TcpStream>;

/// Twilio with a call, as it dials a bot.
struct Twilio {
    says: Arc<Mutex<Vec<Value>>>,
    heard: Arc<Mutex<Heard>>,
    _tasks: JoinSet<()>,
}

impl Twilio {
    async fn socket(door: std::net::SocketAddr) -> Result<Socket, Error> {
        let mut request = format!("ws://{door}/v1/streams/twilio").into_client_request()?;
        let signed = signature(URL, &Secret::from(TOKEN.to_owned()));
        request.headers_mut().insert("X-Twilio-Signature", signed.parse().expect("a value"));
        let stream = TcpStream::connect(door).await.expect("a connection");
        Ok(tokio_tungstenite::client_async(request, stream).await?.0)
    }

    async fn dials(door: std::net::SocketAddr, agent: &str) -> Result<Self, Error> {
        let (mut out, mut input) = Self::socket(door).await?.split();
        let (says, heard) =
            (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Heard::default())));
        let mut tasks = JoinSet::new();
        let kept = heard.clone();
        tasks.spawn(async move {
            while let Some(Ok(message)) = input.next().await {
                let Message::Text(text) = message else { continue };
                let message: Value = serde_json::from_str(&text).expect("JSON");
                assert_eq!(
                    (&message["event"], &message["streamSid"]),
                    (&json!("media"), &json!("MZ9"))
                );
                let payload = message["media"]["payload"].as_str().expect("a payload");
                let codes = BASE64_STANDARD.decode(payload).expect("base64");
                let samples = codes.into_iter().map(g711::ulaw_to_linear);
                kept.lock().expect("unpoisoned").samples.extend(samples);
            }
            kept.lock().expect("unpoisoned").is_over = true;
        });
        let connected = json!({ "event": "connected", "protocol": "Call", "version": "1.0.0" });
        let start = json!({ "event": "start", "sequenceNumber": "1", "streamSid": "MZ9", "start": {
            "streamSid": "MZ9", "accountSid": "AC1", "callSid": "CA9", "tracks": ["inbound"],
            "mediaFormat": { "encoding": "audio/x-mulaw", "sampleRate": 8_000, "channels": 1 },
            "customParameters": { "agent": agent, "from": "+4971112340" },
        } });
        for message in [connected, start] {
            out.send(Message::text(message.to_string())).await?;
        }
        let waiting: Arc<Mutex<Vec<Value>>> = says.clone();
        tasks.spawn(async move {
            let mut frames = tokio::time::interval(Duration::from_millis(20));
            loop {
                frames.tick().await;
                let next = {
                    let mut waiting = waiting.lock().expect("unpoisoned");
                    if waiting.is_empty() { media(&[0; 160]) } else { waiting.remove(0) }
                };
                let is_last = next["event"] == "stop";
                if out.send(Message::text(next.to_string())).await.is_err() || is_last {
                    return;
                }
            }
        });
        Ok(Self { says, heard, _tasks: tasks })
    }

    fn sends(&self, message: Value) {
        self.says.lock().expect("unpoisoned").push(message);
    }

    fn says(&self, clip: &Frame) {
        for piece in resample::convert(clip, Rate(8_000)).samples.chunks(160) {
            self.sends(media(piece));
        }
    }

    fn presses(&self, key: &str) {
        let dtmf = json!({ "track": "inbound_track", "digit": key });
        self.sends(json!({ "event": "dtmf", "streamSid": "MZ9", "dtmf": dtmf }));
    }

    fn stops(&self) {
        let stop = json!({ "accountSid": "AC1", "callSid": "CA9" });
        self.sends(json!({ "event": "stop", "streamSid": "MZ9", "stop": stop }));
    }

    fn heard(&self) -> Frame {
        Frame::new(Rate(8_000), self.heard.lock().expect("unpoisoned").samples.clone())
    }

    fn has_heard(&self, millis: u64) -> Option<()> {
        (voiced(&self.heard()) > Duration::from_millis(millis)).then_some(())
    }
}

fn media(samples: &[i16]) -> Value {
    let codes: Vec<u8> = samples.iter().map(|it| g711::linear_to_ulaw(*it)).collect();
    let payload = BASE64_STANDARD.encode(codes);
    let body = json!({ "track": "inbound", "payload": payload });
    json!({ "event": "media", "streamSid": "MZ9", "media": body })
}

const HANG_UP: u8 = 0x00;

const IDENTITY: u8 = 0x01;

const KEY: u8 = 0x03;

const RECEPTION: &str = "40325ec2-5efd-4bd3-805f-53576e581d13";

const URL: &str = "wss://voice.example.com/v1/streams/twilio";

const TOKEN: &str = "sesame-4711";

/// A door of Twilio's, which the dialplan names.
const TWILIO_DOOR: &str = "\n[http]\nbind = \"127.0.0.1:0\"\n\n[http.twilio]\n\
    url = \"wss://voice.example.com/v1/streams/twilio\"\nauth_token = \"sesame-4711\"\n";

const DIALPLAN: &str = r#"
[[route]]
trunk = "audiosocket"
did   = "40325ec2-5efd-4bd3-805f-53576e581d13"
to    = "agent:desk"

[[route]]
trunk = "twilio"
did   = "reception"
to    = "agent:desk"

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

[[agents.desk.intents]]
id      = "five"
key     = "5"
say     = "That was five."
"#;

const GREETING: &str = "welcome to the shop";

const QUESTION: &str = "what are your opening hours";

const ANSWER: &str = "we are open from nine to six";

const KNOWN: [&str; 4] = [GREETING, QUESTION, ANSWER, "that was five"];
