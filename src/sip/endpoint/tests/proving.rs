//! Requests of ours that somebody challenges, and requests outside of any dialog.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::raw::{PEER, Raw, flow_from, header, respond};
use crate::sip::account::Account;
use crate::sip::digest::{Authorization, Credentials, Ha1, Hash};
use crate::sip::event::{
    AskId, Asking, Command, Ending, Event, OwnContact, Series, SessionId, Standing,
};
use crate::sip::method::Method;

const CALL: SessionId = SessionId(7);
const ASK: &str = "Digest realm=\"carrier\", nonce=\"n1\", qop=\"auth\", algorithm=SHA-256";

fn account() -> Arc<Account> {
    let credentials = Credentials { username: "us".into(), password: "pw".to_owned().into() };
    Arc::new(Account { name: "carrier".into(), credentials, realms: Vec::new() })
}

fn asking(method: Method) -> Asking {
    Asking {
        id: AskId(3),
        method,
        target: "sip:192.0.2.1".to_owned(),
        from: "<sip:us@192.0.2.1>".to_owned(),
        to: "<sip:us@192.0.2.1>".to_owned(),
        flow: flow_from(PEER),
        routes: vec!["<sip:192.0.2.1;lr>".to_owned()],
        max_forwards: 70,
        contact: Some(OwnContact { user: "vt-1".into(), params: ";expires=300".into() }),
        series: Some(Series { call_id: "series".to_owned(), sequence: 5 }),
        headers: Vec::new(),
        content_type: None,
        body: Bytes::new(),
        account: Some(account()),
    }
}

fn bind(raw: &mut Raw, peer: &str) {
    let peer = peer.parse().expect("an address");
    raw.command(Command::Credentials { session: CALL, account: account(), peer });
}

fn told(raw: &Raw) -> Option<u16> {
    raw.events.iter().find_map(|event| match event {
        Event::Told { status, .. } => Some(*status),
        _ => None,
    })
}

fn is_signed(request: &str, field: &str, method: &str) -> bool {
    let value = header(request, field).unwrap_or_default();
    let ha1 = Ha1::new(Hash::Sha256, ["us", "carrier", "pw"]);
    Authorization::read(value.as_bytes())
        .is_some_and(|answer| answer.is_made_with(&ha1, method, b""))
}

#[test]
fn a_challenged_register_is_sent_again_with_credentials_and_the_next_cseq() {
    let mut raw = Raw::new();
    let first = raw.command(Command::Ask(Box::new(asking(Method::Register)))).remove(0);
    assert_eq!(header(&first, "Contact"), Some("<sip:vt-1@192.0.2.2:5060>;expires=300"));
    assert_eq!(header(&first, "Route"), Some("<sip:192.0.2.1;lr>"));
    let demand = format!("WWW-Authenticate: {ASK}\r\n");
    let second = raw.receive(&respond(&first, "401 Unauthorized", "t", &demand)).remove(0);
    assert!(is_signed(&second, "Authorization", "REGISTER"), "{second}");
    assert_eq!(header(&second, "CSeq"), Some("6 REGISTER"));
    for name in ["Call-ID", "From", "To", "Contact", "Route"] {
        assert_eq!(header(&first, name), header(&second, name));
    }
    assert_ne!(header(&first, "Via"), header(&second, "Via"));
    raw.receive(&respond(&second, "200 OK", "t", ""));
    assert_eq!(told(&raw), Some(200));
    let third = raw.command(Command::Ask(Box::new(asking(Method::Register)))).remove(0);
    assert!(header(&third, "Authorization").is_some_and(|value| value.contains("nc=00000002")));
}

#[test]
fn a_password_that_is_not_liked_is_told_and_not_tried_again() {
    let mut raw = Raw::new();
    let first = raw.command(Command::Ask(Box::new(asking(Method::Register)))).remove(0);
    let demand = format!("WWW-Authenticate: {ASK}\r\n");
    let second = raw.receive(&respond(&first, "401 Unauthorized", "t", &demand)).remove(0);
    let demand = demand.replace("n1", "n2");
    assert!(raw.receive(&respond(&second, "401 Unauthorized", "t", &demand)).is_empty());
    assert_eq!(told(&raw), Some(401));
}

#[test]
fn silence_is_told_as_408() {
    let mut raw = Raw::new();
    raw.command(Command::Ask(Box::new(asking(Method::Options))));
    assert!(raw.wait(Duration::from_secs(33)).len() > 5);
    assert_eq!(told(&raw), Some(408));
    assert!(raw.endpoint.is_idle());
}

