//! What a caller says last, who hangs up before it is known.

use super::stage::Stage;
use crate::agent::assistant::Assistant;
use crate::agent::event::{Input, Output, PauseId, Transcript, Verdict};

fn stage() -> Stage {
    Stage::with_answers(Assistant::default(), "Hello.", &[("table", "It is booked.")])
}

fn lines(stage: &Stage) -> Vec<String> {
    stage.transcript().into_iter().filter(|line| line.starts_with("caller")).collect()
}

#[test]
fn who_leaves_a_number_and_hangs_up_has_left_it() {
    // In the middle of a word, within the pause, and while the text is under way.
    for hangs_up in [3_900, 4_100, 4_200] {
        let mut stage = stage();
        stage.stt = Some(800);
        stage.caller(3_000, 1_000, "my number is five five five");
        stage.fact(hangs_up, Input::HungUp);
        stage.play(9_000);
        let asked = stage.log.iter().filter(|(_, it)| matches!(it, Output::Finalize(_))).count();
        assert_eq!(asked, 1, "at {hangs_up}");
        // The stage gives its words at the end of the speech.
        if hangs_up > 4_160 {
            assert_eq!(lines(&stage), ["caller: my number is five five five"]);
        }
        assert!(!stage.log.iter().any(|(_, it)| matches!(it, Output::Think { .. })));
    }
}

#[test]
fn words_that_nobody_confirms_are_kept_as_they_were_heard() {
    let mut stage = stage();
    stage.stt = None;
    stage.caller(3_000, 1_000, "");
    let transcript = Transcript::Partial { text: "call me back".to_owned() };
    stage.fact(3_900, Input::Transcript { pause: PauseId::default(), transcript });
    stage.fact(4_200, Input::HungUp);
    stage.play(9_000);
    assert_eq!(lines(&stage), [] as [&str; 0]);
    stage.play(9_400);
    assert_eq!(lines(&stage), ["caller: call me back"]);
}

#[test]
fn a_text_that_comes_late_corrects_the_turn_that_was_taken() {
    let mut stage = stage();
    stage.stt = Some(4_000);
    stage.caller(3_000, 1_000, "is there a table free?");
    // Without a text the turn is taken 2.1 s behind the last sound.
    stage.fact(6_500, Input::HungUp);
    stage.play(12_000);
    assert_eq!(lines(&stage).last().map(String::as_str), Some("caller: is there a table free?"));
}

#[test]
fn a_text_that_comes_when_the_answer_was_heard_is_still_what_was_said() {
    for hangs_up in [None, Some(6_600)] {
        let mut stage = stage();
        stage.stt = Some(6_000);
        stage.caller(3_000, 1_000, "is there a table free?");
        if let Some(at) = hangs_up {
            stage.fact(at, Input::HungUp);
        }
        stage.play(10_300);
        assert!(stage.audible.iter().any(|(_, text)| text == "What was that?"));
        assert_eq!(lines(&stage), ["caller: ", "caller: is there a table free?"], "{hangs_up:?}");
    }
}

#[test]
fn who_said_nothing_leaves_nothing() {
    for words in ["", "mhm"] {
        let says = "We are open from nine to five, and on Saturday from ten to two.";
        let mut stage = Stage::with_answers(Assistant::default(), says, &[]);
        stage.caller(600, 200, words);
        stage.fact(1_000, Input::HungUp);
        stage.play(9_000);
        assert_eq!(lines(&stage), [] as [&str; 0], "{words}");
    }
}

#[test]
fn a_transcriber_that_judges_is_waited_for_until_it_says_that_the_turn_is_over() {
    let mut stage = stage();
    stage.stt = None;
    stage.caller(3_000, 1_000, "");
    let heard = |text: &str, verdict| {
        let transcript = Transcript::Judged { text: text.to_owned(), verdict };
        Input::Transcript { pause: PauseId(1), transcript }
    };
    stage.fact(4_200, Input::HungUp);
    stage.fact(4_300, heard("my number is", Verdict::Likely));
    stage.fact(4_500, heard("my number is five five", Verdict::Over));
    stage.play(9_000);
    assert_eq!(lines(&stage), ["caller: my number is five five"]);
}
