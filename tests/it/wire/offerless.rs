//! Callers who leave the offer to us: they get it in the first answer that arrives for sure, and
//! theirs comes by PRACK or ACK (RFC 3261 13.2.1, RFC 3262 5).

use std::time::Duration;

use voxtrunk::audio::frame::Frame;

use super::caller::{Speaker, spoken};
use super::datagrams::{Wire, header};
use super::deskphone::Audio;
use super::ear::voiced;
use super::peers::free_port;
use super::server::{House, PATIENCE, Server, within};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_made_no_offer_hears_before_the_answer_what_the_other_side_plays() {
    let port = free_port();
    let plan = format!("[[route]]\nto = \"sip:far@127.0.0.1:{port}\"\n");
    let server = Server::start(House::with(&plan)).await;
    let callee = Wire::open(&format!("127.0.0.1:{port}"), server.address).await;
    let mut caller = Wire::open("127.0.0.1:0", server.address).await;
    let (hears, says) = (Audio::open().await, Audio::open().await);

    let invite = caller.request("INVITE", "far", "");
    let invite = invite.replacen("Max-Forwards", "Supported: 100rel\r\nMax-Forwards", 1);
    caller.send(invite.as_bytes()).await;
    let rung = wait_for(&callee, "INVITE ").await;
    says.towards(&rung);
    reply(&callee, &rung, ("183 Session Progress", &callee.description_at(says.port()))).await;

    // The offer is ours, and arrives for sure.
    let early = wait_for(&caller, "SIP/2.0 183").await;
    assert_eq!(header(&early, "Require"), "100rel", "{early}");
    assert!(early.contains("m=audio "), "{early}");
    hears.towards(&early);
    let body = caller.description_at(hears.port());
    let rack = format!("RAck: {} 1 INVITE\r\n", header(&early, "RSeq"));
    let prack = caller.inside(&early, "2 PRACK").replace(
        "Content-Length: 0\r\n\r\n",
        &format!(
            "{rack}Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ),
    );
    caller.send(prack.as_bytes()).await;
    let taken = wait_for(&caller, "SIP/2.0 200").await;
    assert_eq!(header(&taken, "CSeq"), "2 PRACK", "nobody has answered the call: {taken}");
    says.say(&again_and_again(&spoken(Speaker::Flite("rms"), "please hold the line").await));
    within(PATIENCE, "early media", || {
        (voiced(&hears.heard()) > Duration::from_millis(500)).then_some(())
    })
    .await;

    // All is described when the call is answered.
    reply(&callee, &rung, ("200 OK", &callee.description_at(says.port()))).await;
    wait_for(&callee, "ACK ").await;
    let answer = wait_for(&caller, "SIP/2.0 200").await;
    assert_eq!(header(&answer, "CSeq"), "1 INVITE");
    assert_eq!(header(&answer, "Content-Length"), "0", "{answer}");
    caller.send(caller.inside(&answer, "1 ACK").as_bytes()).await;
    let before = voiced(&hears.heard());
    within(PATIENCE, "the other side", || {
        (voiced(&hears.heard()) > before + Duration::from_millis(500)).then_some(())
    })
    .await;
    caller.send(caller.inside(&answer, "3 BYE").as_bytes()).await;
    let bye = wait_for(&callee, "BYE ").await;
    reply(&callee, &bye, ("200 OK", "")).await;
    let record = server.record().await;
    assert_eq!(record["end_reason"], "caller_hangup", "{record:#}");
    assert_eq!(record["legs"][0]["codec"], record["legs"][1]["codec"]);
}

fn again_and_again(clip: &Frame) -> Frame {
    Frame::new(clip.rate, clip.samples.repeat(20))
}

async fn wait_for(wire: &Wire, beginning: &str) -> String {
    loop {
        let message = wire.receive(PATIENCE).await;
        let message = message.unwrap_or_else(|| panic!("{beginning} does not come"));
        if message.starts_with(beginning) {
            return message;
        }
    }
}

async fn reply(wire: &Wire, request: &str, (status, body): (&str, &str)) {
    let copied = ["Via", "From", "Call-ID", "CSeq"];
    let copied = copied.map(|name| format!("{name}: {}\r\n", header(request, name))).concat();
    let (to, local) = (header(request, "To").replace(";tag=far", ""), wire.local);
    let answer = format!(
        "SIP/2.0 {status}\r\n{copied}To: {to};tag=far\r\nContact: <sip:far@{local}>\r\n\
         Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    wire.send(answer.as_bytes()).await;
}
