//! Calls between two endpoints over a fair network, and with one message lost on purpose.

use std::time::Duration;

use bytes::Bytes;

use super::link::{
    ANSWER, CALL, Link, OFFER, Side, Weather, answer, endings, hang_up, invite, ring,
};
use crate::sip::event::{Command, Ending, Event, Party, Refusal, Warning};

const SECOND: Duration = Duration::from_secs(1);

fn connected() -> Link {
    let mut link = Link::new(Weather::fair(), 1);
    link.call();
    link.run(SECOND);
    let session = link.incoming();
    link.command(Side::Callee, answer(session));
    link.run(SECOND);
    link
}

#[test]
fn a_call_is_placed_answered_and_hung_up() {
    let mut link = Link::new(Weather::fair(), 1);
    link.call();
    link.run(SECOND);
    let Some(Event::Incoming(incoming)) = link.callee_events.first() else {
        panic!("no call came in: {:?}", link.ladder)
    };
    assert_eq!(incoming.called_user, "desk");
    assert_eq!(incoming.calling_user, "ann");
    assert_eq!(incoming.calling_name.as_deref(), Some("Ann"));
    assert_eq!(incoming.request_uri, "sip:desk@192.0.2.2:5060");
    assert_eq!(incoming.body, Bytes::from_static(OFFER));
    assert!(incoming.headers.iter().any(|(name, value)| name == "X-Case" && value == "42"));
    let session = incoming.session;

    link.command(Side::Callee, ring(session));
    link.run(SECOND);
    assert!(matches!(link.caller_events[..], [Event::Progressed { status: 180, .. }]));
    link.command(Side::Callee, answer(session));
    link.run(SECOND);
    let Some(Event::Answered { body, .. }) = link.caller_events.get(1) else {
        panic!("not answered: {:?}", link.caller_events)
    };
    assert_eq!(*body, Bytes::from_static(ANSWER));
    assert!(matches!(link.callee_events.get(1), Some(Event::Confirmed { .. })));

    let reason = Some("Q.850;cause=16;text=\"bye\"".to_owned());
    link.command(Side::Caller, Command::HangUp { session: CALL, reason: reason.clone() });
    link.run(SECOND);
    let by_us = Ending::Bye { by: Party::Us, reason: reason.clone() };
    assert_eq!(endings(&link.caller_events), [by_us]);
    assert_eq!(endings(&link.callee_events), [Ending::Bye { by: Party::Peer, reason }]);
    let caller: Vec<&str> = link
        .ladder
        .iter()
        .map(|(_, line)| line.split(" sip:").next().unwrap_or_default())
        .collect();
    assert_eq!(
        caller,
        [
            "INVITE",
            "SIP/2.0 100 Trying",
            "SIP/2.0 180 Ringing",
            "SIP/2.0 200 OK",
            "ACK",
            "BYE",
            "SIP/2.0 200 OK"
        ]
    );
    link.run_out();
    assert!(link.is_empty(), "something is left behind");
}

#[test]
fn the_callee_may_hang_up_too() {
    let mut link = connected();
    let session = link.incoming();
    link.command(Side::Callee, hang_up(session));
    link.run(SECOND);
    assert_eq!(endings(&link.callee_events), [Ending::Bye { by: Party::Us, reason: None }]);
    assert_eq!(endings(&link.caller_events), [Ending::Bye { by: Party::Peer, reason: None }]);
    link.run_out();
    assert!(link.is_empty());
}

#[test]
fn both_may_hang_up_at_once() {
    let mut link = connected();
    let session = link.incoming();
    link.command(Side::Caller, hang_up(CALL));
    link.command(Side::Callee, hang_up(session));
    link.run_out();
    assert_eq!(endings(&link.caller_events), [Ending::Bye { by: Party::Us, reason: None }]);
    assert_eq!(endings(&link.callee_events), [Ending::Bye { by: Party::Us, reason: None }]);
    assert!(link.is_empty());
}

