//! What is refused, how, and what is not answered at all.

use std::time::Duration;

use bytes::Bytes;

use super::raw::{PEER, Raw, STRANGER, Text, header, respond, status, to_tag};
use crate::sip::endpoint::Settings;
use crate::sip::event::{Command, Ending, Event, Party, Refusal, SessionId, Standing};

fn first_status(sent: &[String]) -> Option<u16> {
    sent.first().map(|text| status(text))
}

#[test]
fn an_unknown_method_gets_405_and_what_is_allowed() {
    let mut raw = Raw::new();
    for method in ["REGISTER", "SUBSCRIBE", "PUBLISH", "FROBNICATE"] {
        let sent = raw.receive(&Text::new(method).write());
        assert_eq!(first_status(&sent), Some(405), "{method}");
        let allow = header(&sent[0], "Allow").expect("405 names the methods");
        assert!(allow.contains("INVITE") && allow.contains("BYE"), "{allow}");
    }
    assert!(raw.endpoint.is_idle());
}

#[test]
fn an_extension_that_we_lack_gets_420_and_its_name() {
    let mut raw = Raw::new();
    let sent = raw.receive(
        &Text::invite()
            .extra("Require: timer, precondition, 100rel, nothingSupportsThis\r\n")
            .write(),
    );
    assert_eq!(first_status(&sent), Some(420));
    assert_eq!(header(&sent[0], "Unsupported"), Some("precondition, nothingSupportsThis"));
    assert!(raw.events.is_empty());
    assert!(raw.endpoint.is_idle());
}

#[test]
fn a_body_that_we_cannot_read_gets_415() {
    let mut raw = Raw::new();
    let mut text = Text::invite();
    text.extra = "Contact: <sip:ann@192.0.2.1>\r\nContent-Type: application/xml\r\n".to_owned();
    let sent = raw.receive(&text.write());
    assert_eq!(first_status(&sent), Some(415));
    assert_eq!(header(&sent[0], "Accept"), Some("application/sdp"));
    let zipped = Text::invite().branch("z9hG4bKz").extra("Content-Encoding: gzip\r\n");
    let sent = raw.receive(&zipped.write());
    assert_eq!(first_status(&sent), Some(415));
    assert_eq!(header(&sent[0], "Accept-Encoding"), Some("identity"));
}

#[test]
fn a_scheme_that_we_do_not_speak_gets_416() {
    let mut raw = Raw::new();
    for uri in ["nobodyKnowsThisScheme:totallyopaque", "http://example.com"] {
        let mut text = Text::invite();
        text.uri = uri.to_owned();
        assert_eq!(first_status(&raw.receive(&text.write())), Some(416), "{uri}");
    }
    let mut tel = Text::invite();
    tel.uri = "tel:+4971112345".to_owned();
    assert_eq!(first_status(&raw.receive(&tel.write())), Some(100));
}

#[test]
fn another_version_of_sip_gets_505() {
    let mut raw = Raw::new();
    let mut text = Text::new("OPTIONS");
    text.version = "SIP/7.0";
    assert_eq!(first_status(&raw.receive(&text.write())), Some(505));
}

#[test]
fn a_message_without_its_duties_gets_400_from_a_trusted_peer_only() {
    let mut raw = Raw::new();
    let broken = Text::invite().write().replace("CSeq: 1 INVITE", "CSeq: 1 BYE");
    assert_eq!(first_status(&raw.receive(&broken)), Some(400));
    assert!(raw.receive_from(&broken, STRANGER, Standing::Stranger).is_empty());
    let unanswerable = Text::invite().write().replace("Via:", "Vla:");
    assert!(raw.receive(&unanswerable).is_empty());
    assert!(raw.receive("\r\n\r\n").is_empty());
    assert!(raw.receive("").is_empty());
    assert!(raw.endpoint.is_idle());
}

#[test]
fn an_invite_that_came_by_two_ways_gets_482_on_the_second() {
    let mut raw = Raw::new();
    assert_eq!(first_status(&raw.receive(&Text::invite().write())), Some(100));
    let sent = raw.receive(&Text::invite().branch("z9hG4bK-other").write());
    assert_eq!(first_status(&sent), Some(482));
    assert_eq!(raw.events.len(), 1);
}

