//! Provisional answers that must arrive, and UPDATE before the answer (RFC 3262, RFC 3311).

use std::time::Duration;

use bytes::Bytes;

use super::link::{ANSWER, CALL, Link, Side, Weather, answer, endings, hang_up};
use super::raw::{Raw, Text, header, respond, status, to_tag};
use crate::sip::event::{Command, Ending, Event, Party, SessionId};

const SECOND: Duration = Duration::from_secs(1);
const SESSION: SessionId = SessionId(1 << 63);
const SDP: &str = "Content-Type: application/sdp\r\n";

fn early(session: SessionId) -> Command {
    Command::Progress { session, status: 183, body: Some(Bytes::from_static(ANSWER)) }
}

fn statuses(sent: &[String]) -> Vec<u16> {
    sent.iter().map(|text| status(text)).collect()
}

/// The PRACK of our answer.
fn prack(answer: &str, sequence: u32) -> Text {
    let rseq = header(answer, "RSeq").expect("it is numbered");
    let text = Text::new("PRACK").with_to_tag(&to_tag(answer)).sequence(sequence);
    text.branch(&format!("z9hG4bK-p{sequence}")).extra(&format!("RAck: {rseq} 1 INVITE\r\n"))
}

/// Lets a caller that knows 100rel call, and sends it early media.
fn offered(raw: &mut Raw) -> String {
    raw.receive(&Text::invite().extra("Supported: 100rel\r\nAllow: UPDATE\r\n").write());
    raw.command(early(SESSION)).remove(0)
}

#[test]
fn early_media_is_repeated_until_prack_and_the_200_waits_for_it() {
    let mut raw = Raw::new();
    let sent = offered(&mut raw);
    assert_eq!((status(&sent), header(&sent, "Require")), (183, Some("100rel")));
    assert_eq!(statuses(&raw.wait(SECOND * 2)), [183, 183]);
    assert!(raw.command(answer(SESSION)).is_empty(), "it waits");
    let wrong = prack(&sent, 2).extra("X: 1\r\n").write().replace("RAck: ", "RAck: 9");
    assert_eq!(statuses(&raw.receive(&wrong)), [481]);
    let right = prack(&sent, 3).write();
    assert_eq!(statuses(&raw.receive(&right)), [200, 200]);
    assert_eq!(statuses(&raw.receive(&right)), [200], "a repetition is absorbed");
    assert_eq!(statuses(&raw.wait(SECOND * 3 / 5)), [200], "that of the INVITE");
    raw.receive(&Text::new("ACK").with_to_tag(&to_tag(&sent)).branch("z9hG4bK-a").write());
    assert!(matches!(raw.events.last(), Some(Event::Confirmed { .. })));
}

#[test]
fn a_caller_that_never_acknowledges_is_refused() {
    let mut raw = Raw::new();
    offered(&mut raw);
    let sent = raw.wait(SECOND * 33);
    assert_eq!(status(sent.last().expect("an answer")), 504);
    assert_eq!(endings(&raw.events), [Ending::Lost]);
    raw.wait(SECOND * 60);
    assert!(raw.endpoint.is_idle());
}

#[test]
fn a_caller_that_wants_all_of_them_gets_one_after_the_other() {
    let mut raw = Raw::new();
    raw.receive(&Text::invite().extra("Require: 100rel\r\n").write());
    let first = raw.command(Command::Progress { session: SESSION, status: 180, body: None });
    assert_eq!(statuses(&first), [180]);
    assert!(raw.command(early(SESSION)).is_empty());
    let sent = raw.receive(&prack(&first[0], 2).write());
    assert_eq!(statuses(&sent), [200, 183]);
    let number = |text: &str| header(text, "RSeq").and_then(|it| it.parse::<u32>().ok());
    assert_eq!(number(&sent[1]), number(&first[0]).map(|rseq| rseq + 1));
    // A caller that gives up is heard at once.
    let sent = raw.receive(&Text::new("CANCEL").branch("z9hG4bK-INVITE-1").write());
    assert_eq!(statuses(&sent), [200, 487]);
    raw.wait(SECOND * 60);
    assert!(raw.endpoint.is_idle());
}

#[test]
fn a_caller_that_knows_nothing_of_it_is_spared() {
    let mut raw = Raw::new();
    raw.receive(&Text::invite().write());
    let sent = raw.command(early(SESSION));
    assert_eq!((header(&sent[0], "RSeq"), header(&sent[0], "Require")), (None, None));
    assert_eq!(statuses(&raw.command(answer(SESSION))), [200]);
}

#[test]
fn our_offer_in_a_provisional_answer_is_answered_by_prack() {
    let (mut raw, sent) = offering();
    let mut prack = prack(&sent, 2).extra(SDP);
    prack.body = "v=0\r\na=answer\r\n".to_owned();
    assert_eq!(statuses(&raw.receive(&prack.write())), [200]);
    assert!(matches!(raw.events.last(), Some(Event::OfferAnswered { outcome: Ok(body), .. })
        if body.ends_with(b"a=answer\r\n")));
    let sent = raw.command(answer(SESSION));
    assert_eq!(statuses(&sent), [200]);
    assert!(sent[0].ends_with("\r\n\r\n"), "all is described: {}", sent[0]);
}

