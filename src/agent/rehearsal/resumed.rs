//! Answers that break off and are gone on with by somebody else, and the end of all patience.

use super::stage::{Stage, last_words, tool_call};
use crate::agent::assistant::Assistant;
use crate::agent::conversation::{Message, Request};
use crate::agent::event::{Delta, Output, Over};

fn text(words: &str) -> Delta {
    Delta::Text(words.to_owned())
}

/// A stage whose model gives these answers in turn, with one request for each turn.
fn stage(mut answers: Vec<Vec<(u64, Delta)>>) -> Stage {
    answers.reverse();
    let mut assistant = Assistant::default();
    assistant.turns.preemptive = false;
    let mind = move |_: &Request| answers.pop().unwrap_or_default();
    Stage::new(assistant, "Hello.", Box::new(mind))
}

fn agent_lines(stage: &Stage) -> Vec<String> {
    let lines = stage.transcript().into_iter();
    lines.filter_map(|line| line.strip_prefix("agent: ").map(str::to_owned)).collect()
}

#[test]
fn another_model_goes_on_behind_the_last_whole_clause() {
    let begun = "We are open from nine to five. But on Sundays we";
    let mut stage = stage(vec![
        vec![(100, text(begun)), (50, Delta::BrokeOff)],
        vec![(100, text("On Sundays we are closed.")), (10, Delta::Done)],
    ]);
    stage.caller(2_000, 1_000, "Your hours?");
    stage.play(9_000);
    let expected = ["Hello.", "We are open from nine to five.", "On Sundays we are closed."];
    assert_eq!(agent_lines(&stage)[..3], expected);
    let request = stage.requests()[1];
    let last = Message::Agent { text: expected[1].to_owned(), interrupted: false };
    assert_eq!(request.messages.last(), Some(&last), "it knows what was said");
    assert!(request.instructions.contains("without repeating"), "{}", request.instructions);
    assert_eq!(last_words(request), "Your hours?");
}

#[test]
fn an_answer_of_which_nothing_was_said_is_begun_anew() {
    let mut stage = stage(vec![
        vec![(100, text("We are")), (50, Delta::BrokeOff)],
        vec![(100, text("Nine to five.")), (10, Delta::Done)],
    ]);
    stage.caller(2_000, 1_000, "Your hours?");
    stage.play(9_000);
    assert_eq!(agent_lines(&stage)[..2], ["Hello.", "Nine to five."]);
    assert!(!stage.requests()[1].instructions.contains("without repeating"));
}

#[test]
fn a_tool_that_was_called_before_it_broke_off_runs_once() {
    let mut stage = stage(vec![
        vec![(100, tool_call("look_up", "{}")), (50, Delta::BrokeOff)],
        vec![(100, text("It is forty-two.")), (10, Delta::Done)],
    ]);
    stage.caller(2_000, 1_000, "What is it?");
    stage.play(9_000);
    let runs = stage.log.iter().filter(|(_, it)| matches!(it, Output::Run(_))).count();
    assert_eq!((runs, stage.requests().len()), (1, 2));
    assert!(matches!(stage.requests()[1].messages.last(), Some(Message::ToolResult(_))));
    assert_eq!(agent_lines(&stage)[..2], ["Hello.", "It is forty-two."]);
}

#[test]
fn nobody_goes_on_for_ever() {
    let broken = || vec![(100, text("Well. And")), (50, Delta::BrokeOff)];
    let mut stage = stage((0..50).map(|_| broken()).collect());
    stage.caller(2_000, 1_000, "Your hours?");
    stage.play(14_000);
    assert_eq!(stage.requests().len(), 4);
    assert!(agent_lines(&stage).iter().any(|line| line.contains("could not find an answer")));
}

#[test]
fn when_everybody_is_down_the_caller_is_told_at_once_and_not_asked_again() {
    let mut stage = stage(vec![vec![(100, Delta::Down)]]);
    stage.caller(2_000, 1_000, "Your hours?");
    stage.play(20_000);
    assert_eq!(stage.over().map(|(_, why)| why), Some(Over::ProviderError));
    let lines = agent_lines(&stage);
    assert!(lines.last().is_some_and(|line| line.starts_with("I am very sorry")), "{lines:?}");
    assert_eq!(lines.len(), 2, "{lines:?}");
}
