//! Test destinations, as every telephone system has them.

use std::time::Duration;

use voxtrunk::call::cause::Cause;
use voxtrunk::dialplan::plan::Route;
use voxtrunk::sip::event::{Ending, Party};

use super::simulation::World;
use super::simulation::network::Side;
use super::simulation::phone::{Act, Moment, When};

fn world(to: &str) -> World {
    World::with_route(Route::to(to.parse().expect("a destination")))
}

#[test]
fn an_echo_says_what_the_caller_says() {
    let mut world = world("echo");
    world.say(When::At(1_000), "how do i sound").then(When::After(2_000), Act::HangUp).play();
    assert_eq!(world.heard(), "how do i sound");
    assert_eq!(world.cause(), Cause::CallerHangup);
}

#[test]
fn a_tone_is_heard_until_the_caller_hangs_up() {
    let mut world = world("tone");
    world.then(When::At(5_000), Act::HangUp).play();
    let tone = world.voice_between(200, 5_000).len();
    assert!((235..=245).contains(&tone), "{tone}");
}

#[test]
fn a_drill_that_rings_answers_after_its_time() {
    let mut world = world("ring:7");
    world.then(When::At(9_000), Act::HangUp).play();
    assert!((7_000..7_200).contains(&world.sent_at(Side::Server, "200 INVITE").expect("a 200")));
    assert_eq!(world.sent(Side::Server, "180 INVITE"), 1);
}

#[test]
fn early_media_is_heard_before_the_answer() {
    let mut world = world("early");
    world.then(When::At(6_000), Act::HangUp).play();
    assert_eq!(world.sent(Side::Server, "183 INVITE"), 1);
    assert!((3_000..3_200).contains(&world.sent_at(Side::Server, "200 INVITE").expect("a 200")));
    assert!(
        world.voice_between(100, 3_000).len() > 130
            && world.voice_between(3_100, 6_000).len() > 130
    );
}

#[test]
fn nobody_is_busy_or_answers_where_the_test_says_so() {
    let mut busy = world("busy");
    busy.play();
    assert!(matches!(busy.ending(), Ending::Refused { by: Party::Peer, status: 486, .. }));
    let mut nobody = world("noanswer");
    nobody.then(When::At(20_000), Act::HangUp).play();
    assert_eq!(nobody.cause(), Cause::Canceled);
}

#[test]
fn keys_come_back() {
    let mut world = world("digits");
    world.then(When::At(1_000), Act::Press("159*")).then(When::At(6_000), Act::HangUp).play();
    let keys = world.phone.moments.iter().filter_map(|(_, moment)| match moment {
        Moment::Key(key) => Some(*key),
        _ => None,
    });
    assert_eq!(keys.collect::<String>(), "159*");
}

#[test]
fn a_test_may_send_the_caller_elsewhere() {
    let mut world = world("refer:sip:anna@192.0.2.9");
    world.play();
    let referred = Moment::Referred("sip:anna@192.0.2.9".to_owned());
    assert!(world.phone.moments.iter().any(|(_, moment)| *moment == referred));
    assert_eq!(world.cause(), Cause::Transferred);
    assert!(world.record().lasted < Duration::from_secs(3));
}
