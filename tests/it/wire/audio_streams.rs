//! Calls that go to somebody behind a WebSocket: a bot with Pipecat's own serializer, bots in all
//! forms, and bots that misbehave, after which the call goes elsewhere.

use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use voxtrunk::audio::frame::{Frame, Rate};
use voxtrunk::audio::g711;
use voxtrunk::audio::resample;
use voxtrunk::engine::phone::{Act, Line, Moment, When};
use voxtrunk::media::event::Digit;

use super::caller::{Speaker, call, recorded, say, spoken};
use super::ear::{hears, recognise, recognised, voiced};
use super::http::Api;
use super::oversight::{Ann, answers, phone};
use super::peers::free_port;
use super::phones::PHONES;
use super::queues::hear_each_other;
use super::server::{Folder, House, PATIENCE, SOURCE, Server, said, within};

/// An agent that takes what a stream leaves.
macro_rules! stand_in {
    () => {
        r#"[agents.stand-in]
first_message = "All our lines are busy."
llm           = { provider = "rules" }
stt           = { provider = "pocketsphinx" }
tts           = { provider = "flite", voice = "slt" }

[[agents.stand-in.intents]]
id      = "hours"
phrases = ["what are your opening hours"]
say     = "Call again tomorrow."
"#
    };
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_bot_with_pipecats_serializer_holds_a_call() {
    let bot = Pipecat::open().await;
    let settings = bot.settings(
        "account_sid = \"AC123\"\nauth_token = \"${env:TOKEN}\"\n\
         parameters = { agent = \"reception\", caller = \"{{ caller }}\" }\n\
         headers = { X-House = \"voxtrunk\" }\n",
    );
    let variables = [("TOKEN", "sesame-4711")];
    let house = House::with(TO_BOT).and(&settings);
    let server = Server::start_again(Folder::new(), house, &variables).await;
    let folder = Folder::new();
    let lines = vec![say(Speaker::Flite("rms"), QUESTION).await, press("2"), press("#")];
    let outcome = recorded(&server.uri("901"), lines, folder.path("call.wav")).await;
    assert!(outcome.they_hung_up(), "{:?} {:#?}", outcome.ending, bot.notes());
    let heard = outcome.heard.expect("a recording");
    let words = recognised(&heard, &[QUESTION, ANSWER]).await;
    assert!(words.contains(ANSWER) && words.contains(QUESTION), "{words} {:#?}", bot.notes());
    // The story would take seven seconds, and is cut after one.
    assert!(voiced(&heard) < Duration::from_secs(14), "{:?}", voiced(&heard));
    let notes = bot.notes();
    let start = &notes.iter().find(|it| it.get("start").is_some()).expect("a start")["start"];
    assert_eq!(start["accountSid"], "AC123", "{start:#}");
    let parameters = &start["customParameters"];
    assert_eq!(parameters, &json!({ "agent": "reception", "caller": "phone" }), "{start:#}");
    let told: Vec<String> = notes.iter().filter_map(told).collect();
    let expected =
        ["mark greeting", "mark echo", "key 2", "mark story", "mark again", "key #"].join(", ");
    assert_eq!(told.join(", "), expected, "{notes:#?}");
    let headers = &notes.iter().find(|it| it.get("headers").is_some()).expect("them")["headers"];
    assert_eq!(headers["x-house"], "voxtrunk");
    assert!(headers["x-twilio-signature"].as_str().is_some_and(|it| it.len() == 28), "{headers}");
    let record = server.record().await;
    assert_eq!(record["end_reason"], "agent_ended", "{record:#}");
    assert_eq!(record["streams"][0]["stream"], "bot", "{record:#}");
    assert_eq!(record["streams"][0]["end"], "done", "{record:#}");
    assert!(!server.log().contains("sesame-4711"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_stream_learns_that_the_caller_hung_up() {
    let bot = Pipecat::open().await;
    let server = Server::start(House::with(TO_BOT).and(&bot.settings(""))).await;
    let outcome = call(&server.uri("901"), Vec::new(), Duration::from_secs(2)).await;
    assert!(outcome.we_hung_up(), "{:?}", outcome.ending);
    within(PATIENCE, "the end of the stream", || {
        bot.notes().iter().any(|it| it.get("stop").is_some()).then_some(())
    })
    .await;
    let record = server.record().await;
    assert_eq!(record["end_reason"], "caller_hangup", "{record:#}");
    assert_eq!(record["streams"][0]["end"], "left", "{record:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn pipecats_serializer_hangs_up_as_it_does_at_twilio() {
    let door = format!("http://127.0.0.1:{}", free_port());
    let bot = Pipecat::open_with(&[("REST", &door), ("TOKEN", "sesame-4711")]).await;
    let server = Server::start(House::with(TO_BOT).and(&telephony(&bot.settings(""), &door))).await;
    let lines = vec![press("*")];
    let outcome = call(&server.uri("901"), lines, PATIENCE).await;
    assert!(outcome.they_hung_up(), "{:?} {:#?} {}", outcome.ending, bot.notes(), server.log());
    let record = server.record().await;
    assert_eq!(record["end_reason"], "admin_ended", "{record:#}");
    assert_eq!(record["streams"][0]["end"], "left", "{record:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_bot_sends_its_call_elsewhere_as_it_does_at_twilio() {
    let bot = Pipecat::open().await;
    let door = format!("http://127.0.0.1:{}", free_port());
    let settings = telephony(&bot.settings(""), &door) + PHONES;
    let server = Server::start(House::with(TO_BOT).and(&settings)).await;
    let mut ben = phone(&server, "102", "other").await;
    let ann = Ann::calls(&server, "901").await;
    hears(&ann.audio, 0, ANSWER, &[QUESTION, ANSWER]).await;
    let start = bot.notes().into_iter().find(|it| it.get("start").is_some()).expect("a start");
    let sid = start["start"]["callSid"].as_str().expect("an identity").to_owned();
    let twilio = Twilio { door: door.clone(), sid };

    // Neither another token nor another account is good for it, and what is not yours is not there.
    assert_eq!(twilio.ask(("AC123", "open"), &[("Status", "completed")]).await.0, 401);
    assert_eq!(twilio.ask(("AC124", "sesame-4711"), &[("Status", "completed")]).await.0, 401);
    let other = Twilio { door, sid: format!("CA{}", "0".repeat(32)) };
    let (status, why) = other.ask(OWN, &[("Status", "completed")]).await;
    assert_eq!((status, &why["code"]), (404, &json!(20_404)), "{why:#}");
    for (field, text, told) in [
        ("Status", "ringing", "ringing"),
        ("Url", "https://app.example.com/twiml", "Url"),
        ("Twiml", "<Response><Say>Hello</Say></Response>", "<Say>"),
        (
            "Twiml",
            "<Response><Connect><Stream url=\"wss://evil.example/\"/></Connect></Response>",
            "wss://evil.example/",
        ),
    ] {
        let (status, why) = twilio.ask(OWN, &[(field, text)]).await;
        let message = why["message"].as_str().unwrap_or_default();
        assert!(status == 400 && message.contains(told), "{text}: {status} {why:#}");
    }
    let call = twilio.get().await;
    assert_eq!((&call["status"], &call["account_sid"]), (&json!("in-progress"), &json!("AC123")));

    let there = format!("<Response><Dial><Sip>sip:102@{}</Sip></Dial></Response>", ben.address());
    let (status, call) = twilio.ask(OWN, &[("Twiml", &there)]).await;
    assert_eq!((status, &call["status"]), (200, &json!("in-progress")), "{call:#}");
    answers(&mut ben).await;
    hear_each_other(&ann.audio, &ben.audio).await;
    within(PATIENCE, "the end of the stream", || {
        bot.notes().iter().any(|it| it.get("stop").is_some()).then_some(())
    })
    .await;
    ann.hangs_up().await;
    let record = server.record().await;
    assert_eq!(record["end_reason"], "caller_hangup", "{record:#}");
    assert_eq!(record["transfers"][0]["outcome"], "worked", "{record:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_form_is_spoken() {
    let clip = resample::convert(&spoken(Speaker::Flite("slt"), ANSWER).await, Rate(16_000));
    let folder = Folder::new();
    for form in ["audio-stream", "audio-fork", "jambonz", "raw", "twilio"] {
        let bot = Bot::open(Manner::Repeats(form, clip.samples.clone())).await;
        let rate = if form == "twilio" { "" } else { "sample_rate = 16000\n" };
        let settings = bot.settings(&format!("format = \"{form}\"\n{rate}"));
        let server = Server::start(House::with(TO_BOT).and(&settings)).await;
        let lines = vec![say(Speaker::Flite("rms"), QUESTION).await, press("5")];
        let place = folder.path(&format!("{form}.wav"));
        let outcome = recorded(&server.uri("901"), lines, place).await;
        let words = recognised(&outcome.heard.expect("a recording"), &[QUESTION, ANSWER]).await;
        let notes = bot.notes();
        assert!(words.contains(ANSWER) && words.contains(QUESTION), "{form}: {words} {notes:#?}");
        let keys = notes.iter().filter(|it| it.contains("dtmf")).count();
        assert_eq!(keys, usize::from(form != "raw"), "{form}: {notes:#?}");
        let pressed = outcome.moments.iter().any(|(_, it)| *it == Moment::Hears('7'));
        assert_eq!(pressed, form != "raw", "{form}: {:?}", outcome.moments);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_call_goes_elsewhere_when_its_stream_fails() {
    for (manner, reason) in [
        (Manner::Refuses, "hears no such path"),
        (Manner::NeverAnswers, "no connection in time"),
        (Manner::ClosesEarly, "hung up before it said anything"),
        (Manner::Babbles, "makes no sense"),
        (Manner::Floods, "more than may wait"),
        (Manner::Commands, "floods us with commands"),
        (Manner::Stalls, "does not say whether it is there"),
    ] {
        let bot = Bot::open(manner.clone()).await;
        let quick = "connect_timeout = \"1s\"\ntimeout = \"1s\"\nbuffer = \"10s\"\n";
        let server = Server::start(House::with(TO_BOT).and(&bot.settings(quick))).await;
        let folder = Folder::new();
        let outcome = recorded(&server.uri("901"), Vec::new(), folder.path("call.wav")).await;
        let record = server.record().await;
        assert_eq!(
            said(&record, "agent").first().map(String::as_str),
            Some(STAND_IN),
            "{manner:?} {record:#}"
        );
        let words = recognise(&outcome.heard.expect("a recording"), &[STAND_IN_SAYS, ANSWER]).await;
        assert!(words.contains(STAND_IN_SAYS), "{manner:?}: {words}");
        let stream = &record["streams"][0];
        assert_eq!(stream["end"], "failed", "{manner:?} {record:#}");
        let told = stream["reason"].as_str().unwrap_or_default();
        let is_told = told.contains(reason) || matches!(manner, Manner::Refuses);
        assert!(is_told && !told.is_empty(), "{manner:?}: {told}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn without_anybody_else_the_caller_is_refused_or_hung_up() {
    let bot = Bot::open(Manner::Refuses).await;
    let dialplan = "[[route]]\nto = \"stream:bot\"\n";
    let server = Server::start(House::with(dialplan).and(&bot.settings(""))).await;
    call(&server.uri("901"), Vec::new(), Duration::from_secs(2)).await;
    let record = server.record().await;
    assert_eq!(record["end_reason"], "provider_error", "{record:#}");
    assert!(record["answered_at"].is_null(), "{record:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_listens_hears_both_sides_and_the_agent_goes_on() {
    let bot = Bot::open(Manner::Listens).await;
    let settings = bot.settings("format = \"raw\"\nsample_rate = 8000\n");
    let server = Server::start(House::with(FORKED).and(&settings)).await;
    let lines = vec![say(Speaker::Flite("rms"), QUESTION).await];
    call(&server.uri("901"), lines, Duration::from_secs(3)).await;
    let record = server.record().await;
    let stream = &record["streams"][0];
    assert_eq!((&stream["fork"], &stream["end"]), (&json!(true), &json!("left")), "{record:#}");
    let lines = said(&record, "agent");
    assert!(lines[0] == STAND_IN && lines.len() > 1, "the agent answers: {record:#}");
    let sides = within(PATIENCE, "the end of the stream", || bot.sides()).await;
    let [caller, ours] = sides.map(|samples| Frame::new(Rate(8_000), samples));
    assert!(recognised(&caller, &[QUESTION, STAND_IN_SAYS]).await.contains(QUESTION));
    assert!(recognised(&ours, &[QUESTION, STAND_IN_SAYS]).await.contains(STAND_IN_SAYS));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_listens_to_a_bridge_hears_both_phones() {
    let bot = Bot::open(Manner::Listens).await;
    let settings = bot.settings("format = \"raw\"\nsample_rate = 8000\n") + PHONES;
    let dialplan = "[[route]]\nto = \"phone:102\"\nfork = \"bot\"\n";
    let server = Server::start(House::with(dialplan).and(&settings)).await;
    let mut ben = phone(&server, "102", "other").await;
    let (ann, _) = tokio::join!(Ann::calls(&server, "102"), answers(&mut ben));
    within(PATIENCE, "the stream", || (bot.count() > 8_000).then_some(())).await;
    ann.audio.say(&spoken(Speaker::Flite("rms"), QUESTION).await);
    hears(&ben.audio, 0, QUESTION, &[QUESTION, ANSWER]).await;
    ben.audio.say(&spoken(Speaker::Flite("slt"), ANSWER).await);
    hears(&ann.audio, 0, ANSWER, &[QUESTION, ANSWER]).await;
    ann.hangs_up().await;
    let sides = within(PATIENCE, "the end of the stream", || bot.sides()).await;
    let [caller, ours] = sides.map(|samples| Frame::new(Rate(8_000), samples));
    assert!(recognised(&caller, &[QUESTION, ANSWER]).await.contains(QUESTION));
    assert!(recognised(&ours, &[QUESTION, ANSWER]).await.contains(ANSWER));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_listener_who_is_slow_or_gone_costs_the_call_nothing() {
    for (manner, end) in
        [(Manner::Refuses, "failed"), (Manner::ClosesEarly, "failed"), (Manner::Stalls, "failed")]
    {
        let bot = Bot::open(manner.clone()).await;
        let settings = bot.settings("timeout = \"1s\"\n");
        let server = Server::start(House::with(FORKED).and(&settings)).await;
        let lines = vec![say(Speaker::Flite("rms"), QUESTION).await];
        call(&server.uri("901"), lines, Duration::from_secs(3)).await;
        let record = server.record().await;
        assert_eq!(record["streams"][0]["end"], end, "{manner:?} {record:#}");
        let lines = said(&record, "agent");
        assert!(lines[0] == STAND_IN && lines.len() > 1, "{manner:?} {record:#}");
        assert_eq!(record["end_reason"], "caller_hangup", "{record:#}");
    }
}

/// What a note says of marks and keys.
fn told(note: &Value) -> Option<String> {
    let known = ["mark", "key"].iter().find_map(|kind| Some((kind, note.get(*kind)?)));
    known.map(|(kind, what)| format!("{kind} {}", what.as_str().unwrap_or_default()))
}

fn press(keys: &str) -> Line {
    let digits = keys.chars().filter_map(Digit::new).collect();
    Line { when: When::Quiet, act: Act::Press(digits) }
}

/// A bot in Python, with Pipecat's own serializer.
struct Pipecat {
    _child: Child,
    _folder: Folder,
    port: u64,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Pipecat {
    async fn open() -> Self {
        Self::open_with(&[]).await
    }

    async fn open_with(variables: &[(&str, &str)]) -> Self {
        let folder = Folder::new();
        let mut command = Command::new("/usr/bin/python3");
        command.envs(variables.iter().copied());
        command.args(["-c", include_str!("audio_streams/pipecat_bot.py")]);
        for (name, words) in [("greeting", ANSWER), ("story", STORY)] {
            let clip = spoken(Speaker::Flite("slt"), words).await;
            let clip = resample::convert(&clip, Rate(16_000));
            let octets: Vec<u8> = clip.samples.iter().flat_map(|it| it.to_le_bytes()).collect();
            command.arg(folder.put(name, octets));
        }
        command.env("PYTHONPATH", format!("{SOURCE}/target/pipecat")).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("python3 is missing: run ./dev setup");
        let lines = Arc::new(Mutex::new(Vec::new()));
        let mut read = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let kept = lines.clone();
        tokio::spawn(async move {
            while let Ok(Some(line)) = read.next_line().await {
                kept.lock().expect("unpoisoned").push(line);
            }
        });
        let mut bot = Self { _child: child, _folder: folder, port: 0, lines };
        let port = || bot.notes().first().and_then(|note| note["port"].as_u64());
        bot.port = within(PATIENCE, "pipecat: run ./dev setup", port).await;
        bot
    }

    fn notes(&self) -> Vec<Value> {
        let lines = self.lines.lock().expect("unpoisoned");
        lines.iter().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    fn settings(&self, more: &str) -> String {
        settings(self.port, more)
    }
}

/// The account and the token of the bot.
const OWN: (&str, &str) = ("AC123", "sesame-4711");

/// Its stream with them, and a door of HTTP.
fn telephony(stream: &str, door: &str) -> String {
    let (account, token) = OWN;
    let bind = door.strip_prefix("http://").expect("an address");
    format!(
        "{stream}account_sid = \"{account}\"\nauth_token = \"{token}\"\n\n\
         [http]\nbind = \"{bind}\"\n"
    )
}

/// One call, at a door that speaks as Twilio's does.
struct Twilio {
    door: String,
    sid: String,
}

impl Twilio {
    async fn ask(&self, (user, token): (&str, &str), form: &[(&str, &str)]) -> (u16, Value) {
        let mut url = reqwest::Url::parse("http://form/").expect("an address");
        url.query_pairs_mut().extend_pairs(form);
        let request = self.request(reqwest::Method::POST).basic_auth(user, Some(token));
        let request = request.header("Content-Type", "application/x-www-form-urlencoded");
        let body = url.query().unwrap_or_default().to_owned();
        let answer = request.body(body).send().await.expect("an answer");
        (answer.status().as_u16(), answer.json().await.expect("JSON"))
    }

    async fn get(&self) -> Value {
        let (user, token) = OWN;
        let request = self.request(reqwest::Method::GET).basic_auth(user, Some(token));
        request.send().await.expect("an answer").json().await.expect("JSON")
    }

    fn request(&self, method: reqwest::Method) -> reqwest::RequestBuilder {
        let Self { door, sid } = self;
        let path = format!("/2010-04-01/Accounts/AC123/Calls/{sid}.json");
        Api::at(door, None).request(method, &path)
    }
}

fn settings(port: u64, more: &str) -> String {
    format!("[streams.bot]\nurl = \"ws://127.0.0.1:{port}/bot\"\n{more}")
}

/// How a bot behaves.
#[derive(Debug, Clone)]
enum Manner {
    /// Says this in a form, presses a key, repeats what it hears and goes when a key is pressed.
    Repeats(&'static str, Vec<i16>),
    /// Keeps what both sides say, as it comes raw.
    Listens,
    Refuses,
    NeverAnswers,
    ClosesEarly,
    Babbles,
    Floods,
    Commands,
    Stalls,
}

/// A bot of our own.
struct Bot {
    port: u64,
    notes: Arc<Mutex<Vec<String>>>,
    /// The samples of both sides, by turns, and whether there will be more.
    heard: Arc<Mutex<(Vec<i16>, bool)>>,
    _tasks: JoinSet<()>,
}

type Socket = WebSocketStream<TcpStream>;

impl Bot {
    async fn open(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = u64::from(listener.local_addr().expect("it is bound").port());
        let notes = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = JoinSet::new();
        let heard = Arc::new(Mutex::new((Vec::new(), true)));
        let (kept, ear) = (notes.clone(), heard.clone());
        tasks.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                match manner {
                    Manner::Listens => listen(stream, &ear).await,
                    _ => serve(stream, manner.clone(), kept.clone()).await,
                }
            }
        });
        Self { port, notes, heard, _tasks: tasks }
    }

    /// What both sides said, once it is over.
    fn sides(&self) -> Option<[Vec<i16>; 2]> {
        let heard = self.heard.lock().expect("unpoisoned");
        let (pairs, _) = heard.0.as_chunks::<2>();
        (!heard.1).then(|| [0, 1].map(|side| pairs.iter().map(|pair| pair[side]).collect()))
    }

    /// How many samples came.
    fn count(&self) -> usize {
        self.heard.lock().expect("unpoisoned").0.len()
    }

    fn settings(&self, more: &str) -> String {
        settings(self.port, more)
    }

    fn notes(&self) -> Vec<String> {
        self.notes.lock().expect("unpoisoned").clone()
    }
}

async fn listen(stream: TcpStream, heard: &Mutex<(Vec<i16>, bool)>) {
    let mut socket = tokio_tungstenite::accept_async(stream).await.expect("a handshake");
    while let Some(Ok(message)) = socket.next().await {
        let octets = message.into_data();
        let (whole, _) = octets.as_chunks::<2>();
        let samples = whole.iter().map(|it| i16::from_le_bytes(*it));
        heard.lock().expect("unpoisoned").0.extend(samples);
    }
    heard.lock().expect("unpoisoned").1 = false;
}

async fn serve(stream: TcpStream, manner: Manner, notes: Arc<Mutex<Vec<String>>>) {
    match manner {
        Manner::Refuses => return,
        Manner::NeverAnswers => return tokio::time::sleep(PATIENCE).await,
        _ => {}
    }
    let Ok(mut socket) = tokio_tungstenite::accept_async(stream).await else { return };
    match manner {
        Manner::Repeats(form, clip) => repeat(&mut socket, (form, &clip), &notes).await,
        Manner::ClosesEarly => {
            socket.close(None).await.ok();
        }
        Manner::Babbles => send_on(&mut socket, Message::text("{\"event\":\"media\"}")).await,
        Manner::Floods => {
            let payload = BASE64_STANDARD.encode(vec![0x30; 8_000]);
            let media = json!({ "event": "media", "media": { "payload": payload } });
            send_on(&mut socket, Message::text(media.to_string())).await;
        }
        Manner::Commands => send_on(&mut socket, Message::text("{\"event\":\"clear\"}")).await,
        // It never looks into the socket, and so answers no ping.
        Manner::Stalls => tokio::time::sleep(PATIENCE).await,
        Manner::Refuses | Manner::NeverAnswers | Manner::Listens => {}
    }
}

async fn send_on(socket: &mut Socket, message: Message) {
    // What is sent before the call is answered is kept a while.
    socket.next().await;
    while socket.send(message.clone()).await.is_ok() {}
}

async fn repeat(socket: &mut Socket, (form, clip): (&str, &[i16]), notes: &Mutex<Vec<String>>) {
    let rate = if form == "twilio" { Rate(8_000) } else { Rate(16_000) };
    let (mut heard, mut ends, mut greeted) = (Vec::new(), None, false);
    while let Some(Ok(message)) = socket.next().await {
        let fresh = match &message {
            Message::Text(text) => {
                let message: Value = serde_json::from_str(text).expect("JSON");
                if message["event"] == "dtmf" {
                    socket.close(None).await.ok();
                }
                let payload = message["media"]["payload"].as_str();
                if payload.is_none() {
                    notes.lock().expect("unpoisoned").push(text.to_string());
                }
                let codes = BASE64_STANDARD.decode(payload.unwrap_or_default()).expect("base64");
                codes.into_iter().map(g711::ulaw_to_linear).collect()
            }
            Message::Binary(octets) => {
                let (whole, _) = octets.as_chunks::<2>();
                whole.iter().map(|it| i16::from_le_bytes(*it)).collect()
            }
            _ => Vec::new(),
        };
        if !std::mem::replace(&mut greeted, true) {
            utter(socket, form, (Rate(16_000), clip)).await;
            let press =
                json!({ "event": "dtmf", "dtmf": { "digit": "7" }, "data": { "digit": "7" } });
            if form != "raw" {
                socket.send(Message::text(press.to_string())).await.ok();
            }
        }
        let is_voice = !voiced(&Frame::new(rate, fresh.clone())).is_zero();
        if is_voice || ends.is_some() {
            heard.extend(fresh);
        }
        ends = if is_voice { Some(heard.len()) } else { ends };
        let Some(end) = ends.filter(|end| heard.len() - end > rate.0 as usize) else { continue };
        utter(socket, form, (rate, &heard[..end])).await;
        (heard, ends) = (Vec::new(), None);
        if form == "raw" {
            // It has no word for keys, and what it said is heard all the same.
            socket.close(None).await.ok();
        }
    }
}

/// Says something in the words of a form.
async fn utter(socket: &mut Socket, form: &str, (rate, samples): (Rate, &[i16])) {
    let octets: Vec<u8> = samples.iter().flat_map(|it| it.to_le_bytes()).collect();
    let audio = BASE64_STANDARD.encode(&octets);
    let message = match form {
        "twilio" => {
            let narrow = resample::convert(&Frame::new(rate, samples.to_vec()), Rate(8_000));
            let codes: Vec<u8> =
                narrow.samples.iter().map(|it| g711::linear_to_ulaw(*it)).collect();
            let payload = BASE64_STANDARD.encode(codes);
            Message::text(json!({ "event": "media", "media": { "payload": payload } }).to_string())
        }
        "audio-stream" => {
            let data = json!({ "audioDataType": "raw", "sampleRate": rate.0, "audioData": audio });
            Message::text(json!({ "type": "streamAudio", "data": data }).to_string())
        }
        "audio-fork" => {
            let data = json!({
                "audioContentType": "raw",
                "sampleRate": rate.0.to_string(),
                "audioContent": audio,
            });
            Message::text(json!({ "type": "playAudio", "data": data }).to_string())
        }
        _ => {
            // Half a sample stands in each piece.
            for piece in octets.chunks(641) {
                socket.send(Message::binary(piece.to_vec())).await.ok();
            }
            return;
        }
    };
    socket.send(message).await.ok();
}

const QUESTION: &str = "what are your opening hours";

const ANSWER: &str = "we are open from nine to six";

const STORY: &str = "Once upon a time there was a switchboard in a small house by the sea, and it \
                     had many lines, and every morning a clerk came in and answered them.";

const STAND_IN: &str = "All our lines are busy.";

const STAND_IN_SAYS: &str = "all our lines are busy";

const FORKED: &str = concat!("[[route]]\nto = \"agent:stand-in\"\nfork = \"bot\"\n", stand_in!());

const TO_BOT: &str =
    concat!("[[route]]\nto = \"stream:bot\"\nelse = \"agent:stand-in\"\n", stand_in!());
