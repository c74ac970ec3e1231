//! The keys of the telephone, as RFC 4733 events.

use voxtrunk::call::cause::Cause;

use super::simulation::network::Weather;
use super::simulation::phone::{Act, When};
use super::simulation::tongue::plain;
use super::simulation::{ADDRESS, GREETING, HOURS, World};

#[test]
fn a_key_chooses_an_intent() {
    let mut world = World::with_shop();
    world.then(When::Quiet, Act::Press("2")).then(When::Quiet, Act::Press("1"));
    world.then(When::Quiet, Act::HangUp).play();
    assert_eq!(world.heard(), plain(&[GREETING, ADDRESS, HOURS].join(" ")));
    let keys: Vec<&str> = world.record().transcript.iter().map(|line| line.keys.as_str()).collect();
    assert_eq!(keys.concat(), "21");
}

#[test]
fn a_key_interrupts_the_agent() {
    let mut world = World::with_shop();
    world.then(When::Over(800), Act::Press("2")).then(When::Quiet, Act::HangUp).play();
    assert!(world.heard().ends_with(&plain(ADDRESS)), "{}", world.heard());
    assert!(world.record().transcript[0].interrupted);
}

#[test]
fn a_key_is_told_once_though_packets_are_lost_and_doubled() {
    for seed in 0..8 {
        let mut world = World::with_shop();
        world.scene.random = voxtrunk::base::random::Random::repeatable(seed);
        world.scene.media = Weather { loss: 0.2, duplication: 0.2, ..Weather::fair() };
        world.then(When::Quiet, Act::Press("2")).then(When::Quiet, Act::HangUp).play();
        assert_eq!(world.cause(), Cause::CallerHangup);
        let keys: Vec<&str> =
            world.record().transcript.iter().map(|line| line.keys.as_str()).collect();
        assert_eq!(keys.concat(), "2", "{seed}");
    }
}
