//! Callers leave messages at a voicemail: what they hear, what is kept of what they say, and who
//! gets it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::{Value, json};
use voxtrunk::audio::frame::{Frame, Rate};
use voxtrunk::audio::resample;
use voxtrunk::providers::fakes::deepgram::Ear;
use voxtrunk::providers::fakes::openai;
use voxtrunk::providers::fakes::stand::Stand;

use super::caller::{Speaker, clip, spoken};
use super::certificates::Authority;
use super::datagrams::header;
use super::ear::{recognise, share, voiced};
use super::http::{Api, problem, started};
use super::peers::free_port;
use super::phones::Handset;
use super::post::{self, PASSWORD, PostOffice};
use super::server::{Folder, House, PATIENCE, Server, finish, program, within};
use super::tones::Line;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_message_is_kept_written_down_and_brought_by_a_real_mail_server() {
    let folder = Folder::new();
    let authority = Authority::write(&folder);
    let office = PostOffice::open(&authority).await;
    let ears = ears().await;
    let settings = [office.settings(), hearing(&ears), trusting(&authority)].concat();
    let house = House::with(&[BOXES, OFFICE].concat()).and(&settings);
    let server = Server::start_with(house, &[("MAIL_PASSWORD", PASSWORD)]).await;
    let mut line = greeted(&server, "office").await;
    let heard = Frame::new(Rate::NARROW, std::mem::take(&mut line.sound));
    let said = recognise(&heard, &[GREETING, "thank you goodbye"]).await;
    assert!(said.starts_with(GREETING), "{said}");
    line.say(&message().await).await;
    line.until_hung_up().await;
    let heard = Frame::new(Rate::NARROW, line.sound.clone());
    assert_eq!(recognise(&heard, &[GREETING, "thank you goodbye"]).await, "thank you goodbye");

    let record = server.record().await;
    assert_eq!(record["end_reason"], "voicemail", "{record:#}");
    assert_eq!(record["voicemail"]["outcome"], "kept", "{record:#}");
    let note = note_with(&server, "mail", "done").await;
    assert_eq!((&note["box"], &note["call"]), (&"office".into(), &record["id"]), "{note:#}");
    assert_eq!((&note["state"], &note["read"]), (&"complete".into(), &false.into()), "{note:#}");
    assert_eq!(note["transcript"], WORDS, "{note:#}");
    let sound = sound(&server, &note);
    let octets = std::fs::read(&sound).expect("a file");
    assert_eq!(octets[22..24], [1, 0], "the caller alone");
    let kept = clip(&sound);
    assert_eq!(recognise(&kept, &[WORDS, GREETING]).await, WORDS, "and nothing else");
    assert!(share(&kept.samples[..3_200], 16_000.0, 1_000.0) < 0.5, "nothing of the tone");
    assert_eq!(ears.complaints(), Vec::<String>::new());

    let [mail] = &office.mails()[..] else { panic!("{:#?}", office.mails()) };
    assert_eq!(mail["to"], serde_json::json!(["office@a.test", "boss@a.test"]));
    let content = mail["content"].as_str().expect("a text");
    let subject = "Subject: Voicemail from wire, 0:";
    assert!(content.lines().any(|line| line.starts_with(subject)), "{content}");
    assert!(content.contains(&format!("\r\n{WORDS}\r\n")), "{content}");
    assert!(content.contains("Auto-Submitted: auto-generated"), "{content}");
    assert_eq!(enclosed(content), octets, "the sound goes along");
    assert!(!server.log().contains(WORDS) && !server.log().contains(PASSWORD));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_caller_skips_the_greeting_and_ends_the_message_by_key() {
    let server = Server::start(House::with(BOXES)).await;
    let mut line = answered(&server, "slow").await;
    // The greeting has begun.
    while line.loudest < LOUD {
        line.pause(20).await;
    }
    line.press('#').await;
    until_tone(&mut line).await;
    let heard = Frame::new(Rate::NARROW, std::mem::take(&mut line.sound));
    let whole = spoken(Speaker::Flite("slt"), GREETING).await;
    assert!(voiced(&heard) < voiced(&whole), "the greeting was cut");
    line.say(&message().await).await;
    line.press('#').await;
    line.until_hung_up().await;
    let said = Frame::new(Rate::NARROW, line.sound.clone());
    assert_eq!(recognise(&said, &["thank you goodbye", "too short"]).await, "thank you goodbye");
    let note = note_with(&server, "state", "complete").await;
    assert_eq!(note["mail"]["state"], "none", "{note:#}");
    let kept = clip(&sound(&server, &note));
    let said = recognise(&kept, &[WORDS, GREETING]).await;
    assert!(said.contains(WORDS), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_hangs_up_has_left_a_message_and_the_next_finds_no_room() {
    let server = Server::start(House::with(BOXES)).await;
    let mut line = greeted(&server, "slow").await;
    line.say(&message().await).await;
    line.hang_up().await;
    let record = server.records(1).await.remove(0);
    assert_eq!(record["end_reason"], "caller_hangup", "{record:#}");
    assert_eq!(record["voicemail"]["outcome"], "kept", "{record:#}");
    let note = note_with(&server, "state", "complete").await;
    let said = recognise(&clip(&sound(&server, &note)), &[WORDS, GREETING]).await;
    assert!(said.contains(WORDS), "{said}");

    let mut line = answered(&server, "slow").await;
    line.until_hung_up().await;
    let heard = Frame::new(Rate::NARROW, line.sound.clone());
    let told = recognise(&heard, &[GREETING, "no more messages can be left here", "goodbye"]).await;
    assert_eq!(told, "no more messages can be left here goodbye");
    let record = server.records(2).await.remove(1);
    assert_eq!(record["voicemail"]["outcome"], "full", "{record:#}");
    assert_eq!(notes(&server).len(), 1);

    // The operator reads it, and takes it away.
    let id = note["id"].as_str().expect("an id");
    let (code, listed) = operator(&server, &["list", "slow"]).await;
    assert!(code == Some(0) && listed.contains(id) && listed.contains("new"), "{listed}");
    let (code, shown) = operator(&server, &["show", id]).await;
    assert!(code == Some(0) && shown.contains("from        wire"), "{shown}");
    assert_eq!(notes(&server)[0]["read"], true);
    let (code, told) = operator(&server, &["delete", id]).await;
    assert_eq!((code, told.trim()), (Some(0), "deleted"));
    assert!(notes(&server).is_empty() && !sound(&server, &note).exists());
    let (code, told) = operator(&server, &["show", id]).await;
    assert!(code == Some(1) && told.contains("there is no message"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_too_short_is_not_kept_and_the_caller_is_told() {
    let server = Server::start(House::with(BOXES)).await;
    let mut line = greeted(&server, "slow").await;
    line.sound.clear();
    line.pause(400).await;
    line.press('#').await;
    line.until_hung_up().await;
    let heard = Frame::new(Rate::NARROW, line.sound.clone());
    let sentences = ["your message was too short and was not kept", "thank you", "goodbye"];
    let told = recognise(&heard, &sentences).await;
    assert_eq!(told, "your message was too short and was not kept goodbye");
    let record = server.record().await;
    assert_eq!(record["voicemail"]["outcome"], "too_short", "{record:#}");
    let folder = server.folder.path("data/voicemail/slow");
    let is_empty = || {
        let files = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        let mut names = files.map(|file| file.file_name());
        names.all(|name| name == ".lock").then_some(())
    };
    within(PATIENCE, "nothing of it is left", is_empty).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_mail_server_that_is_away_gets_the_message_once_also_after_a_restart() {
    let folder = Folder::new();
    let (authority, port) = (Authority::write(&folder), free_port());
    let ears = ears().await;
    let settings = [post::settings(port), hearing(&ears), trusting(&authority)].concat();
    let house = House::with(&[BOXES, OFFICE].concat()).and(&settings);
    let secrets = [("MAIL_PASSWORD", PASSWORD)];
    let mut server = Server::start_again(Folder::new(), house.clone(), &secrets).await;
    let mut line = greeted(&server, "office").await;
    line.say(&message().await).await;
    line.hang_up().await;
    let tried = || {
        let note = notes(&server).pop()?;
        (note["mail"]["tries"].as_u64()? >= 1).then_some(note)
    };
    let note = within(PATIENCE, "a first try", tried).await;
    assert_eq!(note["transcript"], WORDS, "it is written down once: {note:#}");
    server.terminate();
    assert_eq!(server.ended().await, Some(0));
    let server = Server::start_again(Folder::of(server), house, &secrets).await;
    let office = PostOffice::open_at(&authority, port).await;
    note_with(&server, "mail", "done").await;
    let [mail] = &office.mails()[..] else { panic!("{:#?}", office.mails()) };
    let content = mail["content"].as_str().expect("a text");
    let id = note["id"].as_str().expect("an id");
    assert!(content.contains(&format!("Message-ID: <{id}@a.test>")), "{content}");
    assert!(content.contains(WORDS), "{content}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn phones_are_told_what_waits_for_them() {
    let phones = "[sip.registrar]\ndigest = [\"md5\"]\n\
                  [phones.101]\npassword = \"secret\"\nvoicemail = \"slow\"\n";
    let server = Server::start(House::with(BOXES).and(phones)).await;
    let mut anna = Handset::new("127.0.0.3:0", server.address, ("101", "secret")).await;
    let answer = anna.register().await.expect("an answer");
    let notice = match answer.starts_with("NOTIFY") {
        true => answer,
        false => anna.wait_for("NOTIFY").await,
    };
    assert!(notice.contains("Messages-Waiting: no\r\n"), "{notice}");
    anna.reply(&notice, "200 OK", "").await;
    let mut line = greeted(&server, "slow").await;
    line.say(&message().await).await;
    line.hang_up().await;
    let notice = loop {
        let notice = anna.wait_for("NOTIFY").await;
        anna.reply(&notice, "200 OK", "").await;
        if !notice.contains("Messages-Waiting: no\r\n") {
            break notice;
        }
    };
    assert!(notice.starts_with("NOTIFY sip:101@127.0.0.3:"), "{notice}");
    for (name, value) in [
        ("Event", "message-summary"),
        ("Subscription-State", "terminated;reason=noresource"),
        ("Content-Type", "application/simple-message-summary"),
    ] {
        assert_eq!(header(&notice, name), value, "{notice}");
    }
    let (_, body) = notice.split_once("\r\n\r\n").expect("a body");
    let account = format!("Message-Account: sip:slow@{}\r\n", server.address);
    let expected = format!("Messages-Waiting: yes\r\n{account}Voice-Message: 1/0 (0/0)\r\n");
    assert_eq!(body, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_phone_that_subscribes_is_told_in_its_dialog_and_nowhere_else() {
    let phones = "[sip.registrar]\ndigest = [\"md5\"]\n\
                  [phones.101]\npassword = \"secret\"\nvoicemail = \"slow\"\n";
    let server = Server::start(House::with(BOXES).and(phones)).await;
    let mut anna = Handset::new("127.0.0.3:0", server.address, ("101", "secret")).await;
    anna.subscribe(600).await;
    let first = anna.wait_for("NOTIFY").await;
    anna.reply(&first, "200 OK", "").await;
    assert!(first.contains("Messages-Waiting: no\r\n"), "{first}");
    assert_eq!(header(&first, "Subscription-State"), "active;expires=600");
    let answer = anna.register().await.expect("an answer");
    assert!(answer.starts_with("SIP/2.0 200") || answer.starts_with("NOTIFY"), "{answer}");
    let mut line = greeted(&server, "slow").await;
    line.say(&message().await).await;
    line.hang_up().await;
    let told = loop {
        let notice = anna.wait_for("NOTIFY").await;
        anna.reply(&notice, "200 OK", "").await;
        assert_eq!(header(&notice, "Call-ID"), header(&first, "Call-ID"), "{notice}");
        if !notice.contains("Messages-Waiting: no\r\n") {
            break notice;
        }
    };
    assert!(told.ends_with("Voice-Message: 1/0 (0/0)\r\n"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn programs_look_at_messages_hear_them_and_put_out_the_lamp() {
    let phones = "[sip.registrar]\ndigest = [\"md5\"]\n\
                  [phones.101]\npassword = \"secret\"\nvoicemail = \"slow\"\n";
    let (server, api) = started(House::with(BOXES).and(phones)).await;
    let (looks, acts) = (api.with(&server, "read").await, api.with(&server, "operate").await);
    assert_eq!(looks.json("/v1/voicemails").await, json!({ "data": [] }));
    let mut anna = Handset::new("127.0.0.3:0", server.address, ("101", "secret")).await;
    anna.register().await.expect("an answer");
    let mut line = greeted(&server, "slow").await;
    line.say(&message().await).await;
    line.hang_up().await;
    lamp(&mut anna, "Voice-Message: 1/0 (0/0)").await;

    let note = note_with(&server, "state", "complete").await;
    let (id, call) = (note["id"].as_str().expect("a name"), &note["call"]);
    let list = looks.json("/v1/voicemails?box=slow&read=false").await;
    let one = &list["data"][0];
    assert_eq!(
        (&one["id"], &one["call_id"], &one["state"]),
        (&json!(id), call, &json!("complete"))
    );
    assert_eq!((&one["from"]["number"], &one["mail"]), (&json!("wire"), &json!("none")), "{one:#}");
    assert!(one["duration_ms"].as_u64() > Some(1_000), "{one:#}");
    let path = format!("/v1/voicemails/{id}");
    assert_eq!(looks.json(&path).await, *one);
    for nobodys in ["/v1/voicemails?box=other", "/v1/voicemails?read=true"] {
        assert_eq!(looks.json(nobodys).await["data"], json!([]), "{nobodys}");
    }
    let kept = std::fs::read(sound(&server, &note)).expect("a file");
    let part = looks.request(Method::GET, &format!("{path}/sound")).header("Range", "bytes=0-3");
    let part = part.send().await.expect("an answer");
    assert_eq!(
        (part.status().as_u16(), &part.headers()["content-type"]),
        (206, &"audio/wav".parse().expect("a value"))
    );
    assert_eq!(part.bytes().await.expect("a body"), kept[..4]);
    let whole = looks.get(&format!("{path}/sound")).await;
    assert_eq!(whole.bytes().await.expect("a body"), kept);

    let mark = |api: &Api| api.request(Method::PATCH, &path).json(&json!({ "read": true })).send();
    problem(mark(&looks).await.expect("an answer"), 403).await;
    let marked = mark(&acts).await.expect("an answer").json::<Value>().await.expect("JSON");
    assert_eq!(marked["read"], true, "{marked:#}");
    lamp(&mut anna, "Voice-Message: 0/1 (0/0)").await;
    let gone = acts.request(Method::DELETE, &path).send().await.expect("an answer");
    assert_eq!(gone.status().as_u16(), 200);
    assert!(!sound(&server, &note).exists());
    for path in [path.clone(), format!("{path}/sound"), "/v1/voicemails/..%2F..%2Fconf".to_owned()]
    {
        problem(looks.get(&path).await, 404).await;
    }
}

/// Waits until a phone is told so.
async fn lamp(phone: &mut Handset, says: &str) {
    loop {
        let notice = phone.wait_for("NOTIFY").await;
        phone.reply(&notice, "200 OK", "").await;
        if notice.contains(says) {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn check_says_what_a_voicemail_lacks() {
    let folder = Folder::new();
    let wrong = r#"
[[route]]
to = "voicemail:ofice"

[voicemail.office]
greeting   = "sounds/none.wav"
email      = "office"
min_length = "5m"

[flows.f]
agent = "a"
start = "x"

[flows.f.nodes.x]
type = "voicemail"
to   = "busy"

[agents.a]
first_message = "Hello."
"#;
    let config = House::with(wrong).and("[phones.101]\npassword = \"secret\"\n").write(&folder);
    let mut command = program();
    command.arg("check").arg("--config").arg(config);
    let (code, told) = finish(command).await;
    assert_eq!(code, Some(1), "{told}");
    for expected in [
        "there is no voicemail `ofice`",
        "did you mean `voicemail:office`?",
        "the sound `sounds/none.wav` cannot be read: it does not exist",
        "there is no server that would take these mails",
        "`office` is no e-mail address",
        "`min_length` must be less than `max_length`",
        "nobody leaves a message at `busy`",
    ] {
        assert!(told.contains(expected), "{expected}:\n{told}");
    }
}

/// A caller who was answered, and sends and hears from then on.
async fn answered(server: &Server, mailbox: &str) -> Line {
    let mut line = Line::open(server).await;
    let audio = "m=audio PORT RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n";
    line.call(mailbox, audio).await;
    line
}

/// A caller who has heard the greeting and the tone.
pub async fn greeted(server: &Server, mailbox: &str) -> Line {
    let mut line = answered(server, mailbox).await;
    until_tone(&mut line).await;
    line
}

/// Waits for the tone and for its end.
async fn until_tone(line: &mut Line) {
    let second = Rate::NARROW.0 as usize;
    let mut is_heard = false;
    for _ in 0..1_500 {
        line.pause(20).await;
        let last = line.sound.len().saturating_sub(second / 10);
        let last = &line.sound[last..];
        let is_tone = last.iter().any(|it| it.unsigned_abs() > LOUD)
            && share(last, f64::from(Rate::NARROW.0), 1_000.0) > 0.9;
        if is_heard && !is_tone {
            return line.pause(100).await;
        }
        is_heard |= is_tone;
    }
    panic!("there is no tone");
}

/// What callers leave.
pub async fn message() -> Frame {
    let words = spoken(Speaker::Flite("rms"), WORDS).await;
    resample::convert(&words, Rate::NARROW)
}

/// A vendor that writes down what a recogniser hears in the file that it gets.
async fn ears() -> Stand {
    let ear: Ear = Arc::new(|samples, _| {
        let heard = Frame::new(Rate::WIDE, samples.to_vec());
        let listens = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(recognise(&heard, &[WORDS, GREETING]))
        });
        listens.join().expect("it hears")
    });
    let (throat, delay) = (Arc::new(|_: &str| Vec::new()), Duration::ZERO);
    let script = openai::Script { key: KEY, ear, throat, delay, faults: Vec::new() };
    openai::open(script).await.expect("a port")
}

fn hearing(ears: &Stand) -> String {
    let url = ears.base_url();
    format!("[providers.ears]\nkind = \"openai\"\napi_key = \"{KEY}\"\nbase_url = \"{url}/v1\"\n")
}

fn trusting(authority: &Authority) -> String {
    format!("[sip.tls]\nca = {:?}\n", authority.file)
}

/// The notes of all messages.
fn notes(server: &Server) -> Vec<Value> {
    let boxes = std::fs::read_dir(server.folder.path("data/voicemail")).into_iter().flatten();
    let files = boxes.flatten().flat_map(|it| std::fs::read_dir(it.path()).into_iter().flatten());
    let paths = files.flatten().map(|file| file.path());
    let paths = paths.filter(|path| path.extension().is_some_and(|it| it == "json"));
    paths.filter_map(|path| serde_json::from_slice(&std::fs::read(path).ok()?).ok()).collect()
}

/// The only note, once something in it stands so.
async fn note_with(server: &Server, key: &str, state: &str) -> Value {
    within(PATIENCE, &format!("a note whose {key} is {state}"), || {
        let note = notes(server).pop()?;
        let value = if note[key].is_object() { &note[key]["state"] } else { &note[key] };
        (value == state).then_some(note)
    })
    .await
}

fn sound(server: &Server, note: &Value) -> PathBuf {
    let [mailbox, file] = ["box", "file"].map(|key| note[key].as_str().expect("a text"));
    server.folder.path("data/voicemail").join(mailbox).join(file)
}

/// The file that goes with a mail.
fn enclosed(content: &str) -> Vec<u8> {
    let is_sound = |part: &&str| part.contains("Content-Type: audio/wav\r\n");
    let part = content.split("\r\n--").find(is_sound).expect("a sound");
    let (head, body) = part.split_once("\r\n\r\n").expect("a head and a body");
    // A long name stands in parts (RFC 2231 3).
    assert!(head.contains("attachment") && head.contains("=\"voicemail-"), "{head}");
    assert!(head.contains("Content-Transfer-Encoding: base64"), "{head}");
    let body: String = body.lines().collect();
    STANDARD.decode(body).expect("base64")
}

async fn operator(server: &Server, words: &[&str]) -> (Option<i32>, String) {
    let mut command = program();
    command.arg("voicemail").args(words).arg("--config");
    command.arg(server.folder.path("conf/server.toml"));
    finish(command).await
}

const KEY: &str = "sesame-4711";

/// What is heard, and not noise.
const LOUD: u16 = 1_000;

const GREETING: &str = "please leave a message";

const WORDS: &str = "what are your opening hours";

const BOXES: &str = r#"
[defaults.agent]
tts = { provider = "flite", voice = "slt" }

[[route]]
did = "slow"
to  = "voicemail:slow"

[voicemail.slow]
greeting     = "Please leave a message."
silence      = "20s"
min_length   = "1s"
max_messages = 1
"#;

const OFFICE: &str = r#"
[[route]]
did = "office"
to  = "voicemail:office"

[voicemail.office]
greeting   = "Please leave a message."
transcribe = "ears"
email      = "office@a.test, boss@a.test"
silence    = "2s"
min_length = "1s"
"#;