#[test]
fn options_tell_what_we_can() {
    let mut raw = Raw::new();
    let sent = raw.receive(&Text::new("OPTIONS").write());
    assert_eq!(first_status(&sent), Some(200));
    for name in ["Allow", "Accept", "Supported"] {
        assert!(header(&sent[0], name).is_some(), "{name}");
    }
    let spent = Text::new("OPTIONS").write().replace("Max-Forwards: 70", "Max-Forwards: 0");
    assert_eq!(first_status(&raw.receive(&spent)), Some(483));
    assert!(raw.endpoint.is_idle());
}

#[test]
fn a_request_for_a_dialog_that_is_not_gets_481() {
    let mut raw = Raw::new();
    for method in ["BYE", "INFO", "UPDATE", "NOTIFY", "REFER", "PRACK", "MESSAGE"] {
        let sent = raw.receive(&Text::new(method).with_to_tag("gone").write());
        assert_eq!(first_status(&sent), Some(481), "{method}");
    }
    let sent = raw.receive(&Text::invite().with_to_tag("gone").write());
    assert_eq!(first_status(&sent), Some(481));
    assert_eq!(first_status(&raw.receive(&Text::new("CANCEL").write())), Some(481));
    assert!(raw.receive(&Text::new("ACK").with_to_tag("gone").write()).is_empty());
    assert!(raw.events.is_empty());
    assert!(raw.endpoint.is_idle());
}

#[test]
fn the_same_stateless_answer_has_the_same_tag() {
    let mut raw = Raw::new();
    let text = Text::new("OPTIONS").write();
    let (one, two) = (raw.receive(&text), raw.receive(&text));
    assert_eq!(one, two);
    assert!(!to_tag(&one[0]).is_empty());
}

#[test]
fn strangers_hold_no_state_and_hear_only_of_options() {
    let mut raw = Raw::new();
    for method in ["INVITE", "REGISTER", "BYE", "CANCEL", "ACK", "MESSAGE", "SUBSCRIBE"] {
        let text = Text::new(method).write();
        assert!(raw.receive_from(&text, STRANGER, Standing::Stranger).is_empty(), "{method}");
    }
    let options = Text::new("OPTIONS").write();
    let sent = raw.receive_from(&options, STRANGER, Standing::Stranger);
    assert_eq!(first_status(&sent), Some(200));
    assert!(sent[0].len() <= 3 * options.len());
    assert!(header(&sent[0], "Via").expect("Via").contains("received=198.51.100.66"));
    assert!(raw.events.is_empty());
    assert!(raw.endpoint.is_idle());
}

#[test]
fn a_peer_that_we_called_is_heard_without_a_word_of_admission() {
    let mut raw = Raw::new();
    let invite = raw.invite(SessionId(1));
    let contact = "Contact: <sip:ann@192.0.2.1>\r\n";
    let ok = respond(&invite, "200 OK", "annstag", contact);
    assert!(raw.receive_from(&ok, PEER, Standing::Stranger)[0].starts_with("ACK "));
    let mut bye = Text::new("BYE");
    bye.call_id = header(&invite, "Call-ID").expect("Call-ID").to_owned();
    let from = header(&invite, "From").expect("From");
    let bye = bye.with_to_tag(from.split_once(";tag=").expect("our tag").1).write();
    assert!(raw.receive_from(&bye, STRANGER, Standing::Stranger).is_empty());
    let sent = raw.receive_from(&bye, PEER, Standing::Stranger);
    assert_eq!(first_status(&sent), Some(200));
    assert_eq!(raw.receive_from(&bye, PEER, Standing::Stranger), sent);
}

#[test]
fn refused_sources_are_told_so_without_state() {
    let mut raw = Raw::new();
    let sent = raw.receive_from(&Text::invite().write(), STRANGER, Standing::Refused);
    assert_eq!(first_status(&sent), Some(403));
    let ack = Text::new("ACK").write();
    assert!(raw.receive_from(&ack, STRANGER, Standing::Refused).is_empty());
    assert!(raw.endpoint.is_idle());
}

#[test]
fn a_full_endpoint_says_503_and_when_to_come_back() {
    let settings = Settings { max_sessions: 2, ..Settings::default() };
    let mut raw = Raw::with(settings);
    for number in 0..3 {
        let mut text = Text::invite().branch(&format!("z9hG4bK-{number}"));
        text.call_id = format!("call-{number}");
        let sent = raw.receive(&text.write());
        assert_eq!(first_status(&sent), Some(if number < 2 { 100 } else { 503 }));
        assert_eq!(header(&sent[0], "Retry-After").is_some(), number == 2);
    }
}

