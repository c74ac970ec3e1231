//! A turn model hears whether the caller is done: it shortens and lengthens the wait for words that
//! say neither, and changes nothing when it speaks too late or not at all.

use std::time::Duration;

use voxtrunk::agent::assistant::{Assistant, Detector, Turns};
use voxtrunk::agent::judgement::{Judged, Likelihood};

use super::simulation::actor::{Actor, TurnModel};
use super::simulation::phone::{Act, When};
use super::simulation::tongue::plain;
use super::simulation::{ADDRESS, GREETING, HOURS, World, shop};

/// A world whose agent asks a model that takes so many milliseconds and says so much.
fn judged_by(model: Option<(u64, f32)>) -> World {
    let turns = Turns { detector: Some(Detector::Smart), ..Turns::default() };
    let mut desk = Actor::by_rules("desk", Assistant { turns, ..shop() });
    desk.turn_model = model.map(|(takes, says)| TurnModel {
        takes: Duration::from_millis(takes),
        says: Likelihood::of(says),
    });
    World::new(1, vec![desk])
}

#[test]
fn what_the_model_says_of_a_pause_decides_how_long_the_caller_waits() {
    let millis = Duration::from_millis;
    for (model, wait, answer) in [
        (Some((60, 0.9)), 300, Some(0.9)),
        (Some((60, 0.2)), 1_200, Some(0.2)),
        // It takes longer than words without a sign may wait: nobody waits for it.
        (Some((500, 0.9)), 600, None),
        (Some((500, 0.2)), 600, None),
        (None, 600, None),
    ] {
        let mut world = judged_by(model);
        world.say(When::Quiet, "when are you open").then(When::Quiet, Act::HangUp).play();
        assert_eq!(world.heard(), plain(&[GREETING, HOURS].join(" ")), "{model:?}");
        let turn = &world.record().turns[0];
        assert_eq!(turn.latency.committed, Some(millis(wait)), "{model:?}");
        let complete = answer.map(Likelihood::of);
        let took = answer.map(|_| millis(60));
        assert_eq!(turn.judged, Some(Judged { asked: 1, complete, took }), "{model:?}");
    }
}

#[test]
fn words_that_are_sure_are_answered_as_soon_whatever_the_model_says() {
    for says in [0.1, 0.9] {
        let mut world = judged_by(Some((60, says)));
        world.say(When::Quiet, "goodbye").play();
        let turn = &world.record().turns[0];
        assert_eq!(turn.latency.committed, Some(Duration::from_millis(300)), "{says}");
    }
}

#[test]
fn a_caller_who_stops_to_think_is_understood_in_one_turn() {
    for (model, first) in [(Some((60, 0.1)), "when are you open"), (None, "when are you")] {
        let mut world = judged_by(model);
        world.say(When::Quiet, "when are you").say(When::After(800), "open");
        world.then(When::Quiet, Act::HangUp).play();
        assert_eq!(world.understood()[0], first, "{model:?}");
        let judged = world.record().turns[0].judged.expect("it was asked");
        assert_eq!(judged.asked, if model.is_some() { 2 } else { 1 });
    }
}

#[test]
fn a_caller_who_interrupts_is_judged_too() {
    let mut world = judged_by(Some((60, 0.9)));
    world.say(When::Quiet, "when are you open").say(When::Over(1_100), "where are you");
    world.then(When::Quiet, Act::HangUp).play();
    assert!(world.heard().ends_with(&plain(ADDRESS)), "{}", world.heard());
    let turn = &world.record().turns[1];
    assert_eq!(turn.latency.committed, Some(Duration::from_millis(300)));
    assert_eq!(turn.judged.map(|it| it.asked), Some(1));
}

#[test]
fn an_agent_that_goes_by_silence_alone_asks_nobody() {
    let mut world = World::with_shop();
    world.say(When::Quiet, "when are you open").then(When::Quiet, Act::HangUp).play();
    assert_eq!(world.record().turns[0].judged, None);
}
