//! Inside of a call: offers, where requests go, and what is never signed.

use std::time::Duration;

use bytes::Bytes;

use super::raw::{Raw, Text, header, respond, status, to_tag};
use crate::base::random::Random;
use crate::base::vantage::Vantage;
use crate::sip::endpoint::{Endpoint, Settings};
use crate::sip::event::{Command, Ending, Event, Flow, Input, Output, Party, SessionId, Standing};

fn statuses(sent: &[String]) -> Vec<u16> {
    sent.iter().map(|text| status(text)).collect()
}

fn update(tag: &str, sequence: u32) -> Text {
    Text::new("UPDATE").with_to_tag(tag).sequence(sequence).branch(&format!("z9hG4bK-u{sequence}"))
}

#[test]
fn an_update_without_an_offer_is_answered_and_moves_the_contact() {
    let mut raw = Raw::new();
    let tag = raw.connect();
    raw.receive(&Text::new("OPTIONS").with_to_tag(&tag).sequence(2).write());
    let moved = update(&tag, 3).extra("Contact: <sip:ann@10.1.1.1:5070>\r\n");
    assert_eq!(statuses(&raw.receive(&moved.write())), [200]);
    assert!(raw.events.is_empty());
    let Text { call_id, .. } = moved;
    let bye = raw.command(Command::HangUp { session: SessionId(1 << 63), reason: None });
    assert!(bye[0].starts_with("BYE sip:ann@10.1.1.1:5070 SIP/2.0\r\n"), "{}", bye[0]);
    assert_eq!(header(&bye[0], "Call-ID"), Some(call_id.as_str()));
    assert_eq!(to_tag(&bye[0]), "annstag");
}

#[test]
fn an_offer_that_the_owner_never_answers_does_not_block_the_next() {
    let mut raw = Raw::new();
    let tag = raw.connect();
    let offer = |sequence| {
        let mut text = update(&tag, sequence).extra("Content-Type: application/sdp\r\n");
        text.body = "v=0\r\n".to_owned();
        text.write()
    };
    assert!(raw.receive(&offer(2)).is_empty());
    assert_eq!(statuses(&raw.receive(&offer(3))), [500]);
    raw.wait(Duration::from_secs(33));
    assert!(raw.receive(&offer(4)).is_empty());
    assert_eq!(raw.events.len(), 2);
    let Some(&Event::Reoffered { session, .. }) = raw.events.last() else { panic!("no offer") };
    let answer = Ok(Bytes::from_static(b"v=0\r\n"));
    assert_eq!(statuses(&raw.command(Command::AnswerReoffer { session, answer })), [200]);
}

#[test]
fn a_reinvite_can_be_cancelled_and_the_call_goes_on() {
    let mut raw = Raw::new();
    let tag = raw.connect();
    let reinvite = Text::invite().with_to_tag(&tag).sequence(2).branch("z9hG4bK-re");
    raw.receive(&reinvite.write());
    let cancel = Text::new("CANCEL").with_to_tag(&tag).sequence(2).branch("z9hG4bK-re");
    assert_eq!(statuses(&raw.receive(&cancel.write())), [200, 487]);
    assert!(matches!(raw.events[..], [Event::Reoffered { .. }]), "{:?}", raw.events);
    let answer = Ok(Bytes::from_static(b"v=0\r\n"));
    let session = SessionId(1 << 63);
    assert!(raw.command(Command::AnswerReoffer { session, answer }).is_empty());
}

#[test]
fn a_late_answer_in_the_ack_of_a_reinvite_is_reported() {
    let mut raw = Raw::new();
    let tag = raw.connect();
    let mut reinvite = Text::invite().with_to_tag(&tag).sequence(2).branch("z9hG4bK-re");
    reinvite.body.clear();
    raw.receive(&reinvite.write());
    let answer = Ok(Bytes::from_static(b"v=0\r\n"));
    raw.command(Command::AnswerReoffer { session: SessionId(1 << 63), answer });
    let mut ack = Text::new("ACK").with_to_tag(&tag).sequence(2).branch("z9hG4bK-ack2");
    ack.body = "v=0\r\na=late\r\n".to_owned();
    raw.receive(&ack.write());
    assert!(matches!(raw.events.last(),
        Some(Event::Confirmed { body, .. }) if body.ends_with(b"a=late\r\n")));
}