#[test]
fn one_source_may_not_hold_all_half_open_calls() {
    let settings = Settings { max_half_open_per_source: 3, ..Settings::default() };
    let mut raw = Raw::with(settings);
    let call = |raw: &mut Raw, number: u32, from: &str| {
        let mut text = Text::invite().branch(&format!("z9hG4bK-{number}"));
        text.call_id = format!("call-{number}");
        first_status(&raw.receive_from(&text.write(), from, Standing::Trusted))
    };
    for number in 0..3 {
        assert_eq!(call(&mut raw, number, PEER), Some(100));
    }
    assert_eq!(call(&mut raw, 3, PEER), Some(503));
    assert_eq!(call(&mut raw, 4, "192.0.2.77:5060"), Some(100));
    for event in std::mem::take(&mut raw.events) {
        let Event::Incoming(incoming) = event else { continue };
        if incoming.flow.remote.to_string() == PEER {
            let refusal = Refusal::status(486);
            raw.command(Command::Refuse { session: incoming.session, refusal });
            break;
        }
    }
    assert_eq!(call(&mut raw, 5, PEER), Some(100), "a refused call frees its place");
}

#[test]
fn a_forged_bye_from_another_source_changes_nothing() {
    let mut raw = Raw::new();
    let tag = raw.connect();
    let bye = Text::new("BYE").with_to_tag(&tag).sequence(2);
    let sent = raw.receive_from(&bye.write(), STRANGER, Standing::Trusted);
    assert_eq!(first_status(&sent), Some(481));
    assert!(raw.receive_from(&bye.write(), STRANGER, Standing::Stranger).is_empty());
    assert!(raw.events.is_empty());
    let sent = raw.receive(&bye.write());
    assert_eq!(first_status(&sent), Some(200));
    assert!(matches!(
        raw.events[..],
        [Event::Ended { ending: Ending::Bye { by: Party::Peer, .. }, .. }]
    ));
}

#[test]
fn a_forged_bye_with_a_guessed_tag_changes_nothing() {
    let mut raw = Raw::new();
    let tag = raw.connect();
    let wrong = Text::new("BYE").with_to_tag("guess").sequence(2);
    assert_eq!(first_status(&raw.receive(&wrong.write())), Some(481));
    let mut wrong = Text::new("BYE").with_to_tag(&tag).sequence(2).branch("z9hG4bK-w");
    wrong.from_tag = "guess".to_owned();
    assert_eq!(first_status(&raw.receive(&wrong.write())), Some(481));
    assert!(raw.events.is_empty());
}

#[test]
fn a_forged_cancel_needs_branch_and_source() {
    let mut raw = Raw::new();
    let invite = Text::invite();
    raw.receive(&invite.write());
    let cancel = Text::new("CANCEL").branch(&invite.branch);
    let sent = raw.receive_from(&cancel.write(), STRANGER, Standing::Trusted);
    assert_eq!(first_status(&sent), Some(481));
    let guess = Text::new("CANCEL").branch("z9hG4bK-guess").write();
    assert_eq!(first_status(&raw.receive(&guess)), Some(481));
    assert_eq!(raw.events.len(), 1);
    // A wrong tag in To does not matter: a CANCEL is found by its branch.
    let sent = raw.receive(&cancel.with_to_tag("wrong").write());
    assert_eq!(sent.iter().map(|text| status(text)).collect::<Vec<_>>(), [200, 487]);
}

#[test]
fn the_answers_to_cancel_and_invite_have_one_tag() {
    let mut raw = Raw::new();
    let invite = Text::invite();
    raw.receive(&invite.write());
    let sent = raw.receive(&Text::new("CANCEL").branch(&invite.branch).write());
    assert_eq!(sent.iter().map(|text| status(text)).collect::<Vec<_>>(), [200, 487]);
    assert_eq!(to_tag(&sent[0]), to_tag(&sent[1]));
}

#[test]
fn an_overtaken_request_gets_500() {
    let mut raw = Raw::new();
    let tag = raw.connect();
    let text = |sequence, branch: &str| {
        let text = Text::new("INFO").with_to_tag(&tag).sequence(sequence).branch(branch);
        text.extra("Content-Type: application/dtmf-relay\r\n")
    };
    let mut later = text(5, "z9hG4bK-5");
    later.body = "Signal=5\r\n".to_owned();
    assert_eq!(first_status(&raw.receive(&later.write())), Some(200));
    assert!(matches!(&raw.events[..], [Event::Info { content_type, body, .. }]
        if content_type == "application/dtmf-relay" && body == &Bytes::from_static(b"Signal=5\r\n")));
    assert_eq!(first_status(&raw.receive(&text(4, "z9hG4bK-4").write())), Some(500));
}

