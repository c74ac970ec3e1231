//! Transfers on the wire, octet by octet: how a REFER of ours ends is told to whoever asked, and what
//! our INVITE says when a call is to take the place of another one (RFC 3515, RFC 3891, RFC 5589).

use std::collections::BTreeSet;
use std::time::Duration;

use super::datagrams::{Wire, header};
use super::deskphone::Audio;
use super::ear::voiced;
use super::phones::{Handset, house};
use super::server::{House, PATIENCE, Server, said, within};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn when_the_referred_call_fails_the_agent_goes_on_and_the_record_says_why() {
    let server = Server::start(House::with(DESK)).await;
    let (mut caller, audio) = (Caller::call(&server, "desk").await, Audio::open().await);
    caller.invite(&audio).await;
    heard_anew(&audio, Duration::ZERO).await;
    caller.press('1').await;
    let refer = caller.wait_for("REFER ").await;
    assert_eq!(header(&refer, "Refer-To"), "<sip:sales@192.0.2.99>");
    caller.reply(&refer, "202 Accepted").await;
    caller.notify("SIP/2.0 100 Trying", "active;expires=60").await;
    let before = voiced(&audio.heard());
    caller.notify("SIP/2.0 486 Busy Here", "terminated;reason=noresource").await;
    heard_anew(&audio, before).await;
    caller.press('5').await;
    let bye = caller.wait_for("BYE ").await;
    caller.reply(&bye, "200 OK").await;

    let record = server.record().await;
    assert_eq!(record["end_reason"], "agent_ended", "{record:#}");
    let transfer = &record["transfers"][0];
    assert_eq!(transfer["manner"], "refer", "{record:#}");
    assert_eq!(transfer["to"], "sip:sales@192.0.2.99");
    assert_eq!((&transfer["outcome"], &transfer["reason"]), (&"failed".into(), &"busy".into()));
    assert_eq!(transfer["q850"], 17);
    let lines = said(&record, "agent");
    assert!(lines.len() >= 4, "it greets, connects, is sorry and says goodbye: {lines:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn when_the_referred_call_is_answered_the_call_has_been_transferred() {
    let server = Server::start(House::with(DESK)).await;
    let (mut caller, audio) = (Caller::call(&server, "desk").await, Audio::open().await);
    caller.invite(&audio).await;
    heard_anew(&audio, Duration::ZERO).await;
    caller.press('1').await;
    let refer = caller.wait_for("REFER ").await;
    caller.reply(&refer, "202 Accepted").await;
    caller.notify("SIP/2.0 180 Ringing", "active;expires=60").await;
    caller.notify("SIP/2.0 200 OK", "terminated;reason=noresource").await;
    let bye = caller.wait_for("BYE ").await;
    caller.reply(&bye, "200 OK").await;
    let record = server.record().await;
    assert_eq!(record["end_reason"], "transferred", "{record:#}");
    assert_eq!(record["transfers"][0]["outcome"], "worked");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_consultation_that_goes_by_us_is_replaced_as_its_other_end_knows_it() {
    let server = Server::start(office()).await;
    let mut anna = registered("127.0.0.3:0", &server, ("101", "secret")).await;
    let mut ben = registered("127.0.0.4:0", &server, ("102", "other")).await;

    // Somebody calls Ben, and Ben asks Anna first.
    let audio = Audio::open().await;
    let (mut caller, first) = talks_with(&mut ben, (&server, "102"), &audio).await;
    let asked = consult(&mut ben, "101").await;
    let second = anna.wait_for("INVITE").await;
    anna.reply(&second, "200 OK", &anna.wire.description()).await;
    anna.wait_for("ACK").await;
    let asked = established(&mut ben, &asked).await;

    // He connects both: he names his call with us, and Anna is told of hers.
    let (us, him) = (tag(header(&asked, "To")), tag(header(&asked, "From")));
    let replaced = format!("{}%3Bto-tag%3D{us}%3Bfrom-tag%3D{him}", header(&asked, "Call-ID"));
    let target = format!("<sip:101@{}?Replaces={}>", server.address, replaced.replace('@', "%40"));
    let accepted = refer(&ben, &first, &target).await;
    assert!(accepted.starts_with("SIP/2.0 202"), "{accepted}");
    let third = anna.wait_for("INVITE").await;
    let theirs = tag(header(&second, "From"));
    let expected = format!("{};to-tag=handset;from-tag={theirs}", header(&second, "Call-ID"));
    assert_eq!(header(&third, "Replaces"), expected, "{third}");
    assert_ne!(header(&third, "Call-ID"), header(&second, "Call-ID"));
    anna.reply(&third, "200 OK", &anna.wire.description()).await;
    anna.wait_for("ACK").await;
    hang_up(&anna, &second).await;

    // Ben hears that it worked, and loses both calls.
    loop {
        let notify = ben.wait_for("NOTIFY").await;
        accept(&ben, &notify).await;
        if notify.contains("SIP/2.0 200") {
            break;
        }
    }
    let mut lost = BTreeSet::new();
    while lost.len() < 2 {
        let bye = ben.wait_for("BYE").await;
        accept(&ben, &bye).await;
        lost.insert(header(&bye, "Call-ID").to_owned());
    }
    caller.hang_up().await;
    let bye = anna.wait_for("BYE").await;
    assert_eq!(header(&bye, "Call-ID"), header(&third, "Call-ID"));
    accept(&anna, &bye).await;

    let records = server.records(2).await;
    let record = records.iter().find(|record| record["to"]["number"] == "102");
    let record = record.expect("the first call");
    let transfer = &record["transfers"][0];
    assert_eq!(transfer["kind"], "attended", "{record:#}");
    assert_eq!((&transfer["to"], &transfer["by_leg"]), (&"phone:101".into(), &1.into()));
    assert_eq!(transfer["outcome"], "worked", "{record:#}");
    assert_eq!(record["end_reason"], "caller_hangup", "{record:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_consultation_that_did_not_go_by_us_is_replaced_as_it_was_named() {
    let server = Server::start(office()).await;
    let mut anna = registered("127.0.0.3:0", &server, ("101", "secret")).await;
    let mut ben = registered("127.0.0.4:0", &server, ("102", "other")).await;
    let audio = Audio::open().await;
    let (mut caller, first) = talks_with(&mut ben, (&server, "102"), &audio).await;
    // What cannot be read is not sent on.
    let garbled = format!("<sip:101@{}?Replaces=abc%3Bto-tag%3D1>", server.address);
    let refused = refer(&ben, &first, &garbled).await;
    assert!(refused.starts_with("SIP/2.0 400"), "{refused}");
    let named = "abc%40elsewhere%3Bto-tag%3Danna%3Bfrom-tag%3Dben";
    let target = format!("<sip:101@{}?Replaces={named}>", server.address);
    let accepted = refer(&ben, &first, &target).await;
    assert!(accepted.starts_with("SIP/2.0 202"), "{accepted}");
    let invite = anna.wait_for("INVITE").await;
    assert_eq!(header(&invite, "Replaces"), "abc@elsewhere;to-tag=anna;from-tag=ben", "{invite}");
    // Anna knows no such call: Ben is told so, and goes on with the caller.
    anna.reply(&invite, "481 Call/Transaction Does Not Exist", "").await;
    loop {
        let notify = ben.wait_for("NOTIFY").await;
        accept(&ben, &notify).await;
        if header(&notify, "Subscription-State").starts_with("terminated") {
            assert!(notify.contains("SIP/2.0 481"), "{notify}");
            break;
        }
    }
    caller.hang_up().await;
    let bye = ben.wait_for("BYE").await;
    accept(&ben, &bye).await;
    let record = server.record().await;
    assert_eq!(record["transfers"][0]["outcome"], "failed", "{record:#}");
    assert_eq!(record["end_reason"], "caller_hangup", "{record:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_phone_sends_its_caller_to_an_agent() {
    let server = Server::start(office()).await;
    let mut ben = registered("127.0.0.4:0", &server, ("102", "other")).await;
    let audio = Audio::open().await;
    let (mut caller, first) = talks_with(&mut ben, (&server, "102"), &audio).await;
    audio.towards(&caller.answer);
    let before = voiced(&audio.heard());
    let target = format!("<sip:700@{}>", server.address);
    let accepted = refer(&ben, &first, &target).await;
    assert!(accepted.starts_with("SIP/2.0 202"), "{accepted}");
    leaves(&mut ben, 1).await;
    heard_anew(&audio, before).await;
    caller.hang_up().await;
    let record = server.record().await;
    assert_eq!(record["agents"], serde_json::json!(["porter"]), "{record:#}");
    assert_eq!(record["end_reason"], "caller_hangup", "{record:#}");
    assert_eq!(said(&record, "agent"), ["Hello?"], "{record:#}");
    let transfer = &record["transfers"][0];
    assert_eq!((&transfer["to"], &transfer["by_leg"]), (&"agent:porter".into(), &1.into()));
    assert_eq!((&transfer["kind"], &transfer["outcome"]), (&"blind".into(), &"worked".into()));
    assert_eq!(record["legs"][1]["end_reason"], "transferred", "{record:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_phone_that_asked_an_agent_first_connects_its_caller_with_it() {
    let server = Server::start(office()).await;
    let mut ben = registered("127.0.0.4:0", &server, ("102", "other")).await;
    let audio = Audio::open().await;
    let (mut caller, first) = talks_with(&mut ben, (&server, "102"), &audio).await;
    audio.towards(&caller.answer);
    let asked = consult(&mut ben, "700").await;
    let asked = established(&mut ben, &asked).await;
    let before = voiced(&audio.heard());
    let (us, him) = (tag(header(&asked, "To")), tag(header(&asked, "From")));
    let replaced = format!("{}%3Bto-tag%3D{us}%3Bfrom-tag%3D{him}", header(&asked, "Call-ID"));
    let target = format!("<sip:700@{}?Replaces={}>", server.address, replaced.replace('@', "%40"));
    let accepted = refer(&ben, &first, &target).await;
    assert!(accepted.starts_with("SIP/2.0 202"), "{accepted}");
    // Both of his calls are over.
    leaves(&mut ben, 2).await;
    heard_anew(&audio, before).await;
    caller.hang_up().await;
    let records = server.records(2).await;
    let of = |number: &str| {
        let found = records.iter().find(|record| record["to"]["number"] == number);
        found.unwrap_or_else(|| panic!("no call to {number}: {records:#?}"))
    };
    assert_eq!(of("700")["end_reason"], "transferred", "{:#}", of("700"));
    assert_eq!(of("102")["end_reason"], "caller_hangup", "{:#}", of("102"));
    let transfer = &of("102")["transfers"][0];
    assert_eq!((&transfer["kind"], &transfer["outcome"]), (&"attended".into(), &"worked".into()));
}

/// A phone hears that its transfer worked, and so many of its calls are hung up.
async fn leaves(phone: &mut Handset, calls: usize) {
    let (mut worked, mut lost) = (false, BTreeSet::new());
    while !worked || lost.len() < calls {
        let request = phone.wire.receive(PATIENCE).await.expect("a NOTIFY or a BYE");
        if request.starts_with("SIP/2.0") {
            continue;
        }
        accept(phone, &request).await;
        worked |= request.starts_with("NOTIFY") && request.contains("SIP/2.0 200");
        if request.starts_with("BYE") {
            lost.insert(header(&request, "Call-ID").to_owned());
        }
    }
}

/// A caller who talks with a phone, and the INVITE that it was called by.
async fn talks_with(
    phone: &mut Handset,
    (server, number): (&Server, &str),
    audio: &Audio,
) -> (Caller, String) {
    let mut caller = Caller::call(server, number).await;
    caller.send_invite(audio).await;
    let invite = phone.wait_for("INVITE").await;
    phone.reply(&invite, "200 OK", &phone.wire.description()).await;
    phone.wait_for("ACK").await;
    caller.acknowledge().await;
    (caller, invite)
}

/// A house where callers reach both phones, and so Ben may send them to Anna.
fn office() -> House {
    let house = house();
    let dialplan = house.dialplan.as_ref().expect("its own");
    let dialplan = dialplan.replacen("context = \"internal\"\n", "", 1);
    House { dialplan: Some(dialplan), ..house }
}

/// A caller that is written by hand.
struct Caller {
    wire: Wire,
    request: String,
    extension: String,
    answer: String,
    sequence: u32,
}

impl Caller {
    /// One that will call that extension.
    async fn call(server: &Server, extension: &str) -> Self {
        let wire = Wire::open("127.0.0.1:0", server.address).await;
        let extension = extension.to_owned();
        Self { wire, request: String::new(), extension, answer: String::new(), sequence: 1 }
    }

    async fn invite(&mut self, audio: &Audio) {
        self.send_invite(audio).await;
        self.acknowledge().await;
        audio.towards(&self.answer);
    }

    async fn send_invite(&mut self, audio: &Audio) {
        let body = self.wire.description_at(audio.port());
        self.request = self.wire.request("INVITE", &self.extension, &body);
        self.wire.send(self.request.as_bytes()).await;
    }

    /// Waits for the answer, and acknowledges it.
    async fn acknowledge(&mut self) {
        self.answer = self.wait_for("SIP/2.0 200").await;
        self.wire.send(self.wire.inside(&self.answer, "1 ACK").as_bytes()).await;
    }

    /// Sends a request inside of the call, and waits for its 200.
    async fn say(&mut self, method: &str, head: &str, body: &str) {
        self.sequence += 1;
        let cseq = format!("{} {method}", self.sequence);
        let bare = self.wire.inside(&self.answer, &cseq);
        let branch = format!("z9hG4bK{method}{}x", self.sequence);
        let full = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
        let request = bare.replace(&format!("z9hG4bK{method}x"), &branch);
        let request = request.replace("Content-Length: 0\r\n\r\n", &full);
        self.wire.send(request.as_bytes()).await;
        loop {
            let answer = self.wait_for("SIP/2.0 200").await;
            if header(&answer, "CSeq") == cseq {
                return;
            }
        }
    }

    async fn press(&mut self, key: char) {
        let body = format!("Signal={key}\r\nDuration=160\r\n");
        self.say("INFO", "Content-Type: application/dtmf-relay\r\n", &body).await;
    }

    async fn notify(&mut self, fragment: &str, state: &str) {
        let local = self.wire.local;
        let head = format!(
            "Contact: <sip:wire@{local}>\r\nEvent: refer\r\nSubscription-State: {state}\r\n\
             Content-Type: message/sipfrag;version=2.0\r\n"
        );
        self.say("NOTIFY", &head, &format!("{fragment}\r\n")).await;
    }

    async fn hang_up(&mut self) {
        self.say("BYE", "", "").await;
    }

    async fn wait_for(&mut self, beginning: &str) -> String {
        loop {
            let message = self.wire.receive(PATIENCE).await;
            let message = message.unwrap_or_else(|| panic!("{beginning} does not come"));
            if message.starts_with(beginning) {
                return message;
            }
        }
    }

    async fn reply(&self, request: &str, status: &str) {
        let copied = ["Via", "From", "To", "Call-ID", "CSeq"];
        let copied = copied.map(|name| format!("{name}: {}\r\n", header(request, name))).concat();
        let local = self.wire.local;
        let answer = format!(
            "SIP/2.0 {status}\r\n{copied}Contact: <sip:wire@{local}>\r\nContent-Length: 0\r\n\r\n"
        );
        self.wire.send(answer.as_bytes()).await;
    }
}

/// Waits until more is heard than so much.
async fn heard_anew(audio: &Audio, before: Duration) {
    let enough = before + Duration::from_millis(300);
    within(PATIENCE, "the agent speaks", || (voiced(&audio.heard()) > enough).then_some(())).await;
}

async fn registered(address: &str, server: &Server, account: (&str, &str)) -> Handset {
    let mut phone = Handset::new(address, server.address, account).await;
    assert!(phone.register().await.expect("an answer").starts_with("SIP/2.0 200"));
    phone
}

/// A phone calls somebody, and proves itself; gives its INVITE.
async fn consult(phone: &mut Handset, extension: &str) -> String {
    let body = phone.wire.description();
    let invite = phone.wire.request("INVITE", extension, &body);
    phone.wire.send(invite.as_bytes()).await;
    let challenge = phone.wait_for("SIP/2.0 407").await;
    let uri = invite.split(' ').nth(1).expect("a Request-URI").to_owned();
    let proof = phone.proof(header(&challenge, "Proxy-Authenticate"), ("INVITE", &uri), 1);
    let proof = format!("Proxy-Authorization: {proof}\r\nMax-Forwards");
    let proven = invite.replacen("Max-Forwards", &proof, 1).replace("z9hG4bK", "z9hG4bKp");
    phone.wire.send(proven.as_bytes()).await;
    proven
}

/// Waits for the answer to a phone's INVITE, and acknowledges it.
async fn established(phone: &mut Handset, invite: &str) -> String {
    loop {
        let answer = phone.wait_for("SIP/2.0 200").await;
        if header(&answer, "Call-ID") == header(invite, "Call-ID") {
            phone.wire.send(phone.wire.inside(&answer, "1 ACK").as_bytes()).await;
            return answer;
        }
    }
}

/// A request of a phone inside of the call that this INVITE of ours made; gives its final answer.
async fn refer(phone: &Handset, invite: &str, target: &str) -> String {
    let refer = inside(phone, invite, "REFER", &format!("Refer-To: {target}\r\n"));
    phone.wire.send(refer.as_bytes()).await;
    let cseq = header(&refer, "CSeq").to_owned();
    loop {
        let answer = phone.wire.receive(PATIENCE).await.expect("an answer");
        if header(&answer, "CSeq") == cseq {
            return answer;
        }
    }
}

async fn hang_up(phone: &Handset, invite: &str) {
    phone.wire.send(inside(phone, invite, "BYE", "").as_bytes()).await;
}

fn inside(phone: &Handset, invite: &str, method: &str, more: &str) -> String {
    static SEQUENCE: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(10);
    let sequence = SEQUENCE.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let target = header(invite, "Contact").trim_matches(['<', '>']);
    let (local, call) = (phone.wire.local, header(invite, "Call-ID"));
    let (from, to) = (header(invite, "To"), header(invite, "From"));
    format!(
        "{method} {target} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bK{sequence}i;rport\r\n\
         From: {from};tag=handset\r\nTo: {to}\r\nCall-ID: {call}\r\nCSeq: {sequence} {method}\r\n\
         Contact: <sip:phone@{local}>\r\nMax-Forwards: 70\r\n{more}Content-Length: 0\r\n\r\n"
    )
}

/// Answers a request inside of a call.
async fn accept(phone: &Handset, request: &str) {
    let copied = ["Via", "From", "To", "Call-ID", "CSeq"];
    let copied = copied.map(|name| format!("{name}: {}\r\n", header(request, name))).concat();
    let answer = format!("SIP/2.0 200 OK\r\n{copied}Content-Length: 0\r\n\r\n");
    phone.wire.send(answer.as_bytes()).await;
}

fn tag(address: &str) -> &str {
    address.split(";tag=").nth(1).expect("a tag")
}

const DESK: &str = r#"
[[route]]
to = "agent:desk"

[agents.desk]
first_message = "Hello, this is the desk."
goodbye       = "Goodbye."
prompt        = "You are at a desk."
tools         = ["end_call", "transfer_call"]
llm.provider  = "rules"
stt.provider  = "pocketsphinx"
tts           = { provider = "flite", voice = "slt" }

[agents.desk.transfers.sales]
to          = "sip:sales@192.0.2.99"
description = "Sales"

[[agents.desk.intents]]
id      = "sales"
key     = "1"
phrases = ["sales please"]
say     = "One moment."
action  = "transfer_call:sales"

[[agents.desk.intents]]
id      = "goodbye"
key     = "5"
phrases = ["goodbye"]
action  = "end_call"
"#;
