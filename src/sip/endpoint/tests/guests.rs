//! Those who are no trunk: phones that prove themselves, and everybody else.

use std::time::Duration;

use super::raw::{Raw, Text, header, status};
use crate::base::random::Random;
use crate::sip::digest::{Challenge, Credentials, Signed, Turn};
use crate::sip::event::{Event, Input, Notice, Offence, Output, Standing};
use crate::sip::registrar::{Keys, Phone, Registrar, Settings};

pub const DESK: &str = "192.0.2.77:5062";
const REALM: &str = "pbx.example.com";

pub fn raw() -> Raw {
    let mut raw = Raw::new();
    let phone = Phone {
        role: Default::default(),
        name: "101".into(),
        username: "101".to_owned(),
        keys: Keys::of_password(["101", REALM, "secret"]),
        display: Some("Anna".to_owned()),
        networks: Vec::new(),
        max_contacts: 3,
    };
    let settings = Settings { realm: REALM.to_owned(), phones: vec![phone], ..Settings::default() };
    let registrar = Registrar::new(settings, Random::repeatable(4), raw.now);
    raw.endpoint = raw.endpoint.with_registrar(registrar);
    raw
}

fn guest(raw: &mut Raw, text: &Text) -> Vec<String> {
    raw.receive_from(&text.write(), DESK, Standing::Guest)
}

/// Sends a request, answers its challenge and sends it again.
pub fn proved(raw: &mut Raw, text: Text, header_names: (&str, &str)) -> (Text, Vec<String>) {
    let sent = guest(raw, &text);
    let challenge = header(&sent[0], header_names.0).expect("a challenge");
    let challenge = Challenge::read(challenge.as_bytes()).remove(0);
    let by = Credentials { username: "101".to_owned(), password: "secret".into() };
    let signed = Signed { method: text.method, uri: &text.uri, body: text.body.as_bytes() };
    let value = challenge.answer(&by, &signed, Turn { number: 1, cnonce: "c" });
    let (sequence, branch) = (text.sequence + 1, format!("{}-again", text.branch));
    let again =
        text.extra(&format!("{}: {value}\r\n", header_names.1)).sequence(sequence).branch(&branch);
    let sent = guest(raw, &again);
    (again, sent)
}

fn register() -> Text {
    let mut text = Text::new("REGISTER");
    text.uri = format!("sip:{REALM}");
    text.extra("Contact: <sip:101@10.0.0.7:5062>\r\nExpires: 120\r\n")
}

#[test]
fn a_phone_calls_with_its_password_and_is_who_it_proved_to_be() {
    let mut raw = raw();
    let (invite, sent) =
        proved(&mut raw, Text::invite(), ("Proxy-Authenticate", "Proxy-Authorization"));
    assert_eq!(status(&sent[0]), 100);
    let Some(Event::Incoming(incoming)) = raw.events.last() else { panic!("{:?}", raw.events) };
    assert_eq!(incoming.phone.as_deref(), Some("101"));
    assert_eq!(incoming.calling_user, "101");
    assert_eq!(incoming.calling_name.as_deref(), Some("Anna"));
    // A repetition is no second call, though its answer was good for one request only.
    assert_eq!(status(&guest(&mut raw, &invite)[0]), 100);
    assert_eq!(raw.events.len(), 1);
}

#[test]
fn an_invite_without_a_password_is_challenged_and_nothing_is_kept_of_it() {
    let mut raw = raw();
    for number in 0..1_000 {
        let mut invite = Text::invite().branch(&format!("z9hG4bK{number}"));
        invite.call_id = format!("call-{number}");
        let sent = guest(&mut raw, &invite);
        assert_eq!(status(&sent[0]), 407);
        let ack = Text::new("ACK").branch(&format!("z9hG4bK{number}"));
        assert!(guest(&mut raw, &ack).is_empty());
    }
    assert!(raw.endpoint.is_idle() && raw.events.is_empty() && raw.notices.is_empty());
}

