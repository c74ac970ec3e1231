//! What happens when the caller makes a sound while the agent speaks.

use voxtrunk::agent::conversation::Message;
use voxtrunk::call::cause::Cause;

use super::simulation::actor::Actor;
use super::simulation::phone::{Act, When};
use super::simulation::tongue::plain;
use super::simulation::{ADDRESS, GREETING, HOURS, World, shop};

/// Asks for the opening hours and makes `sound` while they are told.
fn disturbed_by(sound: Act) -> World {
    let mut world = World::with_shop();
    world.say(When::Quiet, "when are you open").then(When::Over(1_100), sound);
    world.then(When::Quiet, Act::HangUp).play();
    world
}

fn said(text: &str) -> Act {
    Act::Say(text.to_owned())
}

#[test]
fn a_caller_who_interrupts_silences_the_agent_within_250_milliseconds() {
    for after in [300, 900, 1_000, 1_010, 1_020, 1_700, 2_500] {
        let mut world = World::with_shop();
        world.say(When::Quiet, "when are you open").say(When::Over(after), "where are you");
        world.then(When::Quiet, Act::HangUp).play();
        let onset = world.spoke(1);
        assert!(!world.voice_between(onset - 200, onset).is_empty(), "the agent was speaking");
        let late = world.voice_between(onset + 250, world.stopped(1));
        assert!(late.is_empty(), "after {after} ms: {late:?}");
        assert_eq!(world.record().interruptions, 1, "after {after} ms");
        assert!(world.heard().ends_with(&plain(ADDRESS)), "{}", world.heard());
    }
}

#[test]
fn of_an_interrupted_answer_the_history_keeps_what_was_heard() {
    let (desk, requests) = Actor::by_rules("desk", shop()).watched();
    let mut world = World::new(1, vec![desk]);
    world.say(When::Quiet, "when are you open").say(When::Over(1_100), "where are you");
    world.then(When::Quiet, Act::HangUp).play();
    let heard = world.heard();
    let part = heard.strip_prefix(&plain(GREETING)).and_then(|it| it.strip_suffix(&plain(ADDRESS)));
    let part = part.expect("the greeting and the second answer were heard").trim();
    let kept = world.record().transcript.iter().find(|line| line.interrupted);
    let kept = plain(&kept.expect("an interrupted line").text);
    let more = part.strip_prefix(&kept).expect("what is kept was heard").split_whitespace();
    assert!(!kept.is_empty() && more.count() <= 1, "heard: {part}; kept: {kept}");
    let requests = requests.borrow();
    let told = requests.last().expect("a request").messages.iter().find_map(|it| match it {
        Message::Agent { text, interrupted: true } => Some(plain(text)),
        _ => None,
    });
    assert_eq!(told, Some(kept), "the model is told the same");
}

#[test]
fn a_back_channel_does_not_stop_the_agent_and_no_word_is_lost() {
    for word in ["mhm", "ok", "yep", "hm"] {
        let world = disturbed_by(said(word));
        assert_eq!(world.heard(), plain(&[GREETING, HOURS].join(" ")), "{word}");
        assert_eq!(world.record().interruptions, 0, "{word}");
        assert_eq!(world.understood(), ["when are you open"], "{word}");
    }
}

#[test]
fn a_drawn_out_back_channel_does_not_stop_an_agent_that_hears_words_at_once() {
    let mut desk = Actor::by_rules("desk", shop());
    desk.hearing.partials = true;
    let mut world = World::new(1, vec![desk]);
    world.say(When::Quiet, "when are you open").say(When::Over(1_100), "uh-huh");
    world.then(When::Quiet, Act::HangUp).play();
    assert_eq!(world.heard(), plain(&[GREETING, HOURS].join(" ")));
    assert_eq!(world.record().interruptions, 0);
}

#[test]
fn a_cough_does_not_stop_the_agent_and_no_word_is_lost() {
    for millis in [60, 120, 180, 240] {
        let world = disturbed_by(Act::Cough(millis));
        assert_eq!(world.heard(), plain(&[GREETING, HOURS].join(" ")), "{millis} ms");
        assert_eq!(world.record().interruptions, 0, "{millis} ms");
        assert_eq!(world.cause(), Cause::CallerHangup);
    }
}

#[test]
fn a_cough_in_a_silence_is_no_turn() {
    let (desk, requests) = Actor::by_rules("desk", shop()).watched();
    let mut world = World::new(1, vec![desk]);
    world.then(When::Quiet, Act::Cough(250)).then(When::After(4_000), Act::HangUp).play();
    assert_eq!(world.heard(), plain(GREETING));
    assert!(requests.borrow().is_empty(), "nobody was asked");
}

#[test]
fn a_protected_greeting_is_heard_to_its_end_and_the_question_is_kept() {
    let mut assistant = shop();
    assistant.interrupt.first_message = false;
    let mut world = World::new(1, vec![Actor::by_rules("desk", assistant)]);
    world.say(When::Over(800), "where are you").then(When::After(7_000), Act::HangUp).play();
    assert_eq!(world.heard(), plain(&[GREETING, ADDRESS].join(" ")));
    assert_eq!(world.understood(), ["where are you"]);
}
