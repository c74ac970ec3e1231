//! What a turn model changes in a conversation: for each way in which the words may end, and each
//! way in which the model may answer.

use std::time::Duration;

use super::stage::Stage;
use crate::agent::assistant::{Assistant, Detector, Turns};
use crate::agent::event::{Input, Note, Output, PauseId};
use crate::agent::judgement::{Judged, Judgement, Likelihood};

fn assistant(detector: Detector) -> Assistant {
    let turns = Turns { detector: Some(detector), ..Turns::default() };
    Assistant { turns, ..Assistant::default() }
}

fn stage() -> Stage {
    Stage::with_answers(assistant(Detector::Smart), "Hello.", &[("table", "It is booked.")])
}

/// How long after the last voiced sample the turns were taken, in milliseconds.
fn taken(stage: &Stage, last_voiced: u64) -> Vec<u64> {
    let taken = stage.notes().filter(|(_, note)| matches!(note, Note::CallerSaid { .. }));
    taken.map(|(at, _)| at - last_voiced).collect()
}

/// What came of the questions in each turn.
fn judged(stage: &Stage) -> Vec<Judged> {
    let judged = stage.notes().filter_map(|(_, note)| match note {
        Note::TurnJudged { judged, .. } => Some(*judged),
        _ => None,
    });
    judged.collect()
}

/// What the model does: it takes so many milliseconds and says so much.
const COMPLETE: Option<(u64, f32)> = Some((60, 0.9));
const INCOMPLETE: Option<(u64, f32)> = Some((60, 0.1));
/// After every wait but the longest.
const LATE: Option<(u64, f32)> = Some((700, 0.9));
const LATE_AND_INCOMPLETE: Option<(u64, f32)> = Some((700, 0.1));
const SILENT: Option<(u64, f32)> = None;

#[test]
fn each_end_of_words_and_each_answer_has_its_wait() {
    // By the words: a question, a full stop, no sign, digits, half a sentence.
    let words = [
        "is there a table free?",
        "i want a table.",
        "a table tomorrow at five",
        "my number is five five five",
        "i would like a table and",
    ];
    for (answer, waits) in [
        (COMPLETE, [300, 300, 300, 1_000, 600]),
        (INCOMPLETE, [300, 600, 1_200, 1_000, 1_200]),
        (LATE, [300, 300, 600, 1_000, 860]),
        (LATE_AND_INCOMPLETE, [300, 300, 600, 1_000, 1_200]),
        (SILENT, [300, 300, 600, 1_000, 1_200]),
    ] {
        for (words, wait) in words.into_iter().zip(waits) {
            let mut stage = stage();
            stage.turn_model = answer;
            stage.caller(2_000, 1_000, words);
            stage.play(8_000);
            assert_eq!(taken(&stage, 3_000), [wait], "{words}: {answer:?}");
            let asked = stage.log.iter().filter(|(_, it)| matches!(it, Output::Judge(_))).count();
            assert_eq!(asked, 1, "{words}: {answer:?}");
        }
    }
}

#[test]
fn the_record_is_told_how_often_it_was_asked_and_what_it_said_last() {
    let mut stage = stage();
    stage.turn_model = INCOMPLETE;
    stage.caller(2_000, 1_000, "a table tomorrow ");
    stage.caller(3_800, 1_000, "at five");
    stage.play(5_000);
    stage.turn_model = SILENT;
    stage.caller(9_000, 1_000, "a table in the garden");
    stage.play(20_000);
    let (took, complete) = (Duration::from_millis(60), Likelihood::of(0.1));
    let spoke = Judged { asked: 2, complete: Some(complete), took: Some(took) };
    assert_eq!(judged(&stage), [spoke, Judged { asked: 1, ..Judged::default() }]);
}

#[test]
fn a_caller_who_only_draws_breath_is_not_cut_in_on() {
    for (answer, turns) in [(INCOMPLETE, 1), (SILENT, 2)] {
        let mut stage = stage();
        stage.turn_model = answer;
        stage.caller(2_000, 1_000, "a table tomorrow ");
        stage.caller(3_900, 1_000, "for the three of us");
        stage.play(12_000);
        assert_eq!(taken(&stage, 0).len(), turns, "{answer:?}");
    }
}

#[test]
fn an_answer_to_an_earlier_pause_says_nothing_of_this_one() {
    let mut stage = stage();
    stage.caller(2_000, 1_000, "a table ");
    stage.caller(3_400, 1_000, "tomorrow at five");
    // The first pause was at 3.16 s, the second at 4.56 s.
    let complete = Likelihood::of(0.9);
    for (at, pause) in [(3_500, 1), (4_600, 1)] {
        stage.fact(at, Input::Judged(Judgement { pause: PauseId(pause), complete }));
    }
    stage.play(8_000);
    assert_eq!(taken(&stage, 4_400), [600]);
    assert_eq!(judged(&stage), [Judged { asked: 2, ..Judged::default() }]);
}

#[test]
fn a_likely_end_lets_the_answer_be_thought_of_before_the_turn_is_taken() {
    let mut stage = stage();
    stage.turn_model = COMPLETE;
    stage.caller(2_000, 1_000, "a table tomorrow at five");
    stage.play(8_000);
    let thought = stage.first(|it| matches!(it, Output::Think { .. }));
    assert_eq!((thought, taken(&stage, 3_000)), (Some(3_220), vec![300]));
    assert_eq!(stage.requests().len(), 1);
}

#[test]
fn words_that_are_sure_before_the_pause_and_other_detectors_ask_nothing() {
    let mut sure = stage();
    let partial = crate::agent::event::Transcript::Partial { text: "yes please".to_owned() };
    sure.caller(2_000, 1_000, "yes please");
    sure.fact(2_900, Input::Transcript { pause: PauseId(0), transcript: partial });
    let mut plain = Stage::with_answers(assistant(Detector::Vad), "Hello.", &[]);
    plain.caller(2_000, 1_000, "a table tomorrow at five");
    for (mut stage, wait) in [(sure, 300), (plain, 600)] {
        stage.turn_model = INCOMPLETE;
        stage.play(8_000);
        assert_eq!(stage.first(|it| matches!(it, Output::Judge(_))), None);
        assert_eq!((taken(&stage, 3_000), judged(&stage)), (vec![wait], vec![]));
    }
}

#[test]
fn what_is_said_over_the_agent_is_judged_like_any_other_turn() {
    let long = "We have so many tables that you may well wish to hear about all of them first.";
    let answers = [("tell", long), ("garden", "It is booked.")];
    let mut stage = Stage::with_answers(assistant(Detector::Smart), "Hello.", &answers);
    stage.turn_model = COMPLETE;
    stage.caller(2_000, 1_000, "tell me more");
    stage.caller(6_000, 1_000, "no one in the garden");
    stage.play(14_000);
    let interrupted = stage.notes().any(|(_, note)| *note == Note::Interrupted);
    assert!(interrupted, "{:?}", stage.transcript());
    let at = taken(&stage, 0).last().copied();
    assert_eq!(at, Some(7_300), "{:?}", stage.transcript());
}
