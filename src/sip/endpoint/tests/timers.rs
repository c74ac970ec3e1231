//! Session timers (RFC 4028), on both sides and between two of us.

use std::time::Duration;

use super::link::{CALL, Link, Side, Weather, answer, endings, hang_up};
use super::raw::{PEER, Raw, Text, header, respond, status, to_tag};
use crate::sip::dialog::session_timer::{Mode, Policy};
use crate::sip::endpoint::Settings;
use crate::sip::event::{Ending, Event, Party, SessionId, Standing};

const SECOND: Duration = Duration::from_secs(1);
const SESSION: SessionId = SessionId(1 << 63);

fn wanting(mode: Mode, seconds: u64) -> Settings {
    let expires = Duration::from_secs(seconds);
    Settings {
        session_timers: Policy { mode, expires, ..Policy::default() },
        ..Settings::default()
    }
}

/// Lets the peer call with these headers, and answers; gives our 200.
fn answered(raw: &mut Raw, headers: &str) -> String {
    raw.receive(&Text::invite().extra(headers).write());
    let sent = raw.command(answer(SESSION));
    let ok = sent.last().expect("an answer").clone();
    let ack = Text::new("ACK").with_to_tag(&to_tag(&ok)).branch("z9hG4bK-ack");
    raw.receive(&ack.write());
    raw.events.clear();
    ok
}

fn accepted(raw: &mut Raw, headers: &str) -> String {
    let invite = raw.invite(SessionId(1));
    let contact = format!("Contact: <sip:ann@192.0.2.1>\r\n{headers}");
    assert!(raw.receive(&respond(&invite, "200 OK", "t", &contact))[0].starts_with("ACK"));
    invite
}

#[test]
fn a_caller_that_asks_gets_a_timer_and_refreshes_it() {
    let mut raw = Raw::new();
    let ok = answered(&mut raw, "Supported: timer\r\nSession-Expires: 1200\r\n");
    assert_eq!(header(&ok, "Session-Expires"), Some("1200;refresher=uac"));
    assert_eq!(header(&ok, "Require"), Some("timer"));
    assert!(header(&ok, "Supported").expect("it is there").contains("timer"));
    raw.wait(SECOND * 1_000);
    let update = Text::new("UPDATE").with_to_tag(&to_tag(&ok)).sequence(2);
    let update = update.extra("Supported: timer\r\nSession-Expires: 1200;refresher=uac\r\n");
    let sent = raw.receive(&update.write());
    assert_eq!(header(&sent[0], "Session-Expires"), Some("1200;refresher=uac"));
    raw.wait(SECOND * 1_160);
    assert!(raw.events.is_empty(), "the refresh counts");
    let sent = raw.wait(SECOND * 10);
    assert!(sent[0].starts_with("BYE"));
    assert_eq!(header(&sent[0], "Reason"), Some("SIP;cause=408;text=\"session timer expired\""));
    assert_eq!(endings(&raw.events), [Ending::Lost]);
    raw.wait(SECOND * 60);
    assert!(raw.endpoint.is_idle());
}

#[test]
fn a_session_that_would_be_too_brief_gets_422() {
    let mut raw = Raw::new();
    let brief = Text::invite().extra("Supported: timer\r\nSession-Expires: 60\r\n");
    let sent = raw.receive(&brief.write());
    assert_eq!(status(&sent[0]), 422);
    assert_eq!(header(&sent[0], "Min-SE"), Some("90"));
    assert!(raw.events.is_empty());
    let longer = brief.branch("z9hG4bK-2").sequence(2);
    let longer = longer.write().replace("Expires: 60", "Expires: 90");
    assert_eq!(status(&raw.receive(&longer)[0]), 100);
    let mut never = Raw::with(wanting(Mode::Never, 1_800));
    let ok = answered(&mut never, "Supported: timer\r\nSession-Expires: 60\r\n");
    assert_eq!(header(&ok, "Session-Expires"), None);
    assert!(!header(&ok, "Supported").expect("it is there").contains("timer"));
    let mut require = Raw::with(wanting(Mode::Require, 1_800));
    let sent = require.receive(&Text::invite().write());
    assert_eq!((status(&sent[0]), header(&sent[0], "Require")), (421, Some("timer")));
}

#[test]
fn a_peer_that_demands_longer_sessions_gets_them() {
    let mut raw = Raw::with(wanting(Mode::Prefer, 120));
    let invite = raw.invite(SessionId(1));
    assert_eq!(header(&invite, "Session-Expires"), Some("120"));
    assert_eq!(header(&invite, "Min-SE"), Some("90"));
    let refused = respond(&invite, "422 Session Interval Too Small", "t", "Min-SE: 600\r\n");
    let sent = raw.receive(&refused);
    assert!(sent[0].starts_with("ACK"));
    let again = &sent[1];
    assert_eq!(header(again, "Session-Expires"), Some("600"));
    assert_eq!(header(again, "Min-SE"), Some("600"));
    assert_eq!(header(again, "CSeq"), Some("2 INVITE"));
    for name in ["Call-ID", "From", "To", "Contact"] {
        assert_eq!(header(again, name), header(&invite, name), "{name}");
    }
    assert!(raw.events.is_empty());
    // A peer that is never content is left.
    let refused = respond(again, "422 Session Interval Too Small", "t", "Min-SE: 600\r\n");
    raw.receive(&refused);
    let ending = endings(&raw.events);
    assert!(matches!(ending[..], [Ending::Refused { by: Party::Peer, status: 422, .. }]));
}

