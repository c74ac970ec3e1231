//! What is thought while the voice of the caller only falls off, and what came of it.

use super::stage::Stage;
use crate::agent::assistant::{Assistant, Turns};
use crate::agent::event::{Input, Output, PauseId, Transcript};

const QUESTION: &str = "is there a table free?";

fn stage(preemptive: bool) -> Stage {
    let turns = Turns { preemptive, ..Turns::default() };
    let assistant = Assistant { turns, ..Assistant::default() };
    Stage::with_answers(assistant, "Hello.", &[("table", "It is booked.")])
}

fn partial(stage: &mut Stage, at: u64, text: &str) {
    let transcript = Transcript::Partial { text: text.to_owned() };
    stage.fact(at, Input::Transcript { pause: PauseId::default(), transcript });
}

fn thoughts(stage: &Stage) -> Vec<u64> {
    let asked = stage.log.iter().filter(|(_, it)| matches!(it, Output::Think { .. }));
    asked.map(|(at, _)| *at).collect()
}

/// When the answer is heard, if it is.
fn answered(stage: &Stage) -> Option<u64> {
    stage.audible.iter().find(|(_, text)| text == "It is booked.").map(|(at, _)| *at)
}

#[test]
fn a_model_thinks_as_soon_as_the_voice_falls_off() {
    let play = |fades: bool| {
        let mut stage = stage(true);
        stage.stt = Some(100);
        stage.caller(3_000, 1_000, QUESTION);
        partial(&mut stage, 3_950, "Is there a table free?");
        if fades {
            stage.fact(4_040, Input::SpeechFaded);
        }
        stage.play(8_000);
        assert_eq!(
            stage.transcript()[1..3],
            ["caller: is there a table free?", "agent: It is booked."]
        );
        (thoughts(&stage), answered(&stage).expect("an answer"))
    };
    let ((early, heard), (late, heard_late)) = (play(true), play(false));
    assert_eq!((early, late), (vec![4_040], vec![4_260]), "one thought each");
    // The turn is taken 300 ms behind the last sound, and the stage moves by 10.
    assert_eq!((heard, heard_late), (4_310, 4_420));
}

#[test]
fn words_that_come_after_the_voice_fell_off_are_thought_about_at_once() {
    let mut stage = stage(true);
    stage.caller(3_000, 1_000, QUESTION);
    stage.fact(4_040, Input::SpeechFaded);
    partial(&mut stage, 4_100, QUESTION);
    stage.play(8_000);
    assert_eq!(thoughts(&stage), [4_100]);
}

#[test]
fn a_voice_that_is_back_takes_the_thought_back() {
    let mut stage = stage(true);
    stage.caller(3_000, 2_000, "is there a table free? and a cot");
    partial(&mut stage, 3_950, QUESTION);
    stage.fact(4_040, Input::SpeechFaded);
    stage.fact(4_100, Input::SpeechReturned);
    stage.play(8_000);
    assert_eq!(thoughts(&stage).first(), Some(&4_040));
    assert_eq!(stage.abandoned.len(), 1);
    assert!(answered(&stage).is_some_and(|at| at > 5_300), "{:?}", stage.audible);
    let first = "caller: is there a table free? and a cot";
    assert_eq!(stage.transcript()[1], first);
}

#[test]
fn where_the_last_words_are_others_they_are_thought_about_instead() {
    let mut stage = stage(true);
    stage.caller(3_000, 1_000, "is there a table free tonight?");
    partial(&mut stage, 3_950, QUESTION);
    stage.fact(4_040, Input::SpeechFaded);
    stage.play(8_000);
    assert_eq!(thoughts(&stage), [4_040, 4_210]);
    assert_eq!(stage.abandoned.len(), 1);
    assert_eq!(stage.audible.iter().filter(|(_, text)| text == "It is booked.").count(), 1);
}

fn asked(stage: &Stage) -> Vec<u64> {
    let asked = stage.log.iter().filter(|(_, it)| matches!(it, Output::Finalize(_)));
    asked.map(|(at, _)| *at).collect()
}

