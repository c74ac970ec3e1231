//! Keys that a model asks for.

use super::stage::{Stage, last_words, tool_call};
use crate::agent::assistant::Assistant;
use crate::agent::conversation::{Message, Request};
use crate::agent::event::{Delta, Output};
use crate::agent::tools::builtin::Builtin;

/// A stage on which the model asks for keys once, and repeats what it is told of them.
fn stage(wanted: &'static str) -> Stage {
    let mind = move |request: &Request| match request.messages.last() {
        Some(Message::ToolResult(result)) => {
            vec![(100, Delta::Text(format!("I have: {}.", result.content))), (0, Delta::Done)]
        }
        _ if last_words(request) == "My number?" => {
            vec![(10, tool_call("collect_digits", wanted)), (0, Delta::Done)]
        }
        _ => vec![(10, Delta::Text("What else?".to_owned())), (0, Delta::Done)],
    };
    let mut stage = Stage::new(Assistant::default(), "", Box::new(mind));
    stage.offer(Builtin::CollectDigits.tool());
    stage.caller(1_000, 800, "My number?");
    stage
}

const FOUR: &str = r#"{"prompt": "Four digits, please.", "length": 4}"#;
const MANY: &str = r#"{"prompt": "Your number and then the star.", "finish_on": "*"}"#;
const ASKED: [&str; 3] =
    ["caller: My number?", "tool: collect_digits", "agent: Four digits, please."];

#[test]
fn so_many_keys_are_taken_at_once_and_the_key_behind_them_is_none() {
    let mut stage = stage(FOUR);
    // Three seconds lie between two keys: numbers are read off cards.
    stage.keys(6_000, "12");
    stage.keys(9_000, "34#");
    stage.play(13_000);
    let transcript = stage.transcript();
    assert_eq!(transcript[..3], ASKED);
    assert_eq!(transcript[3..], ["caller: 1234", "agent: I have: 1234."]);
    assert_eq!(stage.requests().len(), 2);
    let heard = stage.audible.iter().find(|(_, text)| text.starts_with("I have"));
    assert!(heard.is_some_and(|(at, _)| (9_200..10_500).contains(at)), "{:?}", stage.audible);
    assert!(stage.first(|it| matches!(it, Output::Run(_))).is_none());
}

#[test]
fn a_key_ends_a_number_of_any_length_and_stops_the_prompt() {
    let mut stage = stage(MANY);
    stage.keys(3_000, "0711#5*");
    stage.play(12_000);
    let transcript = stage.transcript();
    assert_eq!(transcript[3..], ["caller: 0711#5", "agent: I have: 0711#5."]);
    assert!(transcript[2].starts_with("agent: Your number") && transcript[2].ends_with('—'));
}

#[test]
fn too_few_keys_are_none_and_the_model_knows() {
    let mut stage = stage(FOUR);
    stage.keys(6_000, "12");
    stage.play(16_000);
    let expected = ["agent: I have: the caller pressed 12 only:", "agent: 4 keys are wanted."];
    assert_eq!(stage.transcript()[4..], expected);
}

#[test]
fn a_caller_who_speaks_instead_is_answered() {
    let mut stage = stage(FOUR);
    stage.caller(6_000, 1_000, "I have lost my card");
    stage.play(12_000);
    let transcript = stage.transcript();
    assert_eq!(transcript[3], "caller: I have lost my card");
    assert!(transcript[4].contains("spoke and pressed no key"), "{transcript:?}");
}

#[test]
fn a_word_while_the_number_is_looked_for_ends_nothing() {
    let mut stage = stage(FOUR);
    stage.caller(6_000, 400, "Uh-huh.");
    stage.keys(9_000, "1234");
    stage.play(14_000);
    let last = stage.transcript().pop();
    assert_eq!(last.as_deref(), Some("agent: I have: 1234."));
    assert_eq!(stage.requests().len(), 2, "{:?}", stage.transcript());
}

#[test]
fn a_caller_who_presses_nothing_is_asked_once_more() {
    let mut stage = stage(FOUR);
    stage.play(28_000);
    let expected = ["agent: Four digits, please.", "agent: I have: the caller pressed no key."];
    assert_eq!(stage.transcript()[3..5], expected);
}
