//! Models and voices that stall, fail or are slow: the caller never waits in endless silence.

use std::time::Duration;

use voxtrunk::agent::event::Delta;
use voxtrunk::agent::tool::{ToolCall, names};
use voxtrunk::call::cause::Cause;

use super::simulation::actor::{Actor, Works};
use super::simulation::phone::{Act, When};
use super::simulation::tongue::plain;
use super::simulation::{GREETING, World, shop};

const HOLDING: &str = "One moment, please.";
const FALLBACK: &str = "I am sorry, I could not find an answer. Could you say that again?";

/// A world whose model gives the answers in turn; after the last it stalls.
fn model(mut answers: Vec<Vec<(u64, Delta)>>) -> World {
    answers.reverse();
    let mind = move |_: &_| answers.pop().unwrap_or_default();
    World::new(1, vec![Actor::with_mind("desk", shop(), Box::new(mind))])
}

fn text(text: &str) -> Delta {
    Delta::Text(text.to_owned())
}

#[test]
fn a_stalled_model_is_covered_by_a_holding_phrase_within_two_seconds_and_then_by_a_fallback() {
    let mut world = model(Vec::new());
    world.say(When::Quiet, "when are you open").then(When::After(14_000), Act::HangUp).play();
    assert_eq!(world.heard(), plain(&[GREETING, HOLDING, FALLBACK].join(" ")));
    let waited = world.heard_at("one") - world.stopped(0);
    assert!(waited < 2_000, "the holding phrase after {waited} ms");
    let waited = world.heard_at("sorry") - world.stopped(0);
    assert!(waited < 11_000, "the fallback after {waited} ms");
}

#[test]
fn a_model_that_fails_again_and_again_ends_the_call_with_an_apology() {
    let mut world = model(vec![vec![(100, Delta::Failed)]; 9]);
    for _ in 0..5 {
        world.say(When::Quiet, "when are you open");
    }
    world.play();
    assert_eq!(world.cause(), Cause::ProviderError);
    assert!(world.heard().ends_with("please call again later goodbye"), "{}", world.heard());
}

#[test]
fn a_model_that_stalls_in_mid_sentence_is_not_waited_for_for_ever() {
    let mut world = model(vec![vec![(100, text("We are open. But on Sundays"))]]);
    world.say(When::Quiet, "when are you open").then(When::After(25_000), Act::HangUp).play();
    assert!(world.heard().contains("we are open"), "{}", world.heard());
    let last = world.server.facts.last().map(|(at, _, _)| *at).expect("facts");
    assert!(last < 40_000, "{last}");
}

#[test]
fn an_answer_in_pieces_is_heard_whole() {
    let pieces = ["We ", "are op", "en from ni", "ne to six, and we ", "are closed on Sun", "day."];
    let mut deltas: Vec<_> = pieces.iter().map(|piece| (150, text(piece))).collect();
    deltas.push((10, Delta::Done));
    let mut world = model(vec![deltas]);
    world.say(When::Quiet, "when are you open").then(When::Quiet, Act::HangUp).play();
    let answer = plain("We are open from nine to six, and we are closed on Sunday.");
    assert_eq!(world.heard(), format!("{} {answer}", plain(GREETING)));
}

#[test]
fn a_goodbye_of_a_model_is_heard_before_the_bye() {
    let call = ToolCall {
        id: "1".to_owned(),
        name: names::END_CALL.to_owned(),
        arguments: "{}".to_owned(),
    };
    for deltas in [
        vec![(100, text("Farewell then.")), (20, Delta::Tool(call.clone())), (0, Delta::Done)],
        vec![(100, Delta::Tool(call)), (20, Delta::Done)],
    ] {
        let worded = deltas.len() == 3;
        let mut world = model(vec![deltas]);
        world.say(When::Quiet, "that is all").play();
        assert_eq!(world.cause(), Cause::AgentEnded);
        let goodbye = if worded { "farewell then" } else { "goodbye" };
        assert!(world.heard().ends_with(goodbye), "{}", world.heard());
    }
}

#[test]
fn a_voice_that_fails_ends_the_call_and_does_not_keep_the_caller() {
    for works in [Works::Fails, Works::Hangs] {
        let mut desk = Actor::by_rules("desk", shop());
        desk.voice.works = works;
        let mut world = World::new(1, vec![desk]);
        world.play();
        let ended = world.record().lasted;
        assert!(ended < Duration::from_secs(60), "{works:?}: {ended:?}, {:?}", world.cause());
    }
}

#[test]
fn a_slow_transcriber_loses_no_turn() {
    let mut desk = Actor::by_rules("desk", shop());
    desk.hearing.takes = Duration::from_millis(1_500);
    let mut world = World::new(1, vec![desk]);
    world.say(When::Quiet, "where are you").say(When::Quiet, "goodbye").play();
    assert_eq!(world.understood(), ["where are you", "goodbye"]);
    assert_eq!(world.cause(), Cause::AgentEnded);
}
