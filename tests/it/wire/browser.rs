//! A browser: a real Chromium without a screen, in which a page with JsSIP registers and calls.

use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::process::{Child, Command};
use voxtrunk::audio::frame::{Frame, Rate};
use voxtrunk::audio::wav;

use super::caller::{Speaker, spoken};
use super::certificates::Authority;
use super::control::Watch;
use super::ear::{hears, recognised};
use super::oversight::Ann;
use super::phones::{self, only_phones};
use super::server::{Folder, House, PATIENCE, SOURCE, Server, said, within};

#[tokio::test(flavor = "multi_thread")]
async fn a_page_with_jssip_talks_with_an_agent() {
    let folder = Folder::new();
    let secured = Authority::write(&folder).listening(&["wss"]);
    let house = only_phones().and(&secured.replace("\"wss\"", "\"wss\"\norigins = [\"*\"]"));
    let server = Server::start_in(folder, house).await;
    let mut events = Watch::start(&server, &["events", "--json"]);
    let door = format!("wss://{}/", server.listens("wss"));
    let browser = Browser::open_at(&door, &[QUESTION], "").await;
    browser.told("registered").await;
    browser.order(&["call", "sip:700@127.0.0.1"]);
    browser.told("talks").await;
    events.until("We are open from nine to six").await;
    browser.hears(ANSWER).await;
    let loud = || browser.note("loud").filter(|loud| loud.as_f64() > Some(0.01));
    within(PATIENCE, "the statistics of the browser know of sound", loud).await;
    browser.order(&["press", "7"]);
    events.until("\"keys\":\"7\"").await;
    browser.order(&["hold"]);
    browser.told("held").await;
    browser.order(&["resume"]);
    browser.told("resumed").await;
    browser.order(&["hangup"]);
    let record = server.record().await;
    assert_eq!(record["end_reason"], "caller_hangup", "{record:#}");
    let leg = &record["legs"][0];
    assert_eq!((&leg["codec"], &leg["srtp"]), (&json!("opus"), &json!("AEAD_AES_256_GCM")));
    assert!(said(&record, "caller").contains(&QUESTION.to_owned()));
    assert!(said(&record, "agent").contains(&"We are open from nine to six.".to_owned()));
    assert!(browser.notes("error").is_empty(), "{:?}", browser.notes("error"));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_shows_another_certificate_is_hung_up() {
    let server = Server::start(house()).await;
    let browser = Browser::open(&server, &[QUESTION], "&wrong=1").await;
    browser.told("registered").await;
    browser.order(&["call", "sip:700@127.0.0.1"]);
    let over = browser.told("over").await;
    assert!(over["reason"].as_str().is_some_and(|it| it.contains("media_unproven")), "{over}");
    let record = server.record().await;
    assert_eq!(record["end_reason"], "media_unproven", "{record:#}");
    assert!(said(&record, "caller").is_empty(), "{record:#}");
    let log = server.log();
    assert!(log.contains("another certificate was shown than the session description names"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_called_and_both_hear_each_other() {
    let server = Server::start(phones::house().and(WEB_SOCKET)).await;
    let browser = Browser::open(&server, &[QUESTION], "").await;
    browser.told("registered").await;
    let ann = Ann::calls(&server, "101").await;
    browser.told("talks").await;
    hears(&ann.audio, 0, QUESTION, &[QUESTION, ANSWER]).await;
    ann.audio.say(&spoken(Speaker::Flite("slt"), ANSWER).await);
    browser.hears(ANSWER).await;
    ann.hangs_up().await;
    browser.told("over").await;
    let record = server.record().await;
    let legs = record["legs"].as_array().expect("legs");
    assert_eq!(legs.len(), 2, "{record:#}");
    // What the caller speaks is offered first: then nothing need be converted.
    assert_eq!((&legs[1]["codec"], &legs[1]["srtp"]), (&json!("PCMU"), &json!("AEAD_AES_256_GCM")));
    assert!(legs[0]["srtp"].is_null(), "{record:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_come_to_one_port_and_talk_each_with_its_own() {
    let server = Server::start(house()).await;
    let mut events = Watch::start(&server, &["events", "--json"]);
    let one = Browser::open(&server, &[QUESTION], "").await;
    let other = Browser::open(&server, &["goodbye"], "").await;
    let mut places = Vec::new();
    for browser in [&one, &other] {
        browser.told("registered").await;
        browser.order(&["call", "sip:700@127.0.0.1"]);
        browser.told("talks").await;
        browser.order(&["describe"]);
        let told = browser.told("described").await;
        let sdp = told["sdp"].as_str().expect("a description");
        let port = sdp.lines().find_map(|line| line.strip_prefix("a=candidate:"));
        places.push(port.expect("a candidate").to_owned());
    }
    assert_eq!(places[0], places[1]);
    events.until("We are open from nine to six").await;
    one.hears(ANSWER).await;
    // The other said goodbye, and neither heard what was the other's.
    let goodbye = server.record().await;
    assert_eq!(goodbye["end_reason"], "agent_ended", "{goodbye:#}");
    other.hears("thank you and goodbye").await;
    assert!(!said(&goodbye, "agent").contains(&"We are open from nine to six.".to_owned()));
    // Who stays goes on.
    let known = events.so_far().matches("We are open from nine to six").count();
    within(PATIENCE, "another answer", || {
        let now = events.so_far().matches("We are open from nine to six").count();
        (now > known + 1).then_some(())
    })
    .await;
    one.order(&["hangup"]);
    let records = server.records(2).await;
    let stayed = records.iter().find(|it| it["end_reason"] == "caller_hangup").expect("a record");
    let lines = said(stayed, "agent");
    assert!(!lines.iter().any(|line| line.contains("oodbye")), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_at_the_port_of_a_browser_disturb_nothing() {
    let server = Server::start(house()).await;
    let mut events = Watch::start(&server, &["events", "--json"]);
    let browser = Browser::open(&server, &[QUESTION], "").await;
    browser.told("registered").await;
    browser.order(&["call", "sip:700@127.0.0.1"]);
    browser.told("talks").await;
    browser.order(&["describe"]);
    let described = browser.told("described").await;
    let sdp = described["sdp"].as_str().expect("a description");
    let word = |before: &str, at: usize| {
        let line = sdp.lines().find_map(|line| line.strip_prefix(before)).expect(before);
        line.split(' ').nth(at).expect("a word").to_owned()
    };
    let port = format!("127.0.0.1:{}", word("a=candidate:", 5));
    let theirs = described["name"].as_str().expect("a name");
    let stranger = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
    stranger.connect(&port).await.expect("an address");
    // It knows both names and asks to be chosen; what it does not know is the password.
    let check = check(&format!("{}:{theirs}", word("a=ice-ufrag:", 0)));
    let hello: Vec<u8> = [&[22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 40, 1][..], &[0; 39]].concat();
    let voice: Vec<u8> = [&[0x80, 111, 0, 1, 0, 0, 0, 1, 9, 9, 9, 9][..], &[7; 60]].concat();
    for round in 0..5_000_u32 {
        let noise: Vec<u8> = (0..round % 300).map(|at| (at * round) as u8).collect();
        for bytes in [&check, &hello, &voice, &noise] {
            stranger.send(bytes).await.ok();
        }
        if round % 50 == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    let known = events.so_far().matches("We are open from nine to six").count();
    within(PATIENCE, "the question is heard and answered afterwards", || {
        let now = events.so_far().matches("We are open from nine to six").count();
        (now > known + 1).then_some(())
    })
    .await;
    events.until("We are open from nine to six").await;
    browser.hears(ANSWER).await;
    let mut room = [0; 2_048];
    let answered = stranger.try_recv(&mut room).ok();
    assert_eq!(answered, None, "a stranger is not answered");
    browser.order(&["hangup"]);
    let record = server.record().await;
    assert_eq!(record["end_reason"], "caller_hangup", "{record:#}");
}

/// A check of ICE whose proof is a guess.
fn check(user: &str) -> Vec<u8> {
    let mut bytes = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
    bytes.extend_from_slice(b"transactions");
    let mut push = |kind: u16, value: &[u8]| {
        bytes.extend_from_slice(&kind.to_be_bytes());
        bytes.extend_from_slice(&(value.len() as u16).to_be_bytes());
        bytes.extend_from_slice(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    };
    push(0x0006, user.as_bytes());
    push(0x0024, &u32::MAX.to_be_bytes());
    push(0x0025, &[]);
    push(0x0008, &[7; 20]);
    let length = (bytes.len() + 8 - 20) as u16;
    bytes[2..4].copy_from_slice(&length.to_be_bytes());
    let crc = !bytes.iter().fold(u32::MAX, |state, octet| {
        (0..8).fold(state ^ u32::from(*octet), |state, _| {
            (state >> 1) ^ if state & 1 == 1 { 0xedb8_8320 } else { 0 }
        })
    });
    bytes.extend_from_slice(&[0x80, 0x28, 0, 4]);
    bytes.extend_from_slice(&(crc ^ 0x5354_554e).to_be_bytes());
    bytes
}

/// A porter, and phones that may be pages.
fn house() -> House {
    only_phones().and(WEB_SOCKET)
}

const WEB_SOCKET: &str =
    "[[sip.listen]]\ntransport = \"ws\"\nbind = \"127.0.0.1:0\"\norigins = [\"*\"]\n";

const QUESTION: &str = "what are your opening hours";
const ANSWER: &str = "we are open from nine to six";

/// Chromium with the page, and what the two of them tell.
struct Browser {
    child: Child,
    site: Site,
    _folder: Folder,
}

/// What the page is given and what it told.
#[derive(Clone, Default)]
struct Site {
    told: Arc<Mutex<Vec<Value>>>,
    orders: Arc<Mutex<Vec<Value>>>,
    /// At 16 kHz.
    heard: Arc<Mutex<Vec<i16>>>,
}

impl Browser {
    /// Opens the page at a door without TLS.
    async fn open(server: &Server, lines: &[&str], more: &str) -> Self {
        Self::open_at(&format!("ws://{}/", server.listens("ws")), lines, more).await
    }

    /// Opens the page, whose microphone hears these lines over and over, each behind a pause. It
    /// registers at this door.
    async fn open_at(door: &str, lines: &[&str], more: &str) -> Self {
        let folder = Folder::new();
        let mut microphone = Frame::silence(Rate(8_000), Duration::from_secs(1));
        for line in lines {
            microphone.samples.extend(&spoken(Speaker::Flite("rms"), line).await.samples);
            let pause = Frame::silence(Rate(8_000), Duration::from_secs(5));
            microphone.samples.extend(&pause.samples);
        }
        let microphone = folder.put("microphone.wav", wav::write(&microphone));
        let site = Site::default();
        let port = site.clone().open().await;
        let page = format!(
            "http://127.0.0.1:{port}/?ws={door}&uri=sip:101@127.0.0.1&password=secret{more}"
        );
        let mut command = Command::new("chromium");
        command.args([
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--mute-audio",
            // Nobody knows the authority of a test.
            "--ignore-certificate-errors",
            "--allow-loopback-in-peer-connection",
            "--autoplay-policy=no-user-gesture-required",
            "--use-fake-device-for-media-stream",
            "--use-fake-ui-for-media-stream",
        ]);
        command.arg(format!("--use-file-for-fake-audio-capture={}", microphone.display()));
        command.arg(format!("--user-data-dir={}", folder.path("profile").display()));
        command.arg(page).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.kill_on_drop(true).spawn().expect("chromium: run ./dev setup");
        Self { child, site, _folder: folder }
    }

    /// Has the page do something.
    fn order(&self, words: &[&str]) {
        self.site.orders.lock().expect("unpoisoned").push(json!(words));
    }

    /// What it told under a word.
    fn notes(&self, what: &str) -> Vec<Value> {
        let told = self.site.told.lock().expect("unpoisoned");
        told.iter().filter(|note| note["what"] == what).cloned().collect()
    }

    /// The last value that it told by a name.
    fn note(&self, name: &str) -> Option<Value> {
        let told = self.site.told.lock().expect("unpoisoned");
        told.iter().rev().find_map(|note| note.get(name)).cloned()
    }

    /// Waits until it tells something.
    async fn told(&self, what: &str) -> Value {
        within(PATIENCE, &format!("the page tells `{what}`"), || {
            for wrong in ["error", "failed"] {
                assert!(what == wrong || self.notes(wrong).is_empty(), "{:?}", self.notes(wrong));
            }
            self.notes(what).pop()
        })
        .await
    }

    /// Waits until the page has heard a sentence of the porter.
    async fn hears(&self, sentence: &str) {
        let sentences = ["hello", sentence, "thank you and goodbye"];
        let mut texts = String::new();
        for _ in 0..60 {
            let heard = self.site.heard.lock().expect("unpoisoned").clone();
            texts = recognised(&Frame::new(Rate::WIDE, heard), &sentences).await;
            if texts.contains(sentence) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        panic!("`{sentence}` is not heard, but: {texts}");
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Its helpers end with it.
        self.child.start_kill().ok();
    }
}

impl Site {
    /// Serves the page until the test ends.
    async fn open(self) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let site = self.clone();
                tokio::spawn(async move { site.serve(stream).await });
            }
        });
        port
    }

    /// Answers one request, then closes.
    async fn serve(&self, mut stream: TcpStream) -> Option<()> {
        let mut bytes = Vec::new();
        let head = loop {
            let end = bytes.windows(4).position(|it| it == b"\r\n\r\n");
            if let Some(end) = end {
                break end + 4;
            }
            stream.read_buf(&mut bytes).await.ok().filter(|read| *read > 0)?;
        };
        let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
        let length = text.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
        });
        while bytes.len() < head + length.unwrap_or(0) {
            stream.read_buf(&mut bytes).await.ok().filter(|read| *read > 0)?;
        }
        let target = text.split(' ').nth(1)?.to_owned();
        let (kind, body) = self.answer(&target, &bytes[head..]);
        let status = if kind.is_empty() { "404 Not Found" } else { "200 OK" };
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n",
            body.len()
        );
        stream.write_all(&[head.as_bytes(), &body].concat()).await.ok()
    }

    /// What is answered: its type, which is empty when there is nothing, and the body.
    fn answer(&self, target: &str, body: &[u8]) -> (&'static str, Vec<u8>) {
        let path = target.split('?').next().unwrap_or_default();
        match path {
            "/" => ("text/html", include_bytes!("browser/page.html").to_vec()),
            "/page.js" => ("text/javascript", include_bytes!("browser/page.js").to_vec()),
            "/told" => {
                let note = serde_json::from_slice(body).unwrap_or_default();
                self.told.lock().expect("unpoisoned").push(note);
                ("application/json", Vec::new())
            }
            "/orders" => {
                let note = serde_json::from_slice(body).unwrap_or_default();
                self.told.lock().expect("unpoisoned").push(note);
                let orders = std::mem::take(&mut *self.orders.lock().expect("unpoisoned"));
                ("application/json", json!(orders).to_string().into_bytes())
            }
            "/heard" => {
                let samples = body.as_chunks::<2>().0.iter().map(|it| i16::from_le_bytes(*it));
                self.heard.lock().expect("unpoisoned").extend(samples);
                ("application/json", Vec::new())
            }
            path => {
                let module = path.strip_prefix("/modules/").filter(|it| !it.contains(".."));
                let folder = Path::new(SOURCE).join("target/jssip");
                let read = module.and_then(|module| std::fs::read(folder.join(module)).ok());
                read.map_or(("", Vec::new()), |text| ("text/javascript", text))
            }
        }
    }
}
