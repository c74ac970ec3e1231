//! Transfers: to another agent of the house, and to somebody whom the caller's side calls.

use voxtrunk::agent::assistant::{Assistant, Intent, Transfer};
use voxtrunk::base::destination::Destination;
use voxtrunk::call::briefing::Refer;
use voxtrunk::call::cause::Cause;
use voxtrunk::call::record::Manner as Manners;
use voxtrunk::dialplan::plan::Route;
use voxtrunk::sip::event::{Ending, Party};

use super::simulation::actor::Actor;
use super::simulation::callee::{Act as Does, Manner};
use super::simulation::network::Side;
use super::simulation::phone::{Act, Moment, When};
use super::simulation::tongue::plain;
use super::simulation::{FAREWELL, GREETING, World, shop};

/// The shop's agent that connects with sales at `to`.
fn shop_with_sales(to: &str) -> Assistant {
    let mut assistant = shop();
    let to = to.parse().expect("a destination");
    let sales = Transfer { say: None, ..Transfer::silent(to) };
    assistant.transfers.insert("sales".to_owned(), sales);
    assistant.tools.push("transfer_call".to_owned());
    assistant.intents.push(Intent {
        id: "sales".to_owned(),
        phrases: vec!["connect me with sales".to_owned()],
        say: vec!["I am connecting you.".to_owned()],
        action: Some("transfer_call:sales".to_owned()),
        ..Intent::default()
    });
    assistant
}

fn world(to: &str) -> World {
    let sales = Assistant { first_message: Some("Sales speaking, good day.".to_owned()), ..shop() };
    let actors =
        vec![Actor::by_rules("desk", shop_with_sales(to)), Actor::by_rules("sales", sales)];
    World::new(1, actors)
}

#[test]
fn another_agent_takes_over_in_the_same_call() {
    let mut world = world("agent:sales");
    world.say(When::Quiet, "connect me with sales").say(When::Quiet, "where are you");
    world.say(When::Quiet, "goodbye").play();
    assert_eq!(world.record().agents, ["desk", "sales"]);
    assert!(world.heard().contains("i am connecting you sales speaking good day you find us"));
    assert!(world.heard().ends_with(&plain(FAREWELL)), "{}", world.heard());
    assert_eq!((world.cause(), world.sent(Side::Phone, "INVITE")), (Cause::AgentEnded, 1));
}

#[test]
fn a_caller_who_speaks_while_agents_change_is_heard_by_the_next() {
    for after in [100, 300, 500, 800, 1_200, 1_600, 2_000, 2_400] {
        let mut world = world("agent:sales");
        world.say(When::Quiet, "connect me with sales").say(When::Over(after), "where are you");
        world.say(When::Quiet, "goodbye").play();
        assert_eq!(world.cause(), Cause::AgentEnded, "{after}: {}", world.transcript());
    }
}