#[test]
fn we_refresh_by_update_when_the_peer_takes_it_else_by_the_same_offer() {
    let mut raw = Raw::new();
    accepted(&mut raw, "Allow: UPDATE\r\nSession-Expires: 600;refresher=uac\r\n");
    let sent = raw.wait(SECOND * 301);
    assert!(sent[0].starts_with("UPDATE"), "{}", sent[0]);
    assert_eq!(header(&sent[0], "Session-Expires"), Some("600;refresher=uac"));
    assert_eq!(header(&sent[0], "Content-Length"), Some("0"));
    // It answers that it does not know UPDATE after all.
    let sent = raw.receive(&respond(&sent[0], "405 Method Not Allowed", "t", ""));
    assert!(sent[0].starts_with("INVITE"), "{}", sent[0]);
    assert!(sent[0].ends_with("\r\n\r\nv=0\r\n"), "what we said before: {}", sent[0]);
    let timer = "Session-Expires: 600;refresher=uac\r\n";
    let sent = raw.receive(&respond(&sent[0], "200 OK", "t", timer));
    assert!(sent[0].starts_with("ACK"));
    let sent = raw.wait(SECOND * 301);
    assert!(sent[0].starts_with("INVITE"), "{}", sent[0]);
    assert!(!raw.events.iter().any(|event| matches!(event, Event::OfferAnswered { .. })));
}

#[test]
fn a_refresh_that_nobody_answers_ends_the_call() {
    for refusal in [None, Some("481 Call/Transaction Does Not Exist"), Some("408 Timeout")] {
        let mut raw = Raw::new();
        accepted(&mut raw, "Allow: UPDATE\r\nSession-Expires: 600;refresher=uac\r\n");
        raw.events.clear();
        let sent = raw.wait(SECOND * 300);
        let sent = match refusal {
            Some(refusal) => raw.receive(&respond(&sent[0], refusal, "t", "")),
            None => raw.wait(SECOND * 33),
        };
        assert!(sent.last().is_some_and(|last| last.starts_with("BYE")), "{sent:?}");
        assert_eq!(endings(&raw.events), [Ending::Lost]);
        raw.wait(SECOND * 90);
        assert!(raw.endpoint.is_idle());
    }
}

#[test]
fn a_refresh_that_is_refused_is_tried_again_until_the_session_ends() {
    let mut raw = Raw::new();
    accepted(&mut raw, "Allow: UPDATE\r\nSession-Expires: 600;refresher=uac\r\n");
    raw.events.clear();
    let mut tries = 0;
    for _ in 0..600 {
        for sent in raw.wait(SECOND) {
            if sent.starts_with("UPDATE") {
                tries += 1;
                raw.receive(&respond(&sent, "500 Server Internal Error", "t", ""));
            }
        }
    }
    assert!((4..40).contains(&tries), "{tries}");
    assert_eq!(endings(&raw.events), [Ending::Lost]);
}

#[test]
fn two_of_us_stay_together_for_hours_and_part_when_the_line_is_cut() {
    let mut link = Link::new(Weather::fair(), 3);
    link.prefer_timers();
    link.call();
    link.run(SECOND);
    let session = link.incoming();
    link.command(Side::Callee, answer(session));
    link.run(SECOND * 20_000);
    assert!(endings(&link.caller_events).is_empty() && endings(&link.callee_events).is_empty());
    assert!(link.sent(Side::Caller, "UPDATE") >= 20, "the caller refreshes");
    link.loses = Box::new(|_, _| true);
    link.run(SECOND * 2_000);
    assert_eq!(endings(&link.caller_events), [Ending::Lost]);
    assert_eq!(endings(&link.callee_events), [Ending::Lost]);
    link.run(SECOND * 60);
    assert!(link.is_empty());
}

#[test]
fn a_call_without_timers_has_none() {
    let mut link = Link::new(Weather::fair(), 4);
    link.call();
    link.run(SECOND);
    let session = link.incoming();
    link.command(Side::Callee, answer(session));
    link.run(SECOND * 20_000);
    assert_eq!(link.sent(Side::Caller, "UPDATE") + link.sent(Side::Callee, "UPDATE"), 0);
    link.command(Side::Caller, hang_up(CALL));
    link.run(SECOND * 60);
    assert!(link.is_empty());
}

#[test]
fn a_stranger_cannot_keep_a_call_alive() {
    let mut raw = Raw::new();
    let ok = answered(&mut raw, "Supported: timer\r\nSession-Expires: 90\r\n");
    let update = Text::new("UPDATE").with_to_tag(&to_tag(&ok)).sequence(2);
    let update = update.extra("Supported: timer\r\nSession-Expires: 90\r\n").write();
    let sent = raw.receive_from(&update, "198.51.100.66:5060", Standing::Trusted);
    assert_eq!(status(&sent[0]), 481);
    raw.wait(SECOND * 61);
    assert_eq!(endings(&raw.events), [Ending::Lost]);
    assert_eq!(PEER, "192.0.2.1:5060");
}
