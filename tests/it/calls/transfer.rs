//! Transfers: to another agent of the house, and to somebody whom the caller's side calls.

use voxtrunk::agent::assistant::{Assistant, Intent, Transfer};
use voxtrunk::call::cause::Cause;
use voxtrunk::sip::event::{Ending, Party};

use super::simulation::actor::Actor;
use super::simulation::network::Side;
use super::simulation::phone::{Act, Moment, When};
use super::simulation::tongue::plain;
use super::simulation::{FAREWELL, World, shop};

/// The shop's agent that connects with sales at `to`.
fn shop_with_sales(to: &str) -> Assistant {
    let mut assistant = shop();
    let to = to.parse().expect("a destination");
    let sales = Transfer { to, description: "Sales".to_owned(), say: None };
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
    for refer in [Err(603), Ok(486), Ok(503)] {
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
fn a_caller_who_hangs_up_during_a_transfer_is_gone() {
    let mut world = world("sip:sales@192.0.2.7");
    world.scene.loses = Box::new(|_, what| what == "NOTIFY");
    world.say(When::Quiet, "connect me with sales").then(When::After(5_000), Act::HangUp).play();
    assert_eq!(world.cause(), Cause::Transferred);
}