#[test]
fn an_answer_that_waits_for_the_answer_to_our_offer_does_not_offer_again() {
    let (mut raw, sent) = offering();
    assert!(raw.command(answer(SESSION)).is_empty());
    let mut prack = prack(&sent, 2).extra(SDP);
    prack.body = "v=0\r\na=answer\r\n".to_owned();
    let sent = raw.receive(&prack.write());
    assert_eq!(statuses(&sent), [200, 200]);
    assert!(sent[1].ends_with("\r\n\r\n"), "{}", sent[1]);
}

#[test]
fn an_offer_of_ours_that_prack_leaves_open_is_made_again() {
    let (mut raw, sent) = offering();
    raw.receive(&prack(&sent, 2).write());
    let sent = raw.command(answer(SESSION));
    assert!(sent[0].contains("\r\n\r\nv=0"), "{}", sent[0]);
}

/// A caller without an offer who knows reliable answers, and ours with an offer.
fn offering() -> (Raw, String) {
    let mut raw = Raw::new();
    let mut invite = Text::invite().extra("Supported: 100rel\r\n");
    invite.body.clear();
    raw.receive(&invite.write());
    let sent = raw.command(early(SESSION)).remove(0);
    (raw, sent)
}

#[test]
fn an_update_before_the_answer_waits_for_the_first_offer() {
    let mut raw = Raw::new();
    let sent = offered(&mut raw);
    let tag = to_tag(&sent);
    let update = |sequence: u32, body: &str| {
        let text = Text::new("UPDATE").with_to_tag(&tag).sequence(sequence).extra(SDP);
        let mut text = text.branch(&format!("z9hG4bK-u{sequence}"));
        text.body = body.to_owned();
        text.write()
    };
    let refused = raw.receive(&update(2, "v=0\r\n"));
    assert_eq!(statuses(&refused), [500]);
    assert!(header(&refused[0], "Retry-After").is_some());
    assert_eq!(statuses(&raw.receive(&update(3, ""))), [200], "one without an offer may come");
    raw.receive(&prack(&sent, 4).write());
    assert!(raw.receive(&update(5, "v=0\r\na=sendonly\r\n")).is_empty());
    let Some(Event::Reoffered { body, .. }) = raw.events.last() else { panic!("no offer") };
    assert!(body.ends_with(b"a=sendonly\r\n"));
    assert_eq!(statuses(&raw.receive(&update(6, "v=0\r\n"))), [500], "one at a time");
    let answer_it =
        Command::AnswerReoffer { session: SESSION, answer: Ok(Bytes::from_static(ANSWER)) };
    let sent = raw.command(answer_it);
    assert_eq!((status(&sent[0]), header(&sent[0], "CSeq")), (200, Some("5 UPDATE")));
    // And ours to the caller.
    let body = Bytes::from_static(b"v=0\r\na=ours\r\n");
    let sent = raw.command(Command::Reoffer { session: SESSION, body });
    assert!(sent[0].starts_with("UPDATE"), "{}", sent[0]);
    raw.receive(&respond(&sent[0], "488 Not Acceptable Here", "t", ""));
    assert!(matches!(raw.events.last(), Some(Event::OfferAnswered { outcome: Err(488), .. })));
    assert_eq!(statuses(&raw.command(answer(SESSION))), [200]);
}

#[test]
fn provisional_answers_to_us_are_acknowledged_in_order_and_once() {
    let mut raw = Raw::new();
    let invite = raw.invite(SessionId(1));
    assert!(header(&invite, "Supported").expect("it is there").contains("100rel"));
    let early = |tag: &str, rseq: u32| {
        let lines =
            format!("Contact: <sip:{tag}@192.0.2.1>\r\nRequire: 100rel\r\nRSeq: {rseq}\r\n");
        respond(&invite, "183 Session Progress", tag, &lines)
    };
    let sent = raw.receive(&early("a", 7));
    assert!(sent[0].starts_with("PRACK sip:a@192.0.2.1 SIP/2.0"), "{}", sent[0]);
    assert_eq!(header(&sent[0], "RAck"), Some("7 1 INVITE"));
    assert_eq!(header(&sent[0], "CSeq"), Some("2 PRACK"));
    assert!(raw.receive(&early("a", 7)).is_empty(), "known");
    assert!(raw.receive(&early("a", 9)).is_empty(), "a gap");
    assert_eq!(header(&raw.receive(&early("a", 8))[0], "RAck"), Some("8 1 INVITE"));
    // Another branch of the fork counts by itself.
    assert_eq!(header(&raw.receive(&early("b", 100))[0], "RAck"), Some("100 1 INVITE"));
    let progressed = |event: &&Event| matches!(event, Event::Progressed { .. });
    assert_eq!(raw.events.iter().filter(progressed).count(), 3);
    let ok = respond(&invite, "200 OK", "a", "Contact: <sip:a@192.0.2.1>\r\n");
    let sent = raw.receive(&ok);
    assert_eq!(header(&sent[0], "CSeq"), Some("1 ACK"));
    let bye = raw.command(hang_up(SessionId(1)));
    assert_eq!(header(&bye[0], "CSeq"), Some("4 BYE"), "counted on in the dialog");
}