#[test]
fn a_transfer_that_the_callers_side_accepts_ends_the_call() {
    let mut world = world("sip:sales@192.0.2.7");
    world.say(When::Quiet, "connect me with sales").play();
    let referred = Moment::Referred("sip:sales@192.0.2.7".to_owned());
    assert!(world.phone.moments.iter().any(|(_, moment)| *moment == referred));
    assert_eq!(world.cause(), Cause::Transferred);
    assert!(matches!(world.ending(), Ending::Bye { by: Party::Peer, .. }));
    let refer = world.sent_at(Side::Server, "REFER").expect("a REFER");
    assert!(world.voice_between(refer, u64::MAX).is_empty(), "all was said before");
    insta::assert_snapshot!(world.ladder(), @r"
         0  phone --> server  INVITE
        20  phone <-- server  100 INVITE
        20  phone <-- server  180 INVITE
        20  phone <-- server  200 INVITE
        40  phone --> server  ACK
      7301  phone <-- server  REFER
      7321  phone --> server  202 REFER
      7321  phone --> server  NOTIFY
      7341  phone <-- server  200 NOTIFY
      7341  phone <-- server  BYE
      7361  phone --> server  200 BYE
    ");
}

#[test]
fn a_transfer_that_fails_is_told_to_the_caller_and_the_call_goes_on() {
    for refer in [Err(480), Ok(486), Ok(503)] {
        let mut world = world("sip:sales@192.0.2.7");
        world.phone.refer = refer;
        world.say(When::Quiet, "connect me with sales").say(When::Quiet, "where are you");
        world.say(When::Quiet, "goodbye").play();
        assert_eq!(world.cause(), Cause::AgentEnded, "{refer:?}: {}", world.transcript());
        assert!(world.heard().contains("you find us"), "{refer:?}: {}", world.heard());
        let told = world.said().len();
        assert!(told >= 6, "{refer:?}: {}", world.transcript());
    }
}

#[test]
fn where_refer_is_not_liked_we_call_and_connect_both() {
    for (refer, terms) in
        [(Err(603), Refer::First), (Err(405), Refer::First), (Ok(200), Refer::Never)]
    {
        let mut world = world("sip:sales@192.0.2.7");
        world.phone.refer = refer;
        world.server.terms.refer = terms;
        world.with_callee(Manner::Answers(7_000)).then(500, Does::Say("Sales, good day."));
        world.say(When::Quiet, "connect me with sales").say(When::At(18_500), "how much is it");
        world.then(When::After(1_000), Act::HangUp).play();
        let refers = if terms == Refer::Never { 0 } else { 1 };
        assert_eq!(world.sent(Side::Server, "REFER"), refers);
        assert_eq!(world.cause(), Cause::CallerHangup, "{}", world.ladder());
        assert!(world.heard().ends_with("sales good day"), "{}", world.heard());
        assert_eq!(world.callees[0].heard(&world.scene), "how much is it");
        let transfer = &world.record().transfers[0];
        assert_eq!((transfer.manner, transfer.failed), (Manners::Bridge, None));
        assert_eq!(world.record().bridges[0].legs, [0, 1]);
    }
}

#[test]
fn a_caller_hears_ringing_while_we_call() {
    let mut world = world("sip:sales@192.0.2.7");
    world.server.terms.refer = Refer::Never;
    world.with_callee(Manner::Answers(12_000)).then(1_000, Does::HangUp);
    world.say(When::Quiet, "connect me with sales").play();
    let invite = world.sent_at(Side::Server, "INVITE").expect("we called");
    let ringing = world.voice_between(invite + 200, invite + 11_000).len();
    assert!((100..200).contains(&ringing), "two or three bursts of a second: {ringing}");
}

#[test]
fn when_we_reach_nobody_the_agent_is_told_and_goes_on() {
    for (manner, failed, told) in [
        (Manner::Refuses(486), Cause::Busy, 15_000),
        (Manner::Refuses(503), Cause::Unreachable, 15_000),
        (Manner::Rings, Cause::NoAnswer, 45_000),
    ] {
        let mut world = world("sip:sales@192.0.2.7");
        world.server.terms.refer = Refer::Never;
        world.with_callee(manner);
        world.say(When::Quiet, "connect me with sales").say(When::At(told), "goodbye").play();
        assert_eq!(world.cause(), Cause::AgentEnded, "{failed:?}: {}", world.transcript());
        assert_eq!(world.record().transfers[0].failed, Some(failed));
        assert!(world.said().len() >= 4, "{}", world.transcript());
    }
}

#[test]
fn a_caller_who_hangs_up_while_we_call_stops_the_ringing() {
    let mut world = world("sip:sales@192.0.2.7");
    world.server.terms.refer = Refer::Never;
    world.with_callee(Manner::Rings);
    world.say(When::Quiet, "connect me with sales").then(When::At(12_000), Act::HangUp).play();
    assert_eq!(world.cause(), Cause::CallerHangup);
    assert_eq!(world.sent(Side::Server, "CANCEL"), 1);
}

#[test]
fn a_callee_that_refers_sends_somebody_else_in_its_place() {
    let to = |text: &str| text.parse::<Destination>().expect("a destination");
    let mut world = World::with_route(Route {
        ext: vec!["bob".parse().expect("a pattern")],
        ..Route::to(to("sip:bob@192.0.2.8"))
    });
    world.server.routes.push(Route::to(to("sip:anna@192.0.2.7")));
    world.with_callee(Manner::Answers(500)).then(1_000, Does::Refer("sip:bob@192.0.2.2"));
    world.with_callee(Manner::Answers(2_000)).then(1_000, Does::Say("This is Bob."));
    world.say(When::Quiet, "hello bob").then(When::After(1_000), Act::HangUp).play();
    assert!(world.heard().ends_with("this is bob"), "{}\n{}", world.heard(), world.ladder());
    assert_eq!(world.callees[1].heard(&world.scene), "hello bob");
    assert_eq!(world.callees[0].endings.len(), 1);
    let bridges: Vec<_> = world.record().bridges.iter().map(|bridge| bridge.legs).collect();
    assert_eq!(bridges, [[0, 1], [0, 2]]);
    assert_eq!(world.record().transfers[0].manner, Manners::Referral);
}

/// A world where `desk` is Bob, and everything else is answered by the shop's agent.
fn office() -> World {
    let mut world = World::with_route(Route {
        ext: vec!["desk".parse().expect("a pattern")],
        ..Route::to("sip:bob@192.0.2.7".parse().expect("a destination"))
    });
    world.server.routes.push(Route::to(Destination::Agent("desk".to_owned())));
    world
}

#[test]
fn a_callee_sends_the_caller_to_an_agent() {
    let mut world = office();
    world.with_callee(Manner::Answers(500)).then(1_500, Does::Refer("sip:shop@192.0.2.2"));
    world.say(When::Quiet, "where are you").say(When::Quiet, "goodbye").play();
    let record = world.record();
    assert_eq!((world.cause(), &record.agents), (Cause::AgentEnded, &vec!["desk".to_owned()]));
    assert!(world.heard().contains(&plain(GREETING)), "{}", world.heard());
    assert!(world.heard().ends_with(&plain(FAREWELL)), "{}", world.heard());
    assert_eq!(world.callees[0].endings.len(), 1);
    let transfer = &record.transfers[0];
    assert_eq!((transfer.manner, transfer.by), (Manners::Referral, Some(1)));
    assert_eq!((transfer.to.as_str(), transfer.failed), ("agent:desk", None));
}

#[test]
fn a_caller_sends_the_callee_to_an_agent_and_leaves() {
    let mut world = office();
    let bob = world.with_callee(Manner::Answers(500));
    bob.then(9_000, Does::Say("where are you")).then(16_000, Does::Say("goodbye"));
    world.then(When::At(2_500), Act::Refer("sip:shop@192.0.2.2")).play();
    assert_eq!(world.cause(), Cause::AgentEnded, "{}", world.ladder());
    let heard = world.callees[0].heard(&world.scene);
    assert!(heard.contains(&plain(GREETING)) && heard.ends_with(&plain(FAREWELL)), "{heard}");
    let moments = || world.phone.moments.iter().map(|(_, moment)| moment);
    assert!(moments().any(|moment| *moment == Moment::Told(200)), "{:?}", world.phone.moments);
}

#[test]
fn a_callee_cannot_refer_to_where_the_dialplan_does_not_lead() {
    let mut world = World::with_route(Route {
        ext: vec!["desk".parse().expect("a pattern")],
        ..Route::to("sip:anna@192.0.2.7".parse().expect("a destination"))
    });
    world.with_callee(Manner::Answers(500)).then(1_000, Does::Refer("sip:+882999@192.0.2.99"));
    world.callees[0].then(2_000, Does::HangUp);
    world.play();
    assert_eq!(world.sent(Side::Server, "INVITE"), 1);
    assert_eq!(world.sent(Side::Server, "603 REFER"), 1);
}

#[test]
fn a_caller_who_hangs_up_during_a_transfer_is_gone() {
    let mut world = world("sip:sales@192.0.2.7");
    world.scene.loses = Box::new(|_, what| what == "NOTIFY");
    world.say(When::Quiet, "connect me with sales").then(When::After(5_000), Act::HangUp).play();
    assert_eq!(world.cause(), Cause::Transferred);
}
