//! REFER both ways, and what its NOTIFYs tell (RFC 3515, RFC 4488).

use std::time::Duration;

use super::link::{CALL, Link, Side, Weather, answer, endings, hang_up};
use super::raw::{Raw, Text, header, status};
use crate::sip::event::{Command, Event, Refusal};

const SECOND: Duration = Duration::from_secs(1);

fn connected(seed: u64) -> Link {
    let mut link = Link::new(Weather::fair(), seed);
    link.call();
    link.run(SECOND);
    let session = link.incoming();
    link.command(Side::Callee, answer(session));
    link.run(SECOND);
    link
}

fn referred(events: &[Event]) -> Vec<u16> {
    let status = |event: &Event| match event {
        Event::Referred { status, .. } => Some(*status),
        _ => None,
    };
    events.iter().filter_map(status).collect()
}

fn refer() -> Command {
    Command::Refer { session: CALL, target: "sip:sales@192.0.2.3".to_owned() }
}

#[test]
fn a_refer_is_accepted_and_its_outcome_told() {
    let mut link = connected(1);
    link.command(Side::Caller, refer());
    link.run(SECOND);
    let session = link.incoming();
    assert!(matches!(link.callee_events.last(),
        Some(Event::ReferReceived { target, .. }) if target == "sip:sales@192.0.2.3"));
    assert!(referred(&link.caller_events).is_empty(), "nothing is answered before the owner");
    link.command(Side::Callee, Command::AnswerRefer { session, outcome: Ok(100) });
    link.run(SECOND);
    link.command(Side::Callee, Command::AnswerRefer { session, outcome: Ok(200) });
    link.run(SECOND);
    assert_eq!(referred(&link.caller_events), [100, 100, 200]);
    assert_eq!(link.sent(Side::Callee, "NOTIFY"), 2);
    link.command(Side::Caller, refer());
    link.run(SECOND);
    link.command(Side::Callee, Command::AnswerRefer { session, outcome: Ok(603) });
    link.run(SECOND);
    assert_eq!(referred(&link.caller_events)[3..], [100, 603]);
    link.command(Side::Caller, hang_up(CALL));
    link.run_out();
    assert!(link.is_empty());
}

#[test]
fn a_refer_is_refused() {
    let mut link = connected(2);
    link.command(Side::Caller, refer());
    link.command(Side::Caller, refer());
    assert_eq!(referred(&link.caller_events), [491], "one at a time");
    link.run(SECOND);
    let session = link.incoming();
    let outcome = Err(Refusal::status(603));
    link.command(Side::Callee, Command::AnswerRefer { session, outcome });
    link.run(SECOND);
    assert_eq!(referred(&link.caller_events), [491, 603]);
    assert_eq!(link.sent(Side::Callee, "NOTIFY"), 0);
    assert!(endings(&link.caller_events).is_empty(), "the call goes on");
}

#[test]
fn a_refer_without_an_answer_is_reported_as_408() {
    let mut link = connected(3);
    link.loses = Box::new(|_, line| line.starts_with("REFER"));
    link.command(Side::Caller, refer());
    link.run(SECOND * 40);
    assert_eq!(referred(&link.caller_events), [408]);
}

#[test]
fn a_call_that_ends_before_its_refer_is_answered_answers_it() {
    let mut link = connected(4);
    link.command(Side::Caller, refer());
    link.run(SECOND);
    let session = link.incoming();
    link.command(Side::Callee, hang_up(session));
    link.run_out();
    assert_eq!(link.sent(Side::Callee, "SIP/2.0 487"), 1);
    assert!(link.is_empty());
}

#[test]
fn a_refer_that_wants_no_news_gets_none() {
    let mut raw = Raw::new();
    let tag = raw.connect();
    let refer = Text::new("REFER").with_to_tag(&tag).sequence(2);
    let refer = refer.extra("Refer-To: <sip:sales@192.0.2.3>\r\nRefer-Sub: false\r\n");
    assert!(raw.receive(&refer.write()).is_empty());
    let Some(&Event::ReferReceived { session, .. }) = raw.events.last() else { panic!("none") };
    let sent = raw.command(Command::AnswerRefer { session, outcome: Ok(200) });
    assert_eq!(sent.iter().map(|text| status(text)).collect::<Vec<_>>(), [202]);
    assert_eq!(header(&sent[0], "Refer-Sub"), Some("false"));
}

#[test]
fn a_notify_without_a_refer_is_refused_and_a_foreign_event_is_bad() {
    let mut raw = Raw::new();
    let tag = raw.connect();
    let notify = |event: &str, sequence: u32| {
        let text = Text::new("NOTIFY").with_to_tag(&tag).sequence(sequence);
        let text = text.branch(&format!("z9hG4bK-n{sequence}"));
        text.extra(&format!("Event: {event}\r\nSubscription-State: active\r\n")).write()
    };
    assert_eq!(status(&raw.receive(&notify("refer", 2))[0]), 481);
    assert_eq!(status(&raw.receive(&notify("presence", 3))[0]), 489);
    assert!(raw.events.is_empty());
}

#[test]
fn a_refer_outside_of_a_call_is_forbidden() {
    let mut raw = Raw::new();
    let refer = Text::new("REFER").extra("Refer-To: <sip:sales@192.0.2.3>\r\n");
    assert_eq!(status(&raw.receive(&refer.write())[0]), 403);
    assert!(raw.endpoint.is_idle());
}