#[test]
fn a_repeated_bye_gets_the_same_answer_after_the_session_is_gone() {
    let mut raw = Raw::new();
    let tag = raw.connect();
    let bye = Text::new("BYE").with_to_tag(&tag).sequence(2).write();
    let first = raw.receive(&bye);
    assert_eq!(raw.receive(&bye), first);
    assert_eq!(raw.events.len(), 1);
    raw.wait(Duration::from_secs(60));
    assert!(raw.endpoint.is_idle());
    assert_eq!(first_status(&raw.receive(&bye)), Some(481));
}

#[test]
fn a_bye_before_the_ack_is_accepted() {
    let mut raw = Raw::new();
    raw.receive(&Text::invite().write());
    let session = raw.session();
    let body = Bytes::from_static(b"v=0\r\n");
    let sent = raw.command(Command::Answer { session, body, headers: Vec::new() });
    let bye = Text::new("BYE").with_to_tag(&to_tag(&sent[0])).sequence(2);
    assert_eq!(first_status(&raw.receive(&bye.write())), Some(200));
    assert!(matches!(raw.events.last(), Some(Event::Ended { .. })));
    assert!(raw.wait(Duration::from_secs(60)).is_empty(), "the 200 is not repeated any more");
    assert!(raw.endpoint.is_idle());
}

#[test]
fn a_reinvite_is_answered_refused_and_not_overtaken() {
    let mut raw = Raw::new();
    let tag = raw.connect();
    let reinvite = |sequence: u32| {
        Text::invite().with_to_tag(&tag).sequence(sequence).branch(&format!("z9hG4bK-re{sequence}"))
    };
    let sent = raw.receive(&reinvite(2).write());
    assert_eq!(first_status(&sent), Some(100));
    let Some(&Event::Reoffered { session, .. }) = raw.events.last() else { panic!("no offer") };
    let sent = raw.receive(&reinvite(3).write());
    assert_eq!(first_status(&sent), Some(500), "one after the other (14.2)");
    assert!(header(&sent[0], "Retry-After").is_some());
    let body = Bytes::from_static(b"v=0\r\n");
    let sent = raw.command(Command::AnswerReoffer { session, answer: Ok(body) });
    assert_eq!(first_status(&sent), Some(200));
    assert!(header(&sent[0], "Contact").is_some());
    // Until the ACK, another offer would cross our answer.
    let sent = raw.receive(&reinvite(4).write());
    assert_eq!(first_status(&sent), Some(491));
    raw.receive(&Text::new("ACK").with_to_tag(&tag).sequence(2).branch("z9hG4bK-a2").write());
    let again = raw.wait(Duration::from_secs(40));
    assert!(again.iter().all(|text| status(text) != 200), "the ACK ended the repetition");
    raw.receive(&reinvite(5).write());
    let refused = Err(Refusal::status(488));
    let sent = raw.command(Command::AnswerReoffer { session, answer: refused });
    assert_eq!(first_status(&sent), Some(488));
    assert!(!raw.events.iter().any(|event| matches!(event, Event::Ended { .. })));
}

#[test]
fn an_invite_inside_a_call_that_we_still_place_is_glare() {
    let mut raw = Raw::new();
    let invite = raw.invite(SessionId(1));
    let contact = "Contact: <sip:ann@192.0.2.1>\r\n";
    raw.receive(&respond(&invite, "180 Ringing", "annstag", contact));
    let mut text = Text::invite();
    text.call_id = header(&invite, "Call-ID").expect("Call-ID").to_owned();
    let from = header(&invite, "From").expect("From");
    let tag = from.split_once(";tag=").expect("our tag").1;
    let sent = raw.receive(&text.with_to_tag(tag).write());
    assert_eq!(first_status(&sent), Some(491));
}

#[test]
fn the_second_answer_of_a_fork_is_acknowledged_and_hung_up() {
    let mut raw = Raw::new();
    let invite = raw.invite(SessionId(1));
    let contact = |name: &str| format!("Contact: <sip:{name}@192.0.2.1>\r\n");
    let first = respond(&invite, "200 OK", "one", &contact("one"));
    let sent = raw.receive(&first);
    assert!(sent[0].starts_with("ACK sip:one@192.0.2.1 "));
    assert!(matches!(raw.events[..], [Event::Answered { .. }]));
    let second = respond(&invite, "200 OK", "two", &contact("two"));
    let sent = raw.receive(&second);
    assert!(sent[0].starts_with("ACK sip:two@192.0.2.1 "));
    assert!(sent[1].starts_with("BYE sip:two@192.0.2.1 "));
    assert_eq!(to_tag(&sent[1]), "two");
    let again = raw.receive(&second);
    assert_eq!(again, [sent[0].clone()], "the same ACK and no second BYE");
    assert_eq!(raw.events.len(), 1);
}