#[test]
fn a_challenged_invite_goes_on_as_the_same_session() {
    let mut raw = Raw::new();
    bind(&mut raw, "192.0.2.1");
    let first = raw.invite(CALL);
    let demand = format!("Proxy-Authenticate: {ASK}\r\n");
    let refusal = respond(&first, "407 Proxy Authentication Required", "t", &demand);
    let sent = raw.receive(&refusal);
    assert!(sent[0].starts_with("ACK ") && header(&sent[0], "CSeq") == Some("1 ACK"));
    let second = &sent[1];
    assert_eq!(header(second, "CSeq"), Some("2 INVITE"));
    let value = header(second, "Proxy-Authorization").expect("credentials");
    let answer = Authorization::read(value.as_bytes()).expect("an answer");
    let ha1 = Ha1::new(Hash::Sha256, ["us", "carrier", "pw"]);
    assert!(answer.is_made_with(&ha1, "INVITE", b"v=0\r\n"));
    // The refusal again: its ACK again, and nothing else.
    assert!(raw.receive(&refusal)[0].starts_with("ACK "));
    assert!(raw.events.is_empty());
    let ok = respond(second, "200 OK", "t2", "Contact: <sip:ann@192.0.2.1>\r\n");
    let ack = raw.receive(&ok).remove(0);
    assert_eq!(header(&ack, "CSeq"), Some("2 ACK"));
    assert_eq!(header(&ack, "Proxy-Authorization"), Some(value));
    assert!(matches!(raw.events.last(), Some(Event::Answered { session: CALL, .. })));
    raw.events.clear();
    let bye = raw.command(Command::HangUp { session: CALL, reason: None }).remove(0);
    assert_eq!(header(&bye, "CSeq"), Some("3 BYE"));
    let again = raw.receive(&respond(&bye, "407 Proxy Authentication Required", "t2", &demand));
    assert!(is_signed(&again[0], "Proxy-Authorization", "BYE"));
    assert_eq!(header(&again[0], "CSeq"), Some("4 BYE"));
    raw.receive(&respond(&again[0], "200 OK", "t2", ""));
    assert!(matches!(raw.events.last(), Some(Event::Ended { ending: Ending::Bye { .. }, .. })));
    raw.wait(Duration::from_secs(64));
    assert!(raw.endpoint.is_idle());
}

#[test]
fn nobody_but_the_peer_of_the_account_gets_an_answer() {
    let demand = format!("WWW-Authenticate: {ASK}\r\n");
    let mut raw = Raw::new();
    bind(&mut raw, "192.0.2.77");
    let first = raw.invite(CALL);
    let sent = raw.receive(&respond(&first, "401 Unauthorized", "t", &demand));
    assert_eq!(sent.len(), 1, "only the ACK: the session went to another host");
    let ended = |raw: &Raw| {
        matches!(
            raw.events.last(),
            Some(Event::Ended { ending: Ending::Refused { status: 401, .. }, .. })
        )
    };
    assert!(ended(&raw));
    let mut raw = Raw::new();
    let first = raw.invite(CALL);
    assert_eq!(raw.receive(&respond(&first, "401 Unauthorized", "t", &demand)).len(), 1);
    assert!(ended(&raw), "a session without an account signs nothing");
}

#[test]
fn a_call_that_is_given_up_is_not_tried_again() {
    let mut raw = Raw::new();
    bind(&mut raw, "192.0.2.1");
    let first = raw.invite(CALL);
    raw.command(Command::HangUp { session: CALL, reason: None });
    let demand = format!("WWW-Authenticate: {ASK}\r\n");
    let text = respond(&first, "401 Unauthorized", "t", &demand);
    let sent = raw.receive_from(&text, PEER, Standing::Trusted);
    assert_eq!(sent.len(), 1, "the ACK");
    assert!(matches!(raw.events.last(), Some(Event::Ended { .. })));
}

#[test]
fn a_forsaken_invite_ends_at_once_and_its_late_answer_is_hung_up() {
    let mut raw = Raw::new();
    let first = raw.invite(CALL);
    assert!(raw.command(Command::Forsake { session: CALL }).is_empty());
    assert!(matches!(raw.events.last(), Some(Event::Ended { ending: Ending::Lost, .. })));
    let second = raw.invite(CALL);
    let cancel = raw.receive(&respond(&first, "180 Ringing", "t", "")).remove(0);
    assert!(cancel.starts_with("CANCEL ") && header(&cancel, "Via") == header(&first, "Via"));
    assert!(raw.receive(&respond(&first, "183 Progress", "t", "")).is_empty(), "once");
    let sent = raw.receive(&respond(&first, "200 OK", "t", "Contact: <sip:ann@192.0.2.1>\r\n"));
    assert!(sent[0].starts_with("ACK ") && sent[1].starts_with("BYE "), "{sent:?}");
    raw.receive(&respond(&second, "180 Ringing", "t2", ""));
    assert!(matches!(raw.events.last(), Some(Event::Progressed { session: CALL, .. })));
    raw.command(Command::Forsake { session: CALL });
    assert!(matches!(raw.events.last(), Some(Event::Progressed { .. })), "it rings already");
}
