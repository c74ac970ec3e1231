//! The caller's side puts the call on hold and takes it back, or moves its media.

use voxtrunk::call::cause::Cause;

use super::simulation::network::Side;
use super::simulation::phone::{Act, When};
use super::simulation::tongue::plain;
use super::simulation::{FAREWELL, GREETING, HOURS, World};

/// Puts the answer on hold for so many milliseconds.
fn held_for(millis: u64) -> World {
    let mut world = World::with_shop();
    world.say(When::Quiet, "when are you open").then(When::Over(1_000), Act::Hold);
    world.then(When::After(millis), Act::Resume).say(When::Quiet, "goodbye").play();
    world
}

#[test]
fn on_hold_the_agent_is_silent_and_afterwards_it_goes_on() {
    let world = held_for(5_000);
    let invites = world.scene.ladder.iter().filter(|rung| rung.summary == "INVITE");
    let invites: Vec<u64> = invites.map(|rung| rung.at).collect();
    let [_, held, back] = invites.as_slice() else { panic!("three INVITEs") };
    assert!(world.voice_between(held + 40, *back).is_empty());
    assert_eq!(world.cause(), Cause::AgentEnded);
    assert_eq!(world.heard(), plain(&[GREETING, HOURS, FAREWELL].join(" ")));
}

#[test]
fn a_call_on_hold_outlives_the_time_without_media() {
    let world = held_for(28_000);
    assert_eq!(world.cause(), Cause::AgentEnded, "{}", world.transcript());
    assert!(world.sent_at(Side::Server, "BYE").is_some_and(|bye| bye > 30_000));
}

#[test]
fn a_reinvite_without_an_offer_moves_the_media_to_where_its_ack_says() {
    let mut world = World::with_shop();
    world.then(When::Quiet, Act::Move).say(When::After(1_000), "when are you open");
    world.say(When::Quiet, "goodbye").play();
    assert_eq!(world.heard(), plain(&[GREETING, HOURS, FAREWELL].join(" ")));
    assert_eq!(world.cause(), Cause::AgentEnded);
}

#[test]
fn a_reinvite_without_an_offer_takes_a_call_back_from_hold() {
    let mut world = World::with_shop();
    world.then(When::Quiet, Act::Hold).then(When::After(3_000), Act::Move);
    world.say(When::After(1_000), "goodbye").play();
    assert_eq!(world.heard(), plain(&[GREETING, FAREWELL].join(" ")));
    assert_eq!(world.cause(), Cause::AgentEnded);
}