#[test]
fn stray_answers_are_ignored() {
    let mut raw = Raw::new();
    let invite = raw.invite(SessionId(1));
    let foreign = respond(&invite, "200 OK", "x", "").replace("branch=z9hG4bK", "branch=z9hG4bKx");
    assert!(raw.receive(&foreign).is_empty());
    let elsewhere = respond(&invite, "200 OK", "x", "");
    assert!(raw.receive_from(&elsewhere, STRANGER, Standing::Trusted).is_empty());
    assert!(raw.events.is_empty());
}

#[test]
fn a_challenge_is_a_refusal_and_is_never_signed() {
    let mut raw = Raw::new();
    let invite = raw.invite(SessionId(1));
    let extra = "Proxy-Authenticate: Digest realm=\"x\", nonce=\"y\"\r\n";
    let sent = raw.receive(&respond(&invite, "407 Proxy Authentication Required", "x", extra));
    assert_eq!(sent.len(), 1);
    assert!(sent[0].starts_with("ACK ") && !sent[0].contains("Authorization"));
    assert!(matches!(
        raw.events[..],
        [Event::Ended { ending: Ending::Refused { by: Party::Peer, status: 407, .. }, .. }]
    ));
}

#[test]
fn a_peer_of_rfc_2543_is_served_without_a_branch() {
    let mut raw = Raw::new();
    let old = |text: Text| text.write().replace(&format!(";branch={}", text.branch), "");
    let sent = raw.receive(&old(Text::invite()));
    assert_eq!(first_status(&sent), Some(100));
    assert_eq!(raw.receive(&old(Text::invite())), sent, "a repetition is recognised");
    assert_eq!(raw.events.len(), 1);
    let sent = raw.receive(&old(Text::new("CANCEL")));
    assert_eq!(sent.iter().map(|text| status(text)).collect::<Vec<_>>(), [200, 487]);
    assert!(raw.receive(&old(Text::new("ACK").with_to_tag(&to_tag(&sent[1])))).is_empty());
    raw.wait(Duration::from_secs(60));
    assert!(raw.endpoint.is_idle());
}

#[test]
fn the_route_set_and_the_contact_of_an_answer_lead_our_requests() {
    let mut raw = Raw::new();
    let invite = raw.invite(SessionId(1));
    let extra = "Record-Route: <sip:b.example;lr=on>\r\nRecord-Route: <sip:a.example;lr>\r\n\
                 Contact: <sip:ann@10.0.0.7:5070>\r\n";
    let sent = raw.receive(&respond(&invite, "200 OK", "x", extra));
    assert!(sent[0].starts_with("ACK sip:ann@10.0.0.7:5070 SIP/2.0\r\n"));
    let routes: Vec<&str> =
        sent[0].lines().filter_map(|line| line.strip_prefix("Route: ")).collect();
    assert_eq!(routes.join(", "), "<sip:a.example;lr>, <sip:b.example;lr=on>");
    let bye = raw.command(Command::HangUp { session: SessionId(1), reason: None });
    assert!(bye[0].starts_with("BYE sip:ann@10.0.0.7:5070 SIP/2.0\r\n"));
    assert_eq!(header(&bye[0], "CSeq"), Some("2 BYE"));
}

#[test]
fn our_own_headers_cannot_be_split_by_what_the_owner_passes_on() {
    let mut raw = Raw::new();
    raw.receive(&Text::invite().write());
    let session = raw.session();
    let headers = vec![
        ("X-Note".to_owned(), "fine\r\nX-Evil: 1".to_owned()),
        ("X-\r\nEvil".to_owned(), "1".to_owned()),
        ("Via".to_owned(), "SIP/2.0/UDP 203.0.113.1".to_owned()),
    ];
    let body = Bytes::from_static(b"v=0\r\n");
    let sent = raw.command(Command::Answer { session, body, headers });
    assert!(header(&sent[0], "X-Evil").is_none() && header(&sent[0], "Evil").is_none());
    assert_eq!(sent[0].matches("\r\nVia: ").count(), 1);
}
