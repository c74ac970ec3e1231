//! Calls that take the place of others, calls that are sent elsewhere, forks, and peers with
//! several addresses.

use std::time::Duration;

use bytes::Bytes;

use super::link::{answer, endings, hang_up, ring};
use super::raw::{PEER, Raw, STRANGER, Text, header, respond, status, to_tag};
use crate::sip::endpoint::Settings;
use crate::sip::event::{Command, Ending, Event, Note, NoteKind, Party, SessionId, Standing};

const SECOND: Duration = Duration::from_secs(1);
const SESSION: SessionId = SessionId(1 << 63);

/// An INVITE that wants to take the place of the call with that tag of ours.
fn replacing(tag: &str, more: &str) -> Text {
    let mut text = Text::invite().branch(&format!("z9hG4bK-r{tag}{}", more.len()));
    text.call_id = "call-2".to_owned();
    let value = format!("call-1@192.0.2.1;to-tag={tag};from-tag=annstag{more}");
    text.extra(&format!("Require: replaces\r\nReplaces: {value}\r\n"))
}

#[test]
fn a_call_that_is_up_is_replaced() {
    let mut raw = Raw::new();
    let tag = raw.connect();
    assert_eq!(status(&raw.receive(&replacing(&tag, "").write())[0]), 100);
    let Some(Event::Incoming(incoming)) = raw.events.last() else { panic!("no call") };
    assert_eq!(incoming.replaces, Some(SESSION));
    let next = incoming.session;
    raw.command(answer(next));
    assert!(raw.command(hang_up(SESSION))[0].starts_with("BYE"));
}

#[test]
fn what_cannot_be_replaced_is_refused() {
    let mut raw = Raw::new();
    let tag = raw.connect();
    let sent = |raw: &mut Raw, text: Text| status(&raw.receive(&text.write())[0]);
    assert_eq!(sent(&mut raw, replacing("guess", "")), 481);
    assert_eq!(sent(&mut raw, replacing(&tag, ";early-only")), 486);
    let mut broken = Text::invite().branch("z9hG4bK-b");
    broken.call_id = "call-4".to_owned();
    let broken = broken.extra("Replaces: a;to-tag=1\r\n");
    assert_eq!(sent(&mut raw, broken), 400);
    let value = format!("Replaces: call-1@192.0.2.1;to-tag={tag};from-tag=annstag\r\n");
    assert_eq!(sent(&mut raw, replacing(&tag, ";x").extra(&value)), 400, "two of them");
    raw.command(hang_up(SESSION));
    assert_eq!(sent(&mut raw, replacing(&tag, "")), 603, "it is being hung up");
    let stranger = replacing(&tag, "").write();
    assert!(raw.receive_from(&stranger, STRANGER, Standing::Stranger).is_empty());
    // An early dialog that the peer began is not ours to give away.
    let mut raw = Raw::new();
    raw.receive(&Text::invite().write());
    let tag = to_tag(&raw.command(ring(SESSION))[0]);
    assert_eq!(sent(&mut raw, replacing(&tag, "")), 481);
    // One that we began is.
    let mut raw = Raw::new();
    let invite = raw.invite(SessionId(1));
    raw.receive(&respond(&invite, "180 Ringing", "bobstag", "Contact: <sip:b@192.0.2.1>\r\n"));
    let (call_id, from) =
        (header(&invite, "Call-ID").expect("one"), header(&invite, "From").expect("one"));
    let ours = from.split_once(";tag=").expect("a tag").1;
    let value = format!("Replaces: {call_id};to-tag={ours};from-tag=bobstag;early-only\r\n");
    let mut text = Text::invite().branch("z9hG4bK-e").extra(&value);
    text.call_id = "call-3".to_owned();
    assert_eq!(sent(&mut raw, text), 100);
}

#[test]
fn an_attended_transfer_names_our_other_call() {
    let mut raw = Raw::new();
    raw.connect();
    let invite = raw.invite(SessionId(1));
    raw.receive(&respond(&invite, "200 OK", "bobstag", "Contact: <sip:bob@192.0.2.1>\r\n"));
    let other = SessionId(1);
    let sent = raw.command(Command::ReferToSession { session: SESSION, other });
    let to = header(&sent[0], "Refer-To").expect("Refer-To");
    assert!(to.starts_with("<sip:bob@192.0.2.1?Replaces="), "{to}");
    let ours = header(&invite, "From").expect("one").split_once(";tag=").expect("a tag").1;
    assert!(to.ends_with(&format!("%3Bto-tag%3Dbobstag%3Bfrom-tag%3D{ours}>")), "{to}");
    assert_eq!(header(&sent[0], "Referred-By"), Some("<sip:desk@192.0.2.2>"));
    let gone = Command::ReferToSession { session: SESSION, other: SessionId(9) };
    raw.command(gone);
    assert!(matches!(raw.events.last(), Some(Event::Referred { status: 481, .. })));
}