fn asking() -> Stage {
    let turns = Turns { asks_early: true, ..Turns::default() };
    let assistant = Assistant { turns, ..Assistant::default() };
    let mut stage = Stage::with_answers(assistant, "Hello.", &[("table", "It is booked.")]);
    stage.stt = Some(100);
    stage
}

#[test]
fn a_transcriber_is_asked_before_the_pause_is_certain_and_once() {
    let mut stage = asking();
    stage.caller(3_000, 1_000, QUESTION);
    stage.fact(4_040, Input::SpeechFaded);
    stage.play(8_000);
    assert_eq!(asked(&stage), [4_080]);
    // Its text comes 100 ms later, and is thought about at once: 80 ms before it used to come.
    assert_eq!(thoughts(&stage), [4_180]);
    assert_eq!(
        stage.transcript()[1..3],
        ["caller: is there a table free?", "agent: It is booked."]
    );
}

#[test]
fn a_voice_that_is_back_in_time_is_not_asked_about() {
    let mut stage = asking();
    stage.caller(3_000, 2_000, QUESTION);
    stage.fact(4_040, Input::SpeechFaded);
    stage.fact(4_070, Input::SpeechReturned);
    stage.play(8_000);
    assert_eq!(asked(&stage).len(), 1);
    assert!(asked(&stage)[0] > 5_000, "{:?}", asked(&stage));
}

#[test]
fn a_voice_that_is_back_later_is_asked_about_again_and_its_text_is_whole() {
    let mut stage = asking();
    stage.caller(3_000, 2_000, "is there a table free? and a cot");
    stage.fact(4_040, Input::SpeechFaded);
    stage.fact(4_130, Input::SpeechReturned);
    stage.play(8_000);
    assert_eq!(asked(&stage).first(), Some(&4_080));
    assert_eq!(asked(&stage).len(), 2);
    assert!(answered(&stage).is_some_and(|at| at > 5_300), "{:?}", stage.audible);
    assert_eq!(stage.transcript()[1], "caller: is there a table free? and a cot");
}

#[test]
fn who_pauses_within_sentences_is_asked_at_pauses() {
    let mut stage = asking();
    for turn in 0..12_u64 {
        let begin = 3_000 + turn * 6_000;
        stage.caller(begin, 2_000, QUESTION);
        for dip in 0..5 {
            stage.fact(begin + 300 + dip * 300, Input::SpeechFaded);
            stage.fact(begin + 400 + dip * 300, Input::SpeechReturned);
        }
    }
    stage.play(80_000);
    let early = |at: &&u64| (**at - 3_000) % 6_000 < 2_000;
    let count = asked(&stage).iter().filter(early).count();
    // Three at most in a turn; four until it is known, and then one of eight.
    assert!((4..=12).contains(&count), "{count}: {:?}", asked(&stage));
}

#[test]
fn nothing_is_foreseen_of_half_a_sentence_or_where_it_is_not_wanted() {
    for (preemptive, words) in [(true, "is there a table and"), (false, QUESTION)] {
        let mut stage = stage(preemptive);
        stage.caller(3_000, 1_000, QUESTION);
        partial(&mut stage, 3_950, words);
        stage.fact(4_040, Input::SpeechFaded);
        stage.play(4_100);
        assert!(thoughts(&stage).is_empty(), "{words}");
    }
}

#[test]
fn who_is_foreseen_wrongly_again_and_again_is_let_finish() {
    let mut stage = stage(true);
    for turn in 0..12_u64 {
        let begin = 3_000 + turn * 6_000;
        stage.caller(begin, 1_000, "is there a table free tonight?");
        partial(&mut stage, begin + 950, QUESTION);
        stage.fact(begin + 1_040, Input::SpeechFaded);
    }
    stage.play(80_000);
    let early = |at: &&u64| (**at - 3_000) % 6_000 == 1_040;
    // Four, until it is known, and one of the eight that follow.
    assert_eq!(thoughts(&stage).iter().filter(early).count(), 5, "{:?}", thoughts(&stage));
}
