//! A network that loses, delays and doubles.

use std::time::Duration;

use voxtrunk::call::cause::Cause;
use voxtrunk::sip::event::{Ending, Party};

use super::simulation::actor::Actor;
use super::simulation::network::{Side, Weather};
use super::simulation::phone::{Act, When};
use super::simulation::tongue::plain;
use super::simulation::{ADDRESS, FAREWELL, GREETING, World, shop};

/// Loses the first `count` messages of `side` with this summary.
fn lose(world: &mut World, side: Side, summary: &'static str, mut count: usize) {
    world.scene.loses = Box::new(move |from, what| {
        let lost = from == side && what == summary && count > 0;
        count -= usize::from(lost);
        lost
    });
}

#[test]
fn a_lost_ack_is_asked_for_again_and_the_greeting_is_said_once() {
    let mut world = World::with_shop();
    lose(&mut world, Side::Phone, "ACK", 2);
    world.then(When::Quiet, Act::HangUp).play();
    assert_eq!((world.heard(), world.cause()), (plain(GREETING), Cause::CallerHangup));
    insta::assert_snapshot!(world.ladder(), @r"
         0  phone --> server  INVITE
        20  phone <-- server  100 INVITE
        20  phone <-- server  180 INVITE
        20  phone <-- server  200 INVITE
        40  phone --> server  ACK (lost)
       520  phone <-- server  200 INVITE
       540  phone --> server  ACK (lost)
      1520  phone <-- server  200 INVITE
      1540  phone --> server  ACK
      4010  phone --> server  BYE
      4030  phone <-- server  200 BYE
    ");
}

#[test]
fn a_call_whose_ack_never_comes_is_given_up() {
    let mut world = World::with_shop();
    lose(&mut world, Side::Phone, "ACK", usize::MAX);
    world.play();
    assert_eq!(world.cause(), Cause::SignallingTimeout);
    assert_eq!(world.sent(Side::Server, "BYE"), 1, "the caller is not left in a dead call");
}

#[test]
fn a_lost_200_is_sent_again() {
    let mut world = World::with_shop();
    lose(&mut world, Side::Server, "200 INVITE", 3);
    world.say(When::Quiet, "goodbye").play();
    assert_eq!(world.heard().split(' ').next_back(), Some("day"));
    assert_eq!((world.cause(), world.sent(Side::Server, "200 INVITE")), (Cause::AgentEnded, 4));
}

#[test]
fn a_lost_bye_is_sent_again() {
    for (side, act) in [(Side::Phone, Act::HangUp), (Side::Server, Act::Say("goodbye".to_owned()))]
    {
        let mut world = World::with_shop();
        lose(&mut world, side, "BYE", 4);
        world.then(When::Quiet, act).play();
        assert_eq!(world.sent(side, "BYE"), 5);
    }
}

#[test]
fn with_a_fifth_of_the_signalling_lost_every_call_ends_and_both_sides_agree() {
    for seed in 0..30 {
        let mut world = World::new(seed, vec![Actor::by_rules("desk", shop())]);
        world.scene.signalling = Weather::stormy(0.2);
        world.scene.lag = Duration::from_millis(3);
        let act = if seed % 2 == 0 { Act::HangUp } else { Act::Say("goodbye".to_owned()) };
        world.then(When::Quiet, act).play();
        match world.ending() {
            Ending::Bye { by: Party::Us, .. } => assert_eq!(world.cause(), Cause::CallerHangup),
            Ending::Bye { by: Party::Peer, .. } => assert_eq!(world.cause(), Cause::AgentEnded),
            other => panic!("{seed}: {other:?}\n{}", world.ladder()),
        }
        assert!(world.heard().starts_with(&plain(GREETING)), "{seed}: {}", world.heard());
    }
}

#[test]
fn turns_are_understood_with_a_tenth_of_the_voice_lost_and_the_rest_late() {
    for seed in 0..6 {
        let mut world = World::new(seed, vec![Actor::by_rules("desk", shop())]);
        world.scene.media =
            Weather { jitter: Duration::from_millis(30), loss: 0.1, ..Weather::fair() };
        world.say(When::Quiet, "where are you").say(When::Quiet, "goodbye").play();
        assert_eq!(world.understood(), ["where are you", "goodbye"], "{seed}");
        assert_eq!(world.cause(), Cause::AgentEnded, "{seed}");
        // Of what the agent says no more is lost than the network loses.
        let (whole, heard) = (plain(&[GREETING, ADDRESS, FAREWELL].join(" ")), world.heard());
        let (whole, heard) = (whole.split(' ').count(), heard.split(' ').count());
        assert!(whole.abs_diff(heard) <= 3, "{seed}: {heard} of {whole} words");
        let quality = world.record().legs[0].quality;
        let share = quality.lost as f64 / (quality.lost + quality.received) as f64;
        assert!((0.05..0.15).contains(&share), "{seed}: {quality:?}");
    }
}
