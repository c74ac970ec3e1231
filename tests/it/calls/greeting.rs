//! A call that goes well: greeting, turns, goodbye.

use voxtrunk::call::cause::Cause;

use super::simulation::phone::{Act, When};
use super::simulation::tongue::plain;
use super::simulation::{ADDRESS, FAREWELL, GREETING, HOURS, World};

#[test]
fn the_agent_greets_whoever_calls() {
    let mut world = World::with_shop();
    world.then(When::Quiet, Act::HangUp).play();
    println!("{}\n{}", world.ladder(), world.transcript());
    assert_eq!(world.heard(), plain(GREETING));
    assert_eq!(world.cause(), Cause::CallerHangup);
}

#[test]
fn two_turns_are_understood_and_answered_and_the_goodbye_is_heard_before_the_bye() {
    let mut world = World::with_shop();
    world.say(When::Quiet, "what are your opening hours").say(When::Quiet, "where are you");
    world.say(When::Quiet, "goodbye").play();
    println!("{}\n{}", world.ladder(), world.transcript());
    assert_eq!(world.heard(), plain(&[GREETING, HOURS, ADDRESS, FAREWELL].join(" ")));
    assert_eq!(world.cause(), Cause::AgentEnded);
}
