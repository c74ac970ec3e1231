//! CANCEL and its races (RFC 3261 9).

use std::time::Duration;

use super::link::{CALL, Link, Side, Weather, answer, endings, hang_up, ring};
use crate::sip::event::{Command, Ending, Event, Party, Refusal};

const SECOND: Duration = Duration::from_secs(1);
const MOMENT: Duration = Duration::from_millis(5);

fn ringing(seed: u64) -> Link {
    let mut link = Link::new(Weather::fair(), seed);
    link.call();
    link.run(SECOND);
    let session = link.incoming();
    link.command(Side::Callee, ring(session));
    link.run(SECOND);
    link
}

fn assert_over(link: &mut Link) {
    link.run_out();
    assert_eq!(endings(&link.caller_events).len(), 1);
    assert_eq!(endings(&link.callee_events).len(), 1);
    assert!(link.is_empty(), "something is left behind");
}

#[test]
fn a_caller_who_gives_up_cancels_and_waits_for_487() {
    let mut link = ringing(1);
    let reason = Some("SIP;cause=200;text=\"elsewhere\"".to_owned());
    link.command(Side::Caller, Command::HangUp { session: CALL, reason: reason.clone() });
    assert!(endings(&link.caller_events).is_empty(), "487 is still to come");
    link.run(SECOND);
    assert_eq!(link.sent(Side::Caller, "CANCEL"), 1);
    assert_eq!(link.sent(Side::Callee, "SIP/2.0 200"), 1);
    assert_eq!(link.sent(Side::Callee, "SIP/2.0 487"), 1);
    assert_eq!(link.sent(Side::Caller, "ACK"), 1);
    let cancelled = |by| Ending::Cancelled { by, reason: reason.clone() };
    assert_eq!(endings(&link.caller_events), [cancelled(Party::Us)]);
    assert_eq!(endings(&link.callee_events), [cancelled(Party::Peer)]);
    assert_over(&mut link);
}

#[test]
fn a_caller_who_gives_up_at_once_waits_for_a_provisional_answer() {
    let mut link = Link::new(Weather::fair(), 2);
    link.call();
    link.command(Side::Caller, hang_up(CALL));
    assert_eq!(link.sent(Side::Caller, "CANCEL"), 0, "RFC 3261 9.1");
    link.run(SECOND);
    assert_eq!(link.sent(Side::Caller, "CANCEL"), 1);
    assert!(matches!(
        endings(&link.callee_events)[..],
        [Ending::Cancelled { by: Party::Peer, .. }]
    ));
    assert_over(&mut link);
}

#[test]
fn an_answer_that_crosses_the_cancel_is_acknowledged_and_hung_up() {
    let mut link = ringing(3);
    let session = link.incoming();
    link.command(Side::Callee, answer(session));
    link.run(MOMENT);
    link.command(Side::Caller, hang_up(CALL));
    link.run(SECOND);
    assert_eq!(link.sent(Side::Caller, "CANCEL"), 1);
    assert_eq!(link.sent(Side::Caller, "ACK"), 1);
    assert_eq!(link.sent(Side::Caller, "BYE"), 1);
    assert!(!link.caller_events.iter().any(|event| matches!(event, Event::Answered { .. })));
    assert_eq!(endings(&link.caller_events), [Ending::Bye { by: Party::Us, reason: None }]);
    assert_eq!(endings(&link.callee_events), [Ending::Bye { by: Party::Peer, reason: None }]);
    assert_over(&mut link);
}

#[test]
fn a_refusal_that_crosses_the_cancel_is_a_refusal() {
    let mut link = ringing(4);
    let session = link.incoming();
    link.command(Side::Callee, Command::Refuse { session, refusal: Refusal::status(486) });
    link.run(MOMENT);
    link.command(Side::Caller, hang_up(CALL));
    link.run(SECOND);
    assert!(matches!(
        endings(&link.caller_events)[..],
        [Ending::Refused { by: Party::Peer, status: 486, .. }]
    ));
    assert_over(&mut link);
}

#[test]
fn a_cancel_that_comes_after_the_answer_gets_200_and_changes_nothing() {
    let mut link = ringing(5);
    let session = link.incoming();
    // The 200 is lost, so the caller still believes that it rings.
    link.loses = Box::new(|_, line| line.contains(" 200 "));
    link.command(Side::Callee, answer(session));
    link.run(Duration::from_millis(100));
    link.command(Side::Caller, hang_up(CALL));
    link.run(Duration::from_millis(100));
    assert_eq!(link.sent(Side::Callee, "SIP/2.0 200"), 2, "to INVITE and to CANCEL");
    assert_eq!(link.sent(Side::Callee, "SIP/2.0 487"), 0);
    assert!(endings(&link.callee_events).is_empty());
    link.loses = Box::new(|_, _| false);
    link.run(SECOND * 2);
    assert_eq!(endings(&link.callee_events), [Ending::Bye { by: Party::Peer, reason: None }]);
    assert_over(&mut link);
}

#[test]
fn a_cancel_that_is_lost_is_repeated() {
    let mut link = ringing(6);
    let mut count = 0;
    link.loses = Box::new(move |_, line| {
        count += usize::from(line.starts_with("CANCEL"));
        line.starts_with("CANCEL") && count <= 2
    });
    link.command(Side::Caller, hang_up(CALL));
    link.run(SECOND * 4);
    assert_eq!(link.sent(Side::Caller, "CANCEL"), 3);
    assert_eq!(endings(&link.callee_events), [Ending::Cancelled { by: Party::Peer, reason: None }]);
    assert_over(&mut link);
}

#[test]
fn a_cancelled_call_whose_487_never_comes_is_over_after_64_t1() {
    let mut link = ringing(7);
    link.loses = Box::new(|side, line| side == Side::Callee && line.contains(" 487 "));
    link.command(Side::Caller, hang_up(CALL));
    link.run(SECOND * 33);
    assert_eq!(endings(&link.caller_events), [Ending::Cancelled { by: Party::Us, reason: None }]);
    assert_over(&mut link);
}