#[test]
fn an_offer_of_the_callee_is_answered_in_prack_or_ack() {
    let mut raw = Raw::new();
    let invite = raw.invite_without_offer(SessionId(1));
    assert_eq!(header(&invite, "Content-Length"), Some("0"));
    let contact = "Contact: <sip:a@192.0.2.1>\r\nContent-Type: application/sdp\r\n";
    let lines = format!("{contact}Require: 100rel\r\nRSeq: 7\r\n");
    let offer = respond(&invite, "183 Session Progress", "a", &lines);
    let offer = offer.replace("Content-Length: 0\r\n\r\n", "Content-Length: 5\r\n\r\nv=0\r\n");
    assert!(raw.receive(&offer).is_empty(), "the owner has the word");
    let body = Bytes::from_static(ANSWER);
    let sent = raw.command(Command::AnswerOffer { session: SessionId(1), body: body.clone() });
    assert!(sent[0].starts_with("PRACK") && sent[0].ends_with("s=answer\r\n"), "{}", sent[0]);

    let mut raw = Raw::new();
    let invite = raw.invite_without_offer(SessionId(1));
    let ok = respond(&invite, "200 OK", "a", contact);
    let ok = ok.replace("Content-Length: 0\r\n\r\n", "Content-Length: 5\r\n\r\nv=0\r\n");
    assert!(raw.receive(&ok).is_empty());
    assert!(raw.receive(&ok).is_empty(), "a repetition changes nothing");
    let sent = raw.command(Command::AnswerOffer { session: SessionId(1), body });
    assert!(sent[0].starts_with("ACK") && sent[0].ends_with("s=answer\r\n"), "{}", sent[0]);
    assert_eq!(raw.receive(&ok), sent, "the same ACK for each repetition");
    assert!(matches!(raw.events[..], [Event::Answered { .. }]));
}

#[test]
fn an_offer_that_nobody_answers_ends_the_call() {
    let mut raw = Raw::new();
    let invite = raw.invite_without_offer(SessionId(1));
    let contact = "Contact: <sip:a@192.0.2.1>\r\nContent-Type: application/sdp\r\n";
    let ok = respond(&invite, "200 OK", "a", contact);
    let ok = ok.replace("Content-Length: 0\r\n\r\n", "Content-Length: 5\r\n\r\nv=0\r\n");
    raw.receive(&ok);
    let sent = raw.wait(SECOND * 33);
    assert!(sent[0].starts_with("ACK") && sent[1].starts_with("BYE"), "{sent:?}");
    assert_eq!(endings(&raw.events), [Ending::Lost]);
    raw.wait(SECOND * 90);
    assert!(raw.endpoint.is_idle());
}

#[test]
fn early_media_between_two_of_us_survives_any_loss() {
    for seed in 0..40 {
        let mut link = Link::new(Weather::stormy(0.2), seed);
        link.call();
        link.run(SECOND * 5);
        if link.callee_events.is_empty() {
            continue;
        }
        let session = link.incoming();
        link.command(Side::Callee, early(session));
        link.command(Side::Callee, answer(session));
        link.run(SECOND * 60);
        link.command(Side::Caller, hang_up(CALL));
        link.command(Side::Callee, hang_up(session));
        link.run_out();
        assert_eq!(endings(&link.caller_events).len(), 1);
        assert_eq!(endings(&link.callee_events).len(), 1);
        let early = |event: &Event| match event {
            Event::Progressed { status: 183, .. } => Some(true),
            Event::Answered { .. } => Some(false),
            _ => None,
        };
        let order: Vec<bool> = link.caller_events.iter().filter_map(early).collect();
        assert!(order.is_empty() || order == [true] || order == [true, false], "{order:?}");
        assert!(link.is_empty(), "something is left behind, seed {seed}");
    }
}

#[test]
fn a_branch_that_is_over_is_forgotten_while_others_go_on() {
    let mut raw = Raw::new();
    let invite = raw.invite(SessionId(1));
    let over = "Contact: <sip:a@192.0.2.1>\r\nRequire: 100rel\r\nRSeq: 1\r\n";
    raw.receive(&respond(&invite, "180 Ringing", "b", "Contact: <sip:b@192.0.2.1>\r\n"));
    let sent = raw.receive(&respond(&invite, "199 Early Dialog Terminated", "a", over));
    assert!(sent[0].starts_with("PRACK"));
    assert_eq!(raw.events.len(), 1);
    raw.receive(&respond(&invite, "486 Busy Here", "b", ""));
    assert!(matches!(
        endings(&raw.events)[..],
        [Ending::Refused { by: Party::Peer, status: 486, .. }]
    ));
}