#[test]
fn a_call_is_refused() {
    let mut link = Link::new(Weather::fair(), 2);
    link.call();
    link.run(SECOND);
    let session = link.incoming();
    let warning = Warning { code: 305, text: "no codec in common".to_owned() };
    let refusal = Refusal { warning: Some(warning), ..Refusal::status(488) };
    link.command(Side::Callee, Command::Refuse { session, refusal });
    link.run(SECOND);
    let reason = Some("no codec in common".to_owned());
    let refused = |by| Ending::Refused { by, status: 488, reason: reason.clone() };
    assert_eq!(endings(&link.caller_events), [refused(Party::Peer)]);
    assert_eq!(endings(&link.callee_events), [refused(Party::Us)]);
    assert_eq!(link.sent(Side::Caller, "ACK"), 1);
    link.run_out();
    assert_eq!(link.sent(Side::Callee, "SIP/2.0 488"), 1, "the ACK stops the repetition");
    assert!(link.is_empty());
}

#[test]
fn a_lost_200_is_repeated_by_the_dialog() {
    let mut link = Link::new(Weather::fair(), 3);
    link.call();
    link.run(SECOND);
    let session = link.incoming();
    let mut count = 0;
    link.loses = Box::new(move |_, line| {
        count += usize::from(line.contains(" 200 "));
        line.contains(" 200 ") && count <= 2
    });
    link.command(Side::Callee, answer(session));
    link.run(SECOND * 5);
    assert_eq!(link.sent(Side::Callee, "SIP/2.0 200"), 3);
    assert!(matches!(link.callee_events.last(), Some(Event::Confirmed { .. })));
    assert!(matches!(link.caller_events.last(), Some(Event::Answered { .. })));
}

#[test]
fn a_lost_ack_is_repeated_for_each_repeated_200() {
    let mut link = Link::new(Weather::fair(), 4);
    let mut count = 0;
    link.loses = Box::new(move |_, line| {
        count += usize::from(line.starts_with("ACK"));
        line.starts_with("ACK") && count <= 3
    });
    link.call();
    link.run(SECOND);
    let session = link.incoming();
    link.command(Side::Callee, answer(session));
    link.run(SECOND * 10);
    assert_eq!(link.sent(Side::Caller, "ACK"), 4);
    let answered = |event: &&Event| matches!(event, Event::Answered { .. });
    assert_eq!(link.caller_events.iter().filter(answered).count(), 1);
    assert!(matches!(link.callee_events.last(), Some(Event::Confirmed { .. })));
}

#[test]
fn a_call_whose_ack_never_comes_is_lost_after_64_t1_and_released() {
    let mut link = Link::new(Weather::fair(), 5);
    link.loses = Box::new(|_, line| line.starts_with("ACK"));
    link.call();
    link.run(SECOND);
    let session = link.incoming();
    link.command(Side::Callee, answer(session));
    link.run(SECOND * 31);
    assert_eq!(endings(&link.callee_events), []);
    link.run(SECOND * 2);
    assert_eq!(endings(&link.callee_events), [Ending::Lost]);
    assert_eq!(link.sent(Side::Callee, "BYE"), 1);
    assert_eq!(endings(&link.caller_events), [Ending::Bye { by: Party::Peer, reason: None }]);
    link.run_out();
    assert!(link.is_empty());
}

#[test]
fn a_callee_that_hangs_up_before_the_ack_waits_for_it() {
    let mut link = Link::new(Weather::fair(), 6);
    link.call();
    link.run(SECOND);
    let session = link.incoming();
    link.command(Side::Callee, answer(session));
    link.command(Side::Callee, hang_up(session));
    assert_eq!(link.sent(Side::Callee, "BYE"), 0, "RFC 3261 15: not before the ACK");
    link.run(SECOND);
    assert_eq!(link.sent(Side::Callee, "BYE"), 1);
    assert_eq!(endings(&link.callee_events), [Ending::Bye { by: Party::Us, reason: None }]);
    assert_eq!(endings(&link.caller_events), [Ending::Bye { by: Party::Peer, reason: None }]);
    link.run_out();
    assert!(link.is_empty());
}

#[test]
fn an_invite_without_any_answer_is_lost() {
    let mut link = Link::new(Weather::fair(), 7);
    link.loses = Box::new(|_, _| true);
    link.call();
    link.run_out();
    assert_eq!(link.sent(Side::Caller, "INVITE"), 7);
    assert_eq!(endings(&link.caller_events), [Ending::Lost]);
    assert!(link.is_empty());
}

#[test]
fn a_bye_without_any_answer_ends_the_session_all_the_same() {
    let mut link = connected();
    link.loses = Box::new(|_, _| true);
    link.command(Side::Caller, hang_up(CALL));
    link.run_out();
    assert_eq!(endings(&link.caller_events), [Ending::Lost]);
    assert!(link.caller.is_idle());
}