#[test]
fn a_register_that_comes_again_gets_the_same_answer_and_its_phone_is_noticed() {
    let mut raw = raw();
    let text = register();
    let address = "To: <sip:101@pbx.example.com>\r\n";
    let as_101 = |text: &Text| text.write().replace("To: <sip:desk@192.0.2.2>\r\n", address);
    let sent = raw.receive_from(&as_101(&text), DESK, Standing::Guest);
    assert_eq!(status(&sent[0]), 401);
    let challenge = header(&sent[0], "WWW-Authenticate").expect("a challenge");
    let challenge = Challenge::read(challenge.as_bytes()).remove(0);
    let by = Credentials { username: "101".to_owned(), password: "secret".into() };
    let signed = Signed { method: "REGISTER", uri: &text.uri, body: b"" };
    let value = challenge.answer(&by, &signed, Turn { number: 1, cnonce: "c" });
    let again = text.extra(&format!("Authorization: {value}\r\n")).branch("z9hG4bK-b");
    let ok = raw.receive_from(&as_101(&again), DESK, Standing::Guest);
    assert_eq!(status(&ok[0]), 200);
    let contact = header(&ok[0], "Contact");
    assert_eq!(contact, Some("<sip:101@10.0.0.7:5062>;expires=120"));
    assert_eq!(raw.receive_from(&as_101(&again), DESK, Standing::Guest), ok);
    let Some(Notice::PhoneRegistered { phone, reaches }) = raw.notices.pop() else {
        panic!("{:?}", raw.notices)
    };
    assert_eq!((&*phone, reaches[0].flow.remote.to_string().as_str()), ("101", DESK));
    raw.wait(Duration::from_secs(121));
    assert_eq!(raw.notices, [Notice::PhoneGone { phone: "101".into() }]);
    assert!(raw.endpoint.is_idle());
}

#[test]
fn a_trunk_may_bring_the_registrations_of_phones_behind_it() {
    let mut raw = raw();
    let sent = raw.receive(&register().write());
    assert_eq!(status(&sent[0]), 401);
    assert_eq!(status(&raw.receive(&Text::invite().write())[0]), 100);
}

#[test]
fn a_phone_does_nothing_else_without_a_call() {
    let mut raw = raw();
    let expected = [("BYE", 481), ("REFER", 481), ("PUBLISH", 481)];
    for (method, code) in expected {
        let sent = guest(&mut raw, &Text::new(method));
        assert_eq!(status(&sent[0]), code, "{method}");
    }
    assert_eq!(status(&guest(&mut raw, &Text::new("OPTIONS"))[0]), 200);
    assert!(raw.endpoint.is_idle());
}

#[test]
fn scanners_and_those_who_dial_abroad_without_being_known_get_no_answer() {
    let mut raw = raw();
    let scan = Text::new("OPTIONS").extra("User-Agent: Friendly-Scanner\r\n");
    for standing in [Standing::Guest, Standing::Stranger, Standing::Refused] {
        assert!(raw.receive_from(&scan.write(), DESK, standing).is_empty());
    }
    let mut abroad = Text::invite();
    abroad.uri = "sip:900441234567890@192.0.2.2".to_owned();
    assert!(raw.receive_from(&abroad.write(), DESK, Standing::Refused).is_empty());
    assert!(raw.receive_from("nonsense\r\n\r\n", DESK, Standing::Guest).is_empty());
    let offences: Vec<Offence> = raw
        .notices
        .iter()
        .filter_map(|notice| match notice {
            Notice::Offended { offence, .. } => Some(*offence),
            _ => None,
        })
        .collect();
    let scanner = Offence::Scanner;
    assert_eq!(offences, [scanner, scanner, scanner, Offence::TollNumber, Offence::Malformed]);
    assert_eq!(status(&raw.receive(&scan.write())[0]), 200, "a trunk may be called what it likes");
}

#[test]
fn a_call_of_a_phone_goes_on_without_further_proof() {
    let mut raw = raw();
    proved(&mut raw, Text::invite(), ("Proxy-Authenticate", "Proxy-Authorization"));
    let session = raw.session();
    let answer = crate::sip::event::Command::Answer {
        session,
        body: bytes::Bytes::from_static(b"v=0\r\n"),
        headers: Vec::new(),
    };
    raw.endpoint.handle(raw.now, Input::Command(answer));
    let mut sent = Vec::new();
    while let Some(output) = raw.endpoint.poll() {
        if let Output::Transmit { bytes, .. } = output {
            sent.push(String::from_utf8(bytes.to_vec()).expect("a text"));
        }
    }
    let tag = super::raw::to_tag(&sent[0]);
    let bye = Text::new("BYE").with_to_tag(&tag).sequence(3);
    assert_eq!(status(&guest(&mut raw, &bye)[0]), 200);
}