#[test]
fn a_challenged_bye_ends_the_call_and_is_never_signed() {
    let mut raw = Raw::new();
    raw.connect();
    let session = SessionId(1 << 63);
    let bye = raw.command(Command::HangUp { session, reason: None }).remove(0);
    let challenge = "WWW-Authenticate: Digest realm=\"x\", nonce=\"y\"\r\n";
    assert!(raw.receive(&respond(&bye, "401 Unauthorized", "annstag", challenge)).is_empty());
    let by_us = Ending::Bye { by: Party::Us, reason: None };
    assert!(matches!(&raw.events[..], [Event::Ended { ending, .. }] if *ending == by_us));
    assert!(raw.wait(Duration::from_secs(60)).is_empty());
    assert!(raw.endpoint.is_idle());
}

#[test]
fn requests_go_to_the_port_of_the_contact_only_at_the_address_of_the_peer() {
    for (contact, expected) in [
        ("192.0.2.1:5070", "192.0.2.1:5070"),
        ("192.0.2.1", "192.0.2.1:5060"),
        ("203.0.113.5:5070", "192.0.2.1:40000"),
        ("example.com", "192.0.2.1:40000"),
    ] {
        let mut endpoint = Endpoint::new(Settings::default(), Random::repeatable(1));
        let now = std::time::Instant::now();
        let flow = Flow::udp("192.0.2.2:5060".parse().unwrap(), "192.0.2.1:40000".parse().unwrap());
        let receive = |endpoint: &mut Endpoint, text: String| {
            let bytes = Bytes::from(text);
            let input = Input::Received { bytes, flow, standing: Standing::Trusted };
            endpoint.handle(now, input);
        };
        let mut invite = Text::invite();
        invite.extra = format!("Contact: <sip:ann@{contact}>\r\n");
        invite.body.clear();
        receive(&mut endpoint, invite.write());
        let session = SessionId(1 << 63);
        let body = Bytes::from_static(b"v=0\r\n");
        endpoint.handle(now, Input::Command(Command::Answer { session, body, headers: vec![] }));
        let mut tag = String::new();
        while let Some(output) = endpoint.poll() {
            let Output::Transmit { flow: to, bytes } = output else { continue };
            assert_eq!(to, flow, "answers go to the packet's source");
            tag = to_tag(std::str::from_utf8(&bytes).unwrap());
        }
        receive(&mut endpoint, Text::new("ACK").with_to_tag(&tag).branch("z9hG4bK-a").write());
        let reason = None;
        endpoint.handle(now, Input::Command(Command::HangUp { session, reason }));
        let sent = std::iter::from_fn(|| endpoint.poll()).find_map(|output| match output {
            Output::Transmit { flow, .. } => Some(flow.remote),
            Output::Event(_) | Output::Notice(_) => None,
        });
        assert_eq!(sent, Some(expected.parse().unwrap()), "{contact}");
    }
}

#[test]
fn an_advertised_address_stands_in_via_and_contact() {
    let vantage = Vantage::only("203.0.113.9".parse().ok());
    let mut raw = Raw::with(Settings { vantage, ..Settings::default() });
    let invite = raw.invite(SessionId(1));
    assert!(header(&invite, "Via").unwrap().starts_with("SIP/2.0/UDP 203.0.113.9:5060;"));
    assert_eq!(header(&invite, "Contact"), Some("<sip:voxtrunk@203.0.113.9:5060>"));
}

#[test]
fn pings_are_answered_unless_the_operator_wants_none_answered() {
    let (ping, settings) = (Text::new("OPTIONS").write(), Settings::default());
    let answered = |answers_pings, standing| {
        let mut raw = Raw::with(Settings { answers_pings, ..settings.clone() });
        raw.receive_from(&ping, "198.51.100.7:5060", standing)
    };
    assert_eq!(statuses(&answered(true, Standing::Trusted)), [200]);
    assert_eq!(statuses(&answered(true, Standing::Stranger)), [200]);
    let refused = answered(false, Standing::Trusted);
    assert_eq!(statuses(&refused), [405]);
    assert_eq!(header(&refused[0], "Allow").map(|it| it.contains("OPTIONS")), Some(false));
    assert!(answered(false, Standing::Stranger).is_empty());
}