#[test]
fn a_repeated_invite_is_absorbed_with_the_last_provisional_answer() {
    let mut link = Link::new(Weather::fair(), 8);
    link.loses = Box::new(|side, _| side == Side::Callee);
    link.call();
    link.run(SECOND * 4);
    let incoming = |event: &&Event| matches!(event, Event::Incoming(_));
    assert_eq!(link.sent(Side::Caller, "INVITE"), 4);
    assert_eq!(link.sent(Side::Callee, "SIP/2.0 100"), 4);
    assert_eq!(link.callee_events.iter().filter(incoming).count(), 1);
}

#[test]
fn ringing_is_repeated_each_minute_so_that_no_proxy_gives_up() {
    let mut link = Link::new(Weather::fair(), 9);
    link.call();
    link.run(SECOND);
    let session = link.incoming();
    link.command(Side::Callee, ring(session));
    link.run(SECOND * 125);
    assert_eq!(link.sent(Side::Callee, "SIP/2.0 180"), 3);
}

#[test]
fn a_callee_that_hangs_up_while_it_rings_refuses_with_480() {
    let mut link = Link::new(Weather::fair(), 10);
    link.call();
    link.run(SECOND);
    let session = link.incoming();
    link.command(Side::Callee, hang_up(session));
    link.run_out();
    let status = |ending: &Ending| match ending {
        Ending::Refused { status, .. } => Some(*status),
        _ => None,
    };
    assert_eq!(status(&endings(&link.caller_events)[0]), Some(480));
    assert_eq!(status(&endings(&link.callee_events)[0]), Some(480));
    assert!(link.is_empty());
}

#[test]
fn a_target_that_is_no_sip_uri_is_refused_at_once() {
    let mut link = Link::new(Weather::fair(), 11);
    let Command::Invite(mut outgoing) = invite(CALL) else { unreachable!() };
    outgoing.target = "sip:desk@192.0.2.2\r\nX-Evil: 1".to_owned();
    link.command(Side::Caller, Command::Invite(outgoing));
    assert!(matches!(
        endings(&link.caller_events)[..],
        [Ending::Refused { by: Party::Us, status: 400, .. }]
    ));
    assert!(link.ladder.is_empty());
    assert!(link.is_empty());
}

#[test]
fn a_ringing_that_nobody_answers_is_cancelled_when_patience_ends() {
    let mut link = Link::new(Weather::fair(), 12);
    link.call();
    link.run(SECOND);
    let session = link.incoming();
    link.command(Side::Callee, ring(session));
    link.run_out();
    let cancelled = |by| Ending::Cancelled { by, reason: None };
    assert_eq!(endings(&link.caller_events), [cancelled(Party::Us)]);
    assert_eq!(endings(&link.callee_events), [cancelled(Party::Peer)]);
    assert!(link.is_empty());
}

#[test]
fn an_endpoint_may_call_itself() {
    use crate::base::random::Random;
    use crate::sip::endpoint::{Endpoint, Settings};
    use crate::sip::event::{Flow, Input, Output, Standing};

    let now = std::time::Instant::now();
    let mut endpoint = Endpoint::new(Settings::default(), Random::repeatable(1));
    let address = "192.0.2.2:5060".parse().expect("an address");
    let Command::Invite(mut outgoing) = invite(CALL) else { unreachable!() };
    outgoing.flow = Flow::udp(address, address);
    endpoint.handle(now, Input::Command(Command::Invite(outgoing)));
    let mut ends = Vec::new();
    while let Some(output) = endpoint.poll() {
        let input = match output {
            Output::Transmit { flow, bytes } => {
                Input::Received { bytes, flow, standing: Standing::Trusted }
            }
            Output::Event(Event::Incoming(incoming)) => Input::Command(answer(incoming.session)),
            Output::Event(Event::Confirmed { .. }) => Input::Command(hang_up(CALL)),
            Output::Event(Event::Ended { ending, .. }) => {
                ends.push(ending);
                continue;
            }
            Output::Event(_) | Output::Notice(_) => continue,
        };
        endpoint.handle(now, input);
    }
    assert_eq!(ends.len(), 2, "{ends:?}");
    assert_eq!(endpoint.sessions(), 0);
}
