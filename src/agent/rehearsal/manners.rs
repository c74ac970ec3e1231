//! What an operator may set of an agent's manners: how it yields, when it is stopped at once, how
//! long it holds back, how keys end, and its last words.

use std::time::Duration;

use super::stage::{Stage, caller};
use crate::agent::assistant::{Assistant, Yields};
use crate::agent::event::{Note, Output, Over};

const LONG: (&str, &str) = (
    "menu",
    "Today we have soup, fish and bread. Tomorrow there will be nothing but cake. Anything else?",
);

fn interruptions(stage: &Stage) -> usize {
    stage.notes().filter(|(_, note)| **note == Note::Interrupted).count()
}

#[test]
fn an_agent_that_ducks_goes_on_speaking_through_a_cough() {
    let mut assistant = Assistant::default();
    assistant.interrupt.manner = Yields::Duck;
    let mut stage = Stage::with_answers(assistant, "Hello.", &[LONG]);
    stage.caller(1_000, 800, "The menu?");
    stage.caller(4_000, 150, "");
    stage.play(12_000);
    assert_eq!(stage.first(|it| *it == Output::Duck), Some(4_060));
    assert_eq!(stage.first(|it| *it == Output::Pause), None);
    assert_eq!(stage.first(|it| *it == Output::Resume), Some(4_360));
    assert_eq!(interruptions(&stage), 0);
    assert!(stage.transcript().contains(&"agent: Anything else?".to_owned()));
}

#[test]
fn what_was_said_quietly_counts_as_heard() {
    let heard = |manner| {
        let mut assistant = Assistant::default();
        assistant.interrupt.manner = manner;
        let mut stage = Stage::with_answers(assistant, "Hello.", &[LONG]);
        stage.caller(1_000, 800, "The menu?");
        stage.caller(4_000, 1_500, "No, your hours.");
        stage.play(9_000);
        assert_eq!(interruptions(&stage), 1);
        stage.transcript().iter().find(|line| line.ends_with('—')).map_or(0, String::len)
    };
    let (ducked, paused) = (heard(Yields::Duck), heard(Yields::Pause));
    assert!(ducked > paused, "half a second more: {ducked} and {paused}");
}

#[test]
fn a_word_that_always_interrupts_is_not_waited_for() {
    let dropped = |always: &[&str]| {
        let mut assistant = Assistant::default();
        assistant.interrupt.always = always.iter().map(|word| (*word).to_owned()).collect();
        assistant.interrupt.min_words = 3;
        let mut stage = Stage::with_answers(assistant, "Hello.", &[LONG]);
        stage.caller(1_000, 800, "The menu?");
        stage.caller(4_000, 300, "Stop.");
        stage.play(9_000);
        (interruptions(&stage), stage.first(|it| matches!(it, Output::Flush { .. })))
    };
    assert_eq!(dropped(&[]), (0, None));
    let (interruptions, at) = dropped(&["stop"]);
    assert_eq!(interruptions, 1);
    assert!(at.is_some_and(|at| at < 4_700), "{at:?}");
}

#[test]
fn an_agent_that_was_interrupted_holds_back() {
    let taken = |backoff| {
        let mut assistant = Assistant::default();
        assistant.interrupt.backoff = Duration::from_millis(backoff);
        let hours = ("hours", "We are open from nine to five.");
        let mut stage = Stage::with_answers(assistant, "Hello.", &[LONG, hours]);
        stage.caller(1_000, 800, "The menu?");
        stage.caller(4_000, 700, "Your hours!");
        stage.play(12_000);
        assert_eq!(interruptions(&stage), 1);
        let said = stage.notes().filter(|(_, note)| matches!(note, Note::CallerSaid { .. }));
        said.map(|(at, _)| at).last().expect("the turn is taken")
    };
    // It is interrupted 500 ms after the edge at 4,060.
    assert!(taken(0) < 5_200);
    assert_eq!(taken(2_000), 4_560 + 2_000);
}

#[test]
fn keys_end_as_the_operator_says() {
    let taken = |terminator, timeout| {
        let mut assistant = Assistant::default();
        assistant.dtmf.terminator = terminator;
        assistant.dtmf.timeout = Duration::from_millis(timeout);
        let mut stage = Stage::with_answers(assistant, "", &[("x", "Thank you.")]);
        stage.keys(1_000, "12*");
        stage.play(9_000);
        let request = stage.requests()[0].messages.clone();
        let at = stage.first(|it| matches!(it, Output::Think { .. }));
        (request.last().cloned(), at.expect("it thinks"))
    };
    let last_key = taken(Some('*'), 3_000).1;
    assert_eq!(taken(Some('*'), 3_000).0, Some(caller("", "12")));
    assert_eq!(taken(None, 3_000), (Some(caller("", "12*")), last_key + 3_000));
    assert_eq!(taken(Some('#'), 500), (Some(caller("", "12*")), last_key + 500));
}

#[test]
fn a_last_phrase_is_heard_to_its_end_and_ends_the_call() {
    let assistant =
        || Assistant { end_phrases: vec!["have a nice day".to_owned()], ..Assistant::default() };
    let bye = ("bye", "It was a pleasure. Have a nice day! Take care.");
    let mut stage = Stage::with_answers(assistant(), "Hello.", &[bye]);
    stage.caller(1_000, 800, "bye");
    stage.play(20_000);
    let (over, why) = stage.over().expect("the call is over");
    assert_eq!(why, Over::AgentEnded);
    let last = stage.notes().filter(|(_, note)| matches!(note, Note::AgentSaid { .. })).last();
    let (at, last) = last.expect("it said something");
    assert!(
        matches!(last, Note::AgentSaid { text, interrupted: false, .. } if text == "Take care.")
    );
    assert!(over >= at, "{over} and {at}");
    // Who goes on talking is not hung up on.
    let mut stage = Stage::with_answers(assistant(), "Hello.", &[bye, ("wait", "Of course.")]);
    stage.caller(1_000, 800, "bye");
    stage.caller(4_300, 900, "No, wait, one more thing.");
    stage.play(9_000);
    assert_eq!(stage.over(), None);
    assert!(
        stage.transcript().contains(&"agent: Of course.".to_owned()),
        "{:?}",
        stage.transcript()
    );
}