#[test]
fn a_refer_of_the_peer_tells_what_to_replace_and_who_asks() {
    let mut raw = Raw::new();
    let tag = raw.connect();
    let refer = |sequence: u32, to: &str| {
        let text = Text::new("REFER").with_to_tag(&tag).sequence(sequence);
        let text = text.branch(&format!("z9hG4bK-r{sequence}"));
        text.extra(&format!("Refer-To: <{to}>\r\nReferred-By: <sip:ann@192.0.2.1>\r\n")).write()
    };
    let broken = raw.receive(&refer(2, "sip:bob@192.0.2.3?Replaces=a%3Bto-tag%3D1"));
    assert_eq!(status(&broken[0]), 400);
    raw.receive(&refer(3, "sip:bob@192.0.2.3?Replaces=a%40b%3Bto-tag%3D1%3Bfrom-tag%3D2"));
    let Some(Event::ReferReceived { target, replaces, referred_by, .. }) = raw.events.last() else {
        panic!("no REFER")
    };
    assert_eq!(target, "sip:bob@192.0.2.3");
    assert_eq!(replaces.as_deref(), Some("a@b;to-tag=1;from-tag=2"));
    assert_eq!(referred_by.as_deref(), Some("<sip:ann@192.0.2.1>"));
    // The owner says that it is under way, and then nothing more.
    let outcome = Ok(180);
    let sent = raw.command(Command::AnswerRefer { session: SESSION, outcome });
    assert_eq!(status(&sent[0]), 202);
    assert_eq!(header(&sent[1], "Subscription-State"), Some("active;expires=180"));
    raw.receive(&respond(&sent[1], "200 OK", "annstag", ""));
    let sent = raw.wait(SECOND * 181);
    assert!(sent[0].starts_with("NOTIFY") && sent[0].ends_with("SIP/2.0 180 Ringing\r\n"));
    assert_eq!(header(&sent[0], "Subscription-State"), Some("terminated;reason=timeout"));
}

#[test]
fn our_refer_of_which_nothing_is_heard_any_more_has_failed() {
    let mut raw = Raw::new();
    raw.connect();
    let target = "sip:bob@192.0.2.3".to_owned();
    let refer = raw.command(Command::Refer { session: SESSION, target }).remove(0);
    raw.receive(&respond(&refer, "202 Accepted", "annstag", ""));
    raw.wait(SECOND * 179);
    assert!(matches!(raw.events[..], [Event::Referred { status: 100, .. }]));
    raw.wait(SECOND * 2);
    assert!(matches!(raw.events.last(), Some(Event::Referred { status: 408, .. })));
    assert!(endings(&raw.events).is_empty(), "the call goes on");
}

#[test]
fn an_invite_with_replaces_demands_it() {
    let mut raw = Raw::new();
    let headers = vec![("Replaces".to_owned(), "a@b;to-tag=1;from-tag=2".to_owned())];
    let invite = raw.invite_with(SessionId(1), headers);
    assert_eq!(header(&invite, "Require"), Some("replaces"));
    assert_eq!(header(&invite, "Replaces"), Some("a@b;to-tag=1;from-tag=2"));
}

#[test]
fn a_call_is_sent_elsewhere_and_we_are() {
    let mut raw = Raw::new();
    raw.receive(&Text::invite().write());
    let targets = vec!["sip:sales@192.0.2.7".to_owned(), "tel:+4971112345".to_owned()];
    let sent = raw.command(Command::Redirect { session: SESSION, targets });
    assert_eq!(
        (status(&sent[0]), header(&sent[0], "Contact")),
        (302, Some("<sip:sales@192.0.2.7>"))
    );
    assert!(sent[0].contains("Contact: <tel:+4971112345>\r\n"));
    assert!(matches!(
        endings(&raw.events)[..],
        [Ending::Refused { by: Party::Us, status: 302, .. }]
    ));
    let mut raw = Raw::new();
    let invite = raw.invite(SessionId(1));
    let contacts = "Contact: <sip:a@192.0.2.7>;q=0.2, <http://evil.example>, <sip:b@192.0.2.8>\r\n\
        Contact: <tel:+4971112345>;q=0.7, <sip:b@192.0.2.8>, <sip:x@y?Route=z>, <sip:c@d;method=BYE>\r\n";
    raw.receive(&respond(&invite, "302 Moved Temporarily", "t", contacts));
    let Event::Redirected { targets, .. } = &raw.events[0] else { panic!("{:?}", raw.events) };
    assert_eq!(*targets, ["sip:b@192.0.2.8", "tel:+4971112345", "sip:a@192.0.2.7"]);
    assert_eq!(endings(&raw.events).len(), 1);
}

