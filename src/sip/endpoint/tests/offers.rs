//! Offers of ours within a call: hold, codec change, glare (RFC 3261 14.1).

use std::time::Duration;

use bytes::Bytes;

use super::link::{CALL, Link, Side, Weather, answer, endings, hang_up};
use super::raw::{Raw, Text, header, respond, status};
use crate::sip::event::{Command, Ending, Event, Refusal, SessionId};

const SECOND: Duration = Duration::from_secs(1);
const MOMENT: Duration = Duration::from_millis(5);
const SESSION: SessionId = SessionId(1 << 63);

fn hold(session: SessionId) -> Command {
    Command::Reoffer { session, body: Bytes::from_static(b"v=0\r\na=sendonly\r\n") }
}

fn agree(session: SessionId) -> Command {
    let answer = Ok(Bytes::from_static(b"v=0\r\na=recvonly\r\n"));
    Command::AnswerReoffer { session, answer }
}

fn connected(seed: u64) -> (Link, SessionId) {
    let mut link = Link::new(Weather::fair(), seed);
    link.call();
    link.run(SECOND);
    let session = link.incoming();
    link.command(Side::Callee, answer(session));
    link.run(SECOND);
    (link, session)
}

fn outcomes(events: &[Event]) -> Vec<Result<usize, u16>> {
    let outcome = |event: &Event| match event {
        Event::OfferAnswered { outcome, .. } => Some(outcome.clone().map(|body| body.len())),
        _ => None,
    };
    events.iter().filter_map(outcome).collect()
}

#[test]
fn a_hold_is_offered_and_answered_from_either_side() {
    for (side, other) in [(Side::Caller, Side::Callee), (Side::Callee, Side::Caller)] {
        let (mut link, session) = connected(1);
        let ids = |side| if side == Side::Caller { CALL } else { session };
        link.command(side, hold(ids(side)));
        link.run(SECOND);
        link.command(other, agree(ids(other)));
        link.run(SECOND);
        let events = if side == Side::Caller { &link.caller_events } else { &link.callee_events };
        assert_eq!(outcomes(events), [Ok(17)]);
        assert_eq!(link.sent(side, "ACK"), if side == Side::Caller { 2 } else { 1 });
        link.command(Side::Caller, hang_up(CALL));
        link.run_out();
        assert!(link.is_empty());
    }
}

#[test]
fn two_offers_at_once_meet_and_both_come_through_later() {
    let (mut link, session) = connected(2);
    link.command(Side::Caller, hold(CALL));
    link.command(Side::Callee, hold(session));
    link.run(MOMENT * 20);
    assert_eq!(link.sent(Side::Caller, "SIP/2.0 491"), 1);
    assert_eq!(link.sent(Side::Callee, "SIP/2.0 491"), 1);
    assert!(outcomes(&link.caller_events).is_empty() && outcomes(&link.callee_events).is_empty());
    // Whoever did not choose the Call-ID may come again first, within two seconds.
    link.run(Duration::from_millis(2_050));
    assert!(matches!(link.caller_events.last(), Some(Event::Reoffered { .. })));
    link.command(Side::Caller, agree(CALL));
    link.run(SECOND / 10);
    assert_eq!(outcomes(&link.callee_events), [Ok(17)]);
    assert_eq!(outcomes(&link.caller_events), [Err(491)], "what it said is outdated");
    link.command(Side::Caller, hold(CALL));
    link.run(SECOND);
    link.command(Side::Callee, agree(session));
    link.run(SECOND);
    assert_eq!(outcomes(&link.caller_events), [Err(491), Ok(17)]);
    link.command(Side::Caller, hang_up(CALL));
    link.run_out();
    assert!(link.is_empty());
}

#[test]
fn a_refused_offer_leaves_everything_as_it_was() {
    let (mut link, session) = connected(3);
    link.command(Side::Caller, hold(CALL));
    link.command(Side::Caller, hold(CALL));
    assert_eq!(outcomes(&link.caller_events), [Err(491)], "one at a time");
    link.run(SECOND);
    let answer = Err(Refusal::status(488));
    link.command(Side::Callee, Command::AnswerReoffer { session, answer });
    link.run(SECOND);
    assert_eq!(outcomes(&link.caller_events), [Err(491), Err(488)]);
    assert!(endings(&link.caller_events).is_empty());
}

