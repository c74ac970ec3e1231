//! Calls that the server ends: by their length, and when it drains or goes down.

use std::time::Duration;

use voxtrunk::call::cause::Cause;
use voxtrunk::sip::event::{Ending, Party};

use super::simulation::actor::Actor;
use super::simulation::network::Side;
use super::simulation::phone::When;
use super::simulation::{World, shop};

#[test]
fn the_longest_call_ends_with_a_goodbye() {
    let mut assistant = shop();
    assistant.limits.max_duration = Duration::from_secs(12);
    let mut world = World::new(1, vec![Actor::by_rules("desk", assistant)]);
    for _ in 0..9 {
        world.say(When::Quiet, "when are you open");
    }
    world.play();
    assert_eq!(world.cause(), Cause::MaxDuration);
    assert!(world.heard().ends_with("goodbye"), "{}", world.heard());
    assert!(world.record().lasted < Duration::from_secs(15), "{:?}", world.record().lasted);
}

#[test]
fn a_server_that_drains_says_goodbye_and_then_hangs_up() {
    for at in [500, 2_000, 5_000, 7_000, 9_000] {
        let mut world = World::with_shop();
        world.wind_up = Some(at);
        world.say(When::Quiet, "when are you open").play();
        assert_eq!(world.cause(), Cause::ServerShutdown, "at {at}");
        assert!(world.heard().ends_with("goodbye"), "at {at}: {}", world.heard());
        let bye = world.sent_at(Side::Server, "BYE").expect("the server hung up");
        assert!((at + 500..at + 6_000).contains(&bye), "drained at {at}, gone at {bye}");
    }
}

#[test]
fn a_call_that_is_being_answered_when_the_server_drains_is_ended() {
    let mut world = World::with_shop();
    world.server.bind_after = Duration::from_secs(1);
    world.wind_up = Some(300);
    world.play();
    assert_eq!(world.cause(), Cause::ServerShutdown);
    assert!(matches!(world.ending(), Ending::Refused { by: Party::Peer, status: 503, .. }));
}

#[test]
fn a_server_that_goes_down_hangs_up_at_once() {
    let mut world = World::with_shop();
    world.shut_down = Some(2_000);
    world.play();
    assert_eq!(world.cause(), Cause::ServerShutdown);
    assert_eq!(world.sent_at(Side::Server, "BYE"), Some(2_000));
    assert!(world.record().transcript[0].interrupted, "{}", world.transcript());
}

#[test]
fn a_server_that_goes_down_waits_for_no_word() {
    // While the caller speaks, in its pause, and while the text is under way.
    for at in [4_100, 4_700, 5_300] {
        let mut world = World::with_shop();
        world.server.actors[0].hearing.takes = Duration::from_secs(3);
        world.say(When::At(4_000), "when are you open on saturday");
        world.shut_down = Some(at);
        world.play();
        assert_eq!(world.cause(), Cause::ServerShutdown, "at {at}");
        let over = world.server.facts.last().expect("a fact").0;
        assert!(over <= at + 1_000, "went down at {at}, over at {over}");
    }
}
