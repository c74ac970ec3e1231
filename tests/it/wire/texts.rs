//! Texts (RFC 3428): outside of calls they reach the phones of the house, inside of a call whom the
//! writer talks with; and nobody writes who may not call.

use std::time::Duration;

use super::datagrams::{Wire, header};
use super::phones::{Handset, house};
use super::server::{House, PATIENCE, Server, said, within};

#[tokio::test(flavor = "multi_thread")]
async fn a_text_of_a_trunk_reaches_a_phone_and_its_word_goes_back() {
    let server = Server::start(house()).await;
    let mut trunk = Wire::open("127.0.0.1:0", server.address).await;
    let away = text(&mut trunk, "102", WORDS);
    assert_eq!(status(&trunk, &away).await, "480", "Ben is not there yet");
    let mut ben = registered("127.0.0.4:0", &server, ("102", "other")).await;

    for answer in ["200 OK", "486 Busy Here"] {
        let request = text(&mut trunk, "102", WORDS);
        trunk.send(request.as_bytes()).await;
        let relayed = ben.wait_for("MESSAGE").await;
        assert!(relayed.starts_with(&format!("MESSAGE sip:102@{}", ben.wire.local)), "{relayed}");
        assert!(relayed.ends_with(&format!("\r\n\r\n{WORDS}")), "{relayed}");
        assert!(header(&relayed, "From").contains("sip:wire@"), "{relayed}");
        assert_eq!(header(&relayed, "Content-Type"), "text/plain");
        assert_eq!(header(&relayed, "Max-Forwards"), "69");
        assert_eq!(header(&relayed, "Contact"), "", "it makes no dialog");
        assert_ne!(header(&relayed, "Call-ID"), header(&request, "Call-ID"));
        ben.reply(&relayed, answer, "").await;
        assert_eq!(status(&trunk, &request).await, answer.split(' ').next().expect("a status"));
    }
    // Who does not read such texts says what it would read.
    let request = text(&mut trunk, "102", WORDS);
    trunk.send(request.as_bytes()).await;
    let relayed = ben.wait_for("MESSAGE").await;
    ben.reply(&relayed, "415 Unsupported Media Type\r\nAccept: text/rfc822-headers", "").await;
    let refused = answer(&trunk, &request).await;
    assert_eq!(header(&refused, "Accept"), "text/rfc822-headers", "{refused}");
    assert!(!server.log().contains(WORDS), "what people write is in no log");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_writes_with_its_password_and_under_its_own_name() {
    let server = Server::start(house()).await;
    let mut ben = registered("127.0.0.4:0", &server, ("102", "other")).await;
    let mut anna = registered("127.0.0.3:0", &server, ("101", "secret")).await;
    let request = text(&mut anna.wire, "102", WORDS);
    let challenge = answer(&anna.wire, &request).await;
    assert!(challenge.starts_with("SIP/2.0 407"), "{challenge}");
    let uri = request.split(' ').nth(1).expect("a Request-URI").to_owned();
    let proof = anna.proof(header(&challenge, "Proxy-Authenticate"), ("MESSAGE", &uri), 1);
    let proof = format!("Proxy-Authorization: {proof}\r\nMax-Forwards");
    let proven = request.replacen("Max-Forwards", &proof, 1).replace("z9hG4bK", "z9hG4bKp");
    anna.wire.send(proven.as_bytes()).await;
    let relayed = ben.wait_for("MESSAGE").await;
    assert!(header(&relayed, "From").starts_with("\"Anna\" <sip:101@"), "{relayed}");
    assert_eq!(header(&relayed, "Proxy-Authorization"), "", "{relayed}");
    ben.reply(&relayed, "200 OK", "").await;
    assert_eq!(status(&anna.wire, &proven).await, "200");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_reads_a_text_is_refused_and_strangers_are_not_heard() {
    let server = Server::start(house()).await;
    let mut trunk = Wire::open("127.0.0.1:0", server.address).await;
    let to_agent = text(&mut trunk, "porter", WORDS);
    assert_eq!(status(&trunk, &to_agent).await, "404");
    let picture = text(&mut trunk, "102", WORDS).replace("text/plain", "image/png");
    let refused = answer(&trunk, &picture).await;
    assert!(refused.starts_with("SIP/2.0 415"), "{refused}");
    assert_eq!(header(&refused, "Accept"), "text/plain");
    let novel = text(&mut trunk, "102", &"x".repeat(5_000));
    assert_eq!(status(&trunk, &novel).await, "413");

    // Where phones may be, somebody else is asked for a password; elsewhere there is silence, or
    // 403 where the operator says so.
    let mut ben = registered("127.0.0.4:0", &server, ("102", "other")).await;
    let mut guest = Wire::open("127.0.0.9:0", server.address).await;
    let request = text(&mut guest, "102", WORDS);
    assert_eq!(status(&guest, &request).await, "407");
    let (mut fences, rejects) = (Vec::new(), "[security.sip]\nunknown_source = \"reject\"\n");
    for (settings, told) in [("", None), (rejects, Some("403"))] {
        let server = Server::start(House::porter().and(settings)).await;
        let mut stranger = Wire::open("127.0.0.2:0", server.address).await;
        let request = text(&mut stranger, "porter", WORDS);
        stranger.send(request.as_bytes()).await;
        let answer = stranger.receive(Duration::from_secs(1)).await;
        let status = answer.as_deref().and_then(|answer| answer.split(' ').nth(1));
        assert_eq!(status, told);
        fences.push(server);
    }
    // What Ben hears first is of the trunk.
    let request = text(&mut trunk, "102", "the first");
    trunk.send(request.as_bytes()).await;
    let relayed = ben.wait_for("MESSAGE").await;
    assert!(relayed.ends_with("the first"), "{relayed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_talk_with_each_other_write_to_each_other() {
    let server = Server::start(house()).await;
    let mut ben = registered("127.0.0.4:0", &server, ("102", "other")).await;
    let mut caller = Wire::open("127.0.0.1:0", server.address).await;
    let invite = {
        let body = caller.description();
        caller.request("INVITE", "102", &body)
    };
    caller.send(invite.as_bytes()).await;
    let rung = ben.wait_for("INVITE").await;
    ben.reply(&rung, "200 OK", &ben.wire.description()).await;
    ben.wait_for("ACK").await;
    let answered = answer(&caller, &invite).await;
    caller.send(caller.inside(&answered, "1 ACK").as_bytes()).await;
    let note =
        format!("Content-Type: text/plain\r\nContent-Length: {}\r\n\r\n{WORDS}", WORDS.len());
    let message = caller.inside(&answered, "2 MESSAGE");
    let message = message.replace("Content-Length: 0\r\n\r\n", &note);
    caller.send(message.as_bytes()).await;
    let relayed = ben.wait_for("MESSAGE").await;
    assert!(relayed.ends_with(&format!("\r\n\r\n{WORDS}")), "{relayed}");
    assert!(header(&relayed, "To").contains(";tag=handset"), "inside of the call: {relayed}");
    ben.reply(&relayed.replace(";tag=handset", ""), "200 OK", "").await;
    caller.hang_up(&answered).await;
    let bye = ben.wait_for("BYE").await;
    ben.reply(&bye.replace(";tag=handset", ""), "200 OK", "").await;
    assert_eq!(server.record().await["end_reason"], "caller_hangup");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_takes_what_its_caller_writes_for_said() {
    let server = Server::start(House::porter()).await;
    let mut caller = Wire::open("127.0.0.1:0", server.address).await;
    let description = caller.description();
    let answered = caller.call("porter", &description).await;
    for (number, words) in [(2, "what are your opening hours"), (3, "  "), (4, "goodbye")] {
        let length = words.len();
        let note = format!("Content-Type: text/plain\r\nContent-Length: {length}\r\n\r\n{words}");
        let message = caller.inside(&answered, &format!("{number} MESSAGE"));
        let message = message.replace("Content-Length: 0\r\n\r\n", &note);
        let message = message.replace("z9hG4bK", &format!("z9hG4bK{number}"));
        assert_eq!(status(&caller, &message).await, "200");
        if number == 3 {
            // What is said while the call is up is on the disk soon.
            let drafts = server.folder.path("data/running.jsonl");
            let is_answered = || {
                let text = std::fs::read_to_string(&drafts).ok()?;
                text.contains("from nine to six").then_some(())
            };
            within(PATIENCE, "an answer", is_answered).await;
        }
    }
    let bye = loop {
        let message = caller.receive(PATIENCE).await.expect("the agent says goodbye");
        if message.starts_with("BYE ") {
            break message;
        }
    };
    caller.agree(&bye).await;
    let record = server.record().await;
    let said = said(&record, "caller").join(" ");
    assert_eq!(said, "what are your opening hours goodbye", "{record:#}");
    assert_eq!(record["end_reason"], "agent_ended", "{record:#}");
}

/// A phone that is registered.
async fn registered(address: &str, server: &Server, account: (&str, &str)) -> Handset {
    let mut phone = Handset::new(address, server.address, account).await;
    assert!(phone.register().await.expect("an answer").starts_with("SIP/2.0 200"));
    phone
}

/// A text to an extension, outside of any call.
fn text(wire: &mut Wire, extension: &str, words: &str) -> String {
    let request = wire.request("MESSAGE", extension, words);
    request.replace("application/sdp", "text/plain")
}

/// The final answer to a request, which is sent once more.
async fn answer(wire: &Wire, request: &str) -> String {
    let own = |name: &str| header(request, name).to_owned();
    wire.send(request.as_bytes()).await;
    loop {
        let answer = wire.receive(PATIENCE).await.expect("an answer");
        let is_own = ["Call-ID", "CSeq"].iter().all(|name| header(&answer, name) == own(name));
        let status = answer.split(' ').nth(1).unwrap_or_default();
        if answer.starts_with("SIP/2.0 ") && is_own && status >= "200" {
            return answer;
        }
    }
}

async fn status(wire: &Wire, request: &str) -> String {
    let answer = answer(wire, request).await;
    answer.split(' ').nth(1).unwrap_or_default().to_owned()
}

const WORDS: &str = "The bicycle is ready.";