#[test]
fn an_offer_that_nobody_answers_ends_the_call() {
    let (mut link, _) = connected(4);
    link.loses = Box::new(|side, _| side == Side::Caller);
    link.command(Side::Caller, hold(CALL));
    link.run(SECOND * 33);
    assert_eq!(endings(&link.caller_events), [Ending::Lost]);
    // A callee whose owner never decides does so, too, but later.
    let (mut link, _) = connected(5);
    link.command(Side::Caller, hold(CALL));
    link.run(SECOND * 60);
    assert!(endings(&link.caller_events).is_empty());
    link.run(SECOND * 6);
    assert_eq!(endings(&link.caller_events), [Ending::Lost]);
    link.run_out();
    assert!(link.is_empty(), "something is left behind");
}

#[test]
fn a_call_that_ends_while_it_offers_leaves_nothing() {
    let (mut link, session) = connected(6);
    link.command(Side::Caller, hold(CALL));
    link.run(SECOND);
    link.command(Side::Caller, hang_up(CALL));
    link.run(SECOND);
    assert_eq!(link.sent(Side::Callee, "SIP/2.0 487"), 1);
    link.command(Side::Callee, agree(session));
    link.run_out();
    assert!(link.is_empty());
}

#[test]
fn a_late_200_to_an_offer_of_a_call_that_is_gone_is_acknowledged() {
    let mut raw = Raw::new();
    raw.connect();
    let reinvite = raw.command(hold(SESSION)).remove(0);
    let bye = raw.command(hang_up(SESSION)).remove(0);
    raw.receive(&respond(&bye, "200 OK", "annstag", ""));
    assert_eq!(endings(&raw.events).len(), 1);
    let ok = respond(&reinvite, "200 OK", "annstag", "Contact: <sip:ann@192.0.2.1>\r\n");
    assert!(raw.receive(&ok)[0].starts_with("ACK sip:ann@192.0.2.1"));
    assert!(raw.receive(&ok)[0].starts_with("ACK"));
    raw.wait(SECOND * 60);
    assert!(raw.endpoint.is_idle());
}

#[test]
fn a_reinvite_that_only_rings_is_given_up_with_its_call() {
    let mut raw = Raw::new();
    raw.connect();
    let reinvite = raw.command(hold(SESSION)).remove(0);
    raw.receive(&respond(&reinvite, "100 Trying", "annstag", ""));
    let bye = raw.command(hang_up(SESSION)).remove(0);
    raw.receive(&respond(&bye, "200 OK", "annstag", ""));
    raw.wait(SECOND * 40);
    assert!(raw.endpoint.is_idle());
}

#[test]
fn an_accepted_offer_moves_the_contact_of_the_peer() {
    let mut raw = Raw::new();
    raw.connect();
    let reinvite = raw.command(hold(SESSION)).remove(0);
    assert_eq!(header(&reinvite, "CSeq"), Some("1 INVITE"));
    let ok = respond(&reinvite, "200 OK", "annstag", "Contact: <sip:moved@192.0.2.1>\r\n");
    assert!(raw.receive(&ok)[0].starts_with("ACK sip:moved@192.0.2.1 "));
    let bye = raw.command(hang_up(SESSION)).remove(0);
    assert!(bye.starts_with("BYE sip:moved@192.0.2.1 "));
}

#[test]
fn an_offer_meets_one_of_the_peer_by_update() {
    let mut raw = Raw::new();
    let tag = raw.connect();
    raw.command(hold(SESSION));
    let update = |body: &str, sequence: u32| {
        let text = Text::new("UPDATE").with_to_tag(&tag).sequence(sequence);
        let text = text.extra("Content-Type: application/sdp\r\n");
        let mut text = text.branch(&format!("z9hG4bK-u{sequence}"));
        text.body = body.to_owned();
        text.write()
    };
    assert_eq!(status(&raw.receive(&update("v=0\r\n", 2))[0]), 491);
    assert_eq!(status(&raw.receive(&update("", 3))[0]), 200);
}

#[test]
fn holding_and_resuming_through_storms_never_loses_the_call_for_good() {
    for seed in 0..30 {
        let mut link = Link::new(Weather::stormy(0.15), seed);
        link.call();
        link.run(SECOND * 8);
        if link.callee_events.is_empty() {
            continue;
        }
        let session = link.incoming();
        link.command(Side::Callee, answer(session));
        link.run(SECOND * 20);
        for _ in 0..3 {
            link.command(Side::Caller, hold(CALL));
            link.command(Side::Callee, hold(session));
            for _ in 0..10 {
                link.run(SECOND);
                link.command(Side::Caller, agree(CALL));
                link.command(Side::Callee, agree(session));
            }
        }
        link.command(Side::Caller, hang_up(CALL));
        link.command(Side::Callee, hang_up(session));
        link.run_out();
        assert_eq!(endings(&link.caller_events).len(), 1, "seed {seed}");
        assert_eq!(endings(&link.callee_events).len(), 1, "seed {seed}");
        assert!(link.is_empty(), "something is left behind, seed {seed}");
    }
}