#[test]
fn of_a_fork_the_first_wins_and_the_others_are_hung_up() {
    let mut raw = Raw::new();
    let invite = raw.invite(SessionId(1));
    let from = |tag: &str| format!("Contact: <sip:{tag}@192.0.2.1>\r\n");
    for tag in ["a", "b", "c"] {
        raw.receive(&respond(&invite, "180 Ringing", tag, &from(tag)));
    }
    let sent = raw.receive(&respond(&invite, "200 OK", "b", &from("b")));
    assert!(sent.len() == 1 && sent[0].starts_with("ACK sip:b@192.0.2.1"));
    let late = raw.receive(&respond(&invite, "200 OK", "c", &from("c")));
    assert!(late[0].starts_with("ACK sip:c@192.0.2.1") && late[1].starts_with("BYE sip:c@"));
    let again = raw.receive(&respond(&invite, "200 OK", "c", &from("c")));
    assert_eq!(again, late[..1], "the ACK again, and no second BYE");
    assert!(endings(&raw.events).is_empty());
    let answered = |event: &&Event| matches!(event, Event::Answered { .. });
    assert_eq!(raw.events.iter().filter(answered).count(), 1);
}

#[test]
fn a_peer_with_several_addresses_may_speak_from_each_and_nobody_else() {
    let network = |text: &str| text.parse().expect("a network");
    let families = vec![
        vec![network("192.0.2.0/28"), network("198.51.100.0/29")],
        vec![network("198.51.100.0/24")],
    ];
    for (from, expected) in [
        (PEER, 200),
        ("192.0.2.9:5070", 200),
        ("198.51.100.3:5060", 200),
        ("198.51.100.66:5060", 481),
        ("203.0.113.1:5060", 481),
    ] {
        let mut raw = Raw::with(Settings { families: families.clone(), ..Settings::default() });
        let tag = raw.connect();
        let bye = Text::new("BYE").with_to_tag(&tag).sequence(2).write();
        let sent = raw.receive_from(&bye, from, Standing::Trusted);
        assert_eq!(status(&sent[0]), expected, "{from}");
        let wrong = Text::new("BYE").with_to_tag("guess").sequence(2).branch("z9hG4bK-w").write();
        assert_eq!(status(&raw.receive_from(&wrong, from, Standing::Trusted)[0]), 481);
    }
}

#[test]
fn notes_go_both_ways_within_a_call_only() {
    let mut raw = Raw::new();
    let tag = raw.connect();
    let write = |content_type: &str, sequence: u32| {
        let text = Text::new("MESSAGE").with_to_tag(&tag).sequence(sequence);
        let mut text = text.branch(&format!("z9hG4bK-m{sequence}"));
        text.extra = format!("Content-Type: {content_type}\r\n");
        text.body = "Hello".to_owned();
        text.write()
    };
    assert_eq!(status(&raw.receive(&write("text/plain;charset=utf-8", 2))[0]), 200);
    assert!(matches!(&raw.events[..], [Event::Written { body, .. }] if body == "Hello"));
    let refused = raw.receive(&write("image/png", 3));
    assert_eq!((status(&refused[0]), header(&refused[0], "Accept")), (415, Some("text/plain")));
    let content_type = "application/dtmf-relay".to_owned();
    let body = Bytes::from_static(b"Signal=5\r\nDuration=160\r\n");
    let note = Box::new(Note { kind: NoteKind::Info, content_type, body });
    let sent = raw.command(Command::Tell { session: SESSION, note });
    assert!(sent[0].starts_with("INFO") && sent[0].ends_with("Duration=160\r\n"));
    assert_eq!(header(&sent[0], "Content-Type"), Some("application/dtmf-relay"));
}

#[test]
fn a_server_that_drains_says_so_to_who_asks() {
    let mut raw = Raw::new();
    let tag = raw.connect();
    raw.command(Command::Drain);
    let sent = raw.receive(&Text::new("OPTIONS").write());
    assert_eq!(status(&sent[0]), 503);
    assert!(header(&sent[0], "Retry-After").is_some());
    let inside = Text::new("OPTIONS").with_to_tag(&tag).sequence(2).branch("z9hG4bK-o").write();
    assert_eq!(status(&raw.receive(&inside)[0]), 200);
}

#[test]
fn a_refusal_tells_gateways_why_and_a_100_repeats_the_timestamp() {
    let mut raw = Raw::new();
    let sent = raw.receive(&Text::invite().extra("Timestamp: 54.3\r\n").write());
    assert_eq!((status(&sent[0]), header(&sent[0], "Timestamp")), (100, Some("54.3")));
    let refusal = crate::sip::event::Refusal::status(486);
    let sent = raw.command(Command::Refuse { session: SESSION, refusal });
    assert_eq!(header(&sent[0], "Reason"), Some("Q.850;cause=17"));
    let mut raw = Raw::new();
    let invite = raw.invite(SessionId(1));
    raw.receive(&respond(&invite, "404 Not Found", "t", "Reason: Q.850;cause=1;text=\"x\"\r\n"));
    let reason = Some("Q.850;cause=1;text=\"x\"".to_owned());
    assert_eq!(endings(&raw.events), [Ending::Refused { by: Party::Peer, status: 404, reason }]);
}
